//! `sortie connection test`: one sign-in for each API that the connection has a host for.

use clap::Args;
use serde_json::{Value, json};
use sortie_identity::{Audience, inspect::decode};

use crate::{
    commands::check::refusal::Refusal,
    connections::{self, ConnectionPath},
    context::{Context, Session},
    exit::Exit,
    output::{Field, Format, Listing, OutputArguments, Tone, say, visible},
    product::DefenderConnection,
    roles::product,
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The connection; the chosen one when absent
    name: Option<ConnectionPath>,
    #[command(flatten)]
    output: OutputArguments,
}

/// Whether the application can sign in; what it may do is the matter of `sortie check`.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    let session = match &arguments.name {
        None => context.session_unremarked().await?,
        Some(path) => {
            let named = connections::open(context, path).await?.1;
            match DefenderConnection::of(&named.row, named.name)? {
                Some(connection) => context.session_of(&connection).await?,
                None => return super::examine::test(path, context).await,
            }
        }
    };
    let format = arguments.output.format();
    let mut listing = Listing::start(format, &["api", "sign-in", "roles"])?;
    let mut refusals: Vec<Refusal> = Vec::new();
    for audience in audiences(&session) {
        let outcome = sign_in(&session, &audience, refusals.last()).await;
        let (fields, document) = row(&audience, &outcome);
        listing.row(&fields, &document.to_string())?;
        if let Outcome::Refused(refusal) = outcome {
            refusals.push(refusal);
        }
    }
    listing.finish("")?;
    if format == Format::Table {
        for refusal in &refusals {
            say(&format!("\n{}", refusal.lines().lines().map(visible).collect::<Vec<_>>().join("\n")))?;
        }
        if refusals.is_empty() {
            say(&format!("\nConnection {} works. `sortie check` tells which roles are missing.", session.name))?;
        }
    }
    Ok(refusals.first().map_or(Exit::Success, |refusal| refusal.exit))
}

enum Outcome {
    In(Vec<String>),
    Refused(Refusal),
    /// The credential itself was refused a moment ago.
    AsBefore,
}

/// The APIs that this connection's cloud and settings give an address for.
fn audiences(session: &Session) -> Vec<Audience> {
    let all = [Audience::Graph, Audience::Xdr, Audience::DefenderForEndpoint, Audience::CloudApps];
    all.into_iter().filter(|audience| session.application.hosts.base(audience).is_ok()).collect()
}

async fn sign_in(session: &Session, audience: &Audience, before: Option<&Refusal>) -> Outcome {
    if before.is_some_and(|before| !before.is_of_one_api()) {
        return Outcome::AsBefore;
    }
    match session.client.tokens().token(audience).await {
        // A token that is no JWT may work all the same; it only does not show its roles.
        Ok(token) => {
            Outcome::In(decode(token.secret().expose()).map(|decoded| decoded.claims.roles).unwrap_or_default())
        }
        Err(error) => Outcome::Refused(Refusal::of(&error, session)),
    }
}

fn row(audience: &Audience, outcome: &Outcome) -> ([Field; 3], Value) {
    let (sign_in, roles, document) = match outcome {
        Outcome::In(roles) => {
            let shown = if roles.is_empty() { "none".to_owned() } else { roles.join(", ") };
            (Field::toned("ok", Tone::Good), shown, json!({ "ok": true, "roles": roles }))
        }
        Outcome::Refused(refusal) => {
            let code = refusal.code.map(|code| format!("refused (AADSTS{code})"));
            (Field::toned(code.as_deref().unwrap_or("failed"), Tone::Bad), "-".to_owned(), refusal.json())
        }
        Outcome::AsBefore => {
            (Field::plain("not tried again"), "-".to_owned(), json!({ "ok": false, "error": "not tried again" }))
        }
    };
    let mut document = document;
    document["api"] = audience.name().into();
    ([Field::plain(product(audience)), sign_in, Field::plain(roles)], document)
}
