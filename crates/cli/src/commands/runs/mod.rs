//! `sortie runs`: what runs did and how they stand; what a person tells them.

mod list;
mod show;
mod tell;

use clap::Subcommand;

use crate::{context::Context, exit::Exit};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List runs, the latest first
    List(list::Arguments),
    /// Show a run: how its steps stand, whom it asks, what happened
    #[command(after_long_help = super::workflow::RUN_EXITS)]
    Show(show::Arguments),
    /// Ask a run to give up
    Cancel(tell::RunArgument),
    /// Run it anew, or from one of its steps on
    #[command(after_long_help = super::workflow::RUN_EXITS)]
    Rerun(tell::RerunArguments),
    /// Say what became of a call of which nobody knows whether it was carried out
    Resolve(tell::ResolveArguments),
    /// Let a run try again what does not leave for now: held by a guardrail, or by a connection that did not authenticate
    Retry(tell::RunArgument),
}

pub(crate) async fn run(command: Command, context: &Context) -> anyhow::Result<Exit> {
    match command {
        Command::List(arguments) => list::run(arguments, context).await,
        Command::Show(arguments) => show::run(arguments, context).await,
        Command::Cancel(arguments) => tell::cancel(&arguments, context).await,
        Command::Rerun(arguments) => tell::rerun(arguments, context).await,
        Command::Resolve(arguments) => tell::resolve(&arguments, context).await,
        Command::Retry(arguments) => tell::retry(&arguments, context).await,
    }
}
