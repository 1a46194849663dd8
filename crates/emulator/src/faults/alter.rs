//! Faults in the data: they change the JSON on its way out, never the world.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{Chosen, FaultKind, Faults};

/// The changed body; `None` where there was nothing to change.
pub(crate) fn alter(faults: &Faults, chosen: &Chosen, body: &Bytes) -> Option<Bytes> {
    let mut json: Value = serde_json::from_slice(body).ok()?;
    let changed = match chosen.order.kind {
        FaultKind::WrongEnumCase => each_enum(&mut json, &|word| word.to_uppercase()),
        FaultKind::UnknownEnum => each_enum(&mut json, &|_| "memberOfTomorrow".to_owned()),
        FaultKind::NullLists => null_lists(&mut json, true),
        FaultKind::NumbersAsStrings => numbers_as_strings(&mut json),
        FaultKind::LoneSurrogate => each_title(&mut json),
        FaultKind::ForeignNextLink => foreign_next_link(&mut json, chosen.order.host.as_deref()),
        FaultKind::NoNextLink => json.as_object_mut().is_some_and(|fields| fields.remove(NEXT_LINK).is_some()),
        FaultKind::DuplicateItem => duplicate(faults, chosen.id, &mut json),
        FaultKind::LateIndex => leave_out_first(&mut json),
        _ => false,
    };
    if !changed {
        return None;
    }
    // serde_json can't hold half a character, so that it takes its place in the text.
    let text = json.to_string().replace(SURROGATE_MARK, "\\ud83d");
    Some(Bytes::from(text))
}

fn each_enum(json: &mut Value, change: &dyn Fn(&str) -> String) -> bool {
    match json {
        Value::Object(fields) => fields.iter_mut().fold(false, |changed, (name, value)| {
            let is_enum = ENUM_FIELDS.contains(&name.as_str());
            match value {
                Value::String(word) if is_enum => {
                    *word = change(word);
                    true
                }
                other => each_enum(other, change) || changed,
            }
        }),
        Value::Array(items) => items.iter_mut().fold(false, |changed, item| each_enum(item, change) || changed),
        _ => false,
    }
}

/// All lists but the one that is the answer.
fn null_lists(json: &mut Value, is_top: bool) -> bool {
    match json {
        Value::Object(fields) => fields.iter_mut().fold(false, |changed, (name, value)| {
            if value.is_array() && !(is_top && name == "value") {
                *value = Value::Null;
                return true;
            }
            null_lists(value, false) || changed
        }),
        Value::Array(items) => items.iter_mut().fold(false, |changed, item| null_lists(item, false) || changed),
        _ => false,
    }
}

fn numbers_as_strings(json: &mut Value) -> bool {
    match json {
        Value::Number(number) => {
            *json = Value::String(number.to_string());
            true
        }
        Value::Object(fields) => fields.values_mut().fold(false, |changed, value| numbers_as_strings(value) || changed),
        Value::Array(items) => items.iter_mut().fold(false, |changed, item| numbers_as_strings(item) || changed),
        _ => false,
    }
}

fn each_title(json: &mut Value) -> bool {
    match json {
        Value::Object(fields) => fields.iter_mut().fold(false, |changed, (name, value)| match value {
            Value::String(title) if TITLE_FIELDS.contains(&name.as_str()) => {
                title.push_str(SURROGATE_MARK);
                true
            }
            other => each_title(other) || changed,
        }),
        Value::Array(items) => items.iter_mut().fold(false, |changed, item| each_title(item) || changed),
        _ => false,
    }
}

fn foreign_next_link(json: &mut Value, host: Option<&str>) -> bool {
    let Some(link) = json.get_mut(NEXT_LINK) else { return false };
    let Some(path) = link.as_str().and_then(|link| link.split_once("://")).and_then(|(_, rest)| rest.split_once('/'))
    else {
        return false;
    };
    *link = json!(format!("{}/{}", host.unwrap_or("https://graph.evil.example"), path.1));
    true
}

fn duplicate(faults: &Faults, id: u64, json: &mut Value) -> bool {
    let Some(items) = items(json) else { return false };
    let before = faults.carry(id, items.last().cloned());
    let Some(before) = before else { return false };
    items.insert(0, before);
    true
}

fn leave_out_first(json: &mut Value) -> bool {
    let Some(items) = items(json) else { return false };
    if items.is_empty() {
        return false;
    }
    items.remove(0);
    true
}

fn items(json: &mut Value) -> Option<&mut Vec<Value>> {
    let fields: &mut Map<String, Value> = json.as_object_mut()?;
    fields.get_mut("value")?.as_array_mut()
}

const NEXT_LINK: &str = "@odata.nextLink";
/// Private-use characters: no text of the world has them.
const SURROGATE_MARK: &str = "\u{e000}\u{e001}\u{e000}";
const ENUM_FIELDS: &[&str] = &[
    "status",
    "severity",
    "classification",
    "determination",
    "serviceSource",
    "detectionSource",
    "investigationState",
    "verdict",
    "remediationStatus",
];
const TITLE_FIELDS: &[&str] = &["title", "displayName", "incidentName"];
