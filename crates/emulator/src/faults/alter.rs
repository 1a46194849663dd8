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
        FaultKind::NullLists => null_lists(&mut json),
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
    each_field(json, &mut |name, value| match value {
        Value::String(word) if ENUM_FIELDS.contains(&name) => {
            *word = change(word);
            true
        }
        _ => false,
    })
}

fn each_title(json: &mut Value) -> bool {
    each_field(json, &mut |name, value| match value {
        Value::String(title) if TITLE_FIELDS.contains(&name) => {
            title.push_str(SURROGATE_MARK);
            true
        }
        _ => false,
    })
}

/// All lists but the one that is the answer.
fn null_lists(json: &mut Value) -> bool {
    let items = items(json).map(std::mem::take);
    let null = &mut |_: &str, value: &mut Value| {
        let is_list = value.is_array();
        if is_list {
            *value = Value::Null;
        }
        is_list
    };
    let Some(mut kept) = items else { return each_field(json, null) };
    let mut changed = false;
    for item in &mut kept {
        changed |= each_field(item, null);
    }
    json["value"] = Value::Array(kept);
    changed
}

fn numbers_as_strings(json: &mut Value) -> bool {
    each_field(json, &mut |_, value| match value {
        Value::Number(number) => {
            *value = Value::String(number.to_string());
            true
        }
        _ => false,
    })
}

/// Offers every property to `change`, outer ones first; says whether one was changed.
fn each_field(json: &mut Value, change: &mut dyn FnMut(&str, &mut Value) -> bool) -> bool {
    let mut changed = false;
    match json {
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                changed |= change(name, value);
                changed |= each_field(value, change);
            }
        }
        Value::Array(items) => {
            for item in items {
                changed |= each_field(item, change);
            }
        }
        _ => {}
    }
    changed
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
