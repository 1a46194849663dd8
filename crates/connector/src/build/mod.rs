//! From typed inputs to the exact request.
//!
//! Every value is put into its place by type and encoded for it; nothing is pasted. Inputs are checked by name, need and
//! type first, so that a mistake is told in the workflow's words and nothing is sent.

mod address;
mod body;
mod error;
pub(crate) mod inputs;
mod style;

use serde_json::{Map, Value};
use sortie_openapi::{Description, Location, Operation, Parameter, ParameterForm};
use sortie_transport::{Bytes, Effect, HeaderName, Request, header};
use url::Url;

pub use address::base;
pub use error::BuildError;
pub use inputs::cast;

/// Where a connection leads.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// The connection's own base address; the document's first server where absent.
    pub base: Option<Url>,
    /// Values of the server's variables, by name.
    pub variables: Map<String, Value>,
}

/// A request with nothing left to decide but its authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltRequest {
    /// The method, in upper case.
    pub method: &'static str,
    /// The whole address.
    pub url: Url,
    /// Header names in lower case and their values, in order; each name once.
    pub headers: Vec<(String, String)>,
    /// The body, if there is one; its `content-type` is among the headers.
    pub body: Option<Bytes>,
}

/// Makes the request.
///
/// # Errors
/// [`BuildError`] names the input and what is wrong with it; nothing was sent.
pub fn build(
    description: &Description,
    operation: &Operation,
    inputs: &Map<String, Value>,
    target: &Target,
) -> Result<BuiltRequest, BuildError> {
    let content = body::chosen(operation, inputs);
    inputs::check(description, operation, content, inputs)?;
    let mut parts = Parts::default();
    for (name, value) in &operation.fixed_query {
        parts.query.push(format!("{}={}", style::encode_name(name), style::encode(value)));
    }
    let mut path = operation.path.clone();
    for parameter in &operation.parameters {
        match (parameter.location, inputs.get(&parameter.key).filter(|value| !value.is_null())) {
            (Location::Path, given) => path = placed(&path, parameter, given)?,
            (_, None) => {}
            (location, Some(value)) => parts.add(location, parameter, value)?,
        }
    }
    let mut url = address::address(description, operation, target, &path)?;
    if !parts.query.is_empty() {
        url.set_query(Some(&parts.query.join("&")));
    }
    if !parts.cookies.is_empty() {
        parts.headers.push(("cookie".to_owned(), parts.cookies.join("; ")));
    }
    let body = content.map(|content| body::write(description, operation, content, inputs)).transpose()?.flatten();
    let body = body.map(|(media_type, bytes)| {
        parts.headers.retain(|(name, _)| name != "content-type");
        parts.headers.push(("content-type".to_owned(), media_type));
        bytes
    });
    Ok(BuiltRequest { method: operation.method.as_str(), url, headers: parts.headers, body })
}

impl BuiltRequest {
    /// For the way out, with what a repetition of it would do.
    pub fn request(&self, effect: Effect) -> Request {
        let method = self.method.parse().expect("the names of methods are tokens");
        let mut request = Request::new(method, self.url.clone()).effect(effect);
        let content_type =
            self.headers.iter().find(|(name, _)| name == "content-type").map(|(_, value)| value.as_str());
        if let Some(body) = &self.body {
            request = request.body(content_type.unwrap_or("application/octet-stream"), body.clone());
        }
        for (name, value) in self.headers.iter().filter(|(name, _)| name != "content-type") {
            match HeaderName::from_bytes(name.as_bytes()) {
                Ok(name) => request = request.header(name, value),
                Err(_) => unreachable!("names were checked when they were added"),
            }
        }
        request
    }
}

/// What the parameters come to.
#[derive(Default)]
struct Parts {
    query: Vec<String>,
    headers: Vec<(String, String)>,
    cookies: Vec<String>,
}

impl Parts {
    fn add(&mut self, location: Location, parameter: &Parameter, value: &Value) -> Result<(), BuildError> {
        match location {
            Location::Query => self.query.extend(style::query(&parameter.name, &parameter.form, value)),
            Location::Cookie => {
                let pairs = style::query(&parameter.name, &parameter.form, value);
                self.cookies.extend(pairs);
            }
            Location::Header => self.header(parameter, value)?,
            Location::Path => unreachable!("path parameters are placed into the path"),
        }
        Ok(())
    }

    fn header(&mut self, parameter: &Parameter, value: &Value) -> Result<(), BuildError> {
        let text = match &parameter.form {
            ParameterForm::Content { .. } => value.to_string(),
            ParameterForm::Style { explode, .. } => style::simple(value, *explode, &|text| text.to_owned()),
        };
        let wrong = |why| BuildError::Header { key: parameter.key.clone(), why };
        let name = HeaderName::from_bytes(parameter.name.trim().as_bytes())
            .map_err(|_| wrong("its name cannot be a header's"))?;
        if text.bytes().any(|byte| byte != b'\t' && !(b' '..=b'~').contains(&byte)) {
            return Err(wrong("a header carries visible ASCII characters alone"));
        }
        if name == header::COOKIE {
            self.cookies.push(text);
            return Ok(());
        }
        if OURS.contains(&name.as_str()) {
            return Err(wrong("this header is written by Sortie itself"));
        }
        self.headers.retain(|(known, _)| known != name.as_str());
        self.headers.push((name.as_str().to_owned(), text));
        Ok(())
    }
}

/// The path with the parameter's value in its place.
fn placed(path: &str, parameter: &Parameter, given: Option<&Value>) -> Result<String, BuildError> {
    let value = given.ok_or_else(|| BuildError::Missing { key: parameter.key.clone() })?;
    let text = style::path(&parameter.name, &parameter.form, value);
    let place = format!("{{{}}}", parameter.name);
    let placed = path.replace(&place, &text);
    // An empty segment or a dot segment is another operation's path: the address would be read as if it were not there.
    let is_step = |segment: &str| matches!(segment, "" | "." | "..");
    let before = path.split('/').skip(1);
    for (was, is) in before.zip(placed.split('/').skip(1)) {
        if was.contains(&place) && is_step(is) {
            return Err(BuildError::Segment { key: parameter.key.clone() });
        }
    }
    Ok(placed)
}

/// What the transport or the authentication writes; a document that lists them as inputs does not change that.
pub(crate) const OURS: &[&str] = &[
    "authorization",
    "connection",
    "content-length",
    "host",
    "proxy-authorization",
    "te",
    "transfer-encoding",
    "upgrade",
];
