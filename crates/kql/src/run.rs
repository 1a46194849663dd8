//! The way in: text to answer.

use std::thread;

use crate::{
    ast::Render,
    bind::{self, Bound},
    database::Database,
    error::{ErrorKind, QueryError, Span},
    eval::{self, Context},
    options::Options,
    parser::parse,
    table::{ColumnInfo, Origin, Table},
};

/// What a query gives.
#[derive(Clone, Debug)]
pub struct Answer {
    /// One per statement that gives rows; most queries have one.
    pub tables: Vec<Table>,
    /// How the query asks to be drawn.
    pub render: Option<Render>,
}

impl Answer {
    /// The last table, which is the answer where a client can show only one.
    pub fn table(&self) -> &Table {
        // `bind` refuses a text without a query, so that there is one.
        self.tables.last().unwrap_or_else(|| unreachable!("an answer has a table"))
    }
}

/// Runs a query.
///
/// # Errors
/// Whatever is wrong with the text, its names and types, or its use of resources, in the service's words and with a place.
pub fn run(query: &str, database: &dyn Database, options: &Options) -> Result<Answer, QueryError> {
    with_stack(|| {
        let bound = bound(query, database)?;
        let context = Context::new(database, options, bound.slots);
        let mut tables = Vec::with_capacity(bound.results.len());
        for result in &bound.results {
            tables.push(eval::answer(result, &context)?);
        }
        Ok(Answer { tables, render: bound.render })
    })
    .map_err(|error| error.placed(query))
}

/// The columns that a query would give, for each of its results, without running it.
///
/// # Errors
/// Whatever is wrong with the text, its names and types.
pub fn bind(query: &str, database: &dyn Database) -> Result<Vec<Vec<ColumnInfo>>, QueryError> {
    with_stack(|| {
        let bound = bound(query, database)?;
        let columns = |result: &crate::plan::RelRef| {
            let shown = result.fields.iter().filter(|field| !field.hidden);
            let info = |field: &crate::plan::Field| ColumnInfo {
                name: field.name.clone(),
                ty: field.ty,
                origin: Origin::Stored,
            };
            shown.map(info).collect()
        };
        Ok(bound.results.iter().map(columns).collect())
    })
    .map_err(|error| error.placed(query))
}

fn bound(query: &str, database: &dyn Database) -> Result<Bound, QueryError> {
    let parsed = parse(query);
    match parsed.errors.into_iter().next() {
        Some(error) => Err(error),
        None => bind::bind(&parsed.script, database),
    }
}

/// Trees are walked by recursion, bounded in depth; this stack holds the deepest.
fn with_stack<T: Send>(work: impl FnOnce() -> Result<T, QueryError> + Send) -> Result<T, QueryError> {
    let unexpected = || {
        let message = "An unexpected error occurred during query execution. Please try again in a few minutes.";
        QueryError::new(ErrorKind::Runtime, message, Span::default())
    };
    thread::scope(|scope| {
        let builder = thread::Builder::new().name("kql".to_owned()).stack_size(STACK_BYTES);
        match builder.spawn_scoped(scope, work) {
            Ok(worker) => worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(_) => Err(unexpected()),
        }
    })
}

const STACK_BYTES: usize = 128 << 20;
