//! What hunting finds: the same alerts, devices, files and people as the other APIs, and the days between.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::stage::{Stage, ids};

const FILLED: &[&str] = &[
    "AADSignInEventsBeta",
    "AlertEvidence",
    "AlertInfo",
    "CloudAppEvents",
    "DeviceEvents",
    "DeviceFileCertificateInfo",
    "DeviceFileEvents",
    "DeviceImageLoadEvents",
    "DeviceInfo",
    "DeviceLogonEvents",
    "DeviceNetworkEvents",
    "DeviceNetworkInfo",
    "DeviceProcessEvents",
    "DeviceRegistryEvents",
    "DeviceTvmSecureConfigurationAssessment",
    "DeviceTvmSecureConfigurationAssessmentKB",
    "DeviceTvmSoftwareInventory",
    "DeviceTvmSoftwareVulnerabilities",
    "DeviceTvmSoftwareVulnerabilitiesKB",
    "EmailAttachmentInfo",
    "EmailEvents",
    "EmailPostDeliveryEvents",
    "EmailUrlInfo",
    "EntraIdSignInEvents",
    "IdentityDirectoryEvents",
    "IdentityInfo",
    "IdentityLogonEvents",
    "IdentityQueryEvents",
    "OAuthAppInfo",
    "UrlClickEvents",
];

fn texts(rows: &[Value], name: &str) -> BTreeSet<String> {
    rows.iter().map(|row| row[name].as_str().unwrap_or_else(|| panic!("{row} has no {name}")).to_owned()).collect()
}

#[tokio::test]
async fn every_alert_is_there_as_graph_has_it() {
    let stage = Stage::start().await;
    let graph: BTreeMap<String, Value> = stage
        .all_pages("/alerts_v2?$top=500")
        .await
        .into_iter()
        .map(|alert| (alert["id"].as_str().unwrap().to_owned(), alert))
        .collect();
    let rows = stage.hunt("AlertInfo").await;
    assert!(rows.len() > 100);
    // An alert may be a little older than the 30 days of hunting.
    let start: jiff::Timestamp = "2026-10-23T08:00:00Z".parse().unwrap();
    let created = |alert: &Value| alert["createdDateTime"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let expected: BTreeSet<String> =
        graph.iter().filter(|(_, alert)| created(alert) >= start).map(|(id, _)| id.clone()).collect();
    assert_eq!(texts(&rows, "AlertId"), expected);
    for row in &rows {
        let alert = &graph[row["AlertId"].as_str().unwrap()];
        for (column, property) in [("Title", "title"), ("Category", "category")] {
            assert_eq!(row[column], alert[property]);
        }
        assert!(row["Severity"].as_str().unwrap().eq_ignore_ascii_case(alert["severity"].as_str().unwrap()));
        assert_eq!(row["Timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap(), created(alert));
        let techniques: Value = match row["AttackTechniques"].as_str().unwrap() {
            "" => json!([]),
            text => serde_json::from_str(text).unwrap(),
        };
        assert_eq!(techniques, alert["mitreTechniques"]);
    }
}

#[tokio::test]
async fn evidence_points_at_things_that_exist() {
    let stage = Stage::start().await;
    let machines = ids(&stage.get_mde("/machines").await.items(), "id");
    let devices = stage.hunt("AlertEvidence | where isnotempty(DeviceId) | distinct DeviceId").await;
    assert!(!devices.is_empty() && texts(&devices, "DeviceId").is_subset(&machines));
    assert_eq!(texts(&stage.hunt("DeviceInfo | distinct DeviceId").await, "DeviceId"), machines);
    let files = stage
        .hunt("AlertEvidence | where EntityType == 'File' and isnotempty(SHA1) and isnotempty(DeviceId) | summarize arg_max(Timestamp, *) by SHA1 | take 5")
        .await;
    assert_eq!(files.len(), 5);
    for file in &files {
        let sha1 = file["SHA1"].as_str().unwrap();
        let alerts = stage.get_mde(&format!("/files/{sha1}/alerts")).await.items();
        assert!(ids(&alerts, "id").contains(file["AlertId"].as_str().unwrap()), "{file}");
        let known = stage.get_mde(&format!("/files/{sha1}")).await;
        assert_eq!(
            (&known.json["sha256"], &known.json["size"]),
            (&file["SHA256"], &file["FileSize"]),
            "{}",
            known.text
        );
        let created =
            stage.hunt(&format!("DeviceFileEvents | where SHA1 == '{sha1}' | distinct DeviceId, FileName")).await;
        assert!(created.iter().any(|row| row["DeviceId"] == file["DeviceId"] && row["FileName"] == file["FileName"]));
    }
    let evidence = stage.hunt("AlertEvidence | summarize Count = count() by AlertId").await;
    let alerts = stage.all_pages("/alerts_v2?$top=500").await;
    for row in evidence {
        let alert = alerts.iter().find(|alert| alert["id"] == row["AlertId"]).unwrap();
        assert_eq!(row["Count"], alert["evidence"].as_array().unwrap().len(), "{row}");
    }
}

#[tokio::test]
async fn the_process_tree_of_an_intrusion_can_be_walked() {
    let stage = Stage::start().await;
    let walk = "AlertEvidence
        | where EntityType == 'Process' and FileName == 'procdmp64.exe'
        | project AlertId, DeviceId, SHA1
        | join kind=inner (DeviceProcessEvents | where ActionType == 'ProcessCreated') on DeviceId, SHA1
        | project AlertId, DeviceId, Parent = InitiatingProcessFileName, Pid = InitiatingProcessId, ProcessId, FileName";
    let rows = stage.hunt(walk).await;
    assert!(!rows.is_empty());
    for row in &rows {
        assert_eq!(row["Parent"], "cmd.exe");
        let (device, pid) = (row["DeviceId"].as_str().unwrap(), &row["Pid"]);
        let above = format!(
            "DeviceProcessEvents | where DeviceId == '{device}' and ProcessId == {pid} and FileName == 'cmd.exe' | project InitiatingProcessFileName"
        );
        assert!(stage.hunt(&above).await.iter().any(|parent| parent["InitiatingProcessFileName"] == "explorer.exe"));
        let below = format!(
            "DeviceProcessEvents | where DeviceId == '{device}' and InitiatingProcessId == {} and InitiatingProcessFileName == 'procdmp64.exe' | project ProcessCommandLine",
            row["ProcessId"]
        );
        assert!(texts(&stage.hunt(&below).await, "ProcessCommandLine").contains("whoami /groups"));
    }
    let read = stage.hunt("DeviceEvents | where ActionType == 'ReadProcessMemoryApiCall' and InitiatingProcessFileName == 'procdmp64.exe' | project FileName").await;
    assert_eq!(texts(&read, "FileName"), BTreeSet::from(["lsass.exe".to_owned()]));
}

#[tokio::test]
async fn mail_leads_from_the_message_over_its_link_to_the_click() {
    let stage = Stage::start().await;
    let rows = stage
        .hunt(
            "UrlClickEvents | where ThreatTypes has 'Phish'
            | join kind=inner EmailUrlInfo on NetworkMessageId, Url
            | join kind=inner EmailEvents on NetworkMessageId
            | project AccountUpn, RecipientEmailAddress, Url, Subject, LatestDeliveryLocation",
        )
        .await;
    assert!(!rows.is_empty());
    let evidence =
        texts(&stage.hunt("AlertEvidence | where EntityType == 'Url' | distinct RemoteUrl").await, "RemoteUrl");
    for row in &rows {
        assert_eq!(row["AccountUpn"], row["RecipientEmailAddress"]);
        assert!(evidence.contains(row["Url"].as_str().unwrap()), "{row}");
    }
    let truth = stage.truth().await;
    let people = ids(truth["people"].as_array().unwrap(), "userPrincipalName");
    assert_eq!(texts(&stage.hunt("IdentityInfo | distinct AccountUpn").await, "AccountUpn"), people);
}

#[tokio::test]
async fn there_are_twenty_thousand_rows_and_the_seed_decides_them() {
    let count = async |stage: &Stage| {
        let mut counts = BTreeMap::new();
        for table in FILLED {
            let rows = stage.hunt(&format!("{table} | count")).await;
            counts.insert(*table, rows[0]["Count"].as_i64().unwrap());
        }
        counts
    };
    let stage = Stage::start().await;
    let counts = count(&stage).await;
    eprintln!("{counts:?}");
    let all: i64 = counts.values().sum();
    assert!((20_000..23_000).contains(&all), "{all} rows");
    assert!(counts.values().all(|count| *count > 0), "{counts:?}");
    let sample = "DeviceProcessEvents | summarize make_set(ProcessCommandLine), min(Timestamp), max(Timestamp), dcount(SHA256), sum(ReportId)";
    let (again, other) = (Stage::start().await, Stage::start_with_seed(2).await);
    assert_eq!(count(&again).await, counts);
    assert_eq!(again.hunt(sample).await, stage.hunt(sample).await);
    assert_ne!(other.hunt(sample).await, stage.hunt(sample).await);
    let empty = stage.hunt("MessageEvents | count").await;
    assert_eq!(empty, [json!({ "Count": 0 })]);
}

#[tokio::test]
async fn days_go_on_and_leave_the_reach() {
    let stage = Stage::start().await;
    let span = "DeviceProcessEvents | summarize First = min(Timestamp), Last = max(Timestamp)";
    let before = stage.hunt(span).await;
    stage.advance(86_400).await;
    let token = stage.token_with(&[("graph", "ThreatHunting.Read.All")], crate::stage::GRAPH).await;
    let body = Some(json!({ "Query": span }));
    let after = stage.call(reqwest::Method::POST, "/v1.0/security/runHuntingQuery", &token, body).await;
    let after = &after.json["results"][0];
    let day = |row: &Value, name: &str| row[name].as_str().unwrap()[..10].to_owned();
    assert_eq!((day(&before[0], "First"), day(&before[0], "Last")), ("2026-10-23".to_owned(), "2026-11-22".to_owned()));
    assert_eq!((day(after, "First"), day(after, "Last")), ("2026-10-24".to_owned(), "2026-11-23".to_owned()));
}

#[tokio::test]
async fn odd_texts_come_through_as_they_are() {
    let stage = Stage::start().await;
    let odd = stage.hunt("DeviceProcessEvents | where ProcessCommandLine matches regex @'[\\x00-\\x08\\u202e=]' or strlen(ProcessCommandLine) > 30000 | project ProcessCommandLine").await;
    let lines = texts(&odd, "ProcessCommandLine");
    assert!(lines.iter().any(|line| line.len() > 30_000), "the longest command line");
    for mark in ["\u{202e}", "\u{1b}[31m", "=HYPERLINK("] {
        assert!(lines.iter().any(|line| line.contains(mark)), "{mark:?}");
    }
    let subjects = texts(&stage.hunt("EmailEvents | distinct Subject").await, "Subject");
    assert!(subjects.iter().any(|subject| !subject.is_ascii()));
}

#[tokio::test]
async fn functions_of_hunting_know_the_world() {
    let stage = Stage::start().await;
    let profile = "AlertEvidence | where FileName in ('procdmp64.exe', 'powershell.exe') and isnotempty(SHA1)
        | distinct SHA1, FileName | invoke FileProfile(SHA1, 500)";
    let rows = stage.hunt(profile).await;
    assert!(rows.len() >= 2);
    for row in &rows {
        let stats = stage.get_mde(&format!("/files/{}", row["SHA1"].as_str().unwrap())).await.json;
        assert_eq!((&row["GlobalPrevalence"], &row["SHA256"]), (&stats["globalPrevalence"], &stats["sha256"]));
        let signed = row["FileName"] == "powershell.exe";
        assert_eq!(row["SignatureState"], if signed { "SignedValid" } else { "Unsigned" });
        assert_eq!(row["ProfileAvailability"], "Available");
    }
    let quoted =
        "DeviceProcessEvents | take 3 | project InitiatingProcessSHA1 | invoke FileProfile('InitiatingProcessSHA1', 2)";
    let filled = stage.hunt(quoted).await.iter().filter(|row| row["ProfileAvailability"] != "").count();
    assert!(filled <= 2);
    let seen = stage
        .hunt("DeviceInfo | take 1 | invoke SeenBy() | mv-expand SeenBy | project Other = tostring(SeenBy.DeviceId)")
        .await;
    let machines = ids(&stage.get_mde("/machines").await.items(), "id");
    assert!(seen.len() == 2 && texts(&seen, "Other").is_subset(&machines), "{seen:?}");
    let device = stage.hunt("DeviceNetworkInfo | where Timestamp > ago(2d) | take 1 | project DeviceId, IP = tostring(parse_json(IPAddresses)[0].IPAddress) | project IP | invoke DeviceFromIP()").await;
    assert!(machines.contains(device[0]["DeviceId"].as_str().unwrap()), "{device:?}");
    let name =
        stage.hunt("DeviceInfo | take 1 | project DeviceName").await[0]["DeviceName"].as_str().unwrap().to_owned();
    let addresses = stage.hunt(&format!("AssignedIPAddresses('{name}')")).await;
    assert!(addresses[0]["IPAddress"].as_str().unwrap().starts_with("10."));
}
