//! What the directory reads from a certificate.

use jiff::Timestamp;

/// The time range of a DER certificate.
pub(crate) fn validity(der: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    let range = certificate.validity();
    let at = |seconds: i64| Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
    Some((at(range.not_before.timestamp()), at(range.not_after.timestamp())))
}
