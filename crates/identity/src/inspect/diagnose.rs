//! What is wrong with a token for what is wanted, in words that name the mistake and its remedy.

use std::{collections::BTreeSet, fmt};

use jiff::{SignedDuration, Timestamp};

use super::DecodedToken;
use crate::audience::Audience;

/// What the token is wanted for.
#[derive(Clone, Debug, Default)]
pub struct Wanted<'a> {
    /// The API; `None` leaves the audience open.
    pub audience: Option<&'a Audience>,
    /// The roles that the job needs.
    pub roles: &'a [&'a str],
    /// The time to compare with.
    pub now: Timestamp,
    /// What is known from the directory about a token without roles.
    pub record: RoleRecord,
}

/// What the directory says about an app's roles, as far as it was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoleRecord {
    /// Whether the app registration lists application permissions of this API.
    pub declared: Option<bool>,
    /// When the newest of them was granted (consented); `Some(None)` when none was.
    pub granted_at: Option<Option<Timestamp>>,
}

/// Something to tell about a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A token of a person was pasted: it has `scp` and a user.
    DelegatedToken {
        /// Its delegated permissions.
        scopes: Vec<String>,
    },
    /// For another API.
    WrongAudience {
        /// What it is for.
        found: Vec<String>,
        /// What is wanted.
        wanted: Audience,
    },
    /// Its time is over.
    Expired {
        /// Since when.
        at: Timestamp,
    },
    /// Its time has not come: a clock is wrong.
    NotYetValid {
        /// From when on.
        at: Timestamp,
    },
    /// Permissions are listed in the app registration, but nobody consented.
    NotConsented,
    /// The app registration lists no application permission of this API.
    NothingGranted,
    /// Granted so recently that tokens do not show it yet.
    GrantedJustNow {
        /// When.
        at: Timestamp,
    },
    /// Granted long enough before, but this token is older than the grant.
    OlderThanGrant {
        /// When it was granted.
        granted_at: Timestamp,
    },
    /// No roles, and nothing is known about why.
    NoRoles,
    /// Roles that the job needs and the token lacks.
    MissingRoles(Vec<String>),
    /// Roles that the job does not need.
    ExcessRoles(Vec<String>),
}

/// Compares a token with what is wanted. Mistakes come first, remarks last; an empty list means that it fits.
pub fn diagnose(token: &DecodedToken, wanted: &Wanted<'_>) -> Vec<Finding> {
    let claims = &token.claims;
    let mut findings = Vec::new();
    if claims.is_delegated() {
        findings.push(Finding::DelegatedToken { scopes: claims.scopes.clone() });
    }
    if let Some(audience) = wanted.audience
        && !claims.audience.iter().any(|aud| audience.matches_claim(aud))
    {
        findings.push(Finding::WrongAudience { found: claims.audience.clone(), wanted: audience.clone() });
    }
    if let Some(at) = claims.expires_at.filter(|at| *at <= wanted.now) {
        findings.push(Finding::Expired { at });
    }
    if let Some(at) = claims.not_before.filter(|at| at.duration_since(wanted.now) > LEEWAY) {
        findings.push(Finding::NotYetValid { at });
    }
    if claims.roles.is_empty() && !claims.is_delegated() {
        findings.push(without_roles(token, wanted));
    }
    let held: BTreeSet<&str> = claims.roles.iter().map(String::as_str).collect();
    let needed: BTreeSet<&str> = wanted.roles.iter().copied().collect();
    let owned = |roles: BTreeSet<&str>| roles.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let missing: BTreeSet<&str> = needed.iter().copied().filter(|role| !covered(&held, role)).collect();
    if !missing.is_empty() && !held.is_empty() {
        findings.push(Finding::MissingRoles(owned(missing)));
    }
    let excess: BTreeSet<&str> =
        held.iter().copied().filter(|role| !needed.iter().any(|need| covers(role, need))).collect();
    if !needed.is_empty() && !excess.is_empty() {
        findings.push(Finding::ExcessRoles(owned(excess)));
    }
    findings
}

impl Finding {
    /// Whether the token cannot do what is wanted; otherwise it is a remark.
    pub fn is_mistake(&self) -> bool {
        !matches!(self, Self::ExcessRoles(_))
    }

    /// What to do, as a full sentence.
    pub fn remedy(&self) -> String {
        match self {
            Self::DelegatedToken { .. } => {
                "Get a token as the app itself: client credentials, with `<resource>/.default` and no person signing in.".to_owned()
            }
            Self::WrongAudience { wanted, .. } => {
                format!("Ask for a token of {wanted}; each API needs its own.")
            }
            Self::Expired { .. } => "Get a new token.".to_owned(),
            Self::NotYetValid { .. } => "Set this machine's clock right (NTP).".to_owned(),
            Self::NotConsented => {
                "An administrator presses \"Grant admin consent\" on the app's API permissions page, or runs `sortie app register` again.".to_owned()
            }
            Self::NothingGranted | Self::NoRoles => {
                "Add application permissions (not delegated ones) of this API to the app and grant admin consent.".to_owned()
            }
            Self::GrantedJustNow { .. } => "Wait a few minutes and get a new token.".to_owned(),
            Self::OlderThanGrant { .. } => "Get a new token; this one was made before the grant.".to_owned(),
            Self::MissingRoles(roles) => {
                format!("Add the application permissions {} to the app and grant admin consent.", roles.join(", "))
            }
            Self::ExcessRoles(roles) => {
                format!("Remove {} from the app if nothing else needs them.", roles.join(", "))
            }
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DelegatedToken { scopes } => {
                write!(f, "this is the token of a person (scp: {}), not of an app", scopes.join(" "))
            }
            Self::WrongAudience { found, wanted } => {
                write!(f, "the token is for {}, not for {wanted}", found.join(", "))
            }
            Self::Expired { at } => write!(f, "the token expired at {at}"),
            Self::NotYetValid { at } => write!(f, "the token is not valid before {at}"),
            Self::NotConsented => {
                f.write_str("the token has no roles: permissions are listed in the app but nobody consented to them")
            }
            Self::NothingGranted => {
                f.write_str("the token has no roles: the app lists no application permission of this API")
            }
            Self::GrantedJustNow { at } => {
                write!(f, "the token has no roles yet: they were granted at {at}, which takes minutes to arrive")
            }
            Self::OlderThanGrant { granted_at } => {
                write!(f, "the token has no roles because it is older than their grant at {granted_at}")
            }
            Self::NoRoles => f.write_str(
                "the token has no roles: nothing was granted, consent is missing, or it was given only moments ago",
            ),
            Self::MissingRoles(roles) => write!(f, "the token lacks {}", roles.join(", ")),
            Self::ExcessRoles(roles) => write!(f, "the token also holds {}, which is not needed", roles.join(", ")),
        }
    }
}

fn without_roles(token: &DecodedToken, wanted: &Wanted<'_>) -> Finding {
    match wanted.record {
        RoleRecord { granted_at: Some(Some(granted_at)), .. } => {
            let fresh = wanted.now.duration_since(granted_at) < ARRIVAL;
            let older = token.claims.issued_at.is_some_and(|issued| issued < granted_at);
            match () {
                () if older => Finding::OlderThanGrant { granted_at },
                () if fresh => Finding::GrantedJustNow { at: granted_at },
                () => Finding::NoRoles,
            }
        }
        RoleRecord { declared: Some(false), .. } => Finding::NothingGranted,
        RoleRecord { declared: Some(true), granted_at: Some(None) } => Finding::NotConsented,
        RoleRecord { .. } => Finding::NoRoles,
    }
}

fn covered(held: &BTreeSet<&str>, needed: &str) -> bool {
    held.iter().any(|role| covers(role, needed))
}

/// A `ReadWrite` role opens what its `Read` role opens.
fn covers(held: &str, needed: &str) -> bool {
    held.eq_ignore_ascii_case(needed) || held.replace(".ReadWrite.", ".Read.").eq_ignore_ascii_case(needed)
}

const LEEWAY: SignedDuration = SignedDuration::from_mins(5);
/// New grants take seconds to minutes to show in tokens (entra-docs; public set-up scripts poll for up to five minutes).
const ARRIVAL: SignedDuration = SignedDuration::from_mins(10);
