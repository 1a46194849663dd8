//! The example with which the language introduces itself, from an incident to its comment.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sortie_defender::normal;
use sortie_runner::library::{self, ManualStart};
use sortie_store::{RunStatus, Started};

use crate::{crash::step_on, stage::Stage};

const TEXT: &str = r#"
workflow: contain-risky-device          # id: kebab-case, unique
title: Contain a risky device
tenants: all
triggers:
  - incident:
      on: [created, updated]
      changed: [severity, devices]
      where: incident.severity == "high" and incident.status == "active"
  - manual: { needs: incident }
concurrency: { key: "{{ trigger.incident.id }}", when_busy: queue }
steps:
  - id: devices
    for_each: trigger.incident.devices
    as: device
    parallel: 4
    steps:
      - id: machine
        call: microsoft-365-defender/get-device
        with: { id: "{{ device.mdeDeviceId }}" }
      - id: approve
        after: [machine]
        when: steps.machine.output.riskScore == "High"
        approval:
          ask: "Isolate {{ steps.machine.output.computerDnsName }}?"
          roles: [responder]
          within: 4h
          otherwise: reject
          notify:
            operation: microsoft-365-defender/comment-incident
            with: { id: "{{ trigger.incident.id }}", comment: "somebody is asked about {{ device.deviceDnsName }}" }
      - id: isolate
        after: [approve]
        call: microsoft-365-defender/isolate-device
        with: { id: "{{ steps.machine.output.id }}", IsolationType: Full, Comment: "Contained by {{ run.id }}" }
        await: true
        timeout: 30m
        retry: { attempts: 5, first: 2s, max: 2m }
  - id: note
    after: [devices]
    run: always
    call: microsoft-365-defender/comment-incident
    with:
      id: "{{ trigger.incident.id }}"
      comment: >-
        {{ steps.devices.output | selectattr('isolate.outcome', 'equalto', 'succeeded') | list | length }} device(s) isolated
layout: { devices: [0, 0], note: [1, 0] }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_languages_own_example_isolates_the_risky_devices_of_an_incident() {
    let stage = Stage::start().await;
    let all = stage.call("list-incidents", json!({ "$expand": "alerts", "$top": 50 })).await;
    let shown: Vec<Value> = all["value"].as_array().unwrap().iter().filter_map(normal::incident).collect();
    let risky =
        |one: &Value| one["devices"].as_array().unwrap().iter().filter(|one| one["riskScore"] == "high").count();
    let incident = shown.iter().max_by_key(|one| (risky(one), one["devices"].as_array().unwrap().len())).unwrap();
    let id = stage.keep(TEXT).await;
    let kept = stage.store.workflow(stage.tenant, &id).await.unwrap();
    let start = ManualStart {
        picked: Some(incident.clone()),
        key: "once".to_owned(),
        by: "ana".to_owned(),
        ..ManualStart::default()
    };
    let runner = stage.runner().await;
    let new = library::manual(&kept, start).unwrap();
    assert_eq!(new.object.as_deref(), Some(format!("incident {}", incident["id"].as_str().unwrap()).as_str()));
    let Started::New(run) = runner.start(stage.tenant, new).await.unwrap() else { panic!("it is new") };
    loop {
        runner.serve_until_idle().await;
        if step_on(&stage, &[&runner], run).await.unwrap() {
            break;
        }
    }
    let run = stage.store.run(stage.tenant, run).await.unwrap();
    let lines = stage.journal(&run).await;
    assert_eq!((run.status, run.outcome.as_deref()), (RunStatus::Ended, Some("succeeded")), "{lines:#?}");
    let mut wanted = BTreeSet::new();
    for device in incident["devices"].as_array().unwrap() {
        let machine = stage.call("get-device", json!({ "id": device["mdeDeviceId"] })).await;
        if machine["riskScore"] == "High" {
            wanted.insert(machine["id"].as_str().unwrap().to_owned());
        }
    }
    let isolated: Vec<Value> = stage.actions("Isolate").await;
    let isolated: Vec<&str> = isolated.iter().map(|action| action["machineId"].as_str().unwrap()).collect();
    assert_eq!(isolated.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>(), wanted);
    assert!(!wanted.is_empty() && isolated.len() == wanted.len(), "each once: {isolated:?}");
    let comments = stage.call("get-incident", json!({ "id": incident["id"] })).await["comments"].to_string();
    assert!(comments.contains(&format!("{} device(s) isolated", wanted.len())), "{comments}");
    assert_eq!(comments.matches("somebody is asked about").count(), wanted.len(), "{comments}");
}
