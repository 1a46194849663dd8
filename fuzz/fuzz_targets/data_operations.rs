//! The built-in operations of `data`: any texts are a result within its bound or a sentence, and never a panic or a hang.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};
use sortie_builtins::{Kind, OPERATIONS, run};

fuzz_target!(|input: &[u8]| {
    let Some((&first, rest)) = input.split_first() else { return };
    let all: Vec<_> = OPERATIONS.iter().flat_map(|area| area.iter()).collect();
    let operation = all[usize::from(first) % all.len()];
    let text = String::from_utf8_lossy(rest);
    // A zero byte begins the next input; the last text serves all that are left.
    let mut parts = text.split('\0');
    let mut last = "";
    let inputs: Map<String, Value> = operation.inputs.iter().map(|input| {
        last = parts.next().unwrap_or(last);
        let json = |text: &str| -> Value { serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)) };
        let value = match input.kind {
            Kind::Text => last.into(),
            Kind::OneOf(words) => words[last.len() % words.len()].into(),
            Kind::Flag => (last.len() % 2 == 1).into(),
            Kind::List => last.lines().map(json).collect(),
            Kind::Whole | Kind::Any | Kind::Object => json(last),
        };
        (input.key.to_owned(), value)
    }).collect();
    match run(operation.id, &inputs, Default::default()) {
        Ok(value) => assert!(value.to_string().len() < 1 << 28),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
