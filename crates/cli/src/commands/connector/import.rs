//! Importing a document: read, report, keep; and saying what a newer one would change.

use clap::Args;
use serde_json::json;
use sortie_openapi::{Import, Report};
use sortie_store::NewConnector;

use super::{count, document::DocumentArguments, id_of_title};
use crate::{
    context::Context,
    database::{self, SHARED},
    exit::{Exit, Problem},
    output::{Format, OutputArguments, say, visible},
    product::Product,
};

#[derive(Args)]
pub(crate) struct ImportArguments {
    #[command(flatten)]
    document: DocumentArguments,
    /// Call it so, instead of by its title
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Replace the connector of that id; what was edited of it stays
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Args)]
pub(crate) struct DiffArguments {
    /// The connector's id
    id: String,
    #[command(flatten)]
    newer: DocumentArguments,
    #[command(flatten)]
    output: OutputArguments,
}

pub(super) async fn import(arguments: ImportArguments, context: &Context) -> anyhow::Result<Exit> {
    let import = arguments.document.import(context).await?;
    if import.description.operations.is_empty() {
        let reason = import.report.quarantined.first().map(|one| format!(": {}", one.reason)).unwrap_or_default();
        let what = format!("{} has no operation that could be called{reason}", arguments.document.shown());
        return Err(Problem::usage(what, "Give the document that describes the product's API.").into());
    }
    let id = id(arguments.id.as_deref(), &import)?;
    let store = database::open(context).await?;
    let kept = import.description.kept();
    let new = NewConnector {
        id: id.clone(),
        title: import.description.title.clone(),
        origin: arguments.document.origin(),
        content_hash: kept.content_hash,
        description: kept.json,
    };
    store.put_connector(SHARED, new, arguments.replace).await?;
    if arguments.output.format() == Format::Table {
        say(&format!("connector {id} imported: {}", count(&import.description)))?;
        print_report(&import.report)?;
        context.note(&format!(
            "`sortie connector show {id}` lists them; `sortie connection add NAME --connector {id}` connects"
        ));
    } else {
        say(&json!({ "id": id, "report": import.report }).to_string())?;
    }
    // The process ends with this command: giving back the pieces of a large description one by one serves nobody.
    std::mem::forget(import);
    Ok(Exit::Success)
}

pub(super) async fn diff(arguments: DiffArguments, context: &Context) -> anyhow::Result<Exit> {
    let newer = arguments.newer.import(context).await?;
    let store = database::open(context).await?;
    let product = Product::load(&store, &arguments.id).await?;
    let diff = sortie_openapi::diff(&product.description, &newer.description);
    if arguments.output.format() != Format::Table {
        say(&serde_json::to_string(&diff)?)?;
        return Ok(Exit::Success);
    }
    if diff.is_empty() {
        say("nothing would change")?;
    }
    for sentence in &diff.about {
        say(&visible(sentence))?;
    }
    for (word, ids) in [("added", &diff.added), ("removed", &diff.removed)] {
        for id in ids {
            say(&visible(&format!("{word}    {id}")))?;
        }
    }
    for change in &diff.changed {
        say(&visible(&format!("changed  {}: {}", change.operation, change.what.join("; "))))?;
    }
    Ok(Exit::Success)
}

fn id(given: Option<&str>, import: &Import) -> anyhow::Result<String> {
    let Some(id) = given else { return Ok(id_of_title(&import.description.title)) };
    if id == id_of_title(id) {
        return Ok(id.to_owned());
    }
    let next = format!("Such as `{}`.", id_of_title(id));
    Err(Problem::usage(format!("`{id}` is no connector id: lower-case words joined by `-`"), next).into())
}

fn print_report(report: &Report) -> anyhow::Result<()> {
    if let Some(app) = &report.app {
        say(&format!("\nan app in Python: built-in operations do {} of its {} actions", app.mapped, app.actions))?;
        for (id, reason) in app.not_runnable.iter().take(SHOWN) {
            say(&visible(&format!("  {id} cannot be run: {reason}")))?;
        }
        more(app.not_runnable.len())?;
    }
    if !report.quarantined.is_empty() {
        say(&format!("\n{} of {} operations were left out:", report.seen - report.callable, report.seen))?;
    }
    for one in report.quarantined.iter().take(SHOWN) {
        let method = one.method.map(|method| format!("{} ", method.as_str())).unwrap_or_default();
        say(&visible(&format!("  {method}{}: {} ({})", one.path, one.reason, one.place)))?;
    }
    more(report.quarantined.len())?;
    if !report.notes.is_empty() {
        say("\nmended or ignored:")?;
    }
    for note in report.notes.iter().take(SHOWN) {
        let times = if note.count > 1 { format!(", {} times", note.count) } else { String::new() };
        say(&visible(&format!("  {} ({}{times})", note.text, note.place)))?;
    }
    more(report.notes.len() + report.more_notes)
}

fn more(count: usize) -> anyhow::Result<()> {
    if count > SHOWN {
        say(&format!("  and {} more; `--json` has them all", count - SHOWN))?;
    }
    Ok(())
}

const SHOWN: usize = 20;
