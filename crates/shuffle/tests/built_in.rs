//! The inputs of built-in operations, kept beside the importer, are those of the documents that the operations come from.

use serde_json::{Map, Value};
use sortie_connector::BuiltIn;

#[test]
fn inputs_are_those_of_the_documents() {
    let mut operations = Map::new();
    for connector in ["data", "email", "http", "kv"] {
        for operation in &BuiltIn::of(connector).unwrap().description().operations {
            operations.insert(format!("{connector}/{}", operation.id), operation.input_schema(0));
        }
    }
    let text = format!("{:#}\n", Value::Object(operations));
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/steps/built_in.json");
    if std::env::var_os("SORTIE_WRITE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert!(kept == text, "{} is not what the documents say; SORTIE_WRITE=1 writes it anew", path.display());
}
