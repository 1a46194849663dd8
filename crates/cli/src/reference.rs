//! References to credentials, as `--credential` takes them and as they are kept: never the credential itself.

use std::path::PathBuf;

use sortie_identity::{AssertionAlgorithm, CredentialSource};

use crate::exit::Problem;

/// Reads a reference. The text is never repeated in an error: somebody may have pasted the secret itself.
pub(crate) fn credential_reference(text: &str, algorithm: AssertionAlgorithm) -> anyhow::Result<CredentialSource> {
    let (kind, rest) = text.split_once(':').map_or((text, ""), |(kind, rest)| (kind, rest.trim()));
    let path = || PathBuf::from(rest);
    Ok(match (kind.trim(), rest.is_empty()) {
        ("env", false) => CredentialSource::Environment { variable: rest.to_owned() },
        ("file", false) => CredentialSource::File { path: path() },
        ("stdin", true) => CredentialSource::Stdin,
        ("prompt", true) => CredentialSource::Prompt,
        ("certificate", false) => {
            let (certificate, key) =
                rest.split_once(',').map_or((rest, None), |(certificate, key)| (certificate, Some(key.trim().into())));
            CredentialSource::Certificate { certificate: certificate.trim().into(), key, algorithm }
        }
        ("certificate-env", false) => CredentialSource::CertificateEnvironment { variable: rest.to_owned(), algorithm },
        ("federated-file", false) => CredentialSource::FederatedFile { path: path() },
        ("federated-url", false) => federated_url(rest)?,
        ("github", true) => CredentialSource::FederatedUrl {
            url_variable: GITHUB_URL.to_owned(),
            bearer_variable: GITHUB_BEARER.to_owned(),
            audience: EXCHANGE.to_owned(),
        },
        ("managed-identity", _) => managed_identity(rest),
        _ => return Err(no_reference()),
    })
}

/// The same reference as a text; how an assertion is signed is kept apart from it.
pub(crate) fn reference_text(source: &CredentialSource) -> String {
    match source {
        CredentialSource::Environment { variable } => format!("env:{variable}"),
        CredentialSource::File { path } => format!("file:{}", path.display()),
        CredentialSource::Stdin => "stdin".to_owned(),
        CredentialSource::Prompt => "prompt".to_owned(),
        CredentialSource::Certificate { certificate, key: None, .. } => {
            format!("certificate:{}", certificate.display())
        }
        CredentialSource::Certificate { certificate, key: Some(key), .. } => {
            format!("certificate:{},{}", certificate.display(), key.display())
        }
        CredentialSource::CertificateEnvironment { variable, .. } => format!("certificate-env:{variable}"),
        CredentialSource::FederatedFile { path } => format!("federated-file:{}", path.display()),
        CredentialSource::FederatedUrl { url_variable, bearer_variable, audience } => {
            match (url_variable.as_str(), bearer_variable.as_str(), audience.as_str()) {
                (GITHUB_URL, GITHUB_BEARER, EXCHANGE) => "github".to_owned(),
                (url, bearer, audience) => format!("federated-url:{url},{bearer},{audience}"),
            }
        }
        CredentialSource::ManagedIdentity { client_id, object_id, resource_id } => {
            match (client_id, object_id, resource_id) {
                (Some(id), ..) => format!("managed-identity:{id}"),
                (None, Some(id), _) => format!("managed-identity:{OBJECT}{id}"),
                (None, None, Some(id)) => format!("managed-identity:{RESOURCE}{id}"),
                (None, None, None) => "managed-identity".to_owned(),
            }
        }
    }
}

/// How the assertions of a reference are signed, where it is a certificate.
pub(crate) fn is_rs256(source: &CredentialSource) -> bool {
    let (CredentialSource::Certificate { algorithm, .. } | CredentialSource::CertificateEnvironment { algorithm, .. }) =
        source
    else {
        return false;
    };
    *algorithm == AssertionAlgorithm::Rs256
}

fn managed_identity(rest: &str) -> CredentialSource {
    let (object, resource) = (rest.strip_prefix(OBJECT), rest.strip_prefix(RESOURCE));
    let is_client = object.is_none() && resource.is_none() && !rest.is_empty();
    CredentialSource::ManagedIdentity {
        client_id: is_client.then(|| rest.to_owned()),
        object_id: object.map(str::to_owned),
        resource_id: resource.map(str::to_owned),
    }
}

fn federated_url(rest: &str) -> anyhow::Result<CredentialSource> {
    let parts: Vec<&str> = rest.splitn(3, ',').map(str::trim).collect();
    match parts[..] {
        [url, bearer, audience] if parts.iter().all(|part| !part.is_empty()) => Ok(CredentialSource::FederatedUrl {
            url_variable: url.to_owned(),
            bearer_variable: bearer.to_owned(),
            audience: audience.to_owned(),
        }),
        _ => Err(no_reference()),
    }
}

fn no_reference() -> anyhow::Error {
    Problem::usage(
        "`--credential` is no reference to a credential (it is not shown here, in case it is the secret itself)",
        "Write env:NAME, file:PATH, stdin, prompt, certificate:PEM[,KEY], certificate-env:NAME, federated-file:PATH, github or managed-identity[:CLIENT_ID].",
    )
    .into()
}

const GITHUB_URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
const GITHUB_BEARER: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";
const EXCHANGE: &str = "api://AzureADTokenExchange";
const OBJECT: &str = "object:";
const RESOURCE: &str = "resource:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_read_and_written_back_and_a_pasted_secret_is_not_repeated() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            let source = credential_reference(text, AssertionAlgorithm::Ps256).unwrap();
            assert_eq!(reference_text(&source), text);
            assert_eq!(serde_json::to_value(source).unwrap()["kind"], expected, "{text}");
        }
        check("env:X", "environment");
        check("file:/x/y", "file");
        check("stdin", "stdin");
        check("prompt", "prompt");
        check("certificate:a.pem,b.key", "certificate");
        check("certificate:a.pem", "certificate");
        check("certificate-env:X", "certificate-environment");
        check("federated-file:/var/run/token", "federated-file");
        check("federated-url:URL,BEARER,api://x", "federated-url");
        check("github", "federated-url");
        check("managed-identity", "managed-identity");
        check("managed-identity:11111111-2222-3333-4444-555555555555", "managed-identity");
        check("managed-identity:object:1", "managed-identity");
        check("managed-identity:resource:/subscriptions/1/x", "managed-identity");
        for wrong in ["~ab8Q~secretValue", "env:", "file:", "", "stdin:x", "federated-url:a,b"] {
            let error = format!("{:#}", credential_reference(wrong, AssertionAlgorithm::Ps256).unwrap_err());
            assert!(wrong.len() < 6 || !error.contains(wrong), "{error}");
        }
    }
}
