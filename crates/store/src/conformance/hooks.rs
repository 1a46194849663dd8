//! Webhooks: their secrets, and requests that are taken once.

use jiff::SignedDuration;
use sortie_model::Clock as _;

use super::{Stage, key, kind, tenant};
use crate::{
    Actor, ActorKind, Grant, Keyring, NewRun, NewWorkflow, Role, RunMode, RunValue, Scope, Started, Store,
    StoreErrorKind, TenantKey,
};

const SHARED: Scope = Scope::Tenant(TenantKey::SHARED);

pub(super) async fn a_hooks_secret_is_its_tenants_own_and_lives_an_hour_beyond_its_successor(
    Stage { store, clock }: Stage,
) {
    let (one, other) = (tenant(&store, "one").await, tenant(&store, "other").await);
    let keyring = store.unlock(key()).await.unwrap();
    assert!(matches!(kind(store.renew_hook(&keyring, one, "triage").await), StoreErrorKind::Absent(_)));
    workflow(&store, SHARED).await;
    let viewer = Actor {
        id: "1".to_owned(),
        name: "vera".to_owned(),
        kind: ActorKind::User,
        grants: vec![Grant { role: Role::Responder, tenant: None }],
    };
    let refused = store.acting_as(viewer).renew_hook(&keyring, one, "triage").await;
    assert!(matches!(kind(refused), StoreErrorKind::Forbidden { .. }));
    assert!(secrets(&store, &keyring, "one").await.is_empty());
    let (first, info) = store.renew_hook(&keyring, one, "triage").await.unwrap();
    assert_eq!((info.made, info.old_until), (clock.now(), None));
    let (theirs, _) = store.renew_hook(&keyring, other, "triage").await.unwrap();
    assert_eq!(secrets(&store, &keyring, "one").await, [first.expose()]);
    assert_eq!(secrets(&store, &keyring, "other").await, [theirs.expose()]);
    for (tenant, id) in [("nobody", "triage"), ("one", "nothing")] {
        assert!(store.hook(&keyring, tenant, id).await.unwrap().is_none());
    }
    let (second, info) = store.renew_hook(&keyring, one, "triage").await.unwrap();
    let until = clock.now() + SignedDuration::from_hours(1);
    assert_eq!(info.old_until, Some(until));
    assert_eq!(store.hook_info(one, "triage").await.unwrap(), Some(info));
    assert_eq!(secrets(&store, &keyring, "one").await, [second.expose(), first.expose()]);
    let (third, _) = store.renew_hook(&keyring, one, "triage").await.unwrap();
    assert_eq!(secrets(&store, &keyring, "one").await, [third.expose(), second.expose()], "one old one at most");
    clock.advance(SignedDuration::from_hours(1));
    assert_eq!(secrets(&store, &keyring, "one").await, [third.expose()]);
    assert_eq!(store.rotate_data_keys(&keyring, one).await.unwrap(), 2);
    assert_eq!(secrets(&store, &keyring, "one").await, [third.expose()], "it opens after a rotation");
    workflow(&store, other).await;
    store.remove_workflow(SHARED, "triage").await.unwrap();
    assert_eq!(store.hook_info(one, "triage").await.unwrap(), None, "it went with the workflow");
    assert_eq!(secrets(&store, &keyring, "other").await, [theirs.expose()], "that leads to a workflow of their own");
    store.remove_hook(other, "triage").await.unwrap();
    assert!(matches!(kind(store.remove_hook(other, "triage").await), StoreErrorKind::Absent(_)));
}

pub(super) async fn a_signed_request_starts_one_run_whatever_stands_around_it(Stage { store, clock }: Stage) {
    let (one, other) = (tenant(&store, "one").await, tenant(&store, "other").await);
    let start = |scope, key: &str, proof| store.start_signed(scope, new(key), [proof; 32]);
    let Started::New(first) = start(one, "a", 1).await.unwrap() else { panic!("it is new") };
    assert_eq!(start(one, "b", 1).await.unwrap(), Started::Known(first), "the same signature");
    assert_eq!(start(one, "a", 2).await.unwrap(), Started::Known(first), "the same key");
    assert_eq!(start(one, "c", 2).await.unwrap(), Started::Known(first), "that signature was taken, too");
    assert!(matches!(start(other, "a", 1).await.unwrap(), Started::New(run) if run != first));
    clock.advance(SignedDuration::from_mins(16));
    assert!(matches!(start(one, "d", 3).await.unwrap(), Started::New(_)));
    assert!(matches!(start(one, "e", 1).await.unwrap(), Started::New(_)), "so long no signature is good");
}

async fn secrets(store: &Store, keyring: &Keyring, tenant: &str) -> Vec<String> {
    let hook = store.hook(keyring, tenant, "triage").await.unwrap().unwrap();
    assert_eq!(hook.tenant.name, tenant);
    hook.secrets.iter().map(|secret| secret.expose().to_owned()).collect()
}

async fn workflow(store: &Store, scope: Scope) {
    let new = NewWorkflow { id: "triage".into(), title: None, text: "workflow: triage".into(), version: "1".into() };
    store.put_workflow(scope, new, Some(0)).await.unwrap();
}

/// A run that a webhook starts.
pub(super) fn new(start_key: &str) -> NewRun {
    NewRun {
        home: TenantKey::SHARED,
        workflow: "triage".to_owned(),
        version: "1".to_owned(),
        mode: RunMode::Live,
        start_key: start_key.to_owned(),
        cause: "webhook".to_owned(),
        object: None,
        started_by: "webhook".to_owned(),
        parent: None,
        again_of: None,
        depth: 0,
        input: RunValue::Text("{}".to_owned()),
        taken_over: None,
        per_object_max: None,
    }
}
