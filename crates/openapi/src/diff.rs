//! What changed between two descriptions, in words.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use crate::{
    description::{Description, SCHEMA_PREFIX},
    operation::{Operation, Output, Parameter},
    security::{Requirement, SecurityScheme},
};

/// What changed between two descriptions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// Ids of operations that only the new one has.
    pub added: Vec<String>,
    /// Ids of operations that only the old one has.
    pub removed: Vec<String>,
    /// Operations that both have, and that are not the same.
    pub changed: Vec<Change>,
    /// What changed beside the operations, in sentences.
    pub about: Vec<String>,
}

impl Diff {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What changed about one operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Its id in the new description.
    pub operation: String,
    /// In sentences.
    pub what: Vec<String>,
}

/// Compares two descriptions of one connector. An operation whose id changed while method and path stayed the same is
/// a change, not a removal.
pub fn diff(old: &Description, new: &Description) -> Diff {
    let mut diff = Diff { about: about(old, new), ..Diff::default() };
    let names = |description: &Description| -> BTreeSet<String> {
        description.operations.iter().map(|operation| operation.id.clone()).collect()
    };
    let (old_ids, new_ids) = (names(old), names(new));
    let mut gone: BTreeMap<(&str, &str), &Operation> = old
        .operations
        .iter()
        .filter(|operation| !new_ids.contains(&operation.id))
        .map(|operation| ((operation.method.as_str(), operation.path.as_str()), operation))
        .collect();
    let schemas = changed_schemas(old, new);
    let mut renamed: BTreeSet<&str> = BTreeSet::new();
    for operation in &new.operations {
        let before = match old.operation(&operation.id) {
            Some(before) => before,
            None => match gone.remove(&(operation.method.as_str(), operation.path.as_str())) {
                Some(before) => {
                    renamed.insert(&before.id);
                    before
                }
                None => {
                    diff.added.push(operation.id.clone());
                    continue;
                }
            },
        };
        let what = changes(before, operation, new, &schemas);
        if !what.is_empty() {
            diff.changed.push(Change { operation: operation.id.clone(), what });
        }
    }
    diff.removed = old_ids.into_iter().filter(|id| !new_ids.contains(id) && !renamed.contains(id.as_str())).collect();
    diff
}

fn about(old: &Description, new: &Description) -> Vec<String> {
    let mut about = Vec::new();
    if old.title != new.title {
        about.push(format!("the title changed from `{}` to `{}`", old.title, new.title));
    }
    if old.document_version != new.document_version {
        about.push(format!(
            "the document's version changed from `{}` to `{}`",
            old.document_version, new.document_version
        ));
    }
    let urls = |description: &Description| -> Vec<String> {
        description.servers.iter().map(|server| format!("`{}`", server.url)).collect()
    };
    if old.servers != new.servers {
        let (before, after) = (urls(old), urls(new));
        about.push(match before == after {
            true => "the variables of the servers changed".to_owned(),
            false => format!("the servers changed from {} to {}", listed(&before), listed(&after)),
        });
    }
    by_name(
        &mut about,
        "the security scheme",
        &old.security_schemes,
        &new.security_schemes,
        |_: &SecurityScheme, _| vec!["changed".to_owned()],
    );
    if old.extensions != new.extensions {
        about.push("extensions of the document changed".to_owned());
    }
    let texts = |one: &Description| (one.description.clone(), one.documentation.clone(), one.logo.clone());
    if texts(old) != texts(new) || old.categories != new.categories || old.tags != new.tags {
        about.push("texts about the product changed".to_owned());
    }
    about
}

fn listed(items: &[String]) -> String {
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}

fn changes(old: &Operation, new: &Operation, description: &Description, schemas: &BTreeSet<&str>) -> Vec<String> {
    let mut what = Vec::new();
    let mut from_to = |name: &str, before: &str, after: &str| {
        if before != after {
            what.push(format!("{name} changed from `{before}` to `{after}`"));
        }
    };
    from_to("the id", &old.id, &new.id);
    from_to("the method", old.method.as_str(), new.method.as_str());
    from_to("the path", &old.path, &new.path);
    from_to("the title", &old.title, &new.title);
    from_to("the effect", old.effect.class.as_str(), new.effect.class.as_str());
    if old.deprecated != new.deprecated {
        what.push(if new.deprecated { "it is deprecated now" } else { "it is no longer deprecated" }.to_owned());
    }
    inputs(&mut what, old, new);
    body(&mut what, old, new);
    by_name(&mut what, "the answer", &old.outputs, &new.outputs, output);
    if old.security != new.security {
        let words = |one: &Operation| alternatives(&one.security);
        what.push(format!("authentication changed from {} to {}", words(old), words(new)));
    }
    if old.servers != new.servers {
        what.push("its servers changed".to_owned());
    }
    if old.fixed_query != new.fixed_query {
        what.push("the query that its path prescribes changed".to_owned());
    }
    if old.pagination != new.pagination {
        what.push("the way to the next page changed".to_owned());
    }
    if old.rate_limit != new.rate_limit {
        what.push("what is said about rate limits changed".to_owned());
    }
    if old.guidance != new.guidance || old.effect.read_by != new.effect.read_by || old.effect.key != new.effect.key {
        what.push("its guidance (`x-sortie-*`) changed".to_owned());
    }
    for name in used_schemas(new, description).into_iter().filter(|name| schemas.contains(name)) {
        what.push(format!("the schema `{name}`, which it uses, changed"));
    }
    let texts = |one: &Operation| (one.description.clone(), one.documentation.clone());
    if texts(old) != texts(new) || old.tags != new.tags || old.aliases != new.aliases {
        what.push("texts about it changed".to_owned());
    }
    what
}

fn inputs(what: &mut Vec<String>, old: &Operation, new: &Operation) {
    let by_key = |operation: &Operation| -> BTreeMap<String, Parameter> {
        operation.parameters.iter().map(|parameter| (parameter.key.clone(), parameter.clone())).collect()
    };
    let (before, after) = (by_key(old), by_key(new));
    let known = what.len();
    by_name(what, "the input", &before, &after, |old, new| {
        let mut how = Vec::new();
        if old.required != new.required {
            how.push(if new.required { "is required now" } else { "is no longer required" }.to_owned());
        }
        if old.location != new.location {
            how.push(format!("moved from the {} to the {}", old.location.as_str(), new.location.as_str()));
        }
        schema_words(&mut how, &old.schema, &new.schema);
        if old.form != new.form || old.name != new.name {
            how.push("is written in another way".to_owned());
        }
        if how.is_empty() {
            how.push("has other texts".to_owned());
        }
        how
    });
    if what.len() == known && old.parameters != new.parameters {
        what.push("the inputs are in another order".to_owned());
    }
}

fn schema_words(how: &mut Vec<String>, old: &Value, new: &Value) {
    if old == new {
        return;
    }
    let kind = |schema: &Value| match schema.get("type").or_else(|| schema.get("$ref")) {
        Some(Value::String(kind)) => kind.strip_prefix(SCHEMA_PREFIX).unwrap_or(kind).to_owned(),
        Some(other) => other.to_string(),
        None => "any value".to_owned(),
    };
    let (before, after) = (kind(old), kind(new));
    how.push(match before == after {
        true => "has other rules for its value".to_owned(),
        false => format!("changed its type from {before} to {after}"),
    });
}

fn body(what: &mut Vec<String>, old: &Operation, new: &Operation) {
    let (before, after) = match (&old.body, &new.body) {
        (None, None) => return,
        (None, Some(body)) => {
            what.push(format!("it takes a body now{}", if body.required { ", which is required" } else { "" }));
            return;
        }
        (Some(_), None) => return what.push("it takes no body any more".to_owned()),
        (Some(before), Some(after)) => (before, after),
    };
    if before.required != after.required {
        what.push(
            if after.required { "the body is required now" } else { "the body is no longer required" }.to_owned(),
        );
    }
    let by_type = |body: &crate::operation::Body| -> BTreeMap<String, crate::operation::Content> {
        body.contents.iter().map(|content| (content.media_type.clone(), content.clone())).collect()
    };
    let (old_contents, new_contents) = (by_type(before), by_type(after));
    by_name(what, "the body as", &old_contents, &new_contents, |old, new| {
        let fields = |content: &crate::operation::Content| -> BTreeMap<String, crate::operation::BodyField> {
            content.fields.iter().map(|field| (field.key.clone(), field.clone())).collect()
        };
        let mut how = Vec::new();
        by_name(&mut how, "field", &fields(old), &fields(new), |old, new| {
            let mut how = Vec::new();
            if old.required != new.required {
                how.push(if new.required { "is required now" } else { "is no longer required" }.to_owned());
            }
            schema_words(&mut how, &old.schema, &new.schema);
            if how.is_empty() {
                how.push("is written in another way".to_owned());
            }
            how
        });
        if how.is_empty() {
            schema_words(&mut how, &old.schema, &new.schema);
        }
        if how.is_empty() {
            how.push("has another example".to_owned());
        }
        how
    });
    if before.description != after.description || before.key != after.key {
        what.push("texts about the body changed".to_owned());
    }
}

fn output(old: &Output, new: &Output) -> Vec<String> {
    let mut how = Vec::new();
    let schemas = |output: &Output| -> BTreeMap<String, Value> {
        output
            .contents
            .iter()
            .map(|content| (content.media_type.clone(), content.schema.clone().unwrap_or(Value::Bool(true))))
            .collect()
    };
    by_name(&mut how, "as", &schemas(old), &schemas(new), |old, new| {
        let mut how = Vec::new();
        schema_words(&mut how, old, new);
        how
    });
    if old.headers != new.headers {
        how.push("has other headers".to_owned());
    }
    if how.is_empty() {
        how.push("has other texts".to_owned());
    }
    how
}

/// One sentence for each name that is new, gone, or not the same.
fn by_name<T: PartialEq>(
    what: &mut Vec<String>,
    noun: &str,
    old: &BTreeMap<String, T>,
    new: &BTreeMap<String, T>,
    how: impl Fn(&T, &T) -> Vec<String>,
) {
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        what.push(format!("{noun} `{name}` is gone"));
    }
    for (name, after) in new {
        match old.get(name) {
            None => what.push(format!("{noun} `{name}` is new")),
            Some(before) if before != after => {
                what.extend(how(before, after).into_iter().map(|how| format!("{noun} `{name}` {how}")));
            }
            Some(_) => {}
        }
    }
}

fn alternatives(security: &[Requirement]) -> String {
    let words = |requirement: &Requirement| {
        let names: Vec<String> = requirement
            .0
            .iter()
            .map(
                |(name, scopes)| {
                    if scopes.is_empty() { name.clone() } else { format!("{name} ({})", scopes.join(" ")) }
                },
            )
            .collect();
        if names.is_empty() { "none".to_owned() } else { names.join(" and ") }
    };
    let all: Vec<String> = security.iter().map(words).collect();
    if all.is_empty() { "none".to_owned() } else { all.join(" or ") }
}

fn changed_schemas<'d>(old: &'d Description, new: &'d Description) -> BTreeSet<&'d str> {
    let changed =
        new.schemas.iter().filter(|(name, schema)| old.schemas.get(*name).is_some_and(|before| before != *schema));
    changed.map(|(name, _)| name.as_str()).collect()
}

/// The entries of the table that an operation needs, directly or through others.
fn used_schemas<'d>(operation: &'d Operation, description: &'d Description) -> BTreeSet<&'d str> {
    let parameters = operation.parameters.iter().map(|parameter| &parameter.schema);
    let contents = operation.body.iter().flat_map(|body| &body.contents).map(|content| &content.schema);
    let answers = operation.outputs.values().flat_map(|output| &output.contents);
    let answers = answers.filter_map(|content| content.schema.as_ref());
    let mut open: Vec<&Value> = parameters.chain(contents).chain(answers).collect();
    let mut used = BTreeSet::new();
    while let Some(value) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(map) => {
                let name = map.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix(SCHEMA_PREFIX));
                if let Some((name, schema)) = name.and_then(|name| description.schemas.get_key_value(name))
                    && used.insert(name.as_str())
                {
                    open.push(schema);
                }
                open.extend(map.values());
            }
            _ => {}
        }
    }
    used
}
