//! Runs: started, looked at, told something, repeated.

use std::sync::Arc;

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sortie_engine::{
    document::{Needs, Tenants, TriggerKind, Workflow as Document, read},
    machine::Phase,
    text::did_you_mean,
};
use sortie_runner::{
    Again, AgainError, Pick, Picker, Trouble, TroubleKind, again, as_value,
    library::{self, ManualStart, PutError, manual},
    view::{View, WorkView, place_of},
};
use sortie_store::{NewRun, Run, RunFilter, RunId, RunMode, RunStatus, RunValue, Scope, Started, Workflow};

use crate::{
    Problem,
    request::{Request, done, json as answer, ok},
    views,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PickOne {
    incident: Option<String>,
    alert: Option<String>,
    device: Option<String>,
    connection: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StartRun {
    #[serde(default)]
    inputs: Map<String, Value>,
    /// What the workflow needs: an incident, alert or device, as any of Microsoft's APIs gives it or in its normal shape.
    #[serde(default)]
    picked: Option<Value>,
    /// Which one is to be read.
    #[serde(default)]
    pick: Option<PickOne>,
    #[serde(default)]
    mode: Option<String>,
    #[serde(default)]
    key: Option<String>,
}

pub(super) async fn start(request: Request) -> Result<Response, Problem> {
    let wish: StartRun = request.json()?;
    let mode = match wish.mode.as_deref() {
        None | Some("live") => RunMode::Live,
        Some("dry") => RunMode::Dry,
        Some(other) => return Err(Problem::content(format!("`{other}` is no mode"), "Give live or dry.")),
    };
    let kept = request.store().workflow(request.scope(), request.path("id")).await?;
    let by = request.granted.actor.owner_name().to_owned();
    let start = ManualStart { inputs: wish.inputs, picked: wish.picked, mode, key: key(wish.key)?, by };
    begun(&request, &kept, start, wish.pick).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DryRun {
    /// The document, in YAML.
    text: String,
    #[serde(default)]
    inputs: Map<String, Value>,
    /// What the workflow needs: an incident, alert or device, as any of Microsoft's APIs gives it or in its normal shape.
    #[serde(default)]
    picked: Option<Value>,
    /// Which one is to be read.
    #[serde(default)]
    pick: Option<PickOne>,
}

pub(super) async fn dry(request: Request) -> Result<Response, Problem> {
    let wish: DryRun = request.json()?;
    let outside = &*request.shared.app.outside;
    let kept = match library::draft(&request.store(), outside, request.tenant(), &wish.text).await {
        Ok(kept) => kept,
        Err(PutError::Problems(wrong)) => return Err(super::workflows::problems(&wrong)),
        Err(PutError::Store(error)) => return Err(error.into()),
    };
    let by = request.granted.actor.owner_name().to_owned();
    let start = ManualStart { inputs: wish.inputs, picked: wish.picked, mode: RunMode::Dry, key: key(None)?, by };
    begun(&request, &kept, start, wish.pick).await
}

async fn begun(
    request: &Request,
    kept: &Workflow,
    mut start: ManualStart,
    pick: Option<PickOne>,
) -> Result<Response, Problem> {
    let workflow = read(&kept.text).map_err(|_| unreadable(&kept.id))?;
    is_for(&workflow, &request.tenant_name(request.tenant()))?;
    match (pick, &start.picked) {
        (Some(pick), None) => start.picked = Some(picked(request, &workflow, pick).await?),
        (Some(_), Some(_)) => {
            return Err(Problem::content("`pick` and `picked` are two ways to say one thing", "Give one of them."));
        }
        (None, _) => {}
    }
    let next = "`sortie workflow show` and `GET /api/v1/workflows/{id}` say what it takes.";
    let new = manual(kept, start).map_err(|detail| Problem::content(detail, next))?;
    ordered(request, new).await
}

/// Reads the object that the run is about.
async fn picked(request: &Request, workflow: &Document, pick: PickOne) -> Result<Value, Problem> {
    let given = [(Needs::Incident, pick.incident), (Needs::Alert, pick.alert), (Needs::Device, pick.device)];
    let mut given: Vec<(Needs, String)> =
        given.into_iter().filter_map(|(kind, id)| Some((kind, id?.trim().to_owned()))).collect();
    let (Some((kind, id)), true) = (given.pop().filter(|(_, id)| !id.is_empty()), given.is_empty()) else {
        return Err(Problem::content("`pick` names one object", "Give incident, alert or device with its id."));
    };
    let needs = workflow.triggers.iter().find_map(|trigger| match &trigger.kind {
        TriggerKind::Manual { needs, .. } => Some(*needs),
        _ => None,
    });
    let word = kind.word();
    // Without such a trigger it cannot be started at all, which is said in its place.
    if let Some(needs) = needs.filter(|needs| *needs != Some(kind)) {
        let (what, next) = match needs {
            Some(needs) => ("another object", format!("It needs {}: pick one by `{0}`.", needs.word())),
            None => ("no object", format!("If it has an input for the {word}, give the id there.")),
        };
        let detail = format!("workflow {} takes {what}, and {word} {id} is picked", workflow.id.value);
        return Err(Problem::content(detail, next));
    }
    let app = &request.shared.app;
    let picker = Picker::new(Arc::clone(&app.outside), app.store.clone(), Arc::clone(&app.clock));
    let pick = Pick { kind, id, connection: pick.connection };
    match tokio::time::timeout(PICK_MAX, picker.pick(request.tenant(), &pick)).await {
        Ok(picked) => picked.map_err(unpicked),
        Err(_) => {
            let detail = format!("{word} {} was not read within {} seconds", pick.id, PICK_MAX.as_secs());
            let next = "The service is slow now: try again, or give the object itself.";
            Err(Problem::new(StatusCode::BAD_GATEWAY, "service", detail, next))
        }
    }
}

/// Whoever asked can mend what they asked for; what lies at the service or the connection is said as theirs.
fn unpicked(trouble: Trouble) -> Problem {
    let (status, kind) = match (trouble.kind, trouble.status) {
        (_, Some(404)) => (StatusCode::NOT_FOUND, "not-found"),
        (TroubleKind::Connection, _) => (StatusCode::BAD_GATEWAY, "connection"),
        (_, Some(403)) => (StatusCode::BAD_GATEWAY, "role"),
        (TroubleKind::Document, _) => (StatusCode::UNPROCESSABLE_ENTITY, "content"),
        _ => (StatusCode::BAD_GATEWAY, "service"),
    };
    Problem::new(status, kind, trouble.what, trouble.next)
}

/// The order becomes durable, and its run begins in its turn.
async fn ordered(request: &Request, new: NewRun) -> Result<Response, Problem> {
    let input = match new.input {
        RunValue::Text(text) => as_value(&request.shared.app.store, request.scope(), text).await?,
        blob @ RunValue::Blob(_) => blob,
    };
    let started = request.store().start_run(request.scope(), NewRun { input, ..new }).await?;
    let (status, run) = match started {
        Started::New(run) => (StatusCode::CREATED, run),
        Started::Known(run) => (StatusCode::OK, run),
        Started::TooMany(count) => {
            let detail = format!("{count} runs were for this within an hour, and the workflow is paused");
            return Err(Problem::conflict(detail, "Look at what starts it, then enable it again."));
        }
    };
    let is_new = status == StatusCode::CREATED;
    if is_new {
        request.shared.app.runner.begin(request.tenant(), run);
    }
    Ok(answer(status, &json!({ "run": run.to_string(), "new": is_new, "address": address(run) })))
}

pub(super) async fn list(request: Request) -> Result<Response, Problem> {
    let count = request.count()?;
    let before = request.query("before").map(|text| {
        RunId::parse(text)
            .ok_or_else(|| Problem::request("`before` takes the id of a run", "Take `next` of the last page."))
    });
    let status = request.query("status").map(|word| {
        let words = RunStatus::ALL.iter().map(|status| status.word());
        let next = || did_you_mean(word, words);
        RunStatus::of(word).ok_or_else(|| Problem::request(format!("`{word}` is no status"), next()))
    });
    let text = |name: &str| request.query(name).map(str::to_owned);
    let filter = RunFilter {
        workflow: text("workflow"),
        status: status.transpose()?,
        outcome: text("outcome"),
        object: text("object"),
        before: before.transpose()?,
    };
    let store = request.store();
    let mut found: Vec<Run> = Vec::new();
    for scope in &request.granted.scopes {
        found.extend(store.runs(*scope, filter.clone(), count + 1).await?);
    }
    found.sort_by_key(|run| std::cmp::Reverse(run.id));
    let has_more = found.len() > count as usize;
    found.truncate(count as usize);
    let next = found.last().filter(|_| has_more).map(|run| run.id.to_string());
    ok(&json!({ "items": found.iter().map(|one| views::run(&request, one)).collect::<Vec<_>>(), "next": next }))
}

pub(super) async fn one(request: Request) -> Result<Response, Problem> {
    let run = request.run()?;
    let workflow = document(&request, run).await?;
    let view = View::of(run, &workflow);
    let asked = request.store().approvals_of(request.scope(), run.id).await?;
    let mut shown = views::run(&request, run);
    shown["steps"] = json!(view.as_ref().map(|view| &view.steps));
    shown["at_work"] = json!(view.as_ref().map(|view| &view.at_work));
    shown["approvals"] = asked.iter().map(|one| views::approval(&request, one)).collect();
    ok(&shown)
}

pub(super) async fn journal(request: Request) -> Result<Response, Problem> {
    let run = request.run()?.id;
    let after = request.number("after", 0, 0..=i64::MAX)?;
    let rows = request.store().journal(request.scope(), run, after).await?;
    let mut pages = Vec::with_capacity(rows.len());
    for row in rows {
        let page: Value = serde_json::from_str(&row.entries).map_err(|_| Problem::fault())?;
        pages.push(json!({ "seq": row.seq, "at": row.at.to_string(), "entries": page["entries"] }));
    }
    ok(&json!({ "items": pages }))
}

pub(super) async fn values(request: Request) -> Result<Response, Problem> {
    let run = request.run()?;
    let prefix = match request.query("step") {
        None => String::new(),
        Some(step) => place(&request, run, step).await?,
    };
    let mut items = Vec::new();
    for (place, text) in request.store().run_values(request.scope(), run.id, &prefix).await? {
        // `1` is also how `12` begins.
        let is_its_own = place[prefix.len()..].chars().next().is_none_or(|c| prefix.is_empty() || !c.is_ascii_digit());
        if is_its_own {
            let value: Value = serde_json::from_str(&text).map_err(|_| Problem::fault())?;
            items.push(json!({ "place": place, "value": value }));
        }
    }
    ok(&json!({ "items": items }))
}

pub(super) async fn cancel(request: Request) -> Result<Response, Problem> {
    let run = request.run()?.id;
    request.store().cancel_run(request.scope(), run).await?;
    request.shared.app.runner.poke(request.tenant(), run);
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resolve {
    step: String,
    resolution: String,
    /// Which try the word is about; that which is in doubt now, where it is not said.
    #[serde(default)]
    attempt: Option<u32>,
}

pub(super) async fn resolve(request: Request) -> Result<Response, Problem> {
    let wish: Resolve = request.json()?;
    if !RESOLUTIONS.contains(&&*wish.resolution) {
        let next = "Give happened, did_not_happen or give_up.";
        return Err(Problem::content(format!("`{}` is no resolution", wish.resolution), next));
    }
    let run = request.run()?;
    let workflow = document(&request, run).await?;
    let doubts: Vec<WorkView> = View::of(run, &workflow)
        .map_or_else(Vec::new, |view| view.at_work.into_iter().filter(|work| work.phase == Phase::Doubt).collect());
    let Some(doubt) = doubts.iter().find(|doubt| doubt.step == wish.step || doubt.place == wish.step) else {
        let steps: Vec<&str> = doubts.iter().map(|doubt| doubt.step.as_str()).collect();
        let next = match &steps[..] {
            [] => "Nothing of this run is in doubt.".to_owned(),
            _ => format!("In doubt is {}.", steps.join(", ")),
        };
        return Err(Problem::conflict(format!("what became of step {} is not in doubt", wish.step), next));
    };
    if wish.attempt.is_some_and(|attempt| attempt != doubt.attempt) {
        let what = format!("in doubt is try {} of step {}", doubt.attempt, wish.step);
        return Err(Problem::conflict(what, "Look at the run again, and say it of this try."));
    }
    let (place, attempt) = (&doubt.place, doubt.attempt);
    request.store().resolve_doubt(request.scope(), run.id, place, attempt, &wish.resolution).await?;
    request.shared.app.runner.poke(request.tenant(), run.id);
    done()
}

pub(super) async fn retry(request: Request) -> Result<Response, Problem> {
    let run = request.run()?.id;
    request.store().retry_run(request.scope(), run).await?;
    request.shared.app.runner.poke(request.tenant(), run);
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rerun {
    #[serde(default)]
    from_step: Option<String>,
    #[serde(default)]
    key: Option<String>,
}

pub(super) async fn rerun(request: Request) -> Result<Response, Problem> {
    let wish: Rerun = request.json()?;
    let actor = request.granted.actor.clone();
    let wish = Again { from_step: wish.from_step, key: key(wish.key)?, actor };
    let run = request.run()?;
    let new = again(&request.shared.app.store, run, wish).await.map_err(|error| {
        let detail = error.to_string();
        match error {
            AgainError::Store(error) => error.into(),
            AgainError::Unended(_) => Problem::conflict(detail, "Wait for its end, or cancel it."),
            AgainError::Doubt { steps } => {
                let next =
                    format!("Say what became of it: POST /api/v1/runs/{}/resolve for {}.", run.id, steps.join(", "));
                Problem::conflict(detail, next).with("doubts", json!(steps))
            }
            AgainError::Unapproved { step, .. } => {
                Problem::conflict(detail, format!("Repeat it from `{step}`, so that the question is asked again."))
            }
            AgainError::UnknownStep { next, .. } => Problem::content(detail, next),
            AgainError::Unreadable(_) => Problem::conflict(detail, "Start the workflow anew."),
        }
    })?;
    ordered(&request, new).await
}

/// The document of the run's version.
async fn document(request: &Request, run: &Run) -> Result<Document, Problem> {
    let store = &request.shared.app.store;
    let text = store.workflow_version(Scope::Tenant(run.home), &run.workflow, &run.version).await?.text;
    read(&text).map_err(|_| unreadable(&run.workflow))
}

/// The place of a step by its name.
async fn place(request: &Request, run: &Run, step: &str) -> Result<String, Problem> {
    let workflow = document(request, run).await?;
    place_of(&workflow, step).ok_or_else(|| {
        let known = workflow.steps.iter().map(|step| step.id.value.as_str());
        Problem::content(format!("the run has no step `{step}`"), did_you_mean(step, known))
    })
}

/// Whether a workflow runs for a tenant.
pub(crate) fn is_for(workflow: &Document, tenant: &str) -> Result<(), Problem> {
    match &workflow.tenants {
        Tenants::All => Ok(()),
        Tenants::Some(names) if names.iter().any(|name| name.value == tenant) => Ok(()),
        Tenants::Some(_) => {
            let detail = format!("workflow {} does not run for tenant {tenant}", workflow.id.value);
            Err(Problem::conflict(detail, "Add the tenant to its `tenants`, or name another one."))
        }
    }
}

/// What makes a start the same as another: given, or its own.
fn key(given: Option<String>) -> Result<String, Problem> {
    match given {
        Some(key) if key.is_empty() || key.len() > KEY_BYTES_MAX => {
            Err(Problem::content(format!("`key` takes 1 to {KEY_BYTES_MAX} bytes"), "Shorten it."))
        }
        Some(key) => Ok(format!("given {key}")),
        None => Ok(uuid::Uuid::new_v4().to_string()),
    }
}

fn unreadable(workflow: &str) -> Problem {
    let detail = format!("workflow {workflow} cannot be read by this version of Sortie");
    Problem::conflict(detail, "Validate it, and keep it anew.")
}

/// Where the API has a run.
pub(crate) fn address(run: RunId) -> String {
    format!("/api/v1/runs/{run}")
}

/// Below the time after which any request is given up.
const PICK_MAX: std::time::Duration = std::time::Duration::from_secs(25);
const RESOLUTIONS: &[&str] = &["happened", "did_not_happen", "give_up"];
const KEY_BYTES_MAX: usize = 256;
