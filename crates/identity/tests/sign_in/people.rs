//! An administrator signs in: device code, browser with PKCE, consent.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sortie_identity::{
    Cloud, Hosts, TokenErrorCause,
    administrator::{Administrator, SignInError},
    consent::ConsentListener,
};
use sortie_model::SystemClock;
use sortie_transport::Request;
use url::Url;

use crate::{
    server::{Reply, Server},
    transport,
};

const TOKEN: &str = "/organizations/oauth2/v2.0/token";
const DEVICE: &str = "/organizations/oauth2/v2.0/devicecode";

fn administrator(server: &Server) -> Administrator {
    let hosts = Hosts::all_at(&server.url);
    let permissions = ["Application.ReadWrite.All", "AppRoleAssignment.ReadWrite.All"];
    Administrator::new(transport(), Arc::new(SystemClock), Cloud::Global, &hosts, None, &permissions)
}

fn device_code(server: &Server) {
    let body = r#"{"device_code":"d1","user_code":"ABCD","verification_uri":"https://microsoft.com/devicelogin","expires_in":900,"interval":0,"message":"Open it."}"#;
    server.reply(DEVICE, Reply::json(200, body));
}

/// What the browser does with the page: it comes back to the redirect address on loopback.
async fn come_back(redirect: &Url, query: &str) -> u16 {
    let mut url = redirect.clone();
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_query(Some(query));
    transport().send(Request::get(url)).await.unwrap().status.as_u16()
}

fn parameter(url: &Url, name: &str) -> String {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap()
}

#[tokio::test]
async fn a_device_code_is_polled_until_the_person_has_finished() {
    let server = Server::start().await;
    device_code(&server);
    server.reply(TOKEN, Reply::refusal(400, "authorization_pending", 70016)).reply(TOKEN, Reply::token("t1"));
    let administrator = administrator(&server);
    let code = administrator.device_code().await.unwrap();
    assert_eq!((code.user_code.as_str(), code.message.as_str()), ("ABCD", "Open it."));
    assert!(!format!("{code:?}").contains("d1"));
    let token = administrator.finish_device_code(&code).await.unwrap();
    assert_eq!(token.secret.expose(), "t1");
    let asked = server.asked();
    assert_eq!(asked.len(), 3);
    assert_eq!(
        asked[0].form["scope"],
        "https://graph.microsoft.com/Application.ReadWrite.All https://graph.microsoft.com/AppRoleAssignment.ReadWrite.All"
    );
    assert_eq!(asked[2].form["device_code"], "d1");
}

#[tokio::test]
async fn a_declined_or_expired_device_code_ends_the_polling() {
    for (error, code, cause) in [
        ("authorization_declined", 0, TokenErrorCause::AuthorizationDeclined),
        ("authorization_declined", 70020, TokenErrorCause::AuthorizationDeclined),
        ("expired_token", 70019, TokenErrorCause::CodeExpired),
        ("bad_verification_code", 70018, TokenErrorCause::BadVerificationCode),
        ("invalid_client", 7000218, TokenErrorCause::CredentialMissing),
    ] {
        let server = Server::start().await;
        device_code(&server);
        server.reply(TOKEN, Reply::refusal(400, error, code));
        let administrator = administrator(&server);
        let begun = administrator.device_code().await.unwrap();
        let ended = administrator.finish_device_code(&begun).await.unwrap_err();
        assert!(matches!(&ended, SignInError::Token(error) if error.cause == cause), "{ended:?}");
        assert_eq!(server.asked().len(), 2);
    }
}

#[tokio::test]
async fn a_browser_sign_in_proves_itself_with_pkce_and_checks_the_state() {
    let server = Server::start().await;
    server.reply(TOKEN, Reply::token("t1"));
    let sign_in = administrator(&server).browser().await.unwrap();
    let page = sign_in.url().clone();
    let redirect: Url = parameter(&page, "redirect_uri").parse().unwrap();
    let state = parameter(&page, "state");
    let browser = async {
        assert_eq!(come_back(&redirect, "code=stolen&state=another").await, 400);
        assert_eq!(come_back(&redirect, &format!("code=c1&state={state}")).await, 200);
    };
    let ((), token) = tokio::join!(browser, sign_in.finish(Duration::from_secs(20)));
    assert_eq!(token.unwrap().secret.expose(), "t1");
    let form = server.asked()[0].form.clone();
    assert_eq!((form["code"].as_str(), form["redirect_uri"].as_str()), ("c1", redirect.as_str()));
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, form["code_verifier"].as_bytes()));
    assert_eq!(challenge, parameter(&page, "code_challenge"));
    assert_eq!(parameter(&page, "code_challenge_method"), "S256");
}

#[tokio::test]
async fn a_refused_browser_sign_in_redeems_nothing() {
    let server = Server::start().await;
    let sign_in = administrator(&server).browser().await.unwrap();
    let redirect: Url = parameter(sign_in.url(), "redirect_uri").parse().unwrap();
    let query = format!(
        "error=access_denied&error_description=AADSTS65004%3A+Declined.&code=c1&state={}",
        parameter(sign_in.url(), "state")
    );
    let (_, ended) = tokio::join!(come_back(&redirect, &query), sign_in.finish(Duration::from_secs(20)));
    let cause = TokenErrorCause::ConsentDeclined;
    assert!(matches!(&ended, Err(SignInError::Token(error)) if error.cause == cause), "{ended:?}");
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn consent_comes_back_over_loopback() {
    let listener = ConsentListener::bind(0, "/consented").await.unwrap();
    let query = format!("admin_consent=True&tenant=t1&state={}", listener.state());
    let redirect = listener.redirect_uri().clone();
    let browser = async {
        assert_eq!(come_back(&redirect, "admin_consent=True&tenant=evil&state=x").await, 400);
        come_back(&redirect, &query).await
    };
    let (status, answer) = tokio::join!(browser, listener.wait(Duration::from_secs(20)));
    assert_eq!(status, 200);
    assert_eq!(answer.unwrap().tenant.as_deref(), Some("t1"));
}
