//! Workflows from elsewhere: what is told, what is written, what is kept, and what never goes on.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use sortie_testkit::{Ended, Leaks, Sortie};

const SECRET: &str = "Zk3-hunter2-9QqL";

/// An installation, a folder with exports outside of it, and the watch over the secret in them.
struct Stage {
    sortie: Sortie,
    exports: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let leaks = Leaks::default();
        leaks.watch(SECRET);
        Self { sortie: Sortie::new(env!("CARGO_BIN_EXE_sortie"), &leaks), exports: tempfile::tempdir().unwrap() }
    }

    fn export(&self, name: &str, document: &Value) -> String {
        let path = self.exports.path().join(name);
        fs::write(&path, document.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    }

    async fn import(&self, arguments: &[&str]) -> Ended {
        self.sortie.run(&[&["workflow", "import"], arguments].concat()).await
    }

    fn written(&self, path: &str) -> String {
        fs::read_to_string(self.sortie.folder().join(path)).unwrap()
    }
}

/// A call of an app with the secret in it, indicators, and a loop that another workflow is run in.
fn export(id: &str, name: &str, other: &str) -> Value {
    let fields = |pairs: &[(&str, &str)]| -> Vec<Value> {
        pairs.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
    };
    let mut called = fields(&[("title", "Seen $exec.host"), ("severity", "2")]);
    called.push(json!({ "name": "apikey", "value": SECRET, "configuration": true }));
    json!({
        "id": id, "name": name, "start": "a",
        "actions": [
            { "id": "a", "label": "Find", "app_name": "Shuffle Tools", "name": "parse_ioc",
              "parameters": fields(&[("input_string", "$exec.text")]) },
            { "id": "b", "label": "Tell", "app_name": "Case Desk", "name": "post_create_a_case", "parameters": called },
        ],
        "triggers": if other.is_empty() { json!([]) } else { json!([
            { "id": "c", "label": "Others", "trigger_type": "SUBFLOW",
              "parameters": fields(&[("workflow", other), ("argument", "$exec"), ("user_apikey", SECRET)]) },
        ]) },
        "branches": [{ "source_id": "a", "destination_id": "b" }, { "source_id": "a", "destination_id": "c" }],
        "workflow_variables": [{ "name": "Desk APIkey", "value": SECRET }],
    })
}

const DESK: &str = r#"
openapi: 3.0.0
info: { title: Case Desk, version: "1" }
servers: [{ url: "https://desk.example" }]
paths:
  /cases:
    post:
      summary: Create a case
      requestBody: { content: { application/json: { schema: { type: object, properties: { title: { type: string }, severity: { type: integer } } } } } }
      responses: { "200": { description: Made } }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_export_becomes_a_document_beside_it_and_its_report_names_every_node() {
    let stage = Stage::new();
    let file = stage.export("a.json", &export("s-1", "Look & tell", ""));
    let ended = stage.import(&[&file]).await.succeeded();
    let place = stage.exports.path().join("look-tell.yaml");
    for part in [
        "a.json: workflow look-tell, in ",
        "  kept     Find: it does what it did.",
        "  disabled Tell: there is no connector that has `post_create_a_case` of the app `Case Desk`.",
        "a secret is left out that stood at `workflow_variables[0].value`",
        "  nodes: 1 kept, 0 changed, 1 disabled, 0 dropped",
    ] {
        assert!(ended.stdout.contains(part), "{part}: {}", ended.stdout);
    }
    let text = fs::read_to_string(&place).unwrap();
    assert!(text.starts_with("# Imported from Shuffle: Look & tell (s-1)\nworkflow: look-tell\n"), "{text}");
    assert!(!text.contains(SECRET), "{text}");
    // What is there stays, unless somebody says otherwise.
    fs::write(&place, "mine").unwrap();
    let refused = stage.import(&[&file]).await.ended_with(2);
    assert!(refused.stderr.contains("look-tell.yaml is there already; nothing was written"), "{}", refused.stderr);
    assert_eq!(fs::read_to_string(&place).unwrap(), "mine");
    stage.import(&[&file, "--force"]).await.succeeded();
    assert_eq!(fs::read_to_string(&place).unwrap(), text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_of_the_database_does_what_the_app_did() {
    let stage = Stage::new();
    fs::write(stage.sortie.folder().join("desk.yaml"), DESK).unwrap();
    stage.sortie.run(&["connector", "import", "desk.yaml"]).await.succeeded();
    let file = stage.export("a.json", &export("s-1", "Tell", ""));
    let ended = stage.import(&[&file, "--output", "out", "--json"]).await.succeeded();
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(told["nodes"], json!({ "kept": 1, "changed": 1, "disabled": 0, "dropped": 0 }), "{told:#}");
    assert_eq!(told["problems"][0]["what"], "there is no connection to case-desk", "{told:#}");
    let text = stage.written("out/tell.yaml");
    assert!(text.contains("call: case-desk/create-a-case\n    with:\n      title: "), "{text}");
    // What has no connection is not kept, and the problem says why.
    let refused = stage.import(&[&file, "--keep"]).await.ended_with(2);
    assert!(refused.stdout.contains("before it can be kept:"), "{}", refused.stdout);
    assert!(refused.stdout.contains("there is no connection to case-desk"), "{}", refused.stdout);
    let deeds = stage.sortie.run(&["audit", "list", "--jsonl"]).await.succeeded();
    assert!(!deeds.stdout.contains("workflow.put"), "{}", deeds.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn workflows_are_kept_disabled_and_those_that_others_run_first() {
    let stage = Stage::new();
    let mut plain = export("s-1", "Same name", "s-2");
    let mut other = export("s-2", "Same name", "");
    for export in [&mut plain, &mut other] {
        export["actions"].as_array_mut().unwrap().pop();
    }
    let (first, second) = (stage.export("a.json", &plain), stage.export("b.json", &other));
    let ended = stage.import(&[&first, &second, "--keep"]).await.succeeded();
    for part in [
        "workflow same-name, in the database, disabled",
        "workflow same-name-2, in the database, disabled",
        "  nodes: 1 kept, 1 changed, 0 disabled, 0 dropped",
    ] {
        assert!(ended.stdout.contains(part), "{part}: {}", ended.stdout);
    }
    let deeds = stage.sortie.run(&["audit", "list", "--jsonl"]).await.succeeded();
    assert_eq!(deeds.stdout.matches("workflow.put").count(), 2, "{}", deeds.stdout);
    assert!(!deeds.stdout.contains("workflow.state"), "nothing was enabled: {}", deeds.stdout);
    // It is known which workflow came from where: the second time the same ids are meant.
    let refused = stage.import(&[&first, "--keep"]).await.ended_with(2);
    assert!(refused.stderr.contains("workflow same-name is there already; nothing was kept"), "{}", refused.stderr);
    stage.import(&[&first, "--keep", "--force"]).await.succeeded();
    let again = stage.import(&[&first, "--output", "out"]).await.succeeded();
    assert!(again.stdout.contains("workflow same-name, in out/same-name.yaml"), "{}", again.stdout);
    assert!(stage.written("out/same-name.yaml").contains("workflow: same-name-2\n"), "it still runs the other one");
    // What is at work is not exchanged for something that nobody has looked at.
    stage.sortie.run(&["workflow", "enable", "same-name"]).await.succeeded();
    let refused = stage.import(&[&first, "--keep", "--force"]).await.ended_with(2);
    let sentence = "workflow same-name is enabled; an import puts nothing to work";
    assert!(refused.stderr.contains(sentence), "{}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_of_our_own_are_judged_and_taken_as_they_are() {
    let stage = Stage::new();
    let path = stage.exports.path().join("own.yaml");
    let file = path.to_str().unwrap();
    let text = "# mine\nworkflow: own\ntriggers: [{ manual: {} }]\nsteps: [{ id: a, set: { b: 1 } }]\n";
    fs::write(&path, text).unwrap();
    stage.import(&[file, "--output", "out"]).await.succeeded();
    assert_eq!(stage.written("out/own.yaml"), text);
    stage.import(&[file, "--keep"]).await.succeeded();
    fs::write(&path, text.replace("b: 1", "b: '{{ steps.x.output }}'")).unwrap();
    let wrong = stage.import(&[file]).await.ended_with(2);
    assert!(wrong.stdout.contains("4:") && wrong.stdout.contains("`x`"), "{}", wrong.stdout);
    for (name, text) in [("x.json", "{\"openapi\":\"3.0.0\"}"), ("y.json", "[1,"), ("z.json", "")] {
        fs::write(stage.exports.path().join(name), text).unwrap();
        let refused = stage.import(&[stage.exports.path().join(name).to_str().unwrap()]).await.ended_with(2);
        let sentence = "is no exported workflow of Shuffle, and no document of our own";
        assert!(refused.stderr.contains(sentence), "{name}: {}", refused.stderr);
    }
    let absent = stage.import(&["nowhere.json"]).await;
    assert!(absent.code != 0 && absent.stderr.contains("cannot read nowhere.json"), "{}", absent.stderr);
}

/// As Shuffle's API lists the workflows of an organisation.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_exports_is_imported_as_its_workflows_or_not_at_all() {
    let stage = Stage::new();
    let (one, other) = (export("s-1", "One", "s-2"), export("s-2", "Other", ""));
    let file = stage.export("all.json", &json!([one, other]));
    let told = stage.import(&[&file, "--output", "out", "--json"]).await.succeeded().json_lines();
    assert_eq!(told.iter().map(|one| one["workflow"].as_str().unwrap()).collect::<Vec<_>>(), ["one", "other"]);
    assert!(stage.written("out/one.yaml").contains("workflow: other"), "they find each other");
    for (broken, says) in [
        (json!([]), "is no exported workflow of Shuffle"),
        (json!([one, 7]), "one a file or a list of nothing else"),
        (json!([one, one]), "has one workflow twice, one; nothing was imported"),
    ] {
        let file = stage.export("broken.json", &broken);
        let refused = stage.import(&[&file, "--output", "broken"]).await.ended_with(2);
        assert!(refused.stderr.contains(says), "{}", refused.stderr);
    }
    assert!(!stage.sortie.folder().join("broken").exists());
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stderr, reason = "what was left out must be visible")]
async fn published_workflows_are_imported_together_without_their_secrets() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/shuffle-workflows");
    let Ok(entries) = fs::read_dir(&folder) else {
        eprintln!("skipped: {} is not there", folder.display());
        return;
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    let leaks = Leaks::default();
    for path in &paths {
        let json: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        secrets(&json).into_iter().for_each(|secret| leaks.watch(&secret));
    }
    let sortie = Sortie::new(env!("CARGO_BIN_EXE_sortie"), &leaks);
    let mut arguments = vec!["workflow", "import", "--output", "out", "--json"];
    arguments.extend(paths.iter().map(|path| path.to_str().unwrap()));
    // Two exports are of one workflow, at two times.
    let refused = sortie.run(&arguments).await.ended_with(2);
    assert!(refused.stderr.contains("are one workflow, basic-file-testing-shuffle; nothing was"), "{}", refused.stderr);
    assert!(!sortie.folder().join("out").exists());
    arguments.retain(|argument| !argument.contains(TWICE));
    let ended = sortie.run(&arguments).await.succeeded();
    let told = ended.json_lines();
    // Three triggers of two workflows begin elsewhere, and are workflows of their own.
    assert_eq!(told.len(), 20);
    assert_eq!(fs::read_dir(sortie.folder().join("out")).unwrap().count(), 20, "each has an id of its own");
    let sum = |kind: &str| told.iter().map(|one| one["nodes"][kind].as_u64().unwrap()).sum::<u64>();
    let sums = [sum("kept"), sum("changed"), sum("disabled"), sum("dropped")];
    // Without a connector for any app.
    assert_eq!(sums.iter().sum::<u64>(), NODES);
    assert!(sums[0] >= KEPT_MIN && sums[2] <= DISABLED_MAX && sums[3] == 0, "{sums:?}");
}

/// Values whose names say what they are, in an export.
fn secrets(json: &Value) -> Vec<String> {
    let lists = ["workflow_variables", "actions", "triggers"].into_iter().flat_map(|list| json[list].as_array());
    let named = lists.flatten().flat_map(|item| {
        let parameters = item["parameters"].as_array().cloned().unwrap_or_default();
        parameters.into_iter().chain([item.clone()])
    });
    let is_secret = |one: &Value| {
        let name = one["name"].as_str().unwrap_or_default().to_lowercase();
        ["apikey", "api key", "password", "secret"].iter().any(|word| name.contains(word))
    };
    let values = named.filter(is_secret).filter_map(|one| one["value"].as_str().map(str::to_owned));
    values.filter(|value| value.len() >= 20 && !value.contains(' ')).collect()
}

/// The second export of one workflow.
const TWICE: &str = "63b5541593eaeba1";
/// 138, and those that several documents have.
const NODES: u64 = 143;
const KEPT_MIN: u64 = 75;
const DISABLED_MAX: u64 = 47;
