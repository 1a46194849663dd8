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

#[test]
fn objects_of_defender_have_the_fields_and_words_of_their_shape() {
    let set = |reading: &str| format!("  - {{ id: a, set: {{ x: \"{{{{ {reading} }}}}\" }} }}\n");
    let when = |condition: &str| format!("  - id: a\n    when: >-\n      {condition}\n    set: {{ x: 1 }}\n");
    for fine in [
        "trigger.incident.severity == 'high' and trigger.incident.status != 'resolved'",
        "trigger.incident.severity in ['high', 'medium']",
        "trigger.incident.assignedTo == none",
        "trigger.incident.raw.anything.at.all == 5",
        "'crown' in trigger.incident.customTags",
        "trigger.incident.severity | upper == 'HIGH'",
        "(trigger.incident.severity | default('none')) == 'none'",
        "trigger.incident.alerts[0].devices | selectattr('riskScore', 'equalto', 'high') | list | length > 0",
        "trigger.incident.alerts | map(attribute='serviceSource') | unique | list | length > 1",
        "trigger.incident.priorityScore > 50",
        "trigger.incident.severity[0:1] == 'h'",
        "trigger.incident.alerts | map(attribute='devices.0.id') | list | length > 0",
        "trigger.incident.alerts | sort(attribute='createdDateTime') | list | length > 0",
    ] {
        check_steps(&when(fine), &[]);
    }
    for (wrong, told) in [
        ("trigger.incident.severity == 'Hihg'", "`trigger.incident.severity` is never `Hihg`. Did you mean `high`?"),
        ("'HIGH' == trigger.incident.severity", "is never `HIGH`. Did you mean `high`?"),
        ("trigger.incident.severity in ['high', 'worst']", "is never `worst`. It is one of unknown, informational"),
        ("trigger.incident.status is equalto('New')", "is never `New`"),
        ("trigger.incident.id == 924518", "is a text, and 924518 is a number. Write '924518'"),
        ("trigger.incident.customTags == 'crown'", "is a list, and \"crown\" is a text. Ask whether it has it"),
        ("trigger.incident.alerts[0].status == 'active'", "is never `active`"),
        (
            "trigger.incident.devices | selectattr('riskScore', 'equalto', 'High') | list | length > 0",
            "is never `High`",
        ),
        (
            "trigger.incident.alerts | selectattr('sevrity') | list | length > 0",
            "an alert has no `sevrity`. Did you mean `severity`?",
        ),
        ("'high' in (trigger.incident.alerts | map(attribute='serverity') | list)", "an alert has no `serverity`"),
        ("(trigger.incident.severity | default('low')) == 'Low'", "is never `Low`"),
        (
            "trigger.incident.severity >= 'medium'",
            "is one of some words, which have no order. Name those that are meant, as in `in ['high', 'medium']`",
        ),
        ("trigger.incident.alerts | selectattr('severity', 'ge', 'medium') | list | length > 0", "have no order"),
        ("(trigger.incident.alerts | map(attribute='severity') | max) == 'high'", "have no order"),
        ("'x' in trigger.incident.alerts", "an item of `trigger.incident.alerts` is an object"),
    ] {
        check_steps(&when(wrong), &[told]);
    }
    for (wrong, told) in [
        ("trigger.incident.title", "an incident has no `title`."),
        (
            "trigger.incident.devices.mdeDeviceId",
            "`trigger.incident.devices` is a list and has no `mdeDeviceId`. Read it of one item",
        ),
        ("trigger.incident.severity.level", "`trigger.incident.severity` is a text and has no `level`"),
        ("trigger.incident.users | sort(attribute='nmae') | list", "a user has no `nmae`"),
        ("trigger.incident.users[0].raw.x", "a user has no `raw`. It has id, azureAdUserId"),
        ("trigger.incident.files[0].anything", "all else is in the `raw` of its alert or incident"),
        ("trigger.incident.anything", "all else is in `raw`"),
        ("trigger.incident.comments | last", ""),
        ("(trigger.incident.comments | last).text", "a comment has no `text`"),
    ] {
        check_steps(&set(wrong), if told.is_empty() { &[] } else { std::slice::from_ref(&told) });
    }
    let looped = "{% for device in trigger.incident.devices %}{{ device.name }}{% endfor %}";
    check_steps(&format!("  - {{ id: a, set: {{ x: \"{looped}\" }} }}\n"), &["a device has no `name`"]);
    let either = "{% set s = trigger.incident.severity %}{% if vars.team == 'soc' %}{% set s = 'mine' %}{% endif %}{{ s == 'mine' }}";
    check_steps(&format!("  - {{ id: a, set: {{ x: \"{either}\" }} }}\n"), &[]);
}

#[test]
fn the_items_of_a_loop_have_the_shape_of_their_list() {
    let steps = |list: &str, reading: &str| {
        format!("  - id: each\n    for_each: {list}\n    as: device\n    set: {{ y: \"{{{{ {reading} }}}}\" }}\n")
    };
    check_steps(&steps("trigger.incident.devices", "device.mdeDeviceId"), &[]);
    check_steps(
        &steps("trigger.incident.devices | selectattr('riskScore', 'eq', 'high') | list", "device.mdeDeviceId"),
        &[],
    );
    check_steps(
        &steps("trigger.incident.devices", "device.id == 'x' and device.riskscore"),
        &["Did you mean `riskScore`?"],
    );
    check_steps(&steps("trigger.incident.severity", "device"), &["`for_each` goes through a list, and this is a text"]);
    check_steps(&steps("trigger.incident.raw.devices", "device.whatever"), &[]);
    check_steps(&steps("trigger.incident.customTags", "device.name"), &["`device` is a text and has no `name`"]);
}

#[test]
fn what_an_incident_must_be_to_start_a_run_is_judged_by_its_shape() {
    let text = |change: &str| {
        format!(
            "workflow: w\nvars: {{ level: high }}\ntriggers:\n  - incident: {{ on: [updated], {change} }}\nsteps: [{{ id: a, set: {{ x: 1 }} }}]\n"
        )
    };
    check(
        &text("changed: [severity, devices], where: incident.severity == vars.level and tenant.name == 'contoso'"),
        &[],
    );
    check(&text("changed: [sevrity]"), &["4:42: an incident has no `sevrity`. Did you mean `severity`?"]);
    check(&text("where: incident.severity == 'Hihg'"), &["`incident.severity` is never `Hihg`. Did you mean `high`?"]);
    check(&text("where: trigger.incident.severity == 'high'"), &["there is no `trigger` here"]);
    check(&text("where: incident.severity == vars.lvl"), &["there is no `vars.lvl`"]);
    check(&text("where: '{{ incident.severity }}'"), &["4:"]);
    let alert = "workflow: w\ntriggers: [{ alert: { where: alert.status == 'active' } }]\nsteps: [{ id: a, set: { x: '{{ trigger.alert.titel }}' } }]\n";
    check(alert, &["`alert.status` is never `active`", "an alert has no `titel`. Did you mean `title`?"]);
}
