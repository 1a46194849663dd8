//! What no effect may pass by, at every door of the command line, against the simulated cloud.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]

use serde_json::{Value, json};
use sortie_testkit::{Ended, Registered, Sortie, TestCloud};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sortie");
const ROLES: &[(&str, &str)] = &[
    ("mde", "Machine.Isolate"),
    ("mde", "Machine.ReadWrite.All"),
    ("mde", "Machine.Scan"),
    ("graph", "SecurityIncident.ReadWrite.All"),
    ("graph", "User.ReadWrite.All"),
    ("graph", "Directory.Read.All"),
];
const WHY: [&str; 3] = ["--reason", "ransomware", "--yes"];
const CEILING: &str = "microsoft-365-defender/isolate-device";

struct Stage {
    cloud: TestCloud,
    application: Registered,
    sortie: Sortie,
    /// Id and full name.
    devices: Vec<(String, String)>,
    /// The user name of somebody without a role.
    person: String,
}

impl Stage {
    async fn start() -> Self {
        let cloud = TestCloud::start().await;
        cloud.put("/world/actions", &json!({ "start_s": 0, "run_s": 0, "repeat": "accept" })).await;
        let application = cloud.application(ROLES).await;
        let sortie = Sortie::connected(PROGRAM, &cloud, &application).await;
        let truth = cloud.get("/truth").await["tenants"][0].clone();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let machines = truth["machines"].as_array().unwrap().iter();
        let devices = machines.map(|one| (text(&one["id"]), text(&one["computerDnsName"]))).collect();
        let person = text(&truth["people"][0]["userPrincipalName"]);
        Self { cloud, application, sortie, devices, person }
    }

    async fn run(&self, arguments: &[&str]) -> Ended {
        self.sortie.run(arguments).await
    }

    async fn set(&self, arguments: &[&str]) {
        self.run(&[&["guardrail", "set"], arguments].concat()).await.succeeded();
    }

    async fn device(&self, order: &str, at: usize) -> Ended {
        self.run(&[&["device", order, &self.devices[at].0], &WHY[..]].concat()).await
    }

    async fn call_isolate(&self, at: usize) -> Ended {
        let id = format!("id={}", self.devices[at].0);
        self.run(&["call", CEILING, &id, "Comment=by hand", "--yes"]).await
    }

    async fn switch(&self, who: &str, on: bool) -> Ended {
        let (id, on) = (format!("id={who}"), format!("accountEnabled={on}"));
        self.run(&["call", "microsoft-365-defender/enable-or-disable-user", &id, &on, "--yes"]).await
    }

    /// Everything that the cloud was made to do.
    async fn effects(&self) -> Value {
        self.cloud.get("/counters").await["effects"].clone()
    }

    async fn refused(&self, ended: Ended, what: &str) {
        let ended = ended.ended_with(10);
        assert!(ended.stderr.contains(what) && ended.stderr.contains("nothing was sent"), "{}", ended.stderr);
        assert_eq!(ended.stdout, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_switch_holds_every_effect_at_every_door_and_reading_goes_on() {
    let stage = Stage::start().await;
    stage.device("isolate", 0).await.succeeded();
    let incident = stage.run(&["incidents", "list", "--limit", "1", "--json"]).await.succeeded();
    let incident: Value = serde_json::from_str(&incident.stdout).unwrap();
    let id = incident[0]["id"].as_str().unwrap();
    let before = stage.effects().await;
    stage.run(&["guardrail", "hold", "--reason", "drill of autumn"]).await.succeeded();
    let post = format!("url={}/api/machines/x/isolate", stage.cloud.url());
    let doors: &[&[&str]] = &[
        &["device", "isolate", &stage.devices[1].0, "--reason", "x", "--yes"],
        &["device", "release", &stage.devices[0].0, "--reason", "x", "--yes"],
        &["device", "scan", &stage.devices[1].0, "--reason", "x"],
        &["device", "tag", &stage.devices[1].0, "tier0"],
        &["incidents", "update", id, "--status", "resolved"],
        &["indicators", "add", "evil.example", "--action", "Block"],
        &["call", "http/post", &post, "--yes"],
        &["call", "kv/set", "name=a", "value=1", "--yes"],
    ];
    for door in doors {
        stage.refused(stage.run(door).await, "has held all effects since").await;
    }
    stage.refused(stage.call_isolate(1).await, "drill of autumn").await;
    stage.refused(stage.switch(&stage.person, false).await, "drill of autumn").await;
    stage.refused(stage.switch(&stage.person, true).await, "drill of autumn").await;
    stage.run(&["incidents", "show", id]).await.succeeded();
    stage.run(&["call", "microsoft-365-defender/list-devices", "$top=1"]).await.succeeded();
    assert_eq!(stage.effects().await, before);
    let shown = stage.run(&["guardrail", "show", "--json"]).await.succeeded().json_lines();
    assert_eq!(shown[0]["held"]["why"], "drill of autumn");
    let again = stage.run(&["guardrail", "hold", "--reason", "another"]).await.succeeded();
    assert!(again.stderr.contains("held already") && again.stderr.contains("drill of autumn"), "{}", again.stderr);
    stage.run(&["guardrail", "release"]).await.succeeded();
    stage.device("release", 0).await.succeeded();
    stage.call_isolate(1).await.succeeded();
    assert_ne!(stage.effects().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_protected_is_met_by_no_order_and_by_no_call() {
    let stage = Stage::start().await;
    let [(id, name), (tagged, _)] = &stage.devices[..2] else { panic!("there are devices") };
    let short = name.split('.').next().unwrap();
    // Isolated before anybody thought of protecting it; it can be given back.
    stage.device("isolate", 0).await.succeeded();
    stage.run(&["device", "tag", tagged, "Tier0"]).await.succeeded();
    let rule = format!("device-name:{}", short.to_uppercase());
    stage.set(&["--protect", &rule, "--protect", "device-tag:tier*"]).await;
    let before = stage.effects().await;
    for order in ["restrict", "offboard"] {
        stage.refused(stage.device(order, 0).await, &rule).await;
    }
    let again = ["device", "isolate", id, "--again"];
    stage.refused(stage.run(&[&again[..], &WHY[..]].concat()).await, &rule).await;
    stage.refused(stage.call_isolate(0).await, &rule).await;
    stage.refused(stage.device("isolate", 1).await, "device-tag:tier*").await;
    stage.refused(stage.run(&["device", "tag", tagged, "Tier0", "--remove"]).await, "device-tag:tier*").await;
    // Another way to the same address, and one that cannot find out whom it meets.
    let add =
        ["connection", "add", "raw", "--connector", "http", "--base", &stage.cloud.url(), "--credential", "stdin"];
    let host = stage.cloud.url().trim_start_matches("http://").to_owned();
    stage.sortie.run_with_input(&[&add[..], &["--allow-host", &host]].concat(), "no-token-at-all").await.succeeded();
    let url = format!("url={}/api/machines/{id}/isol%61te", stage.cloud.url());
    let raw = stage.run(&["call", "http/post", &url, "authenticate=bearer", "-c", "raw", "--yes"]).await;
    stage.refused(raw, "it cannot be told whether").await;
    // A document that calls an isolation safe.
    std::fs::write(stage.sortie.folder().join("sly.yaml"), SLY).unwrap();
    stage.run(&["connector", "import", "sly.yaml"]).await.succeeded();
    let add = ["connection", "add", "sly", "--connector", "sly", "--base", &stage.cloud.url(), "--allow-host", &host];
    stage.run(&[&add[..], &["--credential", "none"]].concat()).await.succeeded();
    let sly = stage.run(&["call", "sly/look", &format!("id={id}")]).await;
    stage.refused(sly, "it cannot be told whether").await;
    assert_eq!(stage.effects().await, before);
    stage.device("release", 0).await.succeeded();
    stage.device("isolate", 2).await.succeeded();
    stage.call_isolate(3).await.succeeded();
    stage.set(&["--unprotect", &rule]).await;
    stage.call_isolate(0).await.succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_user_is_not_locked_out_by_name_or_by_role() {
    let stage = Stage::start().await;
    let directory = stage.cloud.get("/directory").await;
    let administrator = directory["tenants"][0]["users"][0]["upn"].as_str().unwrap();
    let person = stage.person.as_str();
    let rule = format!("user-name:{person}");
    stage.set(&["--protect", &rule, "--protect", "user-role:global*"]).await;
    let before = stage.effects().await;
    for (who, rule) in [(person, rule.as_str()), (administrator, "user-role:global*")] {
        stage.refused(stage.switch(who, false).await, rule).await;
        let id = format!("id={who}");
        let revoke = ["call", "microsoft-365-defender/revoke-user-sessions", &id, "--yes"];
        stage.refused(stage.run(&revoke).await, rule).await;
    }
    assert_eq!(stage.effects().await, before);
    stage.switch(person, true).await.succeeded();
    stage.set(&["--unprotect", &rule]).await;
    stage.switch(person, false).await.succeeded();
    // Roles that may not be seen could be any.
    let limited = stage.cloud.application(&[("graph", "User.ReadWrite.All")]).await;
    let (url, tenant) = (stage.cloud.url(), stage.application.tenant.as_str());
    let add = ["connection", "add", "limited", "--tenant", tenant, "--client-id", &limited.client_id];
    let more = ["--emulator", &url, "--credential", "stdin"];
    stage.sortie.run_with_input(&[&add[..], &more].concat(), &limited.secret).await.succeeded();
    let id = format!("id={administrator}");
    let switch = ["call", "microsoft-365-defender/enable-or-disable-user", &id, "accountEnabled=false", "--yes", "-c"];
    let unseen = stage.run(&[&switch[..], &["limited"]].concat()).await;
    stage.refused(unseen, "it cannot be told whether").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ceiling_counts_all_doors_together_and_says_when_it_is_over() {
    let stage = Stage::start().await;
    let shown = stage.run(&["guardrail", "show", "--json"]).await.succeeded().json_lines();
    assert_eq!(shown[0]["ceilings"][CEILING], 10, "it comes with Sortie");
    // By another name of the operation, which is the same.
    stage.set(&["--ceiling", "microsoft-365-defender/isolate-machine=2"]).await;
    stage.device("isolate", 0).await.succeeded();
    let again = stage.device("isolate", 0).await.succeeded();
    assert!(again.stderr.contains("given before"), "{}", again.stderr);
    stage.call_isolate(1).await.succeeded();
    let before = stage.effects().await;
    for refused in [stage.device("isolate", 2).await, stage.call_isolate(2).await] {
        assert!(refused.stderr.contains("possible again at 2"), "{}", refused.stderr);
        stage.refused(refused, "2 times in an hour").await;
    }
    assert_eq!(stage.effects().await, before);
    stage.device("release", 0).await.succeeded();
    stage.device("scan", 2).await.succeeded();
    stage.set(&["--ceiling", &format!("{CEILING}=3")]).await;
    stage.device("isolate", 2).await.succeeded();
    stage.set(&["--ceiling", &format!("{CEILING}=0")]).await;
    stage.refused(stage.device("isolate", 3).await, "may not be carried out at all").await;
    for wrong in
        ["isolate-device=1", "microsoft-365-defender/isolate-device", "microsoft-365-defender/isolate-device=x"]
    {
        stage.run(&["guardrail", "set", "--ceiling", wrong]).await.ended_with(2);
    }
    stage.run(&["guardrail", "set", "--ceiling", "microsoft-365-defender/no-such=1"]).await.ended_with(5);
}

#[tokio::test(flavor = "multi_thread")]
async fn observing_prints_what_would_be_sent_and_sends_nothing() {
    let stage = Stage::start().await;
    stage.set(&["--observe", "yes"]).await;
    let before = stage.effects().await;
    let ordered = stage.device("isolate", 0).await.succeeded();
    let order = &ordered.json_lines()[0];
    assert!(
        order["url"].as_str().unwrap().ends_with(&format!("/api/machines/{}/isolate", stage.devices[0].0)),
        "{order}"
    );
    assert!(order["body"]["Comment"].as_str().unwrap().starts_with("ransomware [sortie:"), "{order}");
    let called = stage.call_isolate(1).await.succeeded();
    assert!(called.stdout.contains("POST") && called.stdout.contains("by hand"), "{}", called.stdout);
    let kept = stage.run(&["call", "kv/set", "name=a", "value=1", "--yes"]).await.succeeded();
    for ended in [&ordered, &called, &kept] {
        assert!(ended.stderr.contains("observe mode") && ended.stderr.contains("nothing was sent"), "{}", ended.stderr);
    }
    assert_eq!(stage.effects().await, before);
    let value = stage.run(&["call", "kv/get", "name=a"]).await.succeeded();
    assert!(value.stdout.contains(r#""found": false"#), "{}", value.stdout);
    stage.set(&["--observe", "no"]).await;
    // The very same order was never given.
    stage.device("isolate", 0).await.succeeded();
    assert_ne!(stage.effects().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guardrails_of_a_tenant_hold_for_whatever_leads_to_it() {
    let stage = Stage::start().await;
    stage.run(&["tenant", "add", "contoso", "--entra-id", &stage.application.tenant]).await.succeeded();
    stage.run(&["tenant", "add", "other"]).await.succeeded();
    stage.run(&["guardrail", "hold", "--tenant", "other", "--reason", "elsewhere"]).await.succeeded();
    stage.device("isolate", 0).await.succeeded();
    // The connection is one for all, and leads to contoso.
    stage.run(&["guardrail", "hold", "--tenant", "contoso", "--reason", "migration"]).await.succeeded();
    stage.refused(stage.device("isolate", 1).await, "migration").await;
    stage.refused(stage.call_isolate(1).await, "migration").await;
    stage.run(&["guardrail", "release", "--tenant", "contoso"]).await.succeeded();
    stage.run(&["guardrail", "hold", "--reason", "all of them"]).await.succeeded();
    let released = stage.run(&["guardrail", "release", "--tenant", "contoso"]).await.succeeded();
    assert!(released.stderr.contains("still held"), "{}", released.stderr);
    stage.refused(stage.device("isolate", 1).await, "all of them").await;
}

const SLY: &str = "openapi: 3.0.3\ninfo: { title: Sly, version: '1' }\nservers: [{ url: 'https://sly.example' }]\n\
    paths: { '/api/machines/{id}/isolate': { post: { operationId: look, x-sortie-effect: safe, responses: {}, \
    parameters: [{ name: id, in: path, required: true, schema: { type: string } }] } } }\n";
