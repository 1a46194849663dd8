//! `sortie workflow test FILE …`: each document against a simulated cloud of its own, and what happens against the cases in
//! the file beside it: `contain.yaml` has `contain.test.yaml`.

mod case;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use case::{Case, Differences};
use clap::Args;
use serde_json::{Map, Value, json};
use sortie_engine::{
    document::{Needs, TriggerKind},
    template::{Budget, Input, Names, Scope as Values},
};
use sortie_runner::{
    journal::{Happened, Page},
    library::{self, ManualStart, PutError},
};
use sortie_store::{Run, RunId, RunMode, TenantKey};

use crate::{
    exit::{Exit, Problem},
    output::say,
    simulation::Simulation,
};

/// The form of the cases, as `--help` shows it.
pub(super) const FORM: &str = "\
NAME.yaml has its cases in NAME.test.yaml, a list:

  - name: a device is isolated
    pick: { incident: worst, device: onboarded, user: any }   # objects of the cloud, as `picked`; or itself: { id: ... }
    inputs: { device: '{{ picked.device.id }}' }
    decide: [approve]              # or reject, expire; yes where nothing is said
    expect:
      outcome: succeeded
      steps: { isolate: succeeded }                           # those that are named
      effects: { 'POST /api/machines/{id}/isolate': 1 }       # these, and no other
      output: { status: Succeeded }                           # at least this";

#[derive(Args)]
pub(crate) struct Arguments {
    /// Documents; beside each stands its file of cases
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Another seed is another company
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let mut failed = 0_usize;
    let mut count = 0_usize;
    for file in &arguments.files {
        let text = read(file)?;
        let cases = Case::all(&read(&beside(file))?).map_err(|why| {
            Problem::usage(
                format!("{}: {why}", beside(file).display()),
                "`sortie workflow test --help` shows the form.",
            )
        })?;
        for case in cases {
            count += 1;
            let differences = play(&text, &case, arguments.seed).await;
            let differences = differences.with_context(|| format!("{}: {}", file.display(), case.name))?;
            match differences.is_empty() {
                true => say(&format!("ok    {}: {}", file.display(), case.name))?,
                false => {
                    failed += 1;
                    say(&format!("FAIL  {}: {}\n{differences}", file.display(), case.name))?;
                }
            }
        }
    }
    say(&format!("{} of {count} cases as expected", count - failed))?;
    Ok(if failed == 0 { Exit::Success } else { Exit::Failure })
}

/// One case on a cloud of its own.
async fn play(text: &str, case: &Case, seed: u64) -> anyhow::Result<Differences> {
    let simulation = Simulation::of_its_own_time(seed).await?;
    let (store, products) = (&simulation.store, &*simulation.products);
    let kept = match library::put(store, products, TenantKey::SHARED, text, None).await {
        Ok(kept) => kept,
        Err(PutError::Problems(problems)) => {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            let what = format!("the document is wrong:\n{}", lines.join("\n"));
            return Err(Problem::usage(what, "Correct it.").into());
        }
        Err(PutError::Store(error)) => return Err(error.into()),
    };
    let picks = case::pick(&simulation, &case.pick).await?;
    let inputs = inputs(&simulation, case, &picks)?;
    let picked = needs(text).and_then(|needs| picks.get(needs.word()).cloned());
    let by = "the test".to_owned();
    let start = ManualStart { inputs, picked, mode: RunMode::Live, key: case.name.clone(), by };
    let new =
        library::manual(&kept, start).map_err(|why| Problem::usage(why, "Correct the case's `inputs` or `pick`."))?;
    let before = simulation.counters().await?;
    let started = simulation.runner.start(simulation.scope(), new).await?;
    let run = started.run().context("the run was not started")?;
    let run = decide(&simulation, run, case).await?;
    let after = simulation.counters().await?;
    let seen = Seen::of(&simulation, &run, &before, &after).await?;
    let mut differences = case.compare(&seen);
    differences.explain(&seen.troubles);
    Ok(differences)
}

/// People answer in the order of the case, yes where it says nothing.
async fn decide(simulation: &Simulation, run: RunId, case: &Case) -> anyhow::Result<Run> {
    let mut answers = case.decide.iter();
    loop {
        let found = simulation.let_go(run).await?;
        let open = simulation.store.approvals(simulation.scope(), true, None, 1).await?;
        let Some(question) = open.first() else { return Ok(found) };
        match answers.next().map(String::as_str) {
            Some("expire") => simulation.pass_until(question.new.ends),
            answer => {
                let approves = answer.is_none_or(|answer| answer == "approve");
                simulation.store.decide(question, approves, None).await?;
                simulation.runner.poke(question.tenant, question.run);
            }
        }
    }
}

/// What the cloud and the run have to say of it.
pub(crate) struct Seen {
    pub outcome: String,
    pub steps: Map<String, Value>,
    pub output: Value,
    /// Calls that changed something, by method and route.
    pub effects: Map<String, Value>,
    /// What went wrong on the way, a line each.
    pub troubles: Vec<String>,
}

impl Seen {
    async fn of(simulation: &Simulation, run: &Run, before: &Value, after: &Value) -> anyhow::Result<Self> {
        let (mut steps, mut troubles) = (Map::new(), Vec::new());
        for row in simulation.store.journal(simulation.scope(), run.id, 0).await? {
            let page: Page = serde_json::from_str(&row.entries)?;
            for entry in page.entries {
                let step = entry.step.unwrap_or_default();
                match entry.what {
                    Happened::Ended { outcome, .. } => drop(steps.insert(step, outcome.word().into())),
                    Happened::Broken { why } | Happened::Failed { why, .. } => troubles.push(format!("{step}: {why}")),
                    _ => {}
                }
            }
        }
        let output = simulation.store.run_value(simulation.scope(), run.id, "#output").await?;
        let output = output.map(|text| serde_json::from_str(&text)).transpose()?.unwrap_or_default();
        let outcome = run.outcome.clone().unwrap_or_else(|| run.status.word().to_owned());
        let mut effects = changes(after);
        for (call, count) in changes(before) {
            let left = effects.get(&call).and_then(Value::as_u64).unwrap_or(0) - count.as_u64().unwrap_or(0);
            match left {
                0 => drop(effects.remove(&call)),
                left => drop(effects.insert(call, left.into())),
            }
        }
        Ok(Self { outcome, steps, output, effects, troubles })
    }
}

fn changes(counters: &Value) -> Map<String, Value> {
    let mut found: Map<String, Value> = Map::new();
    for call in counters["calls"].as_array().into_iter().flatten() {
        let text = |key: &str| call[key].as_str().unwrap_or_default();
        let (method, route) = (text("method"), text("route"));
        let went_well = call["status"].as_u64().is_some_and(|status| (200..300).contains(&status));
        if method == "GET" || text("service") == "entra" || !went_well || READS.iter().any(|read| route.contains(read))
        {
            continue;
        }
        let count = call["count"].as_u64().unwrap_or(0);
        let known = found.entry(format!("{method} {route}")).or_insert_with(|| 0.into());
        *known = (known.as_u64().unwrap_or(0) + count).into();
    }
    found
}

/// The case's inputs, with what it picks from the cloud.
fn inputs(simulation: &Simulation, case: &Case, picked: &Map<String, Value>) -> anyhow::Result<Map<String, Value>> {
    let names = Names::only(["picked"]);
    let broken = |error: String| Problem::usage(format!("`inputs`: {error}"), "Correct the case.");
    let input = Input::compile(&Value::Object(case.inputs.clone()), &names)
        .map_err(|errors| broken(errors.first().map(ToString::to_string).unwrap_or_default()))?;
    let values = Values::new(simulation.context.clock.now()).with("picked", std::sync::Arc::new(json!(picked)));
    match input.evaluate(&values, Budget::default()).map_err(|error| broken(error.to_string()))? {
        Value::Object(inputs) => Ok(inputs),
        _ => Ok(Map::new()),
    }
}

/// What whoever starts the workflow picks.
fn needs(text: &str) -> Option<Needs> {
    let triggers = sortie_engine::document::read(text).ok()?.triggers;
    triggers.iter().find_map(|trigger| match &trigger.kind {
        TriggerKind::Manual { needs, .. } => *needs,
        _ => None,
    })
}

fn beside(file: &Path) -> PathBuf {
    file.with_extension("test.yaml")
}

fn read(file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

/// Routes that are asked by POST and change nothing.
const READS: &[&str] = &["runHuntingQuery", "advancedhunting", "advancedqueries"];
