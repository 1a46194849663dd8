//! Reading a token: decoded without trust, diagnosed against what is wanted, verified where anybody can.

mod diagnose;
mod verify;

use std::{fmt, str};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Map, Value};

pub use diagnose::{Finding, RoleRecord, Wanted, diagnose};
pub use verify::{Verifier, VerifyError};

/// What a token says about itself. Nothing of it is proven.
#[derive(Clone, Debug)]
pub struct DecodedToken {
    /// The header: algorithm, key id.
    pub header: Map<String, Value>,
    /// All claims as they came.
    pub raw: Map<String, Value>,
    /// The claims that matter here.
    pub claims: Claims,
}

/// The claims of an access token of Entra, v1 and v2 names brought together (entra-docs `access-token-claims-reference.md`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// `1.0` or `2.0`: the resource's choice.
    pub version: Option<String>,
    /// Who issued it.
    pub issuer: Option<String>,
    /// Whom it is for.
    pub audience: Vec<String>,
    /// The app: `appid` (v1) or `azp` (v2).
    pub application: Option<String>,
    /// The app's name, where the token has it.
    pub application_name: Option<String>,
    /// The tenant.
    pub tenant: Option<String>,
    /// Application permissions; empty also where the claim is absent.
    pub roles: Vec<String>,
    /// Delegated permissions: only in tokens of a person.
    pub scopes: Vec<String>,
    /// The service principal or person.
    pub object: Option<String>,
    /// `app` where the resource asks for that claim.
    pub kind: Option<String>,
    /// The person, in tokens of a person.
    pub user: Option<String>,
    /// How the app proved itself: `0` not at all, `1` secret, `2` certificate.
    pub proof: Option<String>,
    /// When it was made.
    pub issued_at: Option<Timestamp>,
    /// From when on it is good.
    pub not_before: Option<Timestamp>,
    /// Until when it is good.
    pub expires_at: Option<Timestamp>,
}

/// Why a text is no readable token. Tokens are opaque to clients by contract, so this is no reason not to use one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not three parts between dots.
    #[error("this is not a JWT; the service may use opaque tokens")]
    NotAJwt,
    /// Five parts: encrypted.
    #[error("this token is encrypted; only its resource can read it")]
    Encrypted,
    /// A part is not base64url.
    #[error("this token is damaged: a part is not base64url; was it cut when it was copied?")]
    NotBase64,
    /// A part is not a JSON object.
    #[error("this token is damaged: a part is not a JSON object")]
    NotJson,
    /// Longer than any token.
    #[error("this text is too long for a token")]
    TooLong,
}

/// Decodes without trusting. A `Bearer ` in front, quotes and blanks around are dropped, as pasted tokens have them.
///
/// # Errors
/// [`DecodeError`] when it is no JWT.
pub fn decode(token: &str) -> Result<DecodedToken, DecodeError> {
    let token = token.trim().trim_matches(['"', '\'']).trim();
    let token = match token.get(..7) {
        Some(start) if start.eq_ignore_ascii_case("bearer ") => token[7..].trim(),
        _ => token,
    };
    if token.len() > TOKEN_BYTES_MAX {
        return Err(DecodeError::TooLong);
    }
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, _signature] = parts[..] else {
        return Err(if parts.len() == 5 { DecodeError::Encrypted } else { DecodeError::NotAJwt });
    };
    let (header, raw) = (object(header)?, object(claims)?);
    let claims = Claims::of(&raw);
    Ok(DecodedToken { header, raw, claims })
}

impl DecodedToken {
    /// Graph puts a nonce into the header after signing, so that only Graph can check the signature.
    pub fn only_its_resource_can_verify(&self) -> bool {
        self.header.contains_key("nonce")
    }
}

impl Claims {
    fn of(raw: &Map<String, Value>) -> Self {
        let text = |names: &[&str]| names.iter().find_map(|name| raw.get(*name)?.as_str()).map(str::to_owned);
        let list = |name: &str| match raw.get(name) {
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Some(Value::String(item)) => vec![item.clone()],
            _ => Vec::new(),
        };
        let instant = |name: &str| {
            let seconds = match raw.get(name)? {
                Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|float| float as i64)),
                Value::String(text) => text.trim().parse().ok(),
                _ => None,
            };
            Timestamp::from_second(seconds?).ok()
        };
        let scopes: Vec<String> = list("scp");
        Self {
            version: text(&["ver"]),
            issuer: text(&["iss"]),
            audience: list("aud"),
            application: text(&["appid", "azp"]),
            application_name: text(&["app_displayname"]),
            tenant: text(&["tid"]),
            roles: list("roles"),
            scopes: scopes.iter().flat_map(|scope| scope.split_whitespace()).map(str::to_owned).collect(),
            object: text(&["oid"]),
            kind: text(&["idtyp"]),
            user: text(&["upn", "preferred_username", "unique_name", "email"]),
            proof: text(&["appidacr", "azpacr"]),
            issued_at: instant("iat"),
            not_before: instant("nbf"),
            expires_at: instant("exp"),
        }
    }

    /// Whether it was made for a person rather than for the app itself.
    pub fn is_delegated(&self) -> bool {
        !self.scopes.is_empty() || self.kind.as_deref() == Some("user")
    }
}

impl fmt::Display for Claims {
    /// Who, for what, until when: one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".to_owned());
        write!(f, "app {} in tenant {} for {}", known(&self.application), known(&self.tenant), self.audience.join(", "))
    }
}

fn object(part: &str) -> Result<Map<String, Value>, DecodeError> {
    let bytes = URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).map_err(|_| DecodeError::NotBase64)?;
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(DecodeError::NotJson),
    }
}

const TOKEN_BYTES_MAX: usize = 256 << 10;

#[cfg(test)]
mod tests;
