//! Path items and the operations in them; what is wrong in one of them leaves the others alone.

use serde_json::Value;

use super::{
    Walk,
    body::Encodings,
    names::Named,
    path::{self, PathTemplate},
    schema::{PAYLOAD_DEPTH_MAX, is_shallow},
};
use crate::{
    description::Server,
    documents::{Node, Place},
    operation::{Effect, EffectClass, Method, Operation},
    report::{Quarantined, Reason},
};

/// An operation before it has its id and what follows from the whole.
pub(super) struct Draft {
    pub(super) operation: Operation,
    pub(super) operation_id: Option<String>,
    summary: Option<String>,
    pub(super) encodings: Vec<Encodings>,
    pub(super) pageable: Option<Value>,
}

impl Draft {
    pub(super) fn named(&self) -> Named<'_> {
        Named {
            operation_id: self.operation_id.as_deref(),
            summary: self.summary.as_deref(),
            method: self.operation.method,
            path: &self.operation.path,
        }
    }
}

/// Where an operation stands.
struct Spot<'a, 's> {
    path: &'a str,
    item: Node<'a>,
    item_place: &'s Place<'s>,
    servers: &'s [Server],
}

impl<'a> Walk<'a> {
    /// Every operation that can be called; the others are quarantined.
    pub(super) fn operations(&mut self, servers: &[Server]) -> Vec<Draft> {
        let mut drafts = Vec::new();
        let root = self.documents.root();
        for key in ["paths", "x-ms-paths"] {
            let Some(node) = root.get(key).filter(|node| !node.value.is_null()) else { continue };
            let top = Place::root("#");
            let place = top.key(key);
            for (path, item) in self.path_items(node, &place) {
                self.path_item(path, item, &place.key(path), servers, &mut drafts);
            }
        }
        let webhooks = root.get("webhooks").or_else(|| root.get("x-webhooks")).map_or(0, |node| node.entries().len());
        if webhooks > 0 {
            self.notes.add(
                "#/webhooks",
                format!("{webhooks} webhooks are calls of the product to us; they are not imported"),
            );
        }
        drafts
    }

    fn path_items(&mut self, node: Node<'a>, place: &Place<'_>) -> Vec<(&'a str, Node<'a>)> {
        let parts: Vec<(Node<'a>, String)> = match node.value {
            // Some split their paths over files, and list them.
            Value::Array(_) => {
                self.notes.add(place, "`paths` is a list; the paths of its parts are joined");
                node.items().enumerate().map(|(at, part)| (part, place.index(at).to_string())).collect()
            }
            _ => vec![(node, place.to_string())],
        };
        let mut items = Vec::new();
        for (part, at) in parts {
            match self.documents.follow(part) {
                Ok(part) if part.value.is_object() => items.extend(part.entries()),
                Ok(_) => self.quarantine(None, "", &at, &Reason::NotAnObject("a part of the paths")),
                Err(source) => {
                    self.quarantine(None, "", &at, &Reason::Reference { what: "a part of the paths", source });
                }
            }
        }
        items.retain(|(path, _)| !path.starts_with("x-"));
        items
    }

    fn path_item(
        &mut self,
        path: &'a str,
        written: Node<'a>,
        place: &Place<'_>,
        servers: &[Server],
        drafts: &mut Vec<Draft>,
    ) {
        let item = match self.documents.follow(written) {
            Ok(item) => item,
            Err(source) => {
                self.seen += 1;
                return self.quarantine(None, path, place, &Reason::Reference { what: "the path", source });
            }
        };
        if !item.value.is_object() {
            self.seen += 1;
            return self.quarantine(None, path, place, &Reason::NotAnObject("the path"));
        }
        let spot = Spot { path, item, item_place: place, servers };
        let mut found: Vec<(Method, &str, Node<'a>)> = Vec::new();
        // A reference may have methods beside it; both are meant.
        let own = if std::ptr::eq(item.value, written.value) { Vec::new() } else { written.entries() };
        for (key, op) in item.entries().into_iter().chain(own) {
            let Some(method) = Method::of_key(key) else { continue };
            if key.bytes().any(|byte| byte.is_ascii_uppercase()) {
                self.notes.add(place.key(key), "a method is not written in lower case");
            }
            found.retain(|(known, ..)| *known != method);
            found.push((method, key, op));
        }
        found.sort_by_key(|(method, ..)| *method);
        for (method, key, op) in found {
            let here = place.key(key);
            self.seen += 1;
            if drafts.len() >= self.limits.operations_max {
                let reason = Reason::TooMany(self.limits.operations_max);
                self.quarantine(Some(method), path, here, &reason);
                continue;
            }
            match self.operation(method, op, &spot, &here) {
                Ok(draft) => drafts.push(draft),
                Err(reason) => self.quarantine(Some(method), path, here, &reason),
            }
        }
    }

    fn quarantine(&mut self, method: Option<Method>, path: &str, place: impl std::fmt::Display, reason: &Reason) {
        let mut text = reason.to_string();
        let mut source = std::error::Error::source(reason);
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        self.quarantined.push(Quarantined {
            method,
            path: path.to_owned(),
            place: place.to_string(),
            reason: text,
            placeholder: matches!(reason, Reason::Placeholder(_)),
        });
    }

    fn operation(
        &mut self,
        method: Method,
        op: Node<'a>,
        spot: &Spot<'a, '_>,
        place: &Place<'_>,
    ) -> Result<Draft, Reason> {
        let op = self.documents.follow(op).map_err(|source| Reason::Reference { what: "the operation", source })?;
        if !op.value.is_object() {
            return Err(Reason::NotAnObject("the operation"));
        }
        self.charge(op);
        let mut template = path::parse(spot.path)?;
        for repair in &template.repairs {
            self.notes.add(place, *repair);
        }
        let (item_parameters, op_parameters) = (spot.item_place.key("parameters"), place.key("parameters"));
        let levels = [(spot.item.get("parameters"), &item_parameters), (op.get("parameters"), &op_parameters)];
        let mut declared = self.parameters(levels, &mut template)?;
        let body = self.body(op, method, &mut declared, place)?;
        let mut security = self.security(op, place);
        if declared.authorization && security.is_empty() {
            security = self.authorization_header();
        }
        if op.get("callbacks").is_some_and(|node| !node.entries().is_empty()) {
            self.notes.add(place, "callbacks are calls of the product to us; they are not imported");
        }
        if self.is_too_heavy() {
            return Err(Reason::TooLarge(self.limits.values_max.saturating_mul(2)));
        }
        let mut stated = self.stated(op, place);
        let summary = op.text("summary").map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
        let description = op.text("description");
        let operation_id = op.text("operationId");
        if self.shuffle {
            stated.aliases.push(shuffle_name(method, summary.as_deref().unwrap_or(spot.path)));
        }
        let (body, encodings) = match body {
            Some(draft) => (Some(draft.body), draft.encodings),
            None => (None, Vec::new()),
        };
        let class = EffectClass::Unsafe; // Until all operations are known.
        let operation = Operation {
            id: String::new(),
            method,
            servers: self.own_servers(op, spot, &template, place),
            path: template.path,
            fixed_query: template.fixed_query,
            title: summary.clone().or_else(|| first_line(description.as_deref()?)).unwrap_or_default(),
            description,
            aliases: stated.aliases,
            tags: op.texts("tags"),
            deprecated: op.flag("deprecated"),
            documentation: op.get("externalDocs").and_then(|docs| docs.text("url")),
            parameters: declared.parameters,
            body,
            outputs: self.outputs(op, place),
            security,
            effect: stated.effect.unwrap_or(Effect { class, stated: false, read_by: None, key: None }),
            pagination: stated.pagination,
            rate_limit: None,
            guidance: stated.guidance,
        };
        let pageable =
            op.get("x-ms-pageable").map(|node| node.value).filter(|value| is_shallow(value, PAYLOAD_DEPTH_MAX));
        Ok(Draft { operation, operation_id, summary, encodings, pageable: pageable.cloned() })
    }

    /// The servers of this operation, where they differ from those of the document.
    fn own_servers(
        &mut self,
        op: Node<'a>,
        spot: &Spot<'a, '_>,
        template: &PathTemplate,
        place: &Place<'_>,
    ) -> Vec<Server> {
        if let Some(url) = &template.server {
            return self.server(url, None, place).into_iter().collect();
        }
        let mut own = self.servers(op, place);
        if own.is_empty() {
            own = self.servers(spot.item, spot.item_place);
        }
        if own.is_empty() && op.get("schemes").is_some() {
            own = self.host_servers(op, self.documents.root(), place);
        }
        if own == spot.servers { Vec::new() } else { own }
    }
}

/// The first line of a text, if it is short enough for a title.
fn first_line(text: &str) -> Option<String> {
    let line = text.lines().next()?.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = line.trim_start_matches(['#', '*', ' ']).trim_end_matches(['.', '*', ' ', ':']);
    (!line.is_empty() && line.chars().count() <= TITLE_CHARS_MAX).then(|| line.to_owned())
}

/// The function that Shuffle's generator makes of an operation; workflows refer to it.
fn shuffle_name(method: Method, name: &str) -> String {
    let method = method.as_str().to_ascii_lowercase();
    let name: String = name
        .chars()
        .map(|c| if c == ' ' { '_' } else { c })
        .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
        .map(|c| c.to_ascii_lowercase())
        .collect();
    if name.contains(&method) { name } else { format!("{method}_{name}") }
}

const TITLE_CHARS_MAX: usize = 80;
