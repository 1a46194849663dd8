//! `sortie connection add|list|show|test|use|remove|rotate|void|sign-in`.

mod add;
mod examine;
mod rotate;
mod show;
mod sign_in;
mod test;

use clap::{Args, Subcommand};

use crate::{
    connections::{self, ConnectionPath},
    context::Context,
    database,
    exit::Exit,
    input::confirm,
    output::{OutputArguments, say},
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Add a connection, or replace it with --replace
    Add(Box<add::Arguments>),
    /// List the connections
    List(ListArguments),
    /// Show one connection: the current one, or NAME
    Show(NameArguments),
    /// Sign in once for each API that a connection reaches, and show the roles
    Test(test::Arguments),
    /// Sign a person in for a connection of a connector that calls in a person's name
    SignIn(sign_in::Arguments),
    /// Make a connection the current one
    Use(NameArgument),
    /// Forget a connection; nothing changes at Microsoft
    Remove(RemoveArguments),
    /// Enter a new secret in place of the sealed one of a connection
    Rotate(rotate::Arguments),
    /// Take the sealed secret of a connection away
    Void(NameArgument),
}

#[derive(Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Args)]
pub(crate) struct NameArguments {
    /// The connection; the chosen one when absent
    name: Option<ConnectionPath>,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Args)]
pub(crate) struct NameArgument {
    /// The connection
    name: ConnectionPath,
}

#[derive(Args)]
pub(crate) struct RemoveArguments {
    /// The connection
    name: ConnectionPath,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

pub(crate) async fn run(command: Command, context: &Context) -> anyhow::Result<Exit> {
    match command {
        Command::Add(arguments) => add::run(&arguments, context).await,
        Command::List(arguments) => show::list(arguments.output, context).await,
        Command::Show(arguments) => show::run(&arguments, context).await,
        Command::Test(arguments) => test::run(arguments, context).await,
        Command::SignIn(arguments) => sign_in::run(arguments, context).await,
        Command::Use(arguments) => choose(&arguments.name, context).await,
        Command::Remove(arguments) => remove(&arguments, context).await,
        Command::Rotate(arguments) => rotate::run(arguments, context).await,
        Command::Void(arguments) => void(&arguments.name, context).await,
    }
}

async fn choose(path: &ConnectionPath, context: &Context) -> anyhow::Result<Exit> {
    let chosen = connections::pick(connections::of_defender(context).await?, path)?;
    connections::choose(Some(chosen.name.parse().map_err(anyhow::Error::msg)?), context)?;
    say(&format!("connection {} is the current one", chosen.name))?;
    Ok(Exit::Success)
}

async fn remove(arguments: &RemoveArguments, context: &Context) -> anyhow::Result<Exit> {
    let (store, connection) = connections::open(context, &arguments.name).await?;
    let name = &connection.name;
    let users = store.connection_users(connection.scope(), connection.row.id).await?;
    if !users.is_empty() {
        context.note(&format!("it is used by {}", users.join(", ")));
    }
    drop(store);
    if !confirm(&format!("Forget connection {name}?"), arguments.yes)? {
        return Ok(Exit::Failure);
    }
    let store = database::open(context).await?;
    connections::unchanged(&store, &connection.row).await?;
    store.remove_connection(connection.scope(), connection.row.id).await?;
    drop(store);
    if context.settings()?.current.is_some_and(|current| current.to_string() == *name) {
        connections::choose(None, context)?;
    }
    say(&format!("connection {name} forgotten, with its secret"))?;
    Ok(Exit::Success)
}

async fn void(path: &ConnectionPath, context: &Context) -> anyhow::Result<Exit> {
    let (store, connection) = connections::open(context, path).await?;
    let voided = store.void_secrets(connection.scope(), connection.row.id).await?;
    say(if voided.is_empty() { "it had no secret in the database" } else { "its secret was taken away" })?;
    Ok(Exit::Success)
}
