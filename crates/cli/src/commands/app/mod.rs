//! `sortie app register|rotate|consent-link|consent-wait`: the application's set-up.

mod consent;
mod register;
mod rotate;
mod secret_place;

use clap::{Args, Subcommand};
use jiff::SignedDuration;
use sortie_identity::{Cloud, HostOverrides, Hosts};
use url::Url;

use crate::{
    context::Context,
    exit::{Exit, Problem},
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Register the application: app, service principal, roles, consent, credential, connection
    Register(Box<register::Arguments>),
    /// Replace the client secret: add a new one, test it, switch to it, remove the old
    Rotate(rotate::Arguments),
    /// Print the link by which a tenant's administrator consents
    ConsentLink(consent::LinkArguments),
    /// Open the consent page and wait for its answer
    ConsentWait(consent::WaitArguments),
}

pub(crate) async fn run(command: Command, context: &Context) -> anyhow::Result<Exit> {
    match command {
        Command::Register(arguments) => register::run(*arguments, context).await,
        Command::Rotate(arguments) => rotate::run(arguments, context).await,
        Command::ConsentLink(arguments) => consent::link(&arguments, context).await,
        Command::ConsentWait(arguments) => consent::wait(arguments, context).await,
    }
}

/// Which cloud, and where its services are, for commands that have no connection yet.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct CloudArguments {
    /// global, gcc, gcc-high, dod or china
    #[arg(long, default_value = "global")]
    pub cloud: Cloud,
    /// All services at one address: a running `sortie emulator`
    #[arg(long, value_name = "URL")]
    pub emulator: Option<Url>,
}

impl CloudArguments {
    pub(crate) fn overrides(&self) -> HostOverrides {
        let at = || self.emulator.clone();
        HostOverrides { login: at(), graph: at(), xdr: at(), mde: at(), cloud_apps: at(), imds: at(), portal: None }
    }

    pub(crate) fn hosts(&self) -> Hosts {
        self.cloud.hosts().with(&self.overrides())
    }
}

/// `180d`, `12w`, `6m` (months of 30 days) or `1y`, between a day and the two years that Entra's portal allows at most.
fn lifetime(text: &str) -> Result<SignedDuration, String> {
    let wrong = || "expected 1d to 730d, such as 90d, 12w, 6m or 1y".to_owned();
    let text = text.trim();
    let (digits, unit) = text.split_at(text.len() - text.chars().last().map_or(0, char::len_utf8));
    let days = match unit {
        "d" => 1,
        "w" => 7,
        "m" => 30,
        "y" => 365,
        _ => return Err(wrong()),
    };
    let count: i64 = digits.parse().map_err(|_| wrong())?;
    let days = count.checked_mul(days).filter(|days| (1..=730).contains(days)).ok_or_else(wrong)?;
    Ok(SignedDuration::from_hours(days * 24))
}

fn refused(what: impl Into<String>, next: impl Into<String>) -> anyhow::Error {
    Problem { exit: Exit::Failure, what: what.into(), next: next.into() }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_between_a_day_and_two_years() {
        #[track_caller]
        fn check(text: &str, days: Option<i64>) {
            assert_eq!(lifetime(text).ok().map(|lifetime| lifetime.as_hours() / 24), days, "{text}");
        }
        check("90d", Some(90));
        check("12w", Some(84));
        check("6m", Some(180));
        check("2y", Some(730));
        for wrong in ["", "d", "0d", "731d", "3y", "-1d", "90", "9ü", "9223372036854775807y"] {
            check(wrong, None);
        }
    }
}
