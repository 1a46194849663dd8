//! Values while a text is evaluated: what was given stays where it is and is pointed to, what is made is counted by reference.

use std::{collections::BTreeMap, rc::Rc};

use serde_json::{Map, Number, Value};

use super::error::Fail;

#[derive(Clone, Debug)]
pub(super) enum Val<'a> {
    /// Part of what was given, or of the text.
    Shared(&'a Value),
    Null,
    Bool(bool),
    Number(Number),
    Text(Rc<str>),
    List(Rc<Made<Vec<Val<'a>>>>),
    Object(Rc<Made<BTreeMap<String, Val<'a>>>>),
}

/// A list or an object that the text has made, and how deeply such are nested in it: whatever walks through a value recurses.
#[derive(Debug)]
pub(super) struct Made<T> {
    depth: usize,
    inner: T,
}

/// What a value is, wherever it lives.
pub(super) enum View<'v, 'a> {
    Null,
    Bool(bool),
    Number(&'v Number),
    Text(&'v str),
    List(Items<'a>),
    Object(Fields<'a>),
}

/// The items of a list.
#[derive(Clone)]
pub(super) enum Items<'a> {
    Shared(&'a [Value]),
    Made(Rc<Made<Vec<Val<'a>>>>),
}

/// The fields of an object.
#[derive(Clone)]
pub(super) enum Fields<'a> {
    Shared(&'a Map<String, Value>),
    Made(Rc<Made<BTreeMap<String, Val<'a>>>>),
}

/// A number as it is counted with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Num {
    Whole(i128),
    Fraction(f64),
}

impl<'a> Val<'a> {
    pub(super) fn view(&self) -> View<'_, 'a> {
        match self {
            Self::Shared(value) => match value {
                Value::Null => View::Null,
                Value::Bool(flag) => View::Bool(*flag),
                Value::Number(number) => View::Number(number),
                Value::String(text) => View::Text(text),
                Value::Array(items) => View::List(Items::Shared(items)),
                Value::Object(fields) => View::Object(Fields::Shared(fields)),
            },
            Self::Null => View::Null,
            Self::Bool(flag) => View::Bool(*flag),
            Self::Number(number) => View::Number(number),
            Self::Text(text) => View::Text(text),
            Self::List(items) => View::List(Items::Made(Rc::clone(items))),
            Self::Object(fields) => View::Object(Fields::Made(Rc::clone(fields))),
        }
    }

    /// Its type as a sentence names it.
    pub(super) fn kind(&self) -> &'static str {
        match self.view() {
            View::Null => "null",
            View::Bool(_) => "a boolean",
            View::Number(_) => "a number",
            View::Text(_) => "a text",
            View::List(_) => "a list",
            View::Object(_) => "an object",
        }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self.view(), View::Null)
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Shared(Value::String(text)) => Some(text),
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn items(&self) -> Option<Items<'a>> {
        match self.view() {
            View::List(items) => Some(items),
            _ => None,
        }
    }

    pub(super) fn fields(&self) -> Option<Fields<'a>> {
        match self.view() {
            View::Object(fields) => Some(fields),
            _ => None,
        }
    }

    pub(super) fn number(&self) -> Option<Num> {
        match self.view() {
            View::Number(number) => Some(Num::of(number)),
            _ => None,
        }
    }

    pub(super) fn whole(&self) -> Option<i128> {
        match self.number()? {
            Num::Whole(whole) => Some(whole),
            Num::Fraction(_) => None,
        }
    }

    /// A list of these.
    pub(super) fn list(items: Vec<Self>) -> Result<Self, Fail> {
        let depth = nested(items.iter())?;
        Ok(Self::List(Rc::new(Made { depth, inner: items })))
    }

    /// An object of these.
    pub(super) fn object(fields: BTreeMap<String, Self>) -> Result<Self, Fail> {
        let depth = nested(fields.values())?;
        Ok(Self::Object(Rc::new(Made { depth, inner: fields })))
    }

    fn depth(&self) -> usize {
        match self {
            Self::List(items) => items.depth,
            Self::Object(fields) => fields.depth,
            _ => 0,
        }
    }

    /// What another part of the product has computed.
    pub(super) fn made(value: Value) -> Result<Self, Fail> {
        Ok(match value {
            Value::Null => Self::Null,
            Value::Bool(flag) => Self::Bool(flag),
            Value::Number(number) => Self::Number(number),
            Value::String(text) => Self::Text(text.into()),
            Value::Array(items) => Self::list(items.into_iter().map(Self::made).collect::<Result<_, _>>()?)?,
            Value::Object(fields) => {
                let fields = fields.into_iter().map(|(key, value)| Ok((key, Self::made(value)?)));
                Self::object(fields.collect::<Result<_, Fail>>()?)?
            }
        })
    }
}

fn nested<'v, 'a: 'v>(inner: impl Iterator<Item = &'v Val<'a>>) -> Result<usize, Fail> {
    let depth = 1 + inner.map(Val::depth).max().unwrap_or(0);
    if depth > DEPTH_MAX {
        return Err(Fail::budget(format!("the value is nested more than {DEPTH_MAX} levels deep")));
    }
    Ok(depth)
}

impl<'a> Items<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Shared(items) => items.len(),
            Self::Made(items) => items.inner.len(),
        }
    }

    pub(super) fn item(&self, at: usize) -> Option<Val<'a>> {
        match self {
            Self::Shared(items) => items.get(at).map(Val::Shared),
            Self::Made(items) => items.inner.get(at).cloned(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Val<'a>> + use<'a> {
        let items = self.clone();
        (0..self.len()).map(move |at| items.item(at).expect("it is within the list"))
    }
}

impl<'a> Fields<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Shared(fields) => fields.len(),
            Self::Made(fields) => fields.inner.len(),
        }
    }

    pub(super) fn field(&self, key: &str) -> Option<Val<'a>> {
        match self {
            Self::Shared(fields) => fields.get(key).map(Val::Shared),
            Self::Made(fields) => fields.inner.get(key).cloned(),
        }
    }

    pub(super) fn pairs(&self) -> Vec<(String, Val<'a>)> {
        match self {
            Self::Shared(fields) => fields.iter().map(|(key, value)| (key.clone(), Val::Shared(value))).collect(),
            Self::Made(fields) => fields.inner.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        }
    }
}

impl Num {
    pub(super) fn of(number: &Number) -> Self {
        match number.as_i128() {
            Some(whole) => Self::Whole(whole),
            None => Self::Fraction(number.as_f64().unwrap_or(f64::NAN)),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "whoever asks for a fraction takes its precision")]
    pub(super) fn fraction(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Fraction(fraction) => fraction,
        }
    }

    /// Nothing where it fits neither 64 bits nor the fractions that JSON has.
    pub(super) fn val<'a>(self) -> Option<Val<'a>> {
        let number = match self {
            Self::Whole(whole) => match i64::try_from(whole) {
                Ok(whole) => Number::from(whole),
                Err(_) => Number::from(u64::try_from(whole).ok()?),
            },
            Self::Fraction(fraction) => Number::from_f64(fraction)?,
        };
        Some(Val::Number(number))
    }
}

/// A document may have 128 levels.
const DEPTH_MAX: usize = 200;
