//! The keys that this cloud signs tokens with. They are made here, so that no client set for the real cloud trusts them.

use std::sync::{Arc, OnceLock, RwLock};

use aws_lc_rs::{digest, rand::SystemRandom, rsa::KeyPair as RsaKeyPair, signature};
use base64::{Engine, engine::general_purpose::STANDARD};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Map, Value, json};

use crate::jwt::{Jwt, RsaPublic, base64url};

/// All keys that are published; the last one signs.
#[derive(Debug)]
pub(crate) struct SigningKeys(RwLock<Vec<Arc<SigningKey>>>);

/// One published key with its certificate.
#[derive(Debug)]
pub(crate) struct SigningKey {
    /// As Microsoft does it: base64url of the certificate's SHA-1, the same as `x5t`.
    pub kid: String,
    pair: RsaKeyPair,
    public: RsaPublic,
    certificate: Vec<u8>,
}

impl SigningKeys {
    /// RSA keys take long to make, so all clouds of one process start with the same one.
    pub(crate) fn new() -> Self {
        static FIRST: OnceLock<Arc<SigningKey>> = OnceLock::new();
        Self(RwLock::new(vec![Arc::clone(FIRST.get_or_init(|| Arc::new(SigningKey::generate())))]))
    }

    /// Publishes a new key and signs with it from now on, as Microsoft does without notice.
    pub(crate) fn roll(&self) -> String {
        let key = Arc::new(SigningKey::generate());
        let kid = key.kid.clone();
        self.0.write().expect("no code panics while it holds this lock").push(key);
        kid
    }

    pub(crate) fn current(&self) -> Arc<SigningKey> {
        let keys = self.0.read().expect("no code panics while it holds this lock");
        Arc::clone(keys.last().expect("the list starts with one key and only grows"))
    }

    /// Whether this cloud signed the token, the `nonce` rule of Graph tokens included.
    pub(crate) fn signed(&self, token: &Jwt) -> bool {
        let keys = self.0.read().expect("no code panics while it holds this lock");
        let Some(key) = keys.iter().find(|key| token.header_text("kid") == Some(&key.kid)) else { return false };
        let Some(nonce) = token.header_text("nonce") else { return token.signed_by(&key.public) };
        let mut signed = token.clone();
        signed.header.insert("nonce".into(), hashed_nonce(nonce).into());
        let Some((_, claims)) = token.signing_input.split_once('.') else { return false };
        signed.signing_input = format!("{}.{claims}", encode(&signed.header));
        signed.signed_by(&key.public)
    }

    /// The key set document; `issuer` is part of each key on the v2 address only.
    pub(crate) fn jwks(&self, issuer: Option<&str>) -> Value {
        let keys = self.0.read().expect("no code panics while it holds this lock");
        json!({ "keys": keys.iter().map(|key| key.jwk(issuer)).collect::<Vec<_>>() })
    }
}

impl SigningKey {
    fn generate() -> Self {
        let pair =
            KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).expect("RSA-2048 is always available");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "accounts.accesscontrol.emulator.invalid");
        let certificate = params.self_signed(&pair).expect("the parameters are constant").der().to_vec();
        let signing = RsaKeyPair::from_pkcs8(&pair.serialize_der()).expect("rcgen writes PKCS#8");
        let public = certificate_key(&certificate).expect("the certificate above holds an RSA key");
        Self { kid: base64url(&thumbprint_sha1(&certificate)), pair: signing, public, certificate }
    }

    /// Signs claims with RS256. With `nonce`, only who knows Graph's rule can verify the result: the header that is
    /// sent carries the nonce, the header that is signed carries its SHA-256. (M: seen in the wild, not documented.)
    pub(crate) fn sign(&self, claims: &Map<String, Value>, with_x5t: bool, nonce: Option<&str>) -> String {
        let mut header = Map::from_iter([
            ("typ".to_owned(), json!("JWT")),
            ("alg".to_owned(), json!("RS256")),
            ("kid".to_owned(), json!(self.kid)),
        ]);
        if with_x5t {
            header.insert("x5t".into(), json!(self.kid));
        }
        let mut sent = header.clone();
        if let Some(nonce) = nonce {
            header.insert("nonce".into(), hashed_nonce(nonce).into());
            sent.insert("nonce".into(), nonce.into());
        }
        let claims = encode(claims);
        let mut signature_bytes = vec![0; self.pair.public_modulus_len()];
        let message = format!("{}.{claims}", encode(&header));
        self.pair
            .sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature_bytes)
            .expect("the buffer has the length of the modulus");
        format!("{}.{claims}.{}", encode(&sent), base64url(&signature_bytes))
    }

    fn jwk(&self, issuer: Option<&str>) -> Value {
        let mut key = json!({
            "kty": "RSA", "use": "sig", "kid": self.kid, "x5t": self.kid,
            "n": base64url(&self.public.modulus), "e": base64url(&self.public.exponent),
            "x5c": [STANDARD.encode(&self.certificate)],
        });
        if let Some(issuer) = issuer {
            key["issuer"] = issuer.into();
        }
        key
    }
}

/// The RSA key in a DER certificate; `None` for other keys and for what is no certificate.
pub(crate) fn certificate_key(der: &[u8]) -> Option<RsaPublic> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    let x509_parser::public_key::PublicKey::RSA(key) = certificate.public_key().parsed().ok()? else { return None };
    let unsigned = |bytes: &[u8]| bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    Some(RsaPublic { modulus: unsigned(key.modulus), exponent: unsigned(key.exponent) })
}

/// SHA-1 names certificates here (`x5t`, portal thumbprints); nothing relies on its strength.
pub(crate) fn thumbprint_sha1(der: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, der).as_ref().to_vec()
}

pub(crate) fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, bytes).as_ref().to_vec()
}

fn hashed_nonce(nonce: &str) -> String {
    base64url(&sha256(nonce.as_bytes()))
}

fn encode(map: &Map<String, Value>) -> String {
    base64url(&serde_json::to_vec(map).expect("a JSON map always serializes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Map<String, Value> {
        Map::from_iter([("aud".to_owned(), json!("x"))])
    }

    #[test]
    fn a_graph_token_verifies_here_and_nowhere_else() {
        let keys = SigningKeys::new();
        let token = Jwt::parse(&keys.current().sign(&claims(), true, Some("n-1"))).unwrap();
        assert!(keys.signed(&token));
        assert!(!token.signed_by(&keys.current().public));
        let plain = Jwt::parse(&keys.current().sign(&claims(), true, None)).unwrap();
        assert!(keys.signed(&plain) && plain.signed_by(&keys.current().public));
    }

    #[test]
    fn an_old_key_still_verifies_after_a_roll() {
        let keys = SigningKeys::new();
        let token = Jwt::parse(&keys.current().sign(&claims(), true, None)).unwrap();
        let kid = keys.roll();
        assert_eq!(keys.current().kid, kid);
        assert!(keys.signed(&token));
        assert_eq!(keys.jwks(None)["keys"].as_array().unwrap().len(), 2);
        assert!(!SigningKeys::new().signed(&Jwt::parse(&keys.current().sign(&claims(), true, None)).unwrap()));
    }
}
