//! How a command ends: a documented exit code, one plain sentence, and what to do next.

use std::{fmt, io, process::ExitCode};

use sortie_connector::{CallError, EmailError, LinkError, OAuthError};
use sortie_defender::{DefenderError, DefenderErrorKind};
use sortie_identity::{CredentialError, TokenError, TokenErrorCause};
use sortie_server::ClientError;
use sortie_store::{StoreError, StoreErrorKind};
use sortie_transport::{ProxyCause, SendError, SendErrorKind, TlsCause, TransportSettingsError};

use crate::output::visible;

/// Exit codes, as `sortie --help` lists them. They never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Success = 0,
    /// Anything without a code of its own.
    Failure = 1,
    /// The command line or the settings are wrong; nothing was called.
    Usage = 2,
    /// Entra refused the application, or a credential cannot be read.
    SignIn = 3,
    /// Signed in, but a role is missing: one of Entra's, or one that `sortie user grant` gives.
    Forbidden = 4,
    NotFound = 5,
    /// No answer: name, network, TLS, proxy, time.
    Network = 6,
    /// The service failed or limited the calls to the end of all attempts.
    Service = 7,
    /// The fate of a change is unknown: look before repeating.
    InDoubt = 8,
    /// Findings: the command worked, and what it looked at is not in order.
    Findings = 9,
    /// A guardrail stands in the way: held, protected, or as often as may be. Nothing was sent.
    Guarded = 10,
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The list for `--help`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    failed
  2    the command line or the settings are wrong; nothing was called
  3    sign-in refused, or the credential cannot be read
  4    signed in, but a role is missing
  5    no such object
  6    no answer: name, network, TLS, proxy or time
  7    the service failed or limits the calls
  8    it is not known whether a change was made: look before repeating it
  9    the command worked and found something that is not in order
  10   a guardrail stands in the way: held, protected, or over a ceiling; nothing was sent
  130  interrupted";

/// An error that knows its code and the next step; made where no crate's own error fits.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub exit: Exit,
    pub what: String,
    pub next: String,
}

impl Problem {
    /// The person at the keyboard can mend it on the command line or in the settings.
    pub(crate) fn usage(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, what: what.into(), next: next.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Problem {}

/// Prints what failed and what to do, and gives the exit code.
pub(crate) fn report(error: &anyhow::Error) -> Exit {
    if is_broken_pipe(error) {
        return Exit::Success;
    }
    eprintln!("error: {}", visible(&sentence(error)));
    if let Some(next) = next_step(error) {
        eprintln!("next:  {}", visible(&next));
    }
    exit_of(error)
}

/// The exit code that the first error of the chain with an opinion asks for.
pub(crate) fn exit_of(error: &anyhow::Error) -> Exit {
    // A problem that was attached as context hides from the chain; anyhow finds it.
    let attached = error.downcast_ref::<Problem>().map(|problem| problem.exit);
    attached.or_else(|| error.chain().find_map(exit_of_one)).unwrap_or(Exit::Failure)
}

/// What to do next, from the first error of the chain that knows.
pub(crate) fn next_step(error: &anyhow::Error) -> Option<String> {
    if let Some(problem) = error.downcast_ref::<Problem>() {
        return Some(problem.next.clone());
    }
    error.chain().find_map(|cause| {
        let remedy = |error: &DefenderError| error.remedy();
        cause
            .downcast_ref::<DefenderError>()
            .map(remedy)
            .or_else(|| cause.downcast_ref::<TokenError>().map(remedy_of_token))
            .or_else(|| cause.downcast_ref::<CredentialError>().map(|error| error.remedy().to_owned()))
            .or_else(|| cause.downcast_ref::<SendError>().map(SendError::remedy))
            .or_else(|| cause.downcast_ref::<StoreError>().map(|error| error.remedy().to_owned()))
            .or_else(|| cause.downcast_ref::<OAuthError>().map(OAuthError::remedy))
            .or_else(|| cause.downcast_ref::<CallError>().map(CallError::remedy))
            .or_else(|| cause.downcast_ref::<EmailError>().map(EmailError::remedy))
            .or_else(|| cause.downcast_ref::<LinkError>().map(|error| error.remedy().to_owned()))
            .or_else(|| cause.downcast_ref::<ClientError>().map(|error| error.remedy().to_owned()))
            .or_else(|| cause.downcast_ref::<TransportSettingsError>().map(|error| error.remedy().to_owned()))
    })
}

/// The chain in one sentence; a cause that the text before it already says is not said twice.
pub(crate) fn sentence(error: &anyhow::Error) -> String {
    let mut sentence = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if sentence.is_empty() {
            sentence = text;
        } else if !sentence.contains(&text) {
            sentence = format!("{sentence}: {text}");
        }
    }
    sentence
}

/// Whether the reader of our output went away, as `head` does: no failure of ours.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
}

fn exit_of_one(cause: &(dyn std::error::Error + 'static)) -> Option<Exit> {
    if let Some(error) = cause.downcast_ref::<DefenderError>() {
        return Some(exit_of_defender(error));
    }
    if let Some(error) = cause.downcast_ref::<TokenError>() {
        return Some(exit_of_token(error));
    }
    if cause.is::<CredentialError>() {
        return Some(Exit::SignIn);
    }
    if let Some(error) = cause.downcast_ref::<EmailError>() {
        return Some(exit_of_email(error));
    }
    if cause.is::<LinkError>() || cause.is::<TransportSettingsError>() {
        return Some(Exit::Usage);
    }
    if let Some(error) = cause.downcast_ref::<StoreError>() {
        return Some(exit_of_store(error));
    }
    if let Some(error) = cause.downcast_ref::<OAuthError>() {
        return Some(exit_of_oauth(error));
    }
    if let Some(error) = cause.downcast_ref::<CallError>() {
        return Some(exit_of_call(error));
    }
    if cause.is::<ClientError>() {
        return Some(Exit::Network);
    }
    cause.downcast_ref::<SendError>().map(exit_of_send)
}

/// No answer, unless it was this machine's disk that failed.
fn exit_of_send(error: &SendError) -> Exit {
    match &*error.kind {
        SendErrorKind::Spool { .. } | SendErrorKind::NotRecorded(_) => Exit::Failure,
        _ => Exit::Network,
    }
}

fn exit_of_store(error: &StoreError) -> Exit {
    match &error.kind {
        StoreErrorKind::Absent(_) => Exit::NotFound,
        StoreErrorKind::Key(_) => Exit::SignIn,
        StoreErrorKind::Forbidden { .. } => Exit::Forbidden,
        StoreErrorKind::Held { .. } | StoreErrorKind::Exists(_) | StoreErrorKind::InUse(_) => Exit::Usage,
        StoreErrorKind::Stale(_) | StoreErrorKind::NeedsTenant | StoreErrorKind::TooLarge { .. } => Exit::Usage,
        StoreErrorKind::TooMany { .. } => Exit::Usage,
        _ => Exit::Failure,
    }
}

fn exit_of_call(error: &CallError) -> Exit {
    match error {
        CallError::Build(_) => Exit::Usage,
        CallError::Credential(_) => Exit::SignIn,
        CallError::Token(error) => exit_of_oauth(error),
        CallError::Send(error) => exit_of_send(error),
        CallError::Failed(failure) => match failure.status {
            401 => Exit::SignIn,
            403 => Exit::Forbidden,
            404 => Exit::NotFound,
            429 | 500.. => Exit::Service,
            _ => Exit::Failure,
        },
    }
}

fn exit_of_oauth(error: &OAuthError) -> Exit {
    match error {
        OAuthError::Send(error) => exit_of_send(error),
        OAuthError::Refused { status: 429 | 500.., .. } => Exit::Service,
        _ => Exit::SignIn,
    }
}

fn exit_of_email(error: &EmailError) -> Exit {
    match error {
        EmailError::Input { .. } | EmailError::NoServer | EmailError::Unencrypted => Exit::Usage,
        EmailError::Send(error) => exit_of_send(error),
        EmailError::Refused { code: 530..=538, .. } | EmailError::NoWayToSignIn => Exit::SignIn,
        EmailError::Refused { code: 400..=499, .. } => Exit::Service,
        EmailError::Refused { .. } => Exit::Failure,
        EmailError::Broken { .. } => Exit::Network,
        EmailError::Lost(_) => Exit::InDoubt,
    }
}

fn exit_of_defender(error: &DefenderError) -> Exit {
    match &*error.kind {
        DefenderErrorKind::Token(error) => exit_of_token(error),
        DefenderErrorKind::Send(error) => exit_of_send(error),
        DefenderErrorKind::Unauthorized(_) => Exit::SignIn,
        DefenderErrorKind::Forbidden { .. } => Exit::Forbidden,
        DefenderErrorKind::NotFound(_) => Exit::NotFound,
        DefenderErrorKind::Throttled(_) | DefenderErrorKind::Failed(_) | DefenderErrorKind::Malformed(_) => {
            Exit::Service
        }
        DefenderErrorKind::Refused(_) | DefenderErrorKind::Query(_) | DefenderErrorKind::Gone(_) => Exit::Failure,
        DefenderErrorKind::Unsupported(_) => Exit::Usage,
        DefenderErrorKind::InDoubt(_) | DefenderErrorKind::Undelivered(_) => Exit::InDoubt,
        DefenderErrorKind::AlreadyInProgress(_) => Exit::Findings,
        DefenderErrorKind::Absent(_) => Exit::NotFound,
        DefenderErrorKind::Ambiguous(_) => Exit::Usage,
    }
}

/// What to do about a sign-in that failed, with the option of the command line that helps.
pub(crate) fn remedy_of_token(error: &TokenError) -> String {
    use SendErrorKind::{Connect, Dns, Proxy, Timeout, Tls};
    let option = match error.send.as_deref().map(|send| &*send.kind) {
        Some(Tls(TlsCause::UnknownIssuer | TlsCause::NoRoots)) => " The option is `--ca-bundle FILE`.",
        Some(Dns(_) | Connect(_) | Timeout { .. } | Proxy(ProxyCause::Unreachable | ProxyCause::Broken)) => {
            " The option is `--proxy URL`."
        }
        _ => "",
    };
    format!("{}{option}", error.remedy())
}

/// Whether Entra refused, failed, or was never reached.
pub(crate) fn exit_of_token(error: &TokenError) -> Exit {
    use TokenErrorCause as Cause;
    match error.cause {
        _ if error.send.is_some() => Exit::Network,
        // Nobody refused anything: Entra, or what answered in its place, gave no answer of its own.
        Cause::Transient | Cause::Throttled => Exit::Service,
        Cause::HtmlAnswer | Cause::EmptyAnswer | Cause::CutAnswer | Cause::NotJson => Exit::Service,
        Cause::WrongShape | Cause::TokenMissing | Cause::OversizedAnswer => Exit::Service,
        _ => Exit::SignIn,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn a_chain_is_one_sentence_and_says_nothing_twice() {
        let error = Err::<(), _>(Problem::usage("the file is empty", "Write one."))
            .context("cannot read settings")
            .unwrap_err();
        assert_eq!(sentence(&error), "cannot read settings: the file is empty");
        assert_eq!(exit_of(&error), Exit::Usage);
        assert_eq!(next_step(&error).as_deref(), Some("Write one."));
    }

    #[test]
    fn a_problem_that_was_attached_to_an_error_counts() {
        let problem = || Problem { exit: Exit::Forbidden, what: "no".to_owned(), next: "Ask.".to_owned() };
        for error in [
            anyhow::Error::from(io::Error::other("inner")).context(problem()),
            anyhow::Error::from(io::Error::other("inner")).context(problem()).context("outer"),
        ] {
            assert_eq!((exit_of(&error), next_step(&error).as_deref()), (Exit::Forbidden, Some("Ask.")));
        }
    }

    #[test]
    fn the_outermost_problem_decides_what_is_next() {
        let inner = Problem { exit: Exit::Forbidden, what: "status 403".into(), next: "Sign in again.".into() };
        let outer = Problem { exit: Exit::NotFound, what: "no licence".into(), next: "License it.".into() };
        let error = anyhow::Error::from(inner).context(outer).context("the set-up ended");
        assert_eq!(sentence(&error), "the set-up ended: no licence: status 403");
        assert_eq!((exit_of(&error), next_step(&error).as_deref()), (Exit::NotFound, Some("License it.")));
    }

    #[test]
    fn a_reader_that_goes_away_is_no_failure() {
        assert!(is_broken_pipe(&io::Error::from(io::ErrorKind::BrokenPipe).into()));
        assert!(!is_broken_pipe(&io::Error::from(io::ErrorKind::NotFound).into()));
    }
}
