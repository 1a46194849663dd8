//! `sortie connection test` of a connector's connection: what its tokens are good for, and one harmless call.

use serde_json::Value;
use sortie_connector::{Credential, base};
use sortie_identity::inspect::{Claims, decode};
use sortie_openapi::{EffectClass, Operation};

use crate::{
    connections::{self, ConnectionPath},
    context::Context,
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
pub(super) async fn test(path: &ConnectionPath, context: &Context) -> anyhow::Result<Exit> {
    let (store, connection) = connections::open(context, path).await?;
    let product = Product::load(&store, &connection.row.connector).await?;
    let ready = Ready::load(&store, &connection, &product, true, context).await?;
    drop(store);
    if let Some(expiry) = ready.expiry(context) {
        say(&properties(&[("Secret ends", Field::plain(expiry.describe()))]))?;
    }
    let name = &connection.name;
    let (mut exit, mut seen) = (Exit::Success, Seen::default());
    for group in groups(&product) {
        if let Err(error) = examine(&group, &product, &ready, &mut seen, context).await {
            exit = report(&error.context(group.place.clone()));
        }
    }
    if exit == Exit::Success && seen.tokens_with_roles > 0 && !seen.allows_something {
        let what =
            format!("connection {name} signs in, and its roles allow none of the operations of {}", product.info.id);
        let next = "Add a role that stands behind `needs` to the application, as application permission with an administrator's consent.";
        return Err(Problem { exit: Exit::Forbidden, what, next: next.to_owned() }.into());
    }
    if exit == Exit::Success {
        say(&match seen.has_token || seen.has_test {
            true => format!("\nConnection {name} works."),
            false => format!("\nNothing of connection {name} could be tried."),
        })?;
        if !seen.has_test {
            let said = "its connector names no harmless call (`x-sortie-test`), so none was made";
            context.note(&format!("{said}; `sortie call` makes any"));
        }
    }
    Ok(exit)
}

/// What was seen of all tokens together.
#[derive(Default)]
struct Seen {
    /// Those whose operations say which roles they need.
    tokens_with_roles: u32,
    allows_something: bool,
    /// A provider has given one, for this connection's credential.
    has_token: bool,
    /// The connector names a harmless call.
    has_test: bool,
}

async fn examine(
    group: &Group<'_>,
    product: &Product,
    ready: &Ready,
    seen: &mut Seen,
    context: &Context,
) -> anyhow::Result<()> {
    let first = group.operations[0];
    let authentication = product.authentication(first)?;
    let host = product.host(first).or_else(|| ready.base().cloned());
    let host = host.ok_or_else(|| Problem::usage("no base address is known", "Give it with `--base`."))?;
    let credential = ready.credential(&authentication, first, &host, context).await?;
    let token = match &credential {
        Credential::Tokens(tokens) => Some(tokens.living(&*context.clock).await?.0),
        Credential::Bearer(token) => Some(token.clone()),
        _ => None,
    };
    seen.has_token |= matches!(credential, Credential::Tokens(_));
    let mut grants = None;
    let text = match token.as_ref().map(|token| decode(token.expose())) {
        None => visible(&authentication.describe()),
        Some(Err(_)) => "a token that shows nothing of itself".to_owned(),
        Some(Ok(decoded)) => {
            let held = Grants::of(&decoded.claims, &authentication, &group.operations);
            seen.tokens_with_roles += u32::from(held.knows());
            seen.allows_something |= !held.allowed.is_empty();
            let text = held.describe(&decoded.claims);
            grants = Some(held);
            text
        }
    };
    say(&format!("\n{}\n{text}", visible(&group.place)))?;
    let tests: Vec<&Operation> =
        group.operations.iter().copied().filter(|operation| operation.guidance.test.is_some()).collect();
    seen.has_test |= !tests.is_empty();
    let is_refused = |operation: &Operation| {
        grants.as_ref().is_some_and(|held| held.refused.iter().any(|one| one.id == operation.id))
    };
    match (tests.iter().find(|operation| !is_refused(operation)), tests.first()) {
        (Some(operation), _) => call(operation, product, ready, &credential).await,
        (None, Some(operation)) => {
            say(&visible(&format!("  {} was not called: it {}", operation.id, needs(operation))))?;
            Ok(())
        }
        (None, None) => Ok(()),
    }
}

/// The harmless call.
async fn call(operation: &Operation, product: &Product, ready: &Ready, credential: &Credential) -> anyhow::Result<()> {
    if operation.effect.class != EffectClass::Safe {
        let what =
            format!("the connector names {} as its test, which may change something; it was not called", operation.id);
        return Err(Problem::usage(what, "Correct `x-sortie-test` in the connector's document.").into());
    }
    // `{ inputs: { .. } }`, or the inputs themselves.
    let test = operation.guidance.test.as_ref();
    let inputs = test.and_then(|test| test.get("inputs").or(Some(test))).and_then(Value::as_object);
    let inputs = inputs.cloned().unwrap_or_default();
    let target = ready.target(operation)?;
    ready.permits(&base(&product.description, operation, &target)?)?;
    let answer = ready.caller.call(&product.description, operation, &inputs, &target, credential).await;
    let answer = answer.map_err(|error| anyhow::Error::from(error).context(operation.id.clone()))?;
    say(&format!("  {} answers with status {}", operation.id, answer.status))?;
    Ok(())
}

/// What one token lets its holder do.
struct Grants<'a> {
    is_person: bool,
    held: Vec<String>,
    allowed: Vec<&'a Operation>,
    refused: Vec<&'a Operation>,
}

impl<'a> Grants<'a> {
    fn of(claims: &Claims, authentication: &Authentication, operations: &[&'a Operation]) -> Self {
        let is_person = matches!(authentication, Authentication::Oauth2Delegated(_));
        let held = if is_person { claims.scopes.clone() } else { claims.roles.clone() };
        let known = operations.iter().copied().filter(|operation| !operation.guidance.roles.is_empty());
        let (allowed, refused) =
            known.partition(|operation| operation.guidance.roles.iter().any(|roles| holds(&held, roles)));
        Self { is_person, held, allowed, refused }
    }

    /// Whether operations say which roles they need.
    fn knows(&self) -> bool {
        !self.allowed.is_empty() || !self.refused.is_empty()
    }

    fn describe(&self, claims: &Claims) -> String {
        let list = |list: &[String]| if list.is_empty() { "none".to_owned() } else { list.join(", ") };
        let mut lines = vec![("Token for", Field::plain(list(&claims.audience)))];
        for (name, value) in [("Application", &claims.application), ("Tenant", &claims.tenant)] {
            lines.extend(value.as_ref().map(|value| (name, Field::plain(value))));
        }
        lines.push((if self.is_person { "Scopes" } else { "Roles" }, Field::plain(list(&self.held))));
        if self.knows() {
            let (allowed, known) = (self.allowed.len(), self.allowed.len() + self.refused.len());
            lines.push(("Operations", Field::plain(format!("{allowed} of {known} allowed"))));
        }
        let id = |operation: &Operation| operation.id.clone();
        lines.extend(named_some(&self.allowed, id).map(|text| ("Allowed", Field::plain(text))));
        let lacking = |operation: &Operation| format!("{} ({})", operation.id, needs(operation));
        lines.extend(named_some(&self.refused, lacking).map(|text| ("Not allowed", Field::plain(text))));
        properties(&lines)
    }
}

fn needs(operation: &Operation) -> String {
    format!("needs {}", operation.guidance.roles.join(" or "))
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
