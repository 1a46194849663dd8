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

fn compiled(inputs: &Inputs<'_>) -> Result<Regex, DataError> {
    of("pattern", inputs.text("pattern")?, inputs.flag("ignore_case")?)
}

/// The expression of an input, within its bounds.
pub(crate) fn of(key: &'static str, pattern: &str, ignores_case: bool) -> Result<Regex, DataError> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(wrong(key, format!("has {} bytes, {PATTERN_BYTES_MAX} are allowed", pattern.len())));
    }
    let mut builder = RegexBuilder::new(pattern);
    builder.size_limit(COMPILED_BYTES_MAX).dfa_size_limit(COMPILED_BYTES_MAX * 4).nest_limit(NESTING_MAX);
    builder.case_insensitive(ignores_case).build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => wrong(key, "becomes too large; count less or use fewer alternatives"),
        // The library draws the pattern with a mark under it; its last line is the reason.
        error => {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default();
            wrong(key, format!("is no regular expression: {}", last.trim_start_matches("error: ")))
        }
    })
}

fn haystack<'a>(inputs: &Inputs<'a>) -> Result<&'a str, DataError> {
    let text = inputs.text("text")?;
    if text.len() > SEARCHED_BYTES_MAX {
        return Err(wrong("text", format!("has {} bytes, {SEARCHED_BYTES_MAX} are searched at most", text.len())));
    }
    Ok(text)
}

fn is_match(inputs: &Inputs<'_>) -> Result<Value, DataError> {
    Ok(compiled(inputs)?.is_match(haystack(inputs)?).into())
}

fn extract(inputs: &Inputs<'_>) -> Result<Value, DataError> {
    let (regex, text) = (compiled(inputs)?, haystack(inputs)?);
    let limit = usize::try_from(inputs.whole("limit", 1_000, 1, 10_000)?).expect("its bounds are small");
    let (started, mut bytes) = (Instant::now(), 0);
    let mut found = Vec::new();
    for captures in regex.captures_iter(text).take(limit) {
        in_time(started)?;
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
    let (regex, text, with) = (compiled(inputs)?, haystack(inputs)?, inputs.text("with")?);
    let (started, mut last) = (Instant::now(), 0);
    let mut out = String::new();
    for captures in regex.captures_iter(text) {
        in_time(started)?;
        let whole = captures.get(0).expect("group 0 is the match");
        out.push_str(&text[last..whole.start()]);
        captures.expand(with, &mut out);
        last = whole.end();
        if out.len() > OUTPUT_BYTES_MAX {
            return Err(DataError::TooLarge { what: "bytes", max: OUTPUT_BYTES_MAX });
        }
    }
    out.push_str(&text[last..]);
    Ok(out.into())
}

/// One search is linear, but many of them may each read to the end of the text.
fn in_time(started: Instant) -> Result<(), DataError> {
    if started.elapsed() > SEARCH_TIME_MAX {
        return Err(wrong("pattern", "took more than 2 seconds; search a shorter text or write it more strictly"));
    }
    Ok(())
}

const PATTERN_BYTES_MAX: usize = 4_096;
const COMPILED_BYTES_MAX: usize = 512 << 10;
const NESTING_MAX: u32 = 50;
const SEARCHED_BYTES_MAX: usize = 1 << 20;
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
    fn a_replacement_cannot_blow_up() {
        let inputs = json!({ "text": "a".repeat(10_000), "pattern": "a", "with": "b".repeat(100_000) });
        assert_eq!(call("regex-replace", inputs).unwrap_err(), "the result would have more than 16777216 bytes");
    }
}
