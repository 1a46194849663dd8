//! The workflow engine decides; it does not do. No clock, no randomness, no I/O, no connector's name.

pub mod template;
