//! Any OpenAPI document becomes a connector description: plain data from which requests can be built without looking
//! at the document again.
//!
//! [`import()`] reads Swagger 2.0, OpenAPI 3.0 to 3.2 and the dialect of Shuffle's apps, as JSON or YAML. It walks the
//! document and never forces it into a type: what is wrong in one operation quarantines that operation alone, with the
//! reason and the place; what can be repaired is repaired and noted. The crate is pure: no I/O, no clock, no network.
//! Files that the document refers to come from the caller's [`Sources`], and no reference leaves their folder.
//!
//! ```
//! let document = br#"
//! openapi: 3.1.0
//! info: { title: Desk, version: "1" }
//! servers: [{ url: https://desk.example/api }]
//! paths:
//!   /tickets/{id}:
//!     get:
//!       operationId: getTicket
//!       parameters: [{ name: id, in: path, required: true, schema: { type: integer } }]
//!       responses: { "200": { description: The ticket } }
//! "#;
//! let import = sortie_openapi::import(document, &sortie_openapi::NoSources, &Default::default())?;
//! assert_eq!(import.report.callable, 1);
//! let operation = import.description.operation("get-ticket").expect("its id is made from its operationId");
//! assert_eq!(operation.effect.class, sortie_openapi::EffectClass::Safe);
//!
//! // The same description comes back from its own export, and has the same version.
//! let exported = sortie_openapi::export(&import.description).to_string();
//! let again = sortie_openapi::import(exported.as_bytes(), &sortie_openapi::NoSources, &Default::default())?;
//! assert_eq!(again.description.content_hash(), import.description.content_hash());
//! # Ok::<(), sortie_openapi::ImportError>(())
//! ```
//!
//! # What a description promises
//!
//! - Operation ids are unique, made of lower-case words joined by `-`, and the same for the same document.
//! - [`Operation::input_schema`] is the JSON Schema of all inputs by key; parameters and body fields share one name
//!   space, so that `with: { id: 7, comment: "done" }` needs no knowledge of where each of them travels.
//! - Schemas are JSON Schema 2020-12. Named and recursive ones stay references (`#/components/schemas/NAME`) into
//!   [`Description::schemas`].
//! - [`Description::content_hash`] names the content; [`diff()`] says in words what changed between two of them.

mod canonical;
mod description;
mod diff;
mod documents;
mod error;
mod export;
mod import;
mod operation;
pub mod python_functions;
mod report;
mod security;
mod sources;
mod text;

pub use description::{Description, FORMAT, Kept, Server, ServerVariable, Tag};
pub use diff::{Change, Diff, diff};
pub use error::ImportError;
pub use export::export;
pub use import::{Import, Limits, Options, import};
pub use operation::{
    ArrayStyle, Body, BodyField, BodyForm, Content, Effect, EffectClass, Guidance, LinkedCall, Location, Method,
    Operation, Output, OutputContent, Pages, Pagination, Parameter, ParameterForm, RateLimit,
};
pub use report::{AppReport, Format, Note, Quarantined, Report};
pub use security::{KeyPlace, OAuthFlow, OAuthGrant, Requirement, SchemeKind, SecurityScheme};
pub use sources::{NoSources, Sources};
