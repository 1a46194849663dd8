//! How an operation of another document stands for a built-in one: `x-sortie-native` with the inputs by name.

use serde_json::{Map, Value};

use crate::BuildError;

/// Why a described operation cannot run inside.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It is listed, but needs code that is not here.
    #[error("{operation} cannot be run by Sortie: {reason}")]
    NotRunnable {
        /// Its id.
        operation: String,
        /// Why, as a fragment.
        reason: String,
    },
    /// It refers to a built-in operation that does not exist.
    #[error("it stands for `{0}`, which Sortie does not have")]
    Absent(String),
    /// The inputs decide which operation is meant, and they name none.
    #[error("the input `{key}` is `{found}`; it must be one of {known}")]
    Choice {
        /// The input.
        key: String,
        /// As given.
        found: String,
        /// What it could be.
        known: String,
    },
    /// An input means something to the app, and nothing to what stands for it.
    #[error("the input `{key}` means nothing to {call}, which stands for this action")]
    Unused {
        /// The input.
        key: String,
        /// The built-in operation.
        call: String,
    },
    /// The inputs do not fit.
    #[error(transparent)]
    Inputs(BuildError),
}

impl LinkError {
    /// What to do next, as a full sentence.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NotRunnable { .. } => {
                "Call the product's own API instead, or one of the built-in connectors data, kv, http and email."
            }
            Self::Absent(_) => "Import the document again with this version of Sortie.",
            Self::Choice { .. } => "Correct the input.",
            Self::Unused { .. } => "Leave it out, or call the built-in operation itself.",
            Self::Inputs(error) => error.remedy(),
        }
    }
}

/// The built-in operation, and its inputs made of those that are given.
pub(super) fn follow(link: &Value, given: &Map<String, Value>) -> Result<(String, Map<String, Value>), LinkError> {
    let call = match (link["call"].as_str(), link["choose"]["by"].as_str()) {
        (Some(call), _) => call.to_owned(),
        (None, Some(key)) => {
            let found = given.get(key).and_then(Value::as_str).unwrap_or_default().trim().to_lowercase();
            let calls = link["choose"]["calls"].as_object();
            let call = calls.and_then(|calls| calls.get(&found)).and_then(Value::as_str);
            let known = || calls.map(|calls| calls.keys().cloned().collect::<Vec<_>>().join(", ")).unwrap_or_default();
            call.ok_or_else(|| LinkError::Choice { key: key.to_owned(), found: found.clone(), known: known() })?
                .to_owned()
        }
        (None, None) => return Err(LinkError::Absent(String::new())),
    };
    let rules = || link["inputs"].as_object().into_iter().flatten();
    for (key, _) in given.iter().filter(|(_, value)| !value.is_null() && value.as_str() != Some("")) {
        let is_used =
            rules().any(|(name, rule)| rule.get("value").is_none() && rule["from"].as_str().unwrap_or(name) == key);
        let is_ignored = link["ignored"].as_array().is_some_and(|list| list.iter().any(|name| name == key.as_str()));
        if !is_used && !is_ignored && link["choose"]["by"] != key.as_str() {
            return Err(LinkError::Unused { key: key.clone(), call });
        }
    }
    let mut inputs = Map::new();
    for (key, rule) in rules() {
        if let Some(value) = rule.get("value") {
            inputs.insert(key.clone(), value.clone());
            continue;
        }
        let from = rule["from"].as_str().unwrap_or(key);
        let value = given.get(from).filter(|value| !value.is_null());
        // An empty field of Shuffle's forms is one that nobody filled in.
        let Some(value) = value.filter(|value| value.as_str() != Some("") || rule["empty"] == true) else { continue };
        let value = read(rule, from, value)?;
        inputs.insert(key.clone(), value);
    }
    Ok((call, inputs))
}

/// Shuffle's values are texts; what they stand for is in the rule.
fn read(rule: &Value, from: &str, value: &Value) -> Result<Value, LinkError> {
    if let Some(words) = rule["words"].as_object() {
        let found = value.as_str().map(str::to_owned).unwrap_or_else(|| value.to_string()).trim().to_lowercase();
        let known = || words.keys().cloned().collect::<Vec<_>>().join(", ");
        let word = words.get(&found).cloned();
        return word.ok_or_else(|| LinkError::Choice { key: from.to_owned(), found: found.clone(), known: known() });
    }
    let Value::String(text) = value else {
        // A field without a type that holds JSON was read as that; a text was meant.
        let is_text = rule["as"] == "text";
        return Ok(if is_text { value.to_string().into() } else { value.clone() });
    };
    Ok(match rule["as"].as_str() {
        Some("json") => serde_json::from_str(text).unwrap_or_else(|_| value.clone()),
        Some("list") => match serde_json::from_str(text) {
            Ok(list @ Value::Array(_)) => list,
            _ => {
                let at = rule["at"].as_str().unwrap_or(",");
                text.split(at).map(str::trim).filter(|part| !part.is_empty()).map(Value::from).collect()
            }
        },
        Some("pairs") => pairs(text),
        _ => value.clone(),
    })
}

/// Headers as Shuffle writes them: a line each, `Name: value` or `Name=value`; or an object.
fn pairs(text: &str) -> Value {
    if let Ok(map @ Value::Object(_)) = serde_json::from_str(text) {
        return map;
    }
    let pair = |line: &str| {
        let at = line.find([':', '='])?;
        Some((line[..at].trim().to_owned(), Value::from(line[at + 1..].trim())))
    };
    Value::Object(text.lines().filter_map(pair).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_link_makes_the_inputs_of_what_it_stands_for() {
        let link = json!({
            "choose": { "by": "operation", "calls": { "encode": "data/base64-encode", "decode": "data/base64-decode" } },
            "inputs": { "text": { "from": "string" }, "as": { "value": "text" }, "list": { "as": "list" }, "flag": { "from": "f", "words": { "true": true } } },
        });
        let given = json!({ "operation": " Decode", "string": "aGk=", "list": "a, b", "f": "" });
        let (call, inputs) = follow(&link, given.as_object().unwrap()).unwrap();
        assert_eq!(
            (call.as_str(), Value::Object(inputs)),
            ("data/base64-decode", json!({ "text": "aGk=", "as": "text", "list": ["a", "b"] }))
        );
        let error = follow(&link, json!({ "operation": "x" }).as_object().unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "the input `operation` is `x`; it must be one of decode, encode");
        assert_eq!(pairs("A: b:c\nD=e\nx"), json!({ "A": "b:c", "D": "e" }));
    }
}
