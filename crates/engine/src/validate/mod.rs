//! What a document means: whether its references lead somewhere, and whether what it says can happen.

mod calls;
mod graph;
mod inputs;
mod references;
mod sources;
#[cfg(test)]
mod tests;

use crate::{
    catalog::Catalog,
    document::Workflow,
    text::{Problem, Problems},
};

/// Everything that is wrong with what a document says, by place.
pub fn validate(workflow: &Workflow, catalog: &dyn Catalog) -> Vec<Problem> {
    let mut problems = Problems::default();
    graph::check(&workflow.steps, &mut problems);
    calls::check(&workflow.steps, catalog, &mut problems);
    references::check(workflow, &mut problems);
    problems.into_sorted()
}
