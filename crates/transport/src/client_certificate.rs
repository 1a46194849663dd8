//! A certificate that proves us to a service during the handshake (mutual TLS).

use std::path::{Path, PathBuf};

use rustls::{crypto::aws_lc_rs, sign::CertifiedKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use crate::settings::TransportSettingsError;

/// Where it is, as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate, then those that lead to its authority; the key may be in the same file.
    pub certificate: PathBuf,
    /// The key, where it is a file of its own.
    pub key: Option<PathBuf>,
}

impl ClientCertificate {
    /// Reads both and checks that they belong together; the HTTP library would find out late, and say less.
    pub(crate) fn load(&self) -> Result<reqwest::Identity, TransportSettingsError> {
        let key_path = self.key.as_ref().unwrap_or(&self.certificate);
        let (mut pem, key_pem) = (read(&self.certificate)?, read(key_path)?);
        let unusable = |path: &Path, why: &'static str| TransportSettingsError::ClientCertificateUnusable {
            path: path.to_owned(),
            why,
        };
        let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem)
            .collect::<Result<_, _>>()
            .map_err(|_| unusable(&self.certificate, "it is no readable PEM"))?;
        if certificates.is_empty() {
            return Err(unusable(&self.certificate, "it holds no certificate"));
        }
        let is_encrypted = ["ENCRYPTED PRIVATE KEY", "Proc-Type: 4,ENCRYPTED"]
            .iter()
            .any(|mark| key_pem.windows(mark.len()).any(|part| part == mark.as_bytes()));
        if is_encrypted {
            return Err(unusable(key_path, "its private key is encrypted"));
        }
        let key = PrivateKeyDer::from_pem_slice(&key_pem)
            .map_err(|_| unusable(key_path, "it holds no readable private key"))?;
        let signing = aws_lc_rs::default_provider()
            .key_provider
            .load_private_key(key)
            .map_err(|_| unusable(key_path, "its private key is of no usable kind"))?;
        CertifiedKey::new(certificates, signing)
            .keys_match()
            .map_err(|_| unusable(key_path, "its private key does not belong to the certificate"))?;
        if self.key.is_some() {
            pem.push(b'\n');
            pem.extend(key_pem);
        }
        reqwest::Identity::from_pem(&pem)
            .map_err(|_| unusable(&self.certificate, "it holds no certificate with one private key"))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TransportSettingsError> {
    let unreadable = |source| TransportSettingsError::ClientCertificateUnreadable { path: path.to_owned(), source };
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if length > FILE_BYTES_MAX {
        let why = "it is too large for a certificate";
        return Err(TransportSettingsError::ClientCertificateUnusable { path: path.to_owned(), why });
    }
    std::fs::read(path).map_err(unreadable)
}

const FILE_BYTES_MAX: u64 = 256 << 10;
