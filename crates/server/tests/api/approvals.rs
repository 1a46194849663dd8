//! Questions to people over HTTP: many who decide at once, processes that end meanwhile, people who may not.

use http::StatusCode;
use serde_json::{Value, json};
use sortie_model::Secret;
use sortie_store::{Role, RunId, Scope};

use crate::stage::Stage;

/// A run that waits for an answer.
struct Asked {
    run: String,
    approval: String,
}

fn text(approval: &str) -> String {
    format!(
        "workflow: ask-first\ntriggers: [{{ manual: {{}} }}]\nsteps:\n  - {{ id: ask, approval: {{ ask: 'Really?', {approval} }} }}\n  \
         - {{ id: act, after: [ask], call: kv/increment, with: {{ name: acted }} }}\n"
    )
}

async fn asked(stage: &Stage, approval: &str, starter: Option<&Secret>) -> Asked {
    stage.keep(&text(approval), "shared").await;
    let path = "/api/v1/workflows/ask-first/runs?tenant=contoso";
    let started = match starter {
        Some(token) => stage.ask(Some(token), "POST", path, Some(json!({}))).await.json,
        None => stage.owners("POST", path, Some(json!({}))).await.1,
    };
    stage.settle().await;
    let run = started["run"].as_str().unwrap().to_owned();
    let (_, whole) = stage.owners("GET", &format!("/api/v1/runs/{run}"), None).await;
    Asked { run, approval: whole["approvals"][0]["id"].as_str().unwrap().to_owned() }
}

impl Asked {
    fn path(&self) -> String {
        format!("/api/v1/approvals/{}/decision", self.approval)
    }

    async fn ends(&self, stage: &Stage) -> Value {
        stage.settle().await;
        stage.owners("GET", &format!("/api/v1/runs/{}", self.run), None).await.1
    }
}

async fn acted(stage: &Stage) -> Option<String> {
    stage.store.value(Scope::Tenant(stage.contoso), "acted").await.unwrap().map(|kept| kept.value)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_decide_at_once_one_does() {
    let stage = Stage::new().await;
    let asked = asked(&stage, "within: 4h", None).await;
    let mut deciders = tokio::task::JoinSet::new();
    for number in 0..16 {
        let token = stage.token(&format!("rita-{number}"), &[(Role::Responder, Some(stage.contoso))]).await;
        let (router, path) = (stage.router.clone(), asked.path());
        deciders.spawn(async move {
            let body = json!({ "approves": number % 2 == 0, "why": format!("says {number}") });
            let request = crate::stage::request(Some(&token), "POST", &path, Some(body));
            let response = tower::ServiceExt::oneshot(router, request).await.unwrap();
            (number, response.status())
        });
    }
    let mut winners = Vec::new();
    while let Some(decided) = deciders.join_next().await {
        match decided.unwrap() {
            (number, StatusCode::OK) => winners.push(number),
            (number, status) => assert_eq!(status, StatusCode::CONFLICT, "{number}"),
        }
    }
    assert_eq!(winners.len(), 1, "{winners:?}");
    let approves = winners[0] % 2 == 0;
    let signals = stage.store.signals(Scope::Tenant(stage.contoso), RunId::parse(&asked.run).unwrap()).await.unwrap();
    assert_eq!(signals.len(), 1, "the run hears of it once");
    let whole = asked.ends(&stage).await;
    assert_eq!(whole["outcome"], if approves { "succeeded" } else { "failed" });
    assert_eq!(whole["approvals"][0]["decided_by"], format!("rita-{}/test", winners[0]));
    assert_eq!(acted(&stage).await, approves.then(|| "1".to_owned()));
    let (_, audit) = stage.owners("GET", "/api/v1/audit?action=approval", None).await;
    assert_eq!(audit["items"].as_array().unwrap().len(), 1, "{audit}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_outlives_the_process_and_so_does_its_answer() {
    let mut stage = Stage::new().await;
    let asked = asked(&stage, "within: 4h", None).await;
    for answers in [false, true] {
        stage.restart().await;
        let (_, listed) = stage.owners("GET", "/api/v1/approvals?open=true", None).await;
        match answers {
            false => {
                assert_eq!(listed["items"][0]["id"], asked.approval);
                // This process ends before any run has heard of it.
                let (status, said) = stage.owners("POST", &asked.path(), Some(json!({ "approves": true }))).await;
                assert_eq!(status, 200, "{said}");
            }
            true => assert_eq!(listed["items"], json!([])),
        }
    }
    assert_eq!(asked.ends(&stage).await["outcome"], "succeeded");
    assert_eq!(acted(&stage).await.as_deref(), Some("1"));
    let (status, _) = stage.owners("POST", &asked.path(), Some(json!({ "approves": true }))).await;
    assert_eq!(status, 409, "it is decided once, whichever process took the answer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_decide_is_told_so_and_changes_nothing() {
    let stage = Stage::new().await;
    let starter = stage.token("ana", &[(Role::Admin, None)]).await;
    let asked = asked(&stage, "within: 4h, roles: [admin], own: refused", Some(&starter)).await;
    let ana = stage.store.principal("ana").await.unwrap();
    let second = stage.store.add_token(ana.id, "second", None).await.unwrap().0;
    let contoso = Some(stage.contoso);
    let vera = stage.token("vera", &[(Role::Viewer, None)]).await;
    let rita = stage.token("rita", &[(Role::Responder, contoso)]).await;
    let otto = stage.token("otto", &[(Role::Admin, Some(stage.fabrikam))]).await;
    let both = stage.token("both", &[(Role::Responder, contoso), (Role::Admin, Some(stage.fabrikam))]).await;
    for (who, token, status) in [
        ("a viewer", &vera, 403),
        ("a responder, where an administrator is asked", &rita, 403),
        // Whoever may not see it hears that it is not there.
        ("an administrator of another tenant", &otto, 404),
        ("an administrator elsewhere who is a responder here", &both, 403),
        ("whoever started it", &starter, 403),
        ("whoever started it, by another token", &second, 403),
    ] {
        for approves in [true, false] {
            let answer = stage.ask(Some(token), "POST", &asked.path(), Some(json!({ "approves": approves }))).await;
            assert_eq!(answer.status, status, "{who}: {}", answer.text);
        }
        assert_eq!(asked.ends(&stage).await["outcome"], Value::Null, "{who}");
    }
    assert_eq!(acted(&stage).await, None);
    let adam = stage.token("adam", &[(Role::Admin, contoso)]).await;
    let answer = stage.ask(Some(&adam), "POST", &asked.path(), Some(json!({ "approves": true }))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(asked.ends(&stage).await["outcome"], "succeeded");
    // Nor does a repetition by whoever may not decide go around the question.
    let rerun = format!("/api/v1/runs/{}/rerun", asked.run);
    for (token, from, status) in [(&rita, "act", 409), (&adam, "act", 409), (&rita, "ask", 201)] {
        let answer = stage.ask(Some(token), "POST", &rerun, Some(json!({ "from_step": from }))).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        if status == 409 {
            assert_eq!(answer.json["next"], "Repeat it from `ask`, so that the question is asked again.");
        }
    }
    stage.settle().await;
    assert_eq!(acted(&stage).await.as_deref(), Some("1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_whose_time_is_over_takes_no_answer() {
    for otherwise in ["reject", "stop"] {
        let stage = Stage::new().await;
        let asked = asked(&stage, &format!("within: 4h, otherwise: {otherwise}"), None).await;
        stage.clock.advance(jiff::SignedDuration::from_hours(4));
        let (status, said) = stage.owners("POST", &asked.path(), Some(json!({ "approves": true }))).await;
        assert_eq!((status.as_u16(), said["type"].as_str()), (409, Some("urn:sortie:problem:decided")));
        let whole = asked.ends(&stage).await;
        assert_eq!((&whole["outcome"], &whole["approvals"][0]["decision"]), (&json!("failed"), &json!("expired")));
        assert_eq!(acted(&stage).await, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn however_many_are_open_each_stands_on_one_page() {
    let stage = Stage::new().await;
    stage.keep(&text("within: 4h"), "shared").await;
    for at in 0..7 {
        // Several of the same moment, and some of another.
        let tenant = if at % 3 == 0 { "fabrikam" } else { "contoso" };
        let path = format!("/api/v1/workflows/ask-first/runs?tenant={tenant}");
        stage.owners("POST", &path, Some(json!({}))).await;
    }
    stage.settle().await;
    let (mut seen, mut before, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let (_, page) = stage.owners("GET", &format!("/api/v1/approvals?open=true&count=3{before}"), None).await;
        seen.extend(page["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()));
        pages += 1;
        let Some(next) = page["next"].as_str() else { break };
        before = format!("&before={next}");
    }
    assert_eq!((seen.len(), pages), (7, 3));
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 7);
    // Whoever sees one tenant finds no place in the pages of another.
    let (_, all) = stage.owners("GET", "/api/v1/approvals?tenant=fabrikam", None).await;
    let viewer = stage.token("vera", &[(Role::Viewer, Some(stage.contoso))]).await;
    let path = format!("/api/v1/approvals?before={}", all["items"][0]["id"].as_str().unwrap());
    assert_eq!(stage.ask(Some(&viewer), "GET", &path, None).await.status, StatusCode::BAD_REQUEST);
}
