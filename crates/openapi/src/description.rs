//! The description of a connector: what is left of a document when everything that cannot be called is gone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{canonical, operation::Operation, security::SecurityScheme};

/// The number of the data's own format; it grows when a reader of the old one could misread the new one.
pub const FORMAT: u32 = 1;

/// Everything that is needed to call a product's operations. Plain data in a fixed order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// [`FORMAT`] of the writer.
    pub format: u32,
    /// The product's name.
    pub title: String,
    /// The document's own version text (`info.version`).
    pub document_version: String,
    /// What the product is, possibly in Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where its documentation is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documentation: Option<String>,
    /// An address or a `data:` URI of a picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo: Option<String>,
    /// Kinds of product, as Shuffle's catalogue sorts them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// Base addresses, the preferred one first; empty when only the connection can tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<Server>,
    /// Groups of operations, in the document's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    /// How calls can be authenticated, by the names that the operations' requirements use.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub security_schemes: BTreeMap<String, SecurityScheme>,
    /// In the order of their ids.
    pub operations: Vec<Operation>,
    /// JSON Schemas that operations and each other refer to by `#/components/schemas/NAME`; nothing unused.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub schemas: BTreeMap<String, Value>,
    /// Extensions `x-sortie-*` of the document itself that this crate gives no meaning to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extensions: BTreeMap<String, Value>,
}

impl Description {
    /// The operation of this id.
    pub fn operation(&self, id: &str) -> Option<&Operation> {
        let at = self.operations.binary_search_by(|operation| operation.id.as_str().cmp(id)).ok()?;
        self.operations.get(at)
    }

    /// The operation of this id or of another name under which the document's users know it.
    pub fn operation_called(&self, name: &str) -> Option<&Operation> {
        self.place_of(name).map(|at| &self.operations[at])
    }

    /// The place of that operation among all.
    pub fn place_of(&self, name: &str) -> Option<usize> {
        let has_alias = |operation: &Operation| operation.aliases.iter().any(|alias| alias == name);
        let named = self.operations.binary_search_by(|operation| operation.id.as_str().cmp(name));
        named.ok().or_else(|| self.operations.iter().position(has_alias))
    }

    /// The schema behind a reference `#/components/schemas/NAME`, or the schema itself if it is none.
    pub fn resolve<'a>(&'a self, schema: &'a Value) -> Option<&'a Value> {
        resolve(&self.schemas, schema)
    }

    /// Names this content for ever: `sha256:` and the digest of the canonical JSON (keys sorted, no blanks).
    pub fn content_hash(&self) -> String {
        self.kept().content_hash
    }

    /// What is kept of it: one writing for both.
    pub fn kept(&self) -> Kept {
        let json = serde_json::to_string(self).expect("a description is plain data with text keys");
        Kept { content_hash: canonical::hash(&json), json }
    }
}

/// A description as data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// JSON, from which it is read again.
    pub json: String,
    /// As [`Description::content_hash`].
    pub content_hash: String,
}

/// Follows references through the table; `None` when one leads nowhere.
pub(crate) fn resolve<'a>(schemas: &'a BTreeMap<String, Value>, schema: &'a Value) -> Option<&'a Value> {
    let mut schema = schema;
    for _ in 0..REFERENCE_COUNT_MAX {
        let Some(reference) = schema.get("$ref").and_then(Value::as_str) else { return Some(schema) };
        schema = schemas.get(reference.strip_prefix(SCHEMA_PREFIX)?)?;
    }
    None
}

/// A base address, possibly with variables in braces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// `https://{region}.example.com/api`, without a slash at its end. Begins with `/`, or is empty, when the
    /// connection must give the host.
    pub url: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What stands for the names in braces.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, ServerVariable>,
}

impl Server {
    /// Whether the connection must give the host, because the document does not.
    pub fn needs_host(&self) -> bool {
        !self.url.contains("://")
    }
}

/// One variable of a base address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerVariable {
    /// Taken when the connection gives none; without it the connection must.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The only values; anything when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// What it means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A group of operations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// As the operations name it.
    pub name: String,
    /// What it groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

pub(crate) const SCHEMA_PREFIX: &str = "#/components/schemas/";
const REFERENCE_COUNT_MAX: usize = 64;
