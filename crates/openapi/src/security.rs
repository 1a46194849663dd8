//! How calls are authenticated, and what of it cannot be served, in words.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One alternative of an operation's authentication: all of these schemes together, each with the scopes that it
/// must have. Without any scheme: anonymous.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Requirement(pub BTreeMap<String, Vec<String>>);

/// One way to authenticate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityScheme {
    /// Which.
    #[serde(flatten)]
    pub kind: SchemeKind,
    /// What the document says about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// The ways to authenticate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum SchemeKind {
    /// A secret in a header, a query parameter or a cookie.
    ApiKey {
        /// Where.
        place: KeyPlace,
        /// Name of the header, parameter or cookie.
        name: String,
        /// Written in front of the secret, with its blank: `Token `.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prefix: Option<String>,
    },
    /// Name and password (RFC 7617).
    Basic,
    /// A token that somebody gave (RFC 6750).
    Bearer {
        /// What the document calls its format, such as `JWT`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        format: Option<String>,
    },
    /// A token by OAuth 2.0.
    OAuth2 {
        /// The ways to get it, the preferred one first.
        flows: Vec<OAuthFlow>,
    },
    /// A token by OpenID Connect.
    OpenIdConnect {
        /// Address of the discovery document.
        url: String,
    },
    /// A client certificate.
    MutualTls,
    /// A token that a login call of the product itself gives (Shuffle's `jwt`).
    Login {
        /// Path of the login call.
        path: String,
    },
    /// Another HTTP authentication scheme.
    Http {
        /// Its name, such as `digest`.
        scheme: String,
    },
    /// Operations ask for it, and the document does not say what it is; or says what nobody can serve.
    Unknown {
        /// The document's own word for its type, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        written: Option<String>,
    },
}

impl SecurityScheme {
    /// Why calls cannot be authenticated this way without a person; `None` when they can.
    pub fn obstacle(&self) -> Option<String> {
        match &self.kind {
            SchemeKind::ApiKey { .. }
            | SchemeKind::Basic
            | SchemeKind::Bearer { .. }
            | SchemeKind::MutualTls
            | SchemeKind::Login { .. } => None,
            SchemeKind::OAuth2 { flows } if flows.iter().any(|flow| flow.obstacle().is_none()) => None,
            SchemeKind::OAuth2 { flows } => Some(match flows.first() {
                Some(flow) => flow.obstacle().expect("no flow is without an obstacle here"),
                None => "the document names no OAuth 2.0 flow; enter a token, or a token address, by hand".to_owned(),
            }),
            SchemeKind::OpenIdConnect { .. } => Some(
                "OpenID Connect signs a person in; enter a token by hand, or use another scheme of this product"
                    .to_owned(),
            ),
            SchemeKind::Http { scheme } => Some(format!(
                "the HTTP authentication scheme `{scheme}` is not served; use another scheme of this product"
            )),
            SchemeKind::Unknown { written: Some(written) } => Some(format!(
                "the document gives it the type `{written}`, which OpenAPI does not have; enter headers by hand"
            )),
            SchemeKind::Unknown { written: None } => Some(
                "operations ask for it, but the document does not say what it is; enter headers by hand".to_owned(),
            ),
        }
    }
}

/// Where an API key travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are OpenAPI's")]
pub enum KeyPlace {
    Header,
    Query,
    Cookie,
}

impl KeyPlace {
    /// As OpenAPI spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Query => "query",
            Self::Cookie => "cookie",
        }
    }
}

/// One way to get a token by OAuth 2.0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OAuthFlow {
    /// Which.
    pub grant: OAuthGrant,
    /// Where a person signs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_url: Option<String>,
    /// Where tokens are asked for; may be relative to the server's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_url: Option<String>,
    /// Where tokens are renewed, if elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_url: Option<String>,
    /// Scopes, and what each allows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scopes: BTreeMap<String, String>,
}

impl OAuthFlow {
    /// Why no token can be got this way; `None` when one can.
    pub fn obstacle(&self) -> Option<String> {
        let missing = |what: &str| {
            Some(format!("the document gives the {} flow no {what}; enter it in the connection", self.grant.in_words()))
        };
        match self.grant {
            OAuthGrant::Implicit => Some(
                "the implicit flow gives tokens to a browser alone; enter a token by hand, or ask the product for client credentials"
                    .to_owned(),
            ),
            OAuthGrant::DeviceCode => {
                Some("the device flow needs a person for each sign-in; enter a token by hand".to_owned())
            }
            OAuthGrant::AuthorizationCode if self.authorization_url.is_none() => missing("sign-in address"),
            _ if self.token_url.is_none() => missing("token address"),
            _ => None,
        }
    }
}

/// OAuth 2.0's grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OAuthGrant {
    /// The application itself (RFC 6749, 4.4).
    ClientCredentials,
    /// A person signs in once; refresh tokens keep it alive (4.1).
    AuthorizationCode,
    /// A person's name and password (4.3).
    Password,
    /// A person signs in on another device (RFC 8628).
    DeviceCode,
    /// A token to a browser (4.2).
    Implicit,
}

impl OAuthGrant {
    /// In the order of preference for a service without a user.
    pub const ALL: [Self; 5] =
        [Self::ClientCredentials, Self::AuthorizationCode, Self::Password, Self::DeviceCode, Self::Implicit];

    fn in_words(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client credentials",
            Self::AuthorizationCode => "authorization code",
            Self::Password => "password",
            Self::DeviceCode => "device",
            Self::Implicit => "implicit",
        }
    }

    /// OpenAPI's key of the flow (`deviceAuthorization` came with 3.2).
    pub fn flow_key(self) -> &'static str {
        match self {
            Self::ClientCredentials => "clientCredentials",
            Self::AuthorizationCode => "authorizationCode",
            Self::Password => "password",
            Self::DeviceCode => "deviceAuthorization",
            Self::Implicit => "implicit",
        }
    }
}
