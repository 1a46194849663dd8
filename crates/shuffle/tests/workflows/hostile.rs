//! Documents that nobody drew: whatever they are, the result is a document that holds, and no secret gets into it.

use proptest::prelude::*;
use serde_json::{Value, json};
use sortie_engine::{
    catalog::{self, Catalog, Found},
    document::read,
    validate::validate,
};
use sortie_shuffle::{App, Apps, Import, Kind, NoApps, Operation, import};

use crate::sound;

#[track_caller]
fn check(json: &Value) -> Import {
    let found = import(json, &NoApps);
    sound(&found);
    found.parts.iter().for_each(|part| drop(sound(part)));
    found
}

#[test]
fn what_is_no_workflow_becomes_an_empty_one() {
    for json in
        [json!(null), json!([]), json!("x"), json!({}), json!({ "actions": {}, "triggers": 5, "branches": "x" })]
    {
        check(&json);
    }
}

#[test]
fn ten_thousand_nodes_are_cut_and_every_one_is_named() {
    let node = |at: usize| {
        json!({ "id": format!("n{at}"), "label": "Same", "app_name": "Shuffle Tools", "name": "repeat_back_to_me",
            "parameters": [{ "name": "call", "value": format!("$same.#.x {}", "{{".repeat(50)) }] })
    };
    let actions: Vec<Value> = (0..10_000).map(node).collect();
    let branch =
        |at: usize| json!({ "source_id": format!("n{at}"), "destination_id": format!("n{}", at * 7 % 10_000) });
    let branches: Vec<Value> = (0..10_000).map(branch).collect();
    let started = std::time::Instant::now();
    let found = check(&json!({ "name": "Many", "start": "n0", "actions": actions, "branches": branches }));
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
    let dropped = found.report.iter().filter(|finding| finding.kind == Kind::Dropped && finding.node.label == "Same");
    assert!(dropped.count() >= 9_500);
}

#[test]
fn all_nodes_lead_to_all_others() {
    let node = |at: usize| {
        json!({ "id": at.to_string(), "label": format!("N {at}"), "app_name": "Testing", "name": "hello_world",
            "parameters": [{ "name": "call", "value": "x" }] })
    };
    let branches: Vec<Value> = (0..60)
        .flat_map(|from| {
            (0..60).map(move |to| json!({ "source_id": from.to_string(), "destination_id": to.to_string() }))
        })
        .collect();
    check(
        &json!({ "name": "All", "start": "0", "actions": (0..60).map(node).collect::<Vec<_>>(), "branches": branches }),
    );
}

#[test]
fn long_texts_are_cut_and_the_document_still_fits() {
    let node = |at: usize| {
        json!({ "id": at.to_string(), "label": "L".repeat(5_000), "app_name": "x".repeat(9_000), "name": "f",
            "parameters": [{ "name": "n".repeat(3_000), "value": "{%".repeat(40_000) }, { "name": "", "value": "$".repeat(70_000) }] })
    };
    let json = json!({ "name": "Long ".repeat(500), "start": "0", "actions": (0..30).map(node).collect::<Vec<_>>(),
        "workflow_variables": (0..300).map(|at| json!({ "name": format!("v{at}"), "value": "y".repeat(9_000) })).collect::<Vec<_>>() });
    check(&json);
}

/// Texts that mean something to somebody.
fn text() -> impl Strategy<Value = String> {
    let words = [
        "$exec",
        "$exec.a",
        "$a",
        "$a.#",
        "$b.#.x",
        "$b.#0-1.y",
        "$var",
        "$ev",
        ".#.",
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "{",
        "}",
        "'",
        "\"",
        "\\",
        "len($a)",
        "join($b.#, x)",
        "{{ $a | upcase }}",
        "{{ '$b.x' | plus: 1 }}",
        "\n",
        ": ",
        " #",
        "a",
        "1",
        ",",
        "[",
        "]",
        "\u{0}",
        "\u{1f600}",
        "true",
        "$shuffle_cache.k",
        "number(x)",
        "^_^",
        "|",
        "-}}",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..6).prop_map(|parts| parts.concat())
}

fn fields(names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let field = (prop::sample::select(names.to_vec()), text(), any::<bool>());
    prop::collection::vec(field, 0..5).prop_map(|fields| {
        let one = |(name, value, configuration): (&str, String, bool)| {
            json!({ "name": name, "value": value, "configuration": configuration && name.len() % 2 == 0 })
        };
        fields.into_iter().map(one).collect()
    })
}

const NAMES: &[&str] = &[
    "call",
    "input_list",
    "field",
    "check",
    "value",
    "opposite",
    "input_string",
    "input_data",
    "regex",
    "key",
    "url",
    "headers",
    "body",
    "seconds",
    "operation",
    "workflow",
    "argument",
    "alertinfo",
    "cron",
    "execution_argument",
    "timeout",
    "recipient",
    "subject",
    "string",
    "list_one",
    "list_two",
    "set_field",
    "item",
    "json_object",
    "convertto",
    "data",
    "x y",
    "",
];
const FUNCTIONS: &[(&str, &str)] = &[
    ("Shuffle Tools", "repeat_back_to_me"),
    ("Shuffle Tools", "filter_list"),
    ("Shuffle Tools", "parse_ioc"),
    ("Shuffle Tools", "regex_capture_group"),
    ("Shuffle Tools", "get_hash_sum"),
    ("Shuffle Tools", "run_math_operation"),
    ("Shuffle Tools", "execute_python"),
    ("Shuffle Tools", "set_cache_value"),
    ("Shuffle Tools", "get_cache_value"),
    ("Shuffle Tools", "xml_json_convertor"),
    ("Shuffle Tools", "base64_conversion"),
    ("Shuffle Tools", "set_json_key"),
    ("Shuffle Tools", "diff_lists"),
    ("Shuffle Tools", "merge_lists"),
    ("Shuffle Tools", "merge_incoming_branches"),
    ("Shuffle Tools", "get_length"),
    ("Shuffle Tools", "router"),
    ("Testing", "raise_error"),
    ("soar-tools", "get_timestamp"),
    ("Testing", "pause"),
    ("http", "POST"),
    ("http", "GET"),
    ("email", "send_email_smtp"),
    ("thehive", "create_alert"),
    ("", ""),
    ("shuffle-subflow", "run_subflow"),
];

fn node() -> impl Strategy<Value = Value> {
    let id = prop::sample::select(vec!["1", "2", "3", "4", "5", "", "start"]);
    let label = prop::sample::select(vec!["A", "b", "B", "a b", "Ä", "", "9", "exec", "argument", "open a", "var"]);
    let trigger =
        prop::sample::select(vec!["WEBHOOK", "SCHEDULE", "SUBFLOW", "USERINPUT", "EMAIL", "PIPELINE", "", "webhook"]);
    let variable = prop::sample::select(vec!["", "ev", "other"]);
    (id, label, prop::sample::select(FUNCTIONS.to_vec()), fields(NAMES), trigger, 0_u64..4, variable).prop_map(
        |(id, label, (app, function), parameters, trigger, delay, variable)| {
            json!({ "id": id, "label": label, "app_name": app, "name": function, "parameters": parameters,
                "trigger_type": trigger, "execution_delay": delay, "execution_variable": { "name": variable } })
        },
    )
}

fn branch() -> impl Strategy<Value = Value> {
    let id = || prop::sample::select(vec!["1", "2", "3", "4", "5", "", "start", "nobody"]);
    let operators = vec![
        "equals",
        "=",
        "does not equal",
        "contains",
        "contains_any_of",
        "startswith",
        "matches regex",
        "larger than",
        "less than",
        ">=",
        "is empty",
        "resembles",
        "",
    ];
    let condition = (text(), prop::sample::select(operators), text(), any::<bool>());
    let conditions = prop::collection::vec(condition, 0..3);
    (id(), id(), conditions).prop_map(|(from, to, conditions)| {
        let one = |(source, operator, destination, negated): (String, &str, String, bool)| {
            json!({ "source": { "value": source }, "condition": { "value": operator, "configuration": negated },
                "destination": { "value": destination } })
        };
        json!({ "source_id": from, "destination_id": to, "conditions": conditions.into_iter().map(one).collect::<Vec<_>>() })
    })
}

fn workflow() -> impl Strategy<Value = Value> {
    let nodes = || prop::collection::vec(node(), 0..6);
    (nodes(), nodes(), prop::collection::vec(branch(), 0..10), text(), text()).prop_map(
        |(actions, triggers, branches, name, value)| {
            json!({ "name": name, "id": "w", "start": "start", "actions": actions, "triggers": triggers, "branches": branches,
                "workflow_variables": [{ "name": "var", "value": value }], "execution_variables": [{ "name": "ev", "value": value }] })
        },
    )
}

/// An installation that has every app, and of which nothing else is known.
struct Everything;

fn inputs() -> Value {
    let kinds = ["string", "string", "integer", "array", "boolean", "object"].into_iter().cycle();
    let names = NAMES.iter().filter(|name| !name.is_empty()).zip(kinds);
    let fields = names.map(|(name, kind)| ((*name).to_owned(), json!({ "type": kind })));
    json!({ "type": "object", "properties": fields.collect::<serde_json::Map<_, _>>(), "additionalProperties": false })
}

impl Apps for Everything {
    fn operation(&self, _: &App<'_>) -> Option<Operation> {
        Some(Operation { connector: "app".to_owned(), operation: "do".to_owned(), inputs: inputs(), is_sure: true })
    }

    fn workflow(&self, id: &str) -> Option<String> {
        (id == "w").then(|| "ours".to_owned())
    }

    fn is_called(&self, id: &str) -> bool {
        id == "w"
    }
}

impl Catalog for Everything {
    fn operation(&self, connector: &str, _: &str) -> Found<catalog::Operation> {
        match connector {
            "app" => Found::Known(catalog::Operation {
                class: sortie_engine::decide::Class::Unsafe,
                inputs: inputs(),
                roles: Vec::new(),
                can_await: false,
                can_cancel: false,
                has_pages: false,
            }),
            _ => Found::Undecided,
        }
    }

    fn connection(&self, _: &str, _: Option<&str>) -> Found<catalog::Connection> {
        Found::Undecided
    }

    fn workflow(&self, _: &str) -> Found<catalog::Callable> {
        Found::Undecided
    }
}

/// Another value at a place somewhere in the document.
fn mutated(value: &mut Value, mut at: usize, with: &Value) -> bool {
    if at == 0 {
        *value = with.clone();
        return true;
    }
    at -= 1;
    let members: Vec<&mut Value> = match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(members) => members.values_mut().collect(),
        _ => return false,
    };
    let count = members.len().max(1);
    members.into_iter().nth(at % count).is_some_and(|member| mutated(member, at / count, with))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_drawn_becomes_a_document_that_holds(json in workflow()) {
        let found = check(&json);
        prop_assert_eq!(&found, &import(&json, &NoApps));
        for list in ["actions", "triggers"] {
            for node in json[list].as_array().unwrap() {
                let id = node["id"].as_str().unwrap();
                let all = std::iter::once(&found).chain(&found.parts).flat_map(|part| &part.report);
                prop_assert!(all.into_iter().any(|finding| finding.node.id == id), "{} is named", node);
            }
        }
    }

    /// Texts in every field of an app that takes texts, numbers, lists and objects, among them JSON with anything in it.
    #[test]
    fn whatever_an_app_is_asked_becomes_a_call_that_holds(json in workflow(), body in text()) {
        let mut json = json;
        let field = json!({ "name": "body", "value": format!("{{\"a\": \"{body}\", \"b\": [$exec, \"$a.#.x\"]}}") });
        if let Some(first) = json["actions"].as_array_mut().and_then(|actions| actions.first_mut()) {
            first["app_name"] = "thehive".into();
            first["parameters"].as_array_mut().unwrap().push(field);
        }
        let found = import(&json, &Everything);
        for part in std::iter::once(&found).chain(&found.parts) {
            let workflow = read(&part.document).map_err(|problems| TestCaseError::fail(format!("{problems:?}")))?;
            let problems = validate(&workflow, &Everything);
            prop_assert!(problems.is_empty(), "{problems:?}\n{}", part.document);
        }
    }

    #[test]
    fn whatever_stands_in_the_wrong_place_is_survived(
        json in workflow(),
        at in 0_usize..5_000,
        with in prop::sample::select(vec![json!(null), json!(7), json!("x"), json!([]), json!({}), json!([[{ "a": [] }]]), json!(true)]),
    ) {
        let mut json = json;
        mutated(&mut json, at, &with);
        check(&json);
    }

    #[test]
    fn secrets_stay_behind(json in workflow(), at in 0_usize..6, place in 0_usize..5) {
        const SECRET: &str = "Zx9Kq2Lm8Rt4Vb6Nw1Ys3Pd5";
        let mut json = json;
        let (name, value) = [
            ("apikey", SECRET.to_owned()),
            ("password", SECRET.to_owned()),
            ("headers", format!("Authorization: Bearer {SECRET}")),
            ("body", format!("{{\"client_secret\": \"{SECRET}\", \"x\": \"$exec.a\"}}")),
            ("call", format!("https://user:{SECRET}@example.com/ and {SECRET}")),
        ][place].clone();
        let field = json!({ "name": name, "value": value });
        let list = json["actions"].as_array_mut().unwrap();
        if list.is_empty() {
            list.push(json!({ "id": "1", "label": "A", "app_name": "thehive", "name": "f", "parameters": [] }));
        }
        let count = list.len();
        list[at % count]["parameters"].as_array_mut().unwrap().push(field);
        json["workflow_variables"][0]["value"] = SECRET.into();
        let found = check(&json);
        // The document, its report, and those of its parts.
        let told = format!("{found:?}");
        prop_assert!(!told.contains(SECRET), "{}", told);
    }
}
