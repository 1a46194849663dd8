//! Tables: a schema and columns of equal length.

mod build;
mod column;
mod schema;
mod strings;

use std::sync::Arc;

pub use build::{ColumnBuilder, TableBuilder};
pub use column::Column;
pub(crate) use column::{Data, NONE, pick};
pub use schema::{ColumnInfo, Origin, Schema};
pub(crate) use strings::{Arena, StringBuilder};

use crate::value::Cell;

/// Rows in columns. Copies are cheap: columns are shared.
#[derive(Clone, Debug)]
pub struct Table {
    schema: Arc<Schema>,
    columns: Vec<Column>,
    rows: usize,
}

impl Table {
    /// A table without rows.
    pub fn empty(schema: Arc<Schema>) -> Self {
        let columns = schema.stored().map(|column| Column::nulls(column.ty, 0)).collect();
        Self { schema, columns, rows: 0 }
    }

    /// A table of ready columns; `None` unless there is one per stored column of the schema, of its type, all of one length.
    pub fn from_columns(schema: Arc<Schema>, columns: Vec<Column>) -> Option<Self> {
        let rows = columns.first().map_or(0, Column::len);
        let types: Vec<_> = schema.stored().map(|column| column.ty).collect();
        let fits = types.len() == columns.len()
            && columns.iter().zip(types).all(|(column, ty)| column.len() == rows && column.type_of() == ty);
        fits.then_some(Self { schema, columns, rows })
    }

    /// For operators, which have made the columns to fit; a table of no columns can have rows.
    pub(crate) fn assemble(schema: Arc<Schema>, columns: Vec<Column>, rows: usize) -> Self {
        debug_assert!(columns.iter().all(|column| column.len() == rows));
        Self { schema, columns, rows }
    }

    /// Names and types.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The stored columns, in the order of the schema.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// One value, borrowed.
    ///
    /// # Panics
    /// Where there is no such row or column.
    pub fn cell(&self, row: usize, column: usize) -> Cell<'_> {
        self.columns[column].cell(row)
    }

    /// Row by row, nothing copied.
    pub fn rows(&self) -> impl Iterator<Item = impl Iterator<Item = Cell<'_>>> {
        (0..self.rows).map(|row| self.columns.iter().map(move |column| column.cell(row)))
    }

    /// Those rows, shared with this table.
    pub fn slice(&self, start: usize, len: usize) -> Self {
        let start = start.min(self.rows);
        let len = len.min(self.rows - start);
        let columns = self.columns.iter().map(|column| column.slice(start, len)).collect();
        Self { schema: Arc::clone(&self.schema), columns, rows: len }
    }

    /// About how many bytes its columns hold; text that columns share counts for each.
    pub fn bytes(&self) -> usize {
        self.columns.iter().map(Column::bytes).sum()
    }
}
