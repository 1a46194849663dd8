//! What travels as the body, from a `requestBody`, a `body` parameter, form parameters, or a template.

use std::{collections::BTreeMap, sync::LazyLock};

use serde_json::{Map, Value, json};

use super::{Walk, media, parameters::Declared, template};
use crate::{
    documents::{Node, Place},
    operation::{Body, BodyForm, Content, Location, Method, ParameterForm},
    report::Reason,
};

/// A parameter with `in: body`.
pub(super) struct BodyParameter<'a> {
    pub(super) node: Node<'a>,
}

/// A parameter with `in: formData`.
pub(super) struct FormParameter {
    pub(super) name: String,
    pub(super) required: bool,
    pub(super) file: bool,
    pub(super) schema: Value,
    pub(super) form: Option<ParameterForm>,
}

/// How fields of a form are written, where the document says so.
pub(super) type Encodings = BTreeMap<String, ParameterForm>;

/// A body, and the encodings of each of its contents until fields can be made of them.
pub(super) struct DraftBody {
    pub(super) body: Body,
    pub(super) encodings: Vec<Encodings>,
}

impl DraftBody {
    fn new(required: bool, description: Option<String>, contents: Vec<(Content, Encodings)>) -> Option<Self> {
        if contents.is_empty() {
            return None;
        }
        let (contents, encodings) = contents.into_iter().unzip();
        Some(Self { body: Body { key: String::new(), required, description, contents }, encodings })
    }
}

impl<'a> Walk<'a> {
    pub(super) fn body(
        &mut self,
        op: Node<'a>,
        method: Method,
        declared: &mut Declared<'a>,
        place: &Place<'_>,
    ) -> Result<Option<DraftBody>, Reason> {
        let here = place.key("requestBody");
        let written = match op.get("requestBody").filter(|node| !node.value.is_null()) {
            Some(node) => Some(
                self.documents.follow(node).map_err(|source| Reason::Reference { what: "the request body", source })?,
            ),
            None => None,
        };
        if let (Some(node), Some(behind)) = (op.get("requestBody"), written) {
            self.charge_behind(node, behind);
        }
        let mut draft = match written {
            Some(node) => self.request_body(node, declared, &here)?,
            None => None,
        };
        if draft.is_none()
            && let Some(parameter) = declared.body.take()
        {
            draft = self.body_parameter((op, method), parameter.node, declared, &place.key("parameters"));
        }
        if draft.is_none() && !declared.form.is_empty() {
            draft = self.form_parameters(op, std::mem::take(&mut declared.form));
        }
        if draft.is_some() && matches!(method, Method::Get | Method::Head | Method::Trace) {
            self.notes.add(
                place,
                format!("a {} has a body, which many services ignore; it stays an optional input", method.as_str()),
            );
            if let Some(draft) = &mut draft {
                draft.body.required = false;
            }
        }
        Ok(draft)
    }

    fn request_body(
        &mut self,
        node: Node<'a>,
        declared: &Declared<'a>,
        place: &Place<'_>,
    ) -> Result<Option<DraftBody>, Reason> {
        let required = node.flag("required");
        let description = node.text("description").filter(|text| !text.contains("enerated by Shuffler.io"));
        let content = match (node.get("content"), node.get("schema")) {
            (Some(content), _) => content,
            (None, Some(schema)) => {
                self.notes.add(place, "a request body has a schema but no media type; JSON is taken");
                let content = self.content("application/json".to_owned(), schema, None, None, &place.key("schema"));
                return Ok(DraftBody::new(required, description, vec![(content, Encodings::new())]));
            }
            (None, None) => {
                if required {
                    return Err(Reason::Body("the document does not say in which media type"));
                }
                return Ok(None);
            }
        };
        let here = place.key("content");
        let mut contents = Vec::new();
        for (written, media) in content.entries() {
            let at = here.key(written);
            let behind = self.documents.follow(media).unwrap_or(media);
            self.charge_behind(media, behind);
            let media = behind;
            match media::clean(written) {
                Some(media_type) => contents.push(self.media(media_type, written, media, &at)),
                None if written == "example" || written == "examples" => {
                    let sample = media.get("example").unwrap_or(media);
                    contents.extend(self.template(sample.value, declared, &at));
                }
                None => self.notes.add(at, format!("`{written}` is no media type; it is left out")),
            }
        }
        contents.sort_by(|(a, _), (b, _)| (a.form, &a.media_type).cmp(&(b.form, &b.media_type)));
        contents.dedup_by(|(a, _), (b, _)| a.media_type == b.media_type);
        if contents.is_empty() && required {
            return Err(Reason::Body("the document does not say in which media type"));
        }
        Ok(DraftBody::new(required, description, contents))
    }

    fn media(&mut self, media_type: String, written: &str, media: Node<'a>, place: &Place<'_>) -> (Content, Encodings) {
        if media_type != written {
            self.notes.add(place, "a media type is written in an unusual way");
        }
        let example = self.example(media);
        let schema = media.get("schema").unwrap_or(media.of(&ANY));
        // Shuffle's way to name the file field of a multipart body.
        let named = schema.get("properties").and_then(|node| node.get("fieldname")).and_then(|node| node.text("value"));
        if let Some(name) = named {
            let schema = json!({ "type": "object", "properties": { name: { "type": "string", "format": "binary" } } });
            // Whatever type is written there: an app has fields only in this one.
            let is_multipart = media::form(&media_type, None) == BodyForm::Multipart;
            let media_type = if is_multipart { media_type } else { "multipart/form-data".to_owned() };
            let content = Content::new(media_type, BodyForm::Multipart, schema, example);
            return (content, Encodings::new());
        }
        let content = self.content(media_type, schema, example, None, &place.key("schema"));
        let mut encodings = Encodings::new();
        if matches!(content.form, BodyForm::Form | BodyForm::Multipart) {
            let here = place.key("encoding");
            for (name, encoding) in media.get("encoding").map(Node::entries).unwrap_or_default() {
                let at = here.key(name);
                let form = match encoding.text("contentType").filter(|_| encoding.get("style").is_none()) {
                    Some(media_type) => Some(ParameterForm::Content { media_type }),
                    None => self.style(encoding, Location::Query, &at).ok(),
                };
                encodings.extend(form.map(|form| (name.to_owned(), form)));
            }
        }
        (content, encodings)
    }

    fn content(
        &mut self,
        media_type: String,
        schema: Node<'a>,
        example: Option<Value>,
        form: Option<BodyForm>,
        place: &Place<'_>,
    ) -> Content {
        let behind = self.documents.follow(schema).unwrap_or(schema);
        let form = form.unwrap_or_else(|| media::form(&media_type, Some(behind.value)));
        Content::new(media_type, form, self.schema(schema, place), example)
    }

    fn body_parameter(
        &mut self,
        (op, method): (Node<'a>, Method),
        node: Node<'a>,
        declared: &Declared<'a>,
        place: &Place<'_>,
    ) -> Option<DraftBody> {
        let required = node.flag("required");
        let description = node.text("description").filter(|text| !text.contains("enerated by shuffler.io"));
        if let Some(Value::String(text)) = node.value.get("example") {
            let mut found: Vec<_> = self.template(&Value::String(text.clone()), declared, place).into_iter().collect();
            // Shuffle's editor gives each of these methods a body; an empty sample says only that nobody wrote one.
            if found.is_empty() && matches!(method, Method::Post | Method::Put | Method::Patch) {
                let stated = declared.content_type.as_deref().and_then(media::clean);
                let media_type = stated.unwrap_or_else(|| "application/json".to_owned());
                let form = media::form(&media_type, None);
                found.push((Content::new(media_type, form, json!({}), None), Encodings::new()));
            }
            return DraftBody::new(required, description, found);
        }
        let schema = node.get("schema").unwrap_or(node.of(&ANY));
        let mut types = self.consumes(op);
        if types.is_empty() {
            types.push("application/json".to_owned());
        }
        let mut contents: Vec<(Content, Encodings)> = types
            .into_iter()
            .map(|media_type| (self.content(media_type, schema, None, None, &place.key("schema")), Encodings::new()))
            .collect();
        contents.sort_by(|(a, _), (b, _)| (a.form, &a.media_type).cmp(&(b.form, &b.media_type)));
        DraftBody::new(required, description, contents)
    }

    fn form_parameters(&mut self, op: Node<'a>, form: Vec<FormParameter>) -> Option<DraftBody> {
        let has_file = form.iter().any(|field| field.file);
        let types = self.consumes(op);
        let found = types.iter().find(|kind| matches!(media::form(kind, None), BodyForm::Form | BodyForm::Multipart));
        let media_type = match found {
            Some(kind) if !has_file || media::form(kind, None) == BodyForm::Multipart => kind.clone(),
            _ if has_file => "multipart/form-data".to_owned(),
            _ => "application/x-www-form-urlencoded".to_owned(),
        };
        let required: Vec<&str> = form.iter().filter(|field| field.required).map(|field| field.name.as_str()).collect();
        let properties: Map<String, Value> =
            form.iter().map(|field| (field.name.clone(), field.schema.clone())).collect();
        let mut schema = json!({ "type": "object", "properties": properties });
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        let is_required = !required.is_empty();
        let encodings = form.into_iter().filter_map(|field| Some((field.name, field.form?))).collect();
        let content = Content::new(media_type.clone(), media::form(&media_type, None), schema, None);
        DraftBody::new(is_required, None, vec![(content, encodings)])
    }

    /// The media types that Swagger 2.0 states for an operation's body.
    fn consumes(&self, op: Node<'a>) -> Vec<String> {
        let written =
            op.get("consumes").map_or_else(|| self.documents.root().texts("consumes"), |_| op.texts("consumes"));
        let mut types: Vec<String> = Vec::new();
        for media_type in written.iter().take(media::COUNT_MAX).filter_map(|written| media::clean(written)) {
            if !types.contains(&media_type) {
                types.push(media_type);
            }
        }
        types
    }

    fn template(&mut self, sample: &Value, declared: &Declared<'a>, place: &Place<'_>) -> Option<(Content, Encodings)> {
        let text = match sample {
            Value::String(text) => text.clone(),
            Value::Null => return None,
            other => other.to_string(),
        };
        let found = template::read(&text)?;
        self.notes
            .add(place, "a body is given as a template; its fields were read from it, and none is taken as required");
        // The declared header counts where it does not contradict the template.
        let stated = declared.content_type.as_deref().and_then(media::clean);
        let stated = stated.filter(|kind| {
            let form = media::form(kind, None);
            form == media::form(found.media_type, None) || matches!(form, BodyForm::Text)
        });
        let media_type = stated.unwrap_or_else(|| found.media_type.to_owned());
        let form = media::form(&media_type, None);
        let schema = if form == BodyForm::Text { json!({ "type": "string" }) } else { found.schema };
        Some((Content::new(media_type, form, schema, Some(found.example)), Encodings::new()))
    }
}

impl Content {
    fn new(media_type: String, form: BodyForm, schema: Value, example: Option<Value>) -> Self {
        Self { media_type, form, schema, fields: Vec::new(), open_fields: false, example }
    }
}

static ANY: LazyLock<Value> = LazyLock::new(|| json!({}));
