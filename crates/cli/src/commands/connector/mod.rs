//! `sortie connector import|list|show|edit|diff|export|remove`: any API as a connector, from its OpenAPI document.

mod document;
mod edit;
mod import;
mod show;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sortie_openapi::Description;

use crate::{
    asking::{Api, at, items, text},
    commands::workflow::to_the_second,
    context::Context,
    database::{self, SHARED},
    exit::Exit,
    input::confirm,
    output::{Field, Listing, OutputArguments, say, visible},
    product::{BUILT_IN_ORIGIN, Product},
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Import an OpenAPI or Swagger document, JSON or YAML, from a file, folder, zip archive or address; also Shuffle's
    Import(import::ImportArguments),
    /// List the connectors
    List(ListArguments),
    /// Show a connector's operations, or one operation with its inputs
    Show(show::Arguments),
    /// Change a connector's name, base address or authentication; a new import leaves that as it is
    Edit(Box<edit::Arguments>),
    /// Say what a newer document would change
    Diff(import::DiffArguments),
    /// Print a connector as a clean OpenAPI 3.1 document
    Export(IdArguments),
    /// Remove a connector that no connection uses
    Remove(RemoveArguments),
}

#[derive(Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Args)]
pub(crate) struct IdArguments {
    /// The connector's id
    id: String,
}

#[derive(Args)]
pub(crate) struct RemoveArguments {
    /// The connector's id
    id: String,
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
}

pub(crate) async fn run(command: Command, context: &Context) -> anyhow::Result<Exit> {
    match command {
        Command::Import(arguments) => import::import(arguments, context).await,
        Command::List(arguments) => list(arguments, context).await,
        Command::Show(arguments) => show::run(arguments, context).await,
        Command::Edit(arguments) => edit::run(*arguments, context).await,
        Command::Diff(arguments) => import::diff(arguments, context).await,
        Command::Export(arguments) => {
            let product = Product::asked(&Api::connect(context).await?, &arguments.id).await?;
            say(&serde_json::to_string_pretty(&sortie_openapi::export(&product.description))?)?;
            Ok(Exit::Success)
        }
        Command::Remove(arguments) => remove(arguments, context).await,
    }
}

async fn list(arguments: ListArguments, context: &Context) -> anyhow::Result<Exit> {
    let api = Api::connect(context).await?;
    let format = arguments.output.format();
    let mut listing = Listing::start(format, &["id", "title", "operations", "connections", "changed", "from"])?;
    let connections = api.get(at(["connections"])).await?;
    let connectors = api.get(at(["connectors"])).await?;
    let mut all: Vec<&Value> = items(&connectors).iter().collect();
    // What was edited of one that comes along takes its place.
    all.sort_by_key(|one| (text(one, "id"), one["built_in"].as_bool()));
    all.dedup_by_key(|one| text(one, "id"));
    for one in all {
        let id = text(one, "id");
        let used = items(&connections).iter().filter(|connection| text(connection, "connector") == id).count();
        let origin = one["origin"].as_str().unwrap_or(BUILT_IN_ORIGIN);
        let fields = [
            Field::plain(id),
            Field::plain(text(one, "title")),
            Field::plain(&one["operation_count"]),
            Field::plain(used),
            Field::plain(to_the_second(text(one, "changed"))),
            Field::plain(origin),
        ];
        let document = json!({
            "id": id, "title": one["title"], "operations": one["operation_count"], "connections": used,
            "changed": one["changed"], "origin": origin, "version": one["content_hash"],
        });
        listing.row(&fields, &document.to_string())?;
    }
    listing.finish("There is no connector.")?;
    Ok(Exit::Success)
}

async fn remove(arguments: RemoveArguments, context: &Context) -> anyhow::Result<Exit> {
    let store = database::open(context).await?;
    let info = store.connector(SHARED, &arguments.id).await?.info;
    if !confirm(&format!("Remove connector {}?", visible(&info.id)), arguments.yes)? {
        context.note("nothing was removed");
        return Ok(Exit::Usage);
    }
    store.remove_connector(&info).await?;
    say(&format!("connector {} removed", info.id))?;
    Ok(Exit::Success)
}

/// Speakable words of a title: `Microsoft 365 Defender` is `microsoft-365-defender`.
fn id_of_title(title: &str) -> String {
    let words = title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let id = words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-");
    if id.is_empty() { "connector".to_owned() } else { id }
}

fn count(description: &Description) -> String {
    match description.operations.len() {
        1 => "1 operation".to_owned(),
        count => format!("{count} operations"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_made_of_the_titles_words() {
        #[track_caller]
        fn check(title: &str, expected: &str) {
            assert_eq!(id_of_title(title), expected, "{title}");
        }
        check("Microsoft 365 Defender", "microsoft-365-defender");
        check("  VirusTotal (v3)! ", "virustotal-v3");
        check("日本", "connector");
    }
}
