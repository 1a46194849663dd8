//! What a request says, as data: by its media type alone, and never as anything else.

use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use crate::{Problem, request::media_type};

/// How a body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Json,
    Form,
    Text,
    Nothing,
}

impl Kind {
    /// Of a request.
    ///
    /// # Errors
    /// A [`Problem`] of status 415, which depends on nothing but the header.
    pub(crate) fn of(headers: &HeaderMap, body: &[u8]) -> Result<Self, Problem> {
        match media_type(headers).as_deref() {
            Some("application/json" | "text/json") => Ok(Self::Json),
            Some(other) if other.starts_with("application/") && other.ends_with("+json") => Ok(Self::Json),
            Some("application/x-www-form-urlencoded") => Ok(Self::Form),
            Some("text/plain") => Ok(Self::Text),
            None if body.is_empty() => Ok(Self::Nothing),
            _ => Err(Problem::media_type("application/json, application/x-www-form-urlencoded or text/plain")),
        }
    }

    /// The body as a value.
    ///
    /// # Errors
    /// A [`Problem`] where it is not of the kind that it says to be.
    pub(crate) fn read(self, body: &[u8]) -> Result<Value, Problem> {
        let text = || std::str::from_utf8(body).map_err(|_| broken("the body is no UTF-8"));
        match self {
            Self::Nothing => Ok(Value::Null),
            Self::Text => Ok(text()?.into()),
            Self::Form => Ok(fields(url::form_urlencoded::parse(body))),
            Self::Json => {
                let text = text()?;
                sortie_connector::lenient_json(text.strip_prefix('\u{feff}').unwrap_or(text))
                    .map_err(|error| broken(format!("the body is no JSON that can be read: {error}")))
            }
        }
    }
}

/// Names with their values; a name that comes several times has a list.
pub(crate) fn fields<'a>(pairs: impl Iterator<Item = (std::borrow::Cow<'a, str>, std::borrow::Cow<'a, str>)>) -> Value {
    let mut found: Map<String, Value> = Map::new();
    for (name, value) in pairs {
        let value = Value::from(value);
        match found.get_mut(&*name) {
            None => drop(found.insert(name.into_owned(), value)),
            Some(Value::Array(list)) => list.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    Value::Object(found)
}

fn broken(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "request", detail, "Send it as its Content-Type says.")
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header};
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(media_type: &str, body: &[u8], expected: Option<Value>) {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(media_type).unwrap());
        let read = Kind::of(&headers, body).and_then(|kind| kind.read(body));
        assert_eq!(read.ok(), expected, "{media_type} {:?}", String::from_utf8_lossy(body));
    }

    #[test]
    fn a_body_is_read_as_what_it_says_to_be_and_as_nothing_else() {
        check(
            "application/json; charset=utf-8",
            br#"{"files":{"path":"/etc/passwd"}}"#,
            Some(json!({ "files": { "path": "/etc/passwd" } })),
        );
        check("application/cloudevents+json", b"[1]", Some(json!([1])));
        check("APPLICATION/JSON", "\u{feff}1".as_bytes(), Some(json!(1)));
        check("application/json", b"a=1", None);
        check("application/json", b"", None);
        check("text/plain", br#"{"a":1}"#, Some(json!(r#"{"a":1}"#)));
        check("text/plain", b"\xff", None);
        check(
            "application/x-www-form-urlencoded",
            b"a=1&b=%7B%7B7*7%7D%7D&a=2&a=3",
            Some(json!({ "a": ["1", "2", "3"], "b": "{{7*7}}" })),
        );
        for other in
            ["multipart/form-data; boundary=x", "application/xml", "text/html", "application/octet-stream", "nonsense"]
        {
            check(other, b"{}", None);
        }
        assert_eq!(Kind::of(&HeaderMap::new(), b"").unwrap(), Kind::Nothing);
        assert!(Kind::of(&HeaderMap::new(), b"{}").is_err());
    }

    #[test]
    fn what_no_reader_takes_is_mended_and_nothing_else() {
        check(
            "application/json",
            br#"["\ud800x","\udfff","\\ud800",1e400,-1E999,"1e400"]"#,
            Some(json!(["\u{fffd}x", "\u{fffd}", "\\ud800", null, null, "1e400"])),
        );
        check(
            "application/json",
            br#"["\ud83d\ude00","\ud800\ud83d\ude00","\ud800"]"#,
            Some(json!(["😀", "\u{fffd}😀", "\u{fffd}"])),
        );
        check("application/json", br#"{"\udead":[1e400,"\"1e400"]}"#, Some(json!({ "\u{fffd}": [null, "\"1e400"] })));
        check("application/json", br#"["\ud8"#, None);
        check("application/json", "[".repeat(100_000).as_bytes(), None);
    }
}
