//! What a product answered, as data: JSON, text or bytes, with status and headers; and what a refusal says in its own words.

use serde_json::Value;
use sortie_transport::{Bytes, HeaderMap, Response, StatusCode, header};
use url::Url;

use crate::lenient_json;

/// One answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// As sent.
    pub status: u16,
    /// Names in lower case; several of one name stay several.
    pub headers: Vec<(String, String)>,
    /// `application/json`, without its parameters; `None` where none was sent.
    pub media_type: Option<String>,
    /// The body.
    pub body: AnswerBody,
    /// Who answered: after redirects another address than the one that was asked.
    pub url: Url,
}

/// A body by its kind.
#[derive(Clone, Debug, PartialEq)]
pub enum AnswerBody {
    /// Nothing.
    Empty,
    /// JSON, whatever the media type called it.
    Json(Value),
    /// Any other text; also JSON that cannot be read, as it came.
    Text(String),
    /// Anything else.
    Blob(Bytes),
}

/// An answer whose status is an error.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("the service answers with status {status}{}", message.as_ref().map(|text| format!(": {text}")).unwrap_or_default())]
pub struct Failure {
    /// As sent.
    pub status: u16,
    /// The remote's own words, bounded.
    pub message: Option<String>,
    /// The whole answer.
    pub answer: Box<Answer>,
}

impl Answer {
    /// Takes an answer apart; one with an error status becomes a failure.
    ///
    /// # Errors
    /// [`Failure`] for a status of 400 and above, and for a redirect that was not followed.
    pub(crate) fn of(response: Response) -> Result<Self, Failure> {
        let status = response.status;
        let media_type = media_type(&response.headers);
        let body = AnswerBody::of(media_type.as_deref(), response.body.clone());
        let text = |value: &sortie_transport::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = response.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        let answer = Self { status: status.as_u16(), headers, media_type, body, url: response.url };
        if status.is_success() || status == StatusCode::NOT_MODIFIED || status.is_informational() {
            return Ok(answer);
        }
        let message = answer.message();
        Err(Failure { status: status.as_u16(), message, answer: Box::new(answer) })
    }

    /// The first header of that name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// What the body says went wrong, as the common shapes of error bodies carry it.
    fn message(&self) -> Option<String> {
        let found = match &self.body {
            AnswerBody::Json(value) => MESSAGES.iter().find_map(|pointer| said(value.pointer(pointer)?)),
            AnswerBody::Text(text) if text.trim_start().starts_with('<') => {
                Some("a web page instead of an answer".to_owned())
            }
            AnswerBody::Text(text) => Some(text.clone()),
            AnswerBody::Empty | AnswerBody::Blob(_) => None,
        };
        found.map(|text| bounded(text.trim())).filter(|text| !text.is_empty())
    }
}

impl AnswerBody {
    fn of(media_type: Option<&str>, bytes: Bytes) -> Self {
        if bytes.is_empty() {
            return Self::Empty;
        }
        let media_type = media_type.unwrap_or_default();
        let says_json = media_type == "application/json" || media_type.ends_with("+json") || media_type == "text/json";
        let looks_like_json = media_type.is_empty() || media_type == "text/plain";
        let start = bytes.iter().find(|byte| !byte.is_ascii_whitespace() && **byte != 0xef);
        if says_json || (looks_like_json && matches!(start, Some(b'{' | b'['))) {
            let body = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
            // A byte or an escape that stands for nothing costs itself, not the object around it.
            let read = serde_json::from_slice(body).or_else(|_| lenient_json(&String::from_utf8_lossy(body)));
            if let Ok(value) = read {
                return Self::Json(value);
            }
        }
        let is_text =
            says_json || media_type.starts_with("text/") || TEXTS.iter().any(|part| media_type.contains(part));
        if is_text {
            return Self::Text(String::from_utf8_lossy(&bytes).into_owned());
        }
        match std::str::from_utf8(&bytes) {
            Ok(text) if media_type.is_empty() && !text.contains('\0') => Self::Text(text.to_owned()),
            _ => Self::Blob(bytes),
        }
    }
}

fn media_type(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let media_type = text.split(';').next()?.trim().to_ascii_lowercase();
    (!media_type.is_empty()).then_some(media_type)
}

fn said(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Array(items) => said(items.first()?),
        Value::Object(map) => ["message", "detail", "description"].iter().find_map(|name| said(map.get(*name)?)),
        _ => None,
    }
}

fn bounded(text: &str) -> String {
    let mut short: String = text.chars().take(MESSAGE_CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// Where error bodies carry their sentence, the more telling first.
const MESSAGES: &[&str] = &[
    "/error/message",
    "/error_description",
    "/errorMessage",
    "/message",
    "/Message",
    "/detail",
    "/details",
    "/title",
    "/error",
    "/errors",
    "/msg",
    "/reason",
    "/meta/errors",
];
/// Parts of media types that are text.
const TEXTS: &[&str] = &["xml", "javascript", "x-ndjson", "yaml", "csv", "x-www-form-urlencoded"];
const MESSAGE_CHARS_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn response(status: u16, media_type: &str, body: &[u8]) -> Response {
        let mut headers = HeaderMap::new();
        if !media_type.is_empty() {
            headers.insert(header::CONTENT_TYPE, media_type.parse().unwrap());
        }
        Response {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body: Bytes::copy_from_slice(body),
            spool: None,
            url: "https://api.example/".parse().unwrap(),
            elapsed: Duration::ZERO,
        }
    }

    #[test]
    fn a_body_is_what_it_is() {
        #[track_caller]
        fn check(media_type: &str, body: &[u8], expected: AnswerBody) {
            assert_eq!(Answer::of(response(200, media_type, body)).unwrap().body, expected, "{media_type}");
        }
        let object = || AnswerBody::Json(serde_json::json!({ "a": 1 }));
        check("application/json; charset=utf-8", b"\xef\xbb\xbf{\"a\":1}", object());
        check("application/problem+json", b"{\"a\":1}", object());
        check("", b" {\"a\":1}", object());
        check("text/plain", b"{\"a\":1}", object());
        check("text/html", b"{\"a\":1}", AnswerBody::Text("{\"a\":1}".into()));
        check("application/json", b"{\"a\":", AnswerBody::Text("{\"a\":".into()));
        let mended = AnswerBody::Json(serde_json::json!({ "a": 1, "b": "\u{fffd}", "c": "\u{fffd}" }));
        check("application/json", b"{\"a\":1,\"b\":\"\\ud800\",\"c\":\"\xff\"}", mended);
        check("application/xml", b"<a/>", AnswerBody::Text("<a/>".into()));
        check("application/octet-stream", b"{}", AnswerBody::Blob(Bytes::from_static(b"{}")));
        check("", b"\xff\xfe", AnswerBody::Blob(Bytes::from_static(b"\xff\xfe")));
        check("application/json", b"", AnswerBody::Empty);
    }

    #[test]
    fn a_refusal_says_why_in_the_remotes_words() {
        #[track_caller]
        fn check(media_type: &str, body: &str, expected: Option<&str>) {
            let failure = Answer::of(response(403, media_type, body.as_bytes())).unwrap_err();
            assert_eq!((failure.status, failure.message.as_deref()), (403, expected), "{body}");
        }
        let json = "application/json";
        check(
            json,
            r#"{"error":{"code":"Forbidden","message":"Missing application roles."}}"#,
            Some("Missing application roles."),
        );
        check(
            json,
            r#"{"error":"invalid_client","error_description":"AADSTS7000215: wrong"}"#,
            Some("AADSTS7000215: wrong"),
        );
        check(json, r#"{"errors":[{"message":"first"},{"message":"second"}]}"#, Some("first"));
        check(json, r#"{"error":"gone"}"#, Some("gone"));
        check(json, r#"{"error":{"code":7}}"#, None);
        check("text/html", "<html>Blocked</html>", Some("a web page instead of an answer"));
        check("text/plain", " no \n", Some("no"));
        check("", "", None);
        let long = Answer::of(response(500, "text/plain", "x".repeat(9_000).as_bytes())).unwrap_err();
        assert_eq!(long.message.unwrap().chars().count(), MESSAGE_CHARS_MAX + 1);
    }
}
