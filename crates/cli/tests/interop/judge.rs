//! What each client must have found.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::text;

pub(crate) const GRAPH: &str = "https://graph.microsoft.com";
pub(crate) const XDR: &str = "https://api.security.microsoft.com";
pub(crate) const GRAPH_ROLES: &[&str] =
    &["SecurityAlert.ReadWrite.All", "SecurityIncident.ReadWrite.All", "ThreatHunting.Read.All"];
pub(crate) const ROLES: &[(&str, &str)] = &[
    ("graph", GRAPH_ROLES[0]),
    ("graph", GRAPH_ROLES[1]),
    ("graph", GRAPH_ROLES[2]),
    ("xdr", "Incident.Read.All"),
    ("mde", "AdvancedQuery.Read.All"),
];

/// What a script told, by the name of the check.
pub(crate) struct Findings(Vec<Value>);

impl Findings {
    /// Shows the clients' versions, too.
    pub(crate) fn of(lines: Vec<Value>) -> Self {
        for line in lines.iter().filter(|line| line["check"] == "versions") {
            println!("{line}");
        }
        Self(lines)
    }

    pub(crate) fn get(&self, check: &str) -> &Value {
        self.0.iter().find(|line| line["check"] == check).unwrap_or_else(|| panic!("nothing about `{check}`"))
    }
}

/// The roles as the admin API takes them.
pub(crate) fn roles() -> Value {
    ROLES.iter().map(|(resource, value)| json!({ "resource": resource, "value": value })).collect()
}

/// `proof` is the token's `appidacr`: 1 for a secret, 2 for a key.
pub(crate) fn token(found: &Findings, check: &str, audience: &str, roles: &[&str], proof: &str, client: &str) {
    let expected = json!({ "check": check, "audience": audience, "roles": roles, "proof": proof, "client": client });
    assert_eq!(found.get(check), &expected);
}

pub(crate) fn msal_python(found: &Findings, client: &str) {
    assert_eq!(found.get("versions")["msal"], "1.39.0");
    for (check, proof) in [("secret", "1"), ("certificate", "2"), ("certificate by SHA-1", "2")] {
        token(found, check, GRAPH, GRAPH_ROLES, proof, client);
    }
    token(found, "secret, another audience", XDR, &["Incident.Read.All"], "1", client);
    let cached = found.get("cached");
    assert_eq!((&cached["source"], &cached["same"]), (&json!("cache"), &json!(true)));
    let wrong = found.get("wrong secret");
    assert_eq!((&wrong["error"], &wrong["codes"]), (&json!("invalid_client"), &json!([7_000_215])));
    wrong_secret(found);
}

pub(crate) fn msal_node(found: &Findings, client: &str) {
    for (check, proof) in [("secret", "1"), ("certificate", "2")] {
        token(found, check, GRAPH, GRAPH_ROLES, proof, client);
    }
    assert_eq!(found.get("cached")["fromCache"], true);
    assert_eq!(found.get("wrong secret")["error"], "invalid_client");
    wrong_secret(found);
}

pub(crate) fn azure_identity(found: &Findings, client: &str, checks: &[(&str, &str)]) {
    for (check, proof) in checks {
        token(found, check, GRAPH, GRAPH_ROLES, proof, client);
    }
    wrong_secret(found);
}

fn wrong_secret(found: &Findings) {
    let said = text(found.get("wrong secret"), "text");
    assert!(said.contains("AADSTS7000215: Invalid client secret provided."), "{said}");
    assert!(said.contains("Trace ID: ") && said.contains("Correlation ID: "), "{said}");
}

pub(crate) fn graph_sdk(found: &Findings, truth: &Value) {
    assert_eq!(found.get("versions")["msgraph-sdk"], "1.65.0");
    let incidents = found.get("incidents");
    assert!(incidents["pages"].as_u64().unwrap() > 1, "one page shows no paging");
    let seen = incidents["incidents"].as_array().unwrap();
    let expected = visible(truth).into_iter().map(|one| {
        // Who does not ask for newer members by a Prefer header is given this word in their place.
        let status =
            if one["status"] == "awaitingAction" { json!("unknownFutureValue") } else { one["status"].clone() };
        json!({ "id": one["id"].to_string(), "title": one["title"], "severity": one["severity"], "status": status })
    });
    assert_eq!(sorted(seen.clone(), "id"), sorted(expected.collect(), "id"));

    let alerts: Vec<&Value> = visible(truth).into_iter().flat_map(|one| one["alerts"].as_array().unwrap()).collect();
    let mut expected: Vec<&str> = alerts.iter().map(|alert| text(alert, "id")).collect();
    let mut ids: Vec<&str> =
        found.get("alerts")["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    expected.sort_unstable();
    ids.sort_unstable();
    assert_eq!(ids, expected);
    let evidence: u64 = alerts.iter().map(|alert| alert["evidenceCount"].as_u64().unwrap()).sum();
    assert_eq!(found.get("alerts")["evidence"], evidence);
    assert_eq!(found.get("alerts")["unread"], json!([]), "the SDK knows every kind of evidence");

    graph_sdk_hunting(found, truth);
    refusal(found, "missing role", 403, "Forbidden", "SecurityIncident.Read.All");
    let list = found.get("list of comments");
    let refused = (&json!(400), &json!("Empty Payload. JSON content expected."));
    assert_eq!((&list["status"], &list["text"]), refused);
    assert_eq!(found.get("commented")["comments"], json!(["Seen by the Graph SDK."]));
    let changed = found.get("changed");
    assert_eq!((&changed["status"], &changed["tags"]), (&json!("inProgress"), &json!(["interop"])));
}

fn graph_sdk_hunting(found: &Findings, truth: &Value) {
    let columns = json!([{ "name": "DeviceId", "type": "String" }, { "name": "OSPlatform", "type": "String" }]);
    for check in ["devices, long", "devices, short"] {
        assert_eq!(found.get(check)["columns"], columns);
        devices(found, check, truth);
    }
    alerts_between(found, "alerts of a timespan", truth);
    refusal(
        found,
        "bad query",
        400,
        "BadRequest",
        "'project' operator: Failed to resolve scalar expression named 'Nothing'",
    );
    refusal(found, "missing role for hunting", 403, "Forbidden", "ThreatHunting.Read.All");
}

/// One of msticpy's drivers; `route` is where it asks.
pub(crate) fn msticpy(found: &Findings, driver: &str, route: &str, truth: &Value, counters: &Value) {
    assert_eq!(found.get("versions")["msticpy"], "3.0.2");
    for check in ["devices", "devices after that"] {
        let check = format!("{driver}: {check}");
        devices(found, &check, truth);
        assert_eq!(found.get(&check)["times"], "datetime64[ns, UTC]", "the schema tells which columns are times");
    }
    let bad = raised(found, driver, "bad query", "HTTPStatusError");
    assert_eq!(bad["status"], 400);
    let throttled = raised(found, driver, "throttled", "ConnectionRefusedError");
    assert_eq!(throttled["text"], "You have likely hit the API limit.");
    let wrong = raised(found, driver, "wrong secret", "MsticpyConnectionError");
    let said = "Could not obtain access token - AADSTS7000215: Invalid client secret provided.";
    assert!(text(wrong, "text").contains(said), "{wrong}");
    // It leaves Retry-After to its caller: the refused call is not repeated.
    let calls = counters["calls"].as_array().unwrap().iter().filter(|call| call["route"] == route);
    let statuses: BTreeMap<u64, u64> =
        calls.map(|call| (call["status"].as_u64().unwrap(), call["count"].as_u64().unwrap())).collect();
    let times = |status| statuses.get(&status).copied();
    assert_eq!((times(400), times(429)), (Some(1), Some(1)), "{counters}");
}

fn raised<'a>(found: &'a Findings, driver: &str, check: &str, kind: &str) -> &'a Value {
    let failure = found.get(&format!("{driver}: {check}"));
    assert!(failure["kinds"].as_array().unwrap().iter().any(|one| one == kind), "{failure}");
    failure
}

fn devices(found: &Findings, check: &str, truth: &Value) {
    let known = truth["tenants"][0]["devices"].as_array().unwrap().iter();
    let expected = known.map(|one| json!({ "DeviceId": one["id"], "OSPlatform": one["osPlatform"] }));
    let rows = found.get(check)["rows"].as_array().unwrap().clone();
    assert!(!rows.is_empty(), "no device at all");
    assert_eq!(sorted(rows, "DeviceId"), sorted(expected.collect(), "DeviceId"), "{check}");
}

/// Alerts of a window that holds some of them and leaves out others on both sides.
pub(crate) fn alerts_between(found: &Findings, check: &str, truth: &Value) {
    let seen = found.get(check);
    let time = |value: &Value| value.as_str().unwrap().parse::<Timestamp>().unwrap();
    let (start, end) = (time(&seen["start"]), time(&seen["end"]));
    let alerts: Vec<&Value> = visible(truth).into_iter().flat_map(|one| one["alerts"].as_array().unwrap()).collect();
    let created = |alert: &Value| time(&alert["createdDateTime"]);
    assert!(alerts.iter().any(|one| created(one) < start) && alerts.iter().any(|one| created(one) > end), "{seen}");
    let expected = alerts.iter().filter(|one| (start..=end).contains(&created(one)));
    let expected = expected.map(|one| json!({ "id": one["id"], "title": one["title"] }));
    let rows = seen["alerts"].as_array().unwrap().clone();
    assert!(!rows.is_empty(), "no alert at all");
    assert_eq!(sorted(rows, "id"), sorted(expected.collect(), "id"), "{check}");
}

fn refusal(found: &Findings, check: &str, status: u16, code: &str, says: &str) {
    let refused = found.get(check);
    assert_eq!((&refused["status"], &refused["code"]), (&json!(status), &json!(code)), "{check}");
    assert!(text(refused, "text").contains(says), "{refused}");
}

/// What the SDK changed, by the cloud's own record.
pub(crate) fn graph_sdk_effects(found: &Findings, truth: &Value) {
    let id: u64 = text(found.get("changed"), "id").parse().unwrap();
    let incident = visible(truth).into_iter().find(|one| one["id"] == id).unwrap();
    assert_eq!((text(incident, "status"), text(incident, "assignedTo")), ("inProgress", "soc@sortie.example"));
    assert_eq!(incident["tags"], json!(["interop"]));
    let alert = &found.get("alerts")["ids"][0];
    let mut alerts = visible(truth).into_iter().flat_map(|one| one["alerts"].as_array().unwrap());
    let comments = &alerts.find(|one| one["id"] == *alert).unwrap()["comments"];
    assert_eq!(comments.as_array().unwrap().len(), 1, "{comments}");
    assert_eq!(comments[0]["comment"], "Seen by the Graph SDK.");
}

pub(crate) fn documented_v1(found: &Findings, truth: &Value) {
    let seen = found.get("v1 token");
    assert_eq!((&seen["audience"], &seen["roles"]), (&json!(XDR), &json!(["Incident.Read.All"])));
    let kinds = json!({ "expires_in": "str", "expires_on": "str", "resource": "str" });
    assert_eq!(found.get("v1 answer")["kinds"], kinds);
    incident_ids(found, truth);
}

pub(crate) fn incident_ids(found: &Findings, truth: &Value) {
    let plain = |value: &Value| value.to_string().trim_matches('"').to_owned();
    let mut seen: Vec<String> = found.get("incidents")["ids"].as_array().unwrap().iter().map(plain).collect();
    let mut expected: Vec<String> = visible(truth).into_iter().map(|one| plain(&one["id"])).collect();
    seen.sort();
    expected.sort();
    assert_eq!(seen, expected);
}

/// Headers and body, as `curl -i` prints them.
pub(crate) fn curl(output: &str) {
    let body = output.lines().rev().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("{output}"));
    assert!(output.lines().any(|line| line.starts_with("HTTP/2 200")), "{output}");
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!((text(&body, "token_type"), body["expires_in"].is_u64()), ("Bearer", true));
    assert_eq!(text(&body, "access_token").split('.').count(), 3);
}

/// How often a route was called.
pub(crate) fn calls(counters: &Value, route: &str) -> u64 {
    let all = counters["calls"].as_array().unwrap();
    all.iter().filter(|call| call["route"] == route).map(|call| call["count"].as_u64().unwrap()).sum()
}

fn visible(truth: &Value) -> Vec<&Value> {
    truth["tenants"][0]["incidents"].as_array().unwrap().iter().filter(|one| one["visible"] == true).collect()
}

fn sorted(mut values: Vec<Value>, by: &str) -> Vec<Value> {
    values.sort_by_key(|value| value[by].to_string());
    values
}
