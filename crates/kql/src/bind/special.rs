//! Functions that work on names, tables or the query itself rather than on values.

use std::sync::Arc;

use super::{Binder, Row};
use crate::{
    ast::{Argument, Expr, ExprKind, Name},
    error::{QueryError, Span},
    plan::{Scalar, ScalarKind},
    types::Type,
    value::Value,
};

impl Binder<'_> {
    /// `None` where the name is that of a plain function.
    pub(super) fn special(
        &mut self,
        name: &Name,
        arguments: &[Argument],
        row: &Row<'_>,
        span: Span,
    ) -> Option<Result<Scalar, QueryError>> {
        Some(match &*name.text {
            "toscalar" => self.first_cell(arguments, row, span),
            "column_ifexists" | "columnifexists" => self.column_if_exists(arguments, row, span),
            "iscolumnexists" => self.is_column(arguments, row, span),
            "pack_all" => self.pack_columns(None, arguments, row, span),
            "bag_pack_columns" => self.pack_columns(Some(arguments), &[], row, span),
            "materialize" => match arguments {
                [only] => self.scalar(&only.value, row),
                _ => Err(self.semantic("materialize(): function expects 1 argument(s)", span)),
            },
            "ingestion_time" => Ok(self.ingestion_time(row, span)),
            "bin_auto" => self.bin_auto(arguments, row, span),
            "gettype" => self.get_type(arguments, row, span),
            "column_names_of" => self.column_names_of(arguments, span),
            "tostring" | "tolong" | "toint" | "toreal" | "todouble" | "tobool" if arguments.len() == 2 => {
                // `tostring(x, default)`: the second argument is what null becomes.
                self.with_default(name, arguments, row, span)
            }
            _ => return None,
        })
    }

    fn first_cell(&mut self, arguments: &[Argument], row: &Row<'_>, span: Span) -> Result<Scalar, QueryError> {
        let [only] = arguments else {
            return Err(self.semantic("toscalar(): function expects 1 argument(s)", span));
        };
        if !self.is_table(&only.value) {
            return self.scalar(&only.value, row);
        }
        let table = self.table_apart(&only.value)?;
        let Some(first) = table.fields.iter().find(|field| !field.hidden) else {
            return Err(self.semantic("The table has no column", span));
        };
        let ty = first.ty;
        Ok(Scalar::new(ScalarKind::FirstCell(self.new_id(), table), ty, span))
    }

    /// A table inside an expression: errors in it name its own operators.
    pub(super) fn table_apart(&mut self, expr: &Expr) -> Result<crate::plan::RelRef, QueryError> {
        let operator = self.operator.clone();
        let aggregates = self.aggregates.take();
        let table = self.table(expr);
        self.operator = operator;
        self.aggregates = aggregates;
        table
    }

    fn column_if_exists(&mut self, arguments: &[Argument], row: &Row<'_>, span: Span) -> Result<Scalar, QueryError> {
        let [name, default] = arguments else {
            return Err(self.semantic("column_ifexists(): function expects 2 argument(s)", span));
        };
        let text = self.constant_text(&name.value)?;
        let name = Name { text, span: name.value.span };
        match self.column(&name, row) {
            Some(column) => Ok(column),
            None => self.scalar(&default.value, row),
        }
    }

    fn is_column(&mut self, arguments: &[Argument], row: &Row<'_>, span: Span) -> Result<Scalar, QueryError> {
        let [name] = arguments else {
            return Err(self.semantic("iscolumnexists(): function expects 1 argument(s)", span));
        };
        let text = self.constant_text(&name.value)?;
        let found = self.column(&Name { text, span }, row).is_some();
        Ok(Scalar::constant(&Value::Bool(found), Type::Bool, span))
    }

    /// `pack_all([ignore_null])`, `bag_pack_columns(a, b)`.
    fn pack_columns(
        &mut self,
        named: Option<&[Argument]>,
        options: &[Argument],
        row: &Row<'_>,
        span: Span,
    ) -> Result<Scalar, QueryError> {
        let mut parts = Vec::new();
        let mut add = |name: &str, value: Scalar| {
            parts.push(Scalar::constant(&Value::text(name), Type::String, span));
            parts.push(value);
        };
        match named {
            None => {
                for (at, field) in row.fields.iter().enumerate().filter(|(_, field)| !field.hidden) {
                    add(&field.name, Scalar::column(at, field.ty, span));
                }
            }
            Some(arguments) => {
                for argument in arguments {
                    let value = self.scalar(&argument.value, row)?;
                    let name = Self::result_name(&argument.value).unwrap_or_default();
                    add(&name, value);
                }
            }
        }
        let sparse = options
            .first()
            .is_some_and(|option| matches!(&*option.value.kind, ExprKind::Literal(_, Value::Bool(true))));
        self.apply(if sparse { "__pack_some" } else { "bag_pack" }, parts, span)
    }

    /// Rows arrive when they happen, as far as this evaluator knows.
    fn ingestion_time(&mut self, row: &Row<'_>, span: Span) -> Scalar {
        let time = ["Timestamp", "TimeGenerated"].iter().find_map(|name| {
            let name = Name { text: Arc::from(*name), span };
            self.column(&name, row).filter(|column| column.ty == Type::DateTime)
        });
        time.unwrap_or_else(|| Self::null(Type::DateTime, span))
    }

    /// `bin_at` with the step and the start that `set query_bin_auto_size` and `.._at` have named.
    fn bin_auto(&mut self, arguments: &[Argument], row: &Row<'_>, span: Span) -> Result<Scalar, QueryError> {
        let [value] = arguments else {
            return Err(self.semantic("bin_auto(): function expects 1 argument(s)", span));
        };
        let value = self.scalar(&value.value, row)?;
        let setting = |name: &str| self.settings.iter().rev().find(|(known, _)| **known == *name);
        let size = setting("query_bin_auto_size").map(|(_, value)| value.clone());
        let at = setting("query_bin_auto_at").map(|(_, value)| value.clone());
        let size = match size {
            Some(size) => self.scalar(&size, &Row::NONE)?,
            None => return Err(self.semantic("bin_auto(): query_bin_auto_size is not set", span)),
        };
        let at = match at {
            Some(at) => self.scalar(&at, &Row::NONE)?,
            None => Self::null(value.ty, span),
        };
        self.apply("bin_at", vec![value, size, at], span)
    }

    fn get_type(&mut self, arguments: &[Argument], row: &Row<'_>, span: Span) -> Result<Scalar, QueryError> {
        let [only] = arguments else {
            return Err(self.semantic("gettype(): function expects 1 argument(s)", span));
        };
        let value = self.scalar(&only.value, row)?;
        if value.ty == Type::Dynamic {
            return self.apply("__type_in_dynamic", vec![value], span);
        }
        Ok(Scalar::constant(&Value::text(value.ty.name()), Type::String, span))
    }

    fn column_names_of(&mut self, arguments: &[Argument], span: Span) -> Result<Scalar, QueryError> {
        let [only] = arguments else {
            return Err(self.semantic("column_names_of(): function expects 1 argument(s)", span));
        };
        let table = self.table_apart(&only.value)?;
        let names = table.fields.iter().filter(|field| !field.hidden);
        let names = names.map(|field| crate::dynamic::Dynamic::String(Arc::clone(&field.name))).collect();
        let names = Value::Dynamic(crate::dynamic::Dynamic::array(names));
        Ok(Scalar::constant(&names, Type::Dynamic, span))
    }

    fn with_default(
        &mut self,
        name: &Name,
        arguments: &[Argument],
        row: &Row<'_>,
        span: Span,
    ) -> Result<Scalar, QueryError> {
        let value = self.scalar(&arguments[0].value, row)?;
        let default = self.scalar(&arguments[1].value, row)?;
        let value = self.apply(&name.text, vec![value], span)?;
        let ty = value.ty;
        let default = if default.ty == ty { default } else { self.cast(default, ty)? };
        self.apply("coalesce", vec![value, default], span)
    }
}
