//! A certificate with its key, and the assertion that it signs (RFC 7523; Entra "certificate credentials").

use std::{
    fmt,
    path::{Path, PathBuf},
};

use aws_lc_rs::{
    digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest},
    rand::SystemRandom,
    rsa::KeyPair,
    signature::{KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use sortie_model::Secret;
use x509_parser::{
    pem::Pem,
    prelude::{FromDer, X509Certificate},
};

use crate::credential::{AssertionAlgorithm, CredentialError, read_text};

/// A certificate and the key that belongs to it.
pub struct Certificate {
    key: KeyPair,
    algorithm: AssertionAlgorithm,
    sha256: Vec<u8>,
    sha1: Vec<u8>,
    expires_at: Timestamp,
}

impl Certificate {
    /// Reads PEM from one file or two, and checks that they belong together and are valid `now`.
    pub(crate) fn load(
        certificate: &Path,
        key: Option<&Path>,
        algorithm: AssertionAlgorithm,
        now: Timestamp,
    ) -> Result<Self, CredentialError> {
        let der = certificate_der(certificate, &Secret::new(read_text(certificate)?))?;
        let key_path = key.unwrap_or(certificate);
        let key = private_key(key_path, &Secret::new(read_text(key_path)?))?;
        let broken = || CredentialError::CertificateBroken(certificate.to_owned());
        let (_, parsed) = X509Certificate::from_der(&der).map_err(|_| broken())?;
        // Both are the RSAPublicKey of RFC 8017 appendix A.1.1.
        if *parsed.public_key().subject_public_key.data != *key.public_key().as_ref() {
            return Err(CredentialError::KeyMismatch(certificate.to_owned()));
        }
        let instant =
            |time: x509_parser::time::ASN1Time| Timestamp::from_second(time.timestamp()).map_err(|_| broken());
        let (from, until) = (instant(parsed.validity().not_before)?, instant(parsed.validity().not_after)?);
        if now >= until {
            return Err(CredentialError::CertificateExpired(until));
        }
        if now < from {
            return Err(CredentialError::CertificateNotYetValid(from));
        }
        let hash = |algorithm| digest(algorithm, &der).as_ref().to_vec();
        let (sha256, sha1) = (hash(&SHA256), hash(&SHA1_FOR_LEGACY_USE_ONLY));
        Ok(Self { key, algorithm, sha256, sha1, expires_at: until })
    }

    /// When it ends.
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// SHA-1 of the certificate in capital hex: what the portal calls the thumbprint.
    pub fn portal_thumbprint(&self) -> String {
        self.sha1.iter().map(|byte| format!("{byte:02X}")).collect()
    }

    pub(crate) fn thumbprint_sha256(&self) -> &[u8] {
        &self.sha256
    }

    /// A signed assertion of `client` for that token endpoint, good for a few minutes.
    ///
    /// # Errors
    /// [`CredentialError::Signing`] when the key cannot sign.
    pub fn assertion(&self, client: &str, endpoint: &str, now: Timestamp) -> Result<Secret, CredentialError> {
        let header = match self.algorithm {
            AssertionAlgorithm::Ps256 => {
                serde_json::json!({"alg": "PS256", "typ": "JWT", "x5t#S256": URL_SAFE_NO_PAD.encode(&self.sha256)})
            }
            AssertionAlgorithm::Rs256 => {
                serde_json::json!({"alg": "RS256", "typ": "JWT", "x5t": URL_SAFE_NO_PAD.encode(&self.sha1)})
            }
        };
        let now = now.as_second();
        let claims = serde_json::json!({
            "aud": endpoint, "iss": client, "sub": client, "jti": uuid::Uuid::new_v4().to_string(),
            "iat": now, "nbf": now, "exp": now + ASSERTION_LIFETIME_S,
        });
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        let random = SystemRandom::new();
        match self.algorithm {
            AssertionAlgorithm::Ps256 => self.key.sign(&RSA_PSS_SHA256, &random, signed.as_bytes(), &mut signature),
            AssertionAlgorithm::Rs256 => self.key.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature),
        }
        .map_err(|_| CredentialError::Signing)?;
        Ok(Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

fn blocks(path: &Path, text: &Secret) -> Result<Vec<Pem>, CredentialError> {
    let text = text.expose();
    let not_pem = || CredentialError::NotPem(path.to_owned());
    if !text.contains("-----BEGIN ") {
        return Err(not_pem());
    }
    if text.contains("ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(CredentialError::KeyEncrypted(path.to_owned()));
    }
    Pem::iter_from_buffer(text.as_bytes()).collect::<Result<_, _>>().map_err(|_| not_pem())
}

fn certificate_der(path: &Path, text: &Secret) -> Result<Vec<u8>, CredentialError> {
    let certificate = blocks(path, text)?.into_iter().find(|block| block.label == "CERTIFICATE");
    certificate.map(|block| block.contents).ok_or_else(|| CredentialError::CertificateMissing(path.to_owned()))
}

fn private_key(path: &Path, text: &Secret) -> Result<KeyPair, CredentialError> {
    let unusable = || CredentialError::KeyUnusable(PathBuf::from(path));
    let block = blocks(path, text)?
        .into_iter()
        .find(|block| block.label.ends_with("PRIVATE KEY"))
        .ok_or_else(|| CredentialError::KeyMissing(path.to_owned()))?;
    match block.label.as_str() {
        "PRIVATE KEY" => KeyPair::from_pkcs8(&block.contents).map_err(|_| unusable()),
        "RSA PRIVATE KEY" => KeyPair::from_der(&block.contents).map_err(|_| unusable()),
        _ => Err(unusable()), // An elliptic key, for example: Entra takes RSA only.
    }
}

/// Microsoft recommends five to ten minutes after `nbf`.
const ASSERTION_LIFETIME_S: i64 = 600;

#[cfg(test)]
mod tests;
