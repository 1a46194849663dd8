//! A continuous stream of changed incidents or alerts: nothing lost, nothing twice, resumable after a kill.
//!
//! Every round reads what changed since the watermark less an overlap, for the services show some objects minutes after
//! their own update time. What was handed on is known by id and version, so the overlap repeats nothing. Changes and
//! cursor are committed together, page by page; the watermark moves only when a round is complete, so that a page that was
//! missed in the middle is read again. It never passes our own clock: one object dated into the future would hide all
//! that comes after it.
//!
//! Graph sorts by the time of change. The XDR list can't, so it is read in closed windows that are divided while a page
//! comes back full.

use std::{collections::BTreeMap, io, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use jiff::{RoundMode, SignedDuration, Timestamp, TimestampRound, Unit};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    AlertFilter, Api, Defender, Document, IncidentFilter, Note, Pages, Status,
    document::{instant, text},
    error::DefenderError,
};

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Watched {
    /// Incidents through Graph.
    Incidents,
    /// Incidents with their alerts through Graph.
    IncidentsWithAlerts,
    /// Incidents through Defender XDR, which brings the alerts along.
    XdrIncidents,
    /// Alerts through Graph.
    Alerts,
}

/// A place in the stream. It is kept by the reader and given back after a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchCursor {
    format: u32,
    watched: Watched,
    /// Everything that changed before it has been handed on, but for what shows later than the overlap.
    watermark: Timestamp,
    /// What was handed on, by id, as far back as the overlap reaches.
    seen: BTreeMap<String, Seen>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    version: String,
    at: Timestamp,
}

/// One object that is new or has changed.
#[derive(Clone, Debug)]
pub struct Changed {
    /// What happened to it.
    pub kind: ChangeKind,
    /// Its id; a digest of its text where it has none.
    pub id: String,
    /// Its time of change as the service spelled it; with the id it names this change for ever.
    pub version: String,
    /// The object as it is now.
    pub document: Document,
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was made since the last round.
    Created,
    /// Something of it changed.
    Updated,
    /// It was merged into another incident, which carries on.
    Merged,
}

impl ChangeKind {
    /// In one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Merged => "merged",
        }
    }
}

/// Keeps changes and cursor; both or none of them outlive a crash.
pub trait Commit {
    /// Makes the changes and the place after them durable.
    ///
    /// # Errors
    /// When they could not be kept; the round ends and begins again from the place before.
    fn commit(&mut self, changes: &[Changed], cursor: &WatchCursor) -> io::Result<()>;
}

/// A round that ended early.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The service could not be read.
    #[error(transparent)]
    Defender(DefenderError),
    /// The reader could not keep what came.
    #[error("the changes cannot be written")]
    Commit(#[source] io::Error),
}

/// One complete look at what changed.
#[derive(Debug, Default)]
pub struct Round {
    /// Changes handed on.
    pub changes: u64,
    /// What the reader should know, though nothing was lost.
    pub notes: Vec<Note>,
}

impl WatchCursor {
    /// A stream of what changes from `since` on.
    pub fn start(watched: Watched, since: Timestamp) -> Self {
        Self { format: 1, watched, watermark: since, seen: BTreeMap::new() }
    }

    /// What it is about.
    pub fn watched(&self) -> Watched {
        self.watched
    }

    /// Up to when everything has been handed on.
    pub fn watermark(&self) -> Timestamp {
        self.watermark
    }
}

impl Defender {
    /// Reads once what changed since the cursor and commits it page by page.
    ///
    /// # Errors
    /// [`WatchError`]; the cursor then stands after the last page that was committed, and the next round reads the rest.
    pub async fn watch_round(
        &self,
        cursor: &mut WatchCursor,
        overlap: Duration,
        commit: &mut dyn Commit,
    ) -> Result<Round, WatchError> {
        let started = self.now();
        let overlap = SignedDuration::try_from(overlap).unwrap_or(SignedDuration::MAX);
        let mut round = OpenRound {
            lower: before(cursor.watermark, overlap),
            latest: cursor.watermark,
            cursor,
            commit,
            done: Round::default(),
        };
        match round.cursor.watched {
            Watched::XdrIncidents => self.read_windows(&mut round, started).await?,
            _ => {
                let pages = self.changed_since(round.cursor.watched, round.lower);
                round.take_pages(pages.map_err(WatchError::Defender)?, started).await?;
            }
        }
        round.close(started, overlap)
    }

    fn changed_since(&self, watched: Watched, lower: Timestamp) -> Result<Pages<'_>, DefenderError> {
        let with_alerts = watched == Watched::IncidentsWithAlerts;
        match watched {
            Watched::Alerts => {
                let filter = AlertFilter { updated_since: Some(lower), ..AlertFilter::default() };
                Ok(self.alerts(&filter).oldest_change_first())
            }
            _ => {
                let filter = IncidentFilter { updated_since: Some(lower), with_alerts, ..IncidentFilter::default() };
                Ok(self.incidents(Api::Graph, &filter)?.oldest_change_first())
            }
        }
    }

    /// Windows from the oldest to the newest; what changes while they are read lands in the next round's.
    async fn read_windows(&self, round: &mut OpenRound<'_>, started: Timestamp) -> Result<(), WatchError> {
        let mut windows = vec![(round.lower, started)];
        while let Some((from, to)) = windows.pop() {
            let filter =
                IncidentFilter { updated_since: Some(from), updated_before: Some(to), ..IncidentFilter::default() };
            let mut pages = self.incidents(Api::Xdr, &filter).map_err(WatchError::Defender)?;
            let length = to.duration_since(from);
            if length <= WINDOW_MIN {
                round.take_pages(pages, started).await?;
                continue;
            }
            let page = pages.next().await.map_err(WatchError::Defender)?.unwrap_or_default();
            if page.len() < XDR_PAGE {
                round.done.notes.extend(pages.notes());
                round.take(page, started)?;
                continue;
            }
            let border = border(&page, from, to);
            windows.push((border, to));
            windows.push((from, border));
        }
        Ok(())
    }
}

/// A round on its way.
struct OpenRound<'a> {
    lower: Timestamp,
    latest: Timestamp,
    cursor: &'a mut WatchCursor,
    commit: &'a mut dyn Commit,
    done: Round,
}

impl OpenRound<'_> {
    async fn take_pages(&mut self, mut pages: Pages<'_>, started: Timestamp) -> Result<(), WatchError> {
        loop {
            let page = pages.next().await.map_err(WatchError::Defender)?;
            self.done.notes.extend(pages.notes());
            let Some(page) = page else { return Ok(()) };
            self.take(page, started)?;
        }
    }

    fn take(&mut self, page: Vec<Document>, started: Timestamp) -> Result<(), WatchError> {
        let (mut changes, mut replaced) = (Vec::new(), Vec::new());
        for document in page {
            let value = document.to_value();
            let id = text(&value, &["id", "incidentId"]).unwrap_or_else(|| digest_of(&document));
            let version = text(&value, UPDATED).unwrap_or_else(|| digest_of(&document));
            let at = instant(&value, UPDATED).unwrap_or(started);
            self.latest = self.latest.max(at);
            let known = self.cursor.seen.get(&id);
            // An older version comes from a copy of the service's data that lags behind.
            if known.is_some_and(|seen| seen.version == version || seen.at > at) {
                continue;
            }
            let kind = self.kind_of(&value, known.is_some());
            let before = self.cursor.seen.insert(id.clone(), Seen { version: version.clone(), at });
            replaced.push((id.clone(), before));
            changes.push(Changed { kind, id, version, document });
        }
        if changes.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.commit.commit(&changes, self.cursor) {
            self.take_back(replaced);
            return Err(WatchError::Commit(error));
        }
        self.done.changes += changes.len() as u64;
        Ok(())
    }

    /// What could not be kept was not handed on.
    fn take_back(&mut self, replaced: Vec<(String, Option<Seen>)>) {
        for (id, before) in replaced.into_iter().rev() {
            match before {
                Some(seen) => self.cursor.seen.insert(id, seen),
                None => self.cursor.seen.remove(&id),
            };
        }
    }

    fn kind_of(&self, value: &Value, was_seen: bool) -> ChangeKind {
        if Status::read(&value["status"]) == Some(Status::Redirected) {
            return ChangeKind::Merged;
        }
        let created = instant(value, &["createdDateTime", "createdTime"]);
        match !was_seen && created.is_some_and(|created| created >= self.lower) {
            true => ChangeKind::Created,
            false => ChangeKind::Updated,
        }
    }

    /// Moves the watermark and forgets what the overlap does not reach any more.
    fn close(self, started: Timestamp, overlap: SignedDuration) -> Result<Round, WatchError> {
        let watermark = self.latest.min(started).max(self.cursor.watermark);
        let reach = before(watermark, overlap);
        let known = self.cursor.seen.len();
        self.cursor.seen.retain(|_, seen| seen.at >= reach);
        if watermark != self.cursor.watermark || known != self.cursor.seen.len() {
            self.cursor.watermark = watermark;
            self.commit.commit(&[], self.cursor).map_err(WatchError::Commit)?;
        }
        Ok(self.done)
    }
}

impl WatchError {
    /// Whether the next round may fare better without anybody's help.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Defender(error) => error.may_pass(),
            Self::Commit(_) => true,
        }
    }
}

/// Where to divide a window that gave a full page: in the middle of what came, so that a burst of changes is surrounded
/// in a few calls, however long the window was.
fn border(page: &[Document], from: Timestamp, to: Timestamp) -> Timestamp {
    let mut times: Vec<Timestamp> = page.iter().filter_map(|one| instant(&one.to_value(), UPDATED)).collect();
    times.sort();
    let whole = TimestampRound::new().smallest(Unit::Millisecond).mode(RoundMode::Floor);
    let middle = times.get(times.len() / 2).map(|at| at.round(whole).unwrap_or(*at));
    match middle {
        Some(at) if at > from && at < to => at,
        // The middle of the changes is the start of the window.
        Some(at) if at <= from => from + WINDOW_MIN,
        _ => from + to.duration_since(from) / 2,
    }
}

fn before(at: Timestamp, span: SignedDuration) -> Timestamp {
    at.checked_sub(span).unwrap_or(Timestamp::MIN)
}

fn digest_of(document: &Document) -> String {
    let hash = digest(&SHA256, document.as_str().as_bytes());
    hash.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

const UPDATED: &[&str] = &["lastUpdateDateTime", "lastUpdateTime"];
/// A page of this length may have lost the rest; the documented size of the XDR list.
const XDR_PAGE: usize = 100;
/// Shorter windows are read with `$skip`: so many changes in a millisecond are one batch of the service's.
const WINDOW_MIN: SignedDuration = SignedDuration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_divided_where_the_changes_are() {
        let page = |times: &[&str]| -> Vec<Document> {
            times.iter().map(|at| Document::new(&format!(r#"{{"lastUpdateTime":"2026-11-22T{at}Z"}}"#))).collect()
        };
        #[track_caller]
        fn check(page: &[Document], from: &str, to: &str, expected: &str) {
            let [from, to, expected] = [from, to, expected].map(|at| format!("2026-11-22T{at}Z").parse().unwrap());
            let border = border(page, from, to);
            assert_eq!(border, expected);
            assert!(from < border && border < to);
        }
        check(&page(&["01:00:00", "03:00:00", "02:00:00"]), "00:00:00", "12:00:00", "02:00:00");
        // A burst: surrounded from both sides.
        check(&page(&["02:00:00.0004"; 3]), "00:00:00", "12:00:00", "02:00:00");
        check(&page(&["02:00:00.0009"; 3]), "00:00:00", "02:00:00.001", "02:00:00");
        check(&page(&["02:00:00.0009"; 3]), "02:00:00", "12:00:00", "02:00:00.001");
        // Without times, or with times outside, the window is halved.
        check(&[], "00:00:00", "12:00:00", "06:00:00");
        check(&page(&["13:00:00"]), "00:00:00", "12:00:00", "06:00:00");
    }
}
