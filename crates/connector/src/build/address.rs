//! The base address: the connection's own, else the document's, with its variables filled in.

use std::borrow::Cow;

use sortie_openapi::{Description, Operation, Server};
use url::Url;

use super::{BuildError, Target, style};

/// The base address that the operation's calls through this target go to.
///
/// # Errors
/// [`BuildError`] when neither document nor connection gives a whole one.
pub fn base(description: &Description, operation: &Operation, target: &Target) -> Result<Url, BuildError> {
    let text = base_text(description, operation, target)?;
    let url: Option<Url> = text.parse().ok();
    url.filter(is_usable).ok_or(BuildError::Base { base: text })
}

/// Base and path as one address.
pub(super) fn address(
    description: &Description,
    operation: &Operation,
    target: &Target,
    path: &str,
) -> Result<Url, BuildError> {
    let server = operation.servers.first().or_else(|| description.servers.first());
    let base = match &target.base {
        // The usual one was read before.
        Some(base) if is_usable(base) && !takes_prefix(base, server) => Cow::Borrowed(base),
        _ => Cow::Owned(base(description, operation, target)?),
    };
    let text = format!("{}{path}", base.as_str().trim_end_matches('/'));
    let url: Option<Url> = text.parse().ok();
    // What the address is read as must be what was put together: no step may have been taken back on the way.
    let is_whole = |url: &Url| is_same_origin(url, &base) && url.path().ends_with(path.trim_start_matches('/'));
    url.filter(is_whole).ok_or_else(|| BuildError::Base { base: base.to_string() })
}

fn is_usable(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https" | "smtp" | "smtps") && url.host_str().is_some_and(|host| !host.is_empty())
}

fn is_same_origin(url: &Url, base: &Url) -> bool {
    // No other address has the origin of a mail server's.
    let has_origin = matches!(url.scheme(), "http" | "https");
    let (own, wanted) = ((url.scheme(), url.host_str()), (base.scheme(), base.host_str()));
    has_origin && own == wanted && url.port_or_known_default() == base.port_or_known_default()
}

fn base_text(description: &Description, operation: &Operation, target: &Target) -> Result<String, BuildError> {
    let server = operation.servers.first().or_else(|| description.servers.first());
    match (&target.base, server) {
        (Some(base), server) => over(base, server, target),
        (None, None) => Err(BuildError::NoBase),
        (None, Some(server)) if server.needs_host() => Err(BuildError::NoBase),
        (None, Some(server)) => filled(server, target),
    }
}

/// The connection's base; where it is a host alone, the document's own prefix goes behind it.
fn over(base: &Url, server: Option<&Server>, target: &Target) -> Result<String, BuildError> {
    let text = base.as_str().trim_end_matches('/').to_owned();
    match server {
        Some(server) if takes_prefix(base, Some(server)) => {
            Ok(format!("{text}/{}", filled(server, target)?.trim_start_matches('/')))
        }
        _ => Ok(text),
    }
}

fn takes_prefix(base: &Url, server: Option<&Server>) -> bool {
    base.path() == "/" && server.is_some_and(|server| server.needs_host() && !server.url.starts_with('{'))
}

fn filled(server: &Server, target: &Target) -> Result<String, BuildError> {
    let mut url = server.url.clone();
    for (name, variable) in &server.variables {
        let given = target.variables.get(name).map(style::text).or_else(|| variable.default.clone());
        let given = given.filter(|value| variable.choices.is_empty() || variable.choices.contains(value));
        // A variable is a part of a name or a path: nothing in it may begin another part of the address.
        let fits = |value: &String| !value.contains(['@', '?', '#', '\\', ' ']);
        let missing = || BuildError::Variable { name: name.clone(), choices: variable.choices.clone() };
        url = url.replace(&format!("{{{name}}}"), &given.filter(fits).ok_or_else(missing)?);
    }
    Ok(url)
}
