//! Where documents come from: folders, archives and addresses, the hostile ones among them.

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Router, body::Body, extract::Request, http::header, response::IntoResponse, response::Redirect};
use sortie_testkit::Ended;
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::stage::Stage;

const MAIN: &str = "openapi: 3.0.3\ninfo: { title: Parts, version: '1' }\nservers: [{ url: 'https://x.example' }]\npaths:\n  /a: { $ref: parts/a.yaml }\n  /b: { $ref: ../outside.yaml }\n";
const PART: &str = "get: { operationId: fine, responses: {} }\n";

fn archive(path: &Path, entries: &[(&str, &[u8])]) {
    let mut zip = ZipWriter::new(File::create(path).unwrap());
    for (name, bytes) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
}

#[track_caller]
fn check_refused(ended: &Ended, words: &str) {
    assert!(ended.code == 2 && ended.stderr.contains(words), "expected `{words}`: {ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_or_archive_gives_its_document_with_what_it_refers_to() {
    let stage = Stage::start().await;
    let folder = stage.sortie.folder().join("app");
    std::fs::create_dir_all(folder.join("parts")).unwrap();
    std::fs::write(folder.join("main.yaml"), MAIN).unwrap();
    std::fs::write(folder.join("parts/a.yaml"), PART).unwrap();
    std::fs::write(stage.sortie.folder().join("outside.yaml"), PART).unwrap();
    archive(
        &stage.sortie.folder().join("app.zip"),
        &[("x/main.yaml", MAIN.as_bytes()), ("x/parts/a.yaml", PART.as_bytes())],
    );
    let mut hashes = Vec::new();
    for (from, id) in [("app", "one"), ("app.zip", "two")] {
        let imported = stage.run(&["connector", "import", from, "--id", id, "--json"]).await.succeeded();
        let report: serde_json::Value = serde_json::from_str(&imported.stdout).unwrap();
        assert_eq!((&report["report"]["callable"], &report["report"]["seen"]), (&1.into(), &2.into()), "{report}");
        let listed = stage.run(&["connector", "list", "--jsonl"]).await.succeeded().json_lines();
        hashes.push(listed.iter().find(|one| one["id"] == id).unwrap()["version"].clone());
    }
    assert_eq!(hashes[0], hashes[1], "the same files, the same connector");
    std::fs::write(folder.join("other.json"), MAIN.replace("openapi: 3.0.3", "{\"openapi\": \"3.0.3\"}")).unwrap();
    let several = stage.run(&["connector", "import", "app", "--id", "three"]).await;
    check_refused(&several, "app holds 2 OpenAPI documents");
    assert!(several.stderr.contains("main.yaml, other.json"), "{}", several.stderr);
    let named = ["connector", "import", "app", "--id", "three", "--document", "main.yaml"];
    stage.run(&named).await.succeeded();
    let lost = stage.run(&["connector", "import", "app", "--document", "../outside.yaml", "--id", "four"]).await;
    check_refused(&lost, "has no document `../outside.yaml`");
    let same = stage.run(&["connector", "diff", "three", "app.zip"]).await.succeeded();
    assert_eq!(same.stdout.trim(), "nothing would change");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_archive_leads_out_of_itself_or_fills_the_memory() {
    let stage = Stage::start().await;
    let path = stage.sortie.folder().join("app.zip");
    for name in ["../evil.yaml", "/etc/evil.yaml", "a/../../evil.yaml", "..\\evil.yaml", "a\\..\\..\\evil.yaml"] {
        archive(&path, &[("main.yaml", MAIN.as_bytes()), (name, PART.as_bytes())]);
        check_refused(&stage.run(&["connector", "import", "app.zip"]).await, "leads out of it");
    }
    let mut zip = ZipWriter::new(File::create(&path).unwrap());
    zip.add_symlink("parts/a.yaml", "../../outside.yaml", SimpleFileOptions::default()).unwrap();
    zip.start_file("main.yaml", SimpleFileOptions::default()).unwrap();
    zip.write_all(MAIN.as_bytes()).unwrap();
    zip.finish().unwrap();
    check_refused(&stage.run(&["connector", "import", "app.zip"]).await, "the file `parts/a.yaml` was not given");
    archive(&path, &[("bomb.yaml", &vec![b' '; 65 << 20])]);
    assert!(std::fs::metadata(&path).unwrap().len() < 1 << 20, "it is small while it is packed");
    check_refused(&stage.run(&["connector", "import", "app.zip"]).await, "unpack to more than");
    let small: Vec<String> = (0..10_001).map(|at| format!("{at}.yaml")).collect();
    archive(&path, &small.iter().map(|name| (name.as_str(), &b"x"[..])).collect::<Vec<_>>());
    check_refused(&stage.run(&["connector", "import", "app.zip"]).await, "holds 10001 files");
    std::fs::write(&path, b"PK\x03\x04 and nothing more").unwrap();
    check_refused(&stage.run(&["connector", "import", "app.zip"]).await, "the archive cannot be read");
    archive(&path, &[("readme.txt", b"no document")]);
    check_refused(&stage.run(&["connector", "import", "app.zip"]).await, "holds no OpenAPI document");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_deep_and_explosive_documents_are_refused() {
    let stage = Stage::start().await;
    let path = stage.sortie.folder().join("bad.yaml");
    File::create(&path).unwrap().set_len(200 << 20).unwrap();
    check_refused(&stage.run(&["connector", "import", "bad.yaml"]).await, "209715200 bytes");
    let mut bomb = "openapi: 3.0.3\nx0: &x0 [a, a, a, a, a, a, a, a, a, a]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*x{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("x{level}: &x{level} [{aliases}]\n"));
    }
    std::fs::write(&path, bomb).unwrap();
    check_refused(&stage.run(&["connector", "import", "bad.yaml"]).await, "refused as a possible attack");
    for deep in ["[".repeat(1_000_000), "- ".repeat(1_000_000), "{\"a\":".repeat(1_000_000)] {
        std::fs::write(&path, deep).unwrap();
        check_refused(&stage.run(&["connector", "import", "bad.yaml"]).await, "cannot import bad.yaml");
    }
    let ring = "openapi: 3.0.3\ninfo: { title: Ring, version: '1' }\nservers: [{ url: 'https://x.example' }]\ncomponents: { parameters: { a: { $ref: '#/components/parameters/b' }, b: { $ref: '#/components/parameters/a' } } }\npaths: { /x: { get: { parameters: [{ $ref: '#/components/parameters/a' }], responses: {} } } }\n";
    std::fs::write(&path, ring).unwrap();
    check_refused(&stage.run(&["connector", "import", "bad.yaml"]).await, "leads back to itself");
}

/// A server that gives documents, and counts how often it was asked and whether with a credential.
async fn server() -> (String, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let answer = move |request: Request| {
        count.fetch_add(1, Ordering::SeqCst);
        async move {
            assert!(!request.headers().contains_key(header::AUTHORIZATION));
            match request.uri().path() {
                "/openapi.json" => {
                    MAIN.replace("parts/a.yaml", "/part.yaml").replace("/b:", "/c: { get: {} }\n  /b:").into_response()
                }
                "/moved" => Redirect::temporary("http://169.254.169.254/openapi.json").into_response(),
                "/page" => ([(header::CONTENT_TYPE, "text/html")], "<html>Sign in</html>").into_response(),
                "/endless" => {
                    let lump = || Ok::<_, std::io::Error>("# more\n".repeat(10_000));
                    Body::from_stream(futures_util::stream::repeat_with(lump)).into_response()
                }
                _ => axum::http::StatusCode::NOT_FOUND.into_response(),
            }
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await.unwrap() });
    (base, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_asked_once_guarded_and_without_credentials() {
    let stage = Stage::start().await;
    let (base, asked) = server().await;
    let host = base.strip_prefix("http://").unwrap().to_owned();
    let import = async |path: &str, allowed: &[&str]| {
        let url = format!("{base}{path}");
        stage.run(&[&["connector", "import", &url, "--id", "own"][..], allowed].concat()).await
    };
    let allowed = ["--allow-host", &host];
    let guarded = import("/openapi.json", &[]).await;
    assert!(guarded.code == 6 && guarded.stderr.contains("allowed hosts"), "{guarded:?}");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    let imported = import("/openapi.json?sig=very-secret", &allowed).await.succeeded();
    assert!(imported.stdout.contains("1 operation"), "{}", imported.stdout);
    assert_eq!(asked.load(Ordering::SeqCst), 1, "what it refers to is not fetched");
    let listed = stage.run(&["connector", "list", "--json"]).await.succeeded();
    assert!(
        listed.stdout.contains("127.0.0.1/openapi.json") && !listed.stdout.contains("very-secret"),
        "{}",
        listed.stdout
    );
    let moved = import("/moved", &allowed).await;
    assert!(moved.code == 6 && moved.stderr.contains("metadata addresses"), "{moved:?}");
    check_refused(&import("/page", &allowed).await, "a web page");
    check_refused(&import("/none?sig=very-secret", &allowed).await, "status 404");
    assert!(!import("/none?sig=very-secret", &allowed).await.stderr.contains("very-secret"));
    let endless = import("/endless", &allowed).await;
    assert!(endless.code != 0 && endless.stderr.contains("67108864"), "{endless:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_of_a_file_touches_neither_the_network_nor_a_secret() {
    let stage = Stage::start().await;
    let (base, asked) = server().await;
    let document = format!(
        "openapi: 3.0.3
info: {{ title: Curious, version: '1', contact: {{ url: '{base}/contact' }} }}
externalDocs: {{ url: '{base}/docs' }}
servers: [{{ url: '{base}/api' }}]
security: [{{ o: [] }}]
components:
  securitySchemes:
    o: {{ type: oauth2, flows: {{ clientCredentials: {{ tokenUrl: '{base}/token', scopes: {{}} }} }} }}
    c: {{ type: openIdConnect, openIdConnectUrl: '{base}/openid' }}
paths:
  /near: {{ get: {{ operationId: near, responses: {{}} }} }}
  /far: {{ get: {{ operationId: far, parameters: [{{ $ref: '{base}/part.yaml#/p' }}], responses: {{}} }} }}
"
    );
    std::fs::write(stage.sortie.folder().join("curious.yaml"), document).unwrap();
    // A key that opens nothing, and secrets where they usually are: whoever reaches for one fails.
    std::fs::write(stage.sortie.folder().join("broken.key"), "no key").unwrap();
    let sortie =
        stage.sortie.with("SORTIE_KEY_FILE", "broken.key").with("HTTP_PROXY", &base).with("HTTPS_PROXY", &base);
    let imported = sortie.run(&["connector", "import", "curious.yaml"]).await.succeeded();
    assert!(imported.stdout.contains("1 operation") && imported.stdout.contains("far"), "{}", imported.stdout);
    assert_eq!(asked.load(Ordering::SeqCst), 0, "nobody was asked for anything");
    assert_eq!(std::fs::read_to_string(sortie.folder().join("broken.key")).unwrap(), "no key");
    assert!(!sortie.folder().join(".local/share/sortie/sortie.key").exists(), "no key is made");
}
