//! `sortie serve`: the API, webhooks, and the runs of workflows, until told to stop.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Args;
use sortie_server::{Client, Listening, Network, Server, TlsFiles};
use sortie_store::{Actor, Permission, Scope};
use url::Url;

use crate::{
    api,
    context::Context,
    database,
    exit::{Exit, Problem},
    output::say,
};

/// Serves the API with its webhooks, and takes runs of workflows further. One process serves a database; commands of this
/// machine talk to it by a socket beside the database, as the user who runs them.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Address for whoever has a token; beyond this machine only with TLS, or behind a proxy that has it
    #[arg(long, default_value = "127.0.0.1:3030", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// PEM file with the server's certificate and those that lead to a known authority
    #[arg(long, requires = "tls_key", value_name = "FILE")]
    tls_certificate: Option<PathBuf>,
    /// PEM file with the key of that certificate
    #[arg(long, requires = "tls_certificate", value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Proxy in front that says who asks (`X-Forwarded-For`), as an address or a network; may stand several times
    #[arg(long, value_name = "ADDRESS|NETWORK")]
    trusted_proxy: Vec<Network>,
    /// Where others reach the server, for addresses in messages and of webhooks, instead of where it listens
    #[arg(long, value_name = "URL")]
    public_url: Option<Url>,
    /// Let runs and requests come to an end for so many seconds after the request to stop
    #[arg(long, default_value_t = 20, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=3600))]
    grace: u64,
}

pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    // Heard from now on: a request to stop that comes amid the start ends it as one that comes later.
    let stop = tokio::spawn(crate::interrupted());
    let path = database::path(context)?;
    let socket = api::socket(&path);
    if Client::find(&socket).await.is_some() {
        let what = format!("a server has the database {} already", path.display());
        return Err(Problem::usage(what, "Stop it first, or name another database with `--database`.").into());
    }
    let store = database::open_to_serve(context).await?;
    let actor = store.actor();
    if !actor.may(Permission::ManageKeys, Scope::Every) {
        let what = format!("{} is no administrator of the database {}", actor.name, path.display());
        let next = "Run it as the user who owns the database.".to_owned();
        return Err(Problem { exit: Exit::Forbidden, what, next }.into());
    }
    // What it does by itself is nobody's deed; whoever asks acts under their own name.
    let store = store.acting_as(Actor::system());
    let public_url = public_url(&arguments);
    let (app, products) = api::app(&store, &public_url, context).await?;
    let tls = arguments.tls_certificate.zip(arguments.tls_key).map(|(certificate, key)| TlsFiles { certificate, key });
    let scheme = if tls.is_some() { "https" } else { "http" };
    let listening = Listening {
        address: Some(arguments.listen),
        tls,
        trusted_proxies: arguments.trusted_proxy,
        socket: Some(socket.clone()),
        os_user: api::os_user(&path)?,
        connections_max: CONNECTIONS_MAX,
    };
    let server = Server::bind(app, listening).await.map_err(api::listen_problem)?;
    say(&format!("serving   {scheme}://{}", server.address()?))?;
    say(&format!("socket    {}", socket.display()))?;
    match products.confinement().await {
        Ok(said) => say(&format!("scripts   {}", said.strip_prefix("scripts are ").unwrap_or(&said)))?,
        Err(error) => say(&format!("scripts   cannot be run: {error}"))?,
    }
    say(&format!("runs      {} taken up", store.open_runs(Scope::Every).await?.len()))?;
    server.run(async { stop.await.unwrap_or(()) }, Duration::from_secs(arguments.grace)).await;
    context.note("stopped; what has not ended goes on with the next start");
    store.close();
    Ok(Exit::Success)
}

/// Without one it is where the server listens; a port that is free is not known before.
fn public_url(arguments: &Arguments) -> String {
    let scheme = if arguments.tls_certificate.is_some() { "https" } else { "http" };
    match &arguments.public_url {
        Some(url) => url.as_str().trim_end_matches('/').to_owned(),
        None if arguments.listen.port() == 0 => String::new(),
        None => format!("{scheme}://{}", arguments.listen),
    }
}

const CONNECTIONS_MAX: usize = 1_024;
