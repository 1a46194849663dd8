//! A stream of changes: every change once, whatever the service, the network or a kill does in between.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]
#![expect(clippy::print_stderr, reason = "the figures belong to the test's answer")]

use std::{collections::BTreeMap, fs, path::PathBuf, time::Duration};

use serde_json::{Value, json};
use sortie_testkit::{Ended, Sortie, TestCloud, kill_count};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sortie");
const ROLES: &[(&str, &str)] =
    &[("graph", "SecurityIncident.ReadWrite.All"), ("graph", "SecurityAlert.Read.All"), ("xdr", "Incident.Read.All")];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Incidents,
    IncidentsWithAlerts,
    Xdr,
    Alerts,
}

use Stream::{Alerts, Incidents, IncidentsWithAlerts, Xdr};

const EVERY: &[Stream] = &[Incidents, IncidentsWithAlerts, Xdr, Alerts];

impl Stream {
    fn command(self) -> Vec<&'static str> {
        match self {
            Incidents => vec!["incidents", "watch"],
            IncidentsWithAlerts => vec!["incidents", "watch", "--with-alerts"],
            Xdr => vec!["incidents", "watch", "--api", "xdr"],
            Alerts => vec!["alerts", "watch"],
        }
    }

    fn route(self) -> (&'static str, &'static str) {
        match self {
            Incidents | IncidentsWithAlerts => ("graph", "/v1.0/security/incidents"),
            Xdr => ("xdr", "/api/incidents"),
            Alerts => ("graph", "/v1.0/security/alerts_v2"),
        }
    }
}

struct Stage {
    cloud: TestCloud,
    sortie: Sortie,
    out: PathBuf,
}

/// By id, the versions that were handed on, in order.
type Handed = BTreeMap<String, Vec<String>>;

impl Stage {
    async fn start(further_incidents: usize) -> Self {
        let cloud = TestCloud::start().await;
        cloud.put("/throttle", &json!({ "mode": "off" })).await;
        cloud.post("/world/incidents", &json!({ "count": further_incidents, "spread_s": 86_400 })).await;
        let application = cloud.application(ROLES).await;
        let sortie = Sortie::connected(PROGRAM, &cloud, &application).await;
        let out = sortie.folder().join("changes.jsonl");
        Self { cloud, sortie, out }
    }

    /// One look; the first one goes back so far that everything is seen, and the others go on.
    async fn look(&self, stream: Stream) -> Ended {
        let mut command = stream.command();
        command.extend(["--once", "--since", "90d", "--append", self.out.to_str().unwrap()]);
        self.sortie.run(&command).await
    }

    fn handed(&self) -> Handed {
        let mut handed = Handed::new();
        for line in fs::read_to_string(&self.out).unwrap().lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let text = |name: &str| line[name].as_str().unwrap().to_owned();
            handed.entry(text("id")).or_default().push(text("version"));
        }
        handed
    }

    /// Every object's present version is the last one that was handed on, and none came twice.
    #[track_caller]
    fn check(&self, truth: &BTreeMap<String, String>, what: &str) {
        let handed = self.handed();
        for (id, versions) in &handed {
            let mut distinct = versions.clone();
            distinct.sort();
            distinct.dedup();
            assert_eq!(distinct.len(), versions.len(), "{what}: {id} came twice: {versions:?}");
        }
        let last: BTreeMap<String, String> =
            handed.into_iter().map(|(id, mut versions)| (id, versions.pop().unwrap())).collect();
        let missing: Vec<_> = truth.keys().filter(|id| !last.contains_key(*id)).collect();
        assert!(missing.is_empty(), "{what}: lost {missing:?}");
        assert_eq!(&last, truth, "{what}");
    }

    async fn truth(&self, stream: Stream) -> BTreeMap<String, String> {
        let truth = self.cloud.get("/truth").await;
        let incidents = truth["tenants"][0]["incidents"].as_array().unwrap().clone();
        let visible = incidents.into_iter().filter(|one| one["visible"] == true);
        let objects: Vec<Value> = match stream {
            Alerts => visible.flat_map(|one| one["alerts"].as_array().unwrap().clone()).collect(),
            _ => visible.collect(),
        };
        let id = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let updated = |object: &Value| object["lastUpdateDateTime"].as_str().unwrap().to_owned();
        objects.iter().map(|object| (id(&object["id"]), updated(object))).collect()
    }

    /// Calls of the list so far.
    async fn asked(&self, stream: Stream) -> u64 {
        let counters = self.cloud.get("/counters").await;
        let calls = counters["calls"].as_array().unwrap();
        let of_list = calls.iter().filter(|call| call["route"] == stream.route().1);
        of_list.map(|call| call["count"].as_u64().unwrap()).sum()
    }

    async fn settle_and_check(&self, stream: Stream, what: &str) {
        self.look(stream).await.succeeded();
        self.check(&self.truth(stream).await, what);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_is_handed_on_once_and_in_the_end_all_is_known() {
    for stream in EVERY.iter().copied() {
        let stage = Stage::start(120).await;
        stage.settle_and_check(stream, "at first").await;
        let before = fs::read_to_string(&stage.out).unwrap();
        stage.settle_and_check(stream, "without a change").await;
        assert_eq!(fs::read_to_string(&stage.out).unwrap(), before, "{stream:?}: nothing changed, nothing comes");
        stage.cloud.post("/world/incidents", &json!({ "count": 7, "spread_s": 0 })).await;
        stage.settle_and_check(stream, "after new ones").await;
        let fresh = fs::read_to_string(&stage.out).unwrap().split_off(before.len());
        assert!(fresh.lines().count() >= 7, "{stream:?}: {fresh}");
        assert!(fresh.lines().all(|line| line.contains(r#""change":"created""#)), "{stream:?}: {fresh}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_and_merges_are_told_apart_from_new_ones() {
    let stage = Stage::start(0).await;
    stage.look(Incidents).await.succeeded();
    let incidents =
        stage.sortie.run(&["incidents", "list", "--jsonl", "--status", "active"]).await.succeeded().json_lines();
    let id = |at: usize| incidents[at]["id"].as_str().unwrap();
    stage.sortie.run(&["incidents", "update", id(0), "--status", "inProgress"]).await.succeeded();
    stage
        .cloud
        .post("/world/merge", &json!({ "from": id(1).parse::<u64>().unwrap(), "into": id(2).parse::<u64>().unwrap() }))
        .await;
    let before = fs::metadata(&stage.out).unwrap().len() as usize;
    stage.settle_and_check(Incidents, "after a change and a merge").await;
    let fresh = fs::read_to_string(&stage.out).unwrap().split_off(before);
    let changes: BTreeMap<String, String> = fresh
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|line| (line["id"].as_str().unwrap().to_owned(), line["change"].as_str().unwrap().to_owned()))
        .collect();
    let expected = [(id(0), "updated"), (id(1), "merged"), (id(2), "updated")];
    assert_eq!(changes, expected.map(|(id, change)| (id.to_owned(), change.to_owned())).into());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_indexed_late_is_not_lost() {
    for stream in EVERY.iter().copied() {
        let stage = Stage::start(0).await;
        stage.look(stream).await.succeeded();
        let late = json!({ "visible_in_s": 600, "updated_before_s": 1_500 });
        stage.cloud.post("/world/late", &late).await;
        stage.cloud.post("/world/incidents", &json!({ "count": 3, "spread_s": 0 })).await;
        stage.settle_and_check(stream, "before it shows").await;
        stage.cloud.post("/clock/advance", &json!({ "seconds": 601 })).await;
        stage.settle_and_check(stream, "after it shows").await;
    }
}

/// Where pages have links.
const GRAPH: &[Stream] = &[Incidents, IncidentsWithAlerts, Alerts];

/// Every kind of fault that can meet a stream, and the streams that it can meet.
const KINDS: &[(&str, &[Stream])] = &[
    ("too_many_requests", EVERY),
    ("server_error", EVERY),
    ("gateway_timeout", EVERY),
    ("reset", EVERY),
    ("cut_body", EVERY),
    ("html", EVERY),
    ("bad_gzip", EVERY),
    ("oversized", EVERY),
    ("token_expired", EVERY),
    ("null_lists", EVERY),
    ("numbers_as_strings", EVERY),
    ("lone_surrogate", EVERY),
    ("duplicate_item", EVERY),
    ("late_index", EVERY),
    ("foreign_next_link", GRAPH),
    ("no_next_link", GRAPH),
    ("wrong_enum_case", EVERY),
    ("unknown_enum", EVERY),
    ("slow", EVERY),
    ("expand_fails", &[IncidentsWithAlerts]),
    ("alert_updated_between_pages", EVERY),
    // Alerts are not merged.
    ("incident_merged_between_pages", &[Incidents, IncidentsWithAlerts, Xdr]),
];

/// What happens only to calls that change something, or to queries.
const ELSEWHERE: &[&str] = &[
    "late_action_listing",
    "fails_after_effect",
    "reset_after_effect",
    "active_request_already_exists",
    "hunting_timeout",
    "result_too_large",
    "cpu_quota",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_fault_has_its_row_here() {
    let known = TestCloud::start().await.fault_kinds().await;
    assert_eq!(
        known,
        KINDS.iter().map(|(kind, _)| *kind).chain(ELSEWHERE.iter().copied()).map(str::to_owned).collect()
    );
}

/// A keyset that asks for what is later than the last one of a page would lose the rest of that instant.
#[tokio::test(flavor = "multi_thread")]
async fn more_changes_of_one_instant_than_a_page_holds_are_all_handed_on() {
    for stream in EVERY.iter().copied() {
        let stage = Stage::start(0).await;
        stage.settle_and_check(stream, "at first").await;
        let before = stage.handed().len();
        stage.cloud.post("/world/incidents", &json!({ "count": 130, "same_time": true })).await;
        let asked = stage.asked(stream).await;
        stage.settle_and_check(stream, &format!("{stream:?} after many at once")).await;
        let calls = stage.asked(stream).await - asked;
        assert!(calls <= 10, "{stream:?}: {calls} calls, of the 50 that a minute has, for one burst");
        assert!(stage.handed().len() >= before + 130, "{stream:?}: {} after {before}", stage.handed().len());
        let handed = fs::read_to_string(&stage.out).unwrap();
        stage.settle_and_check(stream, "without a change").await;
        assert_eq!(fs::read_to_string(&stage.out).unwrap(), handed, "{stream:?}: nothing changed, nothing comes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fault_costs_or_repeats_a_change() {
    for stream in EVERY.iter().copied() {
        let stage = Stage::start(match stream {
            Alerts => 20,
            _ => 60,
        })
        .await;
        let (service, route) = stream.route();
        let mut thrown = 0;
        for (kind, _) in KINDS.iter().filter(|(_, streams)| streams.contains(&stream)) {
            // Every round has changes to lose, on the first page or the second.
            stage.cloud.post("/world/incidents", &json!({ "count": 3, "spread_s": 0 })).await;
            let mut fault = json!({ "kind": kind, "service": service, "route": route, "method": "GET", "times": 1 });
            match *kind {
                "slow" => fault["delay_ms"] = json!(200),
                // It stands for a lasting defect.
                "expand_fails" => fault["times"] = json!(1_000),
                _ => {}
            }
            // Links are there only while the list has several pages, as in a new stream.
            if kind.ends_with("next_link") || *kind == "duplicate_item" || kind.ends_with("between_pages") {
                fs::remove_file(&stage.out).unwrap_or_default();
                let _ = fs::remove_dir_all(stage.sortie.folder().join(".local/state"));
            }
            stage.cloud.post("/faults", &fault).await;
            let ended = stage.look(stream).await;
            let hits = stage.cloud.get("/faults").await["faults"][0]["hits"].as_u64().unwrap();
            stage.cloud.delete("/faults", None).await;
            assert!(hits > 0, "{stream:?} {kind} hit nothing\n{}", ended.stderr);
            assert_eq!(ended.code, 0, "{stream:?} {kind}: {}", ended.stderr);
            stage.settle_and_check(stream, &format!("{stream:?} after {kind}")).await;
            thrown += 1;
        }
        eprintln!("{stream:?}: {thrown} faults");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_it_goes_on_without_a_gap_or_a_repetition() {
    for stream in [Incidents, Xdr, Alerts] {
        let stage = Stage::start(200).await;
        let kills = kill_count(20);
        let mut caught = 0;
        for kill in 0..kills {
            // Always the same command, as a service manager gives it.
            let mut command = stream.command();
            command.extend(["--interval", "1s", "--since", "90d", "--append", stage.out.to_str().unwrap()]);
            let mut child = stage.sortie.command(&command).spawn().unwrap();
            stage.cloud.post("/world/incidents", &json!({ "count": 2, "spread_s": 0 })).await;
            // Spread over start, reading, writing and rest, from run to run elsewhere.
            tokio::time::sleep(Duration::from_millis(5 + (kill * 67) % 400)).await;
            // One that ended by itself was not killed, and a failure of it must not pass for a kill.
            caught += u64::from(child.try_wait().unwrap().is_none());
            child.kill().await.unwrap();
        }
        assert_eq!(caught, kills, "{stream:?}: a watch ended by itself");
        stage.settle_and_check(stream, &format!("{stream:?} after {kills} kills")).await;
        eprintln!("{stream:?}: {kills} kills, {} objects", stage.handed().len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_one_place_are_refused_and_a_name_makes_another_place() {
    let stage = Stage::start(0).await;
    let mut first =
        stage.sortie.command(&["incidents", "watch", "--interval", "60s", "--since", "1h"]).spawn().unwrap();
    let place = stage.sortie.folder().join(".local/state/sortie/watch");
    for _ in 0..200 {
        if place.exists() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let refused = stage.sortie.run(&["incidents", "watch", "--once"]).await.ended_with(2);
    assert!(refused.stderr.contains("already") && refused.stderr.contains("--stream"), "{}", refused.stderr);
    stage.sortie.run(&["incidents", "watch", "--once", "--stream", "second"]).await.succeeded();
    first.kill().await.unwrap();
    stage.sortie.run(&["incidents", "watch", "--once"]).await.succeeded();
    let again = stage.sortie.run(&["incidents", "watch", "--once", "--since", "1h"]).await.succeeded();
    assert!(again.stderr.contains("going on from") && again.stderr.contains("--since"), "{}", again.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_missing_ends_it_and_says_so() {
    let cloud = TestCloud::start().await;
    let application = cloud.application(&[("graph", "SecurityAlert.Read.All")]).await;
    let sortie = Sortie::connected(PROGRAM, &cloud, &application).await;
    let ended = sortie.run(&["incidents", "watch"]).await.ended_with(4);
    assert!(ended.stderr.contains("SecurityIncident.Read.All"), "{}", ended.stderr);
    sortie.run(&["alerts", "watch", "--once", "--since", "24h"]).await.succeeded();
}
