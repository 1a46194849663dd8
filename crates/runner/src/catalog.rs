//! What a document refers to, as this installation has it: gathered once, then asked by the validation.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde_json::{Map, Value, json};
use sortie_engine::{
    catalog::{Callable, Catalog, Connection, Found, Operation},
    document::{Parameter, TriggerKind, Workflow, read},
    text::did_you_mean,
};
use sortie_store::{Scope, Store, StoreError, TenantKey};

use crate::{
    calls::class_of,
    compiled::Compiled,
    outside::{Outside, Product},
};

/// What documents of a tenant may refer to, whichever they are.
pub struct Surroundings {
    tenant: TenantKey,
    connectors: Vec<String>,
    /// Connector and name of each connection that a run could use.
    connections: Vec<(String, String)>,
    /// The texts of workflows, by id; read where one is called.
    workflows: BTreeMap<String, String>,
}

/// What one document refers to.
pub struct Known<'s> {
    products: HashMap<String, Arc<Product>>,
    surroundings: &'s Surroundings,
}

impl Surroundings {
    /// Looks up what is there for the tenant; with the shared one what is for all.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn gather(store: &Store, tenant: TenantKey) -> Result<Self, StoreError> {
        let scope = if tenant == TenantKey::SHARED { Scope::Every } else { Scope::Tenant(tenant) };
        let mut rows = store.connections(scope).await?;
        if tenant != TenantKey::SHARED {
            rows.extend(store.connections(Scope::Tenant(TenantKey::SHARED)).await?);
        }
        let connections = rows.into_iter().map(|row| (row.connector, row.name)).collect();
        let mut connectors: Vec<String> = store.connectors(scope).await?.into_iter().map(|info| info.id).collect();
        connectors.extend(sortie_connector::BUILT_IN.iter().map(|one| one.id.to_owned()));
        connectors.sort();
        connectors.dedup();
        let kept = store.workflows(scope).await?;
        let workflows = kept.into_iter().map(|kept| (kept.id, kept.text)).collect();
        Ok(Self { tenant, connectors, connections, workflows })
    }

    /// A workflow that is to be kept, too; it goes before one that is kept.
    pub fn put(&mut self, id: String, text: String) {
        self.workflows.insert(id, text);
    }

    /// What this document refers to among them.
    pub async fn known(&self, outside: &dyn Outside, workflow: &Workflow) -> Known<'_> {
        let mut products = HashMap::new();
        for (connector, _) in Compiled::operations(workflow) {
            if let Ok(product) = outside.product(self.tenant, &connector, None).await {
                products.insert(connector, product);
            }
        }
        Known { products, surroundings: self }
    }
}

impl Catalog for Known<'_> {
    fn operation(&self, connector: &str, operation: &str) -> Found<Operation> {
        let Some(product) = self.products.get(connector) else {
            return Found::Unknown { what: "connector", known: self.surroundings.connectors.clone() };
        };
        match product.description.operation_called(operation) {
            Some(found) => Found::Known(Operation {
                class: class_of(found).class,
                inputs: resolved(product, found.input_schema(0)),
                roles: found.guidance.roles.clone(),
                can_await: found.guidance.awaits.is_some(),
                can_cancel: found.guidance.more.contains_key("cancel"),
                has_pages: found.pagination.is_some(),
            }),
            None => {
                let known = product.description.operations.iter().map(|operation| operation.id.clone()).collect();
                Found::Unknown { what: "operation", known }
            }
        }
    }

    fn connection(&self, connector: &str, name: Option<&str>) -> Found<Connection> {
        let of_it = || self.surroundings.connections.iter().filter(|(own, _)| own == connector).map(|(_, name)| name);
        if NEEDS_NONE.contains(&connector) && name.is_none() {
            return Found::Undecided;
        }
        match name {
            Some(name) => match of_it().find(|known| *known == name) {
                Some(known) => Found::Known(Connection { name: known.clone(), roles: None }),
                None => Found::Unknown { what: "connection", known: of_it().cloned().collect() },
            },
            None => match of_it().next() {
                Some(known) => Found::Known(Connection { name: known.clone(), roles: None }),
                None => Found::Unknown { what: "connection", known: Vec::new() },
            },
        }
    }

    fn workflow(&self, id: &str) -> Found<Callable> {
        let kept = &self.surroundings.workflows;
        let Some(workflow) = kept.get(id).and_then(|text| read(text).ok()) else {
            return Found::Unknown { what: "workflow", known: kept.keys().cloned().collect() };
        };
        let parameters = workflow.triggers.iter().find_map(|trigger| match &trigger.kind {
            TriggerKind::Workflow { inputs } => Some(inputs),
            _ => None,
        });
        let inputs = schema_of(parameters.map(Vec::as_slice).unwrap_or_default());
        Found::Known(Callable { has_trigger: parameters.is_some(), inputs })
    }
}

/// A schema with everything that it refers to inside.
fn resolved(product: &Product, mut schema: Value) -> Value {
    if let Value::Object(fields) = &mut schema {
        fields.insert("components".to_owned(), json!({ "schemas": product.description.schemas }));
    }
    schema
}

/// The inputs of a trigger as a JSON Schema.
pub(crate) fn schema_of(parameters: &[Parameter]) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for parameter in parameters {
        let mut schema = match parameter.kind.as_str() {
            "any" => json!({}),
            "list" => json!({ "type": "array" }),
            kind => json!({ "type": kind }),
        };
        if !parameter.choices.is_empty() {
            schema["enum"] = parameter.choices.clone().into();
        }
        if parameter.default.is_none() {
            required.push(parameter.name.value.clone());
        }
        properties.insert(parameter.name.value.clone(), schema);
    }
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

/// What a start gives, with defaults in place of what it leaves out.
///
/// # Errors
/// One sentence for the first input that is missing, unknown or of another kind.
pub fn inputs_of(parameters: &[Parameter], given: &Map<String, Value>) -> Result<Map<String, Value>, String> {
    let mut inputs = Map::new();
    for parameter in parameters {
        let name = &parameter.name.value;
        let value = match (given.get(name), &parameter.default) {
            (Some(value), _) => value.clone(),
            (None, Some(default)) => default.clone(),
            (None, None) => return Err(format!("the input `{name}` is missing")),
        };
        let fits = match parameter.kind.as_str() {
            "string" => value.is_string(),
            "number" => value.is_number(),
            "integer" => value.is_i64() || value.is_u64(),
            "boolean" => value.is_boolean(),
            "list" => value.is_array(),
            "any" => true,
            _ => value.is_object(),
        };
        if !fits {
            return Err(format!("the input `{name}` takes a value of kind {}", parameter.kind));
        }
        if !parameter.choices.is_empty() && !parameter.choices.contains(&value) {
            let words: Vec<String> = parameter.choices.iter().map(ToString::to_string).collect();
            return Err(format!("the input `{name}` takes one of {}", words.join(", ")));
        }
        inputs.insert(name.clone(), value);
    }
    let names = || parameters.iter().map(|parameter| parameter.name.value.as_str());
    match given.keys().find(|key| !names().any(|name| name == *key)) {
        Some(unknown) => {
            Err(format!("there is no input `{unknown}`. {}", did_you_mean(unknown, names())).trim_end().to_owned())
        }
        None => Ok(inputs),
    }
}

/// They run inside.
const NEEDS_NONE: &[&str] = &["data", "kv", "http"];

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(inputs: &str) -> Vec<Parameter> {
        let text = format!(
            "workflow: w\ntriggers: [{{ manual: {{ inputs: {inputs} }} }}]\nsteps: [{{ id: s, set: {{ a: 1 }} }}]\n"
        );
        let workflow = read(&text).unwrap();
        let TriggerKind::Manual { inputs, .. } = &workflow.triggers[0].kind else { panic!("{text}") };
        inputs.clone()
    }

    #[test]
    fn an_input_of_any_kind_takes_whatever_is_given_and_is_needed_like_others() {
        let any = parameters("{ what: any, host: string }");
        assert_eq!(schema_of(&any)["properties"], json!({ "what": {}, "host": { "type": "string" } }));
        for value in [json!("a"), json!({ "b": 1 }), json!([2]), Value::Null] {
            let given = json!({ "what": value, "host": "h" });
            assert_eq!(inputs_of(&any, given.as_object().unwrap()).as_ref(), Ok(given.as_object().unwrap()));
        }
        let error = inputs_of(&any, json!({ "what": 1, "host": 2 }).as_object().unwrap()).unwrap_err();
        assert_eq!(error, "the input `host` takes a value of kind string");
        let error = inputs_of(&any, json!({ "host": "h" }).as_object().unwrap()).unwrap_err();
        assert_eq!(error, "the input `what` is missing");
    }
}
