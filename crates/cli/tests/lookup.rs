//! Looking up files, addresses, domains and users: the answers against what the alerts of Graph say of the same things.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sortie_emulator::{ClockMode, EmulatorConfig};
use sortie_testkit::{Sortie, TestCloud};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sortie");
const ROLES: &[(&str, &str)] = &[
    ("graph", "SecurityAlert.Read.All"),
    ("mde", "Alert.Read.All"),
    ("mde", "Machine.Read.All"),
    ("mde", "File.Read.All"),
    ("mde", "Ip.Read.All"),
    ("mde", "URL.Read.All"),
];

struct Stage {
    cloud: TestCloud,
    sortie: Sortie,
    /// Graph's alerts of this product.
    alerts: Vec<Value>,
}

impl Stage {
    async fn start() -> Self {
        // When a device was last seen moves with the clock, also between two questions.
        let config = EmulatorConfig { clock: ClockMode::Manual, ..EmulatorConfig::default() };
        let cloud = TestCloud::start_with(config).await;
        cloud.put("/throttle", &json!({ "mode": "off" })).await;
        let sortie = Sortie::connected(PROGRAM, &cloud, &cloud.application(ROLES).await).await;
        let list = ["alerts", "list", "--service-source", "microsoftDefenderForEndpoint", "--jsonl"];
        let alerts = sortie.run(&list).await.succeeded().json_lines();
        Self { cloud, sortie, alerts }
    }

    async fn looked_up(&self, arguments: &[&str]) -> Value {
        let ended = self.sortie.run(&[&["lookup", "--json", "--limit", "10000"], arguments].concat()).await;
        serde_json::from_str(&ended.succeeded().stdout).unwrap()
    }

    /// As a file or as the image of a process.
    fn alerts_that_name(&self, sha1: &str) -> BTreeSet<String> {
        let naming = self.alerts.iter().filter(|alert| alert["evidence"].to_string().contains(sha1));
        naming.map(|alert| text(&alert["id"])).collect()
    }

    /// The values at `pointer` of the evidence of one type, with the alerts that carry them.
    fn evidence(&self, kind: &str, pointer: &str) -> Vec<(String, BTreeSet<String>)> {
        let values: BTreeSet<String> = self.alerts.iter().flat_map(|alert| values(alert, kind, pointer)).collect();
        let of = |value: &String| {
            let carrying = self.alerts.iter().filter(|alert| values_in(alert, kind, pointer, value));
            carrying.map(|alert| text(&alert["id"])).collect()
        };
        values.iter().map(|value| (value.clone(), of(value))).collect()
    }
}

fn values(alert: &Value, kind: &str, pointer: &str) -> Vec<String> {
    let evidence = alert["evidence"].as_array().unwrap().iter();
    let fitting = evidence.filter(|one| one["@odata.type"].as_str().unwrap().ends_with(kind));
    fitting.filter_map(|one| one.pointer(pointer)?.as_str().map(str::to_owned)).collect()
}

fn values_in(alert: &Value, kind: &str, pointer: &str, value: &str) -> bool {
    values(alert, kind, pointer).iter().any(|one| one == value)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn ids(list: &Value) -> BTreeSet<String> {
    list.as_array().unwrap().iter().map(|one| text(&one["id"])).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_found_by_either_hash_with_all_its_alerts() {
    let stage = Stage::start().await;
    let files = stage.evidence(".fileEvidence", "/fileDetails/sha1");
    assert!(files.len() > 2, "{files:?}");
    for (sha1, _) in &files {
        let found = stage.looked_up(&[sha1]).await;
        assert_eq!(ids(&found["alerts"]), stage.alerts_that_name(sha1), "{sha1}");
        let sha256 = text(&found["file"]["sha256"]);
        let same = stage.looked_up(&[&sha256]).await;
        assert_eq!((text(&same["file"]["sha1"]), ids(&same["alerts"])), (sha1.clone(), ids(&found["alerts"])));
        assert_eq!(ids(&found["devices"]).len(), usize::try_from(devices_seen(&found)).unwrap(), "{sha1}");
    }
}

fn devices_seen(found: &Value) -> u64 {
    found["sightings"]["organizationPrevalence"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_found_by_account_and_by_sign_in_name() {
    let stage = Stage::start().await;
    let users = stage.evidence(".userEvidence", "/userAccount/userPrincipalName");
    assert!(users.len() > 2, "{users:?}");
    let (upn, expected) = users.iter().max_by_key(|(_, alerts)| alerts.len()).unwrap();
    let account = upn.split('@').next().unwrap();
    let by_name = stage.looked_up(&[upn]).await;
    assert!(ids(&by_name["alerts"]).is_superset(expected), "{upn}");
    assert!(!ids(&by_name["devices"]).is_empty());
    assert_eq!(stage.looked_up(&[&format!("CORP\\{account}")]).await, by_name);
    assert_eq!(stage.looked_up(&["--as", "user", account]).await, by_name);
    assert!(by_name.get("sightings").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_and_domains_are_counted_even_where_nothing_is_known() {
    let stage = Stage::start().await;
    let address = stage.evidence(".ipEvidence", "/ipAddress");
    let (ip, expected) = address.first().unwrap();
    let found = stage.looked_up(&[ip]).await;
    assert!(ids(&found["alerts"]).is_superset(expected), "{ip}");
    assert!(found.get("devices").is_none() && devices_seen(&found) > 0, "{found}");
    for unknown in ["198.51.100.77", "nobody-knows-this.example"] {
        let found = stage.looked_up(&[unknown]).await;
        assert_eq!((devices_seen(&found), ids(&found["alerts"]).len()), (0, 0), "{found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_names_devices_and_alerts_and_a_limit_cuts_both() {
    let stage = Stage::start().await;
    let (sha1, expected) = stage.evidence(".fileEvidence", "/fileDetails/sha1").remove(0);
    let table = stage.sortie.run(&["lookup", &sha1]).await.succeeded();
    for id in &expected {
        assert!(table.stdout.contains(id.as_str()), "{id} in\n{}", table.stdout);
    }
    assert!(table.stdout.contains("Seen here") && table.stdout.contains(&sha1), "{}", table.stdout);
    let csv = stage.sortie.run(&["lookup", &sha1, "--csv"]).await.succeeded().stdout;
    assert_eq!(csv.lines().next(), Some("what,id,severity,status,time,name"));
    let users = stage.evidence(".userEvidence", "/userAccount/userPrincipalName");
    let (upn, _) = users.iter().max_by_key(|(_, alerts)| alerts.len()).unwrap();
    let cut = stage.sortie.run(&["lookup", upn, "--limit", "1", "--csv"]).await.succeeded();
    assert!(cut.stdout.lines().count() <= 3 && cut.stderr.contains("--limit"), "{cut:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_looked_up_says_why() {
    let stage = Stage::start().await;
    let md5 = stage.sortie.run(&["lookup", &"0f".repeat(16)]).await.ended_with(2);
    assert!(md5.stderr.contains("SHA-1 or SHA-256"), "{}", md5.stderr);
    for hash in ["0f".repeat(20), "0f".repeat(32)] {
        let unknown = stage.sortie.run(&["lookup", &hash]).await;
        let expected = if hash.len() == 40 { 0 } else { 5 };
        assert_eq!(unknown.code, expected, "{unknown:?}");
        assert!(unknown.stderr.contains("knows no such"), "{}", unknown.stderr);
    }
    let application = stage.cloud.application(&[("mde", "Machine.Read.All"), ("mde", "File.Read.All")]).await;
    let poor = Sortie::connected(PROGRAM, &stage.cloud, &application).await;
    let (sha1, _) = stage.evidence(".fileEvidence", "/fileDetails/sha1").remove(0);
    let partly = poor.run(&["lookup", &sha1]).await.ended_with(4);
    assert!(partly.stdout.contains("Seen here") && partly.stderr.contains("Alert.Read.All"), "{partly:?}");
}
