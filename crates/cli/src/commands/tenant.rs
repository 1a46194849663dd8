//! `sortie tenant add|list|remove`: the organisations that this installation works for.

use clap::{Args, Subcommand};
use serde_json::json;
use sortie_identity::Cloud;
use sortie_model::{ConnectionName, TenantId};
use sortie_store::TenantKey;

use crate::{
    asking::{Api, at, items, text},
    connections::{self, SHARED_NAME},
    context::Context,
    database,
    exit::{Exit, Problem},
    input::confirm,
    output::{Field, Listing, OutputArguments, say},
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Add a tenant; connections to it are its own, and no other tenant's calls go through them
    Add(AddArguments),
    /// List the tenants, and how many connections each has
    List(ListArguments),
    /// Forget a tenant that has no connections any more, with its values; nothing changes at Microsoft
    Remove(RemoveArguments),
}

#[derive(Args)]
pub(crate) struct AddArguments {
    /// A name of your choice, such as contoso
    name: ConnectionName,
    /// Its Directory (tenant) ID, or a verified domain
    #[arg(long, value_name = "GUID|DOMAIN")]
    entra_id: Option<TenantId>,
    /// global, gcc, gcc-high, dod or china
    #[arg(long, default_value = "global")]
    cloud: Cloud,
}

#[derive(Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Args)]
pub(crate) struct RemoveArguments {
    /// The tenant
    name: ConnectionName,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

pub(crate) async fn run(command: Command, context: &Context) -> anyhow::Result<Exit> {
    match command {
        Command::Add(arguments) => add(&arguments, context).await,
        Command::List(arguments) => list(&arguments, context).await,
        Command::Remove(arguments) => remove(&arguments, context).await,
    }
}

async fn add(arguments: &AddArguments, context: &Context) -> anyhow::Result<Exit> {
    let name = arguments.name.as_str();
    if name == ALL {
        let next = "Choose another name.";
        return Err(Problem::usage("`all` means every tenant, so none can be called so", next).into());
    }
    let store = database::open(context).await?;
    if let Some(entra_id) = &arguments.entra_id
        && let Some(taken) = connections::owner(&store, entra_id).await?
    {
        let what = format!("{entra_id} is tenant {} already", taken.name);
        return Err(Problem::usage(what, "One of Entra's tenants is one of ours.").into());
    }
    store.add_tenant(name, arguments.entra_id.as_ref(), &arguments.cloud.to_string()).await?;
    say(&format!("tenant {name} added"))?;
    for connection in connections::all(&store).await?.iter().filter(|one| one.row.tenant == TenantKey::SHARED) {
        let leads_to = connection.leads_to();
        if leads_to.is_some() && leads_to == arguments.entra_id.as_ref().map(TenantId::as_str) {
            let own = &connection.name;
            context.note(&format!(
                "connection {own} leads to this tenant and stays among those for all; add it anew to make it {name}/{own}"
            ));
        }
    }
    context.note(&format!("`sortie connection add NAME --tenant {name} …` gives it a connection"));
    Ok(Exit::Success)
}

async fn list(arguments: &ListArguments, context: &Context) -> anyhow::Result<Exit> {
    let mut listing = Listing::start(arguments.output.format(), &["name", "entra id", "cloud", "connections"])?;
    if let Some(api) = Api::connect_existing(context).await? {
        let connections = api.get(at(["connections"])).await?;
        for tenant in items(&api.get(at(["tenants"])).await?) {
            let name = text(tenant, "name");
            let count = items(&connections).iter().filter(|connection| text(connection, "tenant") == name).count();
            let is_shared = name == SHARED_NAME;
            // What is for all is in no cloud of its own.
            let cloud = tenant["cloud"].as_str().filter(|_| !is_shared);
            let fields =
                [Field::plain(name), Field::plain(text(tenant, "entra_id")), Field::maybe(cloud), Field::plain(count)];
            let document = json!({
                "name": name, "entra_id": tenant["entra_id"], "cloud": cloud, "connections": count, "shared": is_shared,
            });
            listing.row(&fields, &document.to_string())?;
        }
    }
    listing.finish("There is no tenant yet; add one with `sortie tenant add`.")?;
    Ok(Exit::Success)
}

async fn remove(arguments: &RemoveArguments, context: &Context) -> anyhow::Result<Exit> {
    let name = arguments.name.as_str();
    let store = database::open(context).await?;
    connections::tenant(&store, name).await?;
    if name == SHARED_NAME {
        return Err(Problem::usage("`shared` holds what is for all tenants, and stays", "Name another.").into());
    }
    if !confirm(
        &format!("Forget tenant {name}, the values that it keeps, and its runs with their journals?"),
        arguments.yes,
    )? {
        return Ok(Exit::Failure);
    }
    store.remove_tenant(name).await?;
    say(&format!("tenant {name} forgotten"))?;
    Ok(Exit::Success)
}

/// What `--tenant` takes for every tenant.
const ALL: &str = "all";
