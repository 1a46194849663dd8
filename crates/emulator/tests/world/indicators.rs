//! Indicators: one value and type is one indicator, imports tell of each item, limits, and who sees what.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{MDE, Stage, ids};

fn indicator(value: &str, kind: &str) -> Value {
    json!({
        "indicatorValue": value, "indicatorType": kind, "action": "Block", "title": "test", "description": "for a test",
        "severity": "High", "rbacGroupNames": "Servers, Laptops",
    })
}

#[tokio::test]
async fn the_same_value_and_type_is_the_same_indicator() {
    let stage = Stage::start().await;
    let first = stage.post_mde("/indicators", indicator("198.51.100.7", "IpAddress")).await;
    assert_eq!(first.status, 200, "{}", first.text);
    assert_eq!(first.json["rbacGroupNames"], json!(["Servers", "Laptops"]));
    let mut again = indicator("198.51.100.7", "IpAddress");
    again["action"] = json!("Audit");
    again["generateAlert"] = json!(true);
    stage.advance(5).await;
    let again = stage.post_mde("/indicators", again).await;
    assert_eq!((&again.json["id"], &again.json["action"]), (&first.json["id"], &json!("Audit")));
    assert_eq!(again.json["creationTimeDateTimeUtc"], first.json["creationTimeDateTimeUtc"]);
    let listed =
        stage.get_mde("/indicators?$filter=indicatorType eq 'IpAddress' and generateAlert eq true").await.items();
    assert_eq!(listed.len(), 1);
    let deleted = stage
        .call(Method::DELETE, &format!("/api/indicators/{}", first.json["id"].as_str().unwrap()), &stage.mde, None)
        .await;
    assert_eq!((deleted.status.as_u16(), deleted.text.as_str()), (204, ""));
    assert!(stage.get_mde("/indicators").await.items().is_empty());
}

#[tokio::test]
async fn what_does_not_fit_is_refused_by_its_code() {
    let stage = Stage::start().await;
    for (value, kind, code) in [
        ("10.0.0.0/8", "IpAddress", "InvalidIpAddress"),
        ("abc", "FileSha256", "InvalidHashValue"),
        ("no dots", "DomainName", "InvalidDomainName"),
        ("ftp://a.example/x", "Url", "InvalidUrl"),
        ("a.example", "Name", "InvalidInput"),
        ("", "DomainName", "MissingRequiredParameter"),
    ] {
        stage.post_mde("/indicators", indicator(value, kind)).await.expect_error(400, code, "");
    }
    let mut silent = indicator("a.example", "DomainName");
    silent["action"] = json!("Audit");
    stage.post_mde("/indicators", silent).await.expect_error(400, "InvalidInput", "generateAlert");
    let mut past = indicator("a.example", "DomainName");
    past["expirationTime"] = json!("2020-12-12T00:00:00Z");
    stage.post_mde("/indicators", past).await.expect_error(400, "InvalidInput", "expirationTime");
    stage.post_mde("/indicators", json!([1])).await.expect_error(400, "InvalidRequestBody", "");
}

#[tokio::test]
async fn an_expired_indicator_is_gone() {
    let stage = Stage::start().await;
    let mut short = indicator("a.example", "DomainName");
    short["expirationTime"] = json!("2026-11-22T08:10:00Z");
    stage.post_mde("/indicators", short).await;
    assert_eq!(stage.get_mde("/indicators").await.items().len(), 1);
    stage.advance(600).await;
    assert!(stage.get_mde("/indicators").await.items().is_empty());
}

#[tokio::test]
async fn an_import_tells_of_each_item_and_stops_at_the_limits() {
    let stage = Stage::start().await;
    let items =
        json!({ "Indicators": [indicator("a.example", "DomainName"), indicator("abc", "FileSha1"), { "title": "x" }] });
    let imported = stage.post_mde("/indicators/import", items).await;
    let items = imported.items();
    assert_eq!(
        (&items[0]["isFailed"], &items[0]["indicator"]),
        (&json!(false), &json!("a.example")),
        "{}",
        imported.text
    );
    assert_eq!(items[1]["isFailed"], true);
    assert!(items[1]["failureReason"].as_str().unwrap().contains("hash") && items[2]["isFailed"] == true);
    let many = |count: usize, from: usize| -> Value {
        let items: Vec<Value> =
            (0..count).map(|at| indicator(&format!("h{}.example", from + at), "DomainName")).collect();
        json!({ "Indicators": items })
    };
    stage.post_mde("/indicators/import", many(501, 0)).await.expect_error(400, "MaximumBatchSizeExceeded", "501");
    for batch in 0..30 {
        assert_eq!(stage.post_mde("/indicators/import", many(500, batch * 500)).await.status, 200);
    }
    assert_eq!(stage.get_mde("/indicators?$top=10000&$skip=10000").await.items().len(), 5_000);
    let over = stage.post_mde("/indicators", indicator("one.too.many.example", "DomainName")).await;
    over.expect_error(400, "BadRequest", "15000 active indicators");
}

#[tokio::test]
async fn many_are_removed_at_once_or_none() {
    let stage = Stage::start().await;
    for name in ["a.example", "b.example"] {
        stage.post_mde("/indicators", indicator(name, "DomainName")).await;
    }
    let all: Vec<String> = ids(&stage.get_mde("/indicators").await.items(), "id").into_iter().collect();
    let remove = async |ids: Value| stage.post_mde("/indicators/batchdelete", json!({ "IndicatorIds": ids })).await;
    remove(json!([all[0], "999999"])).await.expect_error(404, "ResourceNotFound", "999999");
    remove(json!([])).await.expect_error(400, "MissingRequiredParameter", "IndicatorIds");
    remove(json!(["x"])).await.expect_error(400, "InvalidInput", "IndicatorIds");
    remove(json!(vec!["1"; 501])).await.expect_error(400, "MaximumBatchSizeExceeded", "501");
    assert_eq!(stage.get_mde("/indicators").await.items().len(), 2);
    assert_eq!(remove(json!(all)).await.status, 204);
    assert!(stage.get_mde("/indicators").await.items().is_empty());
}

#[tokio::test]
async fn the_smaller_role_sees_its_own_only() {
    let stage = Stage::start().await;
    stage.post_mde("/indicators", indicator("a.example", "DomainName")).await;
    let small = stage.token_with(&[("mde", "Ti.ReadWrite")], MDE).await;
    assert!(stage.call(Method::GET, "/api/indicators", &small, None).await.items().is_empty());
    let theirs = Some(indicator("a.example", "DomainName"));
    stage.call(Method::POST, "/api/indicators", &small, theirs).await.expect_error(
        403,
        "DisallowedOperation",
        "another",
    );
    let own = stage.call(Method::POST, "/api/indicators", &small, Some(indicator("b.example", "DomainName"))).await;
    assert_eq!(own.status, 200);
    assert_eq!(stage.call(Method::GET, "/api/indicators", &small, None).await.items().len(), 1);
    assert_eq!(stage.get_mde("/indicators").await.items().len(), 2);
}
