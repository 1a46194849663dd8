//! The document beside the reference: which endpoints, and what is known of each.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use serde_json::Value;
use sortie_openapi::{Location, Operation};

use crate::{description, none};

/// The rows of the reference that the document must have; `None` where it is not beside the workspace.
fn wanted() -> Option<Vec<Value>> {
    let rows: Value = serde_json::from_slice(&reference("endpoints.json")?).unwrap();
    let rows = rows["endpoints"].as_array().unwrap().iter().filter(|row| is_wanted(row)).cloned().collect();
    Some(rows)
}

fn is_wanted(row: &Value) -> bool {
    let (method, path) = place(row);
    match row["group"].as_str().unwrap() {
        "graph_response" => true,
        "xdr" | "graph_security" | "mde" => {
            row["phase"] == "core" || LATER.contains(&(method.as_str(), row["path"].as_str().unwrap()))
        }
        "mdca" => CLOUD_APPS.contains(&(method.as_str(), path.as_str())),
        _ => false,
    }
}

/// Method and path, with the names of placeholders left out. Of two ways to ask for a list, POST has all conditions.
fn place(row: &Value) -> (String, String) {
    let method = row["method"].as_str().unwrap().replace("GET|POST", "POST");
    (method, shape(row["path"].as_str().unwrap()))
}

fn shape(path: &str) -> String {
    let mut shape = String::new();
    for (at, part) in path.split('{').enumerate() {
        if at > 0 {
            shape.push('{');
        }
        shape.push_str(if at == 0 { part } else { &part[part.find('}').unwrap()..] });
    }
    shape
}

pub(crate) fn reference(file: &str) -> Option<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference/microsoft").join(file);
    let bytes = fs::read(&path).ok();
    if bytes.is_none() {
        eprintln!("skipped: {} is not there", path.display());
    }
    bytes
}

/// Each wanted row with its operation.
fn pairs() -> Vec<(Value, &'static Operation)> {
    let found = |row: Value| {
        let place = place(&row);
        let is_it = |one: &&Operation| (one.method.as_str().to_owned(), shape(&one.path)) == place;
        description().operations.iter().find(is_it).map(|operation| (row, operation))
    };
    wanted().into_iter().flatten().filter_map(found).collect()
}

#[test]
fn every_wanted_endpoint_is_there_once_and_no_other() {
    let Some(rows) = wanted() else { return };
    let mut wanted: Vec<(String, String)> = rows.iter().map(place).collect();
    let mut found: Vec<(String, String)> = description()
        .operations
        .iter()
        .map(|operation| (operation.method.as_str().to_owned(), shape(&operation.path)))
        .collect();
    wanted.sort();
    found.sort();
    let count = |list: &[(String, String)]| {
        let mut counts = BTreeMap::new();
        list.iter().for_each(|one| *counts.entry(one.clone()).or_insert(0) += 1);
        counts
    };
    let (wanted, found) = (count(&wanted), count(&found));
    let missing: Vec<_> = wanted.iter().filter(|(key, count)| found.get(key) != Some(count)).collect();
    let surplus: Vec<_> = found.iter().filter(|(key, count)| wanted.get(key) != Some(count)).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "missing: {missing:#?}\nsurplus: {surplus:#?}");
}

#[test]
fn audience_roles_and_status_are_those_of_the_reference() {
    let mut findings = Vec::new();
    for (row, operation) in pairs() {
        let mut find = |what: String| findings.push(format!("{}: {what}", operation.id));
        let audience = match row["group"].as_str().unwrap() {
            "mdca" => "cloudapps",
            graph if graph.starts_with("graph") => "graph",
            same => same,
        };
        if operation.guidance.audience.as_deref() != Some(audience) {
            find(format!("its audience should be {audience}"));
        }
        let roles: BTreeSet<&str> =
            row["application_permissions"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let own: BTreeSet<&str> = operation.guidance.roles.iter().map(String::as_str).collect();
        if roles != own || own.len() != operation.guidance.roles.len() {
            find(format!("{roles:?} are the roles, not {own:?}"));
        }
        // The least first: what only reads comes before what writes, too.
        if !operation.guidance.roles.iter().map(|role| role.contains("Write") || role.ends_with(".manage")).is_sorted()
        {
            find("the least role is not the first".to_owned());
        }
        let status = row["success_status"].as_u64().map(|status| status.to_string());
        if !operation.successes().any(|(own, _)| own == "2XX" || Some(own) == status.as_deref()) {
            find(format!("{status:?} is the status of success"));
        }
        let clause = operation.description.as_deref().unwrap().contains("not checked against Microsoft's page");
        if row["verified"] == clause {
            find("its description should say whether Microsoft's page was read".to_owned());
        }
    }
    none(&findings);
}

#[test]
fn limits_and_query_parameters_are_those_of_the_reference() {
    let mut findings = Vec::new();
    for (row, operation) in pairs() {
        let mut find = |what: String| findings.push(format!("{}: {what}", operation.id));
        let limits = operation.guidance.limits.clone().unwrap_or_default();
        let rate = row["rate_limit"].as_str().filter(|rate| !rate.starts_with("not ")).unwrap_or_default();
        for (key, unit) in [("perMinute", "/min"), ("perHour", "/h")] {
            if limits[key].as_u64() != figure_before(rate, unit) {
                find(format!("`{rate}` is the limit, not {limits}"));
            }
        }
        let page = row["page_size"].as_str().unwrap_or_default();
        let first = leading_figure(page);
        let own = limits["page"].as_u64().or(limits["rows"].as_u64());
        let top = operation.parameters.iter().find(|parameter| parameter.name == "$top");
        if own.is_some_and(|own| Some(own) != first) || (operation.pagination.is_some() && own != first) {
            find(format!("`{page}` is the size of a page, not {own:?}"));
        }
        if top.is_some_and(|top| top.schema["maximum"].as_u64() != first) {
            find(format!("$top should go up to {first:?}"));
        }
        let silent =
            |text: &Value| text.as_str().is_some_and(|text| text == "no" || text.starts_with("not documented"));
        let query = row["query"].as_object().into_iter().flatten();
        let query: BTreeSet<&str> = query
            .filter(|(name, text)| !silent(text) && !name.starts_with('/'))
            .map(|(name, _)| name.as_str())
            .collect();
        let own: BTreeSet<&str> = operation
            .parameters
            .iter()
            .filter(|parameter| parameter.location == Location::Query)
            .map(|parameter| parameter.name.as_str())
            .collect();
        if query != own {
            find(format!("{query:?} are the parameters, not {own:?}"));
        }
    }
    none(&findings);
}

fn leading_figure(text: &str) -> Option<u64> {
    text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The number right in front of `unit`.
fn figure_before(text: &str, unit: &str) -> Option<u64> {
    let front = &text[..text.find(unit)?];
    let digits = front.len() - front.bytes().rev().take_while(u8::is_ascii_digit).count();
    front[digits..].parse().ok()
}

/// Wanted although the reference puts them off.
const LATER: &[(&str, &str)] = &[
    ("POST", "/v1.0/security/incidents/mergeIncidents"),
    ("POST", "/v1.0/security/alerts_v2/moveAlerts"),
    ("GET", "/api/exposureScore"),
    ("GET", "/api/configurationScore"),
    ("GET", "/api/remediationTasks"),
];
/// What is wanted of Defender for Cloud Apps.
const CLOUD_APPS: &[(&str, &str)] = &[
    ("POST", "/api/v1/alerts/"),
    ("GET", "/api/v1/alerts/{}/"),
    ("POST", "/api/v1/alerts/close_benign/"),
    ("POST", "/api/v1/alerts/close_false_positive/"),
    ("POST", "/api/v1/alerts/close_true_positive/"),
    ("POST", "/api/v1/alerts/{}/read/"),
    ("POST", "/api/v1/alerts/{}/unread/"),
    ("POST", "/api/v1/activities/"),
    ("GET", "/api/v1/activities/{}/"),
    ("POST", "/api/v1/activities/{}/feedback"),
    ("POST", "/api/v1/entities/"),
    ("GET", "/api/v1/entities/{}/"),
];
