//! `sortie workflow`: documents on their way into the installation.

mod import;
mod test;
mod validate;

use clap::Subcommand;

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
}

pub(crate) async fn run(command: Command, context: &Context) -> anyhow::Result<Exit> {
    match command {
        Command::Validate(arguments) => validate::run(arguments, context).await,
        Command::Import(arguments) => import::run(arguments, context).await,
        Command::Test(arguments) => test::run(arguments).await,
    }
}
