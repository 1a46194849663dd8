//! Where a new client secret goes: a file of mode 0600, the standard input of a vault's command, or the database.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::Context as _;
use jiff::SignedDuration;
use sortie_identity::CredentialSource;
use sortie_model::Secret;
use sortie_store::{Connection, Scope};
use tokio::io::AsyncWriteExt as _;

use super::refused;
use crate::{connections, context::Context, database, product::SECRET, settings::write_private};

/// The place that was chosen. It is tried before the secret is made, for Entra shows a secret only once.
#[derive(Debug)]
pub(crate) enum SecretPlace {
    File(PathBuf),
    /// Run by the shell, with the secret on standard input.
    Vault(String),
    /// The database, in the place of the connection's secret before.
    Sealed(Box<Connection>),
}

impl SecretPlace {
    /// Fails now rather than with a secret in hand: the file can be written, the disk is not full.
    pub(crate) fn prepare(&self) -> anyhow::Result<()> {
        let Self::File(path) = self else { return Ok(()) };
        let probe = beside(path);
        write_private(&probe, &[b'x'; 256])
            .and_then(|()| fs::remove_file(&probe))
            .with_context(|| format!("the secret cannot be written to {}", path.display()))
    }

    /// Keeps the secret, which is good for so long.
    pub(crate) async fn keep(
        &self,
        secret: &Secret,
        lifetime: SignedDuration,
        context: &Context,
    ) -> anyhow::Result<()> {
        match self {
            Self::File(path) => write_private(path, secret.expose().as_bytes())
                .with_context(|| format!("the secret cannot be written to {}", path.display())),
            Self::Vault(command) => pipe(command, secret).await,
            Self::Sealed(row) => {
                let store = database::open(context).await?;
                // A person has signed in meanwhile, and another may have set the connection up anew.
                connections::unchanged(&store, row).await?;
                let keyring = database::unlock(&store, context).await?;
                let ends = context.clock.now().checked_add(lifetime).ok();
                Ok(store.set_secret(&keyring, Scope::Tenant(row.tenant), row.id, SECRET, secret, ends).await?)
            }
        }
    }

    /// How a connection refers to it; a vault's secret comes back by whatever variable the operator fills from it.
    pub(crate) fn reference(&self) -> CredentialSource {
        match self {
            Self::File(path) => CredentialSource::File { path: path.clone() },
            Self::Vault(_) | Self::Sealed(_) => {
                CredentialSource::Environment { variable: "AZURE_CLIENT_SECRET".to_owned() }
            }
        }
    }

    /// For a sentence.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::File(path) => format!("the file {} (mode 0600)", path.display()),
            Self::Vault(_) => "the vault's command".to_owned(),
            Self::Sealed(row) => format!("the database, sealed, for connection {}", row.name),
        }
    }
}

async fn pipe(command: &str, secret: &Secret) -> anyhow::Result<()> {
    let mut child = tokio::process::Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("the vault's command cannot be started")?;
    let mut stdin = child.stdin.take().ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))?;
    let written = stdin.write_all(secret.expose().as_bytes()).await;
    drop(stdin);
    let status = child.wait().await.context("the vault's command did not end")?;
    let what = match (status.success(), written) {
        (true, Ok(())) => return Ok(()),
        (true, Err(_)) => "the vault's command ended well without reading its standard input".to_owned(),
        // Why it did not read on is what its own status says.
        (false, _) => format!("the vault's command ended with {status}"),
    };
    Err(refused(what, "Try the command by hand with any text on its standard input."))
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".probe");
    path.with_file_name(name)
}
