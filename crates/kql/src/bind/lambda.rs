//! `let`, query parameters, and calls of the query's own functions, which are bound anew for every call.

use std::sync::Arc;

use super::{Binder, Binding, CALL_COUNT_MAX, Row, env::Lambda};
use crate::{
    ast::{Argument, Expr, ExprKind, Name, Parameter, ParameterKind, Script, StatementKind},
    error::{QueryError, Span},
    plan::{Scalar, ScalarKind},
    types::Type,
    value::Value,
};

impl Binder<'_> {
    pub(super) fn let_statement(&mut self, name: &Name, value: &Expr) -> Result<(), QueryError> {
        let binding = self.binding(value, &Row::NONE)?;
        self.env = self.env.with(&name.text, binding);
        Ok(())
    }

    fn binding(&mut self, value: &Expr, row: &Row<'_>) -> Result<Binding, QueryError> {
        if let ExprKind::Lambda(parameters, body) = &*value.kind {
            let lambda = Lambda { parameters: parameters.clone(), body: Arc::clone(body), env: self.env.clone() };
            return Ok(Binding::Lambda(Arc::new(lambda)));
        }
        if let Some(Binding::Lambda(lambda)) = Self::bare_name(value).and_then(|name| self.env.find(&name.text)) {
            return Ok(Binding::Lambda(Arc::clone(lambda)));
        }
        if self.is_table(value) {
            return self.table(value).map(Binding::Table);
        }
        let scalar = self.scalar(value, row)?;
        Ok(Binding::Scalar(self.once(scalar)))
    }

    /// A value without columns is worked out once per run, however often it is named.
    fn once(&mut self, scalar: Scalar) -> Scalar {
        let cheap = matches!(*scalar.kind, ScalarKind::Constant(_) | ScalarKind::Once(..) | ScalarKind::Column(_));
        if cheap || scalar.reads_columns() {
            return scalar;
        }
        let (ty, span) = (scalar.ty, scalar.span);
        Scalar::new(ScalarKind::Once(self.new_id(), scalar), ty, span)
    }

    pub(super) fn declare(&mut self, parameters: &[Parameter]) -> Result<(), QueryError> {
        for parameter in parameters {
            let value = match (&parameter.default, &parameter.kind) {
                (Some(default), _) => self.scalar(default, &Row::NONE)?,
                (None, ParameterKind::Scalar(ty)) => Scalar::constant(&Value::Null, *ty, parameter.name.span),
                (None, ParameterKind::Table(_)) => {
                    return Err(self.semantic("A query parameter must be a scalar", parameter.name.span));
                }
            };
            self.env = self.env.with(&parameter.name.text, Binding::Scalar(value));
        }
        Ok(())
    }

    /// Puts the body in the place of the call.
    pub(super) fn call_lambda(
        &mut self,
        lambda: &Arc<Lambda>,
        arguments: &[Argument],
        row: &Row<'_>,
        span: Span,
    ) -> Result<Binding, QueryError> {
        self.calls += 1;
        if self.calls > CALL_COUNT_MAX {
            return Err(self.too_complex(span));
        }
        let mut inside = lambda.env.clone();
        for (at, parameter) in lambda.parameters.iter().enumerate() {
            let given = arguments
                .iter()
                .find(|argument| argument.name.as_ref().is_some_and(|name| name.text == parameter.name.text))
                .or_else(|| arguments.get(at).filter(|argument| argument.name.is_none()));
            let binding = match (given, &parameter.default) {
                (Some(argument), _) => self.argument(parameter, &argument.value, row)?,
                (None, Some(default)) => Binding::Scalar(self.scalar(default, &Row::NONE)?),
                (None, None) => return Err(self.wrong_count(lambda, span)),
            };
            inside = inside.with(&parameter.name.text, binding);
        }
        if arguments.len() > lambda.parameters.len() {
            return Err(self.wrong_count(lambda, span));
        }
        let outside = std::mem::replace(&mut self.env, inside);
        let aggregates = self.aggregates.take();
        let bound = self.deeper(span, |binder| binder.block(&lambda.body, span));
        self.aggregates = aggregates;
        self.env = outside;
        bound
    }

    fn wrong_count(&self, lambda: &Lambda, span: Span) -> QueryError {
        let count = lambda.parameters.len();
        self.semantic(format!("The function expects {count} argument(s)"), span)
    }

    fn argument(&mut self, parameter: &Parameter, value: &Expr, row: &Row<'_>) -> Result<Binding, QueryError> {
        match &parameter.kind {
            ParameterKind::Table(columns) => {
                let table = self.table(value)?;
                for (name, _) in columns {
                    if Row::of(&table.fields).find(&name.text).is_none() {
                        let message = format!("The table argument lacks the column '{}'", name.text);
                        return Err(self.semantic(message, value.span));
                    }
                }
                Ok(Binding::Table(table))
            }
            ParameterKind::Scalar(ty) => {
                let scalar = self.scalar(value, row)?;
                Ok(Binding::Scalar(if scalar.ty == *ty { scalar } else { self.cast(scalar, *ty)? }))
            }
        }
    }

    /// The statements of a body; the last one is the result.
    fn block(&mut self, body: &Script, span: Span) -> Result<Binding, QueryError> {
        let mut result = None;
        for statement in &body.statements {
            match &statement.kind {
                StatementKind::Let(name, value) => self.let_statement(name, value)?,
                StatementKind::Query(value) => result = Some(self.binding(value, &Row::NONE)?),
                StatementKind::Declare(parameters) => self.declare(parameters)?,
                StatementKind::Set(..) | StatementKind::Other(_) => {}
            }
        }
        result.ok_or_else(|| self.semantic("The function has no result", span))
    }

    /// Whether the expression is a table, by its shape and by the names that are known.
    pub(super) fn is_table(&self, expr: &Expr) -> bool {
        self.table_shape(expr, &[], 0)
    }

    /// `lambdas` are those whose bodies are being looked at, the innermost last.
    fn table_shape(&self, expr: &Expr, lambdas: &[&Arc<Lambda>], depth: usize) -> bool {
        if depth > SHAPE_DEPTH_MAX {
            return false;
        }
        match &*expr.kind {
            ExprKind::Pipe(..)
            | ExprKind::DataTable(..)
            | ExprKind::ExternalData(..)
            | ExprKind::Print(_)
            | ExprKind::Range(..)
            | ExprKind::Union(_)
            | ExprKind::Search(_)
            | ExprKind::Find(_)
            | ExprKind::Wildcard(_) => true,
            ExprKind::Name(name) => self.table_name(name, lambdas, depth),
            ExprKind::Call(name, arguments) => match &*name.text {
                "materialize" => {
                    arguments.first().is_some_and(|first| self.table_shape(&first.value, lambdas, depth + 1))
                }
                "table" | "database" | "cluster" | "workspace" | "adx" | "app" | "external_table"
                | "materialized_view" | "view" => true,
                _ => match self.env_of(lambdas).find(&name.text) {
                    Some(Binding::Lambda(lambda)) => self.lambda_shape(lambda, lambdas, depth),
                    Some(Binding::Table(_)) => true,
                    Some(Binding::Scalar(_)) => false,
                    None => self.is_host_table(&name.text),
                },
            },
            ExprKind::Member(of, _) | ExprKind::MemberCall(of, ..) => {
                matches!(&*of.kind, ExprKind::Call(..) | ExprKind::MemberCall(..))
                    && self.table_shape(of, lambdas, depth + 1)
            }
            _ => false,
        }
    }

    fn env_of<'e>(&'e self, lambdas: &[&'e Arc<Lambda>]) -> &'e super::Env {
        lambdas.last().map_or(&self.env, |lambda| &lambda.env)
    }

    fn lambda_shape(&self, lambda: &Arc<Lambda>, lambdas: &[&Arc<Lambda>], depth: usize) -> bool {
        let last = lambda.body.statements.iter().rev().find_map(|statement| match &statement.kind {
            StatementKind::Query(value) => Some(value),
            _ => None,
        });
        let mut inside = lambdas.to_vec();
        inside.push(lambda);
        last.is_some_and(|value| self.table_shape(value, &inside, depth + 1))
    }

    fn table_name(&self, name: &Name, lambdas: &[&Arc<Lambda>], depth: usize) -> bool {
        if let Some(lambda) = lambdas.last() {
            let local = lambda.body.statements.iter().rev().find_map(|statement| match &statement.kind {
                StatementKind::Let(local, value) if local.text == name.text => Some(value),
                _ => None,
            });
            if let Some(value) = local {
                return self.table_shape(value, lambdas, depth + 1);
            }
            let parameter = lambda.parameters.iter().find(|parameter| parameter.name.text == name.text);
            if let Some(parameter) = parameter {
                return matches!(parameter.kind, ParameterKind::Table(_));
            }
        }
        match self.env_of(lambdas).find(&name.text) {
            Some(Binding::Table(_)) => true,
            Some(Binding::Lambda(lambda)) => lambda.parameters.is_empty() && self.lambda_shape(lambda, lambdas, depth),
            Some(Binding::Scalar(_)) => false,
            None => self.database.schema(&name.text).is_some() || self.is_host_table(&name.text),
        }
    }

    pub(super) fn null(ty: Type, span: Span) -> Scalar {
        Scalar::constant(&Value::Null, ty, span)
    }
}

const SHAPE_DEPTH_MAX: usize = 64;
