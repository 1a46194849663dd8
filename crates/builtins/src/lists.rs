//! Lists: filter, sort, group, cut, and sets.

use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet},
};

use serde_json::{Value, json};

use crate::{
    inputs::{DataError, Inputs, bounded, plain, wrong},
    json::{Step, look, steps},
    table::{
        Input,
        Kind::{Any, Flag, List, OneOf, Text, Whole},
        Operation, needed, optional,
    },
};

const ITEMS: Input = needed("items", List, "The list");
const BY: Input =
    optional("by", Text, "Path of the field that counts, such as `device.name`; the item itself unless given");
const OTHER: Input = needed("other", List, "The other list");

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation {
        id: "list-filter",
        title: "Keep the items that fit",
        about: "`kept` has the items that fit the test, `dropped` all others, both in order.",
        inputs: &[
            ITEMS,
            needed("test", OneOf(TESTS), "How the field is compared with the value"),
            optional("value", Any, "What it is compared with"),
            BY,
            optional("ignore_case", Flag, "Whether capital letters are the same as small ones"),
            optional("opposite", Flag, "Whether those that do not fit are kept"),
        ],
        example: r#"{"items":[{"severity":"high"},{"severity":"low"}],"by":"severity","test":"equals","value":"high"}"#,
        run: filter,
    },
    Operation {
        id: "list-unique",
        title: "Keep each item once",
        about: "The first item of each kind, in order.",
        inputs: &[ITEMS, BY],
        example: r#"{"items":[1,2,1]}"#,
        run: unique,
    },
    Operation {
        id: "list-sort",
        title: "Sort a list",
        about: "The items in order: nothing, false, true, numbers by size, texts by letters, lists, objects.",
        inputs: &[ITEMS, BY, optional("descending", Flag, "Whether the largest comes first")],
        example: r#"{"items":[3,1,2],"descending":true}"#,
        run: sort,
    },
    Operation {
        id: "list-group",
        title: "Group and count a list",
        about: "For each kind of item its `key`, `count` and `items`, the largest group first.",
        inputs: &[ITEMS, BY],
        example: r#"{"items":[{"host":"a"},{"host":"b"},{"host":"a"}],"by":"host"}"#,
        run: group,
    },
    Operation {
        id: "list-chunk",
        title: "Cut a list into pieces",
        about: "Lists of at most `size` items, for APIs that take only so many at once.",
        inputs: &[ITEMS, needed("size", Whole, "Items of a piece")],
        example: r#"{"items":[1,2,3],"size":2}"#,
        run: chunk,
    },
    Operation {
        id: "list-flatten",
        title: "Flatten a list of lists",
        about: "One list of all items, in order.",
        inputs: &[ITEMS, optional("depth", Whole, "How many levels at most; one unless given")],
        example: r#"{"items":[[1,2],[3]]}"#,
        run: flatten,
    },
    Operation {
        id: "list-union",
        title: "Items of either list",
        about: "Each item of both lists once, in order.",
        inputs: &[ITEMS, OTHER],
        example: r#"{"items":[1,2],"other":[2,3]}"#,
        run: |inputs| once(inputs.list("items")?.iter().chain(inputs.list("other")?)),
    },
    Operation {
        id: "list-intersection",
        title: "Items of both lists",
        about: "Each item of the first list that is in the other one, too, once and in order.",
        inputs: &[ITEMS, OTHER],
        example: r#"{"items":[1,2],"other":[2,3]}"#,
        run: |inputs| {
            let other = keys(inputs.list("other")?);
            once(inputs.list("items")?.iter().filter(|item| other.contains(&canonical(item))))
        },
    },
    Operation {
        id: "list-difference",
        title: "Items of the first list alone",
        about: "Each item of the first list that is not in the other one, once and in order.",
        inputs: &[ITEMS, OTHER],
        example: r#"{"items":[1,2],"other":[2,3]}"#,
        run: |inputs| {
            let other = keys(inputs.list("other")?);
            once(inputs.list("items")?.iter().filter(|item| !other.contains(&canonical(item))))
        },
    },
    Operation {
        id: "list-concat",
        title: "Append a list to a list",
        about: "All items of the first list, then all of the other one; none is left out.",
        inputs: &[ITEMS, OTHER],
        example: r#"{"items":[1,2],"other":[2,3]}"#,
        run: |inputs| bounded([inputs.list("items")?, inputs.list("other")?].concat()),
    },
    Operation {
        id: "list-merge",
        title: "Merge two lists item by item",
        about: "Each object of the first list with the item at the same place of the other list in it: the members of an object, or anything else under the field.",
        inputs: &[
            ITEMS,
            OTHER,
            optional("field", Text, "Where an item goes that is no object; without it such an item is an error"),
        ],
        example: r#"{"items":[{"ip":"192.0.2.7"}],"other":[{"score":90}]}"#,
        run: merge,
    },
];

const TESTS: &[&str] = &[
    "equals",
    "differs",
    "contains",
    "starts_with",
    "ends_with",
    "larger",
    "smaller",
    "empty",
    "not_empty",
    "one_of",
    "matches",
];

fn path(inputs: &Inputs<'_>) -> Result<Vec<Step>, DataError> {
    steps("by", inputs.text_or("by", "")?)
}

fn filter(inputs: &Inputs<'_>) -> Result<Value, DataError> {
    let (items, path, test) = (inputs.list("items")?, path(inputs)?, inputs.text("test")?);
    if !TESTS.contains(&test) {
        return Err(wrong("test", format!("is none of {}", TESTS.join(", "))));
    }
    let opposite = inputs.flag("opposite")?;
    let folds = inputs.flag("ignore_case")?;
    let value = inputs.find("value").unwrap_or(&Value::Null);
    let fold = |value: &Value| if folds { plain(value).to_lowercase() } else { plain(value) };
    if value.is_null() && !matches!(test, "equals" | "differs" | "empty" | "not_empty") {
        return Err(DataError::Missing("value"));
    }
    let expression = match test {
        "matches" => Some(crate::expressions::of("value", &plain(value), folds)?),
        _ => None,
    };
    let started = std::time::Instant::now();
    let wanted = fold(value);
    let one_of: HashSet<String> = match value {
        Value::Array(list) => list.iter().map(fold).collect(),
        other => plain(other).split(',').map(|text| fold(&Value::from(text.trim()))).collect(),
    };
    let fits = |item: &Value| -> Result<bool, DataError> {
        let found = look(item, &path).unwrap_or(&Value::Null);
        Ok(match test {
            "equals" => found == value || fold(found) == wanted,
            "differs" => found != value && fold(found) != wanted,
            "empty" => is_empty(found),
            "not_empty" => !is_empty(found),
            // What is not there has no text, not even `null`.
            _ if found.is_null() => false,
            "contains" => match found {
                Value::Array(list) => list.iter().any(|one| fold(one) == wanted),
                other => fold(other).contains(&wanted),
            },
            "starts_with" => fold(found).starts_with(&wanted),
            "ends_with" => fold(found).ends_with(&wanted),
            "larger" => order(found, value) == Some(Ordering::Greater),
            "smaller" => order(found, value) == Some(Ordering::Less),
            "one_of" => one_of.contains(&fold(found)),
            _ => match &expression {
                Some(expression) => {
                    crate::expressions::in_time("value", started)?;
                    expression.is_found("items", &plain(found))?
                }
                None => false,
            },
        })
    };
    let (mut kept, mut dropped) = (Vec::new(), Vec::new());
    for item in items {
        let list = if fits(item)? == opposite { &mut dropped } else { &mut kept };
        list.push(item.clone());
    }
    Ok(json!({ "kept": kept, "dropped": dropped }))
}

/// Numbers by size, also when they are written as texts; texts by letters; nothing else.
fn order(left: &Value, right: &Value) -> Option<Ordering> {
    let number = |value: &Value| match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    match (number(left), number(right), left, right) {
        (Some(left), Some(right), ..) => left.partial_cmp(&right),
        (_, _, Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn once<'a>(items: impl Iterator<Item = &'a Value>) -> Result<Value, DataError> {
    let mut seen = HashSet::new();
    bounded(items.filter(|item| seen.insert(canonical(item))).cloned().collect())
}

fn keys(items: &[Value]) -> HashSet<String> {
    items.iter().map(canonical).collect()
}

/// Equal values have equal texts: maps are sorted by their keys.
fn canonical(value: &Value) -> String {
    value.to_string()
}

fn unique(inputs: &Inputs<'_>) -> Result<Value, DataError> {
    let path = path(inputs)?;
    let mut seen = HashSet::new();
    let kept = inputs.list("items")?.iter().filter(|item| seen.insert(look(item, &path).map(canonical)));
    Ok(Value::Array(kept.cloned().collect()))
}

fn sort(inputs: &Inputs<'_>) -> Result<Value, DataError> {
    let path = path(inputs)?;
    let mut items = inputs.list("items")?.to_vec();
    items.sort_by(|left, right| {
        total(look(left, &path).unwrap_or(&Value::Null), look(right, &path).unwrap_or(&Value::Null))
    });
    if inputs.flag("descending")? {
        items.reverse();
    }
    Ok(Value::Array(items))
}

fn total(left: &Value, right: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Null => 0,
        Value::Bool(false) => 1,
        Value::Bool(true) => 2,
        Value::Number(_) => 3,
        Value::String(_) => 4,
        Value::Array(_) => 5,
        Value::Object(_) => 6,
    };
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            // First as floats, then by what whole numbers lose as such: one order for numbers of all types.
            let float = |number: &serde_json::Number| number.as_f64().unwrap_or(0.0);
            let whole = |number: &serde_json::Number| {
                number.as_i128().unwrap_or_else(|| {
                    #[expect(clippy::cast_possible_truncation, reason = "a cast keeps within the bounds of its type")]
                    let whole = float(number) as i128;
                    whole
                })
            };
            float(left).total_cmp(&float(right)).then_with(|| whole(left).cmp(&whole(right)))
        }
        (Value::String(left), Value::String(right)) => left.cmp(right),
        _ if rank(left) >= 5 && rank(left) == rank(right) => canonical(left).cmp(&canonical(right)),
        _ => rank(left).cmp(&rank(right)),
    }
}

fn group(inputs: &Inputs<'_>) -> Result<Value, DataError> {
    let path = path(inputs)?;
    let mut at = HashMap::new();
    let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
    for item in inputs.list("items")? {
        let key = look(item, &path).cloned().unwrap_or(Value::Null);
        let place = *at.entry(canonical(&key)).or_insert_with(|| {
            groups.push((key, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(item.clone());
    }
    groups.sort_by_key(|(_, items)| std::cmp::Reverse(items.len()));
    let groups = groups.into_iter().map(|(key, items)| json!({ "key": key, "count": items.len(), "items": items }));
    Ok(Value::Array(groups.collect()))
}

fn chunk(inputs: &Inputs<'_>) -> Result<Value, DataError> {
    inputs.find("size").ok_or(DataError::Missing("size"))?;
    let size = usize::try_from(inputs.whole("size", 1, 1, 100_000)?).expect("it is positive");
    Ok(inputs.list("items")?.chunks(size).map(<[Value]>::to_vec).map(Value::Array).collect::<Vec<_>>().into())
}

fn flatten(inputs: &Inputs<'_>) -> Result<Value, DataError> {
    fn pour(items: &[Value], depth: i64, out: &mut Vec<Value>) {
        for item in items {
            match item {
                Value::Array(inner) if depth > 0 => pour(inner, depth - 1, out),
                other => out.push(other.clone()),
            }
        }
    }
    let mut out = Vec::new();
    pour(inputs.list("items")?, inputs.whole("depth", 1, 0, 100)?, &mut out);
    bounded(out)
}

fn merge(inputs: &Inputs<'_>) -> Result<Value, DataError> {
    let (items, other, field) = (inputs.list("items")?, inputs.list("other")?, inputs.text_or("field", "")?);
    if items.len() != other.len() {
        return Err(wrong("other", format!("has {} items, and `items` has {}", other.len(), items.len())));
    }
    let merged = items.iter().zip(other).enumerate().map(|(at, (item, other))| {
        let Value::Object(item) = item else { return Err(wrong("items", format!("has no object at {at}"))) };
        let mut item = item.clone();
        match other {
            Value::Object(members) => item.extend(members.clone()),
            _ if field.is_empty() => {
                return Err(wrong("other", format!("has no object at {at}, and no `field` says where it goes")));
            }
            other => drop(item.insert(field.to_owned(), other.clone())),
        }
        Ok(Value::Object(item))
    });
    bounded(merged.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run;

    #[test]
    fn lists_are_merged_item_by_item() {
        let items = json!([{ "ip": "a", "n": 1 }, { "ip": "b" }]);
        let merged = json!([{ "ip": "a", "n": 2 }, { "ip": "b", "x": null }]);
        check("list-merge", json!({ "items": items, "other": [{ "n": 2 }, { "x": null }] }), merged);
        let merged = json!([{ "ip": "a", "n": 4 }, { "ip": "b", "n": [5] }]);
        check("list-merge", json!({ "items": items, "other": [4, [5]], "field": "n" }), merged);
        #[track_caller]
        fn refused(inputs: Value, expected: &str) {
            let found = run("list-merge", inputs.as_object().unwrap(), jiff::Timestamp::UNIX_EPOCH);
            assert_eq!(found.unwrap_err().to_string(), expected);
        }
        refused(json!({ "items": items, "other": [1] }), "the input `other` has 1 items, and `items` has 2");
        refused(json!({ "items": [1], "other": [{}] }), "the input `items` has no object at 0");
        refused(
            json!({ "items": [{}], "other": [1] }),
            "the input `other` has no object at 0, and no `field` says where it goes",
        );
    }

    #[track_caller]
    fn check(id: &str, inputs: Value, expected: Value) {
        let found = run(id, inputs.as_object().unwrap(), jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(found.map_err(|error| error.to_string()), Ok(expected), "{inputs}");
    }

    #[test]
    fn a_test_without_its_value_is_none() {
        let inputs = json!({ "items": ["null"], "test": "contains" });
        let found = run("list-filter", inputs.as_object().unwrap(), jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(found.unwrap_err().to_string(), "the input `value` is missing");
    }

    /// Beyond 2^53 whole numbers and floats meet; a sort that is not sure of its order panics.
    #[test]
    fn numbers_of_all_types_have_one_order() {
        let first = 1_i64 << 53;
        let whole = (first..first + 4).map(Value::from);
        let floats = (first..first + 4).map(|number| Value::from(number as f64));
        let ends =
            [json!(u64::MAX), json!(u64::MAX - 1), json!(i64::MAX), json!(-1), json!(-0.5), json!(1e300), json!(0)];
        let all: Vec<Value> = whole.chain(floats).chain(ends).collect();
        for left in &all {
            for middle in &all {
                for right in &all {
                    let ascends = total(left, middle).is_le() && total(middle, right).is_le();
                    assert!(!ascends || total(left, right).is_le(), "{left} {middle} {right}");
                }
            }
        }
    }

    #[test]
    fn items_are_kept_by_a_field() {
        let items = json!([{ "a": { "n": 3 } }, { "a": { "n": "10" } }, { "a": {} }]);
        let kept = |test: &str, value: Value, count: usize| {
            let inputs = json!({ "items": items, "by": "a.n", "test": test, "value": value });
            let found = run("list-filter", inputs.as_object().unwrap(), jiff::Timestamp::UNIX_EPOCH).unwrap();
            assert_eq!(found["kept"].as_array().unwrap().len(), count, "{test} {value}");
            assert_eq!(found["dropped"].as_array().unwrap().len(), 3 - count, "{test} {value}");
        };
        kept("contains", json!("ul"), 0);
        kept("matches", json!("^n"), 0);
        kept("one_of", json!("null"), 0);
        kept("larger", json!(3), 1);
        kept("smaller", json!("4"), 1);
        kept("equals", json!("3"), 1);
        kept("differs", json!(3), 2);
        kept("empty", Value::Null, 1);
        kept("one_of", json!("3, 10"), 2);
        kept("matches", json!("^1"), 1);
    }

    #[test]
    fn lists_are_sorted_grouped_and_cut() {
        let mixed = json!(["b", 10, 9, null, "a", true, [1]]);
        check("list-sort", json!({ "items": mixed }), json!([null, true, 9, 10, "a", "b", [1]]));
        let items = json!([{ "h": "a", "n": 1 }, { "h": "b", "n": 2 }, { "h": "b", "n": 3 }]);
        let groups = json!([
            { "key": "b", "count": 2, "items": [{ "h": "b", "n": 2 }, { "h": "b", "n": 3 }] },
            { "key": "a", "count": 1, "items": [{ "h": "a", "n": 1 }] },
        ]);
        check("list-group", json!({ "items": items, "by": "h" }), groups);
        check("list-chunk", json!({ "items": [1, 2, 3], "size": 2 }), json!([[1, 2], [3]]));
        check("list-flatten", json!({ "items": [[1, [2]], 3] }), json!([1, [2], 3]));
        check("list-flatten", json!({ "items": [[1, [2]], 3], "depth": 9 }), json!([1, 2, 3]));
        check("list-unique", json!({ "items": [{ "a": 1, "b": 2 }, { "b": 2, "a": 1 }] }), json!([{ "a": 1, "b": 2 }]));
        check("list-difference", json!({ "items": [1, 2, 2, 3], "other": [3, "2"] }), json!([1, 2]));
        check("list-intersection", json!({ "items": [1, 2, 2, 3], "other": [3, 2] }), json!([2, 3]));
        check("list-union", json!({ "items": [1, 1], "other": [1, 2] }), json!([1, 2]));
    }
}
