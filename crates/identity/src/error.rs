//! Why there is no token: a typed cause, who must act, what to do, and the ids that Microsoft's support asks for.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use jiff::SignedDuration;
use sortie_model::Secret;
use sortie_transport::SendError;

use crate::{
    audience::Audience,
    credential::CredentialError,
    explanation::{Explanation, explain},
};

/// No token. Cheap to clone: all callers who waited for one request get the same failure.
#[derive(Clone)]
pub struct TokenError(Arc<Details>);

/// All that is known about a failure. Reached through [`TokenError`] by `Deref`.
#[derive(Clone, Debug)]
pub struct Details {
    /// What kind of failure it is.
    pub cause: TokenErrorCause,
    /// What the token was for, where that is known.
    pub audience: Option<Audience>,
    /// HTTP status of the answer.
    pub status: Option<u16>,
    /// The OAuth error, such as `invalid_client`.
    pub error: Option<String>,
    /// The AADSTS code.
    pub code: Option<u32>,
    /// Entra's own words, without the ids, bounded; they may name the app and the tenant, never a secret.
    pub message: Option<String>,
    /// Entra's id of this request, for its support.
    pub trace_id: Option<String>,
    /// Entra's id of this conversation, for its support.
    pub correlation_id: Option<String>,
    /// When Entra refused, in its own spelling.
    pub timestamp: Option<String>,
    /// How far this machine's clock is ahead (positive) or behind of the service's, where that is more than five minutes.
    pub clock_ahead: Option<SignedDuration>,
    /// How long the service asked to wait.
    pub retry_after: Option<Duration>,
    /// What went wrong on the way, where no answer arrived.
    pub send: Option<Arc<SendError>>,
    /// What is wrong with the credential on this side.
    pub credential: Option<Arc<CredentialError>>,
    /// The whole refusal as it came; kept like a secret, because nobody knows what a gateway repeats in it.
    pub whole: Option<Secret>,
}

/// What kind of failure it is. The rows of Microsoft's AADSTS list come down to these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenErrorCause {
    /// The secret is not one of the app's; often the secret's id instead of its value.
    WrongSecret,
    /// The secret's time is over.
    SecretExpired,
    /// Neither a secret nor an assertion arrived.
    CredentialMissing,
    /// The certificate is not registered with the app, or its key does not fit.
    CertificateNotRegistered,
    /// The assertion is outside its time: a wrong clock.
    AssertionTime,
    /// The assertion is malformed, expired or made for something else.
    AssertionInvalid,
    /// The certificate's subject is not authorised.
    CertificateSubject,
    /// The federated token's issuer, subject or audience fits no federated credential.
    FederationMismatch,
    /// The app is not known in this tenant.
    ApplicationNotFound,
    /// The app is disabled.
    ApplicationDisabled,
    /// The app has no service principal in the tenant.
    ServicePrincipalMissing,
    /// No such tenant here: a typo or another cloud.
    TenantNotFound,
    /// The tenant is neither a GUID nor a domain.
    TenantMalformed,
    /// The tenant lives in another national cloud.
    WrongCloud,
    /// The request is malformed: a bug here or something on the way changed it.
    RequestMalformed,
    /// The scope is not `<one resource>/.default`.
    ScopeInvalid,
    /// The resource is not in the tenant: product not provisioned, or a typo.
    ResourceNotFound,
    /// The resource is disabled.
    ResourceDisabled,
    /// The resource wants an assigned role, and the app has none.
    RoleRequired,
    /// The app does not list the resource among its required permissions.
    ResourceNotDeclared,
    /// The organisation has no subscription for the service.
    NotSubscribed,
    /// The app registration is inconsistent.
    ApplicationMisconfigured,
    /// Consent is missing.
    ConsentMissing,
    /// An administrator said no.
    ConsentDeclined,
    /// The user does not exist in this tenant (sign-in of a person only).
    UserNotFound,
    /// A single-tenant app was used through `/common`.
    SingleTenant,
    /// Conditional Access blocks this workload or person.
    ConditionalAccess,
    /// A security policy of the tenant blocks it.
    TenantPolicy,
    /// The network's tenant restrictions block it.
    TenantRestrictions,
    /// The person has not finished the device code sign-in yet.
    AuthorizationPending,
    /// The person said no.
    AuthorizationDeclined,
    /// The device code is unknown.
    BadVerificationCode,
    /// The device or authorization code is too old or used.
    CodeExpired,
    /// The redirect address is not registered with the app.
    RedirectMismatch,
    /// Entra sees the same request again and again.
    LoopDetected,
    /// Entra has a passing trouble.
    Transient,
    /// The tenant or client is throttled.
    Throttled,
    /// A refusal with a code or error that we do not know.
    UnknownRefusal,
    /// The answer is a web page: a proxy or portal stands between.
    HtmlAnswer,
    /// The answer is empty.
    EmptyAnswer,
    /// The answer ends in the middle.
    CutAnswer,
    /// The answer is not JSON.
    NotJson,
    /// JSON, but not of the documented shape.
    WrongShape,
    /// A success that holds no `access_token`.
    TokenMissing,
    /// The answer is larger than any token.
    OversizedAnswer,
    /// No answer at all; [`Details::send`] says why.
    NoAnswer,
    /// The credential cannot be used on this side; [`Details::credential`] says why.
    CredentialUnusable,
    /// This cloud has no such resource.
    NotInThisCloud,
    /// There is no metadata service here: not a cloud machine.
    NoManagedIdentity,
    /// The machine has no such managed identity, or several and none was named.
    ManagedIdentityUnknown,
}

/// Who must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// Whoever set up this machine and connection.
    Operator,
    /// An administrator of the Entra tenant.
    TenantAdministrator,
    /// Microsoft, or its support.
    Microsoft,
    /// Nobody: it passes.
    Nobody,
}

impl TokenError {
    pub(crate) fn with(&self, change: impl FnOnce(&mut Details)) -> Self {
        let mut details = Details::clone(&self.0);
        change(&mut details);
        Self(Arc::new(details))
    }

    /// The row of the AADSTS list, where the answer names a known code.
    pub fn explanation(&self) -> Option<&'static Explanation> {
        self.code.and_then(explain)
    }

    /// Who must act.
    pub fn who(&self) -> Who {
        self.explanation().map_or_else(|| self.cause.who(), |row| row.who)
    }

    /// What to do next, as full sentences.
    pub fn remedy(&self) -> String {
        if let Some(send) = &self.send {
            return send.remedy();
        }
        if let Some(credential) = &self.credential {
            return credential.remedy().to_owned();
        }
        let remedy = self.explanation().map_or_else(|| self.cause.remedy(), |row| row.remedy);
        match self.clock_ahead {
            Some(ahead) if self.cause == TokenErrorCause::AssertionTime => clock_sentence(ahead),
            Some(ahead) => format!("{} {remedy}", clock_sentence(ahead)),
            None => remedy.to_owned(),
        }
    }

    /// Whether the same request may succeed later without anybody's help.
    pub fn may_pass(&self) -> bool {
        match &self.send {
            Some(send) => send.may_pass(),
            None => self.explanation().map_or(self.who() == Who::Nobody, |row| row.retryable),
        }
    }
}

impl Details {
    /// Nothing known but the cause.
    pub(crate) fn of(cause: TokenErrorCause) -> Self {
        Self {
            cause,
            audience: None,
            status: None,
            error: None,
            code: None,
            message: None,
            trace_id: None,
            correlation_id: None,
            timestamp: None,
            clock_ahead: None,
            retry_after: None,
            send: None,
            credential: None,
            whole: None,
        }
    }

    pub(crate) fn into_error(self) -> TokenError {
        TokenError(Arc::new(self))
    }
}

impl std::ops::Deref for TokenError {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl fmt::Debug for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.audience {
            Some(audience) => write!(f, "no token for {audience}: {}", self.cause.meaning())?,
            None => write!(f, "no token: {}", self.cause.meaning())?,
        }
        match (self.code, &self.error, self.status) {
            (Some(code), _, _) => write!(f, " (AADSTS{code})"),
            (None, Some(error), _) => write!(f, " ({error})"),
            (None, None, Some(status)) => write!(f, " (status {status})"),
            (None, None, None) => Ok(()),
        }
    }
}

impl Error for TokenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match (&self.send, &self.credential) {
            (Some(send), _) => Some(&**send),
            (None, Some(credential)) => Some(&**credential),
            (None, None) => None,
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Operator => "the operator of this machine",
            Self::TenantAdministrator => "an administrator of the tenant",
            Self::Microsoft => "Microsoft",
            Self::Nobody => "nobody; it will pass",
        })
    }
}

/// By how much and which way the clock is off.
fn clock_sentence(ahead: SignedDuration) -> String {
    let seconds = ahead.as_secs().unsigned_abs();
    let way = if ahead.is_negative() { "behind" } else { "ahead of" };
    let (amount, unit) = match seconds {
        0..120 => (seconds, "seconds"),
        120..7200 => ((seconds + 30) / 60, "minutes"),
        7200..172_800 => ((seconds + 1800) / 3600, "hours"),
        _ => ((seconds + 43_200) / 86_400, "days"),
    };
    format!("This machine's clock is {amount} {unit} {way} the service's; set it right (NTP).")
}
