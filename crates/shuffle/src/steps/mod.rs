//! One node becomes one step.

mod build;
mod classify;
mod inputs;
mod native;

pub(crate) use build::{Step, build};
pub(crate) use classify::{Class, classify, shapes};
