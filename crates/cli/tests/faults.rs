//! Every fault that the simulated cloud knows, thrown in the middle of a list: nothing is lost, or it is said plainly.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]
#![expect(clippy::print_stderr, reason = "the figures belong to the test's answer")]

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::{Value, json};
use sortie_testkit::{Ended, Sortie, TestCloud};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sortie");
const ALL: &[(&str, &str)] =
    &[("graph", "SecurityIncident.Read.All"), ("graph", "SecurityAlert.Read.All"), ("xdr", "Incident.Read.All")];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum List {
    GraphIncidents,
    GraphIncidentsWithAlerts,
    XdrIncidents,
    Alerts,
}

/// What the fault leaves of the objects that it hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    All,
    EnumsInAnotherCase,
    UnknownEnums,
    NoLists,
    BrokenTitles,
    /// An object that had been read changed while the rest was: it is listed as it was.
    AsItWas,
}

use List::{Alerts, GraphIncidents, GraphIncidentsWithAlerts, XdrIncidents};

const EVERY_LIST: &[List] = &[GraphIncidents, GraphIncidentsWithAlerts, XdrIncidents, Alerts];
/// Where pages have links.
const GRAPH: &[List] = &[GraphIncidents, GraphIncidentsWithAlerts, Alerts];

/// Every kind of the admin API: the lists at which it can be thrown, and what it leaves.
const KINDS: &[(&str, &[List], Left)] = &[
    ("too_many_requests", EVERY_LIST, Left::All),
    ("server_error", EVERY_LIST, Left::All),
    ("gateway_timeout", EVERY_LIST, Left::All),
    ("slow", EVERY_LIST, Left::All),
    ("reset", EVERY_LIST, Left::All),
    ("cut_body", EVERY_LIST, Left::All),
    ("html", EVERY_LIST, Left::All),
    ("bad_gzip", EVERY_LIST, Left::All),
    ("oversized", EVERY_LIST, Left::All),
    ("token_expired", EVERY_LIST, Left::All),
    ("wrong_enum_case", EVERY_LIST, Left::EnumsInAnotherCase),
    ("unknown_enum", EVERY_LIST, Left::UnknownEnums),
    ("null_lists", EVERY_LIST, Left::NoLists),
    ("numbers_as_strings", EVERY_LIST, Left::All),
    ("lone_surrogate", EVERY_LIST, Left::BrokenTitles),
    ("duplicate_item", EVERY_LIST, Left::All),
    ("late_index", EVERY_LIST, Left::All),
    ("foreign_next_link", GRAPH, Left::All),
    ("no_next_link", GRAPH, Left::All),
    ("expand_fails", &[GraphIncidentsWithAlerts], Left::All),
    ("alert_updated_between_pages", EVERY_LIST, Left::AsItWas),
    ("incident_merged_between_pages", &[GraphIncidents, GraphIncidentsWithAlerts, XdrIncidents], Left::AsItWas),
];

/// Kinds that do nothing to a list: those of orders to devices (`devices.rs`) and of hunting (`hunt.rs`). Those files and
/// `watch.rs` have tables of their own.
const ELSEWHERE: &[&str] = &[
    "late_action_listing",
    "fails_after_effect",
    "reset_after_effect",
    "active_request_already_exists",
    "hunting_timeout",
    "result_too_large",
    "cpu_quota",
];

struct Stage {
    cloud: TestCloud,
    sortie: Sortie,
}

/// One row as both the truth and a list show it.
type Rows = BTreeMap<String, BTreeMap<&'static str, Value>>;

impl Stage {
    async fn start(further_incidents: usize) -> Self {
        let cloud = TestCloud::start().await;
        cloud.put("/throttle", &json!({ "mode": "off" })).await;
        cloud.post("/world/incidents", &json!({ "count": further_incidents, "spread_s": 86_400 })).await;
        let application = cloud.application(ALL).await;
        let sortie = Sortie::connected(PROGRAM, &cloud, &application).await;
        Self { cloud, sortie }
    }

    /// Runs the list while the fault is on; it must have hit.
    async fn throw(&self, list: List, fault: &Value) -> Ended {
        let mut order = json!({ "service": list.service(), "route": list.route(), "method": "GET" });
        order.as_object_mut().unwrap().extend(fault.as_object().unwrap().clone());
        self.cloud.post("/faults", &order).await;
        let ended = self.sortie.run(list.command()).await;
        let hits = self.cloud.get("/faults").await["faults"][0]["hits"].as_u64();
        self.cloud.delete("/faults", None).await;
        assert!(hits > Some(0), "{list:?} {fault} hit nothing: {hits:?}\n{}", ended.stderr);
        assert!(!ended.stderr.contains("panicked"), "{list:?} {fault}: {}", ended.stderr);
        ended
    }

    async fn truth(&self, list: List) -> Rows {
        let truth = self.cloud.get("/truth").await;
        let incidents = truth["tenants"][0]["incidents"].as_array().unwrap().clone();
        let visible = incidents.into_iter().filter(|one| one["visible"] == true);
        let objects: Vec<Value> = match list {
            Alerts => visible.flat_map(|one| one["alerts"].as_array().unwrap().clone()).collect(),
            _ => visible.collect(),
        };
        objects.iter().map(|object| (scalar(&object["id"]), list.of_truth(object))).collect()
    }

    /// Throws the fault, and compares what was listed with the truth. Gives how many rows the fault had touched.
    async fn check(&self, list: List, fault: &Value, left: Left) -> usize {
        let ended = self.throw(list, fault).await.succeeded();
        let printed = ended.json_lines();
        let shown: Rows =
            printed.iter().map(|object| (scalar(&object[list.id_name()]), list.of_answer(object))).collect();
        assert_eq!(shown.len(), printed.len(), "{list:?} {fault}: an object came twice");
        let truth = self.truth(list).await;
        let lost: Vec<&String> = truth.keys().filter(|id| !shown.contains_key(*id)).collect();
        assert!(lost.is_empty(), "{list:?} {fault} lost {lost:?}\n{}", ended.stderr);
        let mut touched = 0;
        for (id, row) in &shown {
            let true_row = truth.get(id).unwrap_or_else(|| panic!("{list:?} {fault}: there is no {id}"));
            let changed: Vec<_> = row.iter().filter(|(name, value)| true_row[*name] != **value).collect();
            touched += usize::from(!changed.is_empty());
            for (name, value) in changed {
                let true_value = &true_row[name];
                assert!(left.explains(name, true_value, value), "{list:?} {fault} {id} {name}: {true_value} {value}");
            }
        }
        touched
    }
}

impl List {
    fn service(self) -> &'static str {
        if self == XdrIncidents { "xdr" } else { "graph" }
    }

    fn route(self) -> &'static str {
        match self {
            GraphIncidents | GraphIncidentsWithAlerts => "/v1.0/security/incidents",
            XdrIncidents => "/api/incidents",
            Alerts => "/v1.0/security/alerts_v2",
        }
    }

    fn command(self) -> &'static [&'static str] {
        match self {
            GraphIncidents => &["incidents", "list", "--jsonl"],
            GraphIncidentsWithAlerts => &["incidents", "list", "--with-alerts", "--jsonl"],
            XdrIncidents => &["incidents", "list", "--api", "xdr", "--jsonl"],
            Alerts => &["alerts", "list", "--jsonl"],
        }
    }

    fn id_name(self) -> &'static str {
        if self == XdrIncidents { "incidentId" } else { "id" }
    }

    /// The members that a list shows, in its own names, and the truth's.
    fn members(self) -> &'static [(&'static str, &'static str)] {
        match self {
            GraphIncidents | GraphIncidentsWithAlerts => &[
                ("displayName", "title"),
                ("severity", "severity"),
                ("classification", "classification"),
                ("determination", "determination"),
                ("assignedTo", "assignedTo"),
                ("createdDateTime", "createdDateTime"),
                ("lastUpdateDateTime", "lastUpdateDateTime"),
                ("customTags", "tags"),
                ("status", "status"),
            ],
            XdrIncidents => &[
                ("incidentName", "title"),
                ("severity", "severity"),
                ("classification", "classification"),
                ("assignedTo", "assignedTo"),
                ("createdTime", "createdDateTime"),
                ("lastUpdateTime", "lastUpdateDateTime"),
                ("tags", "tags"),
                ("status", "status"),
            ],
            Alerts => &[
                ("title", "title"),
                ("severity", "severity"),
                ("classification", "classification"),
                ("determination", "determination"),
                ("assignedTo", "assignedTo"),
                ("createdDateTime", "createdDateTime"),
                ("lastUpdateDateTime", "lastUpdateDateTime"),
                ("status", "status"),
            ],
        }
    }

    fn alert_id_name(self) -> Option<&'static str> {
        match self {
            GraphIncidentsWithAlerts => Some("id"),
            XdrIncidents => Some("alertId"),
            GraphIncidents | Alerts => None,
        }
    }

    fn of_answer(self, object: &Value) -> BTreeMap<&'static str, Value> {
        let mut row: BTreeMap<_, _> =
            self.members().iter().map(|(own, name)| (*name, self.comparable(name, &object[own]))).collect();
        if let Some(id_name) = self.alert_id_name() {
            row.insert("alerts", ids(&object["alerts"], id_name));
        }
        if self == Alerts {
            row.insert("evidence", object["evidence"].as_array().map_or(Value::Null, |items| json!(items.len())));
        }
        row
    }

    fn of_truth(self, object: &Value) -> BTreeMap<&'static str, Value> {
        let mut row: BTreeMap<_, _> =
            self.members().iter().map(|(_, name)| (*name, self.comparable(name, &object[name]))).collect();
        if self.alert_id_name().is_some() {
            row.insert("alerts", ids(&object["alerts"], "id"));
        }
        if self == Alerts {
            row.insert("evidence", object["evidenceCount"].clone());
        }
        row
    }

    /// XDR writes its words with a capital, and Graph an unjudged alert as null.
    fn comparable(self, name: &str, value: &Value) -> Value {
        match value {
            Value::String(word) if ENUMS.contains(&name) && self == XdrIncidents => {
                let mut letters = word.chars();
                let first = letters.next().map(|letter| letter.to_ascii_lowercase());
                json!(first.into_iter().chain(letters).collect::<String>())
            }
            Value::Null if matches!(name, "classification" | "determination") && self == Alerts => json!("unknown"),
            other => other.clone(),
        }
    }
}

impl Left {
    fn explains(self, name: &str, truth: &Value, shown: &Value) -> bool {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match self {
            Self::EnumsInAnotherCase => ENUMS.contains(&name) && text(truth).eq_ignore_ascii_case(&text(shown)),
            Self::UnknownEnums => ENUMS.contains(&name) && text(shown) == "memberOfTomorrow",
            Self::NoLists => matches!(name, "tags" | "alerts" | "evidence") && shown.is_null(),
            Self::BrokenTitles => name == "title" && text(shown) == format!("{}\u{fffd}", text(truth)),
            // Its members are the old ones; that none is lost and none comes twice is what counts.
            Self::AsItWas => true,
            Self::All => false,
        }
    }

    fn touches(self) -> bool {
        self != Self::All
    }
}

const ENUMS: &[&str] = &["severity", "status", "classification", "determination"];

fn scalar(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The ids of a list of objects in order, or null where there is no list.
fn ids(list: &Value, name: &str) -> Value {
    let Some(items) = list.as_array() else { return Value::Null };
    json!(items.iter().map(|item| scalar(&item[name])).collect::<BTreeSet<_>>())
}

/// In the middle of the list: the second page is hit.
fn once(kind: &str) -> Value {
    match kind {
        "expand_fails" => json!({ "kind": kind, "after": 1 }),
        "slow" => json!({ "kind": kind, "after": 1, "delay_ms": 300 }),
        _ => json!({ "kind": kind, "after": 1, "times": 1 }),
    }
}

async fn throw_all(list: List) {
    // Three pages at least, whatever the size of the list's pages.
    let stage = Stage::start(match list {
        GraphIncidents => 250,
        GraphIncidentsWithAlerts => 45,
        XdrIncidents => 90,
        Alerts => 20,
    })
    .await;
    let start = Instant::now();
    let mut thrown = 0;
    for (kind, _, left) in KINDS.iter().filter(|(_, lists, _)| lists.contains(&list)) {
        let touched = stage.check(list, &once(kind), *left).await;
        assert_eq!(touched > 0, left.touches(), "{list:?} {kind} touched {touched} rows");
        thrown += 1;
    }
    eprintln!("{list:?}: {thrown} faults in {:.1} s", start.elapsed().as_secs_f64());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_fault_has_its_row_here() {
    let known = TestCloud::start().await.fault_kinds().await;
    assert_eq!(
        known,
        KINDS.iter().map(|(kind, _, _)| *kind).chain(ELSEWHERE.iter().copied()).map(str::to_owned).collect()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fault_costs_an_incident_of_graph() {
    throw_all(GraphIncidents).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fault_costs_an_incident_with_its_alerts() {
    throw_all(GraphIncidentsWithAlerts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fault_costs_an_incident_of_xdr() {
    throw_all(XdrIncidents).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fault_costs_an_alert() {
    throw_all(Alerts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_of_saying_too_many_requests_is_heeded() {
    let stage = Stage::start(0).await;
    for (retry_after, wait_ms_min) in [(json!(1), 1_000), (json!("0.4"), 400), (json!(null), 250), (json!("soon"), 250)]
    {
        let fault = json!({ "kind": "too_many_requests", "after": 1, "times": 1, "retry_after": retry_after });
        let start = Instant::now();
        stage.check(Alerts, &fault, Left::All).await;
        let waited = start.elapsed();
        assert!(waited >= Duration::from_millis(wait_ms_min), "{retry_after}: {waited:?}");
    }
    let fault = json!({ "kind": "server_error", "status": 503, "after": 1, "times": 1, "retry_after": 1 });
    stage.check(XdrIncidents, &json!({ "kind": "reset", "times": 1 }), Left::All).await;
    stage.check(Alerts, &fault, Left::All).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lasting_fault_ends_with_its_code_and_sentence() {
    let lasting = [
        (json!({ "kind": "too_many_requests" }), 7, "429"),
        (json!({ "kind": "too_many_requests", "retry_after": null }), 7, "429"),
        (json!({ "kind": "too_many_requests", "retry_after": 3600 }), 7, "429"),
        (json!({ "kind": "server_error" }), 7, "500"),
        (json!({ "kind": "gateway_timeout" }), 7, "504"),
        (json!({ "kind": "reset" }), 6, "closed before an answer"),
        (json!({ "kind": "cut_body" }), 6, "cut off in the middle"),
        (json!({ "kind": "bad_gzip" }), 6, "cut off in the middle"), // Its gzip ends right after the header.
        (json!({ "kind": "oversized" }), 6, "larger than"),
        (json!({ "kind": "html" }), 7, "web page"),
        (json!({ "kind": "token_expired" }), 3, "401"),
    ];
    let runs = lasting.map(|(mut fault, code, words)| async move {
        let stage = Stage::start(0).await;
        fault["after"] = json!(1);
        fault["times"] = json!(1_000_000);
        let ended = stage.throw(Alerts, &fault).await.ended_with(code);
        assert!(ended.stderr.contains(words), "{fault}: {}", ended.stderr);
        assert!(ended.stderr.contains("error: ") && ended.stderr.contains("next:"), "{fault}: {}", ended.stderr);
        assert!(!ended.json_lines().is_empty(), "{fault}: what had been read is printed");
    });
    join_all(runs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_awaited_beyond_the_timeout() {
    let stage = Stage::start(0).await;
    let Stage { cloud, sortie } = stage;
    let stage = Stage { cloud, sortie: sortie.with("SORTIE_TIMEOUT", "1") };
    stage.check(Alerts, &json!({ "kind": "slow", "after": 1, "times": 1, "delay_ms": 60_000 }), Left::All).await;
    let start = Instant::now();
    let ended = stage.throw(Alerts, &json!({ "kind": "slow", "after": 1, "times": 100, "delay_ms": 60_000 })).await;
    let ended = ended.ended_with(6);
    assert!(ended.stderr.contains("timed out"), "{}", ended.stderr);
    assert!(start.elapsed() < Duration::from_secs(40), "five attempts of a second and the pauses between them");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_at_the_sign_in_are_survived_or_said_plainly() {
    // A failure that names no time to wait is not repeated here, for Entra counts such repeats against the app.
    let survived = [
        json!({ "kind": "too_many_requests" }),
        json!({ "kind": "server_error", "status": 503 }),
        json!({ "kind": "slow", "delay_ms": 300 }),
        json!({ "kind": "reset" }),
        json!({ "kind": "cut_body" }),
        json!({ "kind": "bad_gzip" }),
        json!({ "kind": "numbers_as_strings" }),
    ];
    let stage = Stage::start(0).await;
    for mut fault in survived {
        let sign_in = json!({ "service": "entra", "method": "POST", "route": "*/token", "times": 1 });
        fault.as_object_mut().unwrap().extend(sign_in.as_object().unwrap().clone());
        stage.check(GraphIncidents, &fault, Left::All).await;
    }
    let ending = [
        ("server_error", 7, "passing trouble"),
        ("gateway_timeout", 7, "passing trouble"),
        ("html", 7, "web page"),
        ("reset", 6, "closed before an answer"),
        ("oversized", 6, "larger than"),
    ];
    for (kind, code, words) in ending {
        let fault =
            json!({ "kind": kind, "service": "entra", "method": "POST", "route": "*/token", "times": 1_000_000 });
        let ended = stage.throw(GraphIncidents, &fault).await.ended_with(code);
        assert!(ended.stderr.contains(words) && ended.stderr.contains("next:"), "{kind}: {}", ended.stderr);
    }
}
