//! Every role on every route, in its own tenant, in another and for all, by real tokens; and every way around the table.

use http::StatusCode;
use serde_json::{Value, json};
use sortie_model::Secret;
use sortie_server::{Access, ROUTES, Reach, Route};
use sortie_store::{Role, Scope, TenantKey};

use crate::stage::{Stage, request};

/// The least role of each route, written by hand beside where it counts: V viewer, R responder, E engineer, A admin; `*` for
/// all tenants, `l` for a list of what lies where it is held, `o` for one that cannot be narrowed, `t` for the tenant of what
/// is meant.
const EXPECTED: &str = "
    GET    /healthz                                    open
    GET    /readyz                                     open
    GET    /metrics                                    V *
    GET    /api/v1/openapi.json                        known
    GET    /api/v1/whoami                              known
    GET    /api/v1/changes                             V l
    GET    /api/v1/workflows                           V l
    GET    /api/v1/workflows/{id}                      V t
    PUT    /api/v1/workflows/{id}                      E t
    DELETE /api/v1/workflows/{id}                      E t
    PUT    /api/v1/workflows/{id}/state                E t
    GET    /api/v1/workflows/{id}/versions             V t
    GET    /api/v1/workflows/{id}/versions/{version}   V t
    POST   /api/v1/validate                            V t
    POST   /api/v1/apply                               E t
    POST   /api/v1/dry-runs                            E t
    POST   /api/v1/workflows/{id}/runs                 R t
    GET    /api/v1/workflows/{id}/hook                 V t
    PUT    /api/v1/workflows/{id}/hook                 E t
    DELETE /api/v1/workflows/{id}/hook                 E t
    GET    /api/v1/runs                                V l
    GET    /api/v1/runs/{run}                          V t
    GET    /api/v1/runs/{run}/journal                  V t
    GET    /api/v1/runs/{run}/values                   V t
    POST   /api/v1/runs/{run}/cancel                   R t
    POST   /api/v1/runs/{run}/resolve                  R t
    POST   /api/v1/runs/{run}/retry                    R t
    POST   /api/v1/runs/{run}/rerun                    R t
    GET    /api/v1/approvals                           V l
    GET    /api/v1/approvals/{approval}                V t
    POST   /api/v1/approvals/{approval}/decision       R t
    GET    /api/v1/tenants                             V o
    GET    /api/v1/connections                         V l
    GET    /api/v1/connections/{name}                  V t
    GET    /api/v1/connectors                          V l
    GET    /api/v1/connectors/{id}                     V t
    GET    /api/v1/connectors/{id}/description         V t
    GET    /api/v1/guardrails                          V t
    PUT    /api/v1/guardrails                          A t
    POST   /api/v1/guardrails/hold                     A t
    POST   /api/v1/effects                             R t
    POST   /api/v1/backups                             A *
    POST   /api/v1/guardrails/release                  A t
    GET    /api/v1/roles                               known
    GET    /api/v1/users                               A *
    POST   /api/v1/users                               A *
    GET    /api/v1/users/{name}                        A *
    DELETE /api/v1/users/{name}                        A *
    PUT    /api/v1/users/{name}/disabled               A *
    PUT    /api/v1/users/{name}/roles/{role}           A t
    DELETE /api/v1/users/{name}/roles/{role}           A t
    POST   /api/v1/users/{name}/tokens                 A *
    GET    /api/v1/tokens                              A *
    DELETE /api/v1/tokens/{prefix}                     A *
    GET    /api/v1/audit                               A l
    GET    /api/v1/diagnostics                         A *
    POST   /hooks/{tenant}/{workflow}                  proof
";

const FLOW: &str = "\
workflow: contoso-flow
triggers: [{ manual: {} }, { webhook: {} }]
steps:
  - id: ask
    approval: { ask: 'Really?', within: 4h, own: allowed }
";

/// What the requests are about; all of it is contoso's.
struct Targets {
    run: String,
    approval: String,
    version: String,
    /// Of a token of zoe's.
    prefix: String,
}

/// Somebody with one grant, or none.
struct Person {
    role: Option<Role>,
    at: Option<TenantKey>,
    token: Secret,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Done,
    Hidden,
    Forbidden,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_role_may_on_every_route_what_the_table_says_where_its_grant_reaches() {
    let stage = Stage::new().await;
    let mut targets = targets(&stage).await;
    let people = people(&stage).await;
    let mut tried = 0;
    for route in ROUTES {
        let (least, reach) = expected_of(route);
        for person in &people {
            renew(&stage, &mut targets).await;
            let (path, body) = aimed(route, &targets);
            let asked = request(Some(&person.token), route.method.as_str(), &path, body.clone());
            let asked = match &body {
                Some(Value::String(text)) => yaml(asked, text),
                _ => asked,
            };
            let expected = expected(least, reach, person, stage.contoso);
            let status = answered(&stage, asked, route).await;
            let got = match status {
                StatusCode::FORBIDDEN => Expected::Forbidden,
                StatusCode::NOT_FOUND => Expected::Hidden,
                StatusCode::UNAUTHORIZED => panic!("{} {path} does not take a token", route.method.as_str()),
                _ => Expected::Done,
            };
            let who = format!("{:?} in {:?}", person.role, person.at);
            assert_eq!(got, expected, "{} {path} by {who}: {status}", route.method.as_str());
            tried += 1;
        }
    }
    assert_eq!(tried, ROUTES.len() * 13);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_token_nothing_is_told_and_a_wrong_one_is_no_better() {
    let stage = Stage::with(|bounds| bounds.failures = 1_000).await;
    let mut targets = targets(&stage).await;
    renew(&stage, &mut targets).await;
    let ended = stage.token("eve", &[(Role::Admin, None)]).await;
    let eve = stage.store.principal("eve").await.unwrap();
    stage.store.disable_principal(eve.id, true).await.unwrap();
    let wrong = Secret::new("sortie_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    for route in ROUTES {
        let (path, body) = aimed(route, &targets);
        let body = body.filter(Value::is_object);
        for token in [None, Some(&wrong), Some(&ended)] {
            let answer = stage.ask(token, route.method.as_str(), &path, body.clone()).await;
            let is_open = matches!(route.access, Access::Open | Access::Proof);
            assert_eq!(answer.status == 401, !is_open, "{} {path}: {}", route.method.as_str(), answer.status);
            if !is_open {
                assert_eq!(answer.headers["www-authenticate"], "Bearer");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_has_what_lies_where_the_role_is_held_and_no_word_of_the_rest() {
    let stage = Stage::new().await;
    targets(&stage).await;
    let reader = |name: &'static str, at| {
        stage.token(
            name,
            match at {
                None => &[(Role::Admin, None)],
                Some(at) if at == stage.contoso => CONTOSO.get_or_init(|| [(Role::Admin, Some(at))]),
                Some(at) => FABRIKAM.get_or_init(|| [(Role::Admin, Some(at))]),
            },
        )
    };
    static CONTOSO: std::sync::OnceLock<[(Role, Option<TenantKey>); 1]> = std::sync::OnceLock::new();
    static FABRIKAM: std::sync::OnceLock<[(Role, Option<TenantKey>); 1]> = std::sync::OnceLock::new();
    let (own, other, all) = (
        reader("own", Some(stage.contoso)).await,
        reader("other", Some(stage.fabrikam)).await,
        reader("all", None).await,
    );
    for list in ["workflows", "runs", "approvals", "connections", "tenants", "audit"] {
        let path = format!("/api/v1/{list}");
        for (token, sees) in [(&own, true), (&other, false), (&all, true)] {
            let answer = stage.ask(Some(token), "GET", &path, None).await;
            assert_eq!(
                (answer.status.as_u16(), answer.text.contains("contoso")),
                (200, sees),
                "{path}: {}",
                answer.text
            );
        }
        let answer = stage.ask(Some(&own), "GET", &path, None).await;
        assert!(!answer.text.contains("fabrikam"), "{path}: {}", answer.text);
        // Some that cannot be named are not there.
        if list != "tenants" {
            let hidden = stage.ask(Some(&other), "GET", &format!("{path}?tenant=contoso"), None).await;
            let absent = stage.ask(Some(&other), "GET", &format!("{path}?tenant=nowhere"), None).await;
            assert_eq!(hidden.text.replace("contoso", "X"), absent.text.replace("nowhere", "X"), "{path}");
            assert_eq!(hidden.status, 404);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_spelling_of_a_path_goes_around_the_table() {
    let stage = Stage::new().await;
    let targets = targets(&stage).await;
    let viewer = stage.token("vera", &[(Role::Viewer, None)]).await;
    let cancel = format!("/api/v1/runs/{}/cancel", targets.run);
    for path in [
        format!("{cancel}/"),
        cancel.replace("/runs/", "//runs/"),
        cancel.replace("/runs/", "/%2fruns/"),
        cancel.replace("/api", "/API"),
        cancel.replace("/cancel", "/x/../cancel"),
        cancel.replace("/cancel", ";x/cancel"),
        cancel.replace("/cancel", "/cancel/healthz"),
        cancel.replace("/cancel", "/cancel%00"),
        cancel.replace("/cancel", "%2fcancel"),
        format!("/healthz/..{cancel}"),
        format!("/healthz/%2e%2e{cancel}"),
        "/api/v1/users/..%2f..%2fhealthz".to_owned(),
        "/metrics/".to_owned(),
        "//metrics".to_owned(),
        "/metrics;healthz".to_owned(),
        "/api/v1/openapi.json/healthz".to_owned(),
    ] {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "X"] {
            let Ok(method) = method.parse::<http::Method>() else { continue };
            for token in [None, Some(&viewer)] {
                let mut asked = request(token, "POST", "/", None);
                *asked.method_mut() = method.clone();
                *asked.uri_mut() = path.parse().unwrap();
                let answer = stage.send(asked).await;
                assert!(matches!(answer.status.as_u16(), 401 | 403 | 404 | 405), "{method} {path}: {}", answer.status);
            }
        }
    }
    let signals = stage.store.signals(Scope::Tenant(stage.contoso), targets.run.parse_run()).await.unwrap();
    assert!(signals.is_empty(), "nobody has cancelled it");
    let misspelt = stage.ask(Some(&viewer), "GET", "/api/v1/runs?tennant=contoso", None).await;
    assert_eq!((misspelt.status.as_u16(), misspelt.json["next"].as_str()), (400, Some("Did you mean `tenant`?")));
    let twice = stage.ask(Some(&viewer), "GET", "/api/v1/runs?tenant=contoso&tenant=fabrikam", None).await;
    assert_eq!(twice.status, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_fails_too_often_is_not_listened_to_for_a_minute() {
    let stage = Stage::with(|bounds| bounds.failures = 3).await;
    let vera = stage.token("vera", &[(Role::Viewer, None)]).await;
    let ask = |token: &Secret| {
        let token = token.clone();
        let stage = &stage;
        async move { stage.ask(Some(&token), "GET", "/api/v1/whoami", None).await.status.as_u16() }
    };
    let wrong = Secret::new("sortie_nonsense");
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(ask(&wrong).await);
    }
    assert_eq!(seen, [401, 401, 401, 429, 429]);
    assert_eq!(ask(&vera).await, 429, "nor is anything else from that address");
    stage.clock.advance(jiff::SignedDuration::from_secs(60));
    assert_eq!(ask(&vera).await, 200);
}

#[tokio::test]
async fn a_user_of_this_machine_has_what_was_granted_to_that_name() {
    let stage = Stage::new().await;
    let nobody = sortie_store::Actor {
        grants: Vec::new(),
        name: "os:bob".to_owned(),
        id: "os:bob".to_owned(),
        ..crate::stage::owner()
    };
    let bob = sortie_server::Client::here(stage.app.clone(), nobody);
    let ask = || async { bob.request(http::Method::GET, "/api/v1/runs", None).await.unwrap().0.as_u16() };
    assert_eq!(ask().await, 403);
    stage.token("os:bob", &[(Role::Viewer, Some(stage.contoso))]).await;
    assert_eq!(ask().await, 200);
    let id = stage.store.principal("os:bob").await.unwrap().id;
    stage.store.disable_principal(id, true).await.unwrap();
    assert_eq!(ask().await, 403);
}

trait ParseRun {
    fn parse_run(&self) -> sortie_store::RunId;
}

impl ParseRun for String {
    fn parse_run(&self) -> sortie_store::RunId {
        sortie_store::RunId::parse(self).unwrap()
    }
}

async fn targets(stage: &Stage) -> Targets {
    stage.enable(FLOW, "contoso").await;
    let connection = json_connection();
    stage.store.add_connection(Scope::Tenant(stage.contoso), connection).await.unwrap();
    let (status, started) =
        stage.owners("POST", "/api/v1/workflows/contoso-flow/runs?tenant=contoso", Some(json!({}))).await;
    assert_eq!(status, 201, "{started}");
    stage.settle().await;
    let (_, approvals) = stage.owners("GET", "/api/v1/approvals", None).await;
    let (_, workflow) = stage.owners("GET", "/api/v1/workflows/contoso-flow?tenant=contoso", None).await;
    Targets {
        run: started["run"].as_str().unwrap().to_owned(),
        approval: approvals["items"][0]["id"].as_str().unwrap().to_owned(),
        version: workflow["version"].as_str().unwrap().to_owned(),
        prefix: String::new(),
    }
}

/// What earlier requests have taken away is there again.
async fn renew(stage: &Stage, targets: &mut Targets) {
    if stage.store.principal("zoe").await.is_err() {
        stage.store.add_principal(&"zoe".parse().unwrap()).await.unwrap();
    }
    let tokens = stage.store.tokens().await.unwrap();
    let known = tokens.into_iter().find(|token| token.principal == "zoe" && token.name == "kept");
    targets.prefix = match known {
        Some(token) => token.prefix,
        None => {
            let zoe = stage.store.principal("zoe").await.unwrap();
            stage.store.add_token(zoe.id, "kept", None).await.unwrap().1.prefix
        }
    };
    if stage.store.hook_info(Scope::Tenant(stage.contoso), "contoso-flow").await.unwrap().is_none() {
        let (status, said) = stage.owners("PUT", "/api/v1/workflows/contoso-flow/hook?tenant=contoso", None).await;
        assert_eq!(status, 200, "{said}");
    }
}

fn json_connection() -> sortie_store::NewConnection {
    sortie_store::NewConnection {
        name: "contoso-defender".parse().unwrap(),
        connector: "microsoft-365-defender".to_owned(),
        base_url: "https://graph.microsoft.com".to_owned(),
        token_url: None,
        allowed_hosts: Vec::new(),
        destinations: Vec::new(),
        settings: json!({}),
    }
}

async fn people(stage: &Stage) -> Vec<Person> {
    let mut people = vec![Person { role: None, at: None, token: stage.token("nobody", &[]).await }];
    for role in Role::ALL {
        for (name, at) in [("own", Some(stage.contoso)), ("other", Some(stage.fabrikam)), ("all", None)] {
            let token = stage.token(&format!("{role}-{name}"), &[(*role, at)]).await;
            people.push(Person { role: Some(*role), at, token });
        }
    }
    people
}

/// A request that does something where it may, as often as it is sent.
fn aimed(route: &Route, targets: &Targets) -> (String, Option<Value>) {
    let mut path = route.path.to_owned();
    for (part, value) in [
        ("{id}", if route.path.contains("connectors") { "data" } else { "contoso-flow" }),
        ("{version}", &targets.version),
        ("{run}", &targets.run),
        ("{approval}", &targets.approval),
        ("{name}", if route.path.contains("users") { "zoe" } else { "contoso-defender" }),
        ("{role}", "viewer"),
        ("{prefix}", &targets.prefix),
        ("{tenant}", "contoso"),
        ("{workflow}", "contoso-flow"),
    ] {
        path = path.replace(part, value);
    }
    if route.query.contains(&"tenant") {
        path.push_str("?tenant=contoso");
    }
    let body = match (route.method.as_str(), route.path) {
        ("PUT", "/api/v1/workflows/{id}") | ("POST", "/api/v1/validate") => json!(FLOW),
        (_, "/api/v1/apply") => json!({ "documents": [FLOW] }),
        (_, "/api/v1/dry-runs") => json!({ "text": FLOW }),
        (_, "/api/v1/workflows/{id}/state") => json!({ "state": "enabled" }),
        (_, "/api/v1/runs/{run}/resolve") => json!({ "step": "ask", "resolution": "happened" }),
        (_, "/api/v1/approvals/{approval}/decision") => json!({ "approves": false }),
        (_, "/api/v1/backups") => json!({ "to": "/nowhere" }),
        (_, "/api/v1/effects") => json!({
            "operation": "kv/set", "target": "x", "names": [], "unlooked": [], "door": "call", "reference": "a test", "undoes": false
        }),
        (_, "/api/v1/guardrails/hold") => json!({ "why": "a test" }),
        ("POST", "/api/v1/users") => json!({ "name": "zoe" }),
        (_, "/api/v1/users/{name}/disabled") => json!({ "disabled": false }),
        (_, "/api/v1/users/{name}/tokens") => json!({ "name": "kept" }),
        ("GET" | "DELETE", _) => return (path, None),
        _ => json!({}),
    };
    (path, Some(body))
}

fn yaml(mut request: http::Request<axum::body::Body>, text: &str) -> http::Request<axum::body::Body> {
    request.headers_mut().insert("content-type", "application/yaml".parse().unwrap());
    request.map(|_| text.to_owned().into())
}

/// The feed never ends: of it, the beginning is enough.
async fn answered(stage: &Stage, request: http::Request<axum::body::Body>, route: &Route) -> StatusCode {
    use tower::ServiceExt as _;
    match route.path {
        "/api/v1/changes" => stage.router.clone().oneshot(request).await.unwrap().status(),
        _ => stage.send(request).await.status,
    }
}

fn expected_of(route: &Route) -> (&'static str, &'static str) {
    let mut found = EXPECTED.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let is_it = words.next() == Some(route.method.as_str()) && words.next() == Some(route.path);
        is_it.then(|| (words.next().unwrap(), words.next().unwrap_or_default()))
    });
    let one = found.next().unwrap_or_else(|| panic!("{} {} stands in no table", route.method.as_str(), route.path));
    assert_eq!(found.next(), None);
    one
}

fn expected(least: &str, reach: &str, person: &Person, contoso: TenantKey) -> Expected {
    let least = match least {
        "open" | "known" => return Expected::Done,
        // No token proves a request to a webhook.
        "proof" => return Expected::Hidden,
        "V" => Role::Viewer,
        "R" => Role::Responder,
        "E" => Role::Engineer,
        "A" => Role::Admin,
        other => panic!("{other}"),
    };
    match (person.role.filter(|role| *role >= least), person.at, reach) {
        (None, ..) => Expected::Forbidden,
        (Some(_), Some(_), "*") => Expected::Forbidden,
        (Some(_), _, "o") => Expected::Done,
        (Some(_), Some(at), _) if at != contoso => Expected::Hidden,
        _ => Expected::Done,
    }
}

#[test]
fn the_table_is_whole_and_each_route_stands_in_it_once() {
    let rows = EXPECTED.lines().filter(|line| !line.trim().is_empty()).count();
    assert_eq!(rows, ROUTES.len());
    for (at, route) in ROUTES.iter().enumerate() {
        expected_of(route);
        let is_same = |other: &Route| (other.method, other.path) == (route.method, route.path);
        assert!(!ROUTES[at + 1..].iter().any(is_same), "{} twice", route.path);
        // What is granted in a tenant must be able to name one.
        let names_one = matches!(route.reach, Reach::Listed | Reach::One | Reach::OneOrShared | Reach::OneOrAll);
        assert_eq!(route.query.contains(&"tenant"), names_one && route.path != "/api/v1/tenants", "{}", route.path);
    }
}
