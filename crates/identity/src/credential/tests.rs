//! Each kind of reference, and each way in which one is broken.

use std::collections::HashMap;

use super::*;

struct Input(HashMap<&'static str, &'static str>);

impl SecretInput for Input {
    fn variable(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|text| (*text).to_owned())
    }

    fn stdin(&self) -> io::Result<Secret> {
        self.variable("stdin").map(Secret::new).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn prompt(&self, _question: &str) -> io::Result<Secret> {
        self.variable("prompt").map(Secret::new).ok_or_else(|| io::ErrorKind::Unsupported.into())
    }
}

fn input<const N: usize>(pairs: [(&'static str, &'static str); N]) -> Input {
    Input(pairs.into_iter().collect())
}

fn load(source: &CredentialSource, input: &Input) -> Result<Credential, CredentialError> {
    source.load(input, Timestamp::UNIX_EPOCH)
}

#[track_caller]
fn secret_of(outcome: Result<Credential, CredentialError>) -> String {
    match outcome.unwrap() {
        Credential::Secret(secret) => secret.expose().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_line_end_is_dropped_and_nothing_else() {
    let environment = CredentialSource::Environment { variable: "S".into() };
    for (given, kept) in [("s3\n", "s3"), ("s3\r\n", "s3"), ("s3", "s3"), (" s3 ", " s3 "), ("\u{feff}s3", "s3")] {
        assert_eq!(secret_of(load(&environment, &input([("S", given)]))), kept);
    }
    assert_eq!(secret_of(load(&CredentialSource::Stdin, &input([("stdin", "s3\n")]))), "s3");
    assert_eq!(secret_of(load(&CredentialSource::Prompt, &input([("prompt", "s3")]))), "s3");
}

#[test]
fn what_is_missing_or_empty_is_said() {
    let environment = CredentialSource::Environment { variable: "S".into() };
    let missing = load(&environment, &input([])).unwrap_err();
    assert!(matches!(&missing, CredentialError::VariableMissing(name) if name == "S"));
    assert!(matches!(load(&environment, &input([("S", "\n")])), Err(CredentialError::Empty(_))));
    assert!(matches!(load(&environment, &input([("S", "a\nb")])), Err(CredentialError::ControlCharacters(_))));
    assert!(matches!(load(&CredentialSource::Stdin, &input([])), Err(CredentialError::InputUnreadable { .. })));
    let file = CredentialSource::File { path: "no-such-file".into() };
    assert!(matches!(load(&file, &input([])), Err(CredentialError::FileMissing(_))));
    let directory = tempfile::tempdir().unwrap();
    let file = CredentialSource::File { path: directory.path().to_owned() };
    assert!(matches!(load(&file, &input([])), Err(CredentialError::FileUnreadable { .. })));
}

#[test]
fn a_guid_is_probably_the_secrets_id() {
    let warning = |text: &str| Credential::Secret(Secret::new(text)).warning();
    let found = warning("11111111-2222-3333-4444-555555555555");
    assert_eq!(found, Some(CredentialWarning::SecretIdInsteadOfValue));
    assert!(found.unwrap().to_string().contains("Value"));
    assert_eq!(warning("abc8Q~11111111-2222-3333-4444-5555555"), None);
}

#[test]
fn the_usual_variables_are_known_in_microsofts_order() {
    let kind = |input: &Input| CredentialSource::from_azure_environment(input);
    let all = [
        ("AZURE_CLIENT_SECRET", "s"),
        ("AZURE_CLIENT_CERTIFICATE_PATH", "c.pem"),
        ("AZURE_FEDERATED_TOKEN_FILE", "/var/token"),
    ];
    assert!(matches!(kind(&input(all)), Some(CredentialSource::Environment { .. })));
    assert!(matches!(kind(&input([all[1], all[2]])), Some(CredentialSource::CertificateEnvironment { .. })));
    assert!(matches!(
        kind(&input([all[2], ("AZURE_CLIENT_SECRET", " ")])),
        Some(CredentialSource::FederatedFile { .. })
    ));
    assert_eq!(kind(&input([])), None);

    let read = |variables: &Input| AzureEnvironment::read(variables);
    let host =
        |text| read(&input([("AZURE_AUTHORITY_HOST", text)])).map(|found| found.authority_host.unwrap().to_string());
    assert_eq!(host("https://login.microsoftonline.us/").unwrap(), "https://login.microsoftonline.us/");
    assert_eq!(host(" login.microsoftonline.us ").unwrap(), "https://login.microsoftonline.us/");
    assert!(matches!(host("https://"), Err(CredentialError::BadUrl(_))));
    let found = read(&input([("AZURE_TENANT_ID", " t "), ("AZURE_CLIENT_ID", ""), all[0]])).unwrap();
    assert_eq!((found.tenant.as_deref(), found.client_id), (Some("t"), None));
    assert_eq!(found.credential, Some(CredentialSource::Environment { variable: "AZURE_CLIENT_SECRET".into() }));
}

#[test]
fn github_s_address_gets_the_audience() {
    let source: CredentialSource = serde_json::from_str(r#"{"kind":"federated-url"}"#).unwrap();
    let variables = input([
        ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://vstoken.example/token?api-version=2.0"),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "hunter2"),
    ]);
    match load(&source, &variables).unwrap() {
        Credential::FederatedUrl { url, bearer } => {
            assert_eq!(
                url.as_str(),
                "https://vstoken.example/token?api-version=2.0&audience=api%3A%2F%2FAzureADTokenExchange"
            );
            assert_eq!(bearer.expose(), "hunter2");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_managed_identity_has_one_name() {
    let source = |client_id: Option<&str>, object_id: Option<&str>| CredentialSource::ManagedIdentity {
        client_id: client_id.map(str::to_owned),
        object_id: object_id.map(str::to_owned),
        resource_id: None,
    };
    let loaded = load(&source(Some("c"), None), &input([])).unwrap();
    assert!(matches!(loaded, Credential::ManagedIdentity(ManagedIdentityId::Client(id)) if id == "c"));
    assert!(matches!(load(&source(Some("c"), Some("o")), &input([])), Err(CredentialError::SeveralIds)));
}

#[test]
fn references_survive_a_settings_file_and_fingerprints_tell_credentials_apart() {
    let sources = [
        CredentialSource::Environment { variable: "S".into() },
        CredentialSource::Stdin,
        CredentialSource::Certificate { certificate: "c.pem".into(), key: None, algorithm: AssertionAlgorithm::Rs256 },
        CredentialSource::ManagedIdentity { client_id: None, object_id: None, resource_id: None },
    ];
    for source in sources {
        let text = serde_json::to_string(&source).unwrap();
        assert_eq!(serde_json::from_str::<CredentialSource>(&text).unwrap(), source, "{text}");
    }
    let secret = |text: &str| Credential::Secret(Secret::new(text)).fingerprint();
    assert_eq!(secret("a"), secret("a"));
    assert_ne!(secret("a"), secret("b"));
    assert_ne!(secret("a"), Credential::FederatedFile("a".into()).fingerprint());
    assert!(!format!("{:?}", Credential::Secret(Secret::new("hunter2"))).contains("hunter2"));
}
