//! The functions of the language: tables of name, parameters, result and body, one file a theme.

pub(crate) mod aggregate;
mod convert;
mod dynamic;
mod hashes;
mod json;
mod logic;
mod math;
mod network;
mod network6;
mod number;
mod operators;
mod parse;
mod regular;
mod sets;
mod string;
mod text_codec;
mod time;
mod time_text;
mod unit;
mod window;

use std::{collections::HashMap, sync::OnceLock};

pub(crate) use aggregate::{Accumulator, Aggregate, Setup};
pub(crate) use convert::convert_cell;
pub(crate) use operators::{binary, negate};
pub(crate) use sets::cell_key;

use crate::{
    error::QueryError,
    eval::Context,
    plan::Scalar,
    table::Column,
    types::Type,
    value::{Cell, Value},
};

/// A scalar function.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    /// The last one repeats where `max` goes beyond them.
    pub(crate) parameters: &'static [Kind],
    pub(crate) min: usize,
    pub(crate) max: usize,
    pub(crate) returns: Returns,
    pub(crate) naming: Naming,
    pub(crate) body: Body,
}

/// What a parameter takes. Dynamics are taken everywhere and converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Anything, handed on as it is.
    Any,
    /// Text; all else is turned into text.
    Str,
    Bool,
    /// A whole number.
    Long,
    Real,
    /// Any number, or a duration, as it is.
    Num,
    DateTime,
    TimeSpan,
    /// List, bag, or whatever a dynamic can hold.
    Dyn,
    /// `typeof(..)` as the type's name.
    Type,
}

/// The type of the result.
#[derive(Clone, Copy)]
pub(crate) enum Returns {
    Is(Type),
    /// That of an argument.
    Same(usize),
    /// What the arguments from that one on have in common.
    Common(usize),
    By(fn(&[Scalar]) -> Option<Type>),
}

impl std::fmt::Debug for Returns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Returns")
    }
}

/// What a column is called that such a call fills and that has no name of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// `Column1`
    Number,
    /// As the first argument.
    FirstArgument,
    /// `strlen_x`
    NameAndArgument,
}

/// How a result is made.
#[derive(Clone, Copy)]
pub(crate) enum Body {
    /// Cell by cell.
    Cells(fn(&Context<'_>, &[Cell<'_>]) -> Value),
    /// Column by column; the last argument is the number of rows.
    Columns(fn(&Context<'_>, &[Column], usize) -> Result<Column, QueryError>),
    /// Over all rows in their order.
    Window(fn(&Context<'_>, &[Column], usize) -> Column),
    /// Cell by cell, and different for every row even with the same arguments.
    Fresh(fn(&Context<'_>, &[Cell<'_>]) -> Value),
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Body")
    }
}

impl Function {
    /// Looked up by a name that takes exactly these, evaluated cell by cell.
    pub(crate) const fn cells(
        name: &'static str,
        parameters: &'static [Kind],
        returns: Returns,
        body: fn(&Context<'_>, &[Cell<'_>]) -> Value,
    ) -> Self {
        let count = parameters.len();
        let body = Body::Cells(body);
        Self { name, parameters, min: count, max: count, returns, naming: Naming::Number, body }
    }

    pub(crate) const fn columns(
        name: &'static str,
        parameters: &'static [Kind],
        returns: Returns,
        body: fn(&Context<'_>, &[Column], usize) -> Result<Column, QueryError>,
    ) -> Self {
        let count = parameters.len();
        let body = Body::Columns(body);
        Self { name, parameters, min: count, max: count, returns, naming: Naming::Number, body }
    }

    pub(crate) const fn window(
        name: &'static str,
        parameters: &'static [Kind],
        returns: Returns,
        body: fn(&Context<'_>, &[Column], usize) -> Column,
    ) -> Self {
        let count = parameters.len();
        let body = Body::Window(body);
        Self { name, parameters, min: count, max: count, returns, naming: Naming::Number, body }
    }

    /// With that many arguments at least.
    pub(crate) const fn least(mut self, min: usize) -> Self {
        self.min = min;
        self
    }

    /// With any number of arguments from `min` on.
    pub(crate) const fn many(mut self, min: usize) -> Self {
        self.min = min;
        self.max = ARGUMENT_COUNT_MAX;
        self
    }

    /// A body that gives another value for every row.
    pub(crate) const fn fresh(mut self, body: fn(&Context<'_>, &[Cell<'_>]) -> Value) -> Self {
        self.body = Body::Fresh(body);
        self
    }

    /// A column that it fills is called as the first argument.
    pub(crate) const fn named_by_first(mut self) -> Self {
        self.naming = Naming::FirstArgument;
        self
    }

    pub(crate) const fn named_with_first(mut self) -> Self {
        self.naming = Naming::NameAndArgument;
        self
    }

    pub(crate) fn is_window(&self) -> bool {
        matches!(self.body, Body::Window(_))
    }

    pub(crate) fn differs_by_row(&self) -> bool {
        matches!(self.body, Body::Window(_) | Body::Fresh(_))
    }

    pub(crate) fn parameter(&self, at: usize) -> Kind {
        self.parameters.get(at).or(self.parameters.last()).copied().unwrap_or(Kind::Any)
    }
}

const ARGUMENT_COUNT_MAX: usize = 4096;

/// The function of that name; older spellings lead to today's.
pub(crate) fn function(name: &str) -> Option<&'static Function> {
    static BY_NAME: OnceLock<HashMap<&'static str, &'static Function>> = OnceLock::new();
    let by_name = BY_NAME.get_or_init(|| {
        let all = [
            convert::FUNCTIONS,
            dynamic::FUNCTIONS,
            hashes::FUNCTIONS,
            json::FUNCTIONS,
            logic::FUNCTIONS,
            math::FUNCTIONS,
            network::FUNCTIONS,
            network6::FUNCTIONS,
            number::FUNCTIONS,
            operators::FUNCTIONS,
            parse::FUNCTIONS,
            regular::FUNCTIONS,
            sets::FUNCTIONS,
            string::FUNCTIONS,
            text_codec::FUNCTIONS,
            time::FUNCTIONS,
            time_text::FUNCTIONS,
            unit::FUNCTIONS,
            window::FUNCTIONS,
        ];
        all.into_iter().flatten().map(|function| (function.name, function)).collect()
    });
    let name = OTHER_NAMES.iter().find(|(old, _)| *old == name).map_or(name, |(_, new)| new);
    by_name.get(name).copied()
}

/// Older and other spellings.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("array_strcat", "strcat_array"),
    ("arraylength", "array_length"),
    ("base64_decodestring", "base64_decode_tostring"),
    ("base64_encodestring", "base64_encode_tostring"),
    ("datepart", "datetime_part"),
    ("extractall", "extract_all"),
    ("extractjson", "extract_json"),
    ("floor", "bin"),
    ("iif", "iff"),
    ("notempty", "isnotempty"),
    ("notnull", "isnotnull"),
    ("pack", "bag_pack"),
    ("pack_dictionary", "bag_pack"),
    ("parsejson", "parse_json"),
    ("parseurl", "parse_url"),
    ("parseurlquery", "parse_urlquery"),
    ("replace", "replace_regex"),
    ("toboolean", "tobool"),
    ("todouble", "toreal"),
    ("todynamic", "parse_json"),
    ("toobject", "parse_json"),
    ("totime", "totimespan"),
    ("url_encode_component", "url_encode"),
    ("week_of_year", "weekofyear"),
    ("array_iif", "array_iff"),
    ("row_rank", "row_rank_dense"),
    ("make_timespan", "totimespan"),
];
