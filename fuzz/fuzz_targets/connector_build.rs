//! Inputs of an operation: whatever they hold, the request goes to the connection's host and below its path, and no value
//! becomes another header, another field or another place.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};
use sortie_connector::{Target, build};
use sortie_openapi::{Description, NoSources, Options, import};

static PRODUCT: LazyLock<Description> = LazyLock::new(|| {
    import(DOCUMENT.as_bytes(), &NoSources, &Options::default()).expect("the document is whole").description
});

fuzz_target!(|input: &[u8]| {
    let Some((first, rest)) = input.split_first() else { return };
    let operation = &PRODUCT.operations[usize::from(*first) % PRODUCT.operations.len()];
    let Ok(Value::Object(inputs)) = serde_json::from_slice(rest) else { return };
    let base = "https://base.example/api".parse().expect("it is an address");
    let target = Target { base: Some(base), variables: Map::new() };
    let Ok(built) = build(&PRODUCT, operation, &inputs, &target) else { return };
    assert_eq!((built.url.scheme(), built.url.host_str(), built.url.port()), ("https", Some("base.example"), None));
    assert!(built.url.path().starts_with("/api/") && built.url.username().is_empty(), "{}", built.url);
    assert!(built.url.fragment().is_none(), "{}", built.url);
    let steps = |path: &str| path.split('/').filter(|step| !step.is_empty()).count();
    assert_eq!(steps(built.url.path()), 1 + steps(&operation.path), "{}", built.url);
    for (name, value) in &built.headers {
        assert!(!name.contains(char::is_control) && !value.contains(['\r', '\n', '\0']), "{name}: {value:?}");
        assert!(["content-type", "accept", "cookie", "x-one"].contains(&name.as_str()), "{name}");
    }
});

const DOCUMENT: &str = r#"
openapi: 3.1.0
info: { title: Fuzz, version: '1' }
paths:
  /plain/{id}:
    get:
      parameters:
        - { name: id, in: path, required: true, schema: { type: string } }
        - { name: q, in: query, schema: { type: array, items: { type: string } } }
        - { name: deep, in: query, style: deepObject, schema: { type: object } }
        - { name: piped, in: query, style: pipeDelimited, explode: false, schema: { type: array, items: {} } }
        - { name: X-One, in: header, schema: { type: array, items: { type: string } } }
        - { name: c, in: cookie, schema: { type: object } }
        - { name: whole, in: query, content: { application/json: { schema: {} } } }
  /label/{l}/matrix/{m}:
    delete:
      parameters:
        - { name: l, in: path, required: true, style: label, explode: true, schema: { type: array, items: {} } }
        - { name: m, in: path, required: true, style: matrix, schema: { type: object } }
  /json:
    post: { requestBody: { content: { application/json: { schema: { type: object, properties: { a: { type: integer }, b: { type: [string, 'null'] }, c: {} } } } } } }
  /form:
    post: { requestBody: { content: { application/x-www-form-urlencoded: { schema: { type: object, properties: { a: {}, b: { type: array, items: {} }, c: { type: object } } } } } } }
  /parts:
    post: { requestBody: { content: { multipart/form-data: { schema: { type: object, properties: { file: { type: string, format: binary }, text: { type: string }, more: { type: object } } } } } } }
  /text:
    put: { requestBody: { required: true, content: { text/plain: { schema: { type: string } } } } }
"#;
