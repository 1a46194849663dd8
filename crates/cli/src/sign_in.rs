//! An administrator's sign-in for the set-up commands: by browser, or by a code on another device.

use std::{process::Stdio, sync::Arc, time::Duration};

use clap::Args;
use sortie_identity::{
    Cloud, Hosts, TokenError, TokenErrorCause,
    administrator::{Administrator, DelegatedToken},
};
use sortie_model::{ClientId, TenantId};
use sortie_transport::{Request, Transport};
use url::Url;

use crate::{
    context::Context,
    exit::{Exit, Problem},
};

/// How the administrator signs in.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct SignInArguments {
    /// Type a code on any device instead of opening a browser on this machine
    #[arg(long)]
    pub device_code: bool,
    /// Public client to sign in with, where the tenant blocks Microsoft Graph Command Line Tools
    #[arg(long, value_name = "GUID")]
    pub sign_in_client_id: Option<ClientId>,
}

/// Who looks at the sign-in page.
#[derive(Clone, Debug)]
pub(crate) enum Browser {
    /// The person's own browser.
    Own,
    /// The demo's simulated administrator, who accepts by a plain GET.
    Simulated(Transport),
}

/// Where and as what to sign in.
pub(crate) struct SignIn<'a> {
    pub transport: &'a Transport,
    pub cloud: Cloud,
    pub hosts: &'a Hosts,
    pub tenant: Option<&'a TenantId>,
    pub arguments: &'a SignInArguments,
    pub browser: Browser,
}

impl SignIn<'_> {
    /// Waits until a person has signed in, and returns a token for Graph's set-up calls.
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<DelegatedToken> {
        let mut administrator = Administrator::new(
            self.transport.clone(),
            Arc::clone(&context.clock),
            self.cloud,
            self.hosts,
            self.tenant,
            PERMISSIONS,
        );
        if let Some(client_id) = &self.arguments.sign_in_client_id {
            administrator = administrator.client_id(client_id.clone());
        }
        let token = self.wait(&administrator).await;
        token.map_err(
            |error| if self.arguments.sign_in_client_id.is_none() { name_another_client(error) } else { error },
        )
    }

    async fn wait(&self, administrator: &Administrator) -> anyhow::Result<DelegatedToken> {
        if self.arguments.device_code {
            let code = administrator.device_code().await?;
            eprintln!("Open {} and type {}", code.verification_uri, code.user_code);
            return Ok(administrator.finish_device_code(&code).await?);
        }
        let waiting = administrator.browser().await?;
        match &self.browser {
            Browser::Own => show(waiting.url()),
            Browser::Simulated(transport) => {
                let (page, wait) =
                    tokio::join!(transport.send(Request::get(waiting.url().clone())), waiting.finish(PATIENCE));
                page?;
                return Ok(wait?);
            }
        }
        Ok(waiting.finish(PATIENCE).await?)
    }
}

/// A tenant that blocks Microsoft's public client says so in one of these ways (M).
fn name_another_client(error: anyhow::Error) -> anyhow::Error {
    let cause = error.chain().find_map(|cause| cause.downcast_ref::<TokenError>()).map(|error| error.cause);
    let blocked = [
        TokenErrorCause::ConsentMissing,
        TokenErrorCause::ApplicationNotFound,
        TokenErrorCause::ApplicationDisabled,
        TokenErrorCause::ServicePrincipalMissing,
        TokenErrorCause::RoleRequired,
    ];
    if !cause.is_some_and(|cause| blocked.contains(&cause)) {
        return error;
    }
    let what = "the tenant does not let you sign in with Microsoft Graph Command Line Tools".to_owned();
    let next = "Have an administrator consent to it, or name a public client of your own with `--sign-in-client-id` (App registrations > Authentication > Allow public client flows, redirect address http://localhost).";
    error.context(Problem { exit: Exit::SignIn, what, next: next.to_owned() })
}

/// Opens the page where a browser can be started, and prints its address in any case.
pub(crate) fn show(url: &Url) {
    eprintln!("Open this page in a browser on this machine and sign in as administrator:\n  {url}");
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let started = std::process::Command::new(opener)
        .arg(url.as_str())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    // No browser to start is no failure: the address stands above.
    drop(started);
}

/// What the set-up calls need, delegated.
const PERMISSIONS: &[&str] = &["Application.ReadWrite.All", "AppRoleAssignment.ReadWrite.All", "User.Read"];
/// An administrator may first have to find a phone.
pub(crate) const PATIENCE: Duration = Duration::from_secs(900);
