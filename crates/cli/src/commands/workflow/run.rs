//! `sortie workflow run` and `dry-run`: a run by hand, or only what it would do.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::Args;
use http::Method;
use serde_json::{Map, Value, json};
use sortie_engine::document::{Parameter, TriggerKind, read};
use sortie_model::ConnectionName;

use super::validate::say_problem;
use crate::{
    asking::{Api, at, items, text},
    connections::SHARED_NAME,
    context::Context,
    exit::{Exit, Problem},
    following::{self, Telling, follow, say_end},
    output::say,
};

/// How a followed run is told to whoever called the command, for `--help`.
pub(crate) const EXITS: &str = "\
A run that is followed ends the command with 0 when it has succeeded and with 1 when it has not. Where no server runs, this
process takes runs further until this one has ended or waits for a person: with 0 when somebody is to decide, 8 when somebody
must look whether a change was made, 10 when a guardrail holds it, 3 when a connection does not authenticate. The run goes on
from there later; Ctrl-C gives up following, and not the run.";

/// What a run is given.
#[derive(Args)]
struct GivenArguments {
    /// For this tenant of `sortie tenant list`; may be left out where there is only one
    #[arg(long, value_name = "NAME")]
    tenant: Option<ConnectionName>,
    /// A value of the `manual` trigger; repeat it for several. What is no text is written as JSON
    #[arg(long, value_name = "NAME=VALUE")]
    input: Vec<String>,
    /// A JSON file with an object of such values, `-` for standard input
    #[arg(long, value_name = "FILE")]
    inputs: Option<PathBuf>,
    /// The incident that the workflow needs, read through the tenant's connection, or `--connection` where it has several
    #[arg(long, value_name = "ID", group = "object")]
    incident: Option<String>,
    /// The alert that it needs
    #[arg(long, value_name = "ID", group = "object")]
    alert: Option<String>,
    /// The device that it needs, by its id or its name in the network
    #[arg(long, value_name = "ID|NAME", group = "object")]
    device: Option<String>,
    /// A JSON file with the object that it needs, as one of Microsoft's APIs gives it or in its normal shape
    #[arg(long, value_name = "FILE", group = "object")]
    picked: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct RunArguments {
    /// The workflow's id
    name: String,
    #[command(flatten)]
    given: GivenArguments,
    /// The same key is the same start: repeated, it finds the run that it started before
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Send nothing that has an effect, and show what would be sent
    #[arg(long, visible_alias = "observe")]
    dry_run: bool,
    /// Tell what happens until the run has ended
    #[arg(long, short = 'f')]
    follow: bool,
}

#[derive(Args)]
pub(crate) struct DryRunArguments {
    /// The workflow's id, or a document that is not kept
    #[arg(value_name = "NAME|FILE")]
    what: String,
    #[command(flatten)]
    given: GivenArguments,
}

pub(super) async fn run(arguments: RunArguments, context: &Context) -> anyhow::Result<Exit> {
    let api = Api::connect(context).await?;
    let tenant = arguments.given.tenant(&api, context).await?;
    let kept = api.get(at(["workflows", &arguments.name]).with("tenant", Some(&tenant))).await?;
    let mut body = arguments.given.body(text(&kept, "text"), context)?;
    body["mode"] = if arguments.dry_run { "dry" } else { "live" }.into();
    if let Some(key) = &arguments.key {
        body["key"] = key.as_str().into();
    }
    let started = api.post(at(["workflows", &arguments.name, "runs"]).with("tenant", Some(&tenant)), body).await?;
    followed(&api, &started, arguments.follow || arguments.dry_run, context).await
}

pub(super) async fn dry_run(arguments: DryRunArguments, context: &Context) -> anyhow::Result<Exit> {
    let path = Path::new(&arguments.what);
    let document = match path.is_file() || arguments.what.ends_with(".yaml") {
        true => Some(fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?),
        false => None,
    };
    let api = Api::connect(context).await?;
    let tenant = arguments.given.tenant(&api, context).await?;
    let started = match document {
        Some(document) => {
            let mut body = arguments.given.body(&document, context)?;
            body["text"] = document.into();
            let address = at(["dry-runs"]).with("tenant", Some(&tenant));
            match api.try_ask(Method::POST, address, Some(body)).await? {
                Ok(started) => started,
                Err(refused) => {
                    let problems = refused.body["problems"].as_array().into_iter().flatten();
                    problems.into_iter().try_for_each(|problem| say_problem(&arguments.what, problem))?;
                    return Err(refused.problem.into());
                }
            }
        }
        None => {
            let kept = api.get(at(["workflows", &arguments.what]).with("tenant", Some(&tenant))).await?;
            let mut body = arguments.given.body(text(&kept, "text"), context)?;
            body["mode"] = "dry".into();
            api.post(at(["workflows", &arguments.what, "runs"]).with("tenant", Some(&tenant)), body).await?
        }
    };
    followed(&api, &started, true, context).await
}

/// Says that a run has started, and follows it where that is wished or nobody else takes it further.
pub(crate) async fn followed(api: &Api, started: &Value, wished: bool, context: &Context) -> anyhow::Result<Exit> {
    let run = text(started, "run");
    match started["new"].as_bool() {
        Some(false) => say(&format!("run {run} was started by this before"))?,
        _ => say(&format!("run {run} started"))?,
    }
    if !wished && api.is_served() {
        context.note(&format!("`sortie runs show {run} --follow` tells what happens"));
        return Ok(Exit::Success);
    }
    let run = follow(api, run, Telling::Entries, context).await?;
    say_end(&run)?;
    Ok(following::exit_of(&run))
}

impl GivenArguments {
    /// The tenant that is meant: what a start needs to know before it knows what the workflow takes.
    async fn tenant(&self, api: &Api, context: &Context) -> anyhow::Result<String> {
        let path = context.global.connection.as_ref().filter(|_| self.picks());
        let of_path = path.and_then(|path| path.tenant.as_ref()).filter(|tenant| tenant.as_str() != SHARED_NAME);
        match (&self.tenant, of_path) {
            (Some(name), Some(other)) if name != other => {
                let what = format!("the connection is of tenant {other}, and the run is for tenant {name}");
                return Err(Problem::usage(what, "Name a connection of the run's tenant.").into());
            }
            (Some(name), _) | (None, Some(name)) => return Ok(name.to_string()),
            (None, None) => {}
        }
        let known = api.get(at(["tenants"])).await?;
        let own: Vec<&str> =
            items(&known).iter().map(|tenant| text(tenant, "name")).filter(|name| *name != SHARED_NAME).collect();
        match own[..] {
            [] => Ok(SHARED_NAME.to_owned()),
            [one] => Ok(one.to_owned()),
            _ => {
                let what = "there are several tenants, and none is named";
                Err(Problem::usage(what, format!("Name one with `--tenant`: {}.", own.join(", "))).into())
            }
        }
    }

    /// Whether an object is named that has to be read.
    fn picks(&self) -> bool {
        [&self.incident, &self.alert, &self.device].into_iter().any(Option::is_some)
    }

    /// The values by the types of the document's `manual` trigger.
    fn body(&self, document: &str, context: &Context) -> anyhow::Result<Value> {
        let workflow = read(document).ok();
        let triggers = workflow.iter().flat_map(|workflow| &workflow.triggers);
        let parameters = triggers.filter_map(|trigger| match &trigger.kind {
            TriggerKind::Manual { inputs, .. } => Some(inputs.as_slice()),
            _ => None,
        });
        let parameters = parameters.into_iter().next().unwrap_or_default();
        let mut inputs = match &self.inputs {
            None => Map::new(),
            Some(path) => match json_of(path)? {
                Value::Object(inputs) => inputs,
                _ => {
                    let next = "Write an object: {\"NAME\": VALUE}.";
                    return Err(Problem::usage(format!("{} has no object", path.display()), next).into());
                }
            },
        };
        for pair in &self.input {
            let (name, value) = input(pair, parameters)?;
            inputs.insert(name, value);
        }
        let mut body = json!({ "inputs": inputs });
        if let Some(path) = &self.picked {
            body["picked"] = json_of(path)?;
        }
        let named = [("incident", &self.incident), ("alert", &self.alert), ("device", &self.device)];
        if let Some((kind, id)) = named.into_iter().find_map(|(kind, id)| Some((kind, id.as_deref()?))) {
            let connection = context.global.connection.as_ref().map(|path| path.name.as_str());
            body["pick"] = json!({ kind: id, "connection": connection });
        }
        Ok(body)
    }
}

/// `NAME=VALUE`: a text as it is written, anything else as JSON.
fn input(pair: &str, parameters: &[Parameter]) -> Result<(String, Value), Problem> {
    let Some((name, value)) = pair.split_once('=') else {
        return Err(Problem::usage(format!("`{pair}` is no input"), "Write it as NAME=VALUE."));
    };
    let kind = parameters.iter().find(|parameter| parameter.name.value == name).map(|one| one.kind.as_str());
    // Whether there is such an input, the server says.
    let value = match kind {
        None | Some("string") => Value::String(value.to_owned()),
        Some(kind) => serde_json::from_str(value).map_err(|_| {
            let next = "Write it as JSON: 3, true, [\"a\", \"b\"], {\"a\": 1}.";
            Problem::usage(format!("the input `{name}` takes a value of kind {kind}, and `{value}` is none"), next)
        })?,
    };
    Ok((name.to_owned(), value))
}

fn json_of(path: &Path) -> anyhow::Result<Value> {
    let unread = || format!("cannot read {}", path.display());
    let content = match path == Path::new("-") {
        false => fs::read_to_string(path).with_context(unread)?,
        true => {
            let mut content = String::new();
            std::io::stdin().lock().take(INPUT_BYTES_MAX).read_to_string(&mut content).with_context(unread)?;
            content
        }
    };
    serde_json::from_str(&content)
        .map_err(|error| Problem::usage(format!("{} is no JSON: {error}", path.display()), "Correct it.").into())
}

/// The API takes no more at once.
const INPUT_BYTES_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_read_by_its_kind() {
        let text = "workflow: a\ntriggers: [{ manual: { inputs: { s: string, n: number, l: list } } }]\nsteps: [{ id: a, set: { b: 1 } }]\n";
        let workflow = read(text).unwrap();
        let TriggerKind::Manual { inputs, .. } = &workflow.triggers[0].kind else { panic!("it is by hand") };
        let of = |pair: &str| input(pair, inputs).map(|(_, value)| value).map_err(|problem| problem.what);
        assert_eq!(of("s=3"), Ok(json!("3")));
        assert_eq!(of("s=a=b"), Ok(json!("a=b")));
        assert_eq!(of("n=3"), Ok(json!(3)));
        assert_eq!(of("l=[1, \"x\"]"), Ok(json!([1, "x"])));
        assert_eq!(of("unknown=3"), Ok(json!("3")));
        assert_eq!(of("n=three"), Err("the input `n` takes a value of kind number, and `three` is none".to_owned()));
        assert_eq!(of("s"), Err("`s` is no input".to_owned()));
    }
}
