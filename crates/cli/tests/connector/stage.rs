//! A cloud over https, and an app made from an API description without usable authentication.

use std::net::SocketAddr;

use sortie_emulator::EmulatorConfig;
use sortie_testkit::{Ended, Registered, Sortie, TestCloud};
use tempfile::TempDir;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_sortie");

pub(crate) struct Stage {
    pub(crate) cloud: TestCloud,
    pub(crate) sortie: Sortie,
    _folder: TempDir,
}

impl Stage {
    pub(crate) async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let any_port = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        let ca_dir = Some(folder.path().join("ca"));
        let cloud =
            TestCloud::start_with(EmulatorConfig { https: any_port, ca_dir, ..EmulatorConfig::default() }).await;
        let authority = cloud.emulator().ca_pem().unwrap();
        let sortie = Sortie::new(PROGRAM, cloud.leaks()).with("SORTIE_CA_BUNDLE", authority.to_str().unwrap());
        // Where tests put what `file:` refers to.
        let sortie = sortie.with_secret_file("secret").with_secret_file("reader");
        std::fs::write(sortie.folder().join("defender.yaml"), APP).unwrap();
        Self { cloud, sortie, _folder: folder }
    }

    pub(crate) fn host(&self) -> String {
        format!("localhost:{}", self.cloud.emulator().https().unwrap().port())
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Ended {
        self.sortie.run(arguments).await
    }

    /// Imports the app and sets its authentication to OAuth2 *application* at this endpoint.
    pub(crate) async fn import(&self, endpoint: &str) {
        self.import_with(endpoint, &["--grant", "client_credentials", "--scope", " .default "]).await;
    }

    pub(crate) async fn import_with(&self, endpoint: &str, oauth: &[&str]) {
        self.run(&["connector", "import", "defender.yaml"]).await.succeeded();
        self.edit(endpoint, oauth).await.succeeded();
    }

    pub(crate) async fn edit(&self, endpoint: &str, oauth: &[&str]) -> Ended {
        let token_url = format!("https://{}/{{tenant}}{endpoint}", self.host());
        let edit = ["connector", "edit", "microsoft-365-defender", "--auth", "oauth2-application"];
        self.run(&[&edit[..], &["--token-url", &token_url], oauth].concat()).await
    }

    /// A connection whose credential stays where it is.
    pub(crate) async fn refer(&self, name: &str, application: &Registered, more: &[&str]) -> Ended {
        let (base, host) = (format!("https://{}", self.host()), self.host());
        let add = ["connection", "add", name, "--connector", "microsoft-365-defender"];
        let who = ["--tenant", &application.tenant, "--client-id", &application.client_id];
        let place = ["--base", &base, "--allow-host", &host];
        self.run(&[&add[..], &who[..], &place[..], more].concat()).await
    }

    /// A connection with its secret sealed in the database.
    pub(crate) async fn connect(&self, name: &str, application: &Registered) -> Ended {
        self.connect_with(name, application, &[]).await
    }

    pub(crate) async fn connect_with(&self, name: &str, application: &Registered, more: &[&str]) -> Ended {
        let (base, host) = (format!("https://{}", self.host()), self.host());
        let add = ["connection", "add", name, "--connector", "microsoft-365-defender", "--credential", "stdin"];
        let who = ["--tenant", &application.tenant, "--client-id", &application.client_id];
        let place = ["--base", &base, "--allow-host", &host];
        self.sortie.run_with_input(&[&add[..], &who[..], &place[..], more].concat(), &application.secret).await
    }
}

/// What Shuffle's users have: paths, and an authentication that nobody can use.
const APP: &str = r"
openapi: 3.0.3
info: { title: Microsoft 365 Defender, version: '1' }
servers: [{ url: 'https://graph.microsoft.com' }]
security: [{ jwt: [] }]
components: { securitySchemes: { jwt: { type: oauth2, flows: { implicit: { authorizationUrl: 'https://login.example', scopes: {} } } } } }
paths:
  /v1.0/security/alerts_v2:
    get: { operationId: listAlerts, summary: List alerts, parameters: [{ name: $top, in: query, schema: { type: integer } }], responses: { '200': { description: Alerts } } }
  /v1.0/security/incidents:
    get: { operationId: listIncidents, summary: List incidents, responses: { '200': { description: Incidents } } }
  /v1.0/security/incidents/{id}/comments:
    post:
      operationId: commentIncident
      summary: Comment on an incident
      parameters: [{ name: id, in: path, required: true, schema: { type: string } }]
      requestBody: { required: true, content: { application/json: { schema: { type: object, required: [comment], properties: { '@odata.type': { type: string }, comment: { type: string } } } } } }
      responses: { '200': { description: Comments } }
  /api/incidents:
    servers: [{ url: 'https://api.security.microsoft.com' }]
    get: { operationId: listIncidentsXdr, summary: List incidents of XDR, responses: { '200': { description: Incidents } } }
";
