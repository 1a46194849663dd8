//! A listener on loopback for the one redirect that a browser brings back.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::{SecureRandom, SystemRandom},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sortie_model::Secret;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use url::Url;

/// Waits on loopback for `GET path?...` with our state.
#[derive(Debug)]
pub struct RedirectListener {
    listener: TcpListener,
    uri: Url,
    rule: Arc<Rule>,
}

/// The parameters of the redirect, in order.
pub type Parameters = Vec<(String, String)>;

/// What proves that the one who redeems a code is the one who asked for it (RFC 7636), by S256.
#[derive(Clone, Debug)]
pub struct Pkce {
    /// Kept until the code is redeemed.
    pub verifier: Secret,
    /// Goes with the question.
    pub challenge: String,
}

/// Which redirects count.
#[derive(Debug)]
struct Rule {
    paths: Vec<String>,
    state: String,
    /// A refusal needs our state, too.
    strict: bool,
    /// The state has come.
    used: AtomicBool,
}

impl Pkce {
    /// A pair that nobody has.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn fresh() -> io::Result<Self> {
        let verifier = random_text()?;
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        Ok(Self { verifier: Secret::new(verifier), challenge })
    }
}

impl RedirectListener {
    /// Binds 127.0.0.1; port 0 takes any free one. The redirect address says `localhost`, for which Entra accepts every
    /// port of a public client (entra-docs `reply-url.md`, "localhost exceptions").
    ///
    /// # Errors
    /// When the port is taken, for example.
    pub async fn bind(port: u16, path: &str) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let port = listener.local_addr()?.port();
        let path = path.trim_start_matches('/');
        let uri = Url::parse(&format!("http://localhost:{port}/{path}")).map_err(io::Error::other)?;
        let paths = vec![uri.path().to_owned()];
        let rule = Rule { paths, state: random_text()?, strict: false, used: AtomicBool::new(false) };
        Ok(Self { listener, uri, rule: Arc::new(rule) })
    }

    /// Answers at these paths, too, and takes nothing without our state, not even a refusal.
    #[must_use]
    pub fn strict(mut self, further: &[&str]) -> Self {
        let mut paths = self.rule.paths.clone();
        paths.extend(further.iter().map(|path| (*path).to_owned()));
        let state = self.rule.state.clone();
        self.rule = Arc::new(Rule { paths, state, strict: true, used: AtomicBool::new(false) });
        self
    }

    /// The address to be called back at.
    pub fn uri(&self) -> &Url {
        &self.uri
    }

    /// What the redirect must bring back; good once.
    pub fn state(&self) -> &str {
        &self.rule.state
    }

    /// The first redirect with our state, or one with an `error` and no state at all (the v1 consent page leaves it out),
    /// unless the listener is strict. Any other request gets a 4xx and changes nothing. `Ok(None)` after `patience`.
    ///
    /// # Errors
    /// When the listener breaks.
    pub async fn wait(&self, patience: Duration) -> io::Result<Option<Parameters>> {
        match tokio::time::timeout(patience, self.serve()).await {
            Ok(found) => found.map(Some),
            Err(_) => Ok(None),
        }
    }

    /// Refuses every further redirect with a page that says why, until `work` is done.
    pub async fn refuse_while<T>(&self, work: impl Future<Output = T>) -> T {
        let refuse = async {
            // The state was used: nothing counts any more, and a listener that breaks is not waited for.
            let _broken = self.serve().await;
            std::future::pending::<()>().await;
        };
        tokio::select! { done = work => done, () = refuse => unreachable!("it waits for ever") }
    }

    async fn serve(&self) -> io::Result<Parameters> {
        let mut open: JoinSet<Option<Parameters>> = JoinSet::new(); // Browsers open idle connections ahead of need.
        loop {
            tokio::select! {
                Some(done) = open.join_next() => if let Ok(Some(parameters)) = done { return Ok(parameters); },
                accepted = self.listener.accept(), if open.len() < CONNECTION_COUNT_MAX => {
                    let (stream, _) = accepted?;
                    let rule = Arc::clone(&self.rule);
                    open.spawn(async move {
                        tokio::time::timeout(CONNECTION_TIME_MAX, serve(stream, &rule)).await.ok().flatten()
                    });
                }
            }
        }
    }
}

/// 256 bits, URL-safe: for `state` and the PKCE verifier.
fn random_text() -> io::Result<String> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| io::Error::other("the system gives no random numbers"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

async fn serve(mut stream: TcpStream, rule: &Rule) -> Option<Parameters> {
    let head = read_head(&mut stream).await?;
    let (status, text, parameters) = rule.judge(&head);
    let page = format!("<!doctype html><meta charset=utf-8><title>Sortie</title><p>{text}</p>");
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n{page}",
        page.len()
    );
    // Whether the browser still reads the page changes nothing about what it brought.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
    parameters
}

async fn read_head(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    let mut buffer = [0; 2048];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let count = stream.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
        head.extend_from_slice(&buffer[..count]);
        if head.len() > HEAD_BYTES_MAX {
            return None;
        }
    }
    Some(head)
}

impl Rule {
    fn judge(&self, head: &[u8]) -> (&'static str, &'static str, Option<Parameters>) {
        let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let mut words = line.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (found, query) = target.split_once('?').unwrap_or((target, ""));
        if method != "GET" || !self.paths.iter().any(|path| path == found) {
            return ("404 Not Found", "Nothing is here.", None);
        }
        let parameters: Parameters = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let value = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let is_refusal = value("error").is_some();
        match value("state") {
            Some(found) if found != self.state => {
                let text = "This answer belongs to another request. Start again from the command line.";
                return ("400 Bad Request", text, None);
            }
            None if self.strict || !is_refusal => {
                let text = "This answer carries no state. Start again from the command line.";
                return ("400 Bad Request", text, None);
            }
            _ => {}
        }
        if self.used.swap(true, Ordering::SeqCst) {
            return ("400 Bad Request", "This answer came before. Start again from the command line.", None);
        }
        match is_refusal {
            true => ("200 OK", "It was refused. The command line says why.", Some(parameters)),
            false => ("200 OK", "Done. You may close this page.", Some(parameters)),
        }
    }
}

const CONNECTION_COUNT_MAX: usize = 16;
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(10);
const HEAD_BYTES_MAX: usize = 32 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(target: &str, accepted: bool) {
        for strict in [false, true] {
            let rule = Rule { paths: vec!["/done".into()], state: "s1".into(), strict, used: AtomicBool::new(false) };
            let head = format!("GET {target} HTTP/1.1\r\n\r\n");
            let expected = accepted && (!strict || target.contains("state="));
            assert_eq!(rule.judge(head.as_bytes()).2.is_some(), expected, "{target}, strict: {strict}");
            assert!(rule.judge(head.as_bytes()).2.is_none(), "a state counts once: {target}");
        }
    }

    #[test]
    fn only_our_state_or_a_stateless_refusal_counts() {
        check("/done?admin_consent=True&state=s1", true);
        check("/done?admin_consent=True&state=s2", false);
        check("/done?admin_consent=True", false);
        check("/done?error=permission_denied&error_description=x", true);
        check("/done?error=permission_denied&state=s2", false);
        check("/favicon.ico", false);
        check("/other?state=s1", false);
    }

    #[tokio::test]
    async fn an_idle_connection_does_not_hold_the_answer_up() {
        let listener = RedirectListener::bind(0, "/done").await.unwrap();
        let address = listener.listener.local_addr().unwrap();
        let _idle = TcpStream::connect(address).await.unwrap();
        let line = format!("GET /done?code=c&state={} HTTP/1.1\r\n\r\n", listener.state());
        let browser = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(line.as_bytes()).await.unwrap();
            let mut page = String::new();
            stream.read_to_string(&mut page).await.unwrap();
            page
        };
        let (page, found) = tokio::join!(browser, listener.wait(Duration::from_secs(20)));
        assert!(page.contains("You may close this page"), "{page}");
        assert_eq!(found.unwrap().unwrap()[0], ("code".to_owned(), "c".to_owned()));
    }

    #[tokio::test]
    async fn a_state_that_was_used_is_refused_while_the_code_is_redeemed() {
        let listener = RedirectListener::bind(0, "/done").await.unwrap().strict(&["/other"]);
        let address = listener.listener.local_addr().unwrap();
        let visit = async |path: &str, state: &str| {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let line = format!("GET {path}?code=c&state={state} HTTP/1.1\r\n\r\n");
            stream.write_all(line.as_bytes()).await.unwrap();
            let mut page = String::new();
            stream.read_to_string(&mut page).await.unwrap();
            page
        };
        let state = listener.state().to_owned();
        let (page, found) = tokio::join!(visit("/other", &state), listener.wait(Duration::from_secs(20)));
        assert!(page.starts_with("HTTP/1.1 200") && found.unwrap().is_some(), "{page}");
        let again = listener.refuse_while(visit("/done", &state)).await;
        assert!(again.starts_with("HTTP/1.1 400") && again.contains("came before"), "{again}");
        let foreign = listener.refuse_while(visit("/done", "x")).await;
        assert!(foreign.starts_with("HTTP/1.1 400") && foreign.contains("another request"), "{foreign}");
    }

    #[tokio::test]
    async fn patience_ends() {
        let listener = RedirectListener::bind(0, "/done").await.unwrap();
        assert!(listener.wait(Duration::from_millis(1)).await.unwrap().is_none());
    }
}
