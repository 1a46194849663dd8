//! `parse`, `parse-where` and `parse-kv`: the pattern becomes a regular expression once.

use std::{fmt::Write as _, sync::Arc};

use super::{Binder, Row, naming::Names};
use crate::{
    ast::{Parameter, ParameterKind, Parse, ParseKv, ParseMode, ParsePart},
    error::{QueryError, Span},
    plan::{ExpandColumn, KvPlan, ParsePlan, RelKind, RelRef},
    types::Type,
};

impl Binder<'_> {
    pub(super) fn parse(&mut self, input: RelRef, parse: &Parse, span: Span) -> Result<RelRef, QueryError> {
        let row_fields = Arc::clone(&input.fields);
        let value = self.scalar(&parse.value, &Row::of(&row_fields))?;
        let value = self.as_text(value)?;
        let columns: Vec<_> = parse
            .pattern
            .iter()
            .filter_map(|part| match part {
                ParsePart::Column(name, ty) => Some((Arc::clone(&name.text), *ty)),
                _ => None,
            })
            .collect();
        let pattern = pattern_of(parse);
        if regex::Regex::new(&pattern).is_err() {
            return Err(self.semantic("parse: the pattern is not a regular expression", span));
        }
        let (fields, output) = placed(&input, &columns);
        let types = columns.iter().map(|(_, ty)| *ty).collect();
        let plan = Arc::new(ParsePlan { mode: parse.mode, pattern, types, output, filters: parse.filters });
        self.over(&input, value.depth, |input| RelKind::Parse { input, value, parse: plan }, fields, span)
    }

    pub(super) fn parse_kv(&mut self, input: RelRef, parse: &ParseKv, span: Span) -> Result<RelRef, QueryError> {
        let row_fields = Arc::clone(&input.fields);
        let value = self.scalar(&parse.value, &Row::of(&row_fields))?;
        let value = self.as_text(value)?;
        let columns: Vec<_> = parse.columns.iter().map(typed).collect();
        let (fields, output) = placed(&input, &columns);
        let mut plan = KvPlan {
            names: columns.iter().map(|(name, _)| Arc::clone(name)).collect(),
            types: columns.iter().map(|(_, ty)| *ty).collect(),
            output,
            pair_delimiter: None,
            kv_delimiter: None,
            quotes: Vec::new(),
            escape: None,
            greedy: false,
            regex: None,
        };
        for (name, option) in &parse.options {
            let text = self.constant_text(option)?;
            match &*name.text {
                "pair_delimiter" => plan.pair_delimiter = Some(text.to_string()),
                "kv_delimiter" => plan.kv_delimiter = Some(text.to_string()),
                "quote" => plan.quotes.extend(quote_pair(&text)),
                "escape" => plan.escape = text.chars().next(),
                "greedy" => plan.greedy = &*text == "true",
                "regex" => plan.regex = Some(text.to_string()),
                other => return Err(self.semantic(format!("parse-kv: unknown option '{other}'"), name.span)),
            }
        }
        let plan = Arc::new(plan);
        self.over(&input, value.depth, |input| RelKind::ParseKv { input, value, kv: plan }, fields, span)
    }
}

/// One character quotes on both sides, two are the opening and the closing one.
fn quote_pair(text: &str) -> Option<(char, char)> {
    let mut chars = text.chars();
    let open = chars.next()?;
    Some((open, chars.next().unwrap_or(open)))
}

fn typed(column: &Parameter) -> (Arc<str>, Type) {
    let ty = match column.kind {
        ParameterKind::Scalar(ty) => ty,
        ParameterKind::Table(_) => Type::Dynamic,
    };
    (Arc::clone(&column.name.text), ty)
}

/// New columns behind those of the input; one of a known name takes its place.
fn placed(input: &RelRef, columns: &[(Arc<str>, Type)]) -> (Vec<crate::plan::Field>, Vec<ExpandColumn>) {
    let mut names = Names::of(&input.fields);
    let mut output: Vec<_> = (0..input.fields.len()).map(ExpandColumn::Input).collect();
    for (at, (name, ty)) in columns.iter().enumerate() {
        match names.fields.iter().position(|field| !field.hidden && field.name == *name) {
            Some(known) => {
                names.fields[known].ty = *ty;
                output[known] = ExpandColumn::Value(at);
            }
            None => {
                names.add(name, *ty);
                output.push(ExpandColumn::Value(at));
            }
        }
    }
    (names.fields, output)
}

/// The whole pattern as one regular expression with a group per column.
fn pattern_of(parse: &Parse) -> String {
    let regular = parse.mode == ParseMode::Regex;
    let ungreedy = parse.flags.as_ref().is_some_and(|flags| flags.text.contains('U'));
    let mut flags = String::from("s");
    if let Some(given) = &parse.flags {
        flags.extend(given.text.chars().filter(|c| matches!(c, 'i' | 'm')));
    }
    let mut pattern = format!("(?{flags})");
    if !regular || !matches!(parse.pattern.first(), Some(ParsePart::Text(text)) if text.starts_with('^')) {
        pattern.push('^');
    }
    let mut columns = 0;
    for (at, part) in parse.pattern.iter().enumerate() {
        let last = at + 1 == parse.pattern.len();
        // Between texts the shortest fits, in front of the end the rest; a pattern in regex mode is greedy.
        let lazy = if regular && !ungreedy { "" } else { "?" };
        match part {
            ParsePart::Skip if last => pattern.push_str(".*"),
            ParsePart::Skip => {
                let _ = write!(pattern, ".*{lazy}");
            }
            ParsePart::Text(text) if regular => {
                let _ = write!(pattern, "(?:{text})");
            }
            ParsePart::Text(text) => pattern.push_str(&regex::escape(text)),
            ParsePart::Column(_, ty) => {
                let _ = write!(pattern, "{}", column_pattern(*ty, last, lazy, parse.mode, columns));
                columns += 1;
            }
        }
    }
    pattern.push('$');
    pattern
}

/// Groups have names, because the text of the pattern may have groups of its own.
fn column_pattern(ty: Type, last: bool, lazy: &str, mode: ParseMode, at: usize) -> String {
    let numeric = match ty {
        Type::Int | Type::Long => r"-?\d+",
        Type::Real | Type::Decimal => r"-?\d*\.?\d+(?:[eE][-+]?\d+)?",
        _ => "",
    };
    match (numeric.is_empty() || mode == ParseMode::Relaxed, last) {
        (false, _) => format!(r"\s*(?P<c{at}>{numeric})\s*?"),
        (true, true) => format!("(?P<c{at}>.*)"),
        (true, false) => format!("(?P<c{at}>.*{lazy})"),
    }
}
