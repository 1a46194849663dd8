//! `http/*`: any request, made from its inputs.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};
use sortie_openapi::EffectClass;
use sortie_transport::{Bytes, HeaderName, Method, header};
use url::Url;

use super::NativeCall;
use crate::{Answer, AnswerBody, BuildError, BuiltRequest, CallError, Caller, Credential, build::OURS};

/// A request with nothing left to decide but its credential.
#[derive(Clone, Debug)]
pub struct HttpCall {
    /// The request.
    pub built: BuiltRequest,
    effect: EffectClass,
    timeout: Option<Duration>,
    follows: bool,
    takes_any_status: bool,
}

impl HttpCall {
    /// Makes the request.
    ///
    /// # Errors
    /// [`BuildError`] names the input and what is wrong with it.
    pub fn of(call: &NativeCall) -> Result<Self, BuildError> {
        let inputs = &call.inputs;
        let text = |key: &str| inputs.get(key).and_then(Value::as_str);
        let id = call.operation.id.as_str();
        let method = text("method").filter(|_| id == "request").unwrap_or(id).trim().to_ascii_uppercase();
        let known = Method::from_bytes(method.as_bytes()).ok().filter(|_| method.len() <= 20 && method != "CONNECT");
        let method = known.ok_or_else(|| wrong("method", "is no method that can be sent"))?;
        let mut url: Url = text("url")
            .and_then(|url| url.trim().parse().ok())
            .filter(|url: &Url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some())
            .ok_or_else(|| wrong("url", "is no address; write it whole, such as https://api.example.com/items"))?;
        if let Some(Value::Object(query)) = inputs.get("query") {
            for (name, value) in query {
                let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
                for value in values {
                    url.query_pairs_mut().append_pair(name, &plain(value));
                }
            }
        }
        let mut headers = headers(inputs)?;
        let body = body(inputs)?.map(|(media_type, bytes)| {
            let given = text("media_type").map(str::to_owned);
            let stands = headers.iter().any(|(name, _)| name == "content-type") && given.is_none();
            if !stands {
                headers.retain(|(name, _)| name != "content-type");
                headers.push(("content-type".to_owned(), given.unwrap_or(media_type.to_owned())));
            }
            bytes
        });
        if headers.iter().any(|(_, value)| !is_header_value(value)) {
            return Err(wrong("media_type", "holds characters that a header cannot carry"));
        }
        let timeout = inputs.get("timeout_s").and_then(Value::as_u64);
        if timeout.is_some_and(|seconds| !(1..=TIMEOUT_S_MAX).contains(&seconds)) {
            return Err(wrong("timeout_s", "must lie between 1 and 300"));
        }
        let flag = |key: &str, fallback| inputs.get(key).and_then(Value::as_bool).unwrap_or(fallback);
        // `request` may read, too, but what it does is not known from its name.
        Ok(Self {
            built: BuiltRequest { method: name_of(&method)?, url, headers, body },
            effect: call.operation.effect.class,
            timeout: timeout.map(Duration::from_secs),
            follows: flag("follow_redirects", true),
            takes_any_status: flag("any_status", false),
        })
    }

    /// Sends it.
    ///
    /// # Errors
    /// [`CallError`], unless the caller asked for any status to be an answer.
    pub async fn send(&self, caller: &Caller, credential: &Credential) -> Result<Answer, CallError> {
        let tuned = |request: sortie_transport::Request| {
            let request = request.body_bytes_max(ANSWER_BYTES_MAX);
            let request = match self.timeout {
                Some(timeout) => request.timeout(timeout),
                None => request,
            };
            if self.follows { request } else { request.unfollowed() }
        };
        match caller.send_as(&self.built, self.effect, credential, tuned).await {
            Err(CallError::Failed(failure)) if self.takes_any_status => Ok(*failure.answer),
            outcome => outcome,
        }
    }
}

/// An answer with everything that a workflow may want of it.
pub fn as_data(answer: &Answer) -> Value {
    let mut headers: Map<String, Value> = Map::new();
    for (name, value) in &answer.headers {
        match headers.get_mut(name) {
            None => drop(headers.insert(name.clone(), value.as_str().into())),
            Some(Value::Array(several)) => several.push(value.as_str().into()),
            Some(one) => *one = json!([one.take(), value]),
        }
    }
    let (kind, body) = match &answer.body {
        AnswerBody::Empty => ("empty", Value::Null),
        AnswerBody::Json(value) => ("json", value.clone()),
        AnswerBody::Text(text) => ("text", text.as_str().into()),
        AnswerBody::Blob(bytes) => ("base64", BASE64_STANDARD.encode(bytes).into()),
    };
    json!({
        "status": answer.status,
        "headers": headers,
        "media_type": answer.media_type,
        "body": body,
        "body_kind": kind,
        "url": answer.url.as_str(),
    })
}

fn headers(inputs: &Map<String, Value>) -> Result<Vec<(String, String)>, BuildError> {
    let mut headers: Vec<(String, String)> = Vec::new();
    for (name, value) in inputs.get("headers").and_then(Value::as_object).into_iter().flatten() {
        let value = plain(value);
        let name = HeaderName::from_bytes(name.trim().as_bytes())
            .map_err(|_| wrong("headers", "holds a name that cannot be a header's"))?;
        if matches!(name, header::AUTHORIZATION | header::PROXY_AUTHORIZATION) {
            let why = "holds a credential; give it to a connection of this connector, which keeps it sealed";
            return Err(wrong("headers", why));
        }
        if OURS.contains(&name.as_str()) {
            return Err(wrong("headers", "holds one that Sortie writes itself"));
        }
        if !is_header_value(&value) {
            return Err(wrong("headers", "holds a value that is not visible ASCII"));
        }
        headers.retain(|(known, _)| known != name.as_str());
        headers.push((name.as_str().to_owned(), value));
    }
    Ok(headers)
}

fn body(inputs: &Map<String, Value>) -> Result<Option<(&'static str, Bytes)>, BuildError> {
    let given: Vec<&str> =
        BODIES.iter().copied().filter(|key| inputs.get(*key).is_some_and(|value| !value.is_null())).collect();
    let Some(&key) = given.first() else { return Ok(None) };
    if given.len() > 1 {
        return Err(wrong("json", "is not the only body; give one of json, text, base64 and form"));
    }
    let value = &inputs[key];
    Ok(Some(match key {
        "json" => ("application/json", value.to_string().into()),
        "text" => ("text/plain; charset=utf-8", plain(value).into()),
        "form" => {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            for (name, value) in value.as_object().into_iter().flatten() {
                form.append_pair(name, &plain(value));
            }
            ("application/x-www-form-urlencoded", form.finish().into())
        }
        _ => {
            let bytes = BASE64_STANDARD.decode(plain(value)).map_err(|_| wrong("base64", "is no base64"))?;
            ("application/octet-stream", bytes.into())
        }
    }))
}

/// Methods are names that live as long as the program; others than these are not sent.
fn name_of(method: &Method) -> Result<&'static str, BuildError> {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "PROPFIND", "REPORT"];
    known
        .into_iter()
        .find(|name| *name == method.as_str())
        .ok_or_else(|| wrong("method", "is no method that can be sent"))
}

fn is_header_value(value: &str) -> bool {
    value.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn wrong(key: &'static str, why: &'static str) -> BuildError {
    BuildError::Value { key: key.to_owned(), why }
}

const BODIES: [&str; 4] = ["json", "text", "base64", "form"];
const TIMEOUT_S_MAX: u64 = 300;
const ANSWER_BYTES_MAX: u64 = 8 << 20;
