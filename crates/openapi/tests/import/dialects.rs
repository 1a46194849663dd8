//! Every version and dialect, and what is none.

use serde_json::json;
use sortie_openapi::{Format, ImportError, NoSources, Options, import};

use crate::{assert_has, notes, read};

#[track_caller]
fn check_format(head: &str, expected: Format) {
    let import = read(&format!(
        "{head}\ninfo: {{ title: T, version: 1 }}\npaths: {{ /a: {{ get: {{ responses: {{ 200: {{ description: d }} }} }} }} }}"
    ));
    assert_eq!((import.report.format, import.report.callable), (expected, 1));
    assert_eq!(import.description.document_version, "1");
}

#[test]
fn the_version_is_recognised_whatever_the_document_calls_it() {
    check_format("swagger: '2.0'", Format::Swagger2);
    check_format("swagger: 2.0", Format::Swagger2);
    check_format("openapi: 3.0.3", Format::OpenApi30);
    check_format("openapi: 3.0", Format::OpenApi30);
    check_format("openapi: 3.1.0", Format::OpenApi31);
    check_format("openapi: 3.2.0", Format::OpenApi31);
    check_format("swagger: '3.0'", Format::OpenApi30);
    check_format("openapi: ''", Format::OpenApi30);
    check_format("openapi: ''\nhost: x.example", Format::Swagger2);
    check_format("x: no version at all", Format::OpenApi30);
}

#[track_caller]
fn check_refused(document: &str, expected: &str) {
    let error = import(document.as_bytes(), &NoSources, &Options::default()).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[test]
fn what_is_no_openapi_document_is_told_apart() {
    check_refused(
        "walkoff_version: 1\nactions: []",
        "this is not an OpenAPI document: it is the `api.yaml` of a Shuffle app in Python, whose actions are code and no web API",
    );
    check_refused(
        r#"{"info": {"schema": "https://schema.getpostman.com/x"}, "item": []}"#,
        "this is not an OpenAPI document: it is a Postman collection; convert it to OpenAPI 3 first",
    );
    check_refused(
        "a: 1",
        "this is not an OpenAPI document: it has none of `openapi`, `swagger` and `paths`; check that it is the right file",
    );
    for text in ["", "just words", "[]"] {
        let error = import(text.as_bytes(), &NoSources, &Options::default()).unwrap_err();
        assert!(matches!(error, ImportError::NotOpenApi(_)), "{text}: {error}");
    }
}

#[test]
fn swagger_2_is_read_with_its_own_words() {
    let import = read(SWAGGER_2);
    let description = &import.description;
    assert_has(
        description,
        &json!({
            "servers": [{ "url": "https://x.example/v1" }],
            "security_schemes": {
                "key": { "kind": "apiKey", "place": "query", "name": "k" },
                "login": { "kind": "oAuth2", "flows": [{ "grant": "clientCredentials", "token_url": "https://x.example/token", "scopes": { "read": "Reads" } }] },
            },
            "schemas": { "Pet": { "properties": { "name": { "type": ["string", "null"] }, "old": { "type": "integer", "exclusiveMinimum": 1 } }, "required": ["name"] } },
        }),
    );
    let style = |style: &str, explode: bool| json!({ "kind": "style", "style": style, "explode": explode });
    assert_has(
        description.operation("put-pet").unwrap(),
        &json!({
            "path": "/pets/{id}",
            "parameters": [
                { "key": "id", "location": "path", "schema": { "type": "integer", "format": "int64" } },
                { "key": "kinds", "form": style("pipeDelimited", false) },
                { "key": "tags", "form": style("form", false) },
                { "key": "more", "form": style("form", true) },
            ],
            "body": { "key": "body", "required": true, "contents": [{ "media_type": "application/json", "form": "json", "schema": { "$ref": "#/components/schemas/Pet" } }] },
            "outputs": { "200": { "contents": [{ "media_type": "application/json", "form": "json" }] } },
            "security": [{ "key": [] }, { "login": ["read"] }],
        }),
    );
    assert_has(
        description.operation("send-file").unwrap(),
        &json!({
            "body": { "required": true, "contents": [{ "media_type": "multipart/form-data", "form": "multipart", "fields": [
                { "key": "file", "required": true, "file": true }, { "key": "note" }
            ] }] },
            "outputs": { "200": { "contents": [{ "media_type": "application/octet-stream", "form": "binary" }] } },
        }),
    );
}

#[test]
fn shuffles_dialect_is_read_as_it_is_meant() {
    let import = read(
        r##"
swagger: '3.0'
info: { title: T, x-logo: "data:image/png;base64,AAAA", x-categories: [SIEM] }
servers: [{ url: 'https://x.example/' }]
components:
  securitySchemes:
    ApiKeyAuth: { type: apiKey, in: header, name: Authorization, description: 'Token ' }
    Tenant: { type: apiKey, in: header, name: X-Tenant }
paths:
  users/add_shuffle_replace_1:
    post:
      summary: Add a user
      parameters:
        - { in: header, name: Content-Type, example: application/json, schema: { type: string } }
        - { in: body, name: body, multiline: true, description: Generated by shuffler.io OpenAPI, example: '{"name": "${name}", "age": ${age}}', schema: { type: string } }
      requestBody: { content: { example: { example: '{"name": "${name}", "age": ${age}}' } } }
      responses: { default: { description: default, content: { text/plain: { schema: { type: string, example: '{"id": 7, "ok": true}' } } } } }
  users/add:
    post: { summary: Add many users, responses: { default: { description: default } } }
  tmp0: { post: { summary: nothing, responses: {} } }
"##,
    );
    assert!(import.report.shuffle);
    let description = &import.description;
    assert_has(
        description,
        &json!({
            "logo": "data:image/png;base64,AAAA",
            "categories": ["SIEM"],
            "servers": [{ "url": "https://x.example" }],
            "security_schemes": {
                "ApiKeyAuth": { "kind": "apiKey", "name": "Authorization", "prefix": "Token " },
                "Tenant": { "name": "X-Tenant" },
            },
        }),
    );
    assert_has(
        description.operation_called("post_add_a_user").unwrap(),
        &json!({
            "id": "add-a-user",
            "path": "/users/add",
            "security": [{ "ApiKeyAuth": [], "Tenant": [] }],
            "parameters": null,
            "body": { "required": null, "contents": [{
                "media_type": "application/json", "form": "json",
                "fields": [{ "key": "age", "schema": {} }, { "key": "name", "schema": { "type": "string" } }],
            }] },
            "outputs": { "default": { "contents": [{ "media_type": "application/json", "schema": { "properties": { "id": { "type": "integer" } } } }] } },
        }),
    );
    assert!(description.operation("add-many-users").is_some());
    assert_eq!(
        crate::left_out(&import),
        ["POST tmp0: `tmp0` is a placeholder of Shuffle's catalogue, not the path of an API"]
    );
    assert!(notes(&import).contains(&"a path does not begin with `/`; it is put in front"));
}

#[test]
fn shuffles_oauth_is_client_credentials() {
    let import = read(
        r"
openapi: 3.0.0
info: { title: T, x-categories: [EDR] }
servers: [{ url: https://x.example }]
components: { securitySchemes: { Oauth2: { type: oauth2, flow: { authorizationCode: { authorizationUrl: '', tokenUrl: 'https://x.example/t', refreshUrl: '', scopes: [read, write] } }, x-grant-type: client_credentials } } }
paths: { /a: { get: { responses: {} } } }
",
    );
    assert_has(
        &import.description,
        &json!({
            "security_schemes": { "Oauth2": { "kind": "oAuth2", "flows": [
                { "grant": "clientCredentials", "token_url": "https://x.example/t", "refresh_url": null, "scopes": { "read": "", "write": "" } }
            ] } },
            "operations": [{ "security": [{ "Oauth2": [] }] }],
        }),
    );
}

const SWAGGER_2: &str = r"
swagger: '2.0'
info: { title: T, version: '1' }
host: x.example
basePath: /v1/
schemes: [http, https]
consumes: [application/json]
produces: [application/json]
securityDefinitions:
  key: { type: apiKey, in: query, name: k }
  login: { type: oauth2, flow: application, tokenUrl: 'https://x.example/token', scopes: { read: Reads } }
security: [{ key: [] }, { login: [read] }]
definitions:
  Pet: { type: object, required: [name], properties: { name: { type: string, x-nullable: true }, old: { type: integer, minimum: 1, exclusiveMinimum: true } } }
paths:
  /pets/{id}:
    put:
      operationId: putPet
      parameters:
        - { name: id, in: path, required: true, type: integer, format: int64 }
        - { name: kinds, in: query, type: array, items: { type: string }, collectionFormat: pipes }
        - { name: tags, in: query, type: array, items: { type: string } }
        - { name: more, in: query, type: array, items: { type: string }, collectionFormat: multi }
        - { name: pet, in: body, required: true, schema: { $ref: '#/definitions/Pet' } }
      responses: { 200: { description: ok, schema: { $ref: '#/definitions/Pet' } } }
  /files:
    post:
      operationId: sendFile
      consumes: [multipart/form-data]
      parameters:
        - { name: file, in: formData, type: file, required: true }
        - { name: note, in: formData, type: string }
      responses: { 200: { description: the file back, schema: { type: file } } }
";
