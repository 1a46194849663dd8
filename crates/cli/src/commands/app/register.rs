//! `sortie app register`.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use jiff::SignedDuration;
use sortie_identity::{Audience, Cloud, CredentialSource, TokenErrorCause, administrator::DelegatedToken, inspect};
use sortie_model::{ClientId, ConnectionName, TenantId};

use super::{CloudArguments, lifetime, refused, secret_place::SecretPlace};
use crate::{
    connections,
    context::{Context, Session},
    database,
    exit::{Exit, Problem},
    input::confirm,
    output::{say, visible},
    product::{DefenderConnection, Kept, Microsoft, Way},
    registration::{Plan, Registrar, Registration, Step, calls},
    roles::{Purpose, Reading, Role, covers, read_role},
    sign_in::{Browser, SignIn, SignInArguments},
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Display name of the application
    #[arg(long, default_value = "Sortie")]
    name: String,
    /// Client id of an application that exists: bring that one up to date instead of one found by its name
    #[arg(long, value_name = "GUID", conflicts_with = "name")]
    application: Option<ClientId>,
    /// Tenant to register in; the administrator's own when absent
    #[arg(long)]
    tenant: Option<TenantId>,
    /// What it is for; decides the roles
    #[arg(long = "for", value_enum, default_value = "read", value_name = "PURPOSE")]
    purpose: Purpose,
    /// Exactly these roles instead, such as xdr/Incident.Read.All or "Read all incidents"; repeat it for several
    #[arg(long, value_name = "ROLE")]
    role: Vec<String>,
    /// Let administrators of other tenants consent, too: for providers
    #[arg(long)]
    multi_tenant: bool,
    /// How long the client secret is good: 90d, 12w, 6m, 1y
    #[arg(long, default_value = "180d", value_parser = lifetime)]
    lifetime: SignedDuration,
    /// File for the secret, mode 0600; beside the settings file when absent
    #[arg(long, value_name = "FILE", conflicts_with = "vault_command")]
    secret_file: Option<PathBuf>,
    /// Command that takes the secret on standard input and keeps it in a vault
    #[arg(long, value_name = "COMMAND")]
    vault_command: Option<String>,
    /// Name of the connection that is added
    #[arg(long, default_value = "default", value_name = "NAME")]
    connection_name: ConnectionName,
    #[command(flatten)]
    cloud: CloudArguments,
    #[command(flatten)]
    sign_in: SignInArguments,
    /// Print every call and make none
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    let plan = plan(&arguments, context)?;
    if arguments.dry_run {
        return dry_run(&plan, &arguments, context);
    }
    let place = place(&arguments, context)?;
    place.prepare()?;
    let roles: Vec<_> =
        plan.roles.iter().map(|role| format!("{} of \"{}\"", role.value, role.api.audience().label())).collect();
    let what = plan.application.as_ref().unwrap_or(&plan.display_name);
    let question = format!("Register \"{what}\" with {}?", roles.join(", "));
    if !confirm(&question, arguments.yes)? {
        return Ok(Exit::Failure);
    }
    let transport = context.transport(&context.settings()?)?;
    let present = present(&arguments.connection_name, context).await?;
    let known = known(&arguments, present.as_ref());
    let microsoft = match &known {
        Some(known) => known.microsoft.clone(),
        None => Microsoft { cloud: arguments.cloud.cloud, hosts: arguments.cloud.overrides(), ..Microsoft::default() },
    };
    let hosts = microsoft.hosts();
    let sign_in = SignIn {
        transport: &transport,
        cloud: microsoft.cloud,
        hosts: &hosts,
        tenant: arguments.tenant.as_ref().or(known.as_ref().map(|known| &known.tenant)),
        arguments: &arguments.sign_in,
        browser: Browser::Own,
    };
    let token = sign_in.run(context).await?;
    let tenant = tenant_of(&token)?;
    let registrar = Registrar::new(&transport, &hosts.graph, &token.secret, &*context.clock);
    let registration = registrar.register(&plan, tell).await?;
    let mut connection = DefenderConnection {
        name: arguments.connection_name.to_string(),
        tenant: known.map_or(tenant, |known| known.tenant),
        client_id: registration.client_id.parse()?,
        microsoft,
        way: Way::default(),
        credential: Kept::Reference(place.reference()),
        row: None,
    };
    if let Some(other) = present.as_ref().filter(|other| !other.is_of(&connection)) {
        let what = format!("connection {} is one of application {} already", other.name, other.client_id);
        let next = "Choose another name with `--connection-name`, or forget it with `sortie connection remove`; run again, it goes on with this application.";
        return Err(Problem::usage(what, next).into());
    }
    match present {
        Some(present) if has_its_secret(&present, &plan, context).await => {
            tell(Step { changed: false, text: format!("connection {} has its credential", present.name) });
            connection = DefenderConnection { credential: present.credential, name: present.name, ..connection };
        }
        _ => {
            make_secret(&registrar, &registration, &place, arguments.lifetime, context).await?;
            keep_connection(&mut connection, &arguments.connection_name, context).await?;
        }
    }
    prove(&connection, &plan, context).await
}

/// Waits until tokens carry the roles: a new grant takes from seconds to minutes to show.
async fn wait_for_roles(session: &Session, audience: &Audience, wanted: &[&str]) -> anyhow::Result<Vec<String>> {
    let mut pauses = ROLE_PAUSES.iter();
    loop {
        let token = session.client.tokens().token(audience).await?;
        let held = inspect::decode(token.secret().expose()).map(|decoded| decoded.claims.roles).unwrap_or_default();
        if wanted.iter().all(|wanted| held.iter().any(|held| covers(held, wanted))) {
            return Ok(held);
        }
        let Some(pause) = pauses.next() else { return Ok(held) };
        session.client.tokens().forget(audience, &token);
        tokio::time::sleep(*pause).await;
    }
}

fn plan(arguments: &Arguments, context: &Context) -> anyhow::Result<Plan> {
    let mut roles = Vec::new();
    for text in &arguments.role {
        roles.push(chosen_role(text, context)?);
    }
    if roles.is_empty() {
        roles = arguments.purpose.roles();
        // China has no Defender XDR; its roles would only fail there.
        roles.retain(|role| arguments.cloud.hosts().base(&role.api.audience()).is_ok());
    }
    Ok(Plan {
        display_name: arguments.name.clone(),
        roles,
        multi_tenant: arguments.multi_tenant,
        application: arguments.application.as_ref().map(ToString::to_string),
    })
}

fn chosen_role(text: &str, context: &Context) -> anyhow::Result<Role> {
    match read_role(text) {
        Reading::Exact(role) => Ok(role),
        Reading::Corrected(role) => {
            context.note(&format!("`{text}` is read as {} of \"{}\"", role.value, role.api.audience().label()));
            Ok(role)
        }
        Reading::Ambiguous(roles) => {
            let names: Vec<_> =
                roles.iter().map(|role| format!("{}/{}", role.api.audience().name(), role.value)).collect();
            Err(Problem::usage(
                format!("several APIs have a role `{text}`"),
                format!("Write one of {}.", names.join(", ")),
            )
            .into())
        }
        Reading::Unknown => {
            let next = "Write the role's value, such as Incident.Read.All or xdr/Incident.Read.All; `sortie check` lists what each purpose needs.";
            Err(Problem::usage(format!("`{text}` is no role that Sortie knows"), next).into())
        }
    }
}

fn dry_run(plan: &Plan, arguments: &Arguments, context: &Context) -> anyhow::Result<Exit> {
    say(&format!(
        "# Calls to {} as the signed-in administrator; nothing is called now.",
        arguments.cloud.hosts().graph
    ))?;
    for (method, path, body) in calls(plan, Some(arguments.lifetime), context.clock.now()) {
        let body = body.map(|body| format!("\n    {body}")).unwrap_or_default();
        say(&format!("{method} {path}{body}"))?;
    }
    Ok(Exit::Success)
}

fn place(arguments: &Arguments, context: &Context) -> anyhow::Result<SecretPlace> {
    if let Some(command) = &arguments.vault_command {
        return Ok(SecretPlace::Vault(command.clone()));
    }
    if let Some(path) = &arguments.secret_file {
        return Ok(SecretPlace::File(std::path::absolute(path)?));
    }
    let settings = std::path::absolute(context.settings_path()?)?;
    Ok(SecretPlace::File(settings.with_file_name(format!("{}.secret", arguments.connection_name))))
}

fn tell(step: Step) {
    let mark = if step.changed { "done" } else { "ok  " };
    eprintln!("{mark}  {}", visible(&step.text));
}

/// The tenant in which the administrator signed in, from the token that Graph will accept.
fn tenant_of(token: &DelegatedToken) -> anyhow::Result<TenantId> {
    let decoded = inspect::decode(token.secret.expose()).ok();
    let tenant = decoded.and_then(|decoded| decoded.claims.tenant).and_then(|tenant| tenant.parse().ok());
    tenant.ok_or_else(|| refused("the sign-in does not tell its tenant", "Name the tenant with `--tenant`."))
}

/// The connection that has the name already. Another connector's is nobody's to replace, and of several one is meant.
async fn present(name: &ConnectionName, context: &Context) -> anyhow::Result<Option<DefenderConnection>> {
    let mut found = connections::of_defender(context).await?;
    found.retain(|one| one.name.split('/').next_back() == Some(name.as_str()));
    if let [one, other, ..] = &found[..] {
        let what = format!("there are connections `{}` and `{}`", one.name, other.name);
        return Err(Problem::usage(what, "Choose another name with `--connection-name`.").into());
    }
    if found.is_empty()
        && let Some(store) = database::look_existing(context).await?
        && let Some(other) = store.connections_named(database::SHARED, name.as_str()).await?.pop()
    {
        let what = format!("there is a connection `{name}` to {} already", other.connector);
        return Err(Problem::usage(what, "Choose another name with `--connection-name`.").into());
    }
    Ok(found.pop())
}

/// The connection that this command brings up to date: of that name and application, unless another cloud is asked for.
fn known(arguments: &Arguments, present: Option<&DefenderConnection>) -> Option<DefenderConnection> {
    let asked = arguments.cloud.emulator.is_some() || arguments.cloud.cloud != Cloud::default();
    let known = present.filter(|_| !asked)?;
    (arguments.application.as_ref() == Some(&known.client_id)).then(|| known.clone())
}

/// Whether the connection exists with a credential that nothing speaks against: a second secret would only be one more
/// to guard. What is not at hand now (a vault's, one that is typed) counts as good.
async fn has_its_secret(present: &DefenderConnection, plan: &Plan, context: &Context) -> bool {
    match &present.credential {
        Kept::Reference(CredentialSource::Environment { .. } | CredentialSource::Stdin | CredentialSource::Prompt) => {
            return true;
        }
        // A vault that does not answer now, a key that is elsewhere: no reason for another secret.
        Kept::Stored(_) if present.load(context).await.is_err() => return true,
        Kept::Reference(_) if present.load(context).await.is_err() => return false,
        _ => {}
    }
    let Ok(session) = context.session_of(present).await else { return false };
    let audience = plan.roles.first().map_or(Audience::Graph, |role| role.api.audience());
    match session.client.tokens().token(&audience).await {
        Err(error) => !matches!(error.cause, TokenErrorCause::WrongSecret | TokenErrorCause::SecretExpired),
        Ok(_) => true,
    }
}

/// Makes the secret and keeps it; one that cannot be kept is taken away again, for nobody could use it.
async fn make_secret(
    registrar: &Registrar<'_>,
    registration: &Registration,
    place: &SecretPlace,
    lifetime: SignedDuration,
    context: &Context,
) -> anyhow::Result<()> {
    let secret = registrar.new_secret(&registration.object_id, lifetime, &mut tell).await?;
    if let Err(error) = place.keep(&secret.value, lifetime, context).await {
        if registrar.remove_secret(&registration.object_id, &secret.key_id).await.is_err() {
            let what = "the new secret could not be kept, nor taken away again".to_owned();
            let next = format!("Remove the secret {} in the portal and run it again.", secret.key_id);
            return Err(error.context(Problem { exit: Exit::Failure, what, next }));
        }
        tell(Step { changed: true, text: format!("client secret {} removed again", secret.key_id) });
        return Err(error);
    }
    tell(Step { changed: true, text: format!("the secret is in {}", place.describe()) });
    Ok(())
}

/// Under its name, as that of the tenant of ours that it leads to, where there is one.
async fn keep_connection(
    connection: &mut DefenderConnection,
    name: &ConnectionName,
    context: &Context,
) -> anyhow::Result<()> {
    let is_first = connections::of_defender(context).await?.is_empty();
    let store = database::open(context).await?;
    let path = connections::keep(&store, name, connection).await?;
    if is_first || context.settings()?.current.is_none() {
        connections::choose(Some(path.clone()), context)?;
    }
    connection.name = path.to_string();
    tell(Step { changed: true, text: format!("connection {path} added") });
    Ok(())
}

/// Signs in as the application and looks for every role; a vault's secret is not here to sign in with.
async fn prove(connection: &DefenderConnection, plan: &Plan, context: &Context) -> anyhow::Result<Exit> {
    let name = &connection.name;
    if connection.load(context).await.is_err() {
        context.note("the secret is in the vault; set AZURE_CLIENT_SECRET from it and run `sortie check`");
        return Ok(Exit::Success);
    }
    let session = context.session_of(connection).await?;
    let mut audiences: Vec<Audience> = Vec::new();
    for role in &plan.roles {
        let audience = role.api.audience();
        if !audiences.contains(&audience) {
            audiences.push(audience);
        }
    }
    for audience in audiences {
        let wanted: Vec<&str> =
            plan.roles.iter().filter(|role| role.api.audience() == audience).map(|role| role.value).collect();
        let held = wait_for_roles(&session, &audience, &wanted).await?;
        if let Some(missing) = wanted.iter().find(|wanted| !held.iter().any(|held| covers(held, wanted))) {
            let what = format!("tokens for \"{}\" do not carry {missing} yet", audience.label());
            return Err(refused(what, "New grants take minutes to show; run `sortie check` in a while."));
        }
        tell(Step { changed: false, text: format!("signed in to \"{}\" with {}", audience.label(), held.join(", ")) });
    }
    say(&format!("connection {name} works; next: sortie incidents list"))?;
    Ok(Exit::Success)
}

/// Together five minutes, after which a grant that does not show needs a person.
const ROLE_PAUSES: [Duration; 8] = [
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(10),
    Duration::from_secs(15),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(60),
    Duration::from_secs(120),
];
