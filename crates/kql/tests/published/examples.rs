//! The documented examples: query in, documented rows out, by the comparison rules that come with them.

use std::{collections::BTreeMap, fs};

use serde_json::Value as Json;
use sortie_kql::{ErrorKind, run};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Pass,
    Wrong,
    Unsupported,
}

#[test]
fn documented_examples_give_the_documented_rows() {
    let Some(path) = crate::kit::shared("corpus/kql-examples/open.jsonl") else { return };
    let world = crate::kit::World::default();
    let mut by_tag: BTreeMap<String, BTreeMap<Verdict, usize>> = BTreeMap::new();
    let mut core = (0, 0);
    for line in fs::read_to_string(path).unwrap().lines() {
        let record: Json = serde_json::from_str(line).unwrap();
        let tags: Vec<_> = record["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap()).collect();
        let is_core = !tags.iter().any(|tag| APART.contains(tag));
        let (verdict, why) = judge(&record, &world);
        if is_core {
            core.1 += 1;
            core.0 += usize::from(verdict == Verdict::Pass);
        }
        if std::env::var_os("KQL_EXAMPLES_SHOW").is_some() && verdict != Verdict::Pass && is_core {
            eprintln!("{verdict:?} {}\n{}\n  {why}\n", record["id"], record["query"].as_str().unwrap());
        }
        for tag in tags.iter().copied().chain([if is_core { "(core)" } else { "(rest)" }]) {
            *by_tag.entry(tag.to_owned()).or_default().entry(verdict).or_default() += 1;
        }
    }
    for (tag, verdicts) in &by_tag {
        eprintln!("{tag:>16}: {verdicts:?}");
    }
    eprintln!("core: {} of {} pass", core.0, core.1);
    assert!(core.0 >= CORE_PASS_MIN, "{} of the core examples pass, {CORE_PASS_MIN} did before", core.0);
}

/// Tags that are not counted as the core.
const APART: &[&str] = &["geo", "graph", "series", "plugin", "pattern", "heuristic", "sketch", "scan", "hash_codec"];

/// Never down.
const CORE_PASS_MIN: usize = 260;

fn judge(record: &Json, world: &crate::kit::World) -> (Verdict, String) {
    match run(record["query"].as_str().unwrap(), world, &crate::kit::options()) {
        Err(error) if matches!(error.kind, ErrorKind::Unsupported) => (Verdict::Unsupported, error.to_string()),
        Err(error) => (Verdict::Wrong, format!("{:?} {error} at {}:{}", error.kind, error.line, error.column)),
        Ok(answer) => match crate::compare::compare(record, answer.table()) {
            Ok(()) => (Verdict::Pass, String::new()),
            Err(why) => (Verdict::Wrong, why),
        },
    }
}
