//! `AlertInfo`: one row per alert, under the words that the incident APIs use for it.

use serde_json::json;

use super::Source;
use crate::{
    hunting::sheet::Sheet,
    world::{Alert, DetectionSource, Term},
};

/// Rows carry the time at which the alert was created.
pub(super) fn rows(source: &Source<'_>, sheet: &mut Sheet) {
    let mut alerts = source.world.alerts();
    alerts.reverse();
    for alert in alerts {
        sheet
            .row(alert.created)
            .text("AlertId", &*alert.id)
            .text("Title", alert.title(&source.world.company))
            .text("Category", alert.category())
            .text("Severity", alert.severity.xdr())
            .text("ServiceSource", alert.kind.service.product())
            .text("DetectionSource", detection(alert))
            .text("AttackTechniques", techniques(alert));
    }
}

/// A JSON array as text; empty where no technique is known.
pub(super) fn techniques(alert: &Alert) -> String {
    let techniques = alert.kind.techniques;
    if techniques.is_empty() { String::new() } else { json!(techniques).to_string() }
}

/// The words of the hunting tables; `EDR` and `Antivirus` were seen in public queries, the rest are product names (G).
pub(super) fn detection(alert: &Alert) -> &'static str {
    match alert.kind.detection {
        DetectionSource::Endpoint => "EDR",
        DetectionSource::Antivirus => "Antivirus",
        DetectionSource::SmartScreen => "SmartScreen",
        DetectionSource::CustomTi => "Custom TI",
        DetectionSource::CustomDetection => "Custom detection",
        DetectionSource::Automated => "Automated investigation",
        DetectionSource::Scheduled => "Scheduled alerts",
        _ => alert.kind.service.product(),
    }
}
