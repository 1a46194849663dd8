//! Documented answers.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Walk, media, template};
use crate::{
    documents::{Node, Place, text_of},
    operation::{BodyForm, Output, OutputContent},
};

impl<'a> Walk<'a> {
    pub(super) fn outputs(&mut self, op: Node<'a>, place: &Place<'_>) -> BTreeMap<String, Output> {
        let here = place.key("responses");
        let mut outputs = BTreeMap::new();
        for (written, response) in op.get("responses").map(Node::entries).unwrap_or_default() {
            if written.starts_with("x-") {
                continue;
            }
            let at = here.key(written);
            let Some(status) = status(written) else {
                self.notes.add(at, format!("`{written}` is no status of an answer; it is left out"));
                continue;
            };
            let output = match self.documents.follow(response) {
                Ok(behind) if std::ptr::eq(behind.value, response.value) => self.output(op, behind, &at),
                Ok(behind) => self.shared_output(op, behind, &at),
                Err(error) => {
                    self.notes.add(at, format!("an answer is described elsewhere, but {error}"));
                    Output::default()
                }
            };
            outputs.insert(status, output);
        }
        outputs
    }

    /// Documents refer to the same few errors from each operation; they are converted once.
    fn shared_output(&mut self, op: Node<'a>, response: Node<'a>, place: &Place<'_>) -> Output {
        self.charge(response);
        if response.get("schema").is_some() {
            return self.output(op, response, place); // Its media types are those of the operation.
        }
        let key: *const Value = response.value;
        if let Some(known) = self.shared_outputs.get(&key) {
            return known.clone();
        }
        let output = self.output(op, response, place);
        self.shared_outputs.insert(key, output.clone());
        output
    }

    fn output(&mut self, op: Node<'a>, response: Node<'a>, place: &Place<'_>) -> Output {
        let headers = response.get("headers").map(Node::entries).unwrap_or_default();
        let mut output = Output {
            description: text_of(response.value).or_else(|| response.text("description")),
            headers: headers.into_iter().map(|(name, _)| name.to_owned()).collect(),
            contents: Vec::new(),
        };
        if let Some(content) = response.get("content") {
            let here = place.key("content");
            for (written, media) in content.entries() {
                let at = here.key(written);
                let behind = self.documents.follow(media).unwrap_or(media);
                self.charge_behind(media, behind);
                let media = behind;
                match media::clean(written) {
                    Some(media_type) => output.contents.extend(self.output_media(media_type, media, &at)),
                    None => self.notes.add(at, format!("`{written}` is no media type; it is left out")),
                }
            }
        } else if let Some(schema) = response.get("schema").filter(|node| node.value.is_object()) {
            let converted = self.schema(schema, &place.key("schema"));
            let examples = response.get("examples");
            for media_type in self.produces(op) {
                let behind = self.documents.follow(schema).unwrap_or(schema);
                // A file is bytes, whatever `produces` says about the other answers.
                let is_file = media::is_file(behind.value);
                let form = if is_file { BodyForm::Binary } else { media::form(&media_type, Some(behind.value)) };
                let example = examples.and_then(|node| node.value.get(&media_type)).filter(|value| is_payload(value));
                let media_type = if is_file && form != media::form(&media_type, Some(behind.value)) {
                    "application/octet-stream".to_owned()
                } else {
                    media_type
                };
                output.contents.push(OutputContent {
                    media_type,
                    form,
                    schema: Some(converted.clone()),
                    example: example.cloned(),
                });
            }
        }
        output.contents.sort_by(|a, b| (a.form, &a.media_type).cmp(&(b.form, &b.media_type)));
        output.contents.dedup_by(|a, b| a.media_type == b.media_type);
        output
    }

    fn output_media(&mut self, media_type: String, media: Node<'a>, place: &Place<'_>) -> Option<OutputContent> {
        let schema = media.get("schema");
        // Shuffle's apps declare every answer as text, with the JSON of a real one as the example.
        let sample = schema.and_then(|node| node.value.get("example")).and_then(Value::as_str);
        if self.shuffle
            && media_type == "text/plain"
            && let Some(sample) = sample
        {
            return self.sampled(sample, place);
        }
        let behind = schema.map(|schema| self.documents.follow(schema).unwrap_or(schema).value);
        let form = media::form(&media_type, behind);
        let example = self.example(media);
        let schema = schema.map(|schema| self.schema(schema, &place.key("schema")));
        Some(OutputContent { media_type, form, schema, example })
    }

    fn sampled(&mut self, sample: &str, place: &Place<'_>) -> Option<OutputContent> {
        let found = template::read(sample)?;
        if found.media_type == "application/json" && found.schema.get("type").is_some() {
            self.notes.add(place, "an answer is given as an example; its shape was read from it");
            return Some(OutputContent {
                media_type: found.media_type.to_owned(),
                form: BodyForm::Json,
                schema: Some(found.schema),
                example: Some(found.example),
            });
        }
        Some(OutputContent {
            media_type: "text/plain".to_owned(),
            form: BodyForm::Text,
            schema: None,
            example: Some(Value::String(sample.trim().to_owned())),
        })
    }

    /// The media types that Swagger 2.0 states for an operation's answers.
    fn produces(&self, op: Node<'a>) -> Vec<String> {
        let written =
            op.get("produces").map_or_else(|| self.documents.root().texts("produces"), |_| op.texts("produces"));
        let mut types: Vec<String> =
            written.iter().take(media::COUNT_MAX).filter_map(|written| media::clean(written)).collect();
        if types.is_empty() {
            types.push("application/json".to_owned());
        }
        types
    }
}

fn is_payload(value: &Value) -> bool {
    super::schema::is_shallow(value, super::schema::PAYLOAD_DEPTH_MAX) && !value.is_null()
}

/// `200`, `2XX` or `default`.
fn status(written: &str) -> Option<String> {
    let status = written.trim().to_ascii_uppercase();
    if status == "DEFAULT" {
        return Some("default".to_owned());
    }
    let bytes = status.as_bytes();
    let is_range = bytes.len() == 3 && bytes.ends_with(b"XX") && (b'1'..=b'5').contains(&bytes[0]);
    let is_code = status.parse::<u16>().is_ok_and(|code| (100..600).contains(&code)) && bytes.len() == 3;
    (is_range || is_code).then_some(status)
}
