//! XML as JSON and back: attributes are `@name`, text beside them is `#text`, elements of one name are a list.

use quick_xml::{
    Reader,
    escape::{escape, resolve_xml_entity},
    events::{BytesStart, Event},
};
use serde_json::{Map, Value};

use crate::{
    inputs::{DataError, Inputs, OUTPUT_BYTES_MAX, plain, written, wrong},
    table::{
        Kind::{Object, Text},
        Operation, needed,
    },
};

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation {
        id: "xml-parse",
        title: "Read XML",
        about: "The document as an object: attributes as `@name`, text beside them as `#text`, elements of one name as a list.",
        inputs: &[needed("text", Text, "The document; a DOCTYPE with definitions is refused")],
        example: r#"{"text":"<a x=\"1\"><b>2</b></a>"}"#,
        run: |inputs| parse(inputs.text("text")?),
    },
    Operation {
        id: "xml-write",
        title: "Write XML",
        about: "The object as XML, with attributes, text and lists as xml-parse gives them.",
        inputs: &[needed("value", Object, "An object with one member, which is the document's element")],
        example: r#"{"value":{"a":{"@x":"1","b":["2","3"]}}}"#,
        run: write,
    },
];

/// An element that is not closed yet.
struct Open {
    name: String,
    members: Map<String, Value>,
    text: String,
}

fn parse(text: &str) -> Result<Value, DataError> {
    let broken = |why: &str| wrong("text", format!("is no XML: {why}"));
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut open = vec![Open { name: String::new(), members: Map::new(), text: String::new() }];
    let mut count = 0;
    loop {
        let event = reader.read_event().map_err(|error| broken(&error.to_string()))?;
        let last = open.last_mut().expect("the document itself is never closed");
        match event {
            Event::Eof => break,
            Event::Start(start) => {
                count += 1;
                open.push(opened(&start, &broken)?);
            }
            Event::Empty(start) => {
                count += 1;
                let element = opened(&start, &broken)?;
                close(&mut last.members, element);
            }
            Event::End(_) => {
                let element = open.pop().expect("the reader checks that ends match");
                let parent = open.last_mut().ok_or_else(|| broken("an end without a beginning"))?;
                close(&mut parent.members, element);
            }
            Event::Text(part) => last.text.push_str(&part.decode().map_err(|error| broken(&error.to_string()))?),
            Event::CData(part) => last.text.push_str(&part.decode().map_err(|error| broken(&error.to_string()))?),
            Event::GeneralRef(part) => last.text.push_str(&reference(&part, &broken)?),
            Event::DocType(part) if part.contains(&b'[') => {
                return Err(wrong("text", "holds a DOCTYPE with definitions, which are not read"));
            }
            Event::DocType(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
        if open.len() > DEPTH_MAX || count > ELEMENT_COUNT_MAX {
            return Err(wrong("text", format!("has more than {ELEMENT_COUNT_MAX} elements or {DEPTH_MAX} levels")));
        }
    }
    let document = open.pop().filter(|_| open.is_empty()).ok_or_else(|| broken("an element is not closed"))?;
    let has_two = document.members.values().any(Value::is_array);
    if document.members.len() != 1 || has_two || !document.text.trim().is_empty() {
        return Err(broken("it is not one element with everything inside"));
    }
    Ok(Value::Object(document.members))
}

fn opened(start: &BytesStart<'_>, broken: &dyn Fn(&str) -> DataError) -> Result<Open, DataError> {
    let name = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut members = Map::new();
    let mut attributes = start.attributes();
    // The library compares each name with all before it.
    attributes.with_checks(false);
    for attribute in attributes {
        let attribute = attribute.map_err(|error| broken(&error.to_string()))?;
        let value = attribute.unescape_value().map_err(|error| broken(&error.to_string()))?;
        let key = format!("@{}", name(attribute.key.as_ref()));
        if members.insert(key, value.into_owned().into()).is_some() {
            return Err(broken("an attribute is there twice"));
        }
        if members.len() > ATTRIBUTE_COUNT_MAX {
            return Err(wrong("text", format!("has an element of more than {ATTRIBUTE_COUNT_MAX} attributes")));
        }
    }
    Ok(Open { name: name(start.name().as_ref()), members, text: String::new() })
}

fn reference(part: &quick_xml::events::BytesRef<'_>, broken: &dyn Fn(&str) -> DataError) -> Result<String, DataError> {
    if let Some(c) = part.resolve_char_ref().map_err(|error| broken(&error.to_string()))? {
        return Ok(c.to_string());
    }
    let name = part.decode().map_err(|error| broken(&error.to_string()))?;
    let known = resolve_xml_entity(&name).map(str::to_owned);
    known.ok_or_else(|| {
        broken(&format!("it uses `&{};`, which is not defined", name.chars().take(40).collect::<String>()))
    })
}

fn close(parent: &mut Map<String, Value>, element: Open) {
    let Open { name, mut members, text } = element;
    let text = text.trim();
    let value = match (members.is_empty(), text.is_empty()) {
        (true, true) => Value::Null,
        (true, false) => text.into(),
        (false, is_empty) => {
            if !is_empty {
                members.insert("#text".to_owned(), text.into());
            }
            Value::Object(members)
        }
    };
    match parent.get_mut(&name) {
        None => drop(parent.insert(name, value)),
        Some(Value::Array(list)) => list.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
}

fn write(inputs: &Inputs<'_>) -> Result<Value, DataError> {
    let value = inputs.any("value")?;
    let map = value.as_object().filter(|map| map.len() == 1);
    let (name, inner) =
        map.and_then(|map| map.iter().next()).ok_or_else(|| wrong("value", "is no object with one member"))?;
    if inner.is_array() {
        return Err(wrong("value", "has a list as its only member; a document has one element"));
    }
    let mut out = String::new();
    element(name, inner, &mut out, 0)?;
    written(out)
}

fn element(name: &str, value: &Value, out: &mut String, depth: usize) -> Result<(), DataError> {
    if !is_name(name) {
        return Err(wrong(
            "value",
            format!("has a member `{}`, which cannot be an element's name", name.chars().take(40).collect::<String>()),
        ));
    }
    if depth > DEPTH_MAX || out.len() > OUTPUT_BYTES_MAX {
        return Err(DataError::TooLarge { what: "bytes or levels", max: OUTPUT_BYTES_MAX });
    }
    if let Value::Array(list) = value {
        return list.iter().try_for_each(|item| match item {
            Value::Array(_) => Err(wrong("value", "has a list inside of a list, which XML cannot tell")),
            item => element(name, item, out, depth),
        });
    }
    *out += &format!("<{name}");
    let empty = Map::new();
    let members = value.as_object().unwrap_or(&empty);
    for (key, value) in members.iter().filter_map(|(key, value)| Some((key.strip_prefix('@')?, value))) {
        if !is_name(key) {
            return Err(wrong("value", "has an attribute whose name XML does not allow"));
        }
        let text = plain(value);
        legal(&text)?;
        let text = escape(&text).replace('\n', "&#10;").replace('\t', "&#9;").replace('\r', "&#13;");
        *out += &format!(" {key}=\"{text}\"");
    }
    let text = match value {
        Value::Object(members) => members.get("#text").map(plain).unwrap_or_default(),
        Value::Null => String::new(),
        other => plain(other),
    };
    legal(&text)?;
    out.push('>');
    *out += &escape(&text).replace('\r', "&#13;");
    for (key, value) in members.iter().filter(|(key, _)| !key.starts_with('@') && *key != "#text") {
        element(key, value, out, depth + 1)?;
    }
    *out += &format!("</{name}>");
    Ok(())
}

/// The characters that XML 1.0 can carry.
fn legal(text: &str) -> Result<(), DataError> {
    let is_legal = |c: char| matches!(c, '\t' | '\n' | '\r') || (c >= ' ' && !matches!(c, '\u{fffe}' | '\u{ffff}'));
    if text.chars().all(is_legal) {
        Ok(())
    } else {
        Err(wrong("value", "holds a control character, which XML cannot carry"))
    }
}

fn is_name(name: &str) -> bool {
    let starts = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    starts && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':'))
}

const DEPTH_MAX: usize = 100;
const ATTRIBUTE_COUNT_MAX: usize = 10_000;
const ELEMENT_COUNT_MAX: usize = 200_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Value) {
        assert_eq!(parse(text).map_err(|error| error.to_string()), Ok(expected), "{text}");
    }

    #[test]
    fn elements_become_members() {
        check(
            "<?xml version='1.0'?><!-- c --><a x='1 &amp; 2'><b>t &lt;&#65;</b><b/><c d='e'>f</c><![CDATA[ <raw> ]]></a>",
            json!({ "a": { "@x": "1 & 2", "b": ["t <A", null], "c": { "@d": "e", "#text": "f" }, "#text": "<raw>" } }),
        );
        check("<a>\n  <b> 1 </b>\n</a>", json!({ "a": { "b": "1" } }));
    }

    #[test]
    fn many_attributes_cost_little_and_each_stands_once() {
        let with = |count: usize| {
            let attributes: String = (0..count).map(|at| format!(" a{at}='x'")).collect();
            parse(&format!("<a{attributes}/>"))
        };
        let started = std::time::Instant::now();
        assert_eq!(with(10_000).unwrap()["a"].as_object().unwrap().len(), 10_000);
        assert!(with(200_000).unwrap_err().to_string().contains("more than 10000 attributes"));
        assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
        for text in ["<a b='1' b='2'/>", "<a>1</a><a>2</a>"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hostile_documents_are_refused() {
        #[track_caller]
        fn refused(text: &str, why: &str) {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        refused("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", "DOCTYPE with definitions");
        refused("<a>&nbsp;</a>", "not defined");
        refused(&"<a>".repeat(200), "levels");
        refused("<a></b>", "is no XML");
        refused("<a>", "not closed");
        refused("<a/><b/>", "not one element");
        refused("", "not one element");
        refused("<a b='1' b='2'/>", "is no XML");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(attribute in "\\PC{0,12}|[\n\t<&\"]{0,5}", text in "[!-~äß<&>\"]{0,12}") {
            let value = json!({ "a": { "@x": attribute, "b": [text, "end"] } });
            let inputs = json!({ "value": value });
            let written = crate::run("xml-write", inputs.as_object().unwrap(), jiff::Timestamp::UNIX_EPOCH).unwrap();
            let expected = if text.is_empty() { json!({ "a": { "@x": attribute, "b": [null, "end"] } }) } else { value };
            prop_assert_eq!(parse(written.as_str().unwrap()), Ok(expected));
        }

        #[test]
        fn no_text_trips_the_reader(text in "[<>a-c/!?&;#x0-9'\"=\\[\\] -]{0,60}|\\PC{0,30}") {
            if let Err(error) = parse(&text) {
                prop_assert!(error.to_string().starts_with("the input `text` "));
            }
        }
    }
}
