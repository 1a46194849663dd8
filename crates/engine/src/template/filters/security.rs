//! Filters for what analysts look at: indicators, networks, times, and texts of the query language.

use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    super::{
        error::Fail,
        machine::Machine,
        value::{Num, Val},
    },
    Filter,
    data::{called, of_text, run},
    filter, given, needed, needed_text, optional, text, text_or,
};

type Arguments<'v, 'a> = &'v [Option<Val<'a>>];
type Answer<'a> = Result<Val<'a>, Fail>;

pub(super) const FILTERS: &[Filter] = &[
    filter("ago", &[], ago),
    filter("cidr_contains", &[needed("address")], |machine, value, arguments| {
        let address = needed_text(arguments, 0, "address")?;
        let networks = machine.owned(value)?;
        called(machine, "cidr-contains", json!({ "address": address, "networks": networks }))
    }),
    filter("defang", &[], |machine, value, _| called(machine, "defang", of_text(bounded(text(value)?)?))),
    filter("format_time", &[optional("as"), optional("zone")], format_time),
    filter("iocs", &[], |machine, value, _| called(machine, "iocs", of_text(bounded(text(value)?)?))),
    filter("is_private_ip", &[], is_private_ip),
    filter("kql_quote", &[], |machine, value, _| {
        let quoted = kql_quoted(text(value)?);
        machine.made(quoted)
    }),
    filter("parse_time", &[optional("format"), optional("zone")], parse_time),
    filter("refang", &[], |machine, value, _| called(machine, "refang", of_text(bounded(text(value)?)?))),
];

/// Extraction reads a text many times over; its size bounds the time.
fn bounded(text: &str) -> Result<&str, Fail> {
    if text.len() > READ_BYTES_MAX {
        let what = format!("the text has {} bytes, {READ_BYTES_MAX} are read at most", text.len());
        return Err(Fail::budget(what).next("take a part of it, or use the operation of the connector `data`"));
    }
    Ok(text)
}

/// So long before the run's event time.
pub(in super::super) fn ago<'a>(machine: &mut Machine<'a>, value: &Val<'a>, _: Arguments<'_, 'a>) -> Answer<'a> {
    let duration = text(value)?.trim();
    let wrong = |why: &str| Fail::data(format!("the duration {why}")).next("write it as '24h', '7d' or '2h30m'");
    if duration.is_empty() || duration.len() > DURATION_BYTES_MAX {
        return Err(wrong("is empty or too long"));
    }
    let is_turned = duration.starts_with('-') || duration.contains("ago");
    let span: jiff::Span = duration.parse().ok().filter(|_| !is_turned).ok_or_else(|| wrong("cannot be read"))?;
    // Days have 24 hours and weeks 7 days here: the event time has no zone. Months have no length.
    let length = span
        .to_duration(jiff::SpanRelativeTo::days_are_24_hours())
        .map_err(|_| wrong("has months or years, which have no fixed length"))?;
    let moment = machine.scope.now().checked_sub(length).map_err(|_| wrong("leads beyond the years that exist"))?;
    Ok(Val::Text(moment.to_string().into()))
}

fn is_private_ip<'a>(machine: &mut Machine<'a>, value: &Val<'a>, _: Arguments<'_, 'a>) -> Answer<'a> {
    let address = text(value)?.trim();
    if address.parse::<IpAddr>().is_err() {
        return Err(Fail::data("the text is no IP address").next("write it as 10.1.2.3 or fd00::1, without a port"));
    }
    let parts = run(machine, "cidr-parse", json!({ "network": address }))?;
    Ok(Val::Bool(parts["private"] == Value::Bool(true)))
}

/// Seconds since 1970, so that moments can be compared and counted with whatever form they came in.
fn parse_time<'a>(machine: &mut Machine<'a>, value: &Val<'a>, arguments: Arguments<'_, 'a>) -> Answer<'a> {
    let inputs = timed(machine, value, &[("format", given(arguments, 0)), ("zone", given(arguments, 1))])?;
    let parts = run(machine, "date-parse", inputs)?;
    let moment = parts["utc"].as_str().and_then(|utc| utc.parse::<Timestamp>().ok());
    let moment = moment.ok_or_else(|| Fail::data("the date cannot be read"))?;
    let number = if moment.subsec_nanosecond() == 0 {
        Num::Whole(moment.as_second().into())
    } else {
        Num::Fraction(moment.as_duration().as_secs_f64())
    };
    number.val().ok_or_else(|| Fail::data("the date cannot be read"))
}

fn format_time<'a>(machine: &mut Machine<'a>, value: &Val<'a>, arguments: Arguments<'_, 'a>) -> Answer<'a> {
    let mut inputs = timed(machine, value, &[("zone", given(arguments, 1))])?;
    inputs["as"] = text_or(arguments, 0, "as", "%Y-%m-%dT%H:%M:%S%:z")?.into();
    called(machine, "date-format", inputs)
}

/// A date as the operations on dates take it, with what is given beside it.
fn timed<'a>(machine: &mut Machine<'a>, value: &Val<'a>, beside: &[(&str, Option<&Val<'a>>)]) -> Result<Value, Fail> {
    if value.text().is_none() && value.number().is_none() {
        return Err(Fail::data(format!("a date is a text or a number, and this is {}", value.kind())));
    }
    if value.text() == Some("now") {
        return Err(Fail::data("the text says `now`, which is no date").next("write `now` without quotes"));
    }
    let mut inputs = json!({ "date": machine.owned(value)? });
    for (key, value) in beside {
        if let Some(value) = value {
            inputs[*key] = machine.owned(value)?;
        }
    }
    Ok(inputs)
}

/// A text literal of the query language that nothing can leave: what ends or escapes a literal, and all that is not printed,
/// is escaped.
fn kql_quoted(text: &str) -> String {
    use std::fmt::Write as _;
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            // Some readers take these for line ends as well.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                write!(quoted, "\\u{:04x}", u32::from(c)).expect("writing to a text cannot fail");
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

const READ_BYTES_MAX: usize = 256 << 10;
const DURATION_BYTES_MAX: usize = 100;
