//! `sortie diagnostics`: how this installation is, as one JSON document that a supporter can read. No secret is in it, and
//! where something cannot be told, it says why in its place.

use std::{io::Write as _, path::PathBuf};

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use crate::{
    asking::{Api, at},
    automation,
    context::Context,
    database,
    exit::{Exit, next_step, sentence},
    output::say,
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Write it into this file, which must not be there yet, instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    let (server, installation) = installation(context).await;
    let scripts = automation::confinement().await.unwrap_or_else(|error| sentence(&error));
    let findings = findings(&installation);
    let document = json!({
        "made": context.clock.now().to_string(),
        "program": {
            "version": env!("CARGO_PKG_VERSION"),
            "system": std::env::consts::OS,
            "machine": std::env::consts::ARCH,
            "kernel": kernel(),
            "processors": std::thread::available_parallelism().ok().map(usize::from),
        },
        "settings": settings(context),
        "scripts": scripts,
        "server": server,
        "installation": installation,
        "findings": findings,
    });
    let text = serde_json::to_string_pretty(&document)?;
    match &arguments.output {
        None => say(&text)?,
        Some(path) => {
            let unwritten = || format!("cannot write {}", path.display());
            let mut file = std::fs::File::create_new(path).with_context(unwritten)?;
            writeln!(file, "{text}").and_then(|()| file.sync_all()).with_context(unwritten)?;
            context
                .note(&format!("written into {}; it names tenants, connections, hosts and workflows", path.display()));
        }
    }
    for finding in &findings {
        context.note(finding);
    }
    Ok(if findings.is_empty() { Exit::Success } else { Exit::Findings })
}

/// What the API tells, or why nobody does.
async fn installation(context: &Context) -> (Value, Value) {
    let api = match Api::connect_existing(context).await {
        Ok(Some(api)) => api,
        Ok(None) => return (Value::Null, Value::Null),
        Err(error) => return (Value::Null, json!({ "untold": sentence(&error), "next": next_step(&error) })),
    };
    let server = api.socket().map_or(Value::Null, |socket| json!({ "socket": socket }));
    match api.get(at(["diagnostics"])).await {
        Ok(told) => (server, told),
        Err(error) => (server, json!({ "untold": sentence(&error), "next": next_step(&error) })),
    }
}

/// What is not in order, a sentence each.
fn findings(installation: &Value) -> Vec<String> {
    let mut found = Vec::new();
    found.extend(installation["untold"].as_str().map(|why| format!("the installation cannot be told of: {why}")));
    if installation["key"]["opens"] == false {
        let why = installation["key"]["why"].as_str().unwrap_or_default();
        found.push(format!("the secrets do not open: {why}"));
    }
    let faults = installation["database"]["faults"].as_array().map_or(0, Vec::len);
    if faults > 0 {
        found.push(format!("SQLite finds {faults} faults in the database: restore the last backup"));
    }
    found
}

/// Where things are and what is set. Of variables the names alone: some hold secrets, and proxies may have a password.
fn settings(context: &Context) -> Value {
    let is_ours = |name: &str| PREFIXES.iter().any(|prefix| name.to_ascii_uppercase().starts_with(prefix));
    let mut variables: Vec<String> =
        std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).filter(|name| is_ours(name)).collect();
    variables.sort();
    let network = context.settings().map(|settings| {
        let proxy = settings.network.proxy.as_ref().and_then(|url| url.host_str().map(str::to_owned));
        json!({ "proxy_host": proxy, "ca_bundle": settings.network.ca_bundle, "current": settings.current.map(|path| path.to_string()) })
    });
    json!({
        "file": context.settings_path().ok(),
        "database": database::path(context).ok(),
        "key": database::key_place(context).ok(),
        "network": network.unwrap_or_else(|error| json!({ "untold": sentence(&error) })),
        "variables": variables,
    })
}

fn kernel() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    Some(text.trim().to_owned())
}

const PREFIXES: &[&str] = &["SORTIE_", "AZURE_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_"];
