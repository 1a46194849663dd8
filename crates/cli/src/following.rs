//! Following a run: its journal as it grows, until it has ended. Where no server runs, this process takes runs further
//! meanwhile, and stops where only a person can go on. Until then it answers other commands by the socket, as a server does:
//! nobody has to wait for it to decide a question, to cancel, or to hold all effects.

use std::time::Duration;

use serde_json::Value;
use sortie_runner::journal::{Entry, Happened};
use sortie_server::{ClientError, Listening, Server};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{
    api,
    asking::{Api, at, items, text},
    context::Context,
    database,
    exit::{Exit, Problem},
    output::{say, visible},
    timeline,
};

/// Runs are taken further in this process.
#[derive(Debug)]
pub(crate) struct Driving {
    stop: oneshot::Sender<()>,
    work: JoinHandle<()>,
}

impl Driving {
    pub(crate) fn start(server: Server) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let until = async move {
            // Whoever has dropped the other end wants it to stop, too.
            let _ = stopped.await;
        };
        Self { stop, work: tokio::spawn(server.run(until, GRACE)) }
    }

    pub(crate) async fn stop(self) {
        drop(self.stop);
        // A fault in it ends with the process in any case.
        let _ = self.work.await;
    }
}

/// How much of it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    /// Each entry of the journal as it comes.
    Entries,
    /// Nothing until the end.
    Nothing,
}

/// Follows a run until it has ended, or, without a server, until only a person can go on with it; the run as it stands then.
pub(crate) async fn follow(api: &Api, run: &str, telling: Telling, context: &Context) -> anyhow::Result<Value> {
    let mut told = Told::default();
    let mut next: Option<Api> = None;
    for _ in 0..GONE_MAX {
        let asked = next.as_ref().unwrap_or(api);
        let error = match follow_with(asked, run, telling, &mut told, context).await {
            Err(error) if asked.socket().is_some() && error.downcast_ref::<ClientError>().is_some() => error,
            followed => return followed,
        };
        let Some(again) = asked.again(context).await? else {
            let what = "the server went away amid the run".to_owned();
            let next = format!(
                "Start `sortie serve` again: the run goes on then, and `sortie runs show {run} --follow` tells how."
            );
            return Err(error.context(Problem { exit: Exit::Network, what, next }));
        };
        next = Some(again);
    }
    anyhow::bail!("the server answers and goes away, again and again")
}

async fn follow_with(
    api: &Api,
    run: &str,
    telling: Telling,
    told: &mut Told,
    context: &Context,
) -> anyhow::Result<Value> {
    drive(api, context).await?;
    loop {
        // The run first: what its journal says beyond it is told in the next round.
        let whole = api.get(at(["runs", run])).await?;
        told.tell(api, run, telling).await?;
        told.hint(&whole, telling, context);
        if text(&whole, "status") == "ended" {
            return Ok(whole);
        }
        if api.here().is_some() && waits_for_a_person(api, &whole, context).await? {
            return Ok(whole);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Lets this process take runs further where no server does, and says so.
async fn drive(api: &Api, context: &Context) -> anyhow::Result<()> {
    let Some(app) = api.here() else { return Ok(()) };
    let path = database::path(context)?;
    let listening = Listening {
        address: None,
        tls: None,
        trusted_proxies: Vec::new(),
        socket: Some(api::socket(&path)),
        os_user: api::os_user(&path)?,
        connections_max: CONNECTIONS_MAX,
    };
    let server = Server::bind(app.clone(), listening).await.map_err(api::listen_problem)?;
    context.note("no server runs: this process takes runs further until this one has ended or waits for a person");
    context.drive(server);
    Ok(())
}

/// For a command that leaves something for a run to do.
pub(crate) fn tell_who_goes_on(api: &Api, run: &str, context: &Context) {
    if !api.is_served() {
        context.note(&format!(
            "no server runs: the run goes on when `sortie serve` does, or with `sortie runs show {run} --follow`"
        ));
    }
}

/// What the outcome of a run means for the command that followed it.
pub(crate) fn exit_of(run: &Value) -> Exit {
    match (text(run, "status"), text(run, "outcome")) {
        ("ended", "succeeded") | ("waiting" | "running" | "queued", _) => Exit::Success,
        ("needs_attention", _) => Exit::InDoubt,
        ("held", _) => Exit::Guarded,
        ("blocked", _) => Exit::SignIn,
        _ => Exit::Failure,
    }
}

/// What was said already.
#[derive(Default)]
struct Told {
    commit: i64,
    hinted: Vec<String>,
}

impl Told {
    async fn tell(&mut self, api: &Api, run: &str, telling: Telling) -> anyhow::Result<()> {
        if telling == Telling::Nothing {
            return Ok(());
        }
        let journal = api.get(at(["runs", run, "journal"]).with("after", Some(self.commit))).await?;
        for page in items(&journal) {
            for entry in page["entries"].as_array().into_iter().flatten() {
                say_entry(entry)?;
            }
            self.commit = page["seq"].as_i64().unwrap_or(self.commit);
        }
        Ok(())
    }

    /// What a person can do about it, once.
    fn hint(&mut self, run: &Value, telling: Telling, context: &Context) {
        let id = text(run, "id");
        let mut hints: Vec<String> = open_approvals(run)
            .map(|one| format!("`sortie approvals approve {0}` or `reject {0}` decides it", text(one, "id")))
            .collect();
        for work in run["at_work"].as_array().into_iter().flatten().filter(|work| work["phase"] == "doubt") {
            let step = text(work, "step");
            hints.push(format!(
                "`sortie runs resolve {id} '{step}' happened|did-not-happen|give-up` says what became of it"
            ));
        }
        if matches!(text(run, "status"), "held" | "blocked") {
            hints
                .push(format!("it does not go on for now: {}; `sortie runs retry {id}` tries again", text(run, "why")));
        }
        for hint in hints.into_iter().filter(|_| telling == Telling::Entries) {
            if !self.hinted.contains(&hint) {
                context.note(&hint);
                self.hinted.push(hint);
            }
        }
    }
}

/// One entry of a journal for people. A request that was not sent is shown whole.
pub(crate) fn say_entry(entry: &Value) -> anyhow::Result<()> {
    // An entry of a later version is one that this one has no words for.
    let Ok(read) = serde_json::from_value::<Entry>(entry.clone()) else { return Ok(()) };
    let Some(line) = timeline::line(&read) else { return Ok(()) };
    let Happened::WouldSend { call, request } = &read.what else { return say(&line) };
    if request["untold"].is_string() {
        return say(&line);
    }
    let head = timeline::line(&Entry {
        what: Happened::WouldSend { call: call.clone(), request: Value::Null },
        ..read.clone()
    });
    say(head.as_deref().unwrap_or_default().trim_end_matches(" null"))?;
    serde_json::to_string_pretty(request)?.lines().try_for_each(|line| say(&visible(&format!("    {line}"))))
}

fn open_approvals(run: &Value) -> impl Iterator<Item = &Value> {
    run["approvals"].as_array().into_iter().flatten().filter(|one| one["decided"].is_null())
}

/// Nothing but a person takes it further: it asks one, or one must look.
async fn waits_for_a_person(api: &Api, run: &Value, context: &Context) -> anyhow::Result<bool> {
    let wakes_now = text(run, "wake").parse().is_ok_and(|wake: jiff::Timestamp| wake <= context.clock.now());
    if wakes_now {
        // It was told something that it has not taken yet.
        return Ok(false);
    }
    match text(run, "status") {
        "needs_attention" | "held" | "blocked" => Ok(true),
        "waiting" if open_approvals(run).next().is_some() => Ok(true),
        "waiting" if run["at_work"].as_array().into_iter().flatten().any(|work| work["phase"] == "child") => {
            asks_below(api, run).await
        }
        _ => Ok(false),
    }
}

/// Whether a run that this one has started asks somebody.
async fn asks_below(api: &Api, run: &Value) -> anyhow::Result<bool> {
    let open =
        at(["approvals"]).with("tenant", run["tenant"].as_str()).with("open", Some(true)).with("count", Some(500));
    for approval in items(&api.get(open).await?) {
        let mut id = text(approval, "run").to_owned();
        for _ in 0..DEPTH_MAX {
            let parent = api.get(at(["runs", &id])).await?["parent"].as_str().map(str::to_owned);
            match parent {
                Some(parent) if parent == text(run, "id") => return Ok(true),
                Some(parent) => id = parent,
                None => break,
            }
        }
    }
    Ok(false)
}

/// The lines of a run's journal so far.
pub(crate) async fn say_journal(api: &Api, run: &str) -> anyhow::Result<()> {
    Told::default().tell(api, run, Telling::Entries).await
}

/// A run as one line for whoever has followed it.
pub(crate) fn say_end(run: &Value) -> anyhow::Result<()> {
    let outcome = match text(run, "status") {
        "ended" => text(run, "outcome").replace('_', " "),
        status => status.replace('_', " "),
    };
    let why = run["why"].as_str().map(|why| format!(": {why}")).unwrap_or_default();
    say(&visible(&format!("run {} {outcome}{why}", text(run, "id"))))
}

const LOOK_EVERY: Duration = Duration::from_millis(300);
/// How often a server may be started anew while somebody follows a run.
const GONE_MAX: u32 = 100;
/// For what is at work when the command ends.
const GRACE: Duration = Duration::from_secs(20);
/// Other commands at once.
const CONNECTIONS_MAX: usize = 64;
/// Workflows that call each other.
const DEPTH_MAX: usize = 10;
