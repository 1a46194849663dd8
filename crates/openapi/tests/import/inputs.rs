//! Parameters: where they are declared, how they are written, and what they are called.

use serde_json::json;

use crate::{assert_has, left_out, notes, operation, paths};

#[test]
fn styles_follow_the_place_unless_they_are_stated() {
    let found = operation(
        "/a/{p}/{m}:
  get:
    parameters:
      - { name: p, in: path, required: true, schema: { type: string } }
      - { name: m, in: path, required: true, style: matrix, explode: true, schema: { type: array } }
      - { name: q, in: query, schema: { type: array }, allowReserved: true }
      - { name: s, in: query, schema: { type: array }, style: spaceDelimited }
      - { name: d, in: query, schema: { type: object }, style: deepObject }
      - { name: x, in: query, schema: { type: array }, style: matrix }
      - { name: h, in: header, schema: { type: array } }
      - { name: c, in: cookie, schema: { type: string }, explode: false }
      - { name: j, in: query, content: { application/json: { schema: { type: object } } } }",
    );
    let style = |style: &str, explode: bool| json!({ "form": { "kind": "style", "style": style, "explode": explode } });
    assert_has(
        &found.parameters,
        &json!([
            style("simple", false), style("matrix", true),
            { "form": { "kind": "style", "style": "form", "explode": true, "allowReserved": true } },
            style("spaceDelimited", false), style("deepObject", true), style("form", true), style("simple", false),
            style("form", false), { "form": { "kind": "content", "mediaType": "application/json" } },
        ]),
    );
}

#[test]
fn an_operations_parameter_wins_over_its_paths() {
    let found = operation(
        "/a/{id}:
  parameters:
    - { name: id, in: path, required: true, schema: { type: string } }
    - { name: q, in: query, schema: { type: string } }
  get:
    parameters: [{ name: q, in: query, required: true, schema: { type: integer } }]",
    );
    assert_has(
        &found.parameters,
        &json!([
            { "name": "id" }, { "name": "q", "required": true, "schema": { "type": "integer" } }
        ]),
    );
}

#[test]
fn keys_are_unique_and_the_path_keeps_the_plain_name() {
    let found = operation(
        "/a/{id}:
  put:
    parameters:
      - { name: id, in: query, schema: { type: string } }
      - { name: id, in: path, required: true, schema: { type: string } }
      - { name: body, in: query, schema: { type: string } }
    requestBody: { content: { application/json: { schema: { type: object, properties: { id: { type: string }, other: { type: string } } } } } }",
    );
    assert_has(
        &found,
        &json!({
            "parameters": [{ "key": "query_id" }, { "key": "id" }, { "key": "body" }],
            "body": { "key": "whole_body", "contents": [{ "fields": [{ "key": "body_id", "name": "id" }, { "key": "other" }] }] },
        }),
    );
}

#[test]
fn the_schema_of_all_inputs_accepts_nothing_else() {
    let found = operation(
        "/a/{id}:
  put:
    parameters: [{ name: id, in: path, required: true, description: Which, schema: { type: string } }]
    requestBody: { required: true, content: { application/json: { schema: { type: object, required: [n], properties: { n: { type: integer } } } } } }",
    );
    assert_eq!(
        found.input_schema(0),
        json!({
            "type": "object",
            "properties": {
                "id": { "type": "string", "description": "Which" },
                "n": { "type": "integer" },
                "body": { "type": "object", "required": ["n"], "properties": { "n": { "type": "integer" } } },
            },
            "required": ["id"],
            "additionalProperties": false,
        })
    );
}

#[test]
fn path_and_parameters_are_made_to_agree() {
    let found = operation(
        "/a/{userId}/{undeclared}/{moved}?kind=b&size={n}:
  get:
    parameters:
      - { name: user_id, in: path, schema: { type: string } }
      - { name: moved, in: query, schema: { type: integer } }
      - { name: gone, in: path, schema: { type: string } }
      - { name: n, in: path, schema: { type: integer } }",
    );
    assert_has(
        &found,
        &json!({
            "path": "/a/{userId}/{undeclared}/{moved}",
            "fixed_query": [["kind", "b"]],
            "parameters": [
                { "name": "userId", "location": "path", "required": true },
                { "name": "moved", "location": "path", "required": true, "schema": { "type": "integer" } },
                { "name": "size", "location": "query", "schema": { "type": "integer" } },
                { "name": "undeclared", "location": "path", "schema": { "type": "string" } },
            ],
        }),
    );
}

#[test]
fn headers_that_follow_from_the_call_are_no_inputs() {
    let import = paths(
        "/a:
  get:
    parameters:
      - { name: Authorization, in: header, schema: { type: string } }
      - { name: content-type, in: header, schema: { type: string } }
      - { name: Accept, in: header, required: true, schema: { type: string, default: application/vnd.x+json;version=2 } }
      - { name: X-Thing, in: Header, schema: { type: string } }",
    );
    assert_has(
        &import.description,
        &json!({
            "operations": [{ "parameters": [{ "name": "Accept", "required": null }, { "name": "X-Thing", "location": "header" }], "security": [{ "authorization_header": [] }] }],
            "security_schemes": { "authorization_header": { "kind": "apiKey", "place": "header", "name": "Authorization" } },
        }),
    );
    assert!(notes(&import).contains(&"`in: Header` was read in lower case"));
}

#[test]
fn what_cannot_be_sent_leaves_out_the_operation_only_if_it_is_required() {
    let import = paths(
        "/a:
  get: { parameters: [{ name: x, in: somewhere }, { in: query }, 7] }
/b:
  get: { parameters: [{ name: x, in: somewhere, required: true }] }",
    );
    assert_eq!(import.report.callable, 1);
    assert_eq!(
        left_out(&import),
        ["GET /b: its required parameter `x` cannot be sent: its `in` is none of path, query, header and cookie"]
    );
}
