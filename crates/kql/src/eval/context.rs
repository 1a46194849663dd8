//! What one run knows: clock, bounds, and what has been worked out once.

use std::{
    cell::{Cell as Slot, RefCell},
    sync::Arc,
    time::Instant,
};

use regex::Regex;

use super::lists::KeySet;
use crate::{
    database::Database,
    error::{ErrorKind, QueryError},
    hash::FastMap,
    options::Options,
    plan::RelRef,
    table::{Arena, Column},
    value::Value,
};

/// Rows on their way.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: usize,
}

impl Batch {
    pub(crate) fn bytes(&self) -> usize {
        self.columns.iter().map(Column::bytes).sum()
    }

    pub(crate) fn slice(&self, start: usize, len: usize) -> Self {
        let columns = self.columns.iter().map(|column| column.slice(start, len)).collect();
        Self { columns, rows: len }
    }

    /// Those rows.
    pub(crate) fn pick(&self, rows: Vec<u32>) -> Self {
        let len = rows.len();
        Self { columns: crate::table::pick(&self.columns, rows), rows: len }
    }
}

/// One run.
pub(crate) struct Context<'a> {
    pub(crate) database: &'a dyn Database,
    pub(crate) options: &'a Options,
    deadline: Instant,
    held: Slot<usize>,
    random: Slot<u64>,
    regexes: RefCell<FastMap<Arc<str>, Option<Arc<Regex>>>>,
    pub(super) once: RefCell<FastMap<usize, Value>>,
    pub(super) lists: RefCell<FastMap<usize, Arc<KeySet>>>,
    pub(super) verdicts: RefCell<FastMap<(usize, usize), Verdicts>>,
    pub(crate) materialized: RefCell<FastMap<usize, Batch>>,
    pub(crate) inputs: RefCell<Vec<Option<Batch>>>,
    failure: RefCell<Option<String>>,
}

/// What a test has said about the texts of an arena: 0 nothing yet, 1 no, 2 yes.
pub(super) struct Verdicts {
    /// Kept so that no other arena can take its place in memory.
    pub(super) arena: Arc<Arena>,
    pub(super) said: Vec<u8>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(database: &'a dyn Database, options: &'a Options, slots: usize) -> Self {
        Self {
            database,
            options,
            deadline: Instant::now() + options.limits.time_max,
            held: Slot::new(0),
            random: Slot::new(options.now.cast_unsigned() | 1),
            regexes: RefCell::default(),
            once: RefCell::default(),
            lists: RefCell::default(),
            verdicts: RefCell::default(),
            materialized: RefCell::default(),
            inputs: RefCell::new(vec![None; slots]),
            failure: RefCell::default(),
        }
    }

    /// Says no once the time is over.
    pub(crate) fn tick(&self, rel: &RelRef) -> Result<(), QueryError> {
        if let Some(message) = self.failure.borrow_mut().take() {
            return Err(QueryError::new(ErrorKind::Runtime, message, rel.span));
        }
        if Instant::now() > self.deadline {
            let message = "Query exceeded the timeout period.";
            return Err(QueryError::new(ErrorKind::Timeout, message, rel.span));
        }
        Ok(())
    }

    /// The same inside an expression, with what it has made so far.
    pub(super) fn check_work(&self, bytes: usize, span: crate::error::Span) -> Result<(), QueryError> {
        if self.failure.borrow().is_none()
            && Instant::now() <= self.deadline
            && bytes <= self.options.limits.memory_bytes_max
        {
            return Ok(());
        }
        if let Some(message) = self.failure.borrow_mut().take() {
            return Err(QueryError::new(ErrorKind::Runtime, message, span));
        }
        if bytes > self.options.limits.memory_bytes_max {
            let message = "Query stopped due to excessive resource consumption.";
            return Err(QueryError::new(ErrorKind::Memory, message, span));
        }
        Err(QueryError::new(ErrorKind::Timeout, "Query exceeded the timeout period.", span))
    }

    /// Counts bytes that an operator keeps; says no beyond the bound.
    pub(crate) fn hold(&self, bytes: usize, rel: &RelRef) -> Result<(), QueryError> {
        let held = self.held.get().saturating_add(bytes);
        self.held.set(held);
        if held <= self.options.limits.memory_bytes_max {
            return Ok(());
        }
        let message = format!(
            "Query stopped. Adjust use of the {} operator to avoid excessive resource consumption.",
            rel.keyword
        );
        Err(QueryError::new(ErrorKind::Memory, message, rel.span))
    }

    /// Gives back what was held.
    pub(crate) fn release(&self, bytes: usize) {
        self.held.set(self.held.get().saturating_sub(bytes));
    }

    pub(crate) fn held(&self) -> usize {
        self.held.get()
    }

    /// Fails the run; noticed with the next batch.
    pub(crate) fn fail(&self, message: impl Into<String>) {
        self.failure.borrow_mut().get_or_insert_with(|| message.into());
    }

    /// A compiled pattern; `None`, and the run fails, where it is none.
    pub(crate) fn regex(&self, pattern: &str) -> Option<Arc<Regex>> {
        if let Some(known) = self.regexes.borrow().get(pattern) {
            return known.clone();
        }
        let compiled = regex::RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX).build().ok().map(Arc::new);
        if compiled.is_none() {
            self.fail(format!("The regular expression '{pattern}' is not valid."));
        }
        let mut regexes = self.regexes.borrow_mut();
        if regexes.len() > REGEX_COUNT_MAX {
            regexes.clear();
        }
        regexes.insert(Arc::from(pattern), compiled.clone());
        compiled
    }

    /// The next of a row of numbers that looks random and depends on the run's clock alone.
    pub(crate) fn random(&self) -> u64 {
        let mut state = self.random.get();
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.random.set(state);
        state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

const REGEX_BYTES_MAX: usize = 1 << 22;
const REGEX_COUNT_MAX: usize = 256;
