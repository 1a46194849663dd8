//! What outlives a run: orders to devices and places in streams, in a folder of this user.
//!
//! A file is replaced in one step and forced to disk before the run goes on, so that after a crash it says what was
//! known. One process at a time holds the lock of a file.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};

use crate::{exit::Problem, settings::write_private};

/// `--state-folder`, else the usual place of this user.
pub(crate) fn folder(option: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(folder) = option {
        return Ok(folder.to_owned());
    }
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_STATE_HOME").or_else(|| set("HOME").map(|home| home.join(".local/state")));
    let base = base.ok_or_else(|| {
        Problem::usage(
            "there is no place for the state: HOME is not set",
            "Name a folder with `--state-folder FOLDER`.",
        )
    })?;
    Ok(base.join("sortie"))
}

/// One file of the state, locked for this process until it is dropped.
#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
    /// The lock lies in a file of its own, because the file itself is replaced.
    _lock: File,
}

impl StateFile {
    /// Takes the lock; while another process has it, `held` is called once and the lock is waited for.
    pub(crate) async fn lock(path: PathBuf, held: impl FnOnce()) -> anyhow::Result<Self> {
        let lock = open_lock(&path)?;
        let mut held = Some(held);
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(Self { path, _lock: lock }),
                Err(TryLockError::WouldBlock) => {
                    if let Some(held) = held.take() {
                        held();
                    }
                    tokio::time::sleep(LOCK_PAUSE).await;
                }
                Err(TryLockError::Error(error)) => return Err(cannot("lock", &path, error)),
            }
        }
    }

    /// Takes the lock, or `None` while another process has it.
    pub(crate) fn try_lock(path: PathBuf) -> anyhow::Result<Option<Self>> {
        let lock = open_lock(&path)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self { path, _lock: lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(cannot("lock", &path, error)),
        }
    }

    /// What was written last; `None` where nothing was.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> anyhow::Result<Option<T>> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(cannot("read", &self.path, error)),
        };
        serde_json::from_slice(&text).map(Some).map_err(|error| {
            let what = format!("the state file {} cannot be understood: {error}", self.path.display());
            let next = "It was written by a newer version or changed by hand. Move it away only after you have looked at what it was about.";
            Problem::usage(what, next).into()
        })
    }

    /// Replaces the content and forces it to disk.
    pub(crate) fn write(&self, content: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_vec(content).map_err(io::Error::other)?;
        write_private(&self.path, &text)?;
        // The new name must outlive a power failure, too.
        if let Some(folder) = self.path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    /// Forgets the content.
    pub(crate) fn clear(&self) -> anyhow::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(cannot("remove", &self.path, error)),
            _ => Ok(()),
        }
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

fn open_lock(path: &Path) -> anyhow::Result<File> {
    let lock = path.with_added_extension("lock");
    let open = || {
        if let Some(folder) = lock.parent() {
            fs::create_dir_all(folder)?;
        }
        File::options().create(true).truncate(false).write(true).open(&lock)
    };
    open().map_err(|error| cannot("open", &lock, error))
}

fn cannot(verb: &str, path: &Path, error: io::Error) -> anyhow::Error {
    let next = "Check the folder's owner and the room on its disk, or name another with `--state-folder FOLDER`.";
    let what = format!("cannot {verb} the state file {}", path.display());
    anyhow::Error::from(error).context(Problem { exit: crate::exit::Exit::Failure, what, next: next.to_owned() })
}

/// The text as a name of a file: what is not plain becomes `_`.
pub(crate) fn file_name(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '.') { c } else { '_' }).collect()
}

/// How often a lock that another process holds is tried.
const LOCK_PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_holder_at_a_time_and_what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orders/a.json");
        let file = StateFile::lock(path.clone(), || ()).await.unwrap();
        assert_eq!(file.read::<Vec<u8>>().unwrap(), None);
        file.write(&vec![1, 2]).unwrap();
        assert!(StateFile::try_lock(path.clone()).unwrap().is_none());
        drop(file);
        let file = StateFile::try_lock(path).unwrap().unwrap();
        assert_eq!(file.read::<Vec<u8>>().unwrap(), Some(vec![1, 2]));
        file.clear().unwrap();
        file.clear().unwrap();
        assert_eq!(file.read::<Vec<u8>>().unwrap(), None);
    }

    #[tokio::test]
    async fn a_file_of_another_form_is_refused_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        fs::write(&path, "not json").unwrap();
        let file = StateFile::try_lock(path.clone()).unwrap().unwrap();
        let error = file.read::<Vec<u8>>().unwrap_err();
        assert!(error.to_string().contains("cannot be understood"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"not json");
    }

    #[test]
    fn a_name_cannot_leave_its_folder() {
        assert_eq!(file_name("../a b/c:1"), ".._a_b_c_1");
    }
}
