//! What is asked while a server has the database, beyond workflows.

use serde_json::json;
use sortie_testkit::{Sortie, TestCloud};

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn what_the_api_does_not_do_is_refused_at_once_with_the_way_out() {
    let stage = Stage::start(true).await;
    for arguments in [
        &["key", "rotate"][..],
        &["call", "kv/set", "name=a", "value=1", "--yes"],
        &["tenant", "add", "contoso"],
        &["connection", "add", "x", "--connector", "data", "--credential", "none"],
    ] {
        let begun = std::time::Instant::now();
        let refused = stage.run(arguments).await.ended_with(2);
        assert!(begun.elapsed().as_secs() < 5, "{arguments:?} waited");
        assert!(refused.stderr.contains("sortie.db.sock has the database"), "{arguments:?}: {}", refused.stderr);
        assert!(refused.stderr.contains("next:  Stop that `sortie serve`"), "{}", refused.stderr);
    }
}

/// What an analyst does by hand goes on while a server has the database: it is read beside it, and effects ask the server.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_by_hand_goes_on_beside_a_server_and_asks_it() {
    let cloud = TestCloud::start().await;
    cloud.put("/world/actions", &json!({ "start_s": 0, "run_s": 0 })).await;
    let application = cloud.application(ROLES).await;
    cloud.leaks().watch(&application.secret);
    let sortie = Sortie::new(env!("CARGO_BIN_EXE_sortie"), cloud.leaks());
    let (client, url) = (application.client_id.as_str(), cloud.url());
    let mut stage = Stage::of(sortie, cloud.leaks().clone());
    stage.run(&["tenant", "add", "contoso", "--entra-id", &application.tenant]).await.succeeded();
    let add = ["connection", "add", "own", "--tenant", "contoso", "--client-id", client, "--emulator", &url];
    let sealed = [&add[..], &["--credential", "stdin"]].concat();
    stage.sortie.run_with_input(&sealed, &application.secret).await.succeeded();
    stage.serve().await;
    let incident = stage.json(&["incidents", "list", "--limit", "1", "--json"]).await[0]["id"].clone();
    let device = stage.json(&["devices", "list", "--limit", "1", "--json"]).await[0]["id"].clone();
    let (incident, device) = (incident.as_str().unwrap(), device.as_str().unwrap());
    stage.run(&["incidents", "update", incident, "--comment", "seen"]).await.succeeded();
    let called = format!("id={device}");
    stage.run(&["call", "microsoft-365-defender/get-device", &called]).await.succeeded();
    stage.run(&["guardrail", "set", "--ceiling", "microsoft-365-defender/isolate-device=1"]).await.succeeded();
    let isolate = ["devices", "isolate", device, "--reason", "a drill", "--yes"];
    stage.run(&isolate).await.succeeded();
    let body = r#"{ "Comment": "again", "IsolationType": "Full" }"#;
    stage.write("body.json", &body.replace("{ ", &format!("{{ \"id\": \"{device}\", ")));
    let again = ["call", "microsoft-365-defender/isolate-device", "--input", "body.json", "--yes"];
    let refused = stage.run(&again).await.ended_with(10);
    assert!(refused.stderr.contains("may be carried out 1 times in an hour"), "{}", refused.stderr);
    stage.run(&["guardrail", "hold", "--reason", "a drill"]).await.succeeded();
    let held = stage.run(&["incidents", "update", incident, "--comment", "more"]).await.ended_with(10);
    assert!(held.stderr.contains("has held all effects since"), "{}", held.stderr);
    stage.run(&["backup", "copy.db"]).await.succeeded();
    let entries = stage.run(&["audit", "export"]).await.succeeded().json_lines();
    let count = |action: &str| entries.iter().filter(|entry| entry["action"] == action).count();
    assert_eq!((count("effect.admit"), count("effect.refuse"), count("effect.hold")), (2, 1, 1), "{entries:#?}");
    assert_eq!(count("database.backup"), 1);
    let orders = cloud.get("/counters").await["effects"].to_string();
    assert_eq!(orders.matches("\"orders\":1").count(), 1, "{orders}");
    let copy = ["connection", "list", "--database", "copy.db", "--json"];
    assert_eq!(stage.json(&copy).await[0]["name"], "contoso/own");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_is_the_same_with_a_server_and_without() {
    let mut stage = Stage::start(false).await;
    stage.run(&["tenant", "add", "contoso", "--entra-id", "99999999-8888-7777-6666-555555555555"]).await.succeeded();
    let add = ["connection", "add", "defender", "--tenant", "contoso", "--client-id", CLIENT];
    stage.run(&[&add[..], &["--credential", "env:X"]].concat()).await.succeeded();
    stage.leaks.watch("planted-secret-one");
    let add = ["connection", "add", "mail", "--connector", "email", "--base", "smtps://mail.example:465"];
    let more = ["--client-id", "soc", "--credential", "stdin", "--expires", "2090-01-01"];
    stage.sortie.run_with_input(&[&add[..], &more].concat(), "planted-secret-one").await.succeeded();
    stage.run(&["connector", "edit", "data", "--name", "Our data"]).await.succeeded();
    stage.run(&["user", "add", "alice"]).await.succeeded();
    stage.run(&["user", "grant", "alice", "viewer", "--tenant", "contoso"]).await.succeeded();
    stage.run(&["token", "add", "alice", "--name", "ci"]).await.succeeded();
    stage.run(&["guardrail", "set", "--protect", "device-name:dc-*", "--ceiling", "kv/set=3"]).await.succeeded();
    let looks: &[&[&str]] = &[
        &["tenant", "list", "--json"],
        &["connection", "list"],
        &["connection", "list", "--json"],
        &["connection", "show"],
        &["connection", "show", "mail", "--json"],
        &["connector", "list", "--json"],
        &["connector", "show", "data"],
        &["connector", "show", "microsoft-365-defender", "isolate-device"],
        &["connector", "export", "kv"],
        &["user", "list", "--json"],
        &["token", "list", "--json"],
        &["guardrail", "show", "--tenant", "contoso", "--json"],
        &["guardrail", "show"],
        &["audit", "list", "--limit", "3", "--json"],
        &["audit", "export", "--by", "os:nobody"],
        &["workflow", "list"],
        &["runs", "list", "--json"],
    ];
    let mut before = Vec::new();
    for look in looks {
        before.push(stage.run(look).await.succeeded());
    }
    stage.serve().await;
    for (look, before) in looks.iter().zip(before) {
        let with = stage.run(look).await.succeeded();
        assert_eq!((with.stdout, with.stderr), (before.stdout, before.stderr), "{look:?}");
    }
    let data = stage.json(&["connector", "list", "--json"]).await;
    let titles: Vec<&str> = data.as_array().unwrap().iter().map(|one| one["title"].as_str().unwrap()).collect();
    assert!(titles.contains(&"Our data") && data.as_array().unwrap().len() == 5, "{titles:?}");
    let shown = stage.run(&["connection", "show"]).await.succeeded().stdout;
    assert!(shown.contains("contoso/defender") && shown.contains("env:X"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_and_guardrails_are_changed_through_the_server_under_the_users_own_name() {
    let stage = Stage::start(true).await;
    stage.run(&["user", "add", "alice"]).await.succeeded();
    stage.run(&["user", "add", "alice"]).await.ended_with(2);
    let grant = ["user", "grant", "alice", "responder", "--tenant", "all"];
    assert_eq!(stage.run(&grant).await.succeeded().stdout, "alice is responder in all now\n");
    assert_eq!(stage.run(&grant).await.succeeded().stdout, "alice was that already\n");
    let token = stage.run(&["token", "add", "alice", "--name", "ci"]).await.succeeded().stdout;
    stage.leaks.watch(&token.trim()[15..]);
    stage.run(&["token", "revoke", &token[..15]]).await.succeeded();
    stage.run(&["user", "disable", "alice"]).await.succeeded();
    stage.run(&["user", "revoke", "alice", "responder", "--tenant", "all"]).await.succeeded();
    stage.run(&["user", "revoke", "alice", "responder", "--tenant", "all"]).await.ended_with(5);
    stage.run(&["user", "remove", "alice", "--yes"]).await.succeeded();
    stage.run(&["guardrail", "set", "--observe", "yes"]).await.succeeded();
    stage.run(&["guardrail", "set"]).await.ended_with(2);
    stage.run(&["guardrail", "set", "--protect", "nonsense"]).await.ended_with(2);
    stage.run(&["guardrail", "hold", "--reason", "a drill"]).await.succeeded();
    let again = stage.run(&["guardrail", "hold", "--reason", "another"]).await.succeeded();
    assert!(again.stderr.contains("they were held already, by os:"), "{}", again.stderr);
    stage.run(&["guardrail", "release"]).await.succeeded();
    let entries = stage.run(&["audit", "export"]).await.succeeded().json_lines();
    let actions: Vec<&str> = entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    let expected = [
        "user.add",
        "user.grant",
        "token.add",
        "token.revoke",
        "user.disable",
        "user.revoke",
        "user.remove",
        "guardrail.set",
        "guardrail.hold",
        "guardrail.hold",
        "guardrail.release",
    ];
    assert_eq!(actions, expected);
    assert!(entries.iter().all(|entry| entry["by"]["kind"] == "os-user"), "{entries:?}");
    let after = entries[7]["seq"].to_string();
    assert_eq!(stage.run(&["audit", "export", "--after", &after]).await.succeeded().json_lines(), entries[8..]);
}

const ROLES: &[(&str, &str)] =
    &[("mde", "Machine.Isolate"), ("mde", "Machine.ReadWrite.All"), ("graph", "SecurityIncident.ReadWrite.All")];
const CLIENT: &str = "11111111-2222-3333-4444-555555555555";
