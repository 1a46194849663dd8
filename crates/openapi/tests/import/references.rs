//! Where references lead, and where they may not.

use std::{borrow::Cow, cell::RefCell, collections::BTreeMap};

use serde_json::json;
use sortie_openapi::{Import, Options, Sources, import};

use crate::{assert_has, left_out, notes, paths, read};

/// Files in memory that remember what was asked of them.
struct Files {
    files: BTreeMap<&'static str, &'static str>,
    asked: RefCell<Vec<String>>,
}

impl Sources for Files {
    fn read(&self, path: &str) -> Option<Cow<'_, [u8]>> {
        self.asked.borrow_mut().push(path.to_owned());
        self.files.get(path).map(|text| Cow::Borrowed(text.as_bytes()))
    }
}

fn with_files(document: &str, files: &[(&'static str, &'static str)]) -> (Import, Vec<String>) {
    let files = Files { files: files.iter().copied().collect(), asked: RefCell::default() };
    let options = Options { path: "api/root.yaml".to_owned(), ..Options::default() };
    let import = import(document.as_bytes(), &files, &options).unwrap();
    (import, files.asked.into_inner())
}

#[test]
fn relative_files_are_followed_within_the_folder() {
    let document = r"
openapi: 3.0.3
info: { title: T, version: '1' }
paths:
  /a: { $ref: 'paths/a.yaml' }
components: { schemas: { Root: { type: object, properties: { n: { type: integer } } } } }
";
    let (import, mut asked) = with_files(
        document,
        &[
            (
                "api/paths/a.yaml",
                "get:\n  operationId: getA\n  parameters: [{ $ref: '../common.json#/limit' }]\n  responses:\n    200: { description: d, content: { application/json: { schema: { $ref: ../../shared/Pet.yaml } } } }\n    201: { description: d, content: { application/json: { schema: { $ref: ../root.yaml#/components/schemas/Root } } } }",
            ),
            ("api/common.json", r#"{"limit": {"name": "limit", "in": "query", "schema": {"type": "integer"}}}"#),
            ("shared/Pet.yaml", "type: object\nproperties: { parent: { $ref: Pet.yaml } }"),
        ],
    );
    assert_has(
        &import.description,
        &json!({
            "operations": [{ "id": "get-a", "parameters": [{ "key": "limit" }], "outputs": {
                "200": { "contents": [{ "schema": { "$ref": "#/components/schemas/Pet" } }] },
                "201": { "contents": [{ "schema": { "$ref": "#/components/schemas/Root" } }] },
            } }],
            "schemas": {
                "Pet": { "properties": { "parent": { "$ref": "#/components/schemas/Pet" } } },
                "Root": { "properties": { "n": { "type": "integer" } } },
            },
        }),
    );
    asked.sort();
    assert_eq!(asked, ["api/common.json", "api/paths/a.yaml", "shared/Pet.yaml"]);
}

#[track_caller]
fn check_refused(reference: &str, expected: &str) {
    let document = format!(
        "openapi: 3.0.0\npaths:\n  /a: {{ get: {{ parameters: [{{ $ref: '{reference}' }}] }} }}\n  /b: {{ get: {{}} }}\n"
    );
    let (import, asked) = with_files(&document, &[]);
    assert_eq!(left_out(&import), [format!("GET /a: a parameter cannot be found: {expected}")]);
    assert_eq!(import.report.callable, 1, "the other operation is imported");
    assert!(
        asked.iter().all(|path| !path.contains("..") && !path.starts_with('/') && !path.contains(':')),
        "{asked:?}"
    );
}

#[test]
fn no_reference_leaves_the_folder_or_asks_the_network() {
    check_refused(
        "../../etc/passwd",
        "`../../etc/passwd` leads out of the document's folder, which no reference may do",
    );
    check_refused("/etc/passwd#/x", "`/etc/passwd` leads out of the document's folder, which no reference may do");
    check_refused("%2e%2e/%2e%2e/x", "`%2e%2e/%2e%2e/x` leads out of the document's folder, which no reference may do");
    check_refused(
        "https://evil.example/x.yaml#/p",
        "`https://evil.example/x.yaml` lies on the network, and references are never fetched; put the file beside the document",
    );
    check_refused(
        "file:///etc/passwd",
        "`file:///etc/passwd` lies on the network, and references are never fetched; put the file beside the document",
    );
    check_refused("missing.yaml", "the file `api/missing.yaml` was not given with the document");
    check_refused("#anchor", "`#anchor` names nothing in the document");
    check_refused("#/components/parameters/nope", "`#/components/parameters/nope` names nothing in the document");
}

#[test]
fn a_broken_file_fails_only_what_needs_it() {
    let (import, _) = with_files(
        "openapi: 3.0.0\npaths: { /a: { $ref: bad.yaml }, /b: { get: {} } }",
        &[("api/bad.yaml", "a: [1\nb: }")],
    );
    assert_eq!(import.report.callable, 1);
    let reasons = left_out(&import);
    assert!(
        reasons[0].starts_with(
            "* /a: the path cannot be found: the file `api/bad.yaml` cannot be read: the document is not valid YAML"
        ),
        "{reasons:?}"
    );
}

#[test]
fn cycles_end() {
    let import = read(
        r"
openapi: 3.0.0
components:
  parameters: { a: { $ref: '#/components/parameters/b' }, b: { $ref: '#/components/parameters/a' } }
  schemas: { A: { $ref: '#/components/schemas/B' }, B: { $ref: '#/components/schemas/A' } }
paths:
  /a: { get: { parameters: [{ $ref: '#/components/parameters/a' }] } }
  /b: { get: { operationId: b, responses: { 200: { description: d, content: { application/json: { schema: { $ref: '#/components/schemas/A' } } } } } } }
  /c: { $ref: '#/paths/~1c' }
",
    );
    assert_eq!(
        left_out(&import),
        [
            "GET /a: a parameter cannot be found: `#/components/parameters/a` leads back to itself",
            "* /c: the path cannot be found: `#/paths/~1c` leads back to itself",
        ]
    );
    assert_has(&import.description, &json!({ "schemas": { "A": {}, "B": null } }));
    assert!(notes(&import).contains(&"a schema is nothing but a reference to itself; any value is taken"));
}

#[test]
fn references_within_references_do_not_multiply() {
    // Each step of each reference needs the next reference: 60 to the power of 60 steps if they multiplied.
    let way = "/x".repeat(60);
    let schemas: String =
        (0..60).map(|at| format!("    S{at}: {{ $ref: '#/components/schemas/S{}{way}' }}\n", at + 1)).collect();
    let document = format!(
        "openapi: 3.0.0\ncomponents:\n  schemas:\n{schemas}paths: {{ /a: {{ get: {{ operationId: a, parameters: [{{ name: q, in: query, schema: {{ $ref: '#/components/schemas/S0' }} }}] }} }} }}"
    );
    assert_eq!(read(&document).report.callable, 1);
}

#[test]
fn deep_schemas_stay_whole_in_the_table() {
    let mut schema = "{ type: string }".to_owned();
    for level in 0..30 {
        schema = format!("{{ type: object, properties: {{ l{level}: {schema} }} }}");
    }
    let import = paths(&format!(
        "/a:\n  post: {{ operationId: a, requestBody: {{ content: {{ application/json: {{ schema: {schema} }} }} }} }}"
    ));
    let text = serde_json::to_string(&import.description).unwrap();
    assert!((0..30).all(|level| text.contains(&format!("\"l{level}\""))), "a level is lost");
    assert_eq!(import.description.schemas.len(), 2);
}

#[test]
fn what_is_not_used_is_not_kept_and_names_do_not_clash() {
    let import = read(
        r"
openapi: 3.0.0
components: { schemas: { Used: { type: string }, 'Us ed': { type: integer }, Us_ed: { type: boolean }, Unused: { type: string } } }
paths:
  /a: { get: { operationId: a, parameters: [
    { name: x, in: query, schema: { $ref: '#/components/schemas/Used' } },
    { name: y, in: query, schema: { $ref: '#/components/schemas/Us%20ed' } },
    { name: z, in: query, schema: { $ref: '#/components/schemas/Us_ed' } },
    { name: w, in: query, schema: { $ref: '#/paths/~1a/get/parameters/0/schema' } } ] } }
",
    );
    assert_has(
        &import.description.schemas,
        &json!({ "Us_ed": { "type": "integer" }, "Us_ed_2": { "type": "boolean" }, "Unused": null }),
    );
    assert_eq!(import.description.schemas.len(), 4);
}
