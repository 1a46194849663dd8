//! Machines: lists, searches, tags and value, and that all three APIs tell the same of a device.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{MDE, Stage, ids};

#[tokio::test]
async fn machines_can_be_filtered_and_read_by_id_and_name() {
    let stage = Stage::start().await;
    let all = stage.get_mde("/machines").await;
    assert_eq!(all.status, 200, "{}", all.text);
    assert!(all.json["@odata.context"].as_str().unwrap().ends_with("/api/$metadata#Machines"));
    let machines = all.items();
    assert_eq!(machines.len(), 40);
    let servers = stage.get_mde("/machines?$filter=startswith(osPlatform,'WindowsServer')").await.items();
    assert!(!servers.is_empty() && servers.len() < 40);
    let filter = "healthStatus eq 'Active' and onboardingStatus eq 'Onboarded' and rbacGroupId eq 11";
    let workstations = stage.get_mde(&format!("/machines?$filter={filter}&$top=3&$skip=1")).await.items();
    assert_eq!(workstations.len(), 3);
    let machine = &machines[4];
    let (id, name) = (machine["id"].as_str().unwrap(), machine["computerDnsName"].as_str().unwrap());
    for key in [id, name] {
        let one = stage.get_mde(&format!("/MACHINES/{key}")).await;
        assert_eq!(one.json["id"], id, "{}", one.text);
        assert!(one.json["@odata.context"].as_str().unwrap().ends_with("#Machine"));
    }
    stage.get_mde("/machines/123123123").await.expect_error(404, "ResourceNotFound", "Machine 123123123 was not found");
    stage.get_mde("/machines?$filter=osProcessor eq 'x64'").await.expect_error(400, "ODataError", "cannot be used");
    stage.get_mde("/machines?$top=10001").await.expect_error(400, "ODataError", "limit of '10000'");
    assert!(stage.get_mde("/machines?$filter=computerDnsName eq 'nobody'").await.items().is_empty());
}

#[tokio::test]
async fn a_company_without_recent_machines_answers_not_found() {
    let stage = Stage::start().await;
    stage.admin(Method::PUT, "/world/devices/all", json!({ "online": false })).await;
    assert_eq!(stage.get_mde("/machines").await.items().len(), 40);
    stage.advance(8 * 86_400).await;
    let token = stage.token_with(&[("mde", "Machine.Read.All")], MDE).await;
    let stale = stage.call(Method::GET, "/api/machines?$filter=healthStatus eq 'Inactive'", &token, None).await;
    assert_eq!(stale.items().len(), 40);
    stage.advance(24 * 86_400).await;
    let token = stage.token_with(&[("mde", "Machine.Read.All")], MDE).await;
    let none = stage.call(Method::GET, "/api/machines", &token, None).await;
    none.expect_error(404, "NotFound", "No recent machines");
}

#[tokio::test]
async fn tags_and_value_show_up_everywhere() {
    let stage = Stage::start().await;
    let machines = stage.get_mde("/machines").await.items();
    let id = |index: usize| machines[index]["id"].as_str().unwrap().to_owned();
    let tagged =
        stage.post_mde(&format!("/machines/{}/tags", id(0)), json!({ "Value": "VIP 1", "Action": "Add" })).await;
    assert_eq!(tagged.json["machineTags"], json!(["VIP 1"]), "{}", tagged.text);
    let many = json!({ "Value": "VIP 2", "Action": "Add", "MachineIds": [id(0), id(3)] });
    let many = stage.post_mde("/machines/addorremovetagformultiplemachines", many).await;
    assert_eq!(ids(&many.items(), "id"), [id(0), id(3)].into());
    let found = stage.get_mde("/machines?$filter=machineTags/any(tag: tag eq 'VIP 2')").await.items();
    assert_eq!(found.len(), 2);
    assert_eq!(stage.get_mde("/machines/findbytag?tag=VIP&useStartsWithFilter=true").await.items().len(), 2);
    assert_eq!(stage.get_mde("/machines/findbytag?tag=VIP").await.items().len(), 0);
    let gone = json!({ "Value": "VIP 1", "Action": "Remove" });
    let untagged = stage.post_mde(&format!("/machines/{}/tags", id(0)), gone).await;
    assert_eq!(untagged.json["machineTags"], json!(["VIP 2"]));
    let valued = stage.post_mde(&format!("/machines/{}/setDeviceValue", id(0)), json!({ "DeviceValue": "High" })).await;
    assert_eq!(valued.json["deviceValue"], "High", "{}", valued.text);
    assert_eq!(stage.truth().await["machines"][0]["deviceValue"], "High");

    let path = format!("/machines/{}/tags", id(0));
    stage.post_mde(&path, json!({ "value": "x", "Action": "Add" })).await.expect_error(
        400,
        "InvalidRequestBody",
        "value",
    );
    stage.post_mde(&path, json!({ "Value": "x" })).await.expect_error(400, "MissingRequiredParameter", "Action");
    stage.post_mde(&path, json!({ "Value": "x", "Action": "Keep" })).await.expect_error(400, "InvalidInput", "Action");
    let too_many = json!({ "Value": "x", "Action": "Add", "MachineIds": vec![id(0); 501] });
    let too_many = stage.post_mde("/machines/AddOrRemoveTagForMultipleMachines", too_many).await;
    too_many.expect_error(400, "MaximumBatchSizeExceeded", "501 machine ids, the maximum is 500");
}

#[tokio::test]
async fn an_address_is_found_within_thirty_days() {
    let stage = Stage::start().await;
    let machine = stage.get_mde("/machines?$top=1").await.items()[0].clone();
    let ip = machine["lastIpAddress"].as_str().unwrap();
    let find = |at: &str| format!("/machines/FindByIP(ip='{ip}',timestamp={at})");
    let found = stage.get_mde(&find("2026-11-21T08:00:00Z")).await;
    assert_eq!(ids(&found.items(), "id"), ids(std::slice::from_ref(&machine), "id"));
    stage.get_mde(&find("2026-10-01T08:00:00Z")).await.expect_error(400, "InvalidInput", "30 days");
    let none = stage.get_mde("/machines/findbyip(ip='10.255.0.1',timestamp=2026-11-21T08:00:00Z)").await;
    assert!(none.items().is_empty());
    let no_ip = stage.get_mde("/machines/findbyip(ip='nowhere',timestamp=2026-11-21T08:00:00Z)").await;
    no_ip.expect_error(400, "InvalidIpAddress", "nowhere");
    let users = stage.get_mde(&format!("/machines/{}/logonusers", machine["id"].as_str().unwrap())).await.items();
    assert_eq!(users[0]["logonTypes"], "Interactive");
}

#[tokio::test]
async fn graph_and_xdr_show_what_became_of_a_device() {
    let stage = Stage::start().await;
    let devices = |incidents: &[Value]| -> Vec<Value> {
        let alerts = incidents.iter().flat_map(|incident| incident["alerts"].as_array().unwrap().clone());
        alerts.flat_map(|alert| alert["devices"].as_array().unwrap().clone()).collect()
    };
    let shown = devices(&stage.get_xdr("/incidents").await.items());
    let id = shown[0]["mdatpDeviceId"].as_str().unwrap();
    stage.post_mde(&format!("/machines/{id}/tags"), json!({ "Value": "Bridge", "Action": "Add" })).await;
    stage.admin(Method::PUT, &format!("/world/devices/{id}"), json!({ "online": false })).await;
    let machine = stage.get_mde(&format!("/machines/{id}")).await.json;
    assert_eq!(machine["healthStatus"], "ImpairedCommunication");
    let shown = devices(&stage.get_xdr("/incidents").await.items());
    let device = shown.iter().find(|device| device["mdatpDeviceId"] == id).unwrap();
    assert_eq!((&device["tags"][0], &device["healthStatus"]), (&json!("Bridge"), &json!("ImpairedCommunication")));
    assert_eq!(device["riskScore"], machine["riskScore"]);
    let alerts = stage.all_pages("/alerts_v2?$top=100").await;
    let evidence = alerts.iter().flat_map(|alert| alert["evidence"].as_array().unwrap());
    let of_graph =
        evidence.into_iter().find(|evidence| evidence["mdeDeviceId"] == id && evidence["healthStatus"] != Value::Null);
    let of_graph = of_graph.unwrap();
    assert_eq!(of_graph["healthStatus"], "impairedCommunication");
    assert!(of_graph["tags"].as_array().unwrap().contains(&json!("Bridge")));
}
