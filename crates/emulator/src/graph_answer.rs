//! How Microsoft Graph answers: request ids in the headers, and its error body.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::{caller::Denied, cloud::Cloud};

/// The ids of one exchange, in every answer's headers and in the body of an error.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    request_id: String,
    client_request_id: String,
    date: String,
}

impl Exchange {
    pub(crate) fn new(cloud: &Cloud, headers: &HeaderMap) -> Self {
        let request_id = cloud.directory().guid();
        let sent = headers.get("client-request-id").and_then(|value| value.to_str().ok());
        let client_request_id = sent.map_or_else(|| request_id.clone(), str::to_owned);
        let date = cloud.clock.now().strftime("%Y-%m-%dT%H:%M:%S").to_string();
        Self { request_id, client_request_id, date }
    }

    pub(crate) fn json(&self, status: StatusCode, body: Value) -> Response {
        self.with_ids((status, [("odata-version", "4.0")], Json(body)).into_response())
    }

    pub(crate) fn no_content(&self) -> Response {
        self.with_ids(StatusCode::NO_CONTENT.into_response())
    }

    pub(crate) fn error(&self, status: StatusCode, code: &str, message: &str) -> Response {
        let inner = self.inner(&[]);
        self.json(status, json!({ "error": { "code": code, "message": message, "innerError": inner } }))
    }

    /// The 400 of a query option: an empty code and empty details, as seen live (reference `details.md` 3).
    pub(crate) fn query_error(&self, message: &str) -> Response {
        let error = json!({ "code": "", "message": message, "details": [], "innerError": self.inner(&[]) });
        self.json(StatusCode::BAD_REQUEST, json!({ "error": error }))
    }

    /// `innerError` with further texts.
    pub(crate) fn inner(&self, further: &[(&str, &str)]) -> Value {
        let mut inner = json!({
            "date": self.date, "request-id": self.request_id, "client-request-id": self.client_request_id,
        });
        for (name, text) in further {
            inner[*name] = json!(text);
        }
        inner
    }

    /// The refusal that Graph's gateway gives for the token; a missing role is the service's own matter.
    pub(crate) fn denied(&self, denied: &Denied) -> Response {
        let token = |message: &str| self.error(StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", message);
        match denied {
            Denied::Missing => token("Access token is empty."),
            Denied::Invalid => token("CompactToken parsing failed with error code: 80049217"),
            Denied::Expired => token("Lifetime validation failed, the token is expired."),
            Denied::WrongAudience { .. } => token("Access token validation failure. Invalid audience."),
            Denied::MissingRole { .. } => {
                self.error(StatusCode::FORBIDDEN, "Authorization_RequestDenied", NO_PRIVILEGE)
            }
        }
    }

    fn with_ids(&self, mut response: Response) -> Response {
        for (name, value) in [("request-id", &self.request_id), ("client-request-id", &self.client_request_id)] {
            if let Ok(value) = HeaderValue::from_str(value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

pub(crate) const NO_PRIVILEGE: &str = "Insufficient privileges to complete the operation.";
