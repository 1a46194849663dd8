//! `sortie app rotate`: a new client secret in place of the old one, without a moment in which none works.

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::Args;
use jiff::SignedDuration;
use sortie_identity::{Audience, Credential, CredentialSource, TokenErrorCause};
use sortie_model::Secret;

use super::{lifetime, refused, secret_place::SecretPlace};
use crate::{
    connections,
    context::{Context, Session},
    database,
    exit::{Exit, Problem},
    input::confirm,
    output::say,
    product::{ConnectionSettings, DefenderConnection, Kept},
    registration::{NewSecret, Registrar},
    sign_in::{Browser, SignIn, SignInArguments},
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// How long the new secret is good: 90d, 12w, 6m, 1y
    #[arg(long, default_value = "180d", value_parser = lifetime)]
    lifetime: SignedDuration,
    /// File for the new secret, mode 0600; the connection's own file when it has one
    #[arg(long, value_name = "FILE", conflicts_with = "vault_command")]
    secret_file: Option<PathBuf>,
    /// Command that takes the new secret on standard input and keeps it in a vault
    #[arg(long, value_name = "COMMAND")]
    vault_command: Option<String>,
    /// Leave the old secrets in place
    #[arg(long)]
    keep_old: bool,
    #[command(flatten)]
    sign_in: SignInArguments,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    let connection = context.choose().await?;
    let name = &connection.name;
    let place = place(&arguments, &connection)?;
    place.prepare()?;
    if !confirm(&format!("Replace the client secret of connection {name}?"), arguments.yes)? {
        return Ok(Exit::Failure);
    }
    let transport = context.transport(&context.settings()?)?;
    let hosts = connection.microsoft.hosts();
    let sign_in = SignIn {
        transport: &transport,
        cloud: connection.microsoft.cloud,
        hosts: &hosts,
        tenant: Some(&connection.tenant),
        arguments: &arguments.sign_in,
        browser: Browser::Own,
    };
    let token = sign_in.run(context).await?;
    let registrar = Registrar::new(&transport, &hosts.graph, &token.secret, &*context.clock);
    let application = registrar.find(connection.client_id.as_str()).await?;
    let old: Vec<_> = application.password_credentials.clone();
    let secret =
        registrar.new_secret(&application.id, arguments.lifetime, &mut |step| eprintln!("done  {}", step.text)).await?;
    let tested = match test(&connection, &secret.value, &transport, context).await {
        Ok(()) => place.keep(&secret.value, arguments.lifetime, context).await,
        Err(error) => Err(error),
    };
    if let Err(error) = tested {
        undo(&registrar, &application.id, &secret).await?;
        return Err(error);
    }
    eprintln!("done  the new secret signs in and is in {}", place.describe());
    refer(&connection, &place, context).await?;
    if !arguments.keep_old {
        for credential in old.iter().filter(|credential| credential.key_id != secret.key_id) {
            let label = credential.display_name.as_deref().unwrap_or("without a name");
            let until = credential.end_date_time.as_deref().unwrap_or("unknown");
            registrar.remove_secret(&application.id, &credential.key_id).await?;
            eprintln!("done  old secret {} ({label}, good until {until}) removed", credential.key_id);
        }
    }
    say(&format!("connection {name} has a new client secret"))?;
    Ok(Exit::Success)
}

fn place(arguments: &Arguments, connection: &DefenderConnection) -> anyhow::Result<SecretPlace> {
    if let Some(command) = &arguments.vault_command {
        return Ok(SecretPlace::Vault(command.clone()));
    }
    if let Some(path) = &arguments.secret_file {
        return Ok(SecretPlace::File(std::path::absolute(path)?));
    }
    match &connection.credential {
        Kept::Reference(CredentialSource::File { path }) => Ok(SecretPlace::File(path.clone())),
        Kept::Stored(row) if ConnectionSettings::of(row)?.reference.is_none() => Ok(SecretPlace::Sealed(row.clone())),
        _ => Err(Problem::usage(
            "this connection's credential is no file that could be replaced",
            "Say where the new secret goes: `--secret-file FILE` or `--vault-command COMMAND`.",
        )
        .into()),
    }
}

/// Where the secret went elsewhere than before, the connection refers to the new place.
async fn refer(connection: &DefenderConnection, place: &SecretPlace, context: &Context) -> anyhow::Result<()> {
    let Some(row) = &connection.row else { return Ok(()) };
    let stays = match (place, &connection.credential) {
        (SecretPlace::Sealed(_), _) => true,
        // The command puts it where the connection finds it. A sealed secret would be the old one for ever.
        (SecretPlace::Vault(_), Kept::Stored(row)) => ConnectionSettings::of(row)?.vault.is_some(),
        (place, Kept::Reference(source)) => *source == place.reference(),
        (SecretPlace::File(_), Kept::Stored(_)) => false,
    };
    if stays {
        return Ok(());
    }
    let store = database::open(context).await?;
    connections::refer(&store, row, &place.reference()).await?;
    eprintln!("done  connection {} refers to it", connection.name);
    Ok(())
}

/// Signs in with the new secret; replicas may not know it for some seconds.
async fn test(
    connection: &DefenderConnection,
    secret: &Secret,
    transport: &sortie_transport::Transport,
    context: &Context,
) -> anyhow::Result<()> {
    let mut pauses = TEST_PAUSES.iter();
    loop {
        let application = connection.application(Credential::Secret(secret.clone()));
        // A session of its own each time: a refused secret is not asked about again for a while.
        let session = Session::new(connection.name.clone(), application, transport.clone(), context.clock.clone());
        match session.client.tokens().token(&Audience::Graph).await {
            Ok(_) => return Ok(()),
            Err(error) if error.cause == TokenErrorCause::WrongSecret => match pauses.next() {
                Some(pause) => tokio::time::sleep(*pause).await,
                None => return Err(error).context("the new secret does not sign in"),
            },
            Err(error) => return Err(error).context("the new secret does not sign in"),
        }
    }
}

async fn undo(registrar: &Registrar<'_>, object_id: &str, secret: &NewSecret) -> anyhow::Result<()> {
    registrar.remove_secret(object_id, &secret.key_id).await.map_err(|error| {
        let next = format!("Remove the secret {} in the portal; the old one still works.", secret.key_id);
        error.context(refused("the new secret could not be taken away again", next))
    })?;
    eprintln!("done  the new secret was removed again; the old one still works");
    Ok(())
}

const TEST_PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(6),
    Duration::from_secs(15),
    Duration::from_secs(30),
];
