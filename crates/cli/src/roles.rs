//! Application permissions by the names that people use: role values, the portal's words, and the usual mistakes.

use std::borrow::Cow;

use clap::ValueEnum;
use sortie_identity::Audience;

/// What an application is to be used for; each purpose has the least roles that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Purpose {
    /// Read incidents and alerts
    Read,
    /// Read and change incidents and alerts
    Write,
    /// Run hunting queries
    Hunt,
    /// Look up files, addresses, domains and users
    Lookup,
    /// See devices and give them orders, but for offboarding; keep indicators
    Respond,
}

/// One application permission of one API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Role {
    pub api: Api,
    /// What stands in a token's `roles`.
    pub value: &'static str,
    /// What the portal shows beside it.
    pub display_name: &'static str,
}

/// The APIs with roles of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    Graph,
    Xdr,
    Endpoint,
    CloudApps,
}

impl Api {
    pub(crate) fn audience(self) -> Audience {
        match self {
            Self::Graph => Audience::Graph,
            Self::Xdr => Audience::Xdr,
            Self::Endpoint => Audience::DefenderForEndpoint,
            Self::CloudApps => Audience::CloudApps,
        }
    }
}

impl Purpose {
    /// The roles that suffice, and none that is not needed.
    pub(crate) fn roles(self) -> Vec<Role> {
        let values: &[(Api, &str)] = match self {
            Self::Read => &[
                (Api::Graph, "SecurityIncident.Read.All"),
                (Api::Graph, "SecurityAlert.Read.All"),
                (Api::Xdr, "Incident.Read.All"),
            ],
            Self::Write => &[
                (Api::Graph, "SecurityIncident.ReadWrite.All"),
                (Api::Graph, "SecurityAlert.ReadWrite.All"),
                (Api::Xdr, "Incident.ReadWrite.All"),
            ],
            Self::Hunt => &[(Api::Graph, "ThreatHunting.Read.All")],
            Self::Lookup => &[
                (Api::Endpoint, "Machine.Read.All"),
                (Api::Endpoint, "Alert.Read.All"),
                (Api::Endpoint, "File.Read.All"),
                (Api::Endpoint, "Ip.Read.All"),
                (Api::Endpoint, "URL.Read.All"),
            ],
            Self::Respond => &[
                (Api::Endpoint, "Machine.ReadWrite.All"),
                (Api::Endpoint, "Machine.Isolate"),
                (Api::Endpoint, "Machine.Scan"),
                (Api::Endpoint, "Machine.RestrictExecution"),
                (Api::Endpoint, "Machine.CollectForensics"),
                (Api::Endpoint, "Machine.StopAndQuarantine"),
                (Api::Endpoint, "Ti.ReadWrite.All"),
            ],
        };
        let known =
            |(api, value): &(Api, &str)| ROLES.iter().copied().find(|role| role.api == *api && role.value == *value);
        values.iter().filter_map(known).collect()
    }
}

/// The API's product by its own name; Entra lists some under older ones, which `Audience::label` gives.
pub(crate) fn product(audience: &Audience) -> Cow<'_, str> {
    match audience {
        Audience::Xdr => Cow::Borrowed("Defender XDR"),
        Audience::DefenderForEndpoint => Cow::Borrowed("Defender for Endpoint"),
        Audience::CloudApps => Cow::Borrowed("Defender for Cloud Apps"),
        Audience::Graph | Audience::Other(_) => audience.label(),
    }
}

/// Whether holding `held` serves where `wanted` is asked for: a `ReadWrite` role reads, too.
pub(crate) fn covers(held: &str, wanted: &str) -> bool {
    held.eq_ignore_ascii_case(wanted) || held.eq_ignore_ascii_case(&wanted.replace(".Read.", ".ReadWrite."))
}

/// What a text that should name a role comes down to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// The role's own value.
    Exact(Role),
    /// A display name, another letter case, or a plural: this is meant.
    Corrected(Role),
    /// Several APIs have a role of that name.
    Ambiguous(Vec<Role>),
    Unknown,
}

/// Reads a role: `xdr/Incident.Read.All`, `Incident.Read.All`, `Read all incidents`, `Incidents.Read.All`.
pub(crate) fn read_role(text: &str) -> Reading {
    let (api, name) = match text.split_once('/') {
        Some((api, name)) => (api_named(api), name.trim()),
        None => (None, text.trim()),
    };
    let of_api = |role: &&Role| api.is_none_or(|api| role.api == api);
    let exact: Vec<Role> = ROLES.iter().filter(of_api).filter(|role| role.value == name).copied().collect();
    if let Some(reading) = one_of(&exact, Reading::Exact) {
        return reading;
    }
    let alike = |role: &&Role| {
        plain(role.value) == plain(name)
            || plain(role.value) == singular(name)
            || plain(role.display_name) == plain(name)
    };
    let alike: Vec<Role> = ROLES.iter().filter(of_api).filter(alike).copied().collect();
    one_of(&alike, Reading::Corrected).unwrap_or(Reading::Unknown)
}

fn one_of(roles: &[Role], one: impl Fn(Role) -> Reading) -> Option<Reading> {
    match roles {
        [] => None,
        [role] => Some(one(*role)),
        several => Some(Reading::Ambiguous(several.to_vec())),
    }
}

fn api_named(text: &str) -> Option<Api> {
    match text.trim().parse().ok()? {
        Audience::Graph => Some(Api::Graph),
        Audience::Xdr => Some(Api::Xdr),
        Audience::DefenderForEndpoint => Some(Api::Endpoint),
        Audience::CloudApps => Some(Api::CloudApps),
        Audience::Other(_) => None,
    }
}

fn plain(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

/// `Incidents.Read.All` is what one of Microsoft's own pictures shows; the role is `Incident.Read.All`.
fn singular(text: &str) -> String {
    let mut parts = text.split('.');
    let noun = parts.next().unwrap_or_default();
    let noun = noun.strip_suffix('s').unwrap_or(noun);
    plain(&std::iter::once(noun).chain(parts).collect::<Vec<_>>().join("."))
}

const fn role(api: Api, value: &'static str, display_name: &'static str) -> Role {
    Role { api, value, display_name }
}

/// The roles that Sortie knows by name. Display names as the portal and Microsoft's permission reference print them.
pub(crate) const ROLES: &[Role] = &[
    role(Api::Graph, "SecurityIncident.Read.All", "Read all security incidents"),
    role(Api::Graph, "SecurityIncident.ReadWrite.All", "Read and write to all security incidents"),
    role(Api::Graph, "SecurityAlert.Read.All", "Read all security alerts"),
    role(Api::Graph, "SecurityAlert.ReadWrite.All", "Read and write to all security alerts"),
    role(Api::Graph, "ThreatHunting.Read.All", "Run hunting queries"),
    role(Api::Xdr, "Incident.Read.All", "Read all incidents"),
    role(Api::Xdr, "Incident.ReadWrite.All", "Read and write all incidents"),
    role(Api::Xdr, "AdvancedHunting.Read.All", "Run advanced hunting queries"),
    role(Api::Endpoint, "Alert.Read.All", "Read all alerts"),
    role(Api::Endpoint, "Alert.ReadWrite.All", "Read and write all alerts"),
    role(Api::Endpoint, "File.Read.All", "Read file profiles"),
    role(Api::Endpoint, "Ip.Read.All", "Read IP address profiles"),
    role(Api::Endpoint, "URL.Read.All", "Read URL profiles"),
    role(Api::Endpoint, "Machine.Read.All", "Read all machine profiles"),
    role(Api::Endpoint, "Machine.ReadWrite.All", "Read and write all machine information"),
    role(Api::Endpoint, "Machine.Isolate", "Isolate machine"),
    role(Api::Endpoint, "Machine.Scan", "Scan machine"),
    role(Api::Endpoint, "Machine.RestrictExecution", "Restrict code execution"),
    role(Api::Endpoint, "Machine.CollectForensics", "Collect forensics"),
    role(Api::Endpoint, "Machine.StopAndQuarantine", "Stop and quarantine file"),
    role(Api::Endpoint, "Machine.Offboard", "Offboard machine"),
    role(Api::Endpoint, "Machine.LiveResponse", "Run live response on a specific machine"),
    role(Api::Endpoint, "AdvancedQuery.Read.All", "Run advanced queries"),
    role(Api::Endpoint, "Ti.ReadWrite", "Read and write indicators of this application"),
    role(Api::Endpoint, "Ti.ReadWrite.All", "Read and write all indicators"),
    role(Api::CloudApps, "investigation.read", "Read investigations"),
    role(Api::CloudApps, "investigation.manage", "Manage investigations"),
    role(Api::CloudApps, "discovery.read", "Read discovery"),
    role(Api::CloudApps, "settings.read", "Read settings"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_mistakes_corrected() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            let reading = match read_role(text) {
                Reading::Exact(role) => format!("exact {:?} {}", role.api, role.value),
                Reading::Corrected(role) => format!("corrected {:?} {}", role.api, role.value),
                Reading::Ambiguous(roles) => format!("ambiguous {}", roles.len()),
                Reading::Unknown => "unknown".to_owned(),
            };
            assert_eq!(reading, expected, "{text}");
        }
        check("Incident.Read.All", "exact Xdr Incident.Read.All");
        check("xdr/Incident.Read.All", "exact Xdr Incident.Read.All");
        check("Incidents.Read.All", "corrected Xdr Incident.Read.All");
        check("incident.readwrite.all", "corrected Xdr Incident.ReadWrite.All");
        check("Read all incidents", "corrected Xdr Incident.Read.All");
        check("Isolate machine", "corrected Endpoint Machine.Isolate");
        check("Run advanced queries", "corrected Endpoint AdvancedQuery.Read.All");
        check("graph/Incident.Read.All", "unknown");
        check("Everything.All", "unknown");
    }

    #[test]
    fn every_purpose_names_roles_that_exist() {
        for (purpose, count) in
            [(Purpose::Read, 3), (Purpose::Write, 3), (Purpose::Hunt, 1), (Purpose::Lookup, 5), (Purpose::Respond, 7)]
        {
            assert_eq!(purpose.roles().len(), count, "{purpose:?}");
        }
    }

    #[test]
    fn a_write_role_covers_reading_and_not_the_other_way_round() {
        assert!(covers("Incident.ReadWrite.All", "Incident.Read.All"));
        assert!(!covers("Incident.Read.All", "Incident.ReadWrite.All"));
    }
}
