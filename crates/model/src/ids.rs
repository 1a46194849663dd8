//! Every id is its own type, parsed once at the border. One list, alphabetical.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

macro_rules! remote_ids { ($($(#[$doc:meta])* $name:ident),+ $(,)?) => { $(
    $(#[$doc])*
    #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
    #[serde(transparent)]
    pub struct $name(pub String);

    impl fmt::Display for $name {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
    }
)+ } }

remote_ids! {
    /// A machine action of Defender for Endpoint: a GUID.
    ActionId,
    /// An alert of Microsoft Defender, as the service spells it: `da638...`, opaque.
    AlertId,
    /// An incident of Microsoft Defender: a decimal number that Graph writes as a string and XDR as a number.
    IncidentId,
    /// An indicator of Defender for Endpoint: a decimal number that the service writes as a string.
    IndicatorId,
    /// A device of Defender for Endpoint: 40 hexadecimal digits.
    MachineId,
}

macro_rules! parsed_ids { ($($name:ident, $error:ty);+ $(;)?) => { $(
    impl $name {
        /// The canonical spelling.
        pub fn as_str(&self) -> &str { &self.0 }
    }
    impl fmt::Display for $name {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
    }
    impl FromStr for $name {
        type Err = $error;
        fn from_str(text: &str) -> Result<Self, Self::Err> { Self::parse(text) }
    }
    impl TryFrom<String> for $name {
        type Error = $error;
        fn try_from(text: String) -> Result<Self, Self::Error> { Self::parse(&text) }
    }
    impl From<$name> for String {
        fn from(id: $name) -> Self { id.0 }
    }
)+ } }

parsed_ids! { ClientId, ClientIdError; ConnectionName, ConnectionNameError; TenantId, TenantIdError }

/// The application (client) id of an app registration: a GUID, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClientId(String);

impl ClientId {
    /// Reads a GUID in any letter case, with blanks around it.
    ///
    /// # Errors
    /// [`ClientIdError`] when it is not a GUID: the operator pasted another field of the portal's page.
    pub fn parse(text: &str) -> Result<Self, ClientIdError> {
        let text = text.trim().to_ascii_lowercase();
        if is_guid(&text) { Ok(Self(text)) } else { Err(ClientIdError) }
    }
}

/// Why a text is not a client id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "expected the Application (client) ID, a GUID such as `11111111-2222-3333-4444-555555555555`, from the app's Overview page"
)]
pub struct ClientIdError;

/// The name under which a connection is kept: letters, digits, `-`, `_` and `.`, at most 64 characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ConnectionName(String);

impl ConnectionName {
    /// Reads a name; blanks around it are dropped.
    ///
    /// # Errors
    /// [`ConnectionNameError`] when it is empty, too long, or holds another character.
    pub fn parse(text: &str) -> Result<Self, ConnectionNameError> {
        let text = text.trim();
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let fits = !text.is_empty() && text.len() <= 64 && text.chars().all(allowed) && !text.starts_with(['-', '.']);
        if fits { Ok(Self(text.to_owned())) } else { Err(ConnectionNameError) }
    }
}

/// Why a text is not a connection name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected a connection name of letters, digits, `-`, `_` and `.`, at most 64 characters, such as `contoso`")]
pub struct ConnectionNameError;

/// An Entra tenant: a GUID or a verified domain. Never `common` or `organizations`: app-only tokens need one tenant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantId(String);

impl TenantId {
    /// Reads a GUID or domain; blanks around it are dropped, letters lowered.
    ///
    /// # Errors
    /// [`TenantIdError`] says whether the text is an alias for many tenants or no tenant at all.
    pub fn parse(text: &str) -> Result<Self, TenantIdError> {
        let text = text.trim().to_ascii_lowercase();
        if matches!(text.as_str(), "common" | "organizations" | "consumers") {
            return Err(TenantIdError::MultiTenantAlias);
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        let domain =
            text.contains('.') && !text.starts_with(['.', '-']) && !text.ends_with(['.', '-']) && !text.contains("..");
        if text.len() > 253 || !text.chars().all(allowed) || !(domain || is_guid(&text)) {
            return Err(TenantIdError::NotATenant);
        }
        Ok(Self(text))
    }

    /// Whether this is the directory (tenant) id itself rather than a domain of the tenant.
    pub fn is_guid(&self) -> bool {
        is_guid(&self.0)
    }
}

/// Why a text is not a tenant.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TenantIdError {
    /// `common`, `organizations` or `consumers`.
    #[error(
        "this alias means any tenant, but an app-only token belongs to one: give the tenant's GUID or a verified domain"
    )]
    MultiTenantAlias,
    /// Neither a GUID nor a domain.
    #[error("expected a tenant GUID or a verified domain such as `contoso.onmicrosoft.com`")]
    NotATenant,
}

fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUID: &str = "11111111-2222-3333-4444-55555555aBcD";

    #[test]
    fn a_tenant_is_a_guid_or_a_domain_and_never_an_alias() {
        #[track_caller]
        fn check(input: &str, expected: Result<&str, TenantIdError>) {
            assert_eq!(TenantId::parse(input).map(String::from), expected.map(str::to_owned), "{input:?}");
        }
        check(&format!(" {GUID}\n"), Ok("11111111-2222-3333-4444-55555555abcd"));
        check("Contoso.OnMicrosoft.com", Ok("contoso.onmicrosoft.com"));
        for alias in ["common", "organizations", "consumers", "Common"] {
            check(alias, Err(TenantIdError::MultiTenantAlias));
        }
        for wrong in
            ["", "contoso", "a b.com", "..", "contoso..com", "../token", "contoso.com/x", "11111111-2222-3333-4444"]
        {
            check(wrong, Err(TenantIdError::NotATenant));
        }
    }

    #[test]
    fn a_client_id_is_a_guid() {
        assert_eq!(ClientId::parse(GUID).unwrap().as_str(), "11111111-2222-3333-4444-55555555abcd");
        for wrong in ["", "my app", "11111111222233334444555555555555", "{11111111-2222-3333-4444-555555555555}"] {
            assert_eq!(ClientId::parse(wrong), Err(ClientIdError), "{wrong:?}");
        }
    }

    #[test]
    fn a_connection_name_is_safe_in_a_file_and_on_a_command_line() {
        assert_eq!(ConnectionName::parse(" contoso-1 ").unwrap().as_str(), "contoso-1");
        for wrong in ["", "-x", ".x", "a b", "a/b", &"x".repeat(65)] {
            assert_eq!(ConnectionName::parse(wrong), Err(ConnectionNameError), "{wrong:?}");
        }
    }
}
