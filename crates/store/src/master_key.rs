//! The key-encryption key: where it comes from, how it is made, and how it seals.
//!
//! It wraps one data key per tenant; only those seal secrets. XChaCha20-Poly1305 throughout (draft-irtf-cfrg-xchacha-03),
//! with associated data that says what a sealed text belongs to.

use std::{
    fmt,
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine, prelude::BASE64_STANDARD};
use chacha20poly1305::{
    Key, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use rand::{Rng, rng};
use sortie_model::Secret;
use zeroize::Zeroizing;

use crate::{StoreErrorKind, error::KeyProblem};

/// Where the key-encryption key is found.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// A file of mode 0600 with 32 bytes in base64.
    File(PathBuf),
    /// The text of an environment variable or of a systemd credential: 32 bytes in base64.
    Text(Secret),
    /// Something that a person remembers; Argon2id makes the key of it (RFC 9106, second recommended option).
    Passphrase(Secret),
}

/// The key-encryption key. `Debug` shows nothing of it; its memory is wiped.
#[derive(Clone)]
pub struct MasterKey(pub(crate) SealingKey);

/// A key that seals.
#[derive(Clone)]
pub(crate) struct SealingKey(Arc<Zeroizing<[u8; 32]>>);

impl MasterKey {
    /// Reads the key. `installation` is the id that the database was made with; it salts a passphrase.
    ///
    /// # Errors
    /// [`StoreErrorKind::Key`] when there is none, it is malformed, or others can read its file.
    pub fn load(source: &KeySource, installation: &[u8; 16]) -> Result<Self, StoreErrorKind> {
        match source {
            KeySource::File(path) => Self::read(path),
            KeySource::Text(text) => Self::decode(text.expose()),
            KeySource::Passphrase(passphrase) => Self::derive(passphrase, installation),
        }
    }

    /// Makes a new key in a new file that only its owner can read.
    ///
    /// # Errors
    /// [`StoreErrorKind::File`] when the file exists or cannot be written.
    pub fn create(path: &Path) -> Result<Self, StoreErrorKind> {
        let failed = |source| StoreErrorKind::File { path: path.display().to_string(), source: Arc::new(source) };
        let key = SealingKey::fresh();
        let text = Zeroizing::new(format!("{}\n", BASE64_STANDARD.encode(&key.0[..])));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut file = options.open(path).map_err(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        Ok(Self(key))
    }

    fn read(path: &Path) -> Result<Self, StoreErrorKind> {
        let failed = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::NotFound => StoreErrorKind::Key(KeyProblem::Missing),
            _ => StoreErrorKind::File { path: path.display().to_string(), source: Arc::new(source) },
        };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode();
            if mode & 0o077 != 0 {
                return Err(KeyProblem::Exposed.into());
            }
        }
        Self::decode(&Zeroizing::new(std::fs::read_to_string(path).map_err(failed)?))
    }

    fn decode(text: &str) -> Result<Self, StoreErrorKind> {
        let bytes = BASE64_STANDARD.decode(text.trim()).map(Zeroizing::new).map_err(|_| KeyProblem::Malformed)?;
        SealingKey::of(&bytes).map(Self).ok_or_else(|| KeyProblem::Malformed.into())
    }

    fn derive(passphrase: &Secret, installation: &[u8; 16]) -> Result<Self, StoreErrorKind> {
        let params = Params::new(MEMORY_KIB, PASSES, 4, Some(32)).map_err(|_| KeyProblem::Malformed)?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.expose().as_bytes(), installation, &mut key[..])
            .map_err(|_| KeyProblem::Malformed)?;
        Ok(Self(SealingKey(Arc::new(key))))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

impl SealingKey {
    pub(crate) fn fresh() -> Self {
        let mut key = Zeroizing::new([0; 32]);
        rng().fill_bytes(&mut key[..]);
        Self(Arc::new(key))
    }

    /// `None` unless there are 32 bytes.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        let key: [u8; 32] = bytes.try_into().ok()?;
        Some(Self(Arc::new(Zeroizing::new(key))))
    }

    /// Wraps another key.
    pub(crate) fn wrap(&self, key: &Self, belongs_to: &[u8]) -> Vec<u8> {
        self.seal(&key.0[..], belongs_to)
    }

    /// A random nonce, then the sealed text with its tag.
    pub(crate) fn seal(&self, text: &[u8], belongs_to: &[u8]) -> Vec<u8> {
        let mut sealed = vec![0; NONCE_LEN];
        rng().fill_bytes(&mut sealed[..]);
        let nonce = XNonce::try_from(&sealed[..]).expect("the nonce has its length");
        let payload = Payload { msg: text, aad: belongs_to };
        let body = self.cipher().encrypt(&nonce, payload).expect("a text of this size can be sealed");
        sealed.extend(body);
        sealed
    }

    /// `None` when another key sealed it, when it belongs to something else, or when a bit of it was changed.
    pub(crate) fn open(&self, sealed: &[u8], belongs_to: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = XNonce::try_from(nonce).ok()?;
        self.cipher().decrypt(&nonce, Payload { msg: body, aad: belongs_to }).ok().map(Zeroizing::new)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(**self.0))
    }
}

const NONCE_LEN: usize = 24;
const MEMORY_KIB: u32 = 64 << 10;
const PASSES: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_text_opens_only_with_its_key_and_its_place() {
        let (key, other) = (SealingKey::fresh(), SealingKey::fresh());
        let sealed = key.seal(b"hunter2", b"here");
        assert_eq!(key.open(&sealed, b"here").unwrap().as_slice(), b"hunter2");
        assert!(other.open(&sealed, b"here").is_none());
        assert!(key.open(&sealed, b"there").is_none());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.open(&changed, b"here").is_none(), "byte {at}");
        }
        assert!(key.open(&sealed[..10], b"here").is_none());
        assert_ne!(sealed, key.seal(b"hunter2", b"here"), "no nonce is used twice");
    }

    #[test]
    fn a_key_file_is_private_and_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made/sortie.key");
        let made = MasterKey::create(&path).unwrap();
        let read = MasterKey::load(&KeySource::File(path.clone()), &[0; 16]).unwrap();
        assert_eq!(read.0.0, made.0.0);
        assert!(matches!(MasterKey::create(&path), Err(StoreErrorKind::File { .. })), "a key is never overwritten");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
            let exposed = MasterKey::load(&KeySource::File(path), &[0; 16]);
            assert!(matches!(exposed, Err(StoreErrorKind::Key(KeyProblem::Exposed))));
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_a_passphrase_depends_on_the_installation() {
        let load = |source: KeySource, installation: [u8; 16]| MasterKey::load(&source, &installation);
        for wrong in ["", "hunter2", "aGk=", &BASE64_STANDARD.encode([7; 33])] {
            let refused = load(KeySource::Text(Secret::new(wrong)), [0; 16]);
            assert!(matches!(refused, Err(StoreErrorKind::Key(KeyProblem::Malformed))), "{wrong}");
        }
        let absent = load(KeySource::File("/nonexistent/sortie.key".into()), [0; 16]);
        assert!(matches!(absent, Err(StoreErrorKind::Key(KeyProblem::Missing))));
        let phrase =
            |installation| load(KeySource::Passphrase(Secret::new("correct horse")), installation).unwrap().0.0;
        assert_eq!(phrase([1; 16]), phrase([1; 16]));
        assert_ne!(phrase([1; 16]), phrase([2; 16]));
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", MasterKey(SealingKey::fresh())), "MasterKey(..)");
    }
}
