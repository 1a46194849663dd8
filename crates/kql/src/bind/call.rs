//! Calls: the query's own functions, those of the host, and those of the language with their parameters.

use std::sync::Arc;

use super::{Binder, Binding, Row};
use crate::{
    ast::{Argument, Expr, ExprKind, Name},
    database::{HostFunction, HostResult},
    error::{QueryError, Span},
    functions::{Function, Kind, Returns, function},
    plan::{HostPlan, Scalar, ScalarKind},
    types::Type,
    value::Value,
};

impl Binder<'_> {
    pub(super) fn call(
        &mut self,
        name: &Name,
        arguments: &[Argument],
        row: &Row<'_>,
        span: Span,
    ) -> Result<Scalar, QueryError> {
        if let Some(Binding::Lambda(lambda)) = self.env.find(&name.text).cloned() {
            return match self.call_lambda(&lambda, arguments, row, span)? {
                Binding::Scalar(scalar) => Ok(scalar),
                _ => Err(self.semantic("Expected a scalar, found a table; use toscalar()", span)),
            };
        }
        if let Some(bound) = self.special(name, arguments, row, span) {
            return bound;
        }
        if let Some(aggregate) = self.aggregate_call(name, arguments, row, span) {
            return aggregate;
        }
        if let Some(function) = function(&name.text).filter(|function| !function.name.starts_with("__")) {
            return self.call_function(function, arguments, row, span);
        }
        if let Some(host) = self.database.function(&name.text) {
            return self.call_host(name, &host, arguments, row, span);
        }
        if is_known(&name.text) {
            return Err(self.unsupported(format!("Function '{}'", name.text), span));
        }
        Err(self.semantic(format!("Unknown function: '{}'", name.text), name.span))
    }

    fn call_function(
        &mut self,
        function: &'static Function,
        arguments: &[Argument],
        row: &Row<'_>,
        span: Span,
    ) -> Result<Scalar, QueryError> {
        if arguments.len() < function.min || arguments.len() > function.max {
            let expected = match (function.min, function.max) {
                (min, max) if min == max => format!("{min}"),
                (min, max) if max > 100 => format!("at least {min}"),
                (min, max) => format!("{min} to {max}"),
            };
            let message = format!("{}(): function expects {expected} argument(s)", function.name);
            return Err(self.semantic(message, span));
        }
        let mut bound = Vec::with_capacity(arguments.len());
        for (at, argument) in arguments.iter().enumerate() {
            let value = self.scalar(&argument.value, row)?;
            bound.push(self.fit(function, at, value)?);
        }
        let Some(ty) = Self::result_type(function, &bound) else {
            let message = format!("{}(): the arguments have no type in common", function.name);
            return Err(self.semantic(message, span));
        };
        Ok(Scalar::new(ScalarKind::Call(function, bound), ty, span))
    }

    /// The argument as the parameter takes it.
    fn fit(&mut self, function: &Function, at: usize, value: Scalar) -> Result<Scalar, QueryError> {
        let kind = function.parameter(at);
        let refuse = |binder: &Self, expected: &str, value: &Scalar| {
            let message =
                format!("{}(): argument #{} must be of type {expected}, not {}", function.name, at + 1, value.ty);
            Err(binder.semantic(message, value.span))
        };
        let dynamic = value.ty == Type::Dynamic;
        match kind {
            Kind::Any | Kind::Dyn => Ok(value),
            Kind::Type if value.ty == Type::String => Ok(value),
            Kind::Type => refuse(self, "typeof()", &value),
            Kind::Str => self.as_text(value),
            Kind::Bool => match value.ty {
                Type::Bool => Ok(value),
                Type::Dynamic | Type::Int | Type::Long => self.cast(value, Type::Bool),
                _ => refuse(self, "bool", &value),
            },
            Kind::Long if matches!(value.ty, Type::Int | Type::Long) => Ok(value),
            Kind::Long if dynamic || value.ty.is_number() || value.ty == Type::Bool => self.cast(value, Type::Long),
            Kind::Long => refuse(self, "long", &value),
            Kind::Real if value.ty == Type::Real => Ok(value),
            Kind::Real if dynamic || value.ty.is_number() => self.cast(value, Type::Real),
            Kind::Real => refuse(self, "real", &value),
            Kind::Num if value.ty.is_number() || value.ty == Type::TimeSpan => Ok(value),
            Kind::Num if dynamic => self.cast(value, Type::Real),
            Kind::Num => refuse(self, "number", &value),
            Kind::DateTime if value.ty == Type::DateTime => Ok(value),
            Kind::DateTime if dynamic => self.cast(value, Type::DateTime),
            Kind::DateTime => refuse(self, "datetime", &value),
            Kind::TimeSpan if value.ty == Type::TimeSpan => Ok(value),
            Kind::TimeSpan if dynamic => self.cast(value, Type::TimeSpan),
            Kind::TimeSpan => refuse(self, "timespan", &value),
        }
    }

    pub(super) fn result_type(function: &Function, arguments: &[Scalar]) -> Option<Type> {
        match function.returns {
            Returns::Is(ty) => Some(ty),
            Returns::Same(at) => arguments.get(at).map(|argument| argument.ty),
            Returns::Common(from) => common_type(arguments.get(from..)?),
            Returns::By(rule) => rule(arguments),
        }
    }

    fn call_host(
        &mut self,
        name: &Name,
        host: &HostFunction,
        arguments: &[Argument],
        row: &Row<'_>,
        span: Span,
    ) -> Result<Scalar, QueryError> {
        let HostResult::Scalar(ty) = host.result else {
            return Err(self.semantic(format!("'{}' is a table; use it after a pipe or as a source", name.text), span));
        };
        let arguments = self.host_arguments(name, host, arguments, row, span)?;
        let plan = HostPlan { name: Arc::clone(&name.text), arguments, input: None };
        Ok(Scalar::new(ScalarKind::Host(Arc::new(plan)), ty, span))
    }

    /// One argument per parameter, with defaults, and bare column names where they are allowed.
    pub(super) fn host_arguments(
        &mut self,
        name: &Name,
        host: &HostFunction,
        arguments: &[Argument],
        row: &Row<'_>,
        span: Span,
    ) -> Result<Vec<Scalar>, QueryError> {
        if arguments.len() > host.parameters.len() {
            let message = format!("{}(): function expects {} argument(s)", name.text, host.parameters.len());
            return Err(self.semantic(message, span));
        }
        let mut bound = Vec::with_capacity(host.parameters.len());
        for (at, parameter) in host.parameters.iter().enumerate() {
            let given = arguments
                .iter()
                .find(|argument| argument.name.as_ref().is_some_and(|name| *name.text == *parameter.name))
                .or_else(|| arguments.get(at).filter(|argument| argument.name.is_none()));
            let value = match (given, &parameter.default) {
                (Some(argument), _) => match Self::bare_name(&argument.value) {
                    Some(column) if parameter.column_name => {
                        Scalar::constant(&Value::String(Arc::clone(&column.text)), Type::String, column.span)
                    }
                    _ => self.scalar(&argument.value, row)?,
                },
                (None, Some(default)) => Scalar::constant(default, parameter.ty, span),
                (None, None) => {
                    let message = format!("{}(): argument '{}' is missing", name.text, parameter.name);
                    return Err(self.semantic(message, span));
                }
            };
            let fits = value.ty == parameter.ty;
            bound.push(if fits { value } else { self.cast(value, parameter.ty)? });
        }
        Ok(bound)
    }

    /// A text that must be known before the query runs.
    pub(super) fn constant_text(&mut self, expr: &Expr) -> Result<Arc<str>, QueryError> {
        if let ExprKind::Literal(Type::String, Value::String(text)) = &*expr.kind {
            return Ok(Arc::clone(text));
        }
        match self.scalar(expr, &Row::NONE)?.as_constant() {
            Some(Value::String(text)) => Ok(text),
            Some(value) => Ok(Arc::from(value.to_string())),
            None => Err(self.semantic("The argument must be a constant", expr.span)),
        }
    }
}

/// What several types have in common: equal ones, the wider number, or dynamic with anything.
pub(crate) fn common_type(arguments: &[Scalar]) -> Option<Type> {
    let null = |scalar: &Scalar| scalar.as_constant().is_some_and(|value| matches!(value, Value::Null));
    let mut common: Option<Type> = None;
    for argument in arguments.iter().filter(|argument| !null(argument)) {
        common = Some(match (common, argument.ty) {
            (None, ty) => ty,
            (Some(left), right) if left == right => left,
            (Some(left), right) if left.is_number() && right.is_number() => left.max(right),
            (Some(Type::Dynamic), _) | (Some(_), Type::Dynamic) => Type::Dynamic,
            (Some(_), _) => return None,
        });
    }
    common.or_else(|| arguments.first().map(|argument| argument.ty))
}

/// Functions that the language has, whether they run here or not; by family where the family is large.
fn is_known(name: &str) -> bool {
    ["geo_", "series_", "hll", "tdigest", "percentile", "graph_", "current_", "cursor_", "punycode_", "gzip_", "zlib_"]
        .iter()
        .any(|family| name.starts_with(family))
        || KNOWN.contains(&name)
}

const KNOWN: &[&str] = &[
    "buildschema",
    "covariance",
    "covarianceif",
    "covariancep",
    "covariancepif",
    "datetime_list_timezones",
    "dcount_hll",
    "estimate_data_size",
    "extent_id",
    "extent_tags",
    "hash_combine",
    "hash_many",
    "hash_md5",
    "hash_sha1",
    "hash_sha256",
    "inner_nodes",
    "labels",
    "map",
    "merge_tdigest",
    "node_degree_in",
    "node_degree_out",
    "node_id",
    "parse_user_agent",
    "parse_xml",
    "percentrank_tdigest",
    "rank_tdigest",
    "row_id",
    "welch_test",
];
