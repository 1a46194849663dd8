//! One file for each command: its arguments and what it does.

mod actions;
mod alerts;
mod app;
mod approvals;
mod audit;
mod backup;
mod call;
mod change;
mod check;
mod completions;
mod connection;
mod connector;
mod demo;
mod devices;
mod diagnostics;
mod emulator;
mod explain;
mod guardrail;
mod hunt;
mod incidents;
mod indicators;
mod key;
mod listing;
mod lookup;
mod native;
mod role;
mod runs;
mod serve;
mod tenant;
mod token;
mod user;
mod watch;
mod which_access;
mod workflow;

use clap::Subcommand;

use crate::{context::Context, exit::Exit};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Keep connections to tenants and connectors: who signs in, where, and where its credential is found
    #[command(subcommand, visible_alias = "connections")]
    Connection(connection::Command),
    /// Keep the tenants that this installation works for; each has connections of its own
    #[command(subcommand, visible_alias = "tenants")]
    Tenant(tenant::Command),
    /// Make any API a connector from its OpenAPI document: import, list, show, edit, compare, export, remove
    #[command(subcommand, visible_alias = "connectors")]
    Connector(connector::Command),
    /// Call an operation of a connector through a connection
    Call(call::Arguments),
    /// Judge workflows, try them, keep them, and start runs of them
    #[command(subcommand, visible_alias = "workflows")]
    Workflow(workflow::Command),
    /// List runs of workflows, show and follow them, and tell them something
    #[command(subcommand, visible_alias = "run")]
    Runs(runs::Command),
    /// List, show and decide what runs ask people
    #[command(subcommand, visible_alias = "approval")]
    Approvals(approvals::Command),
    /// Serve the API, webhooks among it, and take runs of workflows further, until told to stop
    Serve(serve::Arguments),
    /// Write the database of connectors and connections into one file, without the key of its secrets
    Backup(backup::BackupArguments),
    /// Put a backup in the place of the database
    Restore(backup::RestoreArguments),
    /// Change the key that seals the secrets
    #[command(subcommand)]
    Key(key::Command),
    /// Keep the people and programs that may act here, and their roles
    #[command(subcommand, visible_alias = "users")]
    User(user::Command),
    /// Tell what each role may
    #[command(subcommand, visible_alias = "roles")]
    Role(role::Command),
    /// Protect devices and users, bound how often a thing may be done, hold every effect at once
    #[command(subcommand, visible_alias = "guardrails")]
    Guardrail(guardrail::Command),
    /// Tell who did what
    #[command(subcommand)]
    Audit(audit::Command),
    /// Show the main job against a simulated Microsoft cloud on this machine
    Demo(demo::Arguments),
    /// Set the application up: register it, rotate its secret, get consent
    #[command(subcommand)]
    App(app::Command),
    /// Check what the application may do: token, roles, one read, and the next step for each gap
    Check(check::Arguments),
    /// Acquire a token and look into it, prove it, or print the request for it; keep the tokens of Sortie's own API
    Token(token::Arguments),
    /// List, show, change and watch incidents
    #[command(subcommand, visible_alias = "incident")]
    Incidents(incidents::Command),
    /// List, show, change and watch alerts
    #[command(subcommand, visible_alias = "alert")]
    Alerts(alerts::Command),
    /// List and show devices, and give them orders: isolate, release, scan and so on
    #[command(subcommand, visible_alias = "device")]
    Devices(devices::Command),
    /// List, show and cancel the orders to devices
    #[command(subcommand, visible_alias = "action")]
    Actions(actions::Command),
    /// List, add and remove indicators: files, addresses and domains to block or allow
    #[command(subcommand, visible_alias = "indicator")]
    Indicators(indicators::Command),
    /// Look up a file, address, domain or user: what is known of it, on which devices it was met, in which alerts
    Lookup(lookup::Arguments),
    /// Run an advanced hunting query
    Hunt(hunt::Arguments),
    /// Explain an error code of Entra: who must act and what to do
    Explain(explain::Arguments),
    /// Find out which way of access fits: daemon, on behalf of a user, or partner
    WhichAccess(which_access::Arguments),
    /// Run a simulated Microsoft cloud on this machine
    Emulator(emulator::Arguments),
    /// Tell how this installation is, as one JSON document without secrets for whoever is asked for help
    Diagnostics(diagnostics::Arguments),
    /// Print the completion script for a shell
    Completions(completions::Arguments),
}

impl Command {
    /// Whether it hears itself that it is to stop.
    pub(crate) fn ends_by_itself(&self) -> bool {
        matches!(self, Self::Serve(_))
    }
}

/// Runs one command to its end.
pub(crate) async fn run(command: Command, context: &Context) -> anyhow::Result<Exit> {
    match command {
        Command::Connection(command) => connection::run(command, context).await,
        Command::Tenant(command) => tenant::run(command, context).await,
        Command::Connector(command) => connector::run(command, context).await,
        Command::Call(arguments) => call::run(arguments, context).await,
        Command::Workflow(command) => workflow::run(command, context).await,
        Command::Runs(command) => runs::run(command, context).await,
        Command::Approvals(command) => approvals::run(command, context).await,
        Command::Serve(arguments) => serve::run(arguments, context).await,
        Command::Backup(arguments) => backup::backup(arguments, context).await,
        Command::Restore(arguments) => backup::restore(arguments, context).await,
        Command::Key(command) => key::run(command, context).await,
        Command::User(command) => user::run(command, context).await,
        Command::Role(command) => role::run(&command),
        Command::Guardrail(command) => guardrail::run(command, context).await,
        Command::Audit(command) => audit::run(command, context).await,
        Command::Demo(arguments) => demo::run(arguments, context).await,
        Command::App(command) => app::run(command, context).await,
        Command::Check(arguments) => check::run(arguments, context).await,
        Command::Token(arguments) => token::run(arguments, context).await,
        Command::Incidents(command) => incidents::run(command, context).await,
        Command::Alerts(command) => alerts::run(command, context).await,
        Command::Devices(command) => devices::run(command, context).await,
        Command::Actions(command) => actions::run(command, context).await,
        Command::Indicators(command) => indicators::run(command, context).await,
        Command::Lookup(arguments) => lookup::run(arguments, context).await,
        Command::Hunt(arguments) => hunt::run(arguments, context).await,
        Command::Explain(arguments) => explain::run(&arguments),
        Command::WhichAccess(arguments) => which_access::run(&arguments),
        Command::Emulator(arguments) => emulator::run(arguments, context).await,
        Command::Diagnostics(arguments) => diagnostics::run(arguments, context).await,
        Command::Completions(arguments) => completions::run(&arguments),
    }
}
