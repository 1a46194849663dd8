//! Requests as the OpenAPI specifications and RFC 6570 say they must be, written by hand, byte for byte.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]

mod bodies;
mod parameters;
mod refusals;
mod targets;

use serde_json::{Map, Value};
use sortie_connector::{BuildError, BuiltRequest, Target, build};
use sortie_openapi::{Import, NoSources};

/// One operation `op` at `path`, the rest of its YAML as given.
fn imported(path: &str, method: &str, rest: &str) -> Import {
    let lines: String = rest.lines().map(|line| format!("      {line}\n")).collect();
    let document = format!(
        "openapi: 3.0.3\ninfo: {{ title: Golden, version: '1' }}\nservers: [{{ url: 'https://api.example/v1' }}]\npaths:\n  '{path}':\n    {method}:\n      operationId: op\n      responses: {{ '200': {{ description: ok }} }}\n{lines}"
    );
    let import = sortie_openapi::import(document.as_bytes(), &NoSources, &sortie_openapi::Options::default()).unwrap();
    assert_eq!(import.report.quarantined.len(), 0, "{:?}\n{document}", import.report.quarantined);
    import
}

fn built(import: &Import, inputs: &str, target: &Target) -> Result<BuiltRequest, BuildError> {
    let inputs: Map<String, Value> = serde_json::from_str(inputs).unwrap();
    build(&import.description, import.description.operation("op").unwrap(), &inputs, target)
}

/// `METHOD address`, one line a header, an empty line, the body.
fn written(request: &BuiltRequest) -> String {
    let mut text = format!("{} {}\n", request.method, request.url);
    for (name, value) in &request.headers {
        text += &format!("{name}: {value}\n");
    }
    if let Some(body) = &request.body {
        text += &format!("\n{}", String::from_utf8_lossy(body));
    }
    text
}
