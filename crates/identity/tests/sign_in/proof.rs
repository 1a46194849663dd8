//! Verification against published keys, and the tricks that it must not fall for.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_RSA_SHA256, PublicKeyData};
use serde_json::{Value, json};
use sortie_identity::{
    Audience,
    inspect::{Verifier, VerifyError},
};
use sortie_model::{ManualClock, TenantId};

use crate::{
    server::{Reply, Server},
    transport,
};

const TENANT: &str = "22222222-3333-4444-5555-666666666666";
const NOW: i64 = 1_800_000_000;

struct Signer {
    kid: &'static str,
    key: KeyPair,
}

impl Signer {
    fn new(kid: &'static str) -> Self {
        Self { kid, key: KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap() }
    }

    /// The RSAPublicKey of RFC 8017 taken apart: SEQUENCE of two INTEGERs.
    fn jwk(&self) -> Value {
        let der = self.key.der_bytes();
        let (_, sequence) = element(der);
        let (n_and_rest, n) = element(sequence);
        let (_, e) = element(&sequence[n_and_rest..]);
        let text = |number: &[u8]| URL_SAFE_NO_PAD.encode(number.strip_prefix(&[0]).unwrap_or(number));
        json!({"kty": "RSA", "use": "sig", "kid": self.kid, "x5t": self.kid, "n": text(n), "e": text(e),
               "issuer": "https://sts.windows.net/{tenantid}/"})
    }

    fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(self.kid.into());
        let key = EncodingKey::from_rsa_pem(self.key.serialize_pem().as_bytes()).unwrap();
        jsonwebtoken::encode(&header, claims, &key).unwrap()
    }
}

/// Length of the element with its head, and its content.
fn element(der: &[u8]) -> (usize, &[u8]) {
    let (start, length) = match der[1] {
        short @ 0..0x80 => (2, usize::from(short)),
        long => {
            let bytes = usize::from(long & 0x7f);
            (2 + bytes, der[2..2 + bytes].iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
        }
    };
    (start + length, &der[start..start + length])
}

fn issuer() -> String {
    format!("https://sts.windows.net/{TENANT}/")
}

fn claims() -> Value {
    json!({"ver": "1.0", "iss": issuer(), "aud": "https://api.security.microsoft.com", "tid": TENANT,
           "iat": NOW, "nbf": NOW, "exp": NOW + 3600, "roles": ["Incident.Read.All"]})
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

async fn publish(server: &Server, keys: &[&Signer]) {
    let discovery = json!({"issuer": issuer(), "jwks_uri": server.url.join("/keys").unwrap()});
    server.reply(&format!("/{TENANT}/.well-known/openid-configuration"), Reply::json(200, discovery));
    let keys: Vec<Value> = keys.iter().map(|signer| signer.jwk()).collect();
    server.reply("/keys", Reply::json(200, json!({ "keys": keys })));
}

fn verifier(server: &Server) -> Verifier {
    let clock = ManualClock::new(jiff::Timestamp::from_second(NOW + 60).unwrap());
    Verifier::new(transport(), Arc::new(clock), server.url.clone())
}

async fn verdict(verifier: &Verifier, token: &str) -> String {
    let tenant = TenantId::parse(TENANT).unwrap();
    match verifier.verify(token, &tenant, &Audience::Xdr).await {
        Ok(token) => format!("proven for {}", token.claims.roles.join(",")),
        Err(error) => {
            assert!(error.remedy().ends_with('.'));
            format!("{error:?}").split(['(', ' ']).next().unwrap().to_owned()
        }
    }
}

#[tokio::test]
async fn a_good_token_is_proven_and_the_keys_are_fetched_once() {
    let (server, signer) = (Server::start().await, Signer::new("k1"));
    publish(&server, &[&signer]).await;
    let verifier = verifier(&server);
    for _ in 0..3 {
        assert_eq!(verdict(&verifier, &signer.sign(&claims())).await, "proven for Incident.Read.All");
    }
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn wrong_claims_are_refused() {
    let (server, signer) = (Server::start().await, Signer::new("k1"));
    publish(&server, &[&signer]).await;
    let verifier = verifier(&server);
    for (claims, expected) in [
        (with("iss", json!("https://sts.windows.net/33333333-3333-4444-5555-666666666666/")), "Issuer"),
        (with("iss", Value::Null), "Missing"),
        (with("aud", json!("https://graph.microsoft.com")), "Audience"),
        (with("aud", json!(["https://evil.example", "8ee8fdad-f234-4243-8f3b-15c294843740"])), "proven"),
        (with("exp", json!(NOW + 60 - 300)), "Expired"),
        (with("exp", json!(NOW + 60 - 299)), "proven"),
        (with("exp", Value::Null), "Missing"),
        (with("nbf", json!(NOW + 60 + 301)), "NotYetValid"),
        (with("nbf", json!(NOW + 60 + 300)), "proven"),
        (with("ver", Value::Null), "Missing"),
    ] {
        assert_eq!(verdict(&verifier, &signer.sign(&claims)).await.split(' ').next(), Some(expected), "{claims}");
    }
}

#[tokio::test]
async fn forgeries_are_refused() {
    let (server, signer, stranger) = (Server::start().await, Signer::new("k1"), Signer::new("k1"));
    publish(&server, &[&signer]).await;
    let verifier = verifier(&server);
    assert_eq!(verdict(&verifier, &stranger.sign(&claims())).await, "Signature");

    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let none = format!("{}.{}.", part(&json!({"alg": "none", "kid": "k1"})), part(&claims()));
    assert_eq!(verdict(&verifier, &none).await, "Algorithm");

    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some("k1".into());
    let with_public_key = EncodingKey::from_secret(signer.key.public_key_pem().as_bytes());
    let confused = jsonwebtoken::encode(&header, &claims(), &with_public_key).unwrap();
    assert_eq!(verdict(&verifier, &confused).await, "Algorithm");

    let good = signer.sign(&claims());
    let parts: Vec<&str> = good.split('.').collect();
    let more = part(&with("roles", json!(["Incident.ReadWrite.All"])));
    assert_eq!(verdict(&verifier, &format!("{}.{more}.{}", parts[0], parts[2])).await, "Signature");
    assert_eq!(verdict(&verifier, "not a token").await, "Unreadable");
}

#[tokio::test]
async fn an_unknown_key_is_looked_up_again_but_not_for_every_forgery() {
    let (server, old, new) = (Server::start().await, Signer::new("k1"), Signer::new("k2"));
    publish(&server, &[&old]).await;
    publish(&server, &[&new]).await;
    let verifier = verifier(&server);
    assert_eq!(verdict(&verifier, &old.sign(&claims())).await, "proven for Incident.Read.All");
    for _ in 0..5 {
        assert_eq!(verdict(&verifier, &new.sign(&claims())).await, "UnknownKey");
    }
    assert_eq!(server.asked().len(), 2, "within the pause nothing is fetched");
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(61)).await;
    tokio::time::resume();
    assert_eq!(verdict(&verifier, &new.sign(&claims())).await, "proven for Incident.Read.All");
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test]
async fn a_graph_token_is_said_to_be_for_graph_alone() {
    let (server, signer) = (Server::start().await, Signer::new("k1"));
    publish(&server, &[&signer]).await;
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let token = format!("{}.{}.c2ln", part(&json!({"alg": "RS256", "kid": "k1", "nonce": "n"})), part(&claims()));
    assert_eq!(verdict(&verifier(&server), &token).await, "OnlyItsResource");
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn unusable_documents_are_named() {
    let (server, signer) = (Server::start().await, Signer::new("k1"));
    assert_eq!(verdict(&verifier(&server), &signer.sign(&claims())).await, "BadDocument");
    let tenant = TenantId::parse(TENANT).unwrap();
    let outcome = verifier(&server).verify(&signer.sign(&claims()), &tenant, &Audience::Xdr).await;
    assert!(matches!(outcome, Err(VerifyError::BadDocument { status: 404, .. })), "{outcome:?}");
}
