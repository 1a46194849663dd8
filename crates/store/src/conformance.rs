//! What every store promises, as tests over an open one: a driver's tests run each of [`PROMISES`] on a fresh store.
#![expect(clippy::missing_panics_doc, reason = "a panic is how the suite says no")]
#![expect(clippy::unwrap_used, reason = "a panic is how the suite says no")]

mod effects;
mod hooks;
mod people;
mod rows;
mod runs;

use std::{future::Future, pin::Pin, sync::Arc};

use jiff::SignedDuration;
use serde_json::json;
use sortie_model::{Clock as _, ManualClock, Secret};

pub use rows::{FullDisk, LockedOut, copy_run, dump_run, restore_run, row_counts, spoil_run};

use self::{
    effects::{
        a_ceiling_counts_a_reference_once_and_ends_with_the_hour,
        guardrails_hold_where_they_were_set_and_shared_ones_everywhere, many_at_once_do_not_pass_a_ceiling,
        protection_gives_way_to_a_second_approval_and_to_an_undo,
        the_ledger_forgets_what_is_a_day_old_and_nothing_else,
    },
    hooks::{
        a_hooks_secret_is_its_tenants_own_and_lives_an_hour_beyond_its_successor,
        a_signed_request_starts_one_run_whatever_stands_around_it,
    },
    people::{
        a_token_acts_for_its_user_until_it_ends, a_user_has_one_name_and_its_roles_where_they_were_granted,
        old_audit_entries_go_and_the_log_says_so, the_audit_log_tells_who_did_what_in_each_scope,
        what_a_tenant_owned_goes_with_it_and_its_history_stays, whoever_was_not_granted_it_changes_nothing,
    },
    runs::a_run_is_taken_up_as_it_was_ordered_and_as_it_stands,
};
use crate::{
    BlobHash, Connection, Feed, Keyring, LeaseSubject, MasterKey, NewConnection, NewConnector, Retention, Scope, Store,
    StoreError, StoreErrorKind, TenantKey, error::KeyProblem, master_key::SealingKey,
};

/// A fresh store with the clock that it follows.
pub struct Stage {
    /// Empty but for the shared tenant.
    pub store: Store,
    /// Moves only when told.
    pub clock: ManualClock,
}

type Promise = fn(Stage) -> Pin<Box<dyn Future<Output = ()> + Send>>;

macro_rules! promises { ($($name:ident),+ $(,)?) => {
    /// Every promise with its name.
    pub const PROMISES: &[(&str, Promise)] = &[$((stringify!($name), |stage| Box::pin($name(stage)))),+];
} }

promises![
    tenants_have_one_name_each_and_go_only_when_they_own_nothing,
    one_tenant_never_sees_another,
    a_change_names_the_version_that_it_saw,
    a_secret_goes_with_the_addresses_that_it_was_entered_for,
    a_connection_that_is_used_stays,
    a_connector_keeps_its_edits_and_stays_while_it_is_used,
    only_the_first_key_opens_the_secrets,
    rotation_keeps_every_secret_and_ends_the_old_key,
    a_lease_has_one_holder_and_an_earlier_one_is_refused,
    a_node_that_was_taken_for_dead_hears_of_it,
    the_feed_tells_each_scope_its_own_in_order,
    a_pruned_feed_says_so,
    a_failed_write_leaves_nothing_and_harms_no_neighbour,
    blobs_are_kept_once_and_swept_when_nobody_needs_them,
    values_end_and_are_compared_before_they_are_set,
    a_user_has_one_name_and_its_roles_where_they_were_granted,
    whoever_was_not_granted_it_changes_nothing,
    a_token_acts_for_its_user_until_it_ends,
    the_audit_log_tells_who_did_what_in_each_scope,
    old_audit_entries_go_and_the_log_says_so,
    what_a_tenant_owned_goes_with_it_and_its_history_stays,
    guardrails_hold_where_they_were_set_and_shared_ones_everywhere,
    protection_gives_way_to_a_second_approval_and_to_an_undo,
    a_ceiling_counts_a_reference_once_and_ends_with_the_hour,
    many_at_once_do_not_pass_a_ceiling,
    the_ledger_forgets_what_is_a_day_old_and_nothing_else,
    a_hooks_secret_is_its_tenants_own_and_lives_an_hour_beyond_its_successor,
    a_signed_request_starts_one_run_whatever_stands_around_it,
    a_run_is_taken_up_as_it_was_ordered_and_as_it_stands,
];

async fn tenants_have_one_name_each_and_go_only_when_they_own_nothing(Stage { store, .. }: Stage) {
    let contoso = store.add_tenant("contoso", Some(&"contoso.com".parse().unwrap()), "global").await.unwrap();
    assert!(matches!(kind(store.add_tenant("contoso", None, "global").await), StoreErrorKind::Exists(_)));
    let names: Vec<String> = store.tenants(Scope::Every).await.unwrap().into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["contoso", "shared"]);
    let connection = store.add_connection(Scope::Tenant(contoso.key), new("defender")).await.unwrap();
    let StoreErrorKind::InUse(users) = kind(store.remove_tenant("contoso").await) else { panic!("it still owns one") };
    assert_eq!(users, ["connection defender"]);
    store.remove_connection(Scope::Tenant(contoso.key), connection.id).await.unwrap();
    store.remove_tenant("contoso").await.unwrap();
    assert!(matches!(kind(store.remove_tenant("contoso").await), StoreErrorKind::Absent(_)));
    assert!(matches!(kind(store.remove_tenant("shared").await), StoreErrorKind::Absent(_)));
}

async fn one_tenant_never_sees_another(Stage { store, .. }: Stage) {
    let (one, other) = (tenant(&store, "one").await, tenant(&store, "other").await);
    let keyring = store.unlock(key()).await.unwrap();
    let mine = store.add_connection(one, new("defender")).await.unwrap();
    let theirs = store.add_connection(other, new("defender")).await.unwrap();
    store.set_secret(&keyring, one, mine.id, "client_secret", &Secret::new("hunter2"), None).await.unwrap();
    assert_eq!(store.connections(one).await.unwrap(), std::slice::from_ref(&mine));
    assert_eq!(store.connections(Scope::Every).await.unwrap().len(), 2);
    assert_eq!(store.connections_named(Scope::Every, "defender").await.unwrap().len(), 2);
    assert_eq!(store.connections_named(other, "defender").await.unwrap(), [theirs]);
    for absent in [
        kind(store.secret(&keyring, other, mine.id, "client_secret").await),
        kind(store.secret_infos(other, mine.id).await),
        kind(store.void_secrets(other, mine.id).await),
        kind(store.remove_connection(other, mine.id).await),
        kind(store.change_connection(other, mine.id, 1, new("x")).await),
        kind(store.connection_users(other, mine.id).await),
    ] {
        assert!(matches!(absent, StoreErrorKind::Absent(_)), "{absent}");
    }
    let hash = store.put_blob(one, b"mine".to_vec()).await.unwrap();
    assert_eq!(store.blob(other, hash).await.unwrap(), None);
    store.set_value(one, "last", "1".into(), None, None).await.unwrap();
    assert_eq!(store.value(other, "last").await.unwrap(), None);
    assert!(matches!(kind(store.add_connection(Scope::Every, new("x")).await), StoreErrorKind::NeedsTenant));
}

async fn a_change_names_the_version_that_it_saw(Stage { store, clock }: Stage) {
    let scope = tenant(&store, "contoso").await;
    let first = store.add_connection(scope, new("defender")).await.unwrap();
    store.add_connection(scope, new("taken")).await.unwrap();
    clock.advance(SignedDuration::from_secs(5));
    let renamed = store.change_connection(scope, first.id, 1, new("renamed")).await.unwrap();
    assert_eq!((renamed.connection.version, renamed.voided), (2, Vec::new()));
    assert_eq!(renamed.connection.changed.duration_since(first.made).as_secs(), 5);
    let late = store.change_connection(scope, first.id, 1, new("late")).await;
    assert!(matches!(kind(late), StoreErrorKind::Stale(_)));
    let taken = store.change_connection(scope, first.id, 2, new("taken")).await;
    assert!(matches!(kind(taken), StoreErrorKind::Exists(_)));
    assert_eq!(store.connections_named(scope, "renamed").await.unwrap(), [renamed.connection]);
}

async fn a_secret_goes_with_the_addresses_that_it_was_entered_for(Stage { store, .. }: Stage) {
    let scope = tenant(&store, "contoso").await;
    let keyring = store.unlock(key()).await.unwrap();
    let with = |base: &str, token: Option<&str>, hosts: &[&str]| NewConnection {
        base_url: base.to_owned(),
        token_url: token.map(str::to_owned),
        allowed_hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        ..new("defender")
    };
    let mut connection = store.add_connection(scope, with("https://a.example", None, &["b.example"])).await.unwrap();
    for (changed, voids) in [
        (with("https://a.example", None, &["B.example "]), false),
        (with("https://a2.example", None, &["b.example"]), true),
        (with("https://a2.example", Some("https://t.example"), &["b.example"]), true),
        (with("https://a2.example", Some("https://t.example"), &["b.example", "c.example"]), true),
        (with("https://a2.example", Some("https://t.example"), &["c.example", "b.example"]), false),
    ] {
        store.set_secret(&keyring, scope, connection.id, "client_secret", &Secret::new("hunter2"), None).await.unwrap();
        let saved = store.change_connection(scope, connection.id, connection.version, changed.clone()).await.unwrap();
        assert_eq!(saved.voided, if voids { vec!["client_secret".to_owned()] } else { Vec::new() }, "{changed:?}");
        let left = opened(&store, &keyring, scope, &saved.connection).await.unwrap();
        assert_eq!(left.as_deref(), (!voids).then_some("hunter2"), "{changed:?}");
        connection = saved.connection;
    }
    let elsewhere = NewConnection {
        destinations: vec!["https://evil.example".to_owned()],
        ..with("https://a2.example", Some("https://t.example"), &["c.example", "b.example"])
    };
    let saved = store.change_connection(scope, connection.id, connection.version, elsewhere).await.unwrap();
    assert_eq!(saved.voided, ["client_secret"], "the connector leads elsewhere");
    store.set_secret(&keyring, scope, connection.id, "client_secret", &Secret::new("hunter2"), None).await.unwrap();
    assert_eq!(store.void_secrets(scope, connection.id).await.unwrap(), ["client_secret"]);
    assert_eq!(store.secret_infos(scope, connection.id).await.unwrap(), []);
}

async fn a_connection_that_is_used_stays(Stage { store, .. }: Stage) {
    let scope = tenant(&store, "contoso").await;
    let connection = store.add_connection(scope, new("defender")).await.unwrap();
    for user in ["workflow contain", "workflow enrich"] {
        store.set_connection_use(scope, connection.id, user, true).await.unwrap();
    }
    let StoreErrorKind::InUse(users) = kind(store.remove_connection(scope, connection.id).await) else {
        panic!("it is used")
    };
    assert_eq!(users, ["workflow contain", "workflow enrich"]);
    for user in users {
        store.set_connection_use(scope, connection.id, &user, false).await.unwrap();
    }
    store.remove_connection(scope, connection.id).await.unwrap();
    assert_eq!(store.connections(scope).await.unwrap(), []);
}

async fn a_connector_keeps_its_edits_and_stays_while_it_is_used(Stage { store, .. }: Stage) {
    let (one, other) = (tenant(&store, "one").await, tenant(&store, "other").await);
    let shared = Scope::Tenant(TenantKey::SHARED);
    let new = |hash: &str| NewConnector {
        id: "jira".into(),
        title: "Jira".into(),
        origin: "jira.yaml".into(),
        content_hash: hash.into(),
        description: format!("{{\"hash\":\"{hash}\"}}"),
    };
    assert_eq!(store.put_connector(shared, new("a"), false).await.unwrap(), 1);
    assert!(matches!(kind(store.put_connector(shared, new("b"), false).await), StoreErrorKind::Exists(_)));
    let info = store.connector(one, "jira").await.unwrap().info;
    let edits = json!({ "base": "https://jira.example" });
    assert_eq!(store.edit_connector(&info, edits.clone()).await.unwrap(), 2);
    assert!(matches!(kind(store.edit_connector(&info, json!({})).await), StoreErrorKind::Stale(_)));
    assert_eq!(store.put_connector(shared, new("b"), true).await.unwrap(), 3);
    let former = store.connector_version(other, "jira", &info.pin()).await.unwrap();
    assert_eq!((former.description.as_str(), former.info.pin()), (r#"{"hash":"a"}"#, info.pin()));
    let replaced = store.connector(other, "jira").await.unwrap();
    assert!(kind(store.connector_version(other, "jira", &replaced.info.pin()).await).to_string().contains("jira"));
    assert_eq!((replaced.info.edits, replaced.info.content_hash.as_str()), (edits, "b"));
    assert_eq!(replaced.description, r#"{"hash":"b"}"#);
    store.put_connector(one, new("own"), false).await.unwrap();
    assert_eq!(store.connector(one, "jira").await.unwrap().info.content_hash, "own");
    assert_eq!(store.connector(other, "jira").await.unwrap().info.content_hash, "b");
    assert_eq!(store.connectors(other).await.unwrap().len(), 1);
    assert_eq!(store.connectors(Scope::Every).await.unwrap().len(), 2);
    let using = NewConnection { connector: "jira".into(), ..self::new("tracker") };
    let connection = store.add_connection(other, using).await.unwrap();
    let info = store.connector(other, "jira").await.unwrap().info;
    let StoreErrorKind::InUse(users) = kind(store.remove_connector(&info).await) else { panic!("it is used") };
    assert_eq!(users, ["connection tracker"]);
    store.remove_connection(other, connection.id).await.unwrap();
    store.remove_connector(&info).await.unwrap();
    assert!(matches!(kind(store.connector(other, "jira").await), StoreErrorKind::Absent(_)));
    assert_eq!(store.connector_version(other, "jira", &info.pin()).await.unwrap().description, r#"{"hash":"b"}"#);
    // What one tenant had is not another's, and goes with it.
    let own = store.connector(one, "jira").await.unwrap().info;
    store.put_connector(one, new("own anew"), true).await.unwrap();
    assert_eq!(store.connector_version(one, "jira", &own.pin()).await.unwrap().info.content_hash, "own");
    assert!(matches!(kind(store.connector_version(other, "jira", &own.pin()).await), StoreErrorKind::Absent(_)));
    store.remove_tenant("one").await.unwrap();
}

async fn only_the_first_key_opens_the_secrets(Stage { store, .. }: Stage) {
    assert!(!store.has_key().await.unwrap());
    let first = key();
    store.unlock(first.clone()).await.unwrap();
    assert!(store.has_key().await.unwrap());
    store.unlock(first).await.unwrap();
    assert!(matches!(kind(store.unlock(key()).await), StoreErrorKind::Key(KeyProblem::Wrong)));
}

async fn rotation_keeps_every_secret_and_ends_the_old_key(Stage { store, .. }: Stage) {
    let (one, other) = (tenant(&store, "one").await, tenant(&store, "other").await);
    let old = key();
    let keyring = store.unlock(old.clone()).await.unwrap();
    let mut connections = Vec::new();
    for (scope, secret) in [(one, "first"), (one, "second"), (other, "third")] {
        let connection = store.add_connection(scope, new(secret)).await.unwrap();
        let secret = Secret::new(secret);
        store.set_secret(&keyring, scope, connection.id, "client_secret", &secret, None).await.unwrap();
        connections.push((scope, connection));
    }
    assert_eq!(store.rotate_data_keys(&keyring, one).await.unwrap(), 2);
    assert_eq!(store.rotate_data_keys(&keyring, Scope::Every).await.unwrap(), 3);
    let new = key();
    let keyring = store.rotate_master_key(&keyring, new.clone()).await.unwrap();
    assert!(matches!(kind(store.unlock(old).await), StoreErrorKind::Key(KeyProblem::Wrong)));
    for keyring in [keyring, store.unlock(new).await.unwrap()] {
        for (scope, connection) in &connections {
            let secret = opened(&store, &keyring, *scope, connection).await.unwrap();
            assert_eq!(secret.as_deref(), Some(connection.name.as_str()));
        }
    }
}

async fn a_lease_has_one_holder_and_an_earlier_one_is_refused(Stage { store, clock }: Stage) {
    let scope = tenant(&store, "contoso").await;
    let long_ago = clock.now() - SignedDuration::from_hours(1);
    let (node, other) = (store.join("a", long_ago).await.unwrap(), store.join("b", long_ago).await.unwrap());
    let subject = LeaseSubject { kind: "poll".into(), id: "incidents".into() };
    let length = SignedDuration::from_secs(30);
    let first = store.lease(scope, &subject, node, length).await.unwrap().unwrap();
    assert_eq!(store.lease(scope, &subject, other, length).await.unwrap(), None);
    clock.advance(SignedDuration::from_secs(20));
    let first = store.renew_lease(&first, length).await.unwrap();
    clock.advance(SignedDuration::from_secs(20));
    assert_eq!(store.lease(scope, &subject, other, length).await.unwrap(), None, "it was renewed");
    assert_eq!(store.ended_leases(Scope::Every, "poll", 10).await.unwrap(), []);
    clock.advance(SignedDuration::from_secs(10));
    assert_eq!(store.ended_leases(scope, "poll", 10).await.unwrap(), std::slice::from_ref(&first));
    let second = store.lease(scope, &subject, other, length).await.unwrap().unwrap();
    assert!(second.epoch > first.epoch);
    assert!(matches!(kind(store.renew_lease(&first, length).await), StoreErrorKind::Stale(_)));
    assert!(matches!(kind(store.release_lease(first).await), StoreErrorKind::Stale(_)));
    store.release_lease(second.clone()).await.unwrap();
    let third = store.lease(scope, &subject, node, length).await.unwrap().unwrap();
    assert!(third.epoch > second.epoch, "an epoch never comes twice, not even after it was given back");
}

async fn a_node_that_was_taken_for_dead_hears_of_it(Stage { store, clock }: Stage) {
    let now = clock.now();
    let old = store.join("old", now - SignedDuration::from_secs(60)).await.unwrap();
    store.renew(old).await.unwrap();
    clock.advance(SignedDuration::from_secs(90));
    let new = store.join("new", clock.now() - SignedDuration::from_secs(60)).await.unwrap();
    assert!(matches!(kind(store.renew(old).await), StoreErrorKind::Stale(_)));
    store.renew(new).await.unwrap();
}

async fn the_feed_tells_each_scope_its_own_in_order(Stage { store, .. }: Stage) {
    let start = last(&store).await;
    let (one, other) = (tenant(&store, "one").await, tenant(&store, "other").await);
    for (scope, name) in [(one, "a"), (other, "b"), (one, "c")] {
        store.set_value(scope, name, "1".into(), None, None).await.unwrap();
    }
    let objects = |feed: Feed| match feed {
        Feed::Changes(changes) => changes.into_iter().map(|change| (change.kind, change.object)).collect::<Vec<_>>(),
        Feed::Reset(_) => panic!("nothing was pruned"),
    };
    let of_one = objects(store.changes(one, start, 100).await.unwrap());
    assert_eq!(of_one[1..], [("value".to_owned(), "a".to_owned()), ("value".to_owned(), "c".to_owned())]);
    let all = store.changes(Scope::Every, start, 100).await.unwrap();
    let Feed::Changes(changes) = &all else { panic!("nothing was pruned") };
    let numbers: Vec<i64> = changes.iter().map(|change| change.seq).collect();
    assert_eq!(numbers, (start + 1..=start + 5).collect::<Vec<_>>(), "no number is left out");
    let rest = objects(store.changes(Scope::Every, changes[2].seq, 1).await.unwrap());
    assert_eq!(rest, [("value".to_owned(), "b".to_owned())], "one at a time, after the place");
    assert!(matches!(store.changes(one, i64::MAX, 1).await.unwrap(), Feed::Reset(_)), "a place of another file");
}

async fn a_pruned_feed_says_so(Stage { store, clock }: Stage) {
    let scope = tenant(&store, "contoso").await;
    let start = last(&store).await;
    for name in ["a", "b"] {
        store.set_value(scope, name, "1".into(), None, None).await.unwrap();
    }
    clock.advance(SignedDuration::from_hours(2));
    store.set_value(scope, "c", "1".into(), None, None).await.unwrap();
    let end = last(&store).await;
    let hour_ago = clock.now() - SignedDuration::from_hours(1);
    let freed = store.sweep(Retention { changes_before: hour_ago, blobs_before: hour_ago }).await.unwrap();
    assert!(freed.changes >= 2, "{freed:?}");
    assert_eq!(store.changes(scope, start, 10).await.unwrap(), Feed::Reset(end));
    let Feed::Changes(changes) = store.changes(scope, end - 1, 10).await.unwrap() else { panic!("that is kept") };
    assert_eq!(changes.len(), 1);
    clock.advance(SignedDuration::from_hours(2));
    store.sweep(Retention { changes_before: clock.now(), blobs_before: hour_ago }).await.unwrap();
    store.set_value(scope, "d", "1".into(), None, None).await.unwrap();
    assert_eq!(last(&store).await, end + 1, "numbers go on, however much was pruned");
}

async fn a_failed_write_leaves_nothing_and_harms_no_neighbour(Stage { store, .. }: Stage) {
    let scope = tenant(&store, "contoso").await;
    let start = last(&store).await;
    let writes = (0..40).map(|at| {
        let store = store.clone();
        // Every other one names a connection that exists by then, or asks for another's version.
        tokio::spawn(async move { store.set_value(scope, &format!("{}", at / 2), at.to_string(), None, Some(0)).await })
    });
    let writes: Vec<_> = writes.collect();
    let mut kept = 0;
    for write in writes {
        match write.await.unwrap() {
            Ok(_) => kept += 1,
            Err(error) => assert!(matches!(error.kind, StoreErrorKind::Stale(_)), "{error}"),
        }
    }
    assert_eq!(kept, 20);
    let Feed::Changes(changes) = store.changes(scope, start, 100).await.unwrap() else { panic!("nothing was pruned") };
    assert_eq!(changes.len(), 20, "a write that failed left no change behind");
}

async fn blobs_are_kept_once_and_swept_when_nobody_needs_them(Stage { store, clock }: Stage) {
    let scope = tenant(&store, "contoso").await;
    let large: Vec<u8> = (0..5_000_000_u32).map(|at| (at % 251) as u8).collect();
    for content in [Vec::new(), b"small".to_vec(), large.clone()] {
        let hash = store.put_blob(scope, content.clone()).await.unwrap();
        assert_eq!(hash, BlobHash::of(&content));
        assert_eq!(store.put_blob(scope, content.clone()).await.unwrap(), hash);
        assert!(store.blob(scope, hash).await.unwrap() == Some(content));
    }
    let (small, large) = (BlobHash::of(b"small"), BlobHash::of(&large));
    store.pin_blob(scope, small, "run 1").await.unwrap();
    store.pin_blob(scope, small, "run 2").await.unwrap();
    clock.advance(SignedDuration::from_hours(2));
    let now = clock.now();
    let retention = Retention { changes_before: now, blobs_before: now - SignedDuration::from_hours(1) };
    let before = std::fs::metadata(store.path()).unwrap().len();
    let freed = store.sweep(retention).await.unwrap();
    assert!(freed.blobs == 2 && freed.pages > 1_000, "{freed:?}, file of {before} bytes");
    assert!(store.blob(scope, large).await.unwrap().is_none());
    assert!(matches!(kind(store.pin_blob(scope, large, "run 3").await), StoreErrorKind::Absent(_)));
    store.unpin_blobs(scope, "run 1").await.unwrap();
    assert_eq!(store.sweep(retention).await.unwrap().blobs, 0, "one still needs it");
    store.unpin_blobs(scope, "run 2").await.unwrap();
    assert_eq!(store.sweep(retention).await.unwrap().blobs, 1);
}

async fn values_end_and_are_compared_before_they_are_set(Stage { store, clock }: Stage) {
    let scope = tenant(&store, "contoso").await;
    let soon = clock.now() + SignedDuration::from_secs(60);
    let set = |value: &str, expires, expected| store.set_value(scope, "last", value.to_owned(), expires, expected);
    assert_eq!(set("1", Some(soon), Some(0)).await.unwrap(), 1);
    assert!(matches!(kind(set("2", None, Some(0)).await), StoreErrorKind::Stale(_)));
    assert_eq!(store.value(scope, "last").await.unwrap().unwrap().value, "1");
    clock.advance(SignedDuration::from_secs(60));
    assert_eq!(store.value(scope, "last").await.unwrap(), None, "it has ended");
    assert_eq!(set("3", None, Some(0)).await.unwrap(), 2, "ended is as good as absent, and versions go on");
    assert_eq!(set("4", None, Some(2)).await.unwrap(), 3);
    assert_eq!(set("5", None, None).await.unwrap(), 4);
    for name in ["a%b", "a_c", "b"] {
        store.set_value(scope, name, "1".into(), None, None).await.unwrap();
    }
    assert_eq!(store.value_names(scope, "a", "", 10).await.unwrap(), ["a%b", "a_c"]);
    assert_eq!(store.value_names(scope, "", "a_c", 1).await.unwrap(), ["b"]);
    assert!(store.remove_value(scope, "b").await.unwrap() && !store.remove_value(scope, "b").await.unwrap());
    let large = "x".repeat(2 << 20);
    assert!(matches!(kind(set(&large, None, None).await), StoreErrorKind::TooLarge { .. }));
}

async fn tenant(store: &Store, name: &str) -> Scope {
    Scope::Tenant(store.add_tenant(name, None, "global").await.unwrap().key)
}

async fn last(store: &Store) -> i64 {
    match store.changes(Scope::Tenant(TenantKey::SHARED), i64::MAX, 1).await.unwrap() {
        Feed::Reset(last) => last,
        Feed::Changes(_) => panic!("that place is never reached"),
    }
}

async fn opened(
    store: &Store,
    keyring: &Keyring,
    scope: Scope,
    connection: &Connection,
) -> Result<Option<String>, StoreError> {
    let secret = store.secret(keyring, scope, connection.id, "client_secret").await?;
    Ok(secret.map(|secret| secret.expose().to_owned()))
}

fn new(name: &str) -> NewConnection {
    NewConnection {
        name: name.parse().unwrap(),
        connector: "microsoft-365-defender".to_owned(),
        base_url: "https://graph.microsoft.com".to_owned(),
        token_url: None,
        allowed_hosts: Vec::new(),
        destinations: vec!["https://graph.microsoft.com".to_owned()],
        settings: json!({ "client_id": "1" }),
    }
}

fn key() -> MasterKey {
    MasterKey(SealingKey::fresh())
}

fn kind<T: std::fmt::Debug>(result: Result<T, StoreError>) -> StoreErrorKind {
    result.unwrap_err().kind
}

/// A store in `folder`, for the tests of this driver.
pub fn stage(folder: &std::path::Path) -> Stage {
    let clock = ManualClock::new("2026-11-22T03:00:00Z".parse().unwrap());
    let options = crate::StoreOptions {
        path: folder.join("sortie.db"),
        purpose: "sortie conformance".to_owned(),
        clock: Arc::new(clock.clone()),
    };
    Stage { store: Store::open(options).unwrap(), clock }
}
