//! `sortie workflow show` and `export`: a workflow as a graph, as JSON, and as it was written.

use std::{
    fs,
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
};

use anyhow::Context as _;
use clap::Args;
use serde_json::Value;
use sortie_engine::document::read;
use sortie_model::ConnectionName;

use super::{
    graph::graph,
    kept::{short, state, to_the_second},
};
use crate::{
    asking::{Address, Api, at, items, text},
    context::Context,
    exit::{Exit, Problem},
    output::{Field, properties, say, visible},
};

/// Which workflow.
#[derive(Args)]
pub(crate) struct NameArguments {
    /// The workflow's id
    pub name: String,
    /// As this tenant of `sortie tenant list` has it: its own, else the one for all; the one for all when absent
    #[arg(long, value_name = "NAME")]
    pub tenant: Option<ConnectionName>,
}

#[derive(Args)]
pub(crate) struct ShowArguments {
    #[command(flatten)]
    named: NameArguments,
    /// As JSON, with its text
    #[arg(long, conflicts_with = "yaml")]
    json: bool,
    /// Its text alone
    #[arg(long)]
    yaml: bool,
}

#[derive(Args)]
pub(crate) struct ExportArguments {
    #[command(flatten)]
    named: NameArguments,
    /// An earlier version: its number, or the beginning of its hash
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Write it into this file, which must not be there yet
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl NameArguments {
    pub(super) fn address<const N: usize>(&self, more: [&str; N]) -> Address {
        let whole = match more.first() {
            None => at(["workflows", &self.name]),
            Some(part) => at(["workflows", &self.name, part]),
        };
        whole.with("tenant", self.tenant.as_ref())
    }
}

pub(super) async fn show(arguments: ShowArguments, context: &Context) -> anyhow::Result<Exit> {
    let api = Api::connect(context).await?;
    let kept = api.get(arguments.named.address([])).await?;
    if arguments.json {
        say(&kept.to_string())?;
    } else if arguments.yaml {
        put_out(text(&kept, "text"))?;
    } else {
        say(&properties(&[
            ("Workflow", Field::plain(text(&kept, "id"))),
            ("Title", Field::plain(text(&kept, "title"))),
            ("Tenant", Field::plain(text(&kept, "tenant"))),
            ("State", state(text(&kept, "state"))),
            ("Why", Field::plain(text(&kept, "why"))),
            ("Enabled since", Field::plain(to_the_second(text(&kept, "enabled")))),
            ("Version", Field::plain(short(text(&kept, "version")))),
            ("Changed", Field::plain(to_the_second(text(&kept, "changed")))),
        ]))?;
        match read(text(&kept, "text")) {
            Ok(workflow) => graph(&workflow).iter().try_for_each(|line| say(&visible(line)))?,
            Err(_) => context.note("its text cannot be read by this version of Sortie: `--yaml` prints it"),
        }
    }
    Ok(Exit::Success)
}

pub(super) async fn export(arguments: ExportArguments, context: &Context) -> anyhow::Result<Exit> {
    let api = Api::connect(context).await?;
    let kept = match &arguments.version {
        None => api.get(arguments.named.address([])).await?,
        Some(wanted) => version(&api, &arguments.named, wanted).await?,
    };
    let Some(path) = &arguments.output else {
        put_out(text(&kept, "text"))?;
        return Ok(Exit::Success);
    };
    let unwritten = || format!("cannot write {}", path.display());
    let mut file = fs::File::create_new(path).with_context(unwritten)?;
    file.write_all(text(&kept, "text").as_bytes()).and_then(|()| file.sync_all()).with_context(unwritten)?;
    context.note(&format!("written into {}", path.display()));
    Ok(Exit::Success)
}

/// A version by its number or the beginning of its hash, with its text.
pub(super) async fn version(api: &Api, named: &NameArguments, wanted: &str) -> anyhow::Result<Value> {
    let all = api.get(named.address(["versions"])).await?;
    let fits = |one: &&Value| {
        wanted.parse::<i64>().is_ok_and(|number| one["number"] == number)
            || (wanted.len() >= HASH_LEN_MIN && text(one, "version").starts_with(wanted))
    };
    let found: Vec<&Value> = items(&all).iter().filter(fits).collect();
    let [one] = found[..] else {
        let what = format!(
            "workflow {} has {} version `{wanted}`",
            named.name,
            if found.is_empty() { "no" } else { "more than one" }
        );
        let next = format!("`sortie workflow versions {}` lists them.", named.name);
        return Err(Problem { exit: Exit::NotFound, what, next }.into());
    };
    let hash = text(one, "version");
    api.get(at(["workflows", &named.name, "versions", hash]).with("tenant", named.tenant.as_ref())).await
}

/// A file gets the text as it is; a terminal gets it without what could move it.
fn put_out(text: &str) -> anyhow::Result<()> {
    if std::io::stdout().is_terminal() {
        return text.lines().try_for_each(|line| say(&visible(line)));
    }
    match text.strip_suffix('\n') {
        Some(text) => say(text),
        None => {
            let mut out = std::io::stdout().lock();
            out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("the output cannot be written")
        }
    }
}

/// A shorter beginning is a number, or too little to tell.
const HASH_LEN_MIN: usize = 6;
