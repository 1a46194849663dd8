//! Incidents and alerts through HTTP against a started cloud: both shapes, filters, pages, limits, faults.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests stop at the first surprise and say what they skip"
)]

mod access;
mod accounts;
mod actions;
mod between;
mod changes;
mod cloud_apps;
mod endpoint_alerts;
mod endpoints;
mod faults;
mod hunting_acts;
mod hunting_corpus;
mod hunting_routes;
mod hunting_rows;
mod hunting_tables;
mod indicators;
mod lists;
mod machines;
mod regroup;
mod schema;
mod stage;
mod vault;
mod weaknesses;
