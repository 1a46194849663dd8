//! Tokens by OAuth 2.0 client credentials (RFC 6749 section 4.4) from any provider.

use std::time::Duration;

use serde_json::Value;
use sortie_model::{Clock, Secret};
use sortie_openapi::Operation;
use sortie_transport::{Effect, FormValue, Request, RetryPolicy, SendError, Transport};
use url::Url;

/// An application's way to its tokens.
#[derive(Clone, Debug)]
pub struct ClientCredentials {
    /// Where tokens are asked for.
    pub token_url: Url,
    /// The application.
    pub client_id: String,
    /// Its secret.
    pub secret: Secret,
    /// How it proves itself.
    pub proof: ClientProof,
}

/// How an application proves itself (RFC 6749 section 2.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientProof {
    /// Id and secret in the form.
    #[default]
    Post,
    /// Id and secret by HTTP Basic.
    Basic,
}

/// What the token is to be for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TokenFor {
    /// `scope=`
    Scope(String),
    /// `resource=`, as Entra's first endpoint asks.
    Resource(String),
    /// `audience=`
    Audience(String),
    /// The provider knows.
    Anything,
}

/// A token and how long it lives.
#[derive(Clone, Debug)]
pub struct Token {
    /// The bearer text.
    pub secret: Secret,
    /// As the provider said.
    pub lifetime: Option<Duration>,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum OAuthError {
    /// No answer came.
    #[error("no token could be asked for")]
    Send(#[source] SendError),
    /// The provider refuses.
    #[error("the token endpoint refuses ({status}): {code}{}", description.as_ref().map(|text| format!(": {text}")).unwrap_or_default())]
    Refused {
        /// HTTP status.
        status: u16,
        /// Such as `invalid_client`.
        code: String,
        /// The provider's sentence.
        description: Option<String>,
    },
    /// A success without a token.
    #[error("the token endpoint's answer holds no access token")]
    NoToken,
    /// A bare `.default` and nothing that completes it.
    #[error("the scope `.default` names no resource, and neither the operation nor its host tells one")]
    BareDefault,
}

impl OAuthError {
    /// What to do next, as a full sentence.
    pub fn remedy(&self) -> String {
        match self {
            Self::Send(error) => error.remedy(),
            Self::Refused { code, .. } => match code.as_str() {
                "invalid_client" => "Enter the client id and the secret's value again; the secret may have expired.",
                "invalid_scope" | "invalid_resource" | "invalid_target" => "Correct the connector's scopes.",
                "unauthorized_client" => "Let an administrator allow client credentials for this application.",
                _ => "Correct the connection as the provider says.",
            }
            .to_owned(),
            Self::NoToken => "Check that the token URL is the provider's token endpoint.".to_owned(),
            Self::BareDefault => {
                "Write the resource in front, such as `https://graph.microsoft.com/.default`.".to_owned()
            }
        }
    }
}

impl ClientCredentials {
    /// Asks for one token.
    ///
    /// # Errors
    /// [`OAuthError`]; its remedy says who must act.
    pub async fn token(&self, transport: &Transport, clock: &dyn Clock, what: &TokenFor) -> Result<Token, OAuthError> {
        let mut form = vec![("grant_type", FormValue::Text("client_credentials"))];
        match what {
            TokenFor::Scope(scope) => form.push(("scope", FormValue::Text(scope))),
            TokenFor::Resource(resource) => form.push(("resource", FormValue::Text(resource))),
            TokenFor::Audience(audience) => form.push(("audience", FormValue::Text(audience))),
            TokenFor::Anything => {}
        }
        if self.proof == ClientProof::Post {
            form.push(("client_id", FormValue::Text(&self.client_id)));
            form.push(("client_secret", FormValue::Secret(&self.secret)));
        }
        let request = Request::post(self.token_url.clone()).form(form).effect(Effect::Safe);
        let request = match self.proof {
            ClientProof::Post => request,
            ClientProof::Basic => request.basic(&self.client_id, &self.secret),
        };
        let policy = RetryPolicy { attempts_max: 3, ..RetryPolicy::default() };
        let response = transport.call(request, &policy, clock).await.map_err(OAuthError::Send)?;
        let body: Value = response.json().unwrap_or_default();
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        if !response.status.is_success() {
            return Err(OAuthError::Refused {
                status: response.status.as_u16(),
                code: text("error").map_or_else(|| "no reason given".to_owned(), |text| first_line(&text)),
                description: text("error_description").map(|text| first_line(&text)),
            });
        }
        let token = text("access_token").filter(|token| !token.is_empty()).ok_or(OAuthError::NoToken)?;
        // Entra's first endpoint writes the number as a text.
        let seconds = body["expires_in"].as_u64().or_else(|| body["expires_in"].as_str()?.parse().ok());
        Ok(Token { secret: Secret::new(token), lifetime: seconds.map(Duration::from_secs) })
    }

    /// What to ask for so that the operation can be called: the scopes as they are set, a bare `.default` completed by the
    /// operation's audience or, failing that, its host.
    ///
    /// # Errors
    /// [`OAuthError::BareDefault`] when nothing completes it.
    pub fn wanted(&self, scopes: &[String], operation: &Operation, host: &Url) -> Result<TokenFor, OAuthError> {
        let scopes: Vec<&str> = scopes.iter().map(|scope| scope.trim()).filter(|scope| !scope.is_empty()).collect();
        let scope = match scopes[..] {
            [] => return Ok(TokenFor::Anything),
            [".default" | "/.default"] => {
                format!("{}/.default", resource(operation, host).ok_or(OAuthError::BareDefault)?)
            }
            _ => scopes.join(" "),
        };
        let is_first_endpoint = self.token_url.path().ends_with("/oauth2/token");
        match scope.strip_suffix("/.default").filter(|_| is_first_endpoint && !scope.contains(' ')) {
            Some(resource) => Ok(TokenFor::Resource(resource.to_owned())),
            None => Ok(TokenFor::Scope(scope)),
        }
    }
}

/// The resource of the operation: what its description names, else what Microsoft keeps at its host. Two APIs share the
/// host `api.security.microsoft.com`; a document without audiences means the one that its own page of set-up names.
fn resource(operation: &Operation, host: &Url) -> Option<String> {
    use sortie_identity::{Audience, Cloud};
    let named = operation.guidance.audience.as_deref().and_then(|name| name.parse::<Audience>().ok());
    let of_host = || match host.host_str()? {
        "graph.microsoft.com" => Some(Audience::Graph),
        "api.security.microsoft.com" => Some(Audience::Xdr),
        "api.securitycenter.microsoft.com" | "api.securitycenter.windows.com" => Some(Audience::DefenderForEndpoint),
        name if name.ends_with(".portal.cloudappsecurity.com") => Some(Audience::CloudApps),
        _ => None,
    };
    let audience = named.or_else(of_host)?;
    audience.resource(Cloud::Global).map(std::borrow::Cow::into_owned)
}

/// Entra adds trace ids and times in further lines. Whoever answers, a person reads no more than this.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().chars().take(SENTENCE_CHARS_MAX).collect()
}

const SENTENCE_CHARS_MAX: usize = 500;
