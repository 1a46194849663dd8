//! `sortie token add|list|revoke`: tokens of Sortie's own, with which programs act for a user here.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::json;
use sortie_model::ConnectionName;
use sortie_store::PrincipalName;

use crate::{
    asking::{Api, at, items, text},
    commands::workflow::to_the_second,
    context::Context,
    exit::{Exit, Problem},
    output::{Field, Listing, OutputArguments, say},
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a token of Sortie's own for a user and print it, once
    Add(AddArguments),
    /// List Sortie's own tokens by their first characters
    List(ListArguments),
    /// End one of Sortie's own tokens at once
    Revoke(RevokeArguments),
}

#[derive(Args)]
pub(crate) struct AddArguments {
    /// The user of `sortie user list` for whom it acts
    user: PrincipalName,
    /// What it is for, such as nightly
    #[arg(long)]
    name: ConnectionName,
    /// Day on which it ends, such as 2027-03-31; never when absent
    #[arg(long, value_name = "DATE", value_parser = crate::times::day)]
    expires: Option<Timestamp>,
}

#[derive(Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Args)]
pub(crate) struct RevokeArguments {
    /// Its first characters, as `sortie token list` shows them
    prefix: String,
}

pub(super) async fn run(command: Command, context: &Context) -> anyhow::Result<Exit> {
    match command {
        Command::Add(arguments) => add(&arguments, context).await?,
        Command::List(arguments) => list(arguments.output, context).await?,
        Command::Revoke(arguments) => {
            Api::connect(context).await?.delete(at(["tokens", &arguments.prefix])).await?;
            say(&format!("token {} ended", arguments.prefix))?;
        }
    }
    Ok(Exit::Success)
}

async fn add(arguments: &AddArguments, context: &Context) -> anyhow::Result<()> {
    if arguments.expires.is_some_and(|end| end <= context.clock.now()) {
        return Err(Problem::usage("the token would have ended already", "Give a later day with `--expires`.").into());
    }
    let body = json!({ "name": arguments.name.as_str(), "expires": arguments.expires.map(|end| end.to_string()) });
    let address = at(["users", arguments.user.as_str(), "tokens"]);
    let made = Api::connect(context).await?.post(address, body).await?;
    say(text(&made, "token"))?;
    let end = match text(&made, "expires") {
        "" => "does not end by itself".to_owned(),
        end => format!("ends {}", to_the_second(end)),
    };
    let (prefix, user) = (text(&made, "prefix"), text(&made, "user"));
    context.note(&format!("token {prefix} for {user} {end}; it is not shown again"));
    Ok(())
}

async fn list(output: OutputArguments, context: &Context) -> anyhow::Result<()> {
    let tokens = Api::connect(context).await?.get(at(["tokens"])).await?;
    let mut listing = Listing::start(output.format(), &["token", "user", "name", "made", "ends", "last used"])?;
    for token in items(&tokens) {
        // To the day; the store keeps no more.
        let used = token["used"].as_str().and_then(|used| used.get(..10));
        let fields = [
            Field::plain(text(token, "prefix")),
            Field::plain(text(token, "user")),
            Field::plain(text(token, "name")),
            Field::plain(to_the_second(text(token, "made"))),
            Field::plain(to_the_second(text(token, "expires"))),
            Field::maybe(used),
        ];
        let document = json!({
            "prefix": token["prefix"], "user": token["user"], "name": token["name"], "made": token["made"],
            "expires": token["expires"], "last_used": used,
        });
        listing.row(&fields, &document.to_string())?;
    }
    listing.finish("There is no token; make one with `sortie token add`.")
}
