//! Compact JSON Web Tokens (RFC 7519): taken apart without trust, put together, and checked against RSA keys.

use aws_lc_rs::signature::{self, RsaPublicKeyComponents};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

/// A token taken apart. Nothing in it is believed until [`Jwt::signed_by`] said yes.
#[derive(Clone, Debug)]
pub(crate) struct Jwt {
    pub header: Map<String, Value>,
    pub claims: Map<String, Value>,
    /// `base64url(header).base64url(claims)`: what the signature covers.
    pub signing_input: String,
    pub signature: Vec<u8>,
}

/// An RSA public key as JWKS spells it: big-endian modulus and exponent.
#[derive(Clone, Debug)]
pub(crate) struct RsaPublic {
    pub modulus: Vec<u8>,
    pub exponent: Vec<u8>,
}

impl Jwt {
    /// `None` when the text is not three base64url parts whose first two are JSON objects.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (signing_input, signature) = text.trim().rsplit_once('.')?;
        let (header, claims) = signing_input.split_once('.')?;
        Some(Self {
            header: object(header)?,
            claims: object(claims)?,
            signing_input: signing_input.to_owned(),
            signature: decode_base64url(signature)?,
        })
    }

    pub(crate) fn header_text(&self, name: &str) -> Option<&str> {
        self.header.get(name)?.as_str()
    }

    pub(crate) fn claim_text(&self, name: &str) -> Option<&str> {
        self.claims.get(name)?.as_str()
    }

    /// Unix seconds; a fraction is cut, a number in quotes is read.
    pub(crate) fn claim_seconds(&self, name: &str) -> Option<i64> {
        match self.claims.get(name)? {
            Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|value| value as i64)),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// Whether `aud`, a text or a list, names one of the audiences that `accepts` takes.
    pub(crate) fn has_audience(&self, accepts: impl Fn(&str) -> bool) -> bool {
        match self.claims.get("aud") {
            Some(Value::String(audience)) => accepts(audience),
            Some(Value::Array(audiences)) => audiences.iter().filter_map(Value::as_str).any(accepts),
            _ => false,
        }
    }

    /// Checks the signature with the algorithm that the header names; only RS256 and PS256 can succeed.
    pub(crate) fn signed_by(&self, key: &RsaPublic) -> bool {
        verifies(self.header_text("alg"), key, self.signing_input.as_bytes(), &self.signature)
    }
}

/// RS256 is RSASSA-PKCS1-v1_5, PS256 is RSASSA-PSS (RFC 7518 section 3).
pub(crate) fn verifies(algorithm: Option<&str>, key: &RsaPublic, message: &[u8], signature_bytes: &[u8]) -> bool {
    let parameters = match algorithm {
        Some("RS256") => &signature::RSA_PKCS1_2048_8192_SHA256,
        Some("PS256") => &signature::RSA_PSS_2048_8192_SHA256,
        _ => return false,
    };
    let components = RsaPublicKeyComponents { n: key.modulus.as_slice(), e: key.exponent.as_slice() };
    components.verify(parameters, message, signature_bytes).is_ok()
}

pub(crate) fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn decode_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&decode_base64url(part)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,200}", parts in proptest::collection::vec("[A-Za-z0-9_=-]{0,40}", 0..5)) {
            let _ = Jwt::parse(&text);
            let _ = Jwt::parse(&parts.join("."));
        }
    }

    #[test]
    fn a_token_with_algorithm_none_is_signed_by_nobody() {
        let text = format!("{}.{}.", base64url(br#"{"alg":"none"}"#), base64url(br#"{"aud":["a","b"],"exp":"7"}"#));
        let token = Jwt::parse(&text).unwrap();
        assert!(!token.signed_by(&RsaPublic { modulus: vec![1; 256], exponent: vec![1, 0, 1] }));
        assert!(token.has_audience(|audience| audience == "b"));
        assert_eq!(token.claim_seconds("exp"), Some(7));
    }
}
