//! The walk from a document to a description.

mod body;
pub(crate) mod derive;
mod dialect;
mod guidance;
mod media;
mod names;
mod operations;
mod outputs;
mod pagination;
mod parameters;
mod path;
mod python_app;
mod schema;
mod schemes;
mod servers;
mod template;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use self::{operations::Draft, schema::SchemaTable, schemes::Schemes};
use crate::{
    description::{Description, FORMAT, SCHEMA_PREFIX, Tag},
    documents::{Documents, Node, text_of},
    error::ImportError,
    operation::{Operation, Output},
    report::{AppReport, Format, Notes, Quarantined, Report},
    sources::Sources,
    text::{self, Bounds},
};

/// What is not in the document itself.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The document's own path among the [`Sources`], for files that refer back to it.
    pub path: String,
    /// How much is read.
    pub limits: Limits,
}

/// How much is read of one document and the files that it refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the document, and of all of its files together.
    pub bytes_max: usize,
    /// Values of one file once YAML's aliases are put in; a text counts once more for every 64 bytes. The description
    /// may weigh twice as much, because operations share parts of the document.
    pub values_max: usize,
    /// Operations; the rest is quarantined.
    pub operations_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes_max: 64 << 20, values_max: 4_000_000, operations_max: 30_000 }
    }
}

/// A description, and how it came about.
#[derive(Clone, Debug)]
pub struct Import {
    /// What can be called.
    pub description: Description,
    /// What was seen, repaired and left out.
    pub report: Report,
}

/// Reads a document into a description.
///
/// # Errors
/// [`ImportError`] when there is nothing to read at all: no text, no JSON or YAML, no OpenAPI document, or past a
/// bound. Whatever is wrong in a part of the document is in the [`Report`] instead.
pub fn import(document: &[u8], sources: &dyn Sources, options: &Options) -> Result<Import, ImportError> {
    let bounds = Bounds { bytes_max: options.limits.bytes_max, values_max: options.limits.values_max };
    let mut notes = Notes::default();
    let root = text::read(document, bounds, &mut notes)?;
    let is_app = python_app::is_app(&root);
    let root = if is_app { python_app::document(&root, &mut notes)? } else { root };
    let format = dialect::format(&root, &mut notes)?;
    let shuffle = dialect::is_shuffle(&root);
    let documents = Documents::load(&options.path, root, sources, bounds, &mut notes)?;
    let walk = Walk {
        documents: &documents,
        format,
        shuffle,
        limits: options.limits,
        notes,
        schemas: SchemaTable::default(),
        schemes: Schemes::default(),
        weight: 0,
        weights: HashMap::new(),
        shared_outputs: HashMap::new(),
        quarantined: Vec::new(),
        seen: 0,
    };
    let mut import = walk.run();
    if is_app {
        import.report.app = Some(AppReport::of(&import.description));
    }
    Ok(import)
}

/// The state of one import.
struct Walk<'a> {
    documents: &'a Documents,
    format: Format,
    shuffle: bool,
    limits: Limits,
    notes: Notes,
    schemas: SchemaTable<'a>,
    schemes: Schemes,
    /// What the description weighs so far; parts that many operations share count for each of them.
    weight: usize,
    weights: HashMap<*const Value, usize>,
    /// Answers by where the document holds them.
    shared_outputs: HashMap<*const Value, Output>,
    quarantined: Vec<Quarantined>,
    seen: usize,
}

impl Walk<'_> {
    fn run(mut self) -> Import {
        self.reserve_schema_names();
        self.read_schemes();
        let servers = self.document_servers();
        let runs_inside = self.documents.root().get("x-sortie-native").is_some();
        if !runs_inside && servers.iter().all(crate::Server::needs_host) {
            self.notes.add("#", "the document names no host; the connection must give the base address");
        }
        let drafts = self.operations(&servers);
        let schemas = self.finish_schemas();
        let operations = self.finish_operations(drafts, &schemas);
        let root = self.documents.root();
        let info = root.get("info").unwrap_or(root);
        let logo = info.get("x-logo").and_then(|logo| text_of(logo.value).or_else(|| logo.text("url")));
        let description = Description {
            format: FORMAT,
            title: info.text("title").unwrap_or_else(|| "Unnamed".to_owned()),
            document_version: info.text("version").unwrap_or_default(),
            description: info.text("description"),
            documentation: root.get("externalDocs").and_then(|docs| docs.text("url")),
            logo: logo.filter(|logo| logo.len() <= LOGO_BYTES_MAX),
            categories: [info.texts("x-categories"), info.texts("x-sortie-categories")].concat(),
            servers,
            tags: self.tags(),
            security_schemes: std::mem::take(&mut self.schemes.found),
            schemas: reachable(&operations, schemas),
            operations,
            extensions: self.document_extensions(),
        };
        let (notes, more_notes) = self.notes.finish();
        let report = Report {
            format: self.format,
            shuffle: self.shuffle,
            seen: self.seen,
            callable: description.operations.len(),
            quarantined: self.quarantined,
            notes,
            more_notes,
            app: None,
        };
        Import { description, report }
    }

    /// Counts a part of the document that is about to be copied into an operation.
    fn charge(&mut self, node: Node<'_>) {
        let key: *const Value = node.value;
        let weight = *self.weights.entry(key).or_insert_with(|| text::weigh(node.value));
        self.weight = self.weight.saturating_add(weight);
    }

    /// The same for what a reference led to; what stands in the operation itself is counted with it.
    fn charge_behind(&mut self, written: Node<'_>, behind: Node<'_>) {
        if !std::ptr::eq(written.value, behind.value) {
            self.charge(behind);
        }
    }

    fn is_too_heavy(&self) -> bool {
        self.weight > self.limits.values_max.saturating_mul(2)
    }

    fn tags(&self) -> Vec<Tag> {
        let mut tags: Vec<Tag> = Vec::new();
        for node in self.documents.root().get("tags").into_iter().flat_map(|list| list.items()) {
            let name = text_of(node.value).or_else(|| node.text("name"));
            if let Some(name) = name.filter(|name| !tags.iter().any(|tag| tag.name == *name)) {
                tags.push(Tag { name, description: node.text("description") });
            }
        }
        tags
    }

    /// Ids, and all that follows from a description by itself; the same when an export is imported again.
    fn finish_operations(&mut self, drafts: Vec<Draft>, schemas: &BTreeMap<String, Value>) -> Vec<Operation> {
        let named: Vec<names::Named<'_>> = drafts.iter().map(Draft::named).collect();
        let ids = names::assign(&named);
        let mut finished: Vec<(Operation, Option<Value>)> = Vec::new();
        for (mut draft, id) in drafts.into_iter().zip(ids) {
            let operation = &mut draft.operation;
            if operation.title.is_empty() {
                operation.title = humanised(&id);
            }
            operation.id = id;
            operation.aliases.extend(draft.operation_id);
            let mut known = BTreeSet::new();
            let id = &operation.id;
            operation.aliases.retain(|alias| alias != id && known.insert(alias.clone()));
            if let Some(body) = &mut operation.body {
                for (content, encodings) in body.contents.iter_mut().zip(&draft.encodings) {
                    if self.is_too_heavy() {
                        self.notes.add("#", "the description is too large to list the fields of each body");
                        break;
                    }
                    derive::fields(content, encodings, schemas);
                    self.weight += content.fields.iter().map(|field| text::weigh(&field.schema)).sum::<usize>();
                }
            }
            derive::keys(operation);
            operation.rate_limit = derive::rate_limit(operation);
            finished.push((draft.operation, draft.pageable));
        }
        finished.sort_by(|(a, _), (b, _)| a.id.cmp(&b.id));
        let mut operations = Vec::with_capacity(finished.len());
        for (mut operation, pageable) in finished {
            if operation.pagination.is_none() {
                let size = pagination::size_parameter(&operation);
                operation.pagination = pageable
                    .and_then(|extension| pagination::pageable(&extension, size))
                    .or_else(|| pagination::seen(&operation, schemas));
            }
            operations.push(operation);
        }
        self.link(&mut operations);
        derive::effects(&mut operations);
        operations
    }

    /// Turns the names of operations in extensions into ids.
    fn link(&mut self, operations: &mut [Operation]) {
        let mut ids: BTreeMap<String, String> = BTreeMap::new();
        for operation in operations.iter() {
            for alias in &operation.aliases {
                ids.entry(alias.clone()).or_insert_with(|| operation.id.clone());
            }
        }
        ids.extend(operations.iter().map(|operation| (operation.id.clone(), operation.id.clone())));
        for operation in operations {
            let place = format!("the operation `{}`", operation.id);
            let guidance = &mut operation.guidance;
            for call in [&mut guidance.probe, &mut guidance.awaits, &mut guidance.undo] {
                let Some(written) = call.as_ref().map(|call| call.operation.clone()) else { continue };
                match (call.as_mut(), ids.get(&written)) {
                    (Some(call), Some(id)) => call.operation.clone_from(id),
                    _ => {
                        self.notes
                            .add(&place, format!("an extension names the operation `{written}`, which does not exist"));
                        *call = None;
                    }
                }
            }
            let reader = &mut operation.effect.read_by;
            if let Some(written) = reader.take() {
                *reader = ids.get(&written).cloned();
                if reader.is_none() {
                    self.notes
                        .add(&place, format!("an extension names the operation `{written}`, which does not exist"));
                }
            }
        }
    }
}

/// `list-users`: List users.
fn humanised(id: &str) -> String {
    let words = id.replace('-', " ");
    let mut characters = words.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => words,
    }
}

/// The entries of the table that operations need, directly or through others.
fn reachable(operations: &[Operation], mut schemas: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let mut open: Vec<String> = Vec::new();
    for operation in operations {
        for parameter in &operation.parameters {
            references(&parameter.schema, &mut open);
        }
        for content in operation.body.iter().flat_map(|body| &body.contents) {
            references(&content.schema, &mut open);
        }
        for content in operation.outputs.values().flat_map(|output| &output.contents) {
            content.schema.iter().for_each(|schema| references(schema, &mut open));
        }
    }
    let mut kept = BTreeMap::new();
    while let Some(name) = open.pop() {
        if let Some(schema) = schemas.remove(&name) {
            references(&schema, &mut open);
            kept.insert(name, schema);
        }
    }
    kept
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Object(map) => map.values().for_each(|item| references(item, found)),
        // A discriminator's mapping has them as plain texts, too.
        Value::String(text) => found.extend(text.strip_prefix(SCHEMA_PREFIX).map(str::to_owned)),
        _ => {}
    }
}

const LOGO_BYTES_MAX: usize = 1 << 20;
