-- Webhooks: what proves their senders, and which requests were taken.

-- One of a workflow and tenant has no end; the one before it may live on for a while.
CREATE TABLE hook_secrets (
    tenant_id BLOB NOT NULL REFERENCES tenants,
    workflow_id TEXT NOT NULL,
    -- Counted from 1, and never twice while another of them is there.
    number INTEGER NOT NULL,
    key_version INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    made_us INTEGER NOT NULL,
    ends_us INTEGER,
    PRIMARY KEY (tenant_id, workflow_id, number)
) STRICT, WITHOUT ROWID;

-- Signed requests of the last quarter of an hour: each is taken once, whatever stands around what it signs.
CREATE TABLE hook_requests (
    tenant_id BLOB NOT NULL REFERENCES tenants,
    workflow_id TEXT NOT NULL,
    proof BLOB NOT NULL,
    run_id BLOB NOT NULL,
    at_us INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, workflow_id, proof)
) STRICT, WITHOUT ROWID;
CREATE INDEX hook_requests_by_age ON hook_requests (at_us);
