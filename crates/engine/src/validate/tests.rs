use serde_json::json;

use super::validate;
use crate::{
    catalog::{Callable, Catalog, Connection, Found, Operation},
    decide::Class,
    document::read,
};

/// An installation with a few operations.
struct Installed;

impl Catalog for Installed {
    fn operation(&self, connector: &str, operation: &str) -> Found<Operation> {
        let known = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        if connector != "defender" {
            return Found::Unknown { what: "connector", known: known(&["defender"]) };
        }
        let (class, roles, can_await) = match operation {
            "get-device" => (Class::Safe, vec!["Machine.Read.All", "Machine.ReadWrite.All"], false),
            "isolate-device" => (Class::Probed, vec!["Machine.Isolate"], true),
            _ => return Found::Unknown { what: "operation", known: known(&["get-device", "isolate-device"]) },
        };
        Found::Known(Operation {
            class,
            inputs: json!({
                "type": "object", "required": ["id"], "additionalProperties": false,
                "properties": { "id": { "type": "string" }, "IsolationType": { "enum": ["Full", "Selective"] } }
            }),
            roles: roles.into_iter().map(str::to_owned).collect(),
            can_await,
            can_cancel: class != Class::Safe,
            has_pages: false,
        })
    }

    fn connection(&self, _: &str, name: Option<&str>) -> Found<Connection> {
        match name {
            None | Some("own") => Found::Known(Connection {
                name: "own".to_owned(),
                roles: name.map(|_| vec!["Machine.Read.All".to_owned()]),
            }),
            Some(_) => Found::Unknown { what: "connection", known: vec!["own".to_owned()] },
        }
    }

    fn workflow(&self, id: &str) -> Found<Callable> {
        match id {
            "called" => {
                let inputs = json!({ "type": "object", "properties": { "who": { "type": "string" } } });
                Found::Known(Callable { has_trigger: true, inputs })
            }
            "closed" => Found::Known(Callable { has_trigger: false, inputs: json!({}) }),
            _ => Found::Unknown { what: "workflow", known: vec!["called".to_owned()] },
        }
    }
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let workflow = read(text).unwrap_or_else(|problems| panic!("{problems:?}"));
    let told: Vec<String> = validate(&workflow, &Installed).iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.contains(expected), "{told}\n{expected}");
    }
}

#[track_caller]
fn check_steps(steps: &str, expected: &[&str]) {
    check(
        &format!(
            "workflow: w\ntriggers: [{{ manual: {{ needs: incident }} }}]\nvars: {{ team: soc }}\nsteps:\n{steps}"
        ),
        expected,
    );
}

#[test]
fn calls_are_of_operations_that_are_there_and_take_what_is_given() {
    check_steps("  - { id: a, call: defender/get-device, with: { id: x } }\n", &[]);
    check_steps(
        "  - { id: a, call: defendr/get-device, with: { id: x } }\n",
        &["5:20: there is no connector `defendr`. Did you mean `defender`?"],
    );
    check_steps(
        "  - { id: a, call: defender/get-devise, with: { id: x } }\n",
        &["5:20: there is no operation `get-devise`. Did you mean `get-device`?"],
    );
    check_steps(
        "  - { id: a, call: defender/isolate-device, with: { Id: x, IsolationType: Hihg } }\n",
        &["needs the input `id`", "has no input `Id`. Did you mean `id`?", "cannot be \"Hihg\""],
    );
    check_steps("  - { id: a, await: true, call: defender/get-device, with: { id: x } }\n", &["`await` means nothing"]);
    check_steps(
        "  - { id: a, on_timeout: cancel, call: defender/get-device, with: { id: x } }\n",
        &["`on_timeout: cancel` means nothing for defender/get-device"],
    );
    check_steps(
        "  - { id: a, on_timeout: cancel, call: defender/isolate-device, with: { id: x, IsolationType: Full } }\n",
        &["`on_timeout: cancel` means nothing for defender/isolate-device without `await`"],
    );
    check_steps(
        "  - { id: a, call: defender/get-device, with: { id: x }, connection: other }\n",
        &["there is no connection `other`"],
    );
    check_steps("  - { id: a, call: defender/get-device, with: { id: x }, connection: own }\n", &[]);
    check_steps(
        "  - { id: a, call: defender/isolate-device, with: { id: x }, connection: own }\n",
        &["connection own lacks a role for defender/isolate-device. Grant its application `Machine.Isolate`."],
    );
    check_steps("  - { id: a, workflow: called, with: { who: me } }\n", &[]);
    check_steps("  - { id: a, workflow: called, with: { whom: me } }\n", &["workflow called has no input `whom`"]);
    check_steps("  - { id: a, workflow: closed }\n", &["cannot be called by another"]);
    check_steps("  - { id: a, workflow: cald }\n", &["there is no workflow `cald`"]);
}

#[test]
fn templates_read_what_is_certainly_there() {
    let two = |reading: &str, after: &str| {
        format!("  - {{ id: first, set: {{ x: 1 }} }}\n  - {{ id: b, {after}set: {{ y: \"{reading}\" }} }}\n")
    };
    check_steps(&two("{{ steps.first.output.x }}", "after: [first], "), &[]);
    check_steps(
        &two("{{ steps.first.output.x }}", ""),
        &["`first` may not have ended when this reads it. Put `first` into this step's `after`"],
    );
    check_steps(
        &two("{{ steps.frist.output.x }}", "after: [first], "),
        &["there is no step `frist` to read here. Did you mean `first`?"],
    );
    check_steps(&two("{{ trigger.incident.id }} {{ vars.team }} {{ run.id }} {{ tenant.name }}", ""), &[]);
    check_steps(&two("{{ vars.tean }}", ""), &["there is no `vars.tean`. Did you mean `team`?"]);
    check_steps(&two("{{ run.number }}", ""), &["`run` has no `number`. It has id, url"]);
    check_steps(&two("{{ tenant.nmae }}", ""), &["nmae"]);
    check_steps(&two("{{ nothing }}", ""), &["nothing"]);
    check_steps(&two("{{ 1 + }}", ""), &["6:"]);
    check_steps("  - { id: a, when: '{{ true }}', set: { x: 1 } }\n", &["5:"]);
}

#[test]
fn every_trigger_gives_what_is_read() {
    let text = |triggers: &str, reading: &str| {
        format!("workflow: w\ntriggers: [{triggers}]\nsteps:\n  - {{ id: a, set: {{ x: \"{reading}\" }} }}\n")
    };
    let both = "{ incident: {} }, { manual: { needs: incident } }";
    check(&text(both, "{{ trigger.incident.id }}"), &[]);
    check(
        &text("{ incident: {} }, { schedule: { every: 1h } }", "{{ trigger.incident.id }}"),
        &["`trigger.incident` is not there when the workflow starts by `schedule`"],
    );
    check(&text("{ incident: {} }, { schedule: { every: 1h } }", "{{ trigger.incident | default(none) }}"), &[]);
    check(&text("{ manual: { inputs: { who: string } } }", "{{ inputs.who }}"), &[]);
    check(&text("{ manual: { inputs: { who: string } } }", "{{ inputs.whom }}"), &["`inputs.whom` is not there"]);
    check(&text("", "{{ trigger.incident.id }}"), &["nothing gives `trigger.incident`"]);
}

#[test]
fn inside_a_loop_its_item_and_what_ended_before_it_can_be_read() {
    let steps = |reading: &str| {
        format!(
            "  - {{ id: list, set: {{ x: [1] }} }}
  - id: each
    after: [list]
    for_each: steps.list.output.x
    as: device
    steps:
      - {{ id: get, set: {{ x: 1 }} }}
      - {{ id: use, after: [get], set: {{ y: \"{reading}\" }} }}
  - {{ id: last, after: [each], set: {{ y: '{{{{ steps.each.output }}}}' }} }}
"
        )
    };
    check_steps(&steps("{{ device }} {{ index }} {{ steps.get.output.x }} {{ steps.list.output.x }}"), &[]);
    check_steps(&steps("{{ steps.each.output }}"), &["`each` may not have ended"]);
    check_steps(&steps("{{ steps.last.output }}"), &["`last` may not have ended"]);
    check_steps("  - { id: a, set: { x: '{{ index }}' } }\n", &["index"]);
}
