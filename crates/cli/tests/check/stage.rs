//! What the tests of `sortie check` share: a cloud with one application, its user, and the text that a snapshot keeps.

use serde_json::json;
use sortie_emulator::EmulatorConfig;
use sortie_testkit::{Ended, Registered, Sortie, TestCloud};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_sortie");
/// What `sortie check` wants when nothing else is said.
pub(crate) const READING: &[(&str, &str)] =
    &[("graph", "SecurityIncident.Read.All"), ("graph", "SecurityAlert.Read.All"), ("xdr", "Incident.Read.All")];
/// What `sortie check --for write` wants.
pub(crate) const WRITING: &[(&str, &str)] = &[
    ("graph", "SecurityIncident.ReadWrite.All"),
    ("graph", "SecurityAlert.ReadWrite.All"),
    ("xdr", "Incident.ReadWrite.All"),
];

/// A cloud, an application in it, and a user whose connection `test` is that application.
pub(crate) struct Stage {
    pub cloud: TestCloud,
    pub application: Registered,
    pub sortie: Sortie,
}

impl Stage {
    /// With these roles consented.
    pub(crate) async fn with(roles: &[(&str, &str)]) -> Self {
        let cloud = TestCloud::start().await;
        let application = cloud.application(roles).await;
        Self::of(cloud, application).await
    }

    /// In a cloud whose clock was moved by so many seconds before anything was registered.
    pub(crate) async fn with_clock_moved(seconds: i64, roles: &[(&str, &str)]) -> Self {
        let cloud = TestCloud::start().await;
        cloud.post("/clock/advance", &json!({ "seconds": seconds })).await;
        let application = cloud.application(roles).await;
        Self::of(cloud, application).await
    }

    /// With these roles listed and nobody's consent.
    pub(crate) async fn without_consent(roles: &[(&str, &str)]) -> Self {
        let cloud = TestCloud::start().await;
        let application = cloud.application_without_consent(roles).await;
        Self::of(cloud, application).await
    }

    /// With an https address beside the plain one.
    pub(crate) async fn with_tls(roles: &[(&str, &str)]) -> Self {
        let any_port = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let config = EmulatorConfig { https: Some(any_port), ca_dir: Some(folder.keep()), ..EmulatorConfig::default() };
        let cloud = TestCloud::start_with(config).await;
        let application = cloud.application(roles).await;
        Self::of(cloud, application).await
    }

    async fn of(cloud: TestCloud, application: Registered) -> Self {
        let sortie = Sortie::connected(PROGRAM, &cloud, &application).await;
        Self { cloud, application, sortie }
    }

    /// The same with another secret in the variable that the connection refers to.
    pub(crate) fn with_secret(mut self, secret: &str) -> Self {
        self.sortie = self.sortie.with("SORTIE_TEST_SECRET", secret);
        self
    }

    /// Replaces the connection: later options win over the usual ones.
    pub(crate) async fn reconnect(&self, tenant: &str, options: &[&str]) {
        let usual = ["connection", "add", "test", "--replace", "--client-id", &self.application.client_id];
        let credential: &[&str] = match options.contains(&"--credential") {
            true => &[],
            false => &["--credential", "env:SORTIE_TEST_SECRET"],
        };
        self.sortie.run(&[&usual[..], &["--tenant", tenant], credential, options].concat()).await.succeeded();
    }

    /// Runs and gives what a snapshot keeps.
    pub(crate) async fn run(&self, arguments: &[&str]) -> String {
        self.snapshot(arguments, &self.sortie.run(arguments).await)
    }

    /// Command, exit code and both streams, with everything masked that another run would spell otherwise.
    pub(crate) fn snapshot(&self, arguments: &[&str], ended: &Ended) -> String {
        let mut text = format!("$ sortie {}\n{}", arguments.join(" "), ended.stdout);
        if !ended.stderr.is_empty() {
            text.push_str(&format!("--- standard error\n{}", ended.stderr));
        }
        text.push_str(&format!("--- exit code {}\n", ended.code));
        for (value, name) in [(&self.application.client_id, "[application]"), (&self.application.tenant, "[tenant]")] {
            text = text.replace(value.as_str(), name);
        }
        text = text.replace(&self.sortie.folder().display().to_string(), "[folder]");
        mask(&text)
    }
}

/// Ids, ports, moments and padding that are not the same twice.
pub(crate) fn mask(text: &str) -> String {
    let text = mask_ports(text);
    let mut masked = String::new();
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        let (mark, length) = match () {
            () if matches_pattern(rest, GUID) => ("[guid]", GUID.len()),
            () if matches_pattern(rest, THUMBPRINT) => ("[thumbprint]", THUMBPRINT.len()),
            () if matches_pattern(rest, MOMENT) => ("[moment]", moment_length(rest)),
            () => {
                masked.push(first);
                rest = &rest[first.len_utf8()..];
                continue;
            }
        };
        masked.push_str(mark);
        rest = &rest[length..];
    }
    masked.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// `x` stands for a hexadecimal digit, `?` for what may stand between day and time, everything else for itself.
fn matches_pattern(text: &str, pattern: &str) -> bool {
    let (text, pattern) = (text.as_bytes(), pattern.as_bytes());
    text.len() >= pattern.len()
        && pattern.iter().zip(text).all(|(pattern, byte)| match pattern {
            b'x' => byte.is_ascii_hexdigit(),
            b'?' => matches!(byte, b'T' | b' '),
            other => other == byte,
        })
}

fn moment_length(text: &str) -> usize {
    let rest = &text[MOMENT.len()..];
    let fraction = rest.strip_prefix('.').map_or(0, |rest| 1 + rest.bytes().take_while(u8::is_ascii_digit).count());
    MOMENT.len() + fraction + usize::from(rest[fraction..].starts_with('Z'))
}

fn mask_ports(text: &str) -> String {
    let mut parts = text.split("127.0.0.1:");
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        masked.push_str("127.0.0.1:[port]");
        masked.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    masked
}

const GUID: &str = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
/// Also with a blank for the `T`, as Entra writes it.
const MOMENT: &str = "xxxx-xx-xx?xx:xx:xx";
const THUMBPRINT: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
