//! An answer: any status, whole body, bounded.

use std::{
    borrow::Cow,
    fmt,
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek as _, SeekFrom, Write as _},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use url::Url;

use crate::error::SendErrorKind;

/// What the service answered, whatever the status.
#[derive(Clone)]
pub struct Response {
    /// The status as sent.
    pub status: StatusCode,
    /// All headers.
    pub headers: HeaderMap,
    /// The whole body, decompressed; empty where it went to a file.
    pub body: Bytes,
    /// The body where it is larger than the request wanted in memory.
    pub spool: Option<Spool>,
    /// The address that answered: after redirects another than the one that was asked.
    pub url: Url,
    /// From the start of the attempt to the end of the body.
    pub elapsed: Duration,
}

/// A body in a temporary file without a name: it is gone with the last handle.
#[derive(Clone)]
pub struct Spool(Arc<File>);

pub(crate) struct SpoolWriter(BufWriter<File>);

impl Spool {
    /// Reads from the start, as often as wanted; one reading at a time.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn reader(&self) -> io::Result<impl Read> {
        let mut file = self.0.try_clone()?;
        file.seek(SeekFrom::Start(0))?;
        let mut start = [0; 3];
        let has_mark = file.read(&mut start)? == 3 && start == *b"\xef\xbb\xbf";
        file.seek(SeekFrom::Start(if has_mark { 3 } else { 0 }))?;
        Ok(BufReader::with_capacity(SPOOL_BUFFER_BYTES, file))
    }
}

/// The writes go to the page cache: they are short enough for the thread of a task.
impl SpoolWriter {
    pub(crate) fn create() -> Result<Self, SendErrorKind> {
        let file = tempfile::tempfile().map_err(unwritten)?;
        Ok(Self(BufWriter::with_capacity(SPOOL_BUFFER_BYTES, file)))
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), SendErrorKind> {
        self.0.write_all(bytes).map_err(unwritten)
    }

    pub(crate) fn finish(self) -> Result<Spool, SendErrorKind> {
        let file = self.0.into_inner().map_err(|error| unwritten(error.into_error()))?;
        Ok(Spool(Arc::new(file)))
    }
}

impl Response {
    /// The body, wherever it is.
    ///
    /// # Errors
    /// When the file of a large body cannot be read.
    pub fn reader(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(match &self.spool {
            Some(spool) => Box::new(spool.reader()?),
            None => Box::new(self.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.body)),
        })
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        self.status.is_success()
    }

    /// The service's own id of this call, for its support.
    pub fn request_id(&self) -> Option<&str> {
        ["x-ms-request-id", "request-id", "x-request-id"].iter().find_map(|name| self.header(name))
    }

    /// A header's value, where it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as text; bytes that are no UTF-8 are replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When the body is not JSON of this shape: a bug here or a change there, never worth a repeat.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        let body = self.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.body);
        serde_json::from_slice(body)
    }

    /// Whether this is a web page: the sign of a proxy, a captive portal or a gateway between us and the service.
    pub fn is_html(&self) -> bool {
        let declared = self.headers.get(header::CONTENT_TYPE).is_some_and(|value| {
            value.to_str().is_ok_and(|text| text.trim_start().to_ascii_lowercase().starts_with("text/html"))
        });
        let start = self.body.trim_ascii_start();
        declared || [&b"<!doctype html"[..], b"<html"].iter().any(|tag| starts_with_ignoring_case(start, tag))
    }
}

impl fmt::Debug for Response {
    /// Never the body or header values: an answer may carry a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("host", &self.url.host_str())
            .field("path", &self.url.path())
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// The folder is named because it is rarely the one that a person looks at when a disk is full.
fn unwritten(source: io::Error) -> SendErrorKind {
    SendErrorKind::Spool { folder: std::env::temp_dir(), source }
}

const SPOOL_BUFFER_BYTES: usize = 1 << 16;

fn starts_with_ignoring_case(text: &[u8], prefix: &[u8]) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(content_type: &str, body: &'static [u8]) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        headers.insert("request-id", "r-1".parse().unwrap());
        let url = "https://example.com/x?secret=1".parse().unwrap();
        Response {
            status: StatusCode::OK,
            headers,
            body: Bytes::from_static(body),
            spool: None,
            url,
            elapsed: Duration::from_millis(3),
        }
    }

    #[test]
    fn html_is_seen_by_type_and_by_body() {
        assert!(answer("Text/HTML; charset=utf-8", b"hello").is_html());
        assert!(answer("application/json", b"\r\n <!DOCTYPE html><p>").is_html());
        assert!(!answer("application/json", b"{}").is_html());
    }

    #[test]
    fn a_byte_order_mark_does_not_hide_json() {
        let value: serde_json::Value = answer("application/json", b"\xef\xbb\xbf{\"a\":1}").json().unwrap();
        assert_eq!(value["a"], 1);
    }

    #[test]
    fn debug_shows_no_body_and_no_query() {
        let shown = format!("{:?}", answer("text/plain", b"hunter2"));
        assert!(!shown.contains("hunter2") && !shown.contains("secret"), "{shown}");
        assert_eq!(answer("text/plain", b"").request_id(), Some("r-1"));
    }
}
