//! What proves the sender of a request: an HMAC over time and body, or the secret itself. Compared in constant time.
//!
//! A signature over the body alone, as some services send it, is not taken: whoever has seen such a request once can send it
//! for ever. What cannot sign the time as well proves itself by the token, over TLS.

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, header};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use sortie_model::Secret;

use crate::Problem;

/// What a request proves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Proof {
    /// That its sender has the secret, time and body being what was signed: the signature.
    pub signed: Option<[u8; 32]>,
    /// That its sender has the secret.
    pub token: bool,
}

/// Judges a request by the secrets that prove its sender. It takes as long for none of them as for two; what it takes depends
/// on the request alone.
pub(crate) fn prove(headers: &HeaderMap, body: &[u8], secrets: &[Secret]) -> Proof {
    let signature = text(headers, SIGNATURE).and_then(unhex);
    let timestamp = text(headers, TIMESTAMP).unwrap_or_default();
    let token = text(headers, TOKEN).or_else(|| bearer(headers));
    let nobody = Secret::new("nobody has this one");
    let mut proof = Proof::default();
    for at in 0..SECRETS {
        let (secret, is_one) = secrets.get(at).map_or((&nobody, false), |secret| (secret, true));
        let signed =
            signature.is_some_and(|signature| signed_by(secret, timestamp, body).verify_slice(&signature).is_ok());
        let is_token = token.is_some_and(|token| is_same(token, secret.expose()));
        if is_one && signed {
            proof.signed = signature;
        }
        proof.token |= is_one && is_token;
    }
    proof
}

/// Whether the time that a request names is near enough to ours; one that names none is judged by what it proves.
///
/// # Errors
/// A [`Problem`] that says how far it is away. It depends on nothing but the header.
pub(crate) fn timely(headers: &HeaderMap, now: Timestamp) -> Result<(), Problem> {
    let Some(value) = headers.get(TIMESTAMP) else { return Ok(()) };
    let at = value.to_str().ok().and_then(|text| text.parse().ok()).and_then(|at| Timestamp::from_second(at).ok());
    let Some(at) = at else {
        return Err(Problem::request(format!("`{TIMESTAMP}` is no time"), "Send seconds since 1970, in digits."));
    };
    let away = now.duration_since(at).abs();
    if away <= WINDOW {
        return Ok(());
    }
    let detail = format!("`{TIMESTAMP}` is {} seconds away from this server's clock", away.as_secs());
    Err(Problem::request(detail, "Set the sender's clock, and sign when you send."))
}

/// The signature of a body at a time, as the header carries it. Senders sign so.
pub fn signature(secret: &Secret, timestamp: i64, body: &[u8]) -> String {
    let mac = signed_by(secret, &timestamp.to_string(), body).finalize().into_bytes();
    let digits: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{SCHEME}{digits}")
}

fn signed_by(secret: &Secret, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).expect("a key may have any length");
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

/// By digests: how long it takes tells nothing of the texts.
fn is_same(a: &str, b: &str) -> bool {
    let (a, b) = (Sha256::digest(a.as_bytes()), Sha256::digest(b.as_bytes()));
    a.iter().zip(b.iter()).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits = text.strip_prefix(SCHEME).filter(|digits| digits.len() == 64 && digits.is_ascii())?;
    let mut bytes = [0; 32];
    for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&digits[at..at + 2], 16).ok()?;
    }
    Some(bytes)
}

pub(crate) const SIGNATURE: &str = "x-sortie-signature";
pub(crate) const TIMESTAMP: &str = "x-sortie-timestamp";
pub(crate) const TOKEN: &str = "x-sortie-token";
const SCHEME: &str = "sha256=";
/// The present secret and the one before it.
const SECRETS: usize = 2;
const WINDOW: SignedDuration = SignedDuration::from_mins(5);

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(rows: &[(&'static str, &str)]) -> HeaderMap {
        rows.iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    /// Computed with `openssl dgst -sha256 -hmac topsecret` over `1764486000.{"a":1}`.
    const KNOWN: &str = "sha256=3e4c2aba6317c64818ef642c09458d80049e4b4b6bb45a2106d9238eded05aa6";

    #[test]
    fn a_signature_is_what_other_programs_compute() {
        assert_eq!(signature(&Secret::new("topsecret"), 1_764_486_000, br#"{"a":1}"#), KNOWN);
    }

    #[test]
    fn time_and_body_are_signed_and_any_living_secret_proves() {
        let (new, old) = (Secret::new("new"), Secret::new("old"));
        let both = [new.clone(), old.clone()];
        let check = |secret: &Secret, timestamp: &str, body: &[u8], secrets: &[Secret]| {
            let signed = signature(secret, 1_000, b"body");
            prove(&headers(&[(SIGNATURE, &signed), (TIMESTAMP, timestamp)]), body, secrets).signed.is_some()
        };
        assert!(check(&new, "1000", b"body", &both) && check(&old, "1000", b"body", &both));
        assert!(!check(&new, "1001", b"body", &both) && !check(&new, "1000", b"Body", &both));
        assert!(!check(&old, "1000", b"body", &both[..1]) && !check(&new, "1000", b"body", &[]));
        assert!(
            !check(&Secret::new("nobody has this one"), "1000", b"body", &[]),
            "what stands in for none proves nothing"
        );
        assert!(prove(&headers(&[(TOKEN, "old")]), b"", &both).token);
        assert!(prove(&headers(&[("authorization", "bearer new")]), b"", &both).token);
        assert!(!prove(&headers(&[(TOKEN, "nobody has this one")]), b"", &[]).token);
        assert_eq!(prove(&headers(&[(TOKEN, "ne")]), b"", &both), Proof::default());
        for broken in ["sha256=", "sha1=00", "sha256=zz", &format!("sha256={}", "ü".repeat(32))] {
            let mut map = headers(&[(TIMESTAMP, "1000")]);
            map.insert(SIGNATURE, HeaderValue::from_bytes(broken.as_bytes()).unwrap());
            assert_eq!(prove(&map, b"body", &both).signed, None, "{broken}");
        }
    }

    #[test]
    fn five_minutes_on_either_side_are_near_enough() {
        let now = Timestamp::from_second(10_000).unwrap();
        for (at, is_timely) in
            [("10300", true), ("9700", true), ("10301", false), ("9699", false), ("soon", false), ("", false)]
        {
            assert_eq!(timely(&headers(&[(TIMESTAMP, at)]), now).is_ok(), is_timely, "{at}");
        }
        assert!(timely(&HeaderMap::new(), now).is_ok());
    }
}
