//! The end of the demo: a workflow contains a device, and its journal is told while it happens.

use std::{io::IsTerminal as _, time::Duration};

use anyhow::Context as _;
use serde_json::{Value, json};
use sortie_defender::{Incident, Machine};
use sortie_emulator::Emulator;
use sortie_runner::{
    journal::Page,
    library::{self, ManualStart},
};
use sortie_store::{Actor, ActorKind, Approval, Grant, Run, RunId, RunMode, TenantKey};

use super::{heading, line};
use crate::{context::Context, input::confirm, output::visible, simulation::Simulation, timeline};

/// Starts the workflow on the incident and follows it to its end; then what it says is held against the cloud's counters.
pub(super) async fn contain(
    emulator: &Emulator,
    device: &Machine,
    worst: &Incident,
    yes: bool,
    context: &Context,
) -> anyhow::Result<()> {
    heading("9  The same as a workflow: a person decides, and the device comes back   sortie workflow test")?;
    let simulation = Simulation::over(emulator, context).await?;
    let before = simulation.counters().await?;
    let kept = library::put(&simulation.store, &*simulation.products, TenantKey::SHARED, DOCUMENT, None).await?;
    let inputs = json!({ "device": device.id, "incident": worst.id, "hold": "2s" });
    let start = ManualStart {
        inputs: inputs.as_object().cloned().unwrap_or_default(),
        picked: None,
        mode: RunMode::Live,
        key: "the demo".to_owned(),
        by: "the demo".to_owned(),
    };
    let new = library::manual(&kept, start).map_err(anyhow::Error::msg)?;
    let started = simulation.runner.start(simulation.scope(), new).await?;
    let run = started.run().context("the run was not started")?;
    line(&format!("workflow {}, version {}, run {run}", kept.id, &kept.version[..12]))?;
    let run = tokio::select! {
        followed = follow(&simulation, run, yes) => followed?,
        () = simulation.runner.serve(std::future::pending(), Duration::ZERO) => anyhow::bail!("the runner has ended"),
    };
    let after = simulation.counters().await?;
    let outcome = run.outcome.as_deref().unwrap_or_default();
    told_is_done(outcome, &before, &after, device, worst)
}

/// Prints the journal as it grows, and lets a person decide.
async fn follow(simulation: &Simulation, run: RunId, yes: bool) -> anyhow::Result<Run> {
    let mut told = 0;
    loop {
        for row in simulation.store.journal(simulation.scope(), run, told).await? {
            let page: Page = serde_json::from_str(&row.entries)?;
            page.entries.iter().filter_map(timeline::line).try_for_each(|text| line(&text))?;
            told = row.seq;
        }
        let found = simulation.store.run(simulation.scope(), run).await?;
        if found.ended.is_some() && found.seq == told {
            return Ok(found);
        }
        if let Some(question) = simulation.store.approvals(simulation.scope(), true, None, 1).await?.first() {
            let approves = yes || !std::io::stdin().is_terminal() || confirm(&visible(&question.new.ask), false)?;
            decide(simulation, question, approves).await?;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn decide(simulation: &Simulation, question: &Approval, approves: bool) -> anyhow::Result<()> {
    let you =
        Actor { id: "user:you".to_owned(), name: "you".to_owned(), kind: ActorKind::User, grants: vec![Grant::ALL] };
    simulation.store.acting_as(you).decide(question, approves, None).await?;
    simulation.runner.poke(question.tenant, question.run);
    Ok(())
}

fn told_is_done(
    outcome: &str,
    before: &Value,
    after: &Value,
    device: &Machine,
    worst: &Incident,
) -> anyhow::Result<()> {
    let count = |counters: &Value, entity: &str, what: &str| {
        let effects = counters["effects"].as_array().into_iter().flatten();
        effects.filter(|effect| effect["entity"] == entity).filter_map(|effect| effect[what].as_u64()).sum::<u64>()
    };
    let since = |entity: &str, what: &str| count(after, entity, what) - count(before, entity, what);
    let ordered = |kind: &str| since(&format!("machines/{}/{kind}", device.id.0), "orders");
    let (isolated, released) = (ordered("Isolate"), ordered("Unisolate"));
    let comments = since(&format!("incidents/{}", worst.id), "comments");
    line(&format!("the cloud has counted: isolated {isolated}, released {released}, commented {comments}"))?;
    let expected = if outcome == "succeeded" { (1, 1, 2) } else { (0, 0, 0) };
    let counted = (isolated, released, comments);
    anyhow::ensure!(counted == expected, "the run has {outcome}, and the cloud should have counted {expected:?}");
    Ok(())
}

/// The first workflow of the gallery.
const DOCUMENT: &str = include_str!("../../../../../gallery/contain-risky-device.yaml");
const LOOK_EVERY: Duration = Duration::from_millis(100);
