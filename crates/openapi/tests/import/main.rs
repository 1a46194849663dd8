//! What becomes of a document: one promise a test, each with a document as small as it can be.

#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]

mod bodies;
mod changes;
mod dialects;
mod effects;
mod inputs;
mod references;
mod repairs;
mod security;

use serde_json::{Map, Value};
use sortie_openapi::{Import, NoSources, Operation, Options, export, import};

/// Imports a document that stands alone, and holds it to what every description promises.
#[track_caller]
pub(crate) fn read(document: &str) -> Import {
    let found = import(document.as_bytes(), &NoSources, &Options::default()).unwrap();
    let exported = export(&found.description).to_string();
    let again = import(exported.as_bytes(), &NoSources, &Options::default()).unwrap();
    assert_eq!(found.description, again.description, "the export gives another description");
    found
}

/// The operations of `paths`, written in YAML without indentation, in an OpenAPI 3.1 document.
#[track_caller]
pub(crate) fn paths(paths: &str) -> Import {
    read(&format!(
        "openapi: 3.1.0\ninfo: {{ title: T, version: '1' }}\nservers: [{{ url: 'https://x.example' }}]\npaths:\n{}",
        indented(paths)
    ))
}

/// The only operation of `paths`.
#[track_caller]
pub(crate) fn operation(paths_text: &str) -> Operation {
    let import = paths(paths_text);
    let [operation] = import.description.operations.as_slice() else { panic!("{:#?}", import.report) };
    operation.clone()
}

pub(crate) fn indented(text: &str) -> String {
    text.trim_matches('\n').lines().map(|line| format!("  {line}\n")).collect()
}

/// The members of a value as plain data that are named in `expected`, for comparing a part of it.
#[track_caller]
pub(crate) fn assert_has(found: &impl serde::Serialize, expected: &Value) {
    let found = serde_json::to_value(found).unwrap();
    assert_eq!(&part_of(&found, expected), expected);
}

fn part_of(found: &Value, expected: &Value) -> Value {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            let shared = expected.iter().map(|(key, expected)| {
                (key.clone(), found.get(key).map_or(Value::Null, |found| part_of(found, expected)))
            });
            Value::Object(shared.collect::<Map<_, _>>())
        }
        (Value::Array(found), Value::Array(expected)) if found.len() == expected.len() => {
            Value::Array(found.iter().zip(expected).map(|(found, expected)| part_of(found, expected)).collect())
        }
        _ => found.clone(),
    }
}

/// The texts of the notes.
pub(crate) fn notes(import: &Import) -> Vec<&str> {
    import.report.notes.iter().map(|note| note.text.as_str()).collect()
}

/// `METHOD path: reason` of what was left out.
pub(crate) fn left_out(import: &Import) -> Vec<String> {
    let words = import
        .report
        .quarantined
        .iter()
        .map(|one| format!("{} {}: {}", one.method.map_or("*", |method| method.as_str()), one.path, one.reason));
    words.collect()
}
