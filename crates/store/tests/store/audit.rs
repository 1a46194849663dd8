//! What an editor of the file can do to the audit log: nothing that the log does not tell.

use jiff::SignedDuration;
use rusqlite::Connection;
use serde_json::json;
use sortie_model::Clock as _;
use sortie_store::{Actor, AuditFilter, Scope, TenantKey, conformance::stage};

const SHARED: Scope = Scope::Tenant(TenantKey::SHARED);

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_changes_takes_or_replaces_an_entry() {
    let folder = tempfile::tempdir().unwrap();
    let stage = stage(folder.path());
    for object in ["a", "b"] {
        stage.store.audit(SHARED, &Actor::system(), "x.y", object, json!({})).await.unwrap();
        stage.clock.advance(SignedDuration::from_secs(1));
    }
    let file = Connection::open(stage.store.path()).unwrap();
    let row = "seq, at_us, actor_id, actor_name, actor_kind, tenant_id, tenant_name, action, object, detail";
    let replace =
        format!("REPLACE INTO audit ({row}) SELECT {} FROM audit WHERE seq = 1", row.replace("action", "'x.z'"));
    for statement in [
        "UPDATE audit SET object = 'c' WHERE seq = 1",
        "UPDATE audit SET pruned_before_us = 9000000000000000 WHERE seq = 2",
        "DELETE FROM audit WHERE seq = 1",
        "DELETE FROM audit",
        &replace,
    ] {
        let error = file.execute(statement, []).unwrap_err();
        assert!(error.to_string().contains("append-only"), "{statement}: {error}");
    }
    let entries = stage.store.audit_list(Scope::Every, AuditFilter::default(), 0, 9).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.object.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    // A pruning lets the older go, and only those.
    stage.store.prune_audit(stage.clock.now() - SignedDuration::from_secs(1)).await.unwrap();
    assert!(file.execute("DELETE FROM audit", []).is_err());
    let entries = stage.store.audit_list(Scope::Every, AuditFilter::default(), 0, 9).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.object.as_str()).collect::<Vec<_>>(), ["b", "audit"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_holds_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let stage = stage(folder.path());
    let alice = stage.store.add_principal(&"alice".parse().unwrap()).await.unwrap();
    let (token, info) = stage.store.add_token(alice.id, "ci", None).await.unwrap();
    stage.store.principal_of_token(&token).await.unwrap().unwrap();
    stage.store.close();
    let beyond = &token.expose()[info.prefix.len()..];
    let mut looked = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        looked += bytes.len();
        let found = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!found(&beyond[..12]), "a piece of the token");
    }
    assert!(looked > 10_000);
}
