//! What a document means, apart from what is in it for people: two texts of one meaning are one version.

use serde_json::{Map, Value};

use crate::text::{Problem, Problems, read};

/// The document without layout, titles, notes and comments, its keys in order: equal for equal meanings.
///
/// # Errors
/// Everything that is wrong with its form as YAML, by place.
pub fn meaning(text: &str) -> Result<String, Vec<Problem>> {
    let mut problems = Problems::default();
    let root = read(text, &mut problems);
    match root {
        Some(root) if problems.is_empty() => Ok(sorted(workflow(root.to_json())).to_string()),
        _ => Err(problems.into_sorted()),
    }
}

fn workflow(mut root: Value) -> Value {
    if let Value::Object(fields) = &mut root {
        fields.retain(|key, _| !matches!(key.as_str(), "layout" | "title" | "note"));
        for_people(fields.get_mut("steps"));
    }
    root
}

/// Titles and notes of steps; those among inputs mean something.
fn for_people(steps: Option<&mut Value>) {
    for step in steps.and_then(Value::as_array_mut).into_iter().flatten() {
        if let Value::Object(fields) = step {
            fields.retain(|key, _| !matches!(key.as_str(), "title" | "note"));
            for_people(fields.get_mut("steps"));
        }
    }
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<(String, Value)> =
                fields.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            fields.sort_by(|one, other| one.0.cmp(&other.0));
            Value::Object(Map::from_iter(fields))
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_people_alone_makes_no_version() {
        #[track_caller]
        fn check(one: &str, other: &str, is_same: bool) {
            assert_eq!(meaning(one).unwrap() == meaning(other).unwrap(), is_same, "{one}\n{other}");
        }
        let plain = "workflow: a\nsteps: [{ id: b, set: { title: x, note: y } }]\n";
        check(
            plain,
            "# why\nworkflow: a\ntitle: A\nnote: b\nlayout: { b: [0, 0] }\nsteps:\n  - set: { note: y, title: x }\n    id: b\n    title: B\n    note: c\n",
            true,
        );
        check(plain, "workflow: a\nsteps: [{ id: b, set: { title: z, note: y } }]\n", false);
        check(plain, "workflow: a\nsteps: [{ id: b, set: { note: y } }]\n", false);
        check(
            "workflow: a\nsteps: [{ id: b, for_each: x, steps: [{ id: c, title: T, call: x/y }] }]\n",
            "workflow: a\nsteps: [{ id: b, for_each: x, steps: [{ id: c, call: x/y }] }]\n",
            true,
        );
        assert!(meaning("a: [").is_err());
    }
}
