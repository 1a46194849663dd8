//! Guardrails and the ledger of effects.

use jiff::{SignedDuration, Timestamp};
use sortie_model::Clock as _;

use super::{Stage, kind, tenant};
use crate::{
    Actor, Admission, AuditFilter, Door, EffectRequest, GuardrailChange, Guardrails, KnownAs, ProtectedBy, Retention,
    Rule, Scope, Store, StoreErrorKind, TenantKey,
};

const SHARED: Scope = Scope::Tenant(TenantKey::SHARED);
const ISOLATE: &str = "microsoft-365-defender/isolate-device";

pub(super) async fn guardrails_hold_where_they_were_set_and_shared_ones_everywhere(Stage { store, clock }: Stage) {
    let (one, other) = (tenant(&store, "one").await, tenant(&store, "other").await);
    assert_eq!(store.guardrails(one).await.unwrap(), Guardrails::default());
    assert!(matches!(kind(store.guardrails(Scope::Every).await), StoreErrorKind::NeedsTenant));
    let change = |rule: &str, ceiling| GuardrailChange {
        protect: vec![rule.parse().unwrap()],
        ceilings: vec![(ISOLATE.to_owned(), ceiling)],
        ..GuardrailChange::default()
    };
    store.change_guardrails(SHARED, change("device-tag:tier0", Some(5))).await.unwrap();
    store.change_guardrails(one, change("device-name:dc-*", Some(7))).await.unwrap();
    let force = store.guardrails_in_force(one).await.unwrap();
    assert_eq!((force.protected.len(), force.ceiling(ISOLATE)), (2, Some(5)));
    assert_eq!(store.guardrails_in_force(other).await.unwrap().protected.len(), 1);
    let observe = GuardrailChange {
        unprotect: vec!["device-name:dc-*".parse().unwrap()],
        ceilings: vec![(ISOLATE.to_owned(), None)],
        observe: Some(true),
        ..GuardrailChange::default()
    };
    let own = store.change_guardrails(one, observe).await.unwrap();
    assert_eq!(own, Guardrails { observe: true, ..Guardrails::default() });
    assert_eq!(ask(&store, one, request("a", "d1")).await, Admission::Observed);
    assert_eq!(ask(&store, other, request("a", "d1")).await, Admission::Admitted);
    let since = clock.now();
    let held = store.acting_as(Actor { name: "alice".into(), ..Actor::system() });
    held.hold_effects(SHARED, "drill").await.unwrap();
    clock.advance(SignedDuration::from_secs(9));
    store.hold_effects(SHARED, "another").await.unwrap();
    let expected = Admission::Held { why: "drill".into(), by: "alice".into(), since };
    for scope in [one, other, SHARED] {
        let undo = EffectRequest { undoes: true, override_approved: true, now: clock.now(), ..request("b", "d2") };
        assert_eq!(store.admit_effect(scope, undo).await.unwrap(), expected, "the switch holds everything");
    }
    store.release_effects(SHARED).await.unwrap();
    store.hold_effects(one, "here").await.unwrap();
    assert!(matches!(ask(&store, one, request("b", "d2")).await, Admission::Held { .. }));
    assert_eq!(ask(&store, other, request("b", "d2")).await, Admission::Admitted);
    let many = (0..=1_000).map(|at| format!("device-id:{at}").parse().unwrap()).collect();
    let many = GuardrailChange { protect: many, ..GuardrailChange::default() };
    assert!(matches!(kind(store.change_guardrails(one, many).await), StoreErrorKind::TooMany { .. }));
    let actions =
        store.audit_list(one, AuditFilter { action: Some("guardrail".into()), ..AuditFilter::default() }, 0, 9);
    assert_eq!(actions.await.unwrap().len(), 3);
}

pub(super) async fn protection_gives_way_to_a_second_approval_and_to_an_undo(Stage { store, .. }: Stage) {
    let scope = tenant(&store, "contoso").await;
    let rule: Rule = "device-name:dc-*".parse().unwrap();
    let protect = GuardrailChange { protect: vec![rule.clone()], ..GuardrailChange::default() };
    store.change_guardrails(SHARED, protect).await.unwrap();
    let names = vec![KnownAs { by: ProtectedBy::DeviceName, text: "DC-01.corp.example".into() }];
    let request = EffectRequest { names, ..request("a", "d1") };
    assert_eq!(ask(&store, scope, request.clone()).await, Admission::Protected { rule });
    for passes in [
        EffectRequest { override_approved: true, ..request.clone() },
        EffectRequest { undoes: true, ..request.clone() },
        EffectRequest { names: vec![], ..request },
    ] {
        assert_eq!(ask(&store, scope, passes.clone()).await, Admission::Admitted, "{passes:?}");
    }
    let refused = AuditFilter { action: Some("effect.refuse".into()), ..AuditFilter::default() };
    let refused = store.audit_list(scope, refused, 0, 9).await.unwrap();
    assert_eq!(
        (refused.len(), &refused[0].object, &refused[0].detail["rule"]),
        (1, &ISOLATE.to_owned(), &"device-name:dc-*".into())
    );
}

pub(super) async fn a_ceiling_counts_a_reference_once_and_ends_with_the_hour(Stage { store, clock }: Stage) {
    let (scope, other) = (tenant(&store, "one").await, tenant(&store, "other").await);
    let start = clock.now();
    for at in 0..10 {
        for _ in 0..2 {
            assert_eq!(ask(&store, scope, request(&format!("r{at}"), "d")).await, Admission::Admitted, "{at}");
        }
        clock.advance(SignedDuration::from_mins(1));
    }
    let over = Admission::OverCeiling { ceiling: 10, until: Some(start + SignedDuration::from_hours(1)) };
    let now = clock.now();
    let ask_now = |request: EffectRequest| ask_at(&store, scope, request, now);
    assert_eq!(ask_now(request("new", "d")).await, over);
    assert_eq!(ask_now(request("r3", "d")).await, Admission::Admitted, "the same effect again");
    assert_eq!(ask_now(request("r3", "another")).await, over, "a reference stands for one target");
    assert_eq!(ask_at(&store, other, request("r3", "d"), now).await, Admission::Admitted, "each tenant has its own");
    let undo = EffectRequest { undoes: true, ..request("undo", "d") };
    assert_eq!(ask_now(undo).await, Admission::Admitted);
    let elsewhere = EffectRequest { operation: "microsoft-365-defender/scan-device".into(), ..request("scan", "d") };
    assert_eq!(ask_now(elsewhere).await, Admission::Admitted);
    let hour = start + SignedDuration::from_hours(1);
    assert_eq!(ask_at(&store, scope, request("new", "d"), hour - SignedDuration::from_micros(1)).await, over);
    assert_eq!(ask_at(&store, scope, request("new", "d"), hour).await, Admission::Admitted);
    assert!(matches!(ask_at(&store, scope, request("next", "d"), hour).await, Admission::OverCeiling { .. }));
}

pub(super) async fn the_ledger_forgets_what_is_a_day_old_and_nothing_else(Stage { store, clock }: Stage) {
    let (scope, start) = (tenant(&store, "contoso").await, clock.now());
    let ceilings = vec![(ISOLATE.to_owned(), Some(5_000))];
    store.change_guardrails(scope, GuardrailChange { ceilings, ..GuardrailChange::default() }).await.unwrap();
    // More than one transaction takes away, with younger ones in between.
    for is_young in [false, true] {
        let asked = (0..2_500).filter(|at| (at % 5 == 0) == is_young).map(|at| {
            let now = start + SignedDuration::from_hours(24 * i64::from(is_young)) + SignedDuration::from_micros(at);
            let asked = EffectRequest { now, undoes: at % 7 == 0, ..request(&format!("r{at}"), "d") };
            let store = store.clone();
            tokio::spawn(async move { store.admit_effect(scope, asked).await.unwrap() })
        });
        for answer in asked.collect::<Vec<_>>() {
            assert_eq!(answer.await.unwrap(), Admission::Admitted);
        }
    }
    clock.advance(SignedDuration::from_hours(24));
    let sweep =
        || async { store.sweep(Retention { changes_before: start, blobs_before: start }).await.unwrap().effects };
    assert_eq!(sweep().await, 0, "a day is not over yet");
    clock.advance(SignedDuration::from_hours(1));
    assert_eq!((sweep().await, sweep().await), (2_000, 0));
    let now = clock.now();
    let ceilings = vec![(ISOLATE.to_owned(), Some(429))];
    store.change_guardrails(scope, GuardrailChange { ceilings, ..GuardrailChange::default() }).await.unwrap();
    assert_eq!(ask_at(&store, scope, request("r5", "d"), now).await, Admission::Admitted, "it still stands");
    assert_eq!(
        ask_at(&store, scope, request("r1", "d"), now).await,
        Admission::Admitted,
        "an hour is over, and it counts"
    );
}

pub(super) async fn many_at_once_do_not_pass_a_ceiling(Stage { store, .. }: Stage) {
    let scope = tenant(&store, "contoso").await;
    let asked = (0..60).map(|at| {
        let store = store.clone();
        tokio::spawn(async move { ask(&store, scope, request(&format!("r{at}"), "d")).await })
    });
    let mut admitted = 0;
    for answer in asked.collect::<Vec<_>>() {
        admitted += usize::from(answer.await.unwrap() == Admission::Admitted);
    }
    assert_eq!(admitted, 10);
}

async fn ask(store: &Store, scope: Scope, request: EffectRequest) -> Admission {
    ask_at(store, scope, request, store.now()).await
}

async fn ask_at(store: &Store, scope: Scope, request: EffectRequest, now: Timestamp) -> Admission {
    store.admit_effect(scope, EffectRequest { now, ..request }).await.unwrap()
}

pub(super) fn request(reference: &str, target: &str) -> EffectRequest {
    EffectRequest {
        operation: ISOLATE.into(),
        target: target.into(),
        names: vec![],
        unlooked: vec![],
        door: Door::Call,
        reference: reference.into(),
        override_approved: false,
        undoes: false,
        now: Timestamp::UNIX_EPOCH,
    }
}
