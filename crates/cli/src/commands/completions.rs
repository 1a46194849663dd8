//! `sortie completions SHELL`.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::exit::Exit;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    clap_complete::generate(arguments.shell, &mut crate::Arguments::command(), "sortie", &mut std::io::stdout());
    Ok(Exit::Success)
}
