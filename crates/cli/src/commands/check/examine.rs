//! Looking: one token and one read for each API that the wanted roles belong to.

use jiff::{SignedDuration, Timestamp};
use sortie_defender::{
    AlertFilter, Api, Defender, DefenderError, DefenderErrorKind, Hunt, HuntApi, IncidentFilter, MachineFilter,
};
use sortie_identity::{
    Audience, Credential, TokenError,
    inspect::{Claims, Finding, Wanted, decode, diagnose},
};
use sortie_transport::RetryPolicy;

use super::refusal::Refusal;
use crate::{
    commands::token::finding_text,
    context::{Context, Session},
    registration::{Registrar, Standing},
    roles::{ROLES, Role, covers},
};

/// What was seen.
#[derive(Debug)]
pub(super) struct Examination {
    pub apis: Vec<Examined>,
    /// This machine's clock, if it is wrong.
    pub clock: Option<String>,
    /// Roles of APIs that are not wanted, looked for where a wanted API gives none.
    pub elsewhere: Vec<(Audience, Vec<String>)>,
}

/// What was seen of one API.
#[derive(Debug)]
pub(super) struct Examined {
    pub audience: Audience,
    pub sign: Sign,
    /// Wanted and not held, not even by a role that includes it.
    pub missing: Vec<Missing>,
    /// Held and not needed.
    pub excess: Vec<Excess>,
    /// The outcome of one read; `None` where nothing can be read yet.
    pub read: Option<Result<(), Failed>>,
    /// What else is not in order with the token.
    pub remarks: Vec<String>,
}

/// How the sign-in went.
#[derive(Debug)]
pub(super) enum Sign {
    In {
        held: Vec<String>,
    },
    Refused(Box<Refusal>),
    /// The same credential was refused for another API a moment ago.
    AsBefore,
}

/// A role that the token lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    pub role: String,
    pub why: Why,
}

/// Why a role is not in the token, as far as the application may read the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    /// The directory could not be read.
    Unknown,
    /// Not among the application's API permissions.
    NotListed,
    /// Listed, and no administrator has consented.
    NotConsented,
    /// Granted, and tokens do not show it yet.
    Granted(Option<Timestamp>),
}

/// A role that is held and not needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Excess {
    pub role: String,
    /// The smaller one that would do, where this one is what serves now.
    pub enough: Option<String>,
}

/// A read that gave nothing.
#[derive(Debug)]
pub(super) struct Failed {
    pub short: &'static str,
    pub error: String,
    pub next: String,
}

/// Examines every API that a wanted role belongs to, in the order of the roles.
pub(super) async fn examine(session: &Session, wanted: &[Role], context: &Context) -> Examination {
    let mut all = Examination { apis: Vec::new(), clock: None, elsewhere: Vec::new() };
    for audience in audiences(wanted) {
        let of_this: Vec<&'static str> =
            wanted.iter().filter(|role| role.api.audience() == audience).map(|role| role.value).collect();
        let refused_before =
            all.apis.iter().any(|one| matches!(&one.sign, Sign::Refused(refusal) if !refusal.is_of_one_api()));
        let one = match refused_before {
            true => Examined::of(audience, Sign::AsBefore),
            false => examine_one(session, audience, &of_this, context, &mut all.clock).await,
        };
        all.apis.push(one);
    }
    let without_any = |one: &Examined| matches!(&one.sign, Sign::In { held } if held.is_empty());
    if all.apis.iter().any(without_any) {
        for audience in [Audience::Graph, Audience::Xdr, Audience::DefenderForEndpoint, Audience::CloudApps] {
            if all.apis.iter().all(|one| one.audience != audience)
                && let held = known_roles_of(session, &audience).await
                && !held.is_empty()
            {
                all.elsewhere.push((audience, held));
            }
        }
    }
    all
}

fn audiences(wanted: &[Role]) -> Vec<Audience> {
    let mut audiences = Vec::new();
    for role in wanted {
        if !audiences.contains(&role.api.audience()) {
            audiences.push(role.api.audience());
        }
    }
    audiences
}

/// The roles of an API that are about security, if it gives a token that can be read.
async fn known_roles_of(session: &Session, audience: &Audience) -> Vec<String> {
    let Ok(token) = session.client.tokens().token(audience).await else { return Vec::new() };
    let held = decode(token.secret().expose()).map(|decoded| decoded.claims.roles).unwrap_or_default();
    let is_known = |held: &String| ROLES.iter().any(|role| role.api.audience() == *audience && role.value == held);
    held.into_iter().filter(is_known).collect()
}

impl Examined {
    fn of(audience: Audience, sign: Sign) -> Self {
        Self { audience, sign, missing: Vec::new(), excess: Vec::new(), read: None, remarks: Vec::new() }
    }
}

async fn examine_one(
    session: &Session,
    audience: Audience,
    wanted: &[&'static str],
    context: &Context,
    clock: &mut Option<String>,
) -> Examined {
    let token = match session.client.tokens().token(&audience).await {
        Ok(token) => token,
        Err(error) => return Examined::of(audience, refused(&error, session)),
    };
    let Ok(decoded) = decode(token.secret().expose()) else {
        // Microsoft calls access tokens opaque: one that is no JWT shows nothing and may still work.
        let mut one = Examined::of(audience, Sign::In { held: Vec::new() });
        one.read = read(&session.defender, &one.audience, wanted).await;
        return one;
    };
    let held = decoded.claims.roles.clone();
    let mut one = Examined::of(audience, Sign::In { held: held.clone() });
    let lacking: Vec<&str> =
        wanted.iter().copied().filter(|want| !held.iter().any(|held| covers(held, want))).collect();
    one.excess = excess(&held, wanted, &lacking);
    if !lacking.is_empty() {
        let standing = standing(session, &one.audience).await;
        one.missing = lacking.into_iter().map(|role| missing(role, standing.as_ref())).collect();
    }
    let now = context.clock.now();
    let managed = matches!(session.application.credential, Credential::ManagedIdentity(_));
    let off = decoded.claims.issued_at.filter(|_| !managed).and_then(|issued| clock_is_off(issued, now));
    // Every other judgement about time would repeat that one.
    if off.is_none() {
        one.remarks = remarks(&decoded.claims, diagnose(&decoded, &wanted_of(&one.audience, now)));
    }
    *clock = clock.take().or(off);
    // Without any role the read would only say the same again.
    if !held.is_empty() {
        one.read = read(&session.defender, &one.audience, wanted).await;
    }
    one
}

fn refused(error: &TokenError, session: &Session) -> Sign {
    Sign::Refused(Box::new(Refusal::of(error, session)))
}

fn wanted_of(audience: &Audience, now: Timestamp) -> Wanted<'_> {
    Wanted { audience: Some(audience), now, ..Wanted::default() }
}

/// What a token shows beyond its roles: another audience, a person.
fn remarks(claims: &Claims, findings: Vec<Finding>) -> Vec<String> {
    let about_roles = |finding: &Finding| {
        matches!(finding, Finding::NoRoles | Finding::MissingRoles(_))
            || (!finding.is_mistake() && !claims.is_delegated())
    };
    findings.iter().filter(|finding| !about_roles(finding)).map(finding_text).collect()
}

fn excess(held: &[String], wanted: &[&str], lacking: &[&str]) -> Vec<Excess> {
    // The smaller role still serves until the larger one that is lacking is there.
    let serves = |role: &str| wanted.contains(&role) || lacking.iter().any(|lacking| covers(lacking, role));
    let held_itself = |wanted: &str| held.iter().any(|held| held == wanted);
    let unneeded = held.iter().filter(|role| !serves(role));
    unneeded
        .map(|role| {
            let enough = wanted.iter().find(|wanted| covers(role, wanted) && !held_itself(wanted));
            Excess { role: role.clone(), enough: enough.map(|enough| (*enough).to_owned()) }
        })
        .collect()
}

fn missing(role: &str, standing: Option<&Standing>) -> Missing {
    let why = standing.map_or(Why::Unknown, |standing| {
        let granted = standing.granted.iter().find(|(granted, _)| covers(granted, role));
        match granted {
            Some((_, at)) => Why::Granted(*at),
            None if standing.listed.iter().any(|listed| covers(listed, role)) => Why::NotConsented,
            None => Why::NotListed,
        }
    });
    Missing { role: role.to_owned(), why }
}

/// A token fetched a moment ago was issued now; Entra dates it back by five minutes.
fn clock_is_off(issued: Timestamp, now: Timestamp) -> Option<String> {
    let ahead = now.duration_since(issued) - DATED_BACK;
    if ahead.abs() < SignedDuration::from_mins(10) {
        return None;
    }
    let direction = if ahead.is_negative() { "behind" } else { "ahead of" };
    let minutes = (ahead.as_secs().unsigned_abs() + 30) / 60;
    Some(format!("This machine's clock is about {minutes} minutes {direction} Entra's."))
}

/// What the directory says about the roles, where the application may read it.
async fn standing(session: &Session, audience: &Audience) -> Option<Standing> {
    let token = session.client.tokens().token(&Audience::Graph).await.ok()?;
    let may_read = ["Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All"];
    let roles = decode(token.secret().expose()).map(|decoded| decoded.claims.roles).unwrap_or_default();
    let app_id = audience.app_id().filter(|_| roles.iter().any(|role| may_read.contains(&role.as_str())))?;
    let hosts = &session.application.hosts;
    let registrar = Registrar::new(&session.transport, &hosts.graph, token.secret(), session.client.tokens().clock());
    registrar.standing(session.application.client_id.as_str(), app_id).await.ok()
}

/// One object of each list that the wanted roles are about.
async fn read(defender: &Defender, audience: &Audience, wanted: &[&str]) -> Option<Result<(), Failed>> {
    let patient =
        RetryPolicy { attempts_max: 3, wait_total_max: std::time::Duration::from_secs(20), ..RetryPolicy::default() };
    let defender = defender.clone().with_policy(patient);
    let about = |word: &str| wanted.iter().any(|role| role.contains(word));
    let outcome = match audience {
        Audience::Graph if about("ThreatHunting") => first_row(&defender, HuntApi::Graph).await,
        Audience::Graph if !about("Incident") && !about("Alert") => return None,
        Audience::Graph => {
            let incidents = match about("Incident") {
                true => first(&defender, Some(Api::Graph)).await,
                false => Ok(()),
            };
            match (incidents, about("Alert")) {
                (Ok(()), true) => first(&defender, None).await,
                (outcome, _) => outcome,
            }
        }
        Audience::Xdr if about("Incident") => first(&defender, Some(Api::Xdr)).await,
        Audience::Xdr if about("AdvancedHunting") => first_row(&defender, HuntApi::Xdr).await,
        Audience::DefenderForEndpoint if about("Machine.Read") => first_machine(&defender).await,
        // Nothing of the other APIs can be read without asking for more than is wanted.
        _ => return None,
    };
    Some(outcome.map_err(|error| Failed {
        short: if matches!(*error.kind, DefenderErrorKind::Forbidden { .. }) { "refused (403)" } else { "failed" },
        next: error.remedy(),
        error: crate::exit::sentence(&anyhow::Error::from(error)),
    }))
}

/// The first page of the incidents of an API, or of the alerts.
async fn first(defender: &Defender, incidents: Option<Api>) -> Result<(), DefenderError> {
    match incidents {
        Some(api) => defender.incidents(api, &IncidentFilter::default())?.next().await.map(drop),
        None => defender.alerts(&AlertFilter::default()).next().await.map(drop),
    }
}

async fn first_machine(defender: &Defender) -> Result<(), DefenderError> {
    defender.machines(&MachineFilter::default())?.next().await.map(drop)
}

/// The cheapest query: it reads no table, so it draws on no quota but the count of calls.
async fn first_row(defender: &Defender, api: HuntApi) -> Result<(), DefenderError> {
    defender.hunt(&Hunt { query: "print 1".to_owned(), timespan: None, api }).await.map(drop)
}

const DATED_BACK: SignedDuration = SignedDuration::from_mins(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_off_by_more_than_entras_own_habits() {
        let issued: Timestamp = "2026-11-22T03:00:00Z".parse().unwrap();
        #[track_caller]
        fn check(issued: Timestamp, now: &str, expected: Option<&str>) {
            let off = clock_is_off(issued, now.parse().unwrap());
            assert_eq!(off.as_deref().map(|off| &off[20..off.len() - 9]), expected, "{now}");
        }
        check(issued, "2026-11-22T03:00:00Z", None);
        check(issued, "2026-11-22T03:05:30Z", None);
        check(issued, "2026-11-22T04:05:00Z", Some(" is about 60 minutes ahead of"));
        check(issued, "2026-11-22T02:05:20Z", Some(" is about 60 minutes behind"));
    }

    #[test]
    fn more_than_needed_is_what_nothing_wanted_rests_on() {
        #[track_caller]
        fn check(held: &[&str], wanted: &[&str], expected: &[(&str, Option<&str>)]) {
            let held: Vec<String> = held.iter().map(|role| (*role).to_owned()).collect();
            let lacking: Vec<&str> =
                wanted.iter().copied().filter(|want| !held.iter().any(|held| covers(held, want))).collect();
            let found = excess(&held, wanted, &lacking);
            let found: Vec<_> = found.iter().map(|one| (one.role.as_str(), one.enough.as_deref())).collect();
            assert_eq!(found, expected, "{held:?} for {wanted:?}");
        }
        check(&["Incident.Read.All"], &["Incident.Read.All"], &[]);
        check(
            &["Incident.ReadWrite.All"],
            &["Incident.Read.All"],
            &[("Incident.ReadWrite.All", Some("Incident.Read.All"))],
        );
        check(
            &["Incident.Read.All", "Incident.ReadWrite.All"],
            &["Incident.Read.All"],
            &[("Incident.ReadWrite.All", None)],
        );
        check(&["Incident.Read.All"], &["Incident.ReadWrite.All"], &[]);
        check(
            &["Incident.Read.All", "Incident.ReadWrite.All"],
            &["Incident.ReadWrite.All"],
            &[("Incident.Read.All", None)],
        );
    }
}
