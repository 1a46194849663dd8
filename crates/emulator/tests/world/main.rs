//! Incidents and alerts through HTTP against a started cloud: both shapes, filters, pages, limits, faults.

mod access;
mod changes;
mod faults;
mod lists;
mod schema;
mod stage;
