//! What a test can leave out of a runner, to see that the tests notice. A build for use has nothing to leave out.

/// Nothing is left out of a build without the feature `controls`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Controls {
    /// A call that may have left is made as if it never had.
    #[cfg(feature = "controls")]
    pub without_intents: bool,
    /// A call in doubt is sent again instead of looked for.
    #[cfg(feature = "controls")]
    pub without_looks: bool,
    /// Whoever has lost a run goes on with it.
    #[cfg(feature = "controls")]
    pub without_epochs: bool,
}

#[cfg(feature = "controls")]
impl Controls {
    pub(crate) fn trusts_intents(self) -> bool {
        !self.without_intents
    }

    pub(crate) fn looks(self) -> bool {
        !self.without_looks
    }

    pub(crate) fn checks_epochs(self) -> bool {
        !self.without_epochs
    }
}

#[cfg(not(feature = "controls"))]
impl Controls {
    pub(crate) fn trusts_intents(self) -> bool {
        true
    }

    pub(crate) fn looks(self) -> bool {
        true
    }

    pub(crate) fn checks_epochs(self) -> bool {
        true
    }
}
