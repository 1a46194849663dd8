//! What a command asks of the API: of the server that has the database, or of the same router in this process where none runs.

use std::{fmt, path::PathBuf, time::Duration};

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use sortie_server::{App, Client, ClientError};
use sortie_store::Actor;

use crate::{
    api,
    context::Context,
    database::{self, Found},
    exit::{Exit, Problem},
};

/// The API as a command has it.
pub(crate) struct Api {
    client: Client,
    /// What it stands on, where it is in this process.
    here: Option<App>,
    /// Whether it is a server that comes again when it was told to stop.
    is_lasting: bool,
}

/// An address of the API. What a person wrote becomes one part of it, whatever is in it.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    text: String,
    has_query: bool,
}

/// `/api/v1` and these parts.
pub(crate) fn at<const N: usize>(parts: [&str; N]) -> Address {
    let mut text = "/api/v1".to_owned();
    for part in parts {
        text.push('/');
        text.extend(utf8_percent_encode(part, RESERVED));
    }
    Address { text, has_query: false }
}

impl Address {
    /// With this in its query, where there is something.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: Option<impl fmt::Display>) -> Self {
        if let Some(value) = value {
            self.text.push(if self.has_query { '&' } else { '?' });
            self.has_query = true;
            self.text.push_str(name);
            self.text.push('=');
            self.text.extend(utf8_percent_encode(&value.to_string(), RESERVED));
        }
        self
    }
}

impl Api {
    /// The way to the API; without a server this process takes the database, and makes one where there is none.
    pub(crate) async fn connect(context: &Context) -> anyhow::Result<Self> {
        let store = match database::find(context).await? {
            Found::Served { socket, is_lasting, .. } => {
                return Ok(Self { client: Client::There(socket), here: None, is_lasting });
            }
            Found::Ours(store) => store,
        };
        let actor = Actor::clone(&store.actor());
        // What it does by itself is nobody's deed; who asks acts under their own name.
        let (app, _) = api::app(&store.acting_as(Actor::system()), "", context).await?;
        Ok(Self { client: Client::here(app.clone(), actor), here: Some(app), is_lasting: false })
    }

    /// The same where there is a database; a look makes none.
    pub(crate) async fn connect_existing(context: &Context) -> anyhow::Result<Option<Self>> {
        let exists = database::path(context).is_ok_and(|path| path.exists());
        if exists { Self::connect(context).await.map(Some) } else { Ok(None) }
    }

    /// After whoever answered has gone. A server is waited for, because it may be started anew, and nothing should have taken the
    /// database from it by then; `None` where it does not come. Of a command that has ended its place is taken.
    pub(crate) async fn again(&self, context: &Context) -> anyhow::Result<Option<Self>> {
        let Client::There(socket) = &self.client else { return Ok(None) };
        if !self.is_lasting {
            return Self::connect(context).await.map(Some);
        }
        for _ in 0..RESTART_TRIES {
            if let Some(client) = Client::find(socket).await {
                return Ok(Some(Self { client, here: None, is_lasting: true }));
            }
            tokio::time::sleep(RESTART_PAUSE).await;
        }
        Ok(None)
    }

    /// The socket of the server that is asked, where one is.
    pub(crate) fn socket(&self) -> Option<&PathBuf> {
        match &self.client {
            Client::There(socket) => Some(socket),
            Client::Here(..) => None,
        }
    }

    /// Whether a server is asked, which takes every run further, also after this command.
    pub(crate) fn is_served(&self) -> bool {
        self.is_lasting
    }

    /// What the API stands on, where it is in this process and no server runs.
    pub(crate) fn here(&self) -> Option<&App> {
        self.here.as_ref()
    }

    pub(crate) async fn get(&self, address: Address) -> anyhow::Result<Value> {
        self.ask(Method::GET, address, None).await
    }

    pub(crate) async fn post(&self, address: Address, body: Value) -> anyhow::Result<Value> {
        self.ask(Method::POST, address, Some(body)).await
    }

    pub(crate) async fn put(&self, address: Address, body: Value) -> anyhow::Result<Value> {
        self.ask(Method::PUT, address, Some(body)).await
    }

    pub(crate) async fn delete(&self, address: Address) -> anyhow::Result<Value> {
        self.ask(Method::DELETE, address, None).await
    }

    async fn ask(&self, method: Method, address: Address, body: Option<Value>) -> anyhow::Result<Value> {
        match self.try_ask(method, address, body).await? {
            Ok(answer) => Ok(answer),
            Err(refused) => Err(refused.problem.into()),
        }
    }

    /// The same for a command that has something to say about a refusal itself.
    pub(crate) async fn try_ask(
        &self,
        method: Method,
        address: Address,
        body: Option<Value>,
    ) -> Result<Result<Value, Refused>, ClientError> {
        let (status, answer) = self.client.request(method, &address.text, body).await?;
        Ok(if status.is_success() { Ok(answer) } else { Err(Refused::of(status, answer)) })
    }

    /// Asks with the text of a workflow.
    pub(crate) async fn post_text(&self, address: Address, text: String) -> anyhow::Result<Value> {
        let request = Request::post(&address.text).header(header::CONTENT_TYPE, "application/yaml");
        let request = request.body(Bytes::from(text)).map_err(|_| ClientError::Path(address.text))?;
        let response = self.client.send(request).await?;
        let answer = serde_json::from_slice(response.body()).map_err(|_| ClientError::Unreadable)?;
        match response.status().is_success() {
            true => Ok(answer),
            false => Err(Refused::of(response.status(), answer).problem.into()),
        }
    }

    /// Every item of a list that goes on by key, from the first place on, until `enough` have come.
    pub(crate) async fn pages(
        &self,
        address: &Address,
        place: &str,
        first: Option<String>,
        enough: usize,
        mut each: impl FnMut(&Value) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let (mut left, mut next) = (enough, first);
        while left > 0 {
            let page = address.clone().with("count", Some(left.min(PAGE_LEN))).with(place, next);
            let answer = self.get(page).await?;
            for item in items(&answer) {
                each(item)?;
                left -= 1;
            }
            next = match &answer["next"] {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => return Ok(()),
            };
        }
        Ok(())
    }
}

/// The `items` of an answer.
pub(crate) fn items(answer: &Value) -> &[Value] {
    answer["items"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A text of an answer; empty where there is none.
pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// The API's no.
pub(crate) struct Refused {
    /// What it is for a person at a command line.
    pub problem: Problem,
    pub body: Value,
}

impl Refused {
    fn of(status: StatusCode, body: Value) -> Self {
        let kind = text(&body, "type").rsplit(':').next().unwrap_or_default();
        let exit = match kind {
            "request" | "content" | "exists" | "stale" | "in-use" | "needs-tenant" | "too-large" | "too-many" => {
                Exit::Usage
            }
            "unauthenticated" | "key" | "connection" => Exit::SignIn,
            "forbidden" | "own-request" | "role" => Exit::Forbidden,
            "not-found" => Exit::NotFound,
            "guarded" => Exit::Guarded,
            "busy" | "slow" | "service" | "too-many-failures" => Exit::Service,
            _ => Exit::Failure,
        };
        let what = match text(&body, "detail") {
            "" => format!("the server answers with status {status} and no reason"),
            detail => detail.to_owned(),
        };
        // The API names a tenant in its address.
        let next = if kind == "needs-tenant" { "Name one with `--tenant NAME`." } else { text(&body, "next") };
        let next = next.to_owned();
        Self { problem: Problem { exit, what, next }, body }
    }
}

/// What may mean something in an address. A full stop does where it stands alone.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~');
/// A minute together.
const RESTART_TRIES: u32 = 240;
const RESTART_PAUSE: Duration = Duration::from_millis(250);
/// As many as the API gives at once.
const PAGE_LEN: usize = 500;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_person_writes_stays_within_its_part_of_the_address() {
        #[track_caller]
        fn check(part: &str, expected: &str) {
            assert_eq!(
                at(["workflows", part]).with("tenant", Some("a&b")).text,
                format!("/api/v1/workflows/{expected}?tenant=a%26b")
            );
        }
        check("a-b", "a-b");
        check("../users", "%2E%2E%2Fusers");
        check("a?b=c#d e", "a%3Fb%3Dc%23d%20e");
        assert_eq!(at(["runs"]).with("tenant", None::<&str>).with("count", Some(2)).text, "/api/v1/runs?count=2");
    }

    #[test]
    fn a_refusal_has_the_exit_code_of_its_kind() {
        #[track_caller]
        fn check(kind: &str, exit: Exit, next: &str) {
            let body = json!({ "type": format!("urn:sortie:problem:{kind}"), "detail": "d", "next": "Do it by HTTP." });
            let refused = Refused::of(StatusCode::BAD_REQUEST, body);
            assert_eq!((refused.problem.exit, refused.problem.next.as_str()), (exit, next), "{kind}");
        }
        check("not-found", Exit::NotFound, "Do it by HTTP.");
        check("own-request", Exit::Forbidden, "Do it by HTTP.");
        check("needs-tenant", Exit::Usage, "Name one with `--tenant NAME`.");
        check("busy", Exit::Service, "Do it by HTTP.");
        check("conflict", Exit::Failure, "Do it by HTTP.");
    }
}
