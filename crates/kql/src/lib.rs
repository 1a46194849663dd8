//! The Kusto Query Language: lexer, recovering parser, binder with types, evaluator over typed columns.
//! Pure: no clock, no I/O; a host gives the tables, the time and the limits.

pub mod ast;
mod bind;
mod database;
mod decimal;
mod dynamic;
mod error;
mod eval;
mod functions;
mod hash;
mod lexer;
mod options;
mod parser;
mod plan;
mod run;
mod table;
mod time;
mod types;
mod value;

pub use database::{Database, HostAnswer, HostCall, HostFunction, HostParameter, HostResult};
pub use decimal::{Decimal, NotADecimal};
pub use dynamic::Dynamic;
pub use error::{ErrorKind, QueryError, Span};
pub use lexer::{Token, TokenKind, tokens};
pub use options::{Limits, Options, Window};
pub use parser::{Parsed, parse};
pub use run::{Answer, bind, run};
pub use table::{Column, ColumnBuilder, ColumnInfo, Origin, Schema, Table, TableBuilder};
pub use time::{InstantText, SpanText, TICKS_PER_SECOND, parse_instant, parse_span, ticks_of};
pub use types::Type;
pub use value::{Cell, Value};
