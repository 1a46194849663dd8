//! Texts: split, join, trim, case, look up.

use std::borrow::Cow;

use serde_json::Value;

use crate::{
    inputs::{DataError, Inputs, bounded, plain, written, wrong},
    table::{
        Kind::{Any, Flag, List, Object, OneOf, Text},
        Operation, needed, optional,
    },
};

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation {
        id: "echo",
        title: "Give a value back",
        about: "The value as it is, for trying out what a step receives.",
        inputs: &[needed("value", Any, "Any value")],
        example: r#"{"value":[1,2]}"#,
        run: |inputs| Ok(inputs.any("value")?.clone()),
    },
    Operation {
        id: "text-split",
        title: "Split a text",
        about: "A list of the parts.",
        inputs: &[
            needed("text", Text, "The text"),
            optional("at", Text, "What stands between the parts; line ends unless given"),
            optional("trim", Flag, "Whether blanks around the parts go, and empty parts with them"),
        ],
        example: r#"{"text":"a, b","at":",","trim":true}"#,
        run: split,
    },
    Operation {
        id: "text-join",
        title: "Join a list to a text",
        about: "The items as one text; what is no text is written as JSON.",
        inputs: &[
            needed("items", List, "The list"),
            optional("with", Text, "What stands between the items; nothing unless given"),
        ],
        example: r#"{"items":["a",1],"with":", "}"#,
        run: join,
    },
    Operation {
        id: "text-trim",
        title: "Trim a text",
        about: "The text without blanks and line ends around it, or without the given characters.",
        inputs: &[
            needed("text", Text, "The text"),
            optional("characters", Text, "The characters that go instead of blanks"),
        ],
        example: r#"{"text":"  a "}"#,
        run: |inputs| {
            let text = inputs.text("text")?;
            let characters: Option<Vec<char>> = inputs.text_or_none("characters")?.map(|text| text.chars().collect());
            written(characters.map_or(text.trim(), |characters| text.trim_matches(&characters[..])).to_owned())
        },
    },
    Operation {
        id: "text-case",
        title: "Change the letter case",
        about: "The text in that case.",
        inputs: &[needed("text", Text, "The text"), needed("to", OneOf(&["lower", "upper", "title"]), "Which case")],
        example: r#"{"text":"Alice","to":"lower"}"#,
        run: case,
    },
    Operation {
        id: "text-replace",
        title: "Replace a text in a text",
        about: "The text with every occurrence replaced, letter by letter and not by an expression.",
        inputs: &[
            needed("text", Text, "The text"),
            needed("what", Text, "What is replaced"),
            needed("with", Text, "What stands there instead"),
        ],
        example: r#"{"text":"a-b","what":"-","with":"+"}"#,
        run: replace,
    },
    Operation {
        id: "text-lookup",
        title: "Translate a text by a table",
        about: "What the table has for the text, or the default, or the text itself.",
        inputs: &[
            needed("text", Text, "The text"),
            needed("table", Object, "What stands for what"),
            optional("default", Any, "Taken where the table has nothing"),
            optional("inside", Flag, "Whether every occurrence inside of the text is replaced instead of the whole"),
        ],
        example: r#"{"text":"3","table":{"3":"high"}}"#,
        run: lookup,
    },
    Operation {
        id: "html-escape",
        title: "Write a text for HTML",
        about: "The text with `&`, `<`, `>` and quotes written so that a page shows them.",
        inputs: &[needed("text", Text, "The text")],
        example: r#"{"text":"<b>"}"#,
        run: |inputs| {
            let escaped = inputs.text("text")?.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            written(escaped.replace('"', "&quot;").replace('\'', "&#39;"))
        },
    },
];

fn split(inputs: &Inputs<'_>) -> Result<Value, DataError> {
    let (text, trims) = (inputs.text("text")?, inputs.flag("trim")?);
    let parts: Box<dyn Iterator<Item = &str>> = match inputs.text_or_none("at")? {
        None => Box::new(text.lines()),
        Some("") => return Err(wrong("at", "is empty; say what stands between the parts")),
        Some(at) => Box::new(text.split(at)),
    };
    let parts = parts.map(|part| if trims { part.trim() } else { part }).filter(|part| !(trims && part.is_empty()));
    bounded(parts.take(crate::inputs::LIST_COUNT_MAX + 1).map(Value::from).collect())
}

fn join(inputs: &Inputs<'_>) -> Result<Value, DataError> {
    let (items, with) = (inputs.list("items")?, inputs.text_or("with", "")?);
    let mut text = String::new();
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            text.push_str(with);
        }
        text.push_str(&plain(item));
        if text.len() > crate::inputs::OUTPUT_BYTES_MAX {
            break;
        }
    }
    written(text)
}

fn case(inputs: &Inputs<'_>) -> Result<Value, DataError> {
    let text = inputs.text("text")?;
    let changed = match inputs.text("to")? {
        "lower" => text.to_lowercase(),
        "upper" => text.to_uppercase(),
        "title" => {
            let mut starts = true;
            let title = text.chars().flat_map(|c| {
                let is_first = std::mem::replace(&mut starts, !c.is_alphanumeric() && c != '\'');
                let letters: Vec<char> = if is_first { c.to_uppercase().collect() } else { c.to_lowercase().collect() };
                letters
            });
            title.collect()
        }
        _ => return Err(wrong("to", "is none of lower, upper and title")),
    };
    written(changed)
}

fn replace(inputs: &Inputs<'_>) -> Result<Value, DataError> {
    let what = inputs.text("what")?;
    if what.is_empty() {
        return Err(wrong("what", "is empty; say what is replaced"));
    }
    replaced(inputs.text("text")?, what, inputs.text("with")?).map(|text| Value::String(text.into_owned()))
}

/// Counts first: what would become too large is not made.
fn replaced<'a>(text: &'a str, what: &str, with: &str) -> Result<Cow<'a, str>, DataError> {
    let count = text.matches(what).count();
    if count == 0 {
        return Ok(text.into());
    }
    if text.len() - count * what.len() + count * with.len() > crate::inputs::OUTPUT_BYTES_MAX {
        return Err(DataError::TooLarge { what: "bytes", max: crate::inputs::OUTPUT_BYTES_MAX });
    }
    Ok(text.replace(what, with).into())
}

fn lookup(inputs: &Inputs<'_>) -> Result<Value, DataError> {
    let text = inputs.text("text")?;
    let table = inputs.any("table")?.as_object().ok_or_else(|| wrong("table", "is no object"))?;
    if inputs.flag("inside")? {
        if table.len() > 1_000 {
            return Err(wrong("table", "has more than 1000 entries"));
        }
        let mut found: Cow<'_, str> = text.into();
        for (what, with) in table.iter().filter(|(what, _)| !what.is_empty()) {
            found = replaced(&found, what, &plain(with))?.into_owned().into();
        }
        return Ok(found.into_owned().into());
    }
    Ok(table.get(text).or_else(|| inputs.values.get("default")).cloned().unwrap_or_else(|| text.into()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::run;

    #[test]
    fn texts_are_changed_as_asked() {
        #[track_caller]
        fn check(id: &str, inputs: Value, expected: Value) {
            assert_eq!(run(id, inputs.as_object().unwrap(), jiff::Timestamp::UNIX_EPOCH), Ok(expected), "{inputs}");
        }
        check("text-split", json!({ "text": "a\r\nb\n" }), json!(["a", "b"]));
        check("text-split", json!({ "text": "a,, b", "at": "," }), json!(["a", "", " b"]));
        check("text-split", json!({ "text": "a,, b", "at": ",", "trim": true }), json!(["a", "b"]));
        check("text-join", json!({ "items": ["a", true, null], "with": "-" }), json!("a-true-null"));
        check("text-trim", json!({ "text": "[a]", "characters": "[]" }), json!("a"));
        check("text-case", json!({ "text": "o'neil ÄRGER x", "to": "title" }), json!("O'neil Ärger X"));
        check("text-lookup", json!({ "text": "a b", "table": { "a": "1" }, "inside": true }), json!("1 b"));
        check("text-lookup", json!({ "text": "q", "table": { "a": "1" }, "default": null }), Value::Null);
        check("html-escape", json!({ "text": "<a href='x'>&" }), json!("&lt;a href=&#39;x&#39;&gt;&amp;"));
        let inputs = json!({ "text": "a".repeat(1 << 20), "what": "a", "with": "b".repeat(1 << 20) });
        let blown = run("text-replace", inputs.as_object().unwrap(), jiff::Timestamp::UNIX_EPOCH).unwrap_err();
        assert_eq!(blown.to_string(), "the result would have more than 16777216 bytes");
    }
}
