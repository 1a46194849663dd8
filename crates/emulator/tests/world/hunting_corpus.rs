//! Published hunting queries against the seeded world: how many run, and how many find something. Never fewer.

use std::{fs, path::Path};

use reqwest::Method;
use serde_json::json;

use crate::stage::Stage;

#[tokio::test]
async fn published_queries_run_on_the_seeded_world() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/kql");
    let Ok(entries) = fs::read_dir(&folder) else {
        return eprintln!("skipped: ../shared/corpus/kql is not here");
    };
    let mut queries: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    queries.retain(|path| path.extension().is_some_and(|extension| extension == "kql"));
    queries.sort();
    let stage = Stage::start().await;
    stage.admin(Method::PUT, "/hunting", json!({ "cpuSeconds": 1e9, "externalData": "empty" })).await;
    let show = std::env::var_os("KQL_CORPUS_SHOW").is_some();
    let (mut ran, mut found) = (0, 0);
    for path in &queries {
        let query = fs::read_to_string(path).unwrap();
        let request = stage.client.post(stage.url("/v1.0/security/runHuntingQuery")).bearer_auth(&stage.graph);
        let request = request.header("content-type", "application/json; charset=utf-8");
        let answer =
            crate::stage::read(request.body(json!({ "Query": query }).to_string()).send().await.unwrap()).await;
        assert!(answer.status == 200 || answer.status == 400, "{}: {} {}", path.display(), answer.status, answer.text);
        if show && answer.status != 200 {
            eprintln!("{}: {}", path.file_stem().unwrap().to_string_lossy(), answer.json["error"]["message"]);
        }
        assert!(answer.json.is_object(), "{}: {}", path.display(), answer.text);
        ran += usize::from(answer.status == 200);
        found += usize::from(answer.json["results"].as_array().is_some_and(|rows| !rows.is_empty()));
    }
    let all = queries.len();
    eprintln!("of {all} published queries {ran} run on the seeded world, {found} give rows");
    assert!(ran >= RAN_MIN, "{ran} run, {RAN_MIN} did before");
    assert!(found >= FOUND_MIN, "{found} give rows, {FOUND_MIN} did before");
}

const RAN_MIN: usize = 1_420;
const FOUND_MIN: usize = 177;
