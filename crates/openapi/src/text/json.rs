//! JSON: as `serde_json` reads it, plus bounds, and a note for each key that is there twice.

use std::{cell::RefCell, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{Bounds, Budget, DEPTH_MAX, insert, weight};
use crate::{error::ImportError, report::Notes};

pub(super) fn read(text: &str, bounds: Bounds, notes: &mut Notes) -> Result<Value, ImportError> {
    let state = RefCell::new(State { budget: Budget::new(bounds), notes, over: None });
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Seed { state: &state, depth: 0 }.deserialize(&mut deserializer);
    let end = value.and_then(|value| deserializer.end().map(|()| value));
    let over = state.into_inner().over;
    end.map_err(|error| {
        let line = error.line();
        match over {
            Some(Over::Values) => ImportError::TooManyValues { values_max: bounds.values_max, line },
            Some(Over::Depth) => ImportError::TooDeep { depth_max: DEPTH_MAX, line },
            None => {
                let mut message = error.to_string();
                // The error's own text ends with its place, which ours has anyway.
                message.truncate(message.rfind(" at line ").unwrap_or(message.len()));
                ImportError::Syntax { language: "JSON", message, line, column: error.column() }
            }
        }
    })
}

struct State<'n> {
    budget: Budget,
    notes: &'n mut Notes,
    over: Option<Over>,
}

#[derive(Clone, Copy)]
enum Over {
    Values,
    Depth,
}

#[derive(Clone, Copy)]
struct Seed<'s, 'n> {
    state: &'s RefCell<State<'n>>,
    depth: usize,
}

impl Seed<'_, '_> {
    fn take<E: Error>(&self, count: usize) -> Result<(), E> {
        let mut state = self.state.borrow_mut();
        if state.budget.take(count) {
            return Ok(());
        }
        state.over = Some(Over::Values);
        Err(E::custom("too many values"))
    }

    fn deeper<E: Error>(&self) -> Result<Self, E> {
        if self.depth < DEPTH_MAX {
            return Ok(Self { depth: self.depth + 1, ..*self });
        }
        self.state.borrow_mut().over = Some(Over::Depth);
        Err(E::custom("too deep"))
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.take(1).map(|()| Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.take(1).map(|()| Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.take(1).map(|()| Value::from(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.take(1).map(|()| Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        self.take(1).map(|()| Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.take(weight(value)).map(|()| Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        self.take(weight(&value)).map(|()| Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        self.take(1)?;
        let inner = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        self.take(1)?;
        let inner = self.deeper()?;
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            self.take(weight(&key))?;
            let value = access.next_value_seed(inner)?;
            insert(&mut map, key, value, inner.depth, 0, self.state.borrow_mut().notes);
        }
        Ok(Value::Object(map))
    }
}
