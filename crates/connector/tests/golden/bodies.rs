//! JSON, URL-encoded and multipart forms, texts and bytes.

use sortie_connector::Target;

use crate::{built, imported, written};

#[track_caller]
fn check(content: &str, inputs: &str, expected: &str) {
    let body = format!("requestBody:\n  required: true\n  content:\n    {content}");
    let import = imported("/b", "post", &body);
    let request = built(&import, inputs, &Target::default()).unwrap_or_else(|error| panic!("{inputs}: {error}"));
    let text = written(&request);
    let text = text.strip_prefix("POST https://api.example/v1/b\ncontent-type: ").unwrap_or_else(|| panic!("{text}"));
    assert_eq!(text, expected, "{content} {inputs}");
}

fn object(media_type: &str, properties: &str) -> String {
    format!("{media_type}: {{ schema: {{ type: object, properties: {{ {properties} }} }} }}")
}

#[test]
fn json_by_types() {
    let json = object(
        "application/json",
        "a: { type: string }, n: { type: integer }, on: { type: boolean }, l: { type: array, items: {} }, o: { type: object }",
    );
    check(&json, r#"{"a":"x"}"#, "application/json\n\n{\"a\":\"x\"}");
    check(
        &json,
        r#"{"a":"quote \" back \\ tab \t line \n"}"#,
        "application/json\n\n{\"a\":\"quote \\\" back \\\\ tab \\t line \\n\"}",
    );
    check(&json, r#"{"a":"🦀 ü \u0001"}"#, "application/json\n\n{\"a\":\"🦀 ü \\u0001\"}");
    check(&json, r#"{"a":"${b} {{ c }} $(d)"}"#, "application/json\n\n{\"a\":\"${b} {{ c }} $(d)\"}");
    check(&json, r#"{"a":"two  spaces"}"#, "application/json\n\n{\"a\":\"two  spaces\"}");
    check(&json, r#"{"a":null}"#, "application/json\n\n{\"a\":null}");
    check(&json, r#"{"a":""}"#, "application/json\n\n{\"a\":\"\"}");
    check(&json, r#"{"n":7,"on":true}"#, "application/json\n\n{\"n\":7,\"on\":true}");
    check(&json, r#"{"n":"7","on":"true"}"#, "application/json\n\n{\"n\":7,\"on\":true}");
    check(&json, r#"{"a":"7"}"#, "application/json\n\n{\"a\":\"7\"}");
    check(&json, r#"{"n":9007199254740993}"#, "application/json\n\n{\"n\":9007199254740993}");
    check(
        &json,
        r#"{"l":[1,"a",null,[]],"o":{"x":{}}}"#,
        "application/json\n\n{\"l\":[1,\"a\",null,[]],\"o\":{\"x\":{}}}",
    );
    check(&json, r#"{"body":{"a":"whole","b":1}}"#, "application/json\n\n{\"a\":\"whole\",\"b\":1}");

    check(
        "application/json: { schema: { type: array, items: { type: string } } }",
        r#"{"body":["a"]}"#,
        "application/json\n\n[\"a\"]",
    );
    check(
        "application/merge-patch+json: { schema: { type: object, properties: { a: {} } } }",
        r#"{"a":1}"#,
        "application/merge-patch+json\n\n{\"a\":1}",
    );
}

#[test]
fn a_field_with_one_value_alone_is_not_asked_for() {
    let json = "application/json: { schema: { type: object, required: [kind, text], properties: { kind: { enum: [comment] }, text: { type: string } } } }";
    check(json, r#"{"text":"x"}"#, "application/json\n\n{\"kind\":\"comment\",\"text\":\"x\"}");
}

#[test]
fn url_encoded_forms() {
    let form =
        object("application/x-www-form-urlencoded", "a: { type: string }, l: { type: array, items: { type: string } }");
    let head = "application/x-www-form-urlencoded\n\n";
    check(&form, r#"{"a":"x y"}"#, &format!("{head}a=x+y"));
    check(&form, r#"{"a":"a&b=c+d%"}"#, &format!("{head}a=a%26b%3Dc%2Bd%25"));
    check(&form, r#"{"a":"ü"}"#, &format!("{head}a=%C3%BC"));
    check(&form, r#"{"a":"","l":["1","2 3"]}"#, &format!("{head}a=&l=1&l=2+3"));
    check("application/x-www-form-urlencoded: {}", r#"{"body":"a=1&b=x+y"}"#, &format!("{head}a=1&b=x+y"));
    let deep = "application/x-www-form-urlencoded: { schema: { type: object, properties: { o: { type: object } } }, encoding: { o: { style: deepObject, explode: true } } }";
    check(deep, r#"{"o":{"a":1,"b":"x y"}}"#, &format!("{head}o%5Ba%5D=1&o%5Bb%5D=x+y"));
    let flat = "application/x-www-form-urlencoded: { schema: { type: object, properties: { l: { type: array, items: {} } } }, encoding: { l: { style: form, explode: false } } }";
    check(flat, r#"{"l":["a","b"]}"#, &format!("{head}l=a%2Cb"));
}

/// The boundary is made from the content, so the rest is compared with the boundary's place marked.
#[track_caller]
fn check_multipart(properties: &str, inputs: &str, expected: &str) {
    let body = format!(
        "requestBody:\n  required: true\n  content:\n    multipart/form-data: {{ schema: {{ type: object, properties: {{ {properties} }} }} }}"
    );
    let request = built(&imported("/b", "post", &body), inputs, &Target::default()).unwrap();
    let content_type = &request.headers.iter().find(|(name, _)| name == "content-type").unwrap().1;
    let boundary = content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
    assert!(boundary.len() <= 70, "RFC 2046 section 5.1.1");
    let body = request.body.unwrap();
    let text = body.escape_ascii().to_string().replace(boundary, "B");
    assert_eq!(text, expected, "{inputs}");
}

#[test]
fn multipart_forms() {
    check_multipart(
        "a: { type: string }",
        r#"{"a":"x"}"#,
        r#"--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--B--\r\n"#,
    );
    check_multipart(
        "a: { type: string }, f: { type: string, format: binary }",
        r#"{"a":"1","f":{"name":"a \"b\".txt","text":"hi\r\n--B","type":"text/plain"}}"#,
        r#"--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a %22b%22.txt\"\r\nContent-Type: text/plain\r\n\r\nhi\r\n--B\r\n--B--\r\n"#,
    );
    check_multipart(
        "f: { type: string, format: binary }",
        r#"{"f":{"name":"x.bin","base64":"AP8K"}}"#,
        r#"--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n\x00\xff\n\r\n--B--\r\n"#,
    );
    check_multipart(
        "o: { type: object }",
        r#"{"o":{"a":1}}"#,
        r#"--B\r\nContent-Disposition: form-data; name=\"o\"\r\nContent-Type: application/json\r\n\r\n{\"a\":1}\r\n--B--\r\n"#,
    );
    check_multipart(
        "f: { type: array, items: { type: string, format: binary } }",
        r#"{"f":[{"name":"1","text":"a"},{"name":"2","text":"b"}]}"#,
        r#"--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"1\"\r\nContent-Type: application/octet-stream\r\n\r\na\r\n--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"2\"\r\nContent-Type: application/octet-stream\r\n\r\nb\r\n--B--\r\n"#,
    );
}

#[test]
fn texts_and_bytes() {
    check("text/plain: { schema: { type: string } }", r#"{"body":"a\r\nb \" \\ é"}"#, "text/plain\n\na\r\nb \" \\ é");
    check("application/xml: { schema: { type: string } }", r#"{"body":"<a b='c'/>"}"#, "application/xml\n\n<a b='c'/>");
    check("text/csv: { schema: { type: string } }", r#"{"body":"a,b\n1,2\n"}"#, "text/csv\n\na,b\n1,2\n");
    check(
        "application/octet-stream: { schema: { type: string, format: binary } }",
        r#"{"body":{"base64":"aGk="}}"#,
        "application/octet-stream\n\nhi",
    );
    check(
        "image/png: { schema: { type: string, format: binary } }",
        r#"{"body":{"text":"x","type":"image/jpeg"}}"#,
        "image/jpeg\n\nx",
    );
}

#[test]
fn a_range_of_types_is_sent_as_one_of_them() {
    check("'*/*': { schema: { type: string } }", r#"{"body":"a"}"#, "application/json\n\n\"a\"");
    check("'text/*': { schema: { type: string } }", r#"{"body":"a"}"#, "text/plain\n\na");
    let bytes = "schema: { type: string, format: binary }";
    check(&format!("'*/*': {{ {bytes} }}"), r#"{"body":{"base64":"aGk="}}"#, "application/octet-stream\n\nhi");
    check(&format!("'image/*': {{ {bytes} }}"), r#"{"body":{"text":"x","type":"image/png"}}"#, "image/png\n\nx");
}

#[test]
fn a_body_that_is_not_needed_is_not_sent() {
    let optional = imported(
        "/b",
        "post",
        "requestBody:\n  content:\n    application/json: { schema: { type: object, properties: { a: {} } } }",
    );
    assert_eq!(written(&built(&optional, "{}", &Target::default()).unwrap()), "POST https://api.example/v1/b\n");
    let needed = imported(
        "/b",
        "post",
        "requestBody:\n  required: true\n  content:\n    application/json: { schema: { type: object, properties: { a: {} } } }",
    );
    assert_eq!(
        written(&built(&needed, "{}", &Target::default()).unwrap()),
        "POST https://api.example/v1/b\ncontent-type: application/json\n\n{}"
    );
}
