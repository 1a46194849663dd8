//! The watch for secrets in everything that a program printed or wrote.

use std::sync::{Arc, Mutex};

use base64::{Engine as _, engine::general_purpose};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// Texts that must not show up. Clones share one list.
#[derive(Clone, Debug, Default)]
pub struct Leaks(Arc<Mutex<Vec<String>>>);

impl Leaks {
    /// From now on `secret` must not show up anywhere, in no usual encoding.
    pub fn watch(&self, secret: &str) {
        assert!(secret.len() >= 8, "a secret of the tests must be long enough to be found");
        self.0.lock().expect("no code panics while it holds this lock").push(secret.to_owned());
    }

    /// What of the watched texts, or which token, `text` shows: as it is, in base64, or URL-encoded.
    pub fn find(&self, text: &str) -> Vec<String> {
        let watched = self.0.lock().expect("no code panics while it holds this lock").clone();
        let mut found: Vec<String> = Vec::new();
        for secret in &watched {
            found.extend(spellings(secret).into_iter().filter(|spelling| text.contains(spelling.as_str())));
        }
        found.extend(tokens(text));
        found
    }
}

/// Every way in which a secret may stand in a text. Base64 of a longer text holds one of three inner spellings.
fn spellings(secret: &str) -> Vec<String> {
    let mut spellings = vec![secret.to_owned(), utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string()];
    for engine in [&general_purpose::STANDARD_NO_PAD, &general_purpose::URL_SAFE_NO_PAD] {
        for offset in 0..3 {
            let padded = format!("{}{secret}", "x".repeat(offset));
            let encoded = engine.encode(padded);
            let (first, last) = (if offset == 0 { 0 } else { offset + 1 }, encoded.len() - 2);
            spellings.push(encoded[first..last].to_owned());
        }
    }
    spellings
}

/// JSON web tokens: three base64url parts of which the first starts an object with a member.
fn tokens(text: &str) -> Vec<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.split(|c| !is_part(c))
        .filter(|word| word.starts_with("eyJ") && word.split('.').count() == 3 && word.len() > 60)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_planted_secret_is_found_in_every_spelling() {
        let leaks = Leaks::default();
        leaks.watch("s3cret~of/the+tests==");
        let basic = general_purpose::STANDARD.encode("client:s3cret~of/the+tests==");
        let shifted = general_purpose::STANDARD.encode("client1:s3cret~of/the+tests==");
        for text in ["a s3cret~of/the+tests== b", "x=s3cret%7Eof%2Fthe%2Btests%3D%3D&y", &basic, &shifted] {
            assert!(!leaks.find(text).is_empty(), "{text}");
        }
        assert_eq!(leaks.find("nothing of it"), Vec::<String>::new());
    }

    #[test]
    fn a_token_is_found_by_its_form() {
        let token = format!("eyJhbGciOiJSUzI1NiJ9.{}.{}", "a".repeat(40), "b".repeat(40));
        assert_eq!(Leaks::default().find(&format!("Bearer {token}\n")), [token]);
    }
}
