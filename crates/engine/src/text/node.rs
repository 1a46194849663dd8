//! A document as it is written: each value with its place.

use serde_json::{Map, Number};

use super::Span;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What stands there.
    pub value: Value,
    /// Where.
    pub span: Span,
}

/// What can stand in a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing, or `null`.
    Null,
    /// A text, number or truth.
    Scalar(Scalar),
    /// Items in order.
    List(Vec<Node>),
    /// Entries in order; each key once.
    Map(Vec<Entry>),
}

/// A text, number or truth, by the core schema of YAML 1.2.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// `true` or `false`.
    Bool(bool),
    /// A number that JSON can hold.
    Number(Number),
    /// Any other text.
    Text(String),
}

/// One entry of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// What it has.
    pub node: Node,
}

impl Node {
    /// The entry of this key.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// The text of a scalar that is one.
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(Scalar::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// What kind of value it is, for a sentence.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Scalar(Scalar::Bool(_)) => "true or false",
            Value::Scalar(Scalar::Number(_)) => "a number",
            Value::Scalar(Scalar::Text(_)) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// The same without places.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Scalar(Scalar::Bool(truth)) => (*truth).into(),
            Value::Scalar(Scalar::Number(number)) => serde_json::Value::Number(number.clone()),
            Value::Scalar(Scalar::Text(text)) => text.clone().into(),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Map(entries) => {
                let map: Map<_, _> = entries.iter().map(|entry| (entry.key.clone(), entry.node.to_json())).collect();
                serde_json::Value::Object(map)
            }
        }
    }
}
