//! `AlertEvidence`: one row per piece of evidence, with the same ids, hashes and addresses as in the incident APIs.

use serde_json::json;

use super::{Source, alerts};
use crate::{
    hunting::{
        actor::{account_into, full_path},
        scene::{Scene, scenes},
        sheet::{Row, Sheet},
    },
    world::{Account, Clue, Evidence, FileFacts, MessageFacts, Term},
};

pub(super) fn rows(source: &Source<'_>, sheet: &mut Sheet) {
    for scene in scenes(source.world) {
        for evidence in &scene.evidence {
            let mut row = sheet.row(scene.alert.created);
            alert_into(&mut row, source, &scene);
            row.text("EvidenceRole", if is_asset(&evidence.clue) { "Impacted" } else { "Related" });
            row.text("EvidenceDirection", direction(&evidence.clue));
            row.json("AdditionalFields", &additional(evidence));
            clue_into(&mut row, &scene, &evidence.clue);
        }
    }
}

fn alert_into(row: &mut Row<'_>, source: &Source<'_>, scene: &Scene<'_>) {
    let alert = scene.alert;
    row.text("AlertId", &*alert.id)
        .text("Title", alert.title(&source.world.company))
        .text("Categories", json!([alert.category()]).to_string())
        .text("AttackTechniques", alerts::techniques(alert))
        .text("ServiceSource", alert.kind.service.product())
        .text("DetectionSource", alerts::detection(alert))
        .text("Severity", alert.severity.xdr());
}

fn is_asset(clue: &Clue<'_>) -> bool {
    matches!(clue, Clue::Device { .. } | Clue::User(_) | Clue::Mailbox(_) | Clue::Group { .. } | Clue::CloudApp { .. })
}

fn direction(clue: &Clue<'_>) -> &'static str {
    if matches!(clue, Clue::Connection { .. } | Clue::Dns { .. }) { "Outbound" } else { "" }
}

fn additional(evidence: &Evidence<'_>) -> serde_json::Value {
    json!({
        "Verdict": evidence.verdict.xdr(),
        "RemediationStatus": evidence.remediation.xdr(),
        "Roles": evidence.roles.iter().map(|role| role.xdr()).collect::<Vec<_>>(),
        "DetailedRoles": evidence.detailed_roles,
    })
}

/// The entity types are those of the vendor's entity schema (`advanced-hunting-alertevidence-table.md` lists none) (M).
fn clue_into(row: &mut Row<'_>, scene: &Scene<'_>, clue: &Clue<'_>) {
    match clue {
        Clue::Device { device, .. } => {
            row.text("EntityType", "Machine").text("LocalIP", &device.ip);
            device_into(row, scene);
        }
        Clue::User(account) => {
            row.text("EntityType", "User");
            account_into(row, account, "Account");
        }
        Clue::Mailbox(account) => {
            row.text("EntityType", "Mailbox");
            account_into(row, account, "Account");
        }
        Clue::Ip { address, .. } => {
            row.text("EntityType", "Ip").text("RemoteIP", address);
        }
        Clue::Url(url) => {
            row.text("EntityType", "Url").text("RemoteUrl", url);
        }
        Clue::File { file, machine_id, .. } => {
            row.text("EntityType", "File");
            file_into(row, file);
            if machine_id.is_some() {
                device_into(row, scene);
            }
        }
        Clue::Malware { name, file, .. } => {
            row.text("EntityType", "Malware").text("ThreatFamily", name);
            file_into(row, file);
            device_into(row, scene);
        }
        Clue::Process(process) => {
            row.text("EntityType", "Process").text("ProcessCommandLine", &process.command_line);
            file_into(row, &process.image);
            account_into(row, &process.account, "Account");
            device_into(row, scene);
        }
        Clue::Message(message) => message_into(row, "MailMessage", message),
        Clue::Submission { message, .. } => message_into(row, "SubmissionMail", message),
        Clue::MailCluster { subject, sender_ip, message_ids, .. } => {
            row.text("EntityType", "MailCluster").text("EmailSubject", subject).text("RemoteIP", sender_ip);
            row.maybe("NetworkMessageId", message_ids.first());
        }
        other => device_or_cloud_into(row, scene, other),
    }
}

fn device_or_cloud_into(row: &mut Row<'_>, scene: &Scene<'_>, clue: &Clue<'_>) {
    match clue {
        Clue::RegistryKey { hive, key } => {
            row.text("EntityType", "RegistryKey").text("RegistryKey", format!("{hive}\\{key}"));
            device_into(row, scene);
        }
        Clue::RegistryValue { hive, key, name, value, .. } => {
            row.text("EntityType", "RegistryValue").text("RegistryKey", format!("{hive}\\{key}"));
            row.text("RegistryValueName", name).text("RegistryValueData", value);
            device_into(row, scene);
        }
        Clue::Connection { from, to, .. } => {
            row.text("EntityType", "NetworkConnection").text("LocalIP", from).text("RemoteIP", to);
            device_into(row, scene);
        }
        Clue::Dns { domain, .. } => {
            row.text("EntityType", "DnsResolution").text("RemoteUrl", domain);
            device_into(row, scene);
        }
        Clue::MailboxRule { owner, .. } => owner_into(row, "MailboxConfiguration", owner),
        Clue::Session { account, .. } => owner_into(row, "CloudLogonSession", account),
        Clue::CloudApp { name, app_id } => {
            row.text("EntityType", "CloudApplication").text("Application", name).whole("ApplicationId", *app_id);
        }
        Clue::OauthApp { name, app_id, .. } => {
            row.text("EntityType", "OAuthApplication").text("Application", name).text("OAuthApplicationId", app_id);
        }
        Clue::ServicePrincipal { name, app_id, .. } => {
            row.text("EntityType", "ServicePrincipal").text("Application", name).text("OAuthApplicationId", app_id);
        }
        Clue::Group { name, sid, .. } => {
            row.text("EntityType", "SecurityGroup").text("AccountName", name).text("AccountSid", sid);
        }
        Clue::AzureResource { id, kind, name } => resource_into(row, name, id, kind),
        Clue::Blob { name, storage, sha256, .. } => {
            resource_into(row, name, storage, "Microsoft.Storage/storageAccounts");
            row.text("EntityType", "Blob").text("FileName", name).text("SHA256", sha256);
        }
        Clue::Pod { name, cluster, .. } => {
            resource_into(row, name, cluster, "Microsoft.ContainerService/managedClusters");
            row.text("EntityType", "KubernetesPod");
        }
        _ => {}
    }
}

fn device_into(row: &mut Row<'_>, scene: &Scene<'_>) {
    row.text("DeviceId", &scene.device.machine_id).text("DeviceName", &scene.device.dns_name);
}

fn owner_into(row: &mut Row<'_>, entity: &str, account: &Account) {
    row.text("EntityType", entity);
    account_into(row, account, "Account");
}

fn file_into(row: &mut Row<'_>, file: &FileFacts) {
    row.text("FileName", &file.name)
        .text("FolderPath", full_path(file))
        .maybe("SHA1", file.sha1.as_ref())
        .maybe("SHA256", file.sha256.as_ref())
        .whole("FileSize", file.size);
}

fn message_into(row: &mut Row<'_>, entity: &str, message: &MessageFacts) {
    row.text("EntityType", entity)
        .text("NetworkMessageId", &message.network_id)
        .text("EmailSubject", &message.subject)
        .text("RemoteIP", &message.sender_ip)
        .text("AccountUpn", &message.recipient);
}

fn resource_into(row: &mut Row<'_>, name: &str, id: &str, kind: &str) {
    row.text("EntityType", "CloudResource")
        .text("CloudResource", name)
        .text("CloudPlatform", "Azure")
        .text("ResourceType", kind)
        .text("ResourceID", id)
        .maybe("SubscriptionId", id.split('/').nth(2));
}
