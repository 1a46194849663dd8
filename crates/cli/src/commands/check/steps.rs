//! The next step for each gap, in the portal's words and as a command.

use sortie_identity::Audience;

use super::examine::{Examined, Sign};
use crate::context::Session;

/// Each step: a first line that names the gap, then what to do.
pub(super) fn of(one: &Examined, session: &Session) -> Vec<String> {
    let mut steps = Vec::new();
    if let Sign::Refused { error, who, next, .. } = &one.sign {
        steps.push(format!("Sign-in for {}: {error}\nWho acts: {who}\nNext: {next}", one.audience.label()));
    }
    steps.extend(one.remarks.iter().map(|remark| format!("{}: {remark}", one.audience.label())));
    if !one.missing.is_empty() {
        steps.push(missing(one, session));
    }
    // A refused read without the role says nothing new.
    if let (Some(Err(failed)), true) = (&one.read, one.missing.is_empty()) {
        steps.push(format!("Reading from {}: {}\nNext: {}", one.audience.label(), failed.error, failed.next));
    }
    steps
}

fn missing(one: &Examined, session: &Session) -> String {
    let label = one.audience.label();
    let roles = one.missing.join(", ");
    let client_id = &session.application.client_id;
    // Former names are not in the list until somebody types them.
    let find = match &one.audience {
        Audience::Graph => "Microsoft APIs > Microsoft Graph".to_owned(),
        _ => format!("APIs my organization uses > type \"{label}\" and select it"),
    };
    let arguments: String = one.missing.iter().map(|role| format!(" --role {}/{role}", one.audience.name())).collect();
    format!(
        "{label}: {roles} is missing\n\
         Portal: App registrations > {client_id} > API permissions > Add a permission > {find} > Application permissions > {roles} > Add permissions, then Grant admin consent.\n\
         If it is listed there already, only Grant admin consent is missing; a consent of the last minutes may not show yet.\n\
         Command: sortie app register --application {client_id} --connection-name {}{arguments}",
        session.name
    )
}
