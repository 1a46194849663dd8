//! Steps and their `after`: ids, order, and that nothing passes an approval by.

use std::collections::{BTreeSet, HashMap};

use crate::{
    document::{Run, Step, Verb},
    text::{Code, Problems, did_you_mean},
};

/// The steps of one body, and of the bodies within.
pub(super) fn check(steps: &[Step], problems: &mut Problems) {
    let numbers = numbers(steps, problems);
    let after = edges(steps, &numbers, problems);
    cycles(steps, &after, problems);
    let before = ancestors(&after);
    for (number, step) in steps.iter().enumerate() {
        never_begins(step, number, steps, &before, problems);
        passes_no_approval(step, steps, &numbers, &before, problems);
        if let Verb::Steps(body) = &step.verb {
            check(body, problems);
        }
    }
}

fn numbers<'s>(steps: &'s [Step], problems: &mut Problems) -> HashMap<&'s str, usize> {
    let mut numbers = HashMap::new();
    for (number, step) in steps.iter().enumerate() {
        if let Some(first) = numbers.insert(step.id.value.as_str(), number) {
            numbers.insert(step.id.value.as_str(), first);
            let line = steps[first].id.span.line;
            let what = format!("there is a step `{}` in line {line} already", step.id.value);
            problems.add(step.id.span, Code::Id, what, "Give one of them another id.");
        }
    }
    numbers
}

/// By step, the numbers of those that it waits for.
fn edges(steps: &[Step], numbers: &HashMap<&str, usize>, problems: &mut Problems) -> Vec<Vec<usize>> {
    let mut edges = Vec::with_capacity(steps.len());
    for step in steps {
        let mut own = Vec::with_capacity(step.after.len());
        for after in &step.after {
            let id = after.step.value.as_str();
            match numbers.get(id) {
                Some(number) => own.push(*number),
                None => {
                    let next = match is_elsewhere(steps, id) {
                        true => "A step waits for steps of its own body; a body waits as a whole.".to_owned(),
                        false => did_you_mean(id, steps.iter().map(|step| step.id.value.as_str())),
                    };
                    problems.add(after.step.span, Code::UnknownStep, format!("there is no step `{id}` here"), next);
                }
            }
        }
        edges.push(own);
    }
    edges
}

fn is_elsewhere(steps: &[Step], id: &str) -> bool {
    steps.iter().any(|step| match &step.verb {
        Verb::Steps(body) => body.iter().any(|inner| inner.id.value == id) || is_elsewhere(body, id),
        _ => false,
    })
}

/// Steps that wait for each other are told once, with the whole circle.
fn cycles(steps: &[Step], after: &[Vec<usize>], problems: &mut Problems) {
    // 0: not seen, 1: on the path, 2: done.
    let mut marks = vec![0_u8; steps.len()];
    for start in 0..steps.len() {
        let mut path: Vec<(usize, usize)> = Vec::new();
        if marks[start] == 0 {
            marks[start] = 1;
            path.push((start, 0));
        }
        while let Some((number, next)) = path.last_mut() {
            let Some(before) = after[*number].get(*next).copied() else {
                marks[*number] = 2;
                path.pop();
                continue;
            };
            *next += 1;
            match marks[before] {
                0 => {
                    marks[before] = 1;
                    path.push((before, 0));
                }
                1 => {
                    let from = path.iter().position(|(number, _)| *number == before).unwrap_or_default();
                    let circle: Vec<&str> =
                        path[from..].iter().chain([&(before, 0)]).map(|(at, _)| steps[*at].id.value.as_str()).collect();
                    let what = format!("these steps wait for each other: {}", circle.join(" after "));
                    problems.add(steps[before].id.span, Code::Cycle, what, "Take one `after` out.");
                }
                _ => {}
            }
        }
    }
}

/// By step, everything that ends before it begins.
fn ancestors(after: &[Vec<usize>]) -> Vec<BTreeSet<usize>> {
    let mut found = Vec::with_capacity(after.len());
    for own in after {
        let (mut before, mut open) = (BTreeSet::new(), own.clone());
        while let Some(number) = open.pop() {
            if before.insert(number) {
                open.extend(&after[number]);
            }
        }
        found.push(before);
    }
    found
}

fn never_begins(step: &Step, number: usize, steps: &[Step], before: &[BTreeSet<usize>], problems: &mut Problems) {
    if let Some(stop) = before[number].iter().find(|before| matches!(steps[**before].verb, Verb::Stop(_))) {
        let what = format!("`{}` never begins: `{}` ends the run before", step.id.value, steps[*stop].id.value);
        problems.add(step.id.span, Code::Unreachable, what, "Let it wait for another step.");
    } else if step.run == Run::OnFailure && step.after.is_empty() {
        let what = format!("`{}` never begins: nothing that could fail stands in its `after`", step.id.value);
        problems.add(step.id.span, Code::Unreachable, what, "Name the step whose failure it is for.");
    }
}

/// An end that is accepted beside `succeeded` must not be one that an approval has caused.
fn passes_no_approval(
    step: &Step,
    steps: &[Step],
    numbers: &HashMap<&str, usize>,
    before: &[BTreeSet<usize>],
    problems: &mut Problems,
) {
    for after in step.after.iter().filter(|after| !after.accept.is_empty()) {
        let Some(number) = numbers.get(after.step.value.as_str()) else { continue };
        let is_asked = |number: &usize| asks(&steps[*number]);
        let Some(approval) = std::iter::once(number).chain(&before[*number]).find(|number| is_asked(number)) else {
            continue;
        };
        let what = format!(
            "`{}` would begin although `{}` was not approved: `accept` stands behind an approval",
            step.id.value, steps[*approval].id.value
        );
        let next = "Leave `accept` out; for what is to happen after a rejection, use `run: on_failure`.";
        problems.add(after.step.span, Code::Approval, what, next);
    }
}

/// A question, or a body with one.
fn asks(step: &Step) -> bool {
    match &step.verb {
        Verb::Approval(_) => true,
        Verb::Steps(body) => body.iter().any(asks),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::check as check_graph;
    use crate::{document::read, text::Problems};

    #[track_caller]
    fn check(steps: &str, expected: &[&str]) {
        let workflow = read(&format!("workflow: w\nsteps:\n{steps}")).unwrap_or_else(|problems| panic!("{problems:?}"));
        let mut problems = Problems::default();
        check_graph(&workflow.steps, &mut problems);
        let told: Vec<String> = problems.into_sorted().iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.starts_with(expected), "{told}\n{expected}");
        }
    }

    #[test]
    fn steps_wait_for_steps_that_are_there() {
        // In the order of the document, each time.
        let many = "  - { id: d, after: [nowhere], set: { x: 1 } }\n  - { id: c, set: { x: 1 } }\n  - { id: b, set: { x: 1 } }\n";
        check(many, &["3:22: there is no step `nowhere` here. There are `d`, `c`, `b`."]);
        check("  - { id: fetch, set: { x: 1 } }\n  - { id: b, after: [fetch], set: { x: 1 } }\n", &[]);
        check(
            "  - { id: fetch, set: { x: 1 } }\n  - { id: b, after: [fetsh], set: { x: 1 } }\n",
            &["4:22: there is no step `fetsh` here. Did you mean `fetch`?"],
        );
        check(
            "  - id: a\n    for_each: x\n    steps: [{ id: inner, set: { x: 1 } }]\n  - { id: b, after: [inner], set: { x: 1 } }\n",
            &["6:22: there is no step `inner` here. A step waits for steps of its own body"],
        );
        check(
            "  - { id: a, set: { x: 1 } }\n  - { id: a, set: { x: 1 } }\n",
            &["4:11: there is a step `a` in line 3 already"],
        );
    }

    #[test]
    fn circles_are_told_whole() {
        check("  - { id: a, after: [a], set: { x: 1 } }\n", &["3:11: these steps wait for each other: a after a"]);
        check(
            "  - { id: a, after: [c], set: { x: 1 } }\n  - { id: b, after: [a], set: { x: 1 } }\n  - { id: c, after: [b], set: { x: 1 } }\n",
            &["3:11: these steps wait for each other: a after c after b after a"],
        );
    }

    #[test]
    fn what_can_never_begin_is_told() {
        check(
            "  - { id: a, stop: { outcome: failed } }\n  - { id: b, after: [a], run: always, set: { x: 1 } }\n",
            &["4:11: `b` never begins: `a` ends the run before"],
        );
        check("  - { id: a, run: on_failure, set: { x: 1 } }\n", &["3:11: `a` never begins: nothing that could fail"]);
    }

    #[test]
    fn nothing_accepts_its_way_past_an_approval() {
        let approval = "  - { id: ask, approval: { ask: x } }\n  - { id: mid, after: [ask], set: { x: 1 } }\n";
        for (behind, named) in [("ask", "`ask`"), ("mid", "`ask`")] {
            let step =
                format!("{approval}  - {{ id: do, after: [{{ step: {behind}, accept: [skipped] }}], call: x/y }}\n");
            check(&step, &[&format!("5:31: `do` would begin although {named} was not approved")]);
        }
        let body = "  - { id: ask, for_each: x, steps: [{ id: in, approval: { ask: x } }] }\n";
        let step = format!("{body}  - {{ id: do, after: [{{ step: ask, accept: [failed] }}], call: x/y }}\n");
        check(&step, &["4:31: `do` would begin although `ask` was not approved"]);
        check(&format!("{approval}  - {{ id: tell, after: [ask], run: on_failure, call: x/y }}\n"), &[]);
        check(&format!("{approval}  - {{ id: do, after: [{{ step: mid, accept: [succeeded] }}], call: x/y }}\n"), &[]);
    }
}
