//! The path of the first users: an app from an OpenAPI file, OAuth2 *application* by hand, a connection, its test, calls.

use serde_json::Value;

use crate::stage::Stage;

const ENDPOINTS: &[&str] = &["/oauth2/v2.0/token", "/oauth2/token"];

fn json(text: &str) -> Value {
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
        assert_eq!(json(&alerts.stdout)["value"].as_array().unwrap().len(), 3, "{endpoint}");
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
        assert!(!json(&incidents.stdout)["value"].as_array().unwrap().is_empty(), "{endpoint}");
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
    let id = json(&incidents.stdout)["value"][0]["id"].as_str().unwrap().to_owned();
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
    let read = stage.run(&["call", "microsoft-365-defender/list-incidents"]).await.succeeded();
    let list = json(&read.stdout)["value"].as_array().unwrap().clone();
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
    let whole = std::fs::read_to_string(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    let missing = stage.run(&call).await.ended_with(3);
    assert!(missing.stderr.contains("key"), "{}", missing.stderr);
    assert!(!key.exists(), "no other key is made while secrets are there");
    std::fs::write(&key, whole.replace(|c: char| c.is_ascii_digit(), "A")).unwrap();
    let _ = std::process::Command::new("chmod").arg("600").arg(&key).status();
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
    assert!(!json(&xdr.stdout)["value"].as_array().unwrap().is_empty());
    let devices = stage.run(&["call", "microsoft-365-defender/list-devices", "$top=1"]).await.succeeded();
    let id = json(&devices.stdout)["value"][0]["id"].as_str().unwrap().to_owned();
    let inputs = [format!("id={id}"), "Comment=by hand".to_owned(), "IsolationType=Full".to_owned()];
    let isolate = ["call", "microsoft-365-defender/isolate-device", &inputs[0], &inputs[1], &inputs[2], "--yes"];
    let action = json(&stage.run(&isolate).await.succeeded().stdout);
    assert_eq!((action["type"].as_str(), action["machineId"].as_str()), (Some("Isolate"), Some(id.as_str())));
}
