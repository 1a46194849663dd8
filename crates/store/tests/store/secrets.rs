//! No secret can be read from the files, and an edited row cannot send one elsewhere.

use std::{fs, path::Path};

use base64::{Engine, prelude::BASE64_STANDARD};
use rusqlite::Connection;
use serde_json::json;
use sortie_model::Secret;
use sortie_store::{
    ConnectionId, KeySource, MasterKey, NewConnection, Scope, Store, StoreErrorKind,
    conformance::{self, Stage},
};

const SECRET: &str = "zoo8Q~planted-client-secret-7Hd2kQ";

async fn planted(folder: &Path) -> (Stage, MasterKey, Scope, ConnectionId) {
    let stage = conformance::stage(folder);
    let store = &stage.store;
    let scope = Scope::Tenant(store.add_tenant("contoso", None, "global").await.unwrap().key);
    let master = MasterKey::create(&folder.join("sortie.key")).unwrap();
    let keyring = store.unlock(master.clone()).await.unwrap();
    let new = NewConnection {
        name: "defender".parse().unwrap(),
        connector: "microsoft-365-defender".into(),
        base_url: "https://graph.microsoft.com".into(),
        token_url: Some("https://login.microsoftonline.com/contoso/oauth2/v2.0/token".into()),
        allowed_hosts: vec!["api.security.microsoft.com".into()],
        destinations: vec!["https://graph.microsoft.com".into()],
        settings: json!({}),
    };
    let connection = store.add_connection(scope, new).await.unwrap();
    store.set_secret(&keyring, scope, connection.id, "client_secret", &Secret::new(SECRET), None).await.unwrap();
    (stage, master, scope, connection.id)
}

/// Plain, in base64 at every offset, and in hexadecimal.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![secret.as_bytes().to_vec()];
    for offset in 0..3 {
        let shifted = [vec![b'x'; offset], secret.as_bytes().to_vec()].concat();
        let text = BASE64_STANDARD.encode(shifted);
        forms.push(text.as_bytes()[4..text.len() - 4].to_vec());
    }
    forms.push(secret.bytes().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect());
    forms
}

fn assert_nowhere(folder: &Path) {
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let content = fs::read(&path).unwrap();
        for form in forms(SECRET) {
            assert!(!content.windows(form.len()).any(|window| window == form), "{} has it", path.display());
        }
        seen += 1;
    }
    assert!(seen >= 3, "the database, its log and the key were looked at");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_holds_the_secret_in_any_form() {
    let folder = tempfile::tempdir().unwrap();
    let (stage, _, scope, connection) = planted(folder.path()).await;
    assert_nowhere(folder.path());
    stage.store.backup(&folder.path().join("backup.db")).await.unwrap();
    stage.store.void_secrets(scope, connection).await.unwrap();
    assert_nowhere(folder.path());
    drop(stage);
    assert_nowhere(folder.path());
    fs::write(folder.path().join("planted"), format!("xx{}", BASE64_STANDARD.encode(format!("x{SECRET}")))).unwrap();
    assert!(std::panic::catch_unwind(|| assert_nowhere(folder.path())).is_err(), "the search finds what is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_row_gives_no_secret_away() {
    for edit in [
        "UPDATE connections SET base_url = 'https://evil.example'",
        "UPDATE connections SET token_url = 'https://evil.example/token'",
        "UPDATE connections SET token_url = NULL",
        r#"UPDATE connections SET allowed_hosts = '["evil.example"]'"#,
        r#"UPDATE connections SET destinations = '["https://evil.example"]'"#,
        "UPDATE secrets SET field = 'client_secret2'",
        "UPDATE secrets SET sealed = zeroblob(80)",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (stage, _, scope, connection) = planted(folder.path()).await;
        let path = stage.store.path().to_owned();
        drop(stage);
        Connection::open(&path).unwrap().execute_batch(edit).unwrap();
        let stage = conformance::stage(folder.path());
        let source = KeySource::File(folder.path().join("sortie.key"));
        let master = MasterKey::load(&source, &stage.store.installation().await.unwrap()).unwrap();
        let keyring = stage.store.unlock(master).await.unwrap();
        let field = if edit.contains("field") { "client_secret2" } else { "client_secret" };
        let error = stage.store.secret(&keyring, scope, connection, field).await.unwrap_err();
        assert!(matches!(error.kind, StoreErrorKind::Key(_)), "{edit}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_another_connection_does_not_open_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let (stage, master, scope, first) = planted(folder.path()).await;
    let keyring = stage.store.unlock(master).await.unwrap();
    let twin = NewConnection {
        name: "twin".parse().unwrap(),
        connector: "microsoft-365-defender".into(),
        base_url: "https://graph.microsoft.com".into(),
        token_url: Some("https://login.microsoftonline.com/contoso/oauth2/v2.0/token".into()),
        allowed_hosts: vec!["api.security.microsoft.com".into()],
        destinations: vec!["https://graph.microsoft.com".into()],
        settings: json!({}),
    };
    let twin = stage.store.add_connection(scope, twin).await.unwrap();
    stage.store.set_secret(&keyring, scope, twin.id, "client_secret", &Secret::new("other"), None).await.unwrap();
    let path = stage.store.path().to_owned();
    drop(stage);
    // The twin leads to the same addresses, is of the same tenant, and has the other's sealed text now.
    let copy =
        "UPDATE secrets SET sealed = (SELECT sealed FROM secrets s WHERE s.connection_id <> secrets.connection_id)
        WHERE connection_id = (SELECT connection_id FROM connections WHERE name = 'twin')";
    Connection::open(&path).unwrap().execute_batch(copy).unwrap();
    let stage = conformance::stage(folder.path());
    let error = stage.store.secret(&keyring, scope, twin.id, "client_secret").await.unwrap_err();
    assert!(matches!(error.kind, StoreErrorKind::Key(_)), "{error}");
    let own = stage.store.secret(&keyring, scope, first, "client_secret").await.unwrap().unwrap();
    assert_eq!(own.expose(), SECRET);
}

#[tokio::test(flavor = "multi_thread")]
async fn rotation_under_load_loses_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let (stage, master, scope, connection) = planted(folder.path()).await;
    let mut keyring = stage.store.unlock(master).await.unwrap();
    let reading = {
        let (store, keyring): (Store, _) = (stage.store.clone(), keyring.clone());
        tokio::spawn(async move {
            let mut opened = 0;
            for _ in 0..200 {
                let secret = store.secret(&keyring, scope, connection, "client_secret").await;
                // The keyring of before a rotation of the master key still knows the data keys that it has opened.
                opened += u32::from(secret.is_ok_and(|secret| secret.is_some_and(|one| one.expose() == SECRET)));
            }
            opened
        })
    };
    for round in 0..10 {
        assert_eq!(stage.store.rotate_data_keys(&keyring, Scope::Every).await.unwrap(), 1, "round {round}");
    }
    assert_eq!(reading.await.unwrap(), 200);
    let new = MasterKey::create(&folder.path().join("new.key")).unwrap();
    keyring = stage.store.rotate_master_key(&keyring, new).await.unwrap();
    let secret = stage.store.secret(&keyring, scope, connection, "client_secret").await.unwrap().unwrap();
    assert_eq!(secret.expose(), SECRET);
}
