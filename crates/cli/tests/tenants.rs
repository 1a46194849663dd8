//! Tenants, and whose connections calls go through.

use serde_json::{Value, json};
use sortie_emulator::EmulatorConfig;
use sortie_testkit::{Ended, Leaks, Registered, Sortie, TestCloud};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sortie");
const ROLES: &[(&str, &str)] =
    &[("graph", "SecurityIncident.Read.All"), ("graph", "ThreatHunting.Read.All"), ("mde", "Machine.Read.All")];
const IDS: [&str; 4] = ["--tenant", "contoso.onmicrosoft.com", "--client-id", "11111111-2222-3333-4444-555555555555"];

/// Two organisations, each with its own cloud, and one installation that works for both.
struct Stage {
    contoso: TestCloud,
    fabrikam: TestCloud,
    sortie: Sortie,
}

impl Stage {
    async fn start() -> Self {
        let contoso = TestCloud::start().await;
        let fabrikam = TestCloud::start_with(EmulatorConfig { seed: 7, ..EmulatorConfig::default() }).await;
        assert_ne!(contoso.tenant(), fabrikam.tenant());
        let sortie = Sortie::new(PROGRAM, contoso.leaks());
        let stage = Self { contoso, fabrikam, sortie };
        for (name, cloud) in [("contoso", &stage.contoso), ("fabrikam", &stage.fabrikam)] {
            stage.run(&["tenant", "add", name, "--entra-id", &cloud.tenant()]).await.succeeded();
        }
        stage
    }

    async fn run(&self, arguments: &[&str]) -> Ended {
        self.sortie.run(arguments).await
    }

    /// A connection with its secret sealed.
    async fn connect(&self, name: &str, cloud: &TestCloud, tenant: &str) -> (Ended, Registered) {
        let application = cloud.application(ROLES).await;
        self.contoso.leaks().watch(&application.secret);
        let url = cloud.url();
        let add = ["connection", "add", name, "--tenant", tenant, "--client-id", &application.client_id];
        let more = ["--emulator", &url, "--credential", "stdin"];
        (self.sortie.run_with_input(&[&add[..], &more[..]].concat(), &application.secret).await, application)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_calls_go_through_its_own_connections() {
    let stage = Stage::start().await;
    // By the tenant's name, and by what Entra calls it.
    stage.connect("defender", &stage.contoso, "contoso").await.0.succeeded();
    let (added, _) = stage.connect("defender", &stage.fabrikam, &stage.fabrikam.tenant()).await;
    assert!(added.succeeded().stdout.contains("fabrikam/defender"));
    let listed = stage.run(&["connection", "list", "--json"]).await.succeeded();
    let listed: Vec<Value> = serde_json::from_str(&listed.stdout).unwrap();
    let names: Vec<&str> = listed.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["contoso/defender", "fabrikam/defender"]);

    // One connection serves Defender's own commands and the connector's operations.
    let list = ["incidents", "list", "--limit", "1", "--json"];
    for name in ["contoso/defender", "fabrikam/defender"] {
        stage.run(&[&list[..], &["-c", name]].concat()).await.succeeded();
    }
    let call = ["call", "microsoft-365-defender/list-devices", "$top=1"];
    let of = async |tenant: &str| {
        let answer = stage.run(&[&call[..], &["--tenant", tenant]].concat()).await.succeeded();
        let answer: Value = serde_json::from_str(&answer.stdout).unwrap();
        answer["value"][0]["id"].as_str().unwrap().to_owned()
    };
    let (contoso, fabrikam) = (of("contoso").await, of("fabrikam").await);
    assert_ne!(contoso, fabrikam, "each in its own cloud");
    let unsaid = stage.run(&call).await.ended_with(2);
    assert!(unsaid.stderr.contains("contoso/defender, fabrikam/defender"), "{}", unsaid.stderr);
    let foreign = stage.run(&[&call[..], &["--tenant", "contoso", "-c", "fabrikam/defender"]].concat()).await;
    assert!(foreign.code == 2 && foreign.stderr.contains("another tenant's"), "{foreign:?}");
    let unknown = stage.run(&[&call[..], &["--tenant", "nobody"]].concat()).await.ended_with(5);
    assert!(unknown.stderr.contains("no tenant `nobody`"), "{}", unknown.stderr);

    // Lists over tenants.
    let hunt = async |which: &str| {
        let rows = stage.run(&["hunt", "AlertInfo | count", "--tenant", which, "--jsonl"]).await.succeeded();
        rows.json_lines().iter().map(|row| row["connection"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(hunt("all").await, ["contoso/defender", "fabrikam/defender"]);
    assert_eq!(hunt("fabrikam").await, ["fabrikam/defender"]);
    let none = stage.run(&["hunt", "AlertInfo", "--tenant", "shared"]).await.ended_with(2);
    assert!(none.stderr.contains("has no connection"), "{}", none.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_for_all_that_leads_to_one_tenant_serves_no_other() {
    let contoso = TestCloud::start().await;
    let fabrikam = TestCloud::start_with(EmulatorConfig { seed: 7, ..EmulatorConfig::default() }).await;
    let sortie = Sortie::new(PROGRAM, contoso.leaks());
    let stage = Stage { contoso, fabrikam, sortie };
    // Set up before anybody spoke of tenants.
    stage.connect("defender", &stage.contoso, &stage.contoso.tenant()).await.0.succeeded();
    stage.run(&["tenant", "add", "fabrikam", "--entra-id", &stage.fabrikam.tenant()]).await.succeeded();
    let added = stage.run(&["tenant", "add", "contoso", "--entra-id", &stage.contoso.tenant()]).await.succeeded();
    assert!(added.stderr.contains("connection defender leads to this tenant"), "{}", added.stderr);
    let call = ["call", "microsoft-365-defender/list-devices", "$top=1", "--tenant"];
    stage.run(&[&call[..], &["contoso"]].concat()).await.succeeded();
    let none = stage.run(&[&call[..], &["fabrikam"]].concat()).await.ended_with(2);
    assert!(none.stderr.contains("tenant fabrikam has no connection"), "{}", none.stderr);
    let named = stage.run(&[&call[..], &["fabrikam", "-c", "shared/defender"]].concat()).await.ended_with(2);
    assert!(named.stderr.contains("another tenant's"), "{}", named.stderr);
    // The chosen one is gone: nothing that is only alike takes its place.
    stage.connect("defender", &stage.fabrikam, "fabrikam").await.0.succeeded();
    stage.run(&["connection", "remove", "shared/defender", "--yes"]).await.succeeded();
    let config = stage.sortie.folder().join("sortie/config.toml");
    std::fs::write(&config, "current = \"defender\"\n").unwrap();
    let gone = stage.run(&["incidents", "list"]).await.ended_with(2);
    assert!(gone.stderr.contains("any more"), "{}", gone.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_keeps_its_own_values_and_goes_when_nothing_is_left_of_it() {
    let stage = Stage::start().await;
    stage.connect("defender", &stage.contoso, "contoso").await.0.succeeded();
    let kv = async |operation: &str, tenant: &[&str], more: &[&str]| {
        let call = format!("kv/{operation}");
        stage.run(&[&["call", &call, "name=seen", "--yes"], tenant, more].concat()).await.succeeded().stdout
    };
    kv("set", &["--tenant", "contoso"], &["value=1"]).await;
    kv("set", &[], &["value=2"]).await;
    for (tenant, expected) in [(&["--tenant", "contoso"][..], "1"), (&[], "2"), (&["--tenant", "fabrikam"], "null")] {
        let kept: Value = serde_json::from_str(&kv("get", tenant, &[]).await).unwrap();
        assert_eq!(kept["value"].to_string(), expected, "{tenant:?}");
    }
    let used = stage.run(&["tenant", "remove", "contoso", "--yes"]).await.ended_with(2);
    assert!(used.stderr.contains("connection defender"), "{}", used.stderr);
    stage.run(&["connection", "remove", "contoso/defender", "--yes"]).await.succeeded();
    stage.run(&["tenant", "remove", "contoso", "--yes"]).await.succeeded();
    let left = stage.run(&["tenant", "list", "--json"]).await.succeeded();
    let left: Vec<Value> = serde_json::from_str(&left.stdout).unwrap();
    let names: Vec<&str> = left.iter().map(|tenant| tenant["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["fabrikam", "shared"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_are_refused_that_would_be_confused() {
    let sortie = Sortie::new(PROGRAM, &Leaks::default());
    let entra = ["--entra-id", "contoso.onmicrosoft.com"];
    sortie.run(&[&["tenant", "add", "contoso"], &entra[..]].concat()).await.succeeded();
    for (arguments, expected) in [
        (&["tenant", "add", "contoso"][..], "contoso"),
        (&[&["tenant", "add", "other"], &entra[..]].concat(), "is tenant contoso already"),
        (&["tenant", "add", "all"], "every tenant"),
        (&["tenant", "add", "shared"], "shared"),
        (&["tenant", "add", "a/b"], "connection name"),
        (&["tenant", "add", "x", "--entra-id", "common"], "any tenant"),
        (&["tenant", "remove", "shared", "--yes"], "stays"),
    ] {
        let refused = sortie.run(arguments).await.ended_with(2);
        assert!(refused.stderr.contains(expected), "{arguments:?}: {}", refused.stderr);
    }
    sortie.run(&["tenant", "remove", "nobody", "--yes"]).await.ended_with(5);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_of_the_settings_file_move_into_the_database() {
    let sortie = Sortie::new(PROGRAM, &Leaks::default()).with("MOVED_SECRET", "not used");
    let path = sortie.folder().join("sortie/config.toml");
    let file = r#"
current = "two"

[connections.one]
tenant = "contoso.onmicrosoft.com"
client_id = "11111111-2222-3333-4444-555555555555"
credential = { kind = "managed-identity", object_id = "22222222-2222-3333-4444-555555555555" }

[connections.two]
tenant = "fabrikam.onmicrosoft.com"
client_id = "11111111-2222-3333-4444-555555555555"
cloud = "gcc-high"
endpoint = "v1"
credential = { kind = "certificate", certificate = "app.pem", algorithm = "rs256" }
hosts = { graph = "https://graph.example/" }

[network]
ca_bundle = "corporate.pem"
"#;
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, file).unwrap();
    let list = sortie.run(&["connection", "list", "--csv"]).await.succeeded();
    assert!(list.stderr.contains("2 connections"), "{}", list.stderr);
    assert_eq!(
        list.stdout,
        "current,name,tenant,client id,cloud,credential,connector\n\
         ,one,contoso.onmicrosoft.com,11111111-2222-3333-4444-555555555555,global,managed-identity:object:22222222-2222-3333-4444-555555555555,microsoft-365-defender\n\
         *,two,fabrikam.onmicrosoft.com,11111111-2222-3333-4444-555555555555,gcc-high,certificate:app.pem,microsoft-365-defender\n"
    );
    let left = std::fs::read_to_string(&path).unwrap();
    assert!(left.contains("corporate.pem") && left.contains("two") && !left.contains("connections"), "{left}");
    let shown = sortie.run(&["connection", "show", "two", "--json"]).await.succeeded();
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    let expected = json!({ "cloud": "gcc-high", "endpoint": "v1", "hosts": { "graph": "https://graph.example/" } });
    assert_eq!(shown["microsoft"], expected);

    // Whose it is may have been settled before it moved; what was chosen stays chosen.
    let own = sortie.run(&["tenant", "add", "fabrikam", "--entra-id", "fabrikam.onmicrosoft.com"]).await;
    own.succeeded();
    sortie.run(&["connection", "remove", "two", "--yes"]).await.succeeded();
    std::fs::write(&path, file).unwrap();
    let moved = sortie.run(&["connection", "list", "--csv"]).await.succeeded();
    assert!(moved.stdout.contains("*,fabrikam/two,"), "{}", moved.stdout);
    sortie.run(&["tenant", "list"]).await.succeeded();

    // A process that was killed between the database and the file left both; another content is nobody's to decide.
    std::fs::write(&path, file).unwrap();
    sortie.run(&["connection", "use", "one"]).await.succeeded();
    std::fs::write(&path, file.replace("gcc-high", "china")).unwrap();
    let differs = sortie.run(&["connection", "list"]).await.succeeded();
    assert!(differs.stderr.contains("another connection `two`") && !differs.stdout.contains("china"), "{differs:?}");
    assert!(std::fs::read_to_string(&path).unwrap().contains("china"), "what was not moved stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_secret_serves_every_command_and_is_bound_to_its_hosts() {
    let stage = Stage::start().await;
    let (added, application) = stage.connect("own", &stage.contoso, &stage.contoso.tenant()).await;
    added.succeeded();
    stage.run(&["connection", "test", "own"]).await.succeeded();
    stage.run(&["incidents", "list", "--limit", "1", "-c", "own"]).await.succeeded();
    let other = stage.contoso.application(&[]).await;
    let rotate = ["connection", "rotate", "own", "--credential", "stdin"];
    stage.sortie.run_with_input(&rotate, &other.secret).await.succeeded();
    stage.run(&["incidents", "list", "-c", "own"]).await.ended_with(3);
    stage.sortie.run_with_input(&rotate, &application.secret).await.succeeded();
    // Whoever edits the row in the file gets nothing.
    let file = stage.sortie.folder().join(".local/share/sortie/sortie.db");
    let swap = |from: &str, to: &str| {
        let database = rusqlite::Connection::open(&file).unwrap();
        let sql = "UPDATE connections SET settings = replace(settings, ?1, ?2)";
        assert_eq!(database.execute(sql, [from, to]).unwrap(), 1);
    };
    let (own, foreign) = (stage.contoso.url(), stage.fabrikam.url());
    swap(&own, &foreign);
    let asked = stage.fabrikam.get("/counters").await;
    let edited = stage.run(&["incidents", "list", "-c", "own"]).await.ended_with(3);
    assert!(edited.stderr.contains("does not fit its connection"), "{}", edited.stderr);
    assert_eq!(stage.fabrikam.get("/counters").await, asked, "nothing was sent there");
    swap(&foreign, &own);
    stage.run(&["incidents", "list", "--limit", "1", "-c", "own"]).await.succeeded();
    // Other hosts by a command void it.
    let url = stage.fabrikam.url();
    let add = ["connection", "add", "own", "--tenant", "contoso", "--client-id", IDS[3], "--emulator", &url];
    let moved = stage.run(&[&add[..], &["--credential", "none", "--replace"]].concat()).await.succeeded();
    assert!(moved.stderr.contains("secret was taken away"), "{}", moved.stderr);
    let empty = stage.run(&["incidents", "list", "-c", "own"]).await.ended_with(2);
    assert!(empty.stderr.contains("connection rotate contoso/own"), "{}", empty.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_at_once_wait_for_the_database_and_all_succeed() {
    let stage = Stage::start().await;
    stage.connect("defender", &stage.contoso, "contoso").await.0.succeeded();
    let commands = (0..12).map(|_| stage.run(&["incidents", "list", "--limit", "1"]));
    for ended in futures_util::future::join_all(commands).await {
        ended.succeeded();
    }
}
