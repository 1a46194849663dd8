//! The store itself: opening, closing, and the two ways in, writing and reading.

use std::{path::PathBuf, sync::Arc};

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};
use sortie_model::Clock;

use crate::{
    Actor, Guardrails, Scope, StoreError, StoreErrorKind, Tenant, TenantKey,
    cache::Cache,
    file_lock::FileLock,
    hooks::Hooks,
    readers::Readers,
    runs::{Claims, Fresh},
    schema,
    writer::{Steps, Writer, Writing, Written},
};

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The database file; made where it is absent, its folder too.
    pub path: PathBuf,
    /// What the process is doing, for whoever finds it locked: `sortie serve`.
    pub purpose: String,
    /// Every instant that is written comes from it.
    pub clock: Arc<dyn Clock>,
}

/// One open database. Clones share it; the last one that goes closes it.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
    /// In whose name this clone writes.
    actor: Arc<Actor>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    writer: Writer,
    readers: Readers,
    pub(crate) path: PathBuf,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tenants: Cache<Scope, Vec<Tenant>>,
    pub(crate) guardrails: Cache<TenantKey, Guardrails>,
    /// All of them together.
    pub(crate) hooks: Cache<(), Arc<Hooks>>,
    pub(crate) claims: Arc<Claims>,
    pub(crate) fresh: Arc<Fresh>,
    /// None where another process has the database.
    lock: Option<FileLock>,
}

impl Inner {
    pub(crate) fn changed(&self) -> tokio::sync::watch::Receiver<()> {
        self.writer.changed()
    }

    pub(crate) fn settings_edition(&self) -> u64 {
        self.writer.settings_edition()
    }
}

impl Store {
    /// Takes the lock, opens the file and brings it to the present form. Blocks while it migrates.
    ///
    /// # Errors
    /// [`StoreError`]: held by another process, made by a newer version, damaged, or not ours. The file is then untouched.
    pub fn open(options: StoreOptions) -> Result<Self, StoreError> {
        let shown = options.path.display().to_string();
        let failed = |kind| StoreError::new(format!("open {shown}"), kind);
        if let Some(folder) = options.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|error| {
                failed(StoreErrorKind::File { path: folder.display().to_string(), source: Arc::new(error) })
            })?;
        }
        let lock = FileLock::take(&options.path, &options.purpose).map_err(failed)?;
        let fresh: Arc<Fresh> = Arc::default();
        let open = || -> Result<(Writer, Readers), StoreErrorKind> {
            let flags =
                OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            make_private(&options.path)?;
            let mut connection = Connection::open_with_flags(&options.path, flags)?;
            schema::open(&mut connection, &shown, options.clock.now())?;
            let readers = Readers::open(&options.path)?;
            let writer = Writer::start(connection, Arc::clone(&fresh))
                .map_err(|error| StoreErrorKind::File { path: shown.clone(), source: Arc::new(error) })?;
            Ok((writer, readers))
        };
        let (writer, readers) = open().map_err(failed)?;
        Ok(Self::of(writer, readers, options, fresh, Some(lock)))
    }

    /// Looks at a database that another process has: what is read is as it was last committed, and every write is refused as
    /// held by that process. What was read once of tenants and guardrails is not read again.
    ///
    /// # Errors
    /// [`StoreError`]: no such file, not ours, or of a newer version; held where an older version has it.
    pub fn beside(options: StoreOptions, holder: String) -> Result<Self, StoreError> {
        let shown = options.path.display().to_string();
        let held = StoreErrorKind::Held { path: shown.clone(), holder };
        let open = || -> Result<Readers, StoreErrorKind> {
            let readers = Readers::open(&options.path)?;
            match readers.lent(|connection| schema::is_todays(connection, &shown))? {
                true => Ok(readers),
                false => Err(held.clone()),
            }
        };
        let readers = open().map_err(|kind| StoreError::new(format!("look into {shown}"), kind))?;
        Ok(Self::of(Writer::refusing(held), readers, options, Arc::default(), None))
    }

    fn of(writer: Writer, readers: Readers, options: StoreOptions, fresh: Arc<Fresh>, lock: Option<FileLock>) -> Self {
        let (tenants, guardrails, hooks) = (Cache::default(), Cache::default(), Cache::default());
        let (claims, StoreOptions { path, clock, .. }) = (Arc::default(), options);
        let inner = Inner { writer, readers, path, clock, tenants, guardrails, hooks, claims, fresh, lock };
        Self { inner: Arc::new(inner), actor: Arc::new(Actor::system()) }
    }

    /// The same database in somebody's name: what is done through it is permitted by the actor's grants alone, and stands
    /// under that name in the audit log. Whoever opens a store acts as Sortie itself until then.
    #[must_use]
    pub fn acting_as(&self, actor: Actor) -> Self {
        Self { inner: Arc::clone(&self.inner), actor: Arc::new(actor) }
    }

    /// In whose name it writes.
    pub fn actor(&self) -> Arc<Actor> {
        Arc::clone(&self.actor)
    }

    /// Whether another process has the database, so that nothing is written through this.
    pub fn is_beside(&self) -> bool {
        self.inner.lock.is_none()
    }

    /// What was written since the file was opened.
    pub fn written(&self) -> Written {
        self.inner.writer.written()
    }

    /// Writes what has queued and lets the file go. Later calls are refused.
    pub fn close(&self) {
        self.inner.writer.close();
    }

    /// The file.
    pub fn path(&self) -> &std::path::Path {
        &self.inner.path
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// One transaction that is on the disk when this returns.
    pub(crate) async fn write<T, F>(&self, doing: &str, write: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Writing<'_>) -> Result<T, StoreErrorKind> + Send + 'static,
    {
        self.inner.writer.write(doing, Steps::Several, write).await
    }

    /// The same where what may be left of a write that fails is known.
    pub(crate) async fn write_in<T, F>(&self, steps: Steps, doing: &str, write: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Writing<'_>) -> Result<T, StoreErrorKind> + Send + 'static,
    {
        self.inner.writer.write(doing, steps, write).await
    }

    /// The same for a write that fails, if it does, before its only statement that writes, or by it.
    pub(crate) async fn write_statement<T, F>(&self, doing: &str, write: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Writing<'_>) -> Result<T, StoreErrorKind> + Send + 'static,
    {
        self.inner.writer.write(doing, Steps::One, write).await
    }

    /// One consistent look.
    pub(crate) async fn read<T, F>(&self, doing: &str, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreErrorKind> + Send + 'static,
    {
        self.inner.readers.read(doing, read).await
    }

    /// The same for a few rows by their keys.
    pub(crate) async fn look<T>(
        &self,
        doing: &str,
        look: impl FnOnce(&Connection) -> Result<T, StoreErrorKind> + Send,
    ) -> Result<T, StoreError> {
        self.inner.readers.look(doing, look).await
    }
}

/// A new database is its user's own: it holds what analysts wrote and what services answered. One that is there keeps
/// the rights that it has.
pub(crate) fn make_private(path: &std::path::Path) -> Result<(), StoreErrorKind> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    match options.open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(StoreErrorKind::File { path: path.display().to_string(), source: Arc::new(error) })
        }
        _ => Ok(()),
    }
}

/// Microseconds, as the tables keep instants.
pub(crate) fn instant(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(microseconds).unwrap_or(Timestamp::MAX)
}
