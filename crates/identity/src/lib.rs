//! App-only access tokens of Microsoft Entra ID: acquired, cached, explained, verified.
//!
//! [`TokenSource`] gives tokens, [`AuthorizedClient`] calls APIs with them, [`explain`] says what an AADSTS code means,
//! [`inspect`] reads and verifies a token, [`administrator`] signs a person in for the set-up, [`consent`] builds and awaits
//! the administrator's consent. Every address comes from [`Hosts`], so that an emulator plugs in.

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
    AssertionAlgorithm, Credential, CredentialError, CredentialSource, CredentialWarning, ManagedIdentityId,
    ProcessInput, SecretInput,
};
pub use error::{Details, TokenError, TokenErrorCause, Who};
pub use explanation::{Explanation, explain, explanations};
pub use source::TokenSource;
pub use token::AccessToken;
