-- People and programs that act here, what they did, and what no effect may pass by.

CREATE TABLE principals (
    principal_id BLOB PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    -- Since when it may do nothing.
    disabled_us INTEGER,
    made_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE grants (
    principal_id BLOB NOT NULL REFERENCES principals ON DELETE CASCADE,
    role TEXT NOT NULL CHECK (role IN ('viewer', 'responder', 'engineer', 'admin')),
    -- Absent for all tenants.
    tenant_id BLOB REFERENCES tenants
) STRICT;
CREATE UNIQUE INDEX grants_once ON grants (principal_id, role, coalesce(tenant_id, x''));

-- A token is 32 random bytes; only their hash is kept.
CREATE TABLE tokens (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
    principal_id BLOB NOT NULL REFERENCES principals ON DELETE CASCADE,
    name TEXT NOT NULL,
    -- Its first characters, by which people tell it from others.
    prefix TEXT NOT NULL UNIQUE,
    made_us INTEGER NOT NULL,
    expires_us INTEGER,
    -- Days since 1970: a finer one would be a write for each call.
    used_day INTEGER,
    UNIQUE (principal_id, name)
) STRICT, WITHOUT ROWID;

-- Names stand as text and refer to nothing, so that an entry outlives whom and what it is about.
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at_us INTEGER NOT NULL,
    actor_id TEXT NOT NULL,
    actor_name TEXT NOT NULL,
    actor_kind TEXT NOT NULL,
    tenant_id BLOB NOT NULL,
    tenant_name TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    -- A JSON object without secrets.
    detail TEXT NOT NULL,
    -- Of a pruning alone: entries from before it went.
    pruned_before_us INTEGER
) STRICT;
CREATE INDEX audit_by_tenant ON audit (tenant_id, seq);
CREATE INDEX audit_prunings ON audit (seq) WHERE pruned_before_us IS NOT NULL;

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

-- Only what a later entry says to be pruned may go.
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
WHEN NOT EXISTS (SELECT 1 FROM audit later WHERE later.seq > OLD.seq AND later.pruned_before_us > OLD.at_us)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

-- `INSERT OR REPLACE` deletes without a trigger.
CREATE TRIGGER audit_is_not_replaced BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit present WHERE present.seq = NEW.seq)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

-- What belongs to `shared` holds for all tenants.
CREATE TABLE guardrails (
    tenant_id BLOB PRIMARY KEY REFERENCES tenants,
    -- A JSON list of rules, `device-name:dc-*`.
    protected TEXT NOT NULL,
    -- A JSON object: effects in an hour by `connector/operation`.
    ceilings TEXT NOT NULL,
    observe INTEGER NOT NULL CHECK (observe IN (0, 1)),
    held_us INTEGER,
    held_by TEXT,
    held_why TEXT,
    changed_us INTEGER NOT NULL,
    CHECK ((held_us IS NULL) = (held_by IS NULL) AND (held_us IS NULL) = (held_why IS NULL))
) STRICT, WITHOUT ROWID;

-- What was admitted in the last day. One reference counts once for what it does to one target.
CREATE TABLE effects (
    tenant_id BLOB NOT NULL REFERENCES tenants,
    reference TEXT NOT NULL,
    operation TEXT NOT NULL,
    target TEXT NOT NULL,
    undoes INTEGER NOT NULL CHECK (undoes IN (0, 1)),
    door TEXT NOT NULL CHECK (door IN ('run', 'call', 'device')),
    at_us INTEGER NOT NULL,
    -- Counts those of an operation that undo nothing, so that the one a ceiling ago is found without counting.
    number INTEGER,
    PRIMARY KEY (tenant_id, reference, operation, target, undoes)
) STRICT, WITHOUT ROWID;
CREATE INDEX effects_by_number ON effects (tenant_id, operation, number);
