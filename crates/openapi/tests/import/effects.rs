//! Effects, pages, limits, guidance: what a caller must know beside the request.

use serde_json::json;
use sortie_openapi::EffectClass;

use crate::{assert_has, notes, paths};

#[track_caller]
fn check(paths_text: &str, id: &str, class: EffectClass, rest: &serde_json::Value) {
    let import = paths(paths_text);
    let operation = import.description.operation(id).unwrap();
    assert_eq!(operation.effect.class, class);
    assert_has(&operation.effect, rest);
}

#[test]
fn the_method_decides_unless_the_document_does() {
    let nothing = json!({ "stated": null, "read_by": null, "key": null });
    check("/a:\n  get: { operationId: a }", "a", EffectClass::Safe, &nothing);
    check("/a:\n  head: { operationId: a }", "a", EffectClass::Safe, &nothing);
    check("/a:\n  post: { operationId: a }", "a", EffectClass::Unsafe, &nothing);
    check("/a:\n  delete: { operationId: a }", "a", EffectClass::Overwrite, &nothing);
    check("/a:\n  patch: { operationId: a }", "a", EffectClass::Unsafe, &nothing);
    check(
        "/a/{id}:\n  get: { operationId: read }\n/a/{key}:\n  patch: { operationId: a }",
        "a",
        EffectClass::Overwrite,
        &json!({ "read_by": "read" }),
    );
    check(
        "/a:\n  get: { operationId: read }\n  patch: { operationId: a, requestBody: { content: { application/json-patch+json: {} } } }",
        "a",
        EffectClass::Unsafe,
        &nothing,
    );
    check(
        "/a:\n  post: { operationId: a, parameters: [{ name: Idempotency-Key, in: header, schema: { type: string } }] }",
        "a",
        EffectClass::Keyed,
        &json!({ "key": "Idempotency-Key" }),
    );
    check(
        "/a:\n  post: { operationId: a, x-sortie-effect: probed }",
        "a",
        EffectClass::Probed,
        &json!({ "stated": true }),
    );
    check(
        "/a:\n  post: { operationId: a, x-sortie-effect: { class: overwrite, readBy: readIt } }\n/b:\n  get: { operationId: readIt }",
        "a",
        EffectClass::Overwrite,
        &json!({ "stated": true, "read_by": "read-it" }),
    );
    check("/a:\n  get: { operationId: a, x-sortie-effect: nonsense }", "a", EffectClass::Safe, &nothing);
}

#[track_caller]
fn check_pages(operation: &str, expected: &serde_json::Value) {
    let import = paths(&format!("/a:\n  get: {operation}"));
    assert_has(
        &json!({ "pagination": import.description.operations[0].pagination }),
        &json!({ "pagination": expected }),
    );
}

#[test]
fn the_next_page_is_found_by_names() {
    let answer = |properties: &str| {
        format!(
            "responses: {{ 200: {{ description: d, content: {{ application/json: {{ schema: {{ type: object, properties: {properties} }} }} }} }} }}"
        )
    };
    let query = |names: &[&str]| -> String {
        let list: Vec<String> =
            names.iter().map(|name| format!("{{ name: '{name}', in: query, schema: {{ type: string }} }}")).collect();
        format!("parameters: [{}]", list.join(", "))
    };
    check_pages(
        &format!(
            "{{ {}, {} }}",
            query(&["$top"]),
            answer("{ '@odata.nextLink': { type: string }, value: { type: array } }")
        ),
        &json!({ "pages": { "by": "nextLink", "pointer": "/@odata.nextLink" }, "items": "/value", "size": "$top", "stated": false }),
    );
    check_pages(
        &format!(
            "{{ {}, {} }}",
            query(&["cursor", "limit"]),
            answer("{ meta: { properties: { next_cursor: { type: string } } }, alerts: { type: array } }")
        ),
        &json!({ "pages": { "by": "cursor", "parameter": "cursor", "pointer": "/meta/next_cursor" }, "items": "/alerts", "size": "limit" }),
    );
    check_pages(
        &format!(
            "{{ {}, {} }}",
            query(&["page[number]", "page[size]"]),
            answer("{ data: { type: array }, included: { type: array } }")
        ),
        &json!({ "pages": { "by": "page", "parameter": "page[number]" }, "items": "/data", "size": "page[size]" }),
    );
    check_pages(
        &format!(
            "{{ {}, responses: {{ 200: {{ description: d, content: {{ application/json: {{ schema: {{ type: array }} }} }} }} }} }}",
            query(&["offset"])
        ),
        &json!({ "pages": { "by": "offset", "parameter": "offset" }, "items": "" }),
    );
    check_pages(
        "{ responses: { 200: { description: d, headers: { Link: { schema: { type: string } } } } } }",
        &json!({ "pages": { "by": "linkHeader" } }),
    );
    check_pages(
        &format!("{{ x-ms-pageable: {{ nextLinkName: more }}, {} }}", answer("{ more: { type: string } }")),
        &json!({ "pages": { "by": "nextLink", "pointer": "/more" }, "items": "/value", "stated": true }),
    );
    check_pages(&format!("{{ {} }}", query(&["start"])), &json!(null));
    let search = |fields: &str| {
        paths(&format!(
            "/a:\n  post: {{ requestBody: {{ content: {{ application/json: {{ schema: {{ properties: {fields} }} }} }} }} }}"
        ))
    };
    assert_has(
        &search("{ next_cursor: { type: string }, page_size: { type: integer } }").description.operations[0].pagination,
        &json!({ "pages": { "by": "cursor", "parameter": "next_cursor" }, "size": "page_size" }),
    );
    assert_eq!(search("{ cursor: { type: string } }").description.operations[0].pagination, None);
}

#[test]
fn rate_limits_are_seen_in_the_answers() {
    let import = paths(
        "/a:\n  get: { responses: { 429: { description: slow, headers: { Retry-After: {}, X-RateLimit-Remaining: {}, ETag: {} } } } }",
    );
    assert_has(
        &import.description.operations[0].rate_limit,
        &json!({ "documented": true, "headers": ["Retry-After", "X-RateLimit-Remaining"] }),
    );
}

#[test]
fn extensions_guide_and_name_operations_by_any_of_their_names() {
    let import = crate::read(
        r"
openapi: 3.1.0
x-sortie-audience: graph
x-sortie-more: { a: 1 }
paths:
  /a:
    post:
      operationId: isolateMachine
      x-sortie-roles: [Machine.Isolate, Machine.All]
      x-sortie-limits: { calls: 100, per: 1m }
      x-sortie-probe: { operation: listActions, settle: 30s }
      x-sortie-await: list-actions
      x-sortie-undo: { operation: nowhere }
      x-sortie-test: { id: 1 }
      x-sortie-secret-sauce: yes
  /b:
    get: { operationId: listActions, x-sortie-audience: mde }
",
    );
    assert_has(
        &import.description,
        &json!({
            "extensions": { "more": { "a": 1 }, "audience": null },
            "operations": [
                { "id": "isolate-machine", "guidance": {
                    "audience": "graph", "roles": ["Machine.Isolate", "Machine.All"], "limits": { "calls": 100 },
                    "probe": { "operation": "list-actions", "settle": "30s" }, "await": { "operation": "list-actions" },
                    "undo": null, "test": { "id": 1 }, "more": { "secret-sauce": "yes" },
                } },
                { "id": "list-actions", "aliases": ["listActions"], "guidance": { "audience": "mde" } },
            ],
        }),
    );
    assert!(notes(&import).contains(&"an extension names the operation `nowhere`, which does not exist"));
}
