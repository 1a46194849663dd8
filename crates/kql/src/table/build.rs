//! Filling columns and tables cell by cell.

use std::sync::Arc;

use super::{Column, Data, Schema, StringBuilder, Table};
use crate::{
    decimal::Decimal,
    dynamic::Dynamic,
    types::Type,
    value::{Cell, Value},
};

/// Collects cells of one type.
#[derive(Debug)]
pub struct ColumnBuilder {
    ty: Type,
    cells: Cells,
    valid: Vec<bool>,
    has_null: bool,
    /// Bytes of the dynamics pushed so far.
    dynamic_bytes: usize,
}

#[derive(Debug)]
enum Cells {
    Bool(Vec<bool>),
    Long(Vec<i64>),
    Real(Vec<f64>),
    Decimal(Vec<Decimal>),
    Guid(Vec<u128>),
    String(StringBuilder),
    Dynamic(Vec<Dynamic>),
}

impl ColumnBuilder {
    /// No cells yet.
    pub fn new(ty: Type) -> Self {
        let cells = match ty {
            Type::Bool => Cells::Bool(Vec::new()),
            Type::Int | Type::Long | Type::DateTime | Type::TimeSpan => Cells::Long(Vec::new()),
            Type::Real => Cells::Real(Vec::new()),
            Type::Decimal => Cells::Decimal(Vec::new()),
            Type::Guid => Cells::Guid(Vec::new()),
            Type::String => Cells::String(StringBuilder::new()),
            Type::Dynamic => Cells::Dynamic(Vec::new()),
        };
        Self { ty, cells, valid: Vec::new(), has_null: false, dynamic_bytes: 0 }
    }

    /// One more cell. A number of another type is converted; what does not fit the type becomes null.
    pub fn push(&mut self, cell: Cell<'_>) {
        let fits = match (&mut self.cells, cell) {
            (Cells::String(strings), Cell::String(text)) => {
                strings.push(text);
                return;
            }
            (Cells::String(strings), other) => {
                strings.push(&other.to_string());
                return;
            }
            (Cells::Dynamic(values), cell) => {
                let value = Dynamic::from(cell);
                self.dynamic_bytes += value.bytes();
                values.push(value);
                return;
            }
            (_, Cell::Null) => false,
            (Cells::Bool(values), cell) => put(values, cell.as_i64().map(|value| value != 0)),
            (Cells::Long(values), cell) => put(values, whole(cell, self.ty)),
            (Cells::Real(values), cell) => put(values, cell.as_f64()),
            (Cells::Decimal(values), cell) => put(values, decimal(cell)),
            (Cells::Guid(values), Cell::Guid(value) | Cell::Dynamic(&Dynamic::Guid(value))) => put(values, Some(value)),
            (Cells::Guid(_), _) => false,
        };
        if fits { self.valid.push(true) } else { self.push_null() }
    }

    /// One more cell, owned.
    pub fn push_value(&mut self, value: Value) {
        match (&mut self.cells, value) {
            (Cells::Dynamic(values), Value::Dynamic(value)) => {
                self.dynamic_bytes += value.bytes();
                values.push(value);
            }
            (_, value) => self.push(value.cell()),
        }
    }

    /// A null; an empty string where the type is string.
    pub fn push_null(&mut self) {
        match &mut self.cells {
            Cells::String(strings) => return strings.push(""),
            Cells::Dynamic(values) => return values.push(Dynamic::Null),
            Cells::Bool(values) => values.push(false),
            Cells::Long(values) => values.push(0),
            Cells::Real(values) => values.push(0.0),
            Cells::Decimal(values) => values.push(Decimal::from(0)),
            Cells::Guid(values) => values.push(0),
        }
        self.valid.push(false);
        self.has_null = true;
    }

    /// All cells of a column, in fewer steps than one by one where the types agree.
    pub fn extend(&mut self, column: &Column) {
        let dense = column.dense();
        match (&mut self.cells, &dense) {
            (Cells::String(strings), dense) if dense.type_of() == Type::String => {
                if let Some((codes, arena)) = dense.strings() {
                    strings.extend(codes.iter().copied(), arena);
                }
            }
            (Cells::Long(values), dense) if dense.type_of() == self.ty => {
                let longs = dense.longs().unwrap_or_default();
                values.extend_from_slice(longs);
                match dense.valid() {
                    Some(valid) => {
                        self.has_null = true;
                        self.valid.extend_from_slice(valid);
                    }
                    None => self.valid.resize(values.len(), true),
                }
            }
            (_, dense) => (0..dense.len()).for_each(|row| self.push(dense.cell(row))),
        }
    }

    /// The type of its cells.
    pub fn type_of(&self) -> Type {
        self.ty
    }

    /// How many cells.
    pub fn len(&self) -> usize {
        match &self.cells {
            Cells::Bool(values) => values.len(),
            Cells::Long(values) => values.len(),
            Cells::Real(values) => values.len(),
            Cells::Decimal(values) => values.len(),
            Cells::Guid(values) => values.len(),
            Cells::String(strings) => strings.len(),
            Cells::Dynamic(values) => values.len(),
        }
    }

    /// Whether there are no cells.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// About how many bytes the cells take.
    pub fn bytes(&self) -> usize {
        match &self.cells {
            Cells::Bool(values) => values.len(),
            Cells::Long(values) => values.len() * 8,
            Cells::Real(values) => values.len() * 8,
            Cells::Decimal(values) => values.len() * size_of::<Decimal>(),
            Cells::Guid(values) => values.len() * 16,
            Cells::String(strings) => strings.bytes(),
            Cells::Dynamic(_) => self.dynamic_bytes,
        }
    }

    /// The column.
    pub fn finish(self) -> Column {
        let data = match self.cells {
            Cells::Bool(values) => Data::Bool(values),
            Cells::Long(values) => Data::Long(values),
            Cells::Real(values) => Data::Real(values),
            Cells::Decimal(values) => Data::Decimal(values),
            Cells::Guid(values) => Data::Guid(values),
            Cells::String(strings) => Data::String(strings.finish()),
            Cells::Dynamic(values) => Data::Dynamic(values),
        };
        Column::new(self.ty, data, self.has_null.then_some(self.valid))
    }
}

fn put<T>(values: &mut Vec<T>, value: Option<T>) -> bool {
    let fits = value.is_some();
    values.extend(value);
    fits
}

/// A whole number of that type; fractions are cut.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
fn whole(cell: Cell<'_>, ty: Type) -> Option<i64> {
    let value = match cell {
        Cell::Dynamic(Dynamic::DateTime(value) | Dynamic::TimeSpan(value)) => *value,
        Cell::Decimal(value) => value.to_i64()?,
        cell => match cell.as_i64() {
            Some(value) => value,
            None => cell.as_f64().filter(|value| value.abs() < 9.2e18)? as i64,
        },
    };
    (ty != Type::Int || i32::try_from(value).is_ok()).then_some(value)
}

fn decimal(cell: Cell<'_>) -> Option<Decimal> {
    match cell {
        Cell::Decimal(value) => Some(value),
        cell => match cell.as_i64() {
            Some(value) => Some(Decimal::from(value)),
            None => cell.as_f64().and_then(Decimal::from_f64),
        },
    }
}

/// Collects rows for a table.
#[derive(Debug)]
pub struct TableBuilder {
    schema: Arc<Schema>,
    columns: Vec<ColumnBuilder>,
    rows: usize,
}

impl TableBuilder {
    /// No rows yet; one cell per stored column of the schema makes a row.
    pub fn new(schema: Arc<Schema>) -> Self {
        let columns = schema.stored().map(|column| ColumnBuilder::new(column.ty)).collect();
        Self { schema, columns, rows: 0 }
    }

    /// One more row. Cells that are missing at the end are null, cells beyond the last column are dropped.
    pub fn push<'a>(&mut self, cells: impl IntoIterator<Item = Cell<'a>>) {
        self.rows += 1;
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            column.push(cell);
        }
        for column in &mut self.columns {
            if column.len() < self.rows {
                column.push_null();
            }
        }
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The table.
    pub fn finish(self) -> Table {
        let columns = self.columns.into_iter().map(ColumnBuilder::finish).collect();
        Table::assemble(self.schema, columns, self.rows)
    }
}
