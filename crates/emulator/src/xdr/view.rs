//! Incidents in the shape of the Defender XDR API (`api-list-incidents.md` of 2026-08).

use serde_json::{Map, Value, json};

use crate::world::{
    Account, Alert, Classification, Clue, Comment, Determination, Device, Evidence, Incident, Term, World,
};

pub(crate) fn incident_json(world: &World, incident: &Incident) -> Value {
    json!({
        "incidentId": incident.id,
        "incidentUri": format!("https://security.microsoft.com/incidents/{}?tid={}", incident.id, world.tenant),
        "redirectIncidentId": incident.redirect,
        "incidentName": incident.title,
        "createdTime": incident.created.to_string(),
        "lastUpdateTime": incident.updated.to_string(),
        "assignedTo": incident.assigned_to,
        "classification": incident.classification.xdr(),
        "determination": incident.determination.xdr(),
        "status": incident.status.xdr(),
        "severity": incident.severity.xdr(),
        "tags": incident.tags,
        "comments": comments_json(&incident.comments),
        "alerts": world.alerts_of(incident).map(|alert| alert_json(world, alert)).collect::<Vec<_>>(),
    })
}

fn alert_json(world: &World, alert: &Alert) -> Value {
    let evidence = alert.evidence(&world.company);
    let judged = alert.classification != Classification::Unknown;
    let determined = alert.determination != Determination::Unknown;
    json!({
        "alertId": &*alert.id,
        "incidentId": alert.incident,
        "serviceSource": alert.kind.service.xdr(),
        "creationTime": alert.created.to_string(),
        "lastUpdatedTime": alert.updated.to_string(),
        "resolvedTime": alert.resolved.map(|at| at.to_string()),
        "firstActivity": alert.first_activity.to_string(),
        "lastActivity": alert.last_activity.to_string(),
        "title": alert.title(&world.company),
        "description": alert.description(&world.company),
        "category": alert.category(),
        "status": alert.status.xdr(),
        "severity": alert.severity.xdr(),
        "investigationId": alert.investigation_id(),
        "investigationState": alert.investigation_state().xdr(),
        "classification": judged.then(|| alert.classification.xdr()),
        "determination": determined.then(|| alert.determination.xdr()),
        "detectionSource": alert.kind.detection.xdr(),
        "assignedTo": alert.assigned_to,
        "actorName": null,
        "threatFamilyName": alert.kind.family,
        "mitreTechniques": alert.kind.techniques,
        "devices": alert.devices(&world.company).into_iter().map(|device| device_json(world, device)).collect::<Vec<_>>(),
        "entities": evidence.iter().filter_map(entity_json).collect::<Vec<_>>(),
    })
}

fn device_json(world: &World, device: &Device) -> Value {
    json!({
        "mdatpDeviceId": device.machine_id,
        "aadDeviceId": device.aad_device_id,
        "deviceDnsName": device.dns_name,
        "osPlatform": device.os_platform,
        "version": device.version,
        "osProcessor": "x64",
        "osBuild": device.os_build,
        "healthStatus": device.health(world.now()).xdr(),
        "riskScore": device.state.risk.map_or("None", Term::xdr),
        "rbacGroupName": device.group_name,
        "rbacGroupId": device.group_id,
        "firstSeen": device.first_seen.to_string(),
        "tags": device.state.tags,
        "onboardingStatus": device.onboarding_status(),
    })
}

/// A flat object in which every key is there, most of them null. `None`: the API has no kind for it, or a device,
/// which has a list of its own.
fn entity_json(evidence: &Evidence<'_>) -> Option<Value> {
    let (kind, fields) = match &evidence.clue {
        Clue::User(account) => ("User", account_fields(account)),
        Clue::Ip { address, .. } => ("Ip", json!({ "ipAddress": address })),
        Clue::Url(url) => ("Url", json!({ "url": url })),
        Clue::File { file, machine_id, .. } => (
            "File",
            json!({
                "sha1": file.sha1, "sha256": file.sha256, "fileName": file.name, "filePath": file.path,
                "deviceId": machine_id,
            }),
        ),
        Clue::Process(facts) => (
            "Process",
            json!({
                "sha1": facts.image.sha1, "sha256": facts.image.sha256, "fileName": facts.image.name,
                "filePath": facts.image.path, "processId": facts.pid, "processCommandLine": facts.command_line,
                "processCreationTime": facts.started.to_string(), "parentProcessId": facts.parent_pid,
                "parentProcessCreationTime": facts.parent_started.to_string(), "accountName": facts.account.name,
                "domainName": facts.account.domain, "userSid": facts.account.sid,
                "aadUserId": facts.account.object_id, "userPrincipalName": facts.account.upn,
                "deviceId": facts.machine_id,
            }),
        ),
        Clue::RegistryKey { hive, key } => ("Registry", json!({ "registryHive": hive, "registryKey": key })),
        Clue::RegistryValue { hive, key, value, machine_id, .. } => (
            "Registry",
            json!({
                "registryHive": hive, "registryKey": key, "registryValueType": "String", "registryValue": value,
                "deviceId": machine_id,
            }),
        ),
        Clue::Mailbox(account) => (
            "MailBox",
            json!({
                "userPrincipalName": account.upn, "mailboxDisplayName": account.display_name,
                "mailboxAddress": account.upn,
            }),
        ),
        Clue::Message(message) => (
            "MailMessage",
            json!({
                "userPrincipalName": message.recipient, "sender": message.sender, "recipient": message.recipient,
                "subject": message.subject, "deliveryAction": if message.delivered { "Delivered" } else { "Blocked" },
            }),
        ),
        Clue::MailCluster { .. } => ("MailCluster", json!({ "clusterBy": "Subject;SenderIp;ContentType" })),
        Clue::Group { name, id, .. } => ("SecurityGroup", json!({ "securityGroupId": id, "securityGroupName": name })),
        Clue::CloudApp { .. } => ("CloudApplication", json!({})),
        Clue::OauthApp { .. } => ("OAuthApplication", json!({})),
        _ => return None,
    };
    let mut entity = Map::new();
    entity.insert("entityType".to_owned(), Value::String(kind.to_owned()));
    entity.extend(ENTITY_KEYS.iter().map(|key| ((*key).to_owned(), Value::Null)));
    if let Value::Object(fields) = fields {
        entity.extend(fields);
    }
    Some(Value::Object(entity))
}

fn account_fields(account: &Account) -> Value {
    json!({
        "accountName": account.name, "domainName": account.domain, "userSid": account.sid,
        "aadUserId": account.object_id, "userPrincipalName": account.upn,
    })
}

fn comments_json(comments: &[Comment]) -> Value {
    let one = |comment: &Comment| json!({ "comment": comment.text, "createdBy": comment.by, "createdTime": comment.at.to_string() });
    Value::Array(comments.iter().map(one).collect())
}

/// As the samples list them.
const ENTITY_KEYS: &[&str] = &[
    "sha1",
    "sha256",
    "fileName",
    "filePath",
    "processId",
    "processCommandLine",
    "processCreationTime",
    "parentProcessId",
    "parentProcessCreationTime",
    "ipAddress",
    "url",
    "accountName",
    "domainName",
    "userSid",
    "aadUserId",
    "userPrincipalName",
    "mailboxDisplayName",
    "mailboxAddress",
    "clusterBy",
    "sender",
    "recipient",
    "subject",
    "deliveryAction",
    "securityGroupId",
    "securityGroupName",
    "registryHive",
    "registryKey",
    "registryValueType",
    "registryValue",
    "deviceId",
];
