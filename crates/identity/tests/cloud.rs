//! Against the simulated cloud, which was written without any of our client code: what both read alike is probably right.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may panic like the tests themselves")]

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use sortie_emulator::{Emulator, EmulatorConfig};
use sortie_identity::{
    Application, AssertionAlgorithm, Audience, Cloud, Credential, CredentialSource, EndpointVersion, Hosts,
    ManagedIdentityId, ProcessInput, TokenErrorCause, TokenSource,
    administrator::Administrator,
    consent::{ConsentKind, ConsentLink, ConsentListener},
    explanations,
    inspect::{self, Finding, Verifier, VerifyError, Wanted},
};
use sortie_model::{ClientId, Clock, Secret, SystemClock, TenantId};
use sortie_transport::{Method, ProxySetting, Request, Transport, TransportSettings};
use url::Url;

struct Stage {
    emulator: Emulator,
    transport: Transport,
    base: Url,
}

impl Stage {
    async fn start() -> Self {
        let emulator = Emulator::start(EmulatorConfig::default()).await.unwrap();
        let settings = TransportSettings { proxy: ProxySetting::Direct, ..TransportSettings::default() };
        let base = format!("http://{}", emulator.http()).parse().unwrap();
        Self { emulator, transport: Transport::new(settings).unwrap(), base }
    }

    async fn admin(&self, method: Method, path: &str, body: Value) -> Result<Value, u16> {
        let url = format!("http://{}{path}", self.emulator.admin()).parse().unwrap();
        let answer = self.transport.send(Request::new(method, url).json(&body)).await.unwrap();
        if answer.is_success() { Ok(answer.json().unwrap_or(Value::Null)) } else { Err(answer.status.as_u16()) }
    }

    /// An application with the role to read XDR incidents, as the admin API describes it.
    async fn app(&self, more: Value) -> Value {
        let mut new = json!({"displayName": "Daemon", "roles": [{"resource": "xdr", "value": "Incident.Read.All"}]});
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.admin(Method::POST, "/directory/applications", new).await.unwrap()
    }

    fn tenant(&self) -> TenantId {
        self.emulator.home_tenant().parse().unwrap()
    }

    fn application(&self, app: &Value, credential: Credential) -> Application {
        Application {
            cloud: Cloud::Global,
            hosts: Hosts::all_at(&self.base),
            tenant: self.tenant(),
            client_id: ClientId::parse(app["appId"].as_str().unwrap()).unwrap(),
            credential,
            endpoint: EndpointVersion::V2,
        }
    }

    fn source(&self, application: Application) -> TokenSource {
        TokenSource::new(self.transport.clone(), Arc::new(SystemClock), application)
    }

    async fn cause(&self, application: Application) -> TokenErrorCause {
        self.source(application).token(&Audience::Xdr).await.unwrap_err().cause
    }
}

fn secret(app: &Value) -> Credential {
    Credential::Secret(Secret::new(app["secretText"].as_str().unwrap()))
}

#[tokio::test]
async fn a_secret_gives_a_proven_token_with_its_roles_by_both_endpoints() {
    let stage = Stage::start().await;
    let app = stage.app(json!({"secret": "generated"})).await;
    let verifier = Verifier::new(stage.transport.clone(), Arc::new(SystemClock), stage.base.clone());
    for endpoint in [EndpointVersion::V2, EndpointVersion::V1] {
        let source = stage.source(Application { endpoint, ..stage.application(&app, secret(&app)) });
        let token = source.token(&Audience::Xdr).await.unwrap();
        let proven = verifier.verify(token.secret().expose(), &stage.tenant(), &Audience::Xdr).await.unwrap();
        assert_eq!(proven.claims.roles, ["Incident.Read.All"]);
        let wanted = Wanted {
            audience: Some(&Audience::Xdr),
            roles: &["Incident.Read.All"],
            now: SystemClock.now(),
            ..Wanted::default()
        };
        assert_eq!(inspect::diagnose(&proven, &wanted), []);
        let other = verifier.verify(token.secret().expose(), &stage.tenant(), &Audience::CloudApps).await;
        assert!(matches!(other, Err(VerifyError::Audience { .. })), "{other:?}");
    }
    let source = stage.source(stage.application(&app, secret(&app)));
    let without =
        inspect::decode(source.token(&Audience::DefenderForEndpoint).await.unwrap().secret().expose()).unwrap();
    let wanted = Wanted { now: SystemClock.now(), ..Wanted::default() };
    assert_eq!(inspect::diagnose(&without, &wanted), [Finding::NoRoles]);
    let graph = source.token(&Audience::Graph).await.unwrap();
    let outcome = verifier.verify(graph.secret().expose(), &stage.tenant(), &Audience::Graph).await;
    assert!(matches!(outcome, Err(VerifyError::OnlyItsResource)), "{outcome:?}");
}

#[tokio::test]
async fn each_mistake_of_a_set_up_has_its_cause() {
    let stage = Stage::start().await;
    let app = stage.app(json!({"secret": "generated"})).await;
    let good = || stage.application(&app, secret(&app));
    let with = |text: &str| Credential::Secret(Secret::new(text));
    let unknown = "11111111-2222-3333-4444-555555555555";
    let (elsewhere, nobody) = (TenantId::parse(unknown).unwrap(), ClientId::parse(unknown).unwrap());
    for (application, cause) in [
        (Application { credential: with("wrong"), ..good() }, TokenErrorCause::WrongSecret),
        (Application { credential: with(app["secretId"].as_str().unwrap()), ..good() }, TokenErrorCause::WrongSecret),
        (Application { tenant: elsewhere, ..good() }, TokenErrorCause::TenantNotFound),
        (Application { client_id: nobody, ..good() }, TokenErrorCause::ApplicationNotFound),
    ] {
        assert_eq!(stage.cause(application).await, cause);
    }
    let audience = Audience::Other("https://nowhere.example".into());
    let error = stage.source(good()).token(&audience).await.unwrap_err();
    assert_eq!(error.cause, TokenErrorCause::ResourceNotFound, "{error:?}");
    let id = app["appId"].as_str().unwrap();
    stage.admin(Method::PUT, &format!("/directory/applications/{id}/state"), json!({"enabled": false})).await.unwrap();
    assert_eq!(stage.cause(good()).await, TokenErrorCause::ApplicationDisabled);
}

#[tokio::test]
async fn every_error_that_the_cloud_can_give_is_read_as_its_row() {
    let stage = Stage::start().await;
    let app = stage.app(json!({"secret": "generated"})).await;
    let mut read = 0;
    for row in explanations().iter().filter(|row| !row.retryable) {
        let order = json!({"code": row.code, "times": 1});
        if stage.admin(Method::PUT, "/directory/token-error", order).await.is_err() {
            continue; // This cloud does not know the code: the user flows' own, for example.
        }
        let source = stage.source(stage.application(&app, secret(&app)));
        let error = source.token(&Audience::Xdr).await.unwrap_err();
        assert_eq!((error.code, error.cause), (Some(row.code), row.cause), "{error:?}");
        assert!(error.trace_id.is_some() && error.correlation_id.is_some() && error.timestamp.is_some(), "{error:?}");
        read += 1;
    }
    assert!(read >= 45, "only {read} codes could be ordered");
}

#[tokio::test]
async fn certificates_are_accepted_in_both_forms_and_strangers_are_not() {
    let stage = Stage::start().await;
    let certificate = |file: &str| {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
        let pem = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap().pem();
        let path = std::path::Path::new(file).to_owned();
        (path, key.serialize_pem() + &pem, pem)
    };
    let directory = tempfile::tempdir().unwrap();
    let own = certificate(directory.path().join("own.pem").to_str().unwrap());
    let strange = certificate(directory.path().join("strange.pem").to_str().unwrap());
    let app = stage.app(json!({"certificatePem": own.2})).await;
    for (path, text, _) in [&own, &strange] {
        std::fs::write(path, text).unwrap();
    }
    let load = |path: &std::path::PathBuf, algorithm| {
        CredentialSource::Certificate { certificate: path.clone(), key: None, algorithm }
            .load(&ProcessInput, SystemClock.now())
            .unwrap()
    };
    for algorithm in [AssertionAlgorithm::Ps256, AssertionAlgorithm::Rs256] {
        let application = stage.application(&app, load(&own.0, algorithm));
        stage.source(application).token(&Audience::Xdr).await.unwrap();
        let application = stage.application(&app, load(&strange.0, algorithm));
        assert_eq!(stage.cause(application).await, TokenErrorCause::CertificateNotRegistered);
    }
}

#[tokio::test]
async fn the_machine_s_own_identity_gets_its_token() {
    let stage = Stage::start().await;
    let app = stage.app(json!({})).await;
    let identity = |id| stage.application(&app, Credential::ManagedIdentity(id));
    stage.source(identity(ManagedIdentityId::Default)).token(&Audience::Xdr).await.unwrap();
    let fault = json!({"status": 410, "times": 1});
    stage.admin(Method::PUT, "/directory/imds-faults", fault).await.unwrap();
    stage.source(identity(ManagedIdentityId::Default)).token(&Audience::Graph).await.unwrap();
    let unknown = identity(ManagedIdentityId::Object("11111111-2222-3333-4444-555555555555".into()));
    assert_eq!(stage.cause(unknown).await, TokenErrorCause::ManagedIdentityUnknown);
}

#[tokio::test]
async fn an_administrator_signs_in_by_browser_and_consents() {
    let stage = Stage::start().await;
    stage.admin(Method::PUT, "/directory/administrator", json!({"decision": "accept"})).await.unwrap();
    let (hosts, tenant) = (Hosts::all_at(&stage.base), stage.tenant());
    let administrator = Administrator::new(
        stage.transport.clone(),
        Arc::new(SystemClock),
        Cloud::Global,
        &hosts,
        Some(&tenant),
        &["Application.ReadWrite.All"],
    );
    let sign_in = administrator.browser().await.unwrap();
    let page = sign_in.url().clone();
    let (_, token) = tokio::join!(browse(&stage, page), sign_in.finish(Duration::from_secs(20)));
    let claims = inspect::decode(token.unwrap().secret.expose()).unwrap().claims;
    assert!(claims.is_delegated() && claims.roles.is_empty(), "{claims:?}");

    let app = stage.app(json!({"redirectUris": ["http://localhost"]})).await;
    let listener = ConsentListener::bind(0, "/").await.unwrap();
    let link = ConsentLink {
        login: &stage.base,
        tenant: Some(&tenant),
        client_id: &ClientId::parse(app["appId"].as_str().unwrap()).unwrap(),
        kind: ConsentKind::V2 { scope: Audience::Xdr.scope(Cloud::Global).unwrap() },
        redirect_uri: Some(listener.redirect_uri()),
        state: Some(listener.state()),
    };
    let (_, answer) = tokio::join!(browse(&stage, link.url()), listener.wait(Duration::from_secs(20)));
    assert_eq!(answer.unwrap().tenant.as_deref(), Some(tenant.as_str()));
}

/// Opens a page as a browser does; the simulated administrator decides at once, so the page is a redirect to loopback.
async fn browse(stage: &Stage, page: Url) {
    let answer = stage.transport.send(Request::get(page)).await.unwrap();
    assert!(answer.is_success() && answer.url.host_str() == Some("localhost"), "{answer:?}: {}", answer.text());
}
