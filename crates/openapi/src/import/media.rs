//! Media types: which of the five ways to write or read a body each of them means.

use serde_json::Value;

use super::schema::json_type;
use crate::operation::BodyForm;

/// A media type as it goes into a header: lower case, parameters kept; `None` when it is none.
pub(super) fn clean(written: &str) -> Option<String> {
    let written = written.trim();
    let (essence, parameters) = match written.find([';', ',']) {
        Some(at) => (written[..at].trim(), written[at + 1..].trim()),
        None => (written, ""),
    };
    let essence = match essence.to_ascii_lowercase().as_str() {
        "json" => "application/json".to_owned(),
        "xml" => "application/xml".to_owned(),
        "form" | "form-urlencoded" | "x-www-form-urlencoded" => "application/x-www-form-urlencoded".to_owned(),
        "form-data" | "multipart" => "multipart/form-data".to_owned(),
        "text" | "plain" => "text/plain".to_owned(),
        other => other.to_owned(),
    };
    let (kind, subtype) = essence.split_once('/')?;
    let is_token = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
    if !is_token(kind) || !is_token(subtype) {
        return None;
    }
    // A word that is no parameter (`application/json;charset`) makes the header unreadable for strict readers.
    let is_whole = parameters.contains('"') || parameters.split(';').all(|one| one.contains('='));
    Some(if is_whole && !parameters.is_empty() { format!("{essence}; {parameters}") } else { essence })
}

/// How a body of this type and schema is written or read.
pub(super) fn form(media_type: &str, schema: Option<&Value>) -> BodyForm {
    let essence = media_type.split(';').next().unwrap_or(media_type).trim();
    let subtype = essence.split_once('/').map_or("", |(_, subtype)| subtype);
    let is_bytes = schema.is_some_and(is_file);
    match essence {
        "application/x-www-form-urlencoded" => BodyForm::Form,
        "multipart/form-data" => BodyForm::Multipart,
        "application/x-ndjson"
        | "application/ndjson"
        | "application/jsonl"
        | "application/x-jsonlines"
        | "application/json-seq"
        | "application/yaml"
        | "application/x-yaml"
        | "application/xml"
        | "application/javascript"
        | "application/sql"
        | "application/graphql"
        | "application/jwt" => BodyForm::Text,
        "*/*" | "application/*" if is_bytes => BodyForm::Binary,
        "*/*" | "application/*" => BodyForm::Json,
        _ if subtype == "json" || subtype.ends_with("+json") => BodyForm::Json,
        _ if essence.starts_with("text/") || subtype.ends_with("+xml") || subtype.ends_with("+jwt") => BodyForm::Text,
        _ => BodyForm::Binary,
    }
}

/// Whether a schema means the bytes of a file.
pub(super) fn is_file(schema: &Value) -> bool {
    // Raw schemas come here, too: a type counts as what it will be read as.
    let is_text = match schema.get("type") {
        None => true,
        Some(Value::Array(names)) => names.iter().any(|name| name == "string"),
        Some(name) => match json_type(name.as_str().unwrap_or_default()) {
            Some((_, Some("binary"))) => return true,
            Some((name, _)) => name == "string",
            None => true,
        },
    };
    let binary = schema.get("format").and_then(Value::as_str).is_some_and(|format| matches!(format, "binary" | "file"));
    let raw =
        schema.get("contentMediaType").is_some_and(|kind| !is_textual(kind)) && schema.get("contentEncoding").is_none();
    is_text && (binary || raw)
}

fn is_textual(media_type: &Value) -> bool {
    media_type.as_str().is_some_and(|text| text.starts_with("text/") || text.ends_with("json"))
}

/// How many media types Swagger 2.0 may state for all operations at once.
pub(super) const COUNT_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(written: &str, cleaned: Option<&str>, expected: BodyForm) {
        let found = clean(written);
        assert_eq!(found.as_deref(), cleaned);
        if let Some(found) = found {
            assert_eq!(form(&found, None), expected);
            assert_eq!(clean(&found).as_ref(), Some(&found), "a second time");
        }
    }

    #[test]
    fn a_media_type_tells_how_a_body_is_written() {
        check("application/json", Some("application/json"), BodyForm::Json);
        check("Application/JSON; charset=utf-8", Some("application/json; charset=utf-8"), BodyForm::Json);
        check("application/json, okta-version=1.0.0", Some("application/json; okta-version=1.0.0"), BodyForm::Json);
        check("application/vnd.x+json;version=2", Some("application/vnd.x+json; version=2"), BodyForm::Json);
        check("application/json;charset", Some("application/json"), BodyForm::Json);
        check("text/x; a=\"b;c\"", Some("text/x; a=\"b;c\""), BodyForm::Text);
        check("multipart/form-data", Some("multipart/form-data"), BodyForm::Multipart);
        check("multipart/mixed", Some("multipart/mixed"), BodyForm::Binary);
        check("text/csv", Some("text/csv"), BodyForm::Text);
        check("application/soap+xml", Some("application/soap+xml"), BodyForm::Text);
        check("image/png", Some("image/png"), BodyForm::Binary);
        check("json", Some("application/json"), BodyForm::Json);
        check("example", None, BodyForm::Json);
    }

    #[test]
    fn bytes_are_told_from_texts() {
        assert!(is_file(&json!({ "type": "string", "format": "binary" })));
        assert!(is_file(&json!({ "type": ["string", "null"], "format": "binary" })));
        assert!(is_file(&json!({ "contentMediaType": "image/png" })));
        assert!(!is_file(&json!({ "type": "string", "contentMediaType": "image/png", "contentEncoding": "base64" })));
        assert!(!is_file(&json!({ "type": "string", "format": "byte" })));
        assert_eq!(form("*/*", Some(&json!({ "type": "string", "format": "binary" }))), BodyForm::Binary);
    }
}
