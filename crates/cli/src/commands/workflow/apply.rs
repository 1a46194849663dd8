//! `sortie workflow apply DIR`: a folder is the truth.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use http::Method;
use serde_json::{Value, json};
use sortie_model::ConnectionName;

use super::validate::say_problem;
use crate::{
    asking::{Api, Refused, at, items, text},
    context::Context,
    exit::{Exit, Problem},
    input::confirm,
    output::{say, visible},
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The folder: each `*.yaml` of it and of the folders in it is a workflow, but for `*.test.yaml` and what begins with a dot
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Keep them for this tenant of `sortie tenant list` alone; for all when absent
    #[arg(long, value_name = "NAME")]
    tenant: Option<ConnectionName>,
    /// Only say what would change
    #[arg(long)]
    dry_run: bool,
    /// What becomes of workflows that are kept there and not in the folder; they stay when absent
    #[arg(long, value_name = "disable|remove")]
    prune: Option<Prune>,
    /// Do not ask before workflows are removed
    #[arg(long, short = 'y')]
    yes: bool,
    /// As JSON, a line for each workflow or problem
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Prune {
    Disable,
    Remove,
}

/// A document of the folder.
struct Document {
    path: PathBuf,
    text: String,
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    let documents = documents(&arguments.folder)?;
    let api = Api::connect(context).await?;
    // What is asked again may have changed meanwhile; then nothing but the question was wrong.
    if arguments.prune == Some(Prune::Remove) && !arguments.dry_run {
        let answer = match ask(&api, &arguments, &documents, true).await? {
            Ok(answer) => answer,
            Err(refused) => return refuse(&arguments, &documents, &refused),
        };
        let going = items(&answer).iter().filter(|item| item["change"] == "removed");
        let going: Vec<&str> = going.map(|item| text(item, "id")).collect();
        let question = format!("Remove what is not in the folder: {}?", visible(&going.join(", ")));
        if !going.is_empty() && !confirm(&question, arguments.yes)? {
            context.note("nothing was changed");
            return Ok(Exit::Usage);
        }
    }
    match ask(&api, &arguments, &documents, arguments.dry_run).await? {
        Ok(answer) => tell(&arguments, &documents, &answer, context),
        Err(refused) => refuse(&arguments, &documents, &refused),
    }
}

async fn ask(
    api: &Api,
    arguments: &Arguments,
    documents: &[Document],
    dry_run: bool,
) -> anyhow::Result<Result<Value, Refused>> {
    let texts: Vec<&str> = documents.iter().map(|document| document.text.as_str()).collect();
    let unnamed = match arguments.prune {
        None => "stay",
        Some(Prune::Disable) => "disable",
        Some(Prune::Remove) => "remove",
    };
    let body = json!({ "documents": texts, "unnamed": unnamed, "dry_run": dry_run });
    let address = at(["apply"]).with("tenant", arguments.tenant.as_ref());
    Ok(api.try_ask(Method::POST, address, Some(body)).await?)
}

fn tell(arguments: &Arguments, documents: &[Document], answer: &Value, context: &Context) -> anyhow::Result<Exit> {
    let mut has_new = false;
    for item in items(answer) {
        let path = item["document"].as_u64().and_then(|at| documents.get(usize::try_from(at).ok()?));
        let path = path.map(|document| document.path.display().to_string());
        has_new |= item["change"] == "new";
        match arguments.json {
            true => say(&json!({ "id": item["id"], "change": item["change"], "file": path }).to_string())?,
            false => {
                let path = path.unwrap_or_else(|| "not in the folder".to_owned());
                say(&visible(&format!("{:<9} {}  ({path})", text(item, "change"), text(item, "id"))))?;
            }
        }
    }
    match answer["kept"].as_bool() {
        Some(true) if has_new => {
            context.note("a new workflow is disabled until `sortie workflow enable NAME`; by hand it can be started");
        }
        Some(true) => {}
        _ => context.note("nothing was changed: this only says what would be"),
    }
    Ok(Exit::Success)
}

/// What is wrong stands in the place of an answer, as `validate` prints it.
fn refuse(arguments: &Arguments, documents: &[Document], refused: &Refused) -> anyhow::Result<Exit> {
    let problems = refused.body["problems"].as_array().map(Vec::as_slice).unwrap_or_default();
    for problem in problems {
        let at = problem["document"].as_u64().and_then(|at| usize::try_from(at).ok()).unwrap_or(usize::MAX);
        let path = documents.get(at).map(|document| document.path.display().to_string()).unwrap_or_default();
        match arguments.json {
            false => say_problem(&path, problem)?,
            true => {
                let mut problem = problem.clone();
                problem["file"] = path.into();
                say(&problem.to_string())?;
            }
        }
    }
    Err(refused.problem.clone().into())
}

fn documents(folder: &Path) -> anyhow::Result<Vec<Document>> {
    let mut paths = Vec::new();
    gather(folder, FOLDERS_MAX, &mut paths)?;
    paths.sort();
    if paths.is_empty() {
        let what = format!("{} has no workflow: no `*.yaml` that is no `*.test.yaml`", folder.display());
        return Err(Problem::usage(what, "Name the folder with the documents; nothing was changed.").into());
    }
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Document { path, text })
    };
    paths.into_iter().map(read).collect()
}

fn gather(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let unread = || format!("cannot read the folder {}", folder.display());
    for entry in fs::read_dir(folder).with_context(unread)? {
        let entry = entry.with_context(unread)?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if name.starts_with('.') {
            continue;
        }
        // A link to a folder may lead back up; one to a file is as good as the file.
        match entry.file_type().with_context(unread)?.is_dir() {
            true if depth == 0 => {
                let what = format!("{} lies deeper than {FOLDERS_MAX} folders", path.display());
                return Err(Problem::usage(what, "Name a folder further down.").into());
            }
            true => gather(&path, depth - 1, found)?,
            false if name.ends_with(".yaml") && !name.ends_with(".test.yaml") => found.push(path),
            false => {}
        }
    }
    Ok(())
}

/// Folders within each other.
const FOLDERS_MAX: usize = 16;
