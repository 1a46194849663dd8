//! What a column is called that the query gives no name.

use std::sync::Arc;

use super::Binder;
use crate::{
    ast::{Expr, ExprKind},
    functions::{Naming, function},
    plan::Field,
    types::Type,
    value::Value,
};

impl Binder<'_> {
    /// The name that an expression gives to its column; `None`: a number will do.
    pub(super) fn result_name(expr: &Expr) -> Option<String> {
        match &*expr.kind {
            ExprKind::Name(name) => Some(name.text.to_string()),
            ExprKind::Member(of, name) => Some(match Self::result_name(of) {
                Some(of) if !of.starts_with('$') => format!("{of}_{}", name.text),
                _ => name.text.to_string(),
            }),
            ExprKind::Index(of, index) => {
                let of = Self::result_name(of)?;
                match &*index.kind {
                    ExprKind::Literal(Type::String, Value::String(text)) => Some(format!("{of}_{text}")),
                    ExprKind::Literal(_, Value::Long(at)) => Some(format!("{of}_{at}")),
                    _ => Some(of),
                }
            }
            ExprKind::Call(name, arguments) => {
                let first = arguments.first();
                if &*name.text == "column_ifexists" || &*name.text == "columnifexists" {
                    return match first.map(|first| &*first.value.kind) {
                        Some(ExprKind::Literal(_, Value::String(text))) => Some(text.to_string()),
                        _ => None,
                    };
                }
                match (function(&name.text).map(|function| function.naming), first) {
                    (Some(Naming::FirstArgument), Some(first)) => Self::result_name(&first.value),
                    (Some(Naming::NameAndArgument), Some(first)) => {
                        Some(format!("{}_{}", name.text, Self::result_name(&first.value).unwrap_or_default()))
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// Names that are told apart by a number behind them.
#[derive(Default)]
pub(super) struct Names {
    pub(super) fields: Vec<Field>,
}

impl Names {
    pub(super) fn of(fields: &[Field]) -> Self {
        Self { fields: fields.to_vec() }
    }

    /// Adds a column; a name that is there already gets a number.
    pub(super) fn add(&mut self, name: &str, ty: Type) {
        let name = self.unique(name);
        self.fields.push(Field { name, ty, hidden: false });
    }

    /// Adds a column without a name of its own: `Column1`, `print_0`.
    pub(super) fn add_numbered(&mut self, prefix: &str, at: usize, ty: Type) {
        self.add(&format!("{prefix}{at}"), ty);
    }

    fn unique(&self, name: &str) -> Arc<str> {
        let taken = |name: &str| self.fields.iter().any(|field| !field.hidden && &*field.name == name);
        if !taken(name) {
            return Arc::from(name);
        }
        let mut number = 1;
        loop {
            let numbered = format!("{name}{number}");
            if !taken(&numbered) {
                return Arc::from(numbered);
            }
            number += 1;
        }
    }
}
