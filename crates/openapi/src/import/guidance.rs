//! The extensions `x-sortie-*`: what a document says to us directly.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    Walk,
    schema::{PAYLOAD_DEPTH_MAX, is_shallow},
};
use crate::{
    documents::{Node, Place, text_of},
    operation::{Effect, EffectClass, Guidance, LinkedCall, Pagination},
};

/// Everything that an operation's extensions state.
#[derive(Default)]
pub(super) struct Stated {
    pub(super) guidance: Guidance,
    pub(super) effect: Option<Effect>,
    pub(super) pagination: Option<Pagination>,
    pub(super) aliases: Vec<String>,
}

impl<'a> Walk<'a> {
    pub(super) fn stated(&mut self, op: Node<'a>, place: &Place<'_>) -> Stated {
        let mut stated = Stated::default();
        // What the document says for all of its operations comes first.
        let root = self.documents.root();
        for key in DOCUMENT_WIDE {
            if let Some(node) = root.get(key).filter(|_| op.get(key).is_none()) {
                self.charge(node);
                self.extension(key, node, place, &mut stated);
            }
        }
        for (key, node) in op.entries() {
            if key.starts_with(PREFIX) {
                self.extension(key, node, place, &mut stated);
            }
        }
        stated
    }

    /// The document's own extensions, without those that have a meaning of their own.
    pub(super) fn document_extensions(&self) -> BTreeMap<String, Value> {
        let own = |key: &str| key.starts_with(PREFIX) && !DOCUMENT_WIDE.contains(&key);
        let entries = self.documents.root().entries().into_iter();
        entries
            .filter(|(key, node)| own(key) && is_shallow(node.value, PAYLOAD_DEPTH_MAX))
            .map(|(key, node)| (key[PREFIX.len()..].to_owned(), node.value.clone()))
            .collect()
    }

    fn extension(&mut self, key: &str, node: Node<'a>, place: &Place<'_>, stated: &mut Stated) {
        let here = place.key(key);
        if node.value.is_null() {
            return;
        }
        if !is_shallow(node.value, PAYLOAD_DEPTH_MAX) {
            self.notes.add(here, format!("`{key}` is nested too deeply; it is left out"));
            return;
        }
        let guidance = &mut stated.guidance;
        match &key[PREFIX.len()..] {
            "effect" => {
                stated.effect = effect(node);
                if stated.effect.is_none() {
                    let what =
                        "`x-sortie-effect` is none of safe, overwrite, keyed, probed and unsafe; the method decides";
                    self.notes.add(here, what);
                }
            }
            "pagination" => {
                stated.pagination = serde_json::from_value(node.value.clone()).ok();
                if stated.pagination.is_none() {
                    self.notes.add(here, "`x-sortie-pagination` cannot be read; names of fields decide");
                }
            }
            "aliases" => stated.aliases = texts(node.value),
            "audience" => guidance.audience = text_of(node.value),
            "roles" => guidance.roles = texts(node.value),
            "limits" => guidance.limits = Some(node.value.clone()),
            "test" => guidance.test = Some(node.value.clone()),
            "probe" | "await" | "undo" => {
                let call = linked(node.value);
                if call.is_none() {
                    self.notes.add(here, format!("`{key}` names no operation; it is left out"));
                }
                match &key[PREFIX.len()..] {
                    "probe" => guidance.probe = call,
                    "await" => guidance.awaits = call,
                    _ => guidance.undo = call,
                }
            }
            other => drop(guidance.more.insert(other.to_owned(), node.value.clone())),
        }
    }
}

fn effect(node: Node<'_>) -> Option<Effect> {
    let word = text_of(node.value).or_else(|| node.text("class"))?;
    let class = EffectClass::of(&word)?;
    Some(Effect { class, stated: true, read_by: node.text("readBy"), key: node.text("key") })
}

fn linked(value: &Value) -> Option<LinkedCall> {
    if let Some(operation) = text_of(value) {
        return Some(LinkedCall { operation, settings: Map::new() });
    }
    let mut settings = value.as_object()?.clone();
    let operation = text_of(&settings.remove("operation")?)?;
    Some(LinkedCall { operation, settings })
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().filter_map(text_of).collect(),
        single => text_of(single).into_iter().collect(),
    }
}

pub(super) const PREFIX: &str = "x-sortie-";
/// Extensions of the document that hold for each operation without one of its own.
const DOCUMENT_WIDE: &[&str] = &["x-sortie-audience", "x-sortie-limits"];
