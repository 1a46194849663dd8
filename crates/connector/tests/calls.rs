//! Calls over the wire: where credentials travel, what an answer becomes, pages to the end, and how many at once.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::Bytes,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};
use sortie_connector::{AnswerBody, CallError, Caller, Credential, Cut, PageLimits, Target};
use sortie_model::{Secret, SystemClock};
use sortie_openapi::{Import, KeyPlace, NoSources};
use sortie_transport::{Delivery, Guard, ProxySetting, RetryPolicy, SendErrorKind, Transport, TransportSettings};

/// What the server has heard, and what it says by path.
#[derive(Clone, Default)]
struct Heard {
    requests: Arc<Mutex<Vec<(String, HeaderMap, Bytes)>>>,
    at_once: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

struct Stage {
    address: SocketAddr,
    heard: Heard,
    caller: Caller,
}

impl Stage {
    async fn start() -> Self {
        let heard = Heard::default();
        let address = serve(heard.clone()).await;
        Self { address, heard, caller: caller(&[address], 8) }
    }

    fn target(&self) -> Target {
        Target { base: Some(format!("http://{}", self.address).parse().unwrap()), variables: Map::new() }
    }

    async fn call(&self, path: &str, credential: &Credential) -> Result<sortie_connector::Answer, CallError> {
        let import = imported(&format!("{path}: {{ get: {{ operationId: op, responses: {{}} }} }}"));
        let operation = import.description.operation("op").unwrap();
        self.caller.call(&import.description, operation, &Map::new(), &self.target(), credential).await
    }

    fn last(&self) -> (String, HeaderMap) {
        let requests = self.heard.requests.lock().unwrap();
        let (uri, headers, _) = requests.last().unwrap().clone();
        (uri, headers)
    }
}

fn caller(allowed: &[SocketAddr], at_once: usize) -> Caller {
    let settings = TransportSettings { proxy: ProxySetting::Direct, ..TransportSettings::default() };
    let guard = Guard::allowing(allowed.iter().map(ToString::to_string)).unwrap();
    let transport = Transport::new(settings).unwrap().guarded(guard);
    Caller::new(transport, Arc::new(SystemClock), at_once)
        .with_policy(RetryPolicy { attempts_max: 1, ..RetryPolicy::default() })
}

fn imported(paths: &str) -> Import {
    let document = format!("openapi: 3.0.3\ninfo: {{ title: T, version: '1' }}\npaths: {{ {paths} }}");
    sortie_openapi::import(document.as_bytes(), &NoSources, &sortie_openapi::Options::default()).unwrap()
}

async fn serve(heard: Heard) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(answer).with_state(heard);
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn answer(
    State(heard): State<Heard>,
    Query(query): Query<HashMap<String, String>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    heard.requests.lock().unwrap().push((uri.to_string(), headers.clone(), body));
    let now = heard.at_once.fetch_add(1, Ordering::SeqCst) + 1;
    heard.most.fetch_max(now, Ordering::SeqCst);
    let response = said(uri.path(), &query, &headers).await;
    heard.at_once.fetch_sub(1, Ordering::SeqCst);
    response
}

async fn said(path: &str, query: &HashMap<String, String>, headers: &HeaderMap) -> Response {
    let number = |name: &str, default: usize| query.get(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let slice = |from: usize, count: usize| (from..(from + count).min(TOTAL)).collect::<Vec<_>>();
    match path {
        "/refused" => {
            (StatusCode::FORBIDDEN, axum::Json(json!({ "error": { "message": "Missing role X." } }))).into_response()
        }
        "/broken" => (StatusCode::BAD_GATEWAY, [(header::CONTENT_TYPE, "text/html")], "<html>").into_response(),
        "/bytes" => ([(header::CONTENT_TYPE, "application/zip")], &b"PK\x03\x04"[..]).into_response(),
        "/away" => (StatusCode::FOUND, [(header::LOCATION, query["to"].clone())]).into_response(),
        "/slow" => {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            StatusCode::NO_CONTENT.into_response()
        }
        "/by-link" => {
            let from = number("from", 0);
            let host = headers[header::HOST].to_str().unwrap();
            let next = (from + 10 < TOTAL).then(|| format!("http://{host}/by-link?from={}", from + 10));
            axum::Json(json!({ "value": slice(from, 10), "@odata.nextLink": next })).into_response()
        }
        "/foreign-link" => {
            axum::Json(json!({ "value": [1], "@odata.nextLink": "http://169.254.169.254/x" })).into_response()
        }
        "/round-link" => axum::Json(json!({ "value": [1], "@odata.nextLink": "/round-link" })).into_response(),
        "/by-header" => {
            let page = number("page", 1);
            let link = format!("</by-header?page={}>; rel=\"next\"", page + 1);
            let list = axum::Json(json!(slice((page - 1) * 10, 10)));
            if page * 10 < TOTAL { ([(header::LINK, link)], list).into_response() } else { list.into_response() }
        }
        "/by-cursor" => {
            let from = number("cursor", 0);
            let next = (from + 10 < TOTAL).then(|| (from + 10).to_string());
            axum::Json(json!({ "items": slice(from, 10), "next_cursor": next })).into_response()
        }
        "/by-page" => axum::Json(json!({ "items": slice((number("page", 1) - 1) * 10, 10) })).into_response(),
        "/by-offset" => axum::Json(json!({ "items": slice(number("offset", 0), number("limit", 10)) })).into_response(),
        _ => axum::Json(json!({ "ok": true })).into_response(),
    }
}

/// Items of every list: the last page is not full.
const TOTAL: usize = 35;

#[tokio::test]
async fn credentials_travel_where_the_product_wants_them() {
    let stage = Stage::start().await;
    let key = |place, prefix: Option<&str>| Credential::ApiKey {
        place,
        name: "X-Api-Key".into(),
        prefix: prefix.map(str::to_owned),
        key: Secret::new("k&y=1"),
    };
    stage.call("/x", &key(KeyPlace::Header, Some("Token "))).await.unwrap();
    assert_eq!(stage.last().1["x-api-key"], "Token k&y=1");
    stage.call("/x", &key(KeyPlace::Query, None)).await.unwrap();
    assert_eq!(stage.last().0, "/x?X-Api-Key=k%26y%3D1");
    stage.call("/x", &key(KeyPlace::Cookie, None)).await.unwrap();
    assert_eq!(stage.last().1["cookie"], "X-Api-Key=k&y=1");
    stage.call("/x", &Credential::Bearer(Secret::new("t"))).await.unwrap();
    assert_eq!(stage.last().1["authorization"], "Bearer t");
    let basic = Credential::Basic { user: "ada".into(), password: Secret::new("p:w%") };
    stage.call("/x", &Credential::All(vec![basic, key(KeyPlace::Query, None)])).await.unwrap();
    // base64("ada:p:w%")
    assert_eq!(stage.last().1["authorization"], "Basic YWRhOnA6dyU=");
    assert_eq!(stage.last().0, "/x?X-Api-Key=k%26y%3D1");
    let broken = stage.call("/x", &Credential::Bearer(Secret::new("a\nHost: b"))).await.unwrap_err();
    assert!(matches!(broken, CallError::Credential(_)) && broken.delivery() == Delivery::NotSent, "{broken}");
    assert!(!format!("{:?} {:?}", key(KeyPlace::Header, None), stage.caller).contains("k&y"));
}

#[tokio::test]
async fn no_credential_follows_to_another_host() {
    let stage = Stage::start().await;
    let other = Heard::default();
    let elsewhere = serve(other.clone()).await;
    let caller = caller(&[stage.address, elsewhere], 8);
    let import = imported(
        "/away: { get: { operationId: op, parameters: [{ name: to, in: query, schema: { type: string } }], responses: {} } }",
    );
    let operation = import.description.operation("op").unwrap();
    let inputs = json!({ "to": format!("http://{elsewhere}/x") }).as_object().unwrap().clone();
    for credential in [
        Credential::Bearer(Secret::new("t")),
        Credential::Basic { user: "u".into(), password: Secret::new("p") },
        Credential::ApiKey { place: KeyPlace::Query, name: "q".into(), prefix: None, key: Secret::new("k") },
        Credential::ApiKey { place: KeyPlace::Cookie, name: "sid".into(), prefix: None, key: Secret::new("k") },
        Credential::ApiKey { place: KeyPlace::Header, name: "X-Plain".into(), prefix: None, key: Secret::new("k") },
    ] {
        let error =
            caller.call(&import.description, operation, &inputs, &stage.target(), &credential).await.unwrap_err();
        let CallError::Send(error) = error else { panic!("{error}") };
        assert!(matches!(*error.kind, SendErrorKind::Redirect(_)), "{credential:?}: {error:?}");
    }
    assert_eq!(other.requests.lock().unwrap().len(), 0);
    caller.call(&import.description, operation, &inputs, &stage.target(), &Credential::Anonymous).await.unwrap();
    assert_eq!(other.requests.lock().unwrap().len(), 1, "without a credential it is followed");
}

#[tokio::test]
async fn an_error_status_is_a_failure_with_the_remotes_words() {
    let stage = Stage::start().await;
    let refused = stage.call("/refused", &Credential::Anonymous).await.unwrap_err();
    assert_eq!(refused.to_string(), "the service answers with status 403: Missing role X.");
    assert_eq!(refused.delivery(), Delivery::Refused);
    let broken = stage.call("/broken", &Credential::Anonymous).await.unwrap_err();
    assert_eq!(broken.to_string(), "the service answers with status 502: a web page instead of an answer");
    assert_eq!(broken.delivery(), Delivery::Unknown);
    let bytes = stage.call("/bytes", &Credential::Anonymous).await.unwrap();
    assert_eq!(bytes.body, AnswerBody::Blob(Bytes::from_static(b"PK\x03\x04")));
    assert_eq!((bytes.status, bytes.header("content-type")), (200, Some("application/zip")));
    let outside = Caller::new(
        Transport::new(TransportSettings { proxy: ProxySetting::Direct, ..TransportSettings::default() })
            .unwrap()
            .guarded(Guard::default()),
        Arc::new(SystemClock),
        1,
    );
    let import = imported("/x: { get: { operationId: op, responses: {} } }");
    let operation = import.description.operation("op").unwrap();
    let guarded =
        outside.call(&import.description, operation, &Map::new(), &stage.target(), &Credential::Anonymous).await;
    assert_eq!(guarded.unwrap_err().delivery(), Delivery::NotSent);
}

/// A list at `path` with these parameters and this extension.
async fn paged(
    stage: &Stage,
    path: &str,
    parameters: &str,
    pagination: &str,
    limits: PageLimits,
) -> (usize, u32, Option<Cut>) {
    let import = imported(&format!(
        "{path}: {{ get: {{ operationId: op, parameters: [{parameters}], x-sortie-pagination: {pagination}, responses: {{}} }} }}"
    ));
    let repairs = import.report.notes.iter().filter(|note| !note.text.contains("names no host"));
    assert_eq!(repairs.count(), 0, "{path}: {:?}", import.report.notes);
    let operation = import.description.operation("op").unwrap();
    let target = stage.target();
    let all = stage
        .caller
        .all_pages(&import.description, operation, &Map::new(), &target, &Credential::Bearer(Secret::new("t")), limits)
        .await
        .unwrap();
    let expected: Vec<Value> = (0..all.items.len()).map(|at| json!(at)).collect();
    assert!(all.cut.is_some() || all.items == expected, "{path}: {:?}", all.items);
    (all.items.len(), all.pages, all.cut)
}

#[tokio::test]
async fn pages_are_followed_to_the_end_whatever_leads_there() {
    let stage = Stage::start().await;
    let whole = PageLimits::default();
    let number = |name: &str| format!("{{ name: {name}, in: query, schema: {{ type: integer }} }}");
    for (path, parameters, pagination) in [
        ("/by-link", String::new(), r#"{ pages: { by: nextLink, pointer: "/@odata.nextLink" }, items: /value }"#),
        ("/by-header", String::new(), r#"{ pages: { by: linkHeader }, items: "" }"#),
        (
            "/by-cursor",
            "{ name: cursor, in: query, schema: { type: string } }".to_owned(),
            "{ pages: { by: cursor, parameter: cursor, pointer: /next_cursor }, items: /items }",
        ),
        ("/by-page", number("page"), "{ pages: { by: page, parameter: page }, items: /items }"),
        ("/by-offset", number("offset"), "{ pages: { by: offset, parameter: offset }, items: /items }"),
    ] {
        let (items, pages, cut) = paged(&stage, path, &parameters, pagination, whole).await;
        assert_eq!((items, cut), (TOTAL, None), "{path}");
        // Without links and sizes only an empty page is the end.
        assert!((4..=5).contains(&pages), "{path}: {pages} pages");
        let bounded = PageLimits { pages_max: 2, items_max: 15 };
        assert_eq!(paged(&stage, path, &parameters, pagination, bounded).await, (15, 2, Some(Cut::Bound)), "{path}");
    }
}

#[tokio::test]
async fn a_link_to_another_host_or_back_is_not_followed() {
    let stage = Stage::start().await;
    let link = r#"{ pages: { by: nextLink, pointer: "/@odata.nextLink" }, items: /value }"#;
    let foreign = paged(&stage, "/foreign-link", "", link, PageLimits::default()).await;
    assert_eq!(foreign, (1, 1, Some(Cut::ForeignLink("169.254.169.254".into()))));
    let round = paged(&stage, "/round-link", "", link, PageLimits::default()).await;
    assert_eq!(round, (1, 1, Some(Cut::Loop)));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_calls_than_allowed_are_on_their_way_at_once() {
    let stage = Stage::start().await;
    let caller = caller(&[stage.address], 3);
    let calls = (0..20).map(|_| {
        let (caller, target) = (caller.clone(), stage.target());
        tokio::spawn(async move {
            let import = imported("/slow: { get: { operationId: op, responses: {} } }");
            let operation = import.description.operation("op").unwrap();
            caller.call(&import.description, operation, &Map::new(), &target, &Credential::Anonymous).await.unwrap()
        })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap().body, AnswerBody::Empty);
    }
    assert_eq!(stage.heard.most.load(Ordering::SeqCst), 3);
}
