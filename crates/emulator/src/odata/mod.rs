//! The part of OData that Microsoft's security lists understand: `$filter`, `$orderby`, paging and projection.
//!
//! Texts of errors follow the ones that Microsoft's OData library is known to give.

mod filter;
mod lexer;
mod parser;
mod query;

pub(crate) use filter::{Cell, Filter, Kind, Property};
pub use parser::{FilterError, ParsedFilter, parse_odata_filter};
pub(crate) use query::{Query, QueryError};
