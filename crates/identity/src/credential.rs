//! How an application proves itself: referred to in settings, loaded at start, never shown.

use std::{fmt, io, path::PathBuf, sync::Arc};

use aws_lc_rs::digest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sortie_model::Secret;
use url::Url;

use crate::certificate::Certificate;

/// A reference to a credential, as a settings file holds it. No secret is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum CredentialSource {
    /// A client secret in an environment variable.
    Environment {
        /// Its name, usually `AZURE_CLIENT_SECRET`.
        variable: String,
    },
    /// A client secret in a file of its own.
    File {
        /// The file.
        path: PathBuf,
    },
    /// A client secret on standard input.
    Stdin,
    /// A client secret that a person types, unseen.
    Prompt,
    /// A certificate with its private key, both PEM.
    Certificate {
        /// The certificate; the key may be in the same file.
        certificate: PathBuf,
        /// The private key, where it is a file of its own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<PathBuf>,
        /// How the assertion is signed.
        #[serde(default)]
        algorithm: AssertionAlgorithm,
    },
    /// A certificate with its private key in the file that an environment variable names.
    CertificateEnvironment {
        /// Its name, usually `AZURE_CLIENT_CERTIFICATE_PATH`.
        variable: String,
        /// How the assertion is signed.
        #[serde(default)]
        algorithm: AssertionAlgorithm,
    },
    /// Another identity provider's token in a file that is read again for each request, as AKS keeps it.
    FederatedFile {
        /// The file.
        path: PathBuf,
    },
    /// Another identity provider's token from an address that a bearer opens, as GitHub Actions offers it.
    FederatedUrl {
        /// The variable with the address; it changes with every job.
        #[serde(default = "github_url_variable")]
        url_variable: String,
        /// The variable with the bearer.
        #[serde(default = "github_bearer_variable")]
        bearer_variable: String,
        /// The audience to ask for; must be the one of the federated credential.
        #[serde(default = "exchange_audience")]
        audience: String,
    },
    /// The machine's own identity, from its metadata service. At most one id may be given.
    ManagedIdentity {
        /// The identity's client id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_id: Option<String>,
        /// Or its object id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        object_id: Option<String>,
        /// Or its Azure resource id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resource_id: Option<String>,
    },
}

/// How a certificate's assertion is signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AssertionAlgorithm {
    /// PS256 with `x5t#S256`: what Microsoft documents today.
    #[default]
    Ps256,
    /// RS256 with `x5t`: the older form, for keys and servers (AD FS) that know no PSS.
    Rs256,
}

/// A loaded credential. `Debug` shows no secret.
#[derive(Clone)]
pub enum Credential {
    /// A client secret.
    Secret(Secret),
    /// A certificate with its key.
    Certificate(Arc<Certificate>),
    /// A file with another provider's token.
    FederatedFile(PathBuf),
    /// An address that gives another provider's token.
    FederatedUrl {
        /// The address, audience included.
        url: Url,
        /// What opens it.
        bearer: Secret,
    },
    /// The machine's own identity; which one of several.
    ManagedIdentity(ManagedIdentityId),
}

/// Which identity of a machine that has several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManagedIdentityId {
    /// The only one, or the system-assigned one.
    Default,
    /// By client id.
    Client(String),
    /// By object id.
    Object(String),
    /// By Azure resource id.
    Resource(String),
}

/// Where texts come from that identity never reads itself.
pub trait SecretInput {
    /// An environment variable.
    fn variable(&self, name: &str) -> Option<String>;

    /// All of standard input.
    ///
    /// # Errors
    /// When it cannot be read.
    fn stdin(&self) -> io::Result<Secret>;

    /// What a person types, unseen.
    ///
    /// # Errors
    /// When there is no terminal or the person gives up.
    fn prompt(&self, question: &str) -> io::Result<Secret>;
}

/// The process's environment; neither standard input nor a terminal, which belong to the command line.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessInput;

impl SecretInput for ProcessInput {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn stdin(&self) -> io::Result<Secret> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }

    fn prompt(&self, _question: &str) -> io::Result<Secret> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }
}

/// Something that is probably wrong with a credential although it can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialWarning {
    /// Secret values are no GUIDs; secret ids are.
    #[error(
        "this client secret looks like a GUID: it is probably the Secret ID; copy the column \"Value\" of \"Certificates & secrets\" instead, which the portal shows only right after the secret was made"
    )]
    SecretIdInsteadOfValue,
}

/// Why a credential cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The environment variable is not set.
    #[error("the environment variable `{0}` is not set")]
    VariableMissing(String),
    /// There is no such file.
    #[error("the file `{}` does not exist", .0.display())]
    FileMissing(PathBuf),
    /// The file cannot be read.
    #[error("the file `{}` cannot be read", path.display())]
    FileUnreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is not of a sensible size for what it should hold.
    #[error("the file `{}` is too large to be a credential", .0.display())]
    FileTooLarge(PathBuf),
    /// Standard input or the terminal gave nothing.
    #[error("no secret could be read from {from}")]
    InputUnreadable {
        /// Where from.
        from: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is a place for a secret, but no secret in it.
    #[error("the secret from {0} is empty")]
    Empty(String),
    /// A line break or another control character in the middle.
    #[error("the secret from {0} holds line breaks or control characters")]
    ControlCharacters(String),
    /// No PEM at all: PKCS#12 or DER, for example.
    #[error("`{}` is not PEM text", .0.display())]
    NotPem(PathBuf),
    /// PEM without a certificate.
    #[error("`{}` holds no certificate", .0.display())]
    CertificateMissing(PathBuf),
    /// The certificate cannot be read.
    #[error("the certificate in `{}` is broken", .0.display())]
    CertificateBroken(PathBuf),
    /// A certificate, but no private key.
    #[error("`{}` holds no private key", .0.display())]
    KeyMissing(PathBuf),
    /// The private key is protected by a password.
    #[error("the private key in `{}` is encrypted", .0.display())]
    KeyEncrypted(PathBuf),
    /// The private key is not RSA, or broken.
    #[error("the private key in `{}` is no usable RSA key", .0.display())]
    KeyUnusable(PathBuf),
    /// The key belongs to another certificate.
    #[error("the private key does not belong to the certificate in `{}`", .0.display())]
    KeyMismatch(PathBuf),
    /// The certificate's time is over.
    #[error("the certificate expired on {0}")]
    CertificateExpired(Timestamp),
    /// The certificate's time has not come.
    #[error("the certificate is not valid before {0}")]
    CertificateNotYetValid(Timestamp),
    /// The variable does not hold an address.
    #[error("the environment variable `{0}` holds no address")]
    BadUrl(String),
    /// More than one id of a managed identity.
    #[error("a managed identity is named by one id, but several are given")]
    SeveralIds,
    /// The federated token's address answered something else.
    #[error("the identity provider gave no token (status {0})")]
    FederatedRefused(u16),
    /// The signature could not be made.
    #[error("the assertion could not be signed")]
    Signing,
}

/// What the variables that Microsoft's own libraries read say. Texts are as set; the caller parses them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AzureEnvironment {
    /// `AZURE_TENANT_ID`.
    pub tenant: Option<String>,
    /// `AZURE_CLIENT_ID`.
    pub client_id: Option<String>,
    /// `AZURE_AUTHORITY_HOST`: the login host; a bare name there means https.
    pub authority_host: Option<Url>,
    /// The credential that `AZURE_CLIENT_SECRET`, `AZURE_CLIENT_CERTIFICATE_PATH` or `AZURE_FEDERATED_TOKEN_FILE` refers to.
    pub credential: Option<CredentialSource>,
}

impl AzureEnvironment {
    /// Reads them; what is unset or blank is `None`.
    ///
    /// # Errors
    /// [`CredentialError::BadUrl`] when `AZURE_AUTHORITY_HOST` is no address.
    pub fn read(input: &dyn SecretInput) -> Result<Self, CredentialError> {
        let authority_host = set(input, "AZURE_AUTHORITY_HOST").map(|text| {
            let text = if text.contains("://") { text } else { format!("https://{text}") };
            let host = Url::parse(&text).ok().filter(Url::has_host);
            host.ok_or_else(|| CredentialError::BadUrl("AZURE_AUTHORITY_HOST".to_owned()))
        });
        Ok(Self {
            tenant: set(input, "AZURE_TENANT_ID"),
            client_id: set(input, "AZURE_CLIENT_ID"),
            authority_host: authority_host.transpose()?,
            credential: CredentialSource::from_azure_environment(input),
        })
    }
}

impl CredentialSource {
    /// What the usual `AZURE_*` variables refer to: secret first, then certificate, then federated token file, the order of
    /// Microsoft's own libraries.
    pub fn from_azure_environment(input: &dyn SecretInput) -> Option<Self> {
        let set = |name: &str| set(input, name);
        if set("AZURE_CLIENT_SECRET").is_some() {
            return Some(Self::Environment { variable: "AZURE_CLIENT_SECRET".to_owned() });
        }
        if set("AZURE_CLIENT_CERTIFICATE_PATH").is_some() {
            let variable = "AZURE_CLIENT_CERTIFICATE_PATH".to_owned();
            return Some(Self::CertificateEnvironment { variable, algorithm: AssertionAlgorithm::default() });
        }
        set("AZURE_FEDERATED_TOKEN_FILE").map(|path| Self::FederatedFile { path: path.into() })
    }

    /// Loads what is referred to. `now` tells whether a certificate is still valid.
    ///
    /// # Errors
    /// [`CredentialError`], which the operator puts right; its `remedy` says how.
    pub fn load(&self, input: &dyn SecretInput, now: Timestamp) -> Result<Credential, CredentialError> {
        match self {
            Self::Environment { variable } => {
                secret(Secret::new(required(input, variable)?), format!("the environment variable `{variable}`"))
            }
            Self::File { path } => secret(Secret::new(read_text(path)?), format!("the file `{}`", path.display())),
            Self::Stdin => {
                let from = "standard input";
                let text = input.stdin().map_err(|source| CredentialError::InputUnreadable { from, source })?;
                secret(text, from.to_owned())
            }
            Self::Prompt => {
                let from = "the terminal";
                let text = input.prompt("Client secret");
                secret(text.map_err(|source| CredentialError::InputUnreadable { from, source })?, from.to_owned())
            }
            Self::Certificate { certificate, key, algorithm } => {
                let loaded = Certificate::load(certificate, key.as_deref(), *algorithm, now)?;
                Ok(Credential::Certificate(Arc::new(loaded)))
            }
            Self::CertificateEnvironment { variable, algorithm } => {
                let path = PathBuf::from(required(input, variable)?.trim());
                Ok(Credential::Certificate(Arc::new(Certificate::load(&path, None, *algorithm, now)?)))
            }
            Self::FederatedFile { path } => Ok(Credential::FederatedFile(path.clone())),
            Self::FederatedUrl { url_variable, bearer_variable, audience } => {
                let mut url = Url::parse(required(input, url_variable)?.trim())
                    .map_err(|_| CredentialError::BadUrl(url_variable.clone()))?;
                url.query_pairs_mut().append_pair("audience", audience);
                let bearer = Secret::new(required(input, bearer_variable)?.trim());
                Ok(Credential::FederatedUrl { url, bearer })
            }
            Self::ManagedIdentity { client_id, object_id, resource_id } => {
                managed_identity([client_id, object_id, resource_id])
            }
        }
    }
}

impl Credential {
    /// What is probably wrong with it.
    pub fn warning(&self) -> Option<CredentialWarning> {
        match self {
            Self::Secret(secret) if secret.expose().len() == 36 && uuid::Uuid::try_parse(secret.expose()).is_ok() => {
                Some(CredentialWarning::SecretIdInsteadOfValue)
            }
            _ => None,
        }
    }

    /// Tells credentials apart without holding them: part of the token cache's key.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        let mut hash = digest::Context::new(&digest::SHA256);
        let mut add = |part: &[u8]| {
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part);
        };
        match self {
            Self::Secret(secret) => {
                add(b"secret");
                add(secret.expose().as_bytes());
            }
            Self::Certificate(certificate) => {
                add(b"certificate");
                add(certificate.thumbprint_sha256());
            }
            Self::FederatedFile(path) => {
                add(b"file");
                add(path.as_os_str().as_encoded_bytes());
            }
            Self::FederatedUrl { url, bearer } => {
                add(b"url");
                add(url.as_str().as_bytes());
                add(bearer.expose().as_bytes());
            }
            Self::ManagedIdentity(id) => {
                let (kind, id) = id.parameter().unwrap_or(("", ""));
                add(b"managed");
                add(kind.as_bytes());
                add(id.as_bytes());
            }
        }
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(hash.finish().as_ref());
        fingerprint
    }
}

impl ManagedIdentityId {
    /// Name and value of the query parameter that names it.
    pub(crate) fn parameter(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Default => None,
            Self::Client(id) => Some(("client_id", id)),
            Self::Object(id) => Some(("object_id", id)),
            Self::Resource(id) => Some(("msi_res_id", id)),
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret(..)",
            Self::Certificate(_) => "Certificate(..)",
            Self::FederatedFile(_) => "FederatedFile(..)",
            Self::FederatedUrl { .. } => "FederatedUrl(..)",
            Self::ManagedIdentity(_) => "ManagedIdentity(..)",
        })
    }
}

impl CredentialError {
    /// What the operator can do, as a full sentence.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::VariableMissing(_) => {
                "Set the variable in the environment of this process, or refer to another place."
            }
            Self::FileMissing(_) => "Check the path; it is relative to the directory in which the command runs.",
            Self::FileUnreadable { .. } => "Give the user that runs this command the right to read the file.",
            Self::FileTooLarge(_) => "Check the path: the file should hold the credential and nothing else.",
            Self::InputUnreadable { .. } => "Pipe the secret into the command, or refer to a variable or file instead.",
            Self::Empty(_) => "Put the secret's value there.",
            Self::ControlCharacters(_) => "Put the secret's value there on one line, and nothing else.",
            Self::NotPem(_) => "Convert it to PEM, for example: openssl pkcs12 -in app.pfx -out app.pem -nodes",
            Self::CertificateMissing(_) => {
                "Add the `-----BEGIN CERTIFICATE-----` block that is registered with the app."
            }
            Self::CertificateBroken(_) => "Export the certificate again as PEM.",
            Self::KeyMissing(_) => "Add the private key's PEM block to the file, or name the key's own file.",
            Self::KeyEncrypted(_) => {
                "Store the key without a password in a file that only this user can read: openssl pkey -in key.pem -out plain.pem"
            }
            Self::KeyUnusable(_) => "Use an RSA key of at least 2048 bits; Entra accepts no other kind for apps.",
            Self::KeyMismatch(_) => "Give the key that the certificate was made with.",
            Self::CertificateExpired(_) => {
                "Make a new certificate, register it with the app (Certificates & secrets), and check this machine's clock."
            }
            Self::CertificateNotYetValid(_) => {
                "Check this machine's clock; if it is right, wait or make a new certificate."
            }
            Self::BadUrl(_) => "Set the variable to a full address such as https://login.microsoftonline.com.",
            Self::SeveralIds => "Keep one of client_id, object_id and resource_id.",
            Self::FederatedRefused(_) => {
                "Check that the job may ask for an identity token (GitHub: permission `id-token: write`) and has not ended."
            }
            Self::Signing => "Use an RSA key of at least 2048 bits.",
        }
    }
}

/// Reads a small text file.
pub(crate) fn read_text(path: &std::path::Path) -> Result<String, CredentialError> {
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => CredentialError::FileMissing(path.to_owned()),
        _ => CredentialError::FileUnreadable { path: path.to_owned(), source },
    };
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if length > FILE_BYTES_MAX {
        return Err(CredentialError::FileTooLarge(path.to_owned()));
    }
    std::fs::read_to_string(path).map_err(|source| match source.kind() {
        io::ErrorKind::InvalidData => CredentialError::NotPem(path.to_owned()),
        _ => unreadable(source),
    })
}

fn set(input: &dyn SecretInput, name: &str) -> Option<String> {
    input.variable(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn required(input: &dyn SecretInput, variable: &str) -> Result<String, CredentialError> {
    input.variable(variable).ok_or_else(|| CredentialError::VariableMissing(variable.to_owned()))
}

/// Drops one line end, which editors and `echo` add, and a byte order mark.
fn secret(text: Secret, from: String) -> Result<Credential, CredentialError> {
    let plain = text.expose();
    let plain = plain.strip_prefix('\u{feff}').unwrap_or(plain);
    let plain = plain.strip_suffix('\n').unwrap_or(plain);
    let plain = plain.strip_suffix('\r').unwrap_or(plain);
    if plain.trim().is_empty() {
        return Err(CredentialError::Empty(from));
    }
    if plain.chars().any(char::is_control) {
        return Err(CredentialError::ControlCharacters(from));
    }
    Ok(Credential::Secret(Secret::new(plain)))
}

fn managed_identity(ids: [&Option<String>; 3]) -> Result<Credential, CredentialError> {
    let id = match ids {
        [None, None, None] => ManagedIdentityId::Default,
        [Some(id), None, None] => ManagedIdentityId::Client(id.clone()),
        [None, Some(id), None] => ManagedIdentityId::Object(id.clone()),
        [None, None, Some(id)] => ManagedIdentityId::Resource(id.clone()),
        _ => return Err(CredentialError::SeveralIds),
    };
    Ok(Credential::ManagedIdentity(id))
}

fn github_url_variable() -> String {
    "ACTIONS_ID_TOKEN_REQUEST_URL".to_owned()
}

fn github_bearer_variable() -> String {
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN".to_owned()
}

fn exchange_audience() -> String {
    "api://AzureADTokenExchange".to_owned() // (M): the usual audience; a federated credential may name another.
}

const FILE_BYTES_MAX: u64 = 256 << 10;

#[cfg(test)]
mod tests;
