//! How values become text in a path, a query, a header and a form: OpenAPI's styles, which are RFC 6570's.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use sortie_openapi::{ArrayStyle, ParameterForm};

/// The text of one place in a path.
pub(super) fn path(name: &str, form: &ParameterForm, value: &Value) -> String {
    match form {
        ParameterForm::Content { .. } => encode(&value.to_string()),
        ParameterForm::Style { style: ArrayStyle::Label, explode, .. } => {
            let joint = if *explode { "." } else { "," };
            format!(".{}", joined(value, joint, *explode, &encode))
        }
        ParameterForm::Style { style: ArrayStyle::Matrix, explode, .. } => matrix(name, value, *explode),
        ParameterForm::Style { explode, .. } => simple(value, *explode, &encode),
    }
}

fn matrix(name: &str, value: &Value, explode: bool) -> String {
    let name = encode_name(name);
    let pair = |name: &str, text: String| match text.as_str() {
        "" => format!(";{name}"),
        text => format!(";{name}={text}"),
    };
    match value {
        Value::Array(items) if explode => items.iter().map(|item| pair(&name, encode(&text(item)))).collect(),
        Value::Object(map) if explode => {
            map.iter().map(|(key, item)| pair(&encode_name(key), encode(&text(item)))).collect()
        }
        other => pair(&name, joined(other, ",", false, &encode)),
    }
}

/// `a,b`, `R,100,G,200`, or exploded `R=100,G=200`.
pub(super) fn simple(value: &Value, explode: bool, encode: &dyn Fn(&str) -> String) -> String {
    joined(value, ",", explode, encode)
}

fn joined(value: &Value, joint: &str, pairs: bool, encode: &dyn Fn(&str) -> String) -> String {
    match value {
        Value::Array(items) => items.iter().map(|item| encode(&text(item))).collect::<Vec<_>>().join(joint),
        Value::Object(map) => {
            let between = if pairs { "=" } else { "," };
            let member = |(key, item): (&String, &Value)| format!("{}{between}{}", encode(key), encode(&text(item)));
            map.iter().map(member).collect::<Vec<_>>().join(joint)
        }
        scalar => encode(&text(scalar)),
    }
}

/// The pairs `name=value` of one parameter, encoded for a query. An empty list or object gives none.
pub(super) fn query(name: &str, form: &ParameterForm, value: &Value) -> Vec<String> {
    pairs(name, form, value, &encode)
}

/// The same with the encoding of the text left to the caller, who knows whether reserved characters may stay.
fn pairs(name: &str, form: &ParameterForm, value: &Value, encode: &dyn Fn(&str) -> String) -> Vec<String> {
    let (style, explode, allow_reserved) = match form {
        ParameterForm::Content { .. } => return vec![format!("{}={}", encode_name(name), encode(&value.to_string()))],
        ParameterForm::Style { style, explode, allow_reserved } => (*style, *explode, *allow_reserved),
    };
    let write = |text: &str| if allow_reserved { encode_reserved(text) } else { encode(text) };
    let pair = |name: &str, text: String| format!("{}={text}", encode_name(name));
    if style == ArrayStyle::DeepObject {
        let mut found = Vec::new();
        deep(name, value, &mut |name, text| found.push(pair(name, write(text))));
        return found;
    }
    match value {
        Value::Array(items) if items.is_empty() => Vec::new(),
        Value::Object(map) if map.is_empty() => Vec::new(),
        Value::Array(items) if explode => items.iter().map(|item| pair(name, write(&text(item)))).collect(),
        Value::Object(map) if explode => map.iter().map(|(key, item)| pair(key, write(&text(item)))).collect(),
        other => {
            let joint = match style {
                ArrayStyle::SpaceDelimited => "%20",
                ArrayStyle::PipeDelimited => "%7C",
                _ => ",",
            };
            vec![pair(name, delimited(other, joint, &write))]
        }
    }
}

/// With the delimiter between keys and values, too.
fn delimited(value: &Value, joint: &str, write: &dyn Fn(&str) -> String) -> String {
    match value {
        Value::Object(map) => {
            let member = |(key, item): (&String, &Value)| [write(key), write(&text(item))];
            map.iter().flat_map(member).collect::<Vec<_>>().join(joint)
        }
        other => joined(other, joint, false, write),
    }
}

/// `a[b]=1`, `a[b][c]=2`; lists repeat their name, which is what most readers of this style expect.
fn deep(name: &str, value: &Value, put: &mut dyn FnMut(&str, &str)) {
    match value {
        Value::Object(map) => {
            for (key, item) in map {
                deep(&format!("{name}[{key}]"), item, put);
            }
        }
        Value::Array(items) => {
            for item in items {
                deep(name, item, put);
            }
        }
        scalar => put(name, &text(scalar)),
    }
}

/// One field of a URL-encoded form: a space is `+` there.
pub(super) fn form_pairs(name: &str, form: Option<&ParameterForm>, value: &Value) -> Vec<(String, String)> {
    let explode = Map::from_iter([(name.to_owned(), value.clone())]);
    let Some(form) = form else { return plain(&explode) };
    match (form, value) {
        (ParameterForm::Content { .. }, value) => vec![(name.to_owned(), value.to_string())],
        (ParameterForm::Style { style: ArrayStyle::DeepObject, .. }, value) => {
            let mut found = Vec::new();
            deep(name, value, &mut |name, text| found.push((name.to_owned(), text.to_owned())));
            found
        }
        (ParameterForm::Style { explode: true, .. }, Value::Array(items)) => {
            items.iter().map(|item| (name.to_owned(), text(item))).collect()
        }
        (ParameterForm::Style { explode: true, .. }, Value::Object(map)) => plain(map),
        (ParameterForm::Style { style, .. }, value) => {
            let joint = match style {
                ArrayStyle::SpaceDelimited => " ",
                ArrayStyle::PipeDelimited => "|",
                _ => ",",
            };
            vec![(name.to_owned(), delimited(value, joint, &|text| text.to_owned()))]
        }
    }
}

fn plain(map: &Map<String, Value>) -> Vec<(String, String)> {
    map.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// A scalar as people write it; `null` is empty, and what is nested in a place for a scalar is JSON.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// All but RFC 3986's unreserved characters.
pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Names keep the `$` of OData's options, which is a character of its own right in a query.
pub(super) fn encode_name(name: &str) -> String {
    utf8_percent_encode(name, RESERVED_IN_NAMES).to_string()
}

/// Reserved characters stay, but for those that would end the value: `#`, `&` and `+`. What is encoded already stays so.
fn encode_reserved(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        encoded.extend(utf8_percent_encode(&rest[..at], UNSAFE));
        let is_triplet = rest.as_bytes().get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        encoded.push_str(if is_triplet { "%" } else { "%25" });
        rest = &rest[at + 1..];
    }
    encoded.extend(utf8_percent_encode(rest, UNSAFE));
    encoded
}

const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const RESERVED_IN_NAMES: &AsciiSet = &RESERVED.remove(b'$');
const UNSAFE: &AsciiSet = &RESERVED
    .remove(b':')
    .remove(b'/')
    .remove(b'?')
    .remove(b'[')
    .remove(b']')
    .remove(b'@')
    .remove(b'!')
    .remove(b'$')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b',')
    .remove(b';')
    .remove(b'=');
