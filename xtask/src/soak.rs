//! `cargo xtask soak`: many more kills of the binary than the suite has, then coverage-guided fuzzing of every parser that
//! reads foreign text, for as long as asked.
//!
//! The fuzz targets live in `fuzz/`, outside the workspace, because libFuzzer is C++.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};

use crate::run::{cargo, first_line, root, run};

/// How long, and what.
#[derive(Args)]
pub(crate) struct Options {
    /// One half alone; the kills and then the fuzz targets when absent.
    #[arg(long)]
    only: Option<Half>,
    /// Kills of the binary in each test that kills it: each stream of changes, the isolation of devices, the server.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    kills: u32,
    /// Minutes for each fuzz target.
    #[arg(long, default_value_t = 10)]
    minutes: u32,
    /// One fuzz target only; all of `fuzz/fuzz_targets` when absent.
    #[arg(long)]
    target: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Half {
    /// `kill -9` while changes are watched and devices are isolated.
    Kills,
    /// The fuzz targets.
    Fuzz,
}

/// Runs what was chosen; the first failure ends it.
pub(crate) fn soak(options: &Options) -> anyhow::Result<()> {
    if options.only != Some(Half::Fuzz) {
        kill(options.kills)?;
    }
    if options.only != Some(Half::Kills) {
        fuzz(options)?;
    }
    Ok(())
}

/// The suite's own tests that kill the binary, with more kills; they check that nothing was lost and nothing done twice.
fn kill(kills: u32) -> anyhow::Result<()> {
    let mut tests = cargo(&[
        "test",
        "--locked",
        "--package",
        "sortie-cli",
        "--test",
        "watch",
        "--test",
        "devices",
        "--test",
        "killed",
    ]);
    tests.args(["--", "killed_", "--nocapture"]).env("SORTIE_TEST_KILLS", kills.to_string());
    run(&format!("{kills} kills each"), &mut tests)?;
    let mut writes = cargo(&["test", "--locked", "--package", "sortie-store", "--test", "store"]);
    writes.args(["--", "killed_amid", "--nocapture"]).env("SORTIE_TEST_KILLS", kills.to_string());
    run(&format!("{kills} kills amid writes"), &mut writes)?;
    let schedules = u64::from(kills) * SCHEDULES_PER_KILL;
    let mut runs = cargo(&["test", "--locked", "--release", "--package", "sortie-runner", "--test", "runs"]);
    runs.args(["--", "no_schedule", "--nocapture"]).env("SORTIE_TEST_SCHEDULES", schedules.to_string());
    run(&format!("{schedules} schedules of runs"), &mut runs)
}

/// 2,000 with the usual 200 kills.
const SCHEDULES_PER_KILL: u64 = 10;

/// Fuzzes each target for the given time; the first crash ends it and leaves its input in `fuzz/artifacts`.
fn fuzz(options: &Options) -> anyhow::Result<()> {
    if first_line("cargo", &["fuzz", "--version"]).is_none() {
        run("cargo-fuzz", &mut cargo(&["install", "--locked", "cargo-fuzz"]))?;
    }
    let targets = targets(options)?;
    let lock = root().join("fuzz/Cargo.lock");
    if !lock.exists() {
        // The same versions as the product's; cargo adds what only the targets need.
        fs::copy(root().join("Cargo.lock"), lock).context("cannot copy Cargo.lock")?;
    }
    for target in &targets {
        println!("{target}: {} inputs to start from", plant(target)?);
        let seconds = format!("-max_total_time={}", options.minutes * 60);
        let mut fuzz = Command::new("cargo");
        // The sanitizers need a nightly compiler; bounds and overflow checks do not, and the code is safe Rust.
        fuzz.args([
            "fuzz",
            "run",
            "--sanitizer",
            "none",
            target,
            "--",
            &seconds,
            "-timeout=10",
            "-rss_limit_mb=2048",
            // What is quadratic shows in long inputs only.
            "-max_len=65536",
            "-print_final_stats=1",
        ]);
        run(&format!("fuzz {target}"), &mut fuzz)?;
    }
    println!("{} targets, {} minutes each, no crash", targets.len(), options.minutes);
    Ok(())
}

/// Puts known answers into the target's corpus, which stays out of the repository, and counts them.
fn plant(target: &str) -> anyhow::Result<usize> {
    let corpus = root().join("fuzz/corpus").join(target);
    fs::create_dir_all(&corpus).with_context(|| format!("cannot make {}", corpus.display()))?;
    let mut count = 0;
    for (at, text) in written_inputs(target).iter().enumerate() {
        fs::write(corpus.join(format!("written-{at}")), text)?;
        count += 1;
    }
    let folders = match target {
        "openapi_import" => DOCUMENT_FOLDERS,
        "connector_build" => &[],
        "shuffle" => EXPORT_FOLDERS,
        _ if target.starts_with("kql_") => QUERY_FOLDERS,
        _ => SAMPLE_FOLDERS,
    };
    for folder in folders {
        let Ok(files) = fs::read_dir(root().join(folder)) else {
            println!("{folder} is not there: {target} starts without it");
            continue;
        };
        for file in files {
            let path = file?.path();
            if path.is_file() && is_for(target, &path) {
                let name = path.file_name().context("a file has a name")?;
                fs::write(corpus.join(name), fs::read(&path)?)?;
                count += 1;
            }
        }
    }
    Ok(count)
}

fn is_for(target: &str, path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_entra = name.starts_with("entra_") || name.contains("token");
    match target {
        "api_answer" => !is_entra,
        "jwt" | "token_answer" => is_entra,
        "kql_parse" | "kql_run" => name.ends_with(".kql"),
        // Large documents slow the search down and hold nothing that small ones lack.
        "shuffle" => name.ends_with(".json") && path.metadata().is_ok_and(|file| file.len() < 64 << 10),
        "openapi_import" => path.metadata().is_ok_and(|file| file.len() < 64 << 10) && !name.ends_with(".jsonl"),
        _ => false,
    }
}

fn written_inputs(target: &str) -> &'static [&'static str] {
    match target {
        "odata_filter" => FILTERS,
        "kql_parse" | "kql_run" => QUERIES,
        "jwt" => CLAIMS,
        "data_iocs" => TEXTS,
        "openapi_import" => DOCUMENTS,
        "connector_build" => INPUTS,
        "templates" => TEMPLATES,
        "workflow" | "validate" => WORKFLOWS,
        "journal" => &[include_str!("../../crates/runner/tests/golden/1-journal.json")],
        "snapshot" => &[include_str!("../../crates/runner/tests/golden/1-snapshot.json"), SNAPSHOT],
        "shuffle" => EXPORTS,
        _ => &[],
    }
}

fn targets(options: &Options) -> anyhow::Result<Vec<String>> {
    let mut targets = Vec::new();
    for entry in fs::read_dir(root().join("fuzz/fuzz_targets"))? {
        if let Some(name) = entry?.path().file_stem().and_then(|stem| stem.to_str()) {
            targets.push(name.to_owned());
        }
    }
    targets.sort();
    if let Some(wanted) = &options.target {
        targets.retain(|target| target == wanted);
    }
    if targets.is_empty() {
        bail!("no such fuzz target; the targets are the files of fuzz/fuzz_targets");
    }
    Ok(targets)
}

/// Answers of the services, kept beside the repository where they are at hand.
const SAMPLE_FOLDERS: &[&str] = &["../shared/reference/microsoft/samples", "../shared/corpus/microsoft-answers"];
const QUERY_FOLDERS: &[&str] = &["../shared/corpus/kql"];
const DOCUMENT_FOLDERS: &[&str] = &["../shared/corpus/openapi", "../shared/corpus/shuffle-apps"];
const EXPORT_FOLDERS: &[&str] = &["../shared/corpus/shuffle-workflows"];
const EXPORTS: &[&str] = &[
    r##"{"name":"W","id":"w","start":"a","actions":[{"id":"a","label":"A b","app_name":"Shuffle Tools","name":"parse_ioc","parameters":[{"name":"input_string","value":"$exec.text"}],"execution_delay":5,"execution_variable":{"name":"ev"}},{"id":"b","label":"B","app_name":"Shuffle Tools","name":"filter_list","parameters":[{"name":"input_list","value":"$a_b"},{"name":"field","value":"data_type"},{"name":"check","value":"equals"},{"name":"value","value":"ip"},{"name":"opposite","value":"false"}]},{"id":"c","label":"C","app_name":"http","name":"POST","parameters":[{"name":"url","value":"https://a.example/$b.valid.#.data"},{"name":"body","value":"{\"x\": $ev, \"y\": \"{{ '$a_b.#0.data' | upcase | split: ',' }}\"}"},{"name":"headers","value":"A: b"}]}],"triggers":[{"id":"t","label":"T","trigger_type":"WEBHOOK"},{"id":"s","label":"S","trigger_type":"SCHEDULE","parameters":[{"name":"cron","value":"60"},{"name":"execution_argument","value":"{}"}]},{"id":"u","label":"U","trigger_type":"USERINPUT","parameters":[{"name":"alertinfo","value":"$c.status?"}]}],"branches":[{"source_id":"t","destination_id":"a"},{"source_id":"s","destination_id":"b"},{"source_id":"a","destination_id":"b","conditions":[{"source":{"value":"len($a_b)"},"condition":{"value":"larger than","configuration":true},"destination":{"value":"0"}}]},{"source_id":"b","destination_id":"c","conditions":[{"source":{"value":"$a_b.#.data"},"condition":{"value":"contains_any_of"},"destination":{"value":"x,y"}}]},{"source_id":"c","destination_id":"u"}],"workflow_variables":[{"name":"v 1","value":"[1]"}],"execution_variables":[{"name":"ev","value":""}]}"##,
];
/// Of the target's own workflow.
const SNAPSHOT: &str = r#"{"format":1,"machine":{"format":1,"seed":1,"top":{"0":{"active":{"attempt":1,"phase":"pending"}},"1":{"loop":{"ended":"s..","next":2,"open":{"1":{"active":{"attempt":1,"phase":"calling"}}}}},"2":{"loop":{"ended":"..","next":1,"open":{"0":{"body":{"3":{"active":{"attempt":1,"phase":"asking"}}}}}}}},"closing":null,"end":null}}"#;
const WORKFLOWS: &[&str] = &[
    "workflow: w\ntriggers: [manual]\nsteps:\n  - { id: a, call: x/y, with: { id: '{{ run.id }}' } }\n",
    "workflow: w\nsteps:\n  - id: each\n    for_each: '[1, 2]'\n    as: n\n    steps:\n      - { id: ask, approval: { ask: 'Go on with {{ n }}?', within: 4h } }\n      - { id: do, after: [ask], call: x/y, timeout: 1m }\n",
    "workflow: w\nsteps:\n  - { id: a, code: x, retry: { attempts: 2 } }\n  - { id: b, after: [{ step: a, accept: [failed] }], run: always, stop: { outcome: failed } }\n",
];
const TEMPLATES: &[&str] = &[
    "Isolate {{ trigger.incident.title | upper }}?",
    "{{ trigger.incident.devices | selectattr('risk', 'equalto', 'high') | map(attribute='name') | join(', ') }}",
    "{% for device in trigger.incident.devices if device is not none %}{{ loop.index }}: {{ device.name }}\n{% endfor %}",
    "{{ steps.m.output.n[-1] * 2 ~ 'x' if trigger.incident.score >= 7 else default }}",
    "{{ {'a': [1, true, none], 'b': trigger.incident.title | kql_quote} | json }}",
];
const TEXTS: &[&str] = &[
    "hxxps://evil[.]example[.]com/a?b=1, bob[@]mail.example.org (1.2.3[.]4:80) fe80::1%eth0 CVE-2024-3094",
    "d41d8cd98f00b204e9800998ecf8427e cmd.exe build.rs [http://b.example/z].",
];
const DOCUMENTS: &[&str] = &[
    r##"{"openapi":"3.1.0","paths":{"/a/{b}":{"patch":{"requestBody":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/S"}}}}}}},"components":{"schemas":{"S":{"properties":{"s":{"$ref":"#/components/schemas/S"}}}}}}"##,
    "swagger: '2.0'\nhost: h.example\npaths: {/a: {post: {parameters: [{in: formData, name: f, type: file}], responses: {200: {schema: {type: array, items: {type: int}}}}}}}",
    "openapi: 3.0.0\nx: &x {get: {summary: A b}}\npaths: {/a: *x, /b: {<<: *x}, '/c?d={e}': *x, tmp1: *x}",
];
/// The first character chooses the operation.
const INPUTS: &[&str] = &[
    r#"A{"id":"../x?y#z","q":["a b","&c=d"],"deep":{"k":["v"]},"piped":["|",1],"X-One":["a, b"],"c":{"k":"v; w"},"whole":[{}]}"#,
    r#"B{"l":["a/b",".."],"m":{"k":"v;w"}}"#,
    r#"C{"a":1,"b":null,"c":{"\"":"\\"}}"#,
    r#"D{"a":"+ %","b":[1,"\t"],"c":{"k":"😀"}}"#,
    r#"E{"file":"eA==","text":"--x\r\nContent-Disposition: y","more":{"k":1}}"#,
    r#"F{"body":"text"}"#,
];
const FILTERS: &[&str] = &[
    "status eq 'active'",
    "createdDateTime ge 2026-11-22T00:00:00Z and severity in ('high','medium')",
    "not (assignedTo eq 'ada''s' or assignedTo eq null)",
    "customTags/any(tag: tag eq 'vip')",
    "startswith(displayName,'Multi')",
    "lastUpdateTime gt 2026-11-22T00:00:00.1234567Z",
];
const QUERIES: &[&str] = &[
    "T | where s has 'a' and n between (1 .. 5) | summarize c = count(), arg_max(t, *) by bin(u, 1d) | top 3 by c desc",
    "let f = (x: long) { T | where n > x }; f(2) | join kind=leftouter (T | project s, m = n) on s, $left.n == $right.m",
    "T | extend x = tostring(d.a[1]), y = parse_json('{}')['k'] | mv-expand e = d.a to typeof(string) | distinct x, e",
    "union withsource=src T, (print n = 1 | as X) | make-series avg(n) default=0 on n from 0 to 10 step 1 by src",
    "T | parse s with a:string '.' b | parse-kv s as (k: long) | project-reorder b, a | sort by a asc nulls last",
    "range i from 1 to 9 step 2 | mv-apply v = dynamic([1,2]) on (where v > 1) | extend p = prev(i), q = iff(i > 3, 1d, 2h)",
];
const CLAIMS: &[&str] = &[
    r#"{"ver":"1.0","aud":"https://graph.microsoft.com","appid":"a","tid":"t","roles":["Incident.Read.All"],"exp":1}"#,
    r#"{"ver":"2.0","aud":["a","b"],"azp":"a","scp":"User.Read openid","idtyp":"user","nbf":"12","iat":1.5e9}"#,
];
