//! The document beside documented requests and answers.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sortie_openapi::Location;

use crate::{answer, misfits, none, operation, reference::reference, schema::Members, schemas};

#[test]
fn documented_requests_fit_the_inputs() {
    if reference("endpoints.json").is_none() {
        return;
    }
    let mut findings = Vec::new();
    for (file, id) in REQUESTS {
        let sample = sample(&format!("{file}_request"));
        let operation = operation(id);
        let mut inputs = sample.as_object().unwrap().clone();
        for parameter in operation.parameters.iter().filter(|parameter| parameter.location == Location::Path) {
            let value = if parameter.schema["type"] == "integer" { json!(1) } else { json!("0".repeat(40)) };
            inputs.insert(parameter.key.clone(), value);
        }
        let whole = &operation.body.as_ref().unwrap().contents[0].schema;
        let mut found = misfits(operation, &inputs);
        let whole = schemas().misfits(whole, &sample, Members::Closed);
        found.extend(whole.into_iter().map(|what| format!("{id}: {what}")));
        findings.extend(found.into_iter().map(|what| format!("{file}: {what}")));
    }
    compare(findings, EXPECTED_IN_REQUESTS);
}

#[test]
fn documented_answers_hold_nothing_unknown() {
    if reference("endpoints.json").is_none() {
        return;
    }
    let mut findings = Vec::new();
    for (file, id) in ANSWERS {
        let sample = sample(file);
        let schema = answer(operation(id)).unwrap_or_else(|| panic!("{id} has no answer"));
        let found = schemas().misfits(schema, &sample, Members::Known);
        findings.extend(found.into_iter().map(|what| format!("{file}: {what}")));
    }
    compare(findings, EXPECTED_IN_ANSWERS);
}

#[test]
fn every_sample_of_these_apis_is_tried() {
    let Some(manifest) = reference("samples/MANIFEST.json") else { return };
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let known: BTreeSet<String> = REQUESTS
        .iter()
        .map(|(file, _)| format!("{file}_request"))
        .chain(ANSWERS.iter().map(|(file, _)| (*file).to_owned()))
        .chain(NOT_OURS.iter().map(|(file, _)| (*file).to_owned()))
        .collect();
    let ours = ["graph_", "xdr_", "mde_", "mdca_", "fixture_"];
    let files = manifest["samples"].as_array().unwrap().iter().map(|one| one["file"].as_str().unwrap());
    let names = files.filter_map(|file| file.strip_suffix(".json"));
    let left: Vec<String> = names
        .filter(|name| ours.iter().any(|prefix| name.starts_with(prefix)) && !known.contains(*name))
        .map(|name| format!("{name}: neither tried nor left out with a reason"))
        .collect();
    none(&left);
}

#[track_caller]
fn sample(name: &str) -> Value {
    serde_json::from_slice(&reference(&format!("samples/{name}.json")).unwrap()).unwrap()
}

/// Findings and the expected ones must be the same, so that no exception outlives its reason.
#[track_caller]
fn compare(findings: Vec<String>, expected: &[(&str, &str)]) {
    let found: BTreeSet<&str> = findings.iter().map(String::as_str).collect();
    let expected: BTreeSet<&str> = expected.iter().map(|(finding, _)| *finding).collect();
    let new: Vec<_> = found.difference(&expected).collect();
    let gone: Vec<_> = expected.difference(&found).collect();
    assert!(new.is_empty() && gone.is_empty(), "not expected: {new:#?}\nno longer found: {gone:#?}");
}

/// Sample of a request, and the operation that it is for.
const REQUESTS: &[(&str, &str)] = &[
    ("graph_alert_patch", "update-alert"),
    ("graph_comment_post", "comment-on-incident"),
    ("graph_comment_post", "comment-on-alert"),
    ("graph_incident_patch", "update-incident"),
    ("graph_mergeIncidents", "merge-incidents"),
    ("graph_moveAlerts", "move-alerts"),
    ("graph_runHuntingQuery_timespan", "run-hunting-query"),
    ("mdca_activity_feedback", "send-activity-feedback"),
    ("mdca_alerts_close_benign", "close-alerts-as-benign"),
    ("mde_advancedqueries_run", "run-hunting-query-mde"),
    ("mde_alert_update", "update-alert-mde"),
    ("mde_alerts_batchUpdate", "update-alerts-mde"),
    ("mde_createAlertByReference", "create-alert-from-event"),
    ("mde_indicators_batchdelete", "delete-indicators"),
    ("mde_indicators_import", "import-indicators"),
    ("mde_indicators_post", "set-indicator"),
    ("mde_isolate", "isolate-device"),
    ("mde_machine_setDeviceValue", "set-device-value"),
    ("mde_machine_tags", "tag-device"),
    ("mde_machines_bulktags", "tag-devices"),
    ("mde_runAntiVirusScan", "scan-device"),
    ("mde_runliveresponse", "run-live-response"),
    ("mde_stopAndQuarantine", "quarantine-file"),
    ("xdr_incidents_patch", "update-incident-xdr"),
];
/// Sample of an answer, and an operation that answers so.
const ANSWERS: &[(&str, &str)] = &[
    ("fixture_mde_blacklist_search", "list-indicators"),
    ("fixture_mde_blacklist_submit", "set-indicator"),
    ("fixture_mde_collect_investigation_package", "collect-device-package"),
    ("fixture_mde_find_machines_with_software", "list-software-devices"),
    ("fixture_mde_get_alerts", "get-alert-mde"),
    ("fixture_mde_get_files_from_alert", "list-alert-files"),
    ("fixture_mde_get_installed_software", "list-device-software"),
    ("fixture_mde_get_machine_action", "get-device-action"),
    ("fixture_mde_get_machine_information_by_id", "get-device"),
    ("fixture_mde_get_machine_information_first", "list-devices"),
    ("fixture_mde_get_machine_information_second", "list-devices"),
    ("fixture_mde_get_machine_vulnerabilities", "list-device-vulnerabilities"),
    ("fixture_mde_get_missing_software_updates", "list-device-missing-updates"),
    ("fixture_mde_get_related_machines", "list-file-devices"),
    ("fixture_mde_get_security_recommendations", "list-device-recommendations"),
    ("fixture_mde_isolate_machine", "isolate-device"),
    ("fixture_mde_manage_tags", "tag-device"),
    ("fixture_mde_run_antivirus_scan", "scan-device"),
    ("fixture_mde_search_machines", "find-devices-by-tag"),
    ("fixture_mde_search_machines_empty", "list-devices"),
    ("fixture_mde_stop_and_quarantine_file", "quarantine-file"),
    ("fixture_mde_unisolate_machine", "release-device"),
    ("fixture_mde_update_alert", "update-alert-mde"),
    ("fixture_xdr_get_incident", "get-incident-xdr"),
    ("fixture_xdr_list_incidents", "list-incidents-xdr"),
    ("fixture_xdr_update_incident", "update-incident-xdr"),
    ("graph_alert_comments_post_200", "comment-on-alert"),
    ("graph_alert_patch_200", "update-alert"),
    ("graph_alerts_v2_list_200", "list-alerts"),
    ("graph_incident_comments_post_200", "comment-on-incident"),
    ("graph_incident_get_200", "get-incident"),
    ("graph_incident_live_2026", "get-incident"),
    ("graph_incidents_list_200", "list-incidents"),
    ("graph_incidents_list_expand_alerts_200", "list-incidents"),
    ("graph_mergeResponse_200", "merge-incidents"),
    ("graph_mergeResponse_200", "move-alerts"),
    ("graph_runHuntingQuery_200", "run-hunting-query"),
    ("graph_user_get_200", "get-user"),
    ("graph_user_revokeSignInSessions_200", "revoke-user-sessions"),
    ("mdca_alerts_close_benign_200", "close-alerts-as-benign"),
    ("mdca_alerts_close_notfound_200", "close-alerts-as-benign"),
    ("mdca_alerts_fetch_200", "get-alert-cloudapps"),
    ("mdca_alerts_list_200", "list-alerts-cloudapps"),
    ("mde_advancedqueries_run_200", "run-hunting-query-mde"),
    ("mde_alert_domains_200", "list-alert-domains"),
    ("mde_alert_files_200", "list-alert-files"),
    ("mde_alert_ips_200", "list-alert-ips"),
    ("mde_alert_machine_200", "get-alert-device"),
    ("mde_alert_user_200", "get-alert-user"),
    ("mde_alerts_get_200", "get-alert-mde"),
    ("mde_alerts_list_200", "list-alerts-mde"),
    ("mde_alerts_list_expand_evidence_200", "list-alerts-mde"),
    ("mde_configurationScore_200", "get-configuration-score"),
    ("mde_domain_stats_200", "get-domain-statistics"),
    ("mde_exposureScore_200", "get-exposure-score"),
    ("mde_file_get_200", "get-file"),
    ("mde_file_stats_200", "get-file-statistics"),
    ("mde_getLiveResponseResultDownloadLink_200", "get-live-response-result-link"),
    ("mde_getPackageUri_200", "get-device-package-link"),
    ("mde_indicator_get", "set-indicator"),
    ("mde_indicators_import_200", "import-indicators"),
    ("mde_indicators_list_200", "list-indicators"),
    ("mde_investigation", "get-investigation"),
    ("mde_investigations_list_200", "list-investigations"),
    ("mde_ip_stats_200", "get-ip-statistics"),
    ("mde_libraryfiles_list_200", "list-library-files"),
    ("mde_machine_get_200", "get-device"),
    ("mde_machine_getmissingkbs_200", "list-device-missing-updates"),
    ("mde_machine_logonusers_200", "list-device-users"),
    ("mde_machine_recommendations_200", "list-device-recommendations"),
    ("mde_machine_software_200", "list-device-software"),
    ("mde_machine_vulnerabilities_200", "list-device-vulnerabilities"),
    ("mde_machineaction_get_200", "get-device-action"),
    ("mde_machineaction_isolate", "isolate-device"),
    ("mde_machineactions_list_200", "list-device-actions"),
    ("mde_machinesVulnerabilities_200", "list-vulnerabilities-by-device"),
    ("mde_machines_filter_200", "list-devices"),
    ("mde_machines_list_200", "list-devices"),
    ("mde_recommendation_get_200", "get-recommendation"),
    ("mde_recommendation_machineReferences_200", "list-recommendation-devices"),
    ("mde_recommendations_list_200", "list-recommendations"),
    ("mde_remediationTasks_list_200", "list-remediation-tasks"),
    ("mde_runliveresponse_201", "run-live-response"),
    ("mde_software_distributions_200", "list-software-versions"),
    ("mde_software_get_200", "get-software"),
    ("mde_software_list_200", "list-software"),
    ("mde_software_machineReferences_200", "list-software-devices"),
    ("mde_software_vulnerabilities_200", "list-software-vulnerabilities"),
    ("mde_vulnerabilities_list_200", "list-vulnerabilities"),
    ("mde_vulnerability_get_200", "get-vulnerability"),
    ("mde_vulnerability_machineReferences_200", "list-vulnerability-devices"),
    ("xdr_advancedhunting_run_200", "run-hunting-query-xdr"),
    ("xdr_incidents_list_200", "list-incidents-xdr"),
    ("xdr_incidents_list_devices_mail_200", "list-incidents-xdr"),
];
/// Samples that are not tried, and why.
const NOT_OURS: &[(&str, &str)] = &[
    ("graph_429", "a refusal; its form is tried by the clients"),
    ("graph_appRoleAssignments_create_201", "belongs to the registration of the application"),
    ("graph_applications_addPassword_200", "belongs to the registration of the application"),
    ("graph_applications_create_201", "belongs to the registration of the application"),
    ("graph_error", "a refusal; its form is tried by the clients"),
    ("graph_servicePrincipals_create_201", "belongs to the registration of the application"),
    ("mde_liveresponse_runscript_result_file", "a file that a link leads to"),
    ("mde_softwareVulnerabilitiesByMachine_200", "exports are not in this connector"),
    ("graph_appRoleAssignedTo_create_request", "belongs to the registration of the application"),
    ("graph_appRoleAssignments_list_200", "belongs to the registration of the application"),
    ("graph_applications_addKey_request", "belongs to the registration of the application"),
    ("graph_applications_list_200", "belongs to the registration of the application"),
    ("graph_applications_removePassword_request", "belongs to the registration of the application"),
    ("graph_beta_createAlert_201", "the interface is beta"),
    ("graph_beta_createAlert_request", "the interface is beta"),
    ("graph_federatedIdentityCredentials_create_201", "belongs to the registration of the application"),
    ("graph_federatedIdentityCredentials_create_request", "belongs to the registration of the application"),
    ("graph_incidents_top_exceeded_400", "a refusal; its form is tried by the clients"),
    ("graph_organization_list_200", "belongs to the registration of the application"),
    ("graph_servicePrincipal_roles_200", "belongs to the registration of the application"),
    ("mdca_subnet_create_request", "IP ranges are not in this connector"),
    ("mdca_subnet_list_200", "IP ranges are not in this connector"),
    ("mde_deviceavinfo_200", "exports are not in this connector"),
    ("mde_exportFiles_200", "exports are not in this connector"),
    ("mde_machine_alerts_count_200", "a count as a suffix of the path is not in this connector"),
    ("mde_machine_update_request", "the update of a device is not in this connector"),
    ("mde_recommendation_software_200", "the endpoint is not in this connector"),
    ("mde_recommendation_vulnerabilities_200", "the endpoint is not in this connector"),
    ("mde_secureConfigurationsByMachine_200", "exports are not in this connector"),
    ("mde_softwareInventoryByMachine_200", "exports are not in this connector"),
    ("mde_softwareVulnerabilityChanges_200", "exports are not in this connector"),
    ("mde_software_getmissingkbs_200", "the endpoint is not in this connector"),
];
/// What does not fit in a request, and why that is right.
const EXPECTED_IN_REQUESTS: &[(&str, &str)] = &[
    (r#"graph_incident_patch: update-incident: /classification: "TruePositive" does not fit enum"#, CAPITALS),
    (r#"graph_incident_patch: update-incident: /determination: "MultiStagedAttack" does not fit enum"#, CAPITALS),
];
const CAPITALS: &str = "the page prints the words as Defender XDR spells them; the metadata has truePositive";
/// What an answer holds beyond its schema, and why that is right.
const EXPECTED_IN_ANSWERS: &[(&str, &str)] = &[
    ("graph_incident_get_200: /comments/0/createdBy: unknown", OLD_COMMENT),
    ("graph_incident_get_200: /comments/0/createdTime: unknown", OLD_COMMENT),
    (
        "fixture_mde_get_missing_software_updates: /value/0/osBuild: unknown",
        "test data of another project alone has it",
    ),
];
const OLD_COMMENT: &str = "the page prints an older form; the service and its metadata have createdByDisplayName";
