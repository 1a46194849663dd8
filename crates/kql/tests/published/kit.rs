//! What the tests share: the corpora, and databases for them.

use std::{collections::HashMap, fs, path::PathBuf, sync::Arc};

use serde_json::Value as Json;
use sortie_kql::{
    Database, HostAnswer, HostCall, HostFunction, HostParameter, HostResult, Limits, Options, Schema, Table, Type,
    Value, parse_instant,
};

/// A file or folder beside the workspace; `None`, and one visible line, where it is absent.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let found = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path);
    if found.exists() {
        return Some(found);
    }
    eprintln!("skipped: ../shared/{path} is not here");
    None
}

/// The hunting queries: name and text, in order.
pub(crate) fn corpus() -> Option<Vec<(String, String)>> {
    let folder = shared("corpus/kql")?;
    let mut queries: Vec<(String, String)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "kql"))
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), fs::read_to_string(&path).unwrap()))
        .collect();
    queries.sort();
    Some(queries)
}

/// The clock of all tests.
pub(crate) fn options() -> Options {
    let now = parse_instant("2026-11-01T12:00:00Z").unwrap();
    Options { now, window: None, limits: Limits::default() }
}

/// Tables by name, and the functions of the hunting API.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) tables: HashMap<String, Arc<Table>>,
    pub(crate) functions: HashMap<String, HostFunction>,
}

impl Database for World {
    fn schema(&self, table: &str) -> Option<Arc<Schema>> {
        self.tables.get(table).map(|table| Arc::clone(table.schema()))
    }

    fn table(&self, table: &str) -> Option<Arc<Table>> {
        self.tables.get(table).cloned()
    }

    fn table_names(&self) -> Vec<String> {
        self.tables.keys().cloned().collect()
    }

    fn function(&self, name: &str) -> Option<HostFunction> {
        self.functions.get(name).cloned()
    }

    fn external_data(&self, schema: &Arc<Schema>) -> Result<Table, String> {
        Ok(Table::empty(Arc::clone(schema)))
    }

    fn call(&self, call: &HostCall<'_>) -> Result<HostAnswer, String> {
        let function = self.functions.get(call.name).ok_or("no such function")?;
        let rows = call.input.map_or(0, Table::len);
        let schema = match &function.result {
            HostResult::Adds(schema) | HostResult::Table(schema) => schema,
            HostResult::Scalar(_) => return Ok(HostAnswer::Value(Value::Null)),
        };
        let mut builder = sortie_kql::TableBuilder::new(Arc::clone(schema));
        (0..rows).for_each(|_| builder.push([]));
        Ok(HostAnswer::Table(builder.finish()))
    }
}

/// Empty tables with the documented columns, those of Log Analytics, and the service's older names.
pub(crate) fn hunting_world() -> Option<World> {
    let schemas = read_json("reference/microsoft/hunting-schema.json")?;
    let functions = read_json("reference/microsoft/hunting-functions.json")?;
    let mut world = World::default();
    for (name, table) in schemas["tables"].as_object().unwrap() {
        world.tables.insert(name.clone(), Arc::new(Table::empty(Arc::new(hunting_schema(table)))));
    }
    for (old, new) in RENAMED {
        let table = Arc::clone(&world.tables[*new]);
        world.tables.entry((*old).to_owned()).or_insert(table);
    }
    for function in functions["functions"].as_array().unwrap() {
        let name = function["name"].as_str().unwrap().to_owned();
        world.functions.insert(name, host_function(function));
    }
    Some(world)
}

const RENAMED: &[(&str, &str)] = &[
    ("AccountInfo", "IdentityInfo"),
    ("AppFileEvents", "CloudAppEvents"),
    ("DeviceTvmSoftwareInventoryVulnerabilities", "DeviceTvmSoftwareVulnerabilities"),
];

fn read_json(path: &str) -> Option<Json> {
    Some(serde_json::from_str(&fs::read_to_string(shared(path)?).unwrap()).unwrap())
}

fn hunting_schema(table: &Json) -> Schema {
    let columns = |list: &str| table[list].as_array().cloned().unwrap_or_default();
    let mut schema = Schema::new();
    for column in columns("columns").iter().chain(&columns("inferred_columns")) {
        let name = column["column"].as_str().unwrap();
        let ty = if name == "AdditionalFields" { "dynamic" } else { column["type"].as_str().unwrap() };
        schema = schema.with(name, Type::named(ty).unwrap_or(Type::String));
    }
    let time = table["time_column"].as_str().unwrap_or("Timestamp").to_owned();
    schema = schema.with_alias("TimeGenerated", &time).with_absent("TimeGenerated", Type::DateTime);
    for name in ["Type", "TenantId", "SourceSystem"] {
        schema = schema.with_absent(name, Type::String);
    }
    for column in columns("la_columns") {
        let ty = Type::named(column["type"].as_str().unwrap()).unwrap_or(Type::String);
        schema = schema.with_absent(column["column"].as_str().unwrap(), ty);
    }
    schema
}

fn host_function(function: &Json) -> HostFunction {
    let list = |name: &str| function[name].as_array().cloned().unwrap_or_default();
    let columns = |name: &str| -> Arc<Schema> {
        let column =
            |column: &Json| (column[0].as_str().unwrap().to_owned(), Type::named(column[1].as_str().unwrap()).unwrap());
        Arc::new(list(name).iter().map(column).collect())
    };
    let parameters = list("parameters").into_iter().map(|parameter| {
        let kind = parameter["type"].as_str().unwrap_or("string");
        let ty = kind.split_whitespace().next().and_then(Type::named).unwrap_or(Type::String);
        HostParameter {
            name: parameter["name"].as_str().unwrap_or_default().to_owned(),
            ty,
            column_name: kind.contains("column"),
            default: Some(Value::Null),
        }
    });
    let result = if function["adds"].is_array() {
        HostResult::Adds(columns("adds"))
    } else {
        HostResult::Table(columns("returns"))
    };
    HostFunction { parameters: parameters.collect(), result }
}
