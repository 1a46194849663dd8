//! Field names and enum members against the CSDL, and shapes against the samples, where the shared corpus is present.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::stage::{Stage, read};

pub(crate) fn reference(name: &str) -> Option<Value> {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference/microsoft").join(name);
    let Ok(text) = fs::read_to_string(&path) else {
        eprintln!("skipped: {name} is not in ../shared");
        return None;
    };
    Some(serde_json::from_str(&text).unwrap())
}

/// Checks an object against a type of the CSDL, with all that is in it.
pub(crate) fn conforms(schema: &Value, kind: &str, value: &Value, at: &str, kinds: &mut BTreeSet<String>) {
    let Some(fields) = value.as_object() else { panic!("{at}: {kind} is no object: {value}") };
    let named = fields.get("@odata.type").and_then(Value::as_str);
    let kind = named.and_then(|name| name.strip_prefix("#microsoft.graph.security.")).unwrap_or(kind);
    kinds.insert(kind.to_owned());
    let types = &schema["types"];
    let mut properties =
        types[kind]["properties"].as_object().unwrap_or_else(|| panic!("{at}: no type {kind}")).clone();
    for (name, target) in types[kind]["navigation"].as_object().unwrap() {
        properties.insert(name.clone(), serde_json::json!({ "type": target, "nullable": true }));
    }
    if types[kind]["base"] == "security.alertEvidence" {
        properties.extend(types["alertEvidence"]["properties"].as_object().unwrap().clone());
    }
    properties.insert("id".to_owned(), serde_json::json!({ "type": "String" }));
    for (name, value) in fields.iter().filter(|(name, _)| !name.contains('@')) {
        let at = format!("{at}/{name}");
        let property = properties.get(name).unwrap_or_else(|| panic!("{at}: {kind} has no such property"));
        if value.is_null() {
            assert_ne!(property["nullable"], false, "{at} is null");
            continue;
        }
        let text = property["type"].as_str().unwrap();
        match text.strip_prefix("Collection(").and_then(|inner| inner.strip_suffix(')')) {
            Some(inner) => {
                for (index, item) in value.as_array().unwrap_or_else(|| panic!("{at} is no list")).iter().enumerate() {
                    fits(schema, inner, item, &format!("{at}/{index}"), kinds);
                }
            }
            None => fits(schema, text, value, &at, kinds),
        }
    }
}

fn fits(schema: &Value, kind: &str, value: &Value, at: &str, kinds: &mut BTreeSet<String>) {
    match kind {
        "String" | "Guid" => assert!(value.is_string(), "{at}: {value}"),
        "DateTimeOffset" => {
            assert!(value.as_str().is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok()), "{at}: {value}")
        }
        "Int32" | "Int64" => assert!(value.is_i64(), "{at}: {value}"),
        "Boolean" => assert!(value.is_boolean(), "{at}: {value}"),
        _ => {
            let name = kind.trim_start_matches("security.").trim_start_matches("graph.");
            match schema["enums"][name]["members"].as_object() {
                Some(members) => {
                    assert!(value.as_str().is_some_and(|word| members.contains_key(word)), "{at}: {value}")
                }
                None => conforms(schema, name, value, at, kinds),
            }
        }
    }
}

#[tokio::test]
async fn graph_answers_follow_the_csdl() {
    let Some(schema) = reference("graph-security-types.json") else { return };
    let stage = Stage::start().await;
    let mut kinds = BTreeSet::new();
    let url = stage.url("/v1.0/security/incidents?$expand=alerts&$top=50");
    let request = stage.client.get(url).bearer_auth(&stage.graph).header("prefer", "include-unknown-enum-members");
    for incident in read(request.send().await.unwrap()).await.items() {
        conforms(&schema, "incident", &incident, "incident", &mut kinds);
    }
    for alert in stage.all_pages("/alerts_v2?$top=500").await {
        conforms(&schema, "alert", &alert, "alert", &mut kinds);
        let names: BTreeSet<&String> = alert.as_object().unwrap().keys().collect();
        for name in schema["types"]["alert"]["properties"].as_object().unwrap().keys() {
            assert!(names.contains(name), "an alert has no {name}");
        }
    }
    let evidence = kinds.iter().filter(|kind| kind.ends_with("Evidence")).count();
    assert!(evidence >= 20, "{evidence} kinds of evidence: {kinds:?}");
}

#[tokio::test]
async fn xdr_answers_have_the_keys_of_the_sample() {
    let Some(sample) = reference("samples/xdr_incidents_list_devices_mail_200.json") else { return };
    let stage = Stage::start().await;
    let incidents = stage.get_xdr("/incidents").await;
    assert!(incidents.json["@odata.context"].as_str().unwrap().ends_with("/api/$metadata#Incidents"));
    let all = |pointer: fn(&Value) -> Vec<Value>, of: &[Value]| of.iter().flat_map(pointer).collect::<Vec<_>>();
    let list = |value: &Value, name: &str| value[name].as_array().unwrap().clone();
    assert!(!list(&incidents.json, "value").is_empty());
    let alerts = |incident: &Value| incident["alerts"].as_array().unwrap().clone();
    let devices = |alert: &Value| alert["devices"].as_array().unwrap().clone();
    let entities = |alert: &Value| alert["entities"].as_array().unwrap().clone();
    let ours = list(&incidents.json, "value");
    let theirs = list(&sample, "value");
    let (our_alerts, their_alerts) = (all(alerts, &ours), all(alerts, &theirs));
    has_keys(&ours, &theirs, "incident");
    has_keys(&our_alerts, &their_alerts, "alert");
    has_keys(&all(devices, &our_alerts), &all(devices, &their_alerts), "device");
    has_keys(&all(entities, &our_alerts), &all(entities, &their_alerts), "entity");
    let machine = &all(devices, &our_alerts)[0]["mdatpDeviceId"];
    assert!(machine.as_str().is_some_and(|id| id.len() == 40 && id.chars().all(|c| c.is_ascii_hexdigit())));
}

#[track_caller]
pub(crate) fn has_keys(ours: &[Value], theirs: &[Value], what: &str) {
    let wanted: BTreeSet<&String> = theirs.iter().flat_map(|item| item.as_object().unwrap().keys()).collect();
    assert!(!ours.is_empty() && !wanted.is_empty(), "{what}");
    for item in ours {
        let missing: Vec<_> = wanted.iter().filter(|name| item.get(name.as_str()).is_none()).collect();
        assert!(missing.is_empty(), "{what} lacks {missing:?}: {item}");
    }
}
