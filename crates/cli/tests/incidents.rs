//! Incidents and alerts by the command line, against the simulated cloud.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]

use serde_json::{Value, json};
use sortie_testkit::{Sortie, TestCloud};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sortie");
const ALL: &[(&str, &str)] = &[
    ("graph", "SecurityIncident.ReadWrite.All"),
    ("graph", "SecurityAlert.ReadWrite.All"),
    ("xdr", "Incident.ReadWrite.All"),
];

async fn cloud_and_user() -> (TestCloud, Sortie) {
    let cloud = TestCloud::start().await;
    let application = cloud.application(ALL).await;
    let sortie = Sortie::connected(PROGRAM, &cloud, &application).await;
    (cloud, sortie)
}

async fn truth(cloud: &TestCloud) -> Vec<Value> {
    let truth = cloud.get("/truth").await;
    truth["tenants"][0]["incidents"].as_array().unwrap().iter().filter(|one| one["visible"] == true).cloned().collect()
}

async fn incident(cloud: &TestCloud, id: &str) -> Value {
    let id: u64 = id.parse().unwrap();
    truth(cloud).await.into_iter().find(|one| one["id"] == id).unwrap()
}

fn ids(values: &[Value], name: &str) -> Vec<String> {
    let mut ids: Vec<String> =
        values.iter().map(|value| value[name].to_string().trim_matches('"').to_owned()).collect();
    ids.sort();
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn both_apis_list_every_incident_once() {
    let (cloud, sortie) = cloud_and_user().await;
    let expected = ids(&truth(&cloud).await, "id");
    let graph = sortie.run(&["incidents", "list", "--jsonl"]).await.succeeded().json_lines();
    assert_eq!(ids(&graph, "id"), expected);
    let xdr = sortie.run(&["incidents", "list", "--api", "xdr", "--jsonl"]).await.succeeded().json_lines();
    assert_eq!(ids(&xdr, "incidentId"), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_output_has_every_row() {
    let (cloud, sortie) = cloud_and_user().await;
    let count = truth(&cloud).await.len();
    let json = sortie.run(&["incidents", "list", "--json"]).await.succeeded();
    assert_eq!(serde_json::from_str::<Vec<Value>>(&json.stdout).unwrap().len(), count);
    let csv = sortie.run(&["incidents", "list", "--csv"]).await.succeeded();
    assert_eq!(csv.stdout.lines().count(), count + 1);
    assert!(csv.stdout.starts_with("id,severity,status,created,updated,assigned to,title"));
    let table = sortie.run(&["incidents", "list"]).await.succeeded();
    assert_eq!(table.stdout.lines().count(), count + 1);
    assert!(!table.stdout.contains('\u{1b}'), "a pipe gets no colours");
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_are_the_services_own_and_severity_works_in_both_apis() {
    let (cloud, sortie) = cloud_and_user().await;
    let expected =
        truth(&cloud).await.iter().filter(|one| one["severity"] == "high" && one["status"] == "active").count();
    assert!(expected > 0);
    for api in ["graph", "xdr"] {
        let run = ["incidents", "list", "--api", api, "--severity", "HIGH", "--status", "active", "--jsonl"];
        assert_eq!(sortie.run(&run).await.succeeded().json_lines().len(), expected, "{api}");
    }
    let refused = sortie.run(&["incidents", "list", "--severity", "terrible"]).await.ended_with(2);
    assert!(refused.stderr.contains("informational, low, medium, high"), "{}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_can_be_of_one_person_and_of_a_time_in_both_apis() {
    let (cloud, sortie) = cloud_and_user().await;
    let all = truth(&cloud).await;
    let at = |one: &Value, name: &str| one[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let person = all.iter().find_map(|one| one["assignedTo"].as_str()).expect("somebody works on an incident");
    let middle = |name: &str| at(&all[all.len() / 2], name).to_string();
    let (created, updated) = (middle("createdDateTime"), middle("lastUpdateDateTime"));
    let since = |name: &str, text: &str| -> Vec<Value> {
        all.iter().filter(|one| at(one, name) >= text.parse().unwrap()).cloned().collect()
    };
    for (option, value, expected) in [
        ("--assigned-to", person, all.iter().filter(|one| one["assignedTo"] == person).cloned().collect()),
        ("--since", &created, since("createdDateTime", &created)),
        ("--updated-since", &updated, since("lastUpdateDateTime", &updated)),
    ] {
        assert!((1..all.len()).contains(&expected.len()), "{option} {value} picks some and not all");
        for (api, id) in [("graph", "id"), ("xdr", "incidentId")] {
            let listed = sortie.run(&["incidents", "list", "--api", api, option, value, "--jsonl"]).await.succeeded();
            assert_eq!(ids(&listed.json_lines(), id), ids(&expected, "id"), "{option} {value} {api}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_by_one_api_shows_in_the_other() {
    let (cloud, sortie) = cloud_and_user().await;
    let id = truth(&cloud).await.iter().find(|one| one["status"] == "active").unwrap()["id"].to_string();
    let change = [
        "incidents",
        "update",
        &id,
        "--api",
        "xdr",
        "--status",
        "inProgress",
        "--assign",
        "ada@example.test",
        "--classification",
        "falsePositive",
        "--determination",
        "notMalicious",
        "--tag",
        "seen",
        "--comment",
        "looked at it",
        "--json",
    ];
    let xdr: Value = serde_json::from_str(&sortie.run(&change).await.succeeded().stdout).unwrap();
    assert_eq!(xdr["determination"], "Clean");
    let graph: Value =
        serde_json::from_str(&sortie.run(&["incidents", "show", &id, "--json"]).await.succeeded().stdout).unwrap();
    assert_eq!(graph["status"], "inProgress");
    assert_eq!(graph["assignedTo"], "ada@example.test");
    assert_eq!(graph["determination"], "notMalicious");
    assert_eq!(graph["customTags"], json!(["seen"]));
    let comments = graph["comments"].as_array().unwrap();
    assert_eq!(comments.iter().filter(|comment| comment["comment"] == "looked at it").count(), 1);
    sortie.run(&["incidents", "update", &id, "--unassign"]).await.succeeded();
    let after: Value =
        serde_json::from_str(&sortie.run(&["incidents", "show", &id, "--json"]).await.succeeded().stdout).unwrap();
    assert_eq!(after["assignedTo"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merged_incident_leads_on_to_the_one_that_took_it_over() {
    let (cloud, sortie) = cloud_and_user().await;
    let all = truth(&cloud).await;
    let merged = all.iter().find(|one| !one["redirectIncidentId"].is_null()).expect("the world has a merged incident");
    let (from, to) = (merged["id"].to_string(), merged["redirectIncidentId"].to_string());
    for api in ["graph", "xdr"] {
        let shown = sortie.run(&["incidents", "show", &from, "--api", api]).await.succeeded();
        assert!(shown.stdout.contains(&to), "{}", shown.stdout);
        assert!(shown.stderr.contains("was merged"), "{}", shown.stderr);
    }
    sortie.run(&["incidents", "update", &from, "--comment", "on the survivor"]).await.succeeded();
    let survivor = incident(&cloud, &to).await;
    assert!(survivor["comments"].to_string().contains("on the survivor"));
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_are_listed_shown_changed_and_commented() {
    let (cloud, sortie) = cloud_and_user().await;
    let expected: usize = truth(&cloud).await.iter().map(|one| one["alerts"].as_array().unwrap().len()).sum();
    let alerts = sortie.run(&["alerts", "list", "--jsonl"]).await.succeeded().json_lines();
    assert_eq!(alerts.len(), expected);
    let id = alerts[0]["id"].as_str().unwrap();
    let shown = sortie.run(&["alerts", "show", id]).await.succeeded();
    assert!(shown.stdout.contains("EVIDENCE"), "{}", shown.stdout);
    let change = [
        "alerts",
        "update",
        id,
        "--status",
        "resolved",
        "--classification",
        "truePositive",
        "--determination",
        "phishing",
        "--json",
    ];
    let changed: Value = serde_json::from_str(&sortie.run(&change).await.succeeded().stdout).unwrap();
    assert_eq!((changed["status"].as_str(), changed["determination"].as_str()), (Some("resolved"), Some("phishing")));
    let commented = sortie.run(&["alerts", "comment", id, "done here"]).await.succeeded();
    assert!(commented.stdout.contains("done here"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comment_whose_answer_is_lost_is_there_once() {
    let (cloud, sortie) = cloud_and_user().await;
    let id = truth(&cloud).await.iter().find(|one| one["status"] == "active").unwrap()["id"].to_string();
    for (at, kind) in ["reset", "cut_body", "gateway_timeout"].into_iter().enumerate() {
        let fault = json!({ "kind": kind, "service": "graph", "method": "POST", "route": "*/comments", "times": 1 });
        cloud.post("/faults", &fault).await;
        let text = format!("once, whatever happens ({at})");
        sortie.run(&["incidents", "update", &id, "--comment", &text]).await.succeeded();
        let incident = incident(&cloud, &id).await;
        let found = incident["comments"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|comment| comment["comment"] == text.as_str())
            .count();
        assert_eq!(found, 1, "{kind}");
        let hits: u64 = cloud.get("/faults").await.to_string().matches("\"hits\":1").count() as u64;
        assert!(hits > 0, "the fault was thrown");
        cloud.delete("/faults", None).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_ids_and_words_end_with_their_codes() {
    let (_cloud, sortie) = cloud_and_user().await;
    let missing = sortie.run(&["incidents", "show", "999999"]).await.ended_with(5);
    assert!(missing.stderr.contains("next:"), "{}", missing.stderr);
    sortie.run(&["incidents", "show", "../81"]).await.ended_with(2);
    sortie.run(&["alerts", "show", "da1_1"]).await.ended_with(5);
    sortie.run(&["incidents", "update", "81"]).await.ended_with(2);
    sortie.run(&["incidents", "list", "-c", "nobody"]).await.ended_with(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn incidents_that_leave_a_filtered_list_between_two_pages_hide_no_other() {
    let (cloud, sortie) = cloud_and_user().await;
    cloud.put("/throttle", &json!({ "mode": "off" })).await;
    cloud.post("/world/incidents", &json!({ "count": 250 })).await;
    let active = |all: Vec<Value>| all.into_iter().filter(|one| one["status"] == "active").collect::<Vec<_>>();
    let before = active(truth(&cloud).await);
    // The second page waits long enough for somebody to resolve three incidents of the first.
    let slow = json!({ "kind": "slow", "service": "xdr", "method": "GET", "route": "/api/incidents", "after": 1, "delay_ms": 2_500 });
    cloud.post("/faults", &slow).await;
    let list = ["incidents", "list", "--api", "xdr", "--status", "active", "--jsonl"];
    let resolve = async {
        cloud.fault_struck().await;
        let newest =
            sortie.run(&["incidents", "list", "--status", "active", "--limit", "3", "--jsonl"]).await.json_lines();
        for incident in &newest {
            sortie
                .run(&["incidents", "update", incident["id"].as_str().unwrap(), "--status", "resolved"])
                .await
                .succeeded();
        }
    };
    let (listed, ()) = tokio::join!(sortie.run(&list), resolve);
    let listed = ids(&listed.succeeded().json_lines(), "incidentId");
    let after = active(truth(&cloud).await);
    assert!(after.len() + 3 == before.len(), "three were resolved meanwhile");
    for id in ids(&after, "id") {
        assert!(listed.contains(&id), "incident {id} was missed");
    }
}
