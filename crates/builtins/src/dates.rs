//! Dates: read in the forms that products write them, add, compare, write in any zone.

use jiff::{Span, SpanRelativeTo, Timestamp, Zoned, civil, fmt::rfc2822, tz::TimeZone};
use serde_json::{Value, json};

use crate::{
    inputs::{DataError, Inputs, wrong},
    table::{
        Input,
        Kind::{Any, OneOf, Text},
        Operation, needed, optional,
    },
};

const DATE: Input = needed("date", Any, "A date in any common form, seconds or milliseconds since 1970, or `now`");
const ZONE: Input = optional("zone", Text, "Time zone such as Europe/Berlin; UTC unless given");
const FORMAT: Input = optional("format", Text, "As strptime and strftime have it, such as %d.%m.%Y %H:%M");

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation {
        id: "date-parse",
        title: "Read a date",
        about: "The moment as `utc`, `local` in the zone, `epoch_s` and `epoch_ms`, with its parts.",
        inputs: &[DATE, FORMAT, ZONE],
        example: r#"{"date":"2024-03-01 12:00:00"}"#,
        run: |inputs| Ok(told(&date("date", inputs)?)),
    },
    Operation {
        id: "date-now",
        title: "The present moment",
        about: "The moment of the call, as date-parse gives it.",
        inputs: &[ZONE],
        example: "{}",
        run: |inputs| Ok(told(&inputs.now.to_zoned(zone(inputs)?))),
    },
    Operation {
        id: "date-add",
        title: "Add to a date",
        about: "The moment so much later, or earlier, as date-parse gives it.",
        inputs: &[DATE, needed("duration", Text, "Such as 2h30m, -7d, 1mo or P1DT2H"), FORMAT, ZONE],
        example: r#"{"date":"2024-03-01T12:00:00Z","duration":"-7d"}"#,
        run: add,
    },
    Operation {
        id: "date-difference",
        title: "Time between two dates",
        about: "How much later the second date is, in the unit and in words; negative when it is earlier.",
        inputs: &[
            DATE,
            needed("other", Any, "The second date, in the same forms"),
            optional("unit", OneOf(&["seconds", "minutes", "hours", "days"]), "Seconds unless given"),
            FORMAT,
            ZONE,
        ],
        example: r#"{"date":"2024-03-01","other":"2024-03-02","unit":"hours"}"#,
        run: difference,
    },
    Operation {
        id: "date-format",
        title: "Write a date",
        about: "The moment as text, in the zone and in the form that is asked for.",
        inputs: &[DATE, needed("as", Text, "As strftime has it, such as %Y-%m-%d %H:%M %Z"), FORMAT, ZONE],
        example: r#"{"date":"2024-03-01T12:00:00Z","as":"%d.%m.%Y","zone":"Europe/Berlin"}"#,
        run: write,
    },
];

fn zone(inputs: &Inputs<'_>) -> Result<TimeZone, DataError> {
    let name = inputs.text_or("zone", "UTC")?;
    let fixed = || name.parse::<civil::DateTime>().err().and_then(|_| TimeZone::get(name).ok());
    fixed().ok_or_else(|| wrong("zone", "is no time zone; write it as Europe/Berlin or UTC"))
}

fn date(key: &'static str, inputs: &Inputs<'_>) -> Result<Zoned, DataError> {
    let zone = zone(inputs)?;
    let none = || wrong(key, "is no date that can be read; write it as 2024-03-01T12:00:00Z, or say its `format`");
    match inputs.any(key)? {
        Value::Number(number) => {
            let number = number.as_f64().ok_or_else(none)?;
            epoch(number).map(|moment| moment.to_zoned(zone)).ok_or_else(none)
        }
        Value::String(text) if text.len() <= DATE_BYTES_MAX => {
            let text = text.trim();
            if text == "now" {
                return Ok(inputs.now.to_zoned(zone));
            }
            let found = match inputs.text_or_none("format")? {
                Some(format) => by_format(text, format, &zone)
                    .map_err(|error| wrong(key, format!("does not fit the format: {error}")))?,
                None => read(text, &zone).ok_or_else(none)?,
            };
            Ok(found.with_time_zone(zone))
        }
        _ => Err(none()),
    }
}

fn by_format(text: &str, format: &str, zone: &TimeZone) -> Result<Zoned, jiff::Error> {
    let parts = jiff::fmt::strtime::parse(format, text)?;
    if let Ok(moment) = parts.to_timestamp() {
        return Ok(moment.to_zoned(zone.clone()));
    }
    let day = parts.to_date()?;
    let has_time = parts.hour().is_some() || parts.minute().is_some() || parts.second().is_some();
    let time = if has_time { parts.to_time()? } else { civil::Time::midnight() };
    day.to_datetime(time).to_zoned(zone.clone())
}

/// The forms that products write, from the strictest on. A date without a zone is one of the zone that is asked for.
fn read(text: &str, zone: &TimeZone) -> Option<Zoned> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment.to_zoned(zone.clone()));
    }
    if let Ok(zoned) = text.parse::<Zoned>().or_else(|_| rfc2822::parse(text)) {
        return Some(zoned);
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
    if let (true, Ok(number)) = (is_number && text.len() >= 9, text.parse::<f64>()) {
        return Some(epoch(number)?.to_zoned(zone.clone()));
    }
    if let Ok(local) = text.parse::<civil::DateTime>() {
        return local.to_zoned(zone.clone()).ok();
    }
    FORMS.iter().find_map(|form| by_format(text, form, zone).ok())
}

/// Seconds, or milliseconds, microseconds, nanoseconds by their size.
fn epoch(number: f64) -> Option<Timestamp> {
    let divisor = match number.abs() {
        size if size < 1e11 => 1.0,
        size if size < 1e14 => 1e3,
        size if size < 1e17 => 1e6,
        _ => 1e9,
    };
    let microseconds = (number / divisor * 1e6).round();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "jiff refuses what is out of its range, and the cast saturates"
    )]
    let microseconds = microseconds as i64;
    Timestamp::from_microsecond(microseconds).ok()
}

fn told(zoned: &Zoned) -> Value {
    let moment = zoned.timestamp();
    json!({
        "utc": moment.to_string(),
        "local": zoned.strftime("%Y-%m-%dT%H:%M:%S%.f%:z").to_string(),
        "zone": zoned.time_zone().iana_name(),
        "epoch_s": moment.as_second(),
        "epoch_ms": moment.as_millisecond(),
        "date": zoned.date().to_string(),
        "time": zoned.time().to_string(),
        "weekday": zoned.strftime("%A").to_string(),
    })
}

fn add(inputs: &Inputs<'_>) -> Result<Value, DataError> {
    let (date, text) = (date("date", inputs)?, inputs.text("duration")?);
    let span: Span = Some(text)
        .filter(|text| text.len() <= DATE_BYTES_MAX)
        .and_then(|text| text.trim().parse().ok())
        .ok_or_else(|| wrong("duration", "is no duration; write it as 2h30m, -7d or P1DT2H"))?;
    let sum = date.checked_add(span).map_err(|_| wrong("duration", "leads beyond the years that exist"))?;
    Ok(told(&sum))
}

fn difference(inputs: &Inputs<'_>) -> Result<Value, DataError> {
    let (from, to) = (date("date", inputs)?, date("other", inputs)?);
    let seconds = to.timestamp().duration_since(from.timestamp()).as_secs_f64();
    let divisor = match inputs.text_or("unit", "seconds")? {
        "seconds" => 1.0,
        "minutes" => 60.0,
        "hours" => 3_600.0,
        "days" => 86_400.0,
        _ => return Err(wrong("unit", "is none of seconds, minutes, hours and days")),
    };
    let span = from.until((jiff::Unit::Day, &to)).map_err(|_| wrong("other", "is too far from the first date"))?;
    // A whole number stays one, so that it can be counted with.
    let difference = seconds / divisor;
    let is_whole = difference.fract() == 0.0 && difference.abs() < 9e15;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and small")]
    let value = if is_whole { json!(difference as i64) } else { json!(difference) };
    let is_negative = span.total((jiff::Unit::Second, SpanRelativeTo::from(&from))).is_ok_and(|total| total < 0.0);
    Ok(json!({ "difference": value, "duration": format!("{span:#}"), "earlier": is_negative }))
}

fn write(inputs: &Inputs<'_>) -> Result<Value, DataError> {
    let (date, form) = (date("date", inputs)?, inputs.text("as")?);
    // A width such as %9999999Y would make a text of any size.
    if form.len() > DATE_BYTES_MAX || form.split('%').skip(1).any(|part| digits(part) > 2) {
        return Err(wrong("as", "is longer or wider than a date needs"));
    }
    let mut text = String::new();
    let written = jiff::fmt::strtime::BrokenDownTime::from(&date).format(form.as_bytes(), &mut text);
    written.map_err(|error| wrong("as", format!("is no form of a date: {error}")))?;
    Ok(text.into())
}

fn digits(part: &str) -> usize {
    let part = part.trim_start_matches(['-', '_', '0', '^', '#', ':', '.']);
    part.bytes().take_while(u8::is_ascii_digit).count()
}

/// Month before day only where nothing else is possible: `03/04/2024` is read as month and day, as US products write it.
const FORMS: &[&str] = &[
    "%Y-%m-%d %H:%M:%S%.f %z",
    "%Y-%m-%dT%H:%M:%S%.f%z",
    "%Y-%m-%d %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y",
    "%d/%b/%Y:%H:%M:%S %z",
    "%b %d %Y %H:%M:%S",
    "%b %d, %Y %I:%M:%S %p",
    "%b %d, %Y",
    "%d %b %Y %H:%M:%S",
    "%d %b %Y",
    "%a %b %d %H:%M:%S %Y",
    "%Y%m%d",
];
const DATE_BYTES_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::run;

    fn call(id: &str, inputs: Value) -> Result<Value, String> {
        run(id, inputs.as_object().unwrap(), Timestamp::UNIX_EPOCH).map_err(|error| error.to_string())
    }

    #[test]
    fn half_a_time_is_none() {
        let parsed = |text: &str, format: &str| call("date-parse", json!({ "date": text, "format": format }));
        assert!(parsed("2024-03-01 25", "%Y-%m-%d %M").is_err());
        assert_eq!(parsed("2024-03-01", "%Y-%m-%d").unwrap()["epoch_s"], 1_709_251_200);
    }

    #[test]
    fn dates_are_read_as_products_write_them() {
        for text in [
            "2024-03-01T12:00:00Z",
            "2024-03-01T13:00:00+01:00",
            "2024-03-01T12:00:00.000000000Z",
            "2024-03-01 12:00:00",
            "2024-03-01T12:00:00+0000",
            "Fri, 01 Mar 2024 12:00:00 +0000",
            "Fri, 1 Mar 2024 12:00:00 GMT",
            "01/Mar/2024:12:00:00 +0000",
            "01.03.2024 12:00",
            "3/1/2024 12:00:00 PM",
            "Mar 1, 2024 12:00:00 PM",
            "Fri Mar 1 12:00:00 2024",
            "1709294400",
            "1709294400000",
            "2024-03-01T13:00:00[Europe/Berlin]",
        ] {
            let found = call("date-parse", json!({ "date": text })).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(found["utc"], "2024-03-01T12:00:00Z", "{text}");
        }
        assert_eq!(
            call("date-parse", json!({ "date": 1_709_294_400_500_i64 })).unwrap()["utc"],
            "2024-03-01T12:00:00.5Z"
        );
        let berlin = call("date-parse", json!({ "date": "2024-07-01 12:00", "zone": "Europe/Berlin" })).unwrap();
        assert_eq!(
            (&berlin["utc"], &berlin["local"]),
            (&json!("2024-07-01T10:00:00Z"), &json!("2024-07-01T12:00:00+02:00"))
        );
        let given = json!({ "date": "12h00 on 1-3-24", "format": "%Hh%M on %d-%m-%y" });
        assert_eq!(call("date-parse", given).unwrap()["utc"], "2024-03-01T12:00:00Z");
        for wrong in ["", "tomorrow", "2024-13-01", "12", "99999999999999999999999"] {
            assert!(call("date-parse", json!({ "date": wrong })).is_err(), "{wrong}");
        }
    }

    #[test]
    fn days_are_those_of_the_zone() {
        // Clocks go forward in the night: a day has 23 hours.
        let add = |duration: &str| {
            let inputs = json!({ "date": "2024-03-30T12:00:00", "duration": duration, "zone": "Europe/Berlin" });
            call("date-add", inputs).unwrap()["local"].clone()
        };
        assert_eq!(add("1d"), "2024-03-31T12:00:00+02:00");
        assert_eq!(add("24h"), "2024-03-31T13:00:00+02:00");
        assert!(call("date-add", json!({ "date": "now", "duration": "99999y" })).is_err());
        let between = json!({ "date": "2024-03-01", "other": "2024-02-28T12:00:00Z", "unit": "hours" });
        assert_eq!(call("date-difference", between).unwrap()["difference"], -36);
        assert_eq!(
            call("date-format", json!({ "date": "now", "as": "%d.%m.%Y %H:%M", "zone": "Asia/Tokyo" })),
            Ok("01.01.1970 09:00".into())
        );
        assert!(call("date-format", json!({ "date": "now", "as": "%999999999Y" })).is_err());
        assert!(call("date-format", json!({ "date": "now", "as": "%!" })).is_err());
    }

    proptest! {
        #[test]
        fn a_written_date_is_read_back(second in -60_000_000_000_i64..250_000_000_000) {
            let moment = Timestamp::from_second(second).unwrap().to_string();
            prop_assert_eq!(&call("date-parse", json!({ "date": moment })).unwrap()["epoch_s"], &json!(second));
        }

        #[test]
        fn no_text_trips_the_readers(date in r"[0-9A-Za-z:/+., -]{0,40}|\PC{0,20}", form in r"(%[-_0-9a-zA-Z.:]{0,3}){0,6}") {
            let _ = call("date-parse", json!({ "date": date }));
            let _ = call("date-parse", json!({ "date": date, "format": form }));
            let _ = call("date-format", json!({ "date": "now", "as": form }));
            let _ = call("date-add", json!({ "date": "now", "duration": date }));
        }
    }
}
