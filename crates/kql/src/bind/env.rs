//! What `let` has named so far. Lambdas keep the names that were known where they stand.

use std::sync::Arc;

use crate::{
    ast::{Parameter, Script},
    plan::{RelRef, Scalar},
};

/// Names from the latest to the first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Env(Option<Arc<Node>>);

#[derive(Debug)]
struct Node {
    name: Arc<str>,
    binding: Binding,
    before: Env,
}

/// What a name stands for.
#[derive(Clone, Debug)]
pub(crate) enum Binding {
    Scalar(Scalar),
    Table(RelRef),
    Lambda(Arc<Lambda>),
}

/// A function of the query.
#[derive(Debug)]
pub(crate) struct Lambda {
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Arc<Script>,
    pub(crate) env: Env,
}

impl Env {
    pub(crate) fn with(&self, name: &Arc<str>, binding: Binding) -> Self {
        Self(Some(Arc::new(Node { name: Arc::clone(name), binding, before: self.clone() })))
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Binding> {
        let mut at = self;
        while let Self(Some(node)) = at {
            if &*node.name == name {
                return Some(&node.binding);
            }
            at = &node.before;
        }
        None
    }
}
