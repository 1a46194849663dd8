use std::time::Duration;

use super::read;
use crate::{
    decide::Outcome,
    document::{Otherwise, Run, TriggerKind, Verb, WhenBusy},
};

/// The example of the language's own document.
pub(in crate::document) const EXAMPLE: &str = r#"
workflow: contain-risky-device          # id: kebab-case, unique
title: Contain a risky device
tenants: all
triggers:
  - incident:
      on: [created, updated]
      changed: [severity, devices]
      where: incident.severity == "high" and incident.status == "active"
  - manual: { needs: incident }
concurrency: { key: "{{ trigger.incident.id }}", when_busy: queue }
steps:
  - id: devices
    for_each: trigger.incident.devices
    as: device
    parallel: 4
    steps:
      - id: machine
        call: microsoft-365-defender/get-device
        with: { id: "{{ device.mdeDeviceId }}" }
      - id: approve
        after: [machine]
        when: steps.machine.output.riskScore == "High"
        approval:
          ask: "Isolate {{ steps.machine.output.computerDnsName }}?"
          roles: [responder]
          within: 4h
          otherwise: reject
          notify: { connection: soc-teams, operation: teams/post-message }
      - id: isolate
        after: [approve]
        call: microsoft-365-defender/isolate-device
        with: { id: "{{ steps.machine.output.id }}", IsolationType: Full, Comment: "Contained by {{ run.id }}" }
        await: true
        timeout: 30m
        retry: { attempts: 5, first: 2s, max: 2m }
  - id: note
    after: [devices]
    run: always
    call: microsoft-365-defender/comment-on-incident
    with:
      id: "{{ trigger.incident.id }}"
      comment: >-
        {{ steps.devices.output | selectattr('isolate.outcome', 'equalto', 'succeeded') | list | length }} device(s)
layout: { devices: [0, 0], note: [1, 0] }
"#;

#[test]
fn the_languages_own_example_is_read() {
    let workflow = read(EXAMPLE).unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert_eq!((workflow.id.value.as_str(), workflow.steps.len()), ("contain-risky-device", 2));
    assert_eq!(workflow.concurrency.unwrap().when_busy, WhenBusy::Queue);
    let TriggerKind::Incident(change) = &workflow.triggers[0].kind else { panic!("an incident trigger") };
    assert_eq!((change.created, change.updated, change.changed.len()), (true, true, 2));
    let Verb::Steps(body) = &workflow.steps[0].verb else { panic!("a body") };
    assert_eq!(workflow.steps[0].for_each.as_ref().unwrap().parallel, 4);
    let Verb::Approval(approval) = &body[1].verb else { panic!("an approval") };
    assert_eq!((approval.within.value, approval.otherwise), (Duration::from_secs(4 * 3_600), Otherwise::Reject));
    let Verb::Call(call) = &body[2].verb else { panic!("a call") };
    assert!(call.awaits && call.operation == "isolate-device");
    assert_eq!(body[2].retry.unwrap().attempts, 5);
    assert_eq!(workflow.steps[1].run, Run::Always);
}

#[test]
fn outcomes_that_are_accepted_stand_with_their_step() {
    let text = "workflow: w\nsteps:\n  - { id: a, wait: { for: 1s } }\n  - id: b\n    after: [{ step: a, accept: [succeeded, skipped] }]\n    set: { x: 1 }\n";
    let workflow = read(text).unwrap();
    assert_eq!(workflow.steps[1].after[0].accept, [Outcome::Skipped]);
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_its_place() {
    let text = "\
workflow: Not An Id
tittle: x
triggers:
  - incidnet: {}
  - schedule: { every: 5 }
steps:
  - id: a
    call: nothing
    aftre: [b]
  - id: b
    call: x/y
    wait: { for: 1m }
  - set: {}
  - id: c
    set: { 'a b': 1 }
    parallel: 3
    retry: { attempts: 0 }
";
    let problems = read(text).unwrap_err();
    let told: Vec<String> = problems
        .iter()
        .map(|problem| format!("{}:{} {}", problem.span.line, problem.span.column, problem.what))
        .collect();
    assert_eq!(
        told,
        [
            "1:11 `Not An Id` is no id",
            "2:1 a workflow has no key `tittle`",
            "4:5 there is no trigger `incidnet`",
            "5:15 a schedule has either `cron` or `every`",
            "5:24 `every` is a span of time, and this is a number",
            "8:11 `nothing` names no operation",
            "9:5 a step has no key `aftre`",
            "12:5 a step does one thing, and this has `call` and `wait`",
            "13:5 a step needs `id`",
            "15:12 `a b` is no name",
            "16:5 `parallel` means nothing without `for_each`",
            "17:5 `retry` means nothing for what this step does",
            "17:24 `attempts` is a whole number from 1 to 100",
        ]
    );
}

#[test]
fn each_part_is_refused_with_a_reason() {
    #[track_caller]
    fn check(step: &str, expected: &str) {
        let text = format!("workflow: w\nsteps:\n  - {{ id: a, {step} }}\n");
        let problems = read(&text).expect_err(step);
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(told.iter().any(|told| told.contains(expected)), "{step}: {told:?}");
    }
    check("set: { x: 1 }, run: sometimes", "`run` knows no `sometimes`");
    check("set: { x: 1 }, after: b", "Write it as a list");
    check("set: { x: 1 }, after: [b, b]", "twice");
    check("set: { x: 1 }, after: [{ step: b, accept: [cancelled] }]", "`cancelled` cannot be accepted");
    check("set: { x: 1 }, for_each: '[1]', as: steps", "cannot be called `steps`");
    check("steps: [{ id: b, set: { x: 1 } }]", "needs `for_each`");
    check("steps: [], for_each: x", "there is no step");
    check("approval: { ask: x, roles: [viewer] }", "no role `viewer` that decides");
    check("approval: { ask: x, otherwise: approve }", "`otherwise` knows no `approve`");
    check("approval: { roles: [responder] }", "needs `ask`");
    check("wait: {}", "either `for` or `until`");
    check("wait: { for: soon }", "expected a span of time");
    check("stop: { outcome: skipped }", "`outcome` knows no `skipped`");
    check("call: x/y, background: true", "`background` means nothing");
    check("call: x/y, await: maybe", "`await` is true or false");
    check("call: x/y, retry: { first: 10s, max: 1s }", "shorter than the first pause");
    check("code: 1", "`code` is a text, and this is a number. Put it in quotes.");
    check("set: { x: 1 }, timeout: 1", "Write the unit, too");
    check("set:", "`set` is empty");
}

#[test]
fn bodies_end_somewhere() {
    let mut step = "{ id: s, set: { x: 1 } }".to_owned();
    for _ in 0..7 {
        step = format!("{{ id: s, for_each: x, steps: [{step}] }}");
    }
    let problems = read(&format!("workflow: w\nsteps: [{step}]\n")).unwrap_err();
    assert!(problems.iter().any(|problem| problem.what.contains("nested deeper than 5")), "{problems:?}");
    let many: String = (0..501).map(|at| format!("  - {{ id: s{at}, set: {{ x: 1 }} }}\n")).collect();
    let problems = read(&format!("workflow: w\nsteps:\n{many}")).unwrap_err();
    assert!(problems[0].what.contains("501 steps"), "{problems:?}");
}
