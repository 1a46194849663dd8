//! What Shuffle writes into fields: texts with references, filters and functions; and the same in our language.

mod liquid;
mod reader;
mod scan;
mod structure;
mod write;

pub(crate) use reader::{Reader, Shape};
pub(crate) use scan::{Names, Piece, Reference, Root, Segment, scan};
pub(crate) use structure::{structured, structured_text};
pub(crate) use write::{all_of, any_of, escaped, quoted};
