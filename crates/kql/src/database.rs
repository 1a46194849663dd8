//! What a host gives: tables, their schemas, and functions of its own.

use std::sync::Arc;

use crate::{
    table::{Schema, Table},
    types::Type,
    value::Value,
};

/// The tables and functions that a query may name. Letter case counts in all names.
pub trait Database: Sync {
    /// The columns of a table, also of one that has no rows. Renamed tables answer here, too.
    fn schema(&self, table: &str) -> Option<Arc<Schema>>;

    /// The rows. Asked for only where `schema` knows the table.
    fn table(&self, table: &str) -> Option<Arc<Table>>;

    /// Every table, for wildcards in `union`, `find` and `search`.
    fn table_names(&self) -> Vec<String>;

    /// A function of the host, such as `FileProfile`.
    fn function(&self, name: &str) -> Option<HostFunction> {
        let _ = name;
        None
    }

    /// The rows of `externaldata`, in the columns that the query names.
    ///
    /// # Errors
    /// A sentence for the person who wrote the query.
    fn external_data(&self, schema: &Arc<Schema>) -> Result<Table, String> {
        let _ = schema;
        Err("externaldata: the storage cannot be reached.".to_owned())
    }

    /// Runs a function that `function` describes.
    ///
    /// # Errors
    /// A sentence for the person who wrote the query.
    fn call(&self, call: &HostCall<'_>) -> Result<HostAnswer, String> {
        Err(format!("The function '{}' cannot be run.", call.name))
    }
}

/// What the binder must know of a function of the host.
#[derive(Clone, Debug)]
pub struct HostFunction {
    /// In order; a call may leave out those at the end that have a default.
    pub parameters: Vec<HostParameter>,
    /// What comes out.
    pub result: HostResult,
}

/// One parameter.
#[derive(Clone, Debug)]
pub struct HostParameter {
    /// For calls with names.
    pub name: String,
    /// The type of the value that `call` gets.
    pub ty: Type,
    /// `FileProfile(SHA1)`: a bare column name is taken as its own name; a string works, too.
    pub column_name: bool,
    /// The value when the call leaves it out.
    pub default: Option<Value>,
}

/// What a function of the host gives back.
#[derive(Clone, Debug)]
pub enum HostResult {
    /// `T | invoke f()`: the columns of `T` stay, these come behind them. A name that `T` has already keeps `T`'s cells.
    Adds(Arc<Schema>),
    /// A table of its own; usable as a source, and after `invoke`.
    Table(Arc<Schema>),
    /// One value.
    Scalar(Type),
}

/// One call of a function of the host.
#[derive(Debug)]
pub struct HostCall<'a> {
    /// The function.
    pub name: &'a str,
    /// The rows before `invoke`; `None` where the function is a source or a scalar.
    pub input: Option<&'a Table>,
    /// One per parameter, defaults filled in.
    pub arguments: &'a [Value],
}

/// What a function of the host has made.
#[derive(Clone, Debug)]
pub enum HostAnswer {
    /// For `Adds`: the added columns, row by row beside the input. For `Table`: the rows.
    Table(Table),
    /// For `Scalar`.
    Value(Value),
}
