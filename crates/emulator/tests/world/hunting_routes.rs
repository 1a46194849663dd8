//! The three routes of hunting: who may ask, what is refused, limits, retirement, faults.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{Answer, GRAPH, MDE, Stage, XDR, read};

const GRAPH_PATH: &str = "/v1.0/security/runHuntingQuery";
const XDR_PATH: &str = "/api/advancedhunting/run";
const MDE_PATH: &str = "/api/advancedqueries/run";

impl Stage {
    fn routes(&self) -> [(&'static str, &str); 3] {
        [(GRAPH_PATH, &self.graph), (XDR_PATH, &self.xdr), (MDE_PATH, &self.mde)]
    }

    async fn query(&self, path: &str, token: &str, query: &str) -> Answer {
        self.call(Method::POST, path, token, Some(json!({ "Query": query }))).await
    }

    async fn switch(&self, order: Value) {
        self.admin(Method::PUT, "/hunting", order).await;
    }
}

#[tokio::test]
async fn each_route_answers_in_its_own_casing() {
    let stage = Stage::start().await;
    let query = "DeviceInfo | where Timestamp > ago(2d) | project Timestamp, DeviceId, IsAzureADJoined, ReportId, DeviceManualTags | take 2";
    for path in
        [GRAPH_PATH, "/v1.0/security/microsoft.graph.security.runHuntingQuery", "/beta/security/runHuntingQuery"]
    {
        let answer = stage.query(path, &stage.graph, query).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let context = answer.json["@odata.context"].as_str().unwrap();
        assert!(context.ends_with("/$metadata#microsoft.graph.security.huntingQueryResults"), "{context}");
        assert_eq!(answer.json["schema"][0], json!({ "name": "Timestamp", "type": "DateTime" }));
        let types: Vec<&str> =
            answer.json["schema"].as_array().unwrap().iter().map(|column| column["type"].as_str().unwrap()).collect();
        assert_eq!(types, ["DateTime", "String", "SByte", "Int64", "String"]);
        let time = answer.json["results"][1]["Timestamp"].as_str().unwrap();
        assert!(time.len() == 28 && time.ends_with('Z'), "{time}");
    }
    let xdr = stage.query(XDR_PATH, &stage.xdr, query).await;
    assert_eq!(xdr.json["Schema"][1], json!({ "Name": "DeviceId", "Type": "String" }), "{}", xdr.text);
    assert_eq!(xdr.json["Results"].as_array().unwrap().len(), 2);
    assert_eq!(xdr.json["Stats"]["dataset_statistics"][0]["table_row_count"], 2);
    assert!(xdr.json["Stats"]["ExecutionTime"].as_f64().is_some_and(|took| took > 0.0));
    let mde = stage.query(MDE_PATH, &stage.mde, query).await;
    assert_eq!((mde.json["Results"].as_array().unwrap().len(), &mde.json["Stats"]), (2, &Value::Null), "{}", mde.text);
    assert!(mde.json["Results"][0]["IsAzureADJoined"].is_u64(), "{}", mde.text);
    let alerts = "AlertInfo | take 1";
    assert_eq!(stage.query(XDR_PATH, &stage.xdr, alerts).await.status, 200);
    let unknown = "Failed to resolve table or column expression named 'AlertInfo'. Fix semantic errors in your query.";
    stage.query(MDE_PATH, &stage.mde, alerts).await.expect_error(400, "BadRequest", unknown);
}

#[tokio::test]
async fn only_the_role_of_the_route_opens_it() {
    let stage = Stage::start().await;
    let others = [("graph", "SecurityIncident.Read.All"), ("xdr", "Incident.Read.All"), ("mde", "Machine.Read.All")];
    let (app, secret) = stage.app(&others).await;
    let asked = [
        (GRAPH_PATH, GRAPH, "ThreatHunting.Read.All"),
        (XDR_PATH, XDR, "AdvancedHunting.Read.All"),
        (MDE_PATH, MDE, "AdvancedQuery.Read.All"),
    ];
    for (path, scope, role) in asked {
        let token = stage.token(&app, &secret, scope).await;
        stage.query(path, &token, "print 1").await.expect_error(
            403,
            "Forbidden",
            &format!("API required roles: {role}"),
        );
    }
    stage.query(GRAPH_PATH, &stage.mde, "print 1").await.expect_error(401, "InvalidAuthenticationToken", "audience");
    for path in [XDR_PATH, MDE_PATH] {
        stage.query(path, &stage.graph, "print 1").await.expect_error(401, "Unauthorized", "another resource");
        let missing = stage.client.post(stage.url(path)).body("{\"Query\":\"print 1\"}").send().await.unwrap();
        read(missing).await.expect_error(401, "Unauthorized", "no access token");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_query_is_said() {
    let stage = Stage::start().await;
    for (path, token) in stage.routes() {
        for (query, message) in [
            ("DeviceInfo | where", "A recognition error occurred."),
            ("DeviceInfo | project Nothing", "'project' operator: Failed to resolve"),
            ("NoSuchTable | take 1", "Failed to resolve table or column expression named 'NoSuchTable'"),
        ] {
            stage.query(path, token, query).await.expect_error(400, "BadRequest", message);
        }
        let missing = if path == GRAPH_PATH { "BadRequest" } else { "MissingRequiredParameter" };
        stage.call(Method::POST, path, token, Some(json!({}))).await.expect_error(400, missing, "'Query'");
        let known = if path == GRAPH_PATH { "BadRequest" } else { "InvalidRequestBody" };
        let body = json!({ "Query": "print 1", "Other": 1 });
        stage.call(Method::POST, path, token, Some(body)).await.expect_error(400, known, "'Other'");
        stage.call(Method::POST, path, token, Some(json!([]))).await.expect_error(400, known, "");
    }
    // The SDKs of Graph send lower case; the older APIs take their own spelling alone.
    let small = || Some(json!({ "query": "print x = 1" }));
    let graph = stage.call(Method::POST, GRAPH_PATH, &stage.graph, small()).await;
    assert_eq!(graph.json["results"], json!([{ "x": 1 }]), "{}", graph.text);
    stage.call(Method::POST, MDE_PATH, &stage.mde, small()).await.expect_error(400, "InvalidRequestBody", "'query'");
}

#[tokio::test]
async fn graph_reads_other_scripts_only_with_a_charset() {
    let stage = Stage::start().await;
    let send = |content_type: &'static str| {
        let request =
            stage.client.post(stage.url(GRAPH_PATH)).bearer_auth(&stage.graph).header("content-type", content_type);
        request.body(json!({ "Query": "print length = strlen('検査')" }).to_string()).send()
    };
    let length =
        |answer: &Answer| answer.json["results"][0]["length"].as_i64().unwrap_or_else(|| panic!("{}", answer.text));
    let told = read(send("application/json; charset=utf-8").await.unwrap()).await;
    let untold = read(send("application/json").await.unwrap()).await;
    assert_eq!((length(&told), length(&untold)), (2, 6));
}

#[tokio::test]
async fn a_timespan_narrows_the_tables() {
    let stage = Stage::start().await;
    let count = async |span: Value| {
        let body = json!({ "Query": "DeviceProcessEvents | count", "Timespan": span });
        let answer = stage.call(Method::POST, GRAPH_PATH, &stage.graph, Some(body)).await;
        answer.json["results"][0]["Count"].as_i64().unwrap_or_else(|| panic!("{}", answer.text))
    };
    let all = count(Value::Null).await;
    assert_eq!((count(json!("P30D")).await, count(json!("P90D")).await), (all, all));
    let day = count(json!("P1D")).await;
    assert!(day > 0 && day * 10 < all, "{day} of {all}");
    let of_day = [
        json!("2026-11-21T08:00:00Z"),
        json!("2026-11-21T08:00:00Z/2026-11-22T08:00:00Z"),
        json!("P1D/2026-11-22T08:00:00Z"),
        json!("2026-11-21T08:00:00Z/P1D"),
    ];
    for span in of_day {
        assert_eq!(count(span.clone()).await, day, "{span}");
    }
    let body = json!({ "Query": "print 1", "Timespan": "a week" });
    let refused = stage.call(Method::POST, GRAPH_PATH, &stage.graph, Some(body)).await;
    refused.expect_error(400, "BadRequest", "'a week'");
}

#[tokio::test]
async fn the_calls_of_a_tenant_are_limited() {
    let stage = Stage::start().await;
    stage.admin(Method::PUT, "/throttle", json!({ "mode": "on", "factor": 0.1 })).await;
    for (path, token) in stage.routes() {
        for _ in 0..4 {
            assert_eq!(stage.query(path, token, "print 1").await.status, 200);
        }
        let refused = stage.query(path, token, "print 1").await;
        let code = if path == XDR_PATH { "429" } else { "TooManyRequests" };
        refused.expect_error(429, code, "API calls quota exceeded! maximum allowed 4 per 00:01:00");
        assert!(refused.headers["retry-after"].to_str().unwrap().starts_with("60"));
    }
    let (app, secret) = stage.app(&[("xdr", "AdvancedHunting.Read.All")]).await;
    let other = stage.token(&app, &secret, XDR).await;
    assert_eq!(stage.query(XDR_PATH, &other, "print 1").await.status, 429, "the limit is the tenant's");
    stage.advance(60).await;
    assert_eq!(stage.query(XDR_PATH, &other, "print 1").await.status, 200);
}

#[tokio::test]
async fn processing_is_limited_for_a_while() {
    let stage = Stage::start().await;
    stage.advance(120).await;
    stage.switch(json!({ "cpuSeconds": 0 })).await;
    for (path, token) in stage.routes() {
        let refused = stage.query(path, token, "print 1").await;
        let minutes = if path == MDE_PATH { 58 } else { 13 };
        let code = if path == XDR_PATH { "429" } else { "TooManyRequests" };
        let message = format!(
            "You have exceeded processing resources allocated to this tenant. You can run queries again in {minutes} minutes."
        );
        refused.expect_error(429, code, &message);
        assert_eq!(refused.headers["retry-after"], (minutes * 60).to_string().as_str());
    }
    stage.switch(json!({ "cpuSeconds": 600 })).await;
    assert_eq!(stage.query(XDR_PATH, &stage.xdr, "print 1").await.status, 200);
}

#[tokio::test]
async fn answers_and_time_have_bounds() {
    let stage = Stage::start().await;
    let large = [
        (GRAPH_PATH, &stage.graph, "Result size limit exceeded."),
        (XDR_PATH, &stage.xdr, "Result size limit exceeded."),
        (
            MDE_PATH,
            &stage.mde,
            "Query execution has exceeded the allowed result size. Optimize your query by limiting the number of results and try again",
        ),
    ];
    stage.switch(json!({ "answerBytesMax": 100_000 })).await;
    for (path, token, message) in large {
        stage.query(path, token, "DeviceProcessEvents").await.expect_error(400, "BadRequest", message);
    }
    stage.switch(json!({ "answerBytesMax": 0, "timeMsMax": 1 })).await;
    let slow = "range x from 1 to 100000000 step 1 | summarize sum(x % 7)";
    stage.query(XDR_PATH, &stage.xdr, slow).await.expect_error(400, "BadRequest", "Query exceeded the timeout period.");
    let settings = stage.admin(Method::PUT, "/hunting", json!({ "timeMsMax": 0 })).await;
    assert_eq!((&settings["timeMsMax"], &settings["cpuSeconds"]), (&Value::Null, &json!(600.0)));
}

#[tokio::test]
async fn an_answer_has_100_000_rows_at_most_and_lacks_the_rest() {
    let stage = Stage::start().await;
    for (path, token) in stage.routes() {
        let list = if path == GRAPH_PATH { "results" } else { "Results" };
        for (asked, given) in [(99_999, 99_999), (100_000, 100_000), (100_001, 100_000)] {
            let answer = stage.query(path, token, &format!("range x from 1 to {asked} step 1")).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text);
            let rows = answer.json[list].as_array().unwrap();
            assert_eq!((rows.len(), &rows[given - 1]["x"]), (given, &json!(given)), "{path}");
        }
    }
    stage.switch(json!({ "rowsMax": 10 })).await;
    assert_eq!(stage.hunt("range x from 1 to 11 step 1").await.len(), 10);
}

#[tokio::test]
async fn files_elsewhere_cannot_be_reached_or_are_empty() {
    let stage = Stage::start().await;
    let query = "externaldata(Address: string) ['https://lists.example/addresses.csv'] with (format='csv') | count";
    let refused = stage.query(GRAPH_PATH, &stage.graph, query).await;
    refused.expect_error(400, "BadRequest", "the storage cannot be reached");
    stage.switch(json!({ "externalData": "empty" })).await;
    assert_eq!(stage.hunt(query).await, [json!({ "Count": 0 })]);
}

#[tokio::test]
async fn the_older_apis_tell_of_their_retirement_and_go() {
    let stage = Stage::start().await;
    let quiet = stage.query(MDE_PATH, &stage.mde, "print 1").await;
    assert!(!quiet.headers.contains_key("deprecation"));
    stage.switch(json!({ "notice": { "xdr": true, "mde": true } })).await;
    for (path, token) in stage.routes().into_iter().skip(1) {
        let noted = stage.query(path, token, "print 1").await;
        assert_eq!((noted.status.as_u16(), &noted.headers["deprecation"]), (200, &"@1767225600".parse().unwrap()));
        assert!(noted.headers["warning"].to_str().unwrap().contains("being retired"));
        assert!(noted.headers["link"].to_str().unwrap().contains("successor-version"));
    }
    stage.switch(json!({ "retired": { "xdr": true } })).await;
    stage.query(XDR_PATH, &stage.xdr, "print 1").await.expect_error(410, "Gone", "POST /v1.0/security/runHuntingQuery");
    assert_eq!(stage.query(MDE_PATH, &stage.mde, "print 1").await.status, 200);
    stage.switch(json!({ "retired": { "xdr": true, "mde": true } })).await;
    stage.query(MDE_PATH, &stage.mde, "print 1").await.expect_error(410, "Gone", "retired");
    assert_eq!(stage.query(GRAPH_PATH, &stage.graph, "print 1").await.status, 200);
}

#[tokio::test]
async fn faults_of_hunting_speak_the_words_of_each_api() {
    let stage = Stage::start().await;
    for (path, token) in stage.routes() {
        let too_large = if path == MDE_PATH { "allowed result size" } else { "Result size limit exceeded." };
        let limited = if path == XDR_PATH { "429" } else { "TooManyRequests" };
        for (kind, status, code, message) in [
            ("hunting_timeout", 400, "BadRequest", "Query exceeded the timeout period."),
            ("result_too_large", 400, "BadRequest", too_large),
            ("cpu_quota", 429, limited, "You can run queries again in 15 minutes."),
        ] {
            let fault = stage.fault(json!({ "kind": kind })).await;
            assert_eq!(stage.get_graph("/incidents?$top=1").await.status, 200);
            stage.query(path, token, "print 1").await.expect_error(status, code, message);
            assert_eq!(stage.hits(fault).await, 1, "{kind}");
        }
        let fault = stage.fault(json!({ "kind": "cpu_quota", "seconds": 60, "route": path })).await;
        let refused = stage.query(path, token, "print 1").await;
        refused.expect_error(429, limited, "again in 1 minute.");
        assert_eq!((&refused.headers["retry-after"], stage.hits(fault).await), (&"60".parse().unwrap(), 1));
    }
}

#[tokio::test]
async fn faults_of_all_services_strike_hunting() {
    let stage = Stage::start().await;
    for (path, token) in stage.routes() {
        let strike = async |order: Value| {
            let mut order = order;
            order["route"] = json!(path);
            let fault = stage.fault(order).await;
            let request = stage.client.post(stage.url(path)).bearer_auth(token).body("{\"Query\":\"DeviceInfo\"}");
            let sent = request.send().await;
            assert_eq!(stage.hits(fault).await, 1, "{path}");
            sent
        };
        let status = async |order: Value| strike(order).await.unwrap().status().as_u16();
        assert_eq!(status(json!({ "kind": "too_many_requests" })).await, 429);
        assert_eq!(status(json!({ "kind": "server_error", "status": 503 })).await, 503);
        assert_eq!(status(json!({ "kind": "gateway_timeout" })).await, 504);
        assert_eq!(status(json!({ "kind": "token_expired", "after": 0 })).await, 401);
        stage.admin(Method::DELETE, "/faults", Value::Null).await;
        assert_eq!(status(json!({ "kind": "slow", "delay_ms": 1 })).await, 200);
        assert!(strike(json!({ "kind": "html" })).await.unwrap().text().await.unwrap().starts_with("<!DOCTYPE"));
        assert!(strike(json!({ "kind": "reset" })).await.is_err());
        assert!(strike(json!({ "kind": "bad_gzip" })).await.unwrap().bytes().await.is_err());
        assert!(strike(json!({ "kind": "cut_body" })).await.unwrap().bytes().await.is_err());
    }
}
