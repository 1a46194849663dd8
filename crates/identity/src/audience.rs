//! Which API a token is for. The operation names it, never the host: two audiences share one.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::cloud::Cloud;

/// The resource that a token opens.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Audience {
    /// Defender XDR: incidents and advanced hunting.
    Xdr,
    /// Defender for Endpoint: machines, alerts, indicators, response actions.
    DefenderForEndpoint,
    /// Microsoft Graph, its security API included.
    Graph,
    /// Defender for Cloud Apps.
    CloudApps,
    /// Any other resource, by application id URI or GUID.
    Other(String),
}

/// Something that a person should be told about how a scope was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScopeNote {
    /// A bare `.default` was given; the operation's own resource was taken.
    BareDefault {
        /// That resource.
        taken: Audience,
    },
}

/// Why a text is no audience.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AudienceError {
    /// Nothing but blanks.
    #[error("the audience is empty; expected xdr, mde, graph, cloudapps, a resource URI or a GUID")]
    Empty,
    /// `.default` without a resource, where no operation supplies one.
    #[error("`.default` names no resource; write for example `https://api.security.microsoft.com/.default`")]
    BareDefault,
    /// Two or more scopes in one text.
    #[error("a token is for one resource, but this names several; ask for one token each")]
    Several,
    /// A delegated permission or role name instead of a resource.
    #[error("`{0}` is no resource; expected xdr, mde, graph, cloudapps, a resource URI or a GUID")]
    NotAResource(String),
    /// A scope of a single permission, which only delegated sign-in knows.
    #[error("app-only tokens know no single permissions; write `{resource}/.default` instead of `{scope}`")]
    SinglePermission {
        /// What was given.
        scope: String,
        /// Its resource part.
        resource: String,
    },
}

impl Audience {
    /// The four with presets.
    pub const PRESETS: [Self; 4] = [Self::Xdr, Self::DefenderForEndpoint, Self::Graph, Self::CloudApps];

    /// The resource identifier for `resource=` (v1), without `/.default`; `None` where the cloud has no such service.
    pub fn resource(&self, cloud: Cloud) -> Option<Cow<'_, str>> {
        let resource = match (self, cloud) {
            (Self::Xdr, Cloud::Global) => "https://api.security.microsoft.com",
            (Self::Xdr, Cloud::Gcc) => "https://api-gcc.security.microsoft.us",
            (Self::Xdr, Cloud::GccHigh | Cloud::Dod) => "https://api-gov.security.microsoft.us",
            (Self::DefenderForEndpoint, Cloud::Global) => "https://api.securitycenter.microsoft.com",
            (Self::DefenderForEndpoint, Cloud::Gcc) => "https://api-gcc.securitycenter.microsoft.us",
            (Self::DefenderForEndpoint, Cloud::GccHigh | Cloud::Dod) => "https://api-gov.securitycenter.microsoft.us",
            (Self::Xdr | Self::DefenderForEndpoint, Cloud::China) => return None,
            (Self::Graph, Cloud::Global | Cloud::Gcc) => "https://graph.microsoft.com",
            (Self::Graph, Cloud::GccHigh) => "https://graph.microsoft.us",
            (Self::Graph, Cloud::Dod) => "https://dod-graph.microsoft.us",
            (Self::Graph, Cloud::China) => "https://microsoftgraph.chinacloudapi.cn",
            (Self::CloudApps, _) => CLOUD_APPS_ID,
            (Self::Other(resource), _) => resource,
        };
        Some(Cow::Borrowed(resource))
    }

    /// The scope for v2: the resource and `/.default`.
    pub fn scope(&self, cloud: Cloud) -> Option<String> {
        self.resource(cloud).map(|resource| format!("{resource}/.default"))
    }

    /// What to type into "APIs my organization uses" in the portal.
    pub fn label(&self) -> Cow<'_, str> {
        Cow::Borrowed(match self {
            Self::Xdr => "Microsoft Threat Protection",
            Self::DefenderForEndpoint => "WindowsDefenderATP",
            Self::Graph => "Microsoft Graph",
            Self::CloudApps => "Microsoft Cloud App Security",
            Self::Other(resource) => resource,
        })
    }

    /// The application id of the resource, where it is known.
    pub fn app_id(&self) -> Option<&str> {
        match self {
            Self::Xdr => Some("8ee8fdad-f234-4243-8f3b-15c294843740"),
            Self::DefenderForEndpoint => Some("fc780465-2017-40d4-a0c5-307022471b92"),
            Self::Graph => Some("00000003-0000-0000-c000-000000000000"),
            Self::CloudApps => Some(CLOUD_APPS_ID),
            Self::Other(resource) => is_guid(resource).then_some(resource),
        }
    }

    /// The short name on the command line; other resources are their own name.
    pub fn name(&self) -> &str {
        match self {
            Self::Xdr => "xdr",
            Self::DefenderForEndpoint => "mde",
            Self::Graph => "graph",
            Self::CloudApps => "cloudapps",
            Self::Other(resource) => resource,
        }
    }

    /// Whether an `aud` claim means this resource, in any cloud and spelling: URI or application id, slash or none.
    pub fn matches_claim(&self, aud: &str) -> bool {
        let aud = aud.trim_end_matches('/');
        let same = |other: &str| other.trim_end_matches('/').eq_ignore_ascii_case(aud);
        self.app_id().is_some_and(same)
            || Cloud::ALL.iter().any(|cloud| self.resource(*cloud).is_some_and(|r| same(&r)))
    }

    /// The preset that an `aud` claim or resource means, else the text itself.
    pub fn of_claim(aud: &str) -> Self {
        preset(aud).unwrap_or_else(|| Self::Other(aud.to_owned()))
    }
}

impl FromStr for Audience {
    type Err = AudienceError;

    /// Reads `xdr`, `mde`, `graph`, `cloudapps`, a portal label, a resource URI or a GUID; blanks around it and a trailing
    /// `/.default` are dropped.
    fn from_str(text: &str) -> Result<Self, AudienceError> {
        let text = text.trim();
        let resource = text.trim_end_matches("/.default");
        if resource.is_empty() {
            return Err(AudienceError::Empty);
        }
        if text == ".default" {
            return Err(AudienceError::BareDefault);
        }
        if let Some(preset) = preset(resource) {
            return Ok(preset);
        }
        if resource.contains(char::is_whitespace) {
            return Err(if resource.contains("://") { AudienceError::Several } else { not_a_resource(resource) });
        }
        let is_uri =
            url::Url::parse(resource).is_ok_and(|url| matches!(url.scheme(), "https" | "http" | "api" | "spn"));
        if is_uri && let Some(parent) = single_permission(resource) {
            return Err(AudienceError::SinglePermission { scope: resource.to_owned(), resource: parent.to_owned() });
        }
        if is_uri || is_guid(resource) { Ok(Self::Other(resource.to_owned())) } else { Err(not_a_resource(resource)) }
    }
}

impl TryFrom<String> for Audience {
    type Error = AudienceError;

    fn try_from(text: String) -> Result<Self, AudienceError> {
        text.parse()
    }
}

impl From<Audience> for String {
    fn from(audience: Audience) -> Self {
        audience.name().to_owned()
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label())
    }
}

impl fmt::Display for ScopeNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BareDefault { taken } => {
                write!(f, "the scope `.default` names no resource; took {taken}, which this operation belongs to")
            }
        }
    }
}

/// Reads a scope as people write it. A bare `.default` takes the resource of the operation that is being called, and says so.
///
/// # Errors
/// [`AudienceError`] when it names no single resource.
pub fn parse_scope(text: &str, operation: &Audience) -> Result<(Audience, Option<ScopeNote>), AudienceError> {
    match text.parse() {
        Err(AudienceError::BareDefault) => {
            Ok((operation.clone(), Some(ScopeNote::BareDefault { taken: operation.clone() })))
        }
        other => other.map(|audience| (audience, None)),
    }
}

fn preset(text: &str) -> Option<Audience> {
    let plain = text.trim_end_matches('/');
    let named = match plain.to_ascii_lowercase().replace([' ', '-', '_'], "").as_str() {
        "xdr" | "mtp" | "microsoftthreatprotection" => Some(Audience::Xdr),
        "mde" | "windowsdefenderatp" | "https://api.securitycenter.windows.com" => Some(Audience::DefenderForEndpoint),
        "graph" | "microsoftgraph" => Some(Audience::Graph),
        "cloudapps" | "mdca" | "microsoftcloudappsecurity" => Some(Audience::CloudApps),
        _ => None,
    };
    named.or_else(|| Audience::PRESETS.into_iter().find(|preset| preset.matches_claim(plain)))
}

/// `https://graph.microsoft.com/User.Read` -> its resource. Permissions have dots and no further slash.
fn single_permission(scope: &str) -> Option<&str> {
    let (parent, last) = scope.rsplit_once('/')?;
    let permission =
        last.contains('.') && last.split('.').all(|part| part.starts_with(|c: char| c.is_ascii_alphabetic()));
    (permission && parent.contains("://") && !parent.ends_with('/')).then_some(parent)
}

fn not_a_resource(text: &str) -> AudienceError {
    AudienceError::NotAResource(text.to_owned())
}

fn is_guid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

const CLOUD_APPS_ID: &str = "05a65629-4c1b-48c1-a78b-804c4abdd4af";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<Audience, &str>) {
        let found = text.parse::<Audience>();
        match expected {
            Ok(audience) => assert_eq!(found, Ok(audience), "{text:?}"),
            Err(variant) => assert!(format!("{found:?}").contains(variant), "{text:?}: {found:?}"),
        }
    }

    #[test]
    fn presets_are_known_by_name_label_uri_and_id() {
        for text in ["xdr", " XDR ", "Microsoft Threat Protection", "https://api.security.microsoft.com/.default"] {
            check(text, Ok(Audience::Xdr));
        }
        for text in
            ["mde", "https://api.securitycenter.microsoft.com//.default", "https://api.securitycenter.windows.com"]
        {
            check(text, Ok(Audience::DefenderForEndpoint));
        }
        check("00000003-0000-0000-c000-000000000000/.default", Ok(Audience::Graph));
        check("05A65629-4c1b-48c1-a78b-804c4abdd4af", Ok(Audience::CloudApps));
        check("https://dod-graph.microsoft.us", Ok(Audience::Graph));
    }

    #[test]
    fn other_resources_are_uris_or_guids() {
        let guid = "11111111-2222-3333-4444-555555555555";
        check(guid, Ok(Audience::Other(guid.into())));
        check("api://my-api/.default", Ok(Audience::Other("api://my-api".into())));
        check("api://my-api/.default/.default", Ok(Audience::Other("api://my-api".into())));
        check("https://vault.azure.net", Ok(Audience::Other("https://vault.azure.net".into())));
        check("  ", Err("Empty"));
        check("/.default", Err("Empty"));
        check("SecurityIncident.Read.All", Err("NotAResource"));
        check("https://a.example/.default https://b.example/.default", Err("Several"));
        check("https://graph.microsoft.com/User.Read", Err("SinglePermission"));
    }

    #[test]
    fn a_bare_default_takes_the_operations_resource_and_says_so() {
        let (audience, note) = parse_scope("  .default ", &Audience::Graph).unwrap();
        assert_eq!(audience, Audience::Graph);
        assert!(note.unwrap().to_string().contains("Microsoft Graph"));
        assert_eq!(parse_scope("xdr", &Audience::Graph), Ok((Audience::Xdr, None)));
    }

    #[test]
    fn china_has_no_defender_resource() {
        assert_eq!(Audience::Xdr.scope(Cloud::China), None);
        assert_eq!(Audience::CloudApps.scope(Cloud::China).unwrap(), format!("{CLOUD_APPS_ID}/.default"));
        assert_eq!(Audience::Graph.scope(Cloud::Dod).unwrap(), "https://dod-graph.microsoft.us/.default");
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic_and_what_is_read_is_read_again(text in "\\PC{0,60}") {
            if let Ok((audience, _)) = parse_scope(&text, &Audience::Xdr) {
                prop_assert_eq!(audience.name().parse::<Audience>(), Ok(audience.clone()));
            }
        }

        #[test]
        fn text_like_scopes_too(text in r"(https://|api://)?([a-z.]{1,8}|/|//| |User\.Read|:){0,6}(/\.default){0,3}") {
            if let Ok((audience, _)) = parse_scope(&text, &Audience::Xdr) {
                prop_assert_eq!(audience.name().parse::<Audience>(), Ok(audience.clone()));
            }
        }
    }
}
