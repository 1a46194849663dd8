//! Mistakes in the inputs are told in the workflow's words, and nothing is built.

use sortie_connector::Target;

use crate::{built, imported};

#[track_caller]
fn check(rest: &str, inputs: &str, expected: &str) {
    let import = imported("/r/{id}/x", "post", rest);
    let error = built(&import, inputs, &Target::default()).map(|request| request.url.to_string()).unwrap_err();
    assert_eq!(error.to_string(), expected, "{inputs}");
    assert!(error.remedy().ends_with('.'));
}

const ID: &str = "parameters: [{ name: id, in: path, required: true, schema: { type: string } }, { name: count, in: query, schema: { type: integer } }, { name: X-Note, in: header, schema: { type: string } }]";

#[test]
fn names_needs_and_types() {
    check(ID, "{}", "the input `id` is missing");
    check(ID, r#"{"id":null}"#, "the input `id` is missing");
    check(ID, r#"{"id":"1","cuont":1}"#, "there is no input `cuont`; did you mean `count`?");
    check(ID, r#"{"id":"1","elsewhere":1}"#, "there is no input `elsewhere`");
    check(ID, r#"{"id":"1","count":"many"}"#, "the input `count` takes a whole number, not a text");
    check(ID, r#"{"id":"1","count":1.5}"#, "the input `count` takes a whole number, not a number");
    check(ID, r#"{"id":["1"]}"#, "the input `id` takes a text, not a list");
}

#[test]
fn no_value_leads_to_another_operation() {
    for step in ["", ".", ".."] {
        check(
            ID,
            &format!(r#"{{"id":"{step}"}}"#),
            "the input `id` would leave a step of the path empty, `.` or `..`, which is another operation's path",
        );
    }
}

#[test]
fn no_value_begins_another_header() {
    for value in [r"a\r\nHost: evil.example", r"a\nb", r"a\u0000", "ä"] {
        check(
            ID,
            &format!(r#"{{"id":"1","X-Note":"{value}"}}"#),
            "the input `X-Note` cannot be sent: a header carries visible ASCII characters alone",
        );
    }
}

#[test]
fn bodies_are_given_whole_or_by_fields() {
    let body = format!(
        "{ID}\nrequestBody:\n  required: true\n  content:\n    application/json: {{ schema: {{ type: object, required: [a], additionalProperties: false, properties: {{ a: {{ type: string }}, b: {{ type: array, items: {{}} }} }} }} }}"
    );
    check(&body, r#"{"id":"1"}"#, "the input `a` is missing");
    check(&body, r#"{"id":"1","b":[]}"#, "the input `a` is missing");
    check(
        &body,
        r#"{"id":"1","a":"x","body":{}}"#,
        "the input `body` is the whole body; give it alone, or the fields such as `a`",
    );
    check(&body, r#"{"id":"1","a":"x","b":"y"}"#, "the input `b` takes a list, not a text");
    let file = format!(
        "{ID}\nrequestBody:\n  required: true\n  content:\n    multipart/form-data: {{ schema: {{ type: object, properties: {{ f: {{ type: string, format: binary }} }} }} }}"
    );
    check(
        &file,
        r#"{"id":"1","f":{"name":"x"}}"#,
        "the input `f` is no file: give its content as `text` or as `base64`, one of the two",
    );
    let parts = format!("{ID}\nrequestBody:\n  content:\n    multipart/form-data: {{}}");
    check(&parts, r#"{"id":"1","body":"a=1"}"#, "the input `body` takes an object with one member a part, not a text");
    check(&file, r#"{"id":"1","f":{"base64":"?"}}"#, "the input `f` is no file: its `base64` cannot be decoded");
    check(
        &file,
        r#"{"id":"1","f":{"text":"x","type":"a\r\nb"}}"#,
        "the input `f` is no file: its `type` is no media type",
    );
}
