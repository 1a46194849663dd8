//! `sortie connection sign-in`: a person lets a connection call in their name (RFC 6749 section 4.1, RFC 7636, RFC 8252).

use std::{io, time::Duration};

use clap::Args;
use sortie_connector::{Grant, OAuthClient, TokenFor};
use sortie_identity::{Parameters, Pkce, RedirectListener};
use sortie_model::Secret;
use url::Url;

use crate::{
    connections::{self, ConnectionPath, Named},
    context::Context,
    database,
    exit::{Exit, Problem},
    output::say,
    product::{Authentication, OAuth, Product, REFRESH, Ready, scope_of_sign_in, token_url_of},
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The connection
    name: ConnectionPath,
    /// Port on this machine that the browser comes back to; the redirect address that the provider must know is
    /// http://localhost:PORT and the path
    #[arg(long, value_name = "PORT", default_value_t = 3443)]
    port: u16,
    /// Path of that address; the misspelt one is for providers that were told so
    #[arg(long, value_name = "PATH", default_value = PATH, value_parser = [PATH, MISSPELT_PATH])]
    path: String,
    /// How long to wait for the person
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..=3600))]
    patience: u64,
}

/// What is asked of whom.
struct Question {
    client: OAuthClient,
    wanted: TokenFor,
    /// With the tenant in its place.
    authorization_url: Url,
}

pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    let (store, connection) = connections::open(context, &arguments.name).await?;
    let name = &connection.name;
    let product = Product::load(&store, &connection.row.connector).await?;
    let ready = Ready::load(&store, &connection, &product, true, context).await?;
    let question = question(&product, &ready)?;
    // A key that does not open is told before somebody signs in.
    database::unlock(&store, context).await?;
    // A person may take minutes, and another process may want the database.
    drop(store);
    let listener = listen(arguments.port, &arguments.path).await?;
    let pkce = Pkce::fresh()?;
    let url = page(&question, &listener, &pkce);
    eprintln!("Open this page in a browser on this machine and sign in:\n  {url}");
    let patience = Duration::from_secs(arguments.patience);
    let parameters = listener.wait(patience).await?.ok_or_else(|| {
        let what = format!("nobody signed in within {} s", patience.as_secs());
        let next = format!("Run `sortie connection sign-in {name}` again, and open the page that it prints.");
        Problem { exit: Exit::SignIn, what, next }
    })?;
    let code = code(parameters)?;
    let grant = Grant::Code { code: &code, redirect_uri: listener.uri(), verifier: &pkce.verifier };
    let asked = question.client.token(&ready.transport, &*context.clock, grant, &question.wanted);
    let token = listener.refuse_while(asked).await?;
    let refresh = token.refresh.ok_or_else(|| {
        let what = "the provider let the person in, and gave no refresh token to go on with";
        let next = "Add the scope that asks for one to the connector (mostly `offline_access`), and sign in again.";
        Problem { exit: Exit::SignIn, what: what.to_owned(), next: next.to_owned() }
    })?;
    keep(&connection, &refresh, context).await?;
    say(&format!(
        "signed in; connection {name} calls in this person's name until they sign out or the provider ends it"
    ))?;
    Ok(Exit::Success)
}

fn question(product: &Product, ready: &Ready) -> anyhow::Result<Question> {
    let delegated = product.description.operations.iter().find_map(|operation| {
        let Ok(Authentication::Oauth2Delegated(oauth)) = product.authentication(operation) else { return None };
        Some((operation, oauth))
    });
    let (operation, oauth): (_, OAuth) = delegated.ok_or_else(|| {
        let what =
            format!("connector {} does not call in a person's name, so nobody needs to sign in", product.info.id);
        let next = format!("If it shall: `sortie connector edit {} --auth oauth2-delegated …`.", product.info.id);
        Problem::usage(what, next)
    })?;
    let client = ready.client(&oauth, true)?;
    let host = product.host(operation).or_else(|| ready.base().cloned());
    let host = host.ok_or_else(|| Problem::usage("no base address is known", "Give it with `--base`."))?;
    let wanted = scope_of_sign_in(&client, oauth.wanted(&client, operation, &host)?);
    let template = oauth.authorization_url.as_deref().ok_or_else(|| {
        let next = "Give it with `sortie connector edit … --authorization-url URL`.";
        Problem::usage("the connector has no authorization URL", next)
    })?;
    Ok(Question { client, wanted, authorization_url: token_url_of(template, ready.tenant())? })
}

async fn listen(port: u16, path: &str) -> anyhow::Result<RedirectListener> {
    let listener = RedirectListener::bind(port, path).await.map_err(|error| {
        let why = if error.kind() == io::ErrorKind::AddrInUse {
            "another program has it".to_owned()
        } else {
            error.to_string()
        };
        let next = "Choose another with `--port`, and let the provider know its redirect address.";
        Problem::usage(format!("the browser cannot come back to port {port}: {why}"), next)
    })?;
    Ok(listener.strict(&[PATH, MISSPELT_PATH]))
}

fn page(question: &Question, listener: &RedirectListener, pkce: &Pkce) -> Url {
    let mut url = question.authorization_url.clone();
    let mut pairs = url.query_pairs_mut();
    pairs
        .append_pair("client_id", &question.client.client_id)
        .append_pair("response_type", "code")
        .append_pair("redirect_uri", listener.uri().as_str());
    if let Some((name, value)) = question.wanted.parameter() {
        pairs.append_pair(name, value);
    }
    pairs
        .append_pair("state", listener.state())
        .append_pair("code_challenge", &pkce.challenge)
        .append_pair("code_challenge_method", "S256");
    drop(pairs);
    url
}

/// The code, unless the provider sent a refusal. What a browser brings is somebody else's text.
fn code(parameters: Parameters) -> anyhow::Result<Secret> {
    let value = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    if let Some(error) = value("error") {
        let clean =
            |text: String| text.lines().next().unwrap_or_default().chars().take(SENTENCE_CHARS_MAX).collect::<String>();
        let described = value("error_description").map(|text| format!(": {}", clean(text))).unwrap_or_default();
        let what = format!("the provider did not let the person in: {}{described}", clean(error));
        let next = "Correct the application at the provider as it says, or sign in as somebody else.".to_owned();
        return Err(Problem { exit: Exit::SignIn, what, next }.into());
    }
    value("code").filter(|code| !code.is_empty()).map(Secret::new).ok_or_else(|| {
        let what = "the provider's page came back without a code".to_owned();
        let next = "Check that the connector's authorization URL is the provider's.".to_owned();
        Problem { exit: Exit::SignIn, what, next }.into()
    })
}

/// Seals it, unless the connection leads elsewhere meanwhile.
async fn keep(before: &Named, refresh: &Secret, context: &Context) -> anyhow::Result<()> {
    let store = database::open(context).await?;
    let now = store.connections_named(before.scope(), &before.row.name).await?.pop();
    if now.is_none_or(|now| now.id != before.row.id || now.version != before.row.version) {
        let what = format!("connection {} was changed while the person signed in", before.name);
        return Err(Problem::usage(what, "Sign in again.").into());
    }
    let keyring = database::unlock(&store, context).await?;
    store.set_secret(&keyring, before.scope(), before.row.id, REFRESH, refresh, None).await?;
    Ok(())
}

const PATH: &str = "/set_authentication";
/// What older set-ups are registered with.
const MISSPELT_PATH: &str = "/set_authentcation";
const SENTENCE_CHARS_MAX: usize = 500;
