//! `sortie app consent-link` and `consent-wait`: another tenant's administrator says yes by browser.

use clap::Args;
use sortie_identity::{
    Audience,
    consent::{ConsentKind, ConsentLink, ConsentListener},
};
use sortie_model::{ClientId, TenantId};
use url::Url;

use super::CloudArguments;
use crate::{
    context::Context,
    exit::{Exit, Problem},
    output::{say, visible},
    sign_in::{PATIENCE, show},
};

#[derive(Args)]
pub(crate) struct LinkArguments {
    #[command(flatten)]
    page: PageArguments,
    /// Where the browser goes afterwards; must be registered with the application
    #[arg(long, value_name = "URL")]
    redirect_uri: Option<Url>,
    /// Comes back unchanged with the answer
    #[arg(long)]
    state: Option<String>,
}

#[derive(Args)]
pub(crate) struct WaitArguments {
    #[command(flatten)]
    page: PageArguments,
    /// Loopback port to listen on; any free one when 0
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Print the link and open no browser
    #[arg(long)]
    no_browser: bool,
}

#[derive(Args)]
struct PageArguments {
    /// The application; the connection's when absent
    #[arg(long, value_name = "GUID")]
    client_id: Option<ClientId>,
    /// The tenant that is to consent; whoever opens the link decides when absent
    #[arg(long)]
    tenant: Option<TenantId>,
    /// Ask for one API's application permissions only (v2): graph, xdr, mde, cloudapps, a URI or a GUID
    #[arg(long, value_name = "API", conflicts_with = "legacy")]
    audience: Option<Audience>,
    /// The link of older pages: /common/oauth2/authorize?prompt=consent
    #[arg(long)]
    legacy: bool,
    #[command(flatten)]
    cloud: CloudArguments,
}

/// Prints the link.
pub(crate) async fn link(arguments: &LinkArguments, context: &Context) -> anyhow::Result<Exit> {
    let page = Page::of(&arguments.page, context).await?;
    let url = page.link(arguments.redirect_uri.as_ref(), arguments.state.as_deref());
    say(url.as_str())?;
    Ok(Exit::Success)
}

/// Listens on loopback, shows the page, and tells the answer.
pub(crate) async fn wait(arguments: WaitArguments, context: &Context) -> anyhow::Result<Exit> {
    let page = Page::of(&arguments.page, context).await?;
    let listener = ConsentListener::bind(arguments.port, "/").await?;
    let url = page.link(Some(listener.redirect_uri()), Some(listener.state()));
    if arguments.no_browser {
        say(url.as_str())?;
    } else {
        show(&url);
    }
    let answer = listener.wait(PATIENCE).await?;
    // The tenant is a claim of whoever opened the link; the sign-in that follows is the proof.
    let tenant = answer.tenant.as_deref().map_or_else(|| "a tenant that did not name itself".to_owned(), visible);
    say(&format!("consent given by {tenant}"))?;
    context.note("prove it: add a connection for that tenant and run `sortie check`");
    Ok(Exit::Success)
}

/// Everything that the link needs, from the options or the connection.
struct Page {
    login: Url,
    tenant: Option<TenantId>,
    client_id: ClientId,
    kind: ConsentKind,
}

impl Page {
    async fn of(arguments: &PageArguments, context: &Context) -> anyhow::Result<Self> {
        let (client_id, cloud, hosts) = match &arguments.client_id {
            Some(client_id) => (client_id.clone(), arguments.cloud.cloud, arguments.cloud.hosts()),
            None => {
                let connection = context.choose().await?;
                let hosts = connection.microsoft.hosts();
                (connection.client_id, connection.microsoft.cloud, hosts)
            }
        };
        let kind = match (&arguments.audience, arguments.legacy) {
            (_, true) => ConsentKind::Legacy,
            (None, false) => ConsentKind::V1,
            (Some(audience), false) => {
                let scope = audience.scope(cloud).ok_or_else(|| {
                    Problem::usage(
                        format!("{} is not offered in this cloud", audience.label()),
                        "Choose another API or cloud.",
                    )
                })?;
                ConsentKind::V2 { scope }
            }
        };
        Ok(Self { login: hosts.login, tenant: arguments.tenant.clone(), client_id, kind })
    }

    fn link(&self, redirect_uri: Option<&Url>, state: Option<&str>) -> Url {
        ConsentLink {
            login: &self.login,
            tenant: self.tenant.as_ref(),
            client_id: &self.client_id,
            kind: self.kind.clone(),
            redirect_uri,
            state,
        }
        .url()
    }
}
