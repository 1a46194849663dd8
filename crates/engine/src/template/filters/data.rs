//! Filters that write and read encodings: JSON, base64, percent signs, digests.

use serde_json::{Map, Value, json};

use super::{
    super::{error::Fail, machine::Machine, value::Val},
    Filter, filter, needed, needed_text, optional, text, text_or, whole,
};

type Arguments<'v, 'a> = &'v [Option<Val<'a>>];
type Answer<'a> = Result<Val<'a>, Fail>;

pub(super) const FILTERS: &[Filter] = &[
    filter("b64decode", &[], |machine, value, _| called(machine, "base64-decode", json!({ "text": text(value)? }))),
    filter("b64encode", &[], |machine, value, _| called(machine, "base64-encode", json!({ "text": text(value)? }))),
    filter("from_json", &[], from_json),
    filter("hmac", &[needed("key"), optional("algorithm")], hmac),
    filter("json", &[optional("indent")], json),
    filter("md5", &[], |machine, value, _| digest(machine, value, "md5")),
    filter("sha1", &[], |machine, value, _| digest(machine, value, "sha1")),
    filter("sha256", &[], |machine, value, _| digest(machine, value, "sha256")),
    filter("url_encode", &[], |machine, value, _| {
        // Any scalar may stand in an address.
        let mut spelled = String::new();
        machine.spell(value, &mut spelled)?;
        called(machine, "url-encode", json!({ "text": spelled }))
    }),
];

/// What an operation of the connector `data` gives; its sentence where it gives nothing.
pub(super) fn run<'a>(machine: &mut Machine<'a>, operation: &str, inputs: Value) -> Result<Value, Fail> {
    let Value::Object(inputs) = inputs else { return Err(Fail::data("it takes an object")) };
    let bytes: usize = inputs.values().map(size).sum();
    machine.charge(COMPUTED_WORK + bytes / 8)?;
    sortie_builtins::run(operation, &inputs, machine.scope.now()).map_err(|error| Fail::data(error.to_string()))
}

/// The same as a value to go on with.
pub(super) fn called<'a>(machine: &mut Machine<'a>, operation: &str, inputs: Value) -> Answer<'a> {
    match run(machine, operation, inputs)? {
        Value::String(text) => machine.made(text),
        other => {
            machine.charge(size(&other) / 8)?;
            Val::made(other)
        }
    }
}

/// Roughly how many bytes, without going deeper than inputs and answers of operations are.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size).sum::<usize>() + items.len(),
        Value::Object(fields) => fields.values().map(size).sum::<usize>() + fields.len(),
        _ => 8,
    }
}

fn digest<'a>(machine: &mut Machine<'a>, value: &Val<'a>, algorithm: &str) -> Answer<'a> {
    called(machine, "hash", json!({ "text": text(value)?, "algorithm": algorithm }))
}

fn hmac<'a>(machine: &mut Machine<'a>, value: &Val<'a>, arguments: Arguments<'_, 'a>) -> Answer<'a> {
    let key = needed_text(arguments, 0, "key")?;
    let algorithm = text_or(arguments, 1, "algorithm", "sha256")?;
    called(machine, "hmac", json!({ "text": text(value)?, "key": key, "algorithm": algorithm }))
}

fn from_json<'a>(machine: &mut Machine<'a>, value: &Val<'a>, _: Arguments<'_, 'a>) -> Answer<'a> {
    let text = text(value)?;
    machine.charge(1 + text.len() / 4)?;
    let read: Value = serde_json::from_str(text).map_err(|error| {
        // The library's sentence names line and column; it does not repeat what stands there.
        Fail::data(format!("the text is no JSON: {error}"))
    })?;
    Val::made(read)
}

fn json<'a>(machine: &mut Machine<'a>, value: &Val<'a>, arguments: Arguments<'_, 'a>) -> Answer<'a> {
    let Some(indent) = whole(arguments, 0, "indent", 0, 8)? else {
        let mut written = String::new();
        machine.json(value, &mut written)?;
        return machine.made(written);
    };
    let owned = machine.owned(value)?;
    let indent = " ".repeat(usize::try_from(indent).expect("it is at most 8"));
    let mut written = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
    let mut serializer = serde_json::Serializer::with_formatter(&mut written, formatter);
    serde::Serialize::serialize(&owned, &mut serializer).map_err(|error| Fail::data(error.to_string()))?;
    machine.made(String::from_utf8(written).expect("JSON is UTF-8"))
}

/// The inputs of an operation that takes one text.
pub(super) fn of_text(text: &str) -> Value {
    Value::Object(Map::from_iter([("text".to_owned(), text.into())]))
}

/// To prepare an operation and to read its inputs.
const COMPUTED_WORK: usize = 20;
