//! What `--credential` gives.

use sortie_identity::{AssertionAlgorithm, Cloud, Credential as Loaded, CredentialSource};
use sortie_model::Secret;

use super::Arguments;
use crate::{
    context::Context,
    exit::Problem,
    input::Terminal,
    product::{VAULT_REFERENCE, VaultSettings},
    reference::credential_reference,
};

/// A reference that stays one, or a secret that is entered now and sealed; or neither.
pub(super) struct Given {
    pub reference: Option<String>,
    pub entered: Option<Secret>,
}

pub(super) fn given(arguments: &Arguments, context: &Context) -> anyhow::Result<Given> {
    let text = arguments.credential.trim();
    if text == "none" {
        return Ok(Given { reference: None, entered: None });
    }
    if text.starts_with(VAULT_REFERENCE) {
        return Ok(Given { reference: Some(text.to_owned()), entered: None });
    }
    let algorithm = if arguments.rs256 { AssertionAlgorithm::Rs256 } else { AssertionAlgorithm::Ps256 };
    let source = credential_reference(text, algorithm)?;
    let referred = || Given { reference: Some(text.to_owned()), entered: None };
    match source {
        CredentialSource::Environment { .. } | CredentialSource::File { .. } => Ok(referred()),
        CredentialSource::Certificate { .. } | CredentialSource::CertificateEnvironment { .. }
            if arguments.connector.is_some() =>
        {
            // A file that is none is told now, not by the first workflow at night.
            source.load(&Terminal, context.clock.now())?;
            Ok(referred())
        }
        CredentialSource::Stdin | CredentialSource::Prompt => match source.load(&Terminal, context.clock.now()) {
            Ok(Loaded::Secret(secret)) => Ok(Given { reference: None, entered: Some(secret) }),
            Ok(_) => Ok(Given { reference: None, entered: None }),
            Err(error) => Err(error.into()),
        },
        // What only Microsoft takes.
        _ if arguments.connector.is_none() => Ok(referred()),
        _ => {
            let next = "Use env:NAME, file:PATH, certificate:PEM[,KEY], certificate-env:NAME, keyvault:URL, stdin, prompt or none.";
            Err(Problem::usage("a connector's connection takes a secret or a certificate", next).into())
        }
    }
}

/// How the vault is opened, where the reference names one.
pub(super) fn vault(reference: Option<&str>, arguments: &Arguments, cloud: Cloud) -> Option<VaultSettings> {
    reference.filter(|text| text.starts_with(VAULT_REFERENCE)).map(|_| VaultSettings {
        credential: arguments.product.vault_credential.clone(),
        client_id: arguments.product.vault_client_id.clone(),
        cloud,
        login: arguments.hosts.login.clone(),
        imds: arguments.hosts.imds.clone(),
    })
}
