//! Tokens by OAuth 2.0 from any provider: as an application (RFC 6749 section 4.4), by an authorization code (4.1), by a
//! refresh token (6).

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use sortie_identity::{Certificate, CredentialError};
use sortie_model::{Clock, Secret};
use sortie_openapi::Operation;
use sortie_transport::{Effect, FormValue, Request, RetryPolicy, SendError, Transport, header};
use url::Url;

/// A client of a provider: an application, or what stands between a person and an API.
#[derive(Clone, Debug)]
pub struct OAuthClient {
    /// Where tokens are asked for.
    pub token_url: Url,
    /// The application.
    pub client_id: String,
    /// How it proves itself.
    pub proof: ClientProof,
}

/// How a client proves itself.
#[derive(Clone, Debug)]
pub enum ClientProof {
    /// Not at all: a public client, whose PKCE or refresh token says enough.
    Public,
    /// Id and secret in the form (RFC 6749 section 2.3.1).
    Post(Secret),
    /// Id and secret by HTTP Basic.
    Basic(Secret),
    /// An assertion that its key has signed (RFC 7523 section 2.2).
    PrivateKeyJwt(Arc<Certificate>),
}

/// What a token is given for.
#[derive(Clone, Copy, Debug)]
pub enum Grant<'a> {
    /// The client itself.
    ClientCredentials,
    /// What the browser brought back.
    Code {
        /// Good once.
        code: &'a Secret,
        /// Where it was sent to.
        redirect_uri: &'a Url,
        /// Of PKCE.
        verifier: &'a Secret,
    },
    /// What an earlier sign-in left.
    Refresh(&'a Secret),
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
    /// What brings the next one, where the provider gives such.
    pub refresh: Option<Secret>,
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
    /// The client's own key signs nothing.
    #[error("the application cannot prove itself to the token endpoint")]
    Assertion(#[source] CredentialError),
    /// A token that should have been renewed.
    #[error("the token could not be renewed: {what}")]
    NotRenewed {
        /// Why.
        what: String,
        /// What to do.
        next: String,
    },
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
                "invalid_scope" | "invalid_resource" | "invalid_target" => {
                    "Correct the connector's scopes, audience or resource."
                }
                "invalid_grant" => "Let the person whose account this is sign in again.",
                "unauthorized_client" => "Let an administrator allow this grant for the application.",
                _ => "Correct the connection as the provider says.",
            }
            .to_owned(),
            Self::Assertion(error) => error.remedy().to_owned(),
            Self::NotRenewed { next, .. } => next.clone(),
            Self::NoToken => "Check that the token URL is the provider's token endpoint.".to_owned(),
            Self::BareDefault => {
                "Write the resource in front, such as `https://graph.microsoft.com/.default`.".to_owned()
            }
        }
    }
}

impl OAuthClient {
    /// Asks for one token.
    ///
    /// # Errors
    /// [`OAuthError`]; its remedy says who must act.
    pub async fn token(
        &self,
        transport: &Transport,
        clock: &dyn Clock,
        grant: Grant<'_>,
        what: &TokenFor,
    ) -> Result<Token, OAuthError> {
        let mut form = grant.form();
        form.extend(what.form());
        let assertion = match &self.proof {
            ClientProof::PrivateKeyJwt(key) => {
                let signed = key.assertion(&self.client_id, self.token_url.as_str(), clock.now());
                Some(signed.map_err(OAuthError::Assertion)?)
            }
            _ => None,
        };
        match (&self.proof, &assertion) {
            (ClientProof::Post(secret), _) => form.push(("client_secret", FormValue::Secret(secret))),
            (_, Some(assertion)) => {
                form.push(("client_assertion_type", FormValue::Text(ASSERTION_TYPE)));
                form.push(("client_assertion", FormValue::Secret(assertion)));
            }
            _ => {}
        }
        if !matches!(self.proof, ClientProof::Basic(_)) {
            form.push(("client_id", FormValue::Text(&self.client_id)));
        }
        let mut sent: Vec<&str> = form.iter().filter_map(|(_, value)| secret_of(value)).collect();
        if let ClientProof::Basic(secret) = &self.proof {
            sent.push(secret.expose());
        }
        // A code, and with many providers a refresh token, is good once: what may have arrived is not sent again.
        let effect = if matches!(grant, Grant::ClientCredentials) { Effect::Safe } else { Effect::Unsafe };
        let request =
            Request::post(self.token_url.clone()).header(header::ACCEPT, "application/json").form(form).effect(effect);
        let request = match &self.proof {
            ClientProof::Basic(secret) => request.basic(&self.client_id, secret),
            _ => request,
        };
        let policy = RetryPolicy { attempts_max: 3, ..RetryPolicy::default() };
        let response = transport.call(request, &policy, clock).await.map_err(OAuthError::Send)?;
        read(response.status.as_u16(), &response.json().unwrap_or_default(), &sent)
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

impl<'a> Grant<'a> {
    fn form(self) -> Vec<(&'static str, FormValue<'a>)> {
        match self {
            Self::ClientCredentials => vec![("grant_type", FormValue::Text("client_credentials"))],
            Self::Code { code, redirect_uri, verifier } => vec![
                ("grant_type", FormValue::Text("authorization_code")),
                ("code", FormValue::Secret(code)),
                ("redirect_uri", FormValue::Text(redirect_uri.as_str())),
                ("code_verifier", FormValue::Secret(verifier)),
            ],
            Self::Refresh(token) => {
                vec![("grant_type", FormValue::Text("refresh_token")), ("refresh_token", FormValue::Secret(token))]
            }
        }
    }
}

impl TokenFor {
    /// Name and value of the parameter that says it.
    pub fn parameter(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Scope(scope) => Some(("scope", scope)),
            Self::Resource(resource) => Some(("resource", resource)),
            Self::Audience(audience) => Some(("audience", audience)),
            Self::Anything => None,
        }
    }

    fn form(&self) -> Option<(&'static str, FormValue<'_>)> {
        self.parameter().map(|(name, value)| (name, FormValue::Text(value)))
    }
}

fn secret_of<'a>(value: &FormValue<'a>) -> Option<&'a str> {
    match value {
        FormValue::Secret(secret) => Some(secret.expose()),
        FormValue::Text(_) => None,
    }
}

/// `sent` is what no refusal may repeat: some providers put the refresh token that they refuse into their sentence.
fn read(status: u16, body: &Value, sent: &[&str]) -> Result<Token, OAuthError> {
    let said = |text: &str| {
        let hidden = sent.iter().filter(|secret| !secret.is_empty());
        first_line(&hidden.fold(text.to_owned(), |text, secret| text.replace(secret, "***")))
    };
    let text = |name: &str| body[name].as_str().filter(|text| !text.is_empty());
    if !(200..300).contains(&status) {
        return Err(OAuthError::Refused {
            status,
            code: text("error").map_or_else(|| "no reason given".to_owned(), said),
            description: text("error_description").map(said),
        });
    }
    let token = text("access_token").ok_or(OAuthError::NoToken)?;
    // Entra's first endpoint writes the number as a text.
    let seconds = body["expires_in"].as_u64().or_else(|| body["expires_in"].as_str()?.parse().ok());
    Ok(Token {
        secret: Secret::new(token),
        lifetime: seconds.map(|seconds| Duration::from_secs(seconds).min(LIFETIME_MAX)),
        refresh: text("refresh_token").map(Secret::new),
    })
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
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// A larger number is a broken answer.
const LIFETIME_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
