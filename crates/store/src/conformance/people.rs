//! Who may what, tokens, and the audit log.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sortie_model::{Clock as _, Secret};

use super::{Stage, key, kind, new, tenant};
use crate::{
    Actor, ActorKind, AuditEntry, AuditFilter, Grant, GuardrailChange, NewConnector, Permission, Principal, Role,
    Scope, Store, StoreErrorKind, TenantKey,
};

pub(super) async fn a_user_has_one_name_and_its_roles_where_they_were_granted(Stage { store, clock }: Stage) {
    let contoso = tenant(&store, "contoso").await;
    let alice = user(&store, "alice").await;
    assert!(matches!(kind(store.add_principal(&"alice".parse().unwrap()).await), StoreErrorKind::Exists(_)));
    let (own, all) =
        (Grant { role: Role::Engineer, tenant: contoso.filter() }, Grant { role: Role::Viewer, tenant: None });
    assert!(store.grant(alice.id, own).await.unwrap() && store.grant(alice.id, all).await.unwrap());
    assert!(!store.grant(alice.id, all).await.unwrap(), "it has that already");
    let nowhere = Grant { role: Role::Viewer, tenant: Some(TenantKey::fresh()) };
    assert!(matches!(kind(store.grant(alice.id, nowhere).await), StoreErrorKind::Absent(_)));
    assert_eq!(store.principal("alice").await.unwrap().grants, [all, own]);
    user(&store, "adam").await;
    let names: Vec<String> = store.principals().await.unwrap().into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["adam", "alice"]);
    assert!(store.revoke(alice.id, own).await.unwrap() && !store.revoke(alice.id, own).await.unwrap());
    assert_eq!(store.principal("alice").await.unwrap().grants, [all]);
    store.disable_principal(alice.id, true).await.unwrap();
    clock.advance(SignedDuration::from_secs(5));
    store.disable_principal(alice.id, true).await.unwrap();
    let since = store.principal("alice").await.unwrap().disabled.unwrap();
    assert_eq!(clock.now().duration_since(since).as_secs(), 5, "since the first time");
    store.disable_principal(alice.id, false).await.unwrap();
    assert_eq!(store.principal("alice").await.unwrap().disabled, None);
    store.remove_principal(alice.id).await.unwrap();
    assert!(matches!(kind(store.principal("alice").await), StoreErrorKind::Absent(_)));
    assert!(matches!(kind(store.remove_principal(alice.id).await), StoreErrorKind::Absent(_)));
}

/// One deed of each permission that the store guards, by an actor who has every role but that one where it counts.
pub(super) async fn whoever_was_not_granted_it_changes_nothing(Stage { store, .. }: Stage) {
    let (contoso, fabrikam) = (tenant(&store, "contoso").await, tenant(&store, "fabrikam").await);
    let alice = user(&store, "alice").await;
    let connection = store.add_connection(contoso, new("defender")).await.unwrap();
    let keyring = store.unlock(key()).await.unwrap();
    let before = entries(&store, Scope::Every).await.len();
    let viewer = store.acting_as(acting(vec![Grant { role: Role::Viewer, tenant: None }]));
    let everywhere = Grant { role: Role::Viewer, tenant: None };
    let elsewhere = store.acting_as(acting(vec![Grant { role: Role::Admin, tenant: fabrikam.filter() }]));
    for store in [&viewer, &elsewhere] {
        let refused = [
            kind(store.add_connection(contoso, new("x")).await),
            kind(store.change_connection(contoso, connection.id, 1, new("x")).await),
            kind(store.set_secret(&keyring, contoso, connection.id, "secret", &Secret::new("hunter2"), None).await),
            kind(store.void_secrets(contoso, connection.id).await),
            kind(store.remove_connection(contoso, connection.id).await),
            kind(store.put_connector(contoso, connector(), false).await),
            kind(store.add_tenant("x", None, "global").await),
            kind(store.remove_tenant("fabrikam").await),
            kind(store.rotate_master_key(&keyring, key()).await),
            kind(store.rotate_data_keys(&keyring, contoso).await),
            kind(store.add_principal(&"x".parse().unwrap()).await),
            kind(store.remove_principal(alice.id).await),
            kind(store.disable_principal(alice.id, true).await),
            kind(store.grant(alice.id, everywhere).await),
            kind(store.add_token(alice.id, "x", None).await),
            kind(store.change_guardrails(contoso, GuardrailChange::default()).await),
            kind(store.hold_effects(contoso, "x").await),
            kind(store.release_effects(contoso).await),
            kind(store.prune_audit(Timestamp::MAX).await),
            kind(store.admit_effect(contoso, super::effects::request("r", "d")).await),
        ];
        for (at, refused) in refused.into_iter().enumerate() {
            assert!(matches!(refused, StoreErrorKind::Forbidden { .. }), "{at}: {refused}");
        }
    }
    assert_eq!(entries(&store, Scope::Every).await.len(), before, "what was not done stands nowhere");
    assert_eq!(store.connections(contoso).await.unwrap(), [connection]);
    assert_eq!(store.principal("alice").await.unwrap(), alice);
    // Where it was granted it does hold.
    elsewhere.add_connection(fabrikam, new("own")).await.unwrap();
    assert!(elsewhere.grant(alice.id, Grant { role: Role::Viewer, tenant: fabrikam.filter() }).await.unwrap());
}

pub(super) async fn a_token_acts_for_its_user_until_it_ends(Stage { store, clock }: Stage) {
    let alice = user(&store, "alice").await;
    store.grant(alice.id, Grant { role: Role::Responder, tenant: None }).await.unwrap();
    let end = clock.now() + SignedDuration::from_hours(30);
    let (ending, info) = store.add_token(alice.id, "ci", Some(end)).await.unwrap();
    let (other, _) = store.add_token(alice.id, "other", None).await.unwrap();
    assert!(matches!(kind(store.add_token(alice.id, "ci", None).await), StoreErrorKind::Exists(_)));
    assert!(ending.expose().starts_with(&info.prefix) && ending.expose().len() == 50, "{}", info.prefix);
    let actor = store.principal_of_token(&ending).await.unwrap().unwrap();
    assert_eq!(
        (actor.name.as_str(), actor.kind, actor.id.clone()),
        ("alice/ci", ActorKind::Token, alice.id.to_string())
    );
    assert!(actor.may(Permission::Act, Scope::Every) && !actor.may(Permission::ChangeWorkflow, Scope::Every));
    for wrong in [
        "",
        "sortie_",
        "hunter2",
        &ending.expose()[7..],
        &format!("{}A", ending.expose()),
        &other.expose().replace("sortie_", "sortie-"),
    ] {
        assert_eq!(store.principal_of_token(&Secret::new(wrong)).await.unwrap(), None, "{wrong}");
    }
    let mut changed = ending.expose().to_owned();
    let last = if changed.remove(20) == 'A' { 'B' } else { 'A' };
    changed.insert(20, last);
    assert_eq!(store.principal_of_token(&Secret::new(changed)).await.unwrap(), None);
    let used = |name: &'static str| {
        let store = store.clone();
        async move { store.tokens().await.unwrap().into_iter().find(|token| token.name == name).unwrap().used }
    };
    assert_eq!((used("ci").await, used("other").await), (Some("2026-11-22T00:00:00Z".parse().unwrap()), None));
    clock.advance(SignedDuration::from_hours(29));
    assert!(store.principal_of_token(&ending).await.unwrap().is_some());
    assert_eq!(used("ci").await, Some("2026-11-23T00:00:00Z".parse().unwrap()), "to the day");
    clock.advance(SignedDuration::from_hours(1));
    assert_eq!(store.principal_of_token(&ending).await.unwrap(), None, "it has ended");
    store.disable_principal(alice.id, true).await.unwrap();
    assert_eq!(store.principal_of_token(&other).await.unwrap(), None);
    store.disable_principal(alice.id, false).await.unwrap();
    assert!(store.principal_of_token(&other).await.unwrap().is_some());
    store.revoke_token(&other.expose()[..15]).await.unwrap();
    assert_eq!(store.principal_of_token(&other).await.unwrap(), None);
    assert!(matches!(kind(store.revoke_token(&other.expose()[..15]).await), StoreErrorKind::Absent(_)));
    store.remove_principal(alice.id).await.unwrap();
    assert_eq!(store.tokens().await.unwrap(), []);
}

pub(super) async fn the_audit_log_tells_who_did_what_in_each_scope(Stage { store, .. }: Stage) {
    let (one, other) = (tenant(&store, "one").await, tenant(&store, "other").await);
    let mine = store.acting_as(acting(vec![Grant::ALL]));
    do_a_bit_of_everything(&mine, &store, (one, other)).await;
    let by_hand = acting(vec![]);
    mine.audit(one, &by_hand, "approval.decide", "run 1", json!({ "approved": true })).await.unwrap();
    assert!(matches!(kind(mine.audit(Scope::Every, &by_hand, "x", "x", json!({})).await), StoreErrorKind::NeedsTenant));
    let large = json!({ "text": "x".repeat(70_000) });
    assert!(matches!(kind(mine.audit(one, &by_hand, "x", "x", large).await), StoreErrorKind::TooLarge { .. }));
    let actions = |entries: &[AuditEntry]| entries.iter().map(|entry| entry.action.clone()).collect::<Vec<_>>();
    let ours = entries(&store, one).await;
    let expected = [
        "connection.add",
        "connection.secret",
        "connection.rotate",
        "connection.change",
        "connection.void",
        "connection.remove",
        "approval.decide",
    ];
    assert_eq!(actions(&ours), expected);
    for entry in &ours {
        assert_eq!(
            (entry.actor_name.as_str(), entry.actor_kind.as_str(), entry.tenant_name.as_str()),
            ("bob", "user", "one")
        );
    }
    assert_eq!(ours[3].detail["voided"], json!(["secret"]));
    assert_eq!(
        actions(&entries(&store, other).await),
        ["connector.import", "connector.edit", "connector.reset", "connector.remove"]
    );
    let all = entries(&store, Scope::Every).await;
    let shared = entries(&store, Scope::Tenant(TenantKey::SHARED)).await;
    assert_eq!(actions(&shared), ["tenant.add", "tenant.add", "tenant.add", "tenant.remove", "key.rotate"]);
    assert_eq!(shared[0].actor_name, "system");
    assert!(all.windows(2).all(|pair| pair[0].seq + 1 == pair[1].seq), "a write that was refused leaves no gap");
    assert!(!format!("{all:?}").contains("hunter2"), "{all:?}");
    let mut backwards = store.audit_latest(one, AuditFilter::default(), i64::MAX, 3).await.unwrap();
    backwards.extend(store.audit_latest(one, AuditFilter::default(), backwards[2].seq, 100).await.unwrap());
    backwards.reverse();
    assert_eq!(backwards, ours);
    let page = store.audit_list(one, AuditFilter::default(), ours[1].seq, 2).await.unwrap();
    assert_eq!(page, ours[2..4]);
    for (filter, count) in [
        (AuditFilter { action: Some("connection".into()), ..AuditFilter::default() }, 6),
        (AuditFilter { action: Some("connection.add".into()), ..AuditFilter::default() }, 1),
        (AuditFilter { action: Some("connect".into()), ..AuditFilter::default() }, 0),
        (AuditFilter { actor: Some("bob".into()), object: Some("jira".into()), ..AuditFilter::default() }, 4),
        (AuditFilter { actor: Some("nobody".into()), ..AuditFilter::default() }, 0),
        (AuditFilter { since: Some(Timestamp::MAX), ..AuditFilter::default() }, 0),
    ] {
        assert_eq!(store.audit_list(Scope::Every, filter.clone(), 0, 100).await.unwrap().len(), count, "{filter:?}");
    }
}

/// What changes a connection in the one tenant, a connector in the other, and the installation; `store` is Sortie's own.
async fn do_a_bit_of_everything(mine: &Store, store: &Store, (one, other): (Scope, Scope)) {
    let keyring = mine.unlock(key()).await.unwrap();
    let connection = mine.add_connection(one, new("defender")).await.unwrap();
    for secret in ["hunter2-first", "hunter2-second"] {
        mine.set_secret(&keyring, one, connection.id, "secret", &Secret::new(secret), None).await.unwrap();
    }
    store.set_secret(&keyring, one, connection.id, "secret", &Secret::new("renewed"), None).await.unwrap();
    let saved = mine
        .change_connection(
            one,
            connection.id,
            1,
            super::NewConnection { base_url: "https://u:hunter2@b.example".into(), ..new("defender") },
        )
        .await
        .unwrap();
    mine.void_secrets(one, saved.connection.id).await.unwrap();
    mine.remove_connection(one, connection.id).await.unwrap();
    mine.put_connector(other, connector(), false).await.unwrap();
    let info = mine.connector(other, "jira").await.unwrap().info;
    mine.edit_connector(&info, json!({ "base": "https://u:hunter2@b.example" })).await.unwrap();
    let info = mine.connector(other, "jira").await.unwrap().info;
    mine.edit_connector(&info, json!({})).await.unwrap();
    let info = mine.connector(other, "jira").await.unwrap().info;
    mine.remove_connector(&info).await.unwrap();
    mine.add_tenant("third", None, "global").await.unwrap();
    mine.remove_tenant("third").await.unwrap();
    mine.rotate_master_key(&keyring, key()).await.unwrap();
}

pub(super) async fn old_audit_entries_go_and_the_log_says_so(Stage { store, clock }: Stage) {
    let scope = tenant(&store, "contoso").await;
    // At once, so that they share their commits.
    let written = (0..1_200).map(|at| {
        let store = store.clone();
        tokio::spawn(async move { store.audit(scope, &Actor::system(), "x.y", &at.to_string(), json!({})).await })
    });
    for written in written.collect::<Vec<_>>() {
        written.await.unwrap().unwrap();
    }
    clock.advance(SignedDuration::from_hours(1));
    let boundary = clock.now();
    store.audit(scope, &Actor::system(), "x.y", "kept", json!({})).await.unwrap();
    assert_eq!(store.prune_audit(boundary).await.unwrap(), 1_201, "one a step more than a thousand");
    let left = entries(&store, Scope::Every).await;
    let told: Vec<(&str, &str)> = left.iter().map(|entry| (entry.action.as_str(), entry.object.as_str())).collect();
    assert_eq!(told, [("x.y", "kept"), ("audit.prune", "audit")]);
    assert_eq!(left[1].detail["before"], boundary.to_string());
    clock.advance(SignedDuration::from_secs(1));
    assert_eq!(store.prune_audit(Timestamp::MAX).await.unwrap(), 2);
    let left = entries(&store, Scope::Every).await;
    assert_eq!(left.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1_204], "no number comes twice");
    assert_eq!(left[0].detail["before"], clock.now().to_string(), "what has not happened yet cannot be old");
}

pub(super) async fn what_a_tenant_owned_goes_with_it_and_its_history_stays(Stage { store, .. }: Stage) {
    let scope = tenant(&store, "contoso").await;
    let alice = user(&store, "alice").await;
    store.grant(alice.id, Grant { role: Role::Admin, tenant: scope.filter() }).await.unwrap();
    store.hold_effects(scope, "drill").await.unwrap();
    store.release_effects(scope).await.unwrap();
    store.admit_effect(scope, super::effects::request("r", "d")).await.unwrap();
    store.remove_tenant("contoso").await.unwrap();
    assert_eq!(store.principal("alice").await.unwrap().grants, []);
    let history = entries(&store, scope).await;
    assert_eq!(history.len(), 4, "{history:?}");
    assert!(history.iter().all(|entry| entry.tenant_name == "contoso"));
}

async fn user(store: &Store, name: &str) -> Principal {
    store.add_principal(&name.parse().unwrap()).await.unwrap()
}

async fn entries(store: &Store, scope: Scope) -> Vec<AuditEntry> {
    store.audit_list(scope, AuditFilter::default(), 0, 10_000).await.unwrap()
}

fn acting(grants: Vec<Grant>) -> Actor {
    Actor { id: "7".into(), name: "bob".into(), kind: ActorKind::User, grants }
}

fn connector() -> NewConnector {
    NewConnector {
        id: "jira".into(),
        title: "Jira".into(),
        origin: "https://u:hunter2@jira.example".into(),
        content_hash: "a".into(),
        description: "{}".into(),
    }
}
