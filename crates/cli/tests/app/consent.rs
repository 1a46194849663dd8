//! `app consent-link` and `app consent-wait`: another tenant's administrator says yes by browser.

use serde_json::json;
use url::Url;

use crate::stage::{Running, Stage};

/// A provider's application: other tenants may consent, and any port of loopback is a redirect address.
async fn provider() -> (Stage, String) {
    let stage = Stage::start().await;
    stage.run(&stage.register(&["--multi-tenant"])).await.succeeded();
    let application = stage.application("Sortie").await.unwrap();
    assert_eq!(application["signInAudience"], "AzureADMultipleOrgs");
    let redirects = application["redirectUris"].as_array().unwrap();
    assert!(redirects.contains(&json!("https://portal.azure.com")) && redirects.contains(&json!("http://localhost")));
    let client_id = application["appId"].as_str().unwrap().to_owned();
    (stage, client_id)
}

async fn waiting(stage: &Stage, more: &[&str]) -> (Running, Url) {
    let mut running = stage.begin(&[&["app", "consent-wait", "--no-browser"], more].concat());
    let link = running.output_line().await;
    (running, link.parse().unwrap())
}

fn parameter(url: &Url, name: &str) -> String {
    url.query_pairs().find(|(key, _)| key == name).unwrap_or_else(|| panic!("no `{name}` in {url}")).1.into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_the_documented_ones() {
    let (stage, client_id) = provider().await;
    let base = stage.cloud.url();
    let redirect = ["--redirect-uri", "https://portal.azure.com", "--state", "s-1"];
    let tail = "redirect_uri=https%3A%2F%2Fportal.azure.com%2F&state=s-1";
    for (arguments, expected) in [
        (vec![], format!("{base}/common/adminconsent?client_id={client_id}&{tail}")),
        (vec!["--tenant", "contoso.com"], format!("{base}/contoso.com/adminconsent?client_id={client_id}&{tail}")),
        (
            vec!["--audience", "xdr"],
            format!(
                "{base}/organizations/v2.0/adminconsent?client_id={client_id}\
                 &scope=https%3A%2F%2Fapi.security.microsoft.com%2F.default&{tail}"
            ),
        ),
        (
            vec!["--legacy"],
            format!(
                "{base}/common/oauth2/authorize?client_id={client_id}\
                 &prompt=consent&response_type=code&sso_reload=true&{tail}"
            ),
        ),
    ] {
        let run = [&["app", "consent-link"], &arguments[..], &redirect[..]].concat();
        assert_eq!(stage.run(&run).await.succeeded().stdout.trim(), expected);
    }
    let other = ["app", "consent-link", "--client-id", "11111111-2222-3333-4444-555555555555"];
    let real = stage.run(&other).await.succeeded();
    assert!(real.stdout.starts_with("https://login.microsoftonline.com/common/adminconsent?client_id=11111111-"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_elsewhere_accepts_by_every_kind_of_link() {
    let (stage, client_id) = provider().await;
    let tenants = stage.cloud.get("/directory").await["tenants"].as_array().unwrap().clone();
    let other = tenants.iter().find(|one| one["otherCloud"].is_null() && one["id"] != stage.cloud.tenant()).unwrap();
    let other = other["id"].as_str().unwrap().to_owned();
    for kind in [&[][..], &["--audience", "graph"], &["--legacy"]] {
        let (running, link) = waiting(&stage, &[&["--tenant", &other], kind].concat()).await;
        let (status, page) = stage.browse(link.as_str()).await;
        assert_eq!((status, page.contains("You may close this page")), (200, true), "{page}");
        let ended = stage.end(running).await.succeeded();
        let named = if kind == ["--legacy"] { "a tenant that did not name itself" } else { &other };
        assert_eq!(ended.stdout.trim(), format!("consent given by {named}"));
    }
    let after = stage.cloud.get("/directory").await;
    let grants = after["tenants"].as_array().unwrap().iter().find(|one| one["id"] == other.as_str()).unwrap();
    let ours = grants["grants"].as_array().unwrap().iter().filter(|one| one["clientAppId"] == client_id.as_str());
    assert_eq!(ours.count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_claims_consent_is_a_refusal() {
    let (stage, _) = provider().await;
    stage.administrator(json!({ "decision": "decline" })).await;
    for kind in [&["--audience", "graph"][..], &[], &["--legacy"]] {
        let (running, link) = waiting(&stage, kind).await;
        let (_, page) = stage.browse(link.as_str()).await;
        assert!(page.contains("It was refused"), "{page}");
        let ended = stage.end(running).await.ended_with(3);
        assert_eq!(ended.stdout, "");
        assert!(
            ended.stderr.contains("consent was not given") && ended.stderr.contains("AADSTS65004"),
            "{}",
            ended.stderr
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_somebody_elses_link_does_not_end_the_wait() {
    let (stage, _) = provider().await;
    let (running, link) = waiting(&stage, &[]).await;
    let redirect = parameter(&link, "redirect_uri");
    for forged in
        ["?admin_consent=True&tenant=evil&state=guessed", "?admin_consent=True&tenant=evil", "?state=x&error=no"]
    {
        let (status, page) = stage.browse(&format!("{redirect}{forged}")).await;
        assert_eq!(status, 400, "{page}");
    }
    stage.browse(link.as_str()).await;
    let ended = stage.end(running).await.succeeded();
    assert!(!ended.stdout.contains("evil"), "{}", ended.stdout);
}
