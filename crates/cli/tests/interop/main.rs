//! Other people's clients, unmodified, against the simulated cloud over https and under Microsoft's own names.
//!
//! `cargo xtask test` installs them and names them by `SORTIE_INTEROP_PYTHON` and `SORTIE_INTEROP_NODE`; the scripts are
//! in `interop/`. Where a client is missing its test says so in one line, and fails with `SORTIE_INTEROP_REQUIRED=1`.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]
#![expect(clippy::print_stdout, reason = "what is left out, and which versions ran, must be seen")]

mod judge;
mod stage;

use std::net::SocketAddr;

use serde_json::{Value, json};
use sortie_emulator::EmulatorConfig;
use tokio::process::Command;

use judge::Findings;
use stage::{Stage, ended, node, python, root, said};

#[tokio::test(flavor = "multi_thread")]
async fn msal_for_python_signs_in() {
    let Some(python) = python() else { return };
    let stage = Stage::start().await;
    let found = stage.found(stage.script(&python, "msal_sign_in.py").env("SORTIE_CLOUD", stage.https())).await;
    judge::msal_python(&found, &stage.able.client_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_identity_for_python_signs_in_with_every_credential() {
    let Some(python) = python() else { return };
    let stage = Stage::start().await;
    let token_file = stage.federate(&python).await;
    let identity = &stage.cloud.get("/directory/managed-identities").await[0];
    let (object, client) = (identity["objectId"].as_str().unwrap(), identity["clientId"].as_str().unwrap());
    let role = json!({ "resource": "graph", "value": "SecurityIncident.Read.All" });
    stage.cloud.post(&format!("/directory/managed-identities/{object}/grants"), &role).await;
    let mut script = stage.script(&python, "azure_identity_sign_in.py");
    script.env("SORTIE_CLOUD", stage.https()).env("SORTIE_FEDERATED_TOKEN", token_file);
    script.env("AZURE_POD_IDENTITY_AUTHORITY_HOST", stage.cloud.url());
    let found = stage.found(&mut script).await;
    judge::azure_identity(&found, &stage.able.client_id, &[("secret", "1"), ("certificate", "2")]);
    judge::token(&found, "workload identity", judge::GRAPH, judge::GRAPH_ROLES, "2", &stage.able.client_id);
    judge::token(&found, "managed identity", judge::GRAPH, &["SecurityIncident.Read.All"], "2", client);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_graph_sdk_for_python_reads_and_changes_what_is_there() {
    let Some(python) = python() else { return };
    let stage = Stage::start().await;
    let truth = stage.cloud.get("/truth").await;
    let found = stage.found(stage.script(&python, "graph_sdk.py").env("SORTIE_CLOUD", stage.https())).await;
    judge::graph_sdk(&found, &truth);
    judge::graph_sdk_effects(&found, &stage.cloud.get("/truth").await);
}

/// msticpy has no setting for the addresses: it goes to Microsoft's own names, through the proxy.
#[tokio::test(flavor = "multi_thread")]
async fn msticpy_hunts_with_both_of_its_drivers() {
    let Some(python) = python() else { return };
    let stage = Stage::start().await;
    let truth = stage.cloud.get("/truth").await;
    let mut script = stage.script(&python, "msticpy_hunt.py");
    script.env("HTTPS_PROXY", stage.proxy()).env("SORTIE_ADMIN", stage.admin());
    let found = stage.found(&mut script).await;
    let counters = stage.cloud.get("/counters").await;
    judge::msticpy(&found, "MDE", "/api/advancedqueries/run", &truth, &counters);
    judge::msticpy(&found, "M365DGraph", "/v1.0/security/runHuntingQuery", &truth, &counters);
    judge::alerts_between(&found, "its own query for alerts", &truth);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clients_for_node_sign_in() {
    let Some(node) = node() else { return };
    let stage = Stage::start().await;
    let truth = stage.cloud.get("/truth").await;
    let mut msal = stage.node_script(&node, "msal.mjs");
    judge::msal_node(&stage.found(msal.env("SORTIE_CLOUD", stage.https())).await, &stage.able.client_id);
    let mut identity = stage.node_script(&node, "azure_identity.mjs");
    let found = stage.found(identity.env("SORTIE_CLOUD", stage.https())).await;
    judge::azure_identity(&found, &stage.able.client_id, &[("secret", "1"), ("certificate", "2")]);
    judge::incident_ids(&found, &truth);
}

/// No address is configured anywhere: the proxy leads Microsoft's names to the emulator. Works without root.
#[tokio::test(flavor = "multi_thread")]
async fn through_the_proxy_clients_need_no_address_at_all() {
    let Some(python) = python() else { return };
    let stage = Stage::start().await;
    let truth = stage.cloud.get("/truth").await;
    let proxied = |name: &str| {
        let mut script = stage.script(&python, name);
        script.env("HTTPS_PROXY", stage.proxy());
        script
    };
    judge::documented_v1(&stage.found(&mut proxied("documented_v1.py")).await, &truth);
    judge::msal_python(&stage.found(&mut proxied("msal_sign_in.py")).await, &stage.able.client_id);
    let found = stage.found(&mut proxied("azure_identity_sign_in.py")).await;
    judge::azure_identity(&found, &stage.able.client_id, &[("secret", "1"), ("certificate", "2")]);
    judge::graph_sdk(&stage.found(&mut proxied("graph_sdk.py")).await, &truth);
    let calls = stage.cloud.get("/counters").await;
    let discovery = judge::calls(&calls, "/{tenant}/v2.0/.well-known/openid-configuration");
    assert!(discovery > 0, "MSAL reads the tenant's metadata before it signs in: {calls}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_curl_line_works_as_it_is_printed() {
    if !stage::has("curl", "curl", &["--version"]) {
        return;
    }
    let stage = Stage::start().await;
    let mut line = stage.command("sh");
    line.arg(root().join("interop/curl.sh")).env("HTTPS_PROXY", stage.proxy());
    judge::curl(&ended(&mut line).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_leads_nowhere_else() {
    if !stage::has("curl", "curl", &["--version"]) {
        return;
    }
    let stage = Stage::start().await;
    let mut elsewhere = stage.command("curl");
    elsewhere.args(["-sS", "https://example.com/"]).env("HTTPS_PROXY", stage.proxy());
    let output = elsewhere.output().await.unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("403"), "{output:?}");
}

/// A private namespace in which Microsoft's names lead to 127.0.0.1: no setting of the clients but the authority.
#[tokio::test(flavor = "multi_thread")]
async fn under_the_real_names_no_client_needs_a_change() {
    let script = root().join("../shared/tools/real-names.sh");
    if !script.is_file() {
        println!("left out: the private namespace ({} is absent)", script.display());
        return;
    }
    if !stage::has("a private namespace", "unshare", &["-rmn", "true"]) {
        return;
    }
    let (Some(python), Some(node)) = (python(), node()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let certificate = stage::certificate(folder.path());
    let clients = [
        "python/documented_v1.py",
        "python/msal_sign_in.py",
        "python/azure_identity_sign_in.py",
        "python/graph_sdk.py",
        "node/msal.mjs",
        "node/azure_identity.mjs",
    ];
    let ca = folder.path().join("ca");
    let server = format!(
        "'{}' emulator --real-names --https 127.0.0.1:443 --http 127.0.0.1:8400 --admin 127.0.0.1:8401 --ca-dir '{}' >&2",
        env!("CARGO_BIN_EXE_sortie"),
        ca.display()
    );
    let probe = format!(
        "'{}' '{}' {}",
        python.display(),
        root().join("interop/python/real_names.py").display(),
        clients.join(" ")
    );
    let mut command = Command::new("bash");
    command.arg(script).arg(ca.join("ca.pem")).args([server, probe]);
    stage::isolate(&mut command, folder.path());
    command.env("SORTIE_CERTIFICATE", &certificate.path).env("SORTIE_INTEROP_NODE", &node);
    command.env("SORTIE_ROLES", judge::roles().to_string());
    let told = said(&ended(&mut command).await);
    let of = |client: &str| {
        let line = told.iter().find(|line| line["client"] == client).unwrap_or_else(|| panic!("nothing of {client}"));
        assert!(line["code"] == 0 || client == "truth", "{client}: {}", line["errors"]);
        line
    };
    let lines = |client: &str| -> String {
        of(client)["lines"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect::<Vec<_>>().join("\n")
    };
    let (truth, client_id) = (&of("truth")["truth"], of("truth")["clientId"].as_str().unwrap());
    let found = |client: &str| Findings::of(said(&lines(client)));
    judge::documented_v1(&found(clients[0]), truth);
    judge::msal_python(&found(clients[1]), client_id);
    judge::azure_identity(&found(clients[2]), client_id, &[("secret", "1"), ("certificate", "2")]);
    judge::graph_sdk(&found(clients[3]), truth);
    judge::msal_node(&found(clients[4]), client_id);
    judge::azure_identity(&found(clients[5]), client_id, &[("secret", "1"), ("certificate", "2")]);
    judge::incident_ids(&found(clients[5]), truth);
    judge::curl(&lines("curl"));
}

fn config(ca_dir: &std::path::Path) -> EmulatorConfig {
    let any_port = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    EmulatorConfig {
        https: any_port,
        proxy: any_port,
        ca_dir: Some(ca_dir.to_owned()),
        real_names: true,
        ..EmulatorConfig::default()
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no `{name}` in {value}"))
}
