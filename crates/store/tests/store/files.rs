//! Locks, foreign and newer files, damage, backup and restore.

use std::{fs, path::Path, sync::Arc};

use rusqlite::Connection;
use sortie_model::SystemClock;
use sortie_store::{Retention, Scope, Store, StoreErrorKind, StoreOptions, conformance::stage};

fn open(path: &Path) -> Result<Store, StoreErrorKind> {
    let options =
        StoreOptions { path: path.to_owned(), purpose: "sortie serve".to_owned(), clock: Arc::new(SystemClock) };
    Store::open(options).map_err(|error| error.kind)
}

async fn scope(store: &Store) -> Scope {
    Scope::Tenant(store.add_tenant("contoso", None, "global").await.unwrap().key)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_hears_who_has_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made/sortie.db");
    let store = open(&path).unwrap();
    let StoreErrorKind::Held { holder, .. } = open(&path).unwrap_err() else { panic!("it is held") };
    assert_eq!(holder, format!("process {} (`sortie serve`)", std::process::id()));
    drop(store);
    open(&path).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_ours_or_newer_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = folder.path().join("foreign.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    let text = folder.path().join("notes.txt");
    fs::write(
        &text,
        "not a database at all, and long enough to have had a header of one hundred bytes or so".repeat(9),
    )
    .unwrap();
    let newer = folder.path().join("newer.db");
    drop(open(&newer).unwrap());
    Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let state = |path: &std::path::PathBuf| (fs::read(path).unwrap(), fs::metadata(path).unwrap().permissions());
    let before = [&foreign, &text].map(state);
    assert!(matches!(open(&foreign).unwrap_err(), StoreErrorKind::NotOurs(_)));
    assert!(matches!(open(&text).unwrap_err(), StoreErrorKind::Damaged(_)));
    assert!(matches!(open(&newer).unwrap_err(), StoreErrorKind::Newer { found: 99, known: 1.. }));
    assert_eq!([&foreign, &text].map(state), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_taken_under_load_restores_to_one_state() {
    let folder = tempfile::tempdir().unwrap();
    let stage = stage(folder.path());
    let scope = scope(&stage.store).await;
    let writing = {
        let store = stage.store.clone();
        tokio::spawn(async move {
            let mut count = 0_u32;
            loop {
                // Both or none: the backup must not see one without the other's equal.
                count += 1;
                if store.set_value(scope, "count", count.to_string(), None, None).await.is_err() {
                    return count - 1;
                }
            }
        })
    };
    let backup = folder.path().join("backup.db");
    stage.store.backup(&backup).await.unwrap();
    assert!(matches!(stage.store.backup(&backup).await.unwrap_err().kind, StoreErrorKind::Exists(_)));
    stage.store.close();
    let last = writing.await.unwrap();
    assert!(last > 0);
    let path = stage.store.path().to_owned();
    let held = Store::restore(&backup, &path, &SystemClock).unwrap_err();
    assert!(matches!(held.kind, StoreErrorKind::Held { .. }), "{held}");
    drop(stage);
    Store::restore(&backup, &path, &SystemClock).unwrap();
    let restored = open(&path).unwrap();
    let kept = restored.value(scope, "count").await.unwrap();
    if let Some(kept) = kept {
        assert_eq!(kept.value, kept.version.to_string(), "value and version are of one commit");
        assert!(kept.version <= i64::from(last));
    }
    assert_eq!(restored.tenants(scope).await.unwrap()[0].name, "contoso");
    // Retention still gives space back: the backup has kept that setting.
    let _ = restored.put_blob(scope, vec![7; 3_000_000]).await.unwrap();
    let far = "2100-01-01T00:00:00Z".parse().unwrap();
    assert!(restored.sweep(Retention { changes_before: far, blobs_before: far }).await.unwrap().pages > 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_backup_is_refused_and_what_was_there_stays() {
    let folder = tempfile::tempdir().unwrap();
    let stage = stage(folder.path());
    let scope = scope(&stage.store).await;
    for at in 0..200 {
        stage.store.set_value(scope, &format!("{at}"), "x".repeat(500), None, None).await.unwrap();
    }
    let backup = folder.path().join("backup.db");
    stage.store.backup(&backup).await.unwrap();
    let path = stage.store.path().to_owned();
    drop(stage);
    let whole = fs::read(&backup).unwrap();
    let cut = folder.path().join("cut.db");
    fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let overwritten = folder.path().join("overwritten.db");
    let mut bytes = whole.clone();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 20_000].fill(0xff);
    fs::write(&overwritten, &bytes).unwrap();
    let empty = folder.path().join("empty.db");
    fs::write(&empty, "").unwrap();
    for wrong in [&cut, &overwritten, &empty, &folder.path().join("absent.db")] {
        let error = Store::restore(wrong, &path, &SystemClock).unwrap_err();
        assert!(!error.remedy().is_empty(), "{error}");
        let store = open(&path).unwrap();
        assert_eq!(store.value_names(scope, "", "", 1_000).await.unwrap().len(), 200, "{}", wrong.display());
    }
}

#[tokio::test]
async fn beside_whoever_has_the_database_it_is_read_and_never_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    let options = |path: &std::path::Path| StoreOptions {
        path: path.to_owned(),
        purpose: "a look".to_owned(),
        clock: Arc::new(SystemClock),
    };
    let absent = Store::beside(options(&path), "process 7".to_owned()).unwrap_err();
    assert!(matches!(absent.kind, StoreErrorKind::ReadOnly(_)), "{absent}");
    assert!(!path.exists(), "a look makes none");
    let store = open(&path).unwrap();
    store.add_tenant("contoso", None, "global").await.unwrap();
    let beside = Store::beside(options(&path), "process 7 (`sortie serve`)".to_owned()).unwrap();
    assert!(beside.is_beside() && !store.is_beside());
    let names = async |store: &Store| {
        let tenants = store.tenants(Scope::Every).await.unwrap();
        tenants.into_iter().map(|tenant| tenant.name).collect::<Vec<_>>()
    };
    assert_eq!(names(&beside).await, names(&store).await);
    let refused = beside.add_tenant("fabrikam", None, "global").await.unwrap_err();
    let StoreErrorKind::Held { holder, .. } = &refused.kind else { panic!("{refused}") };
    assert_eq!(holder, "process 7 (`sortie serve`)");
    // Whoever has it goes on writing, and a later look sees it.
    store.add_tenant("fabrikam", None, "global").await.unwrap();
    let later = Store::beside(options(&path), String::new()).unwrap();
    assert!(names(&later).await.contains(&"fabrikam".to_owned()));
    drop((store, beside, later));
    let older = rusqlite::Connection::open(&path).unwrap();
    older.pragma_update(None, "user_version", 1).unwrap();
    let held = Store::beside(options(&path), "process 7".to_owned()).unwrap_err();
    assert!(matches!(held.kind, StoreErrorKind::Held { .. }), "{held}");
    older.pragma_update(None, "user_version", 999).unwrap();
    assert!(matches!(Store::beside(options(&path), String::new()).unwrap_err().kind, StoreErrorKind::Newer { .. }));
}
