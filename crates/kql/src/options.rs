//! What the host says about one run: the clock, the window of time, the bounds.

use std::time::Duration;

/// How a query is run.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// What `now()` gives, in ticks of 100 ns since 0001-01-01 UTC (see `ticks_of`).
    pub now: i64,
    /// Rows of a host's table outside this window do not exist for the query.
    pub window: Option<Window>,
    /// The bounds.
    pub limits: Limits,
}

/// A window of time on the tables of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The column that it goes by, an alias counts; tables without it are not narrowed.
    pub column: String,
    /// First tick.
    pub start: i64,
    /// First tick behind it.
    pub end: i64,
}

/// What one query may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Rows of the answer; those behind them are left out without a word, as the hunting APIs do.
    pub rows_max: usize,
    /// Bytes of the answer, about; a larger one is an error.
    pub answer_bytes_max: usize,
    /// Bytes that operators may hold at one time, about.
    pub memory_bytes_max: usize,
    /// Wall-clock time.
    pub time_max: Duration,
}

impl Default for Limits {
    /// The published bounds of the hunting API: 100,000 rows, 50 MB, 3 minutes; and a gibibyte to work in.
    fn default() -> Self {
        Self {
            rows_max: 100_000,
            answer_bytes_max: 50_000_000,
            memory_bytes_max: 1 << 30,
            time_max: Duration::from_secs(180),
        }
    }
}
