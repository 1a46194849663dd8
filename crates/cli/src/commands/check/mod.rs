//! `sortie check`: for each API the token, the roles held, missing and excess, one read, and the next step for each gap.

mod examine;
pub(crate) mod refusal;
mod steps;

use clap::Args;
use serde_json::{Value, json};

use crate::{
    context::Context,
    exit::{Exit, Problem},
    output::{Field, Format, Listing, OutputArguments, Tone, properties, say, visible},
    roles::{Purpose, Reading, Role, product, read_role},
};
use examine::{Examination, Examined, Sign, Why};

#[derive(Args)]
pub(crate) struct Arguments {
    /// What the application is to do; decides which roles are missing and which are too many
    #[arg(long = "for", value_enum, default_value = "read", value_name = "PURPOSE")]
    purpose: Purpose,
    /// Exactly these roles instead, such as xdr/Incident.Read.All or "Isolate machine"; repeat it for several
    #[arg(long, value_name = "ROLE")]
    role: Vec<String>,
    #[command(flatten)]
    output: OutputArguments,
}

pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    let wanted = wanted(&arguments, context)?;
    let session = context.session_unremarked().await?;
    let examined = examine::examine(&session, &wanted, context).await;
    let format = arguments.output.format();
    if format == Format::Table {
        say(&properties(&[
            ("Connection", Field::plain(&session.name)),
            ("Tenant", Field::plain(&session.application.tenant)),
            ("Application", Field::plain(&session.application.client_id)),
            ("Login", Field::plain(session.application.hosts.login.host_str().unwrap_or_default())),
        ]))?;
        say("")?;
    }
    let mut listing = Listing::start(format, &["api", "token", "roles held", "missing", "excess", "read"])?;
    let command = steps::command(&examined, &session);
    for one in &examined.apis {
        listing.row(&fields(one), &as_json(one, &examined, command.as_deref()).to_string())?;
    }
    listing.finish("Nothing to check.")?;
    if format == Format::Table {
        print_steps(&steps::of(&examined, &session), command.as_deref(), &arguments)?;
        for hint in steps::hints(&examined) {
            say(&format!("\n{}", visible(&hint)))?;
        }
    }
    let exit = examined.apis.iter().map(exit_of).find(|exit| *exit != Exit::Success).unwrap_or(Exit::Success);
    Ok(if exit == Exit::Success && examined.clock.is_some() { Exit::Findings } else { exit })
}

fn wanted(arguments: &Arguments, context: &Context) -> anyhow::Result<Vec<Role>> {
    let mut roles = Vec::new();
    for text in &arguments.role {
        match read_role(text) {
            Reading::Exact(role) => roles.push(role),
            Reading::Corrected(role) => {
                context.note(&format!("`{text}` is read as {} of \"{}\"", role.value, role.api.audience().label()));
                roles.push(role);
            }
            Reading::Ambiguous(several) => {
                let names: Vec<_> =
                    several.iter().map(|role| format!("{}/{}", role.api.audience().name(), role.value)).collect();
                let next = format!("Write one of {}.", names.join(", "));
                return Err(Problem::usage(format!("several APIs have a role `{text}`"), next).into());
            }
            Reading::Unknown => {
                let next = "Write the role's value, such as Incident.Read.All, or its words in the portal, such as \"Read all incidents\".";
                return Err(Problem::usage(format!("`{text}` is no role that Sortie knows"), next).into());
            }
        }
    }
    Ok(if roles.is_empty() { arguments.purpose.roles() } else { roles })
}

fn fields(one: &Examined) -> Vec<Field> {
    let list = |roles: Vec<&str>, tone| match roles.is_empty() {
        true => Field::plain("none"),
        false => Field::toned(roles.join(", "), tone),
    };
    let token = match &one.sign {
        Sign::In { .. } => Field::toned("ok", Tone::Good),
        Sign::Refused(refusal) => match refusal.code {
            Some(code) => Field::toned(format!("refused (AADSTS{code})"), Tone::Bad),
            None => Field::toned("failed", Tone::Bad),
        },
        Sign::AsBefore => Field::plain("not tried again"),
    };
    let api = Field::plain(product(&one.audience));
    let Sign::In { held } = &one.sign else {
        return vec![api, token, Field::plain("-"), Field::plain("-"), Field::plain("-"), Field::plain("-")];
    };
    let read = match &one.read {
        None => Field::plain("-"),
        Some(Ok(())) => Field::toned("ok", Tone::Good),
        Some(Err(failed)) => Field::toned(failed.short, Tone::Bad),
    };
    vec![
        api,
        token,
        list(held.iter().map(String::as_str).collect(), Tone::Good),
        list(one.missing.iter().map(|missing| missing.role.as_str()).collect(), Tone::Bad),
        list(one.excess.iter().map(|excess| excess.role.as_str()).collect(), Tone::Warning),
        read,
    ]
}

/// What to do about each gap, numbered, in the portal's words and as a command.
fn print_steps(steps: &[String], command: Option<&str>, arguments: &Arguments) -> anyhow::Result<()> {
    if steps.is_empty() {
        let purpose = match (arguments.role.is_empty(), arguments.purpose) {
            (false, _) => "with these roles",
            (true, Purpose::Read) => "for reading",
            (true, Purpose::Write) => "for reading and changing",
            (true, Purpose::Hunt) => "for hunting",
            (true, Purpose::Lookup) => "for looking things up",
            (true, Purpose::Respond) => "for acting on devices",
        };
        return say(&format!("\nAll is in order {purpose}."));
    }
    for (at, step) in steps.iter().enumerate() {
        let mut lines = step.lines();
        say(&format!("\n{}. {}", at + 1, visible(lines.next().unwrap_or_default())))?;
        for line in lines {
            say(&format!("   {}", visible(line)))?;
        }
    }
    if let Some(command) = command {
        say(&format!(
            "\nInstead of the portal, that administrator may run this, which adds and consents all that is missing:\n   {command}"
        ))?;
    }
    Ok(())
}

fn as_json(one: &Examined, all: &Examination, command: Option<&str>) -> Value {
    let (token, held) = match &one.sign {
        Sign::In { held } => (json!({ "ok": true }), json!(held)),
        Sign::Refused(refusal) => (refusal.json(), Value::Null),
        Sign::AsBefore => (json!({ "ok": false, "error": "not tried again" }), Value::Null),
    };
    let read = one.read.as_ref().map(|read| match read {
        Ok(()) => json!({ "ok": true }),
        Err(failed) => json!({ "ok": false, "error": failed.error, "next": failed.next }),
    });
    let missing: Vec<&str> = one.missing.iter().map(|missing| missing.role.as_str()).collect();
    let because = one.missing.iter().map(|missing| {
        let why = match missing.why {
            Why::Unknown => "unknown",
            Why::NotListed => "not listed",
            Why::NotConsented => "not consented",
            Why::Granted(_) => "granted, not in tokens yet",
        };
        (missing.role.clone(), json!(why))
    });
    let excess: Vec<&str> = one.excess.iter().map(|excess| excess.role.as_str()).collect();
    let remarks: Vec<&String> = all.clock.iter().chain(&one.remarks).collect();
    json!({
        "api": one.audience.name(), "label": one.audience.label(), "token": token, "held": held,
        "missing": missing, "because": because.collect::<serde_json::Map<_, _>>(), "excess": excess, "read": read,
        "remarks": remarks, "command": command.filter(|_| !missing.is_empty()),
    })
}

fn exit_of(one: &Examined) -> Exit {
    match (&one.sign, &one.read) {
        (Sign::Refused(refusal), _) => refusal.exit,
        (Sign::AsBefore, _) => Exit::SignIn,
        _ if !one.missing.is_empty() => Exit::Findings,
        (_, Some(Err(_))) => Exit::Findings,
        _ if !one.remarks.is_empty() => Exit::Findings,
        _ => Exit::Success,
    }
}
