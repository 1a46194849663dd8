//! Machine actions: their course by the clock, repeats, cancelling, results, live response, and ordered troubles.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{Answer, MDE, Stage, read};

impl Stage {
    async fn machine(&self, index: usize) -> String {
        self.get_mde("/machines").await.items()[index]["id"].as_str().unwrap().to_owned()
    }

    async fn order(&self, machine: &str, what: &str, body: Value) -> Answer {
        self.post_mde(&format!("/machines/{machine}/{what}"), body).await
    }

    async fn status(&self, action: &Answer) -> String {
        let id = action.json["id"].as_str().unwrap_or_else(|| panic!("no action: {}", action.text));
        self.get_mde(&format!("/machineactions/{id}")).await.json["status"].as_str().unwrap().to_owned()
    }

    async fn true_machine(&self, id: &str) -> Value {
        let truth = self.truth().await;
        truth["machines"].as_array().unwrap().iter().find(|machine| machine["id"] == id).unwrap().clone()
    }
}

fn why(text: &str) -> Value {
    json!({ "Comment": text })
}

#[tokio::test]
async fn an_order_goes_from_pending_over_in_progress_to_its_end() {
    let stage = Stage::start().await;
    let machine = stage.machine(0).await;
    let isolate = json!({ "Comment": "key-1", "IsolationType": "Selective" });
    let isolated = stage.order(&machine, "isolate", isolate).await;
    assert_eq!(isolated.status, 201, "{}", isolated.text);
    assert_eq!((&isolated.json["type"], &isolated.json["scope"]), (&json!("Isolate"), &json!("Selective")));
    assert_eq!(
        (&isolated.json["requestor"], &isolated.json["requestorComment"]),
        (&json!("Incident daemon"), &json!("key-1"))
    );
    assert_eq!(stage.status(&isolated).await, "Pending");
    stage.advance(4).await;
    assert_eq!(stage.status(&isolated).await, "InProgress");
    assert_eq!(stage.true_machine(&machine).await["isolation"], Value::Null);
    stage.advance(6).await;
    assert_eq!(stage.status(&isolated).await, "Succeeded");
    let truth = stage.true_machine(&machine).await;
    assert_eq!(truth["isolation"], "Selective");
    assert_eq!(truth["actions"][0]["requestorComment"], "key-1");
    let released = stage.order(&machine, "unisolate", why("done")).await;
    stage.advance(20).await;
    assert_eq!(stage.status(&released).await, "Succeeded");
    assert_eq!(stage.true_machine(&machine).await["isolation"], Value::Null);
    let events = stage.admin(Method::GET, "/world/events", Value::Null).await;
    let turns: Vec<&str> = events["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["kind"] == "actionTurned")
        .map(|event| event["status"].as_str().unwrap())
        .collect();
    assert_eq!(turns, ["InProgress", "Succeeded", "InProgress", "Succeeded"]);
    let counters = stage.admin(Method::GET, "/counters", Value::Null).await;
    let effects = counters["effects"].as_array().unwrap();
    let orders = |kind: &str| {
        effects.iter().find(|effect| effect["entity"] == format!("machines/{machine}/{kind}")).unwrap()["orders"]
            .clone()
    };
    assert_eq!((orders("Isolate"), orders("Unisolate")), (json!(1), json!(1)));
}

#[tokio::test]
async fn the_list_is_filtered_and_newest_first() {
    let stage = Stage::start().await;
    let (first, second) = (stage.machine(0).await, stage.machine(1).await);
    stage.order(&first, "isolate", why("one")).await;
    stage.advance(1).await;
    stage.order(&second, "isolate", why("two")).await;
    stage.order(&first, "runAntiVirusScan", json!({ "Comment": "three", "ScanType": "Full" })).await;
    let listed = stage.get_mde(&format!("/machineactions?$filter=machineId eq '{first}'&$top=2")).await.items();
    let comments: Vec<&Value> = listed.iter().map(|action| &action["requestorComment"]).collect();
    assert_eq!(comments, ["three", "one"]);
    assert_eq!(listed[0]["lastUpdateTimeUtc"], listed[0]["lastUpdateDateTimeUtc"]);
    let filter = "type eq 'Isolate' and status eq 'Pending' and requestor eq 'Incident daemon' and creationDateTimeUtc gt 2026-11-22T08:00:00Z";
    let later = stage.get_mde(&format!("/machineactions?$filter={filter}")).await.items();
    assert_eq!(later.len(), 1);
    assert_eq!(later[0]["requestorComment"], "two");
    stage.get_mde("/machineactions?$filter=type eq 'Explode'").await.expect_error(400, "ODataError", "Explode");
    stage.get_mde("/machineactions/none").await.expect_error(404, "ResourceNotFound", "none");
}

#[tokio::test]
async fn a_repeated_order_is_refused_while_the_first_is_open_or_gives_it_back() {
    let stage = Stage::start().await;
    let machine = stage.machine(0).await;
    for what in
        ["isolate", "unisolate", "restrictCodeExecution", "unrestrictCodeExecution", "collectInvestigationPackage"]
    {
        assert_eq!(stage.order(&machine, what, why("first")).await.status, 201, "{what}");
        let again = stage.order(&machine, what, why("second")).await;
        again.expect_error(400, "ActiveRequestAlreadyExists", "Action is already in progress");
    }
    stage.admin(Method::PUT, "/world/actions", json!({ "repeat": "same" })).await;
    let scan = json!({ "Comment": "scan", "ScanType": "Quick" });
    let first = stage.order(&machine, "runAntiVirusScan", scan.clone()).await;
    let again = stage.order(&machine, "runAntiVirusScan", scan.clone()).await;
    assert_eq!((again.status.as_u16(), &again.json["id"]), (201, &first.json["id"]));
    stage.order(&machine, "isolate", why("third")).await.expect_error(400, "ActiveRequestAlreadyExists", "already");
    stage.advance(60).await;
    assert_ne!(stage.order(&machine, "runAntiVirusScan", scan).await.json["id"], first.json["id"]);
}

#[tokio::test]
async fn a_cloud_that_takes_every_repeat_isolates_twice() {
    let stage = Stage::start().await;
    let machine = stage.machine(0).await;
    stage.admin(Method::PUT, "/world/actions", json!({ "repeat": "accept" })).await;
    for _ in 0..2 {
        assert_eq!(stage.order(&machine, "isolate", why("key-2")).await.status, 201);
    }
    stage.advance(30).await;
    let truth = stage.true_machine(&machine).await;
    let done = truth["actions"].as_array().unwrap().iter().filter(|action| action["status"] == "Succeeded");
    assert_eq!(done.count(), 2);
}

#[tokio::test]
async fn an_open_action_can_be_cancelled_by_who_may_order_it() {
    let stage = Stage::start().await;
    let machine = stage.machine(0).await;
    let isolated = stage.order(&machine, "isolate", why("oops")).await;
    let path = format!("/machineactions/{}/cancel", isolated.json["id"].as_str().unwrap());
    let scanner = stage.token_with(&[("mde", "Machine.Scan")], MDE).await;
    let refused = stage.call(Method::POST, &format!("/api{path}"), &scanner, Some(why("no"))).await;
    refused.expect_error(403, "Forbidden", "API required roles: Machine.Isolate, application roles: Machine.Scan.");
    let cancelled = stage.post_mde(&path, why("wrong machine")).await;
    assert_eq!(cancelled.json["status"], "Cancelled", "{}", cancelled.text);
    assert_eq!(cancelled.json["cancellationComment"], "wrong machine");
    stage.advance(60).await;
    assert_eq!(stage.true_machine(&machine).await["isolation"], Value::Null);
    stage.post_mde(&path, why("again")).await.expect_error(400, "BadRequest", "Cancelled");
    stage.post_mde("/machineactions/none/cancel", why("x")).await.expect_error(404, "ResourceNotFound", "none");
}

#[tokio::test]
async fn orders_wait_for_an_offline_device() {
    let stage = Stage::start().await;
    let machine = stage.machine(2).await;
    stage.admin(Method::PUT, &format!("/world/devices/{machine}"), json!({ "online": false })).await;
    let isolated = stage.order(&machine, "isolate", why("away")).await;
    stage.advance(1_000).await;
    assert_eq!(stage.status(&isolated).await, "Pending");
    stage.admin(Method::PUT, &format!("/world/devices/{machine}"), json!({ "online": true })).await;
    stage.advance(20).await;
    assert_eq!(stage.status(&isolated).await, "Succeeded");
}

#[tokio::test]
async fn actions_come_to_what_was_ordered_for_them() {
    let stage = Stage::start().await;
    let machine = stage.machine(3).await;
    for (next, after_s, expected) in
        [("fail", 30, "Failed"), ("timeout", 620, "TimeOut"), ("stuck", 3_000, "InProgress")]
    {
        stage.admin(Method::PUT, "/world/actions", json!({ "next": next, "type": "Isolate" })).await;
        assert_eq!(stage.order(&machine, "unisolate", why("other type")).await.status, 201);
        let isolated = stage.order(&machine, "isolate", why(next)).await;
        stage.advance(after_s).await;
        assert_eq!(stage.status(&isolated).await, expected);
    }
    assert_eq!(stage.true_machine(&machine).await["isolation"], Value::Null);
}

#[tokio::test]
async fn packages_and_results_can_be_fetched_through_their_links() {
    let stage = Stage::start().await;
    let machine = stage.machine(0).await;
    let collected = stage.order(&machine, "collectInvestigationPackage", why("forensics")).await;
    let path = format!("/machineactions/{}/GetPackageUri", collected.json["id"].as_str().unwrap());
    stage.get_mde(&path).await.expect_error(404, "ResourceNotFound", "package");
    stage.advance(60).await;
    let quoted = stage.get_mde(&path).await;
    let link =
        quoted.json["value"].as_str().unwrap().strip_prefix('"').and_then(|link| link.strip_suffix('"')).unwrap();
    let package = stage.client.get(link).send().await.unwrap();
    assert_eq!(package.status(), 200);
    assert!(package.bytes().await.unwrap().starts_with(b"PK\x03\x04"));
    let forged = read(stage.client.get(format!("{link}0")).send().await.unwrap()).await;
    assert_eq!(forged.status, 404);
    stage.advance(1_800).await;
    let expired = read(stage.client.get(link).send().await.unwrap()).await;
    assert_eq!(expired.status, 403);
    assert!(expired.text.contains("<Code>AuthenticationFailed</Code>"));
}

fn session(script: &str) -> Value {
    json!({ "Comment": "look", "Commands": [
        { "type": "RunScript", "params": [{ "key": "ScriptName", "value": script }, { "key": "Args", "value": "-v" }] },
        { "type": "GetFile", "params": [{ "key": "Path", "value": "C:\\Windows\\TEMP\\a.zip" }] },
    ] })
}

#[tokio::test]
async fn live_response_runs_its_commands_one_after_the_other() {
    let stage = Stage::start().await;
    let machine = stage.machine(0).await;
    let ran = stage.order(&machine, "runliveresponse", session("minidump.ps1")).await;
    assert_eq!(ran.status, 201, "{}", ran.text);
    assert_eq!(ran.json["commands"][1]["commandStatus"], "Created");
    stage.order(&machine, "runliveresponse", session("minidump.ps1")).await.expect_error(
        400,
        "ActiveRequestAlreadyExists",
        "",
    );
    let id = ran.json["id"].as_str().unwrap();
    let link = |index: usize| format!("/machineactions/{id}/getliveresponseresultdownloadlink(index={index})");
    stage.advance(9).await;
    let midway = stage.get_mde(&format!("/machineactions/{id}")).await.json;
    assert_eq!(midway["commands"][0]["commandStatus"], "Completed", "{midway}");
    assert_eq!(midway["commands"][1]["commandStatus"], "Created");
    stage.get_mde(&link(1)).await.expect_error(404, "ResourceNotFound", "command 1");
    stage.advance(10).await;
    assert_eq!(stage.status(&ran).await, "Succeeded");
    let link = stage.get_mde(&link(0)).await.json["value"].as_str().unwrap().to_owned();
    let result = read(stage.client.get(link).send().await.unwrap()).await;
    assert_eq!((&result.json["script_name"], &result.json["exit_code"]), (&json!("minidump.ps1"), &json!(0)));

    let failed = stage.order(&machine, "runliveresponse", session("nowhere.ps1")).await;
    stage.advance(30).await;
    let failed = stage.get_mde(&format!("/machineactions/{}", failed.json["id"].as_str().unwrap())).await.json;
    assert_eq!((&failed["status"], &failed["commands"][0]["commandStatus"]), (&json!("Failed"), &json!("Failed")));
    assert_eq!(failed["commands"][1]["commandStatus"], "Created");

    stage.admin(Method::PUT, &format!("/world/devices/{machine}"), json!({ "portal_session": true })).await;
    stage.order(&machine, "runliveresponse", session("minidump.ps1")).await.expect_error(
        400,
        "ActiveRequestAlreadyExists",
        "",
    );
}

#[tokio::test]
async fn no_more_than_25_live_response_sessions_at_a_time() {
    let stage = Stage::start().await;
    let machines = stage.get_mde("/machines").await.items();
    for (number, machine) in machines.iter().take(26).enumerate() {
        let ran = stage.order(machine["id"].as_str().unwrap(), "runliveresponse", session("minidump.ps1")).await;
        if number < 25 {
            assert_eq!(ran.status, 201, "{number}: {}", ran.text);
        } else {
            ran.expect_error(429, "TooManyRequests", "25");
            assert!(ran.headers.contains_key("retry-after"));
        }
    }
}

#[tokio::test]
async fn orders_need_a_comment_and_a_platform_that_can() {
    let stage = Stage::start().await;
    let machines = stage.get_mde("/machines").await.items();
    let machine = machines[0]["id"].as_str().unwrap();
    let linux = machines.iter().find(|machine| machine["osPlatform"] == "Linux").unwrap()["id"].as_str().unwrap();
    stage.order(machine, "offboard", json!({})).await.expect_error(400, "MissingRequiredParameter", "Comment");
    stage.order(machine, "isolate", json!({ "comment": "x" })).await.expect_error(400, "InvalidRequestBody", "comment");
    let kind = json!({ "Comment": "x", "IsolationType": "Partial" });
    stage.order(machine, "isolate", kind).await.expect_error(400, "InvalidInput", "IsolationType");
    stage.order(linux, "offboard", why("x")).await.expect_error(400, "OsPlatformNotSupported", "Linux");
    let hash = json!({ "Comment": "x", "Sha1": "abc" });
    stage.order(machine, "StopAndQuarantineFile", hash).await.expect_error(400, "InvalidHashValue", "Sha1");
    stage.order("0".repeat(40).as_str(), "isolate", why("x")).await.expect_error(
        404,
        "ResourceNotFound",
        "Machine 000",
    );
    let backwards = json!({ "Commands": [
        { "type": "GetFile", "params": [{ "key": "Path", "value": "C:\\a" }] },
        { "type": "PutFile", "params": [{ "key": "FileName", "value": "a" }] },
    ] });
    stage.order(machine, "runliveresponse", backwards).await.expect_error(400, "InvalidInput", "order");
    stage.order(machine, "offboard", why("sold")).await;
    stage.advance(60).await;
    let gone = stage.get_mde(&format!("/machines/{machine}")).await.json;
    assert_eq!((&gone["onboardingStatus"], &gone["healthStatus"]), (&json!("CanBeOnboarded"), &json!("Inactive")));
}

#[tokio::test]
async fn an_accepted_action_can_be_listed_late() {
    let stage = Stage::start().await;
    let machine = stage.machine(0).await;
    let fault = stage.fault(json!({ "kind": "late_action_listing", "seconds": 40 })).await;
    let isolated = stage.order(&machine, "isolate", why("late")).await;
    assert_eq!((isolated.status.as_u16(), stage.hits(fault).await), (201, 1));
    stage.advance(39).await;
    assert!(stage.get_mde("/machineactions").await.items().is_empty());
    assert_eq!(stage.status(&isolated).await, "Succeeded");
    stage.advance(1).await;
    assert_eq!(stage.get_mde("/machineactions").await.items().len(), 1);
}

#[tokio::test]
async fn a_call_can_fail_after_its_work_is_done() {
    let stage = Stage::start().await;
    let machine = stage.machine(0).await;
    let fault = stage.fault(json!({ "kind": "fails_after_effect", "service": "mde" })).await;
    stage.order(&machine, "isolate", why("done all the same")).await.expect_error(503, "serviceNotAvailable", "");
    assert_eq!(stage.hits(fault).await, 1);
    assert_eq!(stage.get_mde("/machineactions").await.items()[0]["requestorComment"], "done all the same");
    let fault = stage.fault(json!({ "kind": "reset_after_effect", "service": "mde" })).await;
    let path = stage.url(&format!("/api/machines/{machine}/unisolate"));
    let request = stage.client.post(path).bearer_auth(&stage.mde).body(why("no answer").to_string());
    assert!(request.send().await.is_err());
    assert_eq!((stage.hits(fault).await, stage.get_mde("/machineactions").await.items().len()), (1, 2));
    let fault = stage.fault(json!({ "kind": "active_request_already_exists", "route": "*/isolate" })).await;
    stage.order(&machine, "isolate", why("x")).await.expect_error(
        400,
        "ActiveRequestAlreadyExists",
        "already in progress",
    );
    assert_eq!((stage.hits(fault).await, stage.get_mde("/machineactions").await.items().len()), (1, 2));
}

#[tokio::test]
async fn other_people_order_and_cancel_too() {
    let stage = Stage::start().await;
    let machine = stage.machine(0).await;
    let theirs = json!({ "device": machine, "type": "Isolate", "comment": "by hand" });
    let id = stage.admin(Method::POST, "/world/actions", theirs).await["id"].as_str().unwrap().to_owned();
    stage.order(&machine, "isolate", why("ours")).await.expect_error(400, "ActiveRequestAlreadyExists", "already");
    let shown = stage.get_mde(&format!("/machineactions/{id}")).await.json;
    assert!(shown["requestor"].as_str().unwrap().starts_with("soc.first@"));
    assert_eq!(shown["requestSource"], "Portal");
    stage.admin(Method::POST, &format!("/world/actions/{id}/cancel"), json!({})).await;
    assert_eq!(stage.get_mde(&format!("/machineactions/{id}")).await.json["status"], "Cancelled");
}

#[tokio::test]
async fn a_quarantined_file_remediates_its_alerts() {
    let stage = Stage::start().await;
    let incidents = stage.get_xdr("/incidents").await.items();
    let alerts = incidents.iter().flat_map(|incident| incident["alerts"].as_array().unwrap().clone());
    let open = alerts
        .into_iter()
        .filter(|alert| alert["status"] != "Resolved" && !alert["devices"].as_array().unwrap().is_empty());
    let (alert, sha1) = open
        .into_iter()
        .find_map(|alert| {
            let sha1 = alert["entities"]
                .as_array()
                .unwrap()
                .iter()
                .find_map(|entity| entity["sha1"].as_str().map(str::to_owned))?;
            Some((alert, sha1))
        })
        .unwrap();
    let machine = alert["devices"][0]["mdatpDeviceId"].as_str().unwrap();
    let order = json!({ "Comment": "stop it", "Sha1": sha1 });
    let stopped = stage.order(machine, "StopAndQuarantineFile", order).await;
    assert_eq!(stopped.json["relatedFileInfo"]["fileIdentifier"], sha1, "{}", stopped.text);
    stage.advance(30).await;
    let graph = stage.get_graph(&format!("/alerts_v2/{}", alert["alertId"].as_str().unwrap())).await.json;
    assert_eq!(graph["investigationState"], "successfullyRemediated");
    assert_eq!(stage.true_machine(machine).await["quarantined"], json!([sha1]));
}
