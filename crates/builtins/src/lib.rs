//! What the connector `data` computes: regular expressions, indicators of compromise, digests, encodings, lists, dates,
//! networks, JSON, CSV, XML and texts.
//!
//! Pure: the moment is an input, nothing is read or sent. [`OPERATIONS`] is one table; [`document()`] makes an OpenAPI document
//! of it, so that a description and what is run cannot part ways, and [`run()`] runs one by its id. Every input and every
//! output has a bound, and no text makes a parser hang or recurse deeply.
//!
//! ```
//! let inputs = serde_json::json!({ "text": "see hxxps://evil[.]example[.]com/a and CVE-2024-3094" });
//! let found = sortie_builtins::run("iocs", inputs.as_object().expect("an object"), Default::default())?;
//! assert_eq!(found["urls"][0], "https://evil.example.com/a");
//! assert_eq!(found["cves"][0], "CVE-2024-3094");
//! # Ok::<(), sortie_builtins::DataError>(())
//! ```

mod dates;
mod digests;
mod encodings;
mod expressions;
mod indicators;
mod inputs;
mod json;
mod lists;
mod networks;
mod table;
mod tables;
mod texts;
mod xml;

pub use inputs::DataError;
pub use table::{Input, Kind, OPERATIONS, Operation, document, run};
