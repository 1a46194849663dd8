//! `mv-expand`, `mv-apply`, `partition`, `invoke`, and plugins.

use std::sync::Arc;

use super::{Binder, Row, naming::Names};
use crate::{
    ast::{Argument, Expr, ExprKind, MvExpand, Name, Operator},
    database::HostResult,
    error::{QueryError, Span},
    plan::{ApplyColumn, Expand, ExpandColumn, Field, HostPlan, InvokeColumn, RelKind, RelRef},
    table::Schema,
    types::Type,
};

impl Binder<'_> {
    pub(super) fn mv_expand(&mut self, input: RelRef, expand: &MvExpand, span: Span) -> Result<RelRef, QueryError> {
        let (expand, fields) = self.expanded(&input, expand, span)?;
        let depth = expand.values.iter().map(|value| value.depth).max().unwrap_or(0);
        self.over(&input, depth, |input| RelKind::MvExpand { input, expand: Arc::new(expand) }, fields, span)
    }

    /// The values to open and the columns that come out: an opened column stays in its place.
    fn expanded(&mut self, input: &RelRef, expand: &MvExpand, span: Span) -> Result<(Expand, Vec<Field>), QueryError> {
        let row_fields = Arc::clone(&input.fields);
        let row = Row::of(&row_fields);
        let mut names = Names::of(&row_fields);
        let mut output: Vec<_> = (0..row_fields.len()).map(ExpandColumn::Input).collect();
        let (mut values, mut types) = (Vec::new(), Vec::new());
        for (at, (item, ty)) in expand.columns.iter().enumerate() {
            let value = self.scalar(&item.value, &row)?;
            if value.ty != Type::Dynamic {
                let message = format!("mv-expand: expected a value of type dynamic, not {}", value.ty);
                return Err(self.semantic(message, item.value.span));
            }
            let ty = ty.unwrap_or(Type::Dynamic);
            let name = item.names.first().map(|name| name.text.to_string());
            let name = name.or_else(|| Self::result_name(&item.value)).unwrap_or_else(|| format!("Column{}", at + 1));
            let known = names.fields.iter().position(|field| !field.hidden && *field.name == *name);
            match known {
                Some(known) => {
                    names.fields[known].ty = ty;
                    output[known] = ExpandColumn::Value(at);
                }
                None => {
                    names.add(&name, ty);
                    output.push(ExpandColumn::Value(at));
                }
            }
            values.push(value);
            types.push(ty);
        }
        if let Some(index) = &expand.index {
            names.add(&index.text, Type::Long);
            output.push(ExpandColumn::Index);
        }
        let limit = match &expand.limit {
            Some(limit) => Some(self.row_count(limit)?),
            None => None,
        };
        if values.is_empty() {
            return Err(self.semantic("mv-expand: expected a column", span));
        }
        Ok((Expand { values, types, output, pairs: expand.pairs, limit }, names.fields))
    }

    /// The rows of each opened row go through the operators in brackets on their own.
    pub(super) fn mv_apply(
        &mut self,
        input: RelRef,
        expand: &MvExpand,
        body: &[Operator],
        span: Span,
    ) -> Result<RelRef, QueryError> {
        let (expand, inner_fields) = self.expanded(&input, expand, span)?;
        let slot = self.slots;
        self.slots += 1;
        let source = self.rel(RelKind::Input(slot), inner_fields, 0, span)?;
        let operator = self.operator.clone();
        let body = self.operators(source, body)?;
        self.operator = operator;
        let opened: Vec<bool> = input
            .fields
            .iter()
            .enumerate()
            .map(|(at, _)| matches!(expand.output.get(at), Some(ExpandColumn::Value(_))))
            .collect();
        let mut fields = Vec::new();
        let mut output = Vec::new();
        for (at, field) in input.fields.iter().enumerate().filter(|(at, _)| !opened[*at]) {
            fields.push(field.clone());
            output.push(ApplyColumn::Source(at));
        }
        for (at, field) in body.fields.iter().enumerate() {
            if !field.hidden && !fields.iter().any(|known| known.name == field.name) {
                fields.push(field.clone());
                output.push(ApplyColumn::Body(at));
            }
        }
        let depth = body.depth;
        let expand = Arc::new(expand);
        self.over(&input, depth, |input| RelKind::MvApply { input, expand, slot, body, output }, fields, span)
    }

    pub(super) fn partition(
        &mut self,
        input: RelRef,
        key: &Expr,
        body: &[Operator],
        span: Span,
    ) -> Result<RelRef, QueryError> {
        let key = match Self::bare_name(key).map(|name| (Row::of(&input.fields).find(&name.text), name)) {
            Some((Some(at), _)) => at,
            Some((None, name)) => {
                let message = format!("Failed to resolve scalar expression named '{}'", name.text);
                return Err(self.semantic(message, name.span));
            }
            None => return Err(self.semantic("Expected the name of a column", key.span)),
        };
        let slot = self.slots;
        self.slots += 1;
        let source = self.rel(RelKind::Input(slot), input.fields.to_vec(), 0, span)?;
        let body = self.operators(source, body)?;
        let (fields, depth) = (body.fields.to_vec(), body.depth);
        self.over(&input, depth, |input| RelKind::Partition { input, key, slot, body }, fields, span)
    }

    pub(super) fn invoke(
        &mut self,
        input: RelRef,
        name: &Name,
        arguments: &[Argument],
        span: Span,
    ) -> Result<RelRef, QueryError> {
        if let Some(super::Binding::Lambda(lambda)) = self.env.find(&name.text).cloned() {
            // The rows become the function's first argument.
            let hidden: Arc<str> = Arc::from("$invoked");
            let outside = self.env.clone();
            self.env = self.env.with(&hidden, super::Binding::Table(input));
            let first = Expr { kind: Box::new(ExprKind::Name(Name { text: hidden, span })), span, depth: 1 };
            let mut all = vec![Argument { name: None, value: first }];
            all.extend(arguments.iter().cloned());
            let called = self.call_lambda(&lambda, &all, &Row::NONE, span);
            self.env = outside;
            return match called? {
                super::Binding::Table(table) => Ok(table),
                _ => Err(self.semantic(format!("'{}' does not give a table", name.text), name.span)),
            };
        }
        let Some(host) = self.database.function(&name.text) else {
            let message = format!("Failed to resolve tabular function named '{}'", name.text);
            return Err(self.semantic(message, name.span));
        };
        let fields = Arc::clone(&input.fields);
        let arguments = self.host_arguments(name, &host, arguments, &Row::of(&fields), span)?;
        let (columns, output) = match &host.result {
            HostResult::Adds(schema) => added(&fields, schema),
            HostResult::Table(schema) => {
                let fields: Vec<_> = schema.stored().map(|column| Self::field(&column.name, column.ty)).collect();
                ((0..fields.len()).map(InvokeColumn::Answer).collect(), fields)
            }
            HostResult::Scalar(_) => {
                return Err(self.semantic(format!("'{}' does not give a table", name.text), name.span));
            }
        };
        let schema: Schema = fields.iter().map(|field| (&*field.name, field.ty)).collect();
        let call = HostPlan { name: Arc::clone(&name.text), arguments, input: Some(Arc::new(schema)) };
        let call = Arc::new(call);
        self.over(&input, 0, |input| RelKind::Invoke { input: Some(input), call, columns }, output, span)
    }

    pub(super) fn evaluate(
        &mut self,
        _input: RelRef,
        name: &Name,
        _arguments: &[Argument],
        span: Span,
    ) -> Result<RelRef, QueryError> {
        Err(self.unsupported(format!("Plugin '{}'", name.text), span))
    }
}

/// The input's columns, and those of the answer that it does not have.
fn added(input: &[Field], schema: &Schema) -> (Vec<InvokeColumn>, Vec<Field>) {
    let mut fields = input.to_vec();
    let mut columns: Vec<_> = (0..input.len()).map(InvokeColumn::Input).collect();
    for (at, column) in schema.stored().enumerate() {
        if !input.iter().any(|field| !field.hidden && field.name == column.name) {
            fields.push(Field { name: Arc::clone(&column.name), ty: column.ty, hidden: false });
            columns.push(InvokeColumn::Answer(at));
        }
    }
    (columns, fields)
}
