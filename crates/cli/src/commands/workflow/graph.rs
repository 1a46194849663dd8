//! A workflow for people at a terminal: what starts it, then its steps in the order in which they can run, each with what it
//! waits for, its conditions, and what it does.

use std::time::Duration;

use sortie_engine::{
    decide::Outcome,
    document::{
        After, Approval, Call, Change, Needs, OnDoubt, OnError, OnTimeout, Otherwise, Parameter, Run, Secure, Step,
        Trigger, TriggerKind, Verb, Wait, Workflow,
    },
};

/// The lines; what stands in them is not yet safe for a terminal.
pub(super) fn graph(workflow: &Workflow) -> Vec<String> {
    let mut lines = vec![String::new(), "Starts".to_owned()];
    lines.extend(workflow.triggers.iter().map(|trigger| format!("  {}", start(trigger))));
    lines.extend([String::new(), "Steps".to_owned()]);
    body(&workflow.steps, 1, &mut lines);
    lines
}

fn start(trigger: &Trigger) -> String {
    match &trigger.kind {
        TriggerKind::Manual { inputs, needs } => {
            let needs = needs.map(|needs| match needs {
                Needs::Incident => "an incident",
                Needs::Alert => "an alert",
                Needs::Device => "a device",
            });
            join("by hand", [needs.map(|needs| format!("on {needs}")), given(inputs)])
        }
        TriggerKind::Incident(change) => changed("incident", change),
        TriggerKind::Alert(change) => changed("alert", change),
        TriggerKind::Schedule { cron, zone, every, .. } => match (cron, every) {
            (Some(cron), _) => {
                join(&format!("at {}", cron.value), [zone.as_ref().map(|zone| format!("in {}", zone.value)), None])
            }
            (None, every) => format!("every {}", every.as_ref().map(|every| span(every.value)).unwrap_or_default()),
        },
        TriggerKind::Webhook { secure, dedupe, answers } => {
            let proof = match secure {
                Secure::Hmac => "a request that is signed",
                Secure::Token => "a request with a token",
            };
            let dedupe = dedupe.as_ref().map(|same| format!("once for each {}", same.value));
            join(proof, [dedupe, answers.then(|| "which waits for the answer".to_owned())])
        }
        TriggerKind::Hunt { query, every, batch } => {
            let each = if *batch { "all new rows together" } else { "each new row" };
            let query = query.value.split_whitespace().collect::<Vec<_>>().join(" ");
            format!("{each} of a query, every {}: {query}", span(every.value))
        }
        TriggerKind::Workflow { inputs } => join("by another workflow", [given(inputs), None]),
    }
}

fn changed(what: &str, change: &Change) -> String {
    let words = [(change.created, "is new"), (change.updated, "changed"), (change.resolved, "was resolved")];
    let words: Vec<&str> = words.into_iter().filter(|(is_set, _)| *is_set).map(|(_, word)| word).collect();
    let fields: Vec<&str> = change.changed.iter().map(|field| field.value.as_str()).collect();
    let fields = (!fields.is_empty()).then(|| format!("in {}", fields.join(" or ")));
    let condition = change.condition.as_ref().map(|condition| format!("where {}", condition.value));
    join(&format!("an {what} that {}", words.join(" or ")), [fields, condition])
}

fn given(inputs: &[Parameter]) -> Option<String> {
    let one = |input: &Parameter| {
        let choices: Vec<String> = input.choices.iter().map(ToString::to_string).collect();
        let kind = if choices.is_empty() { input.kind.clone() } else { choices.join("|") };
        let default = input.default.as_ref().map(|default| format!(" = {default}")).unwrap_or_default();
        format!("{}: {kind}{default}", input.name.value)
    };
    (!inputs.is_empty()).then(|| format!("with {}", inputs.iter().map(one).collect::<Vec<_>>().join(", ")))
}

fn body(steps: &[Step], depth: usize, lines: &mut Vec<String>) {
    let (indent, inner) = ("  ".repeat(depth), "  ".repeat(depth + 2));
    for step in in_order(steps) {
        let waits: Vec<String> = step.after.iter().map(after).collect();
        let waits = if waits.is_empty() { String::new() } else { format!("  <- {}", waits.join(", ")) };
        let title = step.title.as_ref().map(|title| format!("  {title}")).unwrap_or_default();
        lines.push(format!("{indent}{}{waits}{title}", step.id.value));
        lines.extend(conditions(step).into_iter().map(|line| format!("{inner}{line}")));
        if let Some(each) = &step.for_each {
            let at_once = if each.parallel > 1 { format!(", {} at once", each.parallel) } else { String::new() };
            lines.push(format!("{inner}for each {} of {}{at_once}", each.name.value, each.list.value));
        }
        match &step.verb {
            Verb::Steps(steps) => body(steps, depth + 3, lines),
            verb => lines.push(format!("{inner}{}", join(&does(verb), [bounds(step), None]))),
        }
    }
}

/// Those that wait for nothing first, then what waits for them; otherwise as they were written.
fn in_order(steps: &[Step]) -> Vec<&Step> {
    let mut left: Vec<&Step> = steps.iter().collect();
    let mut ordered: Vec<&Step> = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let waits = |step: &Step, left: &[&Step]| {
            step.after.iter().any(|after| left.iter().any(|other| other.id.value == after.step.value))
        };
        // In a circle nobody is first; what is kept has none.
        let at = left.iter().position(|step| !waits(step, &left)).unwrap_or(0);
        ordered.push(left.remove(at));
    }
    ordered
}

fn after(after: &After) -> String {
    let words: Vec<&str> =
        after.accept.iter().filter(|outcome| **outcome != Outcome::Succeeded).map(|outcome| outcome.word()).collect();
    match words.is_empty() {
        true => after.step.value.clone(),
        false => format!("{} (also {})", after.step.value, words.join(", ")),
    }
}

fn conditions(step: &Step) -> Vec<String> {
    let mut found = Vec::new();
    if step.disabled {
        found.push("is disabled: it ends as skipped".to_owned());
    }
    match step.run {
        Run::OnSuccess => {}
        Run::OnFailure => found.push("only after a failure".to_owned()),
        Run::Always => found.push("however those before it ended".to_owned()),
    }
    found.extend(step.when.as_ref().map(|when| format!("only if {}", when.value)));
    if step.on_error == OnError::Continue {
        found.push("its failure is not the run's".to_owned());
    }
    if step.on_doubt == OnDoubt::Ask {
        found.push("in doubt a person is asked".to_owned());
    }
    found
}

fn does(verb: &Verb) -> String {
    match verb {
        Verb::Call(one) => call(one),
        Verb::Workflow(one) => {
            format!("runs workflow {}{}", one.id.value, if one.waits { "" } else { ", and does not wait for it" })
        }
        Verb::Approval(one) => approval(one),
        Verb::Wait(Wait::For(time)) => format!("waits {}", span(time.value)),
        Verb::Wait(Wait::ForTemplate(time)) => format!("waits {}", time.value),
        Verb::Wait(Wait::Until(moment)) => format!("waits until {}", moment.value),
        Verb::Code(code) => format!("runs a script of {} lines", code.script.value.lines().count()),
        Verb::Set(values) => {
            let names: Vec<&str> = values.iter().map(|(name, _)| name.value.as_str()).collect();
            format!("computes {}", names.join(", "))
        }
        Verb::Respond(_) => "answers the webhook".to_owned(),
        Verb::Stop(stop) => {
            let message = stop.message.as_ref().map(|message| format!(": {}", message.value)).unwrap_or_default();
            format!("ends the run as {}{message}", stop.outcome.word())
        }
        Verb::Steps(_) => "does these steps".to_owned(),
    }
}

fn call(call: &Call) -> String {
    let through = call.connection.as_ref().map(|name| format!(" through {}", name.value)).unwrap_or_default();
    let pages = if call.all_pages { ", all pages" } else { "" };
    let follows = if call.awaits { ", and follows it to its end" } else { "" };
    format!("calls {}/{}{through}{pages}{follows}", call.connector, call.operation)
}

fn approval(approval: &Approval) -> String {
    let roles: Vec<&str> = approval.roles.iter().map(|role| role.value.as_str()).collect();
    let roles = if roles.is_empty() { "responder".to_owned() } else { roles.join(" or ") };
    let own = if approval.own { "" } else { ", not whoever started it" };
    let otherwise = match approval.otherwise {
        Otherwise::Reject => "it counts as rejected",
        Otherwise::Stop => "the run ends",
    };
    let within = span(approval.within.value);
    format!("asks one who is {roles}{own}, and after {within} {otherwise}: {}", approval.ask.value)
}

fn bounds(step: &Step) -> Option<String> {
    let timeout = step.timeout.as_ref().map(|timeout| {
        let cancels = if step.on_timeout == OnTimeout::Cancel { ", then it is called off" } else { "" };
        format!("at most {}{cancels}", span(timeout.value))
    });
    let retry = step.retry.map(|retry| format!("up to {} tries", retry.attempts));
    let both: Vec<String> = [timeout, retry].into_iter().flatten().collect();
    (!both.is_empty()).then(|| format!("({})", both.join("; ")))
}

fn join<const N: usize>(first: &str, more: [Option<String>; N]) -> String {
    let mut text = first.to_owned();
    for part in more.into_iter().flatten() {
        text.push(' ');
        text.push_str(&part);
    }
    text
}

/// `1h30m`, as documents write it.
fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let parts = [(seconds / 86_400, "d"), (seconds / 3_600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let text: String =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    if text.is_empty() { format!("{}ms", time.as_millis()) } else { text }
}

#[cfg(test)]
mod tests {
    use sortie_engine::document::read;

    use super::*;

    #[test]
    fn steps_stand_in_the_order_in_which_they_run_with_everything_that_lets_them() {
        let workflow = read(
            "workflow: a
triggers:
  - manual: { needs: incident, inputs: { hold: { type: string, default: 8h }, kind: { type: string, choices: [full, soft] } } }
  - incident: { on: [created, updated], changed: [severity], where: incident.severity == \"high\" }
  - schedule: { every: 90m }
  - webhook: { secure: token }
steps:
  - id: last
    after: [each, { step: ask, accept: [succeeded, failed] }]
    run: always
    stop: { outcome: failed, message: no }
  - id: each
    after: [ask]
    for_each: trigger.incident.devices
    as: device
    parallel: 4
    steps:
      - id: look
        call: kv/get
        with: { name: '{{ device.id }}' }
        timeout: 30m
        retry: { attempts: 3 }
  - id: ask
    title: Ask first
    approval: { ask: 'Go on?', roles: [engineer], within: 4h, otherwise: stop, own: refused }
",
        )
        .unwrap();
        let expected = "
Starts
  by hand on an incident with hold: string = \"8h\", kind: \"full\"|\"soft\"
  an incident that is new or changed in severity where incident.severity == \"high\"
  every 1h30m
  a request with a token

Steps
  ask  Ask first
      asks one who is engineer, not whoever started it, and after 4h the run ends: Go on?
  each  <- ask
      for each device of trigger.incident.devices, 4 at once
        look
            calls kv/get (at most 30m; up to 3 tries)
  last  <- each, ask (also failed)
      however those before it ended
      ends the run as failed: no";
        assert_eq!(graph(&workflow).join("\n"), expected);
    }

    #[test]
    fn a_span_is_written_as_documents_write_it() {
        #[track_caller]
        fn check(seconds: u64, expected: &str) {
            assert_eq!(span(Duration::from_secs(seconds)), expected);
        }
        check(5_400, "1h30m");
        check(8 * 3_600, "8h");
        check(90_061, "1d1h1m1s");
        check(0, "0ms");
    }
}
