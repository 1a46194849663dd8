//! Every operation of the built-in Microsoft Defender connector, called through the connector against the simulated cloud:
//! with success and an effect that another read shows, without a role, with bad input, and throttled.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]
#![expect(clippy::print_stderr, reason = "the figures belong to the test's answer")]

mod bad;
mod cast;
mod effects;
mod good;
mod shape;
mod stage;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Instant,
};

use serde_json::{Value, json};
use sortie_connector::{Answer, BuildError, CallError, Failure};
use sortie_openapi::{Description, EffectClass, Operation};
use sortie_transport::Delivery;

use crate::{
    bad::{Bad, bad},
    cast::Cast,
    effects::sights,
    good::prepare,
    stage::{Stage, WAIT_MAX, alternatives, audience, json_of},
};

/// The operations that a way of calling has dealt with.
#[derive(Default)]
struct Called(BTreeMap<&'static str, BTreeSet<String>>);

impl Called {
    fn add(&mut self, operation: &Operation) {
        let class = self.0.entry(operation.effect.class.as_str()).or_default();
        assert!(class.insert(operation.id.clone()), "{} was called before", operation.id);
    }

    /// Fails unless it was every operation of the document, counted anew from its text.
    fn are_all(&self, way: &str) {
        let counts: BTreeMap<_, _> = self.0.iter().map(|(class, ids)| (*class, ids.len())).collect();
        let sum: usize = counts.values().sum();
        eprintln!("{way}: {sum} operations: {counts:?}");
        let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("builtin/microsoft-365-defender.yaml");
        let document = std::fs::read_to_string(document).unwrap();
        let wanted: BTreeSet<String> =
            document.lines().filter_map(|line| line.trim().strip_prefix("operationId: ")).map(str::to_owned).collect();
        let called: BTreeSet<String> = self.0.values().flatten().cloned().collect();
        assert_eq!(wanted.symmetric_difference(&called).collect::<Vec<_>>(), Vec::<&String>::new(), "{way}");
        assert_eq!(sum, OPERATION_COUNT, "{way}");
    }
}

/// Roles that Microsoft's page lists beside the least one, and that do not suffice: the page of `StopAndQuarantineFile`
/// names the roles of reading a device as well, and the cloud takes its sentence "Stop And Quarantine" at its word.
const NOT_SUFFICIENT: &[(&str, &str)] =
    &[("quarantine-file", "Machine.Read.All"), ("quarantine-file", "Machine.ReadWrite.All")];

#[tokio::test(flavor = "multi_thread")]
async fn each_operation_succeeds_with_each_of_its_roles_and_its_effect_shows_elsewhere() {
    let stage = Stage::start().await;
    let cast = Cast::gather(&stage).await;
    let mut called = Called::default();
    let (mut turns, mut shown) = (0, 0);
    for operation in &stage.description.operations {
        let id = operation.id.as_str();
        for (turn, roles) in alternatives(operation).iter().enumerate() {
            let actor = stage.with_roles(operation, roles).await;
            let call = prepare(&stage, &cast, id, &actor, turn).await;
            if NOT_SUFFICIENT.contains(&(id, roles[0])) {
                let refused = stage.call(&actor, id, &call.inputs).await;
                is_refusal(&stage.description, operation, &refused, &[403]);
                continue;
            }
            let is_safe = operation.effect.class == EffectClass::Safe;
            if !is_safe {
                all_seen(&stage, &cast, (id, &call), false, "before the call").await;
            }
            let answer = stage.call(&actor, id, &call.inputs).await;
            let answer = answer.unwrap_or_else(|error| panic!("{id} as {roles:?} with {}: {error}", call.inputs));
            is_as_described(&stage.description, operation, &answer);
            if !is_safe {
                stage.advance(settle_s(id)).await;
                shown += all_seen(&stage, &cast, (id, &call), true, "after the call").await;
            }
            turns += 1;
        }
        called.add(operation);
    }
    eprintln!("{turns} calls with one set of roles each; {shown} sights of their effects");
    called.are_all("success");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_role_each_operation_is_refused() {
    let stage = Stage::start().await;
    let cast = Cast::gather(&stage).await;
    let mut called = Called::default();
    let nobody = stage.cloud.application(&[]).await;
    for operation in &stage.description.operations {
        let id = operation.id.as_str();
        let call = prepare(&stage, &cast, id, stage.reader(), 0).await;
        let refused = stage.call(&nobody, id, &call.inputs).await;
        is_refusal(&stage.description, operation, &refused, &[403]);
        assert!(refused.unwrap_err().remedy().contains("right to this operation"), "{id}");
        if operation.effect.class != EffectClass::Safe {
            stage.advance(settle_s(id)).await;
            all_seen(&stage, &cast, (id, &call), false, "after the refusal").await;
        }
        called.add(operation);
    }
    called.are_all("a missing role");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_in_the_words_of_the_api_or_before_it_is_sent() {
    let stage = Stage::start().await;
    let cast = Cast::gather(&stage).await;
    let (mut called, mut unbuilt) = (Called::default(), Vec::new());
    for operation in &stage.description.operations {
        let id = operation.id.as_str();
        match bad(&cast, operation) {
            Bad::Refused(inputs) => {
                let refused = stage.call(stage.reader(), id, &inputs).await;
                is_refusal(&stage.description, operation, &refused, &[400, 404]);
            }
            Bad::Unbuilt(inputs) => {
                is_not_sent(&stage, id, &inputs).await;
                unbuilt.push(id.to_owned());
            }
        }
        let misspelt = is_not_sent(&stage, id, &json!({ "nope": 1 })).await;
        assert!(matches!(misspelt, BuildError::Unknown { .. } | BuildError::Missing { .. }), "{id}: {misspelt:?}");
        called.add(operation);
    }
    eprintln!("refused by ourselves alone: {unbuilt:?}");
    assert_eq!(unbuilt.len(), 7);
    called.are_all("bad input");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_operation_does_nothing_and_goes_through_when_it_may() {
    let stage = Stage::start().await;
    let cast = Cast::gather(&stage).await;
    let mut called = Called::default();
    let actor = stage.of_all_roles().await;
    for operation in &stage.description.operations {
        let id = operation.id.as_str();
        let call = prepare(&stage, &cast, id, &actor, 0).await;
        let is_safe = operation.effect.class == EffectClass::Safe;
        let before = by_status(&stage.calls(&actor).await);

        // The service asks for more than the policy waits: one attempt, and nothing was done.
        let fault = throttle(&stage, &actor.client_id, operation, json!(3600)).await;
        let start = Instant::now();
        let refused = stage.call(&actor, id, &call.inputs).await;
        assert!(start.elapsed() < WAIT_MAX, "{id} waited {:?}", start.elapsed());
        is_refusal(&stage.description, operation, &refused, &[429]);
        assert_eq!(refused.unwrap_err().delivery(), Delivery::Refused, "{id}");
        stage.cloud.delete(&format!("/faults/{fault}"), None).await;
        let between = by_status(&stage.calls(&actor).await);
        assert_eq!(grown(&before, &between), BTreeMap::from([(429, 1)]), "{id}");
        if !is_safe {
            stage.advance(settle_s(id)).await;
            all_seen(&stage, &cast, (id, &call), false, "after the refusal").await;
        }

        // It asks for a moment: that is waited for, and the second attempt does it, once.
        let fault = throttle(&stage, &actor.client_id, operation, json!("0.1")).await;
        let start = Instant::now();
        let answer = stage.call(&actor, id, &call.inputs).await.unwrap_or_else(|error| panic!("{id}: {error}"));
        assert!(start.elapsed().as_millis() >= 100, "{id} waited {:?}", start.elapsed());
        stage.cloud.delete(&format!("/faults/{fault}"), None).await;
        let after = by_status(&stage.calls(&actor).await);
        let expected = BTreeMap::from([(429, 1), (u64::from(answer.status), 1)]);
        assert_eq!(grown(&between, &after), expected, "{id}");
        if !is_safe {
            stage.advance(settle_s(id)).await;
            all_seen(&stage, &cast, (id, &call), true, "after the repetition").await;
        }
        called.add(operation);
    }
    called.are_all("throttled");
}

/// Asserts that all reads show the effect, or none; how many they are.
async fn all_seen(stage: &Stage, cast: &Cast, (id, call): (&str, &good::Call), seen: bool, when: &str) -> usize {
    let sights = sights(stage, cast, id, call).await;
    for sight in &sights {
        assert_eq!(sight.seen, seen, "{id} with {}: seen through {} {when}", call.inputs, sight.through);
    }
    sights.len()
}

/// Asserts a status that is documented, a body of the documented shape, and a list that is not empty.
#[track_caller]
fn is_as_described(description: &Description, operation: &Operation, answer: &Answer) {
    let id = &operation.id;
    let status = answer.status.to_string();
    let (_, output) = operation
        .successes()
        .find(|(known, _)| *known == "2XX" || *known == status)
        .unwrap_or_else(|| panic!("{id}: {status} is not described"));
    let body = json_of(answer);
    let Some(schema) = output.contents.first().and_then(|content| content.schema.as_ref()) else { return };
    let findings = shape::findings(description, schema, &body);
    assert!(findings.is_empty(), "{id}: {findings:#?}");
    let list = ["value", "data"].iter().find_map(|name| body[*name].as_array());
    let is_empty = list.is_some_and(Vec::is_empty) || body == json!({});
    assert_eq!(is_empty, EMPTY.contains(&id.as_str()), "{id}: {body}");
}

/// Asserts a refusal with one of the statuses, in the shape of the operation's API.
#[track_caller]
fn is_refusal(description: &Description, operation: &Operation, outcome: &Result<Answer, CallError>, statuses: &[u16]) {
    let id = &operation.id;
    let Err(CallError::Failed(failure)) = outcome else { panic!("{id}: {outcome:?}") };
    assert!(statuses.contains(&failure.status), "{id}: {failure}");
    assert_eq!(outcome.as_ref().unwrap_err().delivery(), Delivery::Refused, "{id}");
    assert!(failure.message.as_ref().is_some_and(|message| !message.is_empty()), "{id}: {failure:?}");
    let body = json_of(&failure.answer);
    let status = failure.status.to_string();
    let output = operation.outputs.get(&status).or_else(|| operation.outputs.get("default")).unwrap();
    if let Some(schema) = output.contents.first().and_then(|content| content.schema.as_ref()) {
        let findings = shape::findings(description, schema, &body);
        assert!(findings.is_empty(), "{id}: {findings:#?}");
    }
    if failure.status == 403 {
        is_about_roles(operation, failure, &body);
    }
    if failure.status == 429 {
        assert!(failure.answer.header("retry-after").is_some(), "{id}: {failure:?}");
    }
    match audience(operation) {
        "cloudapps" => assert!(body["detail"].is_string(), "{id}: {body}"),
        "graph" => assert!(body["error"]["code"].is_string(), "{id}: {body}"),
        _ => {
            assert!(body["error"]["code"].is_string(), "{id}: {body}");
            assert_eq!(body["error"]["target"].as_str().map(str::len), Some(36), "{id}: {body}");
        }
    }
}

/// Asserts the words for a missing role.
#[track_caller]
fn is_about_roles(operation: &Operation, failure: &Failure, body: &Value) {
    let (id, message) = (&operation.id, failure.message.as_deref().unwrap_or_default());
    match (audience(operation), operation.path.starts_with("/v1.0/users")) {
        ("cloudapps", _) => assert!(message.contains("permission"), "{id}: {message}"),
        (_, true) => assert_eq!(body["error"]["code"], "Authorization_RequestDenied", "{id}"),
        _ => {
            assert_eq!(body["error"]["code"], "Forbidden", "{id}");
            for role in alternatives(operation).into_iter().flatten() {
                if !NOT_SUFFICIENT.contains(&(id, role)) {
                    assert!(message.contains(role), "{id} does not name {role}: {message}");
                }
            }
        }
    }
}

/// Asserts that our own builder refuses, and that nothing reached the service.
async fn is_not_sent(stage: &Stage, id: &str, inputs: &Value) -> BuildError {
    let before = by_status(&stage.calls(stage.reader()).await);
    let refused = stage.call(stage.reader(), id, inputs).await.map(|answer| answer.status);
    let error = refused.expect_err("inputs like these make no request");
    assert_eq!(error.delivery(), Delivery::NotSent, "{id}");
    assert_eq!(by_status(&stage.calls(stage.reader()).await), before, "{id}");
    let CallError::Build(error) = error else { panic!("{id}: {error}") };
    error
}

/// Orders one 429 for the operation's next call of this application.
async fn throttle(stage: &Stage, client_id: &str, operation: &Operation, retry_after: Value) -> u64 {
    let service = if audience(operation) == "cloudapps" { "mdca" } else { audience(operation) };
    let order = json!({
        "kind": "too_many_requests", "service": service, "method": operation.method.as_str(), "app_id": client_id,
        "retry_after": retry_after, "times": 1,
    });
    stage.cloud.post("/faults", &order).await["id"].as_u64().unwrap()
}

fn by_status(calls: &[(u64, u64)]) -> BTreeMap<u64, u64> {
    let mut counts = BTreeMap::new();
    calls.iter().for_each(|(status, count)| *counts.entry(*status).or_insert(0) += count);
    counts
}

fn grown(before: &BTreeMap<u64, u64>, after: &BTreeMap<u64, u64>) -> BTreeMap<u64, u64> {
    let more = |status: &u64, count: &u64| count - before.get(status).copied().unwrap_or(0);
    after.iter().map(|(status, count)| (*status, more(status, count))).filter(|(_, count)| *count > 0).collect()
}

/// Longer than any order to a device takes here. A cancellation is there at once, and its order must still be open.
fn settle_s(id: &str) -> u32 {
    if id == "cancel-device-action" { 0 } else { 120 }
}

/// As many as the document had when this was written.
const OPERATION_COUNT: usize = 105;
/// Answers that tell nothing by their shape: success is all they say.
const EMPTY: &[&str] = &["send-activity-feedback"];
