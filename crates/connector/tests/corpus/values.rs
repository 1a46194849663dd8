//! Values that a schema takes: as plain as its bounds allow, and hard to encode where it leaves the choice.

use std::cell::Cell;

use serde_json::{Map, Value, json};
use sortie_openapi::Description;

use crate::{
    fits::Reader,
    merged::{Merger, is_answer},
    pattern,
};

/// Makes the values of one operation.
pub(crate) struct Maker<'d> {
    description: &'d Description,
    /// How many choices may still be tried, so that choices within choices end.
    tries: Cell<u32>,
}

impl<'d> Maker<'d> {
    pub(crate) fn new(description: &'d Description) -> Self {
        Self { description, tries: Cell::new(TRIES) }
    }

    /// A value that the schema takes, or the first one made where none of its choices gives one.
    pub(crate) fn value(&self, schema: &Value) -> Value {
        self.at(schema, DEPTH)
    }

    /// The same with what must be there alone.
    pub(crate) fn needed(&self, schema: &Value) -> Value {
        let needed = self.at(schema, OPTIONAL_ABOVE);
        // What may be given tells some alternatives apart.
        if Reader::new(self.description).fits(schema, &needed) { needed } else { self.value(schema) }
    }

    fn at(&self, schema: &Value, depth: u32) -> Value {
        let reader = Reader::new(self.description);
        let mut first = None;
        // What is left out tells some alternatives apart.
        for depth in [depth, depth.min(OPTIONAL_ABOVE)] {
            for choice in 0..CHOICES {
                let merger = Merger::new(self.description, choice);
                let whole = merger.merged(schema);
                if choice >= merger.choices() {
                    break;
                }
                let value = self.made(&whole, depth);
                if reader.fits(schema, &value) {
                    return value;
                }
                first.get_or_insert(value);
                if self.tries.get() == 0 {
                    break;
                }
                self.tries.set(self.tries.get() - 1);
            }
        }
        first.unwrap_or(Value::Null)
    }

    fn made(&self, schema: &Map<String, Value>, depth: u32) -> Value {
        if let Some(first) = choices(schema).find(|value| !value.is_null()) {
            return first.clone();
        }
        if let Some(constant) = schema.get("const") {
            return constant.clone();
        }
        match kind(schema) {
            "integer" => number(schema, true),
            "number" => number(schema, false),
            "boolean" => json!(true),
            "null" => Value::Null,
            "array" if depth > 0 => self.list(schema, depth),
            "array" => json!([]),
            "object" if depth > 0 => self.object(schema, depth),
            "object" => json!({}),
            _ => json!(text(schema)),
        }
    }

    fn list(&self, schema: &Map<String, Value>, depth: u32) -> Value {
        let count = bound(schema, "minItems").unwrap_or(1).clamp(1, LIST_MAX);
        let any = json!({});
        if schema.get("items").is_some_and(|items| is_answer(self.description, items)) {
            return json!([]);
        }
        let first = self.at(schema.get("items").unwrap_or(&any), depth - 1);
        let is_set = schema.get("uniqueItems") == Some(&Value::Bool(true));
        let item = |at: usize| if is_set { self.another(schema.get("items"), &first, at) } else { first.clone() };
        Value::Array((0..count).map(item).collect())
    }

    /// The item at this place of a list that has each item once.
    fn another(&self, schema: Option<&Value>, first: &Value, at: usize) -> Value {
        let chosen = schema.map(|schema| Merger::new(self.description, 0).merged(schema)).unwrap_or_default();
        if let Some(choice) = choices(&chosen).nth(at) {
            return choice.clone();
        }
        let words =
            chosen.get("pattern").and_then(Value::as_str).and_then(|pattern| pattern::word(pattern, at + 1, LIST_MAX));
        match (first, words) {
            (Value::String(_), Some(word)) => json!(word),
            (Value::String(text), None) if at > 0 => json!(format!("{text}{at}")),
            (Value::Number(number), _) if at > 0 => json!(number.as_i64().unwrap_or_default() + at as i64),
            _ => first.clone(),
        }
    }

    fn object(&self, schema: &Map<String, Value>, depth: u32) -> Value {
        let is_needed = |name: &str| {
            schema.get("required").and_then(Value::as_array).is_some_and(|names| names.iter().any(|one| one == name))
        };
        let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
        let wanted = properties.filter(|(name, one)| {
            // What only answers carry is no input; deep down only what must be there is given.
            (depth > OPTIONAL_ABOVE || is_needed(name)) && !is_answer(self.description, one)
        });
        let mut map: Map<String, Value> = wanted.map(|(name, one)| (name.clone(), self.at(one, depth - 1))).collect();
        let any = json!({});
        let more = schema.get("additionalProperties").filter(|more| more.is_object()).unwrap_or(&any);
        let missing = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        for name in missing.filter(|name| schema.get("properties").is_none_or(|known| known.get(*name).is_none())) {
            map.insert(name.to_owned(), self.at(more, depth - 1));
        }
        for at in 0..bound(schema, "minProperties").unwrap_or(0).saturating_sub(map.len()) {
            map.insert(self.name(schema, at), self.at(more, depth - 1));
        }
        Value::Object(map)
    }

    /// A name that the document leaves open.
    fn name(&self, schema: &Map<String, Value>, at: usize) -> String {
        match schema.get("propertyNames").map(|names| self.another(Some(names), &self.value(names), at)) {
            Some(Value::String(name)) => name,
            _ => format!("x y/{at}"),
        }
    }
}

fn choices(schema: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    schema.get("enum").and_then(Value::as_array).into_iter().flatten()
}

fn kind(schema: &Map<String, Value>) -> &str {
    match schema.get("type") {
        Some(Value::String(kind)) => kind,
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("null")
        }
        _ if schema.contains_key("properties") => "object",
        _ if schema.contains_key("items") => "array",
        _ => "string",
    }
}

fn bound(schema: &Map<String, Value>, name: &str) -> Option<usize> {
    schema.get(name).and_then(Value::as_u64).and_then(|bound| bound.try_into().ok())
}

/// A word that needs encoding everywhere, unless the schema says what it has to look like.
fn text(schema: &Map<String, Value>) -> String {
    let least = bound(schema, "minLength").unwrap_or(0);
    let most = bound(schema, "maxLength").unwrap_or(usize::MAX);
    let is_long_enough = |word: &str| (least..=most).contains(&word.chars().count());
    let pattern = schema.get("pattern").and_then(Value::as_str);
    let format = schema.get("format").and_then(Value::as_str).and_then(word_of_format);
    if let Some(word) =
        format.filter(|word| is_long_enough(word) && pattern.is_none_or(|pattern| pattern::fits(pattern, word)))
    {
        return word.to_owned();
    }
    if let Some(pattern) = pattern {
        let made = || pattern::word(pattern, least.max(1), most);
        let own = schema.get("examples").map_or(schema.get("default"), |own| own.get(0)).and_then(Value::as_str);
        // What a word looks at ahead and behind, its own examples know better.
        let own = own.filter(|_| pattern::has_views(pattern)).map(str::to_owned);
        if let Some(word) = own.or_else(made) {
            return word;
        }
    }
    "x y/ü".chars().chain(std::iter::repeat('x')).take(least.max(5).min(most)).collect()
}

fn word_of_format(format: &str) -> Option<&'static str> {
    Some(match format {
        "date" => "2026-11-22",
        "date-time" => "2026-11-22T03:00:00Z",
        "time" => "10:20:30Z",
        "duration" => "P1DT2H",
        "uuid" => "11111111-2222-4333-8444-555555555555",
        "email" | "idn-email" => "ada@example.com",
        "hostname" | "idn-hostname" => "host.example.com",
        "ipv4" | "ip" => "192.0.2.7",
        "ipv6" => "2001:db8::7",
        "cidr" | "ipv4-cidr" => "192.0.2.0/24",
        "uri" | "url" | "iri" | "uri-reference" | "iri-reference" => "https://example.com/a?b=c",
        "uri-template" => "https://example.com/{a}",
        "json-pointer" => "/a/b",
        "relative-json-pointer" => "1/a",
        "regex" => "^a+$",
        "byte" | "base64" => "eCB5L8O8",
        _ => return None,
    })
}

/// A number within the bounds: 1 if it may be.
fn number(schema: &Map<String, Value>, is_whole: bool) -> Value {
    let of = |name: &str| schema.get(name).and_then(Value::as_f64);
    let step = of("multipleOf").filter(|step| *step > 0.0);
    let (least, above) = (of("minimum").unwrap_or(f64::MIN), of("exclusiveMinimum").unwrap_or(f64::MIN));
    let (most, below) = (of("maximum").unwrap_or(f64::MAX), of("exclusiveMaximum").unwrap_or(f64::MAX));
    let is_it = |number: &f64| {
        *number >= least
            && *number > above
            && *number <= most
            && *number < below
            && (!is_whole || number.fract() == 0.0)
            && step.is_none_or(|step| (number / step).fract().abs() < 1e-9)
    };
    let unit = step.unwrap_or(1.0);
    let (low, high) = (least.max(above), most.min(below));
    let candidates = [
        1.0,
        unit,
        low,
        (low / unit).floor() * unit + unit,
        (high / unit).ceil() * unit - unit,
        high,
        (low + high) / 2.0,
    ];
    let number = candidates.into_iter().find(is_it).unwrap_or(1.0);
    if number.fract() == 0.0 && number.abs() < 9e15 { json!(number as i64) } else { json!(number) }
}

/// Levels of nesting: all members of the upper ones, and what must be there of the lower ones.
const DEPTH: u32 = 8;
const OPTIONAL_ABOVE: u32 = 5;
const CHOICES: usize = 12;
const TRIES: u32 = 200;
const LIST_MAX: usize = 100;
