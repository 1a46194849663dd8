//! To any connector.

use serde_json::{Map, Value};
use sortie_connector::{Target, base};
use sortie_store::NewConnection;

use super::{
    Arguments, Whose,
    credential::{Given, given, vault},
    put,
};
use crate::{
    context::Context,
    database,
    exit::{Exit, Problem},
    output::say,
    product::{ConnectionSettings, Product, token_url_of},
};

/// Adds the connection, or replaces the one of that name.
pub(super) async fn add(connector: &str, arguments: &Arguments, context: &Context) -> anyhow::Result<Exit> {
    let store = database::open(context).await?;
    let product = Product::load(&store, connector).await?;
    let whose = Whose::find(&store, arguments).await?;
    // Nobody else waits for the database while a person types.
    drop(store);
    let Given { reference, entered } = given(arguments, context)?;
    let store = database::open(context).await?;
    let new = new(connector, arguments, &product, reference, &whose, context)?;
    put(&store, &whose, new, entered.as_ref(), arguments, context).await?;
    let path = whose.path(&arguments.name)?;
    say(&format!("connection {path} added to connector {connector}"))?;
    context.note(&format!("`sortie connection test {path}` tells whether it works"));
    Ok(Exit::Success)
}

fn new(
    connector: &str,
    arguments: &Arguments,
    product: &Product,
    reference: Option<String>,
    whose: &Whose,
    context: &Context,
) -> anyhow::Result<NewConnection> {
    let given = &arguments.product;
    let mut variables = Map::new();
    for pair in &given.variable {
        let next = "Write it as NAME=VALUE.";
        let (name, value) =
            pair.split_once('=').ok_or_else(|| Problem::usage(format!("`{pair}` is no variable"), next))?;
        variables.insert(name.trim().to_owned(), Value::from(value.trim()));
    }
    let tenant = whose.entra_id.as_ref().map(ToString::to_string);
    let edited = || product.edits.authentication.as_ref()?.oauth().map(|oauth| oauth.token_url.clone());
    let template = given.token_url.clone().or_else(edited);
    let token_url = template.map(|template| token_url_of(&template, tenant.as_deref())).transpose()?;
    let base = given.base.clone().or_else(|| product.edits.base.clone());
    let target = Target { base: base.clone(), variables: variables.clone() };
    can_call_something(product, &target)?;
    let destinations = product.destinations(&target, token_url.as_ref(), tenant.as_deref());
    let vault = vault(reference.as_deref(), arguments, whose.cloud(arguments.cloud));
    let settings = ConnectionSettings {
        tenant,
        vault,
        client_id: arguments.client_id.clone(),
        expires: given.expires.filter(|_| reference.is_some()),
        reference,
        rs256: arguments.rs256,
        way: arguments.product.way(),
        variables,
        microsoft: None,
    };
    settings.way.check(context)?;
    if let (Some(reference), Some(vault)) = (&settings.reference, &settings.vault) {
        vault.check(reference, &settings)?;
    }
    Ok(NewConnection {
        name: arguments.name.clone(),
        connector: connector.to_owned(),
        base_url: base.map(|base| base.to_string()).unwrap_or_default(),
        token_url: token_url.map(|url| url.to_string()),
        allowed_hosts: given.allow_host.clone(),
        destinations,
        settings: serde_json::to_value(settings)?,
    })
}

/// A base that cannot be called is told now, not by the first workflow at night. One API of several may need more than
/// this connection gives; it is told when that one is called.
fn can_call_something(product: &Product, target: &Target) -> anyhow::Result<()> {
    let mut bases =
        product.description.operations.iter().map(|operation| base(&product.description, operation, target));
    let Some(Err(error)) = bases.next() else { return Ok(()) };
    if bases.any(|base| base.is_ok()) {
        return Ok(());
    }
    let next = error.remedy();
    Err(Problem::usage(error.to_string(), next).into())
}
