//! `sortie connection rotate`: a new secret in place of the old one, and nothing else changes.

use clap::Args;
use jiff::Timestamp;
use sortie_identity::{AssertionAlgorithm, Credential as Loaded, CredentialSource};
use sortie_model::{ConnectionName, Secret};

use super::product;
use crate::{
    context::Context,
    database::{self, SHARED},
    exit::{Exit, Problem},
    input::Terminal,
    output::say,
    product::SECRET,
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// A connector's connection whose secret is sealed in the database
    name: ConnectionName,
    /// How the new secret is entered: prompt or stdin
    #[arg(long, value_name = "REFERENCE", default_value = "prompt")]
    credential: String,
    /// Day on which the new secret ends, such as 2027-03-31
    #[arg(long, value_name = "DATE", value_parser = crate::times::day)]
    expires: Option<Timestamp>,
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    let name = &arguments.name;
    if context.settings()?.connections.contains_key(name) {
        let what = format!("connection {name} only refers to its secret");
        let next = format!("Change what it refers to; `sortie app rotate -c {name}` makes a new secret at Entra.");
        return Err(Problem::usage(what, next).into());
    }
    let store = database::open(context)?;
    let connection = product::named(&store, name).await?;
    let is_reference = connection.settings.get("reference").is_some_and(|reference| !reference.is_null());
    if is_reference {
        let what = format!("connection {name} only refers to its secret");
        return Err(Problem::usage(what, "Change what it refers to.").into());
    }
    let secret = entered(&arguments.credential, name, context)?;
    let keyring = database::unlock(&store, context).await?;
    store.set_secret(&keyring, SHARED, connection.id, SECRET, &secret, arguments.expires).await?;
    say(&format!("connection {name} has a new secret"))?;
    if arguments.expires.is_none() {
        context.note("when it ends is not known; `--expires DATE` lets Sortie warn before");
    }
    context.note(&format!("`sortie connection test {name}` tells whether it works"));
    Ok(Exit::Success)
}

fn entered(reference: &str, name: &ConnectionName, context: &Context) -> anyhow::Result<Secret> {
    let source = super::credential_reference(reference, AssertionAlgorithm::default())?;
    if matches!(source, CredentialSource::Stdin | CredentialSource::Prompt)
        && let Loaded::Secret(secret) = source.load(&Terminal, context.clock.now())?
    {
        return Ok(secret);
    }
    let next = format!(
        "Enter it with `--credential prompt` or `stdin`, or set the connection up anew: `sortie connection add {name} --replace …`."
    );
    Err(Problem::usage("a reference is not rotated", next).into())
}
