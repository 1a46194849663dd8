//! A started cloud and a plain HTTP client for it: what the tests of the login service share.

use std::{collections::HashMap, time::Duration};

use reqwest::{Client, Method, Response, StatusCode, redirect::Policy};
use serde_json::{Value, json};
use sortie_emulator::{ClockMode, Emulator, EmulatorConfig};

/// One cloud with a clock that stands still.
pub(crate) struct Stage {
    pub(crate) emulator: Emulator,
    pub(crate) client: Client,
    pub(crate) tenant: String,
}

/// An application with a secret.
pub(crate) struct App {
    pub(crate) id: String,
    pub(crate) object_id: String,
    pub(crate) principal_id: String,
    pub(crate) secret: String,
    pub(crate) secret_id: String,
}

/// Status, headers and JSON body (null when the body is none).
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
    pub(crate) json: Value,
}

impl Stage {
    pub(crate) async fn start() -> Self {
        let config = EmulatorConfig {
            clock: ClockMode::Manual,
            start: Some("2026-05-04T08:00:00Z".parse().unwrap()),
            ..EmulatorConfig::default()
        };
        Self::start_with(config).await
    }

    pub(crate) async fn start_with(config: EmulatorConfig) -> Self {
        let emulator = Emulator::start(config).await.unwrap();
        let tenant = emulator.home_tenant();
        let builder = Client::builder().no_proxy().redirect(Policy::none()).timeout(Duration::from_secs(20));
        Self { emulator, client: builder.build().unwrap(), tenant }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.emulator.http())
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.client.get(self.url(path)).send().await.unwrap()).await
    }

    /// A call of the admin API that must succeed.
    pub(crate) async fn admin(&self, method: Method, path: &str, body: Value) -> Value {
        let url = format!("http://{}{path}", self.emulator.admin());
        let request =
            self.client.request(method, url).header("content-type", "application/json").body(body.to_string());
        let answer = answer(request.send().await.unwrap()).await;
        assert!(answer.status.is_success(), "{path}: {} {}", answer.status, answer.text);
        answer.json
    }

    pub(crate) async fn switch(&self, change: Value) {
        self.admin(Method::PATCH, "/directory/switches", change).await;
    }

    pub(crate) async fn app(&self, roles: &[(&str, &str)]) -> App {
        let roles: Vec<_> =
            roles.iter().map(|(resource, value)| json!({ "resource": resource, "value": value })).collect();
        self.app_from(json!({ "displayName": "Sentinel daemon", "roles": roles, "secret": "generated" })).await
    }

    pub(crate) async fn app_from(&self, new: Value) -> App {
        let made = self.admin(Method::POST, "/directory/applications", new).await;
        let text = |name: &str| made[name].as_str().unwrap_or_default().to_owned();
        App {
            id: text("appId"),
            object_id: text("objectId"),
            principal_id: text("servicePrincipalId"),
            secret: text("secretText"),
            secret_id: text("secretId"),
        }
    }

    /// A form post to a login path of the home tenant.
    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.post_to(&self.tenant, path, form).await
    }

    pub(crate) async fn post_to(&self, tenant: &str, path: &str, form: &[(&str, &str)]) -> Answer {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(form);
        self.post_raw(&format!("/{tenant}{path}"), "application/x-www-form-urlencoded", &body.finish()).await
    }

    pub(crate) async fn post_raw(&self, path: &str, content_type: &str, body: &str) -> Answer {
        let request = self.client.post(self.url(path)).header("content-type", content_type).body(body.to_owned());
        answer(request.send().await.unwrap()).await
    }

    /// A v2 request with the client's secret.
    pub(crate) async fn token(&self, app: &App, scope: &str) -> Answer {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &app.id),
            ("client_secret", &app.secret),
            ("scope", scope),
        ];
        self.post("/oauth2/v2.0/token", &form).await
    }

    /// An access token that must be given.
    pub(crate) async fn access_token(&self, app: &App, scope: &str) -> String {
        let answer = self.token(app, scope).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json["access_token"].as_str().unwrap().to_owned()
    }

    /// A Graph call with a token.
    pub(crate) async fn graph(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> Answer {
        let mut request = self.client.request(method, self.url(path)).bearer_auth(token);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        answer(request.send().await.unwrap()).await
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn expect_error(&self, status: u16, error: &str, code: u32) {
        let body = &self.json;
        let shown = &self.text;
        assert_eq!((self.status.as_u16(), body["error"].as_str()), (status, Some(error)), "AADSTS{code}: {shown}");
        assert_eq!(body["error_codes"], json!([code]), "{shown}");
        let description = body["error_description"].as_str().unwrap();
        assert!(description.starts_with(&format!("AADSTS{code}: ")), "{shown}");
        for field in ["trace_id", "correlation_id", "timestamp"] {
            assert!(description.contains(body[field].as_str().unwrap()), "{field} in {shown}");
        }
    }

    /// Where a redirect leads, with its query taken apart.
    #[track_caller]
    pub(crate) fn redirect(&self) -> (String, HashMap<String, String>) {
        let location =
            self.headers.get("location").unwrap_or_else(|| panic!("a redirect, got {} {}", self.status, self.text));
        let url = url::Url::parse(location.to_str().unwrap()).unwrap();
        let query = url.query_pairs().into_owned().collect();
        (url[..url::Position::AfterPath].to_owned(), query)
    }
}

pub(crate) async fn answer(response: Response) -> Answer {
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.unwrap();
    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
    Answer { status, headers, text, json }
}

/// The claims of a token, unchecked.
pub(crate) fn claims(token: &str) -> Value {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

/// A certificate with its RSA key, able to sign assertions.
pub(crate) struct Signer {
    pub(crate) pem: String,
    pub(crate) der: Vec<u8>,
    key: aws_lc_rs::rsa::KeyPair,
}

impl Signer {
    /// Keys take long to make: tests of one process share two.
    pub(crate) fn shared(at: usize) -> &'static Self {
        static SIGNERS: [std::sync::OnceLock<Signer>; 2] = [const { std::sync::OnceLock::new() }; 2];
        SIGNERS[at].get_or_init(Self::generate)
    }

    fn generate() -> Self {
        let pair = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
        let certificate = rcgen::CertificateParams::default().self_signed(&pair).unwrap();
        let key = aws_lc_rs::rsa::KeyPair::from_pkcs8(&pair.serialize_der()).unwrap();
        Self { pem: certificate.pem(), der: certificate.der().to_vec(), key }
    }

    /// A JWT with this header and these claims; `alg` decides the padding.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256};
        let message = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
        let mut signature = vec![0; self.key.public_modulus_len()];
        let random = aws_lc_rs::rand::SystemRandom::new();
        if header["alg"] == "PS256" {
            self.key.sign(&RSA_PSS_SHA256, &random, message.as_bytes(), &mut signature).unwrap();
        } else {
            self.key.sign(&RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut signature).unwrap();
        }
        format!("{message}.{}", base64url(signature))
    }

    /// Modulus and exponent as a JWKS document has them.
    pub(crate) fn jwks(&self, kid: &str) -> Value {
        let (_, certificate) = x509_parser::parse_x509_certificate(&self.der).unwrap();
        let x509_parser::public_key::PublicKey::RSA(key) = certificate.public_key().parsed().unwrap() else {
            panic!("an RSA key");
        };
        let n = key.modulus.strip_prefix(&[0]).unwrap_or(key.modulus);
        json!({ "keys": [{ "kty": "RSA", "kid": kid, "n": base64url(n), "e": base64url(key.exponent) }] })
    }
}

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn sha256(bytes: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref().to_vec()
}

/// The second at which every stage starts.
pub(crate) fn start_second() -> i64 {
    "2026-05-04T08:00:00Z".parse::<jiff::Timestamp>().unwrap().as_second()
}
