//! The closed lists of words, as Graph spells them (`v1.0/$metadata`, namespace `microsoft.graph.security`).

use super::UNKNOWN_FUTURE_VALUE as NEW;

pub(super) const SEVERITY: &[&str] = &["unknown", "informational", "low", "medium", "high", NEW];
pub(super) const INCIDENT_STATUS: &[&str] = &["active", "inProgress", "resolved", "redirected", "awaitingAction", NEW];
pub(super) const ALERT_STATUS: &[&str] = &["unknown", "new", "inProgress", "resolved", NEW];
pub(super) const CLASSIFICATION: &[&str] =
    &["unknown", "falsePositive", "truePositive", "informationalExpectedActivity", NEW];
pub(super) const DETERMINATION: &[&str] = &[
    "unknown",
    "apt",
    "malware",
    "securityPersonnel",
    "securityTesting",
    "unwantedSoftware",
    "other",
    "multiStagedAttack",
    "compromisedAccount",
    "phishing",
    "maliciousUserActivity",
    "notMalicious",
    "notEnoughDataToValidate",
    "confirmedActivity",
    "lineOfBusinessApplication",
    NEW,
];
pub(super) const SERVICE_SOURCE: &[&str] = &[
    "unknown",
    "microsoftDefenderForEndpoint",
    "microsoftDefenderForIdentity",
    "microsoftDefenderForCloudApps",
    "microsoftDefenderForOffice365",
    "microsoft365Defender",
    "azureAdIdentityProtection",
    "microsoftAppGovernance",
    "dataLossPrevention",
    "microsoftDefenderForCloud",
    "microsoftSentinel",
    "microsoftInsiderRiskManagement",
    "microsoftThreatIntelligence",
    "microsoftSecurityForAI",
    NEW,
];
pub(super) const INVESTIGATION_STATE: &[&str] = &[
    "unknown",
    "terminated",
    "successfullyRemediated",
    "benign",
    "failed",
    "partiallyRemediated",
    "running",
    "pendingApproval",
    "pendingResource",
    "queued",
    "innerFailure",
    "preexistingAlert",
    "unsupportedOs",
    "unsupportedAlertType",
    "suppressedAlert",
    "partiallyInvestigated",
    "terminatedByUser",
    "terminatedBySystem",
    NEW,
];
pub(super) const VERDICT: &[&str] = &["unknown", "noThreatsFound", "suspicious", "malicious", NEW];
pub(super) const REMEDIATION: &[&str] = &[
    "none",
    "remediated",
    "prevented",
    "blocked",
    "notFound",
    "active",
    "pendingApproval",
    "declined",
    "unremediated",
    "running",
    "partiallyRemediated",
    NEW,
];
pub(super) const HEALTH: &[&str] = &[
    "active",
    "inactive",
    "impairedCommunication",
    "noSensorData",
    "noSensorDataImpairedCommunication",
    "unknown",
    NEW,
];
pub(super) const RISK: &[&str] = &["none", "informational", "low", "medium", "high", NEW];
/// Of Defender for Endpoint alone; Graph has no such member.
pub(super) const EXPOSURE: &[&str] = &["none", "low", "medium", "high", NEW];
/// Of Defender for Endpoint alone; Graph has no such member.
pub(super) const DEVICE_VALUE: &[&str] = &["low", "normal", "high", NEW];
pub(super) const ONBOARDING: &[&str] = &["insufficientInfo", "onboarded", "canBeOnboarded", "unsupported", NEW];
pub(super) const ANTIVIRUS: &[&str] =
    &["notReporting", "disabled", "notUpdated", "updated", "unknown", "notSupported", NEW];
pub(super) const DETECTION_STATUS: &[&str] = &["detected", "blocked", "prevented", NEW];
