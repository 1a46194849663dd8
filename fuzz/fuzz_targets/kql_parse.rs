//! The query language's lexer and parser: any text is a tree or errors, tokens tile it, and nothing panics or goes deep.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sortie_kql::{parse, tokens};

fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input);
    let end = tokens(&text).last().map_or(0, |token| token.span.end);
    assert_eq!(end, text.len());
    for error in parse(&text).errors {
        let _ = error.to_string();
    }
});
