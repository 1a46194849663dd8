//! What a person tells a run: give up, try again, run anew, what became of a call.

use clap::{Args, ValueEnum};
use http::Method;
use serde_json::{Value, json};

use crate::{
    asking::{Api, Refused, at},
    commands::workflow::followed,
    context::Context,
    exit::{Exit, Problem},
    following::tell_who_goes_on,
    output::{say, visible},
};

#[derive(Args)]
pub(crate) struct RunArgument {
    /// The run's id
    run: String,
}

#[derive(Args)]
pub(crate) struct RerunArguments {
    /// The run's id; it must have ended
    run: String,
    /// From this step on, with everything behind it; what the others gave is taken over
    #[arg(long, value_name = "STEP")]
    from: Option<String>,
    /// The same key is the same start
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Tell what happens until the new run has ended
    #[arg(long, short = 'f')]
    follow: bool,
}

#[derive(Args)]
pub(crate) struct ResolveArguments {
    /// The run's id
    run: String,
    /// The step that is in doubt, as `sortie runs show` names it
    step: String,
    /// What became of its call
    became: Became,
    /// Of this try alone; else of the one that is in doubt when the word arrives
    #[arg(long, value_name = "NUMBER")]
    attempt: Option<u32>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Became {
    /// It was carried out
    Happened,
    /// It was not carried out, and is made again
    DidNotHappen,
    /// Nobody will find out: the step fails
    GiveUp,
}

pub(super) async fn cancel(arguments: &RunArgument, context: &Context) -> anyhow::Result<Exit> {
    tell(&arguments.run, "cancel", Value::Null, "is asked to give up", context).await
}

pub(super) async fn retry(arguments: &RunArgument, context: &Context) -> anyhow::Result<Exit> {
    tell(&arguments.run, "retry", Value::Null, "tries again what does not leave for now", context).await
}

pub(super) async fn resolve(arguments: &ResolveArguments, context: &Context) -> anyhow::Result<Exit> {
    let (word, said) = match arguments.became {
        Became::Happened => ("happened", "was carried out"),
        Became::DidNotHappen => ("did_not_happen", "was not carried out"),
        Became::GiveUp => ("give_up", "is given up"),
    };
    let said = format!("hears that the call of {} {said}", arguments.step);
    let mut body = json!({ "step": arguments.step, "resolution": word });
    if let Some(attempt) = arguments.attempt {
        body["attempt"] = attempt.into();
    }
    tell(&arguments.run, "resolve", body, &said, context).await
}

async fn tell(run: &str, what: &str, body: Value, said: &str, context: &Context) -> anyhow::Result<Exit> {
    let api = Api::connect(context).await?;
    api.post(at(["runs", run, what]), body).await?;
    say(&visible(&format!("run {run} {said}")))?;
    tell_who_goes_on(&api, run, context);
    Ok(Exit::Success)
}

pub(super) async fn rerun(arguments: RerunArguments, context: &Context) -> anyhow::Result<Exit> {
    let api = Api::connect(context).await?;
    let mut body = json!({});
    for (key, value) in [("from_step", &arguments.from), ("key", &arguments.key)] {
        if let Some(value) = value {
            body[key] = value.as_str().into();
        }
    }
    let address = at(["runs", &arguments.run, "rerun"]);
    let started =
        api.try_ask(Method::POST, address, Some(body)).await?.map_err(|refused| in_doubt(&arguments, refused))?;
    followed(&api, &started, arguments.follow, context).await
}

/// A run with a step of which nobody knows whether it was carried out is not repeated; what to do is said by commands.
fn in_doubt(arguments: &RerunArguments, refused: Refused) -> Problem {
    let steps: Vec<&str> = refused.body["doubts"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let Some(step) = steps.first() else { return refused.problem };
    let next =
        format!("Look, then say it: `sortie runs resolve {} '{step}' happened|did-not-happen|give-up`.", arguments.run);
    Problem { exit: Exit::InDoubt, next, ..refused.problem }
}
