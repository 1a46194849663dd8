//! The login service, the set-up calls of Graph, and the metadata endpoint, through HTTP against a started cloud.

mod stage;
mod token;
