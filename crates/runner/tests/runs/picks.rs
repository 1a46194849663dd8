//! The object that a run is about: read by its id through the tenant's connection, in one shape whatever API gave it.

use std::{fs, path::Path, sync::Arc};

use jsonschema::Validator;
use serde_json::{Value, json};
use sortie_defender::normal;
use sortie_engine::document::{Needs, shapes_schema};
use sortie_runner::{Pick, Picker, Trouble};

use crate::stage::Stage;

fn validator(shape: &str) -> Validator {
    let mut schema = shapes_schema();
    schema.as_object_mut().unwrap().remove("anyOf");
    schema["$ref"] = format!("#/$defs/{shape}").into();
    jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap()
}

#[track_caller]
fn fits(shape: &str, value: &Value) {
    let errors: Vec<String> = validator(shape).iter_errors(value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{shape}: {errors:#?}");
}

async fn pick(stage: &Stage, kind: Needs, id: &str) -> Result<Value, Trouble> {
    let picker = Picker::new(Arc::clone(&stage.outside) as _, stage.store.clone(), Arc::new(stage.clock.clone()));
    picker.pick(stage.key, &Pick { kind, id: id.to_owned(), connection: None }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_incident_alert_and_device_of_the_cloud_fits_the_published_schema() {
    let stage = Stage::start().await;
    let (mut devices, mut users, mut mails) = (0, 0, 0);
    for incident in
        stage.call("list-incidents", json!({ "$expand": "alerts", "$top": 50 })).await["value"].as_array().unwrap()
    {
        let shown = normal::incident(incident).unwrap();
        fits("incident", &shown);
        let count = |list: &str| shown[list].as_array().unwrap().len();
        (devices, users, mails) = (devices + count("devices"), users + count("users"), mails + count("messages"));
        for alert in shown["alerts"].as_array().unwrap() {
            fits("alert", alert);
        }
    }
    assert!(devices > 0 && users > 0 && mails > 0, "{devices} devices, {users} users, {mails} mails");
    for (list, shape) in [("list-incidents-xdr", "incident"), ("list-alerts-mde", "alert"), ("list-devices", "device")]
    {
        let all = stage.call(list, json!({ "$top": 50 })).await["value"].clone();
        assert!(!all.as_array().unwrap().is_empty(), "{list}");
        for one in all.as_array().unwrap() {
            let shown = match shape {
                "incident" => normal::incident(one),
                "alert" => normal::alert(one),
                _ => normal::device(one),
            };
            fits(shape, &shown.unwrap());
        }
    }
}

/// Answers that were recorded or are documented, as far as they hold such objects.
#[test]
fn every_recorded_object_fits_the_published_schema() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let mut count = 0;
    for folder in ["shared/reference/microsoft/samples", "shared/corpus/microsoft-answers"] {
        let Ok(files) = fs::read_dir(root.join(folder)) else {
            eprintln!("SKIPPED: ../{folder} is not there");
            return;
        };
        for file in files {
            let Ok(answer) = serde_json::from_slice::<Value>(&fs::read(file.unwrap().path()).unwrap()) else {
                continue;
            };
            let all = answer["value"].as_array().cloned().unwrap_or_else(|| vec![answer.clone()]);
            for one in all.iter().filter(|one| one.is_object()) {
                let has = |names: &[&str]| names.iter().any(|name| one.get(name).is_some());
                let (shape, shown) = match () {
                    () if has(&["incidentName", "displayName"]) && has(&["alerts", "severity"]) => {
                        ("incident", normal::incident(one))
                    }
                    () if has(&["alertCreationTime", "serviceSource"]) => ("alert", normal::alert(one)),
                    () if has(&["computerDnsName"]) && has(&["healthStatus"]) => ("device", normal::device(one)),
                    () => continue,
                };
                if let Some(shown) = shown {
                    fits(shape, &shown);
                    count += 1;
                }
            }
        }
    }
    eprintln!("{count} objects");
    assert!(count > 15, "{count} objects");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_read_by_its_id_from_the_api_that_gives_it() {
    let stage = Stage::start().await;
    let raw = stage.call("list-incidents", json!({ "$expand": "alerts", "$top": 1 })).await["value"][0].clone();
    let id = raw["id"].as_str().unwrap();
    let shown = pick(&stage, Needs::Incident, id).await.unwrap();
    assert_eq!(shown, normal::incident(&raw).unwrap());
    let alert = raw["alerts"][0]["id"].as_str().unwrap();
    assert_eq!(pick(&stage, Needs::Alert, alert).await.unwrap()["incidentId"], id);
    let device = stage.call("list-devices", json!({ "$top": 1 })).await["value"][0].clone();
    let [device_id, name] = ["id", "computerDnsName"].map(|key| device[key].as_str().unwrap());
    for name in [device_id, name, &name.to_uppercase(), name.split('.').next().unwrap()] {
        let shown = pick(&stage, Needs::Device, name).await.unwrap();
        assert_eq!(
            (&shown["mdeDeviceId"], &shown["deviceDnsName"]),
            (&device["id"], &device["computerDnsName"]),
            "{name}"
        );
    }
    for (kind, id) in [(Needs::Incident, "99999999"), (Needs::Alert, "da0_0"), (Needs::Device, "no-such-host")] {
        let trouble = pick(&stage, kind, id).await.unwrap_err();
        assert_eq!((trouble.what, trouble.status), (format!("there is no {} {id}", kind.word()), Some(404)));
    }
}

/// The application has the roles of Defender XDR and none of Graph.
#[tokio::test(flavor = "multi_thread")]
async fn where_graph_refuses_the_other_api_is_asked() {
    let stage = Stage::start().await;
    let raw = stage.call("list-incidents", json!({ "$top": 1 })).await["value"][0].clone();
    let id = raw["id"].as_str().unwrap();
    stage.grant(&[("xdr", "Incident.Read.All")]).await;
    let shown = pick(&stage, Needs::Incident, id).await.unwrap();
    assert_eq!((&shown["id"], &shown["displayName"]), (&raw["id"], &raw["displayName"]));
    assert!(shown["raw"].get("incidentName").is_some(), "{}", shown["raw"]);
    stage.take_roles_away().await;
    let trouble = pick(&stage, Needs::Incident, id).await.unwrap_err();
    assert_eq!(trouble.status, Some(403));
    assert!(trouble.what.contains("get-incident:"), "what Graph said is told, which was asked first: {}", trouble.what);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merged_incident_leads_on_to_the_one_that_took_it_over() {
    let stage = Stage::start().await;
    let all = stage.call("list-incidents", json!({ "$top": 2 })).await["value"].clone();
    let [into, from] = [0, 1].map(|at| all[at]["id"].as_str().unwrap().to_owned());
    let number = |id: &str| id.parse::<u64>().unwrap();
    stage.cloud.post("/world/merge", &json!({ "from": number(&from), "into": number(&into) })).await;
    let shown = pick(&stage, Needs::Incident, &from).await.unwrap();
    assert_eq!((&shown["id"], shown["status"] == "redirected"), (&json!(into), false));
    assert!(!shown["alerts"].as_array().unwrap().is_empty(), "{shown}");
}

/// Somebody waits for it, and nobody else tries again.
#[tokio::test(flavor = "multi_thread")]
async fn what_may_pass_is_tried_again_and_alerts_are_read_apart_where_they_must() {
    let stage = Stage::start().await;
    let raw = stage.call("list-incidents", json!({ "$expand": "alerts", "$top": 1 })).await["value"][0].clone();
    let id = raw["id"].as_str().unwrap();
    let ids = |shown: &Value| {
        let alerts = shown["alerts"].as_array().unwrap().iter();
        let mut ids: Vec<String> = alerts.map(|alert| alert["id"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    };
    for kind in ["too_many_requests", "server_error", "gateway_timeout", "reset", "cut_body", "expand_fails"] {
        stage.cloud.post("/faults", &json!({ "kind": kind, "times": 1, "retry_after": 1 })).await;
        let shown = pick(&stage, Needs::Incident, id).await.unwrap_or_else(|trouble| panic!("{kind}: {trouble:?}"));
        assert_eq!(ids(&shown), ids(&raw), "{kind}");
        stage.cloud.delete("/faults", None).await;
    }
}
