//! How calls are authenticated, and what of it is said to be impossible.

use serde_json::json;

use crate::{assert_has, read};

#[track_caller]
fn check(scheme: &str, expected: &serde_json::Value, obstacle: Option<&str>) {
    let import = read(&format!(
        "openapi: 3.1.0\ncomponents: {{ securitySchemes: {{ s: {scheme} }} }}\nsecurity: [{{ s: [] }}]\npaths: {{ /a: {{ get: {{}} }} }}"
    ));
    let scheme = &import.description.security_schemes["s"];
    assert_has(scheme, expected);
    let found = scheme.obstacle();
    match (obstacle, &found) {
        (None, None) => {}
        (Some(start), Some(found)) if found.starts_with(start) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(import.report.notes.iter().any(|note| note.text.contains("cannot be served")), obstacle.is_some());
}

#[test]
fn every_way_to_authenticate_is_read() {
    check(
        "{ type: apiKey, in: cookie, name: sid }",
        &json!({ "kind": "apiKey", "place": "cookie", "name": "sid" }),
        None,
    );
    check(
        "{ type: apiKey, in: header, name: Authorization, description: 'use `Authorization: SSWS {token}`' }",
        &json!({ "kind": "apiKey", "prefix": "SSWS " }),
        None,
    );
    check("{ type: http, scheme: Basic }", &json!({ "kind": "basic" }), None);
    check("{ type: http, scheme: bearer, bearerFormat: JWT }", &json!({ "kind": "bearer", "format": "JWT" }), None);
    check("{ type: mutualTLS }", &json!({ "kind": "mutualTls" }), None);
    check(
        "{ type: http, scheme: digest }",
        &json!({ "kind": "http", "scheme": "digest" }),
        Some("the HTTP authentication scheme `digest`"),
    );
    check(
        "{ type: openIdConnect, openIdConnectUrl: 'https://x' }",
        &json!({ "kind": "openIdConnect" }),
        Some("OpenID Connect signs a person in"),
    );
    check(
        "{ type: magic }",
        &json!({ "kind": "unknown", "written": "magic" }),
        Some("the document gives it the type `magic`"),
    );
    check(
        "{ type: oauth2, flows: { implicit: { authorizationUrl: 'https://x', scopes: {} } } }",
        &json!({ "flows": [{ "grant": "implicit" }] }),
        Some("the implicit flow gives tokens to a browser alone"),
    );
    check(
        "{ type: oauth2, flows: { implicit: { authorizationUrl: 'https://x' }, clientCredentials: { tokenUrl: /t, scopes: { a: b } }, password: { tokenUrl: /t } } }",
        &json!({ "flows": [{ "grant": "clientCredentials", "token_url": "/t", "scopes": { "a": "b" } }, { "grant": "password" }, { "grant": "implicit" }] }),
        None,
    );
    check(
        "{ type: oauth2, flows: { clientCredentials: { scopes: {} } } }",
        &json!({ "flows": [{ "grant": "clientCredentials" }] }),
        Some("the document gives the client credentials flow no token address"),
    );
}

#[test]
fn alternatives_and_combinations_are_kept() {
    let import = read(
        r"
openapi: 3.1.0
components: { securitySchemes: { a: { type: http, scheme: basic }, 'b c': { type: http, scheme: bearer } } }
security: [{ a: [] }]
paths:
  /1: { get: { operationId: one } }
  /2: { get: { operationId: two, security: [{ a: [], 'b c': [x] }, {}] } }
  /3: { get: { operationId: three, security: [] } }
  /4: { get: { operationId: four, security: { nowhere: [] } } }
",
    );
    assert_has(
        &import.description,
        &json!({
            "security_schemes": { "b_c": { "kind": "bearer" }, "nowhere": { "kind": "unknown" } },
            "operations": [
                { "id": "four", "security": [{ "nowhere": [] }] },
                { "id": "one", "security": [{ "a": [] }] },
                { "id": "three", "security": null },
                { "id": "two", "security": [{ "a": [], "b_c": ["x"] }, {}] },
            ],
        }),
    );
}

#[test]
fn schemes_that_nothing_asks_for_are_taken_as_alternatives() {
    let import = read(
        "openapi: 3.0.0\ncomponents: { securitySchemes: { a: { type: http, scheme: basic }, b: { type: http, scheme: bearer } } }\npaths: { /a: { get: {} } }",
    );
    assert_has(&import.description.operations, &json!([{ "security": [{ "a": [] }, { "b": [] }] }]));
}
