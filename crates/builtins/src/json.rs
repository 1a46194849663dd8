//! JSON: read, look into, set, remove, merge, compare.

use serde_json::{Map, Value, json};

use crate::{
    inputs::{DataError, Inputs, OUTPUT_BYTES_MAX, bounded, written, wrong},
    table::{
        Kind::{Any, Flag, Object, Text},
        Operation, needed, optional,
    },
};

const PATH: &str = "A path such as `device.users[0].name` or `alerts[*].id`, or a JSON pointer such as `/device/name`";

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation {
        id: "json-parse",
        title: "Read JSON",
        about: "The value that the text holds.",
        inputs: &[
            needed("text", Text, "JSON, or several values one a line with `lines`"),
            optional("lines", Flag, "Whether each line is a value of its own"),
        ],
        example: r#"{"text":"{\"a\":1}"}"#,
        run: parse,
    },
    Operation {
        id: "json-write",
        title: "Write JSON",
        about: "The value as text.",
        inputs: &[needed("value", Any, "Any value"), optional("pretty", Flag, "Whether it is indented")],
        example: r#"{"value":{"a":1}}"#,
        run: |inputs| {
            let value = inputs.any("value")?;
            written(if inputs.flag("pretty")? { format!("{value:#}") } else { value.to_string() })
        },
    },
    Operation {
        id: "json-get",
        title: "Look into a value",
        about: "What stands at the path; with `[*]` a list of what stands there in each item.",
        inputs: &[
            needed("value", Any, "Any value"),
            needed("path", Text, PATH),
            optional("default", Any, "Taken where nothing stands there; without it that is an error"),
        ],
        example: r#"{"value":{"users":[{"name":"alice"}]},"path":"users[0].name"}"#,
        run: get,
    },
    Operation {
        id: "json-set",
        title: "Set a part of a value",
        about: "The value with that part set; objects on the way are made.",
        inputs: &[
            needed("value", Any, "Any value"),
            needed("path", Text, PATH),
            needed("to", Any, "What stands there then"),
        ],
        example: r#"{"value":{"a":1},"path":"b.c","to":2}"#,
        run: set,
    },
    Operation {
        id: "json-remove",
        title: "Remove parts of a value",
        about: "The value without these parts; one that is not there is no error.",
        inputs: &[
            needed("value", Any, "Any value"),
            needed("paths", Any, "A path, a list of paths, or several joined by commas"),
        ],
        example: r#"{"value":{"a":1,"b":2},"paths":["b"]}"#,
        run: remove,
    },
    Operation {
        id: "json-merge",
        title: "Merge two objects",
        about: "The first object with the second one's members put over it, deeply; `null` removes a member (RFC 7396).",
        inputs: &[needed("value", Object, "The object"), needed("with", Object, "What is put over it")],
        example: r#"{"value":{"a":1,"b":{"c":2}},"with":{"b":{"d":3}}}"#,
        run: |inputs| {
            let mut value = inputs.any("value")?.clone();
            merge(&mut value, inputs.any("with")?);
            Ok(value)
        },
    },
    Operation {
        id: "json-diff",
        title: "Compare two values",
        about: "What changes the first value into the second one, as a JSON Patch (RFC 6902); empty when they are equal.",
        inputs: &[needed("value", Any, "The first value"), needed("with", Any, "The second value")],
        example: r#"{"value":{"a":1},"with":{"a":2,"b":3}}"#,
        run: |inputs| {
            let mut changes = Changes::default();
            diff(inputs.any("value")?, inputs.any("with")?, &mut String::new(), &mut changes)?;
            bounded(changes.list)
        },
    },
];

fn parse(inputs: &Inputs<'_>) -> Result<Value, DataError> {
    let text = inputs.text("text")?.trim_start_matches('\u{feff}');
    let read = |text: &str| serde_json::from_str(text).map_err(|error| wrong("text", format!("is no JSON: {error}")));
    if !inputs.flag("lines")? {
        return read(text);
    }
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    bounded(lines.map(read).collect::<Result<_, _>>()?)
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Name(String),
    Index(usize),
    Each,
}

/// Reads a path or a JSON pointer.
pub(crate) fn steps(key: &'static str, text: &str) -> Result<Vec<Step>, DataError> {
    let text = text.trim();
    let found = if let Some(pointer) = text.strip_prefix('/') {
        let name = |part: &str| match part.parse() {
            Ok(index) if !part.starts_with('+') && (part == "0" || !part.starts_with('0')) => Step::Index(index),
            _ => Step::Name(part.replace("~1", "/").replace("~0", "~")),
        };
        pointer.split('/').map(name).collect()
    } else {
        // The root of JSONPath; `$ref` and its like are names.
        let is_root = |rest: &&str| rest.is_empty() || rest.starts_with(['.', '[']);
        let rest = text.strip_prefix('$').filter(is_root).map(|rest| rest.strip_prefix('.').unwrap_or(rest));
        dotted(rest.unwrap_or(text)).ok_or_else(|| wrong(key, "is no path; write it as `a.b[0].c` or `/a/b/0/c`"))?
    };
    if found.len() > STEP_COUNT_MAX {
        return Err(wrong(key, format!("has {} steps, {STEP_COUNT_MAX} are allowed", found.len())));
    }
    Ok(found)
}

fn dotted(text: &str) -> Option<Vec<Step>> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (index, after) = inner.split_once(']')?;
            let quoted = index.strip_prefix(['\'', '"']).and_then(|name| name.strip_suffix(['\'', '"']));
            found.push(match (index, quoted) {
                ("*", _) => Step::Each,
                (_, Some(name)) => Step::Name(name.to_owned()),
                _ => Step::Index(index.parse().ok()?),
            });
            rest = after.strip_prefix('.').unwrap_or(after);
            continue;
        }
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if name.is_empty() {
            return None;
        }
        found.push(Step::Name(name.to_owned()));
        match after.strip_prefix('.') {
            Some("") => return None,
            Some(after) => rest = after,
            None => rest = after,
        }
    }
    Some(found)
}

/// What stands there; `None` also for a path that goes into each item.
pub(crate) fn look<'a>(value: &'a Value, path: &[Step]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, step| match (step, value) {
        (Step::Name(name), Value::Object(map)) => map.get(name),
        (Step::Index(index), Value::Array(list)) => list.get(*index),
        // A pointer cannot tell a name of digits from an index.
        (Step::Index(index), Value::Object(map)) => map.get(&index.to_string()),
        (Step::Name(name), Value::Array(list)) => list.get(name.parse::<usize>().ok()?),
        _ => None,
    })
}

fn get(inputs: &Inputs<'_>) -> Result<Value, DataError> {
    let path = steps("path", inputs.text("path")?)?;
    let parts: Vec<&[Step]> = path.split(|step| *step == Step::Each).collect();
    let mut found: Vec<&Value> = vec![inputs.any("value")?];
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            found = found.into_iter().filter_map(Value::as_array).flatten().collect();
        }
        found = found.into_iter().filter_map(|value| look(value, part)).collect();
        if found.len() > crate::inputs::LIST_COUNT_MAX {
            return Err(DataError::TooLarge { what: "items", max: crate::inputs::LIST_COUNT_MAX });
        }
    }
    if parts.len() > 1 {
        return bounded(found.into_iter().cloned().collect());
    }
    match (found.first(), inputs.values.get("default")) {
        (Some(value), _) => Ok((*value).clone()),
        (None, Some(default)) => Ok(default.clone()),
        (None, None) => Err(wrong("path", "leads nowhere in this value; a `default` would be taken then")),
    }
}

fn set(inputs: &Inputs<'_>) -> Result<Value, DataError> {
    let mut value = inputs.any("value")?.clone();
    let path = steps("path", inputs.text("path")?)?;
    let mut place = &mut value;
    for step in &path {
        if place.is_null() {
            *place = Value::Object(Map::new());
        }
        place = match (step, place) {
            (Step::Name(name), Value::Object(map)) => map.entry(name.clone()).or_insert(Value::Null),
            (Step::Index(index), Value::Object(map)) => map.entry(index.to_string()).or_insert(Value::Null),
            (Step::Index(index), Value::Array(list)) if *index <= list.len() => {
                if *index == list.len() {
                    list.push(Value::Null);
                }
                &mut list[*index]
            }
            (Step::Each, _) => return Err(wrong("path", "goes into each item, which cannot be set")),
            _ => return Err(wrong("path", "goes through something that is neither an object nor a long enough list")),
        };
    }
    *place = inputs.any("to")?.clone();
    Ok(value)
}

fn remove(inputs: &Inputs<'_>) -> Result<Value, DataError> {
    let mut value = inputs.any("value")?.clone();
    let paths: Vec<&str> = match inputs.any("paths")? {
        Value::String(text) => text.split(',').map(str::trim).filter(|path| !path.is_empty()).collect(),
        Value::Array(list) => {
            let texts: Option<_> = list.iter().map(Value::as_str).collect();
            texts.ok_or_else(|| wrong("paths", "holds something that is no text"))?
        }
        _ => return Err(wrong("paths", "is neither a text nor a list")),
    };
    // What was to be removed and is not would be worse than no result.
    if paths.len() > PATH_COUNT_MAX {
        return Err(wrong("paths", format!("holds {} paths, {PATH_COUNT_MAX} are allowed", paths.len())));
    }
    for path in paths {
        take_out(&mut value, &steps("paths", path)?);
    }
    Ok(value)
}

/// Finds what [`look`] finds: also a name of digits in a list, and an index that is a name.
fn take_out(value: &mut Value, path: &[Step]) {
    let Some((step, rest)) = path.split_first() else { return };
    match (step, value) {
        (Step::Each, Value::Array(list)) if rest.is_empty() => list.clear(),
        (Step::Each, Value::Array(list)) => list.iter_mut().for_each(|inner| take_out(inner, rest)),
        (Step::Name(_) | Step::Index(_), Value::Object(map)) => {
            let name = match step {
                Step::Index(index) => &index.to_string(),
                Step::Name(name) => name,
                Step::Each => return,
            };
            if rest.is_empty() {
                map.remove(name);
            } else if let Some(inner) = map.get_mut(name) {
                take_out(inner, rest);
            }
        }
        (Step::Name(_) | Step::Index(_), Value::Array(list)) => {
            let index = match step {
                Step::Name(name) => name.parse().ok(),
                Step::Index(index) => Some(*index),
                Step::Each => None,
            };
            let Some(index) = index.filter(|index| *index < list.len()) else { return };
            if rest.is_empty() {
                list.remove(index);
            } else {
                take_out(&mut list[index], rest);
            }
        }
        _ => {}
    }
}

fn merge(value: &mut Value, with: &Value) {
    let Value::Object(with) = with else {
        *value = with.clone();
        return;
    };
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    let Value::Object(map) = value else { return };
    for (key, with) in with {
        if with.is_null() {
            map.remove(key);
        } else {
            merge(map.entry(key.clone()).or_insert(Value::Null), with);
        }
    }
}

/// What differs so far. Every change carries its path, and the sum of them has to stay small, too.
#[derive(Default)]
struct Changes {
    list: Vec<Value>,
    size: usize,
}

impl Changes {
    fn push(&mut self, path: &str, change: impl FnOnce() -> Value) -> Result<(), DataError> {
        self.size += path.len() + 32;
        if self.size > OUTPUT_BYTES_MAX {
            return Err(DataError::TooLarge { what: "bytes", max: OUTPUT_BYTES_MAX });
        }
        self.list.push(change());
        Ok(())
    }
}

fn diff(left: &Value, right: &Value, at: &mut String, changes: &mut Changes) -> Result<(), DataError> {
    if left == right {
        return Ok(());
    }
    let length = at.len();
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => {
            for (key, value) in left {
                step_in(at, &key.replace('~', "~0").replace('/', "~1"));
                match right.get(key) {
                    None => changes.push(at, || json!({ "op": "remove", "path": at }))?,
                    Some(other) => diff(value, other, at, changes)?,
                }
                at.truncate(length);
            }
            for (key, value) in right.iter().filter(|(key, _)| !left.contains_key(*key)) {
                step_in(at, &key.replace('~', "~0").replace('/', "~1"));
                changes.push(at, || json!({ "op": "add", "path": at, "value": value }))?;
                at.truncate(length);
            }
        }
        (Value::Array(left), Value::Array(right)) => {
            for (index, (left, right)) in left.iter().zip(right).enumerate() {
                step_in(at, &index.to_string());
                diff(left, right, at, changes)?;
                at.truncate(length);
            }
            // From the end, so that the indexes hold while the patch is carried out.
            for index in (right.len()..left.len()).rev() {
                changes.push(at, || json!({ "op": "remove", "path": format!("{at}/{index}") }))?;
            }
            for value in right.iter().skip(left.len()) {
                changes.push(at, || json!({ "op": "add", "path": format!("{at}/-"), "value": value }))?;
            }
        }
        _ => changes.push(at, || json!({ "op": "replace", "path": at, "value": right }))?,
    }
    Ok(())
}

fn step_in(at: &mut String, step: &str) {
    at.push('/');
    at.push_str(step);
}

const STEP_COUNT_MAX: usize = 100;
const PATH_COUNT_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::run;

    fn call(id: &str, inputs: Value) -> Result<Value, String> {
        run(id, inputs.as_object().unwrap(), jiff::Timestamp::UNIX_EPOCH).map_err(|error| error.to_string())
    }

    #[test]
    fn a_path_leads_to_its_place() {
        let value = json!({ "a": [{ "b": 1 }, { "b": 2 }, { "c": 3 }], "x.y": { "0": true }, "n": null });
        #[track_caller]
        fn check(value: &Value, path: &str, expected: Value) {
            assert_eq!(call("json-get", json!({ "value": value, "path": path })), Ok(expected), "{path}");
        }
        check(&value, "a[1].b", json!(2));
        check(&value, "$.a[*].b", json!([1, 2]));
        check(&value, "/a/0/b", json!(1));
        check(&value, "['x.y'].0", json!(true));
        check(&value, "/x.y/0", json!(true));
        check(&value, "n", Value::Null);
        check(&json!({ "$ref": 1 }), "$ref", json!(1));
        check(&json!({ "$ref": 1 }), "$.$ref", json!(1));
        check(&value, "", value.clone());
        assert!(call("json-get", json!({ "value": value, "path": "a[9].b" })).unwrap_err().contains("leads nowhere"));
        assert_eq!(call("json-get", json!({ "value": value, "path": "q", "default": null })), Ok(Value::Null));
        for path in ["a..b", "a[", "a[x]", ".a", "a."] {
            assert!(
                call("json-get", json!({ "value": value, "path": path })).unwrap_err().contains("no path"),
                "{path}"
            );
        }
        assert!(call("json-parse", json!({ "text": "[".repeat(100_000) })).is_err());
    }

    #[test]
    fn parts_are_set_removed_and_merged() {
        let set = |path: &str| call("json-set", json!({ "value": { "a": [1] }, "path": path, "to": 2 }));
        assert_eq!(set("a[1]"), Ok(json!({ "a": [1, 2] })));
        assert_eq!(set("b.c"), Ok(json!({ "a": [1], "b": { "c": 2 } })));
        assert!(set("a[5]").is_err() && set("a.b").is_err());
        let removed =
            call("json-remove", json!({ "value": { "a": [{ "x": 1, "y": 2 }], "b": 3 }, "paths": "a[*].x, b, q" }));
        assert_eq!(removed, Ok(json!({ "a": [{ "y": 2 }] })));
        let without = |paths: Value| {
            call("json-remove", json!({ "value": { "a": { "0": 1 }, "l": [1, 2], "s": [{ "x": 1 }] }, "paths": paths }))
        };
        assert_eq!(without(json!("/a/0, l.0, s[*]")), Ok(json!({ "a": {}, "l": [2], "s": [] })));
        assert!(without(json!(["a", 1])).unwrap_err().contains("no text"));
        assert!(without(json!(vec!["a"; 1_001])).unwrap_err().contains("1001 paths"));
        let merged =
            call("json-merge", json!({ "value": { "a": 1, "b": { "c": 2 } }, "with": { "a": null, "b": { "d": 3 } } }));
        assert_eq!(merged, Ok(json!({ "b": { "c": 2, "d": 3 } })));
    }

    #[test]
    fn a_comparison_stays_small() {
        let right: Map<String, Value> = (0..4_000).map(|at| (at.to_string(), at.into())).collect();
        let long = "k".repeat(1 << 20);
        let error = call("json-diff", json!({ "value": { &long: {} }, "with": { &long: right } })).unwrap_err();
        assert_eq!(error, "the result would have more than 16777216 bytes");
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-c~/]{0,3}".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-c~/]{0,2}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// RFC 6902, as far as the comparison uses it.
    fn patched(mut value: Value, changes: &Value) -> Value {
        for change in changes.as_array().unwrap() {
            let path = change["path"].as_str().unwrap();
            let Some((parent, last)) = path.rsplit_once('/') else {
                value = change["value"].clone();
                continue;
            };
            let last = last.replace("~1", "/").replace("~0", "~");
            match (value.pointer_mut(parent).unwrap(), change["op"].as_str().unwrap()) {
                (Value::Object(map), "remove") => drop(map.remove(&last).unwrap()),
                (Value::Object(map), _) => drop(map.insert(last, change["value"].clone())),
                (Value::Array(list), "remove") => drop(list.remove(last.parse().unwrap())),
                (Value::Array(list), "add") => list.push(change["value"].clone()),
                (Value::Array(list), _) => list[last.parse::<usize>().unwrap()] = change["value"].clone(),
                _ => panic!("{path} leads into a scalar"),
            }
        }
        value
    }

    proptest! {
        #[test]
        fn a_comparison_is_a_patch_that_works(left in value(), right in value()) {
            let changes = call("json-diff", json!({ "value": left, "with": right })).unwrap();
            prop_assert_eq!(patched(left, &changes), right);
        }

        #[test]
        fn no_path_trips_the_reader(path in r"[a-z.\[\]*'/~0-9$]{0,40}|\PC{0,20}") {
            let _ = call("json-set", json!({ "value": { "a": [1] }, "path": path, "to": 2 }));
            let _ = call("json-remove", json!({ "value": { "a": [1] }, "paths": [path] }));
        }
    }
}
