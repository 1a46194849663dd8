-- Descriptions of connectors that runs have begun on and that may be in force no more.

CREATE TABLE connector_versions (
    tenant_id BLOB NOT NULL REFERENCES tenants,
    connector_id TEXT NOT NULL,
    -- SHA-256 of the description's own hash and of what was changed by hand.
    version TEXT NOT NULL,
    title TEXT NOT NULL,
    origin TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    description TEXT NOT NULL,
    edits TEXT NOT NULL,
    -- When it was last known to be in force.
    kept_us INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, connector_id, version)
) STRICT, WITHOUT ROWID;
