//! `mv-apply` and `partition`: a pipe of its own for each group of rows.

use std::sync::Arc;

use super::{Stream, expand::opened};
use crate::{
    error::QueryError,
    eval::{Batch, Context, collect, concat},
    functions::cell_key,
    hash::FastMap,
    plan::{ApplyColumn, RelKind, RelRef},
    table::pick,
};

pub(super) struct MvApply {
    rel: RelRef,
    input: Box<dyn Stream>,
}

impl MvApply {
    pub(super) fn new(rel: &RelRef, input: Box<dyn Stream>) -> Self {
        Self { rel: Arc::clone(rel), input }
    }
}

impl Stream for MvApply {
    fn next(&mut self, context: &Context<'_>) -> Result<Option<Batch>, QueryError> {
        let RelKind::MvApply { expand, slot, body, output, .. } = &self.rel.kind else { return Ok(None) };
        let Some(batch) = self.input.next(context)? else { return Ok(None) };
        let mut results = Vec::new();
        let mut from = 0;
        while from < batch.rows {
            let rest = batch.slice(from, batch.rows - from);
            let (rows, used, counts) = opened(&self.rel, expand, &rest, context)?;
            let mut at = 0;
            for (offset, count) in counts.iter().enumerate() {
                context.tick(&self.rel)?;
                let before = context.held();
                let group = rows.slice(at, *count);
                at += count;
                context.inputs.borrow_mut()[*slot] = Some(group);
                let result = collect(body, context)?;
                context.release(context.held().saturating_sub(before));
                let source = u32::try_from(from + offset).unwrap_or(u32::MAX);
                let kept = pick(&batch.columns, vec![source; result.rows]);
                let columns = output.iter().map(|column| match column {
                    ApplyColumn::Source(at) => kept[*at].clone(),
                    ApplyColumn::Body(at) => result.columns[*at].clone(),
                });
                results.push(Batch { columns: columns.collect(), rows: result.rows });
            }
            from += used;
        }
        context.inputs.borrow_mut()[*slot] = None;
        Ok(Some(concat(&self.rel, results)))
    }
}

pub(super) struct Partition {
    rel: RelRef,
    done: bool,
}

impl Partition {
    pub(super) fn new(rel: &RelRef) -> Self {
        Self { rel: Arc::clone(rel), done: false }
    }
}

impl Stream for Partition {
    fn next(&mut self, context: &Context<'_>) -> Result<Option<Batch>, QueryError> {
        let RelKind::Partition { input, key, slot, body } = &self.rel.kind else { return Ok(None) };
        if std::mem::replace(&mut self.done, true) {
            return Ok(None);
        }
        let batch = collect(input, context)?;
        let mut groups: Vec<Vec<u32>> = Vec::new();
        let mut known: FastMap<Vec<u8>, usize> = FastMap::default();
        for row in 0..batch.rows {
            let mut text = Vec::new();
            cell_key(batch.columns[*key].cell(row), &mut text);
            let group = *known.entry(text).or_insert_with(|| {
                groups.push(Vec::new());
                groups.len() - 1
            });
            groups[group].push(u32::try_from(row).unwrap_or(u32::MAX));
        }
        let mut results = Vec::with_capacity(groups.len());
        for rows in groups {
            context.tick(&self.rel)?;
            context.inputs.borrow_mut()[*slot] = Some(batch.pick(rows));
            results.push(collect(body, context)?);
        }
        context.inputs.borrow_mut()[*slot] = None;
        Ok(Some(concat(&self.rel, results)))
    }
}
