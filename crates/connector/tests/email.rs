//! Mail to a small server of our own: encrypted, refused, and lost at the worst moment.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]

use std::sync::{Arc, Mutex};

use rustls_pki_types::{PrivateKeyDer, pem::PemObject};
use serde_json::{Value, json};
use sortie_connector::{EmailError, Mail, MailServer};
use sortie_model::Secret;
use sortie_transport::{Delivery, Guard, ProxySetting, Transport, TransportSettings};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

/// How the server behaves.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    StartTls,
    Implicit,
    Plain,
    /// Goes away when it has the whole mail.
    DiesAfterData,
    /// Sends a reply in front of the encryption.
    Injects,
    /// Its reply never ends.
    Endless,
}

struct Post {
    port: u16,
    transport: Transport,
    /// Every line that the server was told, per connection.
    heard: Arc<Mutex<Vec<String>>>,
    _folder: tempfile::TempDir,
}

impl Post {
    async fn open(manner: Manner, trusts: bool, allowed: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let bundle = folder.path().join("ca.pem");
        std::fs::write(&bundle, if trusts { made.cert.pem() } else { other.cert.pem() }).unwrap();
        let key = PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config =
            rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (log, acceptor) = (Arc::clone(&heard), TlsAcceptor::from(Arc::new(config)));
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let _ = serve(tcp, manner, &acceptor, &log).await;
            }
        });
        // A connection's own authorities count like everybody's.
        let (everybody, own) = if manner == Manner::Implicit { (None, Some(bundle)) } else { (Some(bundle), None) };
        let settings = TransportSettings {
            ca_bundle: everybody,
            further_ca_bundle: own,
            proxy: ProxySetting::Direct,
            ..TransportSettings::default()
        };
        let port_of = |host: &String| host.replace("PORT", &port.to_string());
        let guard = Guard::allowing(allowed.iter().map(port_of)).unwrap();
        Self { port, transport: Transport::new(settings).unwrap().guarded(guard), heard, _folder: folder }
    }

    async fn send(&self, scheme: &str, password: &str, inputs: Value) -> Result<Value, EmailError> {
        self.send_to(scheme, "localhost", password, inputs).await
    }

    async fn send_to(&self, scheme: &str, host: &str, password: &str, inputs: Value) -> Result<Value, EmailError> {
        let mail = Mail::of(inputs.as_object().unwrap(), Some("soc@example.com"), Default::default())?;
        let base = format!("{scheme}://{host}:{}", self.port).parse().unwrap();
        let account = ("soc@example.com".to_owned(), Secret::new(password.to_owned()));
        let account = Some(account).filter(|_| !password.is_empty());
        mail.send(&MailServer::of(Some(&base), account)?, &self.transport).await
    }

    fn heard(&self) -> String {
        self.heard.lock().unwrap().join("\n")
    }
}

async fn serve(
    mut tcp: TcpStream,
    manner: Manner,
    acceptor: &TlsAcceptor,
    log: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    if manner == Manner::Implicit {
        return talk(acceptor.accept(tcp).await?, manner, true, log).await;
    }
    tcp.write_all(b"220 post\r\n").await?;
    if manner == Manner::Endless {
        loop {
            tcp.write_all(&[b'x'; 1_024]).await?;
        }
    }
    if manner == Manner::Plain {
        return talk(tcp, manner, false, log).await;
    }
    let mut reader = BufReader::new(tcp);
    let mut line = String::new();
    reader.read_line(&mut line).await?;
    reader.write_all(b"250-post\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n").await?;
    reader.read_line(&mut line).await?;
    let go: &[u8] = if manner == Manner::Injects { b"220 go\r\n250 injected\r\n" } else { b"220 go\r\n" };
    reader.write_all(go).await?;
    log.lock().unwrap().push(line.trim().replace("\r\n", " then "));
    talk(acceptor.accept(reader.into_inner()).await?, manner, false, log).await
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    manner: Manner,
    greets: bool,
    log: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    if greets {
        stream.write_all(b"220 post\r\n").await?;
    }
    let (mut is_mail, mut knows) = (false, false);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let line = line.trim_end().to_owned();
        log.lock().unwrap().push(line.clone());
        let echoed = format!("535 5.7.8 {line}: wrong-password-7 is not it\r\n");
        let reply: &[u8] = match line.split([' ', ':']).next().unwrap_or_default() {
            _ if is_mail && line != "." => continue,
            "." if manner == Manner::DiesAfterData => return Ok(()),
            "." => b"250 2.0.0 queued as 7\r\n",
            "EHLO" => b"250-post\r\n250 AUTH LOGIN PLAIN\r\n",
            // soc@example.com and `right`.
            "AUTH" if line.ends_with("AHNvY0BleGFtcGxlLmNvbQByaWdodA==") => b"235 welcome\r\n",
            "AUTH" => echoed.as_bytes(),
            "MAIL" if !knows => b"503 5.5.1 say hello first\r\n",
            "RCPT" if line.contains("nobody") => b"550 5.1.1 no such user\r\n",
            "DATA" => b"354 go on\r\n",
            _ => b"250 fine\r\n",
        };
        is_mail = line == "DATA";
        knows |= line.starts_with("EHLO");
        stream.write_all(reply).await?;
    }
}

fn mail() -> Value {
    json!({ "to": ["analyst@example.com"], "bcc": ["boss@example.com"], "subject": "Incident 7", "text": ".\nlook" })
}

fn allowed() -> Vec<String> {
    vec!["localhost:PORT".to_owned()]
}

#[tokio::test]
async fn a_mail_goes_out_encrypted() {
    for (scheme, manner) in [("smtp", Manner::StartTls), ("smtps", Manner::Implicit), ("smtp", Manner::Plain)] {
        let post = Post::open(manner, true, &allowed()).await;
        let sent = post.send(scheme, "right", mail()).await.unwrap();
        assert_eq!(sent["accepted"], json!(["analyst@example.com", "boss@example.com"]));
        assert_eq!(sent["answer"], "2.0.0 queued as 7");
        let heard = post.heard();
        assert!(heard.contains("Subject: Incident 7") && heard.contains("\n..\nlook"), "{heard}");
        assert!(!heard.contains("Bcc"), "{heard}");
        assert_eq!(heard.contains("STARTTLS"), manner == Manner::StartTls);
    }
}

#[tokio::test]
async fn a_relay_without_accounts_is_greeted_again_when_it_is_encrypted() {
    let post = Post::open(Manner::StartTls, true, &allowed()).await;
    post.send("smtp", "", mail()).await.unwrap();
    assert!(!post.heard().contains("AUTH"), "{}", post.heard());
}

#[tokio::test]
async fn an_unknown_certificate_gets_no_password() {
    for (scheme, manner) in [("smtp", Manner::StartTls), ("smtps", Manner::Implicit)] {
        let post = Post::open(manner, false, &allowed()).await;
        let error = post.send(scheme, "right", mail()).await.unwrap_err();
        assert!(matches!(error, EmailError::Send(_)), "{error}");
        assert!(!post.heard().contains("AUTH"), "{}", post.heard());
    }
    let post = Post::open(Manner::Injects, true, &allowed()).await;
    let error = post.send("smtp", "right", mail()).await.unwrap_err();
    assert!(error.to_string().contains("more than was asked for"), "{error}");
}

#[tokio::test]
async fn the_guard_holds_for_mail() {
    let post = Post::open(Manner::Plain, true, &[]).await;
    for host in ["localhost", "127.0.0.1", "2130706433", "[::ffff:127.0.0.1]"] {
        let error = post.send_to("smtp", host, "right", mail()).await.unwrap_err();
        assert_eq!(error.delivery(), Delivery::NotSent);
        let EmailError::Send(error) = error else { panic!("{error}") };
        assert!(error.kind.to_string().contains("this machine"), "{host}: {}", error.kind);
    }
    assert!(post.heard().is_empty());
}

#[tokio::test]
async fn a_refusal_is_told_without_the_password() {
    let post = Post::open(Manner::StartTls, true, &allowed()).await;
    let error = post.send("smtp", "wrong-password-7", mail()).await.unwrap_err();
    let sentence = "the mail server refuses name and password: 535 5.7.8 AUTH PLAIN ***: *** is not it";
    assert_eq!((error.to_string().as_str(), error.delivery()), (sentence, Delivery::Refused));
    let mut inputs = mail();
    inputs["to"] = json!(["analyst@example.com", "nobody@example.com"]);
    let error = post.send("smtp", "right", inputs).await.unwrap_err();
    let sentence = "the mail server refuses the recipient nobody@example.com: 550 5.1.1 no such user";
    assert_eq!((error.to_string().as_str(), error.delivery()), (sentence, Delivery::Refused));
    assert!(!post.heard().contains("DATA"), "nobody gets it");
}

#[tokio::test]
async fn a_mail_whose_answer_is_lost_is_in_doubt() {
    let post = Post::open(Manner::DiesAfterData, true, &allowed()).await;
    let error = post.send("smtp", "right", mail()).await.unwrap_err();
    assert!(matches!(error, EmailError::Lost(_)), "{error}");
    assert_eq!(error.delivery(), Delivery::Unknown);
}

#[tokio::test]
async fn a_reply_without_an_end_is_given_up() {
    let post = Post::open(Manner::Endless, true, &allowed()).await;
    let error = post.send("smtp", "right", mail()).await.unwrap_err();
    assert!(error.to_string().contains("line does not end"), "{error}");
}
