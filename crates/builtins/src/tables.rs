//! Tables as comma-separated values (RFC 4180).

use serde_json::{Map, Value};

use crate::{
    inputs::{DataError, Inputs, LIST_COUNT_MAX, OUTPUT_BYTES_MAX, plain, written, wrong},
    table::{
        Input,
        Kind::{Flag, List, Text},
        Operation, needed, optional,
    },
};

const BETWEEN: Input = optional("separator", Text, "The character between fields; a comma unless given");

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation {
        id: "csv-parse",
        title: "Read CSV",
        about: "An object for each row, by the names in the first row; lists without those with `no_header`.",
        inputs: &[
            needed("text", Text, "The table"),
            BETWEEN,
            optional("no_header", Flag, "Whether the first row holds values already"),
        ],
        example: r#"{"text":"host,ip\na,10.0.0.1\n"}"#,
        run: parse,
    },
    Operation {
        id: "csv-write",
        title: "Write CSV",
        about: "The list as a table; columns are the members of the objects. A cell that a spreadsheet would take for a formula gets an apostrophe in front.",
        inputs: &[
            needed("items", List, "Objects, or lists"),
            BETWEEN,
            optional("columns", List, "Which members, in which order"),
            optional("raw", Flag, "Whether cells that look like formulas stay as they are"),
        ],
        example: r#"{"items":[{"host":"a","ip":"10.0.0.1"}]}"#,
        run: write,
    },
];

fn separator(inputs: &Inputs<'_>) -> Result<u8, DataError> {
    match inputs.text_or("separator", ",")?.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
        b"\\t" => Ok(b'\t'),
        _ => Err(wrong("separator", "is not one ASCII character")),
    }
}

fn parse(inputs: &Inputs<'_>) -> Result<Value, DataError> {
    let text = inputs.text("text")?.trim_start_matches('\u{feff}');
    let mut reader = csv::ReaderBuilder::new();
    let mut reader =
        reader.delimiter(separator(inputs)?).has_headers(false).flexible(true).from_reader(text.as_bytes());
    let broken = |error: csv::Error| wrong("text", format!("is no CSV: {error}"));
    let (mut names, mut rows, mut cells): (Option<Vec<String>>, Vec<Value>, usize) = (None, Vec::new(), 0);
    let is_bare = inputs.flag("no_header")?;
    let (mut size, mut names_bytes) = (0, 0);
    for record in reader.records() {
        let record = record.map_err(broken)?;
        cells += record.len().max(names.as_ref().map_or(0, Vec::len));
        if rows.len() >= LIST_COUNT_MAX || cells > CELL_COUNT_MAX {
            return Err(DataError::TooLarge { what: "cells or rows", max: CELL_COUNT_MAX });
        }
        if is_bare {
            rows.push(record.iter().collect::<Vec<_>>().into());
            continue;
        }
        let Some(names) = &names else {
            let found = named(&record);
            names_bytes = found.iter().map(String::len).sum::<usize>();
            names = Some(found);
            continue;
        };
        // Each row is written with all names.
        size += names_bytes + record.as_slice().len();
        if size > OUTPUT_BYTES_MAX {
            return Err(DataError::TooLarge { what: "bytes", max: OUTPUT_BYTES_MAX });
        }
        // Fields beyond the names are kept by their number; missing ones are empty.
        let count = names.len().max(record.len());
        let name = |at: usize| names.get(at).cloned().unwrap_or_else(|| format!("column_{}", at + 1));
        let row = (0..count).map(|at| (name(at), record.get(at).unwrap_or_default().into()));
        rows.push(Value::Object(row.collect::<Map<_, _>>()));
    }
    Ok(Value::Array(rows))
}

/// The names of the first row; one that is empty or comes again gets its number.
fn named(record: &csv::StringRecord) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for (at, name) in record.iter().enumerate() {
        let mut name = name.trim().to_owned();
        if name.is_empty() || seen.contains(&name) {
            name = format!("{name}{}column_{}", if name.is_empty() { "" } else { "_" }, at + 1);
        }
        seen.insert(name.clone());
        names.push(name);
    }
    names
}

fn write(inputs: &Inputs<'_>) -> Result<Value, DataError> {
    let (items, is_raw) = (inputs.list("items")?, inputs.flag("raw")?);
    let columns: Vec<String> = match inputs.find("columns") {
        Some(_) => inputs.list("columns")?.iter().map(plain).collect(),
        None => columns(items),
    };
    if columns.len() > COLUMN_COUNT_MAX {
        return Err(DataError::TooLarge { what: "columns", max: COLUMN_COUNT_MAX });
    }
    let mut writer = csv::WriterBuilder::new().delimiter(separator(inputs)?).flexible(true).from_writer(Vec::new());
    let cell = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) if !is_raw && text.starts_with(['=', '+', '-', '@', '\t', '\r']) => format!("'{text}"),
        other => plain(other),
    };
    let mut size = 0;
    if !columns.is_empty() {
        // A name from elsewhere is as dangerous in a spreadsheet as a value.
        let names = columns.iter().map(|name| cell(&Value::from(name.as_str())));
        writer.write_record(names).expect("a list of bytes takes everything");
    }
    for item in items {
        let row: Vec<String> = match item {
            Value::Object(map) => columns.iter().map(|name| map.get(name).map(&cell).unwrap_or_default()).collect(),
            Value::Array(list) => list.iter().map(&cell).collect(),
            other => vec![cell(other)],
        };
        size += row.iter().map(|cell| cell.len() + 1).sum::<usize>();
        if size > OUTPUT_BYTES_MAX {
            return Err(DataError::TooLarge { what: "bytes", max: OUTPUT_BYTES_MAX });
        }
        writer.write_record(&row).expect("a list of bytes takes everything");
    }
    let bytes = writer.into_inner().map_err(|_| wrong("items", "cannot be written"))?;
    written(String::from_utf8(bytes).expect("texts and ASCII between them"))
}

/// Every member of every object, in the order in which they come.
fn columns(items: &[Value]) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    let mut names = Vec::new();
    for name in items.iter().filter_map(Value::as_object).flat_map(Map::keys) {
        if seen.insert(name) {
            names.push(name.clone());
        }
    }
    names
}

const CELL_COUNT_MAX: usize = 1_000_000;
const COLUMN_COUNT_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::run;

    fn call(id: &str, inputs: Value) -> Result<Value, String> {
        run(id, inputs.as_object().unwrap(), jiff::Timestamp::UNIX_EPOCH).map_err(|error| error.to_string())
    }

    #[test]
    fn rows_become_objects_and_come_back() {
        let text = "a;b;a;\r\n1;\"x;\"\"y\"\"\nz\"\r\n2;3;4;5;6\n";
        let rows = call("csv-parse", json!({ "text": text, "separator": ";" })).unwrap();
        assert_eq!(
            rows,
            json!([
                { "a": "1", "b": "x;\"y\"\nz", "a_column_3": "", "column_4": "" },
                { "a": "2", "b": "3", "a_column_3": "4", "column_4": "5", "column_5": "6" },
            ])
        );
        let written =
            call("csv-write", json!({ "items": [{ "n": "=cmd()", "x": null }, { "n": -1, "=y": [1] }] })).unwrap();
        assert_eq!(written, "n,x,'=y\n'=cmd(),,\n-1,,[1]\n");
    }

    #[test]
    fn a_long_name_is_not_written_into_every_row() {
        let text = format!("{}\n{}", "n".repeat(1 << 20), "a\n".repeat(4_000));
        assert_eq!(
            call("csv-parse", json!({ "text": text })).unwrap_err(),
            "the result would have more than 16777216 bytes"
        );
    }

    proptest! {
        #[test]
        fn every_table_comes_back(rows in prop::collection::vec(prop::collection::vec("\\PC{0,8}|[\",\n\r=]{0,4}", 2..4), 1..5)) {
            let text = call("csv-write", json!({ "items": rows, "raw": true })).unwrap();
            // A row of one empty cell and a cell of blanks alone are the only ones that CSV cannot tell apart.
            prop_assert_eq!(call("csv-parse", json!({ "text": text, "no_header": true })), Ok(json!(rows)));
        }

        #[test]
        fn no_text_trips_the_reader(text in "\\PC{0,40}|[\",\n\r]{0,40}") {
            let parsed = call("csv-parse", json!({ "text": text }));
            prop_assert!(parsed.is_ok(), "{:?}", parsed);
        }
    }
}
