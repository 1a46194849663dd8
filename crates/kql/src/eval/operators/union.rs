//! `union`: one input after the other, columns brought into one order.

use std::sync::Arc;

use super::{Stream, open};
use crate::{
    error::QueryError,
    eval::{Batch, Context},
    plan::{RelKind, RelRef},
    table::{Column, ColumnBuilder},
    types::Type,
    value::Cell,
};

pub(super) struct UnionStream {
    rel: RelRef,
    at: usize,
    open: Option<Box<dyn Stream>>,
}

impl UnionStream {
    pub(super) fn new(rel: &RelRef) -> Self {
        Self { rel: Arc::clone(rel), at: 0, open: None }
    }
}

impl Stream for UnionStream {
    fn next(&mut self, context: &Context<'_>) -> Result<Option<Batch>, QueryError> {
        let RelKind::Union { inputs, source } = &self.rel.kind else { return Ok(None) };
        while let Some((input, places)) = inputs.get(self.at) {
            let stream = match &mut self.open {
                Some(stream) => stream,
                None => self.open.insert(open(input, context)?),
            };
            context.tick(&self.rel)?;
            let Some(batch) = stream.next(context)? else {
                self.open = None;
                self.at += 1;
                continue;
            };
            let mut columns = Vec::with_capacity(self.rel.fields.len());
            if let Some(names) = source {
                let mut name = ColumnBuilder::new(Type::String);
                name.push(Cell::String(&names[self.at]));
                columns.push(name.finish().repeat(0, batch.rows));
            }
            let fields = self.rel.fields.iter().skip(columns.len());
            let own = places.iter().zip(fields).map(|(place, field)| match place {
                Some(at) => batch.columns[*at].clone(),
                None => Column::nulls(field.ty, batch.rows),
            });
            columns.extend(own);
            return Ok(Some(Batch { columns, rows: batch.rows }));
        }
        Ok(None)
    }
}
