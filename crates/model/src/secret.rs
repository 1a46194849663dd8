//! Text that must not leak: the one type for client secrets, tokens, keys and assertions.

use std::{fmt, sync::Arc};

use zeroize::Zeroizing;

/// Text that must not reach logs, errors or the console.
///
/// `Debug` redacts; there is no `Display`, no `Serialize` and no `PartialEq`. The memory is wiped when the last clone goes.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Takes ownership, so that no second copy of the text stays behind.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Arc::new(Zeroizing::new(text.into())))
    }

    /// The only way out. Every call is a place to review: `rg '\.expose\(\)'`.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is no text at all: an unset variable, an empty file.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_the_text() {
        #[derive(Debug)]
        struct Holder {
            #[expect(dead_code, reason = "read by Debug only")]
            secret: Secret,
        }
        let shown = format!("{:?} {:#?}", Secret::new("hunter2"), Holder { secret: Secret::new("hunter2") });
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("Secret(..)"));
    }

    #[test]
    fn expose_gives_the_text_back() {
        assert_eq!(Secret::new("hunter2").expose(), "hunter2");
        assert!(Secret::new("").is_empty());
    }
}
