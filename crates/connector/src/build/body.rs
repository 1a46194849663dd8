//! The body: JSON by types, URL-encoded and multipart forms, texts and bytes.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use sortie_openapi::{BodyField, BodyForm, Content, Description, Operation};
use sortie_transport::Bytes;
use url::form_urlencoded;

use super::{
    BuildError,
    inputs::{as_asked, kind},
    style,
};

/// The way in which the body is written: the first one that knows all the given fields, else the preferred one.
pub(super) fn chosen<'a>(operation: &'a Operation, inputs: &Map<String, Value>) -> Option<&'a Content> {
    let body = operation.body.as_ref()?;
    let is_parameter = |key: &String| operation.parameters.iter().any(|parameter| parameter.key == *key);
    let knows = |content: &&Content| {
        let known = |key: &String| *key == body.key || content.fields.iter().any(|field| field.key == *key);
        inputs.keys().all(|key| is_parameter(key) || known(key) || content.open_fields)
    };
    body.contents.iter().find(knows).or_else(|| body.contents.first())
}

/// Whether the whole body or its fields are given, and all that are needed.
pub(super) fn check(
    operation: &Operation,
    content: Option<&Content>,
    inputs: &Map<String, Value>,
) -> Result<(), BuildError> {
    let (Some(body), Some(content)) = (&operation.body, content) else { return Ok(()) };
    let fields: Vec<&BodyField> = content.fields.iter().filter(|field| inputs.contains_key(&field.key)).collect();
    let is_whole = inputs.contains_key(&body.key) && !content.fields.iter().any(|field| field.key == body.key);
    if let (true, Some(field)) = (is_whole, fields.first()) {
        return Err(BuildError::BodyAndField { body: body.key.clone(), field: field.key.clone() });
    }
    if is_whole {
        return Ok(());
    }
    let is_given = !fields.is_empty() || !others(operation, content, inputs).is_empty();
    if !body.required && !is_given {
        return Ok(());
    }
    if content.fields.is_empty() && !content.open_fields {
        return Err(BuildError::Missing { key: body.key.clone() });
    }
    let is_missing =
        |field: &&BodyField| field.required && !inputs.contains_key(&field.key) && constant(field).is_none();
    let missing = content.fields.iter().find(is_missing);
    missing.map_or(Ok(()), |field| Err(BuildError::Missing { key: field.key.clone() }))
}

/// Media type and bytes; `None` where no body is given and none is needed.
pub(super) fn write(
    description: &Description,
    operation: &Operation,
    content: &Content,
    inputs: &Map<String, Value>,
) -> Result<Option<(String, Bytes)>, BuildError> {
    let Some(body) = &operation.body else { return Ok(None) };
    let whole = inputs.get(&body.key).filter(|_| !content.fields.iter().any(|field| field.key == body.key));
    let members = members(description, operation, content, inputs, whole);
    if whole.is_none() && members.is_empty() && !body.required {
        return Ok(None);
    }
    let media_type = media_type(content).to_owned();
    let written = match content.form {
        BodyForm::Json => {
            let value = match whole {
                Some(value) => value.clone(),
                None => Value::Object(members.into_iter().map(|(name, value, _)| (name, value)).collect()),
            };
            (media_type, Bytes::from(value.to_string()))
        }
        // A form that was written by hand is sent as it is.
        BodyForm::Form if whole.is_some_and(|whole| !whole.is_object()) => {
            (media_type, Bytes::from(whole.map(style::text).unwrap_or_default()))
        }
        BodyForm::Form => {
            let mut form = form_urlencoded::Serializer::new(String::new());
            for (name, value, field) in members {
                let how = field.and_then(|field| field.form.as_ref());
                form.extend_pairs(style::form_pairs(&name, how, &value));
            }
            (media_type, Bytes::from(form.finish()))
        }
        BodyForm::Multipart => match whole.filter(|whole| !whole.is_object()) {
            None => multipart(&members)?,
            Some(whole) => {
                let expected = "an object with one member a part".to_owned();
                return Err(BuildError::Type { key: body.key.clone(), expected, found: kind(whole) });
            }
        },
        BodyForm::Text => {
            let value = whole.cloned().unwrap_or_else(|| Value::Object(plain(members)));
            (media_type, Bytes::from(style::text(&value)))
        }
        BodyForm::Binary => {
            let file = whole.map(|value| File::of(&body.key, value)).transpose()?.unwrap_or_default();
            (file.media_type.unwrap_or(media_type), file.content)
        }
    };
    Ok(Some(written))
}

/// What a request can say of its body: a range such as `*/*`, which welcomes several types, is none itself.
fn media_type(content: &Content) -> &str {
    match (content.media_type.contains('*'), content.form) {
        (false, _) => &content.media_type,
        (true, BodyForm::Json) => "application/json",
        (true, BodyForm::Text) => "text/plain",
        (true, _) => "application/octet-stream",
    }
}

type Member<'a> = (String, Value, Option<&'a BodyField>);

/// The members of the body in the document's order, then those that it does not name.
fn members<'a>(
    description: &Description,
    operation: &Operation,
    content: &'a Content,
    inputs: &Map<String, Value>,
    whole: Option<&Value>,
) -> Vec<Member<'a>> {
    if let Some(Value::Object(map)) = whole {
        let field = |name: &String| content.fields.iter().find(|field| field.name == *name);
        return map.iter().map(|(name, value)| (name.clone(), value.clone(), field(name))).collect();
    }
    // A field that can only have one value is not asked for.
    let value = |field: &'a BodyField| inputs.get(&field.key).or_else(|| constant(field).filter(|_| field.required));
    let given = content.fields.iter().filter_map(|field| Some((field, value(field)?)));
    let mut members: Vec<Member<'a>> = given
        .map(|(field, value)| (field.name.clone(), as_asked(description, &field.schema, value), Some(field)))
        .collect();
    members.extend(others(operation, content, inputs).into_iter().map(|(name, value)| (name, value, None)));
    members
}

fn constant(field: &BodyField) -> Option<&Value> {
    let only = || field.schema["enum"].as_array().filter(|values| values.len() == 1)?.first();
    field.schema.get("const").or_else(only)
}

/// What the document does not name, where it welcomes that.
fn others(operation: &Operation, content: &Content, inputs: &Map<String, Value>) -> Vec<(String, Value)> {
    if !content.open_fields {
        return Vec::new();
    }
    let body_key = operation.body.as_ref().map(|body| body.key.as_str());
    let is_known = |key: &str| {
        operation.parameters.iter().any(|parameter| parameter.key == key)
            || content.fields.iter().any(|field| field.key == key)
            || body_key == Some(key)
    };
    inputs.iter().filter(|(key, _)| !is_known(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn plain(members: Vec<Member<'_>>) -> Map<String, Value> {
    members.into_iter().map(|(name, value, _)| (name, value)).collect()
}

/// RFC 7578. The boundary is made from the content, so that the same inputs give the same bytes.
fn multipart(members: &[Member<'_>]) -> Result<(String, Bytes), BuildError> {
    let mut parts = Vec::new();
    for (name, value, field) in members {
        let is_file = field.is_some_and(|field| field.file);
        let repeated = field.is_some_and(|field| field.repeated);
        let items: Vec<&Value> = match value {
            Value::Array(items) if repeated => items.iter().collect(),
            value => vec![value],
        };
        for item in items {
            parts.push(part(name, item, is_file)?);
        }
    }
    let mut digest = Sha256::new();
    for (head, content) in &parts {
        digest.update(head);
        digest.update(content);
    }
    let boundary: String = digest.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let boundary = format!("sortie-{boundary}");
    let mut body = Vec::new();
    for (head, content) in parts {
        body.extend(format!("--{boundary}\r\n{head}\r\n").as_bytes());
        body.extend(&content[..]);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{boundary}--\r\n").as_bytes());
    Ok((format!("multipart/form-data; boundary={boundary}"), Bytes::from(body)))
}

fn part(name: &str, value: &Value, is_file: bool) -> Result<(String, Bytes), BuildError> {
    let quoted = quoted(name);
    if is_file {
        let file = File::of(name, value)?;
        let filename = self::quoted(file.name.as_deref().unwrap_or("file"));
        let media_type = file.media_type.as_deref().unwrap_or("application/octet-stream");
        let head = format!(
            "Content-Disposition: form-data; name=\"{quoted}\"; filename=\"{filename}\"\r\nContent-Type: {media_type}\r\n"
        );
        return Ok((head, file.content));
    }
    let head = format!("Content-Disposition: form-data; name=\"{quoted}\"\r\n");
    Ok(match value {
        Value::Object(_) | Value::Array(_) => {
            (format!("{head}Content-Type: application/json\r\n"), Bytes::from(value.to_string()))
        }
        scalar => (head, Bytes::from(style::text(scalar))),
    })
}

/// As browsers write names in multipart (WHATWG HTML, multipart/form-data encoding algorithm).
fn quoted(text: &str) -> String {
    text.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

/// A file's content: a text as it is, or `{"base64": "..", "name": "..", "type": ".."}`, or the same with `text`.
#[derive(Default)]
struct File {
    name: Option<String>,
    media_type: Option<String>,
    content: Bytes,
}

impl File {
    fn of(key: &str, value: &Value) -> Result<Self, BuildError> {
        let wrong = |why| BuildError::File { key: key.to_owned(), why };
        let Value::Object(map) = value else {
            return Ok(Self { content: Bytes::from(style::text(value)), ..Self::default() });
        };
        let word = |name: &str| map.get(name).and_then(Value::as_str);
        let content = match (word("text"), word("base64")) {
            (Some(text), None) => Bytes::from(text.to_owned()),
            (None, Some(text)) => {
                Bytes::from(BASE64_STANDARD.decode(text).map_err(|_| wrong("its `base64` cannot be decoded"))?)
            }
            _ => return Err(wrong("give its content as `text` or as `base64`, one of the two")),
        };
        let media_type = word("type").map(str::to_owned);
        let visible = |text: &String| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if media_type.as_ref().is_some_and(|text| !visible(text)) {
            return Err(wrong("its `type` is no media type"));
        }
        Ok(Self { name: word("name").map(str::to_owned), media_type, content })
    }
}
