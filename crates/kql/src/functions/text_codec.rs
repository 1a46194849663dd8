//! Base64, percent encoding, hashes that need no library.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{
    Function, Kind, Returns,
    string::{items, text},
};
use crate::{
    dynamic::Dynamic,
    types::Type,
    value::{Cell, Value},
};

use Kind::{Any, Dyn, Str};

const TEXT: Returns = Returns::Is(Type::String);

pub(super) const FUNCTIONS: &[Function] = &[
    Function::cells("base64_encode_tostring", &[Str], TEXT, |_, cells| Value::text(BASE64.encode(text(cells, 0)))),
    Function::cells("base64_decode_tostring", &[Str], TEXT, |_, cells| {
        let decoded = BASE64.decode(text(cells, 0)).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        decoded.map_or(Value::text(""), Value::text)
    }),
    Function::cells("base64_decode_toarray", &[Str], Returns::Is(Type::Dynamic), |_, cells| {
        match base64::prelude::BASE64_STANDARD.decode(text(cells, 0)) {
            Ok(bytes) => {
                let numbers = bytes.into_iter().map(|byte| Dynamic::Long(i64::from(byte)));
                Value::Dynamic(Dynamic::array(numbers.collect()))
            }
            Err(_) => Value::Null,
        }
    }),
    Function::cells("base64_encode_fromarray", &[Dyn], TEXT, |_, cells| {
        let byte = |item: &Dynamic| item.scalar().as_i64().and_then(|value| u8::try_from(value).ok());
        let bytes: Option<Vec<u8>> = items(cells[0]).iter().map(byte).collect();
        bytes.map_or(Value::text(""), |bytes| Value::text(BASE64.encode(bytes)))
    }),
    Function::cells("base64_decode_toguid", &[Str], Returns::Is(Type::Guid), |_, cells| {
        let bytes = BASE64.decode(text(cells, 0)).ok().and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
        bytes.map_or(Value::Null, |bytes| Value::Guid(u128::from_be_bytes(swapped(bytes))))
    }),
    Function::cells("base64_encode_fromguid", &[Any], TEXT, |_, cells| {
        match super::convert_cell(cells[0], Type::Guid) {
            Value::Guid(bits) => Value::text(BASE64.encode(swapped(bits.to_be_bytes()))),
            _ => Value::text(""),
        }
    }),
    Function::cells("url_encode", &[Str], TEXT, |_, cells| {
        Value::text(utf8_percent_encode(text(cells, 0), ESCAPED).to_string())
    }),
    Function::cells("url_decode", &[Str], TEXT, |_, cells| {
        let plain = text(cells, 0).replace('+', " ");
        Value::text(percent_decode_str(&plain).decode_utf8_lossy())
    }),
    Function::cells("punycode_domain_from_string", &[Str], TEXT, |_, cells| {
        let labels: Option<Vec<_>> = text(cells, 0).split('.').map(unicode_label).collect();
        labels.map_or(Value::Null, |labels| Value::text(labels.join(".")))
    }),
    Function::cells("punycode_from_string", &[Str], TEXT, |_, cells| {
        from_punycode(text(cells, 0)).map_or(Value::Null, Value::text)
    }),
    Function::cells("format_bytes", &[Any, Any, Str], TEXT, |_, cells| format_bytes(cells)).least(1).named_by_first(),
];

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What RFC 3986 leaves alone stays as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A GUID's bytes as Windows lays them out: its first three fields are little-endian.
fn swapped(mut bytes: [u8; 16]) -> [u8; 16] {
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    bytes
}

fn unicode_label(label: &str) -> Option<String> {
    match label.strip_prefix("xn--") {
        Some(encoded) => from_punycode(encoded),
        None => Some(label.to_owned()),
    }
}

/// RFC 3492, section 6.2.
fn from_punycode(encoded: &str) -> Option<String> {
    let (base, digits) = encoded.rsplit_once('-').unwrap_or(("", encoded));
    let mut output: Vec<char> = base.chars().collect();
    let (mut code, mut at, mut bias) = (128_u32, 0_u32, 72_u32);
    let mut digits = digits.bytes().peekable();
    while digits.peek().is_some() {
        let before = at;
        let mut weight = 1_u32;
        for step in (36_u32..).step_by(36) {
            let digit = match digits.next()? {
                byte @ b'a'..=b'z' => byte - b'a',
                byte @ b'A'..=b'Z' => byte - b'A',
                byte @ b'0'..=b'9' => byte - b'0' + 26,
                _ => return None,
            };
            at = at.checked_add(u32::from(digit).checked_mul(weight)?)?;
            let threshold = if step <= bias { 1 } else { (step - bias).min(26) };
            if u32::from(digit) < threshold {
                break;
            }
            weight = weight.checked_mul(36 - threshold)?;
        }
        let count = u32::try_from(output.len()).ok()? + 1;
        bias = adapted(at - before, count, before == 0);
        code = code.checked_add(at / count)?;
        at %= count;
        output.insert(usize::try_from(at).ok()?, char::from_u32(code)?);
        at += 1;
    }
    Some(output.into_iter().collect())
}

fn adapted(delta: u32, count: u32, first: bool) -> u32 {
    let mut delta = if first { delta / 700 } else { delta / 2 };
    delta += delta / count;
    let mut bias = 0;
    while delta > 455 {
        delta /= 35;
        bias += 36;
    }
    bias + 36 * delta / (delta + 38)
}

fn format_bytes(cells: &[Cell<'_>]) -> Value {
    const UNITS: [&str; 7] = ["Bytes", "KB", "MB", "GB", "TB", "PB", "EB"];
    let Some(mut value) = cells[0].as_f64() else { return Value::Null };
    let digits = cells.get(1).and_then(|cell| cell.as_i64()).and_then(|digits| i32::try_from(digits).ok()).unwrap_or(0);
    let wanted = cells.get(2).and_then(|unit| unit.as_str());
    let mut unit = 0;
    while unit + 1 < UNITS.len() && wanted.map_or(value.abs() >= 1024.0, |wanted| UNITS[unit] != wanted) {
        value /= 1024.0;
        unit += 1;
    }
    let scale = 10_f64.powi(digits.clamp(0, 15));
    Value::text(format!("{} {}", (value * scale).round() / scale, UNITS[unit]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn punycode_by_the_samples_of_the_rfc() {
        assert_eq!(from_punycode("ihqwcrb4cv8a8dqg056pqjye").unwrap(), "他们为什么不说中文");
        assert_eq!(from_punycode("---9a!"), None);
    }
}
