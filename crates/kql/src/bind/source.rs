//! Where rows come from: tables of the host, `let`, literals, `union`, `search`.

use std::sync::Arc;

use super::{Binder, Binding, Row, naming::Names};
use crate::{
    ast::{Argument, Expr, ExprKind, Item, Name, Parameter, ParameterKind, Search, Union},
    database::HostResult,
    error::{QueryError, Span},
    plan::{Field, HostPlan, InvokeColumn, RelKind, RelRef, Scalar, ScalarKind},
    table::{Origin, Schema},
    types::Type,
};

impl Binder<'_> {
    /// An expression that must be a table.
    pub(super) fn table(&mut self, expr: &Expr) -> Result<RelRef, QueryError> {
        self.deeper(expr.span, |binder| binder.table_inside(expr))
    }

    fn table_inside(&mut self, expr: &Expr) -> Result<RelRef, QueryError> {
        let span = expr.span;
        match &*expr.kind {
            ExprKind::Pipe(source, operators) => {
                // The service blames the first operator for a source that it does not know.
                let outside = self.operator.clone();
                self.operator = operators.first().map(|operator| Arc::clone(&operator.keyword.text));
                let source = if self.is_table(source) || !matches!(*source.kind, ExprKind::Call(..)) {
                    self.table(source)?
                } else {
                    return Err(self.no_table(source));
                };
                let table = self.operators(source, operators)?;
                self.operator = outside;
                Ok(table)
            }
            ExprKind::Name(name) => self.named_table(name),
            ExprKind::Call(name, arguments) => self.called_table(name, arguments, span),
            ExprKind::Member(of, name) | ExprKind::MemberCall(of, name, _) if is_place(of) => {
                let arguments = match &*expr.kind {
                    ExprKind::MemberCall(_, _, arguments) => arguments.as_slice(),
                    _ => &[],
                };
                if arguments.is_empty() { self.named_table(name) } else { self.called_table(name, arguments, span) }
            }
            ExprKind::DataTable(columns, values) => self.datatable(columns, values, span),
            ExprKind::ExternalData(columns) => self.external_data(columns, span),
            ExprKind::Print(items) => self.print(items, span),
            ExprKind::Range(name, from, to, step) => self.range(name, [from, to, step], span),
            ExprKind::Union(union) => {
                self.operator = Some(Arc::from("union"));
                self.union(None, union, span)
            }
            ExprKind::Wildcard(name) => {
                let tables = self.wildcard_tables(name)?;
                self.union_of(tables, false, None, span)
            }
            ExprKind::Search(search) => self.search_all(search),
            ExprKind::Find(name) => Err(self.unsupported("Operator 'find'", name.span)),
            _ => Err(self.no_table(expr)),
        }
    }

    fn no_table(&self, expr: &Expr) -> QueryError {
        match &*expr.kind {
            ExprKind::Call(name, _) => {
                self.semantic(format!("Failed to resolve tabular function named '{}'", name.text), expr.span)
            }
            _ => self.semantic("Expected a table", expr.span),
        }
    }

    fn named_table(&mut self, name: &Name) -> Result<RelRef, QueryError> {
        match self.env.find(&name.text).cloned() {
            Some(Binding::Table(table)) => return Ok(table),
            Some(Binding::Lambda(lambda)) => {
                if let Binding::Table(table) = self.call_lambda(&lambda, &[], &Row::NONE, name.span)? {
                    return Ok(table);
                }
            }
            Some(Binding::Scalar(_)) => {
                return Err(self.semantic(format!("'{}' is a scalar, expected a table", name.text), name.span));
            }
            None => {}
        }
        match self.database.schema(&name.text) {
            Some(schema) => self.scan(&name.text, &schema, name.span),
            None if self.is_host_table(&name.text) => self.called_table(name, &[], name.span),
            None => {
                let message = format!("Failed to resolve table or column expression named '{}'", name.text);
                Err(self.semantic(message, name.span))
            }
        }
    }

    fn scan(&mut self, table: &Arc<str>, schema: &Schema, span: Span) -> Result<RelRef, QueryError> {
        let stored: Vec<_> = schema.stored().map(|column| Arc::clone(&column.name)).collect();
        let place = |name: &str| stored.iter().position(|stored| **stored == *name);
        let mut fields = Vec::new();
        let mut columns = Vec::new();
        for column in schema.columns() {
            columns.push(match &column.origin {
                Origin::Stored => place(&column.name),
                Origin::Alias(of) => place(of),
                Origin::Absent => None,
            });
            fields.push(Field {
                name: Arc::clone(&column.name),
                ty: column.ty,
                hidden: column.origin != Origin::Stored,
            });
        }
        self.rel(RelKind::Scan { table: Arc::clone(table), columns }, fields, 0, span)
    }

    fn called_table(&mut self, name: &Name, arguments: &[Argument], span: Span) -> Result<RelRef, QueryError> {
        match (&*name.text, arguments) {
            ("materialize", [only]) => {
                let input = self.table(&only.value)?;
                let (fields, depth) = (input.fields.to_vec(), input.depth);
                let id = self.new_id();
                return self.rel(RelKind::Materialize(id, input), fields, depth, span);
            }
            ("table" | "external_table" | "materialized_view", [table, ..]) => {
                let text = self.constant_text(&table.value)?;
                return self.named_table(&Name { text, span: table.value.span });
            }
            _ => {}
        }
        if let Some(Binding::Lambda(lambda)) = self.env.find(&name.text).cloned() {
            return match self.call_lambda(&lambda, arguments, &Row::NONE, span)? {
                Binding::Table(table) => Ok(table),
                _ => Err(self.semantic(format!("'{}' is a scalar, expected a table", name.text), span)),
            };
        }
        let host = self.database.function(&name.text);
        let Some((host, HostResult::Table(schema))) = host.map(|host| (host.clone(), host.result)) else {
            let message = format!("Failed to resolve tabular function named '{}'", name.text);
            return Err(self.semantic(message, name.span));
        };
        let arguments = self.host_arguments(name, &host, arguments, &Row::NONE, span)?;
        let fields: Vec<_> = schema.stored().map(|column| Self::field(&column.name, column.ty)).collect();
        let columns = (0..fields.len()).map(InvokeColumn::Answer).collect();
        let call = Arc::new(HostPlan { name: Arc::clone(&name.text), arguments, input: None });
        self.rel(RelKind::Invoke { input: None, call, columns }, fields, 0, span)
    }

    pub(super) fn is_host_table(&self, name: &str) -> bool {
        matches!(self.database.function(name).map(|host| host.result), Some(HostResult::Table(_)))
    }

    fn datatable(&mut self, columns: &[Parameter], values: &[Expr], span: Span) -> Result<RelRef, QueryError> {
        let types: Vec<_> = columns.iter().map(scalar_type).collect();
        if columns.is_empty() || !values.len().is_multiple_of(columns.len()) {
            return Err(self.semantic("datatable: the number of values is no multiple of the columns", span));
        }
        let mut cells = Vec::with_capacity(values.len());
        for (at, value) in values.iter().enumerate() {
            let ty = types[at % types.len()];
            let cell = self.scalar(value, &Row::NONE)?;
            cells.push(if cell.ty == ty { cell } else { self.cast(cell, ty)? });
        }
        let mut names = Names::default();
        columns.iter().zip(&types).for_each(|(column, ty)| names.add(&column.name.text, *ty));
        let depth = cells.iter().map(|cell| cell.depth).max().unwrap_or(0);
        self.rel(RelKind::Rows { cells, width: types.len() }, names.fields, depth, span)
    }

    fn external_data(&mut self, columns: &[Parameter], span: Span) -> Result<RelRef, QueryError> {
        let schema: Schema = columns.iter().map(|column| (&*column.name.text, scalar_type(column))).collect();
        let fields = schema.stored().map(|column| Self::field(&column.name, column.ty)).collect();
        self.rel(RelKind::External(Arc::new(schema)), fields, 0, span)
    }

    fn print(&mut self, items: &[Item], span: Span) -> Result<RelRef, QueryError> {
        self.operator = Some(Arc::from("print"));
        let mut names = Names::default();
        let mut cells = Vec::new();
        for (at, item) in items.iter().enumerate() {
            self.add_item(item, &Row::NONE, &mut names, &mut cells, ("print_", at))?;
        }
        let depth = cells.iter().map(|cell| cell.depth).max().unwrap_or(0);
        let width = cells.len();
        self.rel(RelKind::Rows { cells, width }, names.fields, depth, span)
    }

    fn range(&mut self, name: &Name, bounds: [&Expr; 3], span: Span) -> Result<RelRef, QueryError> {
        let mut bound = Vec::with_capacity(3);
        for expr in bounds {
            bound.push(self.scalar(expr, &Row::NONE)?);
        }
        let ty = match super::call::common_type(&bound[..2]) {
            Some(Type::Int) => Type::Long,
            Some(ty @ (Type::Long | Type::Real | Type::DateTime | Type::TimeSpan)) => ty,
            _ => return Err(self.semantic("range: the bounds have no type in common", span)),
        };
        let ty = if ty == Type::Long && bound[2].ty == Type::Real { Type::Real } else { ty };
        let step = if ty == Type::DateTime { Type::TimeSpan } else { ty };
        let mut casts = Vec::with_capacity(3);
        for (value, ty) in bound.into_iter().zip([ty, ty, step]) {
            casts.push(if value.ty == ty { value } else { self.cast(value, ty)? });
        }
        let depth = casts.iter().map(|scalar| scalar.depth).max().unwrap_or(0);
        let (Some(step), Some(to), Some(from)) = (casts.pop(), casts.pop(), casts.pop()) else {
            return Err(self.semantic("range: expected three bounds", span));
        };
        self.rel(RelKind::Range { from, to, step }, vec![Self::field(&name.text, ty)], depth, span)
    }

    fn wildcard_tables(&mut self, pattern: &Name) -> Result<Vec<(RelRef, Arc<str>)>, QueryError> {
        let mut names: Vec<_> =
            self.database.table_names().into_iter().filter(|name| matches_wildcard(&pattern.text, name)).collect();
        names.sort();
        if names.is_empty() {
            let message = format!("Failed to resolve table expression named '{}'", pattern.text);
            return Err(self.semantic(message, pattern.span));
        }
        let table = |name: String| {
            let text: Arc<str> = Arc::from(name);
            let found = self.named_table(&Name { text: Arc::clone(&text), span: pattern.span })?;
            Ok((found, text))
        };
        names.into_iter().map(table).collect()
    }

    pub(super) fn union(&mut self, first: Option<RelRef>, union: &Union, span: Span) -> Result<RelRef, QueryError> {
        let mut tables = Vec::new();
        if let Some(first) = first {
            let name = source_name(&first, tables.len());
            tables.push((first, name));
        }
        for expr in &union.tables {
            if let ExprKind::Wildcard(pattern) = &*expr.kind {
                tables.extend(self.wildcard_tables(pattern)?);
                continue;
            }
            if matches!(*expr.kind, ExprKind::Star) {
                let every = Name { text: Arc::from("*"), span: expr.span };
                tables.extend(self.wildcard_tables(&every)?);
                continue;
            }
            match self.table_apart(expr) {
                Ok(table) => {
                    let name = match Self::bare_name(expr) {
                        Some(name) => Arc::clone(&name.text),
                        None => source_name(&table, tables.len()),
                    };
                    tables.push((table, name));
                }
                Err(error) if union.fuzzy => drop(error),
                Err(error) => return Err(error),
            }
        }
        if tables.is_empty() {
            return Err(self.semantic("Failed to resolve any of the union's tables", span));
        }
        self.union_of(tables, union.inner, union.with_source.as_ref(), span)
    }

    /// All columns of all tables (or those in common); a name with two types becomes two columns.
    fn union_of(
        &mut self,
        tables: Vec<(RelRef, Arc<str>)>,
        inner: bool,
        with_source: Option<&Name>,
        span: Span,
    ) -> Result<RelRef, QueryError> {
        let mut fields: Vec<Field> = Vec::new();
        for (table, _) in &tables {
            for field in table.fields.iter() {
                match fields.iter_mut().find(|known| known.name == field.name && known.ty == field.ty) {
                    Some(known) => known.hidden &= field.hidden,
                    None => fields.push(field.clone()),
                }
            }
        }
        if inner {
            let everywhere = |field: &Field| {
                tables.iter().all(|(table, _)| table.fields.iter().any(|other| other.name == field.name))
            };
            fields.retain(everywhere);
        }
        let places = |table: &RelRef| {
            let place =
                |field: &Field| table.fields.iter().position(|other| other.name == field.name && other.ty == field.ty);
            fields.iter().map(place).collect::<Vec<_>>()
        };
        let inputs: Vec<_> = tables.iter().map(|(table, _)| (Arc::clone(table), places(table))).collect();
        let depth = tables.iter().map(|(table, _)| table.depth).max().unwrap_or(0);
        tell_apart(&mut fields);
        let mut source = None;
        if let Some(name) = with_source {
            source = Some(tables.into_iter().map(|(_, name)| name).collect());
            fields.insert(0, Self::field(&name.text, Type::String));
        }
        self.rel(RelKind::Union { inputs, source }, fields, depth, span)
    }

    fn search_all(&mut self, search: &Search) -> Result<RelRef, QueryError> {
        self.operator = Some(Arc::from("search"));
        if search.tables.is_empty() {
            let message = "The query cannot run because it exceeds the allowed size limit when processed.";
            return Err(QueryError::new(crate::error::ErrorKind::ResultSize, message, search.span));
        }
        let mut found = Vec::new();
        for expr in &search.tables {
            let tables = match &*expr.kind {
                ExprKind::Wildcard(pattern) => self.wildcard_tables(pattern)?,
                _ => {
                    let table = self.table_apart(expr)?;
                    let name = source_name(&table, found.len());
                    vec![(table, name)]
                }
            };
            for (table, name) in tables {
                found.push((self.search(table, search)?, name));
            }
        }
        let source = Name { text: Arc::from("$table"), span: search.span };
        self.union_of(found, false, Some(&source), search.span)
    }

    /// Adds what an item gives: one column, or several.
    pub(super) fn add_item(
        &mut self,
        item: &Item,
        row: &Row<'_>,
        names: &mut Names,
        cells: &mut Vec<Scalar>,
        number: (&str, usize),
    ) -> Result<(), QueryError> {
        if let Some(several) = self.several(item, row)? {
            for (name, scalar) in several {
                names.add(&name, scalar.ty);
                cells.push(scalar);
            }
            return Ok(());
        }
        let scalar = self.scalar(&item.value, row)?;
        let own = || match Self::bare_name(&item.value) {
            Some(name) if self.column(name, row).is_none() => None,
            _ => Self::result_name(&item.value),
        };
        match item.names.first().map(|name| name.text.to_string()).or_else(own) {
            Some(name) if !name.is_empty() => names.add(&name, scalar.ty),
            _ => names.add_numbered(number.0, number.1, scalar.ty),
        }
        cells.push(scalar);
        Ok(())
    }

    /// Functions that fill several columns, such as `array_sort_asc(a, b)`.
    pub(super) fn several(&mut self, item: &Item, row: &Row<'_>) -> Result<Option<Vec<(String, Scalar)>>, QueryError> {
        let ExprKind::Call(name, arguments) = &*item.value.kind else { return Ok(None) };
        if !matches!(&*name.text, "array_sort_asc" | "array_sort_desc") {
            return Ok(None);
        }
        let arrays =
            arguments.iter().filter(|argument| !matches!(&*argument.value.kind, ExprKind::Literal(Type::Bool, _)));
        let arrays: Vec<_> = arrays.collect();
        if arrays.len() < 2 {
            let Some(first) = arrays.first().filter(|_| item.names.is_empty()) else { return Ok(None) };
            let whole = self.scalar(&item.value, row)?;
            let name = Self::result_name(&first.value);
            return Ok(Some(vec![(
                name.map_or_else(|| "array1_sorted".to_owned(), |name| format!("{name}_sorted")),
                whole,
            )]));
        }
        let mut several = Vec::new();
        for (at, array) in arrays.iter().enumerate() {
            let mut ordered = vec![self.scalar(&array.value, row)?];
            for argument in arguments {
                ordered.push(self.scalar(&argument.value, row)?);
            }
            let function = if name.text.ends_with("asc") { "__sort_asc_by" } else { "__sort_desc_by" };
            let sorted = self.apply(function, ordered, item.value.span)?;
            let default = || match Self::result_name(&array.value) {
                Some(name) => format!("{name}_sorted"),
                None => format!("array{}_sorted", at + 1),
            };
            several.push((item.names.get(at).map_or_else(default, |name| name.text.to_string()), sorted));
        }
        if !item.names.is_empty() {
            several.truncate(item.names.len());
        }
        Ok(Some(several))
    }

    pub(super) fn is_constant(scalar: &Scalar) -> bool {
        !scalar.reads_columns() && !matches!(*scalar.kind, ScalarKind::Column(_))
    }
}

/// `database("d")`, `cluster("c").database("d")`, `workspace("w")`: there is one database here.
fn is_place(expr: &Expr) -> bool {
    match &*expr.kind {
        ExprKind::Call(name, _) => {
            matches!(&*name.text, "database" | "cluster" | "workspace" | "app" | "adx" | "arg" | "resource")
        }
        ExprKind::MemberCall(of, ..) => is_place(of),
        _ => false,
    }
}

fn scalar_type(column: &Parameter) -> Type {
    match column.kind {
        ParameterKind::Scalar(ty) => ty,
        ParameterKind::Table(_) => Type::Dynamic,
    }
}

fn source_name(table: &RelRef, at: usize) -> Arc<str> {
    let mut table = table;
    loop {
        table = match &table.kind {
            RelKind::Scan { table, .. } => return Arc::clone(table),
            RelKind::Named(_, name) => return Arc::clone(name),
            RelKind::Filter(input, _) | RelKind::Project(input, _) | RelKind::Take(input, _) => input,
            _ => return Arc::from(format!("union_arg{at}")),
        };
    }
}

/// Columns of one name and several types are called `x_string`, `x_long`.
fn tell_apart(fields: &mut [Field]) {
    let names: Vec<_> = fields.iter().map(|field| Arc::clone(&field.name)).collect();
    for field in fields {
        if names.iter().filter(|name| **name == field.name).count() > 1 {
            field.name = Arc::from(format!("{}_{}", field.name, field.ty));
        }
    }
}

/// Stars stand for any text.
pub(super) fn matches_wildcard(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(parts.next().unwrap_or("")) else { return false };
    let parts: Vec<_> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}
