//! The feed of changes, as server-sent events (HTML Living Standard, section 9.2). The id of an event is the place to go on
//! after; whoever reads too slowly is cut off, and loses nothing by that.
//!
//! Events are read from the database when the connection can take them, so a reader costs no memory however slow it is.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, header};
use serde_json::json;
use sortie_store::{Change, Feed, Scope, Store, Tenant, TenantKey};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::Instant,
};

use crate::{Problem, request::Request};

/// `GET /api/v1/changes`
pub(crate) async fn feed(request: Request) -> Result<Response, Problem> {
    let permit = Arc::clone(&request.shared.feeds).try_acquire_owned();
    let permit = permit.map_err(|_| Problem::busy("as many read the feed of changes as may"))?;
    let store = request.shared.app.store.clone();
    // Before the first look, so that nothing falls in between.
    let grown = store.watch_changes();
    let mut queued = VecDeque::from([Bytes::from_static(b"retry: 2000\n\n")]);
    let place = match place(&request)? {
        Some(place) => place,
        None => {
            let last = last(&store).await?;
            queued.push_back(Bytes::from(format!("id: {last}\nevent: ready\ndata: {{}}\n\n")));
            last
        }
    };
    let bounds = request.shared.app.options.bounds;
    let reader = Reader {
        store,
        grown,
        stop: request.shared.stop.subscribe(),
        scopes: request.granted.scopes,
        tenants: request.granted.tenants,
        place,
        queued,
        heartbeat: bounds.heartbeat,
        ends: Instant::now() + bounds.feed,
        _permit: permit,
    };
    let events = stream::unfold(reader, |mut reader| async move {
        let next = reader.next().await?;
        Some((Ok::<_, std::convert::Infallible>(next), reader))
    });
    let mut response = Response::new(Body::from_stream(events));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // A proxy that gathers answers would keep the news to itself.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// Where a reader goes on: what its last event said goes before what the address says, for a browser repeats the address.
fn place(request: &Request) -> Result<Option<i64>, Problem> {
    let header = request.headers.get("last-event-id").map(|value| value.to_str().unwrap_or_default());
    let Some(text) = header.or(request.query("after")) else { return Ok(None) };
    let found = text.parse().ok().filter(|place: &i64| *place >= 0).map(Some);
    found.ok_or_else(|| Problem::request("the place in the feed is none", "Give the `id` of the last event."))
}

async fn last(store: &Store) -> Result<i64, Problem> {
    match store.changes(Scope::Tenant(TenantKey::SHARED), i64::MAX, 1).await? {
        Feed::Reset(last) => Ok(last),
        Feed::Changes(_) => Err(Problem::fault()),
    }
}

struct Reader {
    store: Store,
    grown: watch::Receiver<()>,
    stop: watch::Receiver<bool>,
    scopes: Vec<Scope>,
    tenants: Vec<Tenant>,
    place: i64,
    queued: VecDeque<Bytes>,
    heartbeat: Duration,
    ends: Instant,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    /// What goes out next; `None` where the reader must come again.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(event) = self.queued.pop_front() {
                return Some(event);
            }
            if Instant::now() >= self.ends || *self.stop.borrow() {
                return None;
            }
            self.grown.mark_unchanged();
            match self.store.changes(Scope::Every, self.place, PAGE_LEN).await {
                Ok(Feed::Reset(last)) => {
                    self.place = last;
                    return Some(Bytes::from(format!("id: {last}\nevent: reset\ndata: {{}}\n\n")));
                }
                Ok(Feed::Changes(changes)) if !changes.is_empty() => self.queue(&changes),
                Ok(Feed::Changes(_)) => {
                    let wait = self.heartbeat.min(self.ends - Instant::now());
                    tokio::select! {
                        grown = self.grown.changed() => grown.ok()?,
                        stopped = self.stop.changed() => stopped.ok()?,
                        () = tokio::time::sleep(wait) => return Some(Bytes::from_static(b": alive\n\n")),
                    }
                }
                Err(error) => {
                    tracing::error!(error = %error.kind, "the feed of changes cannot be read");
                    return None;
                }
            }
        }
    }

    fn queue(&mut self, changes: &[Change]) {
        for change in changes {
            self.place = change.seq;
            if self.may_see(change) {
                self.queued.push_back(self.event(change));
            }
        }
    }

    /// Its own tenants' changes, and of what is for all what it can use.
    fn may_see(&self, change: &Change) -> bool {
        let is_for_all = change.tenant == TenantKey::SHARED && SHARED_KINDS.contains(&&*change.kind);
        is_for_all
            || self.scopes.iter().any(|scope| matches!(scope, Scope::Every) || *scope == Scope::Tenant(change.tenant))
    }

    fn event(&self, change: &Change) -> Bytes {
        let tenant = self.tenants.iter().find(|tenant| tenant.key == change.tenant);
        let tenant = tenant.map_or_else(|| change.tenant.to_string(), |tenant| tenant.name.clone());
        let data =
            json!({ "kind": change.kind, "object": change.object, "tenant": tenant, "at": change.at.to_string() });
        Bytes::from(format!("id: {}\nevent: change\ndata: {data}\n\n", change.seq))
    }
}

/// Changes that are looked at at once.
const PAGE_LEN: u32 = 200;
const SHARED_KINDS: &[&str] = &["workflow", "connector", "guardrail"];
