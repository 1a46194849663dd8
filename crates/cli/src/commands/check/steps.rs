//! The next step for each gap, in the portal's words and as a command.

use sortie_identity::{Audience, Credential};

use super::examine::{Examination, Examined, Missing, Sign, Why};
use crate::{
    context::{ENVIRONMENT, Session},
    roles::product,
};

/// Each step: a first line that says what is not in order, then who acts and what to do.
pub(super) fn of(all: &Examination, session: &Session) -> Vec<String> {
    let mut steps = Vec::new();
    if let Some(clock) = &all.clock {
        steps.push(format!(
            "{clock} Tokens may look expired or not valid yet, and a sign-in with a certificate fails.\n\
             Who acts: whoever runs this machine\nNext: Set its clock right, best by NTP."
        ));
    }
    for one in &all.apis {
        if let Sign::Refused(refusal) = &one.sign {
            steps.push(refusal.lines());
        }
        steps.extend(one.remarks.iter().map(|remark| format!("{}: {remark}", product(&one.audience))));
        steps.extend(missing(one, session));
        // A refused read without the role says nothing new.
        if let (Some(Err(failed)), true) = (&one.read, one.missing.is_empty()) {
            steps.push(format!("{}: {}.\nNext: {}", product(&one.audience), failed.error, failed.next));
        }
    }
    if !all.elsewhere.is_empty() {
        let held = all.elsewhere.iter().map(|(api, roles)| format!("{} of {}", and(roles), product(api)));
        let held: Vec<String> = held.collect();
        steps.push(format!(
            "The application does hold {}. Each API has roles of its own: these open nothing of the APIs above.",
            held.join("; ")
        ));
    }
    steps
}

/// The command that adds and consents everything that is missing.
pub(super) fn command(all: &Examination, session: &Session) -> Option<String> {
    let lacks = |one: &&Missing| !matches!(one.why, Why::Granted(_));
    let roles: String = all
        .apis
        .iter()
        .flat_map(|one| one.missing.iter().filter(lacks).map(|missing| (one.audience.name(), &missing.role)))
        .map(|(api, role)| format!(" --role {api}/{role}"))
        .collect();
    let application = &session.application;
    // A managed identity has no app registration that could be brought up to date.
    if roles.is_empty() || matches!(application.credential, Credential::ManagedIdentity(_)) {
        return None;
    }
    let connection = match session.name.as_str() {
        ENVIRONMENT => format!(" --tenant {} --cloud {}", application.tenant, application.cloud),
        name => format!(" --connection-name {name}"),
    };
    Some(format!("sortie app register --application {}{connection}{roles}", application.client_id))
}

/// What is held beyond the need; nothing fails by it.
pub(super) fn hints(all: &Examination) -> Vec<String> {
    let too_many = all.apis.iter().filter(|one| !one.excess.is_empty());
    too_many
        .map(|one| {
            let roles = one.excess.iter().map(|excess| match &excess.enough {
                Some(enough) => format!("{} ({enough} is enough: add that first)", excess.role),
                None => excess.role.clone(),
            });
            format!(
                "Hint: for {} the application holds more than this needs: {}. Unless something else needs it, remove it: API permissions > ... > Remove permission.",
                product(&one.audience),
                and(&roles.collect::<Vec<_>>())
            )
        })
        .collect()
}

/// One step for the roles that are missing for the same reason.
fn missing(one: &Examined, session: &Session) -> Vec<String> {
    let mut whys: Vec<Why> = one.missing.iter().map(|missing| missing.why).collect();
    whys.sort();
    whys.dedup();
    let of_why = |why: Why| -> Vec<String> {
        one.missing.iter().filter(|missing| missing.why == why).map(|missing| missing.role.clone()).collect()
    };
    whys.into_iter().map(|why| missing_for(one, why, &of_why(why), session)).collect()
}

fn missing_for(one: &Examined, why: Why, roles: &[String], session: &Session) -> String {
    let api = product(&one.audience);
    let names = and(roles);
    let (is, it) = if roles.len() == 1 { ("is", "it") } else { ("are", "them") };
    let none = matches!(&one.sign, Sign::In { held } if held.is_empty());
    let what = match why {
        Why::Unknown if none => format!(
            "{api}: the token carries no roles at all, and {names} {is} needed. Either nobody added {it} to the application, or nobody consented, or the consent is only minutes old."
        ),
        Why::Unknown => format!(
            "{api}: {names} {is} missing. Either nobody added {it} to the application, or nobody consented, or the consent is only minutes old."
        ),
        Why::NotListed => {
            format!("{api}: {names} {is} missing. The application does not list {it} among its API permissions.")
        }
        Why::NotConsented => {
            format!("{api}: {names} {is} listed among the application's API permissions, but not consented.")
        }
        Why::Granted(at) => {
            let at = at.map(|at| format!(" at {at}")).unwrap_or_default();
            return format!(
                "{api}: {names} {is} granted{at}, and tokens do not show {it} yet.\nWho acts: nobody: it passes\nNext: Wait some minutes and run `sortie check` again."
            );
        }
    };
    let client_id = &session.application.client_id;
    if matches!(session.application.credential, Credential::ManagedIdentity(_)) {
        return format!(
            "{what}\nWho acts: {ADMINISTRATOR}\nNext: Assign the roles to the managed identity's service principal by Graph (POST /servicePrincipals/<\"{}\">/appRoleAssignedTo); the portal has no page for it.",
            one.audience.label()
        );
    }
    // Former names are not in the list until somebody types them.
    let find = match &one.audience {
        Audience::Graph => "Microsoft APIs > Microsoft Graph".to_owned(),
        _ => format!("APIs my organization uses > type \"{0}\" and choose it", one.audience.label()),
    };
    let page = format!("Entra admin center > App registrations > All applications > {client_id} > API permissions");
    let portal = match why {
        Why::NotConsented => format!("{page} > Grant admin consent"),
        _ => format!(
            "{page} > Add a permission > {find} > Application permissions > {names} > Add permissions > Grant admin consent"
        ),
    };
    let listed = match why {
        Why::Unknown => format!("\nIf the page lists {it} already, only the last click is missing."),
        _ => String::new(),
    };
    format!("{what}\nWho acts: {ADMINISTRATOR}\nPortal: {portal}{listed}")
}

/// `a`, `a and b`, `a, b and c`.
fn and(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Who can consent to application permissions; a Cloud Application Administrator cannot for Graph's (M).
const ADMINISTRATOR: &str = "an administrator of the tenant (Privileged Role Administrator or Global Administrator)";
