//! `sortie token add|list|revoke`: tokens of Sortie's own, with which programs act for a user here.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::json;
use sortie_model::{ConnectionName, Secret};
use sortie_store::{Permission, PrincipalName, Scope, Store, TokenInfo};

use crate::{
    context::Context,
    database,
    exit::{Exit, Problem},
    guard,
    output::{Field, Listing, OutputArguments, moment, say},
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
    let store = database::open(context).await?;
    match command {
        Command::Add(arguments) => {
            let (name, expires) = (arguments.name.as_str(), arguments.expires);
            let (text, info) = add(&store, arguments.user.as_str(), name, expires, context.clock.now()).await?;
            say(text.expose())?;
            let end = info.expires.map_or_else(|| "does not end by itself".to_owned(), |end| format!("ends {end:.0}"));
            context.note(&format!("token {} for {} {end}; it is not shown again", info.prefix, info.principal));
        }
        Command::List(arguments) => print(&list(&store).await?, arguments.output)?,
        Command::Revoke(arguments) => {
            store.revoke_token(&arguments.prefix).await?;
            say(&format!("token {} ended", arguments.prefix))?;
        }
    }
    Ok(Exit::Success)
}

/// Makes a token that has not ended before it began.
pub(crate) async fn add(
    store: &Store,
    user: &str,
    name: &str,
    expires: Option<Timestamp>,
    now: Timestamp,
) -> anyhow::Result<(Secret, TokenInfo)> {
    if expires.is_some_and(|end| end <= now) {
        return Err(Problem::usage("the token would have ended already", "Give a later day with `--expires`.").into());
    }
    let user = store.principal(user).await?;
    Ok(store.add_token(user.id, name, expires).await?)
}

/// What is known of all tokens, for whoever may see everything.
pub(crate) async fn list(store: &Store) -> anyhow::Result<Vec<TokenInfo>> {
    guard::require(store, Permission::Read, Scope::Every)?;
    Ok(store.tokens().await?)
}

fn print(tokens: &[TokenInfo], output: OutputArguments) -> anyhow::Result<()> {
    let mut listing = Listing::start(output.format(), &["token", "user", "name", "made", "ends", "last used"])?;
    for token in tokens {
        // To the day; the store keeps no more.
        let used = token.used.map(|day| day.strftime("%Y-%m-%d").to_string());
        let fields = [
            Field::plain(&token.prefix),
            Field::plain(&token.principal),
            Field::plain(&token.name),
            moment(Some(token.made)),
            moment(token.expires),
            Field::maybe(used.as_ref()),
        ];
        let document = json!({
            "prefix": token.prefix, "user": token.principal, "name": token.name, "made": token.made.to_string(),
            "expires": token.expires.map(|end| end.to_string()), "last_used": used,
        });
        listing.row(&fields, &document.to_string())?;
    }
    listing.finish("There is no token; make one with `sortie token add`.")
}
