//! Calls any operation of any described product.
//!
//! [`build()`] makes the exact request from typed inputs: a backslash, a quote, a tab or an emoji arrives as it was, and no
//! value can reach beyond its place. [`Caller`] sends it through a guarded way out and gives the answer as data.

mod answer;
mod build;
mod builtin;
mod call;
mod lenient;
mod native;
mod oauth;
mod paging;
mod subject;
mod tokens;
mod vault;

pub use answer::{Answer, AnswerBody, Failure};
pub use build::{BuildError, BuiltRequest, Target, base, build, cast};
pub use builtin::{BUILT_IN, BuiltIn};
pub use call::{CallError, Caller, Credential};
pub use lenient::lenient_json;
pub use native::{EmailError, Engine, HttpCall, LinkError, Mail, MailServer, NativeCall, as_data, data};
pub use oauth::{ClientProof, Grant, OAuthClient, OAuthError, Token, TokenFor};
pub use paging::{Cut, PageLimits, Paged};
pub use subject::{Met, MetKind, Subject};
pub use tokens::{Fetch, Fetching, Tokens};
pub use vault::{VaultError, VaultReference, VaultReferenceError, VaultSecret};
