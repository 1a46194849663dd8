//! What a node is, by its app and function; and how the shape of its result differs from Shuffle's.

use sortie_openapi::python_functions::{Call, Function, Native, function};

use crate::{
    apps::{App, Apps, Operation},
    source::{Node, Source, short},
    starts::Starts,
    values::{Names, Piece, Reference, Root, Segment, Shape, scan},
};

/// What becomes of a node.
pub(crate) enum Class {
    /// A trigger of the document, and no step.
    Trigger,
    /// A built-in operation.
    Native(Native),
    /// An operation of a connector.
    Operation(Operation),
    /// The digests of a text.
    Digests,
    /// Groups of a regular expression, so many.
    Groups(usize),
    Greeting,
    /// It fails, and is there for that.
    Raises,
    /// Its branches decide where it goes on.
    Router,
    /// How long a list or a text is.
    Length,
    /// The lists of the nodes before it, as one.
    Gather,
    Pause,
    /// Arithmetic over references.
    Sum,
    /// Another workflow, by its id here where it is known.
    Workflow(Option<String>),
    Question,
    /// Nothing does it, for this reason; and what a person can do.
    Cannot(String, &'static str),
}

pub(crate) fn classify(node: &Node, number: usize, starts: &Starts, apps: &dyn Apps) -> Class {
    if starts.is_trigger[number] {
        return Class::Trigger;
    }
    if let Some(why) = &starts.stands_in[number] {
        return Class::Cannot(why.clone(), "Make a workflow of its own for this trigger, or start this one by hand.");
    }
    match node.trigger.as_deref() {
        Some("SUBFLOW") => return workflow(node, apps),
        Some("USERINPUT") => return Class::Question,
        _ => {}
    }
    let app = node.app.trim().to_lowercase().replace(['_', '-'], " ").replace("soar", "shuffle");
    match (app.as_str(), node.function.as_str()) {
        ("shuffle subflow" | "shuffle workflow", "run_subflow") => return workflow(node, apps),
        ("shuffle subflow" | "shuffle workflow" | "user input", "run_userinput") => return Class::Question,
        ("testing", "hello_world") => return Class::Greeting,
        ("testing", "raise_error") => return Class::Raises,
        ("shuffle tools", "router") => return Class::Router,
        ("shuffle tools", "get_length") => return Class::Length,
        ("shuffle tools", "merge_incoming_branches") if matches!(node.value("input_type").trim(), "" | "list") => {
            return Class::Gather;
        }
        ("testing", "pause") => return Class::Pause,
        ("shuffle tools", "get_hash_sum") => return Class::Digests,
        ("shuffle tools", "run_math_operation") => return Class::Sum,
        ("shuffle tools", "regex_capture_group") => {
            if let Ok(pattern) = regex::Regex::new(node.value("regex")) {
                return Class::Groups(pattern.captures_len() - 1);
            }
        }
        _ => {}
    }
    // Testing repeats as Shuffle Tools does.
    let repeats = app == "testing" && node.function == "repeat_back_to_me";
    let found = function(if repeats { "shuffle tools" } else { &app }, &node.function);
    if let Function::Runs(native) = found {
        return Class::Native(native);
    }
    let asked = App { name: &node.app, version: &node.app_version, id: &node.app_id, function: &node.function };
    match (apps.operation(&asked), found) {
        (Some(operation), _) => Class::Operation(operation),
        (None, Function::Cannot(why)) if KNOWN_APPS.contains(&app.as_str()) => {
            Class::Cannot(why.to_owned(), "Write a step that does the same, and take `disabled` away.")
        }
        (None, _) => Class::Cannot(
            format!("there is no connector that has `{}` of the app `{}`", short(&node.function), short(&node.app)),
            "Import the app as a connector, put the call of its operation here, and take `disabled` away.",
        ),
    }
}

fn workflow(node: &Node, apps: &dyn Apps) -> Class {
    Class::Workflow(apps.workflow(node.value("workflow").trim()))
}

/// How what each step gives differs. A list that is made of another has its items.
pub(crate) fn shapes(source: &Source, classes: &[Class], names: &Names) -> Vec<Shape> {
    let mut shapes: Vec<Shape> = source.nodes.iter().zip(classes).map(|(node, class)| shape(node, class)).collect();
    // A filter of a filter of a filter: more was never seen.
    for _ in 0..3 {
        for (number, node) in source.nodes.iter().enumerate() {
            if let Some(list) = items_of(&classes[number])
                && let Some((from, path)) = listed(node.value(list), names)
            {
                let inner = if path.is_empty() { shapes[from].keys } else { shapes[from].items };
                match is_filter(&classes[number]) {
                    true => shapes[number].items = inner,
                    false => shapes[number].keys = inner,
                }
            }
        }
    }
    shapes
}

pub(crate) fn is_filter(class: &Class) -> bool {
    matches!(class, Class::Native(Native { call: Call::To("data/list-filter"), .. }))
}

/// The field with the list whose items what the node gives has.
fn items_of(class: &Class) -> Option<&'static str> {
    match class {
        Class::Native(Native { call: Call::To("data/list-filter"), .. }) => Some("input_list"),
        Class::Native(Native { call: Call::To("data/list-merge" | "data/list-concat"), .. }) => Some("list_one"),
        _ => None,
    }
}

/// The node that the list comes from.
fn listed(list: &str, names: &Names) -> Option<(usize, Vec<Segment>)> {
    match &scan(list.trim(), names)[..] {
        [Piece::Reference(Reference { root: Root::Node(from), path })] => {
            let keys = path.iter().filter(|segment| matches!(segment, Segment::Key(_))).cloned().collect();
            Some((*from, keys))
        }
        _ => None,
    }
}

fn shape(node: &Node, class: &Class) -> Shape {
    let plain = Shape { has_outcome: true, ..Shape::default() };
    let Class::Native(native) = class else {
        return match class {
            Class::Digests | Class::Groups(_) => plain,
            // An app that is made of a document wraps what it is answered; its first version did not.
            Class::Operation(_) if is_made(node) && node.app_version.trim() != "1.0.0" => {
                Shape { keys: &[("body", "")], lost: &["status", "headers", "cookies", "url"], ..plain }
            }
            _ => Shape::default(),
        };
    };
    let Call::To(call) = native.call else { return plain };
    match call {
        "data/echo" => Shape::default(),
        "data/list-filter" => Shape { keys: &[("valid", "kept"), ("invalid", "dropped")], ..plain },
        "data/iocs" => Shape { keys: &[("data", "value"), ("data_type", "type")], ..plain },
        "kv/get" => Shape { keys: &[("success", "found"), ("key", "name")], ..plain },
        "kv/set" => Shape { keys: &[("key", "name")], ..plain },
        "data/date-now" => Shape { whole: Some("epoch_s"), ..plain },
        "data/date-parse" => Shape { keys: &[("epoch", "epoch_s")], ..plain },
        "data/list-difference" => Shape { keys: &[("diff", "")], ..plain },
        call if call.starts_with("http/") => {
            let known: &[&str] = &["status", "body", "url", "headers", "media_type", "body_kind"];
            Shape { inner: Some(("body", known)), ..plain }
        }
        _ => plain,
    }
}

/// Whether the app was made of a document, whose MD5 is its id then.
fn is_made(node: &Node) -> bool {
    let id = node.app_id.trim();
    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Apps whose functions are known one by one.
const KNOWN_APPS: &[&str] = &["shuffle tools", "shuffle tools fork", "http", "email", "shuffle subflow"];
