//! `sortie connection add|list|show|test|use|remove`: the settings file by commands.

mod examine;
mod product;
mod rotate;
mod sign_in;
mod test;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use sortie_identity::{AssertionAlgorithm, Cloud, CredentialSource, EndpointVersion, HostOverrides, Region};
use sortie_model::{ClientId, ClientIdError, ConnectionName, TenantId};
use url::Url;

use crate::{
    context::Context,
    exit::{Exit, Problem},
    input::confirm,
    output::{Field, Listing, OutputArguments, properties, say},
    settings::Connection,
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Add a connection, or replace it with --replace
    Add(Box<AddArguments>),
    /// List the connections
    List(ListArguments),
    /// Show one connection: the current one, or NAME
    Show(NameArguments),
    /// Sign in once for each API that a connection reaches, and show the roles
    Test(test::Arguments),
    /// Sign a person in for a connection of a connector that calls in a person's name
    SignIn(sign_in::Arguments),
    /// Make a connection the current one
    Use(NameArgument),
    /// Forget a connection; nothing changes at Microsoft
    Remove(RemoveArguments),
    /// Enter a new secret in place of the sealed one of a connector's connection
    Rotate(rotate::Arguments),
    /// Take the sealed secret of a connector's connection away
    Void(NameArgument),
}

#[derive(Args)]
pub(crate) struct AddArguments {
    /// A name of your choice, such as contoso
    name: ConnectionName,
    /// A connection to this connector instead of to Microsoft Defender's own commands; kept in the database
    #[arg(
        long,
        value_name = "ID",
        help_heading = "Connectors",
        conflicts_with_all = ["region", "v1", "emulator", "graph", "xdr", "mde", "cloud_apps"]
    )]
    connector: Option<String>,
    #[command(flatten)]
    product: product::ProductArguments,
    /// Directory (tenant) ID, or a verified domain
    #[arg(long, required_unless_present = "connector")]
    tenant: Option<TenantId>,
    /// Application (client) ID; with --connector also a user's name
    #[arg(long, value_name = "GUID", required_unless_present = "connector")]
    client_id: Option<String>,
    /// Where the credential is found, never the credential itself: env:NAME, file:PATH, stdin, prompt, certificate:PEM or
    /// certificate:PEM,KEY, certificate-env:NAME, federated-file:PATH, github, managed-identity or
    /// managed-identity:CLIENT_ID. With --connector: env, file, certificate, keyvault:URL of a secret in Azure Key Vault, stdin or
    /// prompt, whose secret is kept sealed, or none
    #[arg(long, value_name = "REFERENCE", default_value = "env:AZURE_CLIENT_SECRET", hide_default_value = false)]
    credential: String,
    /// Sign certificate assertions with RS256 and x5t instead of PS256 and x5t#S256
    #[arg(long)]
    rs256: bool,
    /// global, gcc, gcc-high, dod or china
    #[arg(long, default_value = "global")]
    cloud: Cloud,
    /// Defender hosts of a region: us, eu, uk, au or swa
    #[arg(long, value_parser = region)]
    region: Option<Region>,
    /// Sign in at the v1 endpoint (resource=) instead of v2 (scope=)
    #[arg(long)]
    v1: bool,
    /// All services at one address: a running `sortie emulator`
    #[arg(long, value_name = "URL")]
    emulator: Option<Url>,
    #[command(flatten)]
    hosts: HostArguments,
    /// Replace a connection of that name
    #[arg(long)]
    replace: bool,
}

#[derive(Args)]
struct HostArguments {
    /// Login host instead of the cloud's; with --connector that of the vault's token
    #[arg(long, value_name = "URL", help_heading = "Hosts")]
    login: Option<Url>,
    /// Microsoft Graph host instead of the cloud's
    #[arg(long, value_name = "URL", help_heading = "Hosts")]
    graph: Option<Url>,
    /// Defender XDR host instead of the cloud's
    #[arg(long, value_name = "URL", help_heading = "Hosts")]
    xdr: Option<Url>,
    /// Defender for Endpoint host instead of the cloud's
    #[arg(long, value_name = "URL", help_heading = "Hosts")]
    mde: Option<Url>,
    /// The tenant's own Defender for Cloud Apps address (portal: Settings > Cloud apps > About)
    #[arg(long, value_name = "URL", help_heading = "Hosts")]
    cloud_apps: Option<Url>,
    /// Instance metadata service, for managed identity
    #[arg(long, value_name = "URL", help_heading = "Hosts")]
    imds: Option<Url>,
}

#[derive(Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Args)]
pub(crate) struct NameArguments {
    /// The connection; the chosen one when absent
    name: Option<ConnectionName>,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Args)]
pub(crate) struct NameArgument {
    /// The connection
    name: ConnectionName,
}

#[derive(Args)]
pub(crate) struct RemoveArguments {
    /// The connection
    name: ConnectionName,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

pub(crate) async fn run(command: Command, context: &Context) -> anyhow::Result<Exit> {
    match command {
        Command::Add(arguments) => match &arguments.connector {
            Some(connector) => product::add(connector, &arguments, context).await,
            None => add(*arguments, context),
        },
        Command::List(arguments) => list(arguments.output, context).await,
        Command::Show(arguments) => match &arguments.name {
            Some(name) if !context.settings()?.connections.contains_key(name) => {
                product::show(name, arguments.output.format(), context).await
            }
            _ => show(&arguments, context),
        },
        Command::Test(arguments) => test::run(arguments, context).await,
        Command::SignIn(arguments) => sign_in::run(arguments, context).await,
        Command::Use(arguments) => choose(&arguments.name, context),
        Command::Remove(arguments) => match context.settings()?.connections.contains_key(&arguments.name) {
            true => remove(&arguments, context),
            false => product::remove(&arguments.name, arguments.yes, context).await,
        },
        Command::Rotate(arguments) => rotate::run(arguments, context).await,
        Command::Void(arguments) => product::void(&arguments.name, context).await,
    }
}

fn add(arguments: AddArguments, context: &Context) -> anyhow::Result<Exit> {
    let mut settings = context.settings()?;
    let name = arguments.name.clone();
    if settings.connections.contains_key(&name) && !arguments.replace {
        return Err(Problem::usage(
            format!("there is a connection `{name}` already"),
            "Choose another name or add `--replace`.",
        )
        .into());
    }
    let connection = connection_of(arguments)?;
    settings.connections.insert(name.clone(), connection);
    let first = settings.connections.len() == 1;
    if first {
        settings.current = Some(name.clone());
    }
    settings.save(&context.settings_path()?)?;
    say(&format!("connection {name} added{}", if first { " and made the current one" } else { "" }))?;
    context.note(&format!("`sortie check -c {name}` tells whether it works and which roles it holds"));
    Ok(Exit::Success)
}

fn connection_of(arguments: AddArguments) -> anyhow::Result<Connection> {
    let algorithm = if arguments.rs256 { AssertionAlgorithm::Rs256 } else { AssertionAlgorithm::Ps256 };
    let given = arguments.hosts;
    let base = arguments.emulator;
    let at = |host: Option<Url>| host.or_else(|| base.clone());
    let missing = "it is asked for where no connector is named";
    let client_id: ClientId = arguments.client_id.expect(missing).parse().map_err(|error: ClientIdError| {
        Problem::usage(error.to_string(), "Copy it from the application's Overview page.")
    })?;
    Ok(Connection {
        tenant: arguments.tenant.expect(missing),
        client_id,
        cloud: arguments.cloud,
        endpoint: if arguments.v1 { EndpointVersion::V1 } else { EndpointVersion::V2 },
        region: arguments.region,
        credential: credential_reference(&arguments.credential, algorithm)?,
        hosts: HostOverrides {
            login: at(given.login),
            graph: at(given.graph),
            xdr: at(given.xdr),
            mde: at(given.mde),
            cloud_apps: at(given.cloud_apps),
            imds: at(given.imds),
            portal: None,
        },
    })
}

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
        ("github", true) => CredentialSource::FederatedUrl {
            url_variable: "ACTIONS_ID_TOKEN_REQUEST_URL".to_owned(),
            bearer_variable: "ACTIONS_ID_TOKEN_REQUEST_TOKEN".to_owned(),
            audience: "api://AzureADTokenExchange".to_owned(),
        },
        ("managed-identity", empty) => CredentialSource::ManagedIdentity {
            client_id: (!empty).then(|| rest.to_owned()),
            object_id: None,
            resource_id: None,
        },
        _ => {
            return Err(Problem::usage(
                "`--credential` is no reference to a credential (it is not shown here, in case it is the secret itself)",
                "Write env:NAME, file:PATH, stdin, prompt, certificate:PEM[,KEY], certificate-env:NAME, federated-file:PATH, github or managed-identity[:CLIENT_ID].",
            )
            .into());
        }
    })
}

fn region(text: &str) -> Result<Region, &'static str> {
    serde_json::from_value(text.to_ascii_lowercase().into()).map_err(|_| "expected us, eu, uk, au or swa")
}

async fn list(output: OutputArguments, context: &Context) -> anyhow::Result<Exit> {
    let settings = context.settings()?;
    let mut listing = Listing::start(
        output.format(),
        &["current", "name", "tenant", "client id", "cloud", "credential", "connector"],
    )?;
    for (name, connection) in &settings.connections {
        let current = settings.current.as_ref() == Some(name);
        let fields = [
            Field::plain(if current { "*" } else { "" }),
            Field::plain(name),
            Field::plain(&connection.tenant),
            Field::plain(&connection.client_id),
            Field::plain(connection.cloud),
            Field::plain(credential_text(&connection.credential)),
            Field::plain(""),
        ];
        listing.row(&fields, &as_json(name.as_str(), connection, current)?)?;
    }
    for (fields, document) in product::rows(context).await? {
        listing.row(&fields, &document)?;
    }
    listing.finish("There is no connection yet; add one with `sortie connection add`.")?;
    Ok(Exit::Success)
}

fn show(arguments: &NameArguments, context: &Context) -> anyhow::Result<Exit> {
    let settings = context.settings()?;
    let (name, connection) = pick(arguments, context)?;
    let current = settings.current.as_ref().is_some_and(|current| current.as_str() == name);
    if arguments.output.format() != crate::output::Format::Table {
        say(&as_json(&name, &connection, current)?)?;
        return Ok(Exit::Success);
    }
    let mut hosts = connection.cloud.hosts();
    if let Some(region) = connection.region {
        hosts = hosts.in_region(region);
    }
    let hosts = hosts.with(&connection.hosts);
    let endpoint = if connection.endpoint == EndpointVersion::V1 { "v1" } else { "v2" };
    say(&properties(&[
        ("Connection", Field::plain(&name)),
        ("Current", Field::plain(if current { "yes" } else { "no" })),
        ("Tenant", Field::plain(&connection.tenant)),
        ("Client id", Field::plain(&connection.client_id)),
        ("Credential", Field::plain(credential_text(&connection.credential))),
        ("Cloud", Field::plain(connection.cloud)),
        ("Endpoint", Field::plain(endpoint)),
        ("Login", Field::plain(&hosts.login)),
        ("Graph", Field::plain(&hosts.graph)),
        ("Defender XDR", Field::maybe(hosts.xdr.as_ref())),
        ("Endpoint API", Field::maybe(hosts.mde.as_ref())),
        ("Cloud Apps", Field::maybe(hosts.cloud_apps.as_ref())),
    ]))?;
    Ok(Exit::Success)
}

fn choose(name: &ConnectionName, context: &Context) -> anyhow::Result<Exit> {
    let mut settings = context.settings()?;
    known(&settings.connections, name)?;
    settings.current = Some(name.clone());
    settings.save(&context.settings_path()?)?;
    say(&format!("connection {name} is the current one"))?;
    Ok(Exit::Success)
}

fn remove(arguments: &RemoveArguments, context: &Context) -> anyhow::Result<Exit> {
    let mut settings = context.settings()?;
    known(&settings.connections, &arguments.name)?;
    if !confirm(&format!("Forget connection {}?", arguments.name), arguments.yes)? {
        return Ok(Exit::Failure);
    }
    settings.connections.remove(&arguments.name);
    if settings.current.as_ref() == Some(&arguments.name) {
        settings.current = None;
    }
    settings.save(&context.settings_path()?)?;
    say(&format!("connection {} forgotten", arguments.name))?;
    Ok(Exit::Success)
}

fn known(
    connections: &std::collections::BTreeMap<ConnectionName, Connection>,
    name: &ConnectionName,
) -> anyhow::Result<()> {
    if connections.contains_key(name) {
        return Ok(());
    }
    Err(Problem::usage(format!("there is no connection `{name}`"), "`sortie connection list` shows those that exist.")
        .into())
}

fn pick(arguments: &NameArguments, context: &Context) -> anyhow::Result<(String, Connection)> {
    let settings = context.settings()?;
    let Some(name) = &arguments.name else { return context.choose(&settings) };
    known(&settings.connections, name)?;
    Ok((name.to_string(), settings.connections[name].clone()))
}

/// A reference as `--credential` takes it.
fn credential_text(source: &CredentialSource) -> String {
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
        CredentialSource::FederatedUrl { url_variable, .. } => format!("github (by {url_variable})"),
        CredentialSource::ManagedIdentity { client_id, object_id, resource_id } => {
            let id = client_id.as_ref().or(object_id.as_ref()).or(resource_id.as_ref());
            id.map_or_else(|| "managed-identity".to_owned(), |id| format!("managed-identity:{id}"))
        }
    }
}

fn as_json(name: &str, connection: &Connection, current: bool) -> anyhow::Result<String> {
    let mut value = serde_json::to_value(connection)?;
    value["name"] = name.into();
    value["current"] = current.into();
    Ok(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_read_and_a_pasted_secret_is_not_repeated() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            let source = credential_reference(text, AssertionAlgorithm::Ps256).unwrap();
            assert_eq!(serde_json::to_value(source).unwrap()["kind"], expected, "{text}");
        }
        check("env:X", "environment");
        check("file:/x/y", "file");
        check("stdin", "stdin");
        check("prompt", "prompt");
        check("certificate:a.pem,b.key", "certificate");
        check("certificate-env:X", "certificate-environment");
        check("federated-file:/var/run/token", "federated-file");
        check("github", "federated-url");
        check("managed-identity", "managed-identity");
        for wrong in ["~ab8Q~secretValue", "env:", "file:", "", "stdin:x"] {
            let error = format!("{:#}", credential_reference(wrong, AssertionAlgorithm::Ps256).unwrap_err());
            assert!(wrong.len() < 6 || !error.contains(wrong), "{error}");
        }
    }
}
