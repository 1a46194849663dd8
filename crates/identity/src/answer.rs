//! Reading what a token endpoint answers: both success shapes, the documented error, and everything else.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use sortie_model::Secret;

use crate::error::{Details, TokenError, TokenErrorCause};

/// A success, as v1, v2 and the metadata service spell it.
#[derive(Clone, Debug)]
pub struct TokenAnswer {
    /// The bearer text.
    pub access_token: Secret,
    /// Seconds from the moment of the answer.
    pub expires_in: Option<u64>,
    /// Unix seconds; v1 and the metadata service.
    pub expires_on: Option<i64>,
    /// Seconds after which the service would like to be asked again.
    pub refresh_in: Option<u64>,
    /// What was granted, for sign-in of a person.
    pub scope: Option<String>,
    /// The whole answer as it came, for members that are not read here; a secret, because tokens stand in it.
    pub whole: Secret,
}

impl TokenAnswer {
    /// How long the token lives from `now` on; an hour where the answer does not say.
    pub(crate) fn lifetime(&self, now: jiff::Timestamp) -> Duration {
        let by_date = || self.expires_on.map(|at| u64::try_from(at.saturating_sub(now.as_second())).unwrap_or(0));
        Duration::from_secs(self.expires_in.or_else(by_date).unwrap_or(LIFETIME_DEFAULT_S))
    }
}

/// Reads an answer of a token endpoint. Numbers may be strings; unknown fields are ignored.
///
/// # Errors
/// [`TokenError`] for every answer that holds no token: refusals keep their code and ids.
pub fn parse_token_answer(status: u16, content_type: Option<&str>, body: &[u8]) -> Result<TokenAnswer, TokenError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
    let failed = |cause| Err(Details { status: Some(status), ..Details::of(cause) }.into_error());
    if body.len() > ANSWER_BYTES_MAX {
        return failed(TokenErrorCause::OversizedAnswer);
    }
    let value: Value = match serde_json::from_slice(body) {
        Ok(value) => value,
        Err(error) => return failed(not_json(status, content_type, body, &error)),
    };
    if (200..300).contains(&status) {
        return success(&value, body)
            .map_err(|cause| Details { status: Some(status), ..Details::of(cause) }.into_error());
    }
    Err(Details { whole: Some(whole(body)), ..refusal(status, &value) }.into_error())
}

/// The documented error body, or what comes closest.
pub(crate) fn refusal(status: u16, value: &Value) -> Details {
    let body: RefusalBody = RefusalBody::deserialize(value).unwrap_or_default();
    let description = text(&body.error_description);
    let code = codes(&body.error_codes).or_else(|| description.as_deref().and_then(code_in_words));
    let error = text(&body.error).or_else(|| {
        // The metadata service and gateways write `{"error":{"code":..,"message":..}}` at times.
        value.pointer("/error/code").and_then(Value::as_str).map(bounded)
    });
    let fallback = match status {
        429 => TokenErrorCause::Throttled,
        500.. => TokenErrorCause::Transient,
        _ if error.is_none() && code.is_none() => TokenErrorCause::WrongShape,
        _ => TokenErrorCause::UnknownRefusal,
    };
    let word = error.as_deref();
    let cause = word
        .and_then(TokenErrorCause::of_device_flow)
        .or_else(|| code.and_then(TokenErrorCause::of_code))
        .or_else(|| word.and_then(TokenErrorCause::of_oauth_error))
        .unwrap_or(fallback);
    let described = |label| description.as_deref().and_then(|words| after_label(words, label));
    Details {
        status: Some(status),
        code,
        message: description.as_deref().map(words_only),
        trace_id: text(&body.trace_id).or_else(|| described("Trace ID:")),
        correlation_id: text(&body.correlation_id).or_else(|| described("Correlation ID:")),
        timestamp: text(&body.timestamp).or_else(|| described("Timestamp:")),
        error,
        ..Details::of(cause)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RefusalBody {
    error: Value,
    error_description: Value,
    error_codes: Value,
    timestamp: Value,
    trace_id: Value,
    correlation_id: Value,
}

fn whole(body: &[u8]) -> Secret {
    Secret::new(String::from_utf8_lossy(body))
}

fn success(value: &Value, body: &[u8]) -> Result<TokenAnswer, TokenErrorCause> {
    let object = value.as_object().ok_or(TokenErrorCause::WrongShape)?;
    let secret = |name: &str| {
        object.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty()).map(Secret::new)
    };
    let number = |name: &str| object.get(name).and_then(lenient_number);
    let access_token = secret("access_token").ok_or(TokenErrorCause::TokenMissing)?;
    if !access_token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(TokenErrorCause::WrongShape); // It could not be sent in a header.
    }
    if object.get("token_type").and_then(Value::as_str).is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(TokenErrorCause::WrongShape);
    }
    Ok(TokenAnswer {
        access_token,
        expires_in: number("expires_in").and_then(|seconds| u64::try_from(seconds).ok()),
        expires_on: number("expires_on"),
        refresh_in: number("refresh_in").and_then(|seconds| u64::try_from(seconds).ok()),
        scope: object.get("scope").and_then(Value::as_str).map(bounded),
        whole: whole(body),
    })
}

fn not_json(status: u16, content_type: Option<&str>, body: &[u8], error: &serde_json::Error) -> TokenErrorCause {
    let html = content_type.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/html"));
    match () {
        () if html || body.starts_with(b"<") => TokenErrorCause::HtmlAnswer,
        () if status == 429 => TokenErrorCause::Throttled,
        () if status >= 500 => TokenErrorCause::Transient,
        () if body.is_empty() => TokenErrorCause::EmptyAnswer,
        () if error.is_eof() => TokenErrorCause::CutAnswer,
        () => TokenErrorCause::NotJson,
    }
}

/// v1 and the metadata service write numbers as strings; a fraction is cut off.
fn lenient_number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|float| float as i64)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn codes(value: &Value) -> Option<u32> {
    let first = value.as_array().and_then(|codes| codes.first()).unwrap_or(value);
    lenient_number(first).and_then(|code| u32::try_from(code).ok())
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(bounded)
}

/// `AADSTS7000215: ...` -> 7000215.
pub(crate) fn code_in_words(words: &str) -> Option<u32> {
    let (_, rest) = words.split_once("AADSTS")?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    rest[..digits].parse().ok()
}

/// The description without code, ids and line breaks: what a person reads.
fn words_only(description: &str) -> String {
    let words = description.split("Trace ID:").next().unwrap_or_default();
    let words = match words.split_once(": ") {
        Some((code, rest)) if code.trim().starts_with("AADSTS") => rest,
        _ => words,
    };
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn after_label(description: &str, label: &str) -> Option<String> {
    let rest = description.split_once(label)?.1.trim_start();
    let end =
        ["Trace ID:", "Correlation ID:", "Timestamp:", "\r", "\n"].iter().filter_map(|stop| rest.find(stop)).min();
    Some(rest[..end.unwrap_or(rest.len())].trim().to_owned()).filter(|text| !text.is_empty())
}

/// Remote text goes into messages, so it is bounded and holds no control characters except line ends.
fn bounded(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\r' | '\n')).take(TEXT_CHARS_MAX).collect()
}

/// Tokens with many roles and groups reach some tens of kilobytes.
pub(crate) const ANSWER_BYTES_MAX: usize = 1 << 20;
const TEXT_CHARS_MAX: usize = 2000;
/// RFC 6749 section 5.1 leaves `expires_in` out where it is documented otherwise; Entra's usual life is 60 to 90 minutes.
const LIFETIME_DEFAULT_S: u64 = 3600;

#[cfg(test)]
mod tests;
