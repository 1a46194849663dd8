//! The product that is called: a device, an order to it, a comment. It counts what is done to it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::{get, patch, post},
};
use serde_json::{Value, json};

use crate::{TOKEN, load::ask, process::Serving};

/// What was done to it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) isolations: u64,
    pub(crate) comments: u64,
    /// Isolations of the device that has most of them.
    pub(crate) most_of_one: u64,
}

pub(crate) async fn start(delay_ms: u32) -> Serving {
    Serving::role("mock", &[(DELAY, delay_ms.to_string())])
}

/// Sets all counts to nothing.
pub(crate) async fn forget(mock: &Serving) {
    ask(&mock.address, "DELETE", "/counts").await;
}

pub(crate) async fn counts(mock: &Serving) -> Counts {
    let told: Value = serde_json::from_slice(&ask(&mock.address, "GET", "/counts").await).expect("it is JSON");
    let count = |name: &str| told[name].as_u64().expect("it is a number");
    Counts { isolations: count("isolations"), comments: count("comments"), most_of_one: count("most_of_one") }
}

#[derive(Default)]
struct Mock {
    delay: Duration,
    isolated: Mutex<HashMap<String, u64>>,
    comments: Mutex<u64>,
}

pub(crate) async fn serve() {
    let delay = std::env::var(DELAY).ok().and_then(|ms| ms.parse().ok()).expect("it is told how long to wait");
    let mock = Arc::new(Mock { delay: Duration::from_millis(delay), ..Mock::default() });
    let router = Router::new()
        .route("/api/machines/{id}", get(device))
        .route("/api/machines/{id}/isolate", post(isolate))
        .route("/api/incidents/{id}", patch(comment))
        .route("/counts", get(told).delete(forgotten))
        .with_state(mock);
    super::served::serve(router).await;
}

async fn device(
    State(mock): State<Arc<Mock>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> (StatusCode, Json<Value>) {
    mock.pause().await;
    if !is_known(&headers) {
        return (StatusCode::UNAUTHORIZED, Json(Value::Null));
    }
    let device = json!({
        "id": id, "computerDnsName": "ws-0412.haldenmarine.example", "osPlatform": "Windows11", "riskScore": "High",
        "healthStatus": "Active", "exposureLevel": "Medium", "lastSeen": "2026-11-22T03:00:00.1234567Z",
        "machineTags": ["workstation", "harbour-office"], "ipAddresses": [{ "ipAddress": "10.4.1.12", "type": "Ethernet" }],
    });
    (StatusCode::OK, Json(device))
}

async fn isolate(
    State(mock): State<Arc<Mock>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(order): Json<Value>,
) -> (StatusCode, Json<Value>) {
    mock.pause().await;
    if !is_known(&headers) || order["Comment"].as_str().is_none() {
        return (StatusCode::BAD_REQUEST, Json(Value::Null));
    }
    *mock.isolated.lock().expect("nobody panics").entry(id.clone()).or_default() += 1;
    let action = json!({ "id": "5382f7ea-7557-4ab7-9782-d50480024a4e", "type": "Isolate", "machineId": id, "status": "Pending" });
    (StatusCode::CREATED, Json(action))
}

async fn comment(
    State(mock): State<Arc<Mock>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(change): Json<Value>,
) -> (StatusCode, Json<Value>) {
    mock.pause().await;
    if !is_known(&headers) || change["comment"].as_str().is_none() {
        return (StatusCode::BAD_REQUEST, Json(Value::Null));
    }
    *mock.comments.lock().expect("nobody panics") += 1;
    (StatusCode::OK, Json(json!({ "id": id, "status": "active" })))
}

async fn told(State(mock): State<Arc<Mock>>) -> Json<Value> {
    let isolated = mock.isolated.lock().expect("nobody panics");
    let comments = *mock.comments.lock().expect("nobody panics");
    Json(json!({
        "isolations": isolated.values().sum::<u64>(), "most_of_one": isolated.values().max().copied().unwrap_or(0),
        "comments": comments,
    }))
}

async fn forgotten(State(mock): State<Arc<Mock>>) {
    mock.isolated.lock().expect("nobody panics").clear();
    *mock.comments.lock().expect("nobody panics") = 0;
}

impl Mock {
    async fn pause(&self) {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
    }
}

fn is_known(headers: &HeaderMap) -> bool {
    let found = headers.get("authorization").and_then(|value| value.to_str().ok());
    found.and_then(|value| value.strip_prefix("Bearer ")) == Some(TOKEN)
}

const DELAY: &str = "SORTIE_BENCH_DELAY_MS";
