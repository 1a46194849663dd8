//! The API as others meet it: over a real database, by its router and by its sockets.

mod access;
mod changes;
mod documents;
mod hooks;
mod listening;
mod objects;
mod stage;
