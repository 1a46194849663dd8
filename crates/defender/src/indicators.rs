//! Indicators of Defender for Endpoint: files, addresses, domains, URLs and certificates to block, warn of or allow.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sortie_model::IndicatorId;
use sortie_transport::{Effect, Priority, Request};

use crate::{
    Defender, Document, Pages,
    client::malformed,
    document::{instant, list, text},
    error::{DefenderError, DefenderErrorKind},
    operation::Operation,
    pages::{add_filter, equals},
};

/// One indicator as the service lists it.
#[derive(Clone, Debug)]
pub struct Indicator {
    /// The service's number.
    pub id: IndicatorId,
    /// The hash, address, domain or URL.
    pub value: Option<String>,
    /// `FileSha256`, `IpAddress`, `DomainName`, `Url` and so on.
    pub kind: Option<String>,
    /// `Block`, `Audit`, `Allowed` and so on.
    pub action: Option<String>,
    /// A short name.
    pub title: Option<String>,
    /// `Informational` to `High`.
    pub severity: Option<String>,
    /// Who made it.
    pub created_by: Option<String>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// When it ends.
    pub expires: Option<Timestamp>,
    /// Everything that the service sent.
    pub document: Document,
}

/// An indicator to be there from now on. The same value and kind again replaces it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewIndicator {
    /// The hash, address, domain or URL; no range of addresses.
    pub value: String,
    /// In the service's spelling; see [`kind_of_value`].
    pub kind: String,
    /// `Block`, `Warn`, `Audit`, `Allowed`, `BlockAndRemediate`.
    pub action: String,
    /// A short name.
    pub title: String,
    /// What it is about.
    pub description: String,
    /// `Informational`, `Low`, `Medium`, `High`.
    pub severity: Option<String>,
    /// When it ends; never, where absent.
    pub expires: Option<Timestamp>,
    /// What to do about an alert of it.
    pub recommended_actions: Option<String>,
    /// Whether a hit raises an alert; `Audit` needs it.
    pub generate_alert: Option<bool>,
}

/// Which indicators are wanted; everything that is set must hold.
#[derive(Clone, Debug, Default)]
pub struct IndicatorFilter {
    /// In the service's spelling.
    pub kind: Option<String>,
    /// In the service's spelling.
    pub action: Option<String>,
    /// Exactly this one.
    pub value: Option<String>,
}

/// What became of one indicator of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The value, as it was sent.
    pub value: String,
    /// Its number, where it was taken.
    pub id: Option<IndicatorId>,
    /// Why it was not taken.
    pub failure: Option<String>,
}

impl Indicator {
    /// Reads what can be read. Without an id it cannot be removed.
    pub fn read(document: &Document) -> Option<Self> {
        let value = document.to_value();
        let word = |name: &str| text(&value, &[name]);
        Some(Self {
            id: IndicatorId(word("id")?),
            value: word("indicatorValue"),
            kind: word("indicatorType"),
            action: word("action"),
            title: word("title"),
            severity: word("severity"),
            created_by: text(&value, &["createdByDisplayName", "createdBy"]),
            created: instant(&value, &["creationTimeDateTimeUtc"]),
            expires: instant(&value, &["expirationTime"]),
            document: document.clone(),
        })
    }
}

impl NewIndicator {
    fn body(&self) -> Value {
        let mut body = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                body.insert(name.to_owned(), value);
            }
        };
        put("indicatorValue", Some(json!(self.value)));
        put("indicatorType", Some(json!(self.kind)));
        put("action", Some(json!(self.action)));
        put("title", Some(json!(self.title)));
        put("description", Some(json!(self.description)));
        put("severity", self.severity.as_ref().map(|word| json!(word)));
        put("expirationTime", self.expires.map(|at| json!(at.to_string())));
        put("recommendedActions", self.recommended_actions.as_ref().map(|words| json!(words)));
        put("generateAlert", self.generate_alert.map(|yes| json!(yes)));
        Value::Object(body)
    }
}

impl Defender {
    /// The active indicators that match. With `Ti.ReadWrite` an application sees its own alone.
    ///
    /// # Errors
    /// [`DefenderError`] when the cloud has no such API.
    pub fn indicators(&self, filter: &IndicatorFilter) -> Result<Pages<'_>, DefenderError> {
        let doing = "list indicators";
        let mut url = self.address(Operation::IndicatorRead, &["api", "indicators"], doing)?;
        url.query_pairs_mut().append_pair("$top", &INDICATORS_TOP.to_string());
        add_filter(&mut url, &filter.terms());
        Ok(Pages::of(self, Operation::IndicatorRead, doing, "id", url).full_at(INDICATORS_TOP))
    }

    /// Adds an indicator, or replaces the one of the same value and kind: to do it twice changes nothing.
    ///
    /// # Errors
    /// [`DefenderError`].
    pub async fn add_indicator(&self, indicator: &NewIndicator) -> Result<Indicator, DefenderError> {
        let doing = format!("add indicator {}", indicator.value);
        let url = self.address(Operation::IndicatorWrite, &["api", "indicators"], &doing)?;
        let request = Request::post(url).json(&indicator.body()).effect(Effect::Overwrite).priority(Priority::Response);
        let response = self.call(Operation::IndicatorWrite, request, &doing).await?;
        Indicator::read(&Document::new(&response.text())).ok_or_else(|| malformed(&doing, "an indicator without an id"))
    }

    /// Removes an indicator.
    ///
    /// # Errors
    /// [`DefenderError`]; `NotFound` for an unknown id, also where an earlier attempt has removed it.
    pub async fn remove_indicator(&self, id: &IndicatorId) -> Result<(), DefenderError> {
        let doing = format!("remove indicator {id}");
        let url = self.address(Operation::IndicatorWrite, &["api", "indicators", &id.0], &doing)?;
        let request = Request::delete(url).effect(Effect::Overwrite).priority(Priority::Response);
        self.call(Operation::IndicatorWrite, request, &doing).await.map(drop)
    }

    /// Adds or replaces many, in batches of 500; says of each what became of it.
    ///
    /// # Errors
    /// [`DefenderError`] of the first batch that failed as a whole; the ones before it are in.
    pub async fn import_indicators(&self, indicators: &[NewIndicator]) -> Result<Vec<Imported>, DefenderError> {
        let doing = format!("import {} indicators", indicators.len());
        let mut imported = Vec::with_capacity(indicators.len());
        for batch in indicators.chunks(IMPORT_BATCH_MAX) {
            let url = self.address(Operation::IndicatorBatch, &["api", "indicators", "import"], &doing)?;
            let body = json!({ "Indicators": batch.iter().map(NewIndicator::body).collect::<Vec<_>>() });
            let request = Request::post(url).json(&body).effect(Effect::Overwrite);
            let response = self.call(Operation::IndicatorBatch, request, &doing).await?;
            let answer: Value = response.json().unwrap_or_default();
            let read: Vec<Imported> = list(&answer, "value").iter().filter_map(Imported::read).collect();
            if read.len() != batch.len() {
                let what = format!("{} results for {} indicators", read.len(), batch.len());
                return Err(DefenderError::new(&doing, DefenderErrorKind::Malformed(what)));
            }
            imported.extend(read);
        }
        Ok(imported)
    }
}

impl Imported {
    fn read(value: &Value) -> Option<Self> {
        let failed = text(value, &["isFailed"]).is_some_and(|yes| yes.eq_ignore_ascii_case("true"));
        let reason = || text(value, &["failureReason"]).unwrap_or_else(|| "no reason given".to_owned());
        Some(Self {
            value: text(value, &["indicator", "indicatorValue"])?,
            id: text(value, &["id"]).filter(|_| !failed).map(IndicatorId),
            failure: failed.then(reason),
        })
    }
}

impl IndicatorFilter {
    fn terms(&self) -> Vec<String> {
        let terms = [
            self.kind.as_ref().map(|kind| equals("indicatorType", kind)),
            self.action.as_ref().map(|action| equals("action", action)),
            self.value.as_ref().map(|value| equals("indicatorValue", value)),
        ];
        terms.into_iter().flatten().collect()
    }
}

/// The kind that a value's own form tells, in the service's spelling; `None` where it fits none.
pub fn kind_of_value(value: &str) -> Option<&'static str> {
    let hex = value.bytes().all(|byte| byte.is_ascii_hexdigit());
    match value.len() {
        32 if hex => return Some("FileMd5"),
        40 if hex => return Some("FileSha1"),
        64 if hex => return Some("FileSha256"),
        _ => {}
    }
    if value.parse::<std::net::IpAddr>().is_ok() {
        return Some("IpAddress");
    }
    if value.contains("://") {
        return url::Url::parse(value).ok().filter(url::Url::has_host).map(|_| "Url");
    }
    let label = |label: &str| {
        !label.is_empty()
            && label.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let top_is_a_name = value.rsplit('.').next().is_some_and(|top| top.chars().any(char::is_alphabetic));
    (value.contains('.') && value.split('.').all(label) && top_is_a_name).then_some("DomainName")
}

/// The service takes up to 10,000; smaller pages keep memory small.
const INDICATORS_TOP: usize = 1_000;
/// Page of the import.
const IMPORT_BATCH_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_tells_its_kind() {
        #[track_caller]
        fn check(value: &str, expected: Option<&str>) {
            assert_eq!(kind_of_value(value), expected, "{value}");
        }
        check(&"a".repeat(32), Some("FileMd5"));
        check(&"A1".repeat(20), Some("FileSha1"));
        check(&"f".repeat(64), Some("FileSha256"));
        check("203.0.113.9", Some("IpAddress"));
        check("2001:db8::1", Some("IpAddress"));
        check("https://evil.example/a", Some("Url"));
        check("evil.example", Some("DomainName"));
        check("bücher.example", Some("DomainName"));
        for wrong in ["", "evil", "203.0.113.0/24", "1.2.3", "a..b", "-a.example", "https://", "a b.example"] {
            check(wrong, None);
        }
    }

    #[test]
    fn a_result_of_an_import_is_taken_or_failed() {
        let failed = json!({ "id": null, "indicator": "x", "isFailed": true, "failureReason": "bad" });
        assert_eq!(Imported::read(&failed).unwrap().failure.as_deref(), Some("bad"));
        let taken = json!({ "id": "2841", "indicator": "y", "isFailed": "False", "failureReason": null });
        assert_eq!(
            Imported::read(&taken).unwrap(),
            Imported { value: "y".into(), id: Some(IndicatorId("2841".into())), failure: None }
        );
    }
}
