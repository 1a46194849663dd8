//! `kv/*`: named values of a tenant, in the store.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sortie_connector::NativeCall;
use sortie_engine::decide::Delivery;
use sortie_store::{Kept, Scope, Store, StoreError, StoreErrorKind};

use crate::outside::{Trouble, TroubleKind};

/// Runs an operation of `kv` over the values of the scope's tenant.
///
/// # Errors
/// [`Trouble`] with what to do about it.
pub async fn kv(store: &Store, scope: Scope, call: &NativeCall, now: Timestamp) -> Result<Value, Trouble> {
    let text = |key: &str| call.inputs.get(key).and_then(Value::as_str).unwrap_or_default();
    let whole = |key: &str| call.inputs.get(key).and_then(Value::as_i64);
    let value = || call.inputs.get("value").unwrap_or(&Value::Null).to_string();
    let name = text("name");
    if call.operation.id == "list" {
        let limit = u32::try_from(whole("limit").unwrap_or(100).clamp(1, 1_000)).expect("it is small");
        let names = store.value_names(scope, text("prefix"), text("after"), limit + 1).await;
        let mut names = names.map_err(|error| unkept(&error))?;
        let more = names.len() > limit as usize;
        names.truncate(limit as usize);
        return Ok(json!({ "names": names, "more": more }));
    }
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        let what = format!("the input `name` has {} characters", name.chars().count());
        return Err(Trouble::refused(TroubleKind::Document, what, "Give a name of 1 to 256 characters."));
    }
    let expires = whole("ttl_s").map(|seconds| ends(now, seconds)).transpose()?;
    let kept = match call.operation.id.as_str() {
        "get" => return shown(name, store.value(scope, name).await.map_err(|error| unkept(&error))?),
        "set" => {
            let version = store.set_value(scope, name, value(), expires, None).await;
            version.map(|version| json!({ "name": name, "version": version }))
        }
        "delete" => store.remove_value(scope, name).await.map(|deleted| json!({ "deleted": deleted })),
        "compare-and-set" => match store.set_value(scope, name, value(), expires, whole("version")).await {
            Err(StoreError { kind: StoreErrorKind::Stale(_), .. }) => {
                let mut present = shown(name, store.value(scope, name).await.map_err(|error| unkept(&error))?)?;
                present["done"] = false.into();
                return Ok(present);
            }
            set => set.map(|version| json!({ "done": true, "version": version })),
        },
        _ => return increment(store, scope, name, whole("by").unwrap_or(1), expires).await,
    };
    kept.map_err(|error| unkept(&error))
}

fn unkept(error: &StoreError) -> Trouble {
    let what = format!("{error}: {}", error.kind);
    Trouble { delivery: Delivery::NotSent, ..Trouble::refused(TroubleKind::Service, what, error.remedy()) }
}

fn ends(now: Timestamp, seconds: i64) -> Result<Timestamp, Trouble> {
    let end = Some(seconds).filter(|seconds| *seconds > 0);
    let end = end.and_then(|seconds| now.checked_add(SignedDuration::from_secs(seconds)).ok());
    end.ok_or_else(|| {
        let what = format!("the input `ttl_s` is {seconds}, which is no lifetime");
        Trouble::refused(TroubleKind::Document, what, "Give the seconds until the value ends.")
    })
}

fn shown(name: &str, kept: Option<Kept>) -> Result<Value, Trouble> {
    let Some(kept) = kept else {
        return Ok(json!({ "name": name, "found": false, "value": null, "version": 0, "expires": null }));
    };
    let value: Value = serde_json::from_str(&kept.value)
        .map_err(|_| Trouble::refused(TroubleKind::Service, "a kept value is no JSON", "Set it anew."))?;
    let expires = kept.expires.map(|end| end.to_string());
    Ok(json!({ "name": name, "found": true, "value": value, "version": kept.version, "expires": expires }))
}

/// Reads, adds and writes unless somebody else wrote meanwhile; then again. The end stays unless a new one is given.
async fn increment(
    store: &Store,
    scope: Scope,
    name: &str,
    by: i64,
    expires: Option<Timestamp>,
) -> Result<Value, Trouble> {
    for _ in 0..ATTEMPT_COUNT_MAX {
        let kept = store.value(scope, name).await.map_err(|error| unkept(&error))?;
        let (present, version, ended) = match &kept {
            None => (Some(0), 0, None),
            Some(kept) => (kept.value.parse::<i64>().ok(), kept.version, kept.expires),
        };
        let sum = present.and_then(|present| present.checked_add(by)).ok_or_else(|| {
            let what = format!("the value `{name}` cannot be counted: it is no whole number, or too large");
            Trouble::refused(TroubleKind::Document, what, "Look at it with kv/get, or set it anew.")
        })?;
        match store.set_value(scope, name, sum.to_string(), expires.or(ended), Some(version)).await {
            Ok(version) => return Ok(json!({ "value": sum, "version": version })),
            Err(StoreError { kind: StoreErrorKind::Stale(_), .. }) => {}
            Err(error) => return Err(unkept(&error)),
        }
    }
    let what = format!("the value `{name}` changes faster than it can be counted");
    Err(Trouble { delivery: Delivery::NotSent, ..Trouble::refused(TroubleKind::Service, what, "Try again.") })
}

const NAME_CHARS_MAX: usize = 256;
const ATTEMPT_COUNT_MAX: usize = 100;
