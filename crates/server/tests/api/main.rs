//! The API as others meet it: over a real database, by its router and by its sockets.

mod access;
mod documents;
mod stage;
