//! One test calls every `core` row of the reference for Defender for Endpoint, Defender XDR and Graph security, and those
//! `later` ones that are served: success
//! with one role, a missing role, another resource's token, bad input, and too many calls.

mod plan;
mod shape;

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};

use self::{
    plan::{Ask, Cast, indicator},
    shape::Shape,
};
use crate::{
    schema::{conforms, has_keys, reference},
    stage::{Answer, GRAPH, MDE, Stage, XDR, read},
};

/// One row of `endpoints.json`.
struct Row {
    group: String,
    method: Method,
    path: String,
    roles: Vec<String>,
    response: String,
    statuses: Vec<u16>,
    rate_limit: String,
}

/// The rows' resources: the admin API's name, and the scope of its tokens.
fn resource(group: &str) -> (&'static str, &'static str) {
    match group {
        "mde" => ("mde", MDE),
        "xdr" => ("xdr", XDR),
        _ => ("graph", GRAPH),
    }
}

/// The rows that a way of calling has dealt with.
type Called = BTreeSet<String>;

fn rows(reference: &Value) -> Vec<Row> {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let wanted = reference["endpoints"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| is_served(row) && ["mde", "xdr", "graph_security"].contains(&row["group"].as_str().unwrap()));
    wanted
        .map(|row| Row {
            group: text(row, "group"),
            method: text(row, "method").parse().unwrap(),
            path: text(row, "path"),
            roles: serde_json::from_value(row["application_permissions"].clone()).unwrap(),
            response: text(row, "response"),
            statuses: statuses(&row["success_status"]),
            rate_limit: text(row, "rate_limit"),
        })
        .collect()
}

/// Rows that the reference calls `later` and the emulator serves.
const LATER: &[&str] = &[
    "/v1.0/security/alerts_v2/moveAlerts",
    "/v1.0/security/incidents/mergeIncidents",
    "/api/exposureScore",
    "/api/exposureScore/ByMachineGroups",
    "/api/configurationScore",
    "/api/remediationTasks",
    "/api/remediationTasks/{id}/machineReferences",
];

fn is_served(row: &Value) -> bool {
    row["phase"] == "core" || LATER.iter().any(|path| row["path"] == *path)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_core_row_is_called_in_every_way() {
    let (Some(all), Some(schema)) = (reference("endpoints.json"), reference("graph-security-types.json")) else {
        return;
    };
    let rows = rows(&all);
    let (succeeded, without_role, elsewhere, refused, throttled) = tokio::join!(
        every_row_succeeds_with_one_of_its_roles_and_answers_as_it_says(&rows, &schema),
        every_row_tells_which_roles_are_missing(&rows),
        every_row_refuses_the_token_of_another_resource(&rows),
        every_row_refuses_bad_input(&rows),
        every_row_is_throttled_at_its_limit(&rows),
    );
    // Counted anew from the reference, so that a row that none of the ways has asked for shows.
    let mut wanted = Called::new();
    for row in all["endpoints"].as_array().unwrap().iter().filter(|row| is_served(row)) {
        if matches!(row["group"].as_str(), Some("mde" | "xdr" | "graph_security")) {
            wanted.insert(format!("{} {}", row["method"].as_str().unwrap(), row["path"].as_str().unwrap()));
        }
    }
    assert_eq!(wanted.len(), 85 + LATER.len(), "the reference has other rows than this test was written for");
    for (way, called) in [
        ("success", succeeded),
        ("a missing role", without_role),
        ("another resource's token", elsewhere),
        ("bad input", refused),
        ("too many calls", throttled),
    ] {
        let uncalled: Vec<&String> = wanted.difference(&called).collect();
        assert!(uncalled.is_empty(), "{way}: not called: {uncalled:?}");
    }
}

/// `200`, or a sentence with the numbers that are taken.
fn statuses(given: &Value) -> Vec<u16> {
    let text = given.to_string();
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

impl Row {
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    fn is_hunting(&self) -> bool {
        self.path.ends_with("unHuntingQuery") || self.path.ends_with("/run")
    }

    /// Calls and seconds of the first limit that the row states.
    fn limit(&self) -> Option<(u32, u32)> {
        let first = self.rate_limit.split(';').next()?;
        // Where a row says "at least", the emulator grants no more.
        let (count, rest) = first.trim().trim_start_matches(">=").split_once('/')?;
        let window_s = if rest.starts_with("min") {
            60
        } else if rest.starts_with('h') {
            3_600
        } else {
            return None;
        };
        Some((count.parse().ok()?, window_s))
    }
}

impl Stage {
    async fn ask(&self, method: &Method, ask: &Ask, token: &str) -> Answer {
        let Some(field) = ask.form else { return self.call(method.clone(), &ask.path, token, ask.body.clone()).await };
        let body = format!(
            "--b\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"row.ps1\"\r\n\r\nGet-Date\r\n--b--\r\n"
        );
        let request = self.client.post(self.url(&ask.path)).bearer_auth(token);
        let request = request.header("content-type", "multipart/form-data; boundary=b").body(body);
        read(request.send().await.unwrap()).await
    }
}

async fn every_row_succeeds_with_one_of_its_roles_and_answers_as_it_says(rows: &[Row], schema: &Value) -> Called {
    let mut called = Called::new();
    let stage = Stage::start().await;
    let mut cast = Cast::gather(&stage).await;
    let mut tokens: BTreeMap<(String, String), String> = BTreeMap::new();
    let mut unshown = Vec::new();
    for row in rows {
        let (name, scope) = resource(&row.group);
        let key = (row.group.clone(), row.roles[0].clone());
        if !tokens.contains_key(&key) {
            tokens.insert(key.clone(), stage.token_with(&[(name, &row.roles[0])], scope).await);
        }
        let token = &tokens[&key];
        if row.path.starts_with("/api/indicators") {
            let new = Some(indicator("before.example"));
            let made = stage.call(Method::POST, "/api/indicators", token, new).await;
            cast.indicator = made.json["id"].as_str().unwrap().to_owned();
        }
        let answer = stage.ask(&row.method, &cast.good(&row.method, &row.path), token).await;
        let status = answer.status.as_u16();
        assert!(row.statuses.contains(&status), "{}: {status} {}", row.name(), answer.text);
        called.insert(row.name());
        // The rows of hunting show their fields themselves.
        if row.group == "graph_security" && !row.is_hunting() {
            follows_csdl(schema, row, &answer.json);
            continue;
        }
        let shape = Shape::read(&row.response);
        if shape.is_known() {
            shape.check(&answer.json, &row.name());
        } else {
            unshown.push(row.name());
        }
    }
    // Four answers are empty; the fifth's shape is not on its page.
    assert_eq!(
        unshown,
        [
            "POST /api/alerts/batchUpdate",
            "POST /api/machines/AddOrRemoveTagForMultipleMachines",
            "DELETE /api/libraryfiles/{fileName}",
            "DELETE /api/indicators/{id}",
            "POST /api/indicators/BatchDelete",
        ]
    );
    called
}

/// The vendor's samples of answers, by the row that gives them.
const SAMPLES: &[(&str, &str)] = &[
    ("/api/alerts?$expand=evidence", "mde_alerts_list_expand_evidence_200"),
    ("/api/alerts/{id}", "mde_alerts_get_200"),
    ("/api/alerts/{id}/domains", "mde_alert_domains_200"),
    ("/api/alerts/{id}/files", "mde_alert_files_200"),
    ("/api/alerts/{id}/ips", "mde_alert_ips_200"),
    ("/api/alerts/{id}/machine", "mde_alert_machine_200"),
    ("/api/alerts/{id}/user", "mde_alert_user_200"),
    ("/api/machines", "mde_machines_list_200"),
    ("/api/machines/{id}", "mde_machine_get_200"),
    ("/api/machines/{id}/logonusers", "mde_machine_logonusers_200"),
    ("/api/machines/{id}/Software", "mde_machine_software_200"),
    ("/api/machineactions", "mde_machineactions_list_200"),
    ("/api/machineactions/{id}", "mde_machineaction_get_200"),
    ("/api/machineactions/{id}/getPackageUri", "mde_getPackageUri_200"),
    ("/api/libraryfiles", "mde_libraryfiles_list_200"),
    ("/api/files/{sha1}", "mde_file_get_200"),
    ("/api/files/{sha1}/stats", "mde_file_stats_200"),
    ("/api/ips/{ip}/stats", "mde_ip_stats_200"),
    ("/api/domains/{domain}/stats", "mde_domain_stats_200"),
    ("/api/investigations", "mde_investigations_list_200"),
    ("/api/vulnerabilities", "mde_vulnerabilities_list_200"),
    ("/api/vulnerabilities/{cveId}", "mde_vulnerability_get_200"),
    ("/api/vulnerabilities/{cveId}/machineReferences", "mde_vulnerability_machineReferences_200"),
    ("/api/vulnerabilities/machinesVulnerabilities", "mde_machinesVulnerabilities_200"),
    ("/api/Software", "mde_software_list_200"),
    ("/api/Software/{id}", "mde_software_get_200"),
    ("/api/Software/{id}/distributions", "mde_software_distributions_200"),
    ("/api/Software/{id}/machineReferences", "mde_software_machineReferences_200"),
    ("/api/recommendations", "mde_recommendations_list_200"),
    ("/api/recommendations/{id}", "mde_recommendation_get_200"),
    ("/api/recommendations/{id}/machineReferences", "mde_recommendation_machineReferences_200"),
    ("/api/exposureScore", "mde_exposureScore_200"),
    ("/api/configurationScore", "mde_configurationScore_200"),
    ("/api/remediationTasks", "mde_remediationTasks_list_200"),
    ("/api/remediationTasks/{id}", "mde_remediationTasks_list_200"),
];

#[tokio::test]
async fn answers_have_the_keys_of_the_vendors_samples() {
    let stage = Stage::start().await;
    let cast = Cast::gather(&stage).await;
    for (row, name) in SAMPLES {
        let Some(sample) = reference(&format!("samples/{name}.json")) else { return };
        let answer = stage.ask(&Method::GET, &cast.good(&Method::GET, row), &stage.mde).await;
        assert_eq!(answer.status, 200, "{row}: {}", answer.text);
        let ours = answer.json["value"].as_array().cloned().unwrap_or_else(|| vec![answer.json.clone()]);
        let theirs = sample["value"].as_array().cloned().unwrap_or_else(|| vec![sample.clone()]);
        // Samples of single entities stand with and without a context.
        let theirs: Vec<Value> = theirs.into_iter().map(without_context).collect();
        has_keys(&ours, &theirs, row);
        let parts = |items: &[Value]| -> Vec<Value> {
            items.iter().flat_map(|item| item["evidence"].as_array().cloned().unwrap_or_default()).collect()
        };
        if !parts(&theirs).is_empty() {
            has_keys(&parts(&ours), &parts(&theirs), row);
        }
    }
}

fn without_context(mut item: Value) -> Value {
    if let Some(fields) = item.as_object_mut() {
        fields.retain(|name, _| !name.starts_with('@'));
    }
    item
}

fn follows_csdl(schema: &Value, row: &Row, answer: &Value) {
    let kind = match row.path.as_str() {
        path if path.ends_with("/mergeIncidents") || path.ends_with("/moveAlerts") => "mergeResponse",
        path if path.ends_with("/comments") => "alertComment",
        path if path.contains("alerts_v2") => "alert",
        _ => "incident",
    };
    let items = answer["value"].as_array().cloned().unwrap_or_else(|| vec![answer.clone()]);
    assert!(!items.is_empty(), "{}: {answer}", row.name());
    for item in &items {
        conforms(schema, kind, item, &row.name(), &mut Default::default());
    }
}

async fn every_row_tells_which_roles_are_missing(rows: &[Row]) -> Called {
    let mut called = Called::new();
    let stage = Stage::start().await;
    let cast = Cast::gather(&stage).await;
    let mut tokens = BTreeMap::new();
    for group in ["mde", "xdr", "graph_security"] {
        tokens.insert(group, stage.token_with(&[], resource(group).1).await);
    }
    for row in rows {
        let answer = stage.ask(&row.method, &cast.good(&row.method, &row.path), &tokens[row.group.as_str()]).await;
        answer.expect_error(403, "Forbidden", "Missing application roles. API required roles: ");
        let message = answer.json["error"]["message"].as_str().unwrap();
        // The page of quarantining also lists the machine roles; the emulator reads it strictly.
        let roles = if row.path.ends_with("StopAndQuarantineFile") { &row.roles[..1] } else { &row.roles[..] };
        for role in roles {
            assert!(message.contains(role.as_str()), "{}: {message}", row.name());
        }
        if row.group != "graph_security" {
            assert_eq!(answer.json["error"]["target"].as_str().unwrap().len(), 36, "{}", row.name());
        }
        called.insert(row.name());
    }
    called
}

async fn every_row_refuses_the_token_of_another_resource(rows: &[Row]) -> Called {
    let mut called = Called::new();
    let stage = Stage::start().await;
    let cast = Cast::gather(&stage).await;
    for row in rows {
        let ask = cast.good(&row.method, &row.path);
        if row.group == "graph_security" {
            let answer = stage.ask(&row.method, &ask, &stage.mde).await;
            answer.expect_error(401, "InvalidAuthenticationToken", "Invalid audience");
        } else {
            stage.ask(&row.method, &ask, &stage.graph).await.expect_error(401, "Unauthorized", "another resource");
        }
        called.insert(row.name());
    }
    called
}

async fn every_row_refuses_bad_input(rows: &[Row]) -> Called {
    let mut called = Called::new();
    let stage = Stage::start().await;
    let cast = Cast::gather(&stage).await;
    let mut lenient = Vec::new();
    for row in rows {
        let Some(ask) = cast.bad(&row.method, &row.path) else {
            lenient.push(row.name());
            continue;
        };
        let answer = stage.ask(&row.method, &ask, all_roles(&stage, row)).await;
        let status = answer.status.as_u16();
        assert!(matches!(status, 400 | 404), "{} with {ask:?}: {status} {}", row.name(), answer.text);
        assert!(answer.json["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{}", answer.text);
        let code = answer.json["error"]["code"].as_str().unwrap();
        if row.group != "graph_security" {
            assert!(CODES.contains(&code), "{}: {code}", row.name());
        }
        called.insert(row.name());
    }
    assert_eq!(lenient, ["GET /api/libraryfiles", "GET /api/users/{name}/alerts", "GET /api/users/{name}/machines"]);
    called.extend(lenient);
    called
}

async fn every_row_is_throttled_at_its_limit(rows: &[Row]) -> Called {
    let mut called = Called::new();
    let stage = Stage::start().await;
    let cast = Cast::gather(&stage).await;
    for row in rows {
        // A tenth of the documented figures. Setting them also forgets the calls so far.
        stage.admin(Method::PUT, "/throttle", json!({ "mode": "on", "factor": 0.1 })).await;
        let ask = cast.bad(&row.method, &row.path).unwrap_or_else(|| cast.good(&row.method, &row.path));
        let allowed = row.limit().map(|(count, _)| (count / 10).max(1));
        let mut passed = 0;
        let refused = loop {
            let answer = stage.ask(&row.method, &ask, all_roles(&stage, row)).await;
            if answer.status == 429 {
                break answer;
            }
            passed += 1;
            assert!(passed <= 20, "{} is not throttled", row.name());
        };
        if let Some(allowed) = allowed {
            assert_eq!(passed, allowed, "{}: {}", row.name(), row.rate_limit);
        }
        let code = if row.group == "xdr" { "429" } else { "TooManyRequests" };
        refused.expect_error(429, code, "");
        // The page of the XDR update says that the body names the time.
        if row.group == "xdr" && row.method == Method::PATCH {
            refused.expect_error(429, code, "You can call again in");
        } else {
            let wait: f64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
            let window_s = row.limit().map_or(3_600.0, |(_, window_s)| f64::from(window_s));
            assert!(wait > 0.0 && wait <= window_s, "{}: {wait}", row.name());
        }
        called.insert(row.name());
    }
    called
}

fn all_roles<'s>(stage: &'s Stage, row: &Row) -> &'s str {
    match row.group.as_str() {
        "mde" => &stage.mde,
        "xdr" => &stage.xdr,
        _ => &stage.graph,
    }
}

/// The codes of the two pages about errors that stand for bad input.
const CODES: &[&str] = &[
    "BadRequest",
    "ODataError",
    "InvalidInput",
    "InvalidRequestBody",
    "InvalidHashValue",
    "InvalidDomainName",
    "InvalidIpAddress",
    "InvalidUrl",
    "MaximumBatchSizeExceeded",
    "MissingRequiredParameter",
    "NotFound",
    "ResourceNotFound",
];
