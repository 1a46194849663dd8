//! `sortie workflow`: documents on their way into the installation, what is kept of them, and runs of them.

mod apply;
mod diff;
mod graph;
mod hook;
mod import;
mod kept;
mod run;
mod show;
mod test;
mod validate;

use clap::Subcommand;
pub(super) use kept::{short, to_the_second};
pub(super) use run::{EXITS as RUN_EXITS, followed};

use crate::{context::Context, exit::Exit};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Say everything that is wrong with documents, with line and column
    Validate(validate::Arguments),
    /// Take workflows over from Shuffle, or documents of our own: nothing is called, and nothing begins to run
    Import(import::Arguments),
    /// Run a document against a simulated Microsoft cloud, and hold what happens against the expectations beside it
    #[command(after_long_help = test::FORM)]
    Test(test::Arguments),
    /// Make the workflows what the documents of a folder say: all of them, or none if one is wrong
    Apply(apply::Arguments),
    /// List the workflows
    List(kept::ListArguments),
    /// Show a workflow: what starts it, and its steps with what they wait for
    Show(show::ShowArguments),
    /// Print the text of a workflow, or write it into a file
    #[command(disable_version_flag = true)]
    Export(show::ExportArguments),
    /// Let triggers start a workflow
    Enable(kept::EnableArguments),
    /// Let no trigger start a workflow; runs that have begun go on
    Disable(kept::DisableArguments),
    /// List the versions of a workflow, the latest first
    Versions(kept::VersionsArguments),
    /// Say what a document or an earlier version has otherwise than the workflow that is kept
    Diff(diff::Arguments),
    /// Remove a workflow that has no open run
    Remove(kept::RemoveArguments),
    /// Start a run by hand
    #[command(after_long_help = run::EXITS)]
    Run(run::RunArguments),
    /// Show what a workflow or a document would do: what only reads is called, the rest is shown as it would be sent
    #[command(after_long_help = run::EXITS)]
    DryRun(run::DryRunArguments),
    /// Keep the secret with which senders prove themselves to a workflow's webhook
    #[command(subcommand)]
    Hook(hook::Command),
}

pub(crate) async fn run(command: Command, context: &Context) -> anyhow::Result<Exit> {
    match command {
        Command::Validate(arguments) => validate::run(arguments, context).await,
        Command::Import(arguments) => import::run(arguments, context).await,
        Command::Test(arguments) => test::run(arguments).await,
        Command::Apply(arguments) => apply::run(arguments, context).await,
        Command::List(arguments) => kept::list(arguments, context).await,
        Command::Show(arguments) => show::show(arguments, context).await,
        Command::Export(arguments) => show::export(arguments, context).await,
        Command::Enable(arguments) => kept::enable(arguments, context).await,
        Command::Disable(arguments) => kept::disable(arguments, context).await,
        Command::Versions(arguments) => kept::versions(arguments, context).await,
        Command::Diff(arguments) => diff::run(arguments, context).await,
        Command::Remove(arguments) => kept::remove(arguments, context).await,
        Command::Run(arguments) => run::run(arguments, context).await,
        Command::DryRun(arguments) => run::dry_run(arguments, context).await,
        Command::Hook(command) => hook::run(command, context).await,
    }
}
