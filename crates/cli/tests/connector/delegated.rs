//! OAuth2 *delegated*: a person signs in once, and calls go on in their name.

use std::process::Stdio;

use serde_json::{Value, json};
use sortie_testkit::{Ended, Sortie, TestCloud};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::Child,
};

use crate::stage::PROGRAM;

const CONNECTION: &str = "contoso";

struct Stage {
    cloud: TestCloud,
    sortie: Sortie,
}

/// A sign-in that waits for its browser.
struct Waiting {
    child: Child,
    stderr: BufReader<tokio::process::ChildStderr>,
    said: String,
    /// The page that it printed.
    page: String,
}

impl Stage {
    async fn start() -> Self {
        let cloud = TestCloud::start().await;
        let sortie = Sortie::new(PROGRAM, cloud.leaks());
        cloud.put("/directory/administrator", &json!({ "decision": "accept" })).await;
        let stage = Self { cloud, sortie };
        let redirect = json!(["http://localhost/set_authentication"]);
        let application = json!({ "displayName": "sortie", "public_client": true, "redirect_uris": redirect });
        let application = stage.cloud.post("/directory/applications", &application).await;
        let document = format!(
            "openapi: 3.0.3\ninfo: {{ title: Own, version: '1' }}\nservers: [{{ url: '{}' }}]\n\
             paths: {{ /v1.0/applications: {{ get: {{ operationId: applications, responses: {{}} }} }} }}\n",
            stage.cloud.url()
        );
        std::fs::write(stage.sortie.folder().join("own.yaml"), document).unwrap();
        stage.run(&["connector", "import", "own.yaml"]).await.succeeded();
        let at = |path: &str| format!("{}/{{tenant}}/oauth2/v2.0/{path}", stage.cloud.url());
        let edit = ["connector", "edit", "own", "--auth", "oauth2-delegated", "--token-url", &at("token")];
        let scope = ["--scope", "https://graph.microsoft.com/Application.ReadWrite.All"];
        let unfinished = stage.run(&[&edit[..], &scope[..]].concat()).await.ended_with(2);
        assert!(unfinished.stderr.contains("authorization URL"), "{}", unfinished.stderr);
        stage.run(&[&edit[..], &scope[..], &["--authorization-url", &at("authorize")]].concat()).await.succeeded();
        let host = stage.cloud.url().trim_start_matches("http://").to_owned();
        let add =
            ["connection", "add", CONNECTION, "--connector", "own", "--credential", "none", "--allow-host", &host];
        let client_id = application["appId"].as_str().unwrap();
        let who = ["--tenant", &stage.cloud.tenant(), "--client-id", client_id];
        stage.run(&[&add[..], &who[..]].concat()).await.succeeded();
        stage
    }

    async fn run(&self, arguments: &[&str]) -> Ended {
        self.sortie.run(arguments).await
    }

    async fn call(&self) -> Ended {
        self.run(&["call", "own/applications"]).await
    }

    async fn sign_in(&self, more: &[&str]) -> Waiting {
        let arguments = [&["connection", "sign-in", CONNECTION, "--port", "0"][..], more].concat();
        let mut child = self.sortie.command(&arguments).stdin(Stdio::null()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let (mut said, mut page) = (String::new(), None);
        while page.is_none() {
            let mut line = String::new();
            assert!(stderr.read_line(&mut line).await.unwrap() > 0, "it ended without a page: {said}");
            page = line.trim().starts_with("http").then(|| line.trim().to_owned());
            said += &line;
        }
        Waiting { child, stderr, said, page: page.unwrap() }
    }

    /// Signs in as the simulated administrator, who accepts.
    async fn signed_in(&self) {
        let waiting = self.sign_in(&[]).await;
        let (status, page) = visit(&waiting.page).await;
        assert!(status == 200 && page.contains("You may close this page"), "{status} {page}");
        waiting.ended(self).await.succeeded();
    }
}

impl Waiting {
    fn parameter(&self, name: &str) -> String {
        let url: reqwest::Url = self.page.parse().unwrap();
        url.query_pairs().find(|(key, _)| key == name).unwrap_or_else(|| panic!("no {name}: {url}")).1.into_owned()
    }

    /// The address that the browser comes back to.
    fn back(&self, query: &str) -> String {
        format!("{}?{query}", self.parameter("redirect_uri").replace("localhost", "127.0.0.1"))
    }

    async fn ended(mut self, stage: &Stage) -> Ended {
        self.stderr.read_to_string(&mut self.said).await.unwrap();
        let output = self.child.wait_with_output().await.unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        for text in [&stdout, &self.said] {
            assert_eq!(stage.cloud.leaks().find(text), [""; 0]);
        }
        Ended { code: output.status.code().unwrap(), stdout, stderr: self.said }
    }
}

async fn visit(url: &str) -> (u16, String) {
    let browser = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = browser.get(url).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_once_and_the_refresh_token_is_rotated() {
    let stage = Stage::start().await;
    let nobody = stage.call().await.ended_with(3);
    assert!(nobody.stderr.contains("nobody has signed in") && nobody.stderr.contains("connection sign-in contoso"));
    stage.signed_in().await;
    // Each token is good once here: that the second and third call work is because the new one was kept each time.
    stage.cloud.patch("/directory/switches", &json!({ "refresh_tokens_once": true })).await;
    for _ in 0..3 {
        let answer: Value = serde_json::from_str(&stage.call().await.succeeded().stdout).unwrap();
        assert!(!answer["value"].as_array().unwrap().is_empty());
    }
    let listed = stage.run(&["connection", "list", "--jsonl"]).await.succeeded().json_lines();
    assert_eq!(listed[0]["secret"], "none");
    assert!(listed[0]["signed_in"].is_string(), "{listed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_answer_to_this_question_counts() {
    let stage = Stage::start().await;
    let waiting = stage.sign_in(&[]).await;
    assert_eq!(waiting.parameter("code_challenge_method"), "S256");
    assert!(waiting.parameter("scope").ends_with(" offline_access"));
    for (query, said) in
        [("code=c&state=foreign", "another request"), ("code=c", "no state"), ("error=access_denied", "no state")]
    {
        let (status, page) = visit(&waiting.back(query)).await;
        assert!(status == 400 && page.contains(said), "{query}: {status} {page}");
    }
    // A refusal with our state ends it, at the misspelt path as well.
    let refusal = format!("error=access_denied&error_description=Not+today.&state={}", waiting.parameter("state"));
    let (status, _) = visit(&waiting.back(&refusal).replace("authentication", "authentcation")).await;
    assert_eq!(status, 200);
    let refused = waiting.ended(&stage).await.ended_with(3);
    assert!(refused.stderr.contains("access_denied: Not today."), "{}", refused.stderr);
    let nobody = stage.sign_in(&["--patience", "1"]).await.ended(&stage).await.ended_with(3);
    assert!(nobody.stderr.contains("nobody signed in within 1 s"), "{}", nobody.stderr);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let refused = stage.run(&["connection", "sign-in", CONNECTION, "--port", &port]).await.ended_with(2);
    assert!(refused.stderr.contains("another program has it"), "{}", refused.stderr);
    // A code that nobody gave, with the right state, buys nothing.
    let waiting = stage.sign_in(&[]).await;
    visit(&waiting.back(&format!("code=forged&state={}", waiting.parameter("state")))).await;
    waiting.ended(&stage).await.ended_with(3);
    stage.call().await.ended_with(3);
}

/// The provider has spent the old token, and its answer with the new one is lost: what a crash at the worst moment does.
#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_that_is_lost_costs_the_sign_in_and_says_so() {
    let stage = Stage::start().await;
    stage.signed_in().await;
    stage.cloud.patch("/directory/switches", &json!({ "refresh_tokens_once": true })).await;
    stage.cloud.post("/faults", &json!({ "kind": "reset_after_effect", "service": "entra" })).await;
    stage.call().await.ended_with(6);
    let faults = stage.cloud.get("/faults").await;
    assert_eq!(faults["faults"][0]["hits"], 1, "what may have been spent is not sent again: {faults}");
    let ended = stage.call().await.ended_with(3);
    assert!(ended.stderr.contains("or Sortie was stopped"), "{}", ended.stderr);
    assert!(ended.stderr.contains("Sign in again with `sortie connection sign-in contoso`"), "{}", ended.stderr);
    stage.signed_in().await;
    stage.call().await.succeeded();
}
