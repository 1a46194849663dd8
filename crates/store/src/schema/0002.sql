-- Workflows, their versions, and the runs of them.

CREATE TABLE workflows (
    -- `shared`, or the tenant that has it alone.
    tenant_id BLOB NOT NULL REFERENCES tenants,
    workflow_id TEXT NOT NULL,
    title TEXT,
    -- As it was written last; a version keeps what it was made of.
    text TEXT NOT NULL,
    version TEXT NOT NULL,
    -- disabled, enabled, observe, paused
    state TEXT NOT NULL,
    -- Why it is paused.
    why TEXT,
    -- Nothing from before it starts a run.
    enabled_us INTEGER,
    edition INTEGER NOT NULL,
    made_us INTEGER NOT NULL,
    changed_us INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, workflow_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE workflow_versions (
    tenant_id BLOB NOT NULL,
    workflow_id TEXT NOT NULL,
    -- SHA-256 of the document without what is for people only.
    version TEXT NOT NULL,
    number INTEGER NOT NULL,
    text TEXT NOT NULL,
    made_by TEXT NOT NULL,
    made_us INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, workflow_id, version)
) STRICT, WITHOUT ROWID;

-- A run that nobody has taken yet is the order to start it.
CREATE TABLE runs (
    tenant_id BLOB NOT NULL REFERENCES tenants,
    run_id BLOB NOT NULL,
    -- Where its workflow is kept.
    home_id BLOB NOT NULL,
    workflow_id TEXT NOT NULL,
    version TEXT NOT NULL,
    -- queued, running, waiting, held, blocked, needs_attention, ended
    status TEXT NOT NULL,
    -- Why it does not go on, or what a `stop` said.
    why TEXT,
    outcome TEXT,
    handled INTEGER NOT NULL,
    -- live, observe, dry
    mode TEXT NOT NULL,
    start_key TEXT NOT NULL,
    cause TEXT NOT NULL,
    -- What it is about, such as `incident 924518`.
    object TEXT,
    busy_key TEXT,
    started_by TEXT NOT NULL,
    -- The run that started it, and its step there.
    parent_id BLOB,
    parent_place TEXT,
    -- The run that it repeats.
    again_of BLOB,
    depth INTEGER NOT NULL,
    made_us INTEGER NOT NULL,
    begun_us INTEGER,
    ended_us INTEGER,
    -- When it wants to go on; absent while it waits for somebody.
    wake_us INTEGER,
    node_id BLOB,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    snapshot TEXT,
    PRIMARY KEY (tenant_id, run_id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX runs_by_start ON runs (tenant_id, home_id, workflow_id, start_key);
CREATE INDEX runs_open ON runs (wake_us) WHERE ended_us IS NULL;
CREATE INDEX runs_busy ON runs (tenant_id, workflow_id, busy_key, made_us) WHERE ended_us IS NULL AND busy_key IS NOT NULL;
CREATE INDEX runs_by_object ON runs (tenant_id, workflow_id, object, made_us) WHERE object IS NOT NULL;
CREATE INDEX runs_ended ON runs (ended_us) WHERE ended_us IS NOT NULL;

-- What a run was given and what its steps gave. The run's own has the empty place.
CREATE TABLE run_values (
    tenant_id BLOB NOT NULL,
    run_id BLOB NOT NULL,
    -- Step and items, such as `0[2].3`; with `#list` the list of a loop.
    place TEXT NOT NULL,
    -- JSON, or the hash of a blob of it.
    value TEXT,
    hash BLOB,
    PRIMARY KEY (tenant_id, run_id, place),
    FOREIGN KEY (tenant_id, run_id) REFERENCES runs ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- What has happened: one row a commit, a JSON list.
CREATE TABLE journal (
    tenant_id BLOB NOT NULL,
    run_id BLOB NOT NULL,
    seq INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    entries TEXT NOT NULL,
    PRIMARY KEY (tenant_id, run_id, seq),
    FOREIGN KEY (tenant_id, run_id) REFERENCES runs ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- A call that has an effect: written before it leaves, settled when it is known what became of it.
CREATE TABLE intents (
    tenant_id BLOB NOT NULL,
    run_id BLOB NOT NULL,
    place TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    key TEXT NOT NULL,
    operation TEXT NOT NULL,
    target TEXT NOT NULL,
    -- JSON: what is needed to send it, or to look for it.
    request TEXT NOT NULL,
    made_us INTEGER NOT NULL,
    settled_us INTEGER,
    verdict TEXT,
    PRIMARY KEY (tenant_id, run_id, place, attempt),
    FOREIGN KEY (tenant_id, run_id) REFERENCES runs ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
-- One at a time does the same to the same.
CREATE UNIQUE INDEX intents_active ON intents (tenant_id, operation, target) WHERE settled_us IS NULL;

-- What others tell a run; it goes when the run has taken it.
CREATE TABLE signals (
    signal_id INTEGER PRIMARY KEY,
    tenant_id BLOB NOT NULL,
    run_id BLOB NOT NULL,
    -- JSON.
    signal TEXT NOT NULL,
    made_us INTEGER NOT NULL,
    FOREIGN KEY (tenant_id, run_id) REFERENCES runs ON DELETE CASCADE
) STRICT;
CREATE INDEX signals_by_run ON signals (tenant_id, run_id);

CREATE TABLE approvals (
    tenant_id BLOB NOT NULL,
    approval_id BLOB NOT NULL,
    run_id BLOB NOT NULL,
    place TEXT NOT NULL,
    workflow_id TEXT NOT NULL,
    ask TEXT NOT NULL,
    -- A JSON list.
    roles TEXT NOT NULL,
    own INTEGER NOT NULL,
    started_by TEXT NOT NULL,
    asked_us INTEGER NOT NULL,
    ends_us INTEGER NOT NULL,
    decided_us INTEGER,
    -- approved, rejected, expired, withdrawn
    decision TEXT,
    decided_by TEXT,
    why TEXT,
    PRIMARY KEY (tenant_id, approval_id),
    FOREIGN KEY (tenant_id, run_id) REFERENCES runs ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX approvals_of_run ON approvals (tenant_id, run_id, place);
CREATE INDEX approvals_open ON approvals (asked_us) WHERE decided_us IS NULL;
