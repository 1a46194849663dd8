//! Looking: one token and one read for each API that the wanted roles belong to.

use jiff::{SignedDuration, Timestamp};
use sortie_defender::{AlertFilter, Api, Defender, DefenderError, IncidentFilter};
use sortie_identity::{
    Audience, Credential, TokenError,
    inspect::{DecodedToken, Finding, RoleRecord, Wanted, decode, diagnose},
};
use sortie_transport::RetryPolicy;

use crate::{
    commands::{explain::who_text, token::finding_text},
    context::{Context, Session},
    registration::Registrar,
    roles::{Role, covers},
};

/// What was seen of one API.
#[derive(Debug)]
pub(super) struct Examined {
    pub audience: Audience,
    pub sign: Sign,
    /// Wanted and not held, not even by a role that includes it.
    pub missing: Vec<String>,
    /// Held and not wanted.
    pub excess: Vec<String>,
    /// The outcome of one read; `None` where nothing can be read yet.
    pub read: Option<Result<(), Failed>>,
    /// What else is not in order: a wrong clock, why there are no roles.
    pub remarks: Vec<String>,
}

/// How the sign-in went.
#[derive(Debug)]
pub(super) enum Sign {
    In {
        held: Vec<String>,
    },
    Refused {
        code: Option<u32>,
        error: String,
        who: &'static str,
        next: String,
        network: bool,
    },
    /// The same credential was refused for another API a moment ago.
    AsBefore,
}

/// A read that gave nothing.
#[derive(Debug)]
pub(super) struct Failed {
    pub short: String,
    pub error: String,
    pub next: String,
}

/// Examines every API that a wanted role belongs to, in the order of the roles.
pub(super) async fn examine(session: &Session, wanted: &[Role], context: &Context) -> Vec<Examined> {
    let mut examined: Vec<Examined> = Vec::new();
    for audience in audiences(wanted) {
        let of_this: Vec<&'static str> =
            wanted.iter().filter(|role| role.api.audience() == audience).map(|role| role.value).collect();
        let refused_before =
            examined.iter().any(|one| matches!(&one.sign, Sign::Refused { code, .. } if !is_of_one_api(*code)));
        let one = match refused_before {
            true => Examined::of(audience, Sign::AsBefore),
            false => examine_one(session, audience, &of_this, context).await,
        };
        examined.push(one);
    }
    examined
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

/// Refusals that concern the resource, so that another API may still be reached: not in the tenant, no role, disabled.
fn is_of_one_api(code: Option<u32>) -> bool {
    matches!(code, Some(500_011 | 50_001 | 501_051 | 650_052 | 650_057 | 70_011))
}

impl Examined {
    fn of(audience: Audience, sign: Sign) -> Self {
        Self { audience, sign, missing: Vec::new(), excess: Vec::new(), read: None, remarks: Vec::new() }
    }
}

async fn examine_one(session: &Session, audience: Audience, wanted: &[&'static str], context: &Context) -> Examined {
    let token = match session.client.tokens().token(&audience).await {
        Ok(token) => token,
        Err(error) => return Examined::of(audience, refused(&error)),
    };
    let decoded = decode(token.secret().expose()).ok();
    let held = decoded.as_ref().map(|decoded| decoded.claims.roles.clone()).unwrap_or_default();
    let mut one = Examined::of(audience, Sign::In { held: held.clone() });
    one.missing = wanted
        .iter()
        .filter(|want| !held.iter().any(|held| covers(held, want)))
        .map(|want| (*want).to_owned())
        .collect();
    one.excess = held.iter().filter(|held| !wanted.contains(&held.as_str())).cloned().collect();
    if let Some(decoded) = &decoded {
        one.remarks = remarks(session, &one.audience, decoded, context).await;
    }
    // Without any role the read would only say the same again.
    if decoded.is_none() || !held.is_empty() {
        one.read = read(&session.defender, &one.audience, wanted).await;
    }
    one
}

fn refused(error: &TokenError) -> Sign {
    let chain = crate::exit::sentence(&anyhow::Error::from(error.clone()));
    Sign::Refused {
        code: error.code,
        error: chain,
        who: who_text(error.who()),
        next: error.remedy(),
        network: error.send.is_some(),
    }
}

/// What a token shows beyond its roles: a wrong clock, a person's token, why it carries no roles at all.
async fn remarks(session: &Session, audience: &Audience, decoded: &DecodedToken, context: &Context) -> Vec<String> {
    let now = context.clock.now();
    let managed = matches!(session.application.credential, Credential::ManagedIdentity(_));
    if let Some(off) = decoded.claims.issued_at.filter(|_| !managed).and_then(|issued| clock_is_off(issued, now)) {
        // Every other judgement about time would repeat this one.
        return vec![off];
    }
    let record = if decoded.claims.roles.is_empty() { record(session, audience).await } else { RoleRecord::default() };
    let wanted = Wanted { audience: Some(audience), now, record, ..Wanted::default() };
    let worth = |finding: &Finding| finding.is_mistake() && !matches!(finding, Finding::MissingRoles(_));
    diagnose(decoded, &wanted).iter().filter(|finding| worth(finding)).map(finding_text).collect()
}

/// A token fetched a moment ago was issued now; Entra dates it back by up to five minutes.
fn clock_is_off(issued: Timestamp, now: Timestamp) -> Option<String> {
    let ahead = now.duration_since(issued);
    let direction = if ahead > SignedDuration::from_mins(15) {
        "ahead"
    } else if ahead < SignedDuration::from_mins(-5) {
        "behind"
    } else {
        return None;
    };
    let minutes = ahead.as_mins().abs();
    Some(format!(
        "this machine's clock is about {minutes} minutes {direction}: a token that was issued a moment ago says {issued}. Set the clock right (NTP); until then tokens look expired or not yet valid, and certificates are refused."
    ))
}

/// What the directory says about the roles, where the application may read it.
async fn record(session: &Session, audience: &Audience) -> RoleRecord {
    let Ok(token) = session.client.tokens().token(&Audience::Graph).await else { return RoleRecord::default() };
    let may_read = ["Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All"];
    let roles = decode(token.secret().expose()).map(|decoded| decoded.claims.roles).unwrap_or_default();
    let Some(app_id) = audience.app_id().filter(|_| roles.iter().any(|role| may_read.contains(&role.as_str()))) else {
        return RoleRecord::default();
    };
    let hosts = &session.application.hosts;
    let registrar = Registrar::new(&session.transport, &hosts.graph, token.secret(), session.client.tokens().clock());
    registrar.record(session.application.client_id.as_str(), app_id).await.unwrap_or_default()
}

/// One object of each list that the wanted roles are about.
async fn read(defender: &Defender, audience: &Audience, wanted: &[&str]) -> Option<Result<(), Failed>> {
    let patient =
        RetryPolicy { attempts_max: 3, wait_total_max: std::time::Duration::from_secs(20), ..RetryPolicy::default() };
    let defender = defender.clone().with_policy(patient);
    let about = |word: &str| wanted.iter().any(|role| role.contains(word));
    let outcome = match audience {
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
        Audience::Xdr => first(&defender, Some(Api::Xdr)).await,
        // Nothing of the other APIs can be read by this version.
        _ => return None,
    };
    Some(outcome.map_err(|error| Failed {
        short: "failed".to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_off_by_more_than_entras_own_habits() {
        let issued: Timestamp = "2026-11-22T03:00:00Z".parse().unwrap();
        #[track_caller]
        fn check(issued: Timestamp, now: &str, expected: Option<&str>) {
            let off = clock_is_off(issued, now.parse().unwrap());
            assert_eq!(
                off.as_deref().and_then(|off| ["ahead", "behind"].into_iter().find(|word| off.contains(word))),
                expected,
                "{now}"
            );
        }
        check(issued, "2026-11-22T03:00:00Z", None);
        check(issued, "2026-11-22T03:05:30Z", None);
        check(issued, "2026-11-22T04:00:00Z", Some("ahead"));
        check(issued, "2026-11-22T02:00:00Z", Some("behind"));
    }
}
