//! Whatever a sign-in traces or shows, good or refused, holds neither secret nor token in any spelling.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use sortie_identity::{Audience, AuthorizedClient, Credential};
use sortie_model::Secret;
use sortie_transport::{Request, RetryPolicy};

use crate::{
    V2,
    server::{Reply, Server},
    source, transport,
};

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
const TOKEN: &str = "eyJ0b2tlbg.eyJ0b2tlbiI6MX0.c2lnbmF0dXJl";

#[tokio::test]
async fn no_sign_in_traces_a_secret() {
    let captured = Captured::default();
    let sink = captured.clone();
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || sink.clone()).init();

    let server = Server::start().await;
    server.reply(V2, Reply::token(TOKEN)).reply(V2, Reply::token(TOKEN));
    server.reply(V2, Reply::refusal(401, "invalid_client", 7000215));
    server.reply("/page", Reply::json(401, "{}")).reply("/oidc", Reply::json(200, format!(r#"{{"value":"{TOKEN}"}}"#)));
    let source_of = |credential| source(&server, credential);
    let tokens = source_of(Credential::Secret(Secret::new(SECRET)));
    let client = AuthorizedClient::new(transport(), tokens.clone());
    let request = Request::get(server.url.join("/page").unwrap());
    let answer = client.call(&Audience::Xdr, request, &RetryPolicy::default()).await.unwrap();
    let refused = tokens.token(&Audience::Graph).await.unwrap_err();
    let url = server.url.join("/oidc").unwrap();
    let federated = source_of(Credential::FederatedUrl { url, bearer: Secret::new(SECRET) });
    let federated_refused = federated.token(&Audience::Xdr).await.unwrap_err();

    let mut text = String::from_utf8_lossy(&captured.0.lock().unwrap()).into_owned();
    assert!(text.contains("7000215") && text.contains(V2), "something was traced: {text}");
    let shown = [
        format!("{answer:?} {client:?} {:?}", tokens.application()),
        format!("{refused} {refused:?} {}", refused.remedy()),
        format!("{federated_refused:?} {federated:?} {:?}", federated.application()),
    ];
    text.push_str(&shown.join("\n"));
    for secret in [SECRET, TOKEN] {
        let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        for spelling in [secret.to_owned(), STANDARD.encode(secret), URL_SAFE_NO_PAD.encode(secret), encoded] {
            assert!(!text.contains(&spelling), "{spelling} is shown");
        }
    }
}
