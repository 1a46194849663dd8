//! The feed of changes: from a place on, only what may be seen, and cut off without a loss.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use sortie_server::{Client, Event, Events};
use sortie_store::{Actor, Grant, Retention, Role, Scope};

use crate::stage::{Stage, owner};

async fn open(client: &Client, path: &str, after: Option<i64>) -> Events {
    client.events(path, after).await.unwrap().unwrap()
}

async fn next(events: &mut Events) -> Option<Event> {
    tokio::time::timeout(Duration::from_secs(10), events.next()).await.expect("an event comes").unwrap()
}

/// The names of the next values that have changed.
async fn values(events: &mut Events, count: usize) -> Vec<(i64, String)> {
    let mut found = Vec::new();
    while found.len() < count {
        let event = next(events).await.expect("there is more");
        if event.kind == "change" && event.data["kind"] == "value" {
            found.push((event.id.unwrap(), event.data["object"].as_str().unwrap().to_owned()));
        }
    }
    found
}

async fn set(stage: &Stage, tenant: sortie_store::TenantKey, name: &str) {
    stage.store.set_value(Scope::Tenant(tenant), name, "1".to_owned(), None, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_hears_what_changes_and_goes_on_where_it_was() {
    let stage = Stage::new().await;
    let client = stage.owner();
    let mut events = open(&client, "/api/v1/changes", None).await;
    let ready = next(&mut events).await.unwrap();
    assert_eq!(ready.kind, "ready");
    set(&stage, stage.contoso, "a").await;
    let first = values(&mut events, 1).await;
    assert_eq!((first[0].1.as_str(), first[0].0 > ready.id.unwrap()), ("a", true));
    drop(events);
    for name in ["b", "c"] {
        set(&stage, stage.contoso, name).await;
    }
    let mut events = open(&client, "/api/v1/changes", Some(first[0].0)).await;
    assert_eq!(values(&mut events, 2).await.iter().map(|one| one.1.as_str()).collect::<Vec<_>>(), ["b", "c"]);
    set(&stage, stage.contoso, "d").await;
    assert_eq!(values(&mut events, 1).await[0].1, "d", "each comes once");
    let mut from_start = open(&client, &format!("/api/v1/changes?after={}", ready.id.unwrap()), None).await;
    assert_eq!(values(&mut from_start, 4).await.len(), 4);
    let wrong = client.events("/api/v1/changes?after=x", None).await.unwrap().unwrap_err();
    assert_eq!(wrong.0, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_hears_of_its_own_tenants_and_of_what_is_for_all() {
    let stage = Stage::new().await;
    let grants = vec![Grant { role: Role::Viewer, tenant: Some(stage.contoso) }];
    let own = Client::here(stage.app.clone(), Actor { grants, ..owner() });
    let mut events = open(&own, "/api/v1/changes", None).await;
    next(&mut events).await.unwrap();
    set(&stage, stage.fabrikam, "theirs").await;
    stage.store.add_principal(&"mallory".parse().unwrap()).await.unwrap();
    stage.keep("workflow: all\ntriggers: [{ manual: {} }]\nsteps:\n  - id: a\n    set: { b: 1 }\n", "shared").await;
    stage.keep("workflow: their\ntriggers: [{ manual: {} }]\nsteps:\n  - id: a\n    set: { b: 1 }\n", "fabrikam").await;
    set(&stage, stage.contoso, "own").await;
    let seen = [next(&mut events).await.unwrap(), next(&mut events).await.unwrap()];
    let seen = seen.map(|event| format!("{} {} {}", event.data["tenant"], event.data["kind"], event.data["object"]));
    assert_eq!(seen, [r#""shared" "workflow" "all""#, r#""contoso" "value" "own""#]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_of_what_was_pruned_is_told_to_read_everything_anew() {
    let stage = Stage::new().await;
    for name in ["a", "b"] {
        set(&stage, stage.contoso, name).await;
    }
    stage.clock.advance(SignedDuration::from_hours(2));
    set(&stage, stage.contoso, "c").await;
    let hour_ago = sortie_model::Clock::now(&stage.clock) - SignedDuration::from_hours(1);
    stage.store.sweep(Retention { changes_before: hour_ago, blobs_before: hour_ago }).await.unwrap();
    let mut events = open(&stage.owner(), "/api/v1/changes?after=1", None).await;
    let reset = next(&mut events).await.unwrap();
    assert_eq!(reset.kind, "reset");
    set(&stage, stage.contoso, "d").await;
    assert_eq!(values(&mut events, 1).await[0].0, reset.id.unwrap() + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_are_bounded_in_number_and_in_time() {
    let stage = Stage::with(|bounds| {
        bounds.feeds = 1;
        bounds.feed = Duration::from_millis(300);
        bounds.heartbeat = Duration::from_millis(50);
    })
    .await;
    let client = Arc::new(stage.owner());
    let mut events = open(&client, "/api/v1/changes", None).await;
    let refused = client.events("/api/v1/changes", None).await.unwrap().unwrap_err();
    assert_eq!(refused.0, 503);
    assert_eq!(next(&mut events).await.unwrap().kind, "ready");
    assert_eq!(next(&mut events).await, None, "it must come again, and prove itself again");
    drop(events);
    open(&client, "/api/v1/changes", None).await;
}
