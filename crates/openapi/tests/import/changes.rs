//! What changed between two descriptions, in words.

use sortie_openapi::diff;

use crate::{operation, paths, read};

#[track_caller]
fn check(old: &str, new: &str, expected: &[&str]) {
    let difference = diff(&paths(old).description, &paths(new).description);
    let [change] = difference.changed.as_slice() else { panic!("{difference:#?}") };
    assert_eq!(change.what, expected);
    assert_ne!(paths(old).description.content_hash(), paths(new).description.content_hash());
}

#[test]
fn operations_are_added_removed_and_renamed() {
    let old = paths("/a:\n  get: { operationId: a }\n/b:\n  get: { operationId: b }\n/c:\n  get: { operationId: c }");
    let new = paths("/a:\n  get: { operationId: a }\n/b:\n  get: { operationId: bee }\n/d:\n  get: { operationId: d }");
    let difference = diff(&old.description, &new.description);
    assert_eq!((difference.added, difference.removed), (vec!["d".to_owned()], vec!["c".to_owned()]));
    assert_eq!(difference.changed[0].what[0], "the id changed from `b` to `bee`");
    assert!(diff(&old.description, &old.description).is_empty());
}

#[test]
fn changes_are_told_in_words() {
    check(
        "/a:\n  post: { operationId: a, summary: A, parameters: [{ name: x, in: query, schema: { type: string } }, { name: y, in: query }] }",
        "/a:\n  post: { operationId: a, summary: A, deprecated: true, parameters: [{ name: x, in: header, required: true, schema: { type: integer } }, { name: z, in: query }], x-sortie-effect: probed }",
        &[
            "the effect changed from `unsafe` to `probed`",
            "it is deprecated now",
            "the input `y` is gone",
            "the input `x` is required now",
            "the input `x` moved from the query to the header",
            "the input `x` changed its type from string to integer",
            "the input `x` is written in another way",
            "the input `z` is new",
        ],
    );
    let body = |schema: &str| {
        format!(
            "/a:\n  post: {{ operationId: a, requestBody: {{ content: {{ application/json: {{ schema: {schema} }} }} }} }}"
        )
    };
    check(
        &body("{ type: object, properties: { n: { type: string }, o: { type: string } } }"),
        &body(
            "{ type: object, required: [n], properties: { n: { type: string, maxLength: 3 }, p: { type: string } } }",
        ),
        &[
            "the body as `application/json` field `o` is gone",
            "the body as `application/json` field `n` is required now",
            "the body as `application/json` field `n` has other rules for its value",
            "the body as `application/json` field `p` is new",
        ],
    );
    check(
        "/a:\n  get: { operationId: a, responses: { 200: { description: d } } }",
        "/a:\n  get: { operationId: a, responses: { 200: { description: e }, 404: { description: d } } }",
        &["the answer `200` has other texts", "the answer `404` is new"],
    );
}

#[test]
fn a_change_of_a_shared_schema_is_told_where_it_is_used() {
    let document = |kind: &str| {
        read(&format!(
            "openapi: 3.1.0\ncomponents: {{ schemas: {{ In: {{ type: {kind} }}, Out: {{ type: array, items: {{ $ref: '#/components/schemas/In' }} }} }} }}\npaths: {{ /a: {{ get: {{ operationId: a, parameters: [{{ name: q, in: query, schema: {{ $ref: '#/components/schemas/Out' }} }}] }} }}, /b: {{ get: {{ operationId: b }} }} }}"
        ))
    };
    let difference = diff(&document("string").description, &document("integer").description);
    assert_eq!(difference.changed.len(), 1);
    assert_eq!(difference.changed[0].what, ["the schema `In`, which it uses, changed"]);
}

#[test]
fn the_hash_is_that_of_the_content() {
    let one = operation("/a:\n  get: { summary: A }");
    let same = operation("/a:\n    get:\n      summary: 'A'");
    assert_eq!(one, same);
    let hash = paths("/a:\n  get: { summary: A }").description.content_hash();
    assert!(hash.starts_with("sha256:") && hash.len() == 71, "{hash}");
}
