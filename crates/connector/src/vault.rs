//! A secret that an operator keeps in Azure Key Vault, read by its REST interface when it is needed.
//!
//! A token for the vault goes to Azure's own vault hosts, or to a host that the connection allows by name; to no other.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde_json::Value;
use sortie_identity::{Audience, AuthorizedClient, CallError, Cloud, Credential};
use sortie_model::Secret;
use sortie_transport::{Effect, Request, RetryPolicy, header};
use url::Url;

/// Where a secret is: `https://NAME.vault.azure.net/secrets/NAME`, with or without a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultReference(Url);

/// A text that names no secret in a vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a secret's identifier such as https://contoso.vault.azure.net/secrets/NAME or the same with /VERSION"
)]
pub struct VaultReferenceError;

/// What a vault gave.
#[derive(Clone, Debug)]
pub struct VaultSecret {
    /// The secret itself.
    pub value: Secret,
    /// Its attribute `exp`; a vault gives expired secrets all the same.
    pub expires: Option<Timestamp>,
}

/// Why a vault gave no secret.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The host is none of Azure's vaults, and the connection does not allow it.
    #[error("`{0}` is no host of Azure Key Vault, and a token for vaults goes nowhere else; nothing was sent")]
    ForeignHost(String),
    /// There was no token, or no answer.
    #[error("the key vault could not be asked")]
    Call(#[source] CallError),
    /// The vault said no.
    #[error("the key vault refuses ({status}): {code}: {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The innermost code, such as `ForbiddenByRbac`.
        code: String,
        /// The vault's own words, their first line.
        message: String,
    },
    /// A success without a usable secret.
    #[error("the key vault's answer holds no secret that can be used: {0}")]
    Unusable(&'static str),
}

impl VaultReference {
    /// The vault's clouds have domains of their own, which are their audiences as well.
    ///
    /// # Errors
    /// [`VaultError::ForeignHost`] unless `allows` takes the host.
    pub fn audience(&self, cloud: Cloud, allows: impl Fn(&Url) -> bool) -> Result<Audience, VaultError> {
        let host = self.0.host_str().unwrap_or_default();
        let of_host = DOMAINS.iter().find(|domain| {
            host.strip_suffix(**domain).and_then(|name| name.strip_suffix('.')).is_some_and(|name| !name.is_empty())
        });
        let of_cloud = match cloud {
            Cloud::Global | Cloud::Gcc => DOMAINS[0],
            Cloud::GccHigh | Cloud::Dod => DOMAINS[1],
            Cloud::China => DOMAINS[2],
        };
        match of_host {
            Some(domain) if self.0.scheme() == "https" && self.0.port().is_none() => {
                Ok(Audience::Other(format!("https://{domain}")))
            }
            _ if allows(&self.0) => Ok(Audience::Other(format!("https://{of_cloud}"))),
            _ => Err(VaultError::ForeignHost(host.to_owned())),
        }
    }

    /// Reads the secret: one call for a token, where none lives, and one for the secret.
    ///
    /// # Errors
    /// [`VaultError`]; its remedy says who must act.
    pub async fn read(&self, client: &AuthorizedClient, audience: &Audience) -> Result<VaultSecret, VaultError> {
        let mut url = self.0.clone();
        url.query_pairs_mut().append_pair("api-version", API_VERSION);
        let request = Request::get(url)
            .header(header::ACCEPT, "application/json")
            .effect(Effect::Safe)
            .body_bytes_max(ANSWER_BYTES_MAX);
        let answer = client.call(audience, request, &RetryPolicy::default()).await.map_err(VaultError::Call)?;
        let body: Value = answer.json().unwrap_or_default();
        if !answer.status.is_success() {
            let error = &body["error"];
            let text = |value: &Value| value.as_str().and_then(|text| text.lines().next()).map(str::to_owned);
            return Err(VaultError::Refused {
                status: answer.status.as_u16(),
                code: text(&error["innererror"]["code"])
                    .or_else(|| text(&error["code"]))
                    .unwrap_or_else(|| "no code".to_owned()),
                message: text(&error["message"]).unwrap_or_else(|| "no reason given".to_owned()),
            });
        }
        let value = body["value"].as_str().ok_or(VaultError::Unusable("there is no value"))?;
        let value = value.strip_suffix('\n').unwrap_or(value);
        let value = value.strip_suffix('\r').unwrap_or(value);
        if value.trim().is_empty() {
            return Err(VaultError::Unusable("its value is empty"));
        }
        if value.chars().any(char::is_control) {
            return Err(VaultError::Unusable("its value holds line breaks or control characters"));
        }
        let expires = body["attributes"]["exp"].as_i64().and_then(|at| Timestamp::from_second(at).ok());
        Ok(VaultSecret { value: Secret::new(value), expires })
    }
}

impl VaultError {
    /// What to do next, as a full sentence.
    pub fn remedy(&self, reader: &Credential) -> String {
        match self {
            Self::ForeignHost(_) => {
                "Copy the secret's identifier from the vault, or allow the host with `--allow-host`.".to_owned()
            }
            Self::Call(error) => error.remedy(),
            Self::Unusable(_) => "Set the secret's value anew in the vault, on one line.".to_owned(),
            Self::Refused { status, code, .. } => match (status, code.as_str()) {
                (_, "SecretDisabled") => "Enable the secret in the vault, or name a version that is.".to_owned(),
                (_, "ForbiddenByFirewall" | "ForbiddenByConnection") => {
                    "Let this machine's address through the vault's firewall.".to_owned()
                }
                (403, _) => format!(
                    "Give {} the role Key Vault Secrets User on the vault; it takes some minutes to come into force.",
                    match reader {
                        Credential::ManagedIdentity(_) => "the managed identity",
                        _ => "the application",
                    }
                ),
                (401, _) => "Check that the vault belongs to the tenant that the token is from.".to_owned(),
                (404, _) => "Check the names of the vault, the secret and its version.".to_owned(),
                (429, _) => "Try again later: the vault is asked too often.".to_owned(),
                _ => "Try again later; if it stays, ask those who run the vault.".to_owned(),
            },
        }
    }
}

impl FromStr for VaultReference {
    type Err = VaultReferenceError;

    fn from_str(text: &str) -> Result<Self, VaultReferenceError> {
        let mut url: Url = text.trim().trim_end_matches('/').parse().map_err(|_| VaultReferenceError)?;
        let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        if !matches!(url.scheme(), "https" | "http") || !plain || url.fragment().is_some() {
            return Err(VaultReferenceError);
        }
        let parts: Vec<String> = url.path_segments().into_iter().flatten().map(str::to_owned).collect();
        // Below its own path on a host that is no vault's, as behind a gateway.
        let is_folder = |at: &usize| parts[*at] == "secrets" && (1..=2).contains(&parts[at + 1..].len());
        let at = (0..parts.len()).find(is_folder).ok_or(VaultReferenceError)?;
        let is_name = |part: &String| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if !parts[at + 1..].iter().all(is_name) {
            return Err(VaultReferenceError);
        }
        url.set_path(&parts.join("/"));
        Ok(Self(url))
    }
}

impl fmt::Display for VaultReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Public, US government, China (Azure documentation: "Key Vault DNS suffixes").
const DOMAINS: [&str; 3] = ["vault.azure.net", "vault.usgovcloudapi.net", "vault.azure.cn"];
const API_VERSION: &str = "7.4";
/// A secret is 25 kB at most; its answer has a little more.
const ANSWER_BYTES_MAX: u64 = 256 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_for_vaults_goes_to_vaults() {
        #[track_caller]
        fn check(text: &str, cloud: Cloud, expected: &str) {
            let said = match text.parse::<VaultReference>() {
                Err(_) => "no reference".to_owned(),
                Ok(reference) => match reference.audience(cloud, |url| url.host_str() == Some("vault.corp.example")) {
                    Ok(audience) => audience.name().to_owned(),
                    Err(error) => error.to_string().split(',').next().unwrap().to_owned(),
                },
            };
            assert_eq!(said, expected, "{text}");
        }
        let global = Cloud::Global;
        check("https://kv-soc.vault.azure.net/secrets/jira", global, "https://vault.azure.net");
        check("https://kv-soc.vault.azure.net/secrets/jira/0123abcd/", global, "https://vault.azure.net");
        check("https://kv-soc.vault.usgovcloudapi.net/secrets/jira", global, "https://vault.usgovcloudapi.net");
        check("https://kv-soc.vault.azure.net/secrets/secrets", global, "https://vault.azure.net");
        check("https://vault.corp.example/kv/secrets/jira", Cloud::China, "https://vault.azure.cn");
        for host in ["evil.example", "evilvault.azure.net", "kv.vault.azure.net.evil.example", "vault.azure.net"] {
            let expected = format!("`{host}` is no host of Azure Key Vault");
            check(&format!("https://{host}/secrets/jira"), global, &expected);
        }
        check("http://kv.vault.azure.net/secrets/jira", global, "`kv.vault.azure.net` is no host of Azure Key Vault");
        for wrong in [
            "https://kv.vault.azure.net/keys/jira",
            "https://kv.vault.azure.net/secrets",
            "https://kv.vault.azure.net/secrets/a/b/c",
            "https://kv.vault.azure.net/secrets/a%2Fb",
            "https://kv.vault.azure.net/secrets/a?x=y",
            "https://user@kv.vault.azure.net/secrets/a",
            "file:///secrets/a",
            "kv/secrets/a",
        ] {
            check(wrong, global, "no reference");
        }
    }
}
