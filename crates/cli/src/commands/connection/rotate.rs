//! `sortie connection rotate`: a new secret in place of the old one, and nothing else changes.

use clap::Args;
use jiff::Timestamp;
use sortie_identity::{AssertionAlgorithm, Credential as Loaded, CredentialSource};
use sortie_model::Secret;

use crate::{
    connections::{self, ConnectionPath},
    context::Context,
    database,
    exit::{Exit, Problem},
    input::Terminal,
    output::say,
    product::{ConnectionSettings, SECRET},
    reference::credential_reference,
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The connection whose secret is sealed in the database
    name: ConnectionPath,
    /// How the new secret is entered: prompt or stdin
    #[arg(long, value_name = "REFERENCE", default_value = "prompt")]
    credential: String,
    /// Day on which the new secret ends, such as 2027-03-31
    #[arg(long, value_name = "DATE", value_parser = crate::times::day)]
    expires: Option<Timestamp>,
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    let (store, connection) = connections::open(context, &arguments.name).await?;
    let name = &connection.name;
    let settings = ConnectionSettings::of(&connection.row)?;
    if settings.reference.is_some() {
        let next = match settings.microsoft {
            Some(_) => {
                format!("Change what it refers to; `sortie app rotate -c {name}` makes a new secret at Entra.")
            }
            None => "Change what it refers to.".to_owned(),
        };
        return Err(Problem::usage(format!("connection {name} only refers to its secret"), next).into());
    }
    // Nobody else waits for the database while a person types.
    drop(store);
    let secret = entered(&arguments.credential, name, context)?;
    let store = database::open(context).await?;
    connections::unchanged(&store, &connection.row).await?;
    let keyring = database::unlock(&store, context).await?;
    store.set_secret(&keyring, connection.scope(), connection.row.id, SECRET, &secret, arguments.expires).await?;
    say(&format!("connection {name} has a new secret"))?;
    if arguments.expires.is_none() {
        context.note("when it ends is not known; `--expires DATE` lets Sortie warn before");
    }
    context.note(&format!("`sortie connection test {name}` tells whether it works"));
    Ok(Exit::Success)
}

fn entered(reference: &str, name: &str, context: &Context) -> anyhow::Result<Secret> {
    let source = credential_reference(reference, AssertionAlgorithm::default())?;
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
