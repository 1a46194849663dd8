//! One object's fields by its shape, read leniently: other names, another letter case, numbers as texts, `null`.

use serde_json::{Map, Value};
use sortie_model::shapes::{Field, FieldKind, Shape, UNKNOWN, UNKNOWN_FUTURE_VALUE};

use super::Sources;
use crate::document::{instant, number, text, texts};

/// Every field of the shape; lists of objects are empty, and `raw` is `null`.
pub(super) fn fill(shape: &Shape, sources: Sources, from: &Value) -> Value {
    let read = shape.fields.iter().map(|field| {
        let others = sources.iter().find(|(name, _)| *name == field.name).map_or(&[][..], |(_, others)| others);
        let paths = std::iter::once(&field.name).chain(others);
        let value = paths.map(|path| read(field, from, path)).find(is_something).unwrap_or_else(|| nothing(field));
        (field.name.to_owned(), value)
    });
    Value::Object(read.collect::<Map<_, _>>())
}

fn read(field: &Field, from: &Value, path: &str) -> Value {
    let (owner, name) = match path.rsplit_once('/') {
        Some((owner, name)) => (from.get(owner).unwrap_or(&Value::Null), name),
        None => (from, path),
    };
    match field.kind {
        FieldKind::Text => text(owner, &[name]).map_or(Value::Null, Value::from),
        FieldKind::Words(words) => text(owner, &[name]).map_or(Value::Null, |said| word(words, &said).into()),
        FieldKind::Instant => instant(owner, &[name]).map_or(Value::Null, |at| at.to_string().into()),
        FieldKind::Whole => number(owner, &[name]).map_or(Value::Null, Value::from),
        FieldKind::Texts => texts(owner, name).into(),
        FieldKind::List(_) | FieldKind::Raw => Value::Null,
    }
}

fn is_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        _ => true,
    }
}

fn nothing(field: &Field) -> Value {
    match field.kind {
        FieldKind::Texts | FieldKind::List(_) => Value::Array(Vec::new()),
        FieldKind::Words(words) if words.contains(&UNKNOWN) => UNKNOWN.into(),
        _ => Value::Null,
    }
}

/// The word of the list that is meant, in Graph's spelling.
fn word(words: &[&'static str], said: &str) -> &'static str {
    let said = said.trim();
    let known = |meant: &str| words.iter().find(|word| word.eq_ignore_ascii_case(meant)).copied();
    known(said)
        .or_else(|| {
            let (_, meant) =
                ALSO.iter().find(|(also, meant)| also.eq_ignore_ascii_case(said) && known(meant).is_some())?;
            known(meant)
        })
        .unwrap_or(UNKNOWN_FUTURE_VALUE)
}

/// What the other APIs and older pages say instead.
const ALSO: &[(&str, &str)] = &[
    ("UnSpecified", "unknown"),
    ("NotAvailable", "unknown"),
    ("Active", "inProgress"),
    ("Clean", "notMalicious"),
    ("CompromisedUser", "compromisedAccount"),
    ("NoEnoughDataToValidate", "notEnoughDataToValidate"),
    ("InsufficientData", "notEnoughDataToValidate"),
    ("ConfirmedUserActivity", "confirmedActivity"),
    ("MicrosoftDefenderATP", "microsoftDefenderForEndpoint"),
    ("WindowsDefenderAtp", "microsoftDefenderForEndpoint"),
    ("OfficeATP", "microsoftDefenderForOffice365"),
    ("AzureATP", "microsoftDefenderForIdentity"),
    ("MicrosoftCloudAppSecurity", "microsoftDefenderForCloudApps"),
    ("MCAS", "microsoftDefenderForCloudApps"),
    ("MicrosoftThreatProtection", "microsoft365Defender"),
    ("MTP", "microsoft365Defender"),
    ("AadIdentityProtection", "azureAdIdentityProtection"),
    ("NoThreatFound", "noThreatsFound"),
    ("Clean", "noThreatsFound"),
];

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sortie_model::shapes::{ALERT, INCIDENT};

    use super::*;

    #[test]
    fn words_of_every_api_are_those_of_graph() {
        #[track_caller]
        fn check(shape: &Shape, field: &str, said: Value, expected: Value) {
            assert_eq!(fill(shape, &[], &json!({ field: said }))[field], expected, "{said}");
        }
        for (said, expected) in
            [("HIGH", "high"), ("High", "high"), ("UnSpecified", "unknown"), ("extreme", "unknownFutureValue")]
        {
            check(&INCIDENT, "severity", json!(said), json!(expected));
        }
        for nothing in [Value::Null, json!(""), json!([]), json!({})] {
            check(&INCIDENT, "severity", nothing.clone(), json!("unknown"));
            check(&INCIDENT, "status", nothing, Value::Null);
        }
        check(&INCIDENT, "status", json!("Active"), json!("active"));
        check(&ALERT, "status", json!("Active"), json!("inProgress"));
        check(&ALERT, "determination", json!("Clean"), json!("notMalicious"));
        check(&ALERT, "determination", json!("NoEnoughDataToValidate"), json!("notEnoughDataToValidate"));
        check(&ALERT, "serviceSource", json!("OfficeATP"), json!("microsoftDefenderForOffice365"));
    }

    #[test]
    fn what_has_another_form_is_read_and_what_cannot_be_is_null() {
        let filled = fill(
            &INCIDENT,
            &[("id", &["incidentId"])],
            &json!({
                "incidentId": 7, "priorityScore": "12", "customTags": "one", "createdDateTime": "2026-07-22T18:37:11.5233333",
                "lastUpdateDateTime": "soon", "assignedTo": " ", "systemTags": null
            }),
        );
        assert_eq!(filled["id"], "7");
        assert_eq!(filled["priorityScore"], 12);
        assert_eq!(filled["customTags"], json!(["one"]));
        assert_eq!(filled["createdDateTime"], "2026-07-22T18:37:11.5233333Z");
        assert_eq!((&filled["lastUpdateDateTime"], &filled["assignedTo"]), (&Value::Null, &Value::Null));
        assert_eq!(filled["systemTags"], json!([]));
        assert_eq!(filled.as_object().unwrap().len(), INCIDENT.fields.len());
    }
}
