//! What holds for every text: nothing panics, every description is sound, and its export gives it again.

#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]

use std::collections::BTreeSet;

use proptest::{prelude::*, sample::Index};
use serde_json::{Value, json};
use sortie_openapi::{Limits, NoSources, Options, diff, export, import};

/// A document in which every part of the importer has something to do.
fn seed() -> Value {
    json!({
        "openapi": "3.0.3",
        "info": { "title": "Seed", "version": "1", "x-categories": ["a"] },
        "servers": [{ "url": "https://{r}.x.example/{v}", "variables": { "r": { "default": "eu", "enum": ["eu"] } } }],
        "security": [{ "key": [] }],
        "tags": [{ "name": "t", "description": "d" }],
        "components": {
            "schemas": {
                "Tree": { "type": "object", "properties": { "child": { "$ref": "#/components/schemas/Tree" }, "n": { "type": "integer", "nullable": true } } },
                "One": { "oneOf": [{ "$ref": "#/components/schemas/Tree" }, { "type": "string", "example": "x" }], "discriminator": { "propertyName": "k", "mapping": { "t": "Tree" } } },
            },
            "parameters": { "limit": { "name": "limit", "in": "query", "schema": { "type": "integer" } } },
            "securitySchemes": {
                "key": { "type": "apiKey", "in": "header", "name": "X-Key", "description": "`Token {x}`" },
                "login": { "type": "oauth2", "flows": { "clientCredentials": { "tokenUrl": "/t", "scopes": { "a": "b" } } } },
            },
        },
        "paths": {
            "/trees/{id}": {
                "parameters": [{ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } }],
                "get": { "operationId": "getTree", "parameters": [{ "$ref": "#/components/parameters/limit" }], "responses": { "200": { "description": "d", "headers": { "Link": {} }, "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Tree" } } } } } },
                "patch": { "summary": "Change a tree", "requestBody": { "required": true, "content": {
                    "application/json": { "schema": { "allOf": [{ "$ref": "#/components/schemas/One" }], "nullable": true } },
                    "multipart/form-data": { "schema": { "type": "object", "properties": { "f": { "type": "string", "format": "binary" } } }, "encoding": { "f": { "contentType": "image/png" } } },
                } }, "responses": { "default": { "description": "d" } }, "x-sortie-undo": "getTree" },
            },
            "/trees?kind=a": { "post": { "operationId": "getTree", "security": [{ "login": ["a"], "key": [] }, {}], "parameters": [{ "in": "body", "name": "body", "example": "{\"a\": ${a}}" }], "responses": { "429": { "description": "slow" } } } },
        },
    })
}

#[derive(Clone, Debug)]
struct Mutation {
    at: Index,
    how: Index,
    with: Index,
}

fn mutation() -> impl Strategy<Value = Mutation> {
    (any::<Index>(), any::<Index>(), any::<Index>()).prop_map(|(at, how, with)| Mutation { at, how, with })
}

/// Changes one value of the document: into something of another type, into a part of the document itself, or away.
fn mutate(document: &mut Value, mutation: &Mutation) {
    let parts = pointers(document, "");
    let pointer = parts[mutation.at.index(parts.len())].clone();
    let copied = document.pointer(&parts[mutation.with.index(parts.len())]).cloned().unwrap_or(Value::Null);
    let word = *mutation.with.get(WORDS);
    match mutation.how.index(6) {
        0 => set(document, &pointer, Value::Null),
        1 => set(document, &pointer, json!(word)),
        2 => set(document, &pointer, json!([copied])),
        3 => set(document, &pointer, copied),
        4 => set(document, &pointer, json!({ word: copied })),
        _ => {
            if let Some(Value::Object(map)) = document.pointer_mut(&pointer) {
                map.insert(word.to_owned(), copied);
            }
        }
    }
}

fn set(document: &mut Value, pointer: &str, value: Value) {
    if let Some(slot) = document.pointer_mut(pointer) {
        *slot = value;
    }
}

fn pointers(value: &Value, at: &str) -> Vec<String> {
    let mut found = vec![at.to_owned()];
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                found.extend(pointers(item, &format!("{at}/{index}")));
            }
        }
        Value::Object(map) => {
            for (key, item) in map {
                found.extend(pointers(item, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"))));
            }
        }
        _ => {}
    }
    found
}

/// Words that documents are made of, and some that none should have.
const WORDS: &[&str] = &[
    "",
    " ",
    " padded ",
    "$ref",
    "#/components/schemas/Tree",
    "#/components/schemas/One",
    "#",
    "#/paths",
    "../../etc/passwd",
    "object",
    "array",
    "string",
    "null",
    "file",
    "int",
    "items",
    "properties",
    "allOf",
    "anyOf",
    "nullable",
    "required",
    "enum",
    "example",
    "examples",
    "default",
    "type",
    "schema",
    "content",
    "application/json",
    "*/*",
    "multipart/form-data",
    "text/plain",
    "name",
    "in",
    "path",
    "query",
    "header",
    "body",
    "formData",
    "Authorization",
    "Accept",
    "style",
    "deepObject",
    "explode",
    "get",
    "POST",
    "parameters",
    "requestBody",
    "responses",
    "security",
    "servers",
    "url",
    "{x}",
    "/{a}/{b}",
    "/tmp3",
    ":id",
    "https://h/p",
    "x-sortie-effect",
    "x-sortie-pagination",
    "x-sortie-probe",
    "x-sortie-aliases",
    "x-sortie-audience",
    "keyed",
    "operationId",
    "summary",
    "list users",
    "ß İ 𝐀",
    "consumes",
    "host",
    "swagger",
    "2.0",
    "description",
    "bearer",
    "http",
    "jwt",
    "flow",
    "scopes",
];

fn options() -> Options {
    Options { limits: Limits { bytes_max: 1 << 20, values_max: 100_000, operations_max: 100 }, ..Options::default() }
}

/// Imports, and holds the result to its promises; a refusal must have words.
fn check(text: &str) {
    let found = match import(text.as_bytes(), &NoSources, &options()) {
        Ok(found) => found,
        Err(error) => {
            assert!(error.to_string().len() > 20, "{error}");
            return;
        }
    };
    let description = &found.description;
    let ids: BTreeSet<&str> = description.operations.iter().map(|operation| operation.id.as_str()).collect();
    assert_eq!(ids.len(), description.operations.len());
    assert!(found.report.quarantined.iter().all(|one| one.reason.len() > 10));
    let exported = export(description);
    let again = import(exported.to_string().as_bytes(), &NoSources, &Options::default()).unwrap();
    let difference = diff(description, &again.description);
    assert!(difference.is_empty(), "{difference:#?}\n{:#?}\n{exported:#}", again.report);
    assert_eq!(*description, again.description, "\n{exported:#}");
}

#[test]
fn blanks_are_no_names() {
    for word in ["", " ", " padded "] {
        let mut document = seed();
        document["tags"] = json!([word]);
        document["info"]["x-logo"] = json!(word);
        document["servers"] = json!([word]);
        check(&document.to_string());
    }
}

#[test]
fn a_named_file_field_makes_the_body_multipart() {
    let mut document = seed();
    let schema = json!({ "properties": { "fieldname": { "value": "file" } } });
    document["paths"]["/trees/{id}"]["patch"]["requestBody"]["content"] =
        json!({ "multipart/form-nnn": { "schema": schema } });
    check(&document.to_string());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_documents_never_panic_and_their_exports_are_fixed(mutations in prop::collection::vec(mutation(), 1..12)) {
        let mut document = seed();
        for mutation in &mutations {
            mutate(&mut document, mutation);
        }
        check(&document.to_string());
    }

    #[test]
    fn cut_and_spliced_texts_never_panic(at in any::<Index>(), length in 0..40_usize, word in any::<Index>()) {
        let text = serde_json::to_string_pretty(&seed()).unwrap();
        let start = at.index(text.len());
        let end = (start + length).min(text.len());
        let spliced = format!("{}{}{}", &text[..start], word.get(WORDS), &text[end..]);
        check(&spliced);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}", yaml in "[-a:{}\\[\\],&*|>'\"#!%@\n\t ~?]{0,80}") {
        check(&text);
        check(&yaml);
        check(&format!("openapi: 3.1.0\npaths:\n {yaml}"));
    }
}
