use serde_json::{Value, json};
use sortie_model::shapes::{FieldKind, Shape};

use super::*;

/// Every field and no other, each of its kind.
#[track_caller]
fn has_its_shape(shape: &Shape, value: &Value) {
    let members = value.as_object().unwrap();
    let unknown: Vec<_> = members.keys().filter(|name| shape.field(name).is_none()).collect();
    assert!(unknown.is_empty(), "{} has {unknown:?}", shape.name);
    for field in shape.fields {
        let found = members.get(field.name).unwrap_or_else(|| panic!("{} lacks {}", shape.name, field.name));
        let fits = match field.kind {
            FieldKind::Text | FieldKind::Instant => found.is_null() || found.is_string(),
            FieldKind::Words(words) => found.is_null() || words.iter().any(|word| found == word),
            FieldKind::Whole => found.is_null() || found.is_i64(),
            FieldKind::Texts => found.as_array().unwrap().iter().all(Value::is_string),
            FieldKind::List(inner) => {
                found.as_array().unwrap().iter().for_each(|one| has_its_shape(inner, one));
                true
            }
            FieldKind::Raw => found.is_object() || shape.name == "device" && found.is_null(),
        };
        assert!(fits, "{}.{} is {found}", shape.name, field.name);
    }
}

fn graph() -> Value {
    json!({
        "id": "924565", "displayName": "Ransomware", "status": "active", "severity": "medium", "classification": "unknown",
        "determination": "unknown", "customTags": ["crown"], "createdDateTime": "2020-09-06T14:46:57.0733333Z",
        "lastUpdateDateTime": "2020-09-06T14:46:57.29Z", "comments": [{ "comment": "x", "createdByDisplayName": "ada", "createdDateTime": null }],
        "alerts": [{
            "id": "da1", "incidentId": "924565", "title": "T", "status": "new", "severity": "medium",
            "serviceSource": "microsoftDefenderForEndpoint", "createdDateTime": "2020-09-06T14:46:55.7182276Z",
            "evidence": [
                { "@odata.type": "#microsoft.graph.security.deviceEvidence", "mdeDeviceId": "24c2", "deviceDnsName": "ws7.contoso.com",
                  "riskScore": "high", "healthStatus": "active", "osPlatform": "Windows11", "osBuild": 14393, "verdict": "unknown" },
                { "@odata.type": "#microsoft.graph.security.userEvidence", "verdict": "suspicious",
                  "userAccount": { "accountName": "ada", "domainName": "CONTOSO", "azureAdUserId": "fc8f", "userPrincipalName": "ada@contoso.com", "userSid": "S-1" } },
                { "@odata.type": "#microsoft.graph.security.fileEvidence", "mdeDeviceId": "24c2", "detectionStatus": "detected",
                  "fileDetails": { "fileName": "a.dll", "filePath": "C:\\t", "sha1": "5de8" }, "verdict": "malicious" },
                { "@odata.type": "#microsoft.graph.security.ipEvidence", "ipAddress": "203.0.113.9" },
                { "@odata.type": "#microsoft.graph.security.urlEvidence", "url": "https://evil.example/a" },
                { "@odata.type": "#microsoft.graph.security.starshipEvidence", "name": "NCC" }
            ]
        }]
    })
}

fn xdr() -> Value {
    json!({
        "incidentId": 924565, "incidentName": "Ransomware", "status": "Active", "severity": "Medium", "classification": "Unknown",
        "determination": "NotAvailable", "tags": ["crown"], "createdTime": "2020-09-06T14:46:57.0733333Z",
        "lastUpdateTime": "2020-09-06T14:46:57.29Z", "comments": [{ "comment": "x", "createdBy": "ada", "createdTime": null }],
        "alerts": [{
            "alertId": "da1", "incidentId": 924565, "title": "T", "status": "New", "severity": "Medium", "classification": null,
            "serviceSource": "MicrosoftDefenderATP", "creationTime": "2020-09-06T14:46:55.7182276Z",
            "devices": [{ "mdatpDeviceId": "24c2", "deviceDnsName": "ws7.contoso.com", "riskScore": "High", "healthStatus": "Active",
                "osPlatform": "Windows11", "osBuild": "14393" }],
            "entities": [
                { "entityType": "User", "accountName": "ada", "domainName": "CONTOSO", "userSid": "S-1", "aadUserId": "fc8f",
                  "userPrincipalName": "ada@contoso.com", "verdict": "Suspicious" },
                { "entityType": "File", "sha1": "5de8", "fileName": "a.dll", "filePath": "C:\\t", "deviceId": "24c2",
                  "detectionStatus": "Detected", "verdict": "Malicious" },
                { "entityType": "Ip", "ipAddress": "203.0.113.9" },
                { "entityType": "Url", "url": "https://evil.example/a" },
                { "entityType": "Starship", "clusterBy": "NCC" }
            ]
        }]
    })
}

/// Without what the services sent.
fn without_raw(mut value: Value) -> Value {
    match &mut value {
        Value::Object(members) => {
            members.remove("raw");
            members.values_mut().for_each(|member| *member = without_raw(member.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = without_raw(item.take())),
        _ => {}
    }
    value
}

#[test]
fn an_incident_has_one_shape_whatever_api_it_came_from() {
    let [from_graph, from_xdr] = [graph(), xdr()].map(|sent| incident(&sent).unwrap());
    has_its_shape(&INCIDENT, &from_graph);
    has_its_shape(&INCIDENT, &from_xdr);
    assert_eq!(without_raw(from_graph.clone()), without_raw(from_xdr));
    assert_eq!(from_graph["devices"][0]["hostName"], "ws7");
    assert_eq!(from_graph["users"][0]["id"], "fc8f");
    assert_eq!(from_graph["files"][0]["sha1"], "5de8");
    assert_eq!(from_graph["raw"]["customTags"], json!(["crown"]));
    assert!(from_graph["raw"].get("alerts").is_none());
    assert_eq!(from_graph["alerts"][0]["raw"]["evidence"][5]["name"], "NCC", "what has no list is kept");
}

#[test]
fn a_shape_is_always_made_of_what_the_service_sent() {
    for sent in [graph(), xdr()] {
        let shown = incident(&sent).unwrap();
        assert_eq!(incident(&shown), Some(shown.clone()), "made again it is the same");
        let mut forged = shown.clone();
        forged["severity"] = json!("low");
        forged["devices"][0]["mdeDeviceId"] = json!("another");
        assert_eq!(incident(&forged), Some(shown));
    }
}

#[test]
fn an_alert_of_defender_for_endpoint_names_its_device_and_user() {
    let shown = alert(&json!({
        "id": "da6_1", "incidentId": 1126093, "severity": "Low", "status": "New", "alertCreationTime": "2021-01-26T20:33:57.7220239Z",
        "machineId": "111e", "computerDnsName": "temp123.contoso.com", "rbacGroupName": "A", "relatedUser": { "userName": "temp", "domainName": "D" },
        "evidence": [
            { "entityType": "User", "accountName": "temp", "domainName": "d", "aadUserId": "1111" },
            { "entityType": "Process", "processId": 3276, "processCreationTime": "2021-01-26T20:31:32.9581596Z", "sha1": "ff83", "fileName": "rundll32.exe" },
            { "entityType": "Process", "processId": 3276, "processCreationTime": "2021-01-26T20:31:32.9581596Z", "processCommandLine": "rundll32 x" }
        ]
    }))
    .unwrap();
    has_its_shape(&ALERT, &shown);
    assert_eq!(shown["serviceSource"], "microsoftDefenderForEndpoint");
    assert_eq!((&shown["devices"][0]["id"], &shown["devices"][0]["hostName"]), (&json!("111e"), &json!("temp123")));
    assert_eq!(shown["users"].as_array().unwrap().len(), 2, "nothing says that they are the same");
    assert_eq!(shown["processes"].as_array().unwrap().len(), 1);
    assert_eq!(shown["processes"][0]["processCommandLine"], "rundll32 x", "the second says more of the first");
    assert_eq!(shown["processes"][0]["fileName"], "rundll32.exe");
}

#[test]
fn a_machine_is_a_device() {
    let shown = device(&json!({
        "@odata.context": "x", "id": "1e5b", "computerDnsName": "mymachine1.contoso.com", "healthStatus": "Active", "riskScore": "Low",
        "exposureLevel": "Medium", "onboardingStatus": "CanBeOnboarded", "aadDeviceId": "80fe", "machineTags": ["a"], "lastSeen": "2018-08-02T14:55:03.7791856Z",
        "ipAddresses": [{ "ipAddress": "10.0.0.1" }, { "macAddress": "x" }, { "ipAddress": "10.0.0.2" }], "rbacGroupId": 140
    }))
    .unwrap();
    has_its_shape(&DEVICE, &shown);
    let of = |name: &str| shown[name].clone();
    assert_eq!(of("mdeDeviceId"), "1e5b");
    assert_eq!(
        (of("healthStatus"), of("riskScore"), of("onboardingStatus")),
        (json!("active"), json!("low"), json!("canBeOnboarded"))
    );
    assert_eq!(
        (of("ipInterfaces"), of("tags"), of("rbacGroupId")),
        (json!(["10.0.0.1", "10.0.0.2"]), json!(["a"]), json!("140"))
    );
    assert!(device(&json!({ "osPlatform": "Linux" })).is_none());
}

#[test]
fn the_same_thing_in_several_alerts_is_listed_once_with_the_worst_verdict() {
    let evidence = |verdict: &str, roles: &[&str]| json!({ "@odata.type": "#microsoft.graph.security.ipEvidence", "ipAddress": "203.0.113.9", "verdict": verdict, "roles": roles });
    let shown = incident(&json!({ "id": "1", "alerts": [
        { "id": "a", "evidence": [evidence("suspicious", &["source"])] },
        { "id": "b", "evidence": [evidence("malicious", &["source", "attacker"]), evidence("noThreatsFound", &[])] }
    ] }))
    .unwrap();
    let ips = shown["ips"].as_array().unwrap();
    assert_eq!(ips.len(), 1);
    assert_eq!((&ips[0]["verdict"], &ips[0]["roles"]), (&json!("malicious"), &json!(["source", "attacker"])));
}

#[test]
fn odd_members_lose_no_incident() {
    for odd in [
        json!({ "id": 12, "severity": 7, "status": null, "customTags": null, "alerts": null, "createdDateTime": "soon" }),
        json!({ "id": "12", "alerts": [null, 7, "x", {}, { "id": "a", "evidence": [null, 7, { "@odata.type": 5 }, { "entityType": "User" }], "devices": {} }] }),
        json!({ "id": "12", "alerts": { "id": "one" }, "comments": "said", "raw": "no object" }),
    ] {
        has_its_shape(&INCIDENT, &incident(&odd).unwrap());
    }
    for no in [json!({ "title": "no id" }), json!(null), json!([]), json!("x"), json!({ "id": {} })] {
        assert_eq!((incident(&no), alert(&no)), (None, None));
    }
}

#[test]
fn what_is_different_is_listed_apart_and_the_worse_word_counts() {
    let file = |device: &str, remediation: &str, detection: &str| json!({ "@odata.type": "#microsoft.graph.security.fileEvidence", "mdeDeviceId": device, "fileDetails": { "sha256": "AA", "fileName": "a.exe" }, "remediationStatus": remediation, "detectionStatus": detection });
    let device = |risk: &str| json!({ "@odata.type": "#microsoft.graph.security.deviceEvidence", "mdeDeviceId": "A", "riskScore": risk });
    let process = |device: &str| json!({ "entityType": "Process", "deviceId": device, "processCommandLine": "powershell -enc A" });
    let mail = |to: &str| json!({ "entityType": "MailMessage", "sender": "x@evil.example", "recipient": to, "subject": "Pay" });
    let shown = incident(&json!({ "id": "1", "alerts": [
        { "id": "a", "evidence": [file("A", "remediated", "prevented"), device("low"), process("A"), mail("a@x")] },
        { "id": "b", "evidence": [file("A", "active", "detected"), file("B", "active", "detected"), device("high"), process("B"), mail("b@x")] }
    ] }))
    .unwrap();
    has_its_shape(&INCIDENT, &shown);
    let of = |list: &str, field: &str| -> Vec<Value> {
        shown[list].as_array().unwrap().iter().map(|one| one[field].clone()).collect()
    };
    assert_eq!(of("files", "mdeDeviceId"), ["A", "B"]);
    assert_eq!(
        (of("files", "remediationStatus"), of("files", "detectionStatus")),
        (vec![json!("active"); 2], vec![json!("detected"); 2])
    );
    assert_eq!(of("devices", "riskScore"), ["high"]);
    assert_eq!(of("processes", "mdeDeviceId"), ["A", "B"]);
    assert_eq!(of("messages", "recipient"), ["a@x", "b@x"]);
}

#[test]
fn the_same_thing_by_another_name_is_one_and_a_new_device_of_the_same_name_is_not() {
    let device = |members: Value| {
        let mut one = members;
        one["@odata.type"] = json!("#microsoft.graph.security.deviceEvidence");
        one
    };
    let shown = incident(&json!({ "id": "1", "alerts": [
        { "id": "a", "evidence": [
            device(json!({ "azureAdDeviceId": "aad", "deviceDnsName": "ws7.contoso.com" })),
            { "entityType": "User", "userPrincipalName": "ada@contoso.com", "userSid": "S-1" }
        ] },
        { "id": "b", "evidence": [
            device(json!({ "azureAdDeviceId": "AAD", "mdeDeviceId": "M1" })),
            device(json!({ "deviceDnsName": "WS7.contoso.com", "mdeDeviceId": "M2" })),
            { "entityType": "User", "userPrincipalName": "Ada@contoso.com", "aadUserId": "oid" }
        ] }
    ] }))
    .unwrap();
    let ids =
        |list: &str| -> Vec<Value> { shown[list].as_array().unwrap().iter().map(|one| one["id"].clone()).collect() };
    assert_eq!(ids("devices"), ["M1", "M2"], "what tells it apart best, and one that was set up anew");
    assert_eq!(ids("users"), ["oid"]);
    assert_eq!(shown["users"][0]["userSid"], "S-1");
}

#[test]
fn an_alert_without_an_id_is_kept_raw() {
    let sent = json!({ "id": "1", "alerts": [{ "title": "no id", "severity": "high" }, { "id": "a" }] });
    let shown = incident(&sent).unwrap();
    assert_eq!((shown["alerts"].as_array().unwrap().len(), &shown["raw"]["alerts"][0]["title"]), (1, &json!("no id")));
    assert_eq!(incident(&shown), Some(shown.clone()));
}
