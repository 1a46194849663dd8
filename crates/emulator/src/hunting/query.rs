//! One query from a request to its answer, the same for all three APIs.

use std::time::{Duration, Instant};

use sortie_kql::{Answer, ErrorKind, Limits, Options, QueryError, Window};

use super::{
    answer::{Style, TooLarge, table_json},
    store::{Scope, View},
};
use crate::{cloud::App, world::Ticks};

/// What an API lets a query have.
#[derive(Debug)]
pub(super) struct Terms {
    pub style: Style,
    pub scope: Scope,
    pub is_endpoint: bool,
    pub time_max: Duration,
    /// A larger answer is refused; unlike one of too many rows, of which the first ones are answered.
    pub answer_bytes_max: usize,
}

/// A query that was run.
pub(super) struct Outcome {
    /// Schema and results as JSON, without the braces around them.
    pub json: Vec<u8>,
    pub rows: usize,
    pub took: Duration,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    Query(QueryError),
    /// The answer is too large to be sent.
    TooLarge,
    /// The tenant's share of processing is used up for that long.
    Cpu(Ticks),
    Unexpected,
}

/// Runs a query on the tables of a tenant, within that window of time or the last 30 days.
pub(super) async fn run(
    app: &App,
    tenant: &str,
    text: String,
    window: Option<(Ticks, Ticks)>,
    terms: &'static Terms,
) -> Result<Outcome, Failure> {
    let now = Ticks::from(app.clock.now());
    app.hunting.check_cpu(tenant, terms.is_endpoint, now).map_err(Failure::Cpu)?;
    let settings = app.hunting.settings();
    let (start, end) = window.unwrap_or((now.plus_s(-REACH_S), now));
    let documented = Limits::default();
    let limits = Limits {
        // "The results include a maximum of 100,000 rows" and "can return up to 100,000 rows", say the pages of the two
        // older APIs: what is beyond is left out, and nothing in the answer tells. Graph is taken to do the same (G).
        rows_max: settings.rows_max.unwrap_or(documented.rows_max),
        answer_bytes_max: settings.answer_bytes_max.unwrap_or(terms.answer_bytes_max),
        time_max: settings.time_ms_max.map_or(terms.time_max, Duration::from_millis),
        ..documented
    };
    let options = Options {
        now: now.since_year_one(),
        // Kusto's windows are open at their end; the service's are not said to be (G).
        window: Some(Window {
            column: "Timestamp".to_owned(),
            start: start.since_year_one(),
            end: end.since_year_one().saturating_add(1),
        }),
        limits,
    };
    let view = View { app: App::clone(app), tenant: tenant.to_owned(), scope: terms.scope };
    let (style, bytes_max) = (terms.style, limits.answer_bytes_max);
    let begun = Instant::now();
    let worked = tokio::task::spawn_blocking(move || {
        let answer = sortie_kql::run(&text, &view, &options).map_err(Failure::Query)?;
        written(&answer, style, bytes_max)
    });
    let worked = worked.await;
    let took = begun.elapsed();
    app.hunting.charge(tenant, terms.is_endpoint, now, took);
    let (json, rows) = worked.unwrap_or(Err(Failure::Unexpected))?;
    Ok(Outcome { json, rows, took })
}

fn written(answer: &Answer, style: Style, bytes_max: usize) -> Result<(Vec<u8>, usize), Failure> {
    let table = answer.table();
    let json = table_json(table, style, bytes_max).map_err(|TooLarge| Failure::TooLarge)?;
    Ok((json, table.len()))
}

impl Failure {
    /// The sentence of the service. Those of size, time and share are documented (reference `hunting-limits.md`).
    pub(super) fn message(&self, is_endpoint: bool) -> String {
        let too_large = if is_endpoint { ENDPOINT_SIZE } else { SIZE };
        match self {
            Self::Query(error) => match error.kind {
                ErrorKind::ResultSize if error.message == ENDPOINT_SIZE => too_large.to_owned(),
                // What is wrong at which place stands behind the sentence, as the portal shows it (G).
                ErrorKind::Syntax => {
                    let place = format!("Line {}, column {}", error.line, error.column);
                    let detail = error.detail.trim_end_matches('.');
                    if detail.is_empty() {
                        format!("{} {place}. Fix syntax errors in your query.", error.message)
                    } else {
                        format!("{} {detail}. {place}. Fix syntax errors in your query.", error.message)
                    }
                }
                _ => error.to_string(),
            },
            Self::TooLarge => too_large.to_owned(),
            Self::Cpu(wait) => cpu_message(*wait),
            Self::Unexpected => UNEXPECTED.to_owned(),
        }
    }
}

/// How the time is spelled was not seen (G).
pub(super) fn cpu_message(wait: Ticks) -> String {
    let minutes = minutes(wait);
    let unit = if minutes == 1 { "minute" } else { "minutes" };
    format!(
        "You have exceeded processing resources allocated to this tenant. You can run queries again in {minutes} {unit}."
    )
}

fn minutes(wait: Ticks) -> i64 {
    (wait.0.max(1) - 1).div_euclid(Ticks(0).plus_s(60).0) + 1
}

pub(super) const TIMEOUT: &str = "Query exceeded the timeout period.";
/// The end of the sentence was not read (G).
pub(super) const SIZE: &str =
    "Result size limit exceeded. Use summarize, project or take to reduce the number of results.";
pub(super) const ENDPOINT_SIZE: &str = "Query execution has exceeded the allowed result size. Optimize your query by limiting the number of results and try again";
const UNEXPECTED: &str = "An unexpected error occurred during query execution. Please try again in a few minutes.";
const REACH_S: i64 = 30 * 86_400;
