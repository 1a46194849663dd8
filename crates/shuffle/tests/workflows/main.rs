//! Workflows of other people, where they are beside the workspace: what becomes of each, and what holds for every one of them.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]
#![expect(clippy::print_stderr, reason = "what was left out must be visible")]

mod hostile;
mod installed;
mod judged;

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde_json::Value;
use sortie_engine::{
    document::{Step, Workflow, read},
    validate::validate,
};
use sortie_shuffle::{Import, Kind, NoApps, import};

use installed::Installed;

/// By document: how many nodes do what they did, do it in another way, and stand there and do nothing. The first may only grow,
/// the last only shrink.
const RATCHET: &[(&str, usize, usize, usize)] = &[
    ("35d7", 3, 1, 3),
    ("413f", 1, 2, 5),
    ("4f8d", 0, 0, 5),
    ("63b5", 0, 0, 3),
    ("67f2", 1, 1, 5),
    ("806d", 2, 1, 0),
    ("80a4", 1, 0, 2),
    ("9893", 14, 4, 1),
    ("a364", 0, 0, 3),
    ("a863", 5, 2, 0),
    ("b73f", 13, 3, 1),
    ("ba40", 5, 1, 2),
    ("c466", 1, 0, 7),
    ("c6b4", 2, 0, 4),
    ("e6fe", 4, 0, 5),
    ("e7b9", 3, 1, 4),
    ("ea1c", 11, 1, 0),
    ("fbe3", 5, 0, 3),
];

/// All of them, by the beginning of their names; `None` where they are not there.
pub(crate) fn corpus() -> Option<BTreeMap<String, Value>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/shuffle-workflows");
    let Ok(entries) = fs::read_dir(&folder) else {
        eprintln!("skipped: {} is not there", folder.display());
        return None;
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    let paths = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let named = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy()[..4].to_owned();
        (name, serde_json::from_slice(&fs::read(path).unwrap()).unwrap())
    };
    Some(paths.map(named).collect())
}

/// The document, read; and nothing that is wrong with it but what the report names.
#[track_caller]
pub(crate) fn sound(import: &Import) -> Workflow {
    let workflow = read(&import.document).unwrap_or_else(|problems| panic!("{problems:#?}\n{}", import.document));
    for problem in validate(&workflow, &Installed) {
        let missing = problem.what.strip_prefix("there is no workflow `").map(|rest| rest.trim_end_matches('`'));
        let is_named = missing.is_some_and(|id| import.report.iter().any(|finding| finding.what.contains(id)));
        assert!(is_named, "{problem}\n{}", import.document);
    }
    workflow
}

/// By node, the worst that is said of it in one document.
fn verdicts(import: &Import) -> BTreeMap<(String, String), Kind> {
    let mut verdicts = BTreeMap::new();
    for finding in import.report.iter().filter(|finding| finding.node != import.workflow) {
        let node = (finding.node.label.clone(), finding.node.id.clone());
        let worst = verdicts.entry(node).or_insert(finding.kind);
        *worst = finding.kind.max(*worst);
    }
    verdicts
}

#[test]
fn every_workflow_becomes_a_document_that_holds_and_nothing_is_lost() {
    let Some(corpus) = corpus() else { return };
    let mut figures = Vec::new();
    for (file, json) in &corpus {
        let found = import(json, &NoApps);
        assert_eq!(found, import(json, &NoApps), "{file}: the same workflow gives the same text");
        let mut verdicts = BTreeMap::new();
        for part in std::iter::once(&found).chain(&found.parts) {
            complete(file, &of(part, json), part, &sound(part));
            for (node, kind) in self::verdicts(part) {
                let worst = verdicts.entry(node).or_insert(kind);
                *worst = kind.max(*worst);
            }
        }
        let count = |kind: Kind| verdicts.values().filter(|found| **found == kind).count();
        figures.push((file.clone(), count(Kind::Kept), count(Kind::Changed), count(Kind::Disabled)));
        let nodes = json["actions"].as_array().unwrap().len() + json["triggers"].as_array().map_or(0, Vec::len);
        assert_eq!(verdicts.len(), nodes, "{file}: every node is named in the report: {verdicts:?}");
    }
    for (file, kept, changed, disabled) in &figures {
        eprintln!("    (\"{file}\", {kept}, {changed}, {disabled}),");
    }
    assert_eq!(figures.len(), RATCHET.len());
    for ((file, kept, _, disabled), (known, kept_min, _, disabled_max)) in figures.iter().zip(RATCHET) {
        assert!(
            file == known && kept >= kept_min && disabled <= disabled_max,
            "{file}: {kept} kept, {disabled} disabled"
        );
    }
}

/// The nodes that the document's report is about, and the branches between them.
fn of(import: &Import, json: &Value) -> Value {
    let named = |node: &Value| {
        let about = |finding: &&sortie_shuffle::Finding| finding.node.id == node["id"].as_str().unwrap();
        let mut findings = import.report.iter().filter(about).peekable();
        findings.peek().is_some() && !findings.any(|finding| finding.what.contains("a workflow of its own"))
    };
    let mut json = json.clone();
    for list in ["actions", "triggers"] {
        if let Some(nodes) = json[list].as_array_mut() {
            nodes.retain(named);
        }
    }
    let ids: Vec<Value> = ["actions", "triggers"]
        .into_iter()
        .flat_map(|list| json[list].as_array().cloned().unwrap_or_default())
        .map(|node| node["id"].clone())
        .collect();
    if let Some(branches) = json["branches"].as_array_mut() {
        branches.retain(|branch| ids.contains(&branch["source_id"]) && ids.contains(&branch["destination_id"]));
    }
    json
}

/// A reading of its own: nodes are steps or triggers, branches are `after`, conditions are `when`.
fn complete(file: &str, json: &Value, import: &Import, workflow: &Workflow) {
    let own = |step: &&Step| step.title.is_some() || !step.id.value.starts_with("open-");
    let steps: Vec<&Step> = workflow.steps.iter().filter(own).filter(|step| step.id.value != "argument").collect();
    let list = |name: &str| json[name].as_array().cloned().unwrap_or_default();
    let nodes: Vec<Value> = list("actions").into_iter().chain(list("triggers")).collect();
    let starting = workflow.triggers.iter().filter(|trigger| {
        use sortie_engine::document::TriggerKind::{Schedule, Webhook};
        matches!(trigger.kind, Schedule { .. } | Webhook { .. })
    });
    assert_eq!(steps.len() + starting.count(), nodes.len(), "{file}: every node is a step or a trigger");
    let label = |id: &Value| nodes.iter().find(|node| node["id"] == *id).map(|node| node["label"].as_str().unwrap());
    let named = |label: &str| -> Vec<&Step> {
        let is_it =
            |step: &&&Step| step.title.as_deref() == Some(label) || (step.title.is_none() && step.id.value == label);
        steps.iter().filter(is_it).copied().collect()
    };
    for branch in list("branches") {
        let (Some(from), Some(to)) = (label(&branch["source_id"]), label(&branch["destination_id"])) else {
            panic!("{file}: {branch}");
        };
        let from: Vec<&str> = named(from).iter().map(|step| step.id.value.as_str()).collect();
        let led = named(to).iter().any(|step| {
            let front = step.after.iter().find(|after| after.step.value.starts_with("open-"));
            let front = front.and_then(|after| workflow.steps.iter().find(|step| step.id.value == after.step.value));
            let first = front.unwrap_or(step);
            let starts = nodes.iter().find(|node| node["id"] == branch["source_id"]).unwrap();
            let starts = matches!(starts["trigger_type"].as_str(), Some("WEBHOOK" | "SCHEDULE"));
            let is_first = first.after.iter().all(|after| after.step.value == "argument");
            let waits =
                (starts && is_first) || first.after.iter().any(|after| from.contains(&after.step.value.as_str()));
            let asks = branch["conditions"].as_array().is_none_or(Vec::is_empty) || first.when.is_some();
            waits && asks
        });
        assert!(led, "{file}: the branch from {from:?} to {to}\n{}", import.document);
    }
}
