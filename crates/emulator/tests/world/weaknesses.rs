//! Software, vulnerabilities, recommendations, updates, investigations and the library: lists that agree.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{Stage, ids, read};

#[tokio::test]
async fn lists_of_weaknesses_agree_with_each_other() {
    let stage = Stage::start().await;
    let rows = stage.get_mde("/vulnerabilities/machinesvulnerabilities").await.items();
    let vulnerabilities = stage.get_mde("/vulnerabilities").await.items();
    assert_eq!(ids(&rows, "cveId"), ids(&vulnerabilities, "id"));
    for vulnerability in &vulnerabilities {
        let cve = vulnerability["id"].as_str().unwrap();
        let machines: BTreeSet<&str> =
            rows.iter().filter(|row| row["cveId"] == cve).map(|row| row["machineId"].as_str().unwrap()).collect();
        assert_eq!(vulnerability["exposedMachines"], machines.len());
        let named = stage.get_mde(&format!("/vulnerabilities/{cve}/machineReferences")).await.items();
        assert_eq!(named.len(), machines.len());
    }
    let worst = stage.get_mde("/vulnerabilities?$filter=severity eq 'Critical' and cvssV3 ge 9").await.items();
    let machine = &rows.iter().find(|row| row["cveId"] == worst[0]["id"]).unwrap()["machineId"];
    let path = format!("/machines/{}", machine.as_str().unwrap());
    assert_eq!(stage.get_mde(&path).await.json["exposureLevel"], "High");
    let own = stage.get_mde(&format!("{path}/vulnerabilities")).await.items();
    let expected: Vec<Value> = rows.iter().filter(|row| row["machineId"] == *machine).cloned().collect();
    assert_eq!(ids(&own, "id"), ids(&expected, "cveId"));
    stage.get_mde("/vulnerabilities/CVE-1999-0001").await.expect_error(404, "ResourceNotFound", "Vulnerability");
    stage.get_mde("/vulnerabilities?$top=8001").await.expect_error(400, "ODataError", "8000");
}

#[tokio::test]
async fn software_tells_its_versions_machines_and_advice() {
    let stage = Stage::start().await;
    let software = stage.get_mde("/software?$filter=vendor eq 'northlight'").await.items()[0].clone();
    let path = format!("/software/{}", software["id"].as_str().unwrap());
    assert_eq!(stage.get_mde(&path).await.json["weaknesses"], software["weaknesses"]);
    let versions = stage.get_mde(&format!("{path}/distributions")).await.items();
    let machines = stage.get_mde(&format!("{path}/machineReferences")).await.items();
    let count = |weak: bool| -> u64 {
        let fitting = versions.iter().filter(|version| !weak || version["vulnerabilities"] != 0);
        fitting.map(|version| version["installations"].as_u64().unwrap()).sum()
    };
    assert_eq!((json!(count(true)), count(false)), (software["exposedMachines"].clone(), machines.len() as u64));
    assert_eq!(stage.get_mde(&format!("{path}/vulnerabilities")).await.items().len(), software["weaknesses"]);
    let advice = format!("/recommendations/va-_-{}", software["id"].as_str().unwrap());
    let one = stage.get_mde(&advice).await.json;
    assert_eq!((&one["exposedMachinesCount"], &one["tags"]), (&software["exposedMachines"], &json!([])));
    let exposed = stage.get_mde(&format!("{advice}/machineReferences")).await.items();
    let machine = exposed[0]["id"].as_str().unwrap();
    let installed = stage.get_mde(&format!("/machines/{machine}/software")).await.items();
    assert!(ids(&installed, "id").contains(software["id"].as_str().unwrap()));
    let concern = stage.get_mde(&format!("/machines/{machine}/recommendations")).await.items();
    assert!(ids(&concern, "id").contains(one["id"].as_str().unwrap()));
    let settings = stage.get_mde("/recommendations?$filter=remediationType eq 'ConfigurationChange'").await.items();
    assert!(settings.iter().all(|setting| setting["id"].as_str().unwrap().starts_with("sca-_-scid-")));
    stage.get_mde("/Software/none").await.expect_error(404, "ResourceNotFound", "Software none");
    stage.get_mde("/recommendations/none").await.expect_error(404, "ResourceNotFound", "Recommendation none");
}

#[tokio::test]
async fn a_missed_update_would_close_the_weaknesses_of_the_machine() {
    let stage = Stage::start().await;
    let rows = stage.get_mde("/vulnerabilities/machinesVulnerabilities?$filter=fixingKbId ne null").await.items();
    let machine = rows[0]["machineId"].as_str().unwrap();
    let missed = stage.get_mde(&format!("/machines/{machine}/getmissingkbs")).await.items();
    let own: Vec<Value> = rows.iter().filter(|row| row["machineId"] == machine).cloned().collect();
    assert_eq!(ids(&missed, "id"), ids(&own, "fixingKbId"));
    let closed: u64 = missed.iter().map(|update| update["cveAddressed"].as_u64().unwrap()).sum();
    assert_eq!(closed, own.len() as u64);
}

#[tokio::test]
async fn investigations_are_those_of_the_alerts_and_the_ordered_ones() {
    let stage = Stage::start().await;
    let listed = stage.get_mde("/investigations").await.items();
    let alerts = stage.get_mde("/alerts?$filter=investigationId ne null").await.items();
    assert_eq!(ids(&listed, "id"), ids(&alerts, "investigationId"));
    let alerts = stage.get_mde("/alerts?$filter=status ne 'Resolved'").await.items();
    let queued = alerts.iter().find(|alert| alert["investigationState"] == "Queued").unwrap();
    let machine = queued["machineId"].as_str().unwrap().to_owned();
    let started =
        stage.post_mde(&format!("/machines/{machine}/startInvestigation"), json!({ "Comment": "look" })).await;
    assert_eq!((started.status.as_u16(), &started.json["state"]), (201, &json!("Running")), "{}", started.text);
    let by_id = stage.get_mde(&format!("/investigations/{}", started.json["id"].as_str().unwrap())).await.json;
    let by_alert =
        stage.get_mde(&format!("/investigations/{}", started.json["triggeringAlertId"].as_str().unwrap())).await.json;
    assert_eq!((&by_id["id"], &by_alert["id"]), (&started.json["id"], &started.json["id"]));
    let running =
        stage.get_mde(&format!("/alerts?$filter=investigationId eq {}", started.json["id"].as_str().unwrap())).await;
    let running = running.items();
    assert!(!running.is_empty() && running.iter().all(|alert| alert["investigationState"] == "Running"));
    stage.advance(200).await;
    for alert in &running {
        let after = stage.get_mde(&format!("/alerts/{}", alert["id"].as_str().unwrap())).await.json;
        assert_eq!(after["investigationState"], "Benign");
        assert_ne!(after["lastUpdateTime"], alert["lastUpdateTime"]);
    }
    let ended = stage.get_mde(&format!("/investigations?$filter=machineId eq '{machine}' and state eq 'Benign'")).await;
    assert!(ids(&ended.items(), "id").contains(started.json["id"].as_str().unwrap()), "{}", ended.text);
    stage.get_mde("/investigations/none").await.expect_error(404, "ResourceNotFound", "none");
}

#[tokio::test]
async fn the_library_takes_a_file_that_scripts_may_then_name() {
    let stage = Stage::start().await;
    let form = |replace: &str| {
        format!(
            "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"mine.ps1\"\r\n\r\nGet-Process\r\n\
             --b\r\nContent-Disposition: form-data; name=\"Description\"\r\n\r\nmine\r\n\
             --b\r\nContent-Disposition: form-data; name=\"OverrideIfExists\"\r\n\r\n{replace}\r\n--b--\r\n"
        )
    };
    let upload = async |body: String| {
        let request = stage.client.post(stage.url("/api/libraryfiles")).bearer_auth(&stage.mde);
        let request = request.header("content-type", "multipart/form-data; boundary=b").body(body);
        read(request.send().await.unwrap()).await
    };
    let stored = upload(form("false")).await;
    assert_eq!((stored.status.as_u16(), &stored.json["fileName"]), (200, &json!("mine.ps1")), "{}", stored.text);
    // SHA-256 of `Get-Process`, from another program.
    assert_eq!(stored.json["sha256"], "b22ffb0a3b141dda48297c9ae0400c863ec75128f519e0458695a3e4ec324f87");
    upload(form("false")).await.expect_error(400, "BadRequest", "already");
    assert_eq!(upload(form("true")).await.status, 200);
    upload("nothing".to_owned()).await.expect_error(400, "InvalidRequestBody", "");
    assert!(ids(&stage.get_mde("/libraryfiles").await.items(), "fileName").contains("mine.ps1"));
    let machine = stage.get_mde("/machines").await.items()[0]["id"].as_str().unwrap().to_owned();
    let commands =
        json!({ "Commands": [{ "type": "RunScript", "params": [{ "key": "ScriptName", "value": "mine.ps1" }] }] });
    let ran = stage.post_mde(&format!("/machines/{machine}/runliveresponse"), commands).await;
    stage.advance(30).await;
    let action = stage.get_mde(&format!("/machineactions/{}", ran.json["id"].as_str().unwrap())).await.json;
    assert_eq!(action["status"], "Succeeded");
    let delete = async || stage.call(Method::DELETE, "/api/libraryfiles/mine.ps1", &stage.mde, None).await;
    assert_eq!(delete().await.status, 204);
    delete().await.expect_error(404, "ResourceNotFound", "mine.ps1");
}

#[tokio::test]
async fn the_scores_follow_from_devices_software_and_settings() {
    let stage = Stage::start().await;
    let score = async |path: &str| stage.get_mde(path).await.json["score"].as_f64().unwrap();
    let exposure = score("/exposureScore").await;
    assert!(exposure > 0.0 && exposure <= 100.0, "{exposure}");
    let groups = stage.get_mde("/exposureScore/ByMachineGroups").await.items();
    let machines = stage.get_mde("/machines").await.items();
    let weigh = |group: &Value| {
        let count = machines.iter().filter(|machine| machine["rbacGroupName"] == group["rbacGroupName"]).count();
        assert!(count > 0, "{group}");
        group["score"].as_f64().unwrap() * f64::from(u32::try_from(count).unwrap())
    };
    let mean = groups.iter().map(weigh).sum::<f64>() / f64::from(u32::try_from(machines.len()).unwrap());
    assert!((mean - exposure).abs() < 0.01, "{mean} is not {exposure}");
    let settings = stage.get_mde("/recommendations?$filter=remediationType eq 'ConfigurationChange'").await.items();
    let best: f64 = settings.iter().map(|setting| setting["configScoreImpact"].as_f64().unwrap()).sum();
    let configuration = score("/configurationScore").await;
    assert!(configuration > 0.0 && configuration < best, "{configuration} of {best}");
}

#[tokio::test]
async fn a_remediation_task_names_the_devices_that_its_recommendation_exposes() {
    let stage = Stage::start().await;
    let tasks = stage.get_mde("/remediationTasks").await.items();
    assert!(tasks.len() > 2, "{tasks:?}");
    let advices = stage.get_mde("/recommendations").await.items();
    for task in &tasks {
        let id = task["id"].as_str().unwrap();
        let mut one = stage.get_mde(&format!("/remediationTasks/{id}")).await.json;
        one.as_object_mut().unwrap().remove("@odata.context");
        assert_eq!(&one, task);
        let advice = advices.iter().find(|advice| advice["recommendationName"] == task["title"]).unwrap();
        let advice = advice["id"].as_str().unwrap();
        let exposed = stage.get_mde(&format!("/recommendations/{advice}/machineReferences")).await.items();
        let open = stage.get_mde(&format!("/remediationTasks/{id}/machineReferences")).await.items();
        assert_eq!(open, exposed);
        let left = task["targetDevices"].as_u64().unwrap() - task["fixedDevices"].as_u64().unwrap();
        assert_eq!(left, exposed.len() as u64);
    }
    let early = stage.get_mde("/remediationTasks?$filter=createdOn lt 2026-11-10T00:00:00Z").await.items();
    let expected = tasks.iter().filter(|task| task["createdOn"].as_str() < Some("2026-11-10")).count();
    assert_eq!(early.len(), expected);
    assert_eq!(stage.get_mde("/remediationTasks?$filter=status eq 'Completed'").await.items().len(), 0);
    assert_eq!(stage.get_mde("/remediationTasks?$top=1").await.items().len(), 1);
    stage.get_mde("/remediationTasks/nope").await.expect_error(404, "ResourceNotFound", "nope");
}
