//! To Microsoft Defender: one application in one tenant.

use sortie_identity::{EndpointVersion, HostOverrides};
use sortie_model::{ClientId, ClientIdError};
use url::Url;

use super::{
    Arguments, Whose,
    credential::{Given, given, vault},
    put, taken,
};
use crate::{
    connections,
    context::Context,
    database,
    exit::{Exit, Problem},
    output::say,
    product::{ConnectionSettings, Microsoft},
};

/// Adds the connection, or replaces the one of that name; the first one is the current one.
pub(super) async fn add(arguments: &Arguments, context: &Context) -> anyhow::Result<Exit> {
    if let Some(name) = arguments.product.of_connectors_alone() {
        let what = format!("`{name}` is for connections to other connectors than Microsoft Defender");
        return Err(Problem::usage(what, "Name one with `--connector`, or leave it out.").into());
    }
    let is_first = connections::of_defender(context).await?.is_empty();
    let client_id: ClientId =
        arguments.client_id.as_deref().unwrap_or_default().parse().map_err(|error: ClientIdError| {
            Problem::usage(error.to_string(), "Copy it from the application's Overview page.")
        })?;
    let store = database::open(context).await?;
    let whose = Whose::find(&store, arguments).await?;
    let path = whose.path(&arguments.name)?;
    if !arguments.replace && !store.connections_named(whose.scope(), arguments.name.as_str()).await?.is_empty() {
        return Err(taken(&path));
    }
    // Nobody else waits for the database while a person types.
    drop(store);
    let Given { reference, entered } = given(arguments, context)?;
    let store = database::open(context).await?;
    let microsoft = microsoft(arguments, &whose);
    let entra_id = whose.entra_id.as_ref().ok_or_else(|| {
        let next = "Give its Directory (tenant) ID, or add it to the tenant.";
        Problem::usage("it is not known to which tenant of Entra's the connection leads", next)
    })?;
    let settings = ConnectionSettings {
        tenant: Some(entra_id.to_string()),
        client_id: Some(client_id.to_string()),
        rs256: arguments.rs256,
        expires: arguments.product.expires.filter(|_| reference.is_some()),
        vault: vault(reference.as_deref(), arguments, microsoft.cloud),
        reference,
        way: arguments.product.way(),
        ..ConnectionSettings::default()
    };
    settings.way.check(context)?;
    if let (Some(reference), Some(vault)) = (&settings.reference, &settings.vault) {
        vault.check(reference, &settings)?;
    }
    let mut new = microsoft.row(arguments.name.clone(), settings)?;
    new.allowed_hosts.extend(arguments.product.allow_host.iter().cloned());
    put(&store, &whose, new, entered.as_ref(), arguments, context).await?;
    if is_first {
        connections::choose(Some(path.clone()), context)?;
    }
    say(&format!("connection {path} added{}", if is_first { " and made the current one" } else { "" }))?;
    context.note(&format!("`sortie check -c {path}` tells whether it works and which roles it holds"));
    Ok(Exit::Success)
}

fn microsoft(arguments: &Arguments, whose: &Whose) -> Microsoft {
    let given = &arguments.hosts;
    let at = |host: &Option<Url>| host.clone().or_else(|| arguments.emulator.clone());
    Microsoft {
        cloud: whose.cloud(arguments.cloud),
        endpoint: if arguments.v1 { EndpointVersion::V1 } else { EndpointVersion::V2 },
        region: arguments.region,
        hosts: HostOverrides {
            login: at(&given.login),
            graph: at(&given.graph),
            xdr: at(&given.xdr),
            mde: at(&given.mde),
            cloud_apps: at(&given.cloud_apps),
            imds: at(&given.imds),
            portal: None,
        },
    }
}
