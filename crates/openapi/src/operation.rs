//! One callable: its inputs with the places where they travel, its outputs, and what a caller must know to call it well.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{description::Server, security::Requirement};

/// One callable of a connector. All that a request needs is in here and in [`crate::Description`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// Unique in its description: lower-case words joined by `-`.
    pub id: String,
    /// The HTTP method.
    pub method: Method,
    /// Begins with `/`; `{name}` is the place of the path parameter of that name. Goes behind the server's address.
    pub path: String,
    /// Query parameters that the path itself prescribes, in order; sent with every call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixed_query: Vec<(String, String)>,
    /// One line for people.
    pub title: String,
    /// More for people, possibly in Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Other names under which the document's users know it: its `operationId` as written, Shuffle's function name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Names of [`crate::Tag`]s.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The product advises against it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub deprecated: bool,
    /// Where more is written about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documentation: Option<String>,
    /// Base addresses of this operation; empty when those of the description hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<Server>,
    /// Inputs outside of the body, in the document's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Parameter>,
    /// What travels as the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
    /// By status: `200`, `2XX`, or `default`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, Output>,
    /// Alternatives, any of which suffices; empty when no authentication is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub security: Vec<Requirement>,
    /// What may be done when the fate of a call is unknown.
    pub effect: Effect,
    /// How the next page is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pagination: Option<Pagination>,
    /// What the document says about being called too often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    /// What `x-sortie-*` extensions say.
    #[serde(default, skip_serializing_if = "Guidance::is_empty")]
    pub guidance: Guidance,
}

impl Operation {
    /// The JSON Schema of all inputs by key: an object that accepts nothing else. `content` is the index of the body's
    /// content that the caller chose; 0 is the preferred one.
    pub fn input_schema(&self, content: usize) -> Value {
        let mut properties = Map::new();
        let mut required: Vec<&str> = Vec::new();
        for parameter in &self.parameters {
            properties.insert(parameter.key.clone(), parameter.described_schema());
            if parameter.required {
                required.push(&parameter.key);
            }
        }
        let mut open = false;
        if let Some((body, content)) = self.body.as_ref().and_then(|body| Some((body, body.contents.get(content)?))) {
            for field in &content.fields {
                properties.insert(field.key.clone(), field.schema.clone());
            }
            properties.insert(body.key.clone(), content.schema.clone());
            // Either the whole body or its fields: with fields, neither may be asked for by itself.
            if body.required && content.fields.is_empty() {
                required.push(&body.key);
            }
            open = content.open_fields;
        }
        json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": open })
    }

    /// The outputs that mean success, by status.
    pub fn successes(&self) -> impl Iterator<Item = (&str, &Output)> {
        let found = self.outputs.iter().filter(|(status, _)| status.starts_with('2'));
        let has_success = self.outputs.keys().any(|status| status.starts_with('2'));
        let fallback = self.outputs.iter().filter(move |(status, _)| !has_success && *status == "default");
        found.chain(fallback).map(|(status, output)| (status.as_str(), output))
    }
}

/// An HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names are those of RFC 9110 and of OpenAPI 3.2's `query`")]
pub enum Method {
    Get,
    Head,
    Options,
    Post,
    Put,
    Patch,
    Delete,
    Trace,
    Query,
}

impl Method {
    /// All of them, in the order in which a path's operations are read.
    pub const ALL: [Self; 9] = [
        Self::Get,
        Self::Head,
        Self::Options,
        Self::Post,
        Self::Put,
        Self::Patch,
        Self::Delete,
        Self::Trace,
        Self::Query,
    ];

    /// As it stands in a request.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Trace => "TRACE",
            Self::Query => "QUERY",
        }
    }

    /// The key of a path item, whatever its letter case.
    pub(crate) fn of_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str().eq_ignore_ascii_case(key))
    }
}

/// One input outside of the body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// The input's name in a workflow; unique among the operation's inputs.
    pub key: String,
    /// The name on the wire.
    pub name: String,
    /// Where it travels.
    pub location: Location,
    /// Whether a call without it is refused.
    #[serde(default, skip_serializing_if = "is_false")]
    pub required: bool,
    /// The product advises against it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub deprecated: bool,
    /// What it means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How its value becomes text.
    pub form: ParameterForm,
    /// JSON Schema of its value.
    pub schema: Value,
    /// A value that shows what is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<Value>,
}

impl Parameter {
    fn described_schema(&self) -> Value {
        let mut schema = self.schema.clone();
        if let (Some(description), Value::Object(map)) = (&self.description, &mut schema) {
            map.entry("description").or_insert_with(|| Value::String(description.clone()));
        }
        schema
    }
}

/// Where a parameter travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are OpenAPI's")]
pub enum Location {
    Path,
    Query,
    Header,
    Cookie,
}

impl Location {
    /// As OpenAPI spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
            Self::Cookie => "cookie",
        }
    }

    pub(crate) fn of(text: &str) -> Option<Self> {
        [Self::Path, Self::Query, Self::Header, Self::Cookie].into_iter().find(|location| location.as_str() == text)
    }
}

/// How a parameter's value becomes text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ParameterForm {
    /// By OpenAPI's `style`.
    Style {
        /// How lists and objects are written.
        style: ArrayStyle,
        /// Each item or member by itself (`a=1&a=2`) instead of joined (`a=1,2`).
        explode: bool,
        /// Reserved characters such as `/` and `:` stay as they are.
        #[serde(default, skip_serializing_if = "is_false")]
        allow_reserved: bool,
    },
    /// The value is written as this media type (JSON, mostly), then percent-encoded as one text.
    Content {
        /// Such as `application/json`.
        media_type: String,
    },
}

/// OpenAPI's styles of writing lists and objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are OpenAPI's")]
pub enum ArrayStyle {
    Simple,
    Label,
    Matrix,
    Form,
    SpaceDelimited,
    PipeDelimited,
    DeepObject,
}

impl ArrayStyle {
    /// As OpenAPI spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Label => "label",
            Self::Matrix => "matrix",
            Self::Form => "form",
            Self::SpaceDelimited => "spaceDelimited",
            Self::PipeDelimited => "pipeDelimited",
            Self::DeepObject => "deepObject",
        }
    }

    pub(crate) fn of(text: &str) -> Option<Self> {
        [
            Self::Simple,
            Self::Label,
            Self::Matrix,
            Self::Form,
            Self::SpaceDelimited,
            Self::PipeDelimited,
            Self::DeepObject,
        ]
        .into_iter()
        .find(|style| style.as_str() == text)
    }
}

/// What travels as the body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Body {
    /// The input that takes the whole body instead of its fields: `body`, unless a parameter has that name.
    pub key: String,
    /// Whether a call without it is refused.
    #[serde(default, skip_serializing_if = "is_false")]
    pub required: bool,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Alternatives, the preferred one first: JSON, form, multipart, text, bytes.
    pub contents: Vec<Content>,
}

/// One way to write a body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// The `Content-Type`, with its parameters as the document has them.
    pub media_type: String,
    /// How a value is written.
    pub form: BodyForm,
    /// JSON Schema of the value.
    pub schema: Value,
    /// Fields that may be given as inputs of their own; without any, only the whole body can be given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<BodyField>,
    /// Whether fields that are not listed are welcome, too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub open_fields: bool,
    /// A value that shows what is meant; for Shuffle's apps the template, with its `${name}` places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<Value>,
}

/// How a value becomes a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BodyForm {
    /// The value as JSON.
    Json,
    /// `application/x-www-form-urlencoded`; see [`BodyField::form`].
    Form,
    /// `multipart/form-data`, one part a field.
    Multipart,
    /// A text as it is: plain text, XML, CSV, lines of JSON.
    Text,
    /// Bytes as they are.
    Binary,
}

/// One field of a body that is an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BodyField {
    /// The input's name in a workflow; unique among the operation's inputs.
    pub key: String,
    /// The name on the wire.
    pub name: String,
    /// Whether the body is refused without it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub required: bool,
    /// JSON Schema of its value.
    pub schema: Value,
    /// How its value becomes text in a form; JSON bodies have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<ParameterForm>,
    /// Of a multipart body: it is a file's bytes.
    #[serde(default, skip_serializing_if = "is_false")]
    pub file: bool,
    /// Of a multipart body: a list that becomes one part an item.
    #[serde(default, skip_serializing_if = "is_false")]
    pub repeated: bool,
}

/// One documented answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// What it means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Headers that it carries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
    /// By media type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contents: Vec<OutputContent>,
}

/// The shape of an answer in one media type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutputContent {
    /// Such as `application/json`.
    pub media_type: String,
    /// How the body is read.
    pub form: BodyForm,
    /// JSON Schema, if the document has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// What such an answer looks like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<Value>,
}

/// What a call does, and what may be done when its fate is unknown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// The class.
    pub class: EffectClass,
    /// Whether the document says so (`x-sortie-effect`); else it follows from the method.
    #[serde(default, skip_serializing_if = "is_false")]
    pub stated: bool,
    /// Of `overwrite`: the id of the operation that reads what this one writes, so that in doubt it is read first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_by: Option<String>,
    /// Of `keyed`: the key of the parameter that takes our key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Classes of effects; only `safe`, `overwrite` and `keyed` may be repeated after an unknown fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EffectClass {
    /// Changes nothing.
    Safe,
    /// The same call gives the same end state.
    Overwrite,
    /// The service knows a repetition by our key.
    Keyed,
    /// What was done can be looked for.
    Probed,
    /// There is no way to look: in doubt a person decides.
    Unsafe,
}

impl EffectClass {
    /// As the extension and the data spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Overwrite => "overwrite",
            Self::Keyed => "keyed",
            Self::Probed => "probed",
            Self::Unsafe => "unsafe",
        }
    }

    pub(crate) fn of(text: &str) -> Option<Self> {
        [Self::Safe, Self::Overwrite, Self::Keyed, Self::Probed, Self::Unsafe]
            .into_iter()
            .find(|class| class.as_str() == text)
    }
}

/// How the next page is asked for. Pointers (RFC 6901) lead into the answer's body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pagination {
    /// The way.
    pub pages: Pages,
    /// Where the items are; the empty pointer is the body itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<String>,
    /// Key of the parameter that sets the size of a page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// Whether the document says so (`x-sortie-pagination`, `x-ms-pageable`); else it was seen by names alone.
    #[serde(default)]
    pub stated: bool,
}

/// The ways to ask for the next page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "camelCase")]
pub enum Pages {
    /// The answer holds the next page's address.
    NextLink {
        /// Where.
        pointer: String,
    },
    /// The answer's `Link` header has a `rel="next"` (RFC 8288).
    LinkHeader,
    /// The answer holds a cursor, which a parameter takes.
    Cursor {
        /// Key of the parameter.
        parameter: String,
        /// Where the cursor is; unknown when the document does not describe the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pointer: Option<String>,
    },
    /// A parameter counts pages.
    Page {
        /// Key of the parameter.
        parameter: String,
    },
    /// A parameter counts items.
    Offset {
        /// Key of the parameter.
        parameter: String,
    },
}

/// What the document says about being called too often.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimit {
    /// Whether a 429 is among the documented answers.
    pub documented: bool,
    /// Headers that tell what is left or how long to wait.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
}

/// What `x-sortie-*` extensions say about an operation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Guidance {
    /// `x-sortie-audience`: the API that a token must be for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// `x-sortie-roles`: application permissions, any of which suffices, the least one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// `x-sortie-limits`: how often it may be called, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Value>,
    /// `x-sortie-probe`: the call that finds what this one has done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<LinkedCall>,
    /// `x-sortie-await`: the call that follows what this one has started.
    #[serde(default, rename = "await", skip_serializing_if = "Option::is_none")]
    pub awaits: Option<LinkedCall>,
    /// `x-sortie-undo`: the call that takes this one back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<LinkedCall>,
    /// `x-sortie-test`: how to call this operation to test a connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Value>,
    /// Every other `x-sortie-*`, without that prefix, as written.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub more: BTreeMap<String, Value>,
}

impl Guidance {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A call of another operation of the same description.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkedCall {
    /// Its id.
    pub operation: String,
    /// Whatever else the extension says: inputs, what to look for, how long to wait.
    #[serde(flatten)]
    pub settings: Map<String, Value>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
pub(crate) fn is_false(flag: &bool) -> bool {
    !*flag
}
