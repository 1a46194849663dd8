//! What each client must have found.

use serde_json::{Value, json};

use crate::text;

pub(crate) const GRAPH: &str = "https://graph.microsoft.com";
pub(crate) const XDR: &str = "https://api.security.microsoft.com";
pub(crate) const GRAPH_ROLES: &[&str] = &["SecurityAlert.ReadWrite.All", "SecurityIncident.ReadWrite.All"];
pub(crate) const ROLES: &[(&str, &str)] =
    &[("graph", GRAPH_ROLES[0]), ("graph", GRAPH_ROLES[1]), ("xdr", "Incident.Read.All")];

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

    let lacking = found.get("missing role");
    assert_eq!((&lacking["status"], &lacking["code"]), (&json!(403), &json!("Forbidden")));
    assert!(text(lacking, "text").contains("SecurityIncident.Read.All"), "{lacking}");
    let list = found.get("list of comments");
    let refused = (&json!(400), &json!("Empty Payload. JSON content expected."));
    assert_eq!((&list["status"], &list["text"]), refused);
    assert_eq!(found.get("commented")["comments"], json!(["Seen by the Graph SDK."]));
    let changed = found.get("changed");
    assert_eq!((&changed["status"], &changed["tags"]), (&json!("inProgress"), &json!(["interop"])));
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
