//! JSON as text.

use super::{Function, Kind, Returns, string::text};
use crate::{
    dynamic::Dynamic,
    plan::Scalar,
    types::Type,
    value::{Cell, Value},
};

use Kind::{Any, Dyn, Str};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::cells("parse_json", &[Any], Returns::Is(Type::Dynamic), |_, cells| match cells[0] {
        Cell::String("") => Value::Null,
        // What is not JSON stays what it is: text.
        Cell::String(text) => Value::Dynamic(Dynamic::parse(text).unwrap_or_else(|| Dynamic::text(text))),
        Cell::Dynamic(Dynamic::String(text)) => {
            Value::Dynamic(Dynamic::parse(text).unwrap_or_else(|| Dynamic::String(text.clone())))
        }
        cell => Value::Dynamic(Dynamic::from(cell)),
    })
    .named_by_first(),
    Function::cells("dynamic_to_json", &[Any], Returns::Is(Type::String), |_, cells| {
        Value::text(sorted(&Dynamic::from(cells[0])).to_json())
    }),
    Function::cells("extract_json", &[Str, Any, Kind::Type], Returns::By(extract_type), |_, cells| {
        let ty = cells.get(2).and_then(|ty| Type::named(ty.as_str()?)).unwrap_or(Type::String);
        let parsed = match cells[1] {
            Cell::Dynamic(Dynamic::String(text)) => Dynamic::parse(text),
            Cell::Dynamic(value) => Some(value.clone()),
            cell => Dynamic::parse(cell.as_str().unwrap_or("")),
        };
        let found = parsed.as_ref().and_then(|value| super::dynamic::at_path(value, text(cells, 0)));
        found.map_or(Value::Null, |found| super::convert_cell(found.scalar(), ty))
    })
    .least(2),
    Function::cells("parse_csv", &[Str], Returns::Is(Type::Dynamic), |_, cells| {
        Value::Dynamic(Dynamic::array(csv(text(cells, 0)).iter().map(Dynamic::text).collect()))
    })
    .named_by_first(),
    Function::cells("treepath", &[Dyn], Returns::Is(Type::Dynamic), |_, cells| match cells[0] {
        Cell::Dynamic(value) => {
            let mut paths = Vec::new();
            tree_paths(value, "", &mut paths);
            Value::Dynamic(Dynamic::array(paths.iter().map(Dynamic::text).collect()))
        }
        _ => Value::Null,
    }),
];

fn extract_type(arguments: &[Scalar]) -> Option<Type> {
    match arguments.get(2) {
        None => Some(Type::String),
        Some(wanted) => Type::named(&wanted.as_constant()?.to_string()),
    }
}

/// Names in order, as the service prints its canonical form.
fn sorted(value: &Dynamic) -> Dynamic {
    match value {
        Dynamic::Array(items) => Dynamic::array(items.iter().map(sorted).collect()),
        Dynamic::Bag(entries) => {
            let mut entries: Vec<_> = entries.iter().map(|(name, value)| (name.clone(), sorted(value))).collect();
            entries.sort_by(|left, right| left.0.cmp(&right.0));
            Dynamic::bag(entries)
        }
        scalar => scalar.clone(),
    }
}

/// The first record: fields between commas, quotes doubled inside quotes.
fn csv(text: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let at_start = fields.last().is_some_and(String::is_empty);
        match c {
            '"' if quoted && rest.peek() == Some(&'"') => {
                rest.next();
                fields.last_mut().into_iter().for_each(|field| field.push('"'));
            }
            '"' if quoted || at_start => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            '\n' | '\r' if !quoted => break,
            c => fields.last_mut().into_iter().for_each(|field| field.push(c)),
        }
    }
    fields
}

fn tree_paths(value: &Dynamic, path: &str, paths: &mut Vec<String>) {
    match value {
        Dynamic::Bag(entries) => {
            for (name, value) in entries.iter() {
                let path = format!("{path}['{name}']");
                paths.push(path.clone());
                tree_paths(value, &path, paths);
            }
        }
        Dynamic::Array(items) => {
            for (at, value) in items.iter().enumerate() {
                let path = format!("{path}[{at}]");
                paths.push(path.clone());
                tree_paths(value, &path, paths);
            }
        }
        _ => {}
    }
}
