//! The workflows of the gallery, and others that use every kind of step, with what the cloud must have seen of each in the end.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use sortie_defender::normal;

use crate::stage::Stage;

/// A workflow and what becomes of it.
pub(crate) struct Scenario {
    pub name: &'static str,
    pub text: &'static str,
    /// Workflows that it calls.
    pub others: &'static [&'static str],
    pub outcome: &'static str,
    /// How many effects the cloud has seen, with the calls among them that may be made again without harm.
    pub effects: usize,
    /// Of those, such calls.
    pub calls: usize,
    /// Whether a crash can leave a doubt that only a person settles.
    pub may_ask: bool,
    /// An effect that a crash can lose: a message to people leaves once at most.
    pub may_lose: Option<&'static str>,
    /// How the cloud's devices carry out what they are told, where not as usual.
    pub pace: Option<&'static str>,
}

/// What a scenario acts on.
pub(crate) struct Subject {
    pub inputs: Value,
    pub trigger: Value,
    incident: String,
    devices: Vec<String>,
    /// What was there before.
    before: BTreeMap<String, usize>,
}

impl Scenario {
    pub(crate) async fn subject(&self, stage: &Stage) -> Subject {
        if let Some(pace) = self.pace {
            stage.cloud.put("/world/actions", &serde_json::from_str(pace).unwrap()).await;
        }
        let incidents = stage.call("list-incidents", json!({ "$top": 1 })).await;
        let incident = incidents["value"][0]["id"].as_str().unwrap().to_owned();
        let devices =
            stage.call("list-devices", json!({ "$filter": "onboardingStatus eq 'Onboarded'", "$top": 3 })).await;
        let devices: Vec<String> = devices["value"]
            .as_array()
            .unwrap()
            .iter()
            .map(|device| device["id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(devices.len(), 3);
        let whole = stage.call("get-incident", json!({ "id": incident, "$expand": "alerts" })).await;
        let trigger = json!({ "kind": "manual", "incident": normal::incident(&whole) });
        let inputs = json!({
            "incident": incident, "device": devices[0], "devices": devices, "hold": "1h",
            "user": trigger["incident"]["users"][0]["azureAdUserId"], "body": "look: hxxps://paket-zoll[.]example/login",
        });
        let mut subject = Subject { inputs, trigger, incident, devices, before: BTreeMap::new() };
        subject.before = subject.seen(stage).await;
        subject
    }
}

impl Subject {
    /// Effects since then, by what they are and on what.
    pub(crate) async fn effects(&self, stage: &Stage) -> BTreeMap<String, usize> {
        let mut seen = self.seen(stage).await;
        for (effect, count) in &self.before {
            *seen.entry(effect.clone()).or_default() -= count;
        }
        seen.retain(|_, count| *count > 0);
        seen
    }

    async fn seen(&self, stage: &Stage) -> BTreeMap<String, usize> {
        let mut seen = BTreeMap::new();
        let actions = stage.call("list-device-actions", json!({ "$top": 1000 })).await;
        for action in actions["value"].as_array().unwrap() {
            let machine = action["machineId"].as_str().unwrap();
            if self.devices.iter().any(|device| device == machine) {
                *seen.entry(format!("{} {machine}", action["type"].as_str().unwrap())).or_default() += 1;
                if action["status"] == "Cancelled" {
                    seen.insert(format!("cancelled {}", action["id"]), 1);
                }
            }
        }
        for call in stage.cloud.get("/counters").await["calls"].as_array().unwrap() {
            let effect = match (call["route"].as_str().unwrap(), call["method"].as_str().unwrap()) {
                (route, _) if route.ends_with("/cancel") => "calls to cancel",
                (_, "PATCH") => "calls to change incidents and alerts",
                (route, _) if route.ends_with("/tags") => "calls to tag",
                (route, "POST") if route.ends_with("/revokeSignInSessions") => {
                    // Once or twice, they are over.
                    seen.insert("calls to end sessions".to_owned(), 1);
                    continue;
                }
                _ => continue,
            };
            let count = call["count"].as_u64().filter(|_| call["status"] != 429);
            *seen.entry(effect.to_owned()).or_default() += usize::try_from(count.unwrap_or_default()).unwrap();
        }
        let incident = stage.call("get-incident", json!({ "id": self.incident })).await;
        for comment in incident["comments"].as_array().into_iter().flatten() {
            let text = comment["comment"].as_str().unwrap_or_default();
            let text = text.split(" [sortie:").next().unwrap_or_default();
            // Each run has an address of its own.
            let text: Vec<&str> = text.split(' ').filter(|word| !word.starts_with("sortie:run/")).collect();
            let text = text.join(" ");
            *seen.entry(format!("comment {text}")).or_default() += 1;
        }
        for device in &self.devices {
            let device = stage.call("get-device", json!({ "id": device })).await;
            for tag in device["machineTags"].as_array().into_iter().flatten() {
                *seen.entry(format!("tag {tag} {}", device["id"])).or_default() += 1;
            }
        }
        let counted = stage.store.value(stage.tenant, "counted").await.unwrap();
        if let Some(counted) = counted {
            seen.insert("counted".to_owned(), counted.value.parse().unwrap());
        }
        seen
    }
}

/// A workflow of the gallery.
const fn gallery(name: &'static str, text: &'static str, effects: usize, calls: usize) -> Scenario {
    let (others, outcome, may_ask, may_lose, pace) = (&[], "succeeded", false, None, None);
    Scenario { name, text, others, outcome, effects, calls, may_ask, may_lose, pace }
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    gallery("contain_risky_device", include_str!("../../../../gallery/contain-risky-device.yaml"), 4, 0),
    gallery("disable_user", include_str!("../../../../gallery/disable-user.yaml"), 3, 2),
    gallery("enrich_incident", include_str!("../../../../gallery/enrich-incident.yaml"), 1, 0),
    gallery("phishing_triage", include_str!("../../../../gallery/phishing-triage.yaml"), 2, 1),
    Scenario {
        name: "contain",
        text: "\
workflow: contain
triggers: [{ manual: { inputs: { device: string, incident: string } } }]
steps:
  - id: machine
    call: microsoft-365-defender/get-device
    with: { id: '{{ inputs.device }}' }
  - id: isolate
    after: [machine]
    call: microsoft-365-defender/isolate-device
    with: { id: '{{ steps.machine.output.id }}', Comment: contained, IsolationType: Full }
    await: true
  - id: note
    after: [isolate]
    call: microsoft-365-defender/comment-incident
    with: { id: '{{ inputs.incident }}', comment: 'isolated: {{ steps.isolate.output.status }}' }
output: { status: '{{ steps.isolate.output.status }}' }
",
        others: &[],
        outcome: "succeeded",
        effects: 2,
        calls: 0,
        may_ask: false,
        may_lose: None,
        pace: None,
    },
    Scenario {
        name: "ask_and_release",
        text: "\
workflow: ask-and-release
triggers: [{ manual: { inputs: { device: string, incident: string } } }]
steps:
  - id: ask
    approval: { ask: 'Isolate {{ inputs.device }}?', roles: [responder], within: 4h }
  - id: isolate
    after: [ask]
    call: microsoft-365-defender/isolate-device
    with: { id: '{{ inputs.device }}', Comment: contained, IsolationType: Full }
    await: true
    timeout: 2h
  - id: rest
    after: [isolate]
    wait: { for: 8h }
  - id: again
    after: [rest]
    approval: { ask: 'Release it?', within: 1h }
  - id: release
    after: [again]
    call: microsoft-365-defender/release-device
    with: { id: '{{ inputs.device }}', Comment: released }
    await: true
output: { by: '{{ steps.ask.output.by }}', status: '{{ steps.release.output.status }}' }
",
        others: &[],
        outcome: "succeeded",
        effects: 2,
        calls: 0,
        may_ask: false,
        may_lose: None,
        pace: None,
    },
    Scenario {
        name: "loops",
        text: "\
workflow: loops
triggers: [{ manual: { inputs: { devices: list } } }]
steps:
  - id: each
    for_each: inputs.devices
    as: device
    parallel: 2
    steps:
      - id: machine
        call: microsoft-365-defender/get-device
        with: { id: '{{ device }}' }
      - id: scan
        after: [machine]
        when: index != 1
        call: microsoft-365-defender/scan-device
        with: { id: '{{ steps.machine.output.id }}', Comment: scanned, ScanType: Quick }
      - id: tag
        after: [{ step: scan, accept: [skipped] }]
        call: microsoft-365-defender/tag-device
        with: { id: '{{ device }}', Value: seen, Action: Add }
  - id: names
    after: [each]
    for_each: steps.each.output
    as: row
    set: { name: '{{ row.machine.output.computerDnsName }}', scanned: '{{ row.scan.outcome }}' }
output: { scanned: \"{{ steps.names.output | map(attribute='scanned') | list }}\", count: '{{ steps.each.output | length }}' }
",
        others: &[],
        outcome: "succeeded",
        effects: 8,
        calls: 3,
        may_ask: false,
        may_lose: None,
        pace: None,
    },
    Scenario {
        name: "calls_another",
        text: "\
workflow: calls-another
triggers: [{ manual: { inputs: { incident: string } } }]
steps:
  - id: child
    workflow: notes
    with: { incident: '{{ inputs.incident }}', text: from the parent }
  - id: note
    after: [child]
    call: microsoft-365-defender/comment-incident
    with: { id: '{{ inputs.incident }}', comment: 'child said {{ steps.child.output.said }}' }
output: { said: '{{ steps.child.output.said }}' }
",
        others: &["\
workflow: notes
triggers: [{ workflow: { inputs: { incident: string, text: string } } }]
steps:
  - id: note
    call: microsoft-365-defender/comment-incident
    with: { id: '{{ inputs.incident }}', comment: '{{ inputs.text }}' }
output: { said: '{{ inputs.text }}' }
"],
        outcome: "succeeded",
        effects: 2,
        calls: 0,
        may_ask: false,
        may_lose: None,
        pace: None,
    },
    Scenario {
        name: "computes",
        text: "\
workflow: computes
triggers: [{ manual: { inputs: { incident: string } } }]
vars: { greeting: hello }
steps:
  - id: a
    set: { n: '{{ [1, 2, 3] | sum }}', text: '{{ vars.greeting }}' }
  - id: script
    after: [a]
    code: 'export default (ctx) => ctx'
    with: { n: '{{ steps.a.output.n }}' }
  - id: digest
    after: [a]
    call: data/hash
    with: { text: '{{ steps.a.output.text }}', algorithm: sha256 }
  - id: pause
    after: [script, digest]
    wait: { for: \"{{ steps.script.output.n }}m\" }
  - id: answer
    after: [pause]
    respond: { digest: '{{ steps.digest.output }}', n: '{{ steps.script.output.n }}' }
  - id: note
    after: [answer]
    call: microsoft-365-defender/comment-incident
    with: { id: '{{ inputs.incident }}', comment: done }
  - id: end
    after: [note]
    stop: { outcome: succeeded, message: 'ended with {{ steps.a.output.n }}' }
  - id: never
    after: [end]
    wait: { for: 1h }
",
        others: &[],
        outcome: "succeeded",
        effects: 1,
        calls: 0,
        may_ask: false,
        may_lose: None,
        pace: None,
    },
    Scenario {
        name: "handles_failure",
        text: "\
workflow: handles-failure
triggers: [{ manual: { inputs: { incident: string } } }]
steps:
  - id: wrong
    call: microsoft-365-defender/get-device
    with: { id: nobody }
  - id: skipped
    after: [wrong]
    call: microsoft-365-defender/comment-incident
    with: { id: '{{ inputs.incident }}', comment: never }
  - id: rescue
    after: [wrong]
    run: on_failure
    call: microsoft-365-defender/comment-incident
    with: { id: '{{ inputs.incident }}', comment: 'failed: {{ steps.wrong.error.status }}' }
  - id: always
    after: [skipped, rescue]
    run: always
    call: microsoft-365-defender/comment-incident
    with: { id: '{{ inputs.incident }}', comment: 'rescue {{ steps.rescue.outcome }}' }
",
        others: &[],
        outcome: "failed",
        effects: 2,
        calls: 0,
        may_ask: false,
        may_lose: None,
        pace: None,
    },
    Scenario {
        name: "counts",
        text: "\
workflow: counts
triggers: [{ manual: { inputs: { incident: string } } }]
steps:
  - id: count
    call: kv/increment
    with: { name: counted }
",
        others: &[],
        outcome: "succeeded",
        effects: 1,
        calls: 0,
        may_ask: true,
        may_lose: None,
        pace: None,
    },
    Scenario {
        name: "tells_people",
        text: "\
workflow: tells-people
triggers: [{ manual: { inputs: { incident: string } } }]
steps:
  - id: words
    set: { said: of course }
  - id: ask
    approval:
      ask: 'Comment on {{ inputs.incident }}?'
      within: 4h
      notify:
        operation: microsoft-365-defender/comment-incident
        with: { id: '{{ inputs.incident }}', comment: asked }
  - id: note
    after: [words, ask]
    call: microsoft-365-defender/comment-incident
    with: { id: '{{ inputs.incident }}', comment: 'allowed: {{ steps.words.output.said }}' }
",
        others: &[],
        outcome: "succeeded",
        effects: 2,
        calls: 0,
        may_ask: false,
        may_lose: Some("comment asked"),
        pace: None,
    },
    Scenario {
        name: "overwrites",
        text: "\
workflow: overwrites
triggers: [{ manual: { inputs: { device: string, incident: string } } }]
steps:
  - id: take
    call: microsoft-365-defender/update-incident
    with: { id: '{{ inputs.incident }}', status: inProgress, customTags: [seen, taken] }
  - id: tag
    call: microsoft-365-defender/tag-device
    with: { id: '{{ inputs.device }}', Value: seen, Action: Add }
  - id: untag
    after: [tag]
    call: microsoft-365-defender/tag-device
    with: { id: '{{ inputs.device }}', Value: seen, Action: Remove }
output: { status: '{{ steps.take.output.status }}', tags: '{{ steps.take.output.customTags }}' }
",
        others: &[],
        outcome: "succeeded",
        effects: 3,
        calls: 3,
        may_ask: false,
        may_lose: None,
        pace: None,
    },
    Scenario {
        name: "calls_off",
        text: "\
workflow: calls-off
triggers: [{ manual: { inputs: { device: string, incident: string } } }]
steps:
  - id: isolate
    call: microsoft-365-defender/isolate-device
    with: { id: '{{ inputs.device }}', Comment: contained, IsolationType: Full }
    await: true
    timeout: 10m
    on_timeout: cancel
  - id: note
    after: [isolate]
    run: on_failure
    call: microsoft-365-defender/comment-incident
    with: { id: '{{ inputs.incident }}', comment: 'isolate {{ steps.isolate.outcome }}: {{ steps.isolate.error.what }}' }
",
        others: &[],
        outcome: "failed",
        effects: 4,
        calls: 1,
        may_ask: false,
        may_lose: None,
        pace: Some(r#"{ "next": "pending", "type": "Isolate", "times": 9 }"#),
    },
];
