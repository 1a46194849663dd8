//! The database of connectors and their connections, and the key that seals its secrets.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use sortie_model::Secret;
use sortie_store::{KeySource, Keyring, MasterKey, Scope, Store, StoreError, StoreErrorKind, StoreOptions, TenantKey};

use crate::{context::Context, exit::Problem};

/// Opens the database; only one process at a time has it.
pub(crate) fn open(context: &Context) -> anyhow::Result<Store> {
    let path = path(context)?;
    let options = StoreOptions { path, purpose: "sortie".to_owned(), clock: Arc::clone(&context.clock) };
    Ok(Store::open(options)?)
}

/// The same after a short wait for another process that has it, which may be renewing a sign-in as well.
pub(crate) async fn open_soon(context: &Context) -> anyhow::Result<Store> {
    for _ in 0..HELD_TRIES {
        match open(context) {
            Err(error) if is_held(&error) => tokio::time::sleep(HELD_PAUSE).await,
            opened => return opened,
        }
    }
    open(context)
}

fn is_held(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<StoreError>(), Some(StoreError { kind: StoreErrorKind::Held { .. }, .. }))
}

/// The same where it is there already; a look makes none.
pub(crate) fn open_existing(context: &Context) -> anyhow::Result<Option<Store>> {
    if path(context)?.exists() { open(context).map(Some) } else { Ok(None) }
}

/// What commands without a tenant work on: what is for all tenants.
pub(crate) const SHARED: Scope = Scope::Tenant(TenantKey::SHARED);

/// Unlocks the secrets. The key is made when the first secret is kept, and a person is told to keep it apart.
pub(crate) async fn unlock(store: &Store, context: &Context) -> anyhow::Result<Keyring> {
    let source = source(context)?;
    let made = match (&source, store.has_key().await?) {
        (KeySource::File(path), false) if !path.exists() => Some(create(path, context)?),
        _ => None,
    };
    let master = match made {
        Some(master) => master,
        None => MasterKey::load(&source, &store.installation().await?).map_err(|kind| key_problem(&source, kind))?,
    };
    Ok(store.unlock(master).await?)
}

fn create(path: &Path, context: &Context) -> anyhow::Result<MasterKey> {
    let master = MasterKey::create(path).map_err(|kind| key_problem(&KeySource::File(path.to_owned()), kind))?;
    context.note(&format!(
        "a key was made in {}: back it up apart from the database; without it the secrets must be entered again",
        path.display()
    ));
    Ok(master)
}

fn key_problem(source: &KeySource, kind: sortie_store::StoreErrorKind) -> anyhow::Error {
    let place = match source {
        KeySource::File(path) => path.display().to_string(),
        KeySource::Text(_) | KeySource::Passphrase(_) => "the variable SORTIE_KEY".to_owned(),
    };
    sortie_store::StoreError { doing: format!("read the key in {place}"), kind }.into()
}

/// `--key-file`, else the variable SORTIE_KEY, else the file beside the database.
fn source(context: &Context) -> anyhow::Result<KeySource> {
    if let Some(path) = &context.global.key_file {
        return Ok(KeySource::File(path.clone()));
    }
    match std::env::var("SORTIE_KEY") {
        Ok(text) if !text.is_empty() => Ok(KeySource::Text(Secret::new(text))),
        _ => Ok(KeySource::File(path(context)?.with_extension("key"))),
    }
}

/// `--database`, else the usual place of this user.
fn path(context: &Context) -> anyhow::Result<PathBuf> {
    if let Some(path) = &context.global.database {
        return Ok(path.clone());
    }
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_DATA_HOME").or_else(|| set("HOME").map(|home| home.join(".local/share")));
    let next = "Name the file with `--database FILE`.";
    let base = base.ok_or_else(|| Problem::usage("there is no place for the database: HOME is not set", next));
    Ok(base.context("cannot find the database")?.join("sortie/sortie.db"))
}

/// Ten seconds together.
const HELD_TRIES: u32 = 40;
const HELD_PAUSE: Duration = Duration::from_millis(250);
