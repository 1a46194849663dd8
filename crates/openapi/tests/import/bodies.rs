//! Bodies and answers.

use serde_json::json;

use crate::{assert_has, left_out, operation, paths, read};

#[test]
fn fields_come_from_references_and_alternatives() {
    let import = read(
        r"
openapi: 3.1.0
components:
  schemas:
    Base: { type: object, required: [id], properties: { id: { type: string, readOnly: true }, name: { type: string } } }
    Cat: { allOf: [{ $ref: '#/components/schemas/Base' }, { type: object, required: [name, lives], properties: { lives: { type: integer } } }] }
    Dog: { allOf: [{ $ref: '#/components/schemas/Base' }, { type: object, required: [name], properties: { lives: { type: string } } }] }
paths:
  /a: { post: { operationId: a, requestBody: { content: { application/json: { schema: { oneOf: [{ $ref: '#/components/schemas/Cat' }, { $ref: '#/components/schemas/Dog' }] } } } } } }
",
    );
    assert_has(
        &import.description.operation("a").unwrap().body,
        &json!({ "contents": [{ "fields": [
        { "key": "lives", "required": null, "schema": { "anyOf": [{ "type": "integer" }, { "type": "string" }] } },
        { "key": "name", "required": true },
    ] }] }),
    );
}

#[test]
fn forms_and_parts_say_how_each_field_is_written() {
    let found = operation(
        "/a:
  post:
    requestBody:
      content:
        multipart/form-data:
          schema: { type: object, properties: {
            file: { type: string, format: binary }, files: { type: array, items: { type: string, format: binary } },
            meta: { type: object }, text: { type: string }, csv: { type: string } } }
          encoding: { csv: { contentType: text/csv } }
        application/x-www-form-urlencoded:
          schema: { type: object, required: [a], properties: { a: { type: array }, b: { type: array }, c: { type: object } } }
          encoding: { b: { style: pipeDelimited, explode: false } }",
    );
    let content = |media_type: &str| json!({ "kind": "content", "mediaType": media_type });
    assert_has(
        &found.body,
        &json!({ "contents": [
        { "form": "form", "fields": [
            { "key": "a", "required": true, "form": { "style": "form", "explode": true } },
            { "key": "b", "form": { "style": "pipeDelimited", "explode": false } },
            { "key": "c", "form": content("application/json") },
        ] },
        { "form": "multipart", "fields": [
            { "key": "csv", "form": content("text/csv") },
            { "key": "file", "file": true, "form": content("application/octet-stream") },
            { "key": "files", "file": true, "repeated": true },
            { "key": "meta", "form": content("application/json") },
            { "key": "text", "file": null, "form": content("text/plain") },
        ] },
    ] }),
    );
}

#[test]
fn json_is_preferred_and_texts_and_bytes_are_themselves() {
    let found = operation(
        "/a:
  put:
    requestBody: { required: true, content: { image/png: {}, text/csv: { schema: { type: string } }, application/merge-patch+json: { schema: { type: object } } } }
    responses: { 2xx: { description: d, headers: { Link: {} }, content: { application/xml: {}, application/json: { schema: true } } }, strange: {} }",
    );
    assert_has(
        &found,
        &json!({
            "body": { "required": true, "contents": [{ "form": "json", "open_fields": null }, { "form": "text" }, { "form": "binary" }] },
            "outputs": { "2XX": { "headers": ["Link"], "contents": [{ "form": "json", "schema": true }, { "form": "text" }] }, "strange": null },
        }),
    );
}

#[test]
fn a_required_body_without_a_media_type_leaves_the_operation_out() {
    let import = paths(
        "/a:\n  post: { requestBody: { required: true } }\n/b:\n  post: { requestBody: {} }\n/c:\n  post: { requestBody: { schema: { type: object } } }",
    );
    assert_eq!(import.report.callable, 2);
    assert_eq!(left_out(&import), ["POST /a: it requires a body, but the document does not say in which media type"]);
}

#[test]
fn a_get_may_have_a_body_but_never_must() {
    let found = operation(
        "/a:\n  get: { requestBody: { required: true, content: { application/json: { schema: { type: object } } } } }",
    );
    assert_has(&found.body, &json!({ "required": null, "contents": [{ "form": "json" }] }));
}
