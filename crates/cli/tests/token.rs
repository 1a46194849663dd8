//! `sortie token`: acquired, looked into, proved, written, and as a request for other tools.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]
#![expect(clippy::print_stderr, reason = "what is skipped must be seen")]

use std::{os::unix::fs::PermissionsExt as _, process::Stdio};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sortie_testkit::{Leaks, Registered, Sortie, TestCloud};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sortie");
const ROLES: &[(&str, &str)] = &[("graph", "SecurityIncident.Read.All"), ("xdr", "Incident.Read.All")];

async fn stage() -> (TestCloud, Registered, Sortie) {
    let cloud = TestCloud::start().await;
    let application = cloud.application(ROLES).await;
    let sortie = Sortie::connected(PROGRAM, &cloud, &application).await;
    (cloud, application, sortie)
}

/// The token itself, in the one way that shows it.
async fn raw(sortie: &Sortie, more: &[&str]) -> String {
    let ended = sortie.run_unwatched(&[&["token", "--raw"], more].concat(), "").await.succeeded();
    assert_eq!(ended.stdout.lines().count(), 1, "nothing but the token on standard output");
    ended.stdout.trim().to_owned()
}

fn claims(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

/// A token that nobody signed.
fn unsigned(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(&json!({ "alg": "RS256", "typ": "JWT" })), part(claims), "c2lnbmF0dXJl")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_claims_that_matter_stand_in_a_table() {
    let (_cloud, application, sortie) = stage().await;
    let shown = sortie.run(&["token", "--audience", "xdr"]).await.succeeded();
    for (name, value) in [
        ("Audience", "https://api.security.microsoft.com"),
        ("Tenant", application.tenant.as_str()),
        ("Application", application.client_id.as_str()),
        ("Roles", "Incident.Read.All"),
        ("Proved by", "client secret"),
        ("Version", "1.0"),
    ] {
        let line = shown.stdout.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}"));
        assert!(line.ends_with(value), "{line}");
    }
    assert_eq!(shown.stderr, "", "a good token gives no remark");
}

#[tokio::test(flavor = "multi_thread")]
async fn json_gives_every_claim() {
    let (_cloud, application, sortie) = stage().await;
    let shown = sortie.run(&["token", "--json"]).await.succeeded().json_lines();
    assert_eq!(shown[0]["appid"], application.client_id);
    assert_eq!(shown[0]["roles"], json!(["SecurityIncident.Read.All"]));
    assert!(shown[0]["uti"].is_string(), "claims that the table leaves out are there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_proved_where_anybody_can_and_else_that_is_said() {
    let (_cloud, _, sortie) = stage().await;
    let proved = sortie.run(&["token", "--audience", "xdr", "--verify"]).await.succeeded();
    assert!(proved.stderr.contains("verified: signature, issuer, audience and time"), "{}", proved.stderr);
    let graph = sortie.run(&["token", "--audience", "graph", "--verify"]).await.succeeded();
    assert!(graph.stderr.contains("not verified:") && !graph.stderr.contains("error:"), "{}", graph.stderr);
    assert!(graph.stderr.contains("Calling the API proves it"), "{}", graph.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_token_is_refused() {
    let (_cloud, _, sortie) = stage().await;
    let token = raw(&sortie, &["--audience", "xdr"]).await;
    let parts: Vec<&str> = token.split('.').collect();
    let mut more = claims(&token);
    more["roles"] = json!(["Incident.ReadWrite.All"]);
    let altered = format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(more.to_string()), parts[2]);
    let unsigned_header = URL_SAFE_NO_PAD.encode(json!({ "alg": "none", "typ": "JWT" }).to_string());
    for forged in [altered, format!("{unsigned_header}.{}.", parts[1])] {
        let run = ["token", "--from", "-", "--verify"];
        let refused = sortie.run_with_input(&run, &forged).await.ended_with(9);
        assert!(refused.stderr.contains("error: not verified"), "{}", refused.stderr);
        assert!(refused.stderr.contains("next:"), "{}", refused.stderr);
    }
    sortie.run_with_input(&["token", "--from", "-", "--verify"], &token).await.succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_goes_into_a_file_for_its_owner_alone() {
    let (cloud, _, sortie) = stage().await;
    let sortie = sortie.with_secret_file("token.txt");
    let path = sortie.folder().join("token.txt");
    std::fs::write(&path, "old").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    sortie.run(&["token", "--out", "token.txt"]).await.succeeded();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let token = std::fs::read_to_string(&path).unwrap();
    let answer = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = answer.get(format!("{}/v1.0/security/incidents?$top=1", cloud.url())).bearer_auth(token.trim());
    assert_eq!(answer.send().await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_v1_endpoint_is_asked_when_it_is_wanted() {
    let (cloud, _, sortie) = stage().await;
    cloud.delete("/counters", None).await;
    assert_eq!(claims(&raw(&sortie, &["--v1"]).await)["aud"], "https://graph.microsoft.com");
    let counters = cloud.get("/counters").await.to_string();
    assert!(counters.contains("/oauth2/token") && !counters.contains("/oauth2/v2.0/token"), "{counters}");
}

#[tokio::test(flavor = "multi_thread")]
async fn scopes_are_read_as_people_write_them() {
    let (_cloud, _, sortie) = stage().await;
    let bare = sortie.run(&["token", "--audience", " .default "]).await.succeeded();
    assert!(bare.stderr.contains("names no resource; Microsoft Graph is taken"), "{}", bare.stderr);
    for scope in [" https://api.security.microsoft.com/.default ", "8ee8fdad-f234-4243-8f3b-15c294843740", "XDR"] {
        let shown = sortie.run(&["token", "--audience", scope]).await.succeeded();
        assert!(shown.stdout.contains("Incident.Read.All"), "{scope}: {}", shown.stdout);
    }
    let two = "https://graph.microsoft.com/.default https://api.security.microsoft.com/.default";
    for wrong in ["", two, "defender"] {
        let refused = sortie.run(&["token", "--audience", wrong]).await.ended_with(2);
        assert!(refused.stderr.contains("next:"), "{wrong}: {}", refused.stderr);
    }
    let unknown = sortie.run(&["token", "--audience", "https://nobody.example"]).await.ended_with(3);
    assert!(unknown.stderr.contains("AADSTS500011"), "{}", unknown.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pasted_token_of_a_person_is_named_as_that() {
    let sortie = Sortie::new(PROGRAM, &Leaks::default());
    let token = unsigned(&json!({
        "aud": "https://graph.microsoft.com", "scp": "SecurityIncident.Read.All User.Read", "upn": "ingrid@example.com",
        "exp": 4_102_444_800_u64, "nbf": 1_700_000_000, "iat": 1_700_000_000,
    }));
    let found = sortie.run_with_input(&["token", "--from", "-"], &token).await.ended_with(9);
    assert!(
        found.stderr.contains("the token of a person (scp: SecurityIncident.Read.All User.Read)"),
        "{}",
        found.stderr
    );
    assert!(found.stderr.contains("client credentials"), "{}", found.stderr);
    assert_eq!(found.stderr.lines().count(), 1, "one mistake is said once: {}", found.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_roles_is_named_as_that() {
    let (_cloud, _, sortie) = stage().await;
    let found = sortie.run(&["token", "--audience", "mde"]).await.ended_with(9);
    assert!(found.stderr.contains("no roles"), "{}", found.stderr);
    assert_eq!(found.stderr.lines().count(), 1, "{}", found.stderr);
    let no_token = sortie.run_with_input(&["token", "--from", "-"], "not a token").await.ended_with(1);
    assert!(no_token.stderr.contains("this is no token"), "{}", no_token.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_requests_give_a_token() {
    let (cloud, application, sortie) = stage().await;
    let resource = "https://api.security.microsoft.com";
    for (more, path, name, value) in [
        (&["--audience", "xdr"][..], "oauth2/v2.0/token", "scope", format!("{resource}/.default")),
        (&["--audience", "xdr", "--v1"], "oauth2/token", "resource", resource.to_owned()),
    ] {
        let address = format!("{}/{}/{path}", cloud.url(), application.tenant);
        for language in ["curl", "python", "powershell", "csharp"] {
            let run = [&["token", "--as-request", language], more].concat();
            let text = sortie.run(&run).await.succeeded().stdout;
            // PowerShell and C# do not run on this system, so every text is searched for each part of the request.
            let texts = ["grant_type", "client_credentials", "client_id", "client_secret", "AZURE_CLIENT_SECRET", name];
            for part in texts.into_iter().chain([application.client_id.as_str(), &value]) {
                assert!(text.contains(part), "{part} in {text}");
            }
            let address_ends = |rest: &str| rest.starts_with(['\'', '"']);
            assert!(text.split(&address).skip(1).any(address_ends), "{address} in {text}");
            assert!(text.split(&value).skip(1).any(address_ends), "{value} in {text}");
            let program: &[&str] = match language {
                "curl" => &["sh", "-c", &text],
                "python" => &["python3", "-c", &format!("{text}\nprint(token)")],
                _ => continue,
            };
            if let Some(output) = run_program(language, program, &application.secret) {
                let token = match language {
                    "curl" => {
                        serde_json::from_str::<Value>(&output).unwrap()["access_token"].as_str().unwrap().to_owned()
                    }
                    _ => output.trim().to_owned(),
                };
                assert_eq!(claims(&token)["roles"], json!(["Incident.Read.All"]), "{language}");
            }
        }
    }
}

/// Standard output of a program that gets the secret in its environment; `None`, and a visible line, where it is missing.
fn run_program(language: &str, program: &[&str], secret: &str) -> Option<String> {
    let needed = if language == "curl" { "curl" } else { "python3" };
    let there =
        std::process::Command::new(needed).arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        eprintln!("skipped: {needed} is not installed, the printed request was not run");
        return None;
    }
    let mut command = std::process::Command::new(program[0]);
    command.args(&program[1..]).env("AZURE_CLIENT_SECRET", secret).env("NO_PROXY", "127.0.0.1").stdin(Stdio::null());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{language}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}
