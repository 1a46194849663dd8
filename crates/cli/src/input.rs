//! What a person or a pipe hands in: secrets without echo, and a yes before something is changed.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};

use sortie_identity::SecretInput;
use sortie_model::Secret;

use crate::exit::Problem;

/// Reads secrets from the terminal or from standard input for the credentials that ask for it.
#[derive(Debug, Default)]
pub(crate) struct Terminal;

impl SecretInput for Terminal {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn prompt(&self, label: &str) -> io::Result<Secret> {
        if !io::stdin().is_terminal() {
            let sentence = "there is no terminal to ask on; refer to the secret by `env:NAME`, `file:PATH` or `stdin`";
            return Err(io::Error::new(io::ErrorKind::NotConnected, sentence));
        }
        let typed = dialoguer::Password::new().with_prompt(label).interact().map_err(|error| match error {
            dialoguer::Error::IO(error) => error,
        })?;
        Ok(Secret::new(typed))
    }

    fn stdin(&self) -> io::Result<Secret> {
        let mut text = String::new();
        io::stdin().lock().take(STDIN_BYTES_MAX).read_to_string(&mut text)?;
        Ok(Secret::new(text))
    }
}

/// Asks before something is changed. Without a terminal nobody can answer, so `--yes` must have been given.
pub(crate) fn confirm(question: &str, yes: bool) -> anyhow::Result<bool> {
    if yes {
        return Ok(true);
    }
    if !io::stdin().is_terminal() {
        return Err(
            Problem::usage(format!("{question} needs an answer, and there is no terminal"), "Add `--yes`.").into()
        );
    }
    eprint!("{question} [y/N] ");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "Yes"))
}

/// A secret, a private key or an assertion is far smaller.
const STDIN_BYTES_MAX: u64 = 1 << 20;
