//! Documented rows against an answer: columns, types, order, and cells by their type.

use serde_json::{Value as Json, json};
use sortie_kql::{Cell, Table, Type};

/// `Err` says what differs.
pub(crate) fn compare(record: &Json, table: &Table) -> Result<(), String> {
    let expected = &record["expected"];
    let names: Vec<_> = table.schema().columns().iter().map(|column| column.name.to_string()).collect();
    if json!(names) != expected["columns"] {
        return Err(format!("columns {names:?}, expected {}", expected["columns"]));
    }
    let types: Vec<_> = expected["types"].as_array().unwrap().iter().map(|ty| ty.as_str().unwrap_or("")).collect();
    for (column, ty) in table.schema().columns().iter().zip(&types) {
        if class(column.ty.name()) != class(ty) {
            return Err(format!("column {} is {}, expected {ty}", column.name, column.ty));
        }
    }
    let mut alternatives = vec![&expected["norm"]];
    alternatives.extend(expected["alternatives"].as_array().into_iter().flatten());
    let mut why = String::new();
    for rows in alternatives {
        let rows = if rows["norm"].is_array() { &rows["norm"] } else { rows };
        match compare_rows(record, table, rows.as_array().unwrap(), &types) {
            Ok(()) => return Ok(()),
            Err(found) => why = found,
        }
    }
    Err(why)
}

fn class(ty: &str) -> &str {
    match ty {
        "int" => "long",
        "decimal" => "real",
        other => other,
    }
}

fn compare_rows(record: &Json, table: &Table, expected: &[Json], types: &[&str]) -> Result<(), String> {
    let found: Vec<Vec<Json>> = table.rows().map(|row| row.map(cell_json).collect()).collect();
    let show = || format!("found {}\n  expected {}", json!(found), json!(expected));
    if found.len() != expected.len() {
        return Err(show());
    }
    let rules = Rules {
        tolerance: record["rel_tol"].as_f64(),
        exact_strings: record["exact_strings"].as_bool() == Some(true),
        unordered_sets: record["tags"].as_array().unwrap().iter().any(|tag| tag == "set_unordered"),
    };
    let equal = |found: &[Json], expected: &Json| {
        let cells = expected.as_array().unwrap();
        found.iter().zip(cells).zip(types).all(|((found, expected), ty)| rules.cell(found, expected, ty))
    };
    let keys = record["order_keys"].as_array();
    let ordered = record["ordered"].as_bool() == Some(true);
    if ordered && keys.is_none() {
        let same = found.iter().zip(expected).all(|(found, expected)| equal(found, expected));
        return if same { Ok(()) } else { Err(show()) };
    }
    if let (true, Some(keys)) = (ordered, keys) {
        for key in keys {
            let at = table.schema().columns().iter().position(|column| *column.name == *key.as_str().unwrap());
            let Some(at) = at else { continue };
            let same = found.iter().zip(expected).all(|(found, row)| rules.cell(&found[at], &row[at], types[at]));
            if !same {
                return Err(show());
            }
        }
    }
    let mut left: Vec<_> = expected.iter().collect();
    for row in &found {
        match left.iter().position(|expected| equal(row, expected)) {
            Some(at) => drop(left.swap_remove(at)),
            None => return Err(show()),
        }
    }
    Ok(())
}

/// A cell as the records write it.
pub(crate) fn cell_json(cell: Cell<'_>) -> Json {
    match cell {
        Cell::Null => Json::Null,
        Cell::Bool(value) => json!(value),
        Cell::Int(value) => json!(value),
        Cell::Long(value) => json!(value),
        Cell::Real(value) if value.is_finite() => json!(value),
        Cell::Decimal(value) => json!(value.to_f64()),
        Cell::Dynamic(value) => serde_json::from_str(&value.to_json()).unwrap(),
        cell if cell.type_of() == Some(Type::String) => json!(cell.to_string()),
        cell => json!(cell.to_string()),
    }
}

struct Rules {
    tolerance: Option<f64>,
    exact_strings: bool,
    unordered_sets: bool,
}

impl Rules {
    fn cell(&self, found: &Json, expected: &Json, ty: &str) -> bool {
        match (found, expected) {
            (Json::Null, Json::Null) => true,
            (Json::String(found), Json::Null) => ty == "string" && found.is_empty(),
            (Json::String(found), Json::String(expected)) if ty == "string" => self.text(found, expected),
            (found, expected) => self.json(found, expected),
        }
    }

    fn text(&self, found: &str, expected: &str) -> bool {
        if self.exact_strings {
            return found == expected;
        }
        let (found, expected) = (found.trim(), expected.trim());
        if found == expected {
            return true;
        }
        let structured = |text: &str| {
            let json = text.starts_with(['{', '[']).then(|| serde_json::from_str::<Json>(text).ok());
            json.flatten()
        };
        matches!((structured(found), structured(expected)), (Some(found), Some(expected)) if self.json(&found, &expected))
    }

    fn json(&self, found: &Json, expected: &Json) -> bool {
        match (found, expected) {
            (Json::Number(found), Json::Number(expected)) => {
                self.number(found.as_f64().unwrap(), expected.as_f64().unwrap())
            }
            (Json::String(text), Json::Number(number)) | (Json::Number(number), Json::String(text)) => {
                text.parse::<f64>().is_ok_and(|text| self.number(text, number.as_f64().unwrap()))
            }
            (Json::Array(found), Json::Array(expected)) if self.unordered_sets => {
                let mut left: Vec<_> = expected.iter().collect();
                found.len() == expected.len()
                    && found.iter().all(|item| match left.iter().position(|other| self.json(item, other)) {
                        Some(at) => {
                            left.swap_remove(at);
                            true
                        }
                        None => false,
                    })
            }
            (Json::Array(found), Json::Array(expected)) => {
                found.len() == expected.len()
                    && found.iter().zip(expected).all(|(found, expected)| self.json(found, expected))
            }
            (Json::Object(found), Json::Object(expected)) => {
                found.len() == expected.len()
                    && found
                        .iter()
                        .all(|(name, found)| expected.get(name).is_some_and(|expected| self.json(found, expected)))
            }
            (Json::String(found), Json::String(expected)) => self.text(found, expected),
            (found, expected) => found == expected,
        }
    }

    fn number(&self, found: f64, expected: f64) -> bool {
        if expected == 0.0 {
            return found.abs() <= 1e-9;
        }
        let digits = format!("{expected:e}").split('e').next().unwrap().chars().filter(char::is_ascii_digit).count();
        let tolerance = self.tolerance.unwrap_or(if digits < 6 {
            1e-9
        } else {
            (0.6 * 10_f64.powi(1 - i32::try_from(digits.min(15)).unwrap())).max(1e-12)
        });
        (found - expected).abs() <= (tolerance * expected.abs()).max(1e-15)
    }
}
