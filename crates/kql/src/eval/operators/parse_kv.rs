//! `parse-kv`: names and values out of a text.

use std::sync::Arc;

use super::{Stream, parse::beside};
use crate::{
    error::QueryError,
    eval::{Batch, Context, eval},
    functions::convert_cell,
    plan::{KvPlan, RelKind, RelRef},
    table::ColumnBuilder,
    value::Cell,
};

pub(super) struct ParseKv {
    rel: RelRef,
    input: Box<dyn Stream>,
}

impl ParseKv {
    pub(super) fn new(rel: &RelRef, input: Box<dyn Stream>) -> Self {
        Self { rel: Arc::clone(rel), input }
    }
}

impl Stream for ParseKv {
    fn next(&mut self, context: &Context<'_>) -> Result<Option<Batch>, QueryError> {
        let RelKind::ParseKv { value, kv, .. } = &self.rel.kind else { return Ok(None) };
        let Some(batch) = self.input.next(context)? else { return Ok(None) };
        context.tick(&self.rel)?;
        let texts = eval(value, &batch, context)?;
        let mut builders: Vec<_> = kv.types.iter().map(|ty| ColumnBuilder::new(*ty)).collect();
        let regex = kv.regex.as_deref().and_then(|pattern| context.regex(pattern));
        for row in 0..batch.rows {
            let cell = texts.cell(row);
            let text = cell.as_str().unwrap_or("");
            let pairs = match &regex {
                Some(regex) => matched_pairs(regex, text),
                None if kv.pair_delimiter.is_none() && kv.kv_delimiter.is_none() => word_pairs(kv, text),
                None => split_pairs(kv, text),
            };
            for ((builder, name), ty) in builders.iter_mut().zip(&kv.names).zip(&kv.types) {
                match pairs.iter().find(|(key, _)| **key == **name) {
                    Some((_, value)) => builder.push_value(convert_cell(Cell::String(value), *ty)),
                    None => builder.push_null(),
                }
            }
        }
        let parsed = builders.into_iter().map(ColumnBuilder::finish).collect::<Vec<_>>();
        Ok(Some(beside(&batch, &parsed, &kv.output)))
    }
}

/// The pattern's two groups are the name and the value.
fn matched_pairs(regex: &regex::Regex, text: &str) -> Vec<(String, String)> {
    let pair = |groups: regex::Captures<'_>| {
        Some((groups.get(1)?.as_str().to_owned(), groups.get(2).map_or("", |group| group.as_str()).to_owned()))
    };
    regex.captures_iter(text).filter_map(pair).collect()
}

/// Without delimiters each wanted name is a word, and the word behind it is its value.
fn word_pairs(kv: &KvPlan, text: &str) -> Vec<(String, String)> {
    let cutter = Cutter { kv, pair: "", between: "", rest: text };
    let mut words: Vec<String> = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some((quoted, after)) = cutter.quoted(rest) {
            words.push(quoted);
            rest = after;
        } else if c.is_alphanumeric() || c == '_' {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            words.push(rest[..end].to_owned());
            rest = &rest[end..];
        } else {
            rest = &rest[c.len_utf8()..];
        }
    }
    let wanted = |word: &str| kv.names.iter().any(|name| **name == *word);
    let pairs = words.windows(2).filter(|pair| wanted(&pair[0]));
    pairs.map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}

/// A text that is being cut at its delimiters.
struct Cutter<'a> {
    kv: &'a KvPlan,
    /// Between pairs.
    pair: &'a str,
    /// Between a name and its value.
    between: &'a str,
    rest: &'a str,
}

fn split_pairs(kv: &KvPlan, text: &str) -> Vec<(String, String)> {
    let (pair, between) = (kv.pair_delimiter.as_deref().unwrap_or(" "), kv.kv_delimiter.as_deref().unwrap_or("="));
    let mut cutter = Cutter { kv, pair, between, rest: text };
    let mut pairs = Vec::new();
    while !cutter.rest.is_empty() {
        let Some(name) = cutter.name() else { break };
        let value = cutter.value();
        pairs.push((name, value));
    }
    pairs
}

impl Cutter<'_> {
    /// The text up to the next `=`; in greedy mode it may hold the other delimiter.
    fn name(&mut self) -> Option<String> {
        if let Some((text, rest)) = self.quoted(self.rest.trim_start()) {
            self.rest = rest.trim_start().strip_prefix(self.between)?;
            return Some(text);
        }
        let at = self.rest.find(self.between)?;
        let (name, rest) = self.rest.split_at(at);
        self.rest = &rest[self.between.len()..];
        // What stands before the last delimiter of pairs belongs to no pair.
        let name = match name.rfind(self.pair) {
            Some(cut) => &name[cut + self.pair.len()..],
            None => name,
        };
        let trimmed =
            name.trim_start_matches(|c: char| c.is_whitespace() || !(c.is_alphanumeric() || c == '_' || c == '$'));
        Some(if trimmed.is_empty() { name.trim() } else { trimmed.trim() }.to_owned())
    }

    fn value(&mut self) -> String {
        if let Some((text, rest)) = self.quoted(self.rest.trim_start()) {
            self.rest = rest.strip_prefix(self.pair).unwrap_or(rest);
            return text;
        }
        let delimiter = self.pair;
        let end = if self.kv.greedy { self.greedy_end() } else { self.rest.find(delimiter) };
        let end = end.unwrap_or(self.rest.len());
        let (value, rest) = self.rest.split_at(end);
        self.rest = rest.strip_prefix(delimiter).unwrap_or(rest);
        value.trim().to_owned()
    }

    /// The last delimiter of pairs before the next `=`.
    fn greedy_end(&self) -> Option<usize> {
        let next = self.rest.find(self.between)?;
        self.rest[..next].rfind(self.pair)
    }

    fn quoted<'t>(&self, text: &'t str) -> Option<(String, &'t str)> {
        let first = text.chars().next()?;
        let (_, close) = *self.kv.quotes.iter().find(|(open, _)| *open == first)?;
        let mut plain = String::new();
        let mut escaped = false;
        for (at, c) in text.char_indices().skip(1) {
            if escaped {
                plain.push(c);
                escaped = false;
            } else if Some(c) == self.kv.escape {
                escaped = true;
            } else if c == close {
                return Some((plain, &text[at + c.len_utf8()..]));
            } else {
                plain.push(c);
            }
        }
        None
    }
}
