//! A connection's secret in Azure Key Vault.

use serde_json::json;
use sortie_testkit::Registered;

use crate::stage::Stage;

struct Vaulted {
    stage: Stage,
    application: Registered,
    /// Of the machine.
    identity: String,
}

impl Vaulted {
    /// The application's secret is in a vault; nobody may read it yet.
    async fn start() -> Self {
        let stage = Stage::start().await;
        let application = stage.cloud.application(&[("graph", "SecurityAlert.Read.All")]).await;
        stage.import("/oauth2/v2.0/token").await;
        stage.cloud.post("/vaults", &json!({ "name": "kv-soc" })).await;
        let identity = stage.cloud.get("/directory/managed-identities").await[0].clone();
        let identity = identity["objectId"].as_str().or(identity["object_id"].as_str()).unwrap().to_owned();
        let this = Self { stage, application, identity };
        this.fill(json!({ "value": this.application.secret })).await;
        this
    }

    async fn fill(&self, secret: serde_json::Value) -> String {
        let made = self.stage.cloud.put("/vaults/kv-soc/secrets/sortie", &secret).await;
        made["version"].as_str().unwrap().to_owned()
    }

    async fn admit(&self, id: &str) {
        self.stage.cloud.post("/vaults/kv-soc/readers", &json!({ "id": id })).await;
    }

    async fn connect(&self, name: &str, secret: &str, more: &[&str]) {
        let reference = format!("keyvault:https://{}/vaults/kv-soc/secrets/{secret}", self.stage.host());
        let (login, imds) = (format!("https://{}", self.stage.host()), self.stage.cloud.url());
        let opened = ["--credential", &reference, "--login", &login, "--imds", &imds];
        self.stage.refer(name, &self.application, &[&opened[..], more].concat()).await.succeeded();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_machines_own_identity_opens_the_vault() {
    let vaulted = Vaulted::start().await;
    vaulted.connect("contoso", "sortie", &[]).await;
    let call = ["call", "microsoft-365-defender/list-alerts", "$top=1", "-c", "contoso"];
    let refused = vaulted.stage.run(&call).await.ended_with(4);
    let told = ["ForbiddenByRbac", "managed identity", "Key Vault Secrets User"];
    assert!(told.iter().all(|text| refused.stderr.contains(text)), "{}", refused.stderr);
    vaulted.admit(&vaulted.identity).await;
    vaulted.stage.run(&call).await.succeeded();
    // Read at each run: a secret that is rotated in the vault is used from then on.
    let old = vaulted.fill(json!({ "value": "not-the-secret-of-this-application" })).await;
    let wrong = vaulted.stage.run(&call).await.ended_with(3);
    assert!(wrong.stderr.contains("invalid_client"), "{}", wrong.stderr);
    let good = vaulted.fill(json!({ "value": vaulted.application.secret })).await;
    vaulted.stage.run(&call).await.succeeded();
    for (name, version, code) in [("old", old, 3), ("good", good, 0), ("none", "0".repeat(32), 5)] {
        vaulted.connect(name, &format!("sortie/{version}"), &[]).await;
        let call = ["call", "microsoft-365-defender/list-alerts", "-c", name];
        vaulted.stage.run(&call).await.ended_with(code);
    }
    vaulted.stage.cloud.patch("/vaults/kv-soc/secrets/sortie", &json!({ "enabled": false })).await;
    let disabled = vaulted.stage.run(&call).await.ended_with(4);
    assert!(disabled.stderr.contains("Enable the secret"), "{}", disabled.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_opens_the_vault_and_its_end_is_told() {
    let vaulted = Vaulted::start().await;
    let reader = vaulted.stage.cloud.application(&[]).await;
    std::fs::write(vaulted.stage.sortie.folder().join("reader"), &reader.secret).unwrap();
    let by = ["--vault-credential", "file:reader", "--vault-client-id", &reader.client_id];
    vaulted.connect("contoso", "sortie", &by).await;
    let call = ["call", "microsoft-365-defender/list-alerts", "$top=1"];
    let refused = vaulted.stage.run(&call).await.ended_with(4);
    assert!(refused.stderr.contains("Give the application the role"), "{}", refused.stderr);
    vaulted.admit(&reader.client_id).await;
    let quiet = vaulted.stage.run(&call).await.succeeded();
    assert!(!quiet.stderr.contains("expire"), "{}", quiet.stderr);
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 5 + 1);
    vaulted.fill(json!({ "value": vaulted.application.secret, "expires": soon })).await;
    let warned = vaulted.stage.run(&call).await.succeeded();
    assert!(warned.stderr.contains("the secret of connection contoso expires soon, in 5 days"), "{}", warned.stderr);
    let tested = vaulted.stage.run(&["connection", "test", "contoso"]).await.succeeded();
    assert!(tested.stdout.contains("(5 days)"), "{}", tested.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_vaults_goes_to_no_other_host() {
    let vaulted = Vaulted::start().await;
    let evil = sortie_testkit::TestCloud::start().await;
    let login = format!("https://{}", vaulted.stage.host());
    // A public host that is no vault, and a host of this machine that the connection does not allow.
    for (name, host) in [("public", "https://example.com".to_owned()), ("near", evil.url())] {
        let reference = format!("keyvault:{host}/secrets/sortie");
        let opened = ["--credential", &reference, "--login", &login, "--imds", &vaulted.stage.cloud.url()];
        vaulted.stage.refer(name, &vaulted.application, &opened).await.succeeded();
        let refused =
            vaulted.stage.run(&["call", "microsoft-365-defender/list-alerts", "-c", name]).await.ended_with(2);
        assert!(refused.stderr.contains("no host of Azure Key Vault"), "{}", refused.stderr);
    }
    assert_eq!(evil.get("/counters").await["total"], 0);
    for (reference, said) in
        [("keyvault:https://kv.vault.azure.net/keys/x", "names no secret"), ("keyvault:kv/x", "names no secret")]
    {
        let refused = vaulted.stage.refer("x", &vaulted.application, &["--credential", reference]).await.ended_with(2);
        assert!(refused.stderr.contains(said), "{}", refused.stderr);
    }
    let asked = ["--credential", "keyvault:https://kv.vault.azure.net/secrets/x", "--vault-credential", "prompt"];
    let refused = vaulted.stage.refer("x", &vaulted.application, &asked).await.ended_with(2);
    assert!(refused.stderr.contains("nobody can be asked"), "{}", refused.stderr);
}
