//! The call itself, and what its failure tells.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};
use serde_json::{Value, json};
use sortie_connector::{Answer, AnswerBody, CallError, Failure, PageLimits};
use sortie_engine::decide::Delivery;
use sortie_transport::{HeaderMap, HeaderValue, RetryPolicy, header, retry_after};

use super::{Calls, Prepared, prepare::Way};
use crate::outside::{Trouble, TroubleKind};

impl Calls {
    /// Calls once. Whether to call again is the machine's matter.
    pub(crate) async fn send(&self, prepared: &Prepared) -> Result<Value, Trouble> {
        self.answer(prepared).await.map(|(output, _)| output)
    }

    /// The same for what belongs to no run, and is tried again as the policy says.
    pub(crate) async fn read(&self, prepared: &Prepared, policy: RetryPolicy) -> Result<Value, Trouble> {
        self.answer_by(prepared, policy).await.map(|(output, _)| output)
    }

    /// The same as [`Self::send`], and what the service took for now.
    pub(crate) async fn answer(&self, prepared: &Prepared) -> Result<(Value, Option<Timestamp>), Trouble> {
        self.answer_by(prepared, once()).await
    }

    async fn answer_by(&self, prepared: &Prepared, policy: RetryPolicy) -> Result<(Value, Option<Timestamp>), Trouble> {
        let (connected, built) = match &prepared.way {
            Way::Native { call, connected } => {
                return self.native(prepared, call, connected.as_deref()).await.map(|output| (output, None));
            }
            Way::Remote { connected, built } => (connected, built),
        };
        let caller = connected.caller.clone().with_policy(policy);
        let failed = |error: CallError| trouble(&prepared.order.name(), &connected.name, &error, self.clock.now());
        if prepared.order.all_pages {
            let (description, operation) = (&prepared.product.description, prepared.operation());
            let (inputs, target) = (&prepared.order.inputs, &connected.target);
            let limits = PageLimits::default();
            let all = caller.all_pages(description, operation, inputs, target, &connected.credential, limits).await;
            return all.map(|paged| (Value::Array(paged.items), None)).map_err(failed);
        }
        let class = prepared.operation().effect.class;
        let answer = caller.send(built, class, &connected.credential).await;
        match answer {
            Ok(answer) if is_page(prepared, &answer) => Err(page(prepared, &answer)),
            Ok(answer) => {
                let date = answer.header("date").and_then(|text| DateTimeParser::new().parse_timestamp(text).ok());
                Ok((output(answer), date))
            }
            Err(CallError::Failed(failure)) if is_empty(prepared, &failure) => Ok((Value::Array(Vec::new()), None)),
            Err(error) => Err(failed(error)),
        }
    }
}

/// Waits for the budget, tries once.
fn once() -> RetryPolicy {
    RetryPolicy { attempts_max: 1, ..RetryPolicy::default() }
}

/// Whether somebody in between has answered: a web page where the operation answers with JSON.
fn is_page(prepared: &Prepared, answer: &Answer) -> bool {
    let AnswerBody::Text(text) = &answer.body else { return false };
    let mut contents = prepared.operation().successes().flat_map(|(_, output)| &output.contents);
    text.trim_start().starts_with('<')
        && answer.media_type.as_deref() == Some("text/html")
        && contents.any(|content| content.media_type.contains("json"))
}

/// Nobody knows whether the call has come to the service at all.
fn page(prepared: &Prepared, answer: &Answer) -> Trouble {
    let what = format!("{}: a web page instead of an answer", prepared.order.name());
    let next = "Look whether a proxy or a sign-in page stands between Sortie and the service.";
    Trouble {
        delivery: Delivery::Unknown,
        status: Some(answer.status),
        ..Trouble::refused(TroubleKind::Service, what, next)
    }
}

/// Some services say with a status that a list has nothing in it.
fn is_empty(prepared: &Prepared, failure: &Failure) -> bool {
    let stated = prepared.operation().guidance.more.get("empty").and_then(Value::as_u64);
    stated == Some(u64::from(failure.status))
}

/// An answer as a step's output.
pub(super) fn output(answer: Answer) -> Value {
    match answer.body {
        AnswerBody::Empty => Value::Null,
        AnswerBody::Json(value) => value,
        AnswerBody::Text(text) => text.into(),
        AnswerBody::Blob(bytes) => {
            json!({ "media_type": answer.media_type, "base64": BASE64_STANDARD.encode(&bytes) })
        }
    }
}

/// What a failed call means for its step.
pub(super) fn trouble(call: &str, connection: &str, error: &CallError, now: Timestamp) -> Trouble {
    let (mut delivery, mut kind) = (of(error.delivery()), TroubleKind::Service);
    let (mut status, mut asked) = (None, None);
    match error {
        CallError::Build(_) => kind = TroubleKind::Document,
        CallError::Credential(_) | CallError::Token(_) => kind = TroubleKind::Connection,
        // The next try would end alike: where a guard stands in the way, somebody must act.
        CallError::Send(error) if delivery == Delivery::NotSent && !error.may_pass() => delivery = Delivery::Refused,
        CallError::Send(_) => {}
        CallError::Failed(failure) => {
            status = Some(failure.status);
            asked = wait_asked(failure, now);
            match failure.status {
                401 => kind = TroubleKind::Connection,
                429 => delivery = Delivery::Throttled,
                // It is refused because one like it is open, which may be ours: only a look can tell.
                400 if names_active(failure) => delivery = Delivery::Unknown,
                _ => {}
            }
        }
    }
    if kind == TroubleKind::Connection {
        delivery = Delivery::NotSent;
    }
    let what = match kind {
        TroubleKind::Connection => format!("connection {connection} does not authenticate: {}", told(error)),
        _ => format!("{call}: {}", told(error)),
    };
    Trouble { delivery, kind, what, next: error.remedy(), status, retry_after: asked, console: Vec::new() }
}

/// The error with what led to it.
fn told(error: &CallError) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.map(ToString::to_string).fold(error.to_string(), |told, cause| match told.contains(&cause) {
        true => told,
        false => format!("{told}: {cause}"),
    })
}

fn of(delivery: sortie_transport::Delivery) -> Delivery {
    match delivery {
        sortie_transport::Delivery::NotSent => Delivery::NotSent,
        sortie_transport::Delivery::Refused => Delivery::Refused,
        sortie_transport::Delivery::Unknown => Delivery::Unknown,
    }
}

fn wait_asked(failure: &Failure, now: Timestamp) -> Option<std::time::Duration> {
    let mut headers = HeaderMap::new();
    if let Some(value) = failure.answer.header("retry-after").and_then(|text| HeaderValue::from_str(text).ok()) {
        headers.insert(header::RETRY_AFTER, value);
    }
    let body = match &failure.answer.body {
        AnswerBody::Json(value) => value.to_string(),
        AnswerBody::Text(text) => text.clone(),
        AnswerBody::Empty | AnswerBody::Blob(_) => String::new(),
    };
    retry_after(&headers, body.as_bytes(), now, ASKED_WAIT_MAX)
}

/// Defender for Endpoint's word for an order of the same kind that has not ended.
fn names_active(failure: &Failure) -> bool {
    let AnswerBody::Json(body) = &failure.answer.body else { return false };
    body.pointer("/error/code").and_then(Value::as_str) == Some("ActiveRequestAlreadyExists")
}

/// A service that asks for more is asked again then.
const ASKED_WAIT_MAX: std::time::Duration = std::time::Duration::from_secs(3_600);
