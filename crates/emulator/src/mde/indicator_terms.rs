//! Reads what a caller says of an indicator, and says why it is refused (the sentences are ours, G).

use serde_json::{Map, Value};

use super::observables::is_domain;
use crate::world::{IndicatorTerms, Ticks};

/// Why an indicator is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TermsError {
    #[error("Request body is incorrect: '{0}' is not expected")]
    Unknown(String),
    #[error("Request body is incorrect: the type of '{0}' does not fit")]
    WrongType(&'static str),
    #[error("Required parameter '{0}' is missing")]
    Missing(&'static str),
    #[error("The value of '{0}' is not valid")]
    Invalid(&'static str),
    #[error("'{0}' is not a hash of the given type")]
    Hash(String),
    #[error("'{0}' is not an IP address; ranges are not supported")]
    Address(String),
    #[error("'{0}' is not a domain name")]
    Domain(String),
    #[error("'{0}' is not an http or https URL")]
    Url(String),
    #[error("The action Audit needs generateAlert to be true")]
    SilentAudit,
    #[error("educateUrl goes with the action Warn or Block on a URL, domain or IP address")]
    Educate,
}

impl TermsError {
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Unknown(_) | Self::WrongType(_) => "InvalidRequestBody",
            Self::Missing(_) => "MissingRequiredParameter",
            Self::Invalid(_) | Self::SilentAudit | Self::Educate => "InvalidInput",
            Self::Hash(_) => "InvalidHashValue",
            Self::Address(_) => "InvalidIpAddress",
            Self::Domain(_) => "InvalidDomainName",
            Self::Url(_) => "InvalidUrl",
        }
    }
}

pub(super) fn read_terms(fields: &Map<String, Value>, now: Ticks) -> Result<IndicatorTerms, TermsError> {
    if let Some(name) = fields.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(TermsError::Unknown(name.clone()));
    }
    let required = |name: &'static str| text(fields, name)?.ok_or(TermsError::Missing(name));
    let kind = word(KINDS, &required("indicatorType")?).ok_or(TermsError::Invalid("indicatorType"))?;
    let value = required("indicatorValue")?;
    check_value(kind, &value)?;
    let action = word(ACTIONS, &required("action")?).ok_or(TermsError::Invalid("action"))?;
    let generate_alert = flag(fields, "generateAlert")?;
    if action == "Audit" && !generate_alert {
        return Err(TermsError::SilentAudit);
    }
    let educate_url = text(fields, "educateUrl")?;
    let is_network = matches!(kind, "Url" | "DomainName" | "IpAddress");
    if educate_url.is_some() && !(is_network && matches!(action, "Block" | "Warn")) {
        return Err(TermsError::Educate);
    }
    let severity = text(fields, "severity")?
        .map_or(Ok("Informational"), |severity| word(SEVERITIES, &severity).ok_or(TermsError::Invalid("severity")))?;
    Ok(IndicatorTerms {
        value,
        kind,
        action,
        title: required("title")?,
        description: required("description")?,
        application: text(fields, "application")?,
        expires: expiry(fields, now)?,
        severity,
        recommended: text(fields, "recommendedActions")?,
        groups: groups(fields)?,
        educate_url,
        generate_alert,
        external_id: text(fields, "externalID")?.or(text(fields, "externalId")?),
    })
}

fn text(fields: &Map<String, Value>, name: &'static str) -> Result<Option<String>, TermsError> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
        Some(_) => Err(TermsError::WrongType(name)),
    }
}

/// The page prints an enumeration of True and False; clients send booleans.
fn flag(fields: &Map<String, Value>, name: &'static str) -> Result<bool, TermsError> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(is)) => Ok(*is),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(true),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(false),
        Some(_) => Err(TermsError::WrongType(name)),
    }
}

/// The table says a text with commas, the example is a list.
fn groups(fields: &Map<String, Value>) -> Result<Vec<String>, TermsError> {
    match fields.get("rbacGroupNames") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) => {
            Ok(text.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect())
        }
        Some(list) => serde_json::from_value(list.clone()).map_err(|_| TermsError::WrongType("rbacGroupNames")),
    }
}

fn expiry(fields: &Map<String, Value>, now: Ticks) -> Result<Option<Ticks>, TermsError> {
    let invalid = TermsError::Invalid("expirationTime");
    let Some(text) = text(fields, "expirationTime")? else { return Ok(None) };
    let at: jiff::Timestamp = text.parse().map_err(|_| invalid.clone())?;
    let at = Ticks::from(at);
    if at > now { Ok(Some(at)) } else { Err(invalid) }
}

fn check_value(kind: &str, value: &str) -> Result<(), TermsError> {
    let is_hex = |length: usize| value.len() == length && value.bytes().all(|digit| digit.is_ascii_hexdigit());
    let hash = |length: usize| is_hex(length).then_some(()).ok_or_else(|| TermsError::Hash(value.to_owned()));
    match kind {
        "FileSha1" | "CertificateThumbprint" => hash(40),
        "FileSha256" => hash(64),
        "FileMd5" => hash(32),
        "IpAddress" => value.parse::<std::net::IpAddr>().map(|_| ()).map_err(|_| TermsError::Address(value.to_owned())),
        "DomainName" if is_domain(value) => Ok(()),
        "DomainName" => Err(TermsError::Domain(value.to_owned())),
        _ => {
            let is_web = |url: &url::Url| matches!(url.scheme(), "http" | "https") && url.has_host();
            let url = url::Url::parse(value).ok().filter(is_web);
            url.map(|_| ()).ok_or_else(|| TermsError::Url(value.to_owned()))
        }
    }
}

fn word(words: &[&'static str], text: &str) -> Option<&'static str> {
    words.iter().find(|word| word.eq_ignore_ascii_case(text)).copied()
}

pub(super) const KINDS: &[&str] =
    &["FileSha1", "FileSha256", "FileMd5", "CertificateThumbprint", "IpAddress", "DomainName", "Url"];
/// `Alert` and `AlertAndBlock` were kept until January 2022, and are still in the enumeration of the page.
pub(super) const ACTIONS: &[&str] =
    &["Warn", "Block", "Audit", "Alert", "AlertAndBlock", "BlockAndRemediate", "Allowed"];
pub(super) const SEVERITIES: &[&str] = &["Informational", "Low", "Medium", "High"];
const KNOWN: &[&str] = &[
    "indicatorValue",
    "indicatorType",
    "action",
    "title",
    "description",
    "application",
    "expirationTime",
    "severity",
    "recommendedActions",
    "rbacGroupNames",
    "rbacGroupIds",
    "educateUrl",
    "generateAlert",
    "externalID",
    "externalId",
];
