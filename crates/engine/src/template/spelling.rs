//! Values to text and to results: texts as they are, all else as JSON spells it, within the bounds.

use std::io;

use serde_json::{Map, Value};

use super::{
    error::Fail,
    machine::{BYTES_A_UNIT, Machine},
    value::{Val, View},
};

impl<'a> Machine<'a> {
    /// Appends a value as a text holds it: a text as it is, `true`, `null`, numbers, lists and objects as JSON.
    pub(super) fn spell(&mut self, value: &Val<'a>, text: &mut String) -> Result<(), Fail> {
        if let Some(part) = value.text() {
            self.fits(text.len() + part.len())?;
            self.charge(part.len() / BYTES_A_UNIT)?;
            text.push_str(part);
            return Ok(());
        }
        self.json(value, text)
    }

    /// Appends a value as JSON, a text in its quotes.
    pub(super) fn json(&mut self, value: &Val<'a>, text: &mut String) -> Result<(), Fail> {
        let before = text.len();
        match (value, value.view()) {
            (Val::Shared(value), _) => self.scalar(value, text)?,
            (_, View::List(items)) => {
                text.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        text.push(',');
                    }
                    self.json(&item, text)?;
                }
                text.push(']');
            }
            (_, View::Object(fields)) => {
                text.push('{');
                for (at, (key, value)) in fields.pairs().into_iter().enumerate() {
                    if at > 0 {
                        text.push(',');
                    }
                    self.scalar(&key, text)?;
                    text.push(':');
                    self.json(&value, text)?;
                }
                text.push('}');
            }
            (_, View::Null) => text.push_str("null"),
            (_, View::Bool(flag)) => text.push_str(if flag { "true" } else { "false" }),
            (_, View::Number(number)) => text.push_str(&number.to_string()),
            (_, View::Text(part)) => self.scalar(part, text)?,
        }
        self.fits(text.len())?;
        self.charge(1 + (text.len() - before) / BYTES_A_UNIT)
    }

    /// What serde can write as it is; the bound holds while it writes.
    fn scalar(&self, value: &(impl serde::Serialize + ?Sized), text: &mut String) -> Result<(), Fail> {
        let bounded = Bounded { text, max: self.budget.text_bytes_max };
        match serde_json::to_writer(bounded, value) {
            Ok(()) => Ok(()),
            Err(_) => self.fits(usize::MAX),
        }
    }

    /// The value as the caller keeps it.
    pub(super) fn result(&mut self, value: &Val<'a>) -> Result<Value, Fail> {
        let mut left = self.budget.value_bytes_max;
        let copy = self.copy(value, &mut left)?;
        self.copied = self.budget.value_bytes_max - left;
        Ok(copy)
    }

    /// The value as another part of the product takes it.
    pub(super) fn owned(&mut self, value: &Val<'a>) -> Result<Value, Fail> {
        let mut left = self.budget.value_bytes_max;
        self.copy(value, &mut left)
    }

    fn copy(&mut self, value: &Val<'a>, left: &mut usize) -> Result<Value, Fail> {
        if let Val::Shared(value) = value {
            let nodes = self.take(value, left)?;
            // A copy of what is there is cheaper than what is computed; it has a bound of its own.
            self.charge(nodes / BYTES_A_UNIT)?;
            return Ok((*value).clone());
        }
        self.charge(1)?;
        Ok(match value.view() {
            View::Null => Value::Null,
            View::Bool(flag) => flag.into(),
            View::Number(number) => Value::Number(number.clone()),
            View::Text(text) => {
                self.deduct(text.len(), left)?;
                text.into()
            }
            View::List(items) => {
                self.deduct(items.len().saturating_mul(NODE_BYTES), left)?;
                let items = items.iter().map(|item| self.copy(&item, left));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            View::Object(fields) => {
                let mut object = Map::new();
                for (key, value) in fields.pairs() {
                    self.deduct(key.len() + NODE_BYTES, left)?;
                    let value = self.copy(&value, left)?;
                    object.insert(key, value);
                }
                Value::Object(object)
            }
        })
    }

    fn deduct(&self, bytes: usize, left: &mut usize) -> Result<(), Fail> {
        let rest = left.checked_sub(bytes);
        let too_large = || {
            let what = format!("the value would have more than {} bytes", self.budget.value_bytes_max);
            Fail::budget(what).next("take less into it")
        };
        *left = rest.ok_or_else(too_large)?;
        Ok(())
    }

    /// Deducts a shared value before it is copied; how many parts it has.
    fn take(&self, value: &Value, left: &mut usize) -> Result<usize, Fail> {
        self.deduct(NODE_BYTES, left)?;
        let mut nodes = 1;
        match value {
            Value::String(text) => self.deduct(text.len(), left)?,
            Value::Array(items) => {
                for item in items {
                    nodes += self.take(item, left)?;
                }
            }
            Value::Object(fields) => {
                for (key, value) in fields {
                    self.deduct(key.len(), left)?;
                    nodes += self.take(value, left)?;
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
        Ok(nodes)
    }
}

struct Bounded<'t> {
    text: &'t mut String,
    max: usize,
}

impl io::Write for Bounded<'_> {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        if self.text.len() + part.len() > self.max {
            return Err(io::Error::other("larger than allowed"));
        }
        // Serde hands on whole characters.
        self.text.push_str(std::str::from_utf8(part).map_err(io::Error::other)?);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const NODE_BYTES: usize = 8;
