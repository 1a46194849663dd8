//! `sortie runs show RUN`.

use clap::Args;
use serde_json::Value;

use super::list::stands;
use crate::{
    asking::{Api, at, items, text},
    commands::workflow::{short, to_the_second},
    context::Context,
    exit::Exit,
    following::{Telling, exit_of, follow, say_end, say_journal},
    output::{Field, properties, rows, say, visible},
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The run's id
    run: String,
    /// Tell what happens until it has ended
    #[arg(long, short = 'f')]
    follow: bool,
    /// As one JSON document with its journal; with `--follow`, once it has ended
    #[arg(long)]
    json: bool,
    /// With what it was given and what its steps gave
    #[arg(long)]
    values: bool,
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    let api = Api::connect(context).await?;
    let id = arguments.run.as_str();
    if arguments.json {
        let exit = match arguments.follow {
            true => exit_of(&follow(&api, id, Telling::Nothing, context).await?),
            false => Exit::Success,
        };
        say(&document(&api, &arguments).await?.to_string())?;
        return Ok(exit);
    }
    let run = api.get(at(["runs", id])).await?;
    say(&about(&run))?;
    if !arguments.follow {
        say(&format!("\n{}", steps(&run)))?;
        approvals(&run)?;
        say("")?;
        say_journal(&api, id).await?;
        if arguments.values {
            say("")?;
            say_values(&api, id).await?;
        }
        return Ok(Exit::Success);
    }
    say("")?;
    let run = follow(&api, id, Telling::Entries, context).await?;
    if arguments.values {
        say("")?;
        say_values(&api, id).await?;
    }
    say_end(&run)?;
    Ok(exit_of(&run))
}

async fn document(api: &Api, arguments: &Arguments) -> anyhow::Result<Value> {
    let id = arguments.run.as_str();
    let mut run = api.get(at(["runs", id])).await?;
    run["journal"] = api.get(at(["runs", id, "journal"])).await?["items"].take();
    if arguments.values {
        run["values"] = api.get(at(["runs", id, "values"])).await?["items"].take();
    }
    Ok(run)
}

fn about(run: &Value) -> String {
    let home = text(run, "home");
    let home = if home == text(run, "tenant") { String::new() } else { format!(" of {home}") };
    let version = short(text(run, "version"));
    properties(&[
        ("Run", Field::plain(text(run, "id"))),
        ("Workflow", Field::plain(format!("{}{home}, version {version}", text(run, "workflow")))),
        ("Tenant", Field::plain(text(run, "tenant"))),
        ("Stands", stands(run)),
        ("Why", Field::plain(text(run, "why"))),
        ("About", Field::plain(text(run, "object"))),
        (
            "Started",
            Field::plain(format!(
                "{} by {} ({})",
                to_the_second(text(run, "made")),
                text(run, "started_by"),
                text(run, "cause")
            )),
        ),
        ("Ended", Field::plain(to_the_second(text(run, "ended")))),
        ("Goes on", Field::plain(to_the_second(text(run, "wake")))),
        ("Started by run", Field::plain(text(run, "parent"))),
        ("Repeats run", Field::plain(text(run, "again_of"))),
    ])
}

fn steps(run: &Value) -> String {
    let lines: Vec<Vec<Field>> = run["steps"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|step| {
            let stands = match text(step, "outcome") {
                "" => text(step, "stands"),
                outcome => outcome,
            };
            let items = match step["items"].as_array().map(Vec::as_slice) {
                Some([ended, all]) => format!("{ended} of {all}"),
                _ => String::new(),
            };
            vec![
                Field::plain(text(step, "id")),
                Field::plain(stands.replace('_', " ")),
                Field::plain(items),
                Field::plain(text(step, "title")),
            ]
        })
        .collect();
    if lines.is_empty() {
        "its steps cannot be told by this version of Sortie".to_owned()
    } else {
        rows(&["step", "stands", "items", "title"], &lines)
    }
}

fn approvals(run: &Value) -> anyhow::Result<()> {
    for one in run["approvals"].as_array().into_iter().flatten() {
        let said = match text(one, "decision") {
            "" => format!("open until {}", to_the_second(text(one, "ends"))),
            decision => join(decision, text(one, "decided_by"), text(one, "why")),
        };
        say("")?;
        say(&visible(&format!("approval {}: {}", text(one, "id"), text(one, "ask"))))?;
        say(&visible(&format!("  {said}")))?;
    }
    Ok(())
}

fn join(decision: &str, by: &str, why: &str) -> String {
    let by = if by.is_empty() { String::new() } else { format!(" by {by}") };
    let why = if why.is_empty() { String::new() } else { format!(": {why}") };
    format!("{decision}{by}{why}")
}

async fn say_values(api: &Api, id: &str) -> anyhow::Result<()> {
    for one in items(&api.get(at(["runs", id, "values"])).await?) {
        let place = match text(one, "place") {
            "" => "given",
            place => place,
        };
        say(&visible(&format!("{place}: {}", one["value"])))?;
    }
    Ok(())
}
