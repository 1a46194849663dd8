//! Tree to plan: names become places, every expression gets its type, and what is wrong is said in the service's words.

mod aggregates;
mod call;
mod env;
mod expand;
mod join;
mod lambda;
mod naming;
mod operators;
mod pattern;
mod scalar;
mod series;
mod source;
mod special;

use std::sync::Arc;

pub(crate) use call::common_type;
pub(crate) use env::{Binding, Env};

use crate::{
    ast::{Expr, ExprKind, Render, Script, StatementKind},
    database::Database,
    error::{ErrorKind, QueryError, Span},
    plan::{Field, Rel, RelKind, RelRef, Scalar},
    types::Type,
};

/// A whole text, bound.
#[derive(Debug)]
pub(crate) struct Bound {
    /// One per query statement that gives rows.
    pub(crate) results: Vec<RelRef>,
    pub(crate) render: Option<Render>,
    /// How many places `Input` needs.
    pub(crate) slots: usize,
}

/// Binds all statements of a clean script.
pub(crate) fn bind(script: &Script, database: &dyn Database) -> Result<Bound, QueryError> {
    let mut binder = Binder::new(database);
    for statement in &script.statements {
        binder.operator = None;
        match &statement.kind {
            StatementKind::Let(name, value) => binder.let_statement(name, value)?,
            StatementKind::Declare(parameters) => binder.declare(parameters)?,
            StatementKind::Query(query) => {
                let table = if binder.is_table(query) {
                    binder.table(query)?
                } else {
                    let value = binder.scalar(query, &Row::NONE)?;
                    binder.one_row(value, query.span)?
                };
                binder.results.push(table);
            }
            StatementKind::Set(name, value) => binder.set(name, value.as_ref()),
            StatementKind::Other(_) => {}
        }
    }
    if binder.results.is_empty() {
        let message = "No tabular expression statement found";
        return Err(QueryError::new(ErrorKind::Semantic, message, Span::default()));
    }
    Ok(Bound { results: binder.results, render: binder.render, slots: binder.slots })
}

/// The columns that an expression can name.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    fields: &'a [Field],
    /// The other side of a join, whose places come behind those of `fields`.
    right: Option<&'a [Field]>,
}

impl<'a> Row<'a> {
    const NONE: Row<'static> = Row { fields: &[], right: None };

    fn of(fields: &'a [Field]) -> Self {
        Self { fields, right: None }
    }

    fn find(self, name: &str) -> Option<usize> {
        let shown = self.fields.iter().position(|field| !field.hidden && &*field.name == name);
        shown.or_else(|| self.fields.iter().position(|field| &*field.name == name))
    }
}

struct Binder<'a> {
    database: &'a dyn Database,
    env: Env,
    /// The operator that errors name.
    operator: Option<Arc<str>>,
    /// Aggregates met on the way, while `summarize` is bound.
    aggregates: Option<aggregates::Collector>,
    results: Vec<RelRef>,
    render: Option<Render>,
    ids: usize,
    slots: usize,
    depth: usize,
    /// What `set` has said and a function may ask for.
    settings: Vec<(Arc<str>, Expr)>,
    /// Calls of lambdas so far: inlining must end.
    calls: usize,
}

impl<'a> Binder<'a> {
    fn new(database: &'a dyn Database) -> Self {
        Self {
            database,
            env: Env::default(),
            operator: None,
            aggregates: None,
            results: Vec::new(),
            render: None,
            ids: 0,
            slots: 0,
            depth: 0,
            settings: Vec::new(),
            calls: 0,
        }
    }

    /// `set name = value`: most settings are about the service and change nothing here.
    fn set(&mut self, name: &crate::ast::Name, value: Option<&Expr>) {
        if let Some(value) = value {
            self.settings.push((Arc::clone(&name.text), value.clone()));
        }
    }

    /// An error of meaning, in the service's words.
    fn semantic(&self, what: impl AsRef<str>, span: Span) -> QueryError {
        let operator = self.operator.as_ref().map(|name| format!("'{name}' operator: ")).unwrap_or_default();
        let message = format!("{operator}{}. Fix semantic errors in your query.", what.as_ref());
        QueryError::new(ErrorKind::Semantic, message, span)
    }

    /// Something that the language has and this evaluator lacks.
    fn unsupported(&self, what: impl AsRef<str>, span: Span) -> QueryError {
        let operator = self.operator.as_ref().map(|name| format!("'{name}' operator: ")).unwrap_or_default();
        let message = format!("{operator}{} is not supported. Fix semantic errors in your query.", what.as_ref());
        QueryError::new(ErrorKind::Unsupported, message, span)
    }

    fn new_id(&mut self) -> usize {
        self.ids += 1;
        self.ids
    }

    /// Runs one level deeper: trees grow when lambdas are put in place of their calls.
    fn deeper<T>(
        &mut self,
        span: Span,
        bind: impl FnOnce(&mut Self) -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        if self.depth >= DEPTH_MAX {
            return Err(self.too_complex(span));
        }
        self.depth += 1;
        let bound = bind(self);
        self.depth -= 1;
        bound
    }

    fn too_complex(&self, span: Span) -> QueryError {
        let message = "Query stopped due to excessive resource consumption.";
        QueryError {
            detail: "The query is too complex.".to_owned(),
            ..QueryError::new(ErrorKind::Memory, message, span)
        }
    }

    fn checked(&self, scalar: Scalar) -> Result<Scalar, QueryError> {
        let fits = usize::from(scalar.depth) < PLAN_DEPTH_MAX && scalar.size < EXPRESSION_SIZE_MAX;
        if fits { Ok(scalar) } else { Err(self.too_complex(scalar.span)) }
    }

    /// An operator over its inputs, within the bound on depth.
    fn rel(&self, kind: RelKind, fields: Vec<Field>, below: u16, span: Span) -> Result<RelRef, QueryError> {
        if usize::from(below) >= PLAN_DEPTH_MAX {
            return Err(self.too_complex(span));
        }
        let keyword = self.operator.clone().unwrap_or_else(|| Arc::from("query"));
        Ok(Arc::new(Rel { kind, fields: Arc::new(fields), depth: below + 1, keyword, span }))
    }

    /// A scalar alone is a table of one cell.
    fn one_row(&mut self, value: Scalar, span: Span) -> Result<RelRef, QueryError> {
        let field = Field { name: Arc::from("print_0"), ty: value.ty, hidden: false };
        let depth = value.depth;
        self.rel(RelKind::Rows { cells: vec![value], width: 1 }, vec![field], depth, span)
    }

    fn field(name: impl AsRef<str>, ty: Type) -> Field {
        Field { name: Arc::from(name.as_ref()), ty, hidden: false }
    }

    /// The bare name that an expression is, if it is one.
    fn bare_name(expr: &Expr) -> Option<&crate::ast::Name> {
        match &*expr.kind {
            ExprKind::Name(name) => Some(name),
            _ => None,
        }
    }
}

/// The deepest recursion of the binder.
const DEPTH_MAX: usize = 400;
/// The deepest plan. The stack of a run is sized for it.
const PLAN_DEPTH_MAX: usize = 1_200;
/// The largest expression, in nodes.
const EXPRESSION_SIZE_MAX: u32 = 200_000;
/// The most calls of lambdas in one text.
const CALL_COUNT_MAX: usize = 20_000;
