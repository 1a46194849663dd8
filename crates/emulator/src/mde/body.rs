//! Reads JSON bodies: names are case-sensitive, and what is not known is refused (`common-errors.md`).

use serde_json::{Map, Value};

use super::call::{Call, Refusal};

/// The properties of a request's body.
pub(super) struct Fields<'c> {
    call: &'c Call,
    fields: Map<String, Value>,
}

impl Call {
    /// An object with no other properties than the known ones.
    pub(super) fn body(&self, bytes: &[u8], known: &[&str]) -> Result<Fields<'_>, Refusal> {
        let incorrect = || self.bad("InvalidRequestBody", "Request body is incorrect");
        let fields: Map<String, Value> = serde_json::from_slice(bytes).map_err(|_| incorrect())?;
        if let Some(name) = fields.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(self.bad("InvalidRequestBody", &format!("Request body is incorrect: '{name}' is not expected")));
        }
        Ok(Fields { call: self, fields })
    }

    /// A property that has to be there and is not; the sentence is ours (G).
    pub(super) fn missing(&self, name: &str) -> Refusal {
        self.bad("MissingRequiredParameter", &format!("Required parameter '{name}' is missing"))
    }

    /// A property whose value is none of those that are taken; the sentence is ours (G).
    pub(super) fn invalid(&self, name: &str) -> Refusal {
        self.bad("InvalidInput", &format!("The value of '{name}' is not valid"))
    }
}

impl Fields<'_> {
    /// A text; an empty one counts as none.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Refusal> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
            Some(_) => {
                Err(self.call.bad("InvalidRequestBody", &format!("Request body is incorrect: '{name}' is no string")))
            }
        }
    }

    pub(super) fn required(&self, name: &str) -> Result<String, Refusal> {
        self.text(name)?.ok_or_else(|| self.call.missing(name))
    }

    /// One word of a list, in any letter case; the list's spelling is kept.
    pub(super) fn word(&self, name: &str, words: &[&'static str]) -> Result<Option<&'static str>, Refusal> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let found = words.iter().find(|word| word.eq_ignore_ascii_case(&text)).copied();
        found.map(Some).ok_or_else(|| self.call.invalid(name))
    }

    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, Refusal> {
        let list = self.fields.get(name).ok_or_else(|| self.call.missing(name))?;
        serde_json::from_value(list.clone()).map_err(|_| {
            self.call.bad("InvalidRequestBody", &format!("Request body is incorrect: '{name}' is no list of strings"))
        })
    }

    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }
}
