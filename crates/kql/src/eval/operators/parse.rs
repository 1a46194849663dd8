//! `parse` and `parse-where`.

use std::sync::Arc;

use super::Stream;
use crate::{
    ast::ParseMode,
    error::QueryError,
    eval::{Batch, Context, eval},
    functions::convert_cell,
    plan::{ExpandColumn, ParsePlan, RelKind, RelRef},
    table::{Column, ColumnBuilder},
    value::{Cell, Value},
};

pub(super) struct Parse {
    rel: RelRef,
    input: Box<dyn Stream>,
}

impl Parse {
    pub(super) fn new(rel: &RelRef, input: Box<dyn Stream>) -> Self {
        Self { rel: Arc::clone(rel), input }
    }
}

impl Stream for Parse {
    fn next(&mut self, context: &Context<'_>) -> Result<Option<Batch>, QueryError> {
        let RelKind::Parse { value, parse, .. } = &self.rel.kind else { return Ok(None) };
        let Some(batch) = self.input.next(context)? else { return Ok(None) };
        context.tick(&self.rel)?;
        let texts = eval(value, &batch, context)?;
        let mut builders: Vec<_> = parse.types.iter().map(|ty| ColumnBuilder::new(*ty)).collect();
        let mut fitting = Vec::new();
        let regex = context.regex(&parse.pattern);
        for row in 0..batch.rows {
            let text = texts.cell(row);
            let found = regex.as_ref().and_then(|regex| values(parse, regex, text.as_str().unwrap_or("")));
            match found {
                Some(values) => {
                    fitting.push(u32::try_from(row).unwrap_or(u32::MAX));
                    builders.iter_mut().zip(values).for_each(|(builder, value)| builder.push_value(value));
                }
                None => builders.iter_mut().for_each(ColumnBuilder::push_null),
            }
        }
        let parsed = builders.into_iter().map(ColumnBuilder::finish).collect::<Vec<_>>();
        let batch = beside(&batch, &parsed, &parse.output);
        Ok(Some(if parse.filters { batch.pick(fitting) } else { batch }))
    }
}

/// The texts of the columns as their types; `None` where the text does not fit, or (unless relaxed) a value does not.
fn values(parse: &ParsePlan, regex: &regex::Regex, text: &str) -> Option<Vec<Value>> {
    let groups = regex.captures(text)?;
    let mut values = Vec::with_capacity(parse.types.len());
    for (at, ty) in parse.types.iter().enumerate() {
        let text = groups.name(&format!("c{at}")).map_or("", |group| group.as_str());
        let value = convert_cell(Cell::String(text), *ty);
        if matches!(value, Value::Null) && parse.mode == ParseMode::Simple {
            return None;
        }
        values.push(value);
    }
    Some(values)
}

/// The input's columns with the new ones in their places.
pub(super) fn beside(batch: &Batch, parsed: &[Column], output: &[ExpandColumn]) -> Batch {
    let columns = output
        .iter()
        .filter_map(|column| match column {
            ExpandColumn::Input(at) => Some(batch.columns[*at].clone()),
            ExpandColumn::Value(at) => Some(parsed[*at].clone()),
            ExpandColumn::Index => None,
        })
        .collect();
    Batch { columns, rows: batch.rows }
}
