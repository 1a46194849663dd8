//! Whatever is traced, at any level and by any library below, holds no secret in any spelling.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use crate::peers::{Script, answer, authority, peer, tls_peer};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use sortie_model::{Secret, SystemClock};
use sortie_transport::{FormValue, HeaderName, ProxySetting, Request, RetryPolicy, Transport, TransportSettings};

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const SECRET: &str = "h8~Q/s3cr+t value=";

#[tokio::test]
async fn no_secret_is_traced() {
    let captured = Captured::default();
    let sink = captured.clone();
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || sink.clone()).init();

    let authority = authority("localhost", (2020, 2090));
    let mut bundle = tempfile::NamedTempFile::new().unwrap();
    bundle.write_all(authority.pem.as_bytes()).unwrap();
    let body = format!("{{\"access_token\":\"{SECRET}\"}}");
    let busy = answer("503 Busy", "Retry-After: 0\r\n", body.as_bytes());
    let (plain, tls) = (peer(Script::Say(busy.clone())).await, tls_peer(authority.acceptor, Script::Say(busy)).await);
    let settings = TransportSettings {
        ca_bundle: Some(bundle.path().to_owned()),
        proxy: ProxySetting::Direct,
        ..TransportSettings::default()
    };
    let transport = Transport::new(settings).unwrap();
    let secret = Secret::new(SECRET);
    let policy = RetryPolicy { attempts_max: 2, ..RetryPolicy::default() };
    for base in [plain.url("/token"), format!("https://localhost:{}/token", tls.address.port()).parse().unwrap()] {
        let mut url = base;
        url.query_pairs_mut().append_pair("code", SECRET);
        let request = Request::post(url.clone()).effect(sortie_transport::Effect::Safe);
        let form = [("client_secret", FormValue::Secret(&secret))];
        for request in [
            request.clone().bearer(&secret),
            request.clone().basic("client", &secret).form(form),
            request.clone().header(HeaderName::from_static("x-api-key"), SECRET),
            request.json(&serde_json::json!({ "password": SECRET })),
        ] {
            let response = transport.call(request, &policy, &SystemClock).await.unwrap();
            assert!(response.text().contains(SECRET));
        }
    }
    let text = String::from_utf8_lossy(&captured.0.lock().unwrap()).into_owned();
    assert!(text.contains("503") && text.contains("/token"), "something was traced: {text}");
    let encoded: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    let basic = format!("client:{encoded}");
    for spelling in [
        SECRET.to_owned(),
        STANDARD.encode(SECRET),
        URL_SAFE_NO_PAD.encode(SECRET),
        STANDARD.encode(basic),
        encoded,
        SECRET.replace(' ', "%20"),
    ] {
        assert!(!text.contains(&spelling), "{spelling} is traced");
    }
}
