//! Calls that a description links to another: inputs made of that one's inputs and its answer.

use serde_json::{Map, Value};
use sortie_openapi::LinkedCall;

/// The inputs of the linked call; `None` where something that it takes is not there.
pub(super) fn inputs(link: &LinkedCall, given: &Map<String, Value>, output: &Value) -> Option<Map<String, Value>> {
    let with = link.settings.get("with").and_then(Value::as_object);
    let mut inputs = Map::new();
    for (key, value) in with.into_iter().flatten() {
        inputs.insert(key.clone(), filled(value, key == "$filter", given, output)?);
    }
    Some(inputs)
}

fn filled(value: &Value, is_filter: bool, given: &Map<String, Value>, output: &Value) -> Option<Value> {
    let Value::String(text) = value else { return Some(value.clone()) };
    let mut parts = text.split("{{");
    let mut made = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once("}}")?;
        let found = match name.trim().split_once('.')? {
            ("inputs", key) => given.get(key)?,
            ("output", key) => output.get(key)?,
            _ => return None,
        };
        if made.is_empty() && rest.is_empty() && text.trim_start().starts_with("{{") && text.matches("{{").count() == 1
        {
            return Some(found.clone());
        }
        let spelled = match found {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        // A quote within a text of a filter is doubled (OData 4.01, part 2, 5.1.1.6.1).
        made += &if is_filter { spelled.replace('\'', "''") } else { spelled };
        made += rest;
    }
    Some(made.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_linked_call_takes_inputs_and_answers() {
        #[track_caller]
        fn check(with: Value, expected: Option<Value>) {
            let link =
                LinkedCall { operation: "x".into(), settings: json!({ "with": with }).as_object().unwrap().clone() };
            let given = json!({ "id": "it's", "n": 7 });
            let made = inputs(&link, given.as_object().unwrap(), &json!({ "id": "a1", "x": null }));
            assert_eq!(made.map(Value::Object), expected);
        }
        check(json!({ "id": "{{ output.id }}", "$top": 100 }), Some(json!({ "id": "a1", "$top": 100 })));
        check(json!({ "$filter": "m eq '{{ inputs.id }}'" }), Some(json!({ "$filter": "m eq 'it''s'" })));
        check(json!({ "n": "{{ inputs.n }}" }), Some(json!({ "n": 7 })));
        check(json!({ "n": "{{ inputs.n }} of {{ inputs.id }}" }), Some(json!({ "n": "7 of it's" })));
        check(json!({ "n": "{{ inputs.none }}" }), None);
        check(json!({ "n": "{{ other.id }}" }), None);
    }
}
