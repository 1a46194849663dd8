//! Recorded and documented answers of Microsoft's services: every leaf that arrives can be reached in what is kept.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]
#![expect(clippy::print_stdout, reason = "the table of files shows itself, and a skipped test says so")]

mod table;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;
use sortie_defender::{Alert, Api, Defect, Document, Incident, read_page, service_error};
use sortie_identity::parse_token_answer;
use sortie_transport::{Response, StatusCode};

use crate::table::{State, TABLE};

#[test]
fn every_leaf_of_every_answer_that_the_commands_meet_is_reachable() {
    let Some(files) = files() else { return };
    let states: BTreeMap<&str, State> =
        TABLE.iter().flat_map(|(state, names)| names.iter().map(|name| (*name, *state))).collect();
    let known: BTreeSet<&str> = states.keys().copied().collect();
    let there: BTreeSet<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(there.difference(&known).collect::<Vec<_>>(), Vec::<&&str>::new(), "files without a row in the table");
    assert_eq!(known.difference(&there).collect::<Vec<_>>(), Vec::<&&str>::new(), "rows without a file");
    let (mut read, mut leaves) = (0, 0);
    for (name, path) in &files {
        let state = states[name.as_str()];
        let count = check(state, name, &fs::read(path).unwrap());
        println!("{name}: {}", said(state, count));
        (read, leaves) = (read + usize::from(count > 0), leaves + count);
    }
    println!("{} files, {read} read with {leaves} leaves", files.len());
    assert!(read > 30 && leaves > 900, "{read} files, {leaves} leaves");
}

/// Both folders' files by name, or `None` with a visible line where they are not at hand.
fn files() -> Option<BTreeMap<String, PathBuf>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let folders = ["shared/reference/microsoft/samples", "shared/corpus/microsoft-answers"];
    let mut files = BTreeMap::new();
    for folder in folders {
        let Ok(entries) = fs::read_dir(root.join(folder)) else {
            println!("SKIPPED: ../{folder} is not there, so no recorded answer was read");
            return None;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            files.insert(path.file_name().unwrap().to_str().unwrap().to_owned(), path);
        }
    }
    Some(files)
}

fn said(state: State, leaves: usize) -> String {
    match state {
        State::Later(command) => format!("later: {command}"),
        State::Sent(command) => format!("sent by {command}"),
        State::NotJson => "read: refused as no JSON".to_owned(),
        _ => format!("read: {leaves} leaves as {state:?}"),
    }
}

/// Reads a file as its state says and gives the number of leaves that were found again.
fn check(state: State, name: &str, body: &[u8]) -> usize {
    match state {
        State::Later(_) | State::Sent(_) => 0,
        State::NotJson => {
            assert!(read_page(body).is_err(), "{name}");
            assert!(parse_token_answer(200, None, body).is_err(), "{name}");
            0
        }
        State::Incidents => page(name, body, incident),
        State::Alerts => page(name, body, alert),
        State::Comments => page(name, body, comment),
        State::OneIncident => one(name, body, incident),
        State::OneAlert => one(name, body, alert),
        State::Fragment => one(name, body, |name, document, _| {
            assert!(Incident::read(document).is_none(), "{name} has an id after all");
        }),
        State::Token => token(name, body),
        State::TokenError => token_error(name, 401, body),
        State::ErrorBody => error_body(name, 400, body),
        State::ErrorBodies => error_bodies(name, body),
        State::Names(pointers) => {
            let raw = json(body);
            for pointer in pointers {
                assert!(raw.pointer(pointer).is_some(), "{name} has no {pointer}");
            }
            assert_eq!(response(200, body).json::<Value>().unwrap(), raw, "{name}");
            leaves(&raw)
        }
    }
}

fn page(name: &str, body: &[u8], view: fn(&str, &Document, &Value)) -> usize {
    let raw = json(body);
    let page = read_page(body).unwrap();
    let items = raw["value"].as_array().unwrap();
    assert_eq!(page.items.len(), items.len(), "{name}");
    assert_eq!(page.next_link.as_deref(), raw["@odata.nextLink"].as_str(), "{name}");
    for (document, item) in page.items.iter().zip(items) {
        kept(name, document, item);
        view(name, document, item);
    }
    assert_eq!(page.context.as_deref(), raw["@odata.context"].as_str(), "{name}");
    assert_eq!(page.count, raw["@odata.count"].as_u64(), "{name}");
    let envelope = ["value", "@odata.context", "@odata.count", "@odata.nextLink"];
    let foreign = raw.as_object().unwrap().keys().find(|member| !envelope.contains(&member.as_str()));
    assert_eq!(foreign, None, "{name}: a member of the page that is not kept");
    leaves(&raw)
}

fn one(name: &str, body: &[u8], view: fn(&str, &Document, &Value)) -> usize {
    let raw = json(body);
    let document = Document::new(&String::from_utf8_lossy(body));
    kept(name, &document, &raw);
    view(name, &document, &raw);
    leaves(&raw)
}

fn kept(name: &str, document: &Document, raw: &Value) {
    assert_eq!(document.to_value(), *raw, "{name}");
    assert_eq!(document.defect(), None::<Defect>, "{name}");
}

fn incident(name: &str, document: &Document, raw: &Value) {
    let incident = Incident::read(document).unwrap_or_else(|| panic!("{name}: no incident"));
    same(name, "id", raw, &["id", "incidentId"], Some(&incident.id.0));
    same(name, "title", raw, &["displayName", "incidentName"], incident.title.as_deref());
    same(name, "severity", raw, &["severity"], incident.severity.as_ref().map(|word| word.spelled(Api::Graph)));
    same(name, "status", raw, &["status"], incident.status.as_ref().map(|word| word.spelled(Api::Graph)));
    let classification = incident.classification.as_ref().map(|word| word.spelled(Api::Graph));
    same(name, "classification", raw, &["classification"], classification);
    same(name, "assignedTo", raw, &["assignedTo"], incident.assigned_to.as_deref());
    moment(name, raw, &["createdDateTime", "createdTime"], incident.created);
    moment(name, raw, &["lastUpdateDateTime", "lastUpdateTime"], incident.updated);
    let comments: Vec<&str> = incident.comments.iter().map(|comment| comment.text.as_str()).collect();
    assert_eq!(comments, texts(&raw["comments"], "comment"), "{name}: comments");
    let alerts = incident.alerts.unwrap_or_default();
    let raw_alerts = raw["alerts"].as_array().cloned().unwrap_or_default();
    assert_eq!(alerts.len(), raw_alerts.len(), "{name}: alerts");
    for (view, raw) in alerts.iter().zip(&raw_alerts) {
        assert_eq!(view.document.to_value(), *raw, "{name}: an alert of the incident");
        alert(name, &view.document, raw);
    }
}

fn alert(name: &str, document: &Document, raw: &Value) {
    let alert = Alert::read(document).unwrap_or_else(|| panic!("{name}: no alert"));
    same(name, "id", raw, &["id", "alertId"], Some(&alert.id.0));
    same(name, "incidentId", raw, &["incidentId"], alert.incident_id.as_ref().map(|id| id.0.as_str()));
    same(name, "title", raw, &["title"], alert.title.as_deref());
    same(name, "severity", raw, &["severity"], alert.severity.as_ref().map(|word| word.spelled(Api::Graph)));
    same(name, "status", raw, &["status"], alert.status.as_ref().map(|word| word.spelled(Api::Graph)));
    same(name, "category", raw, &["category"], alert.category.as_deref());
    moment(name, raw, &["createdDateTime", "creationTime"], alert.created);
    moment(name, raw, &["lastUpdateDateTime", "lastUpdatedTime"], alert.updated);
    let comments: Vec<&str> = alert.comments.iter().map(|comment| comment.text.as_str()).collect();
    assert_eq!(comments, texts(&raw["comments"], "comment"), "{name}: comments");
    let evidence = raw["evidence"].as_array().map_or(0, Vec::len);
    assert!(alert.evidence.len() >= evidence, "{name}: {} of {evidence} pieces of evidence", alert.evidence.len());
}

fn comment(name: &str, document: &Document, raw: &Value) {
    assert!(raw["comment"].is_string() && document.as_str().contains("createdByDisplayName"), "{name}");
}

/// What is read of a token answer; the rest stands in the whole of it.
fn token(name: &str, body: &[u8]) -> usize {
    let raw = json(body);
    let answer =
        parse_token_answer(200, Some("application/json"), body).unwrap_or_else(|error| panic!("{name}: {error}"));
    for (member, value) in raw.as_object().unwrap() {
        let kept = match member.as_str() {
            "access_token" => answer.access_token.expose().to_owned(),
            "expires_in" => answer.expires_in.unwrap().to_string(),
            "expires_on" => answer.expires_on.unwrap().to_string(),
            "refresh_in" => answer.refresh_in.unwrap().to_string(),
            "scope" => answer.scope.clone().unwrap(),
            "token_type" => "Bearer".to_owned(), // Any other is refused.
            "ext_expires_in" | "not_before" | "resource" | "refresh_token" | "id_token" => continue,
            "token_source" => continue, // A word of the library that recorded it, not of Entra.
            other => panic!("{name}: `{other}` is neither read nor left to the whole answer on purpose"),
        };
        assert_eq!(kept, scalar(value), "{name}: {member}");
    }
    assert_eq!(json(answer.whole.expose().as_bytes()), raw, "{name}");
    leaves(&raw)
}

fn token_error(name: &str, status: u16, body: &[u8]) -> usize {
    let raw = json(body);
    let error = parse_token_answer(status, Some("application/json"), body).unwrap_err();
    assert_eq!(error.status, Some(status), "{name}");
    for (member, value) in raw.as_object().unwrap() {
        let kept = match member.as_str() {
            "error" => error.error.clone(),
            "error_codes" => {
                assert_eq!(error.code.map(u64::from), value[0].as_u64(), "{name}: code");
                continue;
            }
            "error_description" => {
                let words = error.message.as_deref().unwrap();
                assert!(scalar(value).contains(words) && words.len() > 20, "{name}: {words}");
                continue;
            }
            "trace_id" => error.trace_id.clone(),
            "correlation_id" => error.correlation_id.clone(),
            "timestamp" => error.timestamp.clone(),
            "error_uri" => continue, // Our own explanation of the code stands in its place.
            other => panic!("{name}: `{other}` is neither kept nor left out on purpose"),
        };
        assert_eq!(kept, Some(scalar(value)), "{name}: {member}");
    }
    assert!(error.explanation().is_some() || error.code.is_none(), "{name}: the code is explained");
    assert_eq!(json(error.whole.as_ref().unwrap().expose().as_bytes()), raw, "{name}");
    leaves(&raw)
}

fn error_body(name: &str, status: u16, body: &[u8]) -> usize {
    let raw = json(body);
    let error = service_error(&response(status, body));
    let text = |pointer: &str| raw.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    assert_eq!(error.status, status, "{name}");
    assert_eq!(Some(&error.code), text("/error/code").as_ref(), "{name}: code");
    assert_eq!(Some(&error.message), text("/error/message").as_ref(), "{name}: message");
    let inner = || text("/error/innerError/request-id").or_else(|| text("/error/innerError/requestId"));
    assert_eq!(error.request_id, text("/error/target").or_else(inner), "{name}: the id for Microsoft's support");
    assert_eq!(error.body.to_value(), raw, "{name}");
    leaves(&raw)
}

fn error_bodies(name: &str, body: &[u8]) -> usize {
    let cases = json(body);
    let cases = cases.as_array().unwrap();
    let one = |case: &Value| {
        let name = format!("{name}/{}", scalar(&case["id"]));
        let status = u16::try_from(case["status"].as_u64().unwrap()).unwrap();
        let body = case["body"].to_string();
        if let Some(text) = case["body_text"].as_str() {
            assert_eq!(service_error(&response(status, text.as_bytes())).status, status, "{name}");
            return 1;
        }
        match case["body"]["error"].is_string() {
            true => token_error(&name, status, body.as_bytes()),
            false => error_body(&name, status, body.as_bytes()),
        }
    };
    cases.iter().map(one).sum()
}

fn response(status: u16, body: &[u8]) -> Response {
    Response {
        status: StatusCode::from_u16(status).unwrap(),
        headers: sortie_transport::HeaderMap::new(),
        body: body.to_vec().into(),
        spool: None,
        url: "https://graph.microsoft.com/".parse().unwrap(),
        elapsed: Duration::ZERO,
    }
}

/// The typed member says what the first of the raw ones says; the APIs differ in letter case alone.
#[track_caller]
fn same(name: &str, member: &str, raw: &Value, raw_names: &[&str], typed: Option<&str>) {
    let raw = raw_names.iter().find_map(|name| raw.get(name)).filter(|value| !value.is_null()).map(scalar);
    let raw = raw.filter(|text| !text.trim().is_empty());
    let alike = match (&raw, typed) {
        (Some(raw), Some(typed)) => raw.eq_ignore_ascii_case(typed),
        (raw, typed) => raw.is_none() && typed.is_none(),
    };
    assert!(alike, "{name}: {member} is {raw:?}, read as {typed:?}");
}

#[track_caller]
fn moment(name: &str, raw: &Value, raw_names: &[&str], typed: Option<jiff::Timestamp>) {
    let raw = raw_names.iter().find_map(|name| raw.get(name)).filter(|value| !value.is_null()).map(scalar);
    let expected = raw.as_ref().map(|text| text.parse::<jiff::Timestamp>().unwrap());
    assert_eq!(typed, expected, "{name}: {raw_names:?} is {raw:?}");
}

fn texts(list: &Value, member: &str) -> Vec<String> {
    list.as_array().into_iter().flatten().map(|item| scalar(&item[member])).collect()
}

fn scalar(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn leaves(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(leaves).sum(),
        Value::Object(members) => members.values().map(leaves).sum(),
        _ => 1,
    }
}

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}
