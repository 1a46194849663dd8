//! The table of routes: the one source of what can be reached, by whom, and how it is described.

mod approvals;
mod audit;
mod catalog;
mod diagnostics;
mod effects;
mod guardrails;
mod health;
mod hook_secrets;
mod people;
mod runs;
mod workflows;

use axum::routing::MethodFilter;
use sortie_store::Permission::{
    self, Act, CancelRun, ChangeWorkflow, DecideApproval, ManageGuardrails, ManageKeys, ManagePeople, Read,
    ResolveDoubt,
};

use crate::{
    changes, hooks,
    reach::Reach::{self, Approval, Everywhere, Listed, Nothing, One, OneOrAll, OneOrShared, Run},
    request::Handler,
};

/// One route.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Its method.
    pub method: Verb,
    /// Its path, with parts in braces.
    pub path: &'static str,
    /// Who may.
    pub access: Access,
    /// Where they must be granted it.
    pub reach: Reach,
    /// For people.
    pub about: &'static str,
    /// The names that its query may have.
    pub query: &'static [&'static str],
    /// What it takes: the schema's name.
    pub body: Option<Takes>,
    /// What it answers: the schema's name.
    pub answer: Answers,
    /// With which status.
    pub status: u16,
    /// How large a body may be.
    pub body_bytes_max: usize,
    pub(crate) handler: Handler,
}

/// A method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Reads.
    Get,
    /// Makes or replaces.
    Put,
    /// Does something.
    Post,
    /// Takes away.
    Delete,
}

/// Who may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Whoever can reach it: it tells nothing of tenants.
    Open,
    /// Whoever sends a request that proves itself.
    Proof,
    /// Whoever is known.
    Anybody,
    /// Whoever was granted it.
    May(Permission),
}

/// What a route takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// JSON of the schema of this name.
    Json(&'static str),
    /// The text of a workflow.
    Yaml,
    /// JSON, a form, or text.
    Anything,
}

/// What a route answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// JSON of the schema of this name.
    Json(&'static str),
    /// JSON of no schema.
    Any,
    /// Text.
    Text,
    /// Events, one after another.
    Events,
    /// Nothing.
    Nothing,
}

impl Verb {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }

    pub(crate) fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Put => MethodFilter::PUT,
            Self::Post => MethodFilter::POST,
            Self::Delete => MethodFilter::DELETE,
        }
    }
}

impl Route {
    const fn query(self, query: &'static [&'static str]) -> Self {
        Self { query, ..self }
    }

    const fn takes(self, schema: &'static str) -> Self {
        Self { body: Some(Takes::Json(schema)), ..self }
    }

    const fn takes_yaml(self) -> Self {
        Self { body: Some(Takes::Yaml), ..self }
    }

    const fn answers(self, answer: Answers, status: u16) -> Self {
        Self { answer, status, ..self }
    }

    const fn bounded(self, body_bytes_max: usize) -> Self {
        Self { body_bytes_max, ..self }
    }

    /// Whether it is answered when something else has happened.
    pub(crate) fn is_long(&self) -> bool {
        self.answer == Answers::Events || self.access == Access::Proof
    }

    /// Whoever calls a webhook may say what they like there.
    pub(crate) fn takes_any_query(&self) -> bool {
        self.access == Access::Proof
    }
}

const fn route(
    method: Verb,
    path: &'static str,
    access: Access,
    reach: Reach,
    about: &'static str,
    handler: Handler,
) -> Route {
    let (query, body, answer): (&[&str], _, _) = (&[], None, Answers::Nothing);
    let status = 204;
    Route { method, path, access, reach, about, query, body, answer, status, body_bytes_max: 1 << 20, handler }
}

macro_rules! rows { ($($method:ident $path:literal $access:expr, $reach:expr, $handler:path, $about:literal $(, $(.$more:ident($($given:expr),*))*)?;)+) => {
    /// Every route there is.
    pub static ROUTES: &[Route] = &[$(
        route(Verb::$method, $path, $access, $reach, $about, |request| Box::pin($handler(request)))$($(.$more($($given),*))*)?
    ),+];
} }

/// Of a start with an incident as a service gives it.
const OBJECT_BYTES_MAX: usize = 8 << 20;

const fn may(permission: Permission) -> Access {
    Access::May(permission)
}

const fn json(schema: &'static str) -> Answers {
    Answers::Json(schema)
}

use Access::{Anybody, Open, Proof};

rows! {
    Get "/healthz" Open, Nothing, health::alive, "Whether the process answers", .answers(Answers::Text, 200);
    Get "/readyz" Open, Nothing, health::ready, "Whether database and runner work", .answers(json("Ready"), 200);
    Get "/metrics" may(Read), Everywhere, health::metrics, "Figures for Prometheus", .answers(Answers::Text, 200);
    Get "/api/v1/openapi.json" Anybody, Nothing, health::openapi, "This document", .answers(Answers::Any, 200);
    Get "/api/v1/whoami" Anybody, Nothing, people::whoami, "Who asks, and what they were granted", .answers(json("WhoAmI"), 200);
    Get "/api/v1/changes" may(Read), Listed, changes::feed, "What changes, as it happens: events whose id is the place to go on after", .query(&["tenant", "after"]).answers(Answers::Events, 200);

    Get "/api/v1/workflows" may(Read), Listed, workflows::list, "The workflows", .query(&["tenant"]).answers(json("Workflows"), 200);
    Get "/api/v1/workflows/{id}" may(Read), OneOrShared, workflows::one, "A workflow with its text", .query(&["tenant"]).answers(json("Workflow"), 200);
    Put "/api/v1/workflows/{id}" may(ChangeWorkflow), OneOrShared, workflows::put, "Keep a workflow: its text in YAML. `If-Match` names the edition that was seen", .query(&["tenant"]).takes_yaml().answers(json("Workflow"), 200);
    Delete "/api/v1/workflows/{id}" may(ChangeWorkflow), OneOrShared, workflows::remove, "Remove a workflow that has no open run", .query(&["tenant"]);
    Put "/api/v1/workflows/{id}/state" may(ChangeWorkflow), OneOrShared, workflows::set_state, "Let triggers start it, or not", .query(&["tenant"]).takes("SetState").answers(json("Workflow"), 200);
    Get "/api/v1/workflows/{id}/versions" may(Read), OneOrShared, workflows::versions, "Its versions, the latest first", .query(&["tenant"]).answers(json("Versions"), 200);
    Get "/api/v1/workflows/{id}/versions/{version}" may(Read), OneOrShared, workflows::version, "A version with its text", .query(&["tenant"]).answers(json("Version"), 200);
    Post "/api/v1/validate" may(Read), OneOrShared, workflows::judge, "What is wrong with a document, by line and column; nothing is kept", .query(&["tenant"]).takes_yaml().answers(json("Judged"), 200);
    Post "/api/v1/apply" may(ChangeWorkflow), OneOrShared, workflows::apply, "Make the workflows of a tenant, or those for all, what a set of documents says: all of them or none", .query(&["tenant"]).takes("Apply").answers(json("AppliedSet"), 200).bounded(APPLY_BYTES_MAX);
    Post "/api/v1/dry-runs" may(ChangeWorkflow), One, runs::dry, "Start a run of a document that is not kept, to see what it would do: nothing that has an effect is sent", .query(&["tenant"]).takes("DryRun").bounded(OBJECT_BYTES_MAX).answers(json("Started"), 201);
    Post "/api/v1/workflows/{id}/runs" may(Act), One, runs::start, "Start a run by hand", .query(&["tenant"]).takes("StartRun").bounded(OBJECT_BYTES_MAX).answers(json("Started"), 201);
    Get "/api/v1/workflows/{id}/hook" may(Read), One, hook_secrets::one, "Its webhook in a tenant: where it is and when its secret was made", .query(&["tenant"]).answers(json("Hook"), 200);
    Put "/api/v1/workflows/{id}/hook" may(ChangeWorkflow), One, hook_secrets::renew, "Make the secret of its webhook in a tenant, told once; the one before it is good for another hour", .query(&["tenant"]).answers(json("NewHook"), 200);
    Delete "/api/v1/workflows/{id}/hook" may(ChangeWorkflow), One, hook_secrets::remove, "Take the secrets of its webhook in a tenant away", .query(&["tenant"]);

    Get "/api/v1/runs" may(Read), Listed, runs::list, "Runs, the latest first", .query(&["tenant", "workflow", "status", "outcome", "object", "before", "count"]).answers(json("Runs"), 200);
    Get "/api/v1/runs/{run}" may(Read), Run, runs::one, "A run and how its steps stand", .answers(json("RunWhole"), 200);
    Get "/api/v1/runs/{run}/journal" may(Read), Run, runs::journal, "What happened in it, by commits", .query(&["after"]).answers(json("Journal"), 200);
    Get "/api/v1/runs/{run}/values" may(Read), Run, runs::values, "What it was given, and what its steps gave", .query(&["step"]).answers(json("Values"), 200);
    Post "/api/v1/runs/{run}/cancel" may(CancelRun), Run, runs::cancel, "Ask it to give up";
    Post "/api/v1/runs/{run}/resolve" may(ResolveDoubt), Run, runs::resolve, "Say what became of a call that nobody knows of", .takes("Resolve");
    Post "/api/v1/runs/{run}/retry" may(Act), Run, runs::retry, "Let it try again what does not leave for now";
    Post "/api/v1/runs/{run}/rerun" may(Act), Run, runs::rerun, "Run it anew, or from one of its steps on", .takes("Rerun").answers(json("Started"), 201);

    Get "/api/v1/approvals" may(Read), Listed, approvals::list, "Questions to people, the latest first", .query(&["tenant", "open", "count", "before"]).answers(json("Approvals"), 200);
    Get "/api/v1/approvals/{approval}" may(Read), Approval, approvals::one, "A question", .answers(json("Approval"), 200);
    Post "/api/v1/approvals/{approval}/decision" may(DecideApproval), Approval, approvals::decide, "Decide it, once", .takes("Decide").answers(json("Approval"), 200);

    Get "/api/v1/tenants" may(Read), Listed, catalog::tenants, "The tenants", .answers(json("Tenants"), 200);
    Get "/api/v1/connections" may(Read), Listed, catalog::connections, "The connections, without their secrets", .query(&["tenant"]).answers(json("Connections"), 200);
    Get "/api/v1/connections/{name}" may(Read), OneOrShared, catalog::connection, "A connection, without its secrets", .query(&["tenant"]).answers(json("Connection"), 200);
    Get "/api/v1/connectors" may(Read), Listed, catalog::connectors, "The connectors", .query(&["tenant"]).answers(json("Connectors"), 200);
    Get "/api/v1/connectors/{id}" may(Read), OneOrShared, catalog::connector, "A connector with its operations", .query(&["tenant"]).answers(json("Connector"), 200);
    Get "/api/v1/connectors/{id}/description" may(Read), OneOrShared, catalog::description, "A connector with its whole description and what was edited of it", .query(&["tenant"]).answers(json("ConnectorDescribed"), 200);

    Get "/api/v1/guardrails" may(Read), OneOrShared, guardrails::show, "The guardrails of a tenant, and those in force there", .query(&["tenant"]).answers(json("Guardrails"), 200);
    Put "/api/v1/guardrails" may(ManageGuardrails), OneOrShared, guardrails::change, "Change what is protected, ceilings, and whether effects are only observed", .query(&["tenant"]).takes("ChangeGuardrails").answers(json("Guardrails"), 200);
    Post "/api/v1/backups" may(ManageKeys), Everywhere, audit::backup, "Write into the audit log that a copy of the database is made", .takes("Backup");
    Post "/api/v1/effects" may(Act), OneOrShared, effects::ask, "Ask whether an effect may leave that is carried out elsewhere; where it may, it is counted", .query(&["tenant"]).takes("AskEffect").answers(json("Admission"), 200);
    Post "/api/v1/guardrails/hold" may(ManageGuardrails), OneOrShared, guardrails::hold, "Hold all effects of a tenant, or of all", .query(&["tenant"]).takes("Hold").answers(json("Guardrails"), 200);
    Post "/api/v1/guardrails/release" may(ManageGuardrails), OneOrShared, guardrails::release, "Let effects leave again", .query(&["tenant"]).answers(json("Guardrails"), 200);

    Get "/api/v1/roles" Anybody, Nothing, people::roles, "The roles and what each may do", .answers(json("Roles"), 200);
    Get "/api/v1/users" may(ManagePeople), Everywhere, people::users, "The local users", .answers(json("Users"), 200);
    Post "/api/v1/users" may(ManagePeople), Everywhere, people::add_user, "Add a local user, who may nothing yet", .takes("AddUser").answers(json("User"), 201);
    Get "/api/v1/users/{name}" may(ManagePeople), Everywhere, people::user, "A local user", .answers(json("User"), 200);
    Delete "/api/v1/users/{name}" may(ManagePeople), Everywhere, people::remove_user, "Remove a local user with roles and tokens";
    Put "/api/v1/users/{name}/disabled" may(ManagePeople), Everywhere, people::disable_user, "Take a user's rights and tokens out of force, or put them back", .takes("Disable").answers(json("User"), 200);
    Put "/api/v1/users/{name}/roles/{role}" may(ManagePeople), OneOrAll, people::grant, "Give a role in a tenant, or for all", .query(&["tenant"]).answers(json("User"), 200);
    Delete "/api/v1/users/{name}/roles/{role}" may(ManagePeople), OneOrAll, people::revoke, "Take a role away", .query(&["tenant"]).answers(json("User"), 200);
    Post "/api/v1/users/{name}/tokens" may(ManagePeople), Everywhere, people::add_token, "Make a token, told once", .takes("AddToken").answers(json("NewToken"), 201);
    Get "/api/v1/tokens" may(ManagePeople), Everywhere, people::tokens, "The tokens, without their texts", .answers(json("Tokens"), 200);
    Delete "/api/v1/tokens/{prefix}" may(ManagePeople), Everywhere, people::revoke_token, "End a token at once";
    Get "/api/v1/audit" may(ManagePeople), Listed, audit::list, "Who did what, oldest first; with `before` the latest first", .query(&["tenant", "action", "actor", "object", "since", "after", "before", "count"]).answers(json("Audit"), 200);
    Get "/api/v1/diagnostics" may(ManageKeys), Everywhere, diagnostics::show, "How the installation is, for whoever is asked for help; no secret", .answers(json("Diagnostics"), 200);

    Post "/hooks/{tenant}/{workflow}" Proof, Nothing, hooks::receive, "A webhook: starts a run of the workflow in the tenant. It is proved by a signature over time and body, or by a token", .hook();
}

impl Route {
    const fn hook(self) -> Self {
        Self { body: Some(Takes::Anything), answer: Answers::Any, status: 202, body_bytes_max: 4 << 20, ..self }
    }
}

/// A folder of workflows; one may have 1 MB.
const APPLY_BYTES_MAX: usize = 16 << 20;
