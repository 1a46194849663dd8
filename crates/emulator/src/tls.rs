//! The emulator's own certificate authority. Its certificate is written out for clients; its key never leaves memory.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A key or certificate could not be made.
    #[error("the certificate authority could not be made")]
    Certificate(#[from] rcgen::Error),
    /// rustls did not take the key or certificate.
    #[error("the certificate was not accepted by the TLS library")]
    Configuration(#[from] rustls::Error),
    /// `ca.pem` could not be written.
    #[error("could not write `{path}`")]
    Write {
        /// Where it should have gone.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// Makes a new authority and one certificate for all names that the emulator answers to, writes `ca.pem` into `folder`,
/// and gives the file's path with the server side of TLS (HTTP/2 and HTTP/1.1).
pub(crate) fn set_up(folder: &Path) -> Result<(PathBuf, Arc<ServerConfig>), TlsError> {
    let authority = CertifiedIssuer::self_signed(authority_params(), KeyPair::generate()?)?;
    let names: Vec<String> =
        ["localhost", "127.0.0.1", "::1"].iter().chain(REAL_NAMES).map(|&name| name.to_owned()).collect();
    let names: Vec<String> = names.into_iter().chain(REAL_DOMAINS.iter().map(|domain| format!("*.{domain}"))).collect();
    let mut leaf = CertificateParams::new(names)?;
    leaf.distinguished_name.push(DnType::CommonName, "Sortie emulator");
    leaf.use_authority_key_identifier_extension = true;
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let leaf_key = KeyPair::generate()?;
    let certificate = leaf.signed_by(&leaf_key, &authority)?;
    let path = folder.join("ca.pem");
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&path, authority.pem()))
        .map_err(|source| TlsError::Write { path: path.clone(), source })?;
    Ok((path, Arc::new(server_config(certificate.der().clone(), &leaf_key)?)))
}

fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Sortie emulator authority (for tests on this machine only)");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn server_config(certificate: CertificateDer<'static>, key: &KeyPair) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Whether a host, in lower case, is one of Microsoft's that the emulator stands in for.
pub(crate) fn is_real_name(host: &str) -> bool {
    let below = |domain: &str| host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == domain);
    REAL_NAMES.contains(&host) || REAL_DOMAINS.iter().any(|domain| below(domain))
}

/// Domains below which each customer has a name of its own. The regions of Defender for Cloud Apps are those of public
/// documents (M).
pub(crate) const REAL_DOMAINS: &[&str] = &[
    "vault.azure.net",
    "us.portal.cloudappsecurity.com",
    "us2.portal.cloudappsecurity.com",
    "us3.portal.cloudappsecurity.com",
    "eu.portal.cloudappsecurity.com",
    "eu2.portal.cloudappsecurity.com",
];

/// Microsoft's host names that the certificate is valid for: login, Graph, and the Defender services with their
/// regional hosts (facts section 10).
pub(crate) const REAL_NAMES: &[&str] = &[
    "login.microsoftonline.com",
    "login.windows.net",
    "login.microsoft.com",
    "sts.windows.net",
    "graph.microsoft.com",
    "api.security.microsoft.com",
    "us.api.security.microsoft.com",
    "eu.api.security.microsoft.com",
    "uk.api.security.microsoft.com",
    "au.api.security.microsoft.com",
    "swa.api.security.microsoft.com",
    "api-us.security.microsoft.com",
    "api-eu.security.microsoft.com",
    "api-uk.security.microsoft.com",
    "api.securitycenter.microsoft.com",
    "us.api.securitycenter.microsoft.com",
    "eu.api.securitycenter.microsoft.com",
    "uk.api.securitycenter.microsoft.com",
    "au.api.securitycenter.microsoft.com",
    "swa.api.securitycenter.microsoft.com",
    "api-us.securitycenter.microsoft.com",
    "api-eu.securitycenter.microsoft.com",
    "api-uk.securitycenter.microsoft.com",
    "api.securitycenter.windows.com",
    "api-us.securitycenter.windows.com",
    "api-eu.securitycenter.windows.com",
    "api-uk.securitycenter.windows.com",
];
