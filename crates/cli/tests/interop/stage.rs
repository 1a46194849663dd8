//! A cloud with https and a proxy, two applications, and the clients' processes with an environment of their own.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256};
use serde_json::{Value, json};
use sortie_testkit::{Registered, TestCloud};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    config,
    judge::{Findings, ROLES},
};

pub(crate) struct Stage {
    pub(crate) cloud: TestCloud,
    /// Holds the roles, a secret and a certificate.
    pub(crate) able: Registered,
    roleless: Registered,
    certificate: Certificate,
    folder: TempDir,
}

/// A key with its certificate in one PEM file, as Azure's clients take it.
pub(crate) struct Certificate {
    pub(crate) path: PathBuf,
    public_pem: String,
}

impl Stage {
    pub(crate) async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let cloud = TestCloud::start_with(config(&folder.path().join("ca"))).await;
        let (able, roleless) = (cloud.application(ROLES).await, cloud.application(&[]).await);
        let certificate = certificate(folder.path());
        let path = format!("/directory/applications/{}/certificates", able.client_id);
        cloud.post(&path, &json!({ "certificate_pem": certificate.public_pem })).await;
        Self { cloud, able, roleless, certificate, folder }
    }

    pub(crate) fn https(&self) -> String {
        format!("https://localhost:{}", self.cloud.emulator().https().unwrap().port())
    }

    pub(crate) fn proxy(&self) -> String {
        format!("http://{}", self.cloud.emulator().proxy().unwrap())
    }

    pub(crate) fn admin(&self) -> String {
        format!("http://{}", self.cloud.emulator().admin())
    }

    /// A program that trusts this cloud's authority and knows the applications.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        isolate(&mut command, self.folder.path());
        let authority = self.cloud.emulator().ca_pem().unwrap();
        for variable in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"] {
            command.env(variable, authority);
        }
        command.env("SORTIE_TENANT", &self.able.tenant).env("SORTIE_CERTIFICATE", &self.certificate.path);
        command.env("SORTIE_CLIENT_ID", &self.able.client_id).env("SORTIE_SECRET", &self.able.secret);
        command.env("SORTIE_ROLELESS_CLIENT_ID", &self.roleless.client_id);
        command.env("SORTIE_ROLELESS_SECRET", &self.roleless.secret);
        command
    }

    pub(crate) fn script(&self, python: &Path, name: &str) -> Command {
        let mut command = self.command(python);
        command.arg(root().join("interop/python").join(name));
        command
    }

    pub(crate) fn node_script(&self, clients: &Path, name: &str) -> Command {
        let mut command = self.command("node");
        command.arg(root().join("interop/node").join(name)).env("SORTIE_INTEROP_NODE", clients);
        command
    }

    pub(crate) async fn found(&self, command: &mut Command) -> Findings {
        Findings::of(said(&ended(command).await))
    }

    /// An identity provider outside, trusted for a subject; gives the file with its token, as AKS mounts one.
    pub(crate) async fn federate(&self, python: &Path) -> PathBuf {
        let (issuer, subject) = ("https://oidc.aks.example/42/", "system:serviceaccount:soc:sortie");
        let file = self.folder.path().join("federated-token");
        let mut provider = self.script(python, "outside_issuer.py");
        let keys: Value = serde_json::from_str(&ended(provider.args([issuer, subject]).arg(&file)).await).unwrap();
        self.cloud.post("/directory/federated-issuers", &json!({ "issuer": issuer, "jwks": keys })).await;
        let path = format!("/directory/applications/{}/federated", self.able.client_id);
        self.cloud.post(&path, &json!({ "issuer": issuer, "subject": subject })).await;
        file
    }
}

pub(crate) fn certificate(folder: &Path) -> Certificate {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "sortie interop");
    let public_pem = params.self_signed(&key).unwrap().pem();
    let path = folder.join("certificate.pem");
    std::fs::write(&path, format!("{}{public_pem}", key.serialize_pem())).unwrap();
    Certificate { path, public_pem }
}

/// Nothing of the caller's environment but where programs are: no proxy, no credential, no home.
pub(crate) fn isolate(command: &mut Command, home: &Path) {
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", home);
    command.env("PYTHONDONTWRITEBYTECODE", "1").kill_on_drop(true);
}

/// Standard output of a program that succeeds in time.
pub(crate) async fn ended(command: &mut Command) -> String {
    let output = tokio::time::timeout(CLIENT_TIME_MAX, command.output()).await;
    let output = output.unwrap_or_else(|_| panic!("{command:?} hangs")).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?} ended with {}:\n{errors}", command.as_std().get_args(), output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// One JSON value a line.
pub(crate) fn said(output: &str) -> Vec<Value> {
    output.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

pub(crate) fn python() -> Option<PathBuf> {
    installed("SORTIE_INTEROP_PYTHON", "the Python clients")
}

pub(crate) fn node() -> Option<PathBuf> {
    installed("SORTIE_INTEROP_NODE", "the Node clients")
}

/// Whether the program can be run like this; one visible line when it can't.
pub(crate) fn has(what: &str, program: &str, arguments: &[&str]) -> bool {
    let tried = std::process::Command::new(program).args(arguments).output();
    let works = tried.is_ok_and(|output| output.status.success());
    if !works {
        left_out(what, &format!("`{program} {}` does not work here", arguments.join(" ")));
    }
    works
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn installed(variable: &str, what: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.exists());
    if path.is_none() {
        left_out(what, &format!("{variable} is not set; `cargo xtask test` installs them"));
    }
    path
}

fn left_out(what: &str, why: &str) {
    let required = std::env::var_os("SORTIE_INTEROP_REQUIRED").is_some_and(|value| value == "1");
    assert!(!required, "{what} is required: {why}");
    println!("left out: {what} ({why})");
}

/// A cold start of the Graph SDK takes several seconds on a busy machine.
const CLIENT_TIME_MAX: Duration = Duration::from_secs(150);
