//! A description as a clean OpenAPI 3.1 document, from which the same description is imported again.

use serde_json::{Map, Value, json};

use crate::{
    description::{Description, Server},
    import::derive::{Schemas, item_of, usual_form},
    operation::{Body, BodyForm, Content, Effect, Guidance, LinkedCall, Operation, Output, Parameter, ParameterForm},
    security::{OAuthFlow, OAuthGrant, SchemeKind, SecurityScheme},
};

/// The document. What OpenAPI has no place for stands in `x-sortie-*`.
pub fn export(description: &Description) -> Value {
    let mut info = Map::new();
    put(&mut info, "title", description.title.clone());
    put(&mut info, "version", description.document_version.clone());
    put_some(&mut info, "description", description.description.clone());
    put_some(&mut info, "x-logo", description.logo.as_ref().map(|url| json!({ "url": url })));
    put_list(&mut info, "x-sortie-categories", &description.categories);
    let mut document = Map::new();
    put(&mut document, "openapi", "3.1.0");
    put(&mut document, "info", info);
    put_some(&mut document, "externalDocs", description.documentation.as_ref().map(|url| json!({ "url": url })));
    put_values(&mut document, "servers", description.servers.iter().map(server).collect());
    put_list(&mut document, "tags", &description.tags);
    put(&mut document, "paths", paths(description));
    let mut components = Map::new();
    if !description.schemas.is_empty() {
        put(&mut components, "schemas", description.schemas.clone().into_iter().collect::<Map<_, _>>());
    }
    if !description.security_schemes.is_empty() {
        let schemes = description.security_schemes.iter().map(|(name, one)| (name.clone(), scheme(one)));
        put(&mut components, "securitySchemes", schemes.collect::<Map<_, _>>());
        // Said outright, so that an operation without a requirement is one that needs none.
        put(&mut document, "security", json!([]));
    }
    if !components.is_empty() {
        put(&mut document, "components", components);
    }
    for (name, value) in &description.extensions {
        put(&mut document, &format!("x-sortie-{name}"), value.clone());
    }
    Value::Object(document)
}

fn paths(description: &Description) -> Map<String, Value> {
    let mut paths: Map<String, Value> = Map::new();
    for operation in &description.operations {
        let mut path = operation.path.clone();
        for (at, (name, value)) in operation.fixed_query.iter().enumerate() {
            path.push(if at == 0 { '?' } else { '&' });
            path.push_str(&format!("{name}={value}"));
        }
        let method = operation.method.as_str().to_ascii_lowercase();
        // One path has each method once. A fragment, which is never sent, makes it another key for the same path.
        let mut key = path.clone();
        let mut count = 1;
        while paths.get(&key).is_some_and(|item| item.get(&method).is_some()) {
            count += 1;
            key = format!("{path}#{count}");
        }
        let item = paths.entry(key).or_insert_with(|| json!({}));
        item[method] = Value::Object(operation_object(operation, &description.schemas));
    }
    paths
}

fn operation_object(operation: &Operation, schemas: &Schemas) -> Map<String, Value> {
    let mut out = Map::new();
    put(&mut out, "operationId", operation.id.clone());
    put(&mut out, "summary", operation.title.clone());
    put_some(&mut out, "description", operation.description.clone());
    put_list(&mut out, "tags", &operation.tags);
    if operation.deprecated {
        put(&mut out, "deprecated", true);
    }
    put_some(&mut out, "externalDocs", operation.documentation.as_ref().map(|url| json!({ "url": url })));
    put_values(&mut out, "servers", operation.servers.iter().map(server).collect());
    put_values(&mut out, "parameters", operation.parameters.iter().map(parameter).collect());
    put_some(&mut out, "requestBody", operation.body.as_ref().map(|one| body(one, schemas)));
    if !operation.outputs.is_empty() {
        let outputs = operation.outputs.iter().map(|(status, one)| (status.clone(), output(one)));
        put(&mut out, "responses", outputs.collect::<Map<_, _>>());
    }
    put_values(&mut out, "security", operation.security.iter().map(plain).collect());
    put_some(&mut out, "x-sortie-effect", effect(&operation.effect));
    put_some(&mut out, "x-sortie-pagination", operation.pagination.as_ref().map(plain));
    put_list(&mut out, "x-sortie-aliases", &operation.aliases);
    guidance(&mut out, &operation.guidance);
    out
}

fn server(server: &Server) -> Value {
    let mut out = Map::new();
    put(&mut out, "url", server.url.clone());
    put_some(&mut out, "description", server.description.clone());
    let mut variables = Map::new();
    for (name, variable) in &server.variables {
        let mut one = Map::new();
        // OpenAPI wants a default; an empty one says that there is none.
        put(&mut one, "default", variable.default.as_deref().unwrap_or_default());
        put_list(&mut one, "enum", &variable.choices);
        put_some(&mut one, "description", variable.description.clone());
        put(&mut variables, name, one);
    }
    if !variables.is_empty() {
        put(&mut out, "variables", variables);
    }
    Value::Object(out)
}

fn parameter(parameter: &Parameter) -> Value {
    let mut out = Map::new();
    put(&mut out, "name", parameter.name.clone());
    put(&mut out, "in", parameter.location.as_str());
    if parameter.required {
        put(&mut out, "required", true);
    }
    if parameter.deprecated {
        put(&mut out, "deprecated", true);
    }
    put_some(&mut out, "description", parameter.description.clone());
    match &parameter.form {
        ParameterForm::Content { media_type } => {
            put(&mut out, "content", json!({ media_type: { "schema": parameter.schema } }));
        }
        ParameterForm::Style { .. } => {
            style(&mut out, &parameter.form);
            put(&mut out, "schema", parameter.schema.clone());
        }
    }
    put_some(&mut out, "example", parameter.example.clone());
    Value::Object(out)
}

fn style(out: &mut Map<String, Value>, form: &ParameterForm) {
    match form {
        ParameterForm::Content { media_type } => put(out, "contentType", media_type.as_str()),
        ParameterForm::Style { style, explode, allow_reserved } => {
            put(out, "style", style.as_str());
            put(out, "explode", *explode);
            if *allow_reserved {
                put(out, "allowReserved", true);
            }
        }
    }
}

fn body(body: &Body, schemas: &Schemas) -> Value {
    let mut out = Map::new();
    put_some(&mut out, "description", body.description.clone());
    if body.required {
        put(&mut out, "required", true);
    }
    let contents = body.contents.iter().map(|one| (one.media_type.clone(), content(one, schemas)));
    put(&mut out, "content", contents.collect::<Map<_, _>>());
    Value::Object(out)
}

fn content(content: &Content, schemas: &Schemas) -> Value {
    let mut out = Map::new();
    put(&mut out, "schema", content.schema.clone());
    put_some(&mut out, "example", content.example.clone());
    let mut encoding = Map::new();
    for field in content.fields.iter().filter(|_| content.form != BodyForm::Json) {
        let (schema, item) = item_of(&field.schema, schemas);
        let usual = usual_form(content.form, schema, item, field.file);
        if let Some(form) = field.form.as_ref().filter(|form| **form != usual) {
            let mut one = Map::new();
            style(&mut one, form);
            put(&mut encoding, &field.name, one);
        }
    }
    if !encoding.is_empty() {
        put(&mut out, "encoding", encoding);
    }
    Value::Object(out)
}

fn output(output: &Output) -> Value {
    let mut out = Map::new();
    put(&mut out, "description", output.description.as_deref().unwrap_or_default());
    if !output.headers.is_empty() {
        let headers = output.headers.iter().map(|name| (name.clone(), json!({ "schema": { "type": "string" } })));
        put(&mut out, "headers", headers.collect::<Map<_, _>>());
    }
    if !output.contents.is_empty() {
        let contents = output.contents.iter().map(|one| {
            let mut media = Map::new();
            put_some(&mut media, "schema", one.schema.clone());
            put_some(&mut media, "example", one.example.clone());
            (one.media_type.clone(), Value::Object(media))
        });
        put(&mut out, "content", contents.collect::<Map<_, _>>());
    }
    Value::Object(out)
}

fn effect(effect: &Effect) -> Option<Value> {
    if !effect.stated {
        return None;
    }
    if effect.read_by.is_none() && effect.key.is_none() {
        return Some(json!(effect.class));
    }
    let mut out = Map::new();
    put(&mut out, "class", effect.class.as_str());
    put_some(&mut out, "readBy", effect.read_by.clone());
    put_some(&mut out, "key", effect.key.clone());
    Some(Value::Object(out))
}

fn guidance(out: &mut Map<String, Value>, guidance: &Guidance) {
    put_some(out, "x-sortie-audience", guidance.audience.clone());
    put_list(out, "x-sortie-roles", &guidance.roles);
    put_some(out, "x-sortie-limits", guidance.limits.clone());
    put_some(out, "x-sortie-test", guidance.test.clone());
    let calls: [(&str, &Option<LinkedCall>); 3] =
        [("probe", &guidance.probe), ("await", &guidance.awaits), ("undo", &guidance.undo)];
    for (name, call) in calls {
        put_some(out, &format!("x-sortie-{name}"), call.as_ref().map(plain));
    }
    for (name, value) in &guidance.more {
        put(out, &format!("x-sortie-{name}"), value.clone());
    }
}

fn scheme(scheme: &SecurityScheme) -> Value {
    let mut out = Map::new();
    let mut http = |name: &str| {
        put(&mut out, "type", "http");
        put(&mut out, "scheme", name);
    };
    match &scheme.kind {
        SchemeKind::ApiKey { place, name, prefix } => {
            put(&mut out, "type", "apiKey");
            put(&mut out, "in", place.as_str());
            put(&mut out, "name", name.as_str());
            put_some(&mut out, "x-sortie-prefix", prefix.clone());
        }
        SchemeKind::Basic => http("basic"),
        SchemeKind::Bearer { format } => {
            http("bearer");
            put_some(&mut out, "bearerFormat", format.clone());
        }
        SchemeKind::OAuth2 { flows } => {
            put(&mut out, "type", "oauth2");
            let flows = flows.iter().map(|one| (one.grant.flow_key().to_owned(), flow(one)));
            put(&mut out, "flows", flows.collect::<Map<_, _>>());
        }
        SchemeKind::OpenIdConnect { url } => {
            put(&mut out, "type", "openIdConnect");
            put(&mut out, "openIdConnectUrl", url.as_str());
        }
        SchemeKind::MutualTls => put(&mut out, "type", "mutualTLS"),
        SchemeKind::Login { path } => {
            http("bearer");
            put(&mut out, "x-sortie-login", path.as_str());
        }
        SchemeKind::Http { scheme } => http(scheme),
        SchemeKind::Unknown { written } => {
            http("unknown");
            put(&mut out, "x-sortie-type", written.clone());
        }
    }
    put_some(&mut out, "description", scheme.description.clone());
    Value::Object(out)
}

fn flow(flow: &OAuthFlow) -> Value {
    let mut out = Map::new();
    let sign_in = if flow.grant == OAuthGrant::DeviceCode { "deviceAuthorizationUrl" } else { "authorizationUrl" };
    put_some(&mut out, sign_in, flow.authorization_url.clone());
    put_some(&mut out, "tokenUrl", flow.token_url.clone());
    put_some(&mut out, "refreshUrl", flow.refresh_url.clone());
    put(&mut out, "scopes", plain(&flow.scopes));
    Value::Object(out)
}

fn put(out: &mut Map<String, Value>, key: &str, value: impl Into<Value>) {
    out.insert(key.to_owned(), value.into());
}

/// The value of plain data. For small things only: what is a value already is moved or cloned, not built again.
fn plain(data: &impl serde::Serialize) -> Value {
    serde_json::to_value(data).expect("plain data with text keys")
}

fn put_some(out: &mut Map<String, Value>, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        put(out, key, value);
    }
}

fn put_list<T: serde::Serialize>(out: &mut Map<String, Value>, key: &str, items: &[T]) {
    if !items.is_empty() {
        put(out, key, plain(&items));
    }
}

fn put_values(out: &mut Map<String, Value>, key: &str, items: Vec<Value>) {
    if !items.is_empty() {
        put(out, key, items);
    }
}
