//! Answers as Entra, the metadata service, proxies and broken lines give them.

use proptest::prelude::*;

use super::*;
use crate::error::Who;

fn error(status: u16, content_type: &str, body: &str) -> TokenError {
    parse_token_answer(status, Some(content_type), body.as_bytes()).expect_err("no token is expected")
}

#[test]
fn both_success_shapes_are_read() {
    let now = jiff::Timestamp::from_second(1_506_480_573).unwrap();
    for (body, seconds) in [
        (r#"{"token_type":"Bearer","expires_in":3599,"ext_expires_in":0,"access_token":"abc"}"#, 3599),
        (r#"{"token_type":"Bearer","expires_in":"3599","expires_on":"1","resource":"x","access_token":"abc"}"#, 3599),
        (r#"{"token_type":"bearer","expires_on":"1506484173","access_token":"abc"}"#, 3600),
        ("\u{feff}{\"access_token\":\"abc\",\"expires_in\":3599.0}\r\n", 3599),
        (r#"{"access_token":"abc"}"#, 3600),
        (r#"{"access_token":"abc","expires_in":-5}"#, 3600),
        (r#"{"access_token":"abc","expires_on":"1"}"#, 0),
    ] {
        let answer = parse_token_answer(200, None, body.as_bytes()).unwrap();
        assert_eq!(answer.access_token.expose(), "abc");
        assert_eq!(answer.lifetime(now).as_secs(), seconds, "{body}");
    }
}

#[test]
fn a_refusal_keeps_code_and_ids() {
    let body = r#"{"error":"invalid_client","error_description":"AADSTS7000222: The provided client secret keys for app 'x' are expired.\r\nTrace ID: t-1\r\nCorrelation ID: c-1\r\nTimestamp: 2026-11-22 10:00:00Z","error_codes":[7000222],"timestamp":"2026-11-22 10:00:00Z","trace_id":"t-1","correlation_id":"c-1","error_uri":"https://login.microsoftonline.com/error?code=7000222"}"#;
    let error = error(401, "application/json", body);
    assert_eq!(error.cause, TokenErrorCause::SecretExpired);
    assert_eq!((error.code, error.status), (Some(7000222), Some(401)));
    assert_eq!(error.trace_id.as_deref(), Some("t-1"));
    assert_eq!(error.correlation_id.as_deref(), Some("c-1"));
    assert_eq!(error.timestamp.as_deref(), Some("2026-11-22 10:00:00Z"));
    assert_eq!(error.message.as_deref(), Some("The provided client secret keys for app 'x' are expired."));
    assert_eq!(error.who(), Who::Operator);
    assert!(error.remedy().contains("new secret"));
    assert_eq!(error.to_string(), "no token: the client secret has expired (AADSTS7000222)");
}

#[test]
fn ids_are_found_in_the_words_where_the_fields_are_missing() {
    let body = r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided. Trace ID: t-2 Correlation ID: c-2 Timestamp: 2025-06-03 16:10:00Z"}"#;
    let error = error(401, "application/json", body);
    assert_eq!(error.cause, TokenErrorCause::WrongSecret);
    assert_eq!(error.trace_id.as_deref(), Some("t-2"));
    assert_eq!(error.correlation_id.as_deref(), Some("c-2"));
    assert_eq!(error.timestamp.as_deref(), Some("2025-06-03 16:10:00Z"));
    assert_eq!(error.message.as_deref(), Some("Invalid client secret provided."));
}

#[test]
fn every_row_of_the_table_is_reached_by_its_code() {
    for row in crate::explanations() {
        let body = format!(r#"{{"error":"e","error_description":"AADSTS{0}: x","error_codes":["{0}"]}}"#, row.code);
        let error = error(400, "application/json", &body);
        assert_eq!((error.cause, error.code), (row.cause, Some(row.code)));
        assert_eq!((error.who(), error.may_pass()), (row.who, row.retryable));
    }
}

#[test]
fn what_is_no_token_answer_is_named() {
    use TokenErrorCause as Cause;
    for (status, content_type, body, expected) in [
        (200, "text/html", "<html>Log in to the proxy</html>", Cause::HtmlAnswer),
        (200, "application/json", "<!doctype html>", Cause::HtmlAnswer),
        (502, "text/html", "<html>Bad gateway</html>", Cause::HtmlAnswer),
        (200, "application/json", "", Cause::EmptyAnswer),
        (503, "application/json", "", Cause::Transient),
        (429, "text/plain", "slow down", Cause::Throttled),
        (200, "application/json", r#"{"access_token":"ab"#, Cause::CutAnswer),
        (400, "application/json", r#"{"error":"inval"#, Cause::CutAnswer),
        (200, "text/plain", "hello", Cause::NotJson),
        (200, "application/json", "[]", Cause::WrongShape),
        (200, "application/json", r#"{"access_token":"a b"}"#, Cause::WrongShape),
        (200, "application/json", r#"{"access_token":"a","token_type":"pop"}"#, Cause::WrongShape),
        (200, "application/json", r#"{"token_type":"Bearer"}"#, Cause::TokenMissing),
        (200, "application/json", r#"{"access_token":null}"#, Cause::TokenMissing),
        (400, "application/json", r#"{"message":"x"}"#, Cause::WrongShape),
        (400, "application/json", r#"{"error":"brand_new"}"#, Cause::UnknownRefusal),
        (400, "application/json", r#"{"error":"invalid_scope"}"#, Cause::ScopeInvalid),
        (400, "application/json", r#"{"error":{"code":"x","message":"y"}}"#, Cause::UnknownRefusal),
        (500, "application/json", r#"{"error":"weird","error_codes":[1]}"#, Cause::Transient),
    ] {
        assert_eq!(error(status, content_type, body).cause, expected, "{status} {body}");
    }
    let huge = format!(r#"{{"access_token":"{}"}}"#, "x".repeat(ANSWER_BYTES_MAX));
    assert_eq!(error(200, "application/json", &huge).cause, Cause::OversizedAnswer);
}

#[test]
fn no_token_is_shown_by_an_error_about_its_answer() {
    let error = error(200, "application/json", r#"{"access_token":"hunter 2"}"#);
    assert!(!format!("{error:?} {error} {}", error.remedy()).contains("hunter"));
}

proptest! {
    #[test]
    fn no_bytes_panic(status in 100u16..600, body in any::<Vec<u8>>()) {
        let _ = parse_token_answer(status, None, &body);
    }

    #[test]
    fn nothing_like_an_answer_panics(
        status in 100u16..600,
        members in proptest::collection::vec(
            (
                "error|error_codes|error_description|access_token|token_type|expires_in|expires_on|scope|trace_id",
                "-?(0|[1-9][0-9]{0,24})|\\[(-?[1-9][0-9]{0,24}|null)?\\]|null|\\{\"code\":\"[a-z]{0,5}\"\\}|\"-?[0-9]{1,25}\"|\"AADSTS[0-9]{0,12}:? ?[a-zé ]{0,9}(Trace ID:|Timestamp:)?[^\"\\\\\\pC]{0,5}\"",
            ),
            0..6,
        ),
        end in "\\}|\\}\\}|,\\}|",
    ) {
        let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        let text = format!("{{{}{end}", members.join(","));
        match parse_token_answer(status, Some("application/json"), text.as_bytes()) {
            Ok(answer) => _ = answer.lifetime(jiff::Timestamp::UNIX_EPOCH),
            Err(error) => _ = (error.who(), error.remedy(), error.to_string(), error.may_pass()),
        }
    }
}
