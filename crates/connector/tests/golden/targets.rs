//! Where a call leads: the document's server, the connection's base, variables.

use serde_json::json;
use sortie_connector::{Target, build};
use sortie_openapi::NoSources;

/// The address of the one operation `/x` with these servers.
#[track_caller]
fn check(servers: &str, base: Option<&str>, variables: serde_json::Value, expected: Result<&str, &str>) {
    let document = format!(
        "openapi: 3.0.3\ninfo: {{ title: T, version: '1' }}\nservers: {servers}\npaths: {{ /x: {{ get: {{ operationId: op, responses: {{}} }} }} }}"
    );
    let import = sortie_openapi::import(document.as_bytes(), &NoSources, &sortie_openapi::Options::default()).unwrap();
    let target =
        Target { base: base.map(|base| base.parse().unwrap()), variables: variables.as_object().unwrap().clone() };
    let operation = import.description.operation("op").unwrap();
    let built = build(&import.description, operation, &serde_json::Map::new(), &target);
    let said = built.map(|request| request.url.to_string()).map_err(|error| error.to_string());
    assert_eq!(said, expected.map(str::to_owned).map_err(str::to_owned), "{servers} {base:?}");
}

#[test]
fn the_connections_base_goes_before_the_documents() {
    let none = || json!({});
    check("[{ url: 'https://a.example/api' }]", None, none(), Ok("https://a.example/api/x"));
    check("[{ url: 'https://a.example/api/' }]", None, none(), Ok("https://a.example/api/x"));
    check("[{ url: 'https://a.example/api' }]", Some("https://b.example"), none(), Ok("https://b.example/x"));
    check(
        "[{ url: 'https://a.example' }]",
        Some("https://b.example:8443/v2/"),
        none(),
        Ok("https://b.example:8443/v2/x"),
    );
    check("[{ url: /api/v3 }]", Some("https://b.example"), none(), Ok("https://b.example/api/v3/x"));
    check("[{ url: /api/v3 }]", Some("https://b.example/mine"), none(), Ok("https://b.example/mine/x"));
    check("[{ url: /api/v3 }]", None, none(), Err("neither the connector nor the connection says which host to call"));
    check("[]", Some("https://b.example"), none(), Ok("https://b.example/x"));
}

#[test]
fn variables_are_filled_in_and_stay_in_their_place() {
    let servers = "[{ url: 'https://{region}.example/{stage}', variables: { region: { default: eu, enum: [eu, us] }, stage: { default: v1 } } }]";
    check(servers, None, json!({}), Ok("https://eu.example/v1/x"));
    check(servers, None, json!({ "region": "us", "stage": "v2/beta" }), Ok("https://us.example/v2/beta/x"));
    check(servers, None, json!({ "region": "cn" }), Err("the base address needs a value for `region`, one of eu, us"));
    for hostile in ["v1@evil.example", "v1?x=", "v1#", "a b", "v1\\..\\"] {
        check(servers, None, json!({ "stage": hostile }), Err("the base address needs a value for `stage`"));
    }
}
