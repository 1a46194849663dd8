//! `sortie user add|list|remove|disable|enable|grant|revoke`: who may do what here.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sortie_model::ConnectionName;
use sortie_store::{Grant, Permission, Principal, PrincipalName, Role, Scope, Store};

use crate::{
    connections::{self, SHARED_NAME},
    context::Context,
    database,
    exit::{Exit, Problem},
    guard,
    input::confirm,
    output::{Field, Listing, OutputArguments, moment, say},
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Add a user, who may nothing yet
    Add(NameArgument),
    /// List the users and their roles
    List(ListArguments),
    /// Remove a user with roles and tokens; the audit log keeps what they did
    Remove(RemoveArguments),
    /// Take a user's roles and tokens out of force
    Disable(NameArgument),
    /// Put them back
    Enable(NameArgument),
    /// Give a user a role, in one tenant or in all
    Grant(GrantArguments),
    /// Take a role away
    Revoke(GrantArguments),
}

#[derive(Args)]
pub(crate) struct NameArgument {
    /// Such as alice, or os:alice for a user of this machine
    name: PrincipalName,
}

#[derive(Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Args)]
pub(crate) struct RemoveArguments {
    /// The user
    name: PrincipalName,
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
}

#[derive(Args)]
pub(crate) struct GrantArguments {
    /// The user
    name: PrincipalName,
    /// viewer, responder, engineer or admin; `sortie role list` tells what each may
    role: Role,
    /// Where: a tenant of `sortie tenant list`, or all of them
    #[arg(long, value_name = "NAME|all")]
    tenant: ConnectionName,
}

/// A user with grants as people read them.
pub(crate) struct ShownUser {
    pub principal: Principal,
    /// `responder in contoso`, `admin in all`.
    pub roles: Vec<String>,
}

pub(crate) async fn run(command: Command, context: &Context) -> anyhow::Result<Exit> {
    let store = database::open(context).await?;
    match command {
        Command::Add(arguments) => {
            let added = store.add_principal(&arguments.name).await?;
            say(&format!("user {} added", added.name))?;
            context.note(&format!("`sortie user grant {} ROLE --tenant NAME|all` gives a role", added.name));
        }
        Command::List(arguments) => print(&list(&store).await?, arguments.output)?,
        Command::Remove(arguments) => {
            let name = arguments.name.as_str();
            // Nobody else waits for the database while a person reads.
            drop(store);
            if !confirm(&format!("Remove user {name} with roles and tokens?"), arguments.yes)? {
                context.note("nothing was removed");
                return Ok(Exit::Usage);
            }
            let store = database::open(context).await?;
            store.remove_principal(store.principal(name).await?.id).await?;
            say(&format!("user {name} removed"))?;
        }
        Command::Disable(arguments) => disable(&store, arguments.name.as_str(), true).await?,
        Command::Enable(arguments) => disable(&store, arguments.name.as_str(), false).await?,
        Command::Grant(arguments) => {
            let (name, role, tenant) = (arguments.name.as_str(), arguments.role, arguments.tenant.as_str());
            let new = set_role(&store, name, role, tenant, true).await?;
            say(&if new { format!("{name} is {role} in {tenant} now") } else { format!("{name} was that already") })?;
        }
        Command::Revoke(arguments) => {
            let (name, role, tenant) = (arguments.name.as_str(), arguments.role, arguments.tenant.as_str());
            if !set_role(&store, name, role, tenant, false).await? {
                let what = format!("{name} has no such role in {tenant}");
                let next = "`sortie user list` shows the roles, and where they hold.".to_owned();
                return Err(Problem { exit: Exit::NotFound, what, next }.into());
            }
            say(&format!("{name} is {role} in {tenant} no more"))?;
        }
    }
    Ok(Exit::Success)
}

/// All users, for whoever may see everything.
pub(crate) async fn list(store: &Store) -> anyhow::Result<Vec<ShownUser>> {
    guard::require(store, Permission::Read, Scope::Every)?;
    let tenants = store.tenants(Scope::Every).await?;
    let place = |grant: &Grant| match grant.tenant {
        None => ALL,
        Some(key) => tenants.iter().find(|tenant| tenant.key == key).map_or("a tenant", |tenant| &tenant.name),
    };
    let shown = |principal: Principal| {
        let roles = principal.grants.iter().map(|grant| format!("{} in {}", grant.role, place(grant))).collect();
        ShownUser { principal, roles }
    };
    Ok(store.principals().await?.into_iter().map(shown).collect())
}

/// Gives a role or takes it away; says whether that changed anything.
pub(crate) async fn set_role(store: &Store, name: &str, role: Role, tenant: &str, held: bool) -> anyhow::Result<bool> {
    let tenant = match tenant {
        ALL => None,
        SHARED_NAME => {
            let next = "Name a tenant, or `all`.";
            return Err(
                Problem::usage("`shared` holds what is for all tenants, and has no people of its own", next).into()
            );
        }
        name => Some(connections::tenant(store, name).await?.key),
    };
    let (id, grant) = (store.principal(name).await?.id, Grant { role, tenant });
    Ok(if held { store.grant(id, grant).await? } else { store.revoke(id, grant).await? })
}

async fn disable(store: &Store, name: &str, disabled: bool) -> anyhow::Result<()> {
    store.disable_principal(store.principal(name).await?.id, disabled).await?;
    say(&format!("user {name} is {}", if disabled { "disabled, with their tokens" } else { "enabled again" }))
}

fn print(users: &[ShownUser], output: OutputArguments) -> anyhow::Result<()> {
    let mut listing = Listing::start(output.format(), &["name", "disabled", "added", "roles"])?;
    for ShownUser { principal, roles } in users {
        let fields = [
            Field::plain(&principal.name),
            moment(principal.disabled),
            moment(Some(principal.made)),
            Field::plain(roles.join(", ")),
        ];
        listing.row(&fields, &document(principal, roles).to_string())?;
    }
    listing.finish("There is no user beside the owner of the database; add one with `sortie user add`.")
}

fn document(principal: &Principal, roles: &[String]) -> Value {
    let disabled = principal.disabled.map(|at| at.to_string());
    json!({
        "id": principal.id.to_string(), "name": principal.name, "disabled": disabled, "added": principal.made.to_string(),
        "roles": roles,
    })
}

const ALL: &str = "all";
