//! Workflows, runs, approvals, guardrails and people, as two clients at once change them.

use http::{Request, header};
use serde_json::{Value, json};
use sortie_store::Role;

use crate::stage::{Answer, Stage};

const ASK: &str = "\
workflow: ask-first
triggers: [{ manual: { inputs: { device: string, times: { type: integer, default: 1 } } } }]
steps:
  - id: look
    set: { device: '{{ inputs.device }}' }
  - id: ask
    after: [look]
    approval: { ask: 'Isolate {{ steps.look.output.device }}?', roles: [responder], within: 4h }
  - id: act
    after: [ask]
    set: { by: '{{ steps.ask.output.by }}' }
";

async fn put(stage: &Stage, text: &str, headers: &[(&'static str, &str)]) -> Answer {
    let mut request = Request::put("/api/v1/workflows/ask-first").header(header::CONTENT_TYPE, "application/yaml");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = stage.owner().send(request.body(text.to_owned().into()).unwrap()).await.unwrap();
    Answer::of(response.map(axum::body::Body::from)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_is_judged_whole_and_kept_on_top_of_the_edition_that_was_seen() {
    let stage = Stage::new().await;
    let broken = "workflow: ask-first\ntriggers: [{ manual: {} }]\nsteps:\n  - id: a\n    call: data/no-such\n  - id: b\n    aftre: [a]\n    set: { c: '{{ steps.x.output }}' }\n";
    let refused = put(&stage, broken, &[]).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    let problems = refused.json["problems"].as_array().unwrap();
    assert!(
        !problems.is_empty()
            && problems.iter().all(|one| one["line"].as_u64() > Some(0) && one["column"].as_u64() > Some(0))
    );
    let first = put(&stage, ASK, &[("if-none-match", "*")]).await;
    assert_eq!((first.status.as_u16(), &first.headers["etag"]), (201, &"\"1\"".parse().unwrap()), "{}", first.text);
    let taken = put(&stage, ASK, &[("if-none-match", "*")]).await;
    assert_eq!((taken.status.as_u16(), taken.json["type"].as_str()), (412, Some("urn:sortie:problem:stale")));
    let changed = ASK.replace("4h", "8h");
    let second = put(&stage, &changed, &[("if-match", "\"1\"")]).await;
    assert_eq!((second.status.as_u16(), &second.json["edition"]), (200, &json!(2)));
    assert_ne!(second.json["version"], first.json["version"]);
    assert_eq!(put(&stage, ASK, &[("if-match", "\"1\"")]).await.status, 412, "somebody was faster");
    let commented = put(&stage, &format!("# a comment\n{changed}"), &[("if-match", "\"2\"")]).await;
    assert_eq!(commented.json["version"], second.json["version"], "a comment makes no version");
    let (_, versions) = stage.owners("GET", "/api/v1/workflows/ask-first/versions", None).await;
    let numbers: Vec<u64> =
        versions["items"].as_array().unwrap().iter().map(|one| one["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [2, 1]);
    let path = format!("/api/v1/workflows/ask-first/versions/{}", first.json["version"].as_str().unwrap());
    assert_eq!(stage.owners("GET", &path, None).await.1["text"], ASK);
    let other = put(&stage, &ASK.replace("ask-first", "other"), &[]).await;
    assert_eq!(other.status, 422, "the address names another one");
    let mut judged = Request::post("/api/v1/validate").body(bytes::Bytes::from(broken)).unwrap();
    assert_eq!(stage.owner().send(judged.clone()).await.unwrap().status(), 415);
    judged.headers_mut().insert(header::CONTENT_TYPE, "text/yaml".parse().unwrap());
    let judged: Value = serde_json::from_slice(stage.owner().send(judged).await.unwrap().body()).unwrap();
    assert_eq!(judged["problems"], refused.json["problems"]);
}

async fn started(stage: &Stage, body: Value) -> (u16, Value) {
    let (status, said) = stage.owners("POST", "/api/v1/workflows/ask-first/runs?tenant=contoso", Some(body)).await;
    (status.as_u16(), said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_started_once_for_a_key_and_its_inputs_are_held_to_the_document() {
    let stage = Stage::new().await;
    stage.keep(ASK, "shared").await;
    let (status, first) = started(&stage, json!({ "inputs": { "device": "d1" }, "key": "k" })).await;
    assert_eq!((status, &first["new"]), (201, &json!(true)), "{first}");
    let (status, again) = started(&stage, json!({ "inputs": { "device": "d1" }, "key": "k" })).await;
    assert_eq!((status, &again["run"]), (200, &first["run"]));
    for (body, detail) in [
        (json!({}), "the input `device` is missing"),
        (json!({ "inputs": { "device": 1 } }), "the input `device` takes a value of kind string"),
        (json!({ "inputs": { "device": "d", "tims": 2 } }), "there is no input `tims`. Did you mean `times`?"),
        (json!({ "inputs": { "device": "d" }, "mode": "wet" }), "`wet` is no mode"),
    ] {
        let (status, said) = started(&stage, body).await;
        assert_eq!((status, said["detail"].as_str()), (422, Some(detail)));
    }
    let (status, said) = started(&stage, json!({ "input": {} })).await;
    assert_eq!(status, 400, "{said}");
    let (status, said) = stage.owners("POST", "/api/v1/workflows/ask-first/runs", Some(json!({}))).await;
    assert_eq!(
        (status.as_u16(), said["type"].as_str()),
        (400, Some("urn:sortie:problem:needs-tenant")),
        "there are two"
    );
    let (_, audit) = stage.owners("GET", "/api/v1/audit?action=run", None).await;
    assert_eq!(audit["items"][0]["object"], first["run"]);
    assert_eq!(
        (audit["items"].as_array().unwrap().len(), &audit["items"][0]["actor"]["name"]),
        (1, &json!("os:owner"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_decide_at_once_one_does() {
    let stage = Stage::new().await;
    stage.keep(ASK, "shared").await;
    let (_, run) = started(&stage, json!({ "inputs": { "device": "d1" } })).await;
    stage.settle().await;
    let (_, open) = stage.owners("GET", "/api/v1/approvals?open=true", None).await;
    let approval = &open["items"][0];
    assert_eq!((&approval["ask"], &approval["run"]), (&json!("Isolate d1?"), &run["run"]));
    let (rita, raul) =
        (stage.token("rita", &[(Role::Responder, None)]).await, stage.token("raul", &[(Role::Responder, None)]).await);
    let path = format!("/api/v1/approvals/{}/decision", approval["id"].as_str().unwrap());
    let decide =
        |token, approves| stage.ask(Some(token), "POST", &path, Some(json!({ "approves": approves, "why": "so" })));
    let (yes, no) = tokio::join!(decide(&rita, true), decide(&raul, false));
    let mut statuses = [yes.status.as_u16(), no.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    let (late, who) = if yes.status == 200 { (&no, "rita/test approved") } else { (&yes, "raul/test rejected") };
    let detail = late.json["detail"].as_str().unwrap();
    assert!(detail.ends_with(&format!("{who} it at 2026-11-30T08:00:00Z (so)")), "{detail}");
    stage.settle().await;
    let (_, whole) = stage.owners("GET", &format!("/api/v1/runs/{}", run["run"].as_str().unwrap()), None).await;
    let by = if yes.status == 200 { "rita/test" } else { "raul/test" };
    assert_eq!(whole["approvals"][0]["decided_by"], by);
    assert_eq!(whole["outcome"], if yes.status == 200 { "succeeded" } else { "failed" });
    let (_, open) = stage.owners("GET", "/api/v1/approvals?open=true", None).await;
    assert_eq!(open["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_shows_its_steps_and_can_be_repeated_from_one_of_them() {
    let stage = Stage::new().await;
    stage.keep(ASK, "shared").await;
    let (_, run) = started(&stage, json!({ "inputs": { "device": "d1" } })).await;
    let path = format!("/api/v1/runs/{}", run["run"].as_str().unwrap());
    stage.settle().await;
    let (_, whole) = stage.owners("GET", &path, None).await;
    let stands: Vec<&str> =
        whole["steps"].as_array().unwrap().iter().map(|step| step["stands"].as_str().unwrap()).collect();
    assert_eq!((stands, &whole["at_work"][0]["step"]), (vec!["ended", "working", "waiting"], &json!("ask")));
    let again = format!("{path}/rerun");
    let rerun = |body: Value| stage.owners("POST", &again, Some(body));
    assert_eq!(rerun(json!({})).await.0, 409, "it has not ended");
    let (status, said) = stage
        .owners("POST", &format!("{path}/resolve"), Some(json!({ "step": "ask", "resolution": "happened" })))
        .await;
    assert_eq!((status.as_u16(), said["next"].as_str()), (409, Some("Nothing of this run is in doubt.")));
    assert_eq!(stage.owners("POST", &format!("{path}/cancel"), None).await.0, 204);
    stage.settle().await;
    assert_eq!(stage.owners("GET", &path, None).await.1["outcome"], "cancelled");
    assert_eq!(stage.owners("POST", &format!("{path}/cancel"), None).await.0, 404, "it has ended");
    let (status, said) = rerun(json!({ "from_step": "akt" })).await;
    assert_eq!((status.as_u16(), said["next"].as_str()), (422, Some("Did you mean `act`?")));
    let (status, repeated) = rerun(json!({ "from_step": "ask" })).await;
    assert_eq!(status, 201, "{repeated}");
    stage.settle().await;
    let (_, second) = stage.owners("GET", &format!("/api/v1/runs/{}", repeated["run"].as_str().unwrap()), None).await;
    assert_eq!((&second["again_of"], &second["at_work"][0]["step"]), (&run["run"], &json!("ask")));
    let (_, journal) =
        stage.owners("GET", &format!("/api/v1/runs/{}/journal", second["id"].as_str().unwrap()), None).await;
    let journal = journal.to_string();
    assert!(
        !journal.contains("\"look\"") && journal.contains("Isolate d1?"),
        "what `look` has left is taken over: {journal}"
    );
    let path = format!("/api/v1/approvals/{}/decision", second["approvals"][0]["id"].as_str().unwrap());
    assert_eq!(stage.owners("POST", &path, Some(json!({ "approves": true }))).await.0, 200);
    stage.settle().await;
    let again = format!("/api/v1/runs/{}/rerun", second["id"].as_str().unwrap());
    let (_, third) = stage.owners("POST", &again, Some(json!({ "from_step": "ask" }))).await;
    stage.settle().await;
    let path = format!("/api/v1/runs/{}/journal", third["run"].as_str().unwrap());
    let journal = stage.owners("GET", &path, None).await.1.to_string();
    assert!(!journal.contains("\"look\""), "{journal}");
    let (_, third) = stage.owners("GET", &format!("/api/v1/runs/{}", third["run"].as_str().unwrap()), None).await;
    let stands: Vec<&Value> = third["steps"].as_array().unwrap().iter().map(|step| &step["stands"]).collect();
    assert_eq!(stands, ["ended", "working", "waiting"], "what is behind it is repeated, and nothing before it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_go_on_by_key() {
    let stage = Stage::new().await;
    stage.keep(ASK, "shared").await;
    for at in 0..5 {
        started(&stage, json!({ "inputs": { "device": at.to_string() } })).await;
    }
    let mut seen = Vec::new();
    let mut path = "/api/v1/runs?count=2".to_owned();
    for _ in 0..4 {
        let (_, page) = stage.owners("GET", &path, None).await;
        seen.extend(page["items"].as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/runs?count=2&before={next}");
    }
    let mut sorted = seen.clone();
    sorted.sort_by(|a, b| b.cmp(a));
    sorted.dedup();
    assert_eq!((seen.len(), &seen), (5, &sorted));
    for wrong in ["count=0", "count=501", "count=x", "before=x", "status=waitng"] {
        assert_eq!(stage.owners("GET", &format!("/api/v1/runs?{wrong}"), None).await.0, 400, "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn effects_are_held_and_released_by_an_administrator_where_they_say() {
    let stage = Stage::new().await;
    let change = json!({ "protect": ["device-name:dc-*"], "ceilings": { "microsoft-365-defender/isolate-device": 3 } });
    let (status, said) = stage.owners("PUT", "/api/v1/guardrails?tenant=contoso", Some(change)).await;
    assert_eq!((status.as_u16(), &said["own"]["protected"]), (200, &json!(["device-name:dc-*"])), "{said}");
    stage.owners("POST", "/api/v1/guardrails/hold", Some(json!({ "why": "a drill" }))).await;
    let (_, said) = stage.owners("GET", "/api/v1/guardrails?tenant=contoso", None).await;
    assert_eq!((&said["own"]["hold"], &said["in_force"]["hold"]["why"]), (&Value::Null, &json!("a drill")));
    let (_, said) = stage.owners("POST", "/api/v1/guardrails/release", None).await;
    assert_eq!((&said["tenant"], &said["own"]["hold"]), (&json!("shared"), &Value::Null));
    let ceiling = |name: &str, count: Value| {
        stage.owners("PUT", "/api/v1/guardrails?tenant=fabrikam", Some(json!({ "ceilings": { name: count } })))
    };
    let (_, said) = ceiling("microsoft-365-defender/isolate-machine", json!(2)).await;
    assert_eq!(said["own"]["ceilings"], json!({ "microsoft-365-defender/isolate-device": 2 }), "by any of its names");
    for (name, status) in [("kv/no-such", 404), ("no-such/get", 422), ("nonsense", 422)] {
        assert_eq!(ceiling(name, json!(1)).await.0, status, "{name}");
    }
    let (status, said) = stage.owners("PUT", "/api/v1/guardrails", Some(json!({ "protect": ["nonsense"] }))).await;
    assert_eq!(status, 422, "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_get_roles_and_tokens_that_are_told_once() {
    let stage = Stage::new().await;
    assert_eq!(stage.owners("POST", "/api/v1/users", Some(json!({ "name": "ana" }))).await.0, 201);
    let (status, said) = stage.owners("POST", "/api/v1/users", Some(json!({ "name": "ana" }))).await;
    assert_eq!((status.as_u16(), said["type"].as_str()), (409, Some("urn:sortie:problem:exists")));
    let (_, user) = stage.owners("PUT", "/api/v1/users/ana/roles/viewer?tenant=contoso", None).await;
    assert_eq!(user["grants"], json!([{ "role": "viewer", "tenant": "contoso" }]));
    let (status, made) = stage.owners("POST", "/api/v1/users/ana/tokens", Some(json!({ "name": "ci" }))).await;
    assert_eq!(status, 201);
    let token = sortie_model::Secret::new(made["token"].as_str().unwrap());
    let me = stage.ask(Some(&token), "GET", "/api/v1/whoami", None).await;
    assert_eq!(
        (&me.json["name"], &me.json["kind"], &me.json["grants"]),
        (&json!("ana/ci"), &json!("token"), &user["grants"])
    );
    let (_, listed) = stage.owners("GET", "/api/v1/tokens", None).await;
    assert!(!listed.to_string().contains(token.expose()), "{listed}");
    let prefix = made["prefix"].as_str().unwrap();
    assert_eq!(stage.owners("DELETE", &format!("/api/v1/tokens/{prefix}"), None).await.0, 204);
    assert_eq!(stage.ask(Some(&token), "GET", "/api/v1/whoami", None).await.status, 401);
    let over = json!({ "name": "old", "expires": "2026-11-30T07:59:59Z" });
    assert_eq!(stage.owners("POST", "/api/v1/users/ana/tokens", Some(over)).await.0, 422);
    assert_eq!(stage.owners("PUT", "/api/v1/users/ana/roles/king", None).await.0, 422);
    assert_eq!(stage.owners("GET", "/api/v1/users/nobody", None).await.0, 404);
}
