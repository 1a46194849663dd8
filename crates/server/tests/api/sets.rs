//! Workflows as sets that are kept whole, and documents that are tried without being kept.

use serde_json::{Value, json};
use sortie_store::RunStatus;

use crate::stage::Stage;

const CALLED: &str = "workflow: called\ntriggers: [{ workflow: {} }]\nsteps: [{ id: a, set: { b: 1 } }]\n";
const CALLER: &str = "workflow: caller\ntriggers: [{ manual: {} }]\nsteps: [{ id: a, workflow: called }]\n";

async fn apply(stage: &Stage, documents: &[&str], more: Value) -> (u16, Value) {
    let mut body = json!({ "documents": documents });
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    let (status, said) = stage.owners("POST", "/api/v1/apply?tenant=contoso", Some(body)).await;
    (status.as_u16(), said)
}

fn changes(said: &Value) -> Vec<(&str, &str)> {
    said["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["id"].as_str().unwrap(), one["change"].as_str().unwrap()))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_set_is_kept_whole_or_not_at_all() {
    let stage = Stage::new().await;
    let kept = || async { stage.owners("GET", "/api/v1/workflows?tenant=contoso", None).await.1["items"].clone() };
    let broken = "workflow: broken\ntriggers: [{ manual: {} }]\nsteps: [{ id: a, call: data/no-such }]\n";
    let (status, said) = apply(&stage, &[CALLER, broken, CALLED, CALLED], json!({})).await;
    assert_eq!((status, said["detail"].as_str()), (422, Some("2 of 4 documents have problems, and none was kept")));
    let places: Vec<(u64, &str)> = said["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["document"].as_u64().unwrap(), one["code"].as_str().unwrap()))
        .collect();
    assert_eq!(places, [(1, "unknown-operation"), (3, "id")]);
    assert_eq!(kept().await, json!([]));
    // The caller comes first, and what it calls is not there yet.
    let (status, said) = apply(&stage, &[CALLER, CALLED], json!({ "dry_run": true })).await;
    assert_eq!(
        (status, changes(&said), &said["kept"]),
        (200, vec![("called", "new"), ("caller", "new")], &json!(false))
    );
    assert_eq!(kept().await, json!([]));
    let (_, said) = apply(&stage, &[CALLER, CALLED], json!({})).await;
    assert_eq!(
        (changes(&said), &said["items"][1]["document"]),
        (vec![("called", "new"), ("caller", "new")], &json!(0))
    );
    let (_, said) = apply(&stage, &[&format!("# why\n{CALLER}"), &CALLED.replace('1', "2")], json!({})).await;
    assert_eq!(changes(&said), [("called", "changed"), ("caller", "reworded")]);
    let (_, said) = apply(&stage, &[&format!("# why\n{CALLER}")], json!({})).await;
    assert_eq!(changes(&said), [("caller", "same")], "what is not named stays");
    let editions: Vec<u64> =
        kept().await.as_array().unwrap().iter().map(|one| one["edition"].as_u64().unwrap()).collect();
    assert_eq!(editions, [2, 2], "what is the same is not written again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_set_does_not_name_goes_only_where_that_is_said_and_nothing_runs() {
    let stage = Stage::new().await;
    let ask = "workflow: waits\ntriggers: [{ manual: {} }]\nsteps: [{ id: a, approval: { ask: 'Go?', within: 4h } }]\n";
    stage.enable(ask, "contoso").await;
    stage.keep(CALLED, "shared").await;
    let (_, said) = apply(&stage, &[CALLED], json!({ "unnamed": "disable" })).await;
    assert_eq!(changes(&said), [("called", "new"), ("waits", "disabled")]);
    let (status, _) = stage.owners("POST", "/api/v1/workflows/waits/runs?tenant=contoso", Some(json!({}))).await;
    assert_eq!(status, 201);
    let (status, said) = apply(&stage, &[CALLER, CALLED], json!({ "unnamed": "remove" })).await;
    assert_eq!((status, said["type"].as_str()), (409, Some("urn:sortie:problem:in-use")), "{said}");
    assert!(said["detail"].as_str().unwrap().contains("1 run that has not ended of workflow waits"), "{said}");
    let (_, kept) = stage.owners("GET", "/api/v1/workflows?tenant=contoso", None).await;
    assert!(!kept.to_string().contains("caller"), "all of it or nothing: {kept}");
    let run = stage.runs().await[0]["id"].as_str().unwrap().to_owned();
    stage.owners("POST", &format!("/api/v1/runs/{run}/cancel"), None).await;
    stage.settle().await;
    let (_, said) = apply(&stage, &[CALLED], json!({ "unnamed": "remove" })).await;
    assert_eq!(changes(&said), [("called", "same"), ("waits", "removed")]);
    let (_, kept) = stage.owners("GET", "/api/v1/workflows?tenant=shared", None).await;
    assert_eq!(kept["items"][0]["id"], "called", "what is for all is another tenant's matter");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_is_tried_without_being_kept() {
    let stage = Stage::new().await;
    let text = "workflow: tried
triggers: [{ manual: { inputs: { name: string } } }]
steps:
  - { id: ask, approval: { ask: 'Go?', within: 4h } }
  - { id: act, after: [ask], call: kv/set, with: { name: '{{ inputs.name }}', value: 1 } }
";
    let try_it = |inputs: Value| {
        stage.owners("POST", "/api/v1/dry-runs?tenant=contoso", Some(json!({ "text": text, "inputs": inputs })))
    };
    let (status, said) = try_it(json!({})).await;
    assert_eq!((status.as_u16(), said["detail"].as_str()), (422, Some("the input `name` is missing")));
    let (status, started) = try_it(json!({ "name": "a" })).await;
    assert_eq!(status, 201, "{started}");
    stage.settle().await;
    let run = &stage.runs().await[0];
    assert_eq!(
        (&run["workflow"], &run["mode"], &run["outcome"]),
        (&json!("tried (not kept)"), &json!("dry"), &json!("succeeded"))
    );
    assert_eq!(run["status"], RunStatus::Ended.word());
    let (_, journal) =
        stage.owners("GET", &format!("/api/v1/runs/{}/journal", run["id"].as_str().unwrap()), None).await;
    assert!(journal.to_string().contains("would_send"), "{journal}");
    assert_eq!(stage.owners("GET", "/api/v1/workflows?tenant=contoso", None).await.1["items"], json!([]));
    assert_eq!(stage.owners("GET", "/api/v1/workflows/tried/versions?tenant=contoso", None).await.0, 404);
}

/// What a call would answer that was not made is not known, and what is computed of it neither. A fault is a fault all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_tried_goes_on_where_only_a_call_would_tell() {
    let stage = Stage::new().await;
    let text = "workflow: tried
triggers: [{ manual: {} }]
steps:
  - { id: ask, approval: { ask: 'Go?', within: 4h } }
  - { id: act, after: [ask], call: kv/set, with: { name: '{{ steps.ask.output.decision }}', value: 1 } }
  - { id: sum, after: [act], set: { is: '{{ steps.act.output.deep.version }}' } }
  - { id: then, after: [sum], when: steps.act.output.deep.version == 1, call: kv/set, with: { name: '{{ steps.sum.output.is }}', value: 2 } }
  - { id: rest, after: [then], wait: { for: '{{ steps.then.output.deep.hours }}' } }
  - { id: each, after: [rest], for_each: steps.act.output.deep.list, steps: [{ id: one, set: { a: 1 } }] }
  - { id: end, after: [each], call: kv/set, with: { name: end, value: 3 } }
output: { done: '{{ steps.act.output.deep.version }}' }
";
    let tried = async |text: &str| {
        let (status, started) =
            stage.owners("POST", "/api/v1/dry-runs?tenant=contoso", Some(json!({ "text": text }))).await;
        assert_eq!(status, 201, "{started}");
        stage.settle().await;
        let path = format!("/api/v1/runs/{}", started["run"].as_str().unwrap());
        let (_, run) = stage.owners("GET", &path, None).await;
        let (_, journal) = stage.owners("GET", &format!("{path}/journal"), None).await;
        let entries = journal["items"].as_array().unwrap().iter().flat_map(|page| page["entries"].as_array().unwrap());
        let would = entries.filter(|entry| entry["happened"] == "would_send");
        let would = would.map(|entry| (entry["step"].clone(), entry["request"].clone())).collect::<Vec<_>>();
        (run["outcome"].clone(), would, journal.to_string())
    };
    let (outcome, would, journal) = tried(text).await;
    assert_eq!(outcome, "succeeded", "{journal}");
    let steps: Vec<&Value> = would.iter().map(|(step, _)| step).collect();
    assert_eq!(steps, ["act", "then", "end"], "{journal}");
    assert_eq!(would[0].1["inputs"]["name"], "approved");
    assert!(would[1].1["untold"].as_str().unwrap().contains("steps.sum.output"), "{journal}");
    assert_eq!(would[2].1["inputs"], json!({ "name": "end", "value": 3 }));
    let fault = "workflow: tried\ntriggers: [{ manual: {} }]\nsteps:\n  - { id: a, set: { list: [] } }\n  - { id: b, after: [a], call: kv/set, with: { name: '{{ steps.a.output.list[3] }}', value: 1 } }\n";
    let (outcome, would, journal) = tried(fault).await;
    assert_eq!((outcome, would.len()), (json!("failed"), 0), "{journal}");
}
