//! Shuffle's apps in Python: all of them are read, and every action that stands for a built-in operation stands for one that exists.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]
#![expect(clippy::print_stderr, reason = "the figures belong to the test's answer")]

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::{Map, Value, json};
use sortie_connector::{LinkError, NativeCall};
use sortie_openapi::{Import, NoSources, Operation, Options, import};

const TOOLS: &str = r#"
walkoff_version: 1.2.0
app_version: 1.2.0
name: Shuffle Tools
description: tools
actions:
  - name: repeat_back_to_me
    description: Repeats
    parameters: [{ name: call, required: true, schema: { type: string } }]
  - name: filter_list
    parameters: [{ name: input_list, required: true }, { name: field }, { name: check, required: true }, { name: value }, { name: opposite, required: true }]
  - name: parse_ioc
    parameters: [{ name: input_string, required: true }, { name: input_type }]
  - name: base64_conversion
    parameters: [{ name: string, required: true }, { name: operation, required: true }]
  - name: date_to_epoch
    parameters: [{ name: input_data, required: true }, { name: date_field, required: true }, { name: date_format, required: true }]
  - name: xml_json_convertor
    parameters: [{ name: convertto, required: true }, { name: data, required: true }]
  - name: set_cache_value
    parameters: [{ name: key, required: true }, { name: value, required: true }, { name: category }]
  - name: execute_python
    parameters: [{ name: code, required: true }]
"#;

fn read(document: &str) -> Import {
    import(document.as_bytes(), &NoSources, &Options::default()).unwrap()
}

/// What the action gives when its built-in operation is run.
fn ran(import: &Import, action: &str, inputs: Value) -> Result<Value, String> {
    let operation = import.description.operation_called(action).unwrap();
    let call = NativeCall::of(&import.description, operation, inputs.as_object().unwrap())
        .map_err(|error| error.to_string())?;
    sortie_connector::data(&call.unwrap(), Default::default()).map_err(|error| error.to_string())
}

#[test]
fn known_actions_do_what_shuffle_does() {
    let import = read(TOOLS);
    let app = import.report.app.as_ref().unwrap();
    assert_eq!((app.actions, app.mapped), (8, 7));
    assert_eq!(ran(&import, "repeat_back_to_me", json!({ "call": "{\"a\":1}" })), Ok(json!({ "a": 1 })));
    let list = r#"[{"s":"high"},{"s":"low"}]"#;
    let filter = |opposite: &str| {
        let inputs =
            json!({ "input_list": list, "field": "s", "check": "equals", "value": "high", "opposite": opposite });
        ran(&import, "filter_list", inputs).unwrap()["kept"].clone()
    };
    assert_eq!(filter("False"), json!([{ "s": "high" }]));
    assert_eq!(filter("true"), json!([{ "s": "low" }]));
    let found = ran(&import, "parse_ioc", json!({ "input_string": "1.2.3[.]4", "input_type": "ipv4" })).unwrap();
    assert_eq!(found["ipv4"][0]["value"], "1.2.3.4");
    assert_eq!(ran(&import, "base64_conversion", json!({ "string": "aGk=", "operation": "decode" })), Ok("hi".into()));
    let error = ran(&import, "base64_conversion", json!({ "string": "aGk=", "operation": "rot13" })).unwrap_err();
    assert_eq!(error, "the input `operation` is `rot13`; it must be one of decode, encode");
    let dated = json!({ "input_data": "2024-03-01", "date_format": "%Y-%m-%d" });
    assert_eq!(ran(&import, "date_to_epoch", dated).unwrap()["epoch_s"], 1_709_251_200);
    let xml = json!({ "data": "<a>1</a>", "convertto": "json" });
    assert_eq!(ran(&import, "xml_json_convertor", xml), Ok(json!({ "a": "1" })));
    let kept = json!({ "key": "k", "value": "v", "category": "A" });
    assert!(ran(&import, "set_cache_value", kept).unwrap_err().contains("`category` means nothing to kv/set"));
    // What would change the result is not left out in silence.
    let field = json!({ "input_data": "x", "date_field": "created", "date_format": "%Y" });
    assert!(
        ran(&import, "date_to_epoch", field).unwrap_err().contains("`date_field` means nothing to data/date-parse")
    );
}

#[test]
fn an_action_that_needs_its_code_says_why_it_cannot_be_run() {
    let import = read(TOOLS);
    let operation = import.description.operation_called("execute_python").unwrap();
    let error = NativeCall::of(&import.description, operation, &Map::new()).unwrap_err();
    let sentence =
        "execute-python cannot be run by Sortie: it runs code that the workflow holds; a `code` step does that";
    assert_eq!(error.to_string(), sentence);
    assert_eq!(import.report.app.unwrap().not_runnable[0].0, "execute-python");
}

#[test]
fn a_hostile_app_is_read_or_refused() {
    for document in [
        "walkoff_version: 1\nname: x\nactions: 7\n",
        "walkoff_version: 1\nname: x\nactions: [7, null, {}, {name: ''}, {name: '{a}/../b', parameters: 7}]\n",
        "walkoff_version: 1\nname: [x]\nactions: [{name: a, parameters: [7, {name: [1]}]}]\n",
        "walkoff_version: 1\nactions: [{name: get}, {name: get}, {name: GET}]\n",
    ] {
        if let Ok(import) = import(document.as_bytes(), &NoSources, &Options::default()) {
            let ids: BTreeSet<_> = import.description.operations.iter().map(|operation| &operation.id).collect();
            assert_eq!(ids.len(), import.description.operations.len());
        }
    }
    let app =
        read("walkoff_version: 1\nname: x\nactions: [{name: get}, {name: get}, {name: GET}]\n").report.app.unwrap();
    assert_eq!((app.actions, app.mapped), (3, 0));
}

#[test]
fn published_apps_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/shuffle-apps");
    let Ok(entries) = fs::read_dir(&folder) else {
        eprintln!("skipped: {} is not here", folder.display());
        return;
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let (mut documents, mut actions, mut mapped) = (0, 0, 0);
    for path in paths {
        let Ok(bytes) = fs::read(&path) else { continue };
        // The API descriptions beside them are another test's.
        if ![&b"walkoff_version"[..], b"app_version"].iter().any(|word| bytes.windows(word.len()).any(|at| at == *word))
        {
            continue;
        }
        let Ok(import) = import(&bytes, &NoSources, &Options::default()) else { continue };
        let Some(app) = &import.report.app else { continue };
        documents += 1;
        actions += app.actions;
        mapped += app.mapped;
        for operation in &import.description.operations {
            let absent = match NativeCall::of(&import.description, operation, &Map::new()) {
                Ok(call) => call.is_none(),
                Err(LinkError::Absent(_)) => true,
                Err(_) => false,
            };
            assert!(!absent, "{} {}", path.display(), operation.id);
            for given in filled(operation) {
                // A value may be wrong for its meaning, but each has a place where it goes.
                if let Err(error) = NativeCall::of(&import.description, operation, &given) {
                    let said = error.to_string();
                    assert!(!said.contains("there is no input"), "{} {}: {said}", path.display(), operation.id);
                }
            }
        }
    }
    eprintln!("{documents} apps in Python: built-in operations do {mapped} of {actions} actions");
    assert!(documents >= DOCUMENTS_MIN && actions >= ACTIONS_MIN && mapped >= MAPPED_MIN, "fewer than before");
}

/// Inputs for an action that something stands for: each that its link reads, once for each word that chooses.
fn filled(operation: &Operation) -> Vec<Map<String, Value>> {
    let Some(link) = operation.guidance.more.get("native") else { return Vec::new() };
    let known = operation.input_schema(0);
    let mut given = Map::new();
    for (name, rule) in link["inputs"].as_object().into_iter().flatten() {
        let word = rule["words"].as_object().and_then(|words| words.keys().next().cloned());
        let from = rule["from"].as_str().unwrap_or(name);
        if rule.get("value").is_none() && known["properties"].get(from).is_some() {
            given.insert(from.to_owned(), word.unwrap_or_else(|| "1".to_owned()).into());
        }
    }
    let Some(by) = link["choose"]["by"].as_str() else { return vec![given] };
    let words = link["choose"]["calls"].as_object().unwrap().keys();
    words
        .map(|word| {
            let mut given = given.clone();
            given.insert(by.to_owned(), word.as_str().into());
            given
        })
        .collect()
}

/// What was read and mapped before; these only go up.
const DOCUMENTS_MIN: usize = 176;
const ACTIONS_MIN: usize = 1_903;
const MAPPED_MIN: usize = 199;
