//! Inputs outside of the body, from whatever level and dialect they are declared in.

use serde_json::{Value, json};

use super::{
    Walk,
    body::{BodyParameter, FormParameter},
    media,
    path::PathTemplate,
    schema::{PAYLOAD_DEPTH_MAX, is_shallow},
};
use crate::{
    documents::{Node, Place},
    operation::{ArrayStyle, Location, Parameter, ParameterForm},
    report::{Format, Reason},
};

/// What an operation's `parameters` declare, sorted by where they travel.
#[derive(Default)]
pub(super) struct Declared<'a> {
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<BodyParameter<'a>>,
    pub(super) form: Vec<FormParameter>,
    /// The value of a declared `Content-Type` header: a hint where the body does not say its own.
    pub(super) content_type: Option<String>,
    /// A declared `Authorization` header, which is a credential and no input.
    pub(super) authorization: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn parameters(
        &mut self,
        levels: [(Option<Node<'a>>, &Place<'_>); 2],
        template: &mut PathTemplate,
    ) -> Result<Declared<'a>, Reason> {
        let mut found: Vec<(Node<'a>, Place<'_>, usize)> = Vec::new();
        for (level, (list, place)) in levels.iter().enumerate() {
            let Some(list) = *list else { continue };
            for (at, item) in self.parameter_nodes(list, place) {
                let node =
                    self.documents.follow(item).map_err(|source| Reason::Reference { what: "a parameter", source })?;
                self.charge_behind(item, node);
                let key = (node.text("in"), node.text("name"));
                match found.iter().position(|(known, _, _)| (known.text("in"), known.text("name")) == key) {
                    None => found.push((node, place.index(at), level)),
                    Some(same) if found[same].2 < level => found[same] = (node, place.index(at), level),
                    Some(_) => self.notes.add(place.index(at), "a parameter is declared twice; the first one counts"),
                }
            }
        }
        let mut declared = Declared::default();
        for (node, place, _) in found {
            self.declare(node, &place, template, &mut declared)?;
        }
        self.fit(template, &mut declared, levels[1].1);
        Ok(declared)
    }

    fn parameter_nodes(&mut self, list: Node<'a>, place: &Place<'_>) -> Vec<(usize, Node<'a>)> {
        match list.value {
            Value::Array(_) => {
                let (objects, others): (Vec<_>, Vec<_>) =
                    list.items().enumerate().partition(|(_, item)| item.value.is_object());
                if !others.is_empty() {
                    self.notes.add(place, "a parameter is not an object; it is left out");
                }
                objects
            }
            Value::Object(_) => {
                self.notes.add(place, "`parameters` is not a list; the values in it are taken");
                list.entries()
                    .into_iter()
                    .map(|(_, node)| node)
                    .filter(|node| node.value.is_object())
                    .enumerate()
                    .collect()
            }
            Value::Null => Vec::new(),
            _ => {
                self.notes.add(place, "`parameters` is not a list; it is left out");
                Vec::new()
            }
        }
    }

    fn declare(
        &mut self,
        node: Node<'a>,
        place: &Place<'_>,
        template: &PathTemplate,
        declared: &mut Declared<'a>,
    ) -> Result<(), Reason> {
        let name = node.text("name").unwrap_or_default();
        let mut written = node.text("in").unwrap_or_default();
        if written.chars().any(char::is_uppercase) && !written.eq_ignore_ascii_case("formData") {
            self.notes.add(place, format!("`in: {written}` was read in lower case"));
            written = written.to_ascii_lowercase();
        }
        if written.eq_ignore_ascii_case("body") {
            declared.body = Some(BodyParameter { node });
            return Ok(());
        }
        if name.is_empty() {
            return self.unsendable(node, place, "?", "it has no name");
        }
        if written.eq_ignore_ascii_case("formData") || written == "form" {
            let field = self.form_parameter(node, &name, place);
            declared.form.push(field);
            return Ok(());
        }
        let location = match Location::of(&written) {
            Some(location) => location,
            None if written.is_empty() => {
                let in_path = template.names.contains(&name);
                self.notes.add(place, "a parameter does not say where it travels; the path or the query is taken");
                if in_path { Location::Path } else { Location::Query }
            }
            None => return self.unsendable(node, place, &name, "its `in` is none of path, query, header and cookie"),
        };
        if location == Location::Header && self.is_callers_own(&name, node, place, declared) {
            return Ok(());
        }
        match self.parameter(node, name.clone(), location, template, place) {
            Ok(parameter) => {
                let known = |other: &Parameter| other.location == parameter.location && other.name == parameter.name;
                if declared.parameters.iter().any(known) {
                    self.notes.add(place, "a parameter is declared twice; the first one counts");
                } else {
                    declared.parameters.push(parameter);
                }
            }
            Err(why) => self.unsendable(node, place, &name, why)?,
        }
        Ok(())
    }

    /// Leaves a parameter out if that can be done.
    fn unsendable(&mut self, node: Node<'a>, place: &Place<'_>, name: &str, why: &str) -> Result<(), Reason> {
        if node.flag("required") {
            return Err(Reason::Parameter { name: name.to_owned(), why: why.to_owned() });
        }
        self.notes.add(place, format!("a parameter is left out: {why}"));
        Ok(())
    }

    /// Headers that follow from the rest of the request, or from the connection.
    fn is_callers_own(&mut self, name: &str, node: Node<'a>, place: &Place<'_>, declared: &mut Declared<'a>) -> bool {
        let sample = || {
            let schema = node.get("schema").and_then(|schema| self.documents.follow(schema).ok()).unwrap_or(node);
            let first = schema.get("enum").and_then(|list| list.items().next()).map(|item| item.value);
            let kept = schema.get("examples").and_then(|list| list.items().next()).map(|item| item.value);
            [schema.value.get("default"), first, node.value.get("example"), schema.value.get("example"), kept]
                .into_iter()
                .flatten()
                .find_map(|value| value.as_str().filter(|text| text.contains('/')).map(str::to_owned))
        };
        match name.to_ascii_lowercase().as_str() {
            "content-type" => declared.content_type = sample(),
            "authorization" => declared.authorization = true,
            // A product's own type (`application/vnd.x+json;version=2`) cannot be guessed from its answers.
            "accept" => return sample().is_none(),
            "host" | "content-length" | "connection" | "transfer-encoding" | "accept-encoding" => {}
            _ => return false,
        }
        self.notes.add(place, format!("the header `{name}` is no input: it follows from the call or the connection"));
        true
    }

    fn parameter(
        &mut self,
        node: Node<'a>,
        name: String,
        location: Location,
        template: &PathTemplate,
        place: &Place<'_>,
    ) -> Result<Parameter, &'static str> {
        let content = node.get("content").and_then(|content| content.entries().into_iter().next());
        let (schema, form) = match (node.get("schema"), content) {
            (None, Some((media_type, media))) => {
                let here = place.key("content");
                let schema = media.get("schema").map(|schema| self.schema(schema, &here.key(media_type)));
                (schema.unwrap_or_else(|| json!({})), ParameterForm::Content { media_type: media_type.to_owned() })
            }
            (Some(schema), _) => {
                let schema = self.schema(schema, &place.key("schema"));
                (schema, self.style(node, location, place)?)
            }
            (None, None) => (self.own_schema(node, place), self.style(node, location, place)?),
        };
        let form = match form {
            ParameterForm::Style { style, explode, .. } if template.reserved.contains(&name) => {
                ParameterForm::Style { style, explode, allow_reserved: true }
            }
            form => form,
        };
        Ok(Parameter {
            key: String::new(),
            // OpenAPI says that a declared `Accept` does not count; where it names a type, it is a choice.
            required: location == Location::Path || (node.flag("required") && !name.eq_ignore_ascii_case("accept")),
            deprecated: node.flag("deprecated"),
            description: node.text("description").filter(|text| !text.contains("enerated by shuffler.io")),
            example: self.example(node).filter(|example| example != "" && example != "undefined"),
            name,
            location,
            form,
            schema,
        })
    }

    /// Swagger 2.0 writes the schema's keywords into the parameter.
    pub(super) fn own_schema(&mut self, node: Node<'a>, place: &Place<'_>) -> Value {
        let mut schema = self.member_schema(node, place);
        if let Value::Object(map) = &mut schema {
            map.remove("description");
            map.remove("examples");
            if map.is_empty() {
                return json!({ "type": "string" });
            }
        }
        schema
    }

    pub(super) fn style(
        &mut self,
        node: Node<'a>,
        location: Location,
        place: &Place<'_>,
    ) -> Result<ParameterForm, &'static str> {
        let usual = match location {
            Location::Path | Location::Header => ArrayStyle::Simple,
            Location::Query | Location::Cookie => ArrayStyle::Form,
        };
        let collection = node.text("collectionFormat");
        let (style, explode) = match collection.as_deref() {
            Some("multi") => (ArrayStyle::Form, true),
            Some("ssv") => (ArrayStyle::SpaceDelimited, false),
            Some("pipes") => (ArrayStyle::PipeDelimited, false),
            Some("tsv") => return Err("its items are joined by tabs, which OpenAPI 3 does not have"),
            Some(_) => (usual, false),
            None if self.format == Format::Swagger2 && node.text("type").as_deref() == Some("array") => (usual, false),
            None => self.written_style(node, location, usual, place),
        };
        let allow_reserved = node.flag("allowReserved");
        Ok(ParameterForm::Style { style, explode, allow_reserved })
    }

    fn written_style(
        &mut self,
        node: Node<'a>,
        location: Location,
        usual: ArrayStyle,
        place: &Place<'_>,
    ) -> (ArrayStyle, bool) {
        use ArrayStyle::{DeepObject, Form, Label, Matrix, PipeDelimited, Simple, SpaceDelimited};
        let style = match node.text("style") {
            None => usual,
            Some(text) => {
                let allowed: &[ArrayStyle] = match location {
                    Location::Path => &[Simple, Label, Matrix],
                    Location::Query => &[Form, SpaceDelimited, PipeDelimited, DeepObject],
                    Location::Header => &[Simple],
                    Location::Cookie => &[Form],
                };
                let found = ArrayStyle::of(&text).filter(|style| allowed.contains(style));
                if found.is_none() {
                    let what =
                        format!("the style `{text}` does not exist in a {}; the usual one is taken", location.as_str());
                    self.notes.add(place, what);
                }
                found.unwrap_or(usual)
            }
        };
        let explode = match node.value.get("explode") {
            _ if style == DeepObject => true, // The standard defines no other way.
            Some(Value::Bool(explode)) => *explode,
            _ => style == Form,
        };
        (style, explode)
    }

    /// `example`, or the first of `examples`.
    pub(super) fn example(&mut self, node: Node<'a>) -> Option<Value> {
        let value = match node.get("example") {
            Some(example) => example.value,
            None => {
                let (_, named) = node.get("examples")?.entries().into_iter().next()?;
                let behind = self.documents.follow(named).ok()?;
                self.charge_behind(named, behind);
                behind.get("value")?.value
            }
        };
        (is_shallow(value, PAYLOAD_DEPTH_MAX) && !value.is_null()).then(|| value.clone())
    }

    /// Makes parameters and placeholders agree.
    fn fit(&mut self, template: &mut PathTemplate, declared: &mut Declared<'a>, place: &Place<'_>) {
        let parameters = &mut declared.parameters;
        for (wire, inner) in std::mem::take(&mut template.query) {
            let known = |parameter: &Parameter| parameter.location == Location::Query && parameter.name == wire;
            if parameters.iter().any(known) {
                continue;
            }
            let query = ParameterForm::Style { style: ArrayStyle::Form, explode: true, allow_reserved: false };
            let used_in_path = template.names.contains(&inner);
            match parameters.iter_mut().find(|parameter| parameter.name == inner && !used_in_path) {
                Some(parameter) => {
                    (parameter.location, parameter.name, parameter.form) = (Location::Query, wire, query);
                }
                None => parameters.push(undeclared(wire, Location::Query, query)),
            }
        }
        template.fixed_query.retain(|(name, _)| {
            !parameters.iter().any(|parameter| parameter.location == Location::Query && parameter.name == *name)
        });
        for name in &template.names {
            let is_it = |parameter: &Parameter| parameter.location == Location::Path && parameter.name == *name;
            if parameters.iter().any(is_it) {
                continue;
            }
            let stray = |parameter: &&mut Parameter| {
                parameter.location == Location::Path
                    && !template.names.contains(&parameter.name)
                    && letters(&parameter.name) == letters(name)
            };
            let simple = ParameterForm::Style { style: ArrayStyle::Simple, explode: false, allow_reserved: false };
            if let Some(parameter) = parameters.iter_mut().find(stray) {
                self.notes
                    .add(place, "a path parameter and its placeholder differ in spelling; the placeholder's counts");
                parameter.name.clone_from(name);
            } else if let Some(parameter) =
                parameters.iter_mut().find(|parameter| parameter.name == *name && parameter.location == Location::Query)
            {
                self.notes.add(place, "a parameter is declared in the query, but has a placeholder in the path");
                (parameter.location, parameter.required, parameter.form) = (Location::Path, true, simple);
            } else {
                self.notes.add(place, "a placeholder of the path is not declared; a text is taken");
                parameters.push(undeclared(name.clone(), Location::Path, simple));
            }
        }
        let before = parameters.len();
        parameters.retain(|parameter| parameter.location != Location::Path || template.names.contains(&parameter.name));
        if parameters.len() < before {
            self.notes.add(place, "a path parameter has no placeholder in the path; it is left out");
        }
    }

    fn form_parameter(&mut self, node: Node<'a>, name: &str, place: &Place<'_>) -> FormParameter {
        let mut schema = match node.get("schema") {
            Some(schema) => self.member_schema(schema, &place.key("schema")),
            None => self.own_schema(node, place),
        };
        if let (Some(description), Value::Object(map)) = (node.text("description"), &mut schema) {
            map.entry("description").or_insert(Value::String(description));
        }
        // Only of a list it matters how it is written.
        let is_list = schema.get("type").is_some_and(|name| name == "array");
        let form = self.style(node, Location::Query, place).ok().filter(|_| is_list);
        FormParameter {
            name: name.to_owned(),
            required: node.flag("required"),
            file: media::is_file(&schema),
            schema,
            form,
        }
    }
}

fn undeclared(name: String, location: Location, form: ParameterForm) -> Parameter {
    Parameter {
        key: String::new(),
        name,
        location,
        required: location == Location::Path,
        deprecated: false,
        description: None,
        form,
        schema: json!({ "type": "string" }),
        example: None,
    }
}

fn letters(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
