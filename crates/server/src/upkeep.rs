//! What a server does by itself: old rows go, and credentials that end soon are told of.

use std::{future::Future, time::Duration};

use jiff::{SignedDuration, Timestamp};
use sortie_store::{Freed, Retention, Scope, Store, StoreError};

use crate::App;

/// How long things are kept.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    /// Runs that have ended.
    pub runs: SignedDuration,
    /// Runs of one tenant.
    pub runs_of_a_tenant: u32,
    /// Entries of the audit log.
    pub audit: SignedDuration,
    /// Changes of the feed.
    pub changes: SignedDuration,
    /// Blobs that nothing refers to.
    pub blobs: SignedDuration,
}

impl Default for Kept {
    fn default() -> Self {
        let days = |days: i64| SignedDuration::from_hours(24 * days);
        Self { runs: days(90), runs_of_a_tenant: 100_000, audit: days(365), changes: days(7), blobs: days(1) }
    }
}

/// Lets what is old go. The audit log only where something of it is: its pruning is an entry itself.
///
/// # Errors
/// [`StoreError`]; what has gone until then is gone.
pub async fn sweep(store: &Store, kept: Kept, now: Timestamp) -> Result<(), StoreError> {
    let before = |age: SignedDuration| now.saturating_sub(age).expect("a signed duration is never a calendar span");
    let runs = store.prune_runs(before(kept.runs), kept.runs_of_a_tenant).await?;
    let oldest = store.audit_list(Scope::Every, sortie_store::AuditFilter::default(), 0, 1).await?;
    // A day's worth at a time, so that the log does not fill with its own prunings.
    let audit = before(kept.audit);
    let is_due = oldest.first().is_some_and(|entry| entry.at < audit.saturating_sub(DAY).unwrap_or(Timestamp::MIN));
    let entries = if is_due { store.prune_audit(audit).await? } else { 0 };
    let retention = Retention { changes_before: before(kept.changes), blobs_before: before(kept.blobs) };
    let Freed { changes, blobs, effects, .. } = store.sweep(retention).await?;
    tracing::info!(runs, audit = entries, changes, blobs, effects, "old rows went");
    Ok(())
}

/// Every hour, until `stop` is ready.
pub(crate) async fn keep_up(app: &App, stop: impl Future<Output = ()>) {
    let mut stop = std::pin::pin!(stop);
    let mut hours = tokio::time::interval(HOUR);
    let mut warned: Option<Timestamp> = None;
    loop {
        tokio::select! {
            () = &mut stop => return,
            _ = hours.tick() => {}
        }
        let now = app.clock.now();
        let work = async {
            sweep(&app.store, Kept::default(), now).await?;
            if warned.is_none_or(|last| now.duration_since(last) >= DAY) {
                warned = Some(now);
                warn_of_ends(&app.store, now).await?;
            }
            Ok::<_, StoreError>(())
        };
        tokio::select! {
            () = &mut stop => return,
            done = work => if let Err(error) = done {
                tracing::error!(error = %error.kind, "cannot {}", error.doing);
            },
        }
    }
}

async fn warn_of_ends(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    for connection in store.connections(Scope::Every).await? {
        for secret in store.secret_infos(Scope::Tenant(connection.tenant), connection.id).await? {
            let Some(ends) = secret.expires else { continue };
            let left = ends.duration_since(now);
            if left < SOON {
                let (name, field, days) = (&connection.name, &secret.field, left.as_hours() / 24);
                tracing::warn!(connection = %name, %field, %ends, "a credential ends in {days} days: enter a new one");
            }
        }
    }
    Ok(())
}

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: SignedDuration = SignedDuration::from_hours(24);
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);
