//! One set-up call: who asks, with which rights, and how the answer looks.

use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::query::Query;
use crate::{
    caller::{Caller, Denied, Resource, authorize},
    cloud::{App, Cloud},
    directory::{Application, Directory, User, WriteError},
    dispatch::Origin,
    graph_answer::{Exchange, NO_PRIVILEGE},
    graph_security::too_many,
    throttle::Exceeded,
};

/// Everything that a handler needs of its request.
#[derive(Debug)]
pub(super) struct Call {
    pub cloud: App,
    pub query: Query,
    pub now: Timestamp,
    exchange: Exchange,
    headers: HeaderMap,
    /// `https://graph.microsoft.com/v1.0`
    base: String,
    body: Bytes,
}

/// Who asks. A person's directory roles count beside the scopes of the token.
#[derive(Clone, Debug)]
pub(super) struct Actor {
    pub caller: Caller,
    pub user: Option<User>,
}

/// What goes back on success.
#[derive(Debug)]
pub(super) enum Reply {
    Shown(Value),
    Created(Value),
    Text(String),
    Done,
}

/// A refusal in Graph's error body.
#[derive(Debug)]
pub(super) enum Refusal {
    Token(Denied),
    TooMany(Exceeded),
    Code { status: StatusCode, code: &'static str, message: String },
}

impl Call {
    /// Runs the handler and shapes what it gives.
    pub(super) fn answer(self, handler: impl FnOnce(&Self) -> Result<Reply, Refusal>) -> Response {
        match handler(&self) {
            Ok(Reply::Shown(body)) => self.exchange.json(StatusCode::OK, body),
            Ok(Reply::Created(body)) => self.exchange.json(StatusCode::CREATED, body),
            Ok(Reply::Text(text)) => text.into_response(),
            Ok(Reply::Done) => self.exchange.no_content(),
            Err(Refusal::Token(denied)) => self.exchange.denied(&denied),
            Err(Refusal::TooMany(exceeded)) => too_many(&self.exchange, &exceeded),
            Err(Refusal::Code { status, code, message }) => self.exchange.error(status, code, &message),
        }
    }

    /// The caller, when the token holds one of the permissions (application roles and scopes share their names).
    pub(super) fn actor(&self, any_of: &[&str]) -> Result<Actor, Refusal> {
        let caller = authorize(&self.cloud, &self.headers, Resource::Graph, any_of).map_err(Refusal::Token)?;
        let directory = self.cloud.directory();
        let is_person = !caller.scopes.is_empty();
        let person = || directory.tenant(&caller.tenant).users.iter().find(|user| user.id == caller.object_id).cloned();
        let user = if is_person { person() } else { None };
        drop(directory);
        Ok(Actor { caller, user })
    }

    /// The address that `@odata.context` names.
    pub(super) fn context(&self, set: &str) -> String {
        format!("{}/$metadata#{set}", self.base)
    }

    /// The address of a further page.
    pub(super) fn page_link(&self, set: &str, query: &str) -> String {
        format!("{}/{set}?{query}", self.base)
    }

    /// The body as a JSON object.
    pub(super) fn object(&self) -> Result<Map<String, Value>, Refusal> {
        serde_json::from_slice(&self.body).map_err(|_| {
            Refusal::of(
                StatusCode::BAD_REQUEST,
                "BadRequest",
                "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON \
                 format.",
            )
        })
    }
}

impl Actor {
    /// Whether the registration may be changed: with full rights, or as its owner.
    pub(super) fn may_change(&self, application: &Application) -> bool {
        let is_owner = application.owner.as_deref() == Some(&self.caller.object_id);
        match &self.user {
            Some(user) => is_owner || user.may_manage_applications(),
            None => is_owner || self.caller.roles.iter().any(|role| role == "Application.ReadWrite.All"),
        }
    }

    /// The registration that a path names, by object id or `appId=`, in the caller's tenant.
    pub(super) fn application<'a>(&self, directory: &'a Directory, key: &str) -> Result<&'a Application, Refusal> {
        let mut own = directory.applications.iter().filter(|application| application.tenant == self.caller.tenant);
        let found = match key.split_once('=') {
            Some((_, app_id)) => own.find(|application| application.app_id.eq_ignore_ascii_case(app_id)),
            None => own.find(|application| application.id.eq_ignore_ascii_case(key)),
        };
        found.ok_or_else(|| Refusal::not_found(key))
    }

    /// The application id of a registration that the caller may change.
    pub(super) fn changeable(&self, directory: &Directory, key: &str) -> Result<String, Refusal> {
        let application = self.application(directory, key)?;
        if self.may_change(application) { Ok(application.app_id.clone()) } else { Err(Refusal::no_privilege()) }
    }
}

impl Refusal {
    pub(super) fn of(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self::Code { status, code, message: message.into() }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::of(StatusCode::BAD_REQUEST, "Request_BadRequest", message)
    }

    pub(super) fn no_privilege() -> Self {
        Self::of(StatusCode::FORBIDDEN, "Authorization_RequestDenied", NO_PRIVILEGE)
    }

    pub(super) fn not_found(key: &str) -> Self {
        let id = key.split_once('=').map_or(key, |(_, id)| id);
        let message =
            format!("Resource '{id}' does not exist or one of its queried reference-property objects are not present.");
        Self::of(StatusCode::NOT_FOUND, "Request_ResourceNotFound", message)
    }

    /// A change that the directory refused, about the object `subject`.
    pub(super) fn of_write(error: WriteError, subject: &str) -> Self {
        match error {
            WriteError::UnknownPrincipal => Self::not_found(subject),
            WriteError::UnknownRole => {
                Self::bad_request(format!("Permission being assigned was not found on application '{subject}'"))
            }
            WriteError::GrantExists => Self::bad_request("Permission being assigned already exists on the object"),
            WriteError::PrincipalExists => Self::of(
                StatusCode::CONFLICT,
                "Request_MultipleObjectsWithSameKeyValue",
                format!(
                    "The service principal cannot be created, updated, or restored because the service principal name {subject} \
                     is already in use."
                ),
            ),
            WriteError::UnknownApplication | WriteError::NotLicensed | WriteError::NotReplicated => Self::of(
                StatusCode::BAD_REQUEST,
                "NoBackingApplicationObject",
                format!(
                    "The appId '{subject}' of the service principal does not reference a valid application object."
                ),
            ),
        }
    }
}

impl FromRequest<App> for Call {
    type Rejection = Response;

    async fn from_request(request: Request, cloud: &App) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let origin = axum::Extension::<Origin>::from_request_parts(&mut parts, cloud).await;
        let origin = origin.map_err(IntoResponse::into_response)?;
        let uri = axum::extract::OriginalUri::from_request_parts(&mut parts, cloud).await;
        let version = match uri {
            Ok(uri) if uri.path().starts_with("/beta") => "beta",
            _ => "v1.0",
        };
        let query = Query::parse(parts.uri.query().unwrap_or_default());
        let headers = parts.headers.clone();
        let request = Request::from_parts(parts, body);
        let body = Bytes::from_request(request, cloud).await.map_err(IntoResponse::into_response)?;
        let cloud_ref: &Cloud = cloud;
        Ok(Self {
            exchange: Exchange::new(cloud_ref, &headers),
            now: cloud.clock.now(),
            base: format!("{}/{version}", origin.base()),
            cloud: App::clone(cloud),
            query,
            headers,
            body,
        })
    }
}

/// Seven digits behind the second, as Graph writes times of the directory.
pub(super) fn time(at: Timestamp) -> Value {
    format!("{at:.7}").into()
}

pub(super) const READ: &[&str] = &[
    "Application.Read.All",
    "Application.ReadWrite.All",
    "Application.ReadWrite.OwnedBy",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
];
pub(super) const WRITE: &[&str] =
    &["Application.ReadWrite.All", "Application.ReadWrite.OwnedBy", "Directory.ReadWrite.All"];
pub(super) const GRANT: &[&str] = &["AppRoleAssignment.ReadWrite.All"];
