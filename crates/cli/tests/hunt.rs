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
    let reader = stage.cloud.application(&[("graph", "SecurityAlert.Read.All")]).await;
    let reader = Sortie::connected(PROGRAM, &stage.cloud, &reader).await;
    let refused = reader.run(&["hunt", ALERTS]).await.ended_with(4);
    assert!(refused.stderr.contains("ThreatHunting.Read.All"), "{}", refused.stderr);
}

/// What a fault leaves of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    All,
    EnumsInAnotherCase,
    UnknownEnums,
    BrokenTitles,
    NumbersAsText,
}

/// Faults that cost and repeat no row.
const SURVIVED: &[(&str, Left)] = &[
    ("too_many_requests", Left::All),
    ("server_error", Left::All),
    ("gateway_timeout", Left::All),
    ("slow", Left::All),
    ("reset", Left::All),
    ("cut_body", Left::All),
    ("html", Left::All),
    ("bad_gzip", Left::All),
    ("oversized", Left::All),
    ("token_expired", Left::All),
    ("fails_after_effect", Left::All),
    ("reset_after_effect", Left::All),
    // Without its columns an answer is none, so it is asked for again.
    ("null_lists", Left::All),
    ("numbers_as_strings", Left::NumbersAsText),
    ("wrong_enum_case", Left::EnumsInAnotherCase),
    ("unknown_enum", Left::UnknownEnums),
    ("lone_surrogate", Left::BrokenTitles),
];

/// Faults after which there are no rows, with the exit code and the words that say so.
const SAID: &[(&str, i32, &str)] = &[
    ("hunting_timeout", 1, "filter on Timestamp"),
    ("result_too_large", 1, "--timespan"),
    ("cpu_quota", 7, "exceeded processing resources"),
    ("active_request_already_exists", 1, "already"),
];

/// What happens only to lists of objects with links between their pages, or to the list of actions.
const ELSEWHERE: &[&str] = &[
    "late_index",
    "duplicate_item",
    "foreign_next_link",
    "no_next_link",
    "expand_fails",
    "late_action_listing",
    "alert_updated_between_pages",
    "incident_merged_between_pages",
];

impl Left {
    fn of(self, row: &Value) -> Value {
        let mut row = row.clone();
        match self {
            Self::All => {}
            Self::EnumsInAnotherCase => row["status"] = json!(row["status"].as_str().unwrap().to_uppercase()),
            Self::UnknownEnums => row["status"] = json!("memberOfTomorrow"),
            Self::BrokenTitles => row["title"] = json!(format!("{}\u{fffd}", row["title"].as_str().unwrap())),
            Self::NumbersAsText => row["ReportId"] = json!(row["ReportId"].to_string()),
        }
        row
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_fault_has_its_row_here() {
    let known = TestCloud::start().await.fault_kinds().await;
    let here = SURVIVED.iter().map(|(kind, _)| *kind).chain(SAID.iter().map(|(kind, ..)| *kind));
    assert_eq!(known, here.chain(ELSEWHERE.iter().copied()).map(str::to_owned).collect());
}

impl Stage {
    /// Runs the query while the fault is on; it must have hit.
    async fn throw(&self, (api, service, route): (&str, &str, &str), kind: &str, query: &str) -> Ended {
        let mut fault = json!({ "kind": kind, "service": service, "route": route, "method": "POST", "times": 1 });
        if kind == "slow" {
            fault["delay_ms"] = json!(300);
        }
        self.cloud.post("/faults", &fault).await;
        let ended = self.hunt(&[query, "--api", api, "--jsonl"]).await;
        let hits = self.cloud.get("/faults").await["faults"][0]["hits"].as_u64();
        self.cloud.delete("/faults", None).await;
        assert!(hits > Some(0), "{api} {kind} hit nothing: {}", ended.stderr);
        ended
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fault_costs_or_repeats_a_row() {
    let stage = Stage::start().await;
    // The device tables are all that Defender for Endpoint knows. Some columns have the names that faults look for.
    let query = "DeviceProcessEvents | where FileName startswith 'p' | project Timestamp, DeviceName, title = FileName, \
                 status = ActionType, ReportId | sort by Timestamp asc, ReportId asc";
    for api in APIS {
        let expected = stage.hunt(&[query, "--api", api.0, "--jsonl"]).await.succeeded().json_lines();
        assert!(expected.len() > 20, "{api:?}: {}", expected.len());
        for (kind, left) in SURVIVED {
            let ended = stage.throw(*api, kind, query).await;
            assert_eq!(ended.code, 0, "{api:?} {kind}: {}", ended.stderr);
            let expected: Vec<Value> = expected.iter().map(|row| left.of(row)).collect();
            assert_eq!(ended.json_lines(), expected, "{api:?} {kind}");
        }
        for (kind, code, words) in SAID {
            let ended = stage.throw(*api, kind, query).await.ended_with(*code);
            assert!(ended.stdout.is_empty(), "{api:?} {kind}: {}", ended.stdout);
            assert!(ended.stderr.contains(words), "{api:?} {kind}: {}", ended.stderr);
            assert!(ended.stderr.contains("error: ") && ended.stderr.contains("next:"), "{kind}: {}", ended.stderr);
        }
        eprintln!("{}: {} faults", api.0, SURVIVED.len() + SAID.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_awaited_beyond_the_timeout() {
    let Stage { cloud, sortie } = Stage::start().await;
    let stage = Stage { cloud, sortie: sortie.with("SORTIE_TIMEOUT", "1") };
    let expected = stage.hunt(&[ALERTS, "--jsonl"]).await.succeeded().stdout;
    for (times, code) in [(1, 0), (100, 6)] {
        let fault = json!({ "kind": "slow", "route": APIS[0].2, "times": times, "delay_ms": 60_000 });
        stage.cloud.post("/faults", &fault).await;
        let ended = stage.hunt(&[ALERTS, "--jsonl"]).await.ended_with(code);
        stage.cloud.delete("/faults", None).await;
        assert_eq!(ended.stdout, if code == 0 { &*expected } else { "" });
        assert!(code == 0 || ended.stderr.contains("timed out"), "{}", ended.stderr);
    }
}

/// An answer of some 8 MB, which goes to a file on its way.
const LARGE: &str = "range x from 1 to 60000 step 1 | extend pad = strrep('x', 100)";

#[tokio::test(flavor = "multi_thread")]
async fn a_large_answer_arrives_whole_through_slowness_and_breaks() {
    let stage = Stage::start().await;
    let expected: Vec<u64> = (1..=60_000).collect();
    for kind in ["slow", "cut_body", "reset"] {
        let rows = stage.throw(APIS[0], kind, LARGE).await.succeeded().json_lines();
        let numbers: Vec<u64> = rows.iter().map(|row| row["x"].as_u64().unwrap()).collect();
        assert_eq!(numbers, expected, "{kind}");
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_without_room_for_the_answer_is_named() {
    let Stage { cloud, sortie } = Stage::start().await;
    let folder = sortie.folder().join("small");
    std::fs::create_dir(&folder).unwrap();
    let folder = folder.to_str().unwrap().to_owned();
    let full = |sortie: Sortie| Stage { sortie: sortie.with("TMPDIR", &folder), cloud };
    // Files may not grow beyond a megabyte or two, as the shell counts its blocks.
    let stage = full(sortie.after("ulimit -f 2048"));
    for format in ["--jsonl", "--json", "--csv"] {
        let ended = stage.hunt(&[LARGE, format]).await.ended_with(1);
        check_full(&ended, &folder, "File too large");
    }
    // Small answers need no file.
    assert_eq!(stage.hunt(&["print x = 1", "--jsonl"]).await.succeeded().stdout, "{\"x\":1}\n");
    // A folder that is not there takes no file, either.
    std::fs::remove_dir(&folder).unwrap();
    let ended = stage.hunt(&[LARGE, "--jsonl"]).await.ended_with(1);
    check_full(&ended, &folder, "No such file");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_named() {
    let unshare = ["-rm", "true"];
    if !std::process::Command::new("unshare").args(unshare).status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: this system lets no user mount a small disk (`unshare -rm`)");
        return;
    }
    let Stage { cloud, sortie } = Stage::start().await;
    let folder = sortie.folder().join("disk");
    std::fs::create_dir(&folder).unwrap();
    let folder = folder.to_str().unwrap().to_owned();
    let mount = "exec unshare -rm sh -c 'mount -t tmpfs -o size=2m none \"$TMPDIR\" && exec \"$@\"' sh \"$@\"";
    let stage = Stage { sortie: sortie.with("TMPDIR", &folder).after(mount), cloud };
    let ended = stage.hunt(&[LARGE, "--jsonl"]).await.ended_with(1);
    check_full(&ended, &folder, "No space left");
}

#[cfg(unix)]
#[track_caller]
fn check_full(ended: &Ended, folder: &str, cause: &str) {
    assert!(ended.stdout.is_empty(), "no row is printed as if all were there: {}", ended.stdout);
    let sentence = format!("the large answer cannot be written to the temporary folder {folder}: {cause}");
    assert!(ended.stderr.contains(&sentence), "{}", ended.stderr);
    assert!(ended.stderr.contains(&format!("next:  Make room in {folder}")), "{}", ended.stderr);
    assert!(ended.stderr.contains("TMPDIR"), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 2, "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_100_000_rows_is_said_to_lack_the_rest() {
    let stage = Stage::start().await;
    for (api, ..) in APIS {
        for (asked, printed) in [(99_999, 99_999), (100_001, 100_000)] {
            let query = format!("range x from 1 to {asked} step 1");
            let ended = stage.hunt(&[&query, "--api", api, "--jsonl"]).await.succeeded();
            assert_eq!(ended.stdout.lines().count(), printed, "{api}");
            let note = "leaves out all rows after the first 100000";
            assert_eq!(ended.stderr.contains(note), asked > printed, "{api}: {}", ended.stderr);
            // Only Graph takes a time span.
            assert_eq!(
                ended.stderr.contains("--timespan"),
                asked > printed && *api == "graph",
                "{api}: {}",
                ended.stderr
            );
        }
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
