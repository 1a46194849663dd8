//! `sortie serve` killed again and again while webhooks come in and people decide: what was acknowledged is there, nothing is
//! done twice, and every question can still be answered.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]
#![expect(clippy::print_stderr, reason = "the figures belong to the test's answer")]

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use http::Method;
use serde_json::{Value, json};
use sortie_server::Client;
use sortie_testkit::{Sortie, TestCloud, kill_count};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Child,
    sync::watch,
};

/// The first comment leaves by itself, the second when a person has approved it.
const WORKFLOW: &str = "\
workflow: note
triggers: [{ webhook: { secure: token, dedupe: body.id } }]
steps:
  - id: incident
    call: microsoft-365-defender/get-incident
    with: { id: '{{ trigger.body.incident }}' }
  - id: first
    after: [incident]
    call: microsoft-365-defender/comment-incident
    with: { id: '{{ steps.incident.output.id }}', comment: 'heard of {{ trigger.body.id }}' }
  - id: ask
    after: [first]
    approval: { ask: 'Go on with {{ trigger.body.id }}?', roles: [responder], within: 8h }
  - id: second
    after: [ask]
    call: microsoft-365-defender/comment-incident
    with: { id: '{{ steps.incident.output.id }}', comment: 'approved {{ trigger.body.id }}' }
";

/// What senders, deciders and the one who kills share.
struct Stage {
    cloud: TestCloud,
    sortie: Sortie,
    socket: PathBuf,
    token: String,
    incidents: Vec<String>,
    /// Where the server that lives now listens.
    address: watch::Sender<String>,
    /// Webhooks with a number below it were acknowledged, or are on their way.
    next: AtomicU64,
    is_over: AtomicBool,
    /// Questions that were answered amid the kills.
    decided: AtomicU64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_under_load_a_server_loses_no_webhook_and_does_nothing_twice() {
    let (stage, mut server) = Stage::start().await;
    let stage = Arc::new(stage);
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
    let senders: Vec<_> = (0..SENDERS).map(|_| tokio::spawn(Arc::clone(&stage).send(http.clone()))).collect();
    let decider = tokio::spawn(Arc::clone(&stage).decide());
    let kills = kill_count(50);
    for kill in 0..kills {
        // Between the first moments of a start and the middle of the load.
        tokio::time::sleep(Duration::from_millis(40 + (kill * 67) % 600)).await;
        if kill % 10 == 9 {
            // Now and then one lives until a person was heard, however slow the machine is.
            stage.heard().await;
            stage.has_sent(kill + 2).await;
        }
        server.kill().await.unwrap();
        server = stage.serve().await;
    }
    stage.is_over.store(true, Relaxed);
    for sender in senders {
        sender.await.unwrap();
    }
    decider.await.unwrap();
    let decided = stage.decided.load(Relaxed);
    let sent = stage.next.load(Relaxed);
    let open = stage.settled(sent).await;
    eprintln!("{kills} kills, {sent} webhooks, {decided} decided amid them, {open} afterwards");
    assert!(sent > kills && decided > 0 && open > 0, "the kills fell into no load");
    stage.holds(sent, decided).await;
    stage.decide_all().await;
    stage.holds(sent, sent).await;
    server.kill().await.unwrap();
}

impl Stage {
    async fn start() -> (Self, Child) {
        let cloud = TestCloud::start().await;
        cloud.put("/throttle", &json!({ "mode": "off" })).await;
        let application = cloud.application(&[("graph", "SecurityIncident.ReadWrite.All")]).await;
        let sortie = Sortie::new(env!("CARGO_BIN_EXE_sortie"), cloud.leaks())
            .with("SORTIE_TEST_SECRET", &application.secret)
            .with("SORTIE_DATABASE", "s.db")
            .with("SORTIE_KEY_FILE", "s.key");
        sortie.run(&["tenant", "add", "contoso", "--entra-id", &application.tenant]).await.succeeded();
        let (client, url) = (application.client_id.as_str(), cloud.url());
        let add = ["connection", "add", "test", "--tenant", "contoso", "--client-id", client, "--emulator", &url];
        sortie.run(&[&add[..], &["--credential", "env:SORTIE_TEST_SECRET"]].concat()).await.succeeded();
        let truth = cloud.get("/truth").await["tenants"][0].clone();
        let incidents = truth["incidents"].as_array().unwrap().iter().map(|one| plain(&one["id"])).collect();
        let socket = sortie.folder().join("s.db.sock");
        let (address, _) = watch::channel(String::new());
        let (next, is_over, decided) = (AtomicU64::new(0), AtomicBool::new(false), AtomicU64::new(0));
        let token = String::new();
        let mut stage = Self { cloud, sortie, socket, token, incidents, address, next, is_over, decided };
        let server = stage.serve().await;
        stage.token = stage.keep().await;
        (stage, server)
    }

    async fn serve(&self) -> Child {
        let mut child = self.sortie.command(&["serve", "--listen", "127.0.0.1:0"]).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await.expect("it says where");
        let line = line.unwrap().expect("it serves");
        let (_, address) = line.split_once("http://").unwrap();
        self.address.send_replace(address.to_owned());
        // What else it says is read, so that it never waits for a reader.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        child
    }

    /// Keeps the workflow, lets it start, and makes its webhook.
    async fn keep(&self) -> String {
        let put = http::Request::put("/api/v1/workflows/note?tenant=contoso");
        let put = put.header("content-type", "application/yaml").body(WORKFLOW.into()).unwrap();
        let kept = Client::There(self.socket.clone()).send(put).await.unwrap();
        assert_eq!(kept.status(), 201, "{:?}", kept.body());
        let place = "/api/v1/workflows/note";
        self.ask(Method::PUT, &format!("{place}/state?tenant=contoso"), Some(json!({ "state": "enabled" }))).await;
        let hook = self.ask(Method::PUT, &format!("{place}/hook?tenant=contoso"), None).await;
        hook["secret"].as_str().unwrap().to_owned()
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let (status, answer) = Client::There(self.socket.clone()).request(method, path, body).await.unwrap();
        assert!(status.is_success(), "{path}: {status} {answer}");
        answer
    }

    /// A sender as they are: what is not acknowledged is sent again, until it is.
    async fn send(self: Arc<Self>, http: reqwest::Client) {
        while !self.is_over.load(Relaxed) {
            let number = self.next.fetch_add(1, Relaxed);
            let incident = &self.incidents[number as usize % self.incidents.len()];
            let body = json!({ "id": number, "incident": incident }).to_string();
            loop {
                let url = format!("http://{}/hooks/contoso/note", *self.address.borrow());
                let request = http.post(url).header("content-type", "application/json");
                let answer = request.header("x-sortie-token", &self.token).body(body.clone()).send().await;
                if answer.is_ok_and(|answer| answer.status().is_success()) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Until one more question was answered.
    async fn heard(&self) {
        let (before, start) = (self.decided.load(Relaxed), Instant::now());
        while self.decided.load(Relaxed) == before {
            assert!(start.elapsed() < SETTLED_MAX, "nobody is heard any more");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Until so many webhooks were acknowledged, but for those that are on their way.
    async fn has_sent(&self, count: u64) {
        let start = Instant::now();
        while self.next.load(Relaxed) < count {
            assert!(start.elapsed() < SETTLED_MAX, "nothing comes through any more");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Somebody who approves one now and then.
    async fn decide(self: Arc<Self>) {
        while !self.is_over.load(Relaxed) {
            tokio::time::sleep(Duration::from_millis(25)).await;
            let client = Client::There(self.socket.clone());
            let listed = client.request(Method::GET, "/api/v1/approvals?tenant=contoso&open=true&count=3", None).await;
            let Some(id) = listed.ok().and_then(|(_, listed)| listed["items"][0]["id"].as_str().map(str::to_owned))
            else {
                continue;
            };
            self.decided.fetch_add(u64::from(self.approve(&client, &id).await), Relaxed);
        }
    }

    /// Until it is decided, whatever dies meanwhile. A decision whose answer was lost is found as one that was made.
    async fn approve(&self, client: &Client, id: &str) -> bool {
        loop {
            let path = format!("/api/v1/approvals/{id}/decision");
            match client.request(Method::POST, &path, Some(json!({ "approves": true }))).await {
                Ok((status, _)) if status.is_success() || status.as_u16() == 409 => return true,
                Ok((status, answer)) if status.as_u16() != 503 => panic!("{status} {answer}"),
                // It is dead, or says itself that it is too busy and to be asked again.
                _ => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    /// Waits until every run has ended or asks; how many ask.
    async fn settled(&self, count: u64) -> u64 {
        let start = Instant::now();
        loop {
            let states = self.runs().await;
            let of = |state: &str| states.get(state).copied().unwrap_or(0);
            if of("ended") + of("waiting") == count && !self.runs_on().await {
                return of("waiting");
            }
            assert!(start.elapsed() < SETTLED_MAX, "{count} webhooks, and runs are {states:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Runs by status, and those that have ended badly.
    async fn runs(&self) -> BTreeMap<String, u64> {
        let (mut states, mut before) = (BTreeMap::new(), String::new());
        loop {
            let page = self.ask(Method::GET, &format!("/api/v1/runs?tenant=contoso&count=500{before}"), None).await;
            let runs = page["items"].as_array().unwrap();
            for run in runs {
                let is_bad = !run["outcome"].is_null() && run["outcome"] != "succeeded";
                let state = if is_bad { plain(&run["outcome"]) } else { plain(&run["status"]) };
                *states.entry(state).or_default() += 1;
            }
            match page["next"].as_str() {
                Some(next) => before = format!("&before={next}"),
                None => return states,
            }
        }
    }

    async fn questions(&self) -> Vec<String> {
        let listed = self.ask(Method::GET, "/api/v1/approvals?tenant=contoso&open=true&count=500", None).await;
        listed["items"].as_array().unwrap().iter().map(|one| plain(&one["id"])).collect()
    }

    /// Whether a run waits for anything but a person.
    async fn runs_on(&self) -> bool {
        let listed = self.ask(Method::GET, "/api/v1/runs?tenant=contoso&status=waiting&count=500", None).await;
        let asks = |run: &Value| run["why"].as_str().is_some_and(|why| why.contains("waits for a person"));
        !listed["items"].as_array().unwrap().iter().all(asks)
    }

    async fn decide_all(&self) {
        let client = Client::There(self.socket.clone());
        loop {
            let questions = self.questions().await;
            if questions.is_empty() {
                break;
            }
            for id in questions {
                assert!(self.approve(&client, &id).await);
            }
        }
        let start = Instant::now();
        while self.runs().await.keys().any(|state| state != "ended") {
            assert!(start.elapsed() < SETTLED_MAX, "{:?}", self.runs().await);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The cloud has as many comments as webhooks were acknowledged and questions approved, on each incident its own.
    async fn holds(&self, sent: u64, approved: u64) {
        let counters = self.cloud.get("/counters").await;
        let effects = counters["effects"].as_array().unwrap();
        let comments = |incident: &str| {
            let entity = format!("incidents/{incident}");
            let of = effects.iter().filter(|effect| effect["entity"] == entity.as_str());
            of.filter_map(|effect| effect["comments"].as_u64()).sum::<u64>()
        };
        let all: u64 = self.incidents.iter().map(|incident| comments(incident)).sum();
        assert_eq!(all, sent + approved, "{sent} webhooks, {approved} approved: {counters}");
        for (at, incident) in self.incidents.iter().enumerate() {
            let own = (0..sent).filter(|number| *number as usize % self.incidents.len() == at).count() as u64;
            let (found, most) = (comments(incident), own * 2);
            assert!((own..=most).contains(&found), "incident {incident}: {own} webhooks, {found} comments");
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

const SENDERS: usize = 4;
/// Between two of one sender.
const PAUSE: Duration = Duration::from_millis(20);
/// A comment in doubt is looked for until it may be sure to show.
const SETTLED_MAX: Duration = Duration::from_secs(150);
