//! Tokens of any provider: how the client proves itself, what it asks for, and when it asks again.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Form, Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use jiff::SignedDuration;
use serde_json::{Map, json};
use sortie_connector::{
    CallError, Caller, ClientProof, Credential, Fetch, Fetching, Grant, OAuthClient, OAuthError, Target, TokenFor,
    Tokens,
};
use sortie_model::{Clock, ManualClock, Secret};
use sortie_openapi::NoSources;
use sortie_transport::{Guard, ProxySetting, RetryPolicy, Transport, TransportSettings};

/// A provider that is not Entra, and a service that takes its newest token alone.
#[derive(Clone, Default)]
struct Provider(Arc<Mutex<Asked>>);

#[derive(Default)]
struct Asked {
    forms: Vec<(HashMap<String, String>, HeaderMap)>,
    /// Tokens that the service refuses, whoever made them.
    refused: usize,
    calls: usize,
}

struct Stage {
    provider: Provider,
    transport: Transport,
    address: SocketAddr,
    clock: ManualClock,
}

struct Again(OAuthClient, Transport, ManualClock);

impl Fetch for Again {
    fn fetch(&self) -> Fetching<'_> {
        Box::pin(self.0.token(&self.1, &self.2, Grant::ClientCredentials, &TokenFor::Anything))
    }
}

impl Stage {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let provider = Provider::default();
        let router = Router::new().route("/token", post(token)).route("/api", get(api)).with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let settings = TransportSettings { proxy: ProxySetting::Direct, ..TransportSettings::default() };
        let guard = Guard::allowing([address.to_string()]).unwrap();
        let transport = Transport::new(settings).unwrap().guarded(guard);
        let clock = ManualClock::new("2027-01-01T00:00:00Z".parse().unwrap());
        Self { provider, transport, address, clock }
    }

    fn client(&self, proof: ClientProof) -> OAuthClient {
        let token_url = format!("http://{}/token", self.address).parse().unwrap();
        OAuthClient { token_url, client_id: "me & you".into(), proof }
    }

    async fn asked(
        &self,
        proof: ClientProof,
        grant: Grant<'_>,
        what: &TokenFor,
    ) -> (HashMap<String, String>, HeaderMap) {
        self.client(proof).token(&self.transport, &self.clock, grant, what).await.unwrap();
        self.provider.0.lock().unwrap().forms.last().unwrap().clone()
    }

    async fn tokens(&self) -> Credential {
        let client = self.client(ClientProof::Public);
        let asked = self.clock.now();
        let first =
            client.token(&self.transport, &self.clock, Grant::ClientCredentials, &TokenFor::Anything).await.unwrap();
        let again = Again(client, self.transport.clone(), self.clock.clone());
        Credential::Tokens(Arc::new(Tokens::new(first, asked, Box::new(again))))
    }

    async fn call(&self, credential: &Credential) -> Result<(), CallError> {
        let document = b"openapi: 3.0.3\ninfo: { title: T, version: '1' }\npaths: { /api: { get: { operationId: op, responses: {} } } }";
        let import = sortie_openapi::import(document, &NoSources, &sortie_openapi::Options::default()).unwrap();
        let operation = import.description.operation("op").unwrap();
        let caller = Caller::new(self.transport.clone(), Arc::new(self.clock.clone()), 8)
            .with_policy(RetryPolicy { attempts_max: 1, ..RetryPolicy::default() });
        let target = Target { base: Some(format!("http://{}", self.address).parse().unwrap()), variables: Map::new() };
        caller.call(&import.description, operation, &Map::new(), &target, credential).await.map(drop)
    }

    /// Tokens asked for, and calls made.
    fn counts(&self) -> (usize, usize) {
        let asked = self.provider.0.lock().unwrap();
        (asked.forms.len(), asked.calls)
    }
}

async fn token(
    State(provider): State<Provider>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    if let Some(refused) = form.get("refresh_token").filter(|token| token.starts_with("refused")) {
        let said =
            json!({ "error": "invalid_grant", "error_description": format!("Wrong client for the token {refused}") });
        return (StatusCode::BAD_REQUEST, Json(said)).into_response();
    }
    let mut asked = provider.0.lock().unwrap();
    asked.forms.push((form, headers));
    let count = asked.forms.len();
    Json(json!({ "access_token": format!("t{count}"), "expires_in": 600, "refresh_token": format!("r{count}") }))
        .into_response()
}

async fn api(State(provider): State<Provider>, headers: HeaderMap) -> StatusCode {
    let mut asked = provider.0.lock().unwrap();
    asked.calls += 1;
    let given: usize = headers["authorization"].to_str().unwrap().strip_prefix("Bearer t").unwrap().parse().unwrap();
    if given <= asked.refused { StatusCode::UNAUTHORIZED } else { StatusCode::NO_CONTENT }
}

#[tokio::test]
async fn each_proof_and_each_wish_travels_as_its_specification_says() {
    let stage = Stage::start().await;
    let audience = TokenFor::Audience("https://api.example".into());
    let post = ClientProof::Post(Secret::new("s&t"));
    let (form, headers) = stage.asked(post, Grant::ClientCredentials, &audience).await;
    assert_eq!(form["audience"], "https://api.example");
    assert_eq!((form["client_id"].as_str(), form["client_secret"].as_str()), ("me & you", "s&t"));
    assert!(!headers.contains_key("authorization") && !form.contains_key("scope"), "{form:?}");
    let (form, headers) = stage
        .asked(ClientProof::Basic(Secret::new("s&t")), Grant::ClientCredentials, &TokenFor::Resource("r".into()))
        .await;
    // base64 of `me+%26+you:s%26t` or of the same with %20: RFC 6749 encodes as forms do.
    assert_eq!(headers["authorization"], "Basic bWUrJTI2K3lvdTpzJTI2dA==");
    assert!(form["resource"] == "r" && !form.contains_key("client_id"), "{form:?}");
    let (redirect_uri, code, verifier) =
        ("http://localhost:3443/set_authentication".parse().unwrap(), Secret::new("c"), Secret::new("v"));
    let grant = Grant::Code { code: &code, redirect_uri: &redirect_uri, verifier: &verifier };
    let (form, _) = stage.asked(ClientProof::Public, grant, &TokenFor::Scope("a b".into())).await;
    assert_eq!((form["grant_type"].as_str(), form["code_verifier"].as_str()), ("authorization_code", "v"));
    assert_eq!(form["redirect_uri"], "http://localhost:3443/set_authentication");
    assert_eq!((form["scope"].as_str(), form.contains_key("client_secret")), ("a b", false));
    let (form, _) = stage.asked(ClientProof::Public, Grant::Refresh(&Secret::new("r0")), &TokenFor::Anything).await;
    assert_eq!((form["grant_type"].as_str(), form["refresh_token"].as_str()), ("refresh_token", "r0"));
}

#[tokio::test]
async fn a_refusal_does_not_repeat_what_was_sent() {
    let stage = Stage::start().await;
    let (client, refresh) = (stage.client(ClientProof::Public), Secret::new("refused-token-7"));
    let asked = client.token(&stage.transport, &stage.clock, Grant::Refresh(&refresh), &TokenFor::Anything).await;
    let error = asked.unwrap_err().to_string();
    assert!(error.ends_with("invalid_grant: Wrong client for the token ***"), "{error}");
}

#[tokio::test]
async fn a_token_is_renewed_when_its_life_is_over_and_not_before() {
    let stage = Stage::start().await;
    let credential = stage.tokens().await;
    stage.clock.advance(SignedDuration::from_secs(539));
    stage.call(&credential).await.unwrap();
    assert_eq!(stage.counts(), (1, 1));
    // A minute before its end it is too old for a call that may take a while.
    stage.clock.advance(SignedDuration::from_secs(1));
    stage.call(&credential).await.unwrap();
    stage.call(&credential).await.unwrap();
    assert_eq!(stage.counts(), (2, 3));
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_by_one_for_all() {
    let stage = Stage::start().await;
    let credential = stage.tokens().await;
    stage.provider.0.lock().unwrap().refused = 1;
    let calls = (0..6).map(|_| stage.call(&credential));
    let (a, b, c) = {
        let mut calls = calls.collect::<Vec<_>>().into_iter();
        tokio::join!(calls.next().unwrap(), calls.next().unwrap(), calls.next().unwrap())
    };
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert_eq!(stage.counts().0, 2, "three were refused, one new token served them all");
    // A service that refuses new tokens, too, hears of one more.
    stage.provider.0.lock().unwrap().refused = usize::MAX;
    let before = stage.counts();
    let refused = stage.call(&credential).await.unwrap_err();
    assert!(matches!(refused, CallError::Failed(failure) if failure.status == 401));
    assert_eq!(stage.counts(), (before.0 + 1, before.1 + 2));
}

#[tokio::test]
async fn a_renewal_that_fails_says_so_and_shows_nothing() {
    let stage = Stage::start().await;
    struct Never;
    impl Fetch for Never {
        fn fetch(&self) -> Fetching<'_> {
            let next = "Sign in again.".to_owned();
            Box::pin(async { Err(OAuthError::NotRenewed { what: "the sign-in has ended".to_owned(), next }) })
        }
    }
    let token = stage
        .client(ClientProof::Public)
        .token(&stage.transport, &stage.clock, Grant::ClientCredentials, &TokenFor::Anything)
        .await
        .unwrap();
    let credential = Credential::Tokens(Arc::new(Tokens::new(token, stage.clock.now(), Box::new(Never))));
    stage.clock.advance(SignedDuration::from_secs(600));
    let error = stage.call(&credential).await.unwrap_err();
    assert_eq!(error.to_string(), "the token could not be renewed: the sign-in has ended");
    assert_eq!((error.remedy().as_str(), stage.counts().1), ("Sign in again.", 0));
    assert!(!format!("{credential:?}").contains("t1"));
}
