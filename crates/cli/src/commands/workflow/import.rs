//! `sortie workflow import FILE …`: documents from elsewhere. It reads, reports and writes; it never calls, resolves a secret or
//! enables a trigger.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::Args;
use http::Method;
use serde_json::{Value, json};
use sortie_engine::{document::read, text::Problem as Wrong};
use sortie_shuffle::{AppNames, Finding, Import, Installed, Kind, Node, import, is_export, origin};

use crate::{
    asking::{Api, at, items, text},
    connections::SHARED_NAME,
    context::Context,
    exit::{Exit, Problem},
    output::{say, visible},
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Exported workflows of Shuffle (JSON, one or a list of them), or documents of our own (YAML)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// For this tenant of `sortie tenant list`: through its connections
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Keep them in the database, disabled, instead of writing files
    #[arg(long, conflicts_with = "output")]
    keep: bool,
    /// Write the documents into this folder instead of beside the files
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Replace what is there already
    #[arg(long)]
    force: bool,
    /// Print the reports as JSON, a line each
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    let mut sources = Vec::new();
    for file in &arguments.files {
        sources.extend(Source::read(file)?);
    }
    let api = Api::connect(context).await?;
    let tenant = arguments.tenant.as_deref();
    let mut documents = documents(sources, &api, tenant).await?;
    distinct(&documents)?;
    let all_fine = match arguments.keep {
        true => keep(&mut documents, &api, tenant, arguments.force).await?,
        false => {
            write(&mut documents, arguments.output.as_deref(), arguments.force)?;
            for document in &mut documents {
                let judged = api.post_text(at(["validate"]).with("tenant", tenant), document.text.clone()).await?;
                document.wrong = problems(&judged).map(|(_, wrong)| wrong).collect();
            }
            // What an import leaves to do is no failure; a document of our own that does not hold is one.
            documents.iter().all(|document| document.import.is_some() || document.wrong.is_empty())
        }
    };
    for document in &documents {
        match arguments.json {
            true => say(&document.told().to_string())?,
            false => document.tell()?,
        }
    }
    Ok(if all_fine { Exit::Success } else { Exit::Usage })
}

/// A file, or one of the workflows of a file.
struct Source {
    file: PathBuf,
    content: Content,
}

enum Content {
    /// Of Shuffle.
    Export(Value),
    /// Our own.
    Document { id: String, text: String },
}

impl Source {
    /// What is in a file: one workflow, or several as Shuffle's API lists them.
    fn read(file: &Path) -> anyhow::Result<Vec<Self>> {
        let shown = file.display();
        let length = fs::metadata(file).with_context(|| format!("cannot read {shown}"))?.len();
        if length > FILE_BYTES_MAX {
            let what = format!("{shown} has {length} bytes; a file of workflows has at most {FILE_BYTES_MAX}");
            return Err(
                Problem::usage(what, "Export the workflows without their pictures, or fewer of them at once.").into()
            );
        }
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
        let contents = match serde_json::from_str::<Value>(text.trim_start_matches('\u{feff}')) {
            Ok(json) if is_export(&json) => vec![Content::Export(json)],
            Ok(Value::Array(all)) if !all.is_empty() && all.iter().all(is_export) => {
                all.into_iter().map(Content::Export).collect()
            }
            _ => match read(&text) {
                Ok(workflow) => vec![Content::Document { id: workflow.id.value, text }],
                Err(problems) => return Err(neither(file, &problems).into()),
            },
        };
        Ok(contents.into_iter().map(|content| Self { file: file.to_owned(), content }).collect())
    }
}

fn neither(file: &Path, problems: &[Wrong]) -> Problem {
    let first = problems.first().map(|problem| format!(" ({problem})")).unwrap_or_default();
    let what = format!("{} is no exported workflow of Shuffle, and no document of our own{first}", file.display());
    let next = "Export workflows from Shuffle as JSON, one a file or a list of nothing else; `sortie workflow validate FILE` says all about a document.";
    Problem::usage(what, next)
}

/// What a file became.
struct Document {
    file: PathBuf,
    id: String,
    text: String,
    /// What an import says, node by node.
    import: Option<Import>,
    /// Where it was written to, or that it was kept.
    place: Option<String>,
    /// What stands in the way of keeping it.
    wrong: Vec<Wrong>,
}

/// All files as documents of ours. Workflows that come together find each other.
async fn documents(sources: Vec<Source>, api: &Api, tenant: Option<&str>) -> anyhow::Result<Vec<Document>> {
    let exports: Vec<&Value> = sources
        .iter()
        .filter_map(|source| match &source.content {
            Content::Export(json) => Some(json),
            Content::Document { .. } => None,
        })
        .collect();
    let own = sources.iter().filter_map(|source| match &source.content {
        Content::Document { id, .. } => Some(id.clone()),
        Content::Export(_) => None,
    });
    let installed = match exports.is_empty() {
        true => Installed::default(),
        false => installed(&exports, own.collect(), api, tenant).await?,
    };
    let mut documents = Vec::new();
    for Source { file, content } in sources {
        let json = match content {
            Content::Document { id, text } => {
                documents.push(Document { file, id, text, import: None, place: None, wrong: Vec::new() });
                continue;
            }
            Content::Export(json) => json,
        };
        let mut made = import(&json, &installed);
        let parts = std::mem::take(&mut made.parts);
        for import in std::iter::once(made).chain(parts) {
            let workflow = read(&import.document).map_err(|problems| neither(&file, &problems))?;
            let (file, id, text) = (file.clone(), workflow.id.value, import.document.clone());
            documents.push(Document { file, id, text, import: Some(import), place: None, wrong: Vec::new() });
        }
    }
    Ok(documents)
}

/// An export that was saved twice has one id in Shuffle, and one here.
fn distinct(documents: &[Document]) -> anyhow::Result<()> {
    let mut files: HashMap<&str, &Path> = HashMap::new();
    for document in documents {
        if let Some(other) = files.insert(&document.id, &document.file) {
            let (one, two) = (other.display(), document.file.display());
            let what = match other == document.file {
                true => format!("{one} has one workflow twice, {}; nothing was imported", document.id),
                false => format!("{one} and {two} are one workflow, {}; nothing was imported", document.id),
            };
            return Err(Problem::usage(what, "Import one of them.").into());
        }
    }
    Ok(())
}

/// What Shuffle's names stand for here: the connectors of the database and those that come along, and the workflows.
async fn installed(
    exports: &[&Value],
    mut taken: Vec<String>,
    api: &Api,
    tenant: Option<&str>,
) -> anyhow::Result<Installed> {
    let apps = AppNames::of(exports.iter().copied());
    let mut connectors = BTreeMap::new();
    for item in items(&api.get(at(["connectors"]).with("tenant", tenant)).await?) {
        let id = text(item, "id");
        if apps.has(id, text(item, "title")) {
            let found = api.get(at(["connectors", id, "description"]).with("tenant", home(item))).await?;
            let description = serde_json::from_value(found["description"].clone());
            connectors.insert(id.to_owned(), description.with_context(|| format!("connector {id} cannot be read"))?);
        }
    }
    let mut workflows = HashMap::new();
    for item in items(&api.get(at(["workflows"]).with("tenant", tenant)).await?) {
        let id = text(item, "id");
        let kept = api.get(at(["workflows", id]).with("tenant", home(item))).await?;
        match origin(text(&kept, "text")) {
            Some(of_shuffle) => drop(workflows.insert(of_shuffle.to_owned(), id.to_owned())),
            None => taken.push(id.to_owned()),
        }
    }
    let exports = exports.iter().copied();
    Ok(Installed::new(connectors.into_iter().collect(), workflows).with(exports, taken.into_iter()))
}

/// The tenant whose it is; `None` where it is for all.
fn home(item: &Value) -> Option<&str> {
    Some(text(item, "tenant")).filter(|tenant| !tenant.is_empty() && *tenant != SHARED_NAME)
}

/// What an answer says is wrong, each with the number of its document.
fn problems(answer: &Value) -> impl Iterator<Item = (usize, Wrong)> {
    let all = answer["problems"].as_array().into_iter().flatten();
    all.filter_map(|problem| {
        let document = problem["document"].as_u64().and_then(|at| usize::try_from(at).ok());
        Some((document.unwrap_or(0), serde_json::from_value(problem.clone()).ok()?))
    })
}

/// Writes each document as `ID.yaml`. Nothing is written where one of them would stand in the way.
fn write(documents: &mut [Document], folder: Option<&Path>, force: bool) -> anyhow::Result<()> {
    if let Some(folder) = folder {
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    let mut places = Vec::new();
    for document in documents.iter() {
        let beside = document.file.parent().unwrap_or(Path::new(""));
        // A document of our own is beside itself already.
        let is_there = document.import.is_none() && folder.is_none();
        let place = (!is_there).then(|| folder.unwrap_or(beside).join(format!("{}.yaml", document.id)));
        if let Some(place) = place.as_ref().filter(|place| place.exists() && !force) {
            let what = format!("{} is there already; nothing was written", place.display());
            return Err(
                Problem::usage(what, "Add `--force` to replace it, or name another folder by `--output`.").into()
            );
        }
        places.push(place);
    }
    for (document, place) in documents.iter_mut().zip(places) {
        let Some(place) = place else { continue };
        let written = match force {
            true => fs::write(&place, &document.text),
            // Whoever made it since then did not mean this one to go.
            false => fs::File::create_new(&place).and_then(|mut file| file.write_all(document.text.as_bytes())),
        };
        written.with_context(|| format!("cannot write {}", place.display()))?;
        document.place = Some(place.display().to_string());
    }
    Ok(())
}

/// Keeps all of them or none. Whether they are kept.
async fn keep(documents: &mut [Document], api: &Api, tenant: Option<&str>, force: bool) -> anyhow::Result<bool> {
    for document in documents.iter() {
        is_free(api, tenant, &document.id, force).await?;
    }
    let texts: Vec<&str> = documents.iter().map(|document| document.text.as_str()).collect();
    let body = json!({ "documents": texts, "unnamed": "stay", "dry_run": false });
    match api.try_ask(Method::POST, at(["apply"]).with("tenant", tenant), Some(body)).await? {
        Ok(_) => {
            documents.iter_mut().for_each(|document| document.place = Some("the database, disabled".to_owned()));
            Ok(true)
        }
        Err(refused) => {
            let mut is_told = false;
            for (at, wrong) in problems(&refused.body) {
                if let Some(document) = documents.get_mut(at) {
                    document.wrong.push(wrong);
                    is_told = true;
                }
            }
            if is_told { Ok(false) } else { Err(refused.problem.into()) }
        }
    }
}

/// An import replaces nothing unless it is told to, and never what is at work.
async fn is_free(api: &Api, tenant: Option<&str>, id: &str, force: bool) -> anyhow::Result<()> {
    let present = match api.try_ask(Method::GET, at(["workflows", id]).with("tenant", tenant), None).await? {
        Ok(present) => present,
        Err(refused) if refused.problem.exit == Exit::NotFound => return Ok(()),
        Err(refused) => return Err(refused.problem.into()),
    };
    // A shared one of that id stays where it is.
    if tenant.is_some_and(|tenant| text(&present, "tenant") != tenant) {
        return Ok(());
    }
    if !force {
        let what = format!("workflow {id} is there already; nothing was kept");
        return Err(Problem::usage(what, "Add `--force` to replace it.").into());
    }
    let state = text(&present, "state");
    if state != "disabled" {
        let what = format!("workflow {id} is {state}; an import puts nothing to work");
        return Err(Problem::usage(what, "Disable it first, look at what was imported, and enable it again.").into());
    }
    Ok(())
}

impl Document {
    /// Node by node what became of it, the worst that is said of each; then what holds for the whole.
    fn tell(&self) -> anyhow::Result<()> {
        let place = self.place.as_deref().map(|place| format!(", in {place}")).unwrap_or_default();
        say(&visible(&format!("{}: workflow {}{place}", self.file.display(), self.id)))?;
        if let Some(import) = &self.import {
            for (node, worst, findings) in by_node(import) {
                let said: Vec<String> =
                    findings.iter().filter(|one| one.kind == worst).map(|one| sentence(one)).collect();
                say(&visible(&format!("  {:8} {}: {}", word(worst), node.label, said.join(" "))))?;
            }
            for finding in import.report.iter().filter(|finding| finding.node == import.workflow) {
                say(&visible(&format!("  {:8} {}", word(finding.kind), sentence(finding))))?;
            }
            let told: Vec<String> = counts(import).into_iter().map(|(word, count)| format!("{count} {word}")).collect();
            say(&format!("  nodes: {}", told.join(", ")))?;
        }
        if !self.wrong.is_empty() {
            say("  before it can be kept:")?;
        }
        for problem in &self.wrong {
            say(&visible(&format!("    {problem}")))?;
        }
        Ok(())
    }

    fn told(&self) -> Value {
        let findings = self.import.iter().flat_map(|import| &import.report).map(|one| {
            let node = json!({ "label": one.node.label, "id": one.node.id });
            json!({ "node": node, "kind": word(one.kind), "what": one.what, "next": one.next })
        });
        let counts = self.import.iter().flat_map(counts).map(|(word, count)| (word.to_owned(), count.into()));
        json!({
            "file": self.file.display().to_string(),
            "workflow": self.id,
            "place": self.place,
            "from_shuffle": self.import.is_some(),
            "nodes": counts.collect::<serde_json::Map<String, Value>>(),
            "findings": findings.collect::<Vec<Value>>(),
            "problems": self.wrong,
        })
    }
}

/// What is said of each node and the worst of it, in the order in which nodes are named.
fn by_node(import: &Import) -> Vec<(&Node, Kind, Vec<&Finding>)> {
    let mut nodes: Vec<(&Node, Kind, Vec<&Finding>)> = Vec::new();
    let mut places: HashMap<&Node, usize> = HashMap::new();
    for finding in import.report.iter().filter(|finding| finding.node != import.workflow) {
        let at = *places.entry(&finding.node).or_insert_with(|| {
            nodes.push((&finding.node, Kind::Kept, Vec::new()));
            nodes.len() - 1
        });
        let (_, worst, findings) = &mut nodes[at];
        *worst = (*worst).max(finding.kind);
        findings.push(finding);
    }
    nodes
}

/// So many nodes were kept, changed, disabled and dropped.
fn counts(import: &Import) -> Vec<(&'static str, usize)> {
    let nodes = by_node(import);
    let count = |kind| nodes.iter().filter(|(_, worst, _)| *worst == kind).count();
    [Kind::Kept, Kind::Changed, Kind::Disabled, Kind::Dropped].map(|kind| (word(kind), count(kind))).to_vec()
}

fn sentence(finding: &Finding) -> String {
    match finding.next.as_str() {
        "" => format!("{}.", finding.what),
        next => format!("{}. {next}", finding.what),
    }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Kept => "kept",
        Kind::Changed => "changed",
        Kind::Disabled => "disabled",
        Kind::Dropped => "dropped",
    }
}

const FILE_BYTES_MAX: u64 = 32 << 20;
