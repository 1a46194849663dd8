//! How a connector's operations authenticate, as a person has set it.

use serde::{Deserialize, Serialize};
use sortie_connector::{OAuthClient, OAuthError, TokenFor};
use sortie_openapi::{OAuthGrant, Operation, SchemeKind};
use url::Url;

use crate::exit::Problem;

/// How all operations of a connector authenticate, whatever its document says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Authentication {
    /// OAuth 2.0 as an application, by client credentials.
    Oauth2Application(OAuth),
    /// OAuth 2.0 in the name of a person who has signed in.
    Oauth2Delegated(OAuth),
    /// A key in a header.
    ApiKey {
        header: String,
        prefix: Option<String>,
    },
    Basic,
    Bearer,
    None,
}

/// Where tokens come from, and what is asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OAuth {
    /// May hold `{tenant}`.
    pub token_url: String,
    /// Where a person signs in; may hold `{tenant}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_url: Option<String>,
    pub scopes: Vec<String>,
    /// Asked for by `audience=` instead of scopes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// Asked for by `resource=` instead of scopes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    #[serde(default, alias = "basic")]
    pub proof: Proof,
}

/// How the application proves itself to the token endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case", from = "WrittenProof")]
pub(crate) enum Proof {
    /// Id and secret in the form
    #[default]
    Post,
    /// Id and secret by HTTP Basic
    Basic,
    /// An assertion that the connection's certificate signs (RFC 7523)
    PrivateKeyJwt,
}

/// As it was written by this version or by one that knew `basic` alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenProof {
    IsBasic(bool),
    Named(NamedProof),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum NamedProof {
    Post,
    Basic,
    PrivateKeyJwt,
}

impl From<WrittenProof> for Proof {
    fn from(written: WrittenProof) -> Self {
        match written {
            WrittenProof::IsBasic(false) | WrittenProof::Named(NamedProof::Post) => Self::Post,
            WrittenProof::IsBasic(true) | WrittenProof::Named(NamedProof::Basic) => Self::Basic,
            WrittenProof::Named(NamedProof::PrivateKeyJwt) => Self::PrivateKeyJwt,
        }
    }
}

impl Authentication {
    pub(super) fn of(kind: &SchemeKind) -> Option<Self> {
        match kind {
            SchemeKind::ApiKey { place: sortie_openapi::KeyPlace::Header, name, prefix } => {
                Some(Self::ApiKey { header: name.clone(), prefix: prefix.clone() })
            }
            SchemeKind::Basic => Some(Self::Basic),
            SchemeKind::Bearer { .. } => Some(Self::Bearer),
            SchemeKind::OAuth2 { flows } => {
                let flow = flows.iter().find(|flow| flow.grant == OAuthGrant::ClientCredentials)?;
                let scopes = flow.scopes.keys().cloned().collect();
                Some(Self::Oauth2Application(OAuth { token_url: flow.token_url.clone()?, scopes, ..OAuth::default() }))
            }
            _ => None,
        }
    }

    /// Where its tokens come from, where it has such.
    pub(crate) fn oauth(&self) -> Option<&OAuth> {
        match self {
            Self::Oauth2Application(oauth) | Self::Oauth2Delegated(oauth) => Some(oauth),
            Self::ApiKey { .. } | Self::Basic | Self::Bearer | Self::None => None,
        }
    }

    /// In words, for a person.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Oauth2Application(oauth) => format!("OAuth 2.0 as an application, {}", oauth.describe()),
            Self::Oauth2Delegated(oauth) => format!("OAuth 2.0 in a person's name, {}", oauth.describe()),
            Self::ApiKey { header, .. } => format!("a key in the header {header}"),
            Self::Basic => "name and password".to_owned(),
            Self::Bearer => "a token".to_owned(),
            Self::None => "none".to_owned(),
        }
    }
}

impl OAuth {
    fn describe(&self) -> String {
        let wanted = match (&self.audience, &self.resource) {
            (Some(audience), _) => format!("audience {audience}"),
            (None, Some(resource)) => format!("resource {resource}"),
            (None, None) => format!("scopes {}", self.scopes.join(" ")),
        };
        let proof = match self.proof {
            Proof::Post => "",
            Proof::Basic => ", proof by HTTP Basic",
            Proof::PrivateKeyJwt => ", proof by a signed assertion",
        };
        format!("tokens from {}, {wanted}{proof}", self.token_url)
    }

    /// What a token for the operation is asked for with.
    pub(crate) fn wanted(
        &self,
        client: &OAuthClient,
        operation: &Operation,
        host: &Url,
    ) -> Result<TokenFor, OAuthError> {
        match (&self.audience, &self.resource) {
            (Some(audience), _) => Ok(TokenFor::Audience(audience.clone())),
            (None, Some(resource)) => Ok(TokenFor::Resource(resource.clone())),
            (None, None) => client.wanted(&self.scopes, operation, host),
        }
    }

    /// Whether a bare `.default` stands among the scopes, which each operation completes.
    pub(crate) fn is_completed(&self) -> bool {
        let is_bare = |scope: &String| matches!(scope.trim(), ".default" | "/.default");
        self.audience.is_none() && self.resource.is_none() && self.scopes.iter().any(is_bare)
    }
}

/// The token URL with the tenant in its place.
pub(crate) fn token_url_of(template: &str, tenant: Option<&str>) -> anyhow::Result<Url> {
    let filled = match (template.contains("{tenant}"), tenant) {
        (false, _) => template.to_owned(),
        (true, Some(tenant)) => {
            let tenant: sortie_model::TenantId = tenant.parse().map_err(|error: sortie_model::TenantIdError| {
                Problem::usage(error.to_string(), "Correct `--tenant`.")
            })?;
            template.replace("{tenant}", tenant.as_str())
        }
        (true, None) => {
            let next = "Give the tenant with `--tenant`.";
            return Err(Problem::usage(
                "the token URL has a place for the tenant, and the connection names none",
                next,
            )
            .into());
        }
    };
    filled.parse().map_err(|_| {
        let next = "Write it whole, such as `https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token`.";
        Problem::usage(format!("`{template}` is no token URL"), next).into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_version_kept_is_read() {
        #[track_caller]
        fn check(written: &str, proof: Proof) {
            let read: Authentication = serde_json::from_str(&format!(
                r#"{{"kind":"oauth2-application","token_url":"https://x.example/","scopes":["a"]{written}}}"#
            ))
            .unwrap();
            assert_eq!(read.oauth().unwrap().proof, proof, "{written}");
            let again = serde_json::from_str(&serde_json::to_string(&read).unwrap()).unwrap();
            assert_eq!(read, again);
        }
        check("", Proof::Post);
        check(r#","basic":false"#, Proof::Post);
        check(r#","basic":true"#, Proof::Basic);
        check(r#","proof":"private-key-jwt""#, Proof::PrivateKeyJwt);
    }
}
