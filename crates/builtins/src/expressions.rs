//! Regular expressions. The library is free of backtracking; what it compiles to, what it searches and how long are bounded.

use std::time::{Duration, Instant};

use regex::{Regex, RegexBuilder};
use serde_json::{Map, Value, json};

use crate::{
    inputs::{DataError, Inputs, OUTPUT_BYTES_MAX, wrong},
    table::{
        Kind::{Flag, Text, Whole},
        Operation, needed, optional,
    },
};

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation {
        id: "regex-match",
        title: "Does a text match an expression?",
        about: "True when the regular expression is found anywhere in the text.",
        inputs: &[
            needed("text", Text, "Where to look"),
            needed("pattern", Text, "The regular expression; `^` and `$` bind it to the ends"),
            optional("ignore_case", Flag, "Whether capital letters are the same as small ones"),
        ],
        example: r#"{"text":"Failed logon for alice","pattern":"^failed","ignore_case":true}"#,
        run: is_match,
    },
    Operation {
        id: "regex-extract",
        title: "Find what matches an expression",
        about: "A list with an object for each match: `match`, `groups` in order, and `named` groups by name.",
        inputs: &[
            needed("text", Text, "Where to look"),
            needed("pattern", Text, "The regular expression; groups in parentheses, named ones as `(?<name>…)`"),
            optional("ignore_case", Flag, "Whether capital letters are the same as small ones"),
            optional("limit", Whole, "How many matches at most; 1,000 unless given"),
        ],
        example: r#"{"text":"user=alice user=bob","pattern":"user=(?<user>\\w+)"}"#,
        run: extract,
    },
    Operation {
        id: "regex-replace",
        title: "Replace what matches an expression",
        about: "The text with every match replaced.",
        inputs: &[
            needed("text", Text, "Where to look"),
            needed("pattern", Text, "The regular expression"),
            needed("with", Text, "What stands there instead; `$1` or `${name}` is a group, `$$` a dollar sign"),
            optional("ignore_case", Flag, "Whether capital letters are the same as small ones"),
        ],
        example: r#"{"text":"a1b22","pattern":"\\d+","with":"*"}"#,
        run: replace,
    },
];

/// A compiled expression, and how long a text it may search: a large one takes longer for each letter.
pub(crate) struct Expression {
    regex: Regex,
    searched_max: usize,
}

impl Expression {
    pub(crate) fn is_found(&self, key: &'static str, text: &str) -> Result<bool, DataError> {
        self.check(key, text)?;
        Ok(self.regex.is_match(text))
    }

    fn check(&self, key: &'static str, text: &str) -> Result<(), DataError> {
        let (bytes, max) = (text.len(), self.searched_max);
        if bytes <= max {
            return Ok(());
        }
        Err(wrong(
            key,
            format!("has a text of {bytes} bytes, {max} are searched at most with an expression of this size"),
        ))
    }
}

fn compiled(inputs: &Inputs<'_>) -> Result<Expression, DataError> {
    of("pattern", inputs.text("pattern")?, inputs.flag("ignore_case")?)
}

/// The expression of an input, within its bounds.
pub(crate) fn of(key: &'static str, pattern: &str, ignores_case: bool) -> Result<Expression, DataError> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(wrong(key, format!("has {} bytes, {PATTERN_BYTES_MAX} are allowed", pattern.len())));
    }
    let mut last = DataError::Missing(key);
    for (size, searched_max) in SIZES {
        let mut builder = RegexBuilder::new(pattern);
        builder.size_limit(size).dfa_size_limit(COMPILED_BYTES_MAX * 4).nest_limit(NESTING_MAX);
        match builder.case_insensitive(ignores_case).build() {
            Ok(regex) => return Ok(Expression { regex, searched_max }),
            Err(regex::Error::CompiledTooBig(_)) => {
                last = wrong(key, "becomes too large; count less or use fewer alternatives");
            }
            // The library draws the pattern with a mark under it; its last line is the reason.
            Err(error) => {
                let text = error.to_string();
                let line = text.lines().last().unwrap_or_default();
                return Err(wrong(key, format!("is no regular expression: {}", line.trim_start_matches("error: "))));
            }
        }
    }
    Err(last)
}

fn searched<'a>(expression: &Expression, inputs: &Inputs<'a>) -> Result<&'a str, DataError> {
    let text = inputs.text("text")?;
    expression.check("text", text)?;
    Ok(text)
}

fn is_match(inputs: &Inputs<'_>) -> Result<Value, DataError> {
    Ok(compiled(inputs)?.is_found("text", inputs.text("text")?)?.into())
}

fn extract(inputs: &Inputs<'_>) -> Result<Value, DataError> {
    let expression = compiled(inputs)?;
    let (regex, text) = (&expression.regex, searched(&expression, inputs)?);
    let limit = usize::try_from(inputs.whole("limit", 1_000, 1, 10_000)?).expect("its bounds are small");
    let (started, mut bytes) = (Instant::now(), 0);
    let mut found = Vec::new();
    for captures in regex.captures_iter(text).take(limit) {
        in_time("pattern", started)?;
        let whole = captures.get(0).expect("group 0 is the match");
        let groups: Vec<Option<&str>> =
            captures.iter().skip(1).map(|group| group.map(|group| group.as_str())).collect();
        bytes += whole.len() + groups.iter().flatten().map(|group| group.len()).sum::<usize>();
        if bytes > OUTPUT_BYTES_MAX {
            return Err(DataError::TooLarge { what: "bytes", max: OUTPUT_BYTES_MAX });
        }
        let named = regex
            .capture_names()
            .flatten()
            .map(|name| (name.to_owned(), captures.name(name).map_or(Value::Null, |group| group.as_str().into())));
        found.push(json!({ "match": whole.as_str(), "groups": groups, "named": named.collect::<Map<_, _>>() }));
    }
    Ok(Value::Array(found))
}

fn replace(inputs: &Inputs<'_>) -> Result<Value, DataError> {
    let (expression, with) = (compiled(inputs)?, inputs.text("with")?);
    let (regex, text) = (&expression.regex, searched(&expression, inputs)?);
    let groups = with.matches('$').count();
    let (started, mut last) = (Instant::now(), 0);
    let mut out = String::new();
    for captures in regex.captures_iter(text) {
        in_time("pattern", started)?;
        let whole = captures.get(0).expect("group 0 is the match");
        out.push_str(&text[last..whole.start()]);
        // Before it is written: a group may be the whole text, and be named thousands of times.
        if out.len() + with.len() + groups * whole.len() > OUTPUT_BYTES_MAX {
            return Err(DataError::TooLarge { what: "bytes", max: OUTPUT_BYTES_MAX });
        }
        captures.expand(with, &mut out);
        last = whole.end();
    }
    out.push_str(&text[last..]);
    Ok(out.into())
}

/// One search is linear, but many of them may each read to the end of the text.
pub(crate) fn in_time(key: &'static str, started: Instant) -> Result<(), DataError> {
    if started.elapsed() > SEARCH_TIME_MAX {
        return Err(wrong(key, "took more than 2 seconds; search a shorter text or write it more strictly"));
    }
    Ok(())
}

const PATTERN_BYTES_MAX: usize = 4_096;
const COMPILED_BYTES_MAX: usize = 512 << 10;
const NESTING_MAX: u32 = 50;
const SEARCHED_BYTES_MAX: usize = 1 << 20;
/// Bytes that an expression compiles to at most, and of a text that it may then search: their product bounds the time.
const SIZES: [(usize, usize); 2] = [(64 << 10, SEARCHED_BYTES_MAX), (COMPILED_BYTES_MAX, 128 << 10)];
const SEARCH_TIME_MAX: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run;

    #[track_caller]
    fn call(id: &str, inputs: Value) -> Result<Value, String> {
        run(id, inputs.as_object().unwrap(), jiff::Timestamp::UNIX_EPOCH).map_err(|error| error.to_string())
    }

    #[test]
    fn groups_come_by_order_and_by_name() {
        let found = call("regex-extract", json!({ "text": "a=1 b=", "pattern": r"(\w)=(?<value>\d)?" })).unwrap();
        assert_eq!(
            found,
            json!([
                { "match": "a=1", "groups": ["a", "1"], "named": { "value": "1" } },
                { "match": "b=", "groups": ["b", null], "named": { "value": null } },
            ])
        );
        assert_eq!(
            call("regex-replace", json!({ "text": "ab", "pattern": "(a)(b)", "with": "$2$1$$" })),
            Ok("ba$".into())
        );
    }

    #[test]
    fn a_hostile_expression_is_refused_or_ends_in_time() {
        for pattern in ["a{1000}{1000}{1000}", "(?:a{999}){999}", &"(".repeat(3_000), &"a|".repeat(4_000), "(?P<x"] {
            let error = call("regex-match", json!({ "text": "a", "pattern": pattern })).unwrap_err();
            assert!(error.starts_with("the input `pattern` "), "{error}");
        }
        // Each search reads to the end of the text, and there are as many as letters.
        let started = Instant::now();
        let text = "A".repeat(SEARCHED_BYTES_MAX);
        let error = call("regex-replace", json!({ "text": text, "pattern": "A*[^A]|A", "with": "" })).unwrap_err();
        assert!(error.contains("took more than 2 seconds"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    }

    #[test]
    fn a_large_expression_searches_a_short_text() {
        let (pattern, text) = ("[01]*1[01]{3000}[2-9]", "01".repeat(200_000));
        let items = json!([text]);
        for (id, inputs) in [
            ("regex-match", json!({ "text": text, "pattern": pattern })),
            ("list-filter", json!({ "items": items, "test": "matches", "value": pattern })),
        ] {
            let error = call(id, inputs).unwrap_err();
            assert!(error.contains("are searched at most with an expression of this size"), "{error}");
        }
        assert_eq!(call("regex-match", json!({ "text": text, "pattern": "[a-z]+@|^0" })), Ok(true.into()));
    }

    #[test]
    fn a_replacement_cannot_blow_up() {
        let inputs = json!({ "text": "a".repeat(10_000), "pattern": "a", "with": "b".repeat(100_000) });
        assert_eq!(call("regex-replace", inputs).unwrap_err(), "the result would have more than 16777216 bytes");
        let inputs = json!({ "text": "a".repeat(1 << 20), "pattern": "(?s).*", "with": "$0".repeat(4_000) });
        assert_eq!(call("regex-replace", inputs).unwrap_err(), "the result would have more than 16777216 bytes");
    }
}
