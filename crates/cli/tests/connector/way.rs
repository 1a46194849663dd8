//! A connection's own way out: its authorities, its certificate, its rate.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    server::{NoServerSessionStorage, WebPkiClientVerifier},
};
use rustls_pki_types::PrivateKeyDer;
use sortie_testkit::{Leaks, Sortie, TestCloud};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;

use crate::stage::{PROGRAM, Stage};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap())
    }

    /// PEM of a certificate and of its key.
    fn certificate(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (parameters.signed_by(&key, &self.0).unwrap(), key)
    }
}

/// A service that answers whoever shows a certificate of the authority.
async fn serve(authority: &Authority) -> SocketAddr {
    let (certificate, key) = authority.certificate("localhost");
    let mut roots = RootCertStore::empty();
    roots.add(authority.0.der().clone()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    let (acceptor, listener) =
        (TlsAcceptor::from(Arc::new(config)), tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap());
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\nconnection: close\r\n\r\n{\"ok\":true}";
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_demands_a_certificate_gets_the_connections_own() {
    let authority = Authority::new("ours");
    let address = serve(&authority).await;
    let sortie = Sortie::new(PROGRAM, &Leaks::default());
    let write = |name: &str, text: &str| std::fs::write(sortie.folder().join(name), text).unwrap();
    let host = format!("localhost:{}", address.port());
    write(
        "own.yaml",
        &format!(
            "openapi: 3.0.3\ninfo: {{ title: Own, version: '1' }}\nservers: [{{ url: 'https://{host}' }}]\npaths: {{ /x: {{ get: {{ operationId: x, responses: {{}} }} }} }}\n"
        ),
    );
    write("authority.pem", &authority.0.pem());
    let (certificate, key) = authority.certificate("sortie");
    write("client.pem", &format!("{}{}", certificate.pem(), key.serialize_pem()));
    write("certificate.pem", &certificate.pem());
    write("key.pem", &key.serialize_pem());
    let (foreign, foreign_key) = Authority::new("theirs").certificate("sortie");
    write("foreign.pem", &format!("{}{}", foreign.pem(), foreign_key.serialize_pem()));
    write("foreign-key.pem", &foreign_key.serialize_pem());
    sortie.run(&["connector", "import", "own.yaml"]).await.succeeded();
    let add = async |name: &str, more: &[&str]| {
        let add = ["connection", "add", name, "--connector", "own", "--credential", "none", "--allow-host", &host];
        sortie.run(&[&add[..], more].concat()).await
    };
    let trust = ["--trust", "authority.pem"];
    for (name, more, code, said) in [
        ("untrusting", &["--client-certificate", "client.pem"][..], 6, "unknown authority"),
        ("bare", &[], 6, "asks for a client certificate"),
        ("foreign", &["--client-certificate", "foreign.pem"], 6, "does not accept the client certificate"),
        ("one", &["--client-certificate", "client.pem"], 0, ""),
        ("two", &["--client-certificate", "certificate.pem,key.pem"], 0, ""),
    ] {
        let trusts = if name == "untrusting" { &[][..] } else { &trust };
        add(name, &[more, trusts].concat()).await.succeeded();
        let called = sortie.run(&["call", "own/x", "-c", name]).await.ended_with(code);
        assert!(called.stderr.contains(said), "{name}: {}", called.stderr);
    }
    let shown = sortie.run(&["connection", "show", "two"]).await.succeeded();
    assert!(
        shown.stdout.contains("certificate.pem,key.pem") && shown.stdout.contains("authority.pem"),
        "{}",
        shown.stdout
    );
    for (more, said) in [
        (["--client-certificate", "certificate.pem,foreign-key.pem"], "does not belong"),
        (["--client-certificate", "certificate.pem"], "no readable private key"),
        (["--client-certificate", "nowhere.pem"], "cannot be read"),
        (["--trust", "key.pem"], "no readable PEM certificate"),
    ] {
        let refused = add("x", &more).await.ended_with(2);
        assert!(refused.stderr.contains(said), "{more:?}: {}", refused.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_calls_no_more_often_than_its_rate() {
    let stage = Stage::start().await;
    let application = stage.cloud.application(&[("graph", "SecurityIncident.Read.All")]).await;
    let token_url = format!("https://{}/{{tenant}}/oauth2/v2.0/token", stage.host());
    let with = |rate: &'static str| ["--token-url", &token_url, "--rate", rate, "--at-once", "2"].map(str::to_owned);
    for wrong in ["0/s", "1/h", "fast", "1"] {
        let wrong = with(wrong);
        let wrong: Vec<&str> = wrong.iter().map(String::as_str).collect();
        let refused = stage.connect_with("contoso", &application, &wrong).await.ended_with(2);
        assert!(refused.stderr.contains("such as 10/s"), "{}", refused.stderr);
    }
    let good = with("1/s");
    let good: Vec<&str> = good.iter().map(String::as_str).collect();
    stage.connect_with("contoso", &application, &good).await.succeeded();
    let calls = async |cloud: &TestCloud| cloud.get("/counters").await["total"].as_u64().unwrap();
    let (begun, before) = (Instant::now(), calls(&stage.cloud).await);
    let list = ["call", "microsoft-365-defender/list-incidents", "--all-pages", "$top=20"];
    assert!(stage.run(&list).await.succeeded().json_lines().len() > 40);
    // One of them is for the token, which no rate of the connection holds; the first page does not wait.
    let pages = calls(&stage.cloud).await - before - 1;
    assert!(pages >= 3 && begun.elapsed().as_secs() >= pages - 1, "{pages} pages in {:?}", begun.elapsed());
    let shown = stage.run(&["connection", "show", "contoso"]).await.succeeded().stdout;
    assert!(shown.contains("1/s") && shown.contains("At once"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_connection_to_microsoft_trusts_holds_for_its_token_and_for_every_command() {
    let stage = Stage::start().await;
    let application = stage.cloud.application(&[("graph", "SecurityIncident.Read.All")]).await;
    let authority = stage.cloud.emulator().ca_pem().unwrap();
    let sortie = Sortie::new(PROGRAM, stage.cloud.leaks());
    let at = format!("https://{}", stage.host());
    let add = async |name: &str, more: &[&str]| {
        let who = ["--tenant", &application.tenant, "--client-id", &application.client_id, "--credential", "stdin"];
        let add = [&["connection", "add", name, "--emulator", &at][..], &who, more].concat();
        sortie.run_with_input(&add, &application.secret).await
    };
    add("without", &[]).await.succeeded();
    add("with", &["--trust", authority.to_str().unwrap()]).await.succeeded();
    for command in [&["incidents", "list", "--limit", "1"][..], &["call", "microsoft-365-defender/list-incidents"]] {
        let distrusted = sortie.run(&[command, &["-c", "without"]].concat()).await.ended_with(6);
        assert!(distrusted.stderr.contains("unknown authority"), "{}", distrusted.stderr);
        sortie.run(&[command, &["-c", "with"]].concat()).await.succeeded();
    }
    // What only connections to other connectors have is refused, not dropped.
    for more in [["--rate", "1/s"], ["--at-once", "2"], ["--base", "https://x.example"], ["--variable", "a=b"]] {
        let refused = add("bounded", &more).await.ended_with(2);
        assert!(refused.stderr.contains("--connector"), "{}", refused.stderr);
    }
}
