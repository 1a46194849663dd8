//! The tables themselves: their columns, the words in them, and their size, beside the reference.

use std::{collections::BTreeSet, fs, path::Path};

use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::Stage;

/// The tables of the reference; `None`, and one visible line, where it is absent.
fn reference() -> Option<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference/microsoft/hunting-schema.json");
    let Ok(text) = fs::read_to_string(&path) else {
        eprintln!("skipped: ../shared/reference/microsoft/hunting-schema.json is not here");
        return None;
    };
    Some(serde_json::from_str::<Value>(&text).unwrap()["tables"].take())
}

#[tokio::test]
async fn every_table_has_the_columns_of_the_reference() {
    let Some(tables) = reference() else { return };
    let stage = Stage::start().await;
    for (table, reference) in tables.as_object().unwrap() {
        let body = Some(json!({ "Query": format!("{table} | take 0") }));
        let answer = stage.call(Method::POST, "/v1.0/security/runHuntingQuery", &stage.graph, body).await;
        assert_eq!(answer.status, 200, "{table}: {}", answer.text);
        let shown: Vec<(String, String)> = answer.json["schema"]
            .as_array()
            .unwrap()
            .iter()
            .map(|column| (column["name"].as_str().unwrap().to_owned(), column["type"].as_str().unwrap().to_owned()))
            .collect();
        for column in reference["columns"].as_array().unwrap() {
            let name = column["column"].as_str().unwrap();
            let ty = match column["type"].as_str().unwrap() {
                _ if name == "AdditionalFields" => "Object",
                "string" => "String",
                "datetime" => "DateTime",
                "int" => "Int32",
                "long" => "Int64",
                "real" => "Double",
                "bool" => "SByte",
                "guid" => "Guid",
                _ => "Object",
            };
            assert!(shown.contains(&(name.to_owned(), ty.to_owned())), "{table} has no {name} of {ty}: {shown:?}");
        }
    }
    let aliases =
        "DeviceInfo | where TimeGenerated > ago(2d) | project Same = TimeGenerated == Timestamp | distinct Same";
    assert_eq!(stage.hunt(aliases).await, [json!({ "Same": true })]);
}

#[tokio::test]
async fn every_action_type_is_one_of_the_vendors() {
    let Some(tables) = reference() else { return };
    let stage = Stage::start().await;
    let machine = stage.get_mde("/machines").await.items()[0]["id"].as_str().unwrap().to_owned();
    for (path, body) in [
        ("isolate", json!({ "Comment": "a", "IsolationType": "Full" })),
        ("runAntiVirusScan", json!({ "Comment": "b", "ScanType": "Quick" })),
        ("restrictCodeExecution", json!({ "Comment": "c" })),
        ("collectInvestigationPackage", json!({ "Comment": "d" })),
    ] {
        assert_eq!(stage.post_mde(&format!("/machines/{machine}/{path}"), body).await.status, 201, "{path}");
    }
    stage.advance(300).await;
    let mut seen = 0;
    for (table, reference) in tables.as_object().unwrap() {
        let known: BTreeSet<&str> = reference["action_types"]
            .as_array()
            .unwrap()
            .iter()
            .map(|known| known["value"].as_str().unwrap())
            .collect();
        if known.is_empty() {
            continue;
        }
        for row in stage.hunt(&format!("{table} | distinct ActionType")).await {
            let action = row["ActionType"].as_str().unwrap();
            assert!(known.contains(action), "{table} says {action}");
            seen += 1;
        }
    }
    assert!(seen > 40, "{seen} action types");
}

#[tokio::test]
async fn the_scale_multiplies_the_days_and_not_the_story() {
    let (small, large) = (Stage::start().await, Stage::start_with(1, 3).await);
    let count =
        async |stage: &Stage, table: &str| stage.hunt(&format!("{table} | count")).await[0]["Count"].as_i64().unwrap();
    for table in ["DeviceProcessEvents", "EmailEvents", "CloudAppEvents"] {
        let (one, three) = (count(&small, table).await, count(&large, table).await);
        assert!(three > one * 5 / 2 && three <= one * 3, "{table}: {one} and {three}");
    }
    for table in ["AlertInfo", "AlertEvidence", "DeviceInfo", "IdentityQueryEvents"] {
        assert_eq!(count(&small, table).await, count(&large, table).await, "{table}");
    }
}
