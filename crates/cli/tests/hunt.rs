//! Hunting from the command line: every form of output, every API, every fault.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]
#![expect(clippy::print_stderr, reason = "the figures belong to the test's answer")]

use serde_json::{Value, json};
use sortie_testkit::{Ended, Sortie, TestCloud};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sortie");
const ROLES: &[(&str, &str)] =
    &[("graph", "ThreatHunting.Read.All"), ("xdr", "AdvancedHunting.Read.All"), ("mde", "AdvancedQuery.Read.All")];
const ALERTS: &str = "AlertInfo | project AlertId, Title, Severity | sort by AlertId asc";
const APIS: &[(&str, &str, &str)] = &[
    ("graph", "graph", "/v1.0/security/runHuntingQuery"),
    ("xdr", "xdr", "/api/advancedhunting/run"),
    ("mde", "mde", "/api/advancedqueries/run"),
];

struct Stage {
    cloud: TestCloud,
    sortie: Sortie,
}

impl Stage {
    async fn start() -> Self {
        let cloud = TestCloud::start().await;
        cloud.put("/throttle", &json!({ "mode": "off" })).await;
        let application = cloud.application(ROLES).await;
        let sortie = Sortie::connected(PROGRAM, &cloud, &application).await;
        Self { cloud, sortie }
    }

    async fn hunt(&self, more: &[&str]) -> Ended {
        self.sortie.run(&[&["hunt"], more].concat()).await
    }

    /// The ids of all alerts of the last 30 days that an analyst sees.
    async fn alert_ids(&self) -> Vec<String> {
        let truth = self.cloud.get("/truth").await;
        let incidents = truth["tenants"][0]["incidents"].as_array().unwrap().clone();
        let visible = incidents.into_iter().filter(|one| one["visible"] == true);
        let mut ids: Vec<String> = visible
            .flat_map(|one| one["alerts"].as_array().unwrap().clone())
            .map(|alert| alert["id"].as_str().unwrap().to_owned())
            .collect();
        ids.sort();
        ids
    }
}

/// The tenant's share of processing is used up for longer than anybody waits, whatever the time of day.
async fn used_up(cloud: &TestCloud) {
    let fault = json!({ "kind": "cpu_quota", "seconds": 900, "service": "graph", "method": "POST", "times": 1_000, "route": APIS[0].2 });
    cloud.post("/faults", &fault).await;
}

fn ids(rows: &[Value]) -> Vec<String> {
    rows.iter().map(|row| row["AlertId"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_output_has_every_row() {
    let stage = Stage::start().await;
    let lines = stage.hunt(&[ALERTS, "--jsonl"]).await.succeeded().json_lines();
    let hunted = ids(&lines);
    let truth = stage.alert_ids().await;
    assert!(hunted.len() > 50 && hunted.iter().all(|id| truth.contains(id)), "{} of {}", hunted.len(), truth.len());
    let json: Value = serde_json::from_str(&stage.hunt(&[ALERTS, "--json"]).await.succeeded().stdout).unwrap();
    assert_eq!(json.as_array().unwrap(), &lines);
    let csv = stage.hunt(&[ALERTS, "--csv"]).await.succeeded().stdout;
    assert_eq!(csv.lines().next(), Some("AlertId,Title,Severity"));
    assert_eq!(csv::Reader::from_reader(csv.as_bytes()).records().count(), lines.len());
    let table = stage.hunt(&[ALERTS]).await.succeeded().stdout;
    assert_eq!(table.lines().count(), lines.len() + 1);
    let chart = stage.hunt(&["AlertInfo | summarize count() by Severity", "--chart"]).await.succeeded().stdout;
    assert!(chart.contains('█') && chart.contains("count_"), "{chart}");
    let none = stage.hunt(&["AlertInfo | where Title == 'nothing'"]).await.succeeded();
    assert_eq!(none.stdout.trim(), "The query gives no rows.");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_comes_from_a_file_or_standard_input_with_any_letters() {
    let stage = Stage::start().await;
    let query = "print Word = 'Zürich 東京', Number = 1 + 1, When = datetime(2026-01-02)";
    let file = stage.sortie.folder().join("query.kql");
    std::fs::write(&file, format!("\u{feff}// a comment\n{query}\n")).unwrap();
    let from_file = stage.hunt(&["--file", file.to_str().unwrap(), "--jsonl"]).await.succeeded().json_lines();
    assert_eq!(from_file[0]["Word"], "Zürich 東京");
    assert_eq!(from_file[0]["Number"], 2);
    assert_eq!(from_file[0]["When"], "2026-01-02T00:00:00.0000000Z");
    let piped = stage.sortie.run_with_input(&["hunt", "-", "--jsonl"], query).await.succeeded().json_lines();
    assert_eq!(piped, from_file);
    stage.sortie.run_with_input(&["hunt", "-"], " \n").await.ended_with(2);
    stage.hunt(&["--file", "absent.kql"]).await.ended_with(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_three_apis_answer_alike_and_the_old_ones_say_that_they_go() {
    let stage = Stage::start().await;
    let query = "DeviceInfo | summarize Devices = dcount(DeviceId) by OSPlatform | sort by OSPlatform asc";
    let mut answers = Vec::new();
    for (api, ..) in APIS {
        let ended = stage.hunt(&[query, "--api", api, "--csv"]).await.succeeded();
        assert_eq!(ended.stderr.contains("retiring"), *api != "graph", "{api}: {}", ended.stderr);
        answers.push(ended.stdout);
    }
    assert!(answers[0].lines().count() > 2, "{}", answers[0]);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let only_graph = stage.hunt(&[query, "--api", "xdr", "--timespan", "7d"]).await.ended_with(2);
    assert!(only_graph.stderr.contains("only Microsoft Graph"), "{}", only_graph.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_span_narrows_what_is_seen() {
    let stage = Stage::start().await;
    let count = async |more: &[&str]| {
        let query = [&["AlertInfo | count", "--jsonl"], more].concat();
        stage.hunt(&query).await.succeeded().json_lines()[0]["Count"].as_u64().unwrap()
    };
    let (all, week, hour) =
        (count(&[]).await, count(&["--timespan", "7d"]).await, count(&["--timespan", "PT1H"]).await);
    assert!(all > week && week > hour, "{all} {week} {hour}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_refuses_is_said_with_what_helps() {
    let stage = Stage::start().await;
    for (query, words) in [
        ("AlertInfo | where", "error: "),
        ("NoSuchTable | take 1", "Failed to resolve table"),
        ("AlertInfo | project NoSuchColumn", "Failed to resolve scalar expression named 'NoSuchColumn'"),
    ] {
        let ended = stage.hunt(&[query]).await.ended_with(1);
        assert!(ended.stderr.contains(words) && ended.stderr.contains("next:"), "{query}: {}", ended.stderr);
        assert!(ended.stdout.is_empty(), "{query}: {}", ended.stdout);
    }
    for (kind, code, words) in [("hunting_timeout", 1, "filter on Timestamp"), ("result_too_large", 1, "--timespan")] {
        let fault = json!({ "kind": kind, "service": "graph", "route": APIS[0].2, "method": "POST", "times": 1 });
        stage.cloud.post("/faults", &fault).await;
        let ended = stage.hunt(&[ALERTS]).await.ended_with(code);
        stage.cloud.delete("/faults", None).await;
        assert!(ended.stderr.contains(words), "{kind}: {}", ended.stderr);
    }
    let reader = stage.cloud.application(&[("graph", "SecurityAlert.Read.All")]).await;
    let reader = Sortie::connected(PROGRAM, &stage.cloud, &reader).await;
    let refused = reader.run(&["hunt", ALERTS]).await.ended_with(4);
    assert!(refused.stderr.contains("ThreatHunting.Read.All"), "{}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fault_costs_or_repeats_a_row() {
    let kinds = [
        "too_many_requests",
        "server_error",
        "gateway_timeout",
        "slow",
        "reset",
        "cut_body",
        "html",
        "bad_gzip",
        "token_expired",
    ];
    let stage = Stage::start().await;
    for (api, service, route) in APIS {
        // The device tables are all that Defender for Endpoint knows.
        let query = "DeviceProcessEvents | where FileName startswith 'p' | project Timestamp, DeviceName, FileName, ReportId | sort by Timestamp asc, ReportId asc";
        let expected = stage.hunt(&[query, "--api", api, "--jsonl"]).await.succeeded().stdout;
        assert!(expected.lines().count() > 20, "{api}: {}", expected.lines().count());
        let mut thrown = 0;
        for kind in kinds {
            let mut fault = json!({ "kind": kind, "service": service, "route": route, "method": "POST", "times": 1 });
            if kind == "slow" {
                fault["delay_ms"] = json!(300);
            }
            stage.cloud.post("/faults", &fault).await;
            let ended = stage.hunt(&[query, "--api", api, "--jsonl"]).await;
            let hits = stage.cloud.get("/faults").await["faults"][0]["hits"].as_u64();
            stage.cloud.delete("/faults", None).await;
            assert!(hits > Some(0), "{api} {kind} hit nothing: {}", ended.stderr);
            assert_eq!(ended.code, 0, "{api} {kind}: {}", ended.stderr);
            assert_eq!(ended.stdout, expected, "{api} {kind}");
            thrown += 1;
        }
        eprintln!("{api}: {thrown} faults");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_is_gone_and_bounds_that_are_reached_are_said() {
    let stage = Stage::start().await;
    stage.cloud.put("/hunting", &json!({ "retired": { "xdr": true } })).await;
    let gone = stage.hunt(&["AlertInfo | count", "--api", "xdr"]).await;
    assert!(gone.code != 0 && gone.stderr.contains("--api graph"), "{}", gone.stderr);
    stage.hunt(&["AlertInfo | count"]).await.succeeded();
    stage.cloud.put("/hunting", &json!({ "answerBytesMax": 10_000 })).await;
    let large = stage.hunt(&["DeviceProcessEvents", "--jsonl"]).await.ended_with(1);
    assert!(large.stderr.contains("next:") && large.stderr.contains("project"), "{}", large.stderr);
    assert!(large.stdout.is_empty());
    stage.cloud.put("/hunting", &json!({ "answerBytesMax": 0 })).await;
    used_up(&stage.cloud).await;
    let quota = stage.hunt(&["AlertInfo | count"]).await.ended_with(7);
    assert!(quota.stderr.contains("exceeded processing resources"), "{}", quota.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tenants_of_all_connections_are_asked() {
    let stage = Stage::start().await;
    let other = TestCloud::start().await;
    let application = other.application(ROLES).await;
    let (tenant, client, url) = (other.tenant(), application.client_id.clone(), other.url());
    let sortie = stage.sortie.with("SORTIE_SECOND_SECRET", &application.secret);
    let add = ["connection", "add", "second", "--tenant", &tenant, "--client-id", &client, "--emulator", &url];
    sortie.run(&[&add[..], &["--credential", "env:SORTIE_SECOND_SECRET"]].concat()).await.succeeded();
    let rows = sortie.run(&["hunt", "AlertInfo | count", "--tenant", "all", "--jsonl"]).await.succeeded().json_lines();
    let names: Vec<&str> = rows.iter().map(|row| row["connection"].as_str().unwrap()).collect();
    assert_eq!(names, ["second", "test"]);
    assert!(rows.iter().all(|row| row["document"]["Count"].as_u64() > Some(50)), "{rows:?}");
    // One tenant that cannot be read does not hide the other.
    used_up(&other).await;
    let ended = sortie.run(&["hunt", "AlertInfo | count", "--tenant", "all", "--jsonl"]).await;
    assert_ne!(ended.code, 0);
    assert_eq!(ended.json_lines().len(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("connection `second`"), "{}", ended.stderr);
}
