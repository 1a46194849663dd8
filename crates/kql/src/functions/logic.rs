//! Conditions, nulls, and the choice between values.

use super::{Function, Kind, Returns};
use crate::{
    error::QueryError,
    eval::Context,
    plan::Scalar,
    table::{Column, ColumnBuilder, Data},
    types::Type,
    value::{Cell, Value},
};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::columns("not", &[Kind::Bool], Returns::Is(Type::Bool), not),
    Function::cells("isnull", &[Kind::Any], Returns::Is(Type::Bool), |_, cells| Value::Bool(cells[0].is_null())),
    Function::cells("isnotnull", &[Kind::Any], Returns::Is(Type::Bool), |_, cells| Value::Bool(!cells[0].is_null())),
    Function::cells("isempty", &[Kind::Any], Returns::Is(Type::Bool), |_, cells| Value::Bool(empty(cells[0]))),
    Function::cells("isnotempty", &[Kind::Any], Returns::Is(Type::Bool), |_, cells| Value::Bool(!empty(cells[0]))),
    Function::columns("iff", &[Kind::Bool, Kind::Any, Kind::Any], Returns::Common(1), case),
    Function::columns("case", &[Kind::Any], Returns::By(case_type), case).many(3),
    Function::cells("coalesce", &[Kind::Any], Returns::Common(0), |_, cells| {
        let found = cells.iter().find(|cell| !empty(**cell));
        found.map_or(Value::Null, |cell| cell.to_value())
    })
    .many(2),
    Function::cells("assert", &[Kind::Bool, Kind::Str], Returns::Is(Type::Bool), |context, cells| {
        if !matches!(cells[0], Cell::Bool(true)) {
            context.fail(cells[1].to_string());
        }
        Value::Bool(true)
    }),
    Function::cells("max_of", &[Kind::Any], Returns::Common(0), |_, cells| {
        let values = cells.iter().filter(|cell| !cell.is_null());
        values.max_by(|left, right| left.order(**right)).map_or(Value::Null, |cell| cell.to_value())
    })
    .many(1),
    Function::cells("min_of", &[Kind::Any], Returns::Common(0), |_, cells| {
        let values = cells.iter().filter(|cell| !cell.is_null());
        values.min_by(|left, right| left.order(**right)).map_or(Value::Null, |cell| cell.to_value())
    })
    .many(1),
];

fn empty(cell: Cell<'_>) -> bool {
    cell.is_null() || cell.as_str() == Some("")
}

fn not(_: &Context<'_>, columns: &[Column], _: usize) -> Result<Column, QueryError> {
    let dense = columns[0].dense();
    let values = dense.bools().unwrap_or_default().iter().map(|value| !value).collect();
    Ok(Column::new(Type::Bool, Data::Bool(values), dense.valid().map(<[bool]>::to_vec)))
}

/// The values stand at the odd places, and the last is for when nothing else holds.
fn case_type(arguments: &[Scalar]) -> Option<Type> {
    if arguments.len().is_multiple_of(2) {
        return None;
    }
    let last = arguments.len() - 1;
    let values = arguments.iter().enumerate().filter(|(at, _)| at % 2 == 1 || *at == last);
    let values: Vec<Scalar> = values.map(|(_, value)| value.clone()).collect();
    crate::bind::common_type(&values)
}

/// Condition, value, condition, value, .., otherwise. `iff` is the short form.
fn case(_: &Context<'_>, columns: &[Column], rows: usize) -> Result<Column, QueryError> {
    let (last, pairs) = match columns.split_last() {
        Some(split) => split,
        None => return Ok(Column::nulls(Type::Dynamic, rows)),
    };
    let values = || pairs.iter().skip(1).step_by(2).chain([last]);
    let known = values().filter(|value| !value.constant().is_some_and(Cell::is_null));
    let mut ty = None;
    for value in known {
        ty = Some(match ty {
            None => value.type_of(),
            Some(ty) if ty == value.type_of() => ty,
            Some(ty) if ty.is_number() && value.type_of().is_number() => ty.max(value.type_of()),
            Some(_) => Type::Dynamic,
        });
    }
    let mut builder = ColumnBuilder::new(ty.unwrap_or(last.type_of()));
    for row in 0..rows {
        let chosen = pairs
            .chunks_exact(2)
            .find(|pair| matches!(pair[0].cell(row), Cell::Bool(true)))
            .map_or(last, |pair| &pair[1]);
        builder.push(chosen.cell(row));
    }
    Ok(builder.finish())
}
