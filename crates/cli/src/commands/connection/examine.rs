//! `sortie connection test` of a connector's connection: what its tokens are good for, and one harmless call.

use serde_json::Value;
use sortie_connector::{Credential, base};
use sortie_identity::inspect::{Claims, decode};
use sortie_model::ConnectionName;
use sortie_openapi::{EffectClass, Operation};

use super::product::named;
use crate::{
    context::Context,
    database,
    exit::{Exit, Problem, report},
    output::{Field, properties, say, visible},
    product::{Authentication, Product, Ready},
};

/// The operations that one token is for.
struct Group<'a> {
    /// Their audience, else their host.
    place: String,
    operations: Vec<&'a Operation>,
}

/// Fetches a token for each API that the connector's operations are for, shows whom it is for and its roles, which
/// operations they allow, and makes the one harmless call that the connector names.
pub(super) async fn test(name: &ConnectionName, context: &Context) -> anyhow::Result<Exit> {
    let store = database::open(context)?;
    let connection = named(&store, name).await?;
    let product = Product::load(&store, &connection.connector).await?;
    let ready = Ready::load(&store, &connection, &product, true, context).await?;
    drop(store);
    if let Some(expiry) = ready.expiry(context) {
        say(&properties(&[("Secret ends", Field::plain(expiry.describe()))]))?;
    }
    let (mut exit, mut called) = (Exit::Success, false);
    for group in groups(&product) {
        match examine(&group, &product, &ready, context).await {
            Ok(has_called) => called |= has_called,
            Err(error) => exit = report(&error.context(group.place.clone())),
        }
    }
    if exit == Exit::Success {
        say(&format!("\nConnection {name} works."))?;
        if !called {
            let said = "its connector names no harmless call (`x-sortie-test`), so none was made";
            context.note(&format!("{said}; `sortie call` makes any"));
        }
    }
    Ok(exit)
}

/// Whether a call was made.
async fn examine(group: &Group<'_>, product: &Product, ready: &Ready, context: &Context) -> anyhow::Result<bool> {
    let first = group.operations[0];
    let authentication = product.authentication(first)?;
    let host = product.host(first).or_else(|| ready.target.base.clone());
    let host = host.ok_or_else(|| Problem::usage("no base address is known", "Give it with `--base`."))?;
    let credential = ready.credential(&authentication, first, &host, context).await?;
    let token = match &credential {
        Credential::Tokens(tokens) => Some(tokens.living(&*context.clock).await?.0),
        Credential::Bearer(token) => Some(token.clone()),
        _ => None,
    };
    say(&visible(&match token.as_ref().map(|token| decode(token.expose())) {
        None => format!("{}: {}", group.place, authentication.describe()),
        Some(Err(_)) => format!("{}: a token that shows nothing of itself", group.place),
        Some(Ok(decoded)) => told(&decoded.claims, &authentication, &group.operations),
    }))?;
    let Some(operation) = group.operations.iter().find(|operation| operation.guidance.test.is_some()) else {
        return Ok(false);
    };
    if operation.effect.class != EffectClass::Safe {
        let what =
            format!("the connector names {} as its test, which may change something; it was not called", operation.id);
        return Err(Problem::usage(what, "Correct `x-sortie-test` in the connector's document.").into());
    }
    let inputs = operation.guidance.test.as_ref().and_then(|test| test.get("inputs")).and_then(Value::as_object);
    let inputs = inputs.cloned().unwrap_or_default();
    ready.permits(&base(&product.description, operation, &ready.target)?)?;
    let answer = ready.caller.call(&product.description, operation, &inputs, &ready.target, &credential).await;
    let answer = answer.map_err(|error| anyhow::Error::from(error).context(operation.id.clone()))?;
    say(&format!("  {} answers with status {}", operation.id, answer.status))?;
    Ok(true)
}

/// What one token is good for.
fn told(claims: &Claims, authentication: &Authentication, operations: &[&Operation]) -> String {
    let list = |list: &[String]| if list.is_empty() { "none".to_owned() } else { list.join(", ") };
    let is_person = matches!(authentication, Authentication::Oauth2Delegated(_));
    let held = if is_person { &claims.scopes } else { &claims.roles };
    let mut lines = vec![("Token for", Field::plain(list(&claims.audience)))];
    for (name, value) in [("Application", &claims.application), ("Tenant", &claims.tenant)] {
        lines.extend(value.as_ref().map(|value| (name, Field::plain(value))));
    }
    lines.push((if is_person { "Scopes" } else { "Roles" }, Field::plain(list(held))));
    let known = operations.iter().copied().filter(|operation| !operation.guidance.roles.is_empty());
    let (allowed, refused): (Vec<&Operation>, Vec<&Operation>) =
        known.partition(|operation| operation.guidance.roles.iter().any(|roles| holds(held, roles)));
    let known = allowed.len() + refused.len();
    if known > 0 {
        lines.push(("Operations", Field::plain(format!("{} of {known} allowed", allowed.len()))));
        lines
            .extend(named_some(&allowed, |operation| operation.id.clone()).map(|text| ("Allowed", Field::plain(text))));
        let lacking =
            |operation: &Operation| format!("{} (needs {})", operation.id, operation.guidance.roles.join(" or "));
        lines.extend(named_some(&refused, lacking).map(|text| ("Not allowed", Field::plain(text))));
    }
    properties(&lines)
}

/// `A + B` means both.
fn holds(held: &[String], roles: &str) -> bool {
    roles.split(" + ").all(|role| held.iter().any(|held| crate::roles::covers(held, role)))
}

fn named_some(operations: &[&Operation], name: impl Fn(&Operation) -> String) -> Option<String> {
    let shown: Vec<String> = operations.iter().take(SHOWN_MAX).map(|operation| name(operation)).collect();
    let more = operations.len() - shown.len();
    let more = if more == 0 { String::new() } else { format!(", and {more} more") };
    (!shown.is_empty()).then(|| format!("{}{more}", shown.join(", ")))
}

fn groups(product: &Product) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for operation in &product.description.operations {
        let host = || product.host(operation).and_then(|url| url.host_str().map(str::to_owned));
        let place = operation.guidance.audience.clone().or_else(host).unwrap_or_else(|| product.info.id.clone());
        match groups.iter_mut().find(|group| group.place == place) {
            Some(group) => group.operations.push(operation),
            None => groups.push(Group { place, operations: vec![operation] }),
        }
    }
    groups
}

/// Operations that are shown by name; a connector may have hundreds.
const SHOWN_MAX: usize = 8;
