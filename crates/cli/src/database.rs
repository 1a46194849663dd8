//! The database of connectors and their connections, and the key that seals its secrets.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use jiff::Timestamp;
use sortie_model::Secret;
use sortie_server::Client;
use sortie_store::{KeySource, Keyring, MasterKey, Scope, Store, StoreError, StoreErrorKind, StoreOptions, TenantKey};

use crate::{acting, api, context::Context, exit::Problem};

/// Who has the database.
pub(crate) enum Found {
    /// A server, or a command that follows a run and answers others meanwhile.
    Served {
        /// Its socket.
        socket: PathBuf,
        /// As it says itself.
        holder: String,
        /// Whether it is a server, which comes again when it was told to stop.
        is_lasting: bool,
    },
    /// This process, in the name of whoever runs it.
    Ours(Store),
}

/// Opens the database, or finds the server that has it. Only one process at a time has it, most only for a moment: that is
/// waited for.
pub(crate) async fn find(context: &Context) -> anyhow::Result<Found> {
    find_for(context, "sortie").await
}

/// The same for what others read who find the database locked.
async fn find_for(context: &Context, purpose: &str) -> anyhow::Result<Found> {
    if let Some(held) = context.held() {
        return Ok(Found::Ours(held));
    }
    let path = path(context)?;
    let socket = api::socket(&path);
    let mut tries = 0;
    loop {
        let (path, clock) = (path.clone(), Arc::clone(&context.clock));
        match Store::open(StoreOptions { path, purpose: purpose.to_owned(), clock }) {
            Err(StoreError { kind: StoreErrorKind::Held { holder, .. }, .. })
                if Client::find(&socket).await.is_some() =>
            {
                let is_lasting = holder.contains(SERVER);
                return Ok(Found::Served { socket, holder, is_lasting });
            }
            Err(StoreError { kind: StoreErrorKind::Held { .. }, .. }) if tries < HELD_TRIES => {
                tries += 1;
                tokio::time::sleep(HELD_PAUSE).await;
            }
            opened => return Ok(Found::Ours(acting::as_this_user(opened?, context).await?)),
        }
    }
}

/// Opens the database, for what the API does not do. Where a server has it that is refused at once.
pub(crate) async fn open(context: &Context) -> anyhow::Result<Store> {
    ours(find(context).await?)
}

/// Opens the database to read from it, also where a server has it; then a write is refused.
pub(crate) async fn look(context: &Context) -> anyhow::Result<Store> {
    let holder = match find(context).await? {
        Found::Ours(store) => return Ok(store),
        Found::Served { holder, .. } => holder,
    };
    let (purpose, clock) = (String::new(), Arc::clone(&context.clock));
    let store = Store::beside(StoreOptions { path: path(context)?, purpose, clock }, holder)?;
    acting::as_this_user(store, context).await
}

/// The same for a server.
pub(crate) async fn open_to_serve(context: &Context) -> anyhow::Result<Store> {
    ours(find_for(context, SERVER).await?)
}

fn ours(found: Found) -> anyhow::Result<Store> {
    match found {
        Found::Ours(store) => Ok(store),
        Found::Served { socket, .. } => {
            let what = format!("the server at {} has the database, and this cannot be asked of it", socket.display());
            Err(Problem::usage(
                what,
                "Stop that `sortie serve` (or command that follows a run) for as long as this takes.",
            )
            .into())
        }
    }
}

/// Looks where it is there already; a look makes none, and without a place for one there is none.
pub(crate) async fn look_existing(context: &Context) -> anyhow::Result<Option<Store>> {
    if path(context).is_ok_and(|path| path.exists()) { look(context).await.map(Some) } else { Ok(None) }
}

/// What commands without a tenant work on: what is for all tenants.
pub(crate) const SHARED: Scope = Scope::Tenant(TenantKey::SHARED);

/// Unlocks the secrets. The key is made when the first secret is kept, and a person is told to keep it apart.
pub(crate) async fn unlock(store: &Store, context: &Context) -> anyhow::Result<Keyring> {
    let source = source(context)?;
    let KeySource::File(path) = &source else { return open_with(store, &source).await };
    if !path.exists() && !store.has_key().await? {
        return Ok(store.unlock(create(path, context)?).await?);
    }
    let opened = open_with(store, &source).await;
    let fresh = fresh_place(path);
    if opened.is_ok() || !fresh.exists() {
        return opened;
    }
    // A rotation was cut off between the database and the files: the new key holds already.
    let Ok(keyring) = open_with(store, &KeySource::File(fresh)).await else { return opened };
    put_in_place(path, context.clock.now())?;
    Ok(keyring)
}

/// Gives the secrets a new key, and each tenant's a new data key. Tells how many were sealed anew, and where the old key is.
///
/// The new key is on the disk before the database depends on it; killed in between, [`unlock`] finishes.
pub(crate) async fn rotate_key(store: &Store, context: &Context) -> anyhow::Result<(u64, PathBuf)> {
    let KeySource::File(path) = source(context)? else {
        let what = format!("the key is in {}, which cannot be changed from here", key_place(context)?);
        let next = "Put its value into a file of mode 0600 and name that with `--key-file`; it takes the new key, too.";
        return Err(Problem::usage(what, next).into());
    };
    if !store.has_key().await? {
        let next = "A key is made when the first secret is kept.";
        return Err(Problem::usage("no secret was kept yet, so there is no key to rotate", next).into());
    }
    let keyring = unlock(store, context).await?;
    let fresh = fresh_place(&path);
    // What is left of a rotation that never came to the database opens nothing.
    match std::fs::remove_file(&fresh) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot replace {}", fresh.display()));
        }
        _ => {}
    }
    let master = MasterKey::create(&fresh).map_err(|kind| key_problem(&KeySource::File(fresh.clone()), kind))?;
    let keyring = store.rotate_master_key(&keyring, master).await?;
    let old = put_in_place(&path, context.clock.now())?;
    Ok((store.rotate_data_keys(&keyring, Scope::Every).await?, old))
}

/// Where the key is, in words.
pub(crate) fn key_place(context: &Context) -> anyhow::Result<String> {
    Ok(place_of(&source(context)?))
}

async fn open_with(store: &Store, source: &KeySource) -> anyhow::Result<Keyring> {
    let master = MasterKey::load(source, &store.installation().await?).map_err(|kind| key_problem(source, kind))?;
    Ok(store.unlock(master).await?)
}

/// The old key aside, under the time; the new one in its place.
fn put_in_place(path: &Path, now: Timestamp) -> anyhow::Result<PathBuf> {
    let mut old = path.as_os_str().to_owned();
    old.push(format!(".until-{}", now.strftime("%Y%m%dT%H%M%SZ")));
    let old = PathBuf::from(old);
    let moved = if path.exists() { std::fs::rename(path, &old) } else { Ok(()) };
    moved
        .and_then(|()| std::fs::rename(fresh_place(path), path))
        .with_context(|| format!("cannot put the new key into {}", path.display()))?;
    Ok(old)
}

fn fresh_place(path: &Path) -> PathBuf {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    PathBuf::from(fresh)
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
    sortie_store::StoreError { doing: format!("read the key in {}", place_of(source)), kind }.into()
}

fn place_of(source: &KeySource) -> String {
    match source {
        KeySource::File(path) => path.display().to_string(),
        KeySource::Text(_) | KeySource::Passphrase(_) if variable().is_some() => "the variable SORTIE_KEY".to_owned(),
        KeySource::Text(_) | KeySource::Passphrase(_) => format!("the credential {CREDENTIAL} of systemd"),
    }
}

/// `--key-file`, else the variable SORTIE_KEY, else the credential that systemd hands over, else the file beside the database.
fn source(context: &Context) -> anyhow::Result<KeySource> {
    if let Some(path) = &context.global.key_file {
        return Ok(KeySource::File(path.clone()));
    }
    if let Some(text) = variable() {
        return Ok(KeySource::Text(text));
    }
    match credential()? {
        Some(text) => Ok(KeySource::Text(text)),
        None => Ok(KeySource::File(path(context)?.with_extension("key"))),
    }
}

fn variable() -> Option<Secret> {
    std::env::var("SORTIE_KEY").ok().filter(|text| !text.is_empty()).map(Secret::new)
}

/// Systemd gives a service a folder that nobody else reads, whatever the mode of its files says (`LoadCredential=`).
fn credential() -> anyhow::Result<Option<Secret>> {
    let Some(folder) = std::env::var_os("CREDENTIALS_DIRECTORY").filter(|folder| !folder.is_empty()) else {
        return Ok(None);
    };
    let path = Path::new(&folder).join(CREDENTIAL);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(Secret::new(text))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read the credential {}", path.display())),
    }
}

/// `--database`, else the usual place of this user.
pub(crate) fn path(context: &Context) -> anyhow::Result<PathBuf> {
    if let Some(path) = &context.global.database {
        return Ok(path.clone());
    }
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_DATA_HOME").or_else(|| set("HOME").map(|home| home.join(".local/share")));
    let next = "Name the file with `--database FILE`.";
    let base = base.ok_or_else(|| Problem::usage("there is no place for the database: HOME is not set", next));
    Ok(base.context("cannot find the database")?.join("sortie/sortie.db"))
}

const CREDENTIAL: &str = "sortie.key";
/// Ten seconds together; most commands have it for some milliseconds.
const HELD_TRIES: u32 = 200;
const HELD_PAUSE: Duration = Duration::from_millis(50);
/// As what a server stands in the lock.
const SERVER: &str = "sortie serve";
