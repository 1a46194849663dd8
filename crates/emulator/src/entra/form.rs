//! The form in the body of a token request, read as tolerantly as Entra reads it.

use percent_encoding::percent_decode_str;

/// Parameters in the order of the body; names are compared without regard to case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads `a=b&c=d`. Nothing is refused: `:` and `/` may stand unencoded, wrong escapes stay as they are, bytes that
    /// are no UTF-8 are replaced.
    pub(crate) fn parse(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let pairs = text.trim_matches(['\r', '\n']).split('&').filter(|pair| !pair.is_empty());
        let decode = |part: &str| percent_decode_str(&part.replace('+', " ")).decode_utf8_lossy().into_owned();
        Self(
            pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(a, b)| (decode(a), decode(b))).collect(),
        )
    }

    /// Takes the body when it is declared as a form, whatever follows the media type: blanks, a charset. A body that is
    /// declared as nothing is taken, too: msticpy sends its token request so (G).
    pub(crate) fn of_body(content_type: Option<&str>, body: &[u8]) -> Self {
        let Some(content_type) = content_type else { return Self::parse(body) };
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            Self::parse(body)
        } else {
            Self::default()
        }
    }

    /// The value, even an empty one.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The value without blanks around it; an empty one counts as missing.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).map(str::trim).filter(|value| !value.is_empty())
    }

    /// The first parameter that occurs twice.
    pub(crate) fn duplicate(&self) -> Option<&str> {
        let mut names = self.0.iter().map(|(name, _)| name).enumerate();
        let twice =
            names.find(|(at, name)| self.0[..*at].iter().any(|(earlier, _)| earlier.eq_ignore_ascii_case(name)));
        twice.map(|(_, name)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_body_makes_the_parser_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            text in "(scope|Scope|=|&|\\+|%[0-9a-fA-F]{0,2}|[a-zé\r\n]{1,3}){0,20}",
        ) {
            for body in [&bytes[..], text.as_bytes()] {
                let form = Form::parse(body);
                let _ = (form.duplicate(), form.text("scope"));
            }
        }
    }

    #[test]
    fn a_literal_colon_and_slash_are_fine_and_plus_is_a_blank() {
        let form = Form::parse(b"scope=https://api.security.microsoft.com/.default&b=x+y%20z&C=%zz&empty=\r\n");
        assert_eq!(form.text("scope"), Some("https://api.security.microsoft.com/.default"));
        assert_eq!((form.text("B"), form.text("c"), form.text("empty")), (Some("x y z"), Some("%zz"), None));
        assert_eq!(form.get("empty"), Some(""));
        assert_eq!(Form::parse(b"a=1&b=2&A=3").duplicate(), Some("A"));
    }

    #[test]
    fn a_body_declared_as_something_else_is_not_read() {
        let read = |content_type| Form::of_body(content_type, b"a=1").text("a").is_some();
        assert!(read(Some("application/x-www-form-urlencoded")));
        assert!(read(Some("Application/X-WWW-Form-Urlencoded ;charset=UTF-8")));
        assert!(read(None), "no declaration at all");
        assert!(!read(Some("application/json")) && !read(Some("")));
    }
}
