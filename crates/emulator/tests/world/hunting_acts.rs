//! Orders to a device and words about it show up in the tables of hunting.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::Stage;

impl Stage {
    async fn latest(&self, machine: &str) -> Value {
        let query = format!("DeviceInfo | where DeviceId == '{machine}' | summarize arg_max(Timestamp, *) by DeviceId");
        self.hunt(&query).await.remove(0)
    }

    async fn acted(&self, machine: &str, path: &str, body: Value) {
        let answer = self.post_mde(&format!("/machines/{machine}/{path}"), body).await;
        assert!(answer.status.is_success(), "{}", answer.text);
        self.advance(120).await;
    }
}

async fn a_workstation(stage: &Stage) -> String {
    let rows =
        stage.hunt("DeviceInfo | where OSPlatform == 'Windows11' | distinct DeviceId | sort by DeviceId asc").await;
    rows[0]["DeviceId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn isolation_shows_from_its_end_to_its_release() {
    let stage = Stage::start().await;
    let machine = a_workstation(&stage).await;
    assert_eq!(stage.latest(&machine).await["MitigationStatus"], "");
    stage.acted(&machine, "isolate", json!({ "Comment": "worm", "IsolationType": "Full" })).await;
    let isolated = stage.latest(&machine).await;
    let status: Value = serde_json::from_str(isolated["MitigationStatus"].as_str().unwrap()).unwrap();
    assert_eq!(status["Isolated"], "true");
    let cut = stage
        .hunt(&format!("DeviceNetworkEvents | where DeviceId == '{machine}' and Timestamp > now(-2m) | count"))
        .await;
    assert_eq!(cut[0]["Count"], 0);
    let audit = "CloudAppEvents | where ActionType in ('IsolateDevice', 'ReleaseFromIsolation')
        | project ActionType, ObjectId, Comment = tostring(RawEventData.ActionComment)";
    let rows = stage.hunt(audit).await;
    assert_eq!(rows, [json!({ "ActionType": "IsolateDevice", "ObjectId": machine, "Comment": "worm" })]);
    stage.acted(&machine, "unisolate", json!({ "Comment": "clean" })).await;
    assert_eq!(stage.latest(&machine).await["MitigationStatus"], "");
    assert_eq!(stage.hunt(audit).await.len(), 2);
}

#[tokio::test]
async fn tags_scans_and_files_show() {
    let stage = Stage::start().await;
    let machine = a_workstation(&stage).await;
    stage.acted(&machine, "tags", json!({ "Value": "VIP", "Action": "Add" })).await;
    assert_eq!(stage.latest(&machine).await["DeviceManualTags"], "[\"VIP\"]");
    stage.acted(&machine, "runAntiVirusScan", json!({ "Comment": "look", "ScanType": "Quick" })).await;
    let scans = format!(
        "DeviceEvents | where DeviceId == '{machine}' and ActionType == 'AntivirusScanCompleted' | project Comment = tostring(AdditionalFields.Comment)"
    );
    assert_eq!(stage.hunt(&scans).await, [json!({ "Comment": "look" })]);
    let files = stage.hunt("DeviceFileEvents | where FileName == 'procdmp64.exe' | project DeviceId, SHA1").await;
    let (device, sha1) = (files[0]["DeviceId"].as_str().unwrap(), files[0]["SHA1"].as_str().unwrap());
    stage.acted(device, "StopAndQuarantineFile", json!({ "Comment": "out", "Sha1": sha1 })).await;
    let gone = format!(
        "DeviceFileEvents | where SHA1 == '{sha1}' and DeviceId == '{device}' | summarize make_set(ActionType)"
    );
    let gone = stage.hunt(&gone).await.remove(0);
    assert!(gone["set_ActionType"].as_array().unwrap().contains(&json!("FileDeleted")), "{gone}");
}

#[tokio::test]
async fn a_device_that_leaves_falls_silent() {
    let stage = Stage::start().await;
    let machine = a_workstation(&stage).await;
    stage.acted(&machine, "offboard", json!({ "Comment": "sold" })).await;
    let last = stage.latest(&machine).await;
    assert_eq!(
        (&last["OnboardingStatus"], &last["SensorHealthState"]),
        (&json!("Can be onboarded"), &json!("Inactive"))
    );
    stage.advance(2 * 86_400).await;
    let token = stage.token_with(&[("graph", "ThreatHunting.Read.All")], crate::stage::GRAPH).await;
    let query = format!(
        "union DeviceProcessEvents, DeviceNetworkEvents, DeviceLogonEvents, DeviceInfo | where DeviceId == '{machine}' and Timestamp > ago(40h) | count"
    );
    let body = Some(json!({ "Query": query }));
    let answer = stage.call(Method::POST, "/v1.0/security/runHuntingQuery", &token, body).await;
    assert_eq!(answer.json["results"], json!([{ "Count": 0 }]), "{}", answer.text);
}
