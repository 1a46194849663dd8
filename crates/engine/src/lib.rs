//! The workflow engine decides; it does not do. No clock, no randomness, no I/O, no connector's name.

pub mod catalog;
pub mod decide;
pub mod document;
pub mod machine;
pub mod template;
pub mod text;
pub mod validate;
