//! `sortie role list`: what each role may.

use clap::{Args, Subcommand};
use serde_json::json;
use sortie_store::{Permission, Role};

use crate::{
    exit::Exit,
    output::{Field, Listing, OutputArguments},
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the roles; each may do what those above it may
    List(ListArguments),
}

#[derive(Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    output: OutputArguments,
}

pub(crate) fn run(command: &Command) -> anyhow::Result<Exit> {
    let Command::List(arguments) = command;
    let mut listing = Listing::start(arguments.output.format(), &["role", "may"])?;
    for role in Role::ALL {
        let may: Vec<&str> = role.permissions().map(Permission::words).collect();
        let document = json!({ "role": role.as_str(), "may": may });
        listing.row(&[Field::plain(role), Field::plain(may.join("; "))], &document.to_string())?;
    }
    listing.finish("")?;
    Ok(Exit::Success)
}
