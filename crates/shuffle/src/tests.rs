//! Whole workflows, as small as they can be: what stands there, and what stands here then.

use serde_json::{Value, json};
use sortie_engine::{
    document::{Step, TriggerKind, Verb, Workflow, read},
    template::{Budget, Names, Scope, Template},
};

use crate::{App, Apps, Import, Kind, NoApps, Operation, import};

fn read_back(import: &Import) -> Workflow {
    read(&import.document).unwrap_or_else(|problems| panic!("{problems:#?}\n{}", import.document))
}

fn step<'w>(workflow: &'w Workflow, id: &str) -> &'w Step {
    workflow.steps.iter().find(|step| step.id.value == id).unwrap_or_else(|| panic!("{id}: {workflow:#?}"))
}

/// An action of Shuffle Tools.
fn tool(id: &str, label: &str, function: &str, fields: &[(&str, &str)]) -> Value {
    let fields: Vec<Value> = fields.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    json!({ "id": id, "label": label, "app_name": "Shuffle Tools", "app_version": "1.2.0", "name": function, "parameters": fields })
}

fn workflow(actions: Vec<Value>, triggers: Vec<Value>, branches: &[(&str, &str)]) -> Value {
    let branches: Vec<Value> =
        branches.iter().map(|(from, to)| json!({ "source_id": from, "destination_id": to })).collect();
    json!({ "name": "W", "id": "w", "start": "a", "actions": actions, "triggers": triggers, "branches": branches,
        "workflow_variables": [{ "name": "Team name", "value": "soc" }] })
}

fn webhook() -> Value {
    json!({ "id": "t", "label": "Hook", "trigger_type": "WEBHOOK", "parameters": [] })
}

/// Behind a webhook `Find` looks for indicators, and what follows it repeats the text.
#[track_caller]
fn check(text: &str, expected: Value) {
    let find = tool("a", "Find it", "parse_ioc", &[("input_string", "$exec.text")]);
    let other = tool("b", "Use", "repeat_back_to_me", &[("call", text)]);
    let import = import(&workflow(vec![find, other], vec![webhook()], &[("t", "a"), ("a", "b")]), &NoApps);
    let found = read_back(&import);
    let Verb::Call(call) = &step(&found, "use").verb else { panic!("{}", import.document) };
    assert_eq!(call.with.as_ref().unwrap().to_json()["value"], expected, "{}", import.document);
}

/// The condition of the branch between them.
#[track_caller]
fn check_condition(source: &str, operator: &str, destination: &str, expected: Option<&str>) {
    let find = tool("a", "Find it", "parse_ioc", &[("input_string", "$exec.text")]);
    let other = tool("b", "Use", "repeat_back_to_me", &[("call", "x")]);
    let mut json = workflow(vec![find, other], vec![webhook()], &[("t", "a"), ("a", "b")]);
    let (negated, operator) = operator.strip_prefix("NOT ").map_or((false, operator), |rest| (true, rest));
    json["branches"][1]["conditions"] = json!([{
        "source": { "value": source },
        "condition": { "value": operator, "configuration": negated },
        "destination": { "value": destination },
    }]);
    let import = import(&json, &NoApps);
    let found = read_back(&import);
    assert_eq!(step(&found, "use").when.as_ref().map(|when| when.value.as_str()), expected, "{}", import.document);
}

#[test]
fn references_read_the_same_here() {
    check("$exec", json!("{{ trigger.body }}"));
    check("A $exec.a.b!", json!("A {{ trigger.body.a.b }}!"));
    check("$exec.@odata.a-b", json!("{{ trigger.body['@odata']['a-b'] }}"));
    check("$find_it.#0.data", json!("{{ steps.find-it.output[0].value }}"));
    check("$Find it.#max.data_type", json!("{{ steps.find-it.output[-1].type }}"));
    check("$team_name", json!("{{ vars.Team_name }}"));
    check("len($find_it)", json!("{{ steps.find-it.output | length }}"));
    check("number(5)", json!("{{ 5 }}"));
    check("join($exec.list, &)", json!("{{ trigger.body.list | join('&') }}"));
    check("\\$exec costs $5", json!("$exec costs $5"));
    check("$nobody.knows", json!("$nobody.knows"));
    check(
        "{{ '$exec.name' | downcase | replace: 'a', 'b' }}",
        json!("{{ trigger.body.name | string | lower | string | replace('a', 'b') }}"),
    );
}

#[test]
fn json_is_written_as_what_it_means() {
    check(
        r#"{"message": "Hi $exec.name", "items": $exec.items, "n": 1}"#,
        json!({ "items": "{{ trigger.body.items }}", "message": "Hi {{ trigger.body.name }}", "n": 1 }),
    );
    check("{\"a\": \"{% x", json!("{\"a\": \"{{ '{%' }} x"));
    check("12", json!(12));
    check("true", json!(true));
}

#[test]
fn conditions_hold_for_the_same_texts() {
    check_condition(
        "$exec.type",
        "equals",
        "Alert",
        Some("trigger.body.type | default('') | string | lower == 'alert'"),
    );
    check_condition(
        "$exec.type",
        "NOT contains",
        "x",
        Some("not (trigger.body.type | default('') | string | lower is containing('x'))"),
    );
    check_condition("len($find_it)", "larger than", "0", Some("steps.find-it.output | length > 0"));
    check_condition("len($find_it)", "equals", "1", Some("steps.find-it.output | length == 1"));
    check_condition("$exec.n", ">=", "7.5", Some("trigger.body.n | default(0) | float(0) >= 7.5"));
    check_condition(
        "$exec.id",
        "contains_any_of",
        "a.b, c",
        Some("trigger.body.id | default('') | string is matching('a\\\\.b|c')"),
    );
    check_condition(
        "$find_it.#.data",
        "startswith",
        "10.",
        Some(
            "steps.find-it.output | map(attribute='value', default='') | map('string') | map('lower') | select('startingwith', '10.') | length > 0",
        ),
    );
    check_condition(
        "$exec.id",
        "is empty",
        "",
        Some("trigger.body.id | default('') | string | lower in ['', '[]', '{}', 'null']"),
    );
    // What nobody can compare never opens a way.
    check_condition("$exec.id", "resembles", "x", Some("false"));
    check_condition("$exec.id", "matches regex", "(", Some("false"));
    check_condition("{{ x | y }}", "equals", "x", Some("false"));
}

#[test]
fn a_loop_is_of_the_whole_step_and_its_condition_stands_in_front() {
    let find = tool("a", "Find", "parse_ioc", &[("input_string", "$exec")]);
    let each = tool("b", "Each", "set_cache_value", &[("key", "ioc/$find.#.data"), ("value", "$find.#.data_type")]);
    let last = tool("c", "Last", "repeat_back_to_me", &[("call", "$each.#0.version")]);
    let mut json = workflow(vec![find, each, last], vec![webhook()], &[("t", "a"), ("a", "b"), ("b", "c")]);
    json["branches"][1]["conditions"] = json!([{ "source": { "value": "$exec.go" }, "condition": { "value": "=" }, "destination": { "value": "yes" } }]);
    let import = import(&json, &NoApps);
    let found = read_back(&import);
    let (open, each) = (step(&found, "open-each"), step(&found, "each"));
    assert!(open.when.is_some() && each.when.is_none());
    assert_eq!(each.after[0].step.value, "open-each");
    assert_eq!(each.for_each.as_ref().unwrap().list.value, "steps.find.output");
    let Verb::Call(call) = &each.verb else { panic!("{}", import.document) };
    assert_eq!(
        call.with.as_ref().unwrap().to_json(),
        json!({ "name": "ioc/{{ item.value }}", "value": "{{ item.type }}" })
    );
    assert_eq!(step(&found, "last").after[0].step.value, "each");
}

#[test]
fn a_node_runs_when_any_of_its_branches_is_open() {
    let nodes = ["a", "b", "c", "d"].map(|id| tool(id, id, "repeat_back_to_me", &[("call", "$b")])).to_vec();
    let import = import(&workflow(nodes, vec![], &[("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")]), &NoApps);
    let found = read_back(&import);
    let last = step(&found, "d");
    assert_eq!(last.run, sortie_engine::document::Run::Always);
    assert_eq!(last.when.as_ref().unwrap().value, "steps.b.outcome == 'succeeded' or steps.c.outcome == 'succeeded'");
    let Verb::Call(call) = &last.verb else { panic!("a call") };
    // `b` may have been skipped, where an empty text was read.
    assert_eq!(
        call.with.as_ref().unwrap().to_json()["value"],
        "{{ (steps.b.output if steps.b.outcome == 'succeeded' else '') }}"
    );
    assert_eq!(step(&found, "b").run, sortie_engine::document::Run::OnSuccess);
    // `c` reads `b` without a branch from there: it waits for it, and runs whatever became of it.
    let waiting = step(&found, "c");
    assert_eq!(waiting.after.len(), 2);
    assert_eq!(waiting.when.as_ref().unwrap().value, "steps.a.outcome == 'succeeded'");
}

#[test]
fn circles_are_cut_and_what_nothing_leads_to_rests() {
    let nodes = ["a", "b", "c"].map(|id| tool(id, id, "repeat_back_to_me", &[("call", "x")])).to_vec();
    let import = import(&workflow(nodes, vec![], &[("a", "b"), ("b", "a"), ("b", "b")]), &NoApps);
    let found = read_back(&import);
    assert!(step(&found, "a").after.is_empty() && !step(&found, "a").disabled);
    assert_eq!(step(&found, "b").after.len(), 1);
    assert!(step(&found, "c").disabled);
    assert_eq!(import.report.iter().filter(|finding| finding.what.contains("leads back to it")).count(), 2);
}

#[test]
fn starts_of_several_kinds_are_told_apart() {
    let nodes = ["a", "b"].map(|id| tool(id, id, "repeat_back_to_me", &[("call", "$exec.x")])).to_vec();
    let clock = json!({ "id": "s", "label": "Clock", "trigger_type": "SCHEDULE",
        "parameters": [{ "name": "cron", "value": "3600" }, { "name": "execution_argument", "value": "{\"x\": 1}" }] });
    let mail = json!({ "id": "m", "label": "Mail", "trigger_type": "EMAIL", "parameters": [] });
    let json = workflow(nodes, vec![webhook(), clock, mail], &[("t", "a"), ("s", "b"), ("m", "b")]);
    let import = import(&json, &NoApps);
    let found = read_back(&import);
    assert_eq!(found.triggers.len(), 2);
    assert_eq!(step(&found, "a").when.as_ref().unwrap().value, "trigger.body is defined");
    assert_eq!(
        step(&found, "b").when.as_ref().unwrap().value,
        "trigger.at is defined or steps.mail.outcome == 'succeeded'"
    );
    let Verb::Set(values) = &step(&found, "argument").verb else { panic!("a set") };
    assert_eq!(values[0].1.to_json(), json!("{{ trigger.body | default(vars.argument) }}"));
    assert!(step(&found, "mail").disabled && step(&found, "mail").note.is_some());
}

/// What a function of Shuffle Tools becomes, behind a webhook.
#[track_caller]
fn check_tool(function: &str, fields: &[(&str, &str)], expected: &str) {
    let import = import(&workflow(vec![tool("a", "A", function, fields)], vec![webhook()], &[("t", "a")]), &NoApps);
    read_back(&import);
    let from = import.document.find("  - id: a\n").unwrap();
    let written = &import.document[from..];
    assert_eq!(written.trim_start_matches("  - id: a\n"), expected, "{}", import.document);
}

#[test]
fn tools_become_operations_of_our_own() {
    check_tool(
        "filter_list",
        &[
            ("input_list", "$exec.list"),
            ("field", "a.b"),
            ("check", "larger than"),
            ("value", "5"),
            ("opposite", "True"),
        ],
        "    title: A\n    call: data/list-filter\n    with:\n      items: \"{{ trigger.body.list }}\"\n      by: a.b\n      test: larger\n      value: \"5\"\n      opposite: true\n",
    );
    check_tool(
        "filter_list",
        &[
            ("input_list", "$exec"),
            ("field", "k"),
            ("check", "contains any of"),
            ("value", "a.b,c"),
            ("opposite", "false"),
        ],
        "    title: A\n    call: data/list-filter\n    with:\n      items: \"{{ trigger.body }}\"\n      by: k\n      test: matches\n      value: \"a\\\\.b|c\"\n      opposite: false\n      ignore_case: true\n",
    );
    check_tool(
        "merge_lists",
        &[("list_one", "$exec.a"), ("list_two", "$exec.b"), ("set_field", "score")],
        "    title: A\n    call: data/list-merge\n    with:\n      items: \"{{ trigger.body.a }}\"\n      other: \"{{ trigger.body.b }}\"\n      field: score\n",
    );
    check_tool(
        "parse_ioc",
        &[("input_string", "")],
        "    title: A\n    call: data/iocs\n    with:\n      text: \"\"\n      as: list\n",
    );
    check_tool(
        "regex_capture_group",
        &[("input_data", "$exec.t"), ("regex", r"id=(\d+)")],
        "    title: A\n    set:\n      found: \"{{ trigger.body.t | string | regex_find('id=(\\\\\\\\d+)', 0, true) | length > 0 }}\"\n      group_0: \"{{ trigger.body.t | string | regex_find('id=(\\\\\\\\d+)', 1, true) }}\"\n",
    );
    check_tool(
        "get_hash_sum",
        &[("value", "$exec.t")],
        "    title: A\n    set:\n      md5: \"{{ trigger.body.t | string | md5 }}\"\n      sha1: \"{{ trigger.body.t | string | sha1 }}\"\n      sha256: \"{{ trigger.body.t | string | sha256 }}\"\n",
    );
    check_tool(
        "run_math_operation",
        &[("operation", "$exec.n + 1")],
        "    title: A\n    call: data/echo\n    with:\n      value: \"{{ (trigger.body.n | string | from_json) + 1 }}\"\n",
    );
    check_tool(
        "base64_conversion",
        &[("string", "$exec.t"), ("operation", "encode")],
        "    title: A\n    call: data/base64-encode\n    with:\n      text: \"{{ trigger.body.t | string }}\"\n",
    );
}

#[test]
fn tools_without_an_equal_rest() {
    check_tool(
        "execute_python",
        &[("code", "print('{{ $exec.a }}')\nprint(2)")],
        "    title: A\n    note: \"From Shuffle, execute_python of Shuffle Tools 1.2.0: it runs code that the workflow holds; a `code` step does that.\"\n    disabled: true\n    set:\n      function: execute_python\n      code: |-\n        print('{{ trigger.body.a }}')\n        print(2)\n",
    );
    check_tool(
        "set_cache_value",
        &[("key", "k"), ("value", "v"), ("category", "c")],
        "    title: A\n    note: \"From Shuffle, set_cache_value of Shuffle Tools 1.2.0: its parameter `category` has no equal.\"\n    disabled: true\n    set:\n      function: set_cache_value\n      key: k\n      value: v\n      category: c\n",
    );
}

/// An installation that knows one app and one workflow.
struct One;

impl Apps for One {
    fn operation(&self, app: &App<'_>) -> Option<Operation> {
        let inputs = json!({
            "type": "object", "required": ["case-id"], "additionalProperties": false,
            "properties": { "case-id": { "type": "string" }, "severity": { "type": "integer" }, "tags": { "type": "array" },
                "kind": { "type": "string", "enum": ["High", "Low"] } },
        });
        let known = (app.name, app.function) == ("TheHive", "post_case");
        known.then(|| Operation {
            connector: "thehive".to_owned(),
            operation: "create-case".to_owned(),
            inputs,
            is_sure: true,
        })
    }

    fn workflow(&self, id: &str) -> Option<String> {
        (id == "u-1").then(|| "other".to_owned())
    }
}

#[test]
fn known_apps_are_called_with_inputs_that_fit() {
    let action = |severity: &str, secret: &str| {
        json!({ "id": "a", "label": "A", "app_name": "TheHive", "name": "post_case", "authentication_id": "x", "parameters": [
            { "name": "apikey", "value": secret, "configuration": true },
            { "name": "case_id", "value": "$exec" }, { "name": "severity", "value": severity },
            { "name": "body", "value": "{\"tags\": [\"a\"]}" }, { "name": "kind", "value": "high" },
        ] })
    };
    let found = import(&workflow(vec![action("2", "hunter2")], vec![webhook()], &[("t", "a")]), &One);
    let read = read_back(&found);
    let Verb::Call(call) = &step(&read, "a").verb else { panic!("{}", found.document) };
    assert_eq!((call.connector.as_str(), call.operation.as_str()), ("thehive", "create-case"));
    assert_eq!(
        call.with.as_ref().unwrap().to_json(),
        json!({ "case-id": "{{ trigger.body | string }}", "severity": 2, "tags": ["a"], "kind": "High" })
    );
    assert!(!found.document.contains("hunter2") && !format!("{:?}", found.report).contains("hunter2"));
    let found = import(&workflow(vec![action("severe", "x")], vec![webhook()], &[("t", "a")]), &One);
    assert!(step(&read_back(&found), "a").disabled, "{}", found.document);
    assert!(found.report.iter().any(|finding| finding.kind == Kind::Disabled && finding.what.contains("severity")));
}

#[test]
fn ways_that_part_and_meet_are_kept() {
    let nodes = vec![
        tool("a", "Route", "router", &[]),
        tool("b", "Left", "parse_list", &[("items", "$exec.l")]),
        tool("c", "Right", "parse_list", &[("items", "$exec.r")]),
        tool("d", "Both", "merge_incoming_branches", &[("input_type", "list")]),
        tool("e", "Count", "get_length", &[("item", "$both")]),
        tool("f", "Else", "repeat_back_to_me", &[("call", "no")]),
    ];
    let edges = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("d", "e"), ("a", "f")];
    let found = import(&workflow(nodes, vec![], &edges), &NoApps);
    let read = read_back(&found);
    assert!(read.steps.iter().all(|step| !step.disabled), "{}", found.document);
    for part in [
        "call: data/list-union\n    with:\n      items: \"{{ (steps.left.output if steps.left.outcome == 'succeeded' else []) }}\"\n",
        "value: \"{{ steps.both.output | length }}\"\n",
        // Whoever runs it gets what the way gave that was taken.
        "output: \"{{ (steps.else.output if steps.else.outcome == 'succeeded' else (steps.count.output if steps.count.outcome == 'succeeded' else null)) }}\"\n",
    ] {
        assert!(found.document.contains(part), "{part}{}", found.document);
    }
}

/// An app that was made of a document gives `{ success, status, body, … }` since its second version.
#[test]
fn answers_of_apps_are_read_where_they_stand_here() {
    #[track_caller]
    fn check(version: &str, text: &str, expected: Option<&str>) {
        let app = json!({ "id": "a", "label": "App", "app_name": "TheHive", "app_version": version, "name": "post_case",
            "app_id": "b1946ac92492d2347c6235b4d2611184", "parameters": [{ "name": "case_id", "value": "1" }] });
        let reader = tool("b", "B", "repeat_back_to_me", &[("call", text)]);
        let found = import(&workflow(vec![app, reader], vec![webhook()], &[("t", "a"), ("a", "b")]), &One);
        let read = read_back(&found);
        let step = step(&read, "b");
        let Some(expected) = expected else { return assert!(step.disabled, "{}", found.document) };
        let Verb::Call(call) = &step.verb else { panic!("{}", found.document) };
        assert_eq!(call.with.as_ref().unwrap().to_json()["value"], expected, "{}", found.document);
    }
    check("1.1.0", "$app.body.id", Some("{{ steps.app.output.id }}"));
    check("1.1.0", "$app.body", Some("{{ steps.app.output }}"));
    check("1.1.0", "$app.body.#0.id", Some("{{ steps.app.output[0].id }}"));
    check("1.1.0", "$app.success", Some("{{ (steps.app.outcome == 'succeeded') }}"));
    check("1.1.0", "$app.status", None);
    check("1.0.0", "$app.body.id", Some("{{ steps.app.output.body.id }}"));
    check("1.0.0", "$app.status", Some("{{ steps.app.output.status }}"));
}

/// What is JSON in a field that takes a text stays JSON, whatever is put into it.
#[test]
fn json_in_a_text_is_not_broken_by_what_is_put_in() {
    let query = r#"{"_and":[{"_string":"title:\"$exec.title\""},{"n":$exec.n},{}], "open": true}"#;
    let action = json!({ "id": "a", "label": "A", "app_name": "TheHive", "name": "post_case",
        "parameters": [{ "name": "case_id", "value": query }] });
    let found = import(&workflow(vec![action], vec![webhook()], &[("t", "a")]), &One);
    let read = read_back(&found);
    let Verb::Call(call) = &step(&read, "a").verb else { panic!("{}", found.document) };
    let template = call.with.as_ref().unwrap().to_json()["case-id"].as_str().unwrap().to_owned();
    let template = Template::compile(&template, &Names::of_a_step()).unwrap();
    let trigger = json!({ "body": { "title": "C:\\new \"x\"", "n": 7 } });
    let scope = Scope::new(Default::default()).with("trigger", std::sync::Arc::new(trigger));
    let text = template.evaluate(&scope, Budget::default()).unwrap();
    let expected = json!({ "_and": [{ "_string": "title:\"C:\\new \"x\"\"" }, { "n": 7 }, {}], "open": true });
    assert_eq!(serde_json::from_str::<Value>(text.as_str().unwrap()).unwrap(), expected);
}

/// A text of a node that was skipped is an empty one, and a list an empty list.
#[test]
fn what_was_skipped_gives_nothing_of_its_kind() {
    let first = tool("a", "A", "repeat_back_to_me", &[("call", "x")]);
    let other = tool("b", "B", "repeat_back_to_me", &[("call", "y")]);
    let both = tool("c", "C", "add_list_to_list", &[("list_one", "$a"), ("list_two", "$b")]);
    let edges = [("t", "a"), ("t", "b"), ("a", "c"), ("b", "c")];
    let found = import(&workflow(vec![first, other, both], vec![webhook()], &edges), &NoApps);
    assert!(found.document.contains("steps.b.output if steps.b.outcome == 'succeeded' else [])"), "{}", found.document);
}

/// Installations in which another workflow runs the one that is imported.
struct Ran;

impl Apps for Ran {
    fn operation(&self, _: &App<'_>) -> Option<Operation> {
        None
    }

    fn workflow(&self, id: &str) -> Option<String> {
        (id == "w").then(|| "ours".to_owned())
    }

    fn is_called(&self, id: &str) -> bool {
        id == "w"
    }
}

#[test]
fn a_workflow_that_another_one_runs_can_be_run_and_has_its_settled_id() {
    let json =
        workflow(vec![tool("a", "A", "repeat_back_to_me", &[("call", "$exec")])], vec![webhook()], &[("t", "a")]);
    let found = read_back(&import(&json, &Ran));
    assert_eq!((found.id.value.as_str(), found.triggers.len()), ("ours", 3));
    assert_eq!(read_back(&import(&json, &NoApps)).triggers.len(), 1);
    // Whatever it is run with.
    let TriggerKind::Workflow { inputs } = &found.triggers[2].kind else { panic!("{found:?}") };
    assert_eq!((inputs[0].kind.as_str(), inputs[0].default.as_ref()), ("any", Some(&json!(""))));
}

#[test]
fn an_export_is_told_from_other_documents() {
    #[track_caller]
    fn check(json: Value, expected: bool) {
        assert_eq!(crate::is_export(&json), expected, "{json}");
    }
    check(workflow(vec![], vec![], &[]), true);
    check(json!({ "name": "x", "actions": null, "triggers": [] }), true);
    check(json!({ "workflow": "w", "triggers": [], "steps": [] }), false);
    check(json!({ "openapi": "3.0.0", "paths": {} }), false);
    check(json!([1]), false);
    check(json!("actions"), false);
}

#[test]
fn other_workflows_and_people_are_asked() {
    let fields = |workflow: &str| {
        json!([{ "name": "workflow", "value": workflow }, { "name": "argument", "value": "$exec.a" },
            { "name": "user_apikey", "value": "secret-7" }, { "name": "check_result", "value": "true" }])
    };
    let known = json!({ "id": "k", "label": "Known", "trigger_type": "SUBFLOW", "parameters": fields("u-1") });
    let unknown = json!({ "id": "u", "label": "Unknown", "trigger_type": "SUBFLOW", "parameters": fields("u-2") });
    let person = json!({ "id": "p", "label": "Person", "trigger_type": "USERINPUT",
        "parameters": [{ "name": "alertinfo", "value": "Isolate $exec.host?" }] });
    let start = tool("a", "A", "repeat_back_to_me", &[("call", "x")]);
    let json = workflow(vec![start], vec![known, unknown, person], &[("a", "p"), ("p", "k"), ("p", "u")]);
    let found = import(&json, &One);
    let read = read_back(&found);
    let Verb::Workflow(other) = &step(&read, "known").verb else { panic!("{}", found.document) };
    assert_eq!((other.id.value.as_str(), other.waits), ("other", true));
    assert!(step(&read, "unknown").disabled && !step(&read, "known").disabled);
    let Verb::Approval(approval) = &step(&read, "person").verb else { panic!("{}", found.document) };
    assert_eq!(approval.ask.value, "Isolate {{ inputs.argument.host }}?");
    assert!(!found.document.contains("secret-7"));
}
