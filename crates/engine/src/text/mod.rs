//! The text of a workflow document: what is written where, and what is wrong with it.

mod gap;
mod lines;
mod node;
mod patch;
mod places;
mod problem;
mod yaml;

pub use node::{Entry, Node, Scalar, Value};
pub use patch::{Edit, PatchError, Step, patch};
pub(crate) use problem::nearest;
pub use problem::{Code, Problem, Problems, did_you_mean};
use serde::{Deserialize, Serialize};
pub use yaml::read;

/// A stretch of the text, in bytes, and where it begins as a person counts: from line 1 and column 1, in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
    /// Line of the first byte, from 1.
    pub line: u32,
    /// Column of the first byte in characters, from 1.
    pub column: u32,
}

/// Longest document that is read.
pub const TEXT_BYTES_MAX: usize = 1 << 20;
/// Deepest nesting of a document.
pub const DEPTH_MAX: usize = 64;
