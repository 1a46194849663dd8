//! The one SQLite file of an installation: tenants, connectors, connections with sealed secrets, workflows, runs, people,
//! guardrails, leases, blobs, values, the feed of what changed, and the audit log of who did what.
//!
//! All SQL lives here, one file a table. A method is one transaction and takes a [`Scope`], so that no caller can forget
//! either. Writes are committed in groups by one thread and are durable when their method returns; readers stand beside it.

mod actors;
mod audit;
mod backup;
mod blobs;
mod cache;
#[cfg(feature = "conformance")]
pub mod conformance;
mod connections;
mod connectors;
mod data_keys;
mod database;
mod effects;
mod error;
mod feed;
mod file_lock;
mod guardrails;
mod health;
mod hooks;
mod leases;
mod master_key;
mod nodes;
mod principals;
mod readers;
mod retention;
mod runs;
mod schema;
mod scope;
mod secrets;
mod tenants;
mod tokens;
mod values;
mod workflows;
mod writer;

pub use actors::{Actor, ActorKind, Grant, Permission, Role};
pub use audit::{AuditEntry, AuditFilter};
pub use blobs::BlobHash;
pub use connections::{Connection, ConnectionId, NewConnection, Saved};
pub use connectors::{Connector, ConnectorInfo, NewConnector};
pub use data_keys::Keyring;
pub use database::{Store, StoreOptions};
pub use effects::GuardrailChange;
pub use error::{StoreError, StoreErrorKind};
pub use feed::{Change, Feed};
pub use guardrails::{
    Admission, CEILINGS, Door, EffectRequest, Guardrails, Hold, KnownAs, ProtectedBy, Rule, RuleError,
};
pub use health::Health;
pub use hooks::{Hook, HookInfo, HookedWorkflow};
pub use leases::{Lease, LeaseSubject};
pub use master_key::{KeySource, MasterKey};
pub use nodes::NodeId;
pub use principals::{Principal, PrincipalId, PrincipalName, PrincipalNameError};
pub use retention::{Freed, Retention};
pub use runs::{
    Approval, Committed, Decision, Guard, Intent, JournalRow, NewApproval, NewIntent, NewRun, OpenRun, Run, RunCommit,
    RunFilter, RunId, RunMode, RunStatus, RunValue, Settled, Signal, Started, TakenUp,
};
pub use scope::{Scope, TenantKey};
pub use secrets::SecretInfo;
pub use tenants::Tenant;
pub use tokens::TokenInfo;
pub use values::Kept;
pub use workflows::{Applied, NewWorkflow, Unnamed, Workflow, WorkflowState, WorkflowVersion};
pub use writer::Written;
