//! A whole tree of inputs, such as `with:`: objects and lists as they are, each string a template.

use serde_json::{Map, Value};

use super::{Budget, Names, Reads, Scope, Template, TemplateError};

/// Objects, lists and strings, each string a template; keys are taken as they stand.
#[derive(Debug)]
pub struct Input {
    root: Node,
    reads: Reads,
}

#[derive(Debug)]
enum Node {
    Fixed(Value),
    Template { place: String, template: Template },
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Input {
    /// Reads each string of the tree.
    ///
    /// # Errors
    /// Every string that cannot be read, each with its place in the tree.
    pub fn compile(value: &Value, names: &Names) -> Result<Self, Vec<TemplateError>> {
        let mut compiler = Compiler { names, reads: Reads::default(), errors: Vec::new() };
        let root = compiler.node(value, &mut String::new(), 0);
        if compiler.errors.is_empty() { Ok(Self { root, reads: compiler.reads }) } else { Err(compiler.errors) }
    }

    /// What all strings read, each with its place in the tree.
    pub fn reads(&self) -> &Reads {
        &self.reads
    }

    /// Whether it is an object that has this field.
    pub fn gives(&self, key: &str) -> bool {
        match &self.root {
            Node::Object(fields) => fields.iter().any(|(name, _)| name == key),
            Node::Fixed(Value::Object(fields)) => fields.contains_key(key),
            _ => false,
        }
    }

    /// The tree with the values in place of the templates. The budget is that of the whole tree.
    ///
    /// # Errors
    /// The first string that has no value, with its place in the tree.
    pub fn evaluate(&self, scope: &Scope, budget: Budget) -> Result<Value, TemplateError> {
        let mut left = budget;
        self.root.evaluate(scope, &mut left)
    }
}

struct Compiler<'n> {
    names: &'n Names,
    reads: Reads,
    errors: Vec<TemplateError>,
}

impl Compiler<'_> {
    fn node(&mut self, value: &Value, place: &mut String, depth: usize) -> Node {
        if depth > DEPTH_MAX {
            let what = format!("the inputs are nested more than {DEPTH_MAX} levels deep");
            self.errors.push(super::error::Fail::text(what).finish("").placed(place));
            return Node::Fixed(Value::Null);
        }
        match value {
            Value::String(text) => match Template::compile(text, self.names) {
                Ok(template) => match template.literal() {
                    Some(literal) => Node::Fixed(literal.into()),
                    None => {
                        self.reads.extend(template.reads(), place);
                        Node::Template { place: place.clone(), template }
                    }
                },
                Err(error) => {
                    self.errors.push(error.placed(place));
                    Node::Fixed(Value::Null)
                }
            },
            Value::Array(items) => {
                let items = items.iter().enumerate();
                Node::List(items.map(|(at, item)| self.within(place, &format!("[{at}]"), item, depth)).collect())
            }
            Value::Object(fields) => {
                let fields = fields.iter().map(|(key, value)| {
                    let is_plain =
                        !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
                    let step = match (is_plain, place.is_empty()) {
                        (true, true) => key.clone(),
                        (true, false) => format!(".{key}"),
                        (false, _) => format!("[{}]", Value::from(key.as_str())),
                    };
                    (key.clone(), self.within(place, &step, value, depth))
                });
                Node::Object(fields.collect())
            }
            fixed => Node::Fixed(fixed.clone()),
        }
    }

    fn within(&mut self, place: &mut String, step: &str, value: &Value, depth: usize) -> Node {
        let len = place.len();
        place.push_str(step);
        let node = self.node(value, place, depth + 1);
        place.truncate(len);
        node
    }
}

impl Node {
    fn evaluate(&self, scope: &Scope, left: &mut Budget) -> Result<Value, TemplateError> {
        match self {
            Self::Fixed(value) => Ok(value.clone()),
            Self::Template { place, template } => template.spend(scope, left).map_err(|error| error.placed(place)),
            Self::List(items) => {
                let items = items.iter().map(|item| item.evaluate(scope, left));
                Ok(Value::Array(items.collect::<Result<_, _>>()?))
            }
            Self::Object(fields) => {
                let mut object = Map::new();
                for (key, node) in fields {
                    object.insert(key.clone(), node.evaluate(scope, left)?);
                }
                Ok(Value::Object(object))
            }
        }
    }
}

const DEPTH_MAX: usize = 64;
