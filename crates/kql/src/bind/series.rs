//! `make-series`.

use std::sync::Arc;

use super::{Binder, Row, naming::Names};
use crate::{
    ast::{Expr, MakeSeries},
    error::{QueryError, Span},
    plan::{RelKind, RelRef, Scalar, SeriesPlan},
    types::Type,
};

impl Binder<'_> {
    pub(super) fn make_series(&mut self, input: RelRef, series: &MakeSeries, span: Span) -> Result<RelRef, QueryError> {
        let row_fields = Arc::clone(&input.fields);
        let row = Row::of(&row_fields);
        let mut names = Names::default();
        let mut keys = Vec::new();
        for (at, item) in series.by.iter().enumerate() {
            self.add_item(item, &row, &mut names, &mut keys, ("Column", at + 1))?;
        }
        let axis = self.scalar(&series.on.value, &row)?;
        let (aggregates, columns) = self.aggregates_of_series(&series.aggregates, &input, keys.len())?;
        for (name, _) in &columns {
            names.add(name, Type::Dynamic);
        }
        let axis_name = series.on.names.first().map(|name| name.text.to_string());
        names.add(&axis_name.or_else(|| Self::result_name(&series.on.value)).unwrap_or_default(), Type::Dynamic);
        let mut bound = |expr: &Option<Expr>, ty: Type| -> Result<Option<Scalar>, QueryError> {
            let Some(expr) = expr else { return Ok(None) };
            let scalar = self.scalar(expr, &Row::NONE)?;
            Ok(Some(if scalar.ty == ty { scalar } else { self.cast(scalar, ty)? }))
        };
        let step_type = match axis.ty {
            Type::DateTime => Type::TimeSpan,
            ty => ty,
        };
        let (from, to) = (bound(&series.from, axis.ty)?, bound(&series.to, axis.ty)?);
        let Some(step) = bound(&series.step, step_type)? else {
            return Err(self.semantic("make-series: expected a step", span));
        };
        let defaults = columns.into_iter().map(|(_, default)| default).collect();
        let depth = input.depth;
        let plan = SeriesPlan { input, aggregates, defaults, axis, from, to, step, keys };
        self.rel(RelKind::MakeSeries(Arc::new(plan)), names.fields, depth, span)
    }
}
