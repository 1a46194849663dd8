//! The demo's story against what the simulated cloud saw and now holds.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]

use std::time::Instant;

use serde_json::Value;
use sortie_testkit::{Leaks, Sortie};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sortie");

#[tokio::test(flavor = "multi_thread")]
async fn the_story_of_three_seeds_is_what_happened() {
    let mut worlds = Vec::new();
    for seed in ["1", "2", "77"] {
        let evidence = told_and_done(seed).await;
        worlds.push(evidence["truth"]["tenants"][0]["people"].clone());
    }
    worlds.dedup();
    assert_eq!(worlds.len(), 3, "another seed is another company");
}

async fn told_and_done(seed: &str) -> Value {
    let sortie = Sortie::new(PROGRAM, &Leaks::default());
    let start = Instant::now();
    let story = sortie.run(&["demo", "--yes", "--seed", seed, "--evidence", "evidence.json"]).await.succeeded();
    assert!(start.elapsed().as_secs() < 60, "a demo that takes this long shows nothing");
    let evidence = std::fs::read_to_string(sortie.folder().join("evidence.json")).unwrap();
    let evidence: Value = serde_json::from_str(&evidence).unwrap();
    let client_id = evidence["clientId"].as_str().unwrap();

    // A token was issued to the application that the story names, and carries the roles that were granted.
    assert!(calls(&evidence, client_id, "POST", "/{tenant}/oauth2/v2.0/token", 200) >= 1);
    assert!(story.stdout.contains(client_id));
    let grants = evidence["directory"]["tenants"][0]["grants"].as_array().unwrap();
    let granted: Vec<&str> = grants
        .iter()
        .filter(|grant| grant["clientAppId"] == client_id)
        .filter_map(|grant| grant["role"].as_str())
        .collect();
    let graph = ["SecurityIncident.ReadWrite.All", "SecurityAlert.ReadWrite.All", "ThreatHunting.Read.All"];
    assert_eq!(granted, [&graph[..], &["Machine.Read.All", "Machine.Isolate"]].concat());
    assert!(story.stdout.contains(&graph.join(", ")), "the token's roles are told: {}", story.stdout);

    // Incidents were read, the worst one was changed once, and its comment is there.
    let tenant = &evidence["truth"]["tenants"][0];
    let incidents = tenant["incidents"].as_array().unwrap();
    assert!(story.stdout.contains(&format!("{} incidents", incidents.len())), "{}", story.stdout);
    let worst: u64 = evidence["incident"].as_str().unwrap().parse().unwrap();
    let incident = incidents.iter().find(|incident| incident["id"] == worst).unwrap();
    assert_eq!(incident["status"], "inProgress");
    assert_eq!(incident["assignedTo"], "soc@sortie.example");
    let comments: Vec<&str> =
        incident["comments"].as_array().unwrap().iter().filter_map(|c| c["comment"].as_str()).collect();
    assert_eq!(
        comments.iter().filter(|text| **text == "Triage started by the Sortie demo.").count(),
        1,
        "{comments:?}"
    );
    let alerts = incident["alerts"].as_array().unwrap();
    let remark = format!("Part of incident {worst}.");
    let remarks = alerts
        .iter()
        .flat_map(|alert| alert["comments"].as_array().unwrap())
        .filter(|c| c["comment"] == remark.as_str());
    assert_eq!(remarks.count(), 1);
    let effects = evidence["counters"]["effects"].as_array().unwrap();
    let patches: u64 = effects.iter().map(|effect| effect["patches"].as_u64().unwrap()).sum();
    let comments: u64 = effects.iter().map(|effect| effect["comments"].as_u64().unwrap()).sum();
    // One of the incident, one of its alert, two of the workflow.
    assert_eq!((patches, comments), (1, 4));

    hunted_and_contained(&evidence, &story.stdout);
    evidence
}

fn hunted_and_contained(evidence: &Value, story: &str) {
    let client_id = evidence["clientId"].as_str().unwrap();
    let tenant = &evidence["truth"]["tenants"][0];
    // Two queries were run, and the device was isolated exactly once and released.
    assert_eq!(calls(evidence, client_id, "POST", "/v1.0/security/runHuntingQuery", 200), 2);
    let device =
        tenant["machines"].as_array().unwrap().iter().find(|device| device["id"] == evidence["device"]).unwrap();
    let done: Vec<(&str, &str)> = device["actions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|action| action["requestorComment"].as_str().is_some_and(|comment| comment.contains("[sortie:")))
        .map(|action| (action["type"].as_str().unwrap(), action["status"].as_str().unwrap()))
        .collect();
    let once = [("Isolate", "Succeeded"), ("Unisolate", "Succeeded")];
    assert_eq!(done, [once, once].concat(), "by hand, and by the workflow");
    for part in
        ["approved by you", "waits until", "the run has ended: succeeded", "isolated 1, released 1, commented 2"]
    {
        assert!(story.contains(part), "{part}: {}", story);
    }
    assert_eq!(device["isolation"], Value::Null);
    assert!(story.contains("Unisolate  Succeeded"), "{}", story);

    // The missing role was really missing.
    assert_eq!(calls(evidence, client_id, "GET", "/api/incidents", 403), 1);
    assert!(story.contains("Incident.Read.All"));
}

fn calls(evidence: &Value, client_id: &str, method: &str, route: &str, status: u64) -> u64 {
    let calls = evidence["counters"]["calls"].as_array().unwrap();
    let same = |call: &&Value| {
        call["appId"] == client_id && call["method"] == method && call["route"] == route && call["status"] == status
    };
    calls.iter().filter(same).map(|call| call["count"].as_u64().unwrap()).sum()
}
