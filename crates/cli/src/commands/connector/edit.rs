//! Editing a connector: what its document lacks or says wrongly.

use clap::{Args, ValueEnum};
use sortie_store::{NewConnector, Store};
use url::Url;

use crate::{
    context::Context,
    database,
    exit::{Exit, Problem},
    output::say,
    product::{Authentication, Edits, OAuth, Product, Proof, token_url_of},
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The connector's id
    id: String,
    /// What people shall call it
    #[arg(long, value_name = "TITLE")]
    name: Option<String>,
    /// Where its calls go, unless a connection says otherwise
    #[arg(long, value_name = "URL")]
    base: Option<Url>,
    /// How all of its operations authenticate
    #[arg(long, value_enum, value_name = "KIND")]
    auth: Option<Kind>,
    /// Grant of OAuth 2.0, where it shall be said; it follows from the kind
    #[arg(long, value_enum, value_name = "GRANT", requires = "auth")]
    grant: Option<Grant>,
    /// Where tokens are asked for; `{tenant}` is the connection's tenant
    #[arg(long, value_name = "URL", requires = "auth")]
    token_url: Option<String>,
    /// Scope to ask for; repeat it for several. A bare `.default` is completed by each operation's own resource
    #[arg(long, value_name = "SCOPE", requires = "auth", allow_hyphen_values = true)]
    scope: Vec<String>,
    /// API to ask a token for by `audience=`, instead of scopes
    #[arg(long, value_name = "NAME", requires = "auth", conflicts_with = "scope")]
    audience: Option<String>,
    /// API to ask a token for by `resource=`, instead of scopes
    #[arg(long, value_name = "NAME", requires = "auth", conflicts_with_all = ["scope", "audience"])]
    resource: Option<String>,
    /// How the application proves itself to the token URL; a connection with a certificate signs in any case
    #[arg(long, value_enum, value_name = "HOW", requires = "auth", default_value_t = Proof::Post, hide_default_value = true)]
    client_proof: Proof,
    /// The same as --client-proof basic
    #[arg(long, requires = "auth", hide = true, conflicts_with = "client_proof")]
    basic_proof: bool,
    /// Where a person signs in, for oauth2-delegated; `{tenant}` is the connection's tenant
    #[arg(long, value_name = "URL", requires = "auth")]
    authorization_url: Option<String>,
    /// Header of the key
    #[arg(long, value_name = "NAME", requires = "auth", default_value = "Authorization")]
    header: String,
    /// Written before the key, such as "Token "
    #[arg(long, value_name = "TEXT", requires = "auth")]
    prefix: Option<String>,
    /// Forget everything that was edited
    #[arg(long, conflicts_with_all = ["name", "base", "auth"])]
    reset: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// OAuth 2.0 without a user
    Oauth2Application,
    /// OAuth 2.0 in the name of a person, who signs in once
    Oauth2Delegated,
    /// A key in a header
    ApiKey,
    /// Name and password
    Basic,
    /// A token that does not change
    Bearer,
    /// Nothing
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Grant {
    ClientCredentials,
    AuthorizationCode,
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    let store = database::open(context).await?;
    let product = Product::load(&store, &arguments.id).await?;
    let edits = match arguments.reset {
        true => Edits::default(),
        false => edited(&arguments, product.edits.clone())?,
    };
    if edits == product.edits {
        return Err(
            Problem::usage("there is nothing to change", "Give `--auth`, `--base`, `--name` or `--reset`.").into()
        );
    }
    let product = match product.is_as_it_comes() {
        true => copied(&store, product).await?,
        false => product,
    };
    store.edit_connector(&product.info, serde_json::to_value(&edits)?).await?;
    let how = edits.authentication.as_ref().map_or_else(|| "as its document says".to_owned(), Authentication::describe);
    say(&format!("connector {} edited; authentication: {how}", arguments.id))?;
    Ok(Exit::Success)
}

/// What comes with Sortie stays as it comes: the copy in the database is edited.
async fn copied(store: &Store, product: Product) -> anyhow::Result<Product> {
    let new = NewConnector {
        id: product.info.id.clone(),
        title: product.info.title.clone(),
        origin: product.info.origin.clone(),
        content_hash: product.info.content_hash.clone(),
        description: serde_json::to_string(&product.description)?,
    };
    store.put_connector(database::SHARED, new, false).await?;
    Product::load(store, &product.info.id).await
}

fn edited(arguments: &Arguments, mut edits: Edits) -> anyhow::Result<Edits> {
    if let Some(name) = &arguments.name {
        edits.title = Some(name.trim().to_owned()).filter(|name| !name.is_empty());
    }
    if let Some(base) = &arguments.base {
        edits.base = Some(base.clone());
    }
    if let Some(kind) = arguments.auth {
        edits.authentication = Some(authentication(kind, arguments)?);
    }
    Ok(edits)
}

fn authentication(kind: Kind, arguments: &Arguments) -> anyhow::Result<Authentication> {
    Ok(match kind {
        Kind::None => Authentication::None,
        Kind::Basic => Authentication::Basic,
        Kind::Bearer => Authentication::Bearer,
        Kind::ApiKey => Authentication::ApiKey { header: arguments.header.clone(), prefix: arguments.prefix.clone() },
        Kind::Oauth2Application => Authentication::Oauth2Application(oauth(arguments, Grant::ClientCredentials)?),
        Kind::Oauth2Delegated => {
            let mut oauth = oauth(arguments, Grant::AuthorizationCode)?;
            let next =
                "Such as `--authorization-url https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize`.";
            let url = arguments.authorization_url.as_deref().map(str::trim);
            let url = url.ok_or_else(|| Problem::usage("the authorization URL is missing", next))?;
            let filled = token_url_of(url, Some(EXAMPLE_TENANT))
                .map_err(|_| Problem::usage(format!("`{url}` is no authorization URL"), next))?;
            if !matches!(filled.scheme(), "https" | "http") {
                return Err(Problem::usage(format!("`{url}` is no page for a browser"), next).into());
            }
            oauth.authorization_url = Some(url.to_owned());
            Authentication::Oauth2Delegated(oauth)
        }
    })
}

fn oauth(arguments: &Arguments, grant: Grant) -> anyhow::Result<OAuth> {
    if arguments.grant.is_some_and(|given| given != grant) {
        let next = "Use oauth2-application with client_credentials, and oauth2-delegated with authorization_code.";
        return Err(Problem::usage("this kind of authentication does not go with this grant", next).into());
    }
    let next = "Such as `--token-url https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token`.";
    let token_url = arguments.token_url.as_deref().map(str::trim);
    let token_url = token_url.ok_or_else(|| Problem::usage("the token URL is missing", next))?;
    // A place for the tenant is filled in by each connection; whether it is an address is known now.
    token_url_of(token_url, Some(EXAMPLE_TENANT))?;
    let scopes = arguments.scope.iter().flat_map(|scope| scope.split_whitespace()).map(str::to_owned);
    let name =
        |given: &Option<String>| given.as_deref().map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
    Ok(OAuth {
        token_url: token_url.to_owned(),
        authorization_url: None,
        scopes: scopes.collect(),
        audience: name(&arguments.audience),
        resource: name(&arguments.resource),
        proof: if arguments.basic_proof { Proof::Basic } else { arguments.client_proof },
    })
}

const EXAMPLE_TENANT: &str = "contoso.onmicrosoft.com";
