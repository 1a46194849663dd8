//! From text to types, with everything that is wrong at once.
use super::Workflow;
use crate::text::Problem;
/// x
pub fn read(_text: &str) -> Result<Workflow, Vec<Problem>> {
    Err(Vec::new())
}
