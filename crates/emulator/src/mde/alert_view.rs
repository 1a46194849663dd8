//! Alerts in the shape of the Defender for Endpoint API (`alerts.md`).

use serde_json::{Map, Value, json};

use crate::world::{
    Account, Alert, Classification, Clue, Comment, DetectionSource, Determination, Evidence, ServiceSource, Term, World,
};

/// With its evidence, or with an empty list of it.
pub(super) fn alert_json(world: &World, alert: &Alert, with_evidence: bool) -> Value {
    let company = &world.company;
    let device = &company.devices[usize::from(alert.device)];
    let person = &company.people[usize::from(alert.person)];
    let judged = alert.classification != Classification::Unknown;
    let determined = alert.determination != Determination::Unknown;
    let evidence: Vec<Value> =
        if with_evidence { alert.evidence(company).iter().filter_map(evidence_json).collect() } else { Vec::new() };
    json!({
        "id": &*alert.id,
        "incidentId": alert.incident,
        "investigationId": alert.investigation_id(),
        "assignedTo": alert.assigned_to,
        "severity": alert.severity.xdr(),
        "status": alert.status.xdr(),
        "classification": judged.then(|| alert.classification.xdr()),
        "determination": determined.then(|| determination(alert.determination)),
        "investigationState": alert.investigation_state().xdr(),
        "detectionSource": alert.kind.detection.xdr(),
        "detectorId": alert.detector_id(),
        "category": alert.category(),
        "threatFamilyName": alert.kind.family,
        "threatName": null,
        "title": alert.title(company),
        "description": alert.description(company),
        "alertCreationTime": alert.created.to_string(),
        "firstEventTime": alert.first_activity.to_string(),
        "lastEventTime": alert.last_activity.to_string(),
        "lastUpdateTime": alert.updated.to_string(),
        "resolvedTime": alert.resolved.map(|at| at.to_string()),
        "machineId": device.machine_id,
        "computerDnsName": device.dns_name,
        "rbacGroupName": device.group_name,
        "aadTenantId": world.tenant,
        "mitreTechniques": alert.kind.techniques,
        "relatedUser": { "userName": person.account, "domainName": company.nt_domain },
        "comments": comments_json(&alert.comments),
        "evidence": evidence,
    })
}

/// This API's alerts: those of its own product.
pub(super) fn is_endpoint(alert: &Alert) -> bool {
    alert.kind.service == ServiceSource::Endpoint
}

/// This API's words for what others spell differently (table in the reference, facts 4).
pub(super) fn determination(determination: Determination) -> &'static str {
    match determination {
        Determination::CompromisedAccount => "CompromisedUser",
        Determination::ConfirmedActivity => "ConfirmedUserActivity",
        Determination::NotEnoughData => "InsufficientData",
        same => same.xdr(),
    }
}

pub(super) fn is_detection_source(text: &str) -> bool {
    DetectionSource::is_xdr_word(text)
}

/// A flat object in which every key is there, most of them null. `None`: the API has no kind for it.
fn evidence_json(evidence: &Evidence<'_>) -> Option<Value> {
    let detected = "Detected";
    let (kind, fields) = match &evidence.clue {
        Clue::User(account) => ("User", account_fields(account)),
        Clue::Ip { address, .. } => ("Ip", json!({ "ipAddress": address })),
        Clue::Connection { to, .. } => ("Ip", json!({ "ipAddress": to })),
        Clue::Url(url) => ("Url", json!({ "url": url })),
        Clue::File { file, blocked, .. } => (
            "File",
            json!({
                "sha1": file.sha1, "sha256": file.sha256, "fileName": file.name, "filePath": file.path,
                "detectionStatus": if *blocked { "Prevented" } else { detected },
            }),
        ),
        Clue::Malware { file, .. } => (
            "File",
            json!({
                "sha1": file.sha1, "sha256": file.sha256, "fileName": file.name, "filePath": file.path,
                "detectionStatus": "Prevented",
            }),
        ),
        Clue::Process(facts) => (
            "Process",
            json!({
                "sha1": facts.image.sha1, "sha256": facts.image.sha256, "fileName": facts.image.name,
                "filePath": facts.image.path, "processId": facts.pid, "processCommandLine": facts.command_line,
                "processCreationTime": facts.started.to_string(), "parentProcessId": facts.parent_pid,
                "parentProcessCreationTime": facts.parent_started.to_string(),
                "parentProcessFileName": facts.parent.name, "parentProcessFilePath": facts.parent.path,
                "detectionStatus": detected,
            }),
        ),
        Clue::RegistryKey { hive, key } => ("RegistryKey", json!({ "registryHive": hive, "registryKey": key })),
        Clue::RegistryValue { hive, key, value, .. } => (
            "RegistryValue",
            json!({ "registryHive": hive, "registryKey": key, "registryValueType": "String", "registryValue": value }),
        ),
        _ => return None,
    };
    let mut entity = Map::new();
    entity.insert("entityType".to_owned(), json!(kind));
    entity.insert("evidenceCreationTime".to_owned(), json!(evidence.created.to_string()));
    entity.extend(EVIDENCE_KEYS.iter().map(|key| ((*key).to_owned(), Value::Null)));
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
const EVIDENCE_KEYS: &[&str] = &[
    "sha1",
    "sha256",
    "fileName",
    "filePath",
    "processId",
    "processCommandLine",
    "processCreationTime",
    "parentProcessId",
    "parentProcessCreationTime",
    "parentProcessFileName",
    "parentProcessFilePath",
    "ipAddress",
    "url",
    "registryKey",
    "registryHive",
    "registryValueType",
    "registryValue",
    "accountName",
    "domainName",
    "userSid",
    "aadUserId",
    "userPrincipalName",
    "detectionStatus",
];
