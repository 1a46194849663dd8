//! What a text reads is known before it runs.

use super::{
    super::{Input, Key, Source, StepPart},
    *,
};

/// The reads as one line each: the path, `?` where the last key may be missing.
fn lines(reads: &super::super::Reads) -> Vec<String> {
    let line = |read: &super::super::Read| {
        let mut line = match &read.source {
            Source::Root(name) => name.clone(),
            Source::Step { id, part } => format!("steps[{id}].{part:?}"),
        };
        for key in &read.path {
            match key {
                Key::Name(name) => line += &format!(".{name}"),
                Key::Index(at) => line += &format!("[{at}]"),
            }
        }
        if read.may_lack { line + "?" } else { line }
    };
    reads.all().iter().map(line).collect()
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let template = Template::compile(text, &names()).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(lines(template.reads()), expected, "{text}");
    for read in template.reads().all() {
        let first = match &read.source {
            Source::Root(name) => name.as_str(),
            Source::Step { .. } => "steps",
        };
        assert!(text[read.span.clone()].starts_with(first), "{text}: {:?}", read.span);
    }
}

#[test]
fn paths_are_told_as_far_as_they_are_written_out() {
    check("no marks", &[]);
    check("{{ trigger.incident.id }}", &["trigger.incident.id"]);
    check("{{ trigger['incident'].devices[0]['@id'][-1].x }}", &["trigger.incident.devices[0].@id[-1].x"]);
    check("{{ trigger.a[index].b }}", &["index", "trigger.a"]);
    check("{{ trigger.a[1:2].b }}", &["trigger.a"]);
    check("{{ trigger.a | length ~ vars }}", &["trigger.a", "vars"]);
    check("{{ steps.machine.output }}", &["steps[machine].Output"]);
    check("{{ steps.fetch-it.output.a.b }}", &["steps[fetch-it].Output.a.b"]);
    check("{{ steps['a b']['error'].kind }}{{ steps.x.outcome }}", &["steps[a b].Error.kind", "steps[x].Outcome"]);
    check("{{ trigger.a | default(vars.b) }}", &["trigger.a?", "vars.b"]);
    check("{{ trigger.a is defined and steps.m.output.x is undefined }}", &["trigger.a?", "steps[m].Output.x?"]);
    check("{{ [trigger.a.b.c, {'x': device.y, 'z': run.id}] }}", &["trigger.a.b.c", "device.y", "run.id"]);
    check("{{ vars.a if inputs.b else tenant.c }}", &["vars.a", "inputs.b", "tenant.c"]);
    check("{{ [1] | map('replace', vars.a, vars.b) | select('in', vars.c) }}", &["vars.a", "vars.b", "vars.c"]);
    check("{{ now ~ ago(vars.a) ~ range(vars.n) }}", &["vars.a", "vars.n"]);
}

#[test]
fn variables_of_the_text_are_no_reads() {
    check(
        "{% for d in trigger.devices if d.x %}{{ d.name ~ loop.index }}{% else %}{{ vars.z }}{% endfor %}",
        &["trigger.devices", "vars.z"],
    );
    check("{% set a = trigger.b %}{{ a.c }}{% if inputs.x == 1 %}{{ a }}{% endif %}", &["trigger.b", "inputs.x"]);
    check("{# {{ vars.a }} #}{% raw %}{{ vars.b }}{% endraw %}{{ '{{ vars.c }}' }}", &[]);
}

#[test]
fn steps_and_roots_come_once_each() {
    let expression =
        bare("steps.b.output.x == steps.a.outcome and steps.b.output.y in trigger.z and trigger.w").unwrap();
    assert_eq!(expression.reads().steps(), [("a", StepPart::Outcome), ("b", StepPart::Output)]);
    assert_eq!(expression.reads().roots(), ["trigger"]);
}

#[test]
fn a_tree_tells_where_each_read_stands() {
    let with = json!({
        "{{ key }}": "as it is",
        "id": "{{ trigger.incident.id }}",
        "body": { "a-b": [1, "x {{ vars.team }}", { "@odata.type": "{{ steps.machine.output.tags }}" }], "n": null },
        "flag": true,
    });
    let input = Input::compile(&with, &names()).unwrap();
    let places: Vec<_> = input.reads().all().iter().map(|read| read.place.as_str()).collect();
    assert_eq!(places, ["body.a-b[1]", r#"body.a-b[2]["@odata.type"]"#, "id"]);
    assert_eq!(lines(input.reads()), ["vars.team", "steps[machine].Output.tags", "trigger.incident.id"]);
    let expected = json!({
        "{{ key }}": "as it is",
        "id": "29",
        "body": { "a-b": [1, "x blue", { "@odata.type": [1, 2] }], "n": null },
        "flag": true,
    });
    assert_eq!(input.evaluate(&scope(&values()), Budget::default()), Ok(expected));
}

#[test]
fn a_tree_tells_all_that_is_wrong_with_it_and_shares_one_budget() {
    let with = json!({ "a": "{{ trigegr }}", "b": ["ok", "{{ 1 +", { "c": "{{ x | nix }}" }] });
    let errors = Input::compile(&with, &names()).unwrap_err();
    let places: Vec<_> = errors.iter().map(|error| error.place().to_owned()).collect();
    assert_eq!(places, ["a", "b[1]", "b[2].c"]);
    assert!(
        errors[0].to_string().starts_with("in `a`: there is no `trigegr` here; did you mean `trigger`?"),
        "{}",
        errors[0]
    );
    let input = Input::compile(&json!({ "a": { "b": "{{ trigger.incident.no }}" } }), &names()).unwrap();
    let error = input.evaluate(&scope(&values()), Budget::default()).unwrap_err();
    assert!(error.to_string().starts_with("in `a.b`: `trigger.incident.no` does not exist"), "{error}");
    let one = "{{ range(100) | length }}";
    let budget = Budget { work_max: 500, ..Budget::default() };
    let evaluate =
        |count: usize| Input::compile(&json!(vec![one; count]), &names()).unwrap().evaluate(&scope(&values()), budget);
    assert!(evaluate(2).is_ok());
    assert_eq!(evaluate(20).unwrap_err().place(), "[4]");
    let large = Input::compile(&json!(vec!["{{ trigger.incident }}"; 10]), &names()).unwrap();
    let budget = Budget { value_bytes_max: 2_000, ..Budget::default() };
    assert!(
        large.evaluate(&scope(&values()), budget).unwrap_err().to_string().contains("the value would have more than")
    );
}
