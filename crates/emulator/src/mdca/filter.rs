//! `{"filters": {"severity": {"eq": [1, 2]}, "date": {"gte_ndays": 7}}}`: all fields and all operators have to hold.
//!
//! `descendantof` and `ndescendantof` walk the tree of organisational units, which this cloud does not have: they are
//! refused. A field that the page names and no record has counts as not set.

use std::collections::BTreeMap;

use serde_json::Value;

/// A record as it is shown, and what filters and orders see of it.
pub(super) struct Row {
    pub shown: Value,
    pub facets: BTreeMap<&'static str, Vec<Value>>,
}

/// One operator on one field.
#[derive(Debug)]
pub(super) struct Filter {
    field: &'static str,
    operator: Operator,
    wanted: Vec<Value>,
    now_ms: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Range,
    Contains,
    ContainsNot,
    StartsWith,
    StartsNotWith,
    EndsWith,
    IsSet,
    IsNotSet,
    SinceDays,
    BeforeDays,
}

impl Row {
    /// The first value of a field.
    pub(super) fn first(&self, field: &str) -> Option<&Value> {
        self.facets.get(field)?.first()
    }
}

impl Filter {
    /// # Errors
    /// What is wrong with the filters, as a sentence for the caller.
    pub(super) fn read(filters: Option<&Value>, facets: &[&'static str], now_ms: i64) -> Result<Vec<Self>, String> {
        let filters = match filters {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Object(filters)) => filters,
            Some(_) => return Err("The parameter 'filters' must be an object.".to_owned()),
        };
        let mut read = Vec::new();
        for (name, operators) in filters {
            let known = facets.iter().find(|facet| *facet == name);
            let field = *known.ok_or_else(|| format!("Unknown filter field: {name}"))?;
            let operators = operators.as_object().filter(|operators| !operators.is_empty());
            let operators = operators.ok_or_else(|| format!("The filter '{name}' needs an operator."))?;
            for (word, value) in operators {
                let found = OPERATORS.iter().find(|(known, _)| known == word);
                let operator = found.ok_or_else(|| format!("Unknown operator '{word}' of the filter '{name}'"))?.1;
                let wanted = match value {
                    Value::Array(list) if operator == Operator::Range => ranges(list),
                    Value::Array(list) => list.clone(),
                    one => vec![one.clone()],
                };
                read.push(Self { field, operator, wanted, now_ms });
            }
        }
        Ok(read)
    }

    pub(super) fn holds(&self, row: &Row) -> bool {
        let values = row.facets.get(self.field).map_or(&[][..], Vec::as_slice);
        let some = |test: &dyn Fn(&Value, &Value) -> bool| {
            values.iter().any(|value| self.wanted.iter().any(|wanted| test(value, wanted)))
        };
        let compare = |value: &Value, wanted: &Value| value.as_f64().zip(wanted.as_f64());
        let day = |wanted: &Value| wanted.as_f64().map(|days| millis_before(self.now_ms, days));
        match self.operator {
            Operator::Equal => some(&equal),
            Operator::NotEqual => !some(&equal),
            Operator::Greater => some(&|value, wanted| compare(value, wanted).is_some_and(|(a, b)| a > b)),
            Operator::GreaterOrEqual => some(&|value, wanted| compare(value, wanted).is_some_and(|(a, b)| a >= b)),
            Operator::Less => some(&|value, wanted| compare(value, wanted).is_some_and(|(a, b)| a < b)),
            Operator::LessOrEqual => some(&|value, wanted| compare(value, wanted).is_some_and(|(a, b)| a <= b)),
            Operator::Range => some(&within),
            Operator::Contains => some(&|value, wanted| both(value, wanted, |a, b| a.contains(b))),
            Operator::ContainsNot => !some(&|value, wanted| both(value, wanted, |a, b| a.contains(b))),
            Operator::StartsWith => some(&|value, wanted| both(value, wanted, |a, b| a.starts_with(b))),
            Operator::StartsNotWith => !some(&|value, wanted| both(value, wanted, |a, b| a.starts_with(b))),
            Operator::EndsWith => some(&|value, wanted| both(value, wanted, |a, b| a.ends_with(b))),
            Operator::IsSet => !values.is_empty(),
            Operator::IsNotSet => values.is_empty(),
            Operator::SinceDays => some(&|value, wanted| value.as_f64().zip(day(wanted)).is_some_and(|(a, b)| a >= b)),
            Operator::BeforeDays => some(&|value, wanted| value.as_f64().zip(day(wanted)).is_some_and(|(a, b)| a <= b)),
        }
    }

    /// The texts that an equality on a field asks for: what a caller names and may not exist.
    pub(super) fn named<'f>(filters: &'f [Self], field: &str) -> Vec<&'f str> {
        let equal = filters.iter().filter(|filter| filter.field == field && filter.operator == Operator::Equal);
        equal.flat_map(|filter| filter.wanted.iter().filter_map(Value::as_str)).collect()
    }
}

/// `[start, end]`, or a list of such pairs or of `{"start", "end"}`.
fn ranges(list: &[Value]) -> Vec<Value> {
    if list.iter().all(Value::is_number) { vec![Value::Array(list.to_vec())] } else { list.to_vec() }
}

fn within(value: &Value, wanted: &Value) -> bool {
    let end = |index: usize, name: &str| wanted.get(index).or_else(|| wanted.get(name)).and_then(Value::as_f64);
    let value = value.as_f64();
    value.zip(end(0, "start")).is_some_and(|(a, b)| a >= b) && value.zip(end(1, "end")).is_some_and(|(a, b)| a <= b)
}

/// Texts without regard to case; an entity also by its id alone, or by an object with its id.
fn equal(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::Object(value), Value::Object(wanted)) => {
            wanted.iter().all(|(name, part)| value.get(name).is_some_and(|own| equal(own, part)))
        }
        (Value::Object(value), wanted) => value.get("id").is_some_and(|id| equal(id, wanted)),
        (Value::String(value), Value::String(wanted)) => value.to_lowercase() == wanted.to_lowercase(),
        (Value::Number(value), Value::Number(wanted)) => value.as_f64() == wanted.as_f64(),
        (value, wanted) => value == wanted,
    }
}

fn both(value: &Value, wanted: &Value, test: impl Fn(&str, &str) -> bool) -> bool {
    match (value.as_str(), wanted.as_str()) {
        (Some(value), Some(wanted)) => test(&value.to_lowercase(), &wanted.to_lowercase()),
        _ => false,
    }
}

fn millis_before(now_ms: i64, days: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this age fit into 52 bits")]
    let now = now_ms as f64;
    now - days * 86_400_000.0
}

const OPERATORS: &[(&str, Operator)] = &[
    ("eq", Operator::Equal),
    ("deq", Operator::Equal),
    ("neq", Operator::NotEqual),
    ("gt", Operator::Greater),
    ("gte", Operator::GreaterOrEqual),
    ("lt", Operator::Less),
    ("lte", Operator::LessOrEqual),
    ("range", Operator::Range),
    ("contains", Operator::Contains),
    ("text", Operator::Contains),
    ("ncontains", Operator::ContainsNot),
    ("startswith", Operator::StartsWith),
    ("startswithsingle", Operator::StartsWith),
    ("doesnotstartwith", Operator::StartsNotWith),
    ("endswith", Operator::EndsWith),
    ("isset", Operator::IsSet),
    ("isnotset", Operator::IsNotSet),
    ("gte_ndays", Operator::SinceDays),
    ("lte_ndays", Operator::BeforeDays),
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(filters: Value) -> bool {
        let facets = BTreeMap::from([
            ("severity", vec![json!(2)]),
            ("date", vec![json!(1_000_000_000_000_i64)]),
            ("user", vec![json!({ "id": "AB-1", "saas": 11_161, "inst": 0 })]),
            ("title", vec![json!("Impossible travel")]),
        ]);
        let names = ["severity", "date", "user", "title", "absent"];
        let filters = Filter::read(Some(&filters), &names, 1_000_000_000_000 + 3 * 86_400_000).unwrap();
        filters.iter().all(|filter| filter.holds(&Row { shown: Value::Null, facets: facets.clone() }))
    }

    #[test]
    fn every_operator_takes_and_leaves() {
        for (takes, leaves) in [
            (json!({ "severity": { "eq": [1, 2] } }), json!({ "severity": { "eq": 1 } })),
            (json!({ "severity": { "neq": [0] } }), json!({ "severity": { "neq": [2] } })),
            (json!({ "severity": { "gt": 1, "lte": 2 } }), json!({ "severity": { "gt": 1, "lt": 2 } })),
            (
                json!({ "severity": { "range": [1, 2] } }),
                json!({ "severity": { "range": [{ "start": 3, "end": 4 }] } }),
            ),
            (json!({ "date": { "gte_ndays": 3 } }), json!({ "date": { "gte_ndays": 2 } })),
            (json!({ "date": { "lte_ndays": 2 } }), json!({ "date": { "lte_ndays": 4 } })),
            (json!({ "user": { "eq": { "id": "ab-1", "inst": 0 } } }), json!({ "user": { "eq": { "id": "ab-2" } } })),
            (json!({ "user": { "eq": "AB-1" } }), json!({ "user": { "neq": "ab-1" } })),
            (json!({ "title": { "text": "TRAVEL" } }), json!({ "title": { "ncontains": "travel" } })),
            (json!({ "title": { "startswith": "imp" } }), json!({ "title": { "doesnotstartwith": ["imp"] } })),
            (json!({ "title": { "endswith": "vel" } }), json!({ "title": { "endswith": "vels" } })),
            (json!({ "absent": { "isnotset": true } }), json!({ "absent": { "isset": true } })),
        ] {
            assert!(holds(takes.clone()), "{takes}");
            assert!(!holds(leaves.clone()), "{leaves}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for wrong in [
            json!([]),
            json!({ "mood": { "eq": 1 } }),
            json!({ "severity": { "like": 1 } }),
            json!({ "severity": { "descendantof": 1 } }),
            json!({ "severity": 1 }),
            json!({ "severity": {} }),
        ] {
            assert!(Filter::read(Some(&wrong), &["severity"], 0).is_err(), "{wrong}");
        }
    }
}
