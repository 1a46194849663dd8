//! `sortie workflow diff`: what is otherwise than in the workflow that is kept.

use std::{fs, path::Path};

use anyhow::Context as _;
use clap::Args;
use similar::TextDiff;
use sortie_runner::library::version_of;

use super::show::{NameArguments, version};
use crate::{
    asking::{Api, items, text},
    context::Context,
    exit::{Exit, Problem},
    output::{say, visible},
};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    named: NameArguments,
    /// A document, or a version by its number or the beginning of its hash; the version before the last when absent
    #[arg(value_name = "FILE|VERSION")]
    other: Option<String>,
}

/// Two texts, the older first, and what they are called.
struct Compared {
    before: (String, String),
    after: (String, String),
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    let api = Api::connect(context).await?;
    let kept = api.get(arguments.named.address([])).await?;
    let own = ("kept".to_owned(), text(&kept, "text").to_owned());
    let is_file = |other: &str| other.ends_with(".yaml") || Path::new(other).is_file();
    let compared = match &arguments.other {
        Some(path) if is_file(path) => {
            let written = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
            Compared { before: own, after: (path.clone(), written) }
        }
        wanted => {
            let wanted = match wanted {
                Some(wanted) => wanted.clone(),
                None => the_one_before(&api, &arguments.named, text(&kept, "version")).await?,
            };
            let found = version(&api, &arguments.named, &wanted).await?;
            let name = format!("version {}", found["number"]);
            Compared { before: (name, text(&found, "text").to_owned()), after: own }
        }
    };
    compared.say()?;
    Ok(Exit::Success)
}

/// The latest version that is not in force.
async fn the_one_before(api: &Api, named: &NameArguments, in_force: &str) -> anyhow::Result<String> {
    let all = api.get(named.address(["versions"])).await?;
    let other = items(&all).iter().find(|one| text(one, "version") != in_force);
    other.map(|one| text(one, "version").to_owned()).ok_or_else(|| {
        let what = format!("workflow {} has no other version than the one that is kept", named.name);
        let next = "Name a document to compare it with.".to_owned();
        Problem { exit: Exit::NotFound, what, next }.into()
    })
}

impl Compared {
    fn say(&self) -> anyhow::Result<()> {
        let (before, after) = (&self.before.1, &self.after.1);
        if before == after {
            return say("nothing is otherwise");
        }
        say(match (version_of(before), version_of(after)) {
            (Ok(before), Ok(after)) if before == after => {
                "the same version: only comments, titles, notes or layout are otherwise"
            }
            (_, Err(_)) => "it cannot be read as a workflow: `sortie workflow validate` says what is wrong",
            _ => "another version",
        })?;
        let diff = TextDiff::from_lines(before, after);
        let lines = diff.unified_diff().header(&self.before.0, &self.after.0).to_string();
        lines.lines().try_for_each(|line| say(&visible(line)))
    }
}
