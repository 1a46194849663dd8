//! The database over its life: backup, restore, another secret, another key, a second process.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use sortie_testkit::Registered;

use crate::stage::Stage;

const CALL: &[&str] = &["call", "microsoft-365-defender/list-alerts", "$top=1"];

async fn connected() -> (Stage, Registered) {
    let stage = Stage::start().await;
    let application = stage.cloud.application(&[("graph", "SecurityAlert.Read.All")]).await;
    stage.import("/oauth2/v2.0/token").await;
    stage.connect("contoso", &application).await.succeeded();
    stage.run(CALL).await.succeeded();
    (stage, application)
}

fn place(stage: &Stage, name: &str) -> PathBuf {
    stage.sortie.folder().join(".local/share/sortie").join(name)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_restored_and_needs_its_key() {
    let (stage, _) = connected().await;
    let told = stage.run(&["backup", "kept.db"]).await.succeeded();
    assert!(told.stderr.contains("sortie.key") && told.stderr.contains("not in it"), "{}", told.stderr);
    let again = stage.run(&["backup", "kept.db"]).await.ended_with(2);
    assert!(again.stderr.contains("exists already"), "{}", again.stderr);
    stage.run(&["connection", "remove", "contoso", "--yes"]).await.succeeded();
    let unasked = stage.run(&["restore", "kept.db"]).await;
    assert!(unasked.code == 2 && unasked.stderr.contains("--yes"), "{unasked:?}");
    stage.run(CALL).await.ended_with(2);
    stage.run(&["restore", "kept.db", "--yes"]).await.succeeded();
    stage.run(CALL).await.succeeded();
    fs::write(stage.sortie.folder().join("other.db"), "something else").unwrap();
    let foreign = stage.run(&["restore", "other.db", "--yes"]).await;
    assert!(foreign.code != 0 && foreign.stderr.contains("other.db"), "{foreign:?}");
    stage.run(CALL).await.succeeded();
    fs::remove_file(place(&stage, "sortie.key")).unwrap();
    let keyless = stage.run(&["restore", "kept.db", "--yes"]).await.succeeded();
    assert!(keyless.stderr.contains("secrets do not open"), "{}", keyless.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_secret_takes_the_place_of_the_old_one() {
    let (stage, application) = connected().await;
    let other = stage.cloud.application(&[]).await;
    let rotate = ["connection", "rotate", "contoso", "--credential", "stdin"];
    stage.sortie.run_with_input(&rotate, &other.secret).await.succeeded();
    let refused = stage.run(CALL).await.ended_with(3);
    assert!(refused.stderr.contains("invalid_client"), "the new one is used: {}", refused.stderr);
    stage.sortie.run_with_input(&rotate, &application.secret).await.succeeded();
    stage.run(CALL).await.succeeded();
    let reference = stage.run(&["connection", "rotate", "contoso", "--credential", "env:X"]).await.ended_with(2);
    assert!(reference.stderr.contains("a reference is not rotated"), "{}", reference.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_opens_what_the_old_one_did() {
    let (stage, _) = connected().await;
    let key = place(&stage, "sortie.key");
    let old = fs::read(&key).unwrap();
    stage.run(&["backup", "kept.db"]).await.succeeded();
    let rotated = stage.run(&["key", "rotate"]).await.succeeded();
    assert!(rotated.stdout.contains("1 secret sealed anew"), "{}", rotated.stdout);
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    stage.run(CALL).await.succeeded();
    // The key of before opens the backup of before, and nothing that was sealed since.
    let before = place(&stage, "").read_dir().unwrap().map(|entry| entry.unwrap().path());
    let before = before.into_iter().find(|path| path.to_string_lossy().contains("key.until-")).unwrap();
    assert_eq!(fs::read(&before).unwrap(), old);
    let with_old = [CALL, &["--key-file", before.to_str().unwrap()]].concat();
    let refused = stage.run(&with_old).await.ended_with(3);
    assert!(refused.stderr.contains("not the key"), "{}", refused.stderr);
    stage.run(&["restore", "kept.db", "--yes"]).await.succeeded();
    stage.run(&with_old).await.succeeded();
}

/// Killed after the database took the new key, before the files changed their names; in both places between the names.
#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_was_cut_off_is_finished() {
    let (stage, _) = connected().await;
    let (key, fresh) = (place(&stage, "sortie.key"), place(&stage, "sortie.key.new"));
    let old = fs::read(&key).unwrap();
    for moved in [false, true] {
        stage.run(&["key", "rotate"]).await.succeeded();
        fs::rename(&key, &fresh).unwrap();
        if !moved {
            fs::write(&key, &old).unwrap();
            fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        }
        stage.run(CALL).await.succeeded();
        assert!(!fresh.exists() && key.exists(), "the new key is in its place: moved {moved}");
        stage.run(CALL).await.succeeded();
    }
    // What is left of one that never came to the database is not taken for the key.
    fs::write(&fresh, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").unwrap();
    stage.run(CALL).await.succeeded();
    stage.run(&["key", "rotate"]).await.succeeded();
    stage.run(CALL).await.succeeded();
}

/// The row says another address, and the secret was sealed for the one before.
#[tokio::test(flavor = "multi_thread")]
async fn an_edited_row_sends_no_secret() {
    let (stage, _) = connected().await;
    let database = rusqlite::Connection::open(place(&stage, "sortie.db")).unwrap();
    let text = |sql| database.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    let base = text("SELECT base_url FROM connections");
    let mut settings: serde_json::Value = serde_json::from_str(&text("SELECT settings FROM connections")).unwrap();
    settings["client_id"] = "11111111-2222-3333-4444-555555555555".into();
    for (column, value) in [
        ("base_url", "https://evil.example/".to_owned()),
        ("token_url", "https://evil.example/token".to_owned()),
        ("destinations", r#"["https://evil.example"]"#.to_owned()),
        ("allowed_hosts", r#"["10.0.0.1"]"#.to_owned()),
        ("settings", settings.to_string()),
    ] {
        let before: Option<String> =
            database.query_row(&format!("SELECT {column} FROM connections"), [], |row| row.get(0)).unwrap();
        database.execute(&format!("UPDATE connections SET {column} = ?1"), [value]).unwrap();
        let refused = stage.run(CALL).await;
        assert!(refused.code == 3 && refused.stderr.contains("does not fit its connection"), "{column}: {refused:?}");
        assert!(!refused.stderr.contains("token endpoint"), "{column} was sent: {}", refused.stderr);
        database.execute(&format!("UPDATE connections SET {column} = ?1"), [before]).unwrap();
    }
    assert!(base.contains("localhost"), "{base}");
    stage.run(CALL).await.succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_waits_and_then_hears_who_has_the_database() {
    let (stage, _) = connected().await;
    let options = sortie_store::StoreOptions {
        path: place(&stage, "sortie.db"),
        purpose: "test".to_owned(),
        clock: std::sync::Arc::new(sortie_model::SystemClock),
    };
    let store = sortie_store::Store::open(options).unwrap();
    let refused = stage.run(&["connector", "list"]).await.ended_with(2);
    let process = std::process::id().to_string();
    assert!(refused.stderr.contains(&process) && refused.stderr.contains("next:"), "{}", refused.stderr);
    let (waiting, ()) = tokio::join!(stage.run(&["connector", "list"]), async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        drop(store);
    });
    waiting.succeeded();
}

/// As `LoadCredential=sortie.key` hands it over: in a folder of the service's own, with a mode that says less than the kernel does.
#[tokio::test(flavor = "multi_thread")]
async fn the_key_may_be_a_credential_of_systemd() {
    let (mut stage, _) = connected().await;
    let folder = tempfile::tempdir().unwrap();
    stage.sortie = stage.sortie.with("CREDENTIALS_DIRECTORY", folder.path().to_str().unwrap());
    stage.run(CALL).await.succeeded();
    let handed = folder.path().join("sortie.key");
    fs::rename(place(&stage, "sortie.key"), &handed).unwrap();
    fs::set_permissions(&handed, fs::Permissions::from_mode(0o440)).unwrap();
    stage.run(CALL).await.succeeded();
    let refused = stage.run(&["key", "rotate"]).await.ended_with(2);
    let sentence = "the key is in the credential sortie.key of systemd, which cannot be changed from here";
    assert!(refused.stderr.contains(sentence), "{}", refused.stderr);
    let kept = stage.run(&["backup", "kept.db"]).await.succeeded();
    assert!(kept.stderr.contains("the credential sortie.key of systemd"), "{}", kept.stderr);
    fs::write(&handed, "no key").unwrap();
    let broken = stage.run(CALL).await;
    assert!(broken.code != 0 && broken.stderr.contains("the credential sortie.key of systemd"), "{broken:?}");
}
