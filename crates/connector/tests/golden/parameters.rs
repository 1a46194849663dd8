//! Path, query, header and cookie, by style.

use sortie_connector::Target;

use crate::{built, imported, written};

/// The request line of a GET with this parameter.
#[track_caller]
fn check(path: &str, parameter: &str, inputs: &str, expected: &str) {
    let import = imported(path, "get", &format!("parameters: [{parameter}]"));
    let text = written(&built(&import, inputs, &Target::default()).unwrap_or_else(|error| panic!("{inputs}: {error}")));
    assert_eq!(text.trim_end(), format!("GET https://api.example/v1{expected}"), "{parameter} {inputs}");
}

/// The table of OpenAPI 3.0.3, "Style Examples": an empty string, a text, a list, an object.
const LIST: &str = r#"{"color":["blue","black","brown"]}"#;
const OBJECT: &str = r#"{"color":{"R":100,"G":200,"B":150}}"#;

fn path(more: &str, kind: &str) -> String {
    format!("{{ name: color, in: path, required: true, {more} schema: {{ type: {kind} }} }}")
}

fn query(more: &str, kind: &str) -> String {
    format!("{{ name: color, in: query, {more} schema: {{ type: {kind} }} }}")
}

// JSON objects have no order; ours write their members by name: B, G, R.
#[test]
fn paths_by_style() {
    let text = r#"{"color":"blue"}"#;
    check("/c/{color}", &path("", "string"), text, "/c/blue");
    check("/c/{color}", &path("", "array"), LIST, "/c/blue,black,brown");
    check("/c/{color}", &path("explode: true,", "array"), LIST, "/c/blue,black,brown");
    check("/c/{color}", &path("", "object"), OBJECT, "/c/B,150,G,200,R,100");
    check("/c/{color}", &path("explode: true,", "object"), OBJECT, "/c/B=150,G=200,R=100");
    check("/c/{color}", &path("style: label,", "string"), text, "/c/.blue");
    check("/c/{color}", &path("style: label,", "array"), LIST, "/c/.blue,black,brown");
    check("/c/{color}", &path("style: label, explode: true,", "array"), LIST, "/c/.blue.black.brown");
    check("/c/{color}", &path("style: label,", "object"), OBJECT, "/c/.B,150,G,200,R,100");
    check("/c/{color}", &path("style: label, explode: true,", "object"), OBJECT, "/c/.B=150.G=200.R=100");
    check("/c/{color}", &path("style: matrix,", "string"), text, "/c/;color=blue");
    check("/c/{color}", &path("style: matrix,", "string"), r#"{"color":""}"#, "/c/;color");
    check("/c/{color}", &path("style: matrix,", "array"), LIST, "/c/;color=blue,black,brown");
    check(
        "/c/{color}",
        &path("style: matrix, explode: true,", "array"),
        LIST,
        "/c/;color=blue;color=black;color=brown",
    );
    check("/c/{color}", &path("style: matrix,", "object"), OBJECT, "/c/;color=B,150,G,200,R,100");
    check("/c/{color}", &path("style: matrix, explode: true,", "object"), OBJECT, "/c/;B=150;G=200;R=100");
}

#[test]
fn paths_keep_every_character_in_its_step() {
    let id = "{ name: id, in: path, required: true, schema: { type: string } }";
    check("/i/{id}/x", id, r#"{"id":"a/b"}"#, "/i/a%2Fb/x");
    check("/i/{id}/x", id, r#"{"id":"../../admin"}"#, "/i/..%2F..%2Fadmin/x");
    check("/i/{id}/x", id, r#"{"id":"a?b#c&d"}"#, "/i/a%3Fb%23c%26d/x");
    check("/i/{id}/x", id, r#"{"id":"50%"}"#, "/i/50%25/x");
    check("/i/{id}/x", id, r#"{"id":"%2e%2e"}"#, "/i/%252e%252e/x");
    check("/i/{id}/x", id, r#"{"id":"a b+c"}"#, "/i/a%20b%2Bc/x");
    check("/i/{id}/x", id, r#"{"id":"back\\slash"}"#, "/i/back%5Cslash/x");
    check("/i/{id}/x", id, r#"{"id":"ümläut €"}"#, "/i/%C3%BCml%C3%A4ut%20%E2%82%AC/x");
    check("/i/{id}/x", id, r#"{"id":"🦀"}"#, "/i/%F0%9F%A6%80/x");
    check("/i/{id}/x", id, r#"{"id":"a;v=1,b:@!$'()*"}"#, "/i/a%3Bv%3D1%2Cb%3A%40%21%24%27%28%29%2A/x");
    check("/i/{id}/x", id, r#"{"id":"tab\there\nline"}"#, "/i/tab%09here%0Aline/x");
    check("/i/{id}/x", id, r#"{"id":7}"#, "/i/7/x");
    check("/i/{id}.json", id, r#"{"id":".."}"#, "/i/...json");
    check("/alerts({id})/x", id, r#"{"id":"7"}"#, "/alerts(7)/x");
}

#[test]
fn queries_by_style() {
    check("/q", &query("", "string"), r#"{"color":"blue"}"#, "/q?color=blue");
    check("/q", &query("", "string"), r#"{"color":""}"#, "/q?color=");
    check("/q", &query("", "string"), "{}", "/q");
    check("/q", &query("", "string"), r#"{"color":null}"#, "/q");
    check("/q", &query("", "array"), LIST, "/q?color=blue&color=black&color=brown");
    check("/q", &query("explode: false,", "array"), LIST, "/q?color=blue,black,brown");
    check("/q", &query("", "array"), r#"{"color":[]}"#, "/q");
    check("/q", &query("", "object"), OBJECT, "/q?B=150&G=200&R=100");
    check("/q", &query("explode: false,", "object"), OBJECT, "/q?color=B,150,G,200,R,100");
    check("/q", &query("style: spaceDelimited, explode: false,", "array"), LIST, "/q?color=blue%20black%20brown");
    check("/q", &query("style: pipeDelimited, explode: false,", "array"), LIST, "/q?color=blue%7Cblack%7Cbrown");
    check(
        "/q",
        &query("style: deepObject, explode: true,", "object"),
        OBJECT,
        "/q?color%5BB%5D=150&color%5BG%5D=200&color%5BR%5D=100",
    );
    let nested = r#"{"color":{"a":{"b":1},"c":["x","y"]}}"#;
    check(
        "/q",
        &query("style: deepObject, explode: true,", "object"),
        nested,
        "/q?color%5Ba%5D%5Bb%5D=1&color%5Bc%5D=x&color%5Bc%5D=y",
    );
    let json = "{ name: color, in: query, content: { application/json: { schema: { type: object } } } }";
    check("/q", json, r#"{"color":{"a":"b c"}}"#, "/q?color=%7B%22a%22%3A%22b%20c%22%7D");
}

#[test]
fn queries_encode_what_would_end_a_value() {
    let text = query("", "string");
    check("/q", &text, r#"{"color":"a&b=c#d"}"#, "/q?color=a%26b%3Dc%23d");
    check("/q", &text, r#"{"color":"1+1 = 2"}"#, "/q?color=1%2B1%20%3D%202");
    check("/q", &text, r#"{"color":"100%25"}"#, "/q?color=100%2525");
    check("/q", &text, r#"{"color":"it's \"so\""}"#, "/q?color=it%27s%20%22so%22");
    check("/q", &text, r#"{"color":"é"}"#, "/q?color=%C3%A9");
    check("/q", &query("explode: false,", "array"), r#"{"color":["a,b","c"]}"#, "/q?color=a%2Cb,c");
    check("/q", &query("", "boolean"), r#"{"color":true}"#, "/q?color=true");
    check("/q", &query("", "number"), r#"{"color":1.5}"#, "/q?color=1.5");
    check("/q", &query("", "integer"), r#"{"color":9007199254740993}"#, "/q?color=9007199254740993");
    let reserved = query("allowReserved: true,", "string");
    check("/q", &reserved, r#"{"color":"a/b:c?d@e,f"}"#, "/q?color=a/b:c?d@e,f");
    check("/q", &reserved, r#"{"color":"a&b#c+d"}"#, "/q?color=a%26b%23c%2Bd");
    check("/q", &reserved, r#"{"color":"50% %41"}"#, "/q?color=50%25%20%41");
    let filter = "{ name: $filter, in: query, schema: { type: string } }";
    check("/q", filter, r#"{"$filter":"status eq 'active'"}"#, "/q?$filter=status%20eq%20%27active%27");
    check("/q?fixed=a b", &text, r#"{"color":"blue"}"#, "/q?fixed=a%20b&color=blue");
}

#[test]
fn headers_and_cookies() {
    let header = |kind: &str, more: &str| format!("{{ name: X-Color, in: header, {more} schema: {{ type: {kind} }} }}");
    check("/h", &header("string", ""), r#"{"X-Color":"blue, \"dark\"; q=1"}"#, "/h\nx-color: blue, \"dark\"; q=1");
    check("/h", &header("array", ""), r#"{"X-Color":["a","b c"]}"#, "/h\nx-color: a,b c");
    check("/h", &header("object", ""), r#"{"X-Color":{"a":1,"b":2}}"#, "/h\nx-color: a,1,b,2");
    check("/h", &header("object", "explode: true,"), r#"{"X-Color":{"a":1,"b":2}}"#, "/h\nx-color: a=1,b=2");
    check("/h", &header("integer", ""), r#"{"X-Color":7}"#, "/h\nx-color: 7");
    check("/h", &header("string", ""), r#"{"X-Color":null}"#, "/h");
    let cookie = "{ name: s, in: cookie, schema: { type: string } }";
    check("/c", cookie, r#"{"s":"a b;c"}"#, "/c\ncookie: s=a%20b%3Bc");
    let two = "{ name: s, in: cookie, schema: { type: string } }, { name: t, in: cookie, schema: { type: string } }";
    check("/c", two, r#"{"s":"1","t":"2"}"#, "/c\ncookie: s=1; t=2");
}
