//! Evidence in the shape of Microsoft Graph: one `@odata.type` per kind.

use serde_json::{Map, Value, json};

use super::view::Members;
use crate::world::{Account, Clue, Device, Evidence, FileFacts, MessageFacts, ProcessFacts, Term, Ticks};

/// `now` decides what a device's health is.
pub(super) fn evidence_json(evidence: &Evidence<'_>, members: Members, now: Ticks) -> Value {
    let base = Base { evidence, members };
    match &evidence.clue {
        Clue::Device { device, user } => {
            let mut fields = device_fields(device, user, now);
            let tags = evidence.tags.iter().copied().chain(device.state.tags.iter().map(String::as_str));
            fields["tags"] = tags.collect();
            base.with("deviceEvidence", fields)
        }
        Clue::User(account) => {
            base.with("userEvidence", json!({ "stream": null, "userAccount": account_json(account) }))
        }
        Clue::Ip { address, country, city } => base.with("ipEvidence", ip_fields(address, Some((country, city)))),
        Clue::Url(url) => base.with("urlEvidence", json!({ "url": url })),
        Clue::File { file, machine_id, blocked } => {
            base.with("fileEvidence", file_fields(file, *machine_id, if *blocked { "prevented" } else { "detected" }))
        }
        Clue::Process(facts) => base.with("processEvidence", process_fields(facts)),
        Clue::RegistryKey { hive, key } => {
            base.with("registryKeyEvidence", json!({ "registryKey": key, "registryHive": hive }))
        }
        Clue::RegistryValue { hive, key, name, value, machine_id } => base.with(
            "registryValueEvidence",
            json!({
                "mdeDeviceId": machine_id, "registryKey": key, "registryHive": hive, "registryValue": value,
                "registryValueName": name, "registryValueType": "String",
            }),
        ),
        Clue::Malware { name, category, file, machine_id } => {
            let inner = base.with("fileEvidence", file_fields(file, Some(machine_id), "prevented"));
            base.with(
                "malwareEvidence",
                json!({ "name": name, "category": category, "files": [inner], "processes": [] }),
            )
        }
        Clue::Mailbox(_)
        | Clue::Message(_)
        | Clue::MailCluster { .. }
        | Clue::MailboxRule { .. }
        | Clue::Submission { .. } => mail_evidence(&base),
        Clue::CloudApp { .. } | Clue::OauthApp { .. } | Clue::ServicePrincipal { .. } | Clue::Group { .. } => {
            identity_evidence(&base)
        }
        Clue::AzureResource { .. } | Clue::Blob { .. } | Clue::Pod { .. } => azure_evidence(&base),
        Clue::Session { .. } | Clue::Connection { .. } | Clue::Dns { .. } => network_evidence(&base),
    }
}

/// The properties that all evidence has.
struct Base<'e, 'w> {
    evidence: &'e Evidence<'w>,
    members: Members,
}

impl Base<'_, '_> {
    fn with(&self, kind: &str, fields: Value) -> Value {
        let evidence = self.evidence;
        let mut all = Map::new();
        all.insert("@odata.type".to_owned(), Value::String(format!("#microsoft.graph.security.{kind}")));
        let common = json!({
            "createdDateTime": evidence.created.to_string(),
            "verdict": evidence.verdict.graph(),
            "remediationStatus": self.members.spell(NEWER_REMEDIATION, evidence.remediation.graph()),
            "remediationStatusDetails": null,
            "roles": evidence.roles.iter().map(|role| role.graph()).collect::<Vec<_>>(),
            "detailedRoles": evidence.detailed_roles,
            "tags": evidence.tags,
        });
        for part in [common, fields] {
            if let Value::Object(part) = part {
                all.extend(part);
            }
        }
        Value::Object(all)
    }

    fn ip(&self, address: &str) -> Value {
        self.with("ipEvidence", ip_fields(address, None))
    }

    fn azure_resource(&self, id: &str, kind: &str, name: &str) -> Value {
        self.with("azureResourceEvidence", json!({ "resourceId": id, "resourceType": kind, "resourceName": name }))
    }
}

fn mail_evidence(base: &Base<'_, '_>) -> Value {
    match &base.evidence.clue {
        Clue::Mailbox(account) => base.with(
            "mailboxEvidence",
            json!({
                "displayName": account.display_name, "primaryAddress": account.upn, "upn": account.upn,
                "userAccount": account_json(account),
            }),
        ),
        Clue::Message(message) => base.with("analyzedMessageEvidence", message_fields(message)),
        Clue::MailCluster { subject, sender_ip, message_ids, count, urn } => base.with(
            "mailClusterEvidence",
            json!({
                "clusterBy": "Subject;SenderIp;ContentType", "clusterByValue": format!("{subject};{sender_ip};1"),
                "emailCount": count, "networkMessageIds": message_ids, "urn": urn,
                "query": format!("((Subject:\"{subject}\") AND (SenderIp:\"{sender_ip}\"))"),
            }),
        ),
        Clue::MailboxRule { owner, rule_id } => base.with(
            "mailboxConfigurationEvidence",
            json!({
                "configurationId": rule_id, "configurationType": "userInboxRule", "displayName": owner.display_name,
                "externalDirectoryObjectId": owner.object_id, "mailboxPrimaryAddress": owner.upn, "upn": owner.upn,
            }),
        ),
        Clue::Submission { message, id, submitter } => base.with(
            "submissionMailEvidence",
            json!({
                "networkMessageId": message.network_id, "recipient": message.recipient, "reportType": "Phish",
                "sender": message.sender, "senderIp": message.sender_ip, "subject": message.subject,
                "submissionDateTime": base.evidence.created.to_string(), "submissionId": id, "submitter": submitter,
            }),
        ),
        _ => Value::Null,
    }
}

fn identity_evidence(base: &Base<'_, '_>) -> Value {
    match &base.evidence.clue {
        Clue::CloudApp { name, app_id } => base.with(
            "cloudApplicationEvidence",
            json!({
                "appId": app_id, "displayName": name, "instanceId": 0, "instanceName": name, "saasAppId": app_id,
                "stream": null,
            }),
        ),
        Clue::OauthApp { name, app_id, object_id, publisher } => base.with(
            "oauthApplicationEvidence",
            json!({ "appId": app_id, "displayName": name, "objectId": object_id, "publisher": publisher }),
        ),
        Clue::ServicePrincipal { name, app_id, object_id, owner_tenant } => base.with(
            "servicePrincipalEvidence",
            json!({
                "appId": app_id, "appOwnerTenantId": owner_tenant, "servicePrincipalName": name,
                "servicePrincipalObjectId": object_id, "servicePrincipalType": "application", "tenantId": owner_tenant,
            }),
        ),
        Clue::Group { name, id, sid, distinguished_name } => base.with(
            "securityGroupEvidence",
            json!({
                "activeDirectoryObjectGuid": id, "displayName": name, "distinguishedName": distinguished_name,
                "friendlyName": name, "securityGroupId": id, "sid": sid,
            }),
        ),
        _ => Value::Null,
    }
}

fn azure_evidence(base: &Base<'_, '_>) -> Value {
    match &base.evidence.clue {
        Clue::AzureResource { id, kind, name } => base.azure_resource(id, kind, name),
        Clue::Blob { name, container, url, storage, sha256 } => {
            let resource = base.azure_resource(storage, "Microsoft.Storage/storageAccounts", container);
            let fields = json!({ "name": container, "storageResource": resource, "url": url });
            let container = base.with("blobContainerEvidence", fields);
            let hashes = json!([{ "algorithm": "sha256", "value": sha256 }]);
            base.with(
                "blobEvidence",
                json!({ "name": name, "blobContainer": container, "url": url, "etag": null, "fileHashes": hashes }),
            )
        }
        Clue::Pod { name, namespace, image, cluster } => {
            let resource = base.azure_resource(cluster, "Microsoft.ContainerService/managedClusters", "aks");
            let cluster = base.with(
                "kubernetesClusterEvidence",
                json!({
                    "cloudResource": resource, "distribution": null, "name": "aks", "platform": "aks",
                    "version": "1.33.4",
                }),
            );
            let fields = json!({ "cluster": cluster, "labels": {}, "name": namespace });
            let namespace = base.with("kubernetesNamespaceEvidence", fields);
            let image =
                base.with("containerImageEvidence", json!({ "digestImage": null, "imageId": image, "registry": null }));
            let container = base.with(
                "containerEvidence",
                json!({
                    "args": [], "command": ["/bin/build"], "containerId": null, "image": image, "isPrivileged": true,
                    "name": "builder", "pod": null,
                }),
            );
            base.with(
                "kubernetesPodEvidence",
                json!({
                    "containers": [container], "controller": null, "ephemeralContainers": [], "initContainers": [],
                    "labels": {}, "name": name, "namespace": namespace, "podIp": null, "serviceAccount": null,
                }),
            )
        }
        _ => Value::Null,
    }
}

fn network_evidence(base: &Base<'_, '_>) -> Value {
    match &base.evidence.clue {
        Clue::Session { id, account, browser, system, started } => {
            let user = base.with("userEvidence", json!({ "stream": null, "userAccount": account_json(account) }));
            base.with(
                "cloudLogonSessionEvidence",
                json!({
                    "account": user, "browser": browser, "deviceName": null, "operatingSystem": system,
                    "previousLogonDateTime": null, "protocol": null, "sessionId": id,
                    "startUtcDateTime": started.to_string(), "userAgent": format!("{browser} ({system})"),
                }),
            )
        }
        Clue::Connection { from, to, port } => base.with(
            "networkConnectionEvidence",
            json!({
                "destinationAddress": base.ip(to), "destinationPort": port, "protocol": "tcp",
                "sourceAddress": base.ip(from), "sourcePort": 49_712,
            }),
        ),
        Clue::Dns { domain, addresses } => {
            let addresses: Vec<Value> = addresses.iter().map(|address| base.ip(address)).collect();
            base.with(
                "dnsEvidence",
                json!({ "dnsServerIp": null, "domainName": domain, "hostIpAddress": null, "ipAddresses": addresses }),
            )
        }
        _ => Value::Null,
    }
}

fn device_fields(device: &Device, user: &Account, now: Ticks) -> Value {
    json!({
        "firstSeenDateTime": device.first_seen.to_string(),
        "mdeDeviceId": device.machine_id,
        "azureAdDeviceId": device.aad_device_id,
        "deviceDnsName": device.dns_name,
        "hostName": device.host_name,
        "ntDomain": user.domain,
        "dnsDomain": device.dns_name.split_once('.').map(|(_, domain)| domain),
        "osPlatform": device.os_platform,
        "osBuild": device.os_build,
        "version": device.version,
        "healthStatus": device.health(now).graph(),
        "riskScore": device.state.risk.map_or("none", Term::graph),
        "rbacGroupId": device.group_id,
        "rbacGroupName": device.group_name,
        "onboardingStatus": if device.state.offboarded.is_some() { "canBeOnboarded" } else { "onboarded" },
        "defenderAvStatus": if device.os_platform == "Linux" { "notSupported" } else { "updated" },
        "lastIpAddress": device.ip,
        "lastExternalIpAddress": "203.0.113.1",
        "ipInterfaces": [device.ip],
        "loggedOnUsers": [{ "accountName": user.name, "domainName": user.domain }],
        "resourceAccessEvents": [],
        "vmMetadata": device.is_server.then(|| json!({
            "vmId": device.vm_id, "cloudProvider": "azure", "resourceId": null, "subscriptionId": null,
        })),
    })
}

fn ip_fields(address: &str, place: Option<(&str, &str)>) -> Value {
    let location = place.map(|(country, city)| {
        json!({ "city": city, "countryName": country, "latitude": null, "longitude": null, "state": null })
    });
    json!({
        "ipAddress": address, "countryLetterCode": place.map(|(country, _)| country), "location": location,
        "stream": null,
    })
}

fn file_fields(file: &FileFacts, machine_id: Option<&str>, status: &str) -> Value {
    json!({ "detectionStatus": status, "mdeDeviceId": machine_id, "fileDetails": file_json(file) })
}

fn process_fields(facts: &ProcessFacts<'_>) -> Value {
    json!({
        "processId": facts.pid,
        "parentProcessId": facts.parent_pid,
        "processCommandLine": facts.command_line,
        "processCreationDateTime": facts.started.to_string(),
        "parentProcessCreationDateTime": facts.parent_started.to_string(),
        "detectionStatus": "detected",
        "mdeDeviceId": facts.machine_id,
        "imageFile": file_json(&facts.image),
        "parentProcessImageFile": file_json(&facts.parent),
        "userAccount": account_json(&facts.account),
    })
}

fn message_fields(message: &MessageFacts) -> Value {
    let sender = json!({
        "displayName": message.sender_name, "domainName": message.sender_domain, "emailAddress": message.sender,
    });
    json!({
        "antiSpamDirection": "Inbound",
        "attachmentsCount": 0,
        "deliveryAction": if message.delivered { "delivered" } else { "junked" },
        "deliveryLocation": if message.delivered { "inbox" } else { "quarantine" },
        "internetMessageId": message.internet_id,
        "language": "en",
        "networkMessageId": message.network_id,
        "p1Sender": sender.clone(),
        "p2Sender": sender,
        "receivedDateTime": message.received.to_string(),
        "recipientEmailAddress": message.recipient,
        "senderIp": message.sender_ip,
        "subject": message.subject,
        "threatDetectionMethods": ["UrlReputation"],
        "threats": ["HighConfPhish"],
        "urlCount": message.urls.len(),
        "urls": message.urls,
        "urn": message.urn,
    })
}

fn account_json(account: &Account) -> Value {
    json!({
        "accountName": account.name, "domainName": account.domain, "userSid": account.sid,
        "azureAdUserId": account.object_id, "activeDirectoryObjectGuid": account.ad_guid,
        "userPrincipalName": account.upn, "displayName": account.display_name, "tenantId": null,
        "resourceAccessEvents": [],
    })
}

fn file_json(file: &FileFacts) -> Value {
    json!({
        "sha1": file.sha1, "sha256": file.sha256, "md5": file.md5, "sha256Ac": null, "fileName": file.name,
        "filePath": file.path, "fileSize": file.size, "filePublisher": file.publisher, "signer": file.publisher,
        "issuer": null,
    })
}

/// Members behind `unknownFutureValue` in the CSDL's order.
const NEWER_REMEDIATION: &[&str] =
    &["active", "pendingApproval", "declined", "unremediated", "running", "partiallyRemediated"];
