//! Every operation of the published documents gets a request from generated inputs.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]
#![expect(clippy::print_stderr, reason = "the figures belong to the test's answer")]

mod fits;
mod inputs;
mod judged;
mod merged;
mod pattern;
mod values;

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Map;
use sortie_connector::{Target, build};
use sortie_openapi::{Description, NoSources, Operation};

use crate::inputs::inputs;

#[test]
fn published_operations_are_callable() {
    let (mut seen, mut callable, mut documents) = (0, 0, 0);
    let mut told = Vec::new();
    let Some(paths) = self::documents() else { return };
    for path in paths {
        let Ok(bytes) = fs::read(&path) else { continue };
        let Ok(import) = sortie_openapi::import(&bytes, &NoSources, &sortie_openapi::Options::default()) else {
            continue;
        };
        documents += 1;
        seen += import.report.seen - placeholders(&import.report);
        for operation in &import.description.operations {
            match request(&import.description, operation) {
                Ok(()) => callable += 1,
                Err(error) => told.push(format!("{} {}: {error}", path.file_stem().unwrap().display(), operation.id)),
            }
        }
    }
    for line in told.iter().take(40) {
        eprintln!("{line}");
    }
    let share = f64::from(callable) / seen as f64;
    eprintln!("{documents} documents: of {seen} operations {callable} are callable ({:.2} %)", share * 100.0);
    assert!(share >= 0.99, "{share}");
    assert!(callable >= CALLABLE_MIN, "{callable} are callable, {CALLABLE_MIN} were before");
}

/// The files of the corpus; `None` where it is not beside the workspace.
fn documents() -> Option<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for folder in ["openapi", "shuffle-apps"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus").join(folder);
        let Ok(entries) = fs::read_dir(&folder) else {
            eprintln!("skipped: {} is not here", folder.display());
            return None;
        };
        paths.extend(entries.map(|entry| entry.unwrap().path()));
    }
    paths.sort();
    Some(paths)
}

/// Shuffle's wish list: operations of a name and nothing else.
fn placeholders(report: &sortie_openapi::Report) -> usize {
    let is_number = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
    let step = |path: &str| path.trim_start_matches('/').strip_prefix("tmp").is_some_and(is_number);
    report.quarantined.iter().filter(|one| step(&one.path)).count()
}

/// Builds the request with every input, and with those alone that are needed.
fn request(description: &Description, operation: &Operation) -> Result<(), String> {
    let target = Target { base: Some("https://base.example".parse().unwrap()), variables: Map::new() };
    for all in [false, true] {
        let inputs = inputs(description, operation, all);
        let built = build(description, operation, &inputs, &target).map_err(|error| format!("{error} {inputs:?}"))?;
        let without_host = Target { base: None, ..target.clone() };
        let own = build(description, operation, &inputs, &without_host);
        let url = own.map_or(built.url, |own| own.url);
        assert!(url.has_host() && matches!(url.scheme(), "http" | "https"), "{url}");
    }
    Ok(())
}

/// Never down.
const CALLABLE_MIN: i32 = 7_741;
