//! The operators as streams of batches. `open` shows which file has which.

mod apply;
mod expand;
mod filter;
mod join;
mod parse;
mod parse_kv;
mod series;
mod sort;
mod source;
mod summarize;
mod union;

use super::{Batch, Context};
use crate::{
    error::QueryError,
    plan::{RelKind, RelRef},
};

/// An operator at work.
pub(crate) trait Stream {
    /// The next rows; `None` at the end. A batch may be empty.
    fn next(&mut self, context: &Context<'_>) -> Result<Option<Batch>, QueryError>;
}

/// The operator made ready; its inputs, too.
pub(crate) fn open(rel: &RelRef, context: &Context<'_>) -> Result<Box<dyn Stream>, QueryError> {
    Ok(match &rel.kind {
        RelKind::Scan { .. } => Box::new(source::Scan::open(rel, context)),
        RelKind::Rows { .. } => Box::new(source::Literal::new(rel)),
        RelKind::Range { .. } => Box::new(source::Range::open(rel, context)?),
        RelKind::External(schema) => Box::new(source::Ready::external(rel, schema, context)?),
        RelKind::Named(input, _) => open(input, context)?,
        RelKind::Input(slot) => Box::new(source::Ready::input(*slot, context)),
        RelKind::Materialize(id, input) => Box::new(source::Ready::materialized(*id, input, context)?),
        RelKind::Invoke { .. } => Box::new(source::Ready::invoked(rel, context)?),
        RelKind::Filter(input, _) => Box::new(filter::Filter::new(rel, open(input, context)?)),
        RelKind::Project(input, cells) if cells.iter().any(crate::plan::Scalar::needs_all_rows) => {
            Box::new(filter::Windowed::new(rel, input))
        }
        RelKind::Project(input, _) => Box::new(filter::Project::new(rel, open(input, context)?)),
        RelKind::Take(input, _) => Box::new(filter::Take::new(rel, open(input, context)?)),
        RelKind::Sort { input, .. } => Box::new(sort::Sort::new(rel, open(input, context)?)),
        RelKind::Summarize { input, .. } => Box::new(summarize::Summarize::new(rel, open(input, context)?)),
        RelKind::Join { .. } => Box::new(join::JoinStream::new(rel)),
        RelKind::Union { .. } => Box::new(union::UnionStream::new(rel)),
        RelKind::MvExpand { input, .. } => Box::new(expand::MvExpand::new(rel, open(input, context)?)),
        RelKind::MvApply { input, .. } => Box::new(apply::MvApply::new(rel, open(input, context)?)),
        RelKind::Partition { .. } => Box::new(apply::Partition::new(rel)),
        RelKind::Parse { input, .. } => Box::new(parse::Parse::new(rel, open(input, context)?)),
        RelKind::ParseKv { input, .. } => Box::new(parse_kv::ParseKv::new(rel, open(input, context)?)),
        RelKind::MakeSeries(_) => Box::new(series::MakeSeries::new(rel)),
    })
}
