//! Tables on the wire: one JSON shape for Graph, one for the two older APIs.

use std::{fmt::Display, io::Write};

use sortie_kql::{Cell, Dynamic, Table, Type};

/// How an API writes its answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// `schema`, `results`, `name`, `type`.
    Graph,
    /// `Schema`, `Results`, `Name`, `Type`.
    Older,
}

/// The answer would be longer than an answer may be.
#[derive(Debug)]
pub(super) struct TooLarge;

/// Schema and results, without the braces around them.
pub(super) fn table_json(table: &Table, style: Style, bytes_max: usize) -> Result<Vec<u8>, TooLarge> {
    let [schema, results, name, ty] = match style {
        Style::Graph => ["schema", "results", "name", "type"],
        Style::Older => ["Schema", "Results", "Name", "Type"],
    };
    let mut json = Vec::with_capacity(64 * 1_024);
    let columns: Vec<_> = table.schema().stored().collect();
    let entries = columns.iter().map(|column| {
        let column_name = quoted(&column.name);
        format!("{{\"{name}\":{column_name},\"{ty}\":\"{}\"}}", type_name(column.ty))
    });
    let entries: Vec<String> = entries.collect();
    put(&mut json, format_args!("\"{schema}\":[{}],\"{results}\":[", entries.join(",")));
    let keys: Vec<String> = columns.iter().map(|column| format!("{}:", quoted(&column.name))).collect();
    for (number, row) in table.rows().enumerate() {
        json.extend_from_slice(if number == 0 { b"{" } else { b",{" });
        for (at, cell) in row.enumerate() {
            if at > 0 {
                json.push(b',');
            }
            json.extend_from_slice(keys[at].as_bytes());
            cell_json(&mut json, cell, style);
        }
        json.push(b'}');
        if json.len() > bytes_max {
            return Err(TooLarge);
        }
    }
    json.push(b']');
    Ok(json)
}

/// By the .NET types of the service; only the first two were read in pages (G).
fn type_name(ty: Type) -> &'static str {
    match ty {
        Type::String => "String",
        Type::DateTime => "DateTime",
        Type::Int => "Int32",
        Type::Long => "Int64",
        Type::Real => "Double",
        Type::Bool => "SByte",
        Type::Dynamic => "Object",
        Type::Guid => "Guid",
        Type::TimeSpan => "TimeSpan",
        Type::Decimal => "SqlDecimal",
    }
}

fn cell_json(json: &mut Vec<u8>, cell: Cell<'_>, style: Style) {
    match cell {
        Cell::Null => put(json, "null"),
        // A truth value is a signed byte for the older APIs; what Graph makes of it was not seen (G).
        Cell::Bool(value) if style == Style::Older => put(json, u8::from(value)),
        Cell::Bool(value) => put(json, value),
        Cell::Int(value) => put(json, value),
        Cell::Long(value) => put(json, value),
        Cell::Real(value) if value.is_finite() => put(json, serde_json::json!(value)),
        Cell::String(text) => put(json, quoted(text)),
        Cell::Dynamic(value) => put(json, Json(value)),
        other => put(json, quoted(&other.to_string())),
    }
}

/// A dynamic as JSON: unlike its text, with quotes around a lone text, and `null` for nothing.
struct Json<'d>(&'d Dynamic);

impl Display for Json<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.write_json(f)
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn put(json: &mut Vec<u8>, part: impl Display) {
    write!(json, "{part}").expect("memory takes all that is written to it");
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};
    use sortie_kql::{Schema, TableBuilder};

    use super::*;

    #[test]
    fn a_lone_text_or_nothing_in_a_dynamic_is_json() {
        let schema: Schema = [("j", Type::Dynamic)].into_iter().collect();
        let mut table = TableBuilder::new(Arc::new(schema));
        let lone = [Dynamic::text("a\"b"), Dynamic::Null, Dynamic::Real(f64::NAN), Dynamic::TimeSpan(10_000_000)];
        lone.iter().for_each(|value| table.push([Cell::Dynamic(value)]));
        let json = String::from_utf8(table_json(&table.finish(), Style::Graph, 10_000).unwrap()).unwrap();
        let json: Value = serde_json::from_str(&format!("{{{json}}}")).unwrap();
        assert_eq!(json["results"], json!([{ "j": "a\"b" }, { "j": null }, { "j": "NaN" }, { "j": "00:00:01" }]));
    }

    #[test]
    fn every_type_has_its_name_and_its_json() {
        let types = [
            ("s", Type::String, Cell::String("a\"b\u{0}"), json!("a\"b\u{0}"), "String"),
            ("t", Type::DateTime, Cell::DateTime(0), json!("0001-01-01T00:00:00.0000000Z"), "DateTime"),
            ("i", Type::Int, Cell::Int(-3), json!(-3), "Int32"),
            ("l", Type::Long, Cell::Long(i64::MAX), json!(i64::MAX), "Int64"),
            ("r", Type::Real, Cell::Real(f64::INFINITY), json!("Infinity"), "Double"),
            ("b", Type::Bool, Cell::Bool(true), json!(true), "SByte"),
            ("g", Type::Guid, Cell::Guid(1), json!("00000000-0000-0000-0000-000000000001"), "Guid"),
            ("d", Type::TimeSpan, Cell::TimeSpan(15_000_000), json!("00:00:01.5000000"), "TimeSpan"),
        ];
        let bag = Dynamic::parse("{\"a\":[1,null]}").unwrap();
        let schema: Schema = types.iter().map(|one| (one.0, one.1)).chain([("j", Type::Dynamic)]).collect();
        let mut table = TableBuilder::new(Arc::new(schema));
        table.push(types.iter().map(|one| one.2).chain([Cell::Dynamic(&bag)]));
        let table = table.finish();
        let graph = String::from_utf8(table_json(&table, Style::Graph, 10_000).unwrap()).unwrap();
        let graph: Value = serde_json::from_str(&format!("{{{graph}}}")).unwrap();
        for (at, (name, _, _, expect, type_name)) in types.iter().enumerate() {
            assert_eq!(graph["results"][0][name], *expect);
            assert_eq!(graph["schema"][at], json!({ "name": name, "type": type_name }));
        }
        assert_eq!(graph["results"][0]["j"], json!({ "a": [1, null] }));
        let older = String::from_utf8(table_json(&table, Style::Older, 10_000).unwrap()).unwrap();
        let older: Value = serde_json::from_str(&format!("{{{older}}}")).unwrap();
        assert_eq!((&older["Results"][0]["b"], &older["Schema"][0]["Type"]), (&json!(1), &json!("String")));
        assert!(table_json(&table, Style::Older, 10).is_err());
    }
}
