//! Reads the field lists of the reference (`alert{id:string,status:New|Resolved,comments:[{comment}]?}; ..`) and holds
//! answers against them: every field is there and of its type, and there is no other.

use std::collections::BTreeMap;

use serde_json::Value;

/// What one row says of its answer.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// `None`: the row does not show it.
    body: Option<Type>,
    named: BTreeMap<String, Vec<Field>>,
}

#[derive(Clone, Debug)]
struct Field {
    name: String,
    optional: bool,
    kind: Type,
}

#[derive(Clone, Debug)]
enum Type {
    Any,
    Text,
    Instant,
    Whole,
    Number,
    Flag,
    /// Empty: any word.
    Word(Vec<String>),
    List(Box<Type>),
    Object(Vec<Field>),
    Named(String),
}

impl Shape {
    pub(super) fn read(text: &str) -> Self {
        let mut shape = Self::default();
        let mut rest = text;
        let (mut is_first, mut joins) = (true, false);
        while let Some(open) = rest.find('{') {
            let name = trailing_name(&rest[..open]);
            let starts = open == name.len();
            let inside = enclosed(&rest[open..]);
            let fields = shape.fields(inside);
            match (name, is_first && starts, joins) {
                ("", true, _) => shape.body = Some(Type::Object(fields)),
                (_, _, true) => shape.join(fields),
                (name, first, _) => {
                    if first {
                        shape.body = Some(Type::Named(name.to_owned()));
                    }
                    shape.named.insert(name.to_owned(), fields);
                }
            }
            is_first = false;
            rest = &rest[open + inside.len() + 2..];
            joins = rest.starts_with('+');
        }
        shape
    }

    /// Fails with the place where an answer is not as the row says.
    pub(super) fn check(&self, answer: &Value, at: &str) {
        if let Some(body) = &self.body {
            self.fits(body, answer, at);
        }
    }

    pub(super) fn is_known(&self) -> bool {
        self.body.is_some()
    }

    /// `{@odata.context}+user{..}`: one object of both.
    fn join(&mut self, fields: Vec<Field>) {
        if let Some(Type::Object(known)) = &mut self.body {
            known.extend(fields);
        }
    }

    fn fields(&mut self, text: &str) -> Vec<Field> {
        let mut fields: Vec<Field> = Vec::new();
        let mut untyped: Vec<usize> = Vec::new();
        for entry in split(text, ',') {
            let (entry, has_remark) = without_remarks(entry.trim());
            if entry == AND_OTHERS {
                fields.push(Field { name: entry, optional: true, kind: Type::Any });
                continue;
            }
            let (name, kind) = match split_once(&entry, ':') {
                Some((name, kind)) => (name, Some(kind)),
                None => (entry.as_str(), None),
            };
            let has_remark = has_remark || OPEN.contains(&name);
            let optional = name.ends_with('?') || kind.is_some_and(|kind| kind.trim().ends_with('?'));
            // A name with a blank stands in quotes.
            let name = name.trim().trim_end_matches('?').trim_matches('"').to_owned();
            let kind = kind.map(|kind| self.kind(kind.trim().trim_end_matches('?').trim(), has_remark));
            match &kind {
                Some(shared) if matches!(shared, Type::Text | Type::Flag | Type::Instant) => {
                    for index in untyped.drain(..) {
                        let field = &mut fields[index];
                        field.optional |= optional;
                        if !matches!(shared, Type::Instant) || is_time(&field.name) {
                            field.kind = shared.clone();
                        }
                    }
                }
                Some(_) => untyped.clear(),
                None => untyped.push(fields.len()),
            }
            fields.push(Field { name, optional, kind: kind.unwrap_or(Type::Any) });
        }
        fields
    }

    fn kind(&mut self, text: &str, has_remark: bool) -> Type {
        if let Some(item) = text.strip_suffix("[]") {
            return Type::List(Box::new(self.kind(item, has_remark)));
        }
        if text.starts_with('[') {
            let inside = &text[1..text.rfind(']').unwrap_or(text.len())];
            return Type::List(Box::new(self.kind(inside.trim(), has_remark)));
        }
        if let Some(open) = text.find('{') {
            let inside = enclosed(&text[open..]);
            let fields = self.fields(inside);
            if open == 0 {
                return Type::Object(fields);
            }
            let name = trailing_name(&text[..open]).to_owned();
            self.named.insert(name.clone(), fields);
            return Type::Named(name);
        }
        if text.contains('|') {
            let is_open = has_remark || text.contains("..");
            let words = text.split('|').map(|word| word.trim().to_owned());
            return Type::Word(if is_open { Vec::new() } else { words.collect() });
        }
        match text.split([' ', '(']).next().unwrap_or_default() {
            "string" | "guid" | "url" => Type::Text,
            quoted if quoted.starts_with('\'') => Type::Text,
            "datetime" => Type::Instant,
            "int" | "long" => Type::Whole,
            "double" | "number" => Type::Number,
            "bool" => Type::Flag,
            "enum" => Type::Word(Vec::new()),
            name if name.chars().all(char::is_alphanumeric) && !name.is_empty() => Type::Named(name.to_owned()),
            _ => Type::Any,
        }
    }

    fn fits(&self, kind: &Type, value: &Value, at: &str) {
        match kind {
            Type::Any => {}
            Type::Text => assert!(value.is_string(), "{at}: no text: {value}"),
            Type::Instant => {
                let is_instant = value.as_str().is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok());
                assert!(is_instant, "{at}: no instant: {value}");
            }
            Type::Whole => assert!(value.is_i64(), "{at}: no whole number: {value}"),
            Type::Number => assert!(value.is_number(), "{at}: no number: {value}"),
            Type::Flag => assert!(value.is_boolean(), "{at}: neither true nor false: {value}"),
            Type::Word(words) => {
                let word = value.as_str().unwrap_or_else(|| panic!("{at}: no word: {value}"));
                assert!(
                    words.is_empty() || words.iter().any(|known| known == word),
                    "{at}: {word} is none of {words:?}"
                );
            }
            Type::List(item) => {
                let items = value.as_array().unwrap_or_else(|| panic!("{at}: no list: {value}"));
                for (index, one) in items.iter().enumerate() {
                    self.fits(item, one, &format!("{at}/{index}"));
                }
            }
            Type::Object(fields) => object_fits(self, fields, value, at),
            Type::Named(name) => {
                if let Some(fields) = self.named.get(name) {
                    object_fits(self, fields, value, at);
                }
            }
        }
    }
}

fn object_fits(shape: &Shape, fields: &[Field], value: &Value, at: &str) {
    let object = value.as_object().unwrap_or_else(|| panic!("{at}: no object: {value}"));
    for field in fields {
        let at = format!("{at}/{}", field.name);
        match object.get(&field.name) {
            None => assert!(field.optional || field.name.starts_with('@'), "{at} is missing: {value}"),
            // A field without a type may be null, too: rows write `all keys present, null when not applicable`.
            Some(Value::Null) => assert!(field.optional || matches!(field.kind, Type::Any), "{at} is null"),
            Some(value) if !field.name.starts_with('@') => shape.fits(&field.kind, value, &at),
            Some(_) => {}
        }
    }
    if fields.iter().any(|field| field.name == AND_OTHERS) {
        return;
    }
    for name in object.keys().filter(|name| !name.starts_with('@') && !LIVE.contains(&name.as_str())) {
        assert!(fields.iter().any(|field| field.name == *name), "{at}: nobody documents {name}");
    }
}

/// The identifier that a text ends with.
fn trailing_name(text: &str) -> &str {
    let start = text.rfind(|c: char| !c.is_alphanumeric()).map_or(0, |at| at + 1);
    &text[start..]
}

/// What lies between an opening brace, which `text` starts with, and its closing one.
fn enclosed(text: &str) -> &str {
    let mut depth = 0;
    for (at, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[1..at];
        }
    }
    &text[1..]
}

/// Splits where no bracket and no quote is open.
fn split(text: &str, at: char) -> Vec<&str> {
    let (mut parts, mut start, mut depth, mut quoted) = (Vec::new(), 0, 0, false);
    for (position, character) in text.char_indices() {
        match character {
            '\'' => quoted = !quoted,
            '{' | '[' | '(' if !quoted => depth += 1,
            '}' | ']' | ')' if !quoted => depth -= 1,
            _ if character == at && depth == 0 && !quoted => {
                parts.push(&text[start..position]);
                start = position + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn split_once(text: &str, at: char) -> Option<(&str, &str)> {
    let first = *split(text, at).first()?;
    (first.len() < text.len()).then(|| (first, &text[first.len() + 1..]))
}

/// An entry without what stands in parentheses outside of other brackets, and whether there was any.
fn without_remarks(entry: &str) -> (String, bool) {
    let (mut kept, mut depth, mut remark, mut found) = (String::new(), 0, 0, false);
    for character in entry.chars() {
        match character {
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            '(' if depth == 0 => {
                remark += 1;
                found = true;
                continue;
            }
            ')' if depth == 0 => {
                remark -= 1;
                continue;
            }
            _ => {}
        }
        if remark == 0 {
            kept.push(character);
        }
    }
    (kept.trim().to_owned(), found)
}

fn is_time(name: &str) -> bool {
    ["Time", "Seen", "Activity", "Observed", "On", "Date"].iter().any(|part| name.contains(part))
}

/// How rows leave fields out that another row shows.
const AND_OTHERS: &str = "..";

/// Words of which the rows show some: live answers have more (facts 4 and 6).
const OPEN: &[&str] = &["entityType"];

/// Fields that answers have beyond their rows, each for a reason.
const LIVE: &[&str] = &[
    // Seen in live answers of the XDR API (facts 4), on incidents and their devices.
    "incidentUri",
    "tags",
    "onboardingStatus",
    // The list's spelling of a machine action's last update, and what live responses and failures add (facts 6).
    "lastUpdateTimeUtc",
    "errorHResult",
    "troubleshootInfo",
    // `$filter` of the indicators names it.
    "createdByDisplayName",
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refuses(row: &str, answer: Value) -> bool {
        let shape = Shape::read(row);
        std::panic::catch_unwind(move || shape.check(&answer, "")).is_err()
    }

    #[test]
    fn a_row_takes_what_it_describes_and_nothing_else() {
        let row = "{@odata.context:'..$metadata#Things',value:[thing{id:string,kind:A|B,seenTime,goneTime:datetime?,\
                   size:long (old),parts:[{name,on:long}],owner:{name:string}?}]}; remarks, too";
        let good = json!({ "value": [{
            "id": "1", "kind": "A", "seenTime": "2026-11-22T00:00:00Z", "goneTime": null, "size": 3,
            "parts": [{ "name": null, "on": 1 }], "owner": null,
        }] });
        assert!(!refuses(row, good.clone()));
        for (name, bad) in [
            ("id", json!(1)),
            ("kind", json!("C")),
            ("seenTime", json!("soon")),
            ("size", json!("3")),
            ("parts", json!([{ "name": "x", "on": true }])),
            ("parts", json!([{ "name": "x" }])),
            ("owner", json!({ "name": "x", "age": 3 })),
        ] {
            let mut worse = good.clone();
            worse["value"][0][name] = bad.clone();
            assert!(refuses(row, worse), "{name}: {bad}");
        }
    }

    #[test]
    fn named_and_joined_objects_are_followed() {
        assert!(refuses("{value:[thing]}, empty set otherwise; thing{id:string}", json!({ "value": [{ "id": 1 }] })));
        assert!(refuses("{@odata.context:..#X/$entity}+thing{id:string}", json!({ "id": 1 })));
        assert!(!refuses("{@odata.context:..#X/$entity}+thing{id:string}", json!({ "id": "1" })));
        assert!(refuses("thing{..,n:int}", json!({ "n": null })));
        assert!(!Shape::read("no content").is_known());
    }
}
