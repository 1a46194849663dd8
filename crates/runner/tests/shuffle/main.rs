//! Published workflows of Shuffle, imported and run: what arrives at their apps is what Shuffle would send, in its order.
//!
//! What is expected was worked out from the exports and from how Shuffle evaluates them: a node runs when one of its branches
//! is open, all conditions of a branch must hold, a failure skips what only it leads to. Where Shuffle itself errs, or Sortie
//! decides otherwise, the case says so in `differs`.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]
#![expect(clippy::print_stderr, reason = "what was left out must be visible")]

mod apps;
mod cases;
mod stage;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::PathBuf,
};

use serde_json::{Value, json};
use sortie_shuffle::{Installed, Kind, import};
use sortie_store::{RunStatus, Workflow};
use stage::{Arrived, Stage};

/// One run of one document.
pub(crate) struct Case {
    /// The beginning of the document's name, and behind a `/` which of its parts.
    pub(crate) file: &'static str,
    pub(crate) about: &'static str,
    pub(crate) start: Start,
    /// What the apps say, by the beginning of what they are asked.
    pub(crate) answers: Vec<(&'static str, Value)>,
    /// Calls that must arrive, those of a group in any order among them.
    pub(crate) calls: Vec<Vec<(&'static str, Value)>>,
    /// How steps end, as Shuffle has it: SUCCESS, SKIPPED, FAILURE; steps that are not named succeed.
    pub(crate) ends: &'static [(&'static str, &'static str)],
    /// What steps give.
    pub(crate) gives: Vec<(&'static str, Value)>,
    /// FINISHED in Shuffle; a failure ends a run as failed here.
    pub(crate) end: &'static str,
    /// Where what is expected is not what Shuffle does, and why.
    pub(crate) differs: &'static [&'static str],
}

/// What starts a run.
pub(crate) enum Start {
    Webhook(Value),
    /// By hand, or by another workflow, with this argument.
    Called(Value),
    Schedule,
}

/// Everything that the cases play on.
struct Theatre {
    stage: Stage,
    kept: BTreeMap<String, Workflow>,
}

impl Theatre {
    /// `None` where the exports are not there.
    async fn open() -> Option<Self> {
        let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
        let Some(products) = apps::products(&corpus) else {
            eprintln!("skipped: {} has no apps of Shuffle", corpus.display());
            return None;
        };
        let stage = Stage::start(products).await;
        let exports = exports(&corpus, &stage.base)?;
        let mut called = HashMap::new();
        for (id, name) in cases::CALLED {
            stage.keep(&cases::called(name, &stage.base)).await;
            called.insert((*id).to_owned(), (*name).to_owned());
        }
        let installed = Installed::new(stage.connectors(), called).with(exports.values(), std::iter::empty());
        let mut kept = BTreeMap::new();
        // Those that others run come first.
        let mut files: Vec<&String> = exports.keys().collect();
        files.sort_by_key(|file| !cases::RUN_BY_OTHERS.contains(&file.as_str()));
        for file in files.into_iter().filter(|file| !cases::NOT_RUN.iter().any(|(known, _)| known == file)) {
            let made = import(&exports[file], &installed);
            kept.insert(file.clone(), stage.keep(&made.document).await);
            // What begins elsewhere, by its number.
            for (number, part) in made.parts.iter().enumerate() {
                kept.insert(format!("{file}/{}", number + 1), stage.keep(&part.document).await);
            }
        }
        Some(Self { stage, kept })
    }

    /// Everything that is not as it should be.
    async fn play(&self, case: &Case) -> Vec<String> {
        self.stage.will_say(&case.answers);
        let (trigger, inputs) = match &case.start {
            Start::Webhook(body) => {
                (json!({ "kind": "webhook", "body": body, "headers": {}, "query": {}, "received_at": AT }), json!({}))
            }
            Start::Called(argument) => (json!({ "kind": "manual", "by": "ana" }), json!({ "argument": argument })),
            Start::Schedule => (json!({ "kind": "schedule", "at": AT }), json!({})),
        };
        let run = self.stage.run(&self.kept[case.file], trigger, inputs).await;
        let mut wrong = Vec::new();
        if run.status != RunStatus::Ended || run.outcome.as_deref() != Some(case.end) {
            wrong.push(format!("the run is {:?} {:?}", run.status, run.outcome));
        }
        let ends = self.stage.ends(&run).await;
        // Items of a loop are not told one by one.
        for (step, end) in ends.iter().filter(|(step, _)| !step.contains('[')) {
            let expected = case.ends.iter().find(|(known, _)| known == step).map_or("SUCCESS", |(_, end)| end);
            if **end != *expected {
                wrong.push(format!("{step}: {end} instead of {expected}"));
            }
        }
        wrong.extend(
            case.ends.iter().filter(|(step, _)| !ends.contains_key(*step)).map(|(step, _)| format!("no {step}")),
        );
        for (step, value) in &case.gives {
            let found = self.stage.gave(&run, &self.kept[case.file].text, step).await;
            if found != *value {
                wrong.push(format!("{step} gives {found} instead of {value}"));
            }
        }
        wrong.extend(not_as_expected(&case.calls, self.stage.arrived()));
        if !wrong.is_empty() {
            let failed = self.stage.journal(&run).await;
            let failed = failed.iter().filter(|entry| matches!(entry["happened"].as_str(), Some("failed" | "broken")));
            wrong.extend(failed.map(|entry| format!("{}: {}", entry["step"], entry["why"])));
        }
        wrong
    }
}

/// The exports by the beginning of their names; the one address in them that a run would call is the service's.
fn exports(corpus: &std::path::Path, base: &str) -> Option<BTreeMap<String, Value>> {
    let folder = corpus.join("shuffle-workflows");
    let Ok(entries) = fs::read_dir(&folder) else {
        eprintln!("skipped: {} is not there", folder.display());
        return None;
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    let exports = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json")).map(|path| {
        let text = fs::read_to_string(&path).unwrap().replace("https://api.ipify.org/", &format!("{base}/ipify/"));
        (path.file_stem().unwrap().to_string_lossy()[..4].to_owned(), serde_json::from_str(&text).unwrap())
    });
    Some(exports.collect())
}

/// Group after group; within one in any order.
fn not_as_expected(expected: &[Vec<(&'static str, Value)>], arrived: Vec<Arrived>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut rest = arrived.into_iter();
    for group in expected {
        let mut came: Vec<Arrived> = rest.by_ref().take(group.len()).collect();
        for (to, body) in group {
            match came.iter().position(|(asked, sent)| asked == to && sent == body) {
                Some(at) => drop(came.remove(at)),
                None => wrong.push(format!("{to} {body} does not come")),
            }
        }
        wrong.extend(came.iter().map(|(to, body)| format!("{to} {body} comes instead")));
    }
    wrong.extend(rest.map(|(to, body)| format!("{to} {body} comes as well")));
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn workflows_do_what_they_do_in_shuffle() {
    let Some(theatre) = Theatre::open().await else { return };
    let all = cases::all();
    let mut wrong = Vec::new();
    for case in &all {
        let found = theatre.play(case).await;
        if !found.is_empty() {
            let (file, about, differs) = (case.file, case.about, case.differs);
            wrong.push(format!("{file}, {about}; known to differ: {differs:?}\n  {}", found.join("\n  ")));
        }
    }
    let played: BTreeSet<&str> = all.iter().map(|case| case.file).collect();
    let files: BTreeSet<&str> = played.iter().map(|file| &file[..4]).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    eprintln!("{} of {} documents run, in {} cases", files.len(), files.len() + cases::NOT_RUN.len(), all.len());
    assert!(theatre.kept.keys().all(|file| played.contains(file.as_str())), "each document that is kept has a case");
}

/// What rests although every app is there, by document.
const RESTS: &[(&str, &[&str])] = &[
    ("4f8d", &["Create File", "Get File", "Delete a file"]),
    ("63b5", &["Create File", "Get File", "Delete a file"]),
    ("c6b4", &["Decrypt_email"]),
];

#[tokio::test]
async fn with_their_apps_there_little_is_disabled() {
    let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let (Some(products), Some(exports)) = (apps::products(&corpus), exports(&corpus, "http://127.0.0.1")) else {
        return;
    };
    let connectors = products.values().map(|product| (product.id.clone(), product.description.clone())).collect();
    let called = cases::CALLED.iter().map(|(id, name)| ((*id).to_owned(), (*name).to_owned())).collect();
    let installed = Installed::new(connectors, called).with(exports.values(), std::iter::empty());
    let mut resting = BTreeMap::new();
    for (file, json) in &exports {
        let found = import(json, &installed);
        let report: Vec<_> = std::iter::once(&found).chain(&found.parts).flat_map(|part| &part.report).collect();
        assert!(report.iter().all(|finding| finding.kind != Kind::Dropped), "{file}: {report:?}");
        let disabled = report.iter().filter(|finding| finding.kind == Kind::Disabled);
        let labels: Vec<String> = disabled.map(|finding| finding.node.label.clone()).collect();
        if !labels.is_empty() {
            resting.insert(file.as_str(), labels);
        }
    }
    let expected = RESTS.iter().map(|(file, labels)| (*file, labels.iter().map(|label| (*label).to_owned()).collect()));
    assert_eq!(resting, expected.collect::<BTreeMap<_, Vec<String>>>());
}

const AT: &str = "2026-11-22T08:00:00Z";
