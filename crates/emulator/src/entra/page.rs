//! Pages.
#[derive(Clone, Debug)]
pub(crate) struct Interaction;
