//! The language against what people and the documentation have published; the texts lie beside the repository.

#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]
#![expect(clippy::print_stderr, reason = "the shares are for people to read")]

mod compare;
mod corpus;
mod examples;
mod kit;
mod mutations;
