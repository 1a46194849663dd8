//! Connectors: importing the largest documents, calls, and durable writes, each beside its baseline.

use std::{fs, path::PathBuf, process::Command};

use anyhow::Context as _;
use serde_json::Value;

use super::{binary, measure, number, printed};
use crate::run::{cargo, root};

pub(super) fn bench() -> anyhow::Result<()> {
    imports()?;
    let figures = printed(
        "calls",
        &mut cargo(&["bench", "--locked", "--quiet", "--package", "sortie-connector", "--bench", "calls"]),
    )?;
    let [ours, ours_us, bare, bare_us] = figures_of(&figures)?;
    println!("calls one after the other, to a server on this machine:");
    println!("{:<44} {ours:>9.0} /s {bare:>10.0} /s", "  connector; reqwest");
    println!("{:<44} {:>9.1} us {:>14}", "  CPU more for each", ours_us - bare_us, "under 30 us");
    let figures = printed(
        "writes",
        &mut cargo(&["bench", "--locked", "--quiet", "--package", "sortie-store", "--bench", "writes"]),
    )?;
    for line in figures.lines() {
        let [writers, ours, bare] = figures_of(line)?;
        println!("durable writes by {writers:.0} at once:");
        println!("{:<44} {ours:>9.0} /s {bare:>10.0} /s", "  store; rusqlite in groups");
        println!("{:<44} {:>12.2} {:>14}", "  ratio", ours / bare, "at least 0.85");
    }
    Ok(())
}

/// `sortie connector import`, with all that it checks and keeps, beside Python's bare reading of the same text.
fn imports() -> anyhow::Result<()> {
    let folder = root().join("../shared/corpus/openapi");
    if !folder.exists() {
        println!("imports are left out: there are no documents beside the project");
        return Ok(());
    }
    for file in largest(&folder)? {
        let database = root().join("target/bench.db");
        let mut ours = Command::new(binary());
        ours.args(["connector", "import", "--replace", "--id", "bench", "--quiet", "--database"]);
        ours.arg(&database).arg(&file);
        let ours = measure(RUNS, &ours)?;
        let mut theirs = Command::new("python3");
        theirs.args(["-c", PYTHON]).arg(&file);
        let theirs = measure(RUNS, &theirs)?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        println!("import of {name}, {} KB:", fs::metadata(&file)?.len() / 1_000);
        told("  sortie; python3 bare load, CPU", &ours, &theirs, "cpu_s", "s")?;
        told("  the same, peak memory", &ours, &theirs, "peak_mb", "MB")?;
    }
    Ok(())
}

fn told(what: &str, ours: &Value, theirs: &Value, name: &str, unit: &str) -> anyhow::Result<()> {
    println!("{what:<44} {:>9.3} {unit} {:>10.3} {unit}", number(ours, name)?, number(theirs, name)?);
    Ok(())
}

fn largest(folder: &std::path::Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "json" || ending == "yaml") {
            files.push((fs::metadata(&path)?.len(), path));
        }
    }
    files.sort();
    Ok(files.into_iter().rev().take(5).map(|(_, path)| path).collect())
}

fn figures_of<const COUNT: usize>(line: &str) -> anyhow::Result<[f64; COUNT]> {
    let figures: Option<Vec<f64>> = line.split_whitespace().map(|word| word.parse().ok()).collect();
    figures.and_then(|figures| figures.try_into().ok()).with_context(|| format!("no {COUNT} figures in `{line}`"))
}

const RUNS: u32 = 5;
/// With the reader in C where PyYAML has it.
const PYTHON: &str = "import sys, json
text = open(sys.argv[1], encoding='utf-8').read()
if sys.argv[1].endswith('.json'):
    json.loads(text)
else:
    import yaml
    yaml.load(text, getattr(yaml, 'CSafeLoader', yaml.SafeLoader))";
