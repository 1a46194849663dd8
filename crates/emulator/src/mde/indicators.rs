//! Indicators: list, set, import, remove.

use std::collections::BTreeSet;

use axum::{
    Json,
    body::Bytes,
    extract::Path,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    call::{Answer, Call, Door, Head, List, Refusal, TOP_MAX, by, shown, usual},
    indicator_terms::{ACTIONS, KINDS, SEVERITIES, read_terms},
};
use crate::{
    odata::Kind,
    throttle::Limit,
    world::{INDICATOR_COUNT_MAX, Indicator, IndicatorHand, IndicatorRefused},
    xdr::answer,
};

pub(super) async fn list(head: Head) -> Answer {
    let call = head.admit(&LIST)?;
    let hand = call.hand();
    let rows = call.with_world(|world| world.indicators(&hand).into_iter().map(indicator_json).collect());
    call.list(&INDICATORS, rows)
}

pub(super) async fn submit(head: Head, body: Bytes) -> Answer {
    let call = head.admit(&SUBMIT)?;
    let hand = call.hand();
    let incorrect = || call.bad("InvalidRequestBody", "Request body is incorrect");
    let fields: Map<String, Value> = serde_json::from_slice(&body).map_err(|_| incorrect())?;
    let now = call.with_world(|world| world.now());
    let terms = read_terms(&fields, now).map_err(|error| call.bad(error.code(), &error.to_string()))?;
    let set = call.with_world(|world| world.set_indicator(terms, &hand).map(indicator_json));
    let indicator = set.map_err(|refused| match refused {
        IndicatorRefused::Full => call.bad("BadRequest", &full()),
        IndicatorRefused::NotYours => forbidden(&call, NOT_YOURS),
        IndicatorRefused::Unknown => call.not_found("Indicator", "of this value"),
    })?;
    Ok(call.entity(StatusCode::OK, "Indicators/$entity", indicator))
}

/// Each indicator is taken or refused for itself; the answer says which.
pub(super) async fn import(head: Head, body: Bytes) -> Answer {
    let call = head.admit(&IMPORT)?;
    let hand = call.hand();
    let fields = call.body(&body, &["Indicators"])?;
    let items = fields.value("Indicators").ok_or_else(|| call.missing("Indicators"))?;
    let items = items.as_array().ok_or_else(|| call.bad("InvalidRequestBody", "Request body is incorrect"))?;
    if items.is_empty() {
        return Err(call.missing("Indicators"));
    }
    check_size(&call, items.len())?;
    let results: Vec<Value> = call.with_world(|world| {
        let one = |item: &Value| {
            let empty = Map::new();
            let terms = read_terms(item.as_object().unwrap_or(&empty), world.now()).map_err(|error| error.to_string());
            let set = terms.and_then(|terms| {
                let set = world.set_indicator(terms, &hand);
                set.map(|indicator| indicator.id.to_string()).map_err(|refused| match refused {
                    IndicatorRefused::Full => full(),
                    IndicatorRefused::NotYours | IndicatorRefused::Unknown => NOT_YOURS.to_owned(),
                })
            });
            let value = item.get("indicatorValue").cloned().unwrap_or(Value::Null);
            match set {
                Ok(id) => json!({ "id": id, "indicator": value, "isFailed": false, "failureReason": null }),
                Err(reason) => json!({ "id": null, "indicator": value, "isFailed": true, "failureReason": reason }),
            }
        };
        items.iter().map(one).collect()
    });
    // The sample of the page has no context.
    Ok(Json(json!({ "value": results })).into_response())
}

pub(super) async fn remove(Path(id): Path<String>, head: Head) -> Answer {
    let call = head.admit(&REMOVE)?;
    let unknown = || call.not_found("Indicator", &id);
    let number: u64 = id.parse().map_err(|_| unknown())?;
    call.with_world(|world| world.remove_indicators(&[number], &call.hand())).map_err(|_| unknown())?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// All or none.
pub(super) async fn remove_many(head: Head, body: Bytes) -> Answer {
    let call = head.admit(&REMOVE_MANY)?;
    let ids = call.body(&body, &["IndicatorIds"])?.texts("IndicatorIds")?;
    if ids.is_empty() {
        return Err(call.missing("IndicatorIds"));
    }
    check_size(&call, ids.len())?;
    let numbers: Result<BTreeSet<u64>, _> = ids.iter().map(|id| id.parse()).collect();
    let numbers: Vec<u64> = numbers.map_err(|_| call.invalid("IndicatorIds"))?.into_iter().collect();
    let removed = call.with_world(|world| world.remove_indicators(&numbers, &call.hand()));
    removed.map_err(|_| call.not_found("One of the indicators", &ids.join(",")))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

impl Call {
    /// Without the role for all, an application has to do with its own indicators only.
    fn hand(&self) -> IndicatorHand {
        IndicatorHand {
            name: self.caller.display_name.clone(),
            app_id: self.caller.app_id.clone(),
            own_only: self.caller.scopes.is_empty() && !self.caller.roles.iter().any(|role| role == ALL),
        }
    }
}

fn check_size(call: &Call, count: usize) -> Result<(), Refusal> {
    if count <= BATCH_MAX {
        return Ok(());
    }
    let message = format!("Received {count} indicators, the maximum is {BATCH_MAX}");
    Err(call.bad("MaximumBatchSizeExceeded", &message))
}

fn forbidden(call: &Call, message: &str) -> Refusal {
    let response: Response = answer::error(&call.app, StatusCode::FORBIDDEN, "DisallowedOperation", message);
    Refusal::of(response)
}

/// The sentence is ours (G).
fn full() -> String {
    format!("The tenant has the maximum of {INDICATOR_COUNT_MAX} active indicators")
}

fn indicator_json(indicator: &Indicator) -> Value {
    let terms = &indicator.terms;
    json!({
        "id": indicator.id.to_string(),
        "indicatorValue": terms.value,
        "indicatorType": terms.kind,
        "action": terms.action,
        "application": terms.application,
        "source": indicator.source,
        "sourceType": "AadApp",
        "createdBySource": null,
        "createdByDisplayName": indicator.source,
        "createdBy": indicator.created_by,
        "creationTimeDateTimeUtc": indicator.created.to_string(),
        "expirationTime": terms.expires.map(|at| at.to_string()),
        "lastUpdateTime": indicator.updated.to_string(),
        "lastUpdatedBy": indicator.updated_by,
        "severity": terms.severity,
        "title": terms.title,
        "description": terms.description,
        "recommendedActions": terms.recommended.as_deref().unwrap_or_default(),
        "rbacGroupNames": terms.groups,
        "rbacGroupIds": [],
        "generateAlert": terms.generate_alert,
        "externalID": terms.external_id,
        "educateUrl": terms.educate_url,
    })
}

fn is_kind(text: &str) -> bool {
    KINDS.iter().any(|kind| kind.eq_ignore_ascii_case(text))
}

fn is_action(text: &str) -> bool {
    ACTIONS.iter().any(|action| action.eq_ignore_ascii_case(text))
}

fn is_severity(text: &str) -> bool {
    SEVERITIES.iter().any(|severity| severity.eq_ignore_ascii_case(text))
}

/// Filterable are those that the page of the list names.
const INDICATORS: List = List {
    set: "Indicators",
    entity: "microsoft.windowsDefenderATP.api.Indicator",
    properties: &[
        by("application", Kind::Text),
        by("createdByDisplayName", Kind::Text),
        by("expirationTime", Kind::Instant),
        by("generateAlert", Kind::Boolean),
        by("title", Kind::Text),
        by("rbacGroupNames", Kind::TextList),
        by("rbacGroupIds", Kind::TextList),
        by("indicatorValue", Kind::Text),
        by("indicatorType", Kind::Enumeration(is_kind)),
        by("creationTimeDateTimeUtc", Kind::Instant),
        by("createdBy", Kind::Text),
        by("action", Kind::Enumeration(is_action)),
        by("severity", Kind::Enumeration(is_severity)),
        shown("id"),
        shown("description"),
        shown("source"),
        shown("sourceType"),
        shown("lastUpdateTime"),
        shown("recommendedActions"),
    ],
    top_max: TOP_MAX,
};

const ALL: &str = "Ti.ReadWrite.All";
const ROLES: &[&str] = &["Ti.ReadWrite", ALL];
const BATCH_MAX: usize = 500;
const NOT_YOURS: &str = "The indicator belongs to another application";

const LIST: Door = Door { roles: ROLES, limit: usual("mde indicators") };
const SUBMIT: Door = Door { roles: ROLES, limit: usual("mde indicator submit") };
const IMPORT: Door = Door { roles: ROLES, limit: Limit { name: "mde indicators import", windows: &[(30, 60)] } };
const REMOVE: Door = Door { roles: ROLES, limit: usual("mde indicator remove") };
const REMOVE_MANY: Door =
    Door { roles: ROLES, limit: Limit { name: "mde indicators remove", windows: &[(30, 60), (1_500, 3_600)] } };
