//! The path of the first users: an app from an OpenAPI file, OAuth2 *application* by hand, a connection, its test, calls.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};
use sortie_testkit::TestCloud;

use crate::stage::Stage;

const ENDPOINTS: &[&str] = &["/oauth2/v2.0/token", "/oauth2/token"];

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn with_one_role_alerts_work_and_incidents_name_the_role_that_is_missing() {
    for endpoint in ENDPOINTS {
        let stage = Stage::start().await;
        let application = stage.cloud.application(&[("graph", "SecurityAlert.ReadWrite.All")]).await;
        stage.import(endpoint).await;
        let added = stage.connect("contoso", &application).await.succeeded();
        assert!(added.stderr.contains("back it up"), "the key was made: {}", added.stderr);
        let tested = stage.run(&["connection", "test", "contoso"]).await.succeeded();
        assert!(
            tested.stdout.contains("SecurityAlert.ReadWrite.All") && tested.stdout.contains("works"),
            "{}",
            tested.stdout
        );
        let alerts = stage.run(&["call", "microsoft-365-defender/list-alerts", "$top=3"]).await.succeeded();
        assert_eq!(read(&alerts.stdout)["value"].as_array().unwrap().len(), 3, "{endpoint}");
        assert!(alerts.stderr.contains(".default"), "completed and told: {}", alerts.stderr);
        let refused = stage.run(&["call", "microsoft-365-defender/list-incidents"]).await.ended_with(4);
        assert!(refused.stderr.contains("SecurityIncident.Read.All"), "{endpoint}: {}", refused.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_roles_of_xdr_its_incidents_work() {
    for endpoint in ENDPOINTS {
        let stage = Stage::start().await;
        let application = stage.cloud.application(&[("xdr", "Incident.Read.All")]).await;
        stage.import(endpoint).await;
        stage.connect("contoso", &application).await.succeeded();
        let incidents = stage.run(&["call", "microsoft-365-defender/list-incidents-xdr"]).await.succeeded();
        assert!(!read(&incidents.stdout)["value"].as_array().unwrap().is_empty(), "{endpoint}");
        let refused = stage.run(&["call", "microsoft-365-defender/list-alerts"]).await.ended_with(4);
        assert!(refused.stderr.contains("SecurityAlert.Read.All"), "{endpoint}: {}", refused.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_arrives_and_a_dry_run_sends_nothing() {
    let stage = Stage::start().await;
    let roles = [("graph", "SecurityIncident.ReadWrite.All")];
    let application = stage.cloud.application(&roles).await;
    stage.import(ENDPOINTS[0]).await;
    stage.connect("contoso", &application).await.succeeded();
    let incidents = stage.run(&["call", "microsoft-365-defender/list-incidents"]).await.succeeded();
    let id = read(&incidents.stdout)["value"][0]["id"].as_str().unwrap().to_owned();
    let comment = "quote \" back\\slash \t tab 🦀 ${x} {{ y }}";
    let inputs = [
        format!("id={id}"),
        format!("comment={comment}"),
        "@odata.type=microsoft.graph.security.alertComment".to_owned(),
    ];
    let call = ["call", "microsoft-365-defender/comment-incident", &inputs[0], &inputs[1], &inputs[2]];
    let before = stage.cloud.get("/counters").await["total"].clone();
    let dry = stage.run(&[&call[..], &["--dry-run"]].concat()).await.succeeded();
    assert!(dry.stdout.contains("authorization: Bearer ***") && dry.stdout.contains("$TOKEN"), "{}", dry.stdout);
    assert_eq!(stage.cloud.get("/counters").await["total"], before);
    let unasked = stage.run(&call).await.ended_with(2);
    assert!(unasked.stderr.contains("--yes"), "{}", unasked.stderr);
    stage.run(&[&call[..], &["--yes"]].concat()).await.succeeded();
    let after = stage.run(&["call", "microsoft-365-defender/list-incidents"]).await.succeeded();
    let list = read(&after.stdout)["value"].as_array().unwrap().clone();
    let changed = list.iter().find(|one| one["id"] == id.as_str()).unwrap();
    assert_eq!(changed["comments"].as_array().unwrap().last().unwrap()["comment"], comment);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_stays_where_it_was_meant_to_go() {
    let stage = Stage::start().await;
    let application = stage.cloud.application(&[("graph", "SecurityAlert.Read.All")]).await;
    stage.import(ENDPOINTS[0]).await;
    stage.connect("contoso", &application).await.succeeded();
    // Another base address: the secret is gone, and nothing is sent there.
    let moved = ["connection", "add", "contoso", "--connector", "microsoft-365-defender", "--replace"];
    let place =
        ["--base", "https://evil.example", "--tenant", &application.tenant, "--client-id", &application.client_id];
    let moved = stage.sortie.run(&[&moved[..], &place[..], &["--credential", "stdin"]].concat()).await;
    assert!(moved.code != 0, "an empty secret is none: {moved:?}");
    let env = ["--credential", "env:NOWHERE"];
    let moved = ["connection", "add", "contoso", "--connector", "microsoft-365-defender", "--replace"];
    let moved = stage.run(&[&moved[..], &place[..], &env[..]].concat()).await.succeeded();
    assert!(moved.stderr.contains("taken away"), "{}", moved.stderr);
    let refused = stage.run(&["call", "microsoft-365-defender/list-alerts"]).await;
    assert!(refused.code == 3 && refused.stderr.contains("NOWHERE"), "{refused:?}");
    // A wrong key is one sentence and a refusal; the right one still opens.
    stage.connect("second", &application).await.succeeded();
    let call = ["call", "microsoft-365-defender/list-alerts", "-c", "second"];
    stage.run(&call).await.succeeded();
    let key = stage.sortie.folder().join(".local/share/sortie/sortie.key");
    std::fs::remove_file(&key).unwrap();
    let missing = stage.run(&call).await.ended_with(3);
    assert!(missing.stderr.contains("key"), "{}", missing.stderr);
    assert!(!key.exists(), "no other key is made while secrets are there");
    std::fs::write(&key, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let wrong = stage.run(&call).await.ended_with(3);
    assert!(wrong.stderr.contains("not the key"), "{}", wrong.stderr);
}

/// The connector that comes along, on the cloud that does not know its document.
#[tokio::test(flavor = "multi_thread")]
async fn the_built_in_connector_reads_and_acts() {
    let stage = Stage::start().await;
    let roles = [
        ("graph", "SecurityIncident.Read.All"),
        ("xdr", "Incident.Read.All"),
        ("mde", "Machine.ReadWrite.All"),
        ("mde", "Machine.Isolate"),
    ];
    let application = stage.cloud.application(&roles).await;
    let token_url = format!("https://{}/{{tenant}}/oauth2/v2.0/token", stage.host());
    let added = stage.connect_with("contoso", &application, &["--token-url", &token_url]).await;
    added.succeeded();
    let incidents = stage.run(&["call", "microsoft-365-defender/list-incidents", "--all-pages"]).await.succeeded();
    assert!(incidents.json_lines().len() > 50, "{}", incidents.stderr);
    let xdr = stage.run(&["call", "microsoft-365-defender/list-incidents-xdr"]).await.succeeded();
    assert!(!read(&xdr.stdout)["value"].as_array().unwrap().is_empty());
    let devices = stage.run(&["call", "microsoft-365-defender/list-devices", "$top=1"]).await.succeeded();
    let id = read(&devices.stdout)["value"][0]["id"].as_str().unwrap().to_owned();
    let inputs = [format!("id={id}"), "Comment=by hand".to_owned(), "IsolationType=Full".to_owned()];
    let isolate = ["call", "microsoft-365-defender/isolate-device", &inputs[0], &inputs[1], &inputs[2], "--yes"];
    let action = read(&stage.run(&isolate).await.succeeded().stdout);
    assert_eq!((action["type"].as_str(), action["machineId"].as_str()), (Some("Isolate"), Some(id.as_str())));
}

/// The document of a product whose host was taken over, imported in the place of the good one.
#[tokio::test(flavor = "multi_thread")]
async fn a_connector_that_leads_elsewhere_since_gets_no_secret() {
    let stage = Stage::start().await;
    let evil = TestCloud::start().await;
    let document = |host: &str| {
        format!(
            "openapi: 3.0.3\ninfo: {{ title: Own, version: '1' }}\nservers: [{{ url: '{host}' }}]\n\
             security: [{{ token: [] }}]\ncomponents: {{ securitySchemes: {{ token: {{ type: http, scheme: bearer }} }} }}\n\
             paths: {{ /v1.0/security/incidents: {{ get: {{ operationId: incidents, responses: {{}} }} }} }}\n"
        )
    };
    let write = |host: &str| std::fs::write(stage.sortie.folder().join("own.yaml"), document(host)).unwrap();
    write(&stage.cloud.url());
    stage.run(&["connector", "import", "own.yaml"]).await.succeeded();
    let hosts = [&stage.cloud, &evil].map(|cloud| cloud.url().trim_start_matches("http://").to_owned());
    let add = ["connection", "add", "ours", "--connector", "own", "--credential", "stdin"];
    let allowed = ["--allow-host", &hosts[0], "--allow-host", &hosts[1]];
    let (add, token) = ([&add[..], &allowed[..]].concat(), "planted-token-of-ours");
    stage.cloud.leaks().watch(token);
    stage.sortie.run_with_input(&add, token).await.succeeded();
    // Its own host hears the token, and refuses it.
    let heard = stage.run(&["call", "own/incidents"]).await.ended_with(3);
    assert!(heard.stderr.contains("401"), "{}", heard.stderr);
    write(&evil.url());
    stage.run(&["connector", "import", "own.yaml", "--replace"]).await.succeeded();
    let refused = stage.run(&["call", "own/incidents"]).await.ended_with(3);
    assert!(
        refused.stderr.contains("was not set up for") && refused.stderr.contains(&evil.url()),
        "{}",
        refused.stderr
    );
    let total = |counters: Value| counters["total"].as_u64().unwrap();
    assert_eq!(total(evil.get("/counters").await), 0);
    // Entered again it goes there.
    stage.sortie.run_with_input(&[&add[..], &["--replace"]].concat(), token).await.succeeded();
    stage.run(&["call", "own/incidents"]).await.ended_with(3);
    assert_eq!(total(evil.get("/counters").await), 1);
    let listed = stage.run(&["connection", "list", "--jsonl"]).await.succeeded().json_lines();
    let shown = stage.run(&["connection", "show", "ours"]).await.succeeded();
    assert!(shown.stdout.contains("sealed") && shown.stdout.contains(&evil.url()), "{}", shown.stdout);
    assert_eq!((listed[0]["name"].as_str(), listed[0]["secret"].as_str()), (Some("ours"), Some("sealed")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_a_doubt_only_where_something_may_have_changed() {
    let stage = Stage::start().await;
    let application = stage.cloud.application(&[("graph", "SecurityIncident.ReadWrite.All")]).await;
    stage.import(ENDPOINTS[0]).await;
    stage.connect("contoso", &application).await.succeeded();
    let reset = |route: &str| json!({ "kind": "reset", "service": "graph", "times": 100, "route": route });
    stage.cloud.post("/faults", &reset("/v1.0/security/incidents")).await;
    let unread = stage.run(&["call", "microsoft-365-defender/list-incidents"]).await.ended_with(6);
    assert!(!unread.stderr.contains("not known"), "{}", unread.stderr);
    stage.cloud.delete("/faults", None).await;
    let incidents = stage.run(&["call", "microsoft-365-defender/list-incidents"]).await.succeeded();
    let id = format!("id={}", read(&incidents.stdout)["value"][0]["id"].as_str().unwrap());
    let lost = json!({ "kind": "reset_after_effect", "service": "graph", "method": "POST", "times": 100 });
    stage.cloud.post("/faults", &lost).await;
    let kind = "@odata.type=microsoft.graph.security.alertComment";
    let comment = ["call", "microsoft-365-defender/comment-incident", &id, kind, "comment=x", "--yes"];
    let doubt = stage.run(&comment).await.ended_with(8);
    let effects = stage.cloud.get("/counters").await["effects"].to_string();
    assert!(effects.contains(r#""comments":1"#), "it was carried out once and not repeated: {effects}");
    assert!(doubt.stderr.contains("not known") && doubt.stderr.contains("before you repeat"), "{}", doubt.stderr);
}
