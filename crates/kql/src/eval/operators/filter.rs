//! `where`, `project`, `extend`, `take`.

use std::sync::Arc;

use super::Stream;
use crate::{
    error::QueryError,
    eval::{Batch, Context, collect, eval, eval_once},
    plan::{RelKind, RelRef},
};

type Input = Box<dyn Stream>;

pub(super) struct Filter {
    rel: RelRef,
    input: Input,
}

impl Filter {
    pub(super) fn new(rel: &RelRef, input: Input) -> Self {
        Self { rel: Arc::clone(rel), input }
    }
}

impl Stream for Filter {
    fn next(&mut self, context: &Context<'_>) -> Result<Option<Batch>, QueryError> {
        let RelKind::Filter(_, predicate) = &self.rel.kind else { return Ok(None) };
        let Some(batch) = self.input.next(context)? else { return Ok(None) };
        context.tick(&self.rel)?;
        let keep = eval(predicate, &batch, context)?;
        if let Some(cell) = keep.constant() {
            let all = matches!(cell, crate::value::Cell::Bool(true));
            return Ok(Some(if all { batch } else { batch.slice(0, 0) }));
        }
        let keep = keep.dense();
        let bools = keep.bools().unwrap_or_default();
        let mut rows = Vec::with_capacity(batch.rows / 2);
        match keep.valid() {
            None => rows.extend((0_u32..).zip(bools).filter(|(_, keep)| **keep).map(|(row, _)| row)),
            Some(valid) => {
                let kept = (0_u32..).zip(bools.iter().zip(valid)).filter(|(_, (keep, valid))| **keep && **valid);
                rows.extend(kept.map(|(row, _)| row));
            }
        }
        Ok(Some(if rows.len() == batch.rows { batch } else { batch.pick(rows) }))
    }
}

pub(super) struct Project {
    rel: RelRef,
    input: Input,
}

impl Project {
    pub(super) fn new(rel: &RelRef, input: Input) -> Self {
        Self { rel: Arc::clone(rel), input }
    }
}

impl Stream for Project {
    fn next(&mut self, context: &Context<'_>) -> Result<Option<Batch>, QueryError> {
        let Some(batch) = self.input.next(context)? else { return Ok(None) };
        context.tick(&self.rel)?;
        projected(&self.rel, &batch, context).map(Some)
    }
}

fn projected(rel: &RelRef, batch: &Batch, context: &Context<'_>) -> Result<Batch, QueryError> {
    let RelKind::Project(_, cells) = &rel.kind else { return Ok(batch.clone()) };
    let mut columns = Vec::with_capacity(cells.len());
    for cell in cells {
        columns.push(eval(cell, batch, context)?);
    }
    context.tick(rel)?;
    Ok(Batch { columns, rows: batch.rows })
}

/// A projection that looks at neighbouring rows, and so needs all of them.
pub(super) struct Windowed {
    rel: RelRef,
    input: Option<RelRef>,
}

impl Windowed {
    pub(super) fn new(rel: &RelRef, input: &RelRef) -> Self {
        Self { rel: Arc::clone(rel), input: Some(Arc::clone(input)) }
    }
}

impl Stream for Windowed {
    fn next(&mut self, context: &Context<'_>) -> Result<Option<Batch>, QueryError> {
        let Some(input) = self.input.take() else { return Ok(None) };
        let batch = collect(&input, context)?;
        projected(&self.rel, &batch, context).map(Some)
    }
}

pub(super) struct Take {
    rel: RelRef,
    input: Input,
    left: Option<usize>,
}

impl Take {
    pub(super) fn new(rel: &RelRef, input: Input) -> Self {
        Self { rel: Arc::clone(rel), input, left: None }
    }
}

impl Stream for Take {
    fn next(&mut self, context: &Context<'_>) -> Result<Option<Batch>, QueryError> {
        let RelKind::Take(_, count) = &self.rel.kind else { return Ok(None) };
        let left = match self.left {
            Some(left) => left,
            None => {
                let count = eval_once(count, context)?.cell().as_i64().unwrap_or(0);
                usize::try_from(count).unwrap_or(0)
            }
        };
        self.left = Some(left);
        if left == 0 {
            return Ok(None);
        }
        let Some(batch) = self.input.next(context)? else { return Ok(None) };
        let batch = if batch.rows > left { batch.slice(0, left) } else { batch };
        self.left = Some(left - batch.rows);
        Ok(Some(batch))
    }
}
