//! Tokens as people paste them.

use proptest::prelude::*;

use super::*;
use crate::audience::Audience;

fn token(header: &str, claims: &str) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.c2ln", part(header), part(claims))
}

fn claims(extra: &str) -> DecodedToken {
    let text =
        format!(r#"{{"aud":"https://api.security.microsoft.com/","tid":"t","iat":1000,"nbf":1000,"exp":4600{extra}}}"#);
    decode(&token(r#"{"alg":"RS256"}"#, &text)).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[track_caller]
fn check(token: &DecodedToken, wanted: &Wanted<'_>, expected: &[&str]) {
    let found: Vec<String> = diagnose(token, wanted)
        .iter()
        .map(|finding| {
            assert!(!finding.to_string().is_empty() && finding.remedy().ends_with('.'));
            format!("{finding:?}").split([' ', '(']).next().unwrap().to_owned()
        })
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn v1_and_v2_names_come_together() {
    let v1 = claims(r#","ver":"1.0","appid":"a","appidacr":"1","roles":["R"],"idtyp":"app""#).claims;
    let v2 = claims(r#","ver":"2.0","azp":"a","azpacr":"1","roles":["R"]"#).claims;
    for claims in [v1, v2] {
        assert_eq!((claims.application.as_deref(), claims.proof.as_deref()), (Some("a"), Some("1")));
        assert_eq!(claims.roles, ["R"]);
        assert_eq!(claims.expires_at, Some(at(4600)));
    }
}

#[test]
fn pasted_tokens_are_read_and_others_are_named() {
    let plain = token("{}", r#"{"exp":"4600","aud":["a","b"],"scp":"x y"}"#);
    for pasted in [plain.clone(), format!(" Bearer {plain}\n"), format!("\"{plain}\""), format!("bearer  {plain}")] {
        let claims = decode(&pasted).unwrap().claims;
        assert_eq!((claims.scopes.len(), claims.audience.len(), claims.expires_at), (2, 2, Some(at(4600))), "{pasted}");
    }
    assert_eq!(decode("opaque").unwrap_err(), DecodeError::NotAJwt);
    assert_eq!(decode("a.b.c.d.e").unwrap_err(), DecodeError::Encrypted);
    assert_eq!(decode("!.!.!").unwrap_err(), DecodeError::NotBase64);
    assert_eq!(decode("eyJ0...").unwrap_err(), DecodeError::NotAJwt);
    assert_eq!(decode(&token("[]", "{}")).unwrap_err(), DecodeError::NotJson);
    assert_eq!(decode(&"x".repeat(TOKEN_BYTES_MAX + 1)).unwrap_err(), DecodeError::TooLong);
}

#[test]
fn a_fitting_token_gives_no_finding() {
    let token = claims(r#","roles":["Incident.ReadWrite.All"]"#);
    let wanted =
        Wanted { audience: Some(&Audience::Xdr), roles: &["Incident.Read.All"], now: at(2000), ..Wanted::default() };
    check(&token, &wanted, &[]);
}

#[test]
fn each_mistake_is_named() {
    let wanted =
        Wanted { audience: Some(&Audience::Xdr), roles: &["Incident.Read.All"], now: at(2000), ..Wanted::default() };
    check(&claims(r#","scp":"User.Read","upn":"a@b""#), &wanted, &["DelegatedToken"]);
    check(&claims(r#","roles":["Other.All"]"#), &wanted, &["MissingRoles", "ExcessRoles"]);
    let readable = claims(r#","roles":["Incident.Read.All"]"#);
    check(&readable, &Wanted { audience: Some(&Audience::Graph), ..wanted.clone() }, &["WrongAudience"]);
    check(&readable, &Wanted { now: at(4600), ..wanted.clone() }, &["Expired"]);
    check(&readable, &Wanted { now: at(699), ..wanted.clone() }, &["NotYetValid"]);
    check(&readable, &Wanted { now: at(700), ..wanted.clone() }, &[]);
    check(&readable, &Wanted { roles: &["Incident.ReadWrite.All"], ..wanted }, &["MissingRoles", "ExcessRoles"]);
}

#[test]
fn a_token_without_roles_is_explained_as_far_as_the_directory_tells() {
    let token = claims("");
    let with = |declared, granted_at| Wanted {
        now: at(2000),
        record: RoleRecord { declared, granted_at },
        ..Wanted::default()
    };
    check(&token, &with(None, None), &["NoRoles"]);
    check(&token, &with(Some(false), None), &["NothingGranted"]);
    check(&token, &with(Some(true), Some(None)), &["NotConsented"]);
    check(&token, &with(Some(true), Some(Some(at(1500)))), &["OlderThanGrant"]);
    check(&token, &with(Some(true), Some(Some(at(990)))), &["NoRoles"]);
    let fresh = Wanted { now: at(1100), ..with(Some(true), Some(Some(at(990)))) };
    check(&token, &fresh, &["GrantedJustNow"]);
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _ = decode(&text);
    }

    #[test]
    fn no_json_in_a_token_panics(
        name in "(aud|exp|nbf|roles|scp|tid|ver|nonce)",
        value in "(null|true|-?[1-9][0-9]{0,21}(\\.[0-9]{1,5})?|\"[a-z. 0-9]{0,9}\"|\\[\\]|\\[\"a\",1,null\\]|\\{\\})",
    ) {
        let decoded = decode(&token("{}", &format!("{{\"{name}\":{value}}}"))).unwrap();
        let wanted = Wanted { audience: Some(&Audience::Xdr), roles: &["R"], now: at(2000), ..Wanted::default() };
        let _ = diagnose(&decoded, &wanted);
    }
}
