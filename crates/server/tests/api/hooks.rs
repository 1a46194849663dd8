//! Webhooks: who is listened to, what is taken once, what a run reads, and what the sender hears.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{Request, header};
use jiff::SignedDuration;
use serde_json::{Value, json};
use sortie_model::{Clock as _, Secret};
use sortie_server::signature;
use sortie_store::{RunMode, Scope};
use tower::ServiceExt as _;

use crate::stage::{Answer, Stage};

const SIGNED: &str = "\
workflow: triage
triggers: [{ webhook: {} }]
steps:
  - id: keep
    set: { body: '{{ trigger.body }}', query: '{{ trigger.query }}', headers: '{{ trigger.headers }}', at: '{{ trigger.received_at }}' }
";

const ANSWERS: &str = "\
workflow: echo
triggers: [{ webhook: { secure: token, answers: true } }]
steps:
  - id: say
    respond: { heard: '{{ trigger.body }}' }
  - id: rest
    after: [say]
    wait: { for: 1h }
";

const DEDUPE: &str = "\
workflow: once
triggers: [{ webhook: { dedupe: body.id } }]
steps:
  - id: keep
    set: { body: '{{ trigger.body }}' }
";

struct Sender<'a> {
    stage: &'a Stage,
    path: String,
    secret: Secret,
}

/// A workflow at work for all, and the secret of its webhook in contoso.
async fn sender<'a>(stage: &'a Stage, text: &str) -> Sender<'a> {
    let id = stage.enable(text, "shared").await;
    let (status, hook) = stage.owners("PUT", &format!("/api/v1/workflows/{id}/hook?tenant=contoso"), None).await;
    assert_eq!(
        (status.as_u16(), &hook["address"]),
        (200, &json!(format!("https://sortie.example/hooks/contoso/{id}")))
    );
    Sender { stage, path: format!("/hooks/contoso/{id}"), secret: Secret::new(hook["secret"].as_str().unwrap()) }
}

impl Sender<'_> {
    /// Signed now.
    fn signed(&self, body: &str) -> Request<Body> {
        let now = self.stage.clock.now().as_second();
        Request::post(&self.path)
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-sortie-timestamp", now)
            .header("x-sortie-signature", signature(&self.secret, now, body.as_bytes()))
            .body(body.to_owned().into())
            .unwrap()
    }

    fn with_token(&self, body: &str) -> Request<Body> {
        let request = Request::post(&self.path).header(header::CONTENT_TYPE, "application/json");
        request.header("x-sortie-token", self.secret.expose()).body(body.to_owned().into()).unwrap()
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        Answer::of(self.stage.router.clone().oneshot(request).await.unwrap()).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_request_is_on_the_disk_before_its_sender_hears_of_it() {
    let stage = Stage::new().await;
    let sender = sender(&stage, SIGNED).await;
    let body = r#"{"title":"{{ 7*7 }}","n":1e400,"lone":"\ud800"}"#;
    let mut request = sender.signed(body);
    *request.uri_mut() = format!("{}?a=1&a=2&token=x", sender.path).parse().unwrap();
    for (name, value) in [("cookie", "c=hunter2"), ("authorization", "Bearer hunter2"), ("x-case", "One")] {
        request.headers_mut().append(name, value.parse().unwrap());
    }
    let answer = sender.send(request).await;
    assert_eq!((answer.status.as_u16(), &answer.json["new"]), (202, &json!(true)), "{}", answer.text);
    let run = sortie_store::RunId::parse(answer.json["run"].as_str().unwrap()).unwrap();
    let scope = Scope::Tenant(stage.contoso);
    assert_eq!(stage.store.run(scope, run).await.unwrap().cause, "webhook", "nothing has taken it further yet");
    stage.settle().await;
    let (_, values) = stage.owners("GET", &format!("/api/v1/runs/{run}/values?step=keep"), None).await;
    let kept = &values["items"][0]["value"]["output"];
    assert_eq!(kept["body"], json!({ "title": "{{ 7*7 }}", "n": null, "lone": "\u{fffd}" }));
    assert_eq!(kept["query"], json!({ "a": ["1", "2"], "token": "x" }));
    assert_eq!((&kept["headers"]["x-case"], &kept["at"]), (&json!("One"), &json!("2026-11-30T08:00:00Z")));
    let given = stage.store.run_value(scope, run, "").await.unwrap().unwrap();
    assert!(!given.contains("hunter2") && !given.contains("sha256="), "{given}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_leads_to_no_run_has_one_answer() {
    let stage = Stage::with(|bounds| bounds.failures = 1_000).await;
    let sender = sender(&stage, SIGNED).await;
    let good = || sender.signed("{}");
    let at = |path: &str| {
        let mut request = good();
        *request.uri_mut() = path.parse().unwrap();
        request
    };
    let with = |name: &'static str, value: &str| {
        let mut request = good();
        request.headers_mut().insert(name, value.parse().unwrap());
        request
    };
    let without = |name: &str| {
        let mut request = good();
        request.headers_mut().remove(name);
        request
    };
    let (status, _) = stage.owners("PUT", "/api/v1/workflows/triage/hook?tenant=fabrikam", None).await;
    assert_eq!(status, 200);
    let mut tampered = good();
    *tampered.body_mut() = "{ }".into();
    let refused = vec![
        ("unknown tenant", at("/hooks/nobody/triage")),
        ("unknown workflow", at("/hooks/contoso/nothing")),
        ("another tenant's", at("/hooks/fabrikam/triage")),
        ("what is for all", at("/hooks/shared/triage")),
        ("no signature", without("x-sortie-signature")),
        ("no time", without("x-sortie-timestamp")),
        ("another time", with("x-sortie-timestamp", &(stage.clock.now().as_second() + 1).to_string())),
        ("no digits", with("x-sortie-signature", "sha256=zz")),
        ("another body", tampered),
        ("the secret instead of a signature", sender.with_token("{}")),
    ];
    let mut texts = std::collections::BTreeSet::new();
    for (what, request) in refused {
        let answer = sender.send(request).await;
        assert_eq!(answer.status, 404, "{what}: {}", answer.text);
        texts.insert(answer.text);
    }
    stage.state("triage", "shared", "disabled").await;
    texts.insert(sender.send(good()).await.text);
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert_eq!(stage.runs().await.len(), 0);
    stage.state("triage", "shared", "paused").await;
    let paused = sender.send(good()).await;
    assert_eq!((paused.status.as_u16(), &paused.headers["retry-after"]), (503, &"5".parse().unwrap()));
    stage.state("triage", "shared", "enabled").await;
    assert_eq!(sender.send(good()).await.status, 202, "and all that was tried had an equal that is right");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_is_good_for_five_minutes_and_for_one_run() {
    let stage = Stage::new().await;
    let sender = sender(&stage, SIGNED).await;
    let copy = |request: &Request<Body>, body: &str| {
        let mut copy = Request::post(request.uri()).body(Body::from(body.to_owned())).unwrap();
        *copy.headers_mut() = request.headers().clone();
        copy
    };
    let first = sender.signed("{}");
    let replayed = copy(&first, "{}");
    let mut dressed = copy(&first, "{}");
    *dressed.uri_mut() = format!("{}?other=1", sender.path).parse().unwrap();
    dressed.headers_mut().insert("x-other", "1".parse().unwrap());
    let late = copy(&first, "{}");
    let started = sender.send(first).await;
    stage.clock.advance(SignedDuration::from_mins(5));
    for replay in [replayed, dressed] {
        let again = sender.send(replay).await;
        assert_eq!((again.status.as_u16(), &again.json["run"]), (202, &started.json["run"]));
        assert_eq!(again.json["new"], false);
    }
    stage.clock.advance(SignedDuration::from_secs(1));
    let late = sender.send(late).await;
    assert_eq!(late.status, 400);
    assert!(late.json["detail"].as_str().unwrap().contains("301 seconds"), "{}", late.text);
    assert_eq!(stage.runs().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_values_of_dedupe_are_one_start_and_a_broken_one_loses_nothing() {
    let stage = Stage::new().await;
    let sender = sender(&stage, DEDUPE).await;
    let mut runs = Vec::new();
    for body in [r#"{"id":1,"n":1}"#, r#"{"id":1,"n":2}"#, r#"{"id":"1"}"#, r#"{"none":1}"#, r#"{"none":2}"#] {
        let answer = sender.send(sender.signed(body)).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        runs.push(answer.json["run"].as_str().unwrap().to_owned());
    }
    assert_eq!(runs[0], runs[1]);
    runs.dedup();
    assert_eq!(runs.len(), 4, "a number is no text, and each without an id is its own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_signed_makes_no_other_request() {
    let stage = Stage::new().await;
    let sender = sender(&stage, &DEDUPE.replace("body.id", "query.n")).await;
    let mut runs = Vec::new();
    for n in 0..3 {
        let mut request = sender.signed("{}");
        *request.uri_mut() = format!("{}?n={n}", sender.path).parse().unwrap();
        runs.push(sender.send(request).await.json["run"].clone());
    }
    assert_eq!((&runs[0], &runs[1]), (&runs[1], &runs[2]));
    assert!(runs[0].is_string());
}

#[tokio::test]
async fn a_dedupe_that_cannot_be_read_is_told_before_it_is_kept() {
    let stage = Stage::new().await;
    let judge = |dedupe: &str| {
        let text = DEDUPE.replace("body.id", &format!("\"{dedupe}\""));
        let request = Request::post("/api/v1/validate").header(header::CONTENT_TYPE, "application/yaml");
        let (owner, request) = (stage.owner(), request.body(Bytes::from(text)).unwrap());
        async move {
            let said: Value = serde_json::from_slice(owner.send(request).await.unwrap().body()).unwrap();
            said["problems"].as_array().unwrap().iter().map(|one| one["line"].clone()).collect::<Vec<_>>()
        }
    };
    assert_eq!(judge("headers['x-github-delivery']").await, Vec::<Value>::new());
    for wrong in ["body.", "steps.keep.output", "trigger.body"] {
        assert_eq!(judge(wrong).await, [2], "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_rotation_both_secrets_are_good_for_an_hour() {
    let stage = Stage::new().await;
    let old = sender(&stage, SIGNED).await;
    let new = sender(&stage, SIGNED).await;
    assert_ne!(old.secret.expose(), new.secret.expose());
    let (_, hook) = stage.owners("GET", "/api/v1/workflows/triage/hook?tenant=contoso", None).await;
    assert_eq!(
        (&hook["secret"], &hook["old_until"], &hook["proofs"]),
        (&Value::Null, &json!("2026-11-30T09:00:00Z"), &json!(["hmac"]))
    );
    let ask = |sender: &Sender<'_>, body: &str| sender.signed(body);
    assert_eq!(old.send(ask(&old, "1")).await.status, 202);
    assert_eq!(new.send(ask(&new, "2")).await.status, 202);
    stage.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(old.send(ask(&old, "3")).await.status, 404);
    assert_eq!(new.send(ask(&new, "4")).await.status, 202);
    let (status, _) = stage.owners("DELETE", "/api/v1/workflows/triage/hook?tenant=contoso", None).await;
    assert_eq!(status, 204);
    assert_eq!(new.send(ask(&new, "5")).await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_hears_what_the_run_responds_or_where_it_is() {
    let stage = Stage::with(|bounds| bounds.answer = Duration::from_millis(300)).await;
    let sender = sender(&stage, ANSWERS).await;
    let silent = sender.send(sender.with_token("0")).await;
    assert_eq!(silent.status, 202, "nothing takes runs further: {}", silent.text);
    let stage = Stage::with(|bounds| bounds.answer = Duration::from_secs(60)).await;
    let sender = self::sender(&stage, ANSWERS).await;
    let runner = stage.app.runner.clone();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = tokio::spawn(async move { runner.serve(async { drop(stopped.await) }, Duration::ZERO).await });
    for at in 1..20 {
        let sent = sender.send(sender.with_token(&at.to_string()));
        let answer = tokio::time::timeout(Duration::from_secs(10), sent).await.expect("it is answered at once");
        assert_eq!((answer.status.as_u16(), &answer.json), (200, &json!({ "heard": at })));
    }
    drop(stop);
    served.await.unwrap();
    let signed = sender.send(sender.signed("{}")).await;
    assert_eq!(signed.status, 404, "this one takes the token");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_observed_workflow_records_and_does_nothing() {
    let stage = Stage::new().await;
    let sender = sender(&stage, SIGNED).await;
    stage.state("triage", "shared", "observe").await;
    let answer = sender.send(sender.signed("{}")).await;
    let run = sortie_store::RunId::parse(answer.json["run"].as_str().unwrap()).unwrap();
    assert_eq!(stage.store.run(Scope::Tenant(stage.contoso), run).await.unwrap().mode, RunMode::Observe);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_are_bounded_in_size_kind_and_time_before_anything_is_looked_up() {
    let stage = Stage::with(|bounds| {
        bounds.body = Duration::from_millis(200);
        bounds.failures = 1_000;
    })
    .await;
    let sender = sender(&stage, SIGNED).await;
    let large = format!("\"{}\"", "x".repeat((4 << 20) - 2));
    assert_eq!(sender.send(sender.signed(&large)).await.status, 202, "four megabytes are taken");
    stage.settle().await;
    assert_eq!(stage.runs().await[0]["outcome"], "succeeded");
    assert_eq!(sender.send(sender.signed(&format!("{large} "))).await.status, 413);
    let undeclared = |path: &str| {
        let frames = (0..9).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 512 << 10])));
        let body = Body::from_stream(futures_util::stream::iter(frames));
        Request::post(path).header(header::CONTENT_TYPE, "application/json").body(body).unwrap()
    };
    let slow = |path: &str| {
        let body = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        Request::post(path).header(header::CONTENT_TYPE, "application/json").body(body).unwrap()
    };
    let typed = |path: &str, media_type: &str| {
        Request::post(path).header(header::CONTENT_TYPE, media_type).body(Body::from("{}")).unwrap()
    };
    let stale = |path: &str| {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        request.header("x-sortie-timestamp", "1").body(Body::from("{}")).unwrap()
    };
    for path in [sender.path.as_str(), "/hooks/nobody/nothing"] {
        let statuses = [
            sender.send(undeclared(path)).await.status.as_u16(),
            sender.send(slow(path)).await.status.as_u16(),
            sender.send(typed(path, "application/xml")).await.status.as_u16(),
            sender.send(typed(path, "multipart/form-data; boundary=x")).await.status.as_u16(),
            sender.send(stale(path)).await.status.as_u16(),
        ];
        assert_eq!(statuses, [413, 408, 415, 415, 400], "{path}");
    }
    assert_eq!(sender.send(sender.signed("{")).await.status, 400, "a proved sender hears what is wrong");
    assert_eq!(stage.runs().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_at_once_start_fifty_runs_and_fifty_equal_ones_start_one() {
    let stage = Stage::new().await;
    let sender = sender(&stage, SIGNED).await;
    let mut requests: Vec<_> = (0..50).map(|at| sender.signed(&at.to_string())).collect();
    requests.extend((0..50).map(|_| sender.signed("same")).map(|mut request| {
        request.headers_mut().insert(header::CONTENT_TYPE, "text/plain".parse().unwrap());
        request
    }));
    let answers = futures_util::future::join_all(requests.into_iter().map(|request| sender.send(request))).await;
    assert!(answers.iter().all(|answer| answer.status == 202));
    let new = answers.iter().filter(|answer| answer.json["new"] == true).count();
    assert_eq!(new, 51);
    stage.settle().await;
    let (_, page) = stage.owners("GET", "/api/v1/runs?count=500&outcome=succeeded", None).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 51);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_guesses_is_not_listened_to_for_a_minute() {
    let stage = Stage::with(|bounds| bounds.failures = 2).await;
    let sender = sender(&stage, ANSWERS).await;
    let guess = || Request::post(&sender.path).header("x-sortie-token", "guess").body(Body::empty()).unwrap();
    let statuses =
        [sender.send(guess()).await.status, sender.send(guess()).await.status, sender.send(guess()).await.status];
    assert_eq!(statuses.map(|status| status.as_u16()), [404, 404, 429]);
    assert_eq!(sender.send(sender.with_token("1")).await.status, 429);
    stage.clock.advance(SignedDuration::from_secs(61));
    assert_eq!(sender.send(guess()).await.status, 404);
}

#[tokio::test]
async fn a_webhook_needs_its_trigger_and_a_tenant_for_which_its_workflow_runs() {
    let stage = Stage::new().await;
    stage.enable("workflow: plain\ntriggers: [{ manual: {} }]\nsteps:\n  - id: a\n    set: { b: 1 }\n", "shared").await;
    let (status, said) = stage.owners("PUT", "/api/v1/workflows/plain/hook?tenant=contoso", None).await;
    assert_eq!((status.as_u16(), said["detail"].as_str()), (409, Some("workflow plain has no `webhook` trigger")));
    let (status, _) = stage.owners("GET", "/api/v1/workflows/none/hook?tenant=contoso", None).await;
    assert_eq!(status, 404);
    let narrow = SIGNED.replace("triggers:", "tenants: [fabrikam]\ntriggers:");
    let sender = sender(&stage, &narrow).await;
    assert_eq!(sender.send(sender.signed("{}")).await.status, 404);
}
