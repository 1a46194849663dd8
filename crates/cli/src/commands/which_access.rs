//! `sortie which-access`: three questions, and the way of access that fits.

use std::io::{self, IsTerminal as _};

use clap::Args;

use crate::{
    exit::{Exit, Problem},
    output::say,
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Does it run without a person who is signed in: a service, a schedule, a pipeline?
    #[arg(long, value_name = "yes|no")]
    unattended: Option<Answer>,
    /// Must each person see only what their own rights allow?
    #[arg(long, value_name = "yes|no")]
    own_rights: Option<Answer>,
    /// Does it reach tenants of other organisations, as a provider does?
    #[arg(long, value_name = "yes|no")]
    other_tenants: Option<Answer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Answer {
    Yes,
    No,
}

/// The three ways that Microsoft documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Daemon,
    OnBehalfOfUser,
    Partner,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let unattended = answer(
        arguments.unattended,
        "--unattended",
        "Does it run without a person who is signed in (service, schedule, pipeline)?",
    )?;
    let own_rights = match unattended {
        true => false,
        false => {
            answer(arguments.own_rights, "--own-rights", "Must each person see only what their own rights allow?")?
        }
    };
    let others = answer(arguments.other_tenants, "--other-tenants", "Does it reach tenants of other organisations?")?;
    say(text(access(unattended, own_rights, others)))?;
    Ok(Exit::Success)
}

fn access(unattended: bool, own_rights: bool, other_tenants: bool) -> Access {
    match (own_rights && !unattended, other_tenants) {
        (true, _) => Access::OnBehalfOfUser,
        (false, true) => Access::Partner,
        (false, false) => Access::Daemon,
    }
}

fn answer(given: Option<Answer>, option: &str, question: &str) -> anyhow::Result<bool> {
    if let Some(given) = given {
        return Ok(given == Answer::Yes);
    }
    if !io::stdin().is_terminal() {
        return Err(Problem::usage(
            "there is no terminal to ask on",
            format!("Answer with `{option} yes` or `{option} no`."),
        )
        .into());
    }
    Ok(dialoguer::Confirm::new().with_prompt(question).interact().map_err(|dialoguer::Error::IO(error)| error)?)
}

fn text(access: Access) -> &'static str {
    match access {
        Access::Daemon => {
            "Access without a user (daemon)
  The application itself holds application permissions; nobody signs in. This is what Sortie does.
  Next: `sortie app register`, or `sortie connection add` for an application that exists, then `sortie check`."
        }
        Access::Partner => {
            "Partner access (one application, many tenants)
  The application is multi-tenant; an administrator of every customer's tenant consents once, and Sortie then signs
  in to each tenant without a user, with one connection for each.
  Next: `sortie app register --multi-tenant`, `sortie app consent-link` for each customer, then `sortie connection add`."
        }
        Access::OnBehalfOfUser => {
            "Access on behalf of a user
  A person signs in, and delegated permissions never show more than that person may see. Sortie signs in as an
  application and does not offer this way; use Microsoft's own sign-in libraries (MSAL) for such a program.
  Next: if a service account's view is enough after all, answer the second question with no."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_lead_to_one_way() {
        assert_eq!(access(true, false, false), Access::Daemon);
        assert_eq!(access(true, true, false), Access::Daemon);
        assert_eq!(access(false, false, false), Access::Daemon);
        assert_eq!(access(false, true, false), Access::OnBehalfOfUser);
        assert_eq!(access(false, true, true), Access::OnBehalfOfUser);
        assert_eq!(access(true, false, true), Access::Partner);
    }
}
