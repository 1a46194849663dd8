//! What a call was to set, as a read of the same object shows it.

use serde_json::{Map, Value};
use sortie_openapi::LinkedCall;

/// Whether everything that the call was given stands there: `same` has the pointer of each input, `has` the list that an
/// input is to stand in. What was not given does not count; where nothing was given that shows, nothing does.
pub(super) fn shows(read: &LinkedCall, given: &Map<String, Value>, found: &Value) -> bool {
    let pointers = |key: &str| read.settings.get(key).and_then(Value::as_object).into_iter().flatten();
    let alike: Vec<&Vec<Value>> = read
        .settings
        .get("alike")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_array)
        .collect();
    let sought = |input: &String, at: &Value| Some((given.get(input)?, found.pointer(at.as_str()?)));
    let same = pointers("same").filter_map(|(input, at)| sought(input, at));
    let same: Vec<bool> =
        same.map(|(wanted, stands)| is_same(wanted, stands.unwrap_or(&Value::Null), &alike)).collect();
    // Taken away is what must not stand there.
    let is_taken_away = pointers("unless").any(|(input, word)| given.get(input) == Some(word));
    let held = pointers("has").filter_map(|(input, at)| sought(input, at));
    let held: Vec<bool> = held.map(|(wanted, list)| holds(list, wanted, &alike) != is_taken_away).collect();
    !(same.is_empty() && held.is_empty()) && same.into_iter().chain(held).all(|stands| stands)
}

fn holds(list: Option<&Value>, wanted: &Value, alike: &[&Vec<Value>]) -> bool {
    list.and_then(Value::as_array).into_iter().flatten().any(|one| is_same(wanted, one, alike))
}

/// Words in any letter case and spelling, lists in any order; nobody is null or nothing.
fn is_same(wanted: &Value, stands: &Value, alike: &[&Vec<Value>]) -> bool {
    match (wanted, stands) {
        (Value::String(wanted), Value::String(stands)) => {
            let is = |word: &Value, text: &str| word.as_str().is_some_and(|word| word.eq_ignore_ascii_case(text));
            let group = |text: &str| alike.iter().position(|group| group.iter().any(|word| is(word, text)));
            wanted.eq_ignore_ascii_case(stands) || group(wanted).is_some_and(|found| group(stands) == Some(found))
        }
        (Value::Null, Value::String(text)) | (Value::String(text), Value::Null) => text.is_empty(),
        (Value::Array(wanted), Value::Array(stands)) => {
            wanted.len() == stands.len()
                && wanted.iter().all(|one| holds(Some(&Value::Array(stands.clone())), one, alike))
        }
        (wanted, stands) => wanted == stands,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_call_was_to_set_is_recognised() {
        #[track_caller]
        fn check(given: Value, found: Value, expected: bool) {
            let settings = json!({
                "same": { "status": "/status", "assignedTo": "/who/name", "tags": "/tags" },
                "has": { "Value": "/machineTags" },
                "unless": { "Action": "Remove" },
                "alike": [["Clean", "NotMalicious"]],
            });
            let read = LinkedCall { operation: "get".into(), settings: settings.as_object().unwrap().clone() };
            assert_eq!(shows(&read, given.as_object().unwrap(), &found), expected, "{given} {found}");
        }
        check(json!({ "status": "inProgress" }), json!({ "status": "InProgress", "tags": ["x"] }), true);
        check(json!({ "status": "inProgress" }), json!({ "status": "resolved" }), false);
        check(json!({ "status": "inProgress" }), json!({}), false);
        check(json!({ "status": "Clean" }), json!({ "status": "notMalicious" }), true);
        check(
            json!({ "status": "a", "assignedTo": "ana@x" }),
            json!({ "status": "a", "who": { "name": "Ana@X" } }),
            true,
        );
        check(
            json!({ "status": "a", "assignedTo": "ana@x" }),
            json!({ "status": "a", "who": { "name": "bo@x" } }),
            false,
        );
        check(json!({ "assignedTo": null }), json!({ "who": { "name": "" } }), true);
        check(json!({ "assignedTo": null }), json!({}), true);
        check(json!({ "assignedTo": null }), json!({ "who": { "name": "bo" } }), false);
        check(json!({ "tags": ["b", "a"] }), json!({ "tags": ["a", "b"] }), true);
        check(json!({ "tags": ["a"] }), json!({ "tags": ["a", "b"] }), false);
        check(json!({ "tags": [] }), json!({ "tags": [] }), true);
        check(json!({ "Value": "vip", "Action": "Add" }), json!({ "machineTags": ["x", "VIP"] }), true);
        check(json!({ "Value": "vip", "Action": "Add" }), json!({ "machineTags": ["x"] }), false);
        check(json!({ "Value": "vip", "Action": "Add" }), json!({}), false);
        check(json!({ "Value": "vip", "Action": "Remove" }), json!({ "machineTags": ["x"] }), true);
        check(json!({ "Value": "vip", "Action": "Remove" }), json!({ "machineTags": ["vip"] }), false);
        // Nothing that was given shows.
        check(json!({ "comment": "x" }), json!({ "status": "a" }), false);
    }
}
