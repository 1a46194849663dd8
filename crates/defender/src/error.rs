//! Why Defender did not give what was asked, who must act, and what to do next.

use serde::Deserialize;
use serde_json::Value;
use sortie_identity::{CallError, TokenError};
use sortie_transport::{Response, SendError};

use crate::{Document, MachineAction};

/// What failed and why. Prints as `cannot list incidents`; the source says the rest.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing}")]
pub struct DefenderError {
    /// The operation in words: `list incidents`, `read incident 81`.
    pub doing: String,
    /// What went wrong.
    #[source]
    pub kind: Box<DefenderErrorKind>,
}

/// What went wrong with one operation.
#[derive(Debug, thiserror::Error)]
pub enum DefenderErrorKind {
    /// No token for the API; its own text says who must act.
    #[error(transparent)]
    Token(TokenError),
    /// No usable answer arrived.
    #[error(transparent)]
    Send(SendError),
    /// 401 twice, with a fresh token the second time.
    #[error("the service does not accept the token: {0}")]
    Unauthorized(ServiceError),
    /// 403: mostly a role that is missing.
    #[error("the service refuses this application: {error}")]
    Forbidden {
        /// The service's own words.
        error: ServiceError,
        /// Any one of these roles opens the operation.
        roles: &'static [&'static str],
    },
    /// 404.
    #[error("the service knows no such object: {0}")]
    NotFound(ServiceError),
    /// 429 for longer than the caller's patience.
    #[error("the service limits this application's calls: {0}")]
    Throttled(ServiceError),
    /// Any other 4xx: the request itself is not taken.
    #[error("the service does not take the request: {0}")]
    Refused(ServiceError),
    /// 410: the API was retired.
    #[error("the service has retired this API: {0}")]
    Gone(ServiceError),
    /// 400 to a hunting query: the service does not understand it, or gave it up.
    #[error("the service does not answer the query: {0}")]
    Query(ServiceError),
    /// 5xx to the end of all attempts.
    #[error("the service failed: {0}")]
    Failed(ServiceError),
    /// 2xx, and not the documented shape.
    #[error("the answer is not what the API documents: {0}")]
    Malformed(String),
    /// The fate of a change could not be found out.
    #[error("it is not known whether the change was made: {0}")]
    InDoubt(String),
    /// An open action that is not ours stands in the way of an order; nothing was sent.
    #[error("{} is already in progress there: action {}{}, {}", .0.kind, .0.id, by(.0), .0.status)]
    AlreadyInProgress(Box<MachineAction>),
    /// The order was sent, never answered, and never shown: it did not arrive.
    #[error("the order did not arrive, though it was sent several times: {0}")]
    Undelivered(String),
    /// Nothing is called so.
    #[error("{0}")]
    Absent(String),
    /// Several objects are called so; their ids.
    #[error("several are called so: {0}")]
    Ambiguous(String),
    /// The caller asked for what the API does not offer.
    #[error("{0}")]
    Unsupported(String),
}

/// The service's own error, in the parts that help to find it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceError {
    /// HTTP status.
    pub status: u16,
    /// Its code, such as `Forbidden`; may be empty.
    pub code: String,
    /// Its message, bounded; may be empty, as on a 504.
    pub message: String,
    /// The id to give to Microsoft's support: `request-id` or the body's `target`.
    pub request_id: Option<String>,
    /// The whole body as it came, for what is not read here.
    pub body: Document,
}

impl std::fmt::Display for ServiceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "status {}", self.status)?;
        for part in [&self.code, &self.message] {
            if !part.is_empty() {
                write!(f, ", {part}")?;
            }
        }
        if let Some(id) = &self.request_id {
            write!(f, " (request id {id})")?;
        }
        Ok(())
    }
}

impl DefenderError {
    pub(crate) fn new(doing: &str, kind: DefenderErrorKind) -> Self {
        Self { doing: doing.to_owned(), kind: Box::new(kind) }
    }

    pub(crate) fn of_call(doing: &str, error: CallError) -> Self {
        let kind = match error {
            CallError::Token(error) => DefenderErrorKind::Token(error),
            CallError::Send(error) => DefenderErrorKind::Send(error),
        };
        Self::new(doing, kind)
    }

    /// Whether the same call may fare better later without anybody's help.
    pub fn may_pass(&self) -> bool {
        match &*self.kind {
            DefenderErrorKind::Send(error) => error.may_pass(),
            DefenderErrorKind::Token(error) => error.may_pass(),
            DefenderErrorKind::Throttled(_) | DefenderErrorKind::Failed(_) | DefenderErrorKind::Malformed(_) => true,
            _ => false,
        }
    }

    /// What to do next, as a full sentence.
    pub fn remedy(&self) -> String {
        use DefenderErrorKind as Kind;
        match &*self.kind {
            Kind::Token(error) => error.remedy(),
            Kind::Send(error) => error.remedy(),
            Kind::Unauthorized(_) => {
                "Run `sortie check`: it tells whether the audience, the clock or the token is at fault.".to_owned()
            }
            Kind::Forbidden { roles, .. } => format!(
                "A tenant administrator must grant and consent the application permission `{}`; `sortie check` shows the exact steps.",
                roles.join("` or `")
            ),
            Kind::NotFound(_) => {
                "Check the id; an object of another tenant or one that has aged out is not found either.".to_owned()
            }
            Kind::Throttled(_) => {
                "Wait and run it again; other tools that use the same application share its quota.".to_owned()
            }
            Kind::Refused(_) => "Correct the request as the service says; nothing was changed.".to_owned(),
            Kind::Gone(_) => "Ask through Microsoft Graph instead: `--api graph`.".to_owned(),
            Kind::Query(error) => crate::hunting::query_remedy(error).to_owned(),
            Kind::Failed(_) | Kind::Malformed(_) => {
                "Run it again later; if it stays, give the request id to Microsoft's support.".to_owned()
            }
            Kind::InDoubt(_) => "Look at the object before you repeat the change.".to_owned(),
            Kind::AlreadyInProgress(action) => format!(
                "Nothing was sent. Watch it with `sortie actions show {} --wait`, or take it back with `sortie actions cancel {}`.",
                action.id, action.id
            ),
            Kind::Undelivered(_) => {
                "Run the same command again: it looks first and sends only what is not there.".to_owned()
            }
            Kind::Absent(_) => "`sortie devices list` shows what there is.".to_owned(),
            Kind::Ambiguous(_) => "Give one of these ids.".to_owned(),
            Kind::Unsupported(_) => "Choose another API with `--api`.".to_owned(),
        }
    }
}

fn by(action: &MachineAction) -> String {
    action.requestor.as_ref().map_or_else(String::new, |requestor| format!(" by {requestor}"))
}

/// The error that an answer carries, whatever its shape: `{"error":{..}}`, HTML, an empty body.
pub fn service_error(response: &Response) -> ServiceError {
    #[derive(Deserialize)]
    struct Wire {
        error: Option<Body>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Body {
        code: Option<String>,
        message: Option<String>,
        target: Option<String>,
        #[serde(rename = "innerError")]
        inner: Value,
    }
    let body = response.json::<Wire>().ok().and_then(|wire| wire.error).unwrap_or_default();
    let inner_id =
        || ["request-id", "requestId"].iter().find_map(|name| body.inner.get(name)?.as_str()).map(str::to_owned);
    let mut message = body.message.unwrap_or_default();
    if body.code.is_none() && message.is_empty() && response.is_html() {
        message = "a web page instead of JSON: a proxy or gateway answered in the service's place".to_owned();
    }
    if let Some((at, _)) = message.char_indices().nth(MESSAGE_CHARS_MAX) {
        message.truncate(at);
    }
    ServiceError {
        status: response.status.as_u16(),
        code: body.code.unwrap_or_default(),
        message,
        request_id: response.request_id().map(str::to_owned).or(body.target).or_else(inner_id),
        body: Document::new(&response.text()),
    }
}

/// The kind of error that an answer without success means for an operation that any of `roles` opens.
pub(crate) fn kind_of(response: &Response, roles: &'static [&'static str]) -> DefenderErrorKind {
    let error = service_error(response);
    match error.status {
        401 => DefenderErrorKind::Unauthorized(error),
        403 => DefenderErrorKind::Forbidden { error, roles },
        404 => DefenderErrorKind::NotFound(error),
        410 => DefenderErrorKind::Gone(error),
        429 => DefenderErrorKind::Throttled(error),
        400..=499 => DefenderErrorKind::Refused(error),
        500.. => DefenderErrorKind::Failed(error),
        status => DefenderErrorKind::Malformed(format!("status {status}")),
    }
}

/// A message beyond this is a page of text, not a message.
const MESSAGE_CHARS_MAX: usize = 600;
