//! Workflows of Shuffle become workflow documents.
//!
//! [`import()`] reads an exported workflow, whatever is in it, and gives a document that `sortie_engine::document::read` takes,
//! with a report. Nothing is dropped in silence: what has no equal stands in the document as a disabled step with a note, and
//! the report names the node. Secrets that stand in a workflow go neither into the document nor into the report. The crate is
//! pure: the same workflow gives the same text.
//!
//! ```
//! use sortie_shuffle::{Kind, NoApps, import};
//!
//! let workflow = serde_json::json!({
//!     "name": "Look up",
//!     "start": "a",
//!     "actions": [
//!         { "id": "a", "label": "Find", "app_name": "Shuffle Tools", "name": "parse_ioc",
//!           "parameters": [{ "name": "input_string", "value": "$exec.text" }] },
//!         { "id": "b", "label": "Run it", "app_name": "Shuffle Tools", "name": "execute_python",
//!           "parameters": [{ "name": "code", "value": "print(1)" }] },
//!     ],
//!     "branches": [{ "source_id": "a", "destination_id": "b" }],
//! });
//! let import = import(&workflow, &NoApps);
//! assert!(import.document.contains("call: data/iocs"));
//! assert!(import.report.iter().any(|finding| finding.node.label == "Run it" && finding.kind == Kind::Disabled));
//! ```
//!
//! # What becomes of what
//!
//! | in Shuffle | here |
//! |---|---|
//! | an action of a known app | `call` |
//! | Shuffle Tools, http, email | an operation of `data`, `kv`, `http` or `email`, `set`, or `wait` |
//! | a branch | `after`; a node runs when any of its branches is open, so several become `run: always` with a `when` |
//! | the conditions of a branch | `when`: compared as texts without regard to letter case, as there |
//! | `$exec`, `$node.path`, `.#0`, `.#0-1` | `trigger.body` or `inputs.argument`, `steps.node.output.path`, `[0]`, a slice |
//! | `.#.` | `for_each` |
//! | filters in `{{ }}` | filters of our own |
//! | webhook, schedule, subflow, user input | triggers, `workflow`, `approval` |
//! | a second webhook or schedule that begins elsewhere | a workflow of its own ([`Import::parts`]) |
//! | workflow variables | `vars` |

mod apps;
mod conditions;
mod document;
mod graph;
mod import;
mod installed;
mod names;
mod report;
mod secrets;
mod source;
mod split;
mod starts;
mod steps;
#[cfg(test)]
mod tests;
mod values;
mod yaml;

pub use apps::{App, Apps, NoApps, Operation};
pub use document::origin;
pub use import::{Import, import, is_export};
pub use installed::{AppNames, Installed};
pub use report::{Finding, Kind, Node};
