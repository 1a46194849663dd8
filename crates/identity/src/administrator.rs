//! A person signs in, for the set-up alone: device code (RFC 8628), or browser with PKCE (RFC 7636).

use std::{fmt, io, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::Value;
use sortie_model::{ClientId, Clock, Secret, TenantId};
use sortie_transport::{FormValue, Request, RetryPolicy, Transport, header};
use tokio::time::Instant;
use url::Url;

use crate::{
    answer::{ANSWER_BYTES_MAX, TokenAnswer, refusal},
    application::EndpointVersion,
    audience::Audience,
    cloud::{Cloud, Hosts, below},
    consent,
    error::{Details, TokenError, TokenErrorCause},
    redirect::{Pkce, RedirectListener},
    source::{ask, no_answer, token_endpoint},
};

/// Signs an administrator in for Microsoft Graph.
#[derive(Clone)]
pub struct Administrator {
    transport: Transport,
    clock: Arc<dyn Clock>,
    login: Url,
    tenant: String,
    client_id: ClientId,
    scope: String,
}

/// A token of a person, for Graph. It is held in memory only and not renewed.
#[derive(Clone, Debug)]
pub struct DelegatedToken {
    /// The bearer text.
    pub secret: Secret,
    /// Until when it is good.
    pub expires_at: Timestamp,
    /// What Entra granted, separated by blanks; may be less than what was asked for.
    pub scope: Option<String>,
}

/// What to show to the person, and what to poll with.
#[derive(Clone, Debug)]
pub struct DeviceCode {
    /// To be typed in.
    pub user_code: String,
    /// Where.
    pub verification_uri: String,
    /// Entra's own sentence with both.
    pub message: String,
    code: Secret,
    interval: Duration,
    lifetime: Duration,
}

/// A sign-in that waits for the browser.
pub struct BrowserSignIn {
    administrator: Administrator,
    listener: RedirectListener,
    verifier: Secret,
    url: Url,
}

/// Why nobody is signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Entra gave no token.
    #[error("the sign-in failed")]
    Token(#[source] TokenError),
    /// Nobody came back in time.
    #[error("nobody finished the sign-in within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The browser brought neither a code nor an error.
    #[error("the sign-in page answered without a code")]
    NoCode,
    /// The listener failed.
    #[error("the answer could not be received on loopback")]
    Listen(#[source] io::Error),
}

impl Administrator {
    /// Signs in to `tenant`, or to the person's own where none is given, and asks for these delegated Graph permissions.
    pub fn new(
        transport: Transport,
        clock: Arc<dyn Clock>,
        cloud: Cloud,
        hosts: &Hosts,
        tenant: Option<&TenantId>,
        permissions: &[&str],
    ) -> Self {
        let graph = Audience::Graph.resource(cloud).unwrap_or_default();
        let scope: Vec<String> = permissions.iter().map(|permission| format!("{graph}/{permission}")).collect();
        Self {
            transport,
            clock,
            login: hosts.login.clone(),
            tenant: tenant.map_or("organizations", TenantId::as_str).to_owned(),
            client_id: ClientId::parse(GRAPH_COMMAND_LINE_TOOLS).expect("the constant is a GUID"),
            scope: scope.join(" "),
        }
    }

    /// Another public client than Microsoft Graph Command Line Tools, for tenants that block that one.
    #[must_use]
    pub fn client_id(mut self, client_id: ClientId) -> Self {
        self.client_id = client_id;
        self
    }

    /// Begins a sign-in with a code that the person types on any device.
    ///
    /// # Errors
    /// [`TokenError`], as for every other token.
    pub async fn device_code(&self) -> Result<DeviceCode, TokenError> {
        let url = below(&self.login, &format!("{}/oauth2/v2.0/devicecode", self.tenant));
        let form = [("client_id", FormValue::Text(self.client_id.as_str())), ("scope", FormValue::Text(&self.scope))];
        let request = Request::post(url)
            .form(form)
            .header(header::ACCEPT, "application/json")
            .body_bytes_max(ANSWER_BYTES_MAX as u64);
        let policy = RetryPolicy { repeat_unasked: false, ..RetryPolicy::default() };
        let response = self.transport.call(request, &policy, &*self.clock).await.map_err(no_answer)?;
        let status = response.status.as_u16();
        let failed = |cause| Details { status: Some(status), ..Details::of(cause) }.into_error();
        if response.is_html() {
            return Err(failed(TokenErrorCause::HtmlAnswer));
        }
        let value: Value = response.json().map_err(|_| failed(TokenErrorCause::NotJson))?;
        if !response.is_success() {
            return Err(refusal(status, &value).into_error());
        }
        DeviceCode::read(&value).ok_or_else(|| failed(TokenErrorCause::WrongShape))
    }

    /// Polls until the person has finished, declined, or let the code expire.
    ///
    /// # Errors
    /// [`SignInError`].
    pub async fn finish_device_code(&self, code: &DeviceCode) -> Result<DelegatedToken, SignInError> {
        let deadline = Instant::now() + code.lifetime;
        let mut interval = code.interval;
        loop {
            tokio::time::sleep(interval).await;
            let form = [
                ("grant_type", FormValue::Text("urn:ietf:params:oauth:grant-type:device_code")),
                ("client_id", FormValue::Text(self.client_id.as_str())),
                ("device_code", FormValue::Secret(&code.code)),
            ];
            let error = match self.redeem(form).await {
                Ok(token) => return Ok(token),
                Err(error) => error,
            };
            if error.error.as_deref() == Some("slow_down") {
                interval += SLOW_DOWN; // RFC 8628 section 3.5.
            }
            let pending = error.cause == TokenErrorCause::AuthorizationPending;
            if !pending && !error.may_pass() {
                return Err(SignInError::Token(error));
            }
            if Instant::now() >= deadline {
                return Err(SignInError::TimedOut(code.lifetime));
            }
        }
    }

    /// Begins a sign-in in a browser on this machine.
    ///
    /// # Errors
    /// When no port on loopback can be had.
    pub async fn browser(&self) -> io::Result<BrowserSignIn> {
        let listener = RedirectListener::bind(0, "/").await?;
        let Pkce { verifier, challenge } = Pkce::fresh()?;
        let mut url = below(&self.login, &format!("{}/oauth2/v2.0/authorize", self.tenant));
        url.query_pairs_mut()
            .append_pair("client_id", self.client_id.as_str())
            .append_pair("response_type", "code")
            .append_pair("redirect_uri", listener.uri().as_str())
            .append_pair("response_mode", "query")
            .append_pair("scope", &self.scope)
            .append_pair("state", listener.state())
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256")
            .append_pair("prompt", "select_account");
        Ok(BrowserSignIn { administrator: self.clone(), listener, verifier, url })
    }

    async fn redeem<'a>(
        &self,
        form: impl IntoIterator<Item = (&'a str, FormValue<'a>)>,
    ) -> Result<DelegatedToken, TokenError> {
        let endpoint = token_endpoint(&self.login, &self.tenant, EndpointVersion::V2);
        let asked_at = self.clock.now();
        let answer: TokenAnswer = ask(&self.transport, Request::post(endpoint).form(form), &*self.clock).await?;
        let expires_at = asked_at.saturating_add(answer.lifetime(asked_at)).unwrap_or(Timestamp::MAX);
        Ok(DelegatedToken { secret: answer.access_token, expires_at, scope: answer.scope })
    }
}

impl BrowserSignIn {
    /// The page to open.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Waits for the browser and redeems what it brings. `error` is read before anything else.
    ///
    /// # Errors
    /// [`SignInError`].
    pub async fn finish(self, patience: Duration) -> Result<DelegatedToken, SignInError> {
        let parameters = self.listener.wait(patience).await.map_err(SignInError::Listen)?;
        let parameters = parameters.ok_or(SignInError::TimedOut(patience))?;
        if let Some(error) = consent::refusal(&parameters) {
            return Err(SignInError::Token(error));
        }
        let code = parameters.into_iter().find(|(name, _)| name == "code").map(|(_, code)| Secret::new(code));
        let code = code.ok_or(SignInError::NoCode)?;
        let form = [
            ("grant_type", FormValue::Text("authorization_code")),
            ("client_id", FormValue::Text(self.administrator.client_id.as_str())),
            ("code", FormValue::Secret(&code)),
            ("redirect_uri", FormValue::Text(self.listener.uri().as_str())),
            ("code_verifier", FormValue::Secret(&self.verifier)),
        ];
        self.administrator.redeem(form).await.map_err(SignInError::Token)
    }
}

impl DeviceCode {
    fn read(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let seconds = |name: &str| match value.get(name)? {
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_u64(),
        };
        let user_code = text("user_code")?;
        let verification_uri = text("verification_uri").or_else(|| text("verification_url"))?;
        let sentence = || format!("Open {verification_uri} and type the code {user_code}.");
        Some(Self {
            code: Secret::new(text("device_code")?),
            message: text("message").unwrap_or_else(sentence),
            interval: Duration::from_secs(seconds("interval").unwrap_or(5).min(60)).max(INTERVAL_MIN),
            lifetime: Duration::from_secs(seconds("expires_in").unwrap_or(900).min(3600)),
            user_code,
            verification_uri,
        })
    }
}

impl fmt::Debug for Administrator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Administrator").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl fmt::Debug for BrowserSignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrowserSignIn").finish_non_exhaustive()
    }
}

/// "Microsoft Graph Command Line Tools", a public client that tenants know (M).
const GRAPH_COMMAND_LINE_TOOLS: &str = "14d82eec-204b-4c2f-b7e8-296a70dab67e";
const SLOW_DOWN: Duration = Duration::from_secs(5);
/// A service that names no interval must still not be flooded.
const INTERVAL_MIN: Duration = Duration::from_millis(200);
