//! The API's description, made of the table of routes.

use serde_json::{Map, Value, json};

use crate::{
    reach::Reach,
    routes::{Access, Answers, ROUTES, Route, Takes},
};

/// The OpenAPI 3.1 document of the API.
pub fn document(version: &str) -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_lowercase()] = operation(route);
    }
    let schemas: Value = serde_json::from_str(SCHEMAS).expect("a test reads it");
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Sortie",
            "version": version,
            "description": "The one API of Sortie. The command line is a client of it. Errors are problems (RFC 9457) whose \
                `detail` says what failed and whose `next` says what to do.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "A token of `sortie token add`." },
                "signature": {
                    "type": "apiKey", "in": "header", "name": "x-sortie-signature",
                    "description": "`sha256=` and the HMAC-SHA256, in hexadecimal digits, of the text of `x-sortie-timestamp` \
                        (seconds since 1970, at most five minutes away), a full stop, and the body. A signature is taken once.",
                },
                "secret": {
                    "type": "apiKey", "in": "header", "name": "x-sortie-token",
                    "description": "The webhook's secret itself, where its trigger says `secure: token`.",
                },
            },
            "schemas": schemas,
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "operationId": id(route),
        "summary": route.about,
        "parameters": parameters(route),
        "responses": responses(route),
        "tags": [tag(route.path)],
    });
    match route.access {
        Access::Open => operation["security"] = json!([]),
        Access::Proof => operation["security"] = json!([{ "signature": [] }, { "secret": [] }]),
        Access::Anybody => {}
        Access::May(permission) => {
            operation["x-sortie-role"] = permission.least().as_str().into();
            operation["description"] = format!("Takes the role {} {}.", permission.least(), reach(route.reach)).into();
        }
    }
    if let Some(takes) = route.body {
        let content = match takes {
            Takes::Json(schema) => json!({ "application/json": { "schema": reference(schema) } }),
            Takes::Yaml => json!({ "application/yaml": { "schema": { "type": "string" } } }),
            Takes::Anything => json!({
                "application/json": {},
                "application/x-www-form-urlencoded": { "schema": { "type": "object" } },
                "text/plain": { "schema": { "type": "string" } },
            }),
        };
        operation["requestBody"] = json!({ "required": true, "content": content });
    }
    operation
}

/// In words, after the role.
fn reach(reach: Reach) -> &'static str {
    match reach {
        Reach::Nothing => "anywhere",
        Reach::Everywhere => "for all tenants",
        Reach::Listed => "in a tenant; the answer has what lies where it is held",
        Reach::OneOrShared => "in the tenant that is named, or for all where none is",
        Reach::One => "in the tenant that is named, or in the only one",
        Reach::OneOrAll => "in the tenant that is named, or for all where none is",
        Reach::Run => "in the tenant of the run",
        Reach::Approval => "in the tenant of the approval",
    }
}

/// `get-workflow-versions`: method and path, without what every path begins with.
fn id(route: &Route) -> String {
    let mut words = vec![route.method.as_str().to_lowercase()];
    for part in route.path.trim_start_matches("/api/v1").split(['/', '.']).filter(|part| !part.is_empty()) {
        let bare = part.trim_matches(['{', '}']);
        words.push(if bare.len() < part.len() { format!("by-{bare}") } else { bare.to_owned() });
    }
    words.join("-")
}

fn tag(path: &str) -> &str {
    let path = path.trim_start_matches("/api/v1").trim_start_matches('/');
    path.split('/').next().filter(|part| !part.is_empty()).unwrap_or("api")
}

fn parameters(route: &Route) -> Value {
    let in_path = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut found: Vec<Value> = in_path
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    for name in route.query {
        let about = QUERY.iter().find(|(known, _, _)| known == name);
        let (_, kind, about) = about.expect("a test looks for each");
        found.push(json!({ "name": name, "in": "query", "description": about, "schema": { "type": kind } }));
    }
    found.into()
}

fn responses(route: &Route) -> Value {
    let content = match route.answer {
        Answers::Json(schema) => json!({ "application/json": { "schema": reference(schema) } }),
        Answers::Any => json!({ "application/json": {} }),
        Answers::Text => json!({ "text/plain": { "schema": { "type": "string" } } }),
        Answers::Events => json!({ "text/event-stream": { "schema": { "type": "string" } } }),
        Answers::Nothing => Value::Null,
    };
    let mut good = json!({ "description": "Done." });
    if !content.is_null() {
        good["content"] = content;
    }
    let problem = json!({
        "description": "It was not done.",
        "content": { "application/problem+json": { "schema": reference("Problem") } },
    });
    let mut responses = Map::new();
    responses.insert(route.status.to_string(), good);
    responses.insert("default".to_owned(), problem);
    responses.into()
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

const SCHEMAS: &str = include_str!("schemas.json");

const QUERY: &[(&str, &str, &str)] = &[
    ("tenant", "string", "The tenant by name; `shared` is what is for all."),
    ("workflow", "string", "Of this workflow."),
    ("status", "string", "Runs that go so: queued, running, waiting, held, blocked, needs_attention, ended."),
    ("outcome", "string", "Runs that ended so."),
    ("object", "string", "About this."),
    ("before", "string", "Runs after this one in the list: `next` of the last page."),
    ("count", "integer", "How many, 1 to 500."),
    ("after", "integer", "What follows this place."),
    ("step", "string", "The step, such as `devices[0].isolate`."),
    ("open", "boolean", "Those alone that nobody has decided."),
    ("action", "string", "The action, or the part before its dot."),
    ("actor", "string", "Who, by id or name."),
    ("since", "string", "At or after this instant."),
];
