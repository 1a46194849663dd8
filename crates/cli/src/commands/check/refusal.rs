//! A sign-in that gave no token, in one sentence, with who must act and what to do.

use serde_json::{Value, json};
use sortie_identity::{Credential, CredentialWarning, TokenError, TokenErrorCause};
use sortie_transport::{ProxyCause, SendErrorKind};

use crate::{
    commands::explain::who_text,
    context::{ENVIRONMENT, Session},
    exit::{Exit, exit_of_token, remedy_of_token},
    roles::product,
};

/// Why there is no token.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub code: Option<u32>,
    /// What failed, about what: one sentence.
    pub what: String,
    pub who: &'static str,
    /// What to do, in full sentences.
    pub next: String,
    /// What Microsoft's support asks for.
    pub support: Option<String>,
    pub exit: Exit,
}

impl Refusal {
    pub(crate) fn of(error: &TokenError, session: &Session) -> Self {
        let ids = [("trace id", &error.trace_id), ("correlation id", &error.correlation_id), ("at", &error.timestamp)];
        let ids = ids.iter().filter_map(|(name, id)| id.as_ref().map(|id| format!("{name} {id}")));
        let ids = ids.collect::<Vec<_>>().join(", ");
        Self {
            code: error.code,
            what: what(error, session),
            who: who(error),
            next: next(error, session),
            support: (!ids.is_empty()).then_some(ids),
            exit: exit_of_token(error),
        }
    }

    /// Whether it concerns the resource alone, so that another API may still be reached: not in the tenant, no role,
    /// disabled.
    pub(crate) fn is_of_one_api(&self) -> bool {
        is_of_one_api(self.code)
    }

    /// The lines under a numbered step.
    pub(crate) fn lines(&self) -> String {
        let support = self.support.as_ref().map(|ids| format!("\nFor Microsoft's support: {ids}")).unwrap_or_default();
        format!("{}\nWho acts: {}\nNext: {}{support}", self.what, self.who, self.next)
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "ok": false, "code": self.code, "error": self.what, "who": self.who, "next": self.next,
            "support": self.support,
        })
    }
}

fn is_of_one_api(code: Option<u32>) -> bool {
    matches!(code, Some(500_011 | 50_001 | 501_051 | 650_052 | 650_057 | 70_011))
}

fn what(error: &TokenError, session: &Session) -> String {
    if let Some(send) = &error.send {
        // The operating system's own words beneath say no more, and differ from system to system.
        return format!("`{}` cannot be reached: {}.", send.host, send.kind);
    }
    if let Some(credential) = &error.credential {
        return format!("The credential cannot be used: {credential}.");
    }
    let meaning = match error.cause {
        TokenErrorCause::WrongSecret if is_secret_id(session) => {
            "what it was given as client secret is a Secret ID, not a secret's value"
        }
        TokenErrorCause::AssertionTime => "a clock is wrong, and so the signed assertion is outside its valid time",
        cause => cause.meaning(),
    };
    let login = session.application.hosts.login.host_str().unwrap_or("the login host");
    match (error.code, &error.error, error.status) {
        (Some(code), _, _) if is_of_one_api(error.code) => {
            let api = error.audience.as_ref().map(|audience| format!(" for {}", product(audience))).unwrap_or_default();
            format!("Entra gives no token{api}: {meaning} (AADSTS{code}).")
        }
        (Some(code), _, _) if error.explanation().is_none() => {
            let words = error.message.as_deref().unwrap_or("without a reason");
            format!("Entra refused to sign the application in (AADSTS{code}): {words}")
        }
        (Some(code), _, _) => format!("Entra refused to sign the application in: {meaning} (AADSTS{code})."),
        (None, Some(name), _) => format!("Entra refused to sign the application in: {meaning} ({name})."),
        (None, None, Some(status)) => format!("`{login}` gave no token: {meaning} (status {status})."),
        (None, None, None) => format!("There is no token: {meaning}."),
    }
}

fn who(error: &TokenError) -> &'static str {
    match error.send.as_deref().map(|send| &*send.kind) {
        Some(SendErrorKind::Proxy(ProxyCause::Refused)) => "the administrators of this network, who run the proxy",
        _ => who_text(error.who()),
    }
}

fn next(error: &TokenError, session: &Session) -> String {
    let next = remedy_of_token(error);
    match (error.cause, &session.application.credential) {
        (TokenErrorCause::CertificateNotRegistered, Credential::Certificate(certificate)) => {
            format!("{next} The thumbprint of the one that was used is {}.", certificate.portal_thumbprint())
        }
        (
            TokenErrorCause::TenantNotFound
            | TokenErrorCause::TenantMalformed
            | TokenErrorCause::WrongCloud
            | TokenErrorCause::ApplicationNotFound,
            _,
        ) if session.name != ENVIRONMENT => {
            format!("{next} `sortie connection add {} --replace` corrects the connection.", session.name)
        }
        _ => next,
    }
}

fn is_secret_id(session: &Session) -> bool {
    matches!(session.application.credential.warning(), Some(CredentialWarning::SecretIdInsteadOfValue))
}
