//! Orders to devices: carried out once, whatever the service, the network or a kill does in between.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]
#![expect(clippy::print_stderr, reason = "the figures belong to the test's answer")]

use std::time::Duration;

use serde_json::{Value, json};
use sortie_testkit::{Ended, Sortie, TestCloud, kill_count};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sortie");
const ROLES: &[(&str, &str)] = &[
    ("mde", "Machine.Isolate"),
    ("mde", "Machine.ReadWrite.All"),
    ("mde", "Machine.Scan"),
    ("mde", "Machine.RestrictExecution"),
    ("mde", "Machine.CollectForensics"),
    ("mde", "Machine.StopAndQuarantine"),
    ("mde", "Machine.Offboard"),
];
/// Longer than the emulator's late listing below, shorter than anybody's patience with a test.
const SETTLE: &str = "3";

struct Stage {
    cloud: TestCloud,
    sortie: Sortie,
    devices: Vec<String>,
}

impl Stage {
    async fn start() -> Self {
        let cloud = TestCloud::start().await;
        cloud.put("/throttle", &json!({ "mode": "off" })).await;
        // A second isolation is taken, as it has been seen to be: nothing but the client keeps it from happening.
        cloud.put("/world/actions", &json!({ "start_s": 0, "run_s": 1, "repeat": "accept" })).await;
        let application = cloud.application(ROLES).await;
        let sortie = Sortie::connected(PROGRAM, &cloud, &application).await.with("SORTIE_SETTLE", SETTLE);
        // More than a person would: each fault isolates a device of its own.
        let ceiling = "microsoft-365-defender/isolate-device=1000";
        sortie.run(&["guardrail", "set", "--ceiling", ceiling]).await.succeeded();
        let truth = cloud.get("/truth").await;
        let devices = truth["tenants"][0]["machines"].as_array().unwrap();
        let devices = devices.iter().map(|device| device["id"].as_str().unwrap().to_owned()).collect();
        Self { cloud, sortie, devices }
    }

    fn device(&self, at: usize) -> &str {
        &self.devices[at]
    }

    /// The actions of one kind that the device really got.
    async fn actions(&self, device: &str, kind: &str) -> Vec<Value> {
        let truth = self.cloud.get("/truth").await;
        let machines = truth["tenants"][0]["machines"].as_array().unwrap().clone();
        let machine = machines.into_iter().find(|machine| machine["id"] == device).unwrap();
        machine["actions"].as_array().unwrap().iter().filter(|action| action["type"] == kind).cloned().collect()
    }

    async fn isolate(&self, device: &str, more: &[&str]) -> Ended {
        self.sortie.run(&[&["device", "isolate", device, "--reason", "ransomware", "--yes"][..], more].concat()).await
    }

    async fn fault(&self, fault: Value) {
        let mut order = json!({ "service": "mde", "method": "POST", "route": "/api/machines/*/isolate", "times": 1 });
        order.as_object_mut().unwrap().extend(fault.as_object().unwrap().clone());
        self.cloud.post("/faults", &order).await;
    }

    async fn hits(&self) -> u64 {
        let faults = self.cloud.get("/faults").await;
        let hits = faults["faults"].as_array().unwrap().iter().map(|fault| fault["hits"].as_u64().unwrap()).min();
        self.cloud.delete("/faults", None).await;
        hits.unwrap()
    }

    async fn once(&self, device: &str, what: &str) {
        let actions = self.actions(device, "Isolate").await;
        assert_eq!(actions.len(), 1, "{what}: {actions:?}");
        let comment = actions[0]["requestorComment"].as_str().unwrap();
        assert!(comment.starts_with("ransomware [sortie:") && comment.ends_with(']'), "{what}: {comment}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_isolated_watched_to_the_end_and_released() {
    let stage = Stage::start().await;
    let device = stage.device(0);
    let shown = stage.sortie.run(&["device", "show", device, "--json"]).await.succeeded().json_lines();
    let name = shown[0]["computerDnsName"].as_str().unwrap();
    let isolated = stage.isolate(name.split('.').next().unwrap(), &["--wait", "--selective"]).await.succeeded();
    assert!(isolated.stdout.contains("Succeeded") && isolated.stdout.contains("Selective"), "{}", isolated.stdout);
    assert!(isolated.stderr.contains("Pending after 0 s"), "{}", isolated.stderr);
    stage.once(device, "isolated").await;
    let released = ["device", "release", device, "--reason", "clean", "--yes", "--wait", "--json"];
    let released = stage.sortie.run(&released).await.succeeded().json_lines();
    assert_eq!((&released[0]["type"], &released[0]["status"]), (&json!("Unisolate"), &json!("Succeeded")));
    let listed = stage.sortie.run(&["actions", "list", "--device", device, "--jsonl"]).await.succeeded().json_lines();
    assert_eq!(listed.iter().filter(|action| action["type"] == "Isolate" || action["type"] == "Unisolate").count(), 2);
    let id = listed[0]["id"].as_str().unwrap();
    let shown = stage.sortie.run(&["actions", "show", id]).await.succeeded();
    assert!(shown.stdout.contains(id), "{}", shown.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_order_reaches_the_device_as_documented() {
    let stage = Stage::start().await;
    let device = stage.device(1);
    let sha1 = "0123456789abcdef0123456789abcdef01234567";
    let orders: &[(&[&str], &str)] = &[
        (&["scan", device, "--type", "full"], "RunAntiVirusScan"),
        (&["restrict", device, "--yes"], "RestrictCodeExecution"),
        (&["unrestrict", device, "--yes"], "UnrestrictCodeExecution"),
        (&["collect", device], "CollectInvestigationPackage"),
        (&["quarantine-file", device, "--sha1", sha1, "--yes"], "StopAndQuarantineFile"),
        (&["offboard", device, "--yes"], "Offboard"),
    ];
    for (order, kind) in orders {
        let command = [&["device"], *order, &["--reason", "look", "--wait"]].concat();
        let ended = stage.sortie.run(&command).await.succeeded();
        assert!(ended.stdout.contains("Succeeded"), "{kind}: {}", ended.stdout);
        assert_eq!(stage.actions(device, kind).await.len(), 1, "{kind}");
    }
    assert_eq!(stage.actions(device, "RunAntiVirusScan").await[0]["scope"], "Full");
    assert_eq!(stage.actions(device, "StopAndQuarantineFile").await[0]["sha1"], sha1);
}

/// Faults of the call that gives the order.
fn order_faults() -> Vec<Value> {
    vec![
        json!({ "kind": "fails_after_effect" }),
        json!({ "kind": "reset_after_effect" }),
        json!({ "kind": "cut_body" }),
        json!({ "kind": "html" }),
        json!({ "kind": "bad_gzip" }),
        json!({ "kind": "oversized" }),
        json!({ "kind": "reset" }),
        json!({ "kind": "server_error" }),
        json!({ "kind": "gateway_timeout" }),
        json!({ "kind": "too_many_requests" }),
        json!({ "kind": "too_many_requests", "retry_after": null, "times": 2 }),
        json!({ "kind": "token_expired" }),
        json!({ "kind": "late_action_listing", "seconds": 2 }),
        json!({ "kind": "slow", "delay_ms": 300 }),
        json!({ "kind": "wrong_enum_case" }),
        json!({ "kind": "unknown_enum" }),
        json!({ "kind": "null_lists" }),
        json!({ "kind": "numbers_as_strings" }),
    ]
}

/// Faults of a call that reads.
const READING: &[&str] = &[
    "too_many_requests",
    "server_error",
    "gateway_timeout",
    "reset",
    "cut_body",
    "html",
    "bad_gzip",
    "oversized",
    "token_expired",
    "slow",
    "null_lists",
    "numbers_as_strings",
];
/// Only actions have words of a set.
const READING_ACTIONS: &[&str] = &["wrong_enum_case", "unknown_enum"];
const LISTING_ACTIONS: &[&str] = &["late_index"];

/// Faults with a test of their own.
const APART: &[&str] = &["active_request_already_exists", "duplicate_item"];

/// What no call of an order can meet: titles and links between pages, which its answers lack, `$expand`, which its calls
/// lack, and what happens to incidents, alerts and queries.
const ELSEWHERE: &[&str] = &[
    "lone_surrogate",
    "foreign_next_link",
    "no_next_link",
    "expand_fails",
    "alert_updated_between_pages",
    "incident_merged_between_pages",
    "hunting_timeout",
    "result_too_large",
    "cpu_quota",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_fault_has_its_row_here() {
    let known = TestCloud::start().await.fault_kinds().await;
    let order: Vec<String> = order_faults().iter().map(|fault| fault["kind"].as_str().unwrap().to_owned()).collect();
    let tables = [READING, READING_ACTIONS, LISTING_ACTIONS, APART, ELSEWHERE].concat();
    assert_eq!(known, tables.into_iter().map(str::to_owned).chain(order).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fault_isolates_a_device_twice_or_not_at_all() {
    let faults = order_faults();
    let stage = Stage::start().await;
    for (at, fault) in faults.iter().enumerate() {
        stage.fault(fault.clone()).await;
        let ended = stage.isolate(stage.device(at), &["--wait"]).await;
        let hits = stage.hits().await;
        assert!(hits > 0, "{fault} hit nothing: {}", ended.stderr);
        assert_eq!(ended.code, 0, "{fault}: {}", ended.stderr);
        stage.once(stage.device(at), &fault.to_string()).await;
    }
    eprintln!("{} faults", faults.len());
}

/// The calls that read, hit once each while a device is isolated and waited for.
async fn isolates_once_while_reading_fails(route: &str, kinds: &[&str]) {
    let stage = Stage::start().await;
    for (at, kind) in kinds.iter().enumerate() {
        let device = stage.device(at);
        // The list of actions has something in it.
        let theirs = json!({ "device": device, "type": "RunAntiVirusScan", "comment": "by hand" });
        stage.cloud.post("/world/actions", &theirs).await;
        let fault = json!({ "kind": kind, "method": "GET", "route": route, "times": 1 });
        stage.fault(fault.clone()).await;
        let ended = stage.isolate(device, &["--wait"]).await;
        let hits = stage.hits().await;
        assert!(hits > 0, "{fault} hit nothing: {}", ended.stderr);
        assert_eq!(ended.code, 0, "{fault}: {}", ended.stderr);
        stage.once(device, &fault.to_string()).await;
    }
    eprintln!("{route}: {} faults", kinds.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_while_it_looks_before_sending_costs_nothing() {
    let kinds = [READING, READING_ACTIONS, LISTING_ACTIONS].concat();
    isolates_once_while_reading_fails("/api/machineactions", &kinds).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_while_it_waits_costs_nothing() {
    isolates_once_while_reading_fails("/api/machineactions/*", &[READING, READING_ACTIONS].concat()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_while_it_finds_the_device_costs_nothing() {
    isolates_once_while_reading_fails("/api/machines/*", READING).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_is_listed_twice_or_not_at_first_after_a_lost_answer_is_found() {
    let stage = Stage::start().await;
    for (at, kind) in ["duplicate_item", "late_index"].into_iter().enumerate() {
        let device = stage.device(at);
        let theirs = json!({ "device": device, "type": "RunAntiVirusScan", "comment": "by hand" });
        stage.cloud.post("/world/actions", &theirs).await;
        stage.fault(json!({ "kind": "reset_after_effect" })).await;
        // It hits the look for the order whose answer was lost; a duplicate needs the look before to take the item from.
        let after = u64::from(kind == "late_index");
        let route = "/api/machineactions";
        stage.fault(json!({ "kind": kind, "method": "GET", "route": route, "after": after, "times": 1 })).await;
        let ended = stage.isolate(device, &["--wait"]).await;
        assert!(stage.hits().await > 0, "{kind} hit nothing: {}", ended.stderr);
        assert_eq!(ended.code, 0, "{kind}: {}", ended.stderr);
        stage.once(device, kind).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_is_listed_late_after_a_lost_answer_is_waited_for() {
    let stage = Stage::start().await;
    for (at, kind) in ["fails_after_effect", "reset_after_effect"].into_iter().enumerate() {
        stage.fault(json!({ "kind": kind, "seconds": 2 })).await;
        let ended = stage.isolate(stage.device(at), &["--wait"]).await;
        assert!(stage.hits().await > 0, "{kind}");
        assert_eq!(ended.code, 0, "{kind}: {}", ended.stderr);
        stage.once(stage.device(at), kind).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_command_again_is_the_same_order() {
    let stage = Stage::start().await;
    let device = stage.device(0);
    stage.isolate(device, &[]).await.succeeded();
    let again = stage.isolate(device, &["--wait"]).await.succeeded();
    assert!(again.stderr.contains("given before") && again.stderr.contains("nothing was sent"), "{}", again.stderr);
    let later = stage.isolate(device, &[]).await.succeeded();
    assert!(later.stderr.contains("--again"), "{}", later.stderr);
    stage.once(device, "three times the same command").await;
    stage.isolate(device, &["--again", "--wait"]).await.succeeded();
    assert_eq!(stage.actions(device, "Isolate").await.len(), 2, "a new order was wanted");
    stage.sortie.run(&["device", "release", device, "--reason", "x", "--yes", "--wait"]).await.succeeded();
    stage.isolate(device, &["--wait"]).await.succeeded();
    assert_eq!(stage.actions(device, "Isolate").await.len(), 3, "released in between, so it is another order");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_with_a_key_of_the_users_own_stays_the_same_for_ever() {
    let stage = Stage::start().await;
    let device = stage.device(0);
    stage.isolate(device, &["--key", "case-81", "--wait"]).await.succeeded();
    stage.sortie.run(&["device", "release", device, "--reason", "x", "--yes", "--wait"]).await.succeeded();
    stage.isolate(device, &["--key", "case-81", "--wait"]).await.succeeded();
    stage.once(device, "one key").await;
    // The state is lost: the key in the comment still tells.
    std::fs::remove_dir_all(stage.sortie.folder().join(".local/state")).unwrap();
    stage.isolate(device, &["--key", "case-81", "--wait"]).await.succeeded();
    stage.once(device, "one key without the state").await;
    stage.isolate(device, &["--key", "case-82", "--wait"]).await.succeeded();
    assert_eq!(stage.actions(device, "Isolate").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_has_ordered_is_said_and_not_taken_for_ours() {
    let stage = Stage::start().await;
    stage.cloud.put("/world/actions", &json!({ "start_s": 3_600 })).await;
    for (at, kind) in ["Isolate", "Unisolate"].into_iter().enumerate() {
        let device = stage.device(at);
        let theirs =
            json!({ "device": device, "type": kind, "comment": "by hand", "requestor": "ada@haldenmarine.example" });
        stage.cloud.post("/world/actions", &theirs).await;
        let ended = stage.isolate(device, &["--wait"]).await.ended_with(9);
        assert!(ended.stderr.contains("already in progress") && ended.stderr.contains("ada@"), "{}", ended.stderr);
        assert!(ended.stderr.contains("Nothing was sent") && ended.stderr.contains("actions show"), "{}", ended.stderr);
        let ours = stage.actions(device, "Isolate").await;
        assert!(ours.iter().all(|action| action["requestorComment"] == "by hand"), "{ours:?}");
    }
    // The service says so itself, without showing whose it is.
    stage.fault(json!({ "kind": "active_request_already_exists" })).await;
    let device = stage.device(5);
    let ended = stage.isolate(device, &[]).await;
    assert!(stage.hits().await > 0 && ended.code != 0, "{}", ended.stderr);
    assert!(stage.actions(device, "Isolate").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_is_no_success_is_told() {
    let stage = Stage::start().await;
    for (at, (course, status)) in [("fail", "Failed"), ("timeout", "TimeOut")].into_iter().enumerate() {
        stage.cloud.put("/world/actions", &json!({ "next": course, "times": 1 })).await;
        let ended = stage.isolate(stage.device(at), &["--wait"]).await.ended_with(9);
        assert!(ended.stdout.contains(status), "{}", ended.stdout);
        stage.isolate(stage.device(at), &["--wait"]).await.succeeded();
        assert_eq!(stage.actions(stage.device(at), "Isolate").await.len(), 2, "a failed order may be given anew");
    }
    stage.cloud.put(&format!("/world/devices/{}", stage.device(4)), &json!({ "online": false })).await;
    let ended = stage.isolate(stage.device(4), &["--wait", "--wait-max", "2s"]).await.ended_with(9);
    assert!(ended.stdout.contains("Pending") && ended.stderr.contains("has not ended"), "{}", ended.stderr);
    let id = stage.actions(stage.device(4), "Isolate").await[0]["id"].as_str().unwrap().to_owned();
    let cancelled = ["actions", "cancel", &id, "--reason", "changed my mind", "--yes", "--json"];
    let cancelled = stage.sortie.run(&cancelled).await.succeeded().json_lines();
    assert_eq!(cancelled[0]["status"], "Cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_the_same_command_isolates_once() {
    let (wanted, mut round, mut kills, mut caught) = (kill_count(30), 0, 0, 0);
    while kills < wanted {
        // Each device is isolated once; when all are, another cloud has more.
        let stage = Stage::start().await;
        stage.fault(json!({ "kind": "late_action_listing", "seconds": 1, "times": 1_000 })).await;
        for device in &stage.devices {
            let command = ["device", "isolate", device, "--reason", "ransomware", "--yes", "--wait"];
            let attempts = (wanted - kills).min(3);
            for attempt in 0..attempts {
                let mut child = stage.sortie.command(&command).spawn().unwrap();
                // Spread over start, sign-in, the call and the waiting.
                tokio::time::sleep(Duration::from_millis(10 + (round * 53 + attempt * 29) % 160)).await;
                caught += u64::from(child.try_wait().unwrap().is_none());
                child.kill().await.unwrap();
            }
            stage.isolate(device, &["--wait"]).await.succeeded();
            stage.once(device, &format!("round {round}")).await;
            round += 1;
            kills += attempts;
            if kills == wanted {
                break;
            }
        }
    }
    // A device that an earlier attempt isolated may be done before the next kill falls.
    eprintln!("{kills} kills of {round} orders, {caught} before the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_the_answer_is_on_its_way_the_order_is_found_again() {
    let stage = Stage::start().await;
    for at in 0..3 {
        let device = stage.device(at);
        // The effect is there, the answer never comes.
        stage.fault(json!({ "kind": "reset_after_effect", "delay_ms": 60_000, "seconds": 2 })).await;
        let command = ["device", "isolate", device, "--reason", "ransomware", "--yes"];
        let mut child = stage.sortie.command(&command).spawn().unwrap();
        for _ in 0..200 {
            let faults = stage.cloud.get("/faults").await;
            if faults["faults"][0]["hits"].as_u64() > Some(0) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        child.kill().await.unwrap();
        stage.cloud.delete("/faults", None).await;
        stage.isolate(device, &["--wait"]).await.succeeded();
        stage.once(device, "killed before the answer").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_give_one_order() {
    let stage = Stage::start().await;
    for at in 0..4 {
        let device = stage.device(at);
        let (one, two) = tokio::join!(stage.isolate(device, &["--wait"]), stage.isolate(device, &["--wait"]));
        one.succeeded();
        two.succeeded();
        stage.once(device, "two at once").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_before_anything_is_sent() {
    let stage = Stage::start().await;
    let device = stage.device(0);
    let unasked = stage.sortie.run(&["device", "isolate", device, "--reason", "x"]).await.ended_with(2);
    assert!(unasked.stderr.contains("--yes"), "{}", unasked.stderr);
    stage.sortie.run(&["device", "isolate", device, "--reason", " ", "--yes"]).await.ended_with(2);
    stage.sortie.run(&["device", "isolate", "../x", "--reason", "x", "--yes"]).await.ended_with(2);
    let unknown =
        stage.sortie.run(&["device", "isolate", "no-such-host", "--reason", "x", "--yes"]).await.ended_with(5);
    assert!(unknown.stderr.contains("no device is called"), "{}", unknown.stderr);
    stage.sortie.run(&["device", "show", &"0".repeat(40)]).await.ended_with(5);
    stage
        .sortie
        .run(&["device", "quarantine-file", device, "--sha1", "x", "--reason", "x", "--yes"])
        .await
        .ended_with(2);
    assert!(stage.actions(device, "Isolate").await.is_empty());

    let reader = stage.cloud.application(&[("mde", "Machine.Read.All")]).await;
    let reader = Sortie::connected(PROGRAM, &stage.cloud, &reader).await;
    let refused = reader.run(&["device", "isolate", device, "--reason", "x", "--yes"]).await.ended_with(4);
    assert!(refused.stderr.contains("Machine.Isolate"), "{}", refused.stderr);
    let state = reader.folder().join(".local/state/sortie/orders");
    let kept = walk(&state).into_iter().filter(|path| path.ends_with(".json")).collect::<Vec<_>>();
    assert!(kept.is_empty(), "a refusal leaves no doubt behind: {kept:?}");
    assert!(stage.actions(device, "Isolate").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_cannot_be_recorded_is_not_sent() {
    let stage = Stage::start().await;
    let device = stage.device(0);
    let place = stage.sortie.folder().join("state");
    // What should be a folder is a file: nothing can be written below it.
    std::fs::write(&place, "x").unwrap();
    let ended = stage.isolate(device, &["--state-folder", place.to_str().unwrap()]).await.ended_with(1);
    assert!(ended.stderr.contains("state file"), "{}", ended.stderr);
    assert!(stage.actions(device, "Isolate").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_are_listed_filtered_and_tagged() {
    let stage = Stage::start().await;
    let all = stage.sortie.run(&["devices", "list", "--jsonl"]).await.succeeded().json_lines();
    assert_eq!(all.len(), stage.devices.len());
    let windows = stage.sortie.run(&["devices", "list", "--os", "Windows11", "--jsonl"]).await.succeeded().json_lines();
    let expected = all.iter().filter(|device| device["osPlatform"] == "Windows11").count();
    assert!(expected > 0 && windows.len() == expected, "{} of {expected}", windows.len());
    let tagged = stage.sortie.run(&["device", "tag", stage.device(2), "it's \"hot\"", "--json"]).await.succeeded();
    assert!(tagged.stdout.contains("it's"), "{}", tagged.stdout);
    let found =
        stage.sortie.run(&["devices", "list", "--tag", "it's \"hot\"", "--jsonl"]).await.succeeded().json_lines();
    assert_eq!(found.len(), 1);
    stage.sortie.run(&["device", "tag", stage.device(2), "it's \"hot\"", "--remove"]).await.succeeded();
    let none = stage.sortie.run(&["devices", "list", "--tag", "it's \"hot\""]).await.succeeded();
    assert_eq!(none.stdout.trim(), "No devices match.");
}

fn walk(folder: &std::path::Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path.display().to_string()] }).collect()
}
