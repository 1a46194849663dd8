//! A listener on loopback for the one redirect that a browser brings back.

use std::{io, time::Duration};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use url::Url;

/// Waits on loopback for `GET path?...` with our state.
#[derive(Debug)]
pub(crate) struct RedirectListener {
    listener: TcpListener,
    uri: Url,
    state: String,
}

/// The parameters of the redirect, in order.
pub(crate) type Parameters = Vec<(String, String)>;

impl RedirectListener {
    /// Binds 127.0.0.1; port 0 takes any free one. The redirect address says `localhost`, for which Entra accepts every
    /// port of a public client (entra-docs `reply-url.md`, "localhost exceptions").
    pub(crate) async fn bind(port: u16, path: &str) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let port = listener.local_addr()?.port();
        let path = path.trim_start_matches('/');
        let uri = Url::parse(&format!("http://localhost:{port}/{path}")).map_err(io::Error::other)?;
        Ok(Self { listener, uri, state: random_text()? })
    }

    pub(crate) fn uri(&self) -> &Url {
        &self.uri
    }

    pub(crate) fn state(&self) -> &str {
        &self.state
    }

    /// The first redirect with our state, or one with an `error` and no state at all (the v1 consent page leaves it out).
    /// Any other request gets a 4xx and changes nothing. `Ok(None)` after `patience`.
    pub(crate) async fn wait(&self, patience: Duration) -> io::Result<Option<Parameters>> {
        let deadline = tokio::time::Instant::now() + patience;
        let mut open: JoinSet<Option<Parameters>> = JoinSet::new(); // Browsers open idle connections ahead of need.
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => return Ok(None),
                Some(done) = open.join_next() => if let Ok(Some(parameters)) = done { return Ok(Some(parameters)); },
                accepted = self.listener.accept(), if open.len() < CONNECTION_COUNT_MAX => {
                    let (stream, _) = accepted?;
                    let (path, state) = (self.uri.path().to_owned(), self.state.clone());
                    open.spawn(async move {
                        tokio::time::timeout(CONNECTION_TIME_MAX, serve(stream, &path, &state)).await.ok().flatten()
                    });
                }
            }
        }
    }
}

/// 256 bits, URL-safe: for `state` and the PKCE verifier.
pub(crate) fn random_text() -> io::Result<String> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| io::Error::other("the system gives no random numbers"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

async fn serve(mut stream: TcpStream, path: &str, state: &str) -> Option<Parameters> {
    let head = read_head(&mut stream).await?;
    let (status, text, parameters) = judge(&head, path, state);
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

fn judge(head: &[u8], path: &str, state: &str) -> (&'static str, &'static str, Option<Parameters>) {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (found, query) = target.split_once('?').unwrap_or((target, ""));
    if method != "GET" || found != path {
        return ("404 Not Found", "Nothing is here.", None);
    }
    let parameters: Parameters = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let value = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    match (value("state"), value("error")) {
        (Some(found), _) if found != state => {
            ("400 Bad Request", "This answer belongs to another request. Start again from the command line.", None)
        }
        (None, None) => ("400 Bad Request", "This answer carries no state. Start again from the command line.", None),
        (_, Some(_)) => ("200 OK", "It was refused. The command line says why.", Some(parameters)),
        (Some(_), None) => ("200 OK", "Done. You may close this page.", Some(parameters)),
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
        let (_, _, parameters) = judge(format!("GET {target} HTTP/1.1\r\n\r\n").as_bytes(), "/done", "s1");
        assert_eq!(parameters.is_some(), accepted, "{target}");
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
    async fn patience_ends() {
        let listener = RedirectListener::bind(0, "/done").await.unwrap();
        assert!(listener.wait(Duration::from_millis(1)).await.unwrap().is_none());
    }
}
