//! Texts with several pieces.

use super::*;

#[test]
fn the_examples_of_the_document() {
    check("Isolate {{ steps.machine.output.id }}?", "Isolate m1?");
    check("Contained by {{ run.id }}", "Contained by r1");
    check(
        "{{ trigger.incident.devices | selectattr('owner.name', 'equalto', 'ann') | list | length }} device(s) isolated by {{ run.url }}",
        "1 device(s) isolated by https://sortie.example/r1",
    );
    let is_high = bare("steps.machine.output.riskScore == \"High\"").unwrap();
    assert_eq!(is_high.evaluate_bool(&scope(&values()), Budget::default()), Ok(true));
    let devices = bare("trigger.incident.devices").unwrap().evaluate(&scope(&values()), Budget::default()).unwrap();
    assert_eq!(devices, values()["trigger"]["incident"]["devices"]);
}

#[test]
fn whoever_shows_an_error_can_point_at_it() {
    let text = "é {{ trigger.incident.titel }}";
    let error = value(text).unwrap_err();
    assert_eq!((error.span(), error.fault()), (6..28, super::super::Fault::Data));
    assert_eq!(error.what(), "`trigger.incident.titel` does not exist: `trigger.incident` has no `titel`");
    assert_eq!(error.next(), "did you mean `title`?");
    assert_eq!(error.place(), "");
}

#[test]
fn literals_in_all_quotings() {
    is(r#"'a"b' ~ "c'd""#, "a\"bc'd");
    is(r"'\n\t\r\b\f\0\\\'\/'", "\n\t\r\u{8}\u{c}\0\\'/");
    is(r"'\x41\u00e9\ud83d\ude00'", "Aé😀");
    is("'\u{202e}é'", "\u{202e}é");
    is("[1, 2.5, 1e3, true, True, none, None, null, 'a',]", json!([1, 2.5, 1000.0, true, true, null, null, null, "a"]));
    is("(1, 2)", json!([1, 2]));
    is("{'a': 1, \"b\": [],}", json!({ "a": 1, "b": [] }));
}
