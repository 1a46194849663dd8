//! Inputs by their types, each within its bound; and what is wrong with one.

use jiff::Timestamp;
use serde_json::{Map, Value};

/// Why there is no result: a sentence about the input, in the words of whoever wrote it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DataError {
    /// There is no operation of this id.
    #[error("there is no operation `{0}`")]
    NoOperation(String),
    /// A needed input is not given.
    #[error("the input `{0}` is missing")]
    Missing(&'static str),
    /// An input cannot be read.
    #[error("the input `{key}` {why}")]
    Input {
        /// Its key.
        key: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The result would be larger than is allowed.
    #[error("the result would have more than {max} {what}")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// The bound.
        max: usize,
    },
}

/// The inputs of one call.
pub(crate) struct Inputs<'a> {
    pub(crate) values: &'a Map<String, Value>,
    /// The moment of the call.
    pub(crate) now: Timestamp,
}

impl<'a> Inputs<'a> {
    pub(crate) fn find(&self, key: &str) -> Option<&'a Value> {
        self.values.get(key).filter(|value| !value.is_null())
    }

    pub(crate) fn any(&self, key: &'static str) -> Result<&'a Value, DataError> {
        // A given null is a value here: it may be compared with or looked into.
        self.values.get(key).ok_or(DataError::Missing(key))
    }

    pub(crate) fn text(&self, key: &'static str) -> Result<&'a str, DataError> {
        self.text_or_none(key)?.ok_or(DataError::Missing(key))
    }

    pub(crate) fn text_or<'b>(&self, key: &'static str, fallback: &'b str) -> Result<&'b str, DataError>
    where
        'a: 'b,
    {
        Ok(self.text_or_none(key)?.unwrap_or(fallback))
    }

    pub(crate) fn text_or_none(&self, key: &'static str) -> Result<Option<&'a str>, DataError> {
        let Some(value) = self.find(key) else { return Ok(None) };
        let text = value.as_str().ok_or_else(|| wrong(key, "is no text"))?;
        if text.len() > TEXT_BYTES_MAX {
            return Err(wrong(key, format!("has {} bytes, {TEXT_BYTES_MAX} are allowed", text.len())));
        }
        Ok(Some(text))
    }

    pub(crate) fn list(&self, key: &'static str) -> Result<&'a [Value], DataError> {
        let list = self.any(key)?.as_array().ok_or_else(|| wrong(key, "is no list"))?;
        if list.len() > LIST_COUNT_MAX {
            return Err(wrong(key, format!("has {} items, {LIST_COUNT_MAX} are allowed", list.len())));
        }
        Ok(list)
    }

    pub(crate) fn flag(&self, key: &'static str) -> Result<bool, DataError> {
        match self.find(key) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(wrong(key, "is neither true nor false")),
        }
    }

    /// A whole number between two bounds.
    pub(crate) fn whole(&self, key: &'static str, fallback: i64, min: i64, max: i64) -> Result<i64, DataError> {
        let Some(value) = self.find(key) else { return Ok(fallback) };
        let number = value.as_i64().ok_or_else(|| wrong(key, "is no whole number"))?;
        if !(min..=max).contains(&number) {
            return Err(wrong(key, format!("is {number}; it must lie between {min} and {max}")));
        }
        Ok(number)
    }
}

pub(crate) fn wrong(key: &'static str, why: impl Into<String>) -> DataError {
    DataError::Input { key, why: why.into() }
}

/// A list that is still within its bound.
pub(crate) fn bounded(list: Vec<Value>) -> Result<Value, DataError> {
    if list.len() > LIST_COUNT_MAX {
        return Err(DataError::TooLarge { what: "items", max: LIST_COUNT_MAX });
    }
    Ok(Value::Array(list))
}

/// A text that is still within its bound.
pub(crate) fn written(text: String) -> Result<Value, DataError> {
    if text.len() > OUTPUT_BYTES_MAX {
        return Err(DataError::TooLarge { what: "bytes", max: OUTPUT_BYTES_MAX });
    }
    Ok(Value::String(text))
}

/// The text of a scalar as JSON spells it; a text without its quotes.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

pub(crate) const TEXT_BYTES_MAX: usize = 8 << 20;
pub(crate) const OUTPUT_BYTES_MAX: usize = 16 << 20;
pub(crate) const LIST_COUNT_MAX: usize = 100_000;
