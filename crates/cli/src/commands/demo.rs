//! `sortie demo`: the main job from nothing, against a simulated Microsoft cloud in this process.

mod story;

use std::{
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
    sync::Arc,
};

use anyhow::Context as _;
use clap::Args;
use jiff::SignedDuration;
use sortie_defender::{
    ActionStatus, Api, Change, DefenderErrorKind, DeviceOrder, Hunt, HuntApi, Incident, IncidentFilter, Machine,
    MachineAction, MachineFilter, Order, OrderKey, Status,
};
use sortie_emulator::{Emulator, EmulatorConfig};
use sortie_identity::{Application, Audience, Cloud, Credential, EndpointVersion, Hosts, inspect};
use sortie_model::{Secret, TenantId};
use sortie_transport::{ProxySetting, Record, Request, RetryPolicy, Transport, TransportSettings};
use url::Url;

use super::{alerts::alert_line, incidents::incident_text};
use crate::{
    context::{Context, Session},
    exit::{Exit, Problem},
    input::confirm,
    output::{Field, properties, rows, visible},
    registration::{Plan, Registrar},
    roles::{Api as RoleApi, Purpose, Reading, read_role},
    sign_in::{Browser, SignIn, SignInArguments},
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Another seed is another company and other intrusions
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Never ask
    #[arg(long)]
    yes: bool,
    /// Write the simulated cloud's counters and ground truth to this file at the end
    #[arg(long, value_name = "FILE")]
    evidence: Option<PathBuf>,
}

pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    let emulator = Emulator::start(EmulatorConfig { seed: arguments.seed, ..EmulatorConfig::default() }).await?;
    let stage = Stage::new(&emulator)?;
    heading("A simulated Microsoft cloud runs in this process. Nothing leaves this machine.")?;
    line(&format!("Tenant {}, seed {}. Its clock is this machine's.", emulator.home_tenant(), arguments.seed))?;

    let session = stage.register(context).await?;
    prove_token(&session).await?;
    let worst = list_incidents(&session).await?;
    let agreed = arguments.yes
        || !std::io::stdin().is_terminal()
        || confirm(&format!("Comment on incident {} and take it?", worst.id), false)?;
    if agreed {
        act(&session, &worst).await?;
    } else {
        line("Left as it is.")?;
    }
    let device = device_behind(&session, &worst).await?;
    hunt(&session, &device).await?;
    stage.hurry(context).await?;
    let agreed = arguments.yes
        || !std::io::stdin().is_terminal()
        || confirm(&format!("Isolate {} and release it again?", device.label()), false)?;
    if agreed {
        contain(&session, &device, &worst, context).await?;
    } else {
        line("Left on the network.")?;
    }
    missing_role(&session).await?;
    story::contain(&emulator, &device, &worst, arguments.yes, context).await?;
    if let Some(path) = &arguments.evidence {
        let evidence = serde_json::json!({
            "counters": stage.admin("/counters").await?,
            "truth": stage.admin("/truth").await?,
            "directory": stage.admin("/directory").await?,
            "clientId": session.application.client_id,
            "incident": worst.id,
            "device": device.id,
        });
        std::fs::write(path, evidence.to_string()).with_context(|| format!("cannot write {}", path.display()))?;
    }
    next_steps()?;
    emulator.stop().await;
    Ok(Exit::Success)
}

/// The simulated cloud and the way to it.
struct Stage {
    base: Url,
    admin: Url,
    tenant: TenantId,
    transport: Transport,
}

impl Stage {
    fn new(emulator: &Emulator) -> anyhow::Result<Self> {
        let settings = TransportSettings { proxy: ProxySetting::Direct, ..TransportSettings::default() };
        Ok(Self {
            base: Url::parse(&format!("http://{}", emulator.http()))?,
            admin: Url::parse(&format!("http://{}", emulator.admin()))?,
            tenant: emulator.home_tenant().to_string().parse()?,
            transport: Transport::new(settings)?,
        })
    }

    /// An administrator signs in, registers the application and consents.
    async fn register(&self, context: &Context) -> anyhow::Result<Session> {
        heading("1  An administrator registers the application and consents        sortie app register")?;
        let hosts = Hosts::all_at(&self.base);
        self.admin_accepts(context).await?;
        let sign_in = SignIn {
            transport: &self.transport,
            cloud: Cloud::Global,
            hosts: &hosts,
            tenant: Some(&self.tenant),
            arguments: &SignInArguments::default(),
            browser: Browser::Simulated(self.transport.clone()),
        };
        let token = sign_in.run(context).await?;
        line("administrator signed in (authorization code with PKCE)")?;
        let registrar = Registrar::new(&self.transport, &hosts.graph, &token.secret, &*context.clock);
        let reading = Purpose::Write.roles().into_iter().filter(|role| role.api == RoleApi::Graph);
        let roles = reading.chain(Purpose::Hunt.roles()).chain(
            ["mde/Machine.Read.All", "mde/Machine.Isolate"].iter().filter_map(|name| match read_role(name) {
                Reading::Exact(role) => Some(role),
                _ => None,
            }),
        );
        let roles = roles.collect();
        let plan = Plan { display_name: "Sortie demo".to_owned(), roles, multi_tenant: false, application: None };
        let mut told = Vec::new();
        let registration = registrar.register(&plan, |step| told.push(step.text)).await?;
        let secret = registrar
            .new_secret(&registration.object_id, SignedDuration::from_hours(24), &mut |step| told.push(step.text))
            .await?;
        for text in told {
            line(&text)?;
        }
        let application = Application {
            cloud: Cloud::Global,
            hosts,
            tenant: self.tenant.clone(),
            client_id: registration.client_id.parse()?,
            credential: Credential::Secret(Secret::clone(&secret.value)),
            endpoint: EndpointVersion::V2,
        };
        Ok(Session::new("demo".to_owned(), application, self.transport.clone(), Arc::clone(&context.clock)))
    }

    async fn admin_accepts(&self, context: &Context) -> anyhow::Result<()> {
        let url = self.admin.join("/directory/administrator")?;
        let request = Request::put(url).json(&serde_json::json!({ "decision": "accept" }));
        let response = self.transport.call(request, &RetryPolicy::default(), &*context.clock).await?;
        anyhow::ensure!(
            response.is_success(),
            "the simulated administrator cannot be told to accept: {}",
            response.text()
        );
        Ok(())
    }

    /// Devices of the simulated company take an order up at once, so that nobody waits long.
    async fn hurry(&self, context: &Context) -> anyhow::Result<()> {
        let url = self.admin.join("/world/actions")?;
        let request = Request::put(url).json(&serde_json::json!({ "start_s": 1, "run_s": 2 }));
        let response = self.transport.call(request, &RetryPolicy::default(), &*context.clock).await?;
        anyhow::ensure!(response.is_success(), "the simulated devices cannot be told to hurry: {}", response.text());
        Ok(())
    }

    async fn admin(&self, path: &str) -> anyhow::Result<serde_json::Value> {
        Ok(self.transport.send(Request::get(self.admin.join(path)?)).await?.json()?)
    }
}

async fn prove_token(session: &Session) -> anyhow::Result<()> {
    heading("2  The application signs in without a user and proves its roles     sortie token, sortie check")?;
    let token = session.client.tokens().token(&Audience::Graph).await?;
    let claims = inspect::decode(token.secret().expose())?.claims;
    let minutes = claims.expires_at.zip(claims.issued_at).map(|(to, from)| (to.as_second() - from.as_second()) / 60);
    line(&properties(&[
        ("Issuer", Field::maybe(claims.issuer)),
        ("Audience", Field::plain(claims.audience.join(", "))),
        ("Application", Field::maybe(claims.application)),
        ("Tenant", Field::maybe(claims.tenant)),
        ("Roles", Field::plain(claims.roles.join(", "))),
        ("Good for", Field::maybe(minutes.map(|minutes| format!("{minutes} minutes")))),
    ]))
}

async fn list_incidents(session: &Session) -> anyhow::Result<Incident> {
    heading("3  Incidents, the worst first                                       sortie incidents list")?;
    let filter = IncidentFilter { with_alerts: true, ..IncidentFilter::default() };
    let mut pages = session.defender.incidents(Api::Graph, &filter)?;
    let mut incidents = Vec::new();
    while let Some(page) = pages.next().await? {
        incidents.extend(page.iter().filter_map(Incident::read));
    }
    let total = incidents.len();
    incidents.retain(|incident| matches!(incident.status, Some(Status::Active)));
    incidents.sort_by_key(|incident| std::cmp::Reverse(incident.badness()));
    let lines: Vec<Vec<Field>> = incidents
        .iter()
        .take(8)
        .map(|incident| {
            vec![
                Field::plain(&incident.id),
                super::incidents::severity_field(incident.severity.as_ref()),
                Field::plain(incident.alerts.as_ref().map_or(0, Vec::len)),
                Field::maybe(incident.title.as_ref()),
            ]
        })
        .collect();
    line(&format!("{total} incidents, {} of them active", incidents.len()))?;
    line(&rows(&["id", "severity", "alerts", "title"], &lines))?;
    let worst = incidents.into_iter().next().ok_or_else(|| Problem {
        exit: Exit::Failure,
        what: "this seed's company has no active incident".to_owned(),
        next: "Try another `--seed`.".to_owned(),
    })?;
    heading(&format!(
        "4  The worst of them                                                sortie incidents show {}",
        worst.id
    ))?;
    line(&incident_text(&worst))?;
    Ok(worst)
}

async fn act(session: &Session, worst: &Incident) -> anyhow::Result<()> {
    heading(&format!(
        "5  Take it and say so                                               sortie incidents update {}",
        worst.id
    ))?;
    let change = Change {
        status: Some(Status::InProgress),
        assigned_to: Some("soc@sortie.example".to_owned()),
        comment: Some("Triage started by the Sortie demo.".to_owned()),
        ..Change::default()
    };
    let after = session.defender.change_incident(Api::Graph, &worst.id, &change).await?.incident;
    let comment = after.comments.last().map(|comment| comment.text.clone());
    line(&properties(&[
        ("Status", Field::maybe(after.status.as_ref())),
        ("Assigned to", Field::maybe(after.assigned_to.as_ref())),
        ("Comment", Field::maybe(comment)),
    ]))?;
    let first = worst.alerts.as_deref().and_then(<[_]>::first);
    if let Some(alert) = first {
        let comment = Change { comment: Some(format!("Part of incident {}.", worst.id)), ..Change::default() };
        let alert = session.defender.change_alert(&alert.id, &comment).await?;
        line(&format!("commented on its first alert: {}", alert_line(&alert)))?;
    }
    Ok(())
}

/// The device that the worst incident is about, else any that reports.
async fn device_behind(session: &Session, worst: &Incident) -> anyhow::Result<Machine> {
    let alerts = worst.alerts.as_deref().unwrap_or_default();
    let named = alerts.iter().flat_map(|alert| &alert.evidence).find(|evidence| evidence.kind == "device");
    if let Some(evidence) = named {
        return Ok(session.defender.machine(&evidence.name).await?);
    }
    let mut pages = session.defender.machines(&MachineFilter::default())?;
    while let Some(page) = pages.next().await? {
        if let Some(machine) = page.iter().find_map(Machine::read) {
            return Ok(machine);
        }
    }
    let next = "Try another `--seed`.".to_owned();
    Err(Problem { exit: Exit::Failure, what: "this seed's company has no device".to_owned(), next }.into())
}

async fn hunt(session: &Session, device: &Machine) -> anyhow::Result<()> {
    heading(&format!("6  Hunt for more on {:<48}sortie hunt", visible(device.label())))?;
    // A name is data: within the quotes of a query it must not end them.
    let name = device.label().replace(['\'', '\\'], "");
    let queries = [
        format!(
            "AlertEvidence | where DeviceName =~ '{name}' | join kind=inner AlertInfo on AlertId | summarize Alerts = dcount(AlertId) by Severity, ServiceSource | sort by Alerts"
        ),
        format!(
            "DeviceProcessEvents | where DeviceName =~ '{name}' | summarize Runs = count(), Last = max(Timestamp) by FileName | top 5 by Runs"
        ),
    ];
    for query in queries {
        line(&format!("> {query}"))?;
        let answer = session.defender.hunt(&Hunt { query, timespan: None, api: HuntApi::Graph }).await?;
        let names: Vec<&str> = answer.columns().iter().map(|column| column.name.as_str()).collect();
        let mut found = Vec::new();
        answer.read(|row| {
            let row = row.to_value();
            found.push(answer.columns().iter().map(|column| Field::plain(column.cell(&row))).collect());
            anyhow::Ok(())
        })?;
        line(&rows(&names, &found))?;
        line(&format!("{} rows", answer.row_count()))?;
    }
    Ok(())
}

/// Isolates the device, watches it to the end, and gives it back.
async fn contain(session: &Session, device: &Machine, worst: &Incident, context: &Context) -> anyhow::Result<()> {
    heading(&format!(
        "7  Isolate the device, and release it                              sortie device isolate {}",
        device.label()
    ))?;
    let reason = format!("Incident {}", worst.id);
    for what in [DeviceOrder::Isolate { selective: false }, DeviceOrder::Release] {
        let moment = context.clock.now().to_string();
        let key = OrderKey::derive(&["demo", &device.id.0, what.kind(), &moment]);
        let order = Order { machine: device.id.clone(), what, reason: reason.clone(), key };
        // Nothing outlives this process, the simulated device included: there is nothing to record.
        let ordered = session.defender.order(&order, None, &(Arc::new(|| Ok(())) as Record)).await?;
        let mut told = Ok(());
        let tell = |action: &MachineAction| {
            if told.is_ok() {
                told = line(&format!("{}  {}", action.kind, action.status));
            }
        };
        let ended = session.defender.await_action(ordered.action, ACTION_PATIENCE, tell).await?;
        told?;
        anyhow::ensure!(ended.status == ActionStatus::Succeeded, "the device did not do it: {}", ended.status);
    }
    Ok(())
}

/// The application has no role of Defender XDR: the same list through that API shows what this looks like.
async fn missing_role(session: &Session) -> anyhow::Result<()> {
    heading("8  What a missing role looks like                                   sortie incidents list --api xdr")?;
    let mut pages = session.defender.incidents(Api::Xdr, &IncidentFilter::default())?;
    let error = match pages.next().await {
        Err(error) if matches!(&*error.kind, DefenderErrorKind::Forbidden { .. }) => error,
        Err(error) => return Err(error.into()),
        Ok(_) => {
            let next = "Report it with the seed: the simulated cloud does not enforce roles.".to_owned();
            return Err(Problem { exit: Exit::Failure, what: "the role check did not refuse".to_owned(), next }.into());
        }
    };
    line(&format!("error: {error}: {}", visible(&error.kind.to_string())))?;
    line(&format!("next:  {}", error.remedy()))
}

fn next_steps() -> anyhow::Result<()> {
    heading("Next")?;
    line("sortie emulator              keep the simulated cloud running and try every command on it")?;
    line("sortie app register          do the same in your own tenant")?;
    line("sortie connection add NAME   or use an application that exists: tenant, client id, credential")?;
    line("sortie incidents watch       every change as it happens, from a place that outlives the process")?;
    line("sortie workflow test FILE    try a workflow on a simulated cloud; `gallery/` has some to begin with")?;
    line("sortie hunt QUERY            ask the tenant's own data")?;
    line("sortie check                 see what it may do, what is missing, and how to get it")
}

fn heading(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{text}")?;
    Ok(())
}

fn line(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for one in text.lines() {
        writeln!(out, "{}", format!("   {one}").trim_end())?;
    }
    Ok(())
}

/// Far longer than the simulated devices take.
const ACTION_PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
