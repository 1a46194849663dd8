//! Runs: what takes one up finds what was ordered, and what it was told since.

use sortie_model::Clock as _;

use super::{Stage, hooks::new, tenant};
use crate::{RunValue, Scope, Started, Store, TakenUp};

pub(super) async fn a_run_is_taken_up_as_it_was_ordered_and_as_it_stands(Stage { store, clock }: Stage) {
    let scope = tenant(&store, "one").await;
    let given = RunValue::Text(r#"{"inputs":{},"trigger":{"kind":"webhook"}}"#.to_owned());
    let repeats = crate::NewRun {
        object: Some("incident 7".to_owned()),
        again_of: Some(crate::RunId::from_bytes([7; 16])),
        depth: 3,
        taken_over: Some((r#"{"format":1}"#.to_owned(), vec![("0".to_owned(), RunValue::Text("1".to_owned()))])),
        input: given,
        ..new("a")
    };
    for (at, order) in [new("plain"), repeats].into_iter().enumerate() {
        let Started::New(run) = store.start_run(scope, order).await.unwrap() else { panic!("it is new") };
        let first = taken(&store, scope, run).await;
        assert_eq!(first, taken(&store, scope, run).await, "{at}: the second time the file is read");
        assert_eq!((first.run.made, first.run.wake), (clock.now(), Some(clock.now())));
    }
    let Started::New(told) = store.start_run(scope, new("told")).await.unwrap() else { panic!("it is new") };
    store.cancel_run(scope, told).await.unwrap();
    assert_eq!(taken(&store, scope, told).await.signals.len(), 1);
    let Started::New(own) = store.start_run(scope, new("own")).await.unwrap() else { panic!("it is new") };
    let Scope::Tenant(other) = tenant(&store, "other").await else { panic!("it is a tenant's") };
    assert!(store.take_up(other, own).await.is_err(), "it is another tenant's");
}

async fn taken(store: &Store, scope: Scope, run: crate::RunId) -> TakenUp {
    store.take_up(scope.owner().unwrap(), run).await.unwrap()
}
