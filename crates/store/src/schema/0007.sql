-- What each commit of a run adds stands in the order in which it came, so that runs that are committed together share pages.
-- The commit finds its run in the same transaction, and whoever deletes a run deletes these with it: nothing else refers.

ALTER TABLE run_values RENAME TO former_run_values;
CREATE TABLE run_values (
    tenant_id BLOB NOT NULL,
    run_id BLOB NOT NULL,
    -- Step and items, such as `0[2].3`; with `#list` the list of a loop.
    place TEXT NOT NULL,
    -- JSON, or the hash of a blob of it.
    value TEXT,
    hash BLOB,
    PRIMARY KEY (tenant_id, run_id, place)
) STRICT;
INSERT INTO run_values (tenant_id, run_id, place, value, hash)
    SELECT tenant_id, run_id, place, value, hash FROM former_run_values;
DROP TABLE former_run_values;

ALTER TABLE journal RENAME TO former_journal;
CREATE TABLE journal (
    tenant_id BLOB NOT NULL,
    run_id BLOB NOT NULL,
    seq INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    entries TEXT NOT NULL,
    PRIMARY KEY (tenant_id, run_id, seq)
) STRICT;
INSERT INTO journal (tenant_id, run_id, seq, at_us, entries)
    SELECT tenant_id, run_id, seq, at_us, entries FROM former_journal;
DROP TABLE former_journal;

-- Open runs are found by `runs_open_by_id`: a few, and those who want all of them sort them.
DROP INDEX runs_open;
