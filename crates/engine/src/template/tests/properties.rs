//! What holds for any text and any data.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Map;
use sortie_kql::{Cell, Database, Options, Schema, Table, TokenKind, tokens};

use super::*;

/// Texts that look like the templates of this and of other engines, or break what is put together by hand.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{{ 7*7 }}".to_owned()),
        Just("{% for x in y %}".to_owned()),
        Just("{# a".to_owned()),
        Just("${7*7}".to_owned()),
        Just("#{7*7}".to_owned()),
        Just("<%= 7*7 %>".to_owned()),
        Just("$node.x.#".to_owned()),
        Just("$exec.a".to_owned()),
        Just("{{".to_owned()),
        Just("}}".to_owned()),
        Just("%}".to_owned()),
        Just("\\".to_owned()),
        Just("\"".to_owned()),
        Just("'".to_owned()),
        Just("\t\n\r\0".to_owned()),
        Just("\u{1f600}\u{202e}\u{fffd}\u{feff}".to_owned()),
        any::<String>(),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

pub(super) fn data() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        // What has few digits: the reader of JSON is not exact in the last bit of those that have many.
        any::<i32>().prop_map(|quarters| Value::from(f64::from(quarters) / 4.0)),
        hostile().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((hostile(), inner), 0..6).prop_map(|fields| Map::from_iter(fields).into()),
        ]
    })
}

fn evaluate(text: &str, x: &Value) -> Result<Value, TemplateError> {
    let template = Template::compile(text, &names())?;
    template.evaluate(&scope(&json!({ "trigger": { "x": x } })), Budget::default())
}

struct Nothing;

impl Database for Nothing {
    fn schema(&self, _: &str) -> Option<Arc<Schema>> {
        None
    }

    fn table(&self, _: &str) -> Option<Arc<Table>> {
        None
    }

    fn table_names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The literal in this query is one token, and says the text.
pub(super) fn only_a_literal(query: &str, text: &str) {
    let literals: Vec<_> = tokens(query).into_iter().filter(|token| token.kind == TokenKind::String).collect();
    assert_eq!(literals.len(), 1, "{query}");
    assert_eq!(tokens(query).iter().filter(|token| token.kind == TokenKind::Unknown).count(), 0, "{query}");
    let literal = &query[literals[0].span.start..literals[0].span.end];
    let options = Options { now: 0, window: None, limits: sortie_kql::Limits::default() };
    let answer = sortie_kql::run(&format!("print x = {literal}"), &Nothing, &options).unwrap();
    assert!(matches!(answer.table().cell(0, 0), Cell::String(found) if found == text), "{query}");
}

proptest! {
    #[test]
    fn data_passes_through_as_it_came(x in data()) {
        prop_assert_eq!(evaluate("{{ trigger.x }}", &x), Ok(x.clone()));
        prop_assert_eq!(evaluate("{{ [trigger.x, {'a': trigger.x}] }}", &x), Ok(json!([x, { "a": x }])));
        prop_assert_eq!(evaluate("{% set y = trigger.x %}{{ y | json }}", &x), Ok(x.to_string().into()));
        let spelled = x.as_str().map_or_else(|| x.to_string(), str::to_owned);
        prop_assert_eq!(evaluate("<{{ trigger.x }}>", &x), Ok(format!("<{spelled}>").into()));
        let body = evaluate(r#"{"a": {{ trigger.x | json }}, "b": [{{ [trigger.x] }}]}"#, &x).unwrap();
        let body: Value = serde_json::from_str(body.as_str().unwrap()).unwrap();
        prop_assert_eq!(body, json!({ "a": x, "b": [[x]] }));
        prop_assert_eq!(evaluate("{{ trigger.x | json | from_json == trigger.x }}", &x), Ok(true.into()));
    }

    #[test]
    fn a_text_without_marks_is_what_it_is(text in any::<String>()) {
        prop_assume!(!["{{", "{%", "{#"].iter().any(|mark| text.contains(mark)));
        prop_assert_eq!(evaluate(&text, &Value::Null), Ok(text.clone().into()));
        let template = Template::compile(&text, &names()).unwrap();
        prop_assert_eq!(template.literal(), Some(text.as_str()));
        prop_assert_eq!(evaluate(&format!("{{% raw %}}{text}{{% endraw %}}"), &Value::Null), Ok(text.into()));
    }

    #[test]
    fn a_quoted_text_is_one_literal(text in hostile()) {
        let query = evaluate("T | where a == {{ trigger.x | kql_quote }} and b", &text.as_str().into()).unwrap();
        only_a_literal(query.as_str().unwrap(), &text);
    }

    #[test]
    fn a_text_comes_back_from_base64(text in any::<String>()) {
        prop_assert_eq!(evaluate("{{ trigger.x | b64encode | b64decode }}", &text.as_str().into()), Ok(text.clone().into()));
    }
}

#[rustfmt::skip] // One a line would be a page.
const WORDS: &[&str] = &[
    "{{", "}}", "{%", "%}", "{#", "#}", "-", "(", ")", "[", "]", "{", "}", ":", ",", ".", "|", "~", "+", "*", "**",
    "/", "//", "%", "==", "!=", "<", ">", "=", "and", "or", "not", "in", "is", "if", "else", "elif", "endif",
    "for", "endfor", "set", "raw", "endraw", "x", "y", "trigger", "trigger.x", "steps", ".machine", "fetch-it",
    ".output", "run", "now", "loop", "index", "true", "none", "0", "1", "-1", "2.5", "1e308",
    "99999999999999999999", "'a'", "\"b\"", "'(a*)*'", "'", "\\", "é", "😀", "\0", "range(9)", "range(999999999)",
    "ago('1h')", "default(1)", "map('upper')", "map(attribute='x')", "select('gt', 1)", "regex_find('a')",
    "regex_replace('', 'b')", "items", "length", "first", "sort", "join", "join(',')", "json", "from_json", "int",
    "string", "list", "split", "split('')", "batch(2)", "slice(3)", "groupby('x')", "unique", "format_time",
    "parse_time", "iocs", "defined", "divisibleby", "x in [1, 2]", "set x = 1", "for x in [1, 2]", "{{ x }}",
    "{% endfor %}", "{% if true %}", "{% endif %}", "{% set x = [x, x] %}",
];

/// Pieces of the language, put together without sense.
fn soup() -> impl Strategy<Value = String> {
    let names = super::super::filters::names().collect::<Vec<_>>();
    let word = prop_oneof![
        4 => prop::sample::select(WORDS).prop_map(str::to_owned),
        1 => prop::sample::select(names).prop_map(|name| format!("| {name}")),
        1 => any::<String>(),
    ];
    (prop::collection::vec(word, 0..24), any::<bool>()).prop_map(|(words, is_wrapped)| {
        let words = words.join(" ");
        if is_wrapped { format!("{{{{ {words} }}}}") } else { words }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic_or_go_on(text in soup(), x in data()) {
        let budget = Budget { work_max: 20_000, text_bytes_max: 10_000, value_bytes_max: 100_000 };
        let scope = scope(&json!({ "trigger": { "x": x } }));
        let check = |error: &TemplateError, text: &str| {
            assert!(text.get(error.span()).is_some(), "{error}: {:?}", error.span());
            assert!(!error.what().is_empty());
        };
        match Template::compile(&text, &names()) {
            Ok(template) => match template.evaluate(&scope, budget) {
                Ok(value) => prop_assert!(value.as_str().is_none_or(|text| text.len() <= 100_000)),
                Err(error) => check(&error, &text),
            },
            Err(error) => check(&error, &text),
        }
        match bare(&text) {
            Ok(expression) => {
                let _ = expression.evaluate_bool(&scope, budget);
                if let Err(error) = expression.evaluate(&scope, budget) { check(&error, &text) }
            }
            Err(error) => check(&error, &text),
        }
    }
}
