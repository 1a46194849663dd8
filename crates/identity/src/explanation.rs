//! What Microsoft's AADSTS codes mean, who must act and what to do: one table, and the causes that it comes down to.

use crate::error::{TokenErrorCause as Cause, Who};

mod table;

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Explanation {
    /// The number after `AADSTS`.
    pub code: u32,
    /// What it comes down to.
    pub cause: Cause,
    /// A few words.
    pub title: &'static str,
    /// What happened, in a sentence.
    pub meaning: &'static str,
    /// Who must act.
    pub who: Who,
    /// What to do, in full sentences.
    pub remedy: &'static str,
    /// Whether the same request may succeed later by itself.
    pub retryable: bool,
    /// Where the meaning was read; `general knowledge` where no document says so.
    pub source: &'static str,
}

/// The row of a code.
pub fn explain(code: u32) -> Option<&'static Explanation> {
    table::ROWS.binary_search_by_key(&code, |row| row.code).ok().map(|at| &table::ROWS[at])
}

/// All rows, by code.
pub fn explanations() -> &'static [Explanation] {
    table::ROWS
}

impl Cause {
    /// The cause that a code comes down to.
    pub fn of_code(code: u32) -> Option<Self> {
        explain(code).map(|row| row.cause)
    }

    /// What the device flow's own words say (RFC 8628 section 3.5); the codes beside them are documented nowhere.
    pub(crate) fn of_device_flow(error: &str) -> Option<Self> {
        Some(match error {
            "authorization_pending" | "slow_down" => Self::AuthorizationPending,
            "authorization_declined" => Self::AuthorizationDeclined,
            "bad_verification_code" => Self::BadVerificationCode,
            "expired_token" | "code_expired" => Self::CodeExpired,
            _ => return None,
        })
    }

    /// What an OAuth `error` says where no code is known (RFC 6749 section 5.2).
    pub(crate) fn of_oauth_error(error: &str) -> Option<Self> {
        Some(match error {
            "invalid_request" | "unsupported_grant_type" => Self::RequestMalformed,
            "invalid_scope" => Self::ScopeInvalid,
            "invalid_resource" => Self::ResourceNotFound,
            "access_denied" | "permission_denied" => Self::ConsentDeclined,
            "consent_required" => Self::ConsentMissing,
            "interaction_required" => Self::ConditionalAccess,
            "temporarily_unavailable" | "server_error" => Self::Transient,
            _ => return None,
        })
    }

    /// What happened, as a fragment.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::WrongSecret => "the client secret is wrong",
            Self::SecretExpired => "the client secret has expired",
            Self::CredentialMissing => "no credential arrived at Entra",
            Self::CertificateNotRegistered => "the certificate is not registered with the app",
            Self::AssertionTime => "the assertion is outside its valid time",
            Self::AssertionInvalid => "the assertion is not valid",
            Self::CertificateSubject => "the certificate's subject is not authorised",
            Self::FederationMismatch => "no federated credential of the app fits the token of the identity provider",
            Self::ApplicationNotFound => "the app does not exist in this tenant",
            Self::ApplicationDisabled => "the app is disabled",
            Self::ServicePrincipalMissing => "the app has no service principal in this tenant",
            Self::TenantNotFound => "the tenant was not found",
            Self::TenantMalformed => "the tenant is neither a GUID nor a domain",
            Self::WrongCloud => "the tenant lives in another Microsoft cloud",
            Self::RequestMalformed => "Entra found the request malformed",
            Self::ScopeInvalid => "the scope is not valid",
            Self::ResourceNotFound => "the resource was not found in the tenant",
            Self::ResourceDisabled => "the resource is disabled or unknown",
            Self::RoleRequired => "the resource requires a role that the app was not assigned",
            Self::ResourceNotDeclared => "the app does not declare this resource",
            Self::NotSubscribed => "the organisation has not subscribed to the service",
            Self::ApplicationMisconfigured => "the app registration is inconsistent",
            Self::ConsentMissing => "consent is missing",
            Self::ConsentDeclined => "the administrator declined",
            Self::UserNotFound => "the user does not exist in this tenant",
            Self::SingleTenant => "the app is for one tenant only",
            Self::ConditionalAccess => "Conditional Access blocked the sign-in",
            Self::TenantPolicy => "a security policy of the tenant blocked the sign-in",
            Self::TenantRestrictions => "tenant restrictions of the network blocked the sign-in",
            Self::AuthorizationPending => "the sign-in is not finished yet",
            Self::AuthorizationDeclined => "the sign-in was declined",
            Self::BadVerificationCode => "the device code is unknown",
            Self::CodeExpired => "the code has expired",
            Self::RedirectMismatch => "the redirect address is not registered with the app",
            Self::LoopDetected => "Entra saw the same request too often",
            Self::Transient => "Entra has a passing trouble",
            Self::Throttled => "Entra throttles this tenant or app",
            Self::UnknownRefusal => "Entra refused",
            Self::HtmlAnswer => "a web page came back instead of a token answer",
            Self::EmptyAnswer => "the answer is empty",
            Self::CutAnswer => "the answer was cut off",
            Self::NotJson => "the answer is not JSON",
            Self::WrongShape => "the answer has an unknown shape",
            Self::TokenMissing => "the answer holds no token",
            Self::OversizedAnswer => "the answer is too large",
            Self::NoAnswer => "no answer arrived",
            Self::CredentialUnusable => "the credential cannot be used",
            Self::NotInThisCloud => "this cloud has no such API",
            Self::NoManagedIdentity => "there is no managed identity service here",
            Self::ManagedIdentityUnknown => "this machine has no such managed identity",
        }
    }

    /// Who must act where no code says better.
    pub fn who(self) -> Who {
        match self {
            Self::WrongSecret | Self::SecretExpired | Self::CredentialMissing | Self::CertificateNotRegistered => {
                Who::Operator
            }
            Self::AssertionTime | Self::AssertionInvalid | Self::FederationMismatch => Who::Operator,
            Self::ApplicationNotFound | Self::TenantNotFound | Self::TenantMalformed | Self::WrongCloud => {
                Who::Operator
            }
            Self::RequestMalformed | Self::ScopeInvalid | Self::ResourceDisabled | Self::SingleTenant => Who::Operator,
            Self::HtmlAnswer | Self::NotJson | Self::WrongShape | Self::TokenMissing => Who::Operator,
            Self::OversizedAnswer | Self::NoAnswer | Self::CredentialUnusable | Self::NotInThisCloud => Who::Operator,
            Self::NoManagedIdentity | Self::ManagedIdentityUnknown | Self::LoopDetected => Who::Operator,
            Self::AuthorizationPending | Self::AuthorizationDeclined | Self::BadVerificationCode => Who::Operator,
            Self::CodeExpired | Self::UserNotFound | Self::TenantRestrictions | Self::RedirectMismatch => Who::Operator,
            Self::ApplicationDisabled | Self::ServicePrincipalMissing | Self::ResourceNotFound => {
                Who::TenantAdministrator
            }
            Self::CertificateSubject | Self::RoleRequired | Self::ResourceNotDeclared | Self::NotSubscribed => {
                Who::TenantAdministrator
            }
            Self::ApplicationMisconfigured | Self::ConsentMissing | Self::ConsentDeclined => Who::TenantAdministrator,
            Self::ConditionalAccess | Self::TenantPolicy | Self::UnknownRefusal => Who::TenantAdministrator,
            Self::Transient | Self::Throttled | Self::EmptyAnswer | Self::CutAnswer => Who::Nobody,
        }
    }

    /// What to do where no code says better.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::HtmlAnswer => {
                "Something between here and Entra answered: a proxy, a captive portal or a wrong login address. Check the proxy setting and the login host."
            }
            Self::NotJson | Self::WrongShape | Self::TokenMissing | Self::OversizedAnswer => {
                "Check that the login host is really Microsoft's (or the emulator's) and that no proxy changes its answers."
            }
            Self::EmptyAnswer | Self::CutAnswer | Self::Transient => "Try again in a minute.",
            Self::Throttled => "Wait as long as the service asks; find out who asks for so many tokens.",
            Self::NoAnswer => "Check the network, the proxy and the login host.",
            Self::CredentialUnusable => "Check the credential that the connection refers to.",
            Self::NotInThisCloud => {
                "Choose another API, or correct the connection's cloud; Microsoft documents no Defender API for China."
            }
            Self::NoManagedIdentity => {
                "Managed identity works only on Azure machines that have one: assign an identity to the machine, or refer to another credential."
            }
            Self::ManagedIdentityUnknown => {
                "Name one of the identities that are assigned to this machine (client_id, object_id or resource_id)."
            }
            Self::AuthorizationPending => "Finish the sign-in in the browser.",
            Self::AuthorizationDeclined => "Start again and accept the sign-in.",
            Self::UnknownRefusal => {
                "Look the error up in the tenant's sign-in logs (Entra admin center > Monitoring > Sign-in logs > Service principal sign-ins) by the correlation id."
            }
            // Every other cause comes from the table; its first row speaks for a bare OAuth error, too.
            other => table::ROWS
                .iter()
                .find(|row| row.cause == other)
                .map_or("Compare tenant, client id and credential with the app's page in the portal.", |row| {
                    row.remedy
                }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of the reference's AADSTS table.
    const DOCUMENTED: &[u32] = &[
        7000215, 7000222, 7000216, 7000218, 700027, 700024, 700021, 700211, 700212, 700213, 50012, 50013, 500133,
        50027, 50048, 700030, 700016, 700011, 70001, 7000112, 90002, 900023, 90038, 900144, 9002313, 90013, 90014,
        90023, 900561, 1002012, 70011, 28002, 28003, 700022, 700023, 901002, 500011, 50001, 501051, 650057, 650052,
        650054, 650056, 65001, 65004, 50034, 50194, 53003, 530032, 530035, 500021, 500022, 70003, 70016, 70018, 70019,
        50196, 90024, 90033, 90090, 50033, 90006, 90012, 90055, 7000229, 9001023,
    ];

    #[test]
    fn the_table_is_sorted_and_covers_what_is_documented() {
        assert!(explanations().is_sorted_by_key(|row| row.code));
        for code in DOCUMENTED {
            assert!(explain(*code).is_some(), "AADSTS{code}");
        }
        assert!(explain(1).is_none());
    }

    #[test]
    fn every_row_is_a_sentence_for_a_person_who_can_act() {
        for row in explanations() {
            assert!(row.remedy.ends_with('.') && row.meaning.ends_with('.'), "AADSTS{}", row.code);
            assert!(!row.title.is_empty() && !row.source.is_empty());
            assert_eq!(row.retryable, row.who == Who::Nobody, "AADSTS{}", row.code);
        }
    }
}
