//! What is wrong in a document and is put right, or left out alone.

use serde_json::json;

use crate::{assert_has, left_out, notes, operation, paths, read};

#[test]
fn one_bad_operation_does_not_hurt_the_others() {
    let import = paths(
        "/good:
  get: { operationId: good }
/bad:
  get: 7
  put: { operationId: alright }
/worse: text
/{open:
  get: {}
/body:
  post: { requestBody: { $ref: '#/nowhere' } }",
    );
    assert_eq!((import.report.seen, import.report.callable), (6, 2));
    assert_eq!(
        left_out(&import),
        [
            "GET /bad: the operation is not an object",
            "POST /body: the request body cannot be found: `#/nowhere` names nothing in the document",
            "* /worse: the path is not an object",
            "GET /{open: the path's placeholders cannot be read: a `{` is never closed",
        ]
    );
    assert_eq!(import.report.quarantined[0].place, "#/paths/~1bad/get");
}

#[test]
fn schemas_of_every_dialect_become_json_schema() {
    let found = operation(
        "/a:
  post:
    requestBody:
      content:
        application/json:
          schema:
            type: object
            properties:
              a: { type: int, required: true }
              b: { type: string, nullable: true, enum: [x, x, y] }
              c: { type: datetime, example: now }
              d: { items: [{ type: string }, { type: bool }], type: list }
              e: { type: nonsense, xml: {}, x-thing: 1 }
              f: { allOf: { type: object }, nullable: true }
              g: 7
              h: { type: [string, ~], minimum: '1', maxLength: 5 }
            required: [b, 7]",
    );
    assert_has(
        &found.body.unwrap().contents[0].schema,
        &json!({
            "required": ["b", "a"],
            "properties": {
                "a": { "type": "integer" },
                "b": { "type": ["string", "null"], "enum": ["x", "y", null] },
                "c": { "type": "string", "format": "date-time", "examples": ["now"] },
                "d": { "type": "array", "prefixItems": [{ "type": "string" }, { "type": "boolean" }], "items": null },
                "e": {},
                "f": { "anyOf": [{ "allOf": [{ "type": "object" }] }, { "type": "null" }] },
                "g": {},
                "h": { "type": ["string", "null"], "minimum": null, "maxLength": 5 },
            },
        }),
    );
}

#[test]
fn texts_beside_a_reference_are_kept_and_null_is_allowed() {
    let import = read(
        "openapi: 3.0.0\ncomponents: { schemas: { S: { type: string } } }\npaths: { /a: { get: { operationId: a, parameters: [{ name: q, in: query, schema: { $ref: '#/components/schemas/S', description: d, minLength: 3, nullable: true } }] } } }",
    );
    assert_has(
        &import.description.operations[0].parameters,
        &json!([{ "schema": { "anyOf": [
        { "$ref": "#/components/schemas/S", "description": "d", "minLength": null }, { "type": "null" }
    ] } }]),
    );
}

#[test]
fn servers_are_put_right() {
    let import = read(
        r"
openapi: 3.0.0
servers:
  - { url: 'https://user:pass@x.example/api/' }
  - { url: 'y.example' }
  - { url: 'https://{region}.z.example?x=1', variables: { region: { default: eu, enum: [eu, us] } } }
  - { url: '{{base}}/v1' }
  - { url: 'wss://x.example' }
  - /relative
paths:
  /a: { get: { operationId: a, servers: [{ url: 'https://other.example' }] } }
  'https://whole.example/b': { get: { operationId: b } }
",
    );
    assert_has(
        &import.description,
        &json!({
            "servers": [
                { "url": "https://x.example/api" }, { "url": "https://y.example" },
                { "url": "https://{region}.z.example", "variables": { "region": { "default": "eu", "choices": ["eu", "us"] } } },
                { "url": "{base}/v1", "variables": { "base": { "default": null } } }, { "url": "/relative" },
            ],
            "operations": [
                { "id": "a", "servers": [{ "url": "https://other.example" }] },
                { "id": "b", "path": "/b", "servers": [{ "url": "https://whole.example" }] },
            ],
        }),
    );
    assert!(!serde_json::to_string(&import.description).unwrap().contains("pass"));
}

#[test]
fn a_host_may_be_a_template() {
    let import = read(
        "swagger: '2.0'\nx-ms-parameterized-host: { hostTemplate: '{endpoint}.x.example' }\nbasePath: /v1\npaths: {}",
    );
    assert_has(
        &import.description.servers,
        &json!([{ "url": "https://{endpoint}.x.example/v1", "variables": { "endpoint": {} } }]),
    );
}

#[test]
fn a_document_of_200_megabytes_is_refused_unread() {
    let document = vec![b' '; 200 << 20];
    let error =
        sortie_openapi::import(&document, &sortie_openapi::NoSources, &sortie_openapi::Options::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the document has 209715200 bytes, more than the 67108864 that are read; split it or raise the limit"
    );
}

/// A small document in which each of many operations copies one large part.
fn multiplied(part: &str, per_path: &str, count: usize) -> String {
    let large = serde_json::Value::from((0..2_000).map(|at| format!("value {at}")).collect::<Vec<_>>());
    let paths: Vec<String> = (0..count).map(|at| format!("\"/p{at}\": {per_path}")).collect();
    format!(
        r#"{{"openapi": "3.1.0", {}, "paths": {{ {} }} }}"#,
        part.replace("LARGE", &large.to_string()),
        paths.join(", ")
    )
}

#[track_caller]
fn check_multiplied(part: &str, per_path: &str) {
    let mut options = sortie_openapi::Options::default();
    options.limits.values_max = 50_000;
    let document = multiplied(part, per_path, 300);
    let import = sortie_openapi::import(document.as_bytes(), &sortie_openapi::NoSources, &options).unwrap();
    let size = serde_json::to_string(&import.description).unwrap().len();
    assert!(size < 3_000_000, "{size} bytes from a document of {} bytes", document.len());
}

#[test]
fn shared_parts_cannot_multiply_without_bound() {
    let schema = r#"{"type": "object", "properties": {"p": {"enum": LARGE}}}"#;
    check_multiplied(
        &format!(
            r#""components": {{"responses": {{"R": {{"description": "d", "content": {{"application/json": {{"schema": {schema} }} }} }} }} }}"#
        ),
        r##"{"get": {"responses": {"200": {"$ref": "#/components/responses/R"}}}}"##,
    );
    check_multiplied(
        &format!(
            r#""components": {{"requestBodies": {{"R": {{"content": {{"application/json": {{"schema": {schema} }} }} }} }} }}"#
        ),
        r##"{"post": {"requestBody": {"$ref": "#/components/requestBodies/R"}}}"##,
    );
    check_multiplied(
        &format!(r#""components": {{"schemas": {{"S": {schema} }} }}"#),
        r##"{"post": {"requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/S"}}}}}}"##,
    );
    check_multiplied(
        r#""components": {"parameters": {"P": {"name": "p", "in": "query", "schema": {"enum": LARGE}}}}"#,
        r##"{"get": {"parameters": [{"$ref": "#/components/parameters/P"}]}}"##,
    );
    check_multiplied(
        r#""components": {"pathItems": {"I": {"get": {"responses": {"200": {"content": {"application/json": {"example": LARGE}}}}}}}}"#,
        r##"{"$ref": "#/components/pathItems/I"}"##,
    );
    check_multiplied(r#""x-sortie-limits": LARGE"#, r#"{"get": {}}"#);
    check_multiplied(
        r#""components": {"examples": {"E": {"value": LARGE}}}"#,
        r##"{"get": {"responses": {"200": {"content": {"application/json": {"examples": {"e": {"$ref": "#/components/examples/E"}}}}}}}}"##,
    );
}

#[test]
fn a_title_is_the_summary_else_a_short_first_line_else_the_id() {
    let title = |operation_text: &str| operation(&format!("/a:\n  get: {operation_text}")).title;
    assert_eq!(title("{ summary: ' Get\n  it ', description: More. }"), "Get it");
    assert_eq!(title("{ operationId: getIt, description: \"Reads one thing.\\nAnd more.\" }"), "Reads one thing");
    assert_eq!(title("{ operationId: getIt }"), "Get it");
}

#[test]
fn equal_operations_survive_an_export() {
    let import = paths(
        "/a#one:\n  get: { operationId: x }\n/a#two:\n  get: { operationId: x }\n/a?k=v:\n  get: { operationId: y }",
    );
    let found: Vec<(&str, &str)> = import
        .description
        .operations
        .iter()
        .map(|operation| (operation.id.as_str(), operation.path.as_str()))
        .collect();
    assert_eq!(found, [("x-get-a", "/a"), ("x-get-a-2", "/a"), ("y", "/a")]);
}

#[test]
fn calls_to_us_are_counted_and_not_imported() {
    let import = read(
        "openapi: 3.1.0\nwebhooks: { a: { post: {} }, b: { post: {} } }\npaths: { /a: { get: { callbacks: { c: {} } } } }",
    );
    assert_eq!(import.report.callable, 1);
    assert!(notes(&import).contains(&"2 webhooks are calls of the product to us; they are not imported"));
}

#[test]
fn operations_past_the_bound_are_left_out_with_the_reason() {
    let mut options = sortie_openapi::Options::default();
    options.limits.operations_max = 1;
    let document = "openapi: 3.1.0\npaths: { /a: { get: {}, put: {} } }";
    let import = sortie_openapi::import(document.as_bytes(), &sortie_openapi::NoSources, &options).unwrap();
    assert_eq!(left_out(&import), ["PUT /a: the document has more than 1 operations; the rest is left out"]);
}
