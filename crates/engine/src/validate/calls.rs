//! Calls of operations and of other workflows: whether they are there, take what is given, and can be made.

use super::inputs;
use crate::{
    catalog::{Catalog, Found, Operation},
    document::{Call, OnTimeout, Step, SubWorkflow, Verb},
    text::{Code, Problems, Span, did_you_mean},
};

/// The steps of one body, and of the bodies within.
pub(super) fn check(steps: &[Step], catalog: &dyn Catalog, problems: &mut Problems) {
    for step in steps {
        match &step.verb {
            Verb::Call(called) => call(called, step.on_timeout, catalog, problems),
            Verb::Approval(approval) => {
                if let Some(notify) = &approval.notify {
                    call(notify, OnTimeout::Leave, catalog, problems);
                }
            }
            Verb::Workflow(called) => workflow(called, catalog, problems),
            Verb::Steps(body) => check(body, catalog, problems),
            Verb::Wait(_) | Verb::Code(_) | Verb::Set(_) | Verb::Respond(_) | Verb::Stop(_) => {}
        }
    }
}

fn call(call: &Call, on_timeout: OnTimeout, catalog: &dyn Catalog, problems: &mut Problems) {
    let name = format!("{}/{}", call.connector, call.operation);
    match catalog.operation(&call.connector, &call.operation) {
        Found::Known(operation) => {
            inputs::check(call.with.as_ref(), &operation.inputs, &name, call.span, problems);
            fits(call, &operation, &name, problems);
            if on_timeout == OnTimeout::Cancel && !operation.can_cancel {
                let what = format!("`on_timeout: cancel` means nothing for {name}: nothing takes it back");
                problems.add(call.span, Code::WrongValue, what, "Leave `on_timeout` out.");
            } else if on_timeout == OnTimeout::Cancel && !call.awaits {
                let what =
                    format!("`on_timeout: cancel` means nothing for {name} without `await`: nothing is followed");
                problems.add(call.span, Code::WrongValue, what, "Add `await: true`, or leave `on_timeout` out.");
            }
            connection(call, &operation, &name, catalog, problems);
        }
        Found::Unknown { what, known } => {
            let missing = if what == "connector" { &call.connector } else { &call.operation };
            unknown(what, missing, &known, call.span, Code::UnknownOperation, problems);
        }
        Found::Undecided => {}
    }
}

fn fits(call: &Call, operation: &Operation, name: &str, problems: &mut Problems) {
    if call.awaits && !operation.can_await {
        let what = format!("`await` means nothing for {name}: its answer is its end");
        problems.add(call.span, Code::WrongValue, what, "Leave `await` out.");
    }
    if call.all_pages && !operation.has_pages {
        let what = format!("`all_pages` means nothing for {name}: its answer comes whole");
        problems.add(call.span, Code::WrongValue, what, "Leave `all_pages` out.");
    }
}

fn connection(call: &Call, operation: &Operation, name: &str, catalog: &dyn Catalog, problems: &mut Problems) {
    let wanted = call.connection.as_ref();
    let span = wanted.map_or(call.span, |name| name.span);
    match catalog.connection(&call.connector, wanted.map(|name| name.value.as_str())) {
        Found::Known(connection) => {
            let Some(held) = connection.roles.as_ref().filter(|_| !operation.roles.is_empty()) else { return };
            let has_all = |wanted: &String| wanted.split(" + ").all(|role| held.iter().any(|held| held == role));
            if !operation.roles.iter().any(has_all) {
                let what = format!("connection {} lacks a role for {name}", connection.name);
                let next = format!("Grant its application `{}`.", operation.roles[0]);
                problems.add(span, Code::Role, what, next);
            }
        }
        Found::Unknown { known, .. } => match wanted {
            Some(wanted) => unknown("connection", &wanted.value, &known, span, Code::Connection, problems),
            None => {
                let what = format!("there is no connection to {}", call.connector);
                let next = format!("`sortie connection add NAME --connector {}` makes one.", call.connector);
                problems.add(span, Code::Connection, what, next);
            }
        },
        Found::Undecided => {}
    }
}

fn workflow(called: &SubWorkflow, catalog: &dyn Catalog, problems: &mut Problems) {
    let id = &called.id;
    match catalog.workflow(&id.value) {
        Found::Known(callable) if !callable.has_trigger => {
            let what = format!("workflow {} cannot be called by another", id.value);
            problems.add(id.span, Code::WrongValue, what, "Give it `- workflow:` among its triggers.");
        }
        Found::Known(callable) => {
            let name = format!("workflow {}", id.value);
            inputs::check(called.with.as_ref(), &callable.inputs, &name, id.span, problems);
        }
        Found::Unknown { known, .. } => {
            unknown("workflow", &id.value, &known, id.span, Code::UnknownOperation, problems)
        }
        Found::Undecided => {}
    }
}

fn unknown(what: &str, name: &str, known: &[String], span: Span, code: Code, problems: &mut Problems) {
    let next = did_you_mean(name, known.iter().map(String::as_str));
    problems.add(span, code, format!("there is no {what} `{name}`"), next);
}
