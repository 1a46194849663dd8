-- Lists of runs, the latest first, without a look at those that are not wanted.

CREATE INDEX runs_open_by_id ON runs (tenant_id, run_id) WHERE ended_us IS NULL;
CREATE INDEX runs_by_workflow ON runs (tenant_id, workflow_id, run_id);
CREATE INDEX runs_by_outcome ON runs (tenant_id, outcome, run_id) WHERE outcome IS NOT NULL;
CREATE INDEX runs_about ON runs (tenant_id, object, run_id) WHERE object IS NOT NULL;
