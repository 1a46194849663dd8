//! A version of a workflow, read and compiled once: its plan for the machine and its texts as templates.

use std::{collections::HashMap, sync::Arc};

use serde_json::{Map, Value};
use sortie_engine::{
    decide::Class,
    document::{Call, Step, Verb, Wait, WhenBusy, Workflow, read},
    machine::{Kind, Plan},
    template::{Expression, Input, Names, Template, TemplateError},
    text::{Node, Problem},
};

/// A version, ready to run.
#[derive(Debug)]
pub struct Compiled {
    /// The document.
    pub workflow: Workflow,
    /// For the machine.
    pub plan: Plan,
    /// By the plan's numbers.
    pub(crate) steps: Vec<CompiledStep>,
    /// What a caller gets.
    pub(crate) output: Option<Input>,
    /// Values of its own.
    pub(crate) vars: Arc<Value>,
    /// The key by which its runs go one at a time.
    pub(crate) busy: Option<(Template, WhenBusy)>,
}

/// A step's texts.
#[derive(Debug)]
pub(crate) struct CompiledStep {
    pub when: Option<Expression>,
    pub list: Option<Expression>,
    /// What the item is called inside.
    pub item: Option<String>,
    pub verb: CompiledVerb,
}

#[derive(Debug)]
pub(crate) enum CompiledVerb {
    Call(CompiledCall),
    Workflow {
        id: String,
        with: Option<Input>,
    },
    Approval {
        ask: Template,
        roles: Vec<String>,
        own: bool,
        within: std::time::Duration,
        notify: Option<Box<CompiledCall>>,
    },
    /// A length, else an instant.
    Wait {
        text: Option<Template>,
        is_instant: bool,
    },
    Code {
        script: Arc<str>,
        with: Option<Input>,
    },
    Set(Input),
    Respond(Input),
    Stop(Option<Template>),
    Body,
}

#[derive(Debug)]
pub(crate) struct CompiledCall {
    pub connector: String,
    pub operation: String,
    pub connection: Option<String>,
    pub with: Option<Input>,
    pub all_pages: bool,
}

/// What is known of an operation's effect, by connector and operation.
pub type Classes = HashMap<(String, String), CallClass>;

/// What is known of one operation's effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallClass {
    /// Of a call of it.
    pub class: Class,
    /// The input that carries our key, and the class of a call without that input.
    pub carry: Option<(String, Class)>,
}

/// Why a version cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// Its text cannot be read.
    #[error("the document cannot be read: {}", .0.first().map(ToString::to_string).unwrap_or_default())]
    Problems(Vec<Problem>),
    /// A template of it cannot.
    #[error("a template cannot be read: {0}")]
    Template(#[from] TemplateError),
}

impl Compiled {
    /// Reads and compiles a document that was found to be right.
    ///
    /// # Errors
    /// [`CompileError`] where it was not.
    pub fn of(text: &str, classes: &Classes) -> Result<Self, CompileError> {
        let workflow = read(text).map_err(CompileError::Problems)?;
        let class = |connector: &str, operation: &str| {
            classes.get(&(connector.to_owned(), operation.to_owned())).map(|known| known.class)
        };
        let mut plan = Plan::of(&workflow, &class);
        let mut steps = Vec::with_capacity(plan.steps.len());
        compile_body(&workflow.steps, &Names::of_a_step(), &mut steps)?;
        for (step, compiled) in plan.steps.iter_mut().zip(&steps) {
            if let (Kind::Call(planned), CompiledVerb::Call(call)) = (&mut step.kind, &compiled.verb) {
                planned.class = call.class(classes);
            }
        }
        let output = workflow.output.as_ref().map(|node| input(node, &Names::of_a_step())).transpose()?;
        let vars: Map<String, Value> =
            workflow.vars.iter().map(|(name, node)| (name.value.clone(), node.to_json())).collect();
        let names = Names::only(["trigger", "inputs", "tenant", "vars", "run"]);
        let busy = match &workflow.concurrency {
            Some(concurrency) => Some((Template::compile(&concurrency.key.value, &names)?, concurrency.when_busy)),
            None => None,
        };
        Ok(Self { plan, steps, output, vars: Arc::new(Value::Object(vars)), busy, workflow })
    }

    /// Every operation that its steps call, each once.
    pub fn operations(workflow: &Workflow) -> Vec<(String, String)> {
        let mut found = Vec::new();
        gather(&workflow.steps, &mut found);
        found.sort();
        found.dedup();
        found
    }
}

impl CompiledCall {
    fn of(call: &Call, names: &Names) -> Result<Self, TemplateError> {
        Ok(Self {
            connector: call.connector.clone(),
            operation: call.operation.clone(),
            connection: call.connection.as_ref().map(|name| name.value.clone()),
            with: call.with.as_ref().map(|node| input(node, names)).transpose()?,
            all_pages: call.all_pages,
        })
    }

    /// A call that cannot carry our key is of another class.
    fn class(&self, classes: &Classes) -> Class {
        let known = classes.get(&(self.connector.clone(), self.operation.clone()));
        match known {
            None => Class::Unsafe,
            Some(CallClass { class: Class::Probed, carry: Some((key, unkeyed)) }) if !self.gives(key) => *unkeyed,
            Some(known) => known.class,
        }
    }

    fn gives(&self, key: &str) -> bool {
        self.with.as_ref().is_some_and(|with| with.gives(key))
    }
}

fn gather(steps: &[Step], found: &mut Vec<(String, String)>) {
    let pair = |call: &Call| (call.connector.clone(), call.operation.clone());
    for step in steps {
        match &step.verb {
            Verb::Call(call) => found.push(pair(call)),
            Verb::Approval(approval) => found.extend(approval.notify.as_ref().map(pair)),
            Verb::Steps(body) => gather(body, found),
            _ => {}
        }
    }
}

/// In the order of the plan: each step, then its body.
fn compile_body(steps: &[Step], names: &Names, compiled: &mut Vec<CompiledStep>) -> Result<(), TemplateError> {
    for step in steps {
        let mut inner = names.clone();
        let list = match &step.for_each {
            Some(each) => {
                let list = Expression::compile(&each.list.value, names)?;
                inner = inner.with(&each.name.value).with("index");
                Some(list)
            }
            None => None,
        };
        let when = step.when.as_ref().map(|when| Expression::compile(&when.value, &inner)).transpose()?;
        let verb = verb(&step.verb, &inner)?;
        let item = step.for_each.as_ref().map(|each| each.name.value.clone());
        compiled.push(CompiledStep { when, list, item, verb });
        if let Verb::Steps(body) = &step.verb {
            compile_body(body, &inner, compiled)?;
        }
    }
    Ok(())
}

fn verb(verb: &Verb, names: &Names) -> Result<CompiledVerb, TemplateError> {
    let optional = |node: Option<&Node>| node.map(|node| input(node, names)).transpose();
    Ok(match verb {
        Verb::Call(call) => CompiledVerb::Call(CompiledCall::of(call, names)?),
        Verb::Workflow(called) => {
            CompiledVerb::Workflow { id: called.id.value.clone(), with: optional(called.with.as_ref())? }
        }
        Verb::Approval(approval) => CompiledVerb::Approval {
            ask: Template::compile(&approval.ask.value, names)?,
            roles: approval.roles.iter().map(|role| role.value.clone()).collect(),
            own: approval.own,
            within: approval.within.value,
            notify: approval.notify.as_ref().map(|call| CompiledCall::of(call, names).map(Box::new)).transpose()?,
        },
        Verb::Wait(Wait::For(_)) => CompiledVerb::Wait { text: None, is_instant: false },
        Verb::Wait(Wait::ForTemplate(text)) => {
            CompiledVerb::Wait { text: Some(Template::compile(&text.value, names)?), is_instant: false }
        }
        Verb::Wait(Wait::Until(text)) => {
            CompiledVerb::Wait { text: Some(Template::compile(&text.value, names)?), is_instant: true }
        }
        Verb::Code(code) => {
            CompiledVerb::Code { script: code.script.value.as_str().into(), with: optional(code.with.as_ref())? }
        }
        Verb::Set(values) => {
            let tree: Map<String, Value> =
                values.iter().map(|(name, node)| (name.value.clone(), node.to_json())).collect();
            CompiledVerb::Set(whole(Input::compile(&Value::Object(tree), names))?)
        }
        Verb::Respond(node) => CompiledVerb::Respond(input(node, names)?),
        Verb::Stop(stop) => {
            CompiledVerb::Stop(stop.message.as_ref().map(|text| Template::compile(&text.value, names)).transpose()?)
        }
        Verb::Steps(_) => CompiledVerb::Body,
    })
}

fn input(node: &Node, names: &Names) -> Result<Input, TemplateError> {
    whole(Input::compile(&node.to_json(), names))
}

fn whole(compiled: Result<Input, Vec<TemplateError>>) -> Result<Input, TemplateError> {
    compiled.map_err(|mut errors| errors.swap_remove(0))
}
