-- Instants are microseconds since 1970 in UTC; ids are UUIDv7 in sixteen bytes. `tenant_id` comes first everywhere.

CREATE TABLE installation (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id BLOB NOT NULL,
    -- Proves the key-encryption key; absent until the first secret.
    key_check BLOB,
    made_us INTEGER NOT NULL
) STRICT;

CREATE TABLE tenants (
    tenant_id BLOB PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    entra_id TEXT,
    cloud TEXT NOT NULL,
    made_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE data_keys (
    tenant_id BLOB NOT NULL REFERENCES tenants,
    version INTEGER NOT NULL,
    wrapped BLOB NOT NULL,
    made_us INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, version)
) STRICT, WITHOUT ROWID;

-- Descriptions of products. What belongs to `shared` is for all tenants.
CREATE TABLE connectors (
    tenant_id BLOB NOT NULL REFERENCES tenants,
    connector_id TEXT NOT NULL,
    title TEXT NOT NULL,
    -- The file or address that it was imported from.
    origin TEXT NOT NULL,
    -- Of the description, before edits.
    content_hash TEXT NOT NULL,
    -- JSON, as the importer wrote it.
    description TEXT NOT NULL,
    -- A JSON object of what was changed by hand; it outlives a new import.
    edits TEXT NOT NULL,
    version INTEGER NOT NULL,
    made_us INTEGER NOT NULL,
    changed_us INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, connector_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE connections (
    tenant_id BLOB NOT NULL REFERENCES tenants,
    connection_id BLOB NOT NULL,
    name TEXT NOT NULL,
    connector TEXT NOT NULL,
    base_url TEXT NOT NULL,
    token_url TEXT,
    -- JSON lists, sorted.
    allowed_hosts TEXT NOT NULL,
    destinations TEXT NOT NULL,
    -- A JSON object without secrets.
    settings TEXT NOT NULL,
    version INTEGER NOT NULL,
    made_us INTEGER NOT NULL,
    changed_us INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, connection_id),
    UNIQUE (tenant_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE secrets (
    tenant_id BLOB NOT NULL,
    connection_id BLOB NOT NULL,
    field TEXT NOT NULL,
    key_version INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    entered_us INTEGER NOT NULL,
    expires_us INTEGER,
    PRIMARY KEY (tenant_id, connection_id, field),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, key_version) REFERENCES data_keys
) STRICT, WITHOUT ROWID;

-- What would break if the connection went away: workflows, schedules and so on.
CREATE TABLE connection_uses (
    tenant_id BLOB NOT NULL,
    connection_id BLOB NOT NULL,
    used_by TEXT NOT NULL,
    PRIMARY KEY (tenant_id, connection_id, used_by),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections
) STRICT, WITHOUT ROWID;

CREATE TABLE nodes (
    node_id BLOB PRIMARY KEY,
    name TEXT NOT NULL,
    started_us INTEGER NOT NULL,
    renewed_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE leases (
    tenant_id BLOB NOT NULL REFERENCES tenants,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    node_id BLOB,
    epoch INTEGER NOT NULL,
    until_us INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, kind, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX leases_by_end ON leases (kind, until_us);

CREATE TABLE blobs (
    tenant_id BLOB NOT NULL REFERENCES tenants,
    hash BLOB NOT NULL,
    bytes INTEGER NOT NULL,
    made_us INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE blob_chunks (
    tenant_id BLOB NOT NULL,
    hash BLOB NOT NULL,
    at INTEGER NOT NULL,
    content BLOB NOT NULL,
    UNIQUE (tenant_id, hash, at),
    FOREIGN KEY (tenant_id, hash) REFERENCES blobs ON DELETE CASCADE
) STRICT;

-- Who still needs a blob; one without a row here is swept.
CREATE TABLE blob_uses (
    tenant_id BLOB NOT NULL,
    hash BLOB NOT NULL,
    used_by TEXT NOT NULL,
    PRIMARY KEY (tenant_id, hash, used_by),
    FOREIGN KEY (tenant_id, hash) REFERENCES blobs
) STRICT, WITHOUT ROWID;

-- The number is one above the last one's, so the last one is never pruned.
CREATE TABLE changes (
    seq INTEGER PRIMARY KEY,
    tenant_id BLOB NOT NULL,
    kind TEXT NOT NULL,
    object TEXT NOT NULL,
    at_us INTEGER NOT NULL
) STRICT;

CREATE TABLE kept_values (
    tenant_id BLOB NOT NULL REFERENCES tenants,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    version INTEGER NOT NULL,
    expires_us INTEGER,
    PRIMARY KEY (tenant_id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX kept_values_by_end ON kept_values (expires_us) WHERE expires_us IS NOT NULL;
