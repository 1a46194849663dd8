//! App-only access tokens of Microsoft Entra ID: acquired, cached, explained, verified.
//!
//! [`TokenSource`] gives tokens, [`AuthorizedClient`] calls APIs with them, [`explain`] says what an AADSTS code means,
//! [`inspect`] reads and verifies a token, [`administrator`] signs a person in for the set-up, [`consent`] builds and awaits
//! the administrator's consent. Every address comes from [`Hosts`], so that an emulator plugs in.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use sortie_identity::{Application, Audience, Cloud, CredentialSource, EndpointVersion, ProcessInput, TokenSource};
//! use sortie_model::{ClientId, Clock, SystemClock, TenantId};
//! use sortie_transport::{Transport, TransportSettings};
//!
//! let secret = CredentialSource::Environment { variable: "AZURE_CLIENT_SECRET".to_owned() };
//! let application = Application {
//!     cloud: Cloud::Global,
//!     hosts: Cloud::Global.hosts(),
//!     tenant: TenantId::parse("contoso.onmicrosoft.com")?,
//!     client_id: ClientId::parse("11111111-2222-3333-4444-555555555555")?,
//!     credential: secret.load(&ProcessInput, SystemClock.now())?,
//!     endpoint: EndpointVersion::V2,
//! };
//! let transport = Transport::new(TransportSettings::default())?;
//! let tokens = TokenSource::new(transport, Arc::new(SystemClock), application);
//! let token = tokens.token(&Audience::Xdr).await?; // From Entra once, then from the cache.
//! # drop(token);
//! # Ok(())
//! # }
//! ```

pub mod administrator;
mod answer;
mod application;
mod audience;
mod cache;
mod certificate;
mod client;
mod cloud;
pub mod consent;
mod credential;
mod error;
mod explanation;
pub mod inspect;
mod managed_identity;
mod redirect;
mod source;
mod token;

pub use answer::{TokenAnswer, parse_token_answer};
pub use application::{Application, EndpointVersion};
pub use audience::{Audience, AudienceError, ScopeNote, parse_scope};
pub use cache::TokenCache;
pub use certificate::Certificate;
pub use client::{AuthorizedClient, CallError};
pub use cloud::{Cloud, HostMissing, HostOverrides, Hosts, Region};
pub use credential::{
    AssertionAlgorithm, AzureEnvironment, Credential, CredentialError, CredentialSource, CredentialWarning,
    ManagedIdentityId, ProcessInput, SecretInput,
};
pub use error::{Details, TokenError, TokenErrorCause, Who};
pub use explanation::{Explanation, explain, explanations};
pub use redirect::{Parameters, Pkce, RedirectListener};
pub use source::TokenSource;
pub use token::AccessToken;
