//! A connection's secret in Azure Key Vault: opened by an application or by the machine's own identity.

use std::sync::Arc;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use sortie_connector::{VaultError, VaultReference, VaultReferenceError, VaultSecret};
use sortie_identity::{
    Application, AssertionAlgorithm, AuthorizedClient, CallError, Cloud, Credential, CredentialSource, EndpointVersion,
    HostOverrides, TokenSource,
};
use sortie_model::ClientId;
use sortie_transport::{Guard, Transport};
use url::Url;

use super::ConnectionSettings;
use crate::{
    context::Context,
    exit::{Exit, Problem, exit_of_token, remedy_of_token},
    input::Terminal,
    reference::credential_reference,
};

/// How a vault is opened; no secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VaultSettings {
    /// A reference to a credential, such as `managed-identity`.
    pub credential: String,
    /// The application that opens it, where it is not the connection's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
    #[serde(default)]
    pub cloud: Cloud,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<Url>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imds: Option<Url>,
}

/// What stands before a secret's identifier in a reference.
pub(crate) const VAULT_REFERENCE: &str = "keyvault:";

impl VaultSettings {
    /// Checks as much as can be known without asking the vault.
    pub(crate) fn check(&self, reference: &str, settings: &ConnectionSettings) -> anyhow::Result<()> {
        parsed(reference)?;
        let source = credential_reference(&self.credential, AssertionAlgorithm::default())?;
        if matches!(source, CredentialSource::Stdin | CredentialSource::Prompt) {
            let next = "Use managed-identity, certificate:PEM[,KEY], env:NAME or file:PATH.";
            return Err(Problem::usage("the vault is opened at each call, when nobody can be asked", next).into());
        }
        self.who(settings, matches!(source, CredentialSource::ManagedIdentity { .. })).map(drop)
    }

    /// Reads the secret. The token is asked for where Microsoft's clouds give them, the vault through the connection's guard.
    pub(super) async fn read(
        &self,
        reference: &str,
        settings: &ConnectionSettings,
        allowed: &[String],
        guarded: &Transport,
        context: &Context,
    ) -> anyhow::Result<VaultSecret> {
        let reference = parsed(reference)?;
        let source = credential_reference(&self.credential, algorithm(settings))?;
        let credential = source.load(&Terminal, context.clock.now()).context("the key vault cannot be opened")?;
        let (tenant, client_id) = self.who(settings, matches!(credential, Credential::ManagedIdentity(_)))?;
        let overrides =
            HostOverrides { login: self.login.clone(), imds: self.imds.clone(), ..HostOverrides::default() };
        let application = Application {
            cloud: self.cloud,
            hosts: self.cloud.hosts().with(&overrides),
            tenant,
            client_id,
            credential: credential.clone(),
            endpoint: EndpointVersion::V2,
        };
        let tokens =
            TokenSource::new(context.transport(&context.settings()?)?, Arc::clone(&context.clock), application);
        let client = AuthorizedClient::new(guarded.clone(), tokens);
        let guard = Guard::allowing(allowed)
            .map_err(|error| Problem::usage(error.to_string(), "Correct the connection's allowed hosts."))?;
        let read = async {
            let audience = reference.audience(self.cloud, |url| guard.names(url))?;
            reference.read(&client, &audience).await
        };
        read.await.map_err(|error| problem(&error, &credential))
    }

    /// Tenant and application of the token. The machine's own identity has both itself.
    fn who(
        &self,
        settings: &ConnectionSettings,
        is_machine: bool,
    ) -> anyhow::Result<(sortie_model::TenantId, ClientId)> {
        let next = "Give the application that may read the vault: `--tenant` and `--vault-client-id`.";
        let text = |given: Option<&str>, missing: &str, of_machine: &str| match (given, is_machine) {
            (Some(given), false) => Ok(given.to_owned()),
            (_, true) => Ok(of_machine.to_owned()),
            (None, false) => Err(Problem::usage(format!("{missing} that opens the key vault is not known"), next)),
        };
        let client_id = self.client_id.as_ref().map(ClientId::as_str).or(settings.client_id.as_deref());
        let tenant = text(settings.tenant.as_deref(), "the tenant of the application", "machine.invalid")?;
        let client_id = text(client_id, "the application", "00000000-0000-0000-0000-000000000000")?;
        let wrong = |error: String| Problem::usage(error, next);
        Ok((
            tenant.parse().map_err(|error: sortie_model::TenantIdError| wrong(error.to_string()))?,
            client_id.parse().map_err(|error: sortie_model::ClientIdError| wrong(error.to_string()))?,
        ))
    }
}

fn parsed(reference: &str) -> anyhow::Result<VaultReference> {
    let text = reference.strip_prefix(VAULT_REFERENCE).unwrap_or(reference);
    text.parse().map_err(|error: VaultReferenceError| {
        let next = "Copy the secret's identifier from its page in the portal.";
        Problem::usage(format!("the key vault's reference names no secret: {error}"), next).into()
    })
}

fn algorithm(settings: &ConnectionSettings) -> AssertionAlgorithm {
    if settings.rs256 { AssertionAlgorithm::Rs256 } else { AssertionAlgorithm::Ps256 }
}

fn problem(error: &VaultError, reader: &Credential) -> anyhow::Error {
    let (exit, next) = match error {
        VaultError::ForeignHost(_) => (Exit::Usage, error.remedy(reader)),
        VaultError::Call(CallError::Token(token)) => (exit_of_token(token), remedy_of_token(token)),
        VaultError::Call(_) => (Exit::Network, error.remedy(reader)),
        VaultError::Refused { status: 403, .. } => (Exit::Forbidden, error.remedy(reader)),
        VaultError::Refused { status: 404, .. } => (Exit::NotFound, error.remedy(reader)),
        VaultError::Refused { status: 429 | 500.., .. } => (Exit::Service, error.remedy(reader)),
        VaultError::Refused { .. } | VaultError::Unusable(_) => (Exit::SignIn, error.remedy(reader)),
    };
    let mut what = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        what = format!("{what}: {inner}");
        cause = inner.source();
    }
    Problem { exit, what, next }.into()
}
