//! `sortie user add|list|remove|disable|enable|grant|revoke`: who may do what here.

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};
use sortie_model::ConnectionName;
use sortie_store::{PrincipalName, Role};

use crate::{
    asking::{Address, Api, at, items, text},
    commands::workflow::to_the_second,
    connections::SHARED_NAME,
    context::Context,
    exit::{Exit, Problem},
    input::confirm,
    output::{Field, Listing, OutputArguments, say},
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

pub(crate) async fn run(command: Command, context: &Context) -> anyhow::Result<Exit> {
    match command {
        Command::Add(arguments) => {
            let body = json!({ "name": arguments.name.as_str() });
            let added = Api::connect(context).await?.post(at(["users"]), body).await?;
            let name = text(&added, "name");
            say(&format!("user {name} added"))?;
            context.note(&format!("`sortie user grant {name} ROLE --tenant NAME|all` gives a role"));
        }
        Command::List(arguments) => list(arguments.output, context).await?,
        Command::Remove(arguments) => {
            let name = arguments.name.as_str();
            // Nobody else waits for the database while a person reads.
            if !confirm(&format!("Remove user {name} with roles and tokens?"), arguments.yes)? {
                context.note("nothing was removed");
                return Ok(Exit::Usage);
            }
            Api::connect(context).await?.delete(at(["users", name])).await?;
            say(&format!("user {name} removed"))?;
        }
        Command::Disable(arguments) => disable(arguments.name.as_str(), true, context).await?,
        Command::Enable(arguments) => disable(arguments.name.as_str(), false, context).await?,
        Command::Grant(arguments) => {
            let is_new = set_role(&arguments, Method::PUT, context).await?;
            let GrantArguments { name, role, tenant } = arguments;
            let said = format!("{name} is {role} in {tenant} now");
            say(&if is_new { said } else { format!("{name} was that already") })?;
        }
        Command::Revoke(arguments) => {
            let is_news = set_role(&arguments, Method::DELETE, context).await?;
            let GrantArguments { name, role, tenant } = arguments;
            if !is_news {
                let what = format!("{name} has no such role in {tenant}");
                let next = "`sortie user list` shows the roles, and where they hold.".to_owned();
                return Err(Problem { exit: Exit::NotFound, what, next }.into());
            }
            say(&format!("{name} is {role} in {tenant} no more"))?;
        }
    }
    Ok(Exit::Success)
}

/// Gives a role or takes it away; says whether that changed anything.
async fn set_role(arguments: &GrantArguments, method: Method, context: &Context) -> anyhow::Result<bool> {
    let (name, role) = (arguments.name.as_str(), arguments.role.as_str());
    let tenant = match arguments.tenant.as_str() {
        ALL => None,
        SHARED_NAME => {
            let next = "Name a tenant, or `all`.";
            let what = "`shared` holds what is for all tenants, and has no people of its own";
            return Err(Problem::usage(what, next).into());
        }
        tenant => Some(tenant),
    };
    let api = Api::connect(context).await?;
    let address: Address = at(["users", name, "roles", role]).with("tenant", tenant);
    let before = api.try_ask(Method::GET, at(["users", name]), None).await?;
    let after = api.try_ask(method, address, None).await?.map_err(|refused| refused.problem)?;
    let holds = |user: &Value| {
        let grants = user["grants"].as_array().into_iter().flatten();
        grants.into_iter().any(|grant| grant["role"] == role && grant["tenant"].as_str() == tenant)
    };
    // Whoever administers one tenant alone does not see what was before.
    Ok(before.map_or(true, |before| holds(&before) != holds(&after)))
}

async fn disable(name: &str, disabled: bool, context: &Context) -> anyhow::Result<()> {
    let body = json!({ "disabled": disabled });
    Api::connect(context).await?.put(at(["users", name, "disabled"]), body).await?;
    say(&format!("user {name} is {}", if disabled { "disabled, with their tokens" } else { "enabled again" }))
}

async fn list(output: OutputArguments, context: &Context) -> anyhow::Result<()> {
    let users = Api::connect(context).await?.get(at(["users"])).await?;
    let mut listing = Listing::start(output.format(), &["name", "disabled", "added", "roles"])?;
    for user in items(&users) {
        let roles = roles(user);
        let fields = [
            Field::plain(text(user, "name")),
            Field::plain(to_the_second(text(user, "disabled"))),
            Field::plain(to_the_second(text(user, "made"))),
            Field::plain(roles.join(", ")),
        ];
        let document = json!({
            "id": user["id"], "name": user["name"], "disabled": user["disabled"], "added": user["made"], "roles": roles,
        });
        listing.row(&fields, &document.to_string())?;
    }
    listing.finish("There is no user beside the owner of the database; add one with `sortie user add`.")
}

/// `responder in contoso`, `admin in all`.
fn roles(user: &Value) -> Vec<String> {
    let grants = user["grants"].as_array().into_iter().flatten();
    grants.map(|grant| format!("{} in {}", text(grant, "role"), grant["tenant"].as_str().unwrap_or(ALL))).collect()
}

const ALL: &str = "all";
