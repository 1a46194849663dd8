//! Pasted tokens: decoded and diagnosed without a panic, whatever their parts hold.
#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use sortie_identity::{
    Audience,
    inspect::{RoleRecord, Wanted, decode, diagnose},
};

fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input);
    look_at(&text);
    // The input as the claims of a token, so that the fuzzer needs no base64 of its own to get past the first door.
    look_at(&format!("eyJhbGciOiJSUzI1NiJ9.{}.c2ln", base64url(input)));
});

fn look_at(token: &str) {
    let Ok(decoded) = decode(token) else { return };
    let _ = (decoded.only_its_resource_can_verify(), decoded.claims.is_delegated(), decoded.claims.to_string());
    for audience in [None, Some(&Audience::Graph), Some(&Audience::Xdr)] {
        for granted_at in [None, Some(None), Some(Some(Timestamp::UNIX_EPOCH))] {
            let record = RoleRecord { declared: Some(granted_at.is_some()), granted_at };
            let wanted = Wanted { audience, roles: &["Incident.Read.All"], now: Timestamp::UNIX_EPOCH, record };
            for finding in diagnose(&decoded, &wanted) {
                let _ = (finding.is_mistake(), finding.remedy(), finding.to_string());
            }
        }
    }
}

/// RFC 4648 section 5 without padding; a crate for three lines would be one more thing to build.
fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len() * 4 / 3 + 2);
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, at| (bits << 8) | u32::from(chunk.get(at).copied().unwrap_or(0)));
        for at in 0..=chunk.len() {
            text.push(char::from(LETTERS[(bits >> (18 - 6 * at)) as usize & 63]));
        }
    }
    text
}
