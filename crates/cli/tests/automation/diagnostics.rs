//! `sortie diagnostics`: a supporter can read it, and no secret is in it.

use std::fs;

use serde_json::{Value, json};
use sortie_testkit::{Leaks, Sortie};

use crate::stage::{Stage, run_of};

const HOOKED: &str = "workflow: hooked\ntriggers: [{ webhook: {} }]\nsteps: [{ id: a, set: { b: 1 } }]\n";
const SAYS: &str = "workflow: says
triggers: [{ manual: { inputs: { text: string } } }]
steps:
  - { id: keep, call: kv/set, with: { name: 'said', value: '{{ inputs.text }}' } }
  - { id: ask, after: [keep], approval: { ask: 'About {{ inputs.text }}?', within: 4h } }
";

#[tokio::test(flavor = "multi_thread")]
async fn it_tells_how_the_installation_is_and_no_secret() {
    for is_served in [false, true] {
        let leaks = Leaks::default();
        for secret in ["planted-in-a-connection", "planted-in-a-variable", "planted-in-the-settings"] {
            leaks.watch(secret);
        }
        let sortie = Sortie::new(env!("CARGO_BIN_EXE_sortie"), &leaks)
            .with("HTTPS_PROXY", "http://user:planted-in-a-variable@127.0.0.1:9")
            .with("AZURE_CLIENT_SECRET", "planted-in-a-variable")
            .with_secret_file("sortie/config.toml");
        let mut stage = Stage::of(sortie, leaks);
        stage.write(
            "sortie/config.toml",
            "[network]\nproxy = \"http://user:planted-in-the-settings@proxy.example:8080\"\n",
        );
        stage.run(&["tenant", "add", "contoso"]).await.succeeded();
        let add = ["connection", "add", "mail", "--connector", "email", "--base", "smtps://mail.example:465"];
        let more = ["--client-id", "soc", "--credential", "stdin"];
        stage.sortie.run_with_input(&[&add[..], &more].concat(), "planted-in-a-connection").await.succeeded();
        stage.run(&["user", "add", "alice"]).await.succeeded();
        let token = stage.run(&["token", "add", "alice", "--name", "ci"]).await.succeeded().stdout;
        stage.leaks.watch(&token.trim()[15..]);
        if is_served {
            stage.serve().await;
        }
        stage.keep(&[SAYS, HOOKED]).await;
        let hook = stage.json(&["workflow", "hook", "renew", "hooked", "--tenant", "contoso", "--json"]).await;
        stage.leaks.watch(hook["secret"].as_str().unwrap());
        let start = ["workflow", "run", "says", "--tenant", "contoso", "--input", "text=what-an-analyst-wrote"];
        let run = run_of(&stage.run(&start).await.succeeded());
        stage.until(&["runs", "show", &run, "--json"], |run| run["status"] == "waiting").await;
        let written = stage.run(&["diagnostics", "--output", "about.json"]).await.succeeded();
        assert_eq!(written.stdout, "");
        stage.run(&["diagnostics", "--output", "about.json"]).await.ended_with(1);
        let text = fs::read_to_string(stage.sortie.folder().join("about.json")).unwrap();
        assert_eq!(stage.leaks.find(&text), Vec::<String>::new());
        assert!(!text.contains("what-an-analyst-wrote"), "{text}");
        let told: Value = serde_json::from_str(&text).unwrap();
        let installation = &told["installation"];
        assert_eq!(told["server"].is_object(), is_served);
        assert_eq!(installation["serves"], is_served);
        assert_eq!((&told["findings"], &installation["key"]["opens"]), (&json!([]), &json!(true)));
        assert_eq!(installation["database"]["faults"], json!([]));
        assert_eq!(installation["database"]["rows"]["secrets"], 1);
        assert_eq!(installation["runs"], json!([{ "status": "waiting", "outcome": null, "count": 1 }]));
        let connection = &installation["connections"][0];
        assert_eq!(
            (&connection["host"], &connection["secrets"][0]["field"]),
            (&json!("mail.example"), &json!("secret"))
        );
        assert_eq!(installation["workflows"][1]["id"], "says");
        assert!(installation["audit"].to_string().contains("workflow.put"));
        assert!(told["scripts"].as_str().unwrap().contains("confined"), "{}", told["scripts"]);
        assert_eq!(told["settings"]["network"]["proxy_host"], "proxy.example");
        assert_eq!(told["settings"]["variables"], json!(["AZURE_CLIENT_SECRET", "HTTPS_PROXY"]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_in_order_is_a_finding_and_no_reason_to_say_nothing() {
    let stage = Stage::start(false).await;
    let none: Value = stage.json(&["diagnostics"]).await;
    assert_eq!(none["installation"], Value::Null, "a look makes no database");
    let folder = stage.sortie.folder().join(".local/share/sortie");
    assert!(!folder.exists());
    stage.run(&["tenant", "add", "contoso"]).await.succeeded();
    let fresh: Value = stage.json(&["diagnostics"]).await;
    assert_eq!(fresh["installation"]["key"]["opens"], Value::Null);
    assert!(!folder.join("sortie.key").exists(), "a look makes no key");
    stage.leaks.watch("planted-in-a-connection");
    let add = ["connection", "add", "mail", "--connector", "email", "--base", "smtps://mail.example:465"];
    let more = ["--client-id", "soc", "--credential", "stdin"];
    stage.sortie.run_with_input(&[&add[..], &more].concat(), "planted-in-a-connection").await.succeeded();
    let key = folder.join("sortie.key");
    let kept = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    let found = stage.run(&["diagnostics"]).await.ended_with(9);
    let told: Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!(told["installation"]["key"]["opens"], false);
    assert!(found.stderr.contains("the secrets do not open"), "{}", found.stderr);
    assert!(!key.exists(), "a look makes no key");
    fs::write(&key, kept).unwrap();
    // The pages behind the first ones are gone.
    let database = folder.join("sortie.db");
    let length = fs::metadata(&database).unwrap().len();
    fs::File::options().write(true).open(&database).unwrap().set_len(length / 2).unwrap();
    let broken = stage.run(&["diagnostics"]).await.ended_with(9);
    let told: Value = serde_json::from_str(&broken.stdout).unwrap();
    let (untold, faults) = (&told["installation"]["untold"], &told["installation"]["database"]["faults"]);
    assert!(untold.is_string() || faults.as_array().is_some_and(|faults| !faults.is_empty()), "{told}");
    fs::write(&database, "no database at all").unwrap();
    let foreign = stage.run(&["diagnostics"]).await.ended_with(9);
    assert!(foreign.stderr.contains("cannot be told of"), "{}", foreign.stderr);
    assert!(foreign.stdout.contains("\"findings\""), "{}", foreign.stdout);
}
