//! Functions of hunting beside the language: what is known of a file, who has seen a device, which address is whose.

use std::{collections::HashMap, sync::Arc};

use serde_json::{Value as Json, json};
use sortie_kql::{
    Cell, Dynamic, HostAnswer, HostCall, HostFunction, HostParameter, HostResult, Schema, Table, TableBuilder, Type,
    Value,
};

use super::{programs, schema, sheet::dynamic, store::View};
use crate::world::{FileFacts, Ticks, World, file_standing};

/// What the binder must know of a function of that name.
pub(super) fn function(name: &str) -> Option<HostFunction> {
    let parameter = |name: &str, ty: Type, default: Option<Value>| HostParameter {
        name: name.to_owned(),
        ty,
        column_name: false,
        default,
    };
    let column = |name: &str, default: &str| HostParameter {
        name: name.to_owned(),
        ty: Type::String,
        column_name: true,
        default: Some(Value::text(default)),
    };
    let behaviors =
        || HostResult::Table(schema::table("BehaviorInfo").map(|info| info.schema.clone()).unwrap_or_default());
    let empty = || Some(Value::text(""));
    let (parameters, result) = match name {
        "FileProfile" => {
            let records = parameter("maxRecords", Type::Int, Some(Value::Int(PROFILE_COUNT)));
            (vec![column("idColumn", "SHA1"), records], HostResult::Adds(adds(PROFILE)))
        }
        "SeenBy" => (vec![column("deviceId", "DeviceId")], HostResult::Adds(adds(&[("SeenBy", Type::Dynamic)]))),
        "DeviceFromIP" => {
            let at = parameter("timestamp", Type::DateTime, Some(Value::Null));
            (vec![column("ip", "IP"), at], HostResult::Adds(adds(&[("IP", Type::String), ("DeviceId", Type::String)])))
        }
        "AssignedIPAddresses" => {
            let parameters =
                vec![parameter("device", Type::String, None), parameter("asOf", Type::DateTime, Some(Value::Null))];
            (parameters, HostResult::Table(adds(ADDRESSES)))
        }
        "GetFirstSeenBehaviors" | "GetUncommonValueBehaviors" | "GetHighVolumeAnomalyBehaviors" => {
            (Vec::new(), behaviors())
        }
        "GetAnomalousBehaviorsByKind" => {
            let parameters =
                vec![parameter("entityKind", Type::String, None), parameter("insightType", Type::String, empty())];
            (parameters, behaviors())
        }
        "GetAnomalousBehaviorsByValue" => {
            let parameters =
                vec![parameter("entityValue", Type::String, None), parameter("insightType", Type::String, empty())];
            (parameters, behaviors())
        }
        "GetAnomalousBehaviorsAbout" => (vec![parameter("filters", Type::Dynamic, None)], behaviors()),
        _ => return None,
    };
    Some(HostFunction { parameters, result })
}

/// Runs one of them.
///
/// # Errors
/// A sentence for the person who wrote the query.
pub(super) fn call(view: &View, call: &HostCall<'_>) -> Result<HostAnswer, String> {
    let needs_input = || format!("'invoke' operator: the function '{}' takes the rows of a table.", call.name);
    let table = match call.name {
        "FileProfile" => file_profile(view, call, call.input.ok_or_else(needs_input)?)?,
        "SeenBy" => seen_by(view, call, call.input.ok_or_else(needs_input)?)?,
        "DeviceFromIP" => device_from_ip(view, call, call.input.ok_or_else(needs_input)?)?,
        "AssignedIPAddresses" => addresses(view, call),
        _ => behaviors(call, call.input.ok_or_else(needs_input)?)?,
    };
    Ok(HostAnswer::Table(table))
}

fn adds(columns: &[(&str, Type)]) -> Arc<Schema> {
    Arc::new(columns.iter().copied().collect())
}

/// The place of the column that an argument names.
fn named_column(call: &HostCall<'_>, input: &Table) -> Result<usize, String> {
    let name = call.arguments.first().and_then(|name| name.cell().as_str().map(str::to_owned)).unwrap_or_default();
    let place = input.schema().stored().position(|column| *column.name == *name);
    place.ok_or_else(|| {
        format!("'invoke' operator: Failed to resolve column or scalar expression named '{name}'. Fix semantic errors in your query.")
    })
}

/// Rows beyond `maxRecords` (100 unless told) keep empty columns, as the page says.
fn file_profile(view: &View, call: &HostCall<'_>, input: &Table) -> Result<Table, String> {
    let place = named_column(call, input)?;
    let records = call.arguments.get(1).and_then(|count| count.cell().as_i64()).unwrap_or(i64::from(PROFILE_COUNT));
    let records = usize::try_from(records).unwrap_or(0);
    let profiles = view.with_world(profiles);
    let mut table = TableBuilder::new(adds(PROFILE));
    for row in 0..input.len() {
        let id = input.cell(row, place).as_str().unwrap_or_default().to_ascii_lowercase();
        match profiles.get(&id).filter(|_| row < records) {
            Some(profile) => table.push(profile.iter().map(Value::cell)),
            None if row < records && !id.is_empty() => {
                let blank = std::iter::repeat_n(Cell::Null, PROFILE.len() - 1);
                table.push(blank.chain([Cell::String("Missing")]));
            }
            None => table.push([]),
        }
    }
    Ok(table.finish())
}

/// Every file of the world by its hashes.
fn profiles(world: &World) -> HashMap<String, Vec<Value>> {
    let mut all = HashMap::new();
    let threats = world.alerts().into_iter().filter_map(|alert| Some((alert.file()?, alert.kind.family)));
    let programs = programs::all().map(|program| (program.facts(), None));
    for (file, threat) in threats.chain(programs) {
        let profile = profile(world, &file, threat);
        for hash in [&file.sha1, &file.sha256].into_iter().flatten() {
            all.entry(hash.clone()).or_insert_with(|| profile.clone());
        }
    }
    all
}

fn profile(world: &World, file: &FileFacts, threat: Option<&str>) -> Vec<Value> {
    let standing = file_standing(file);
    let hash = |hash: &Option<String>| Value::text(hash.as_deref().unwrap_or_default());
    let signed = file.publisher.is_some();
    let publisher = file.publisher.unwrap_or_default();
    let instant = |at: Ticks| Value::DateTime(at.since_year_one());
    vec![
        hash(&file.sha1),
        hash(&file.sha256),
        hash(&file.md5),
        Value::Long(file.size),
        Value::Long(standing.prevalence),
        instant(world.observed_first(file)),
        instant(Ticks(world.now().0 / 36_000_000_000 * 36_000_000_000)),
        Value::text(publisher),
        Value::text(if signed { format!("{publisher} Code Signing") } else { String::new() }),
        Value::text(if signed { standing.signer_hash.as_str() } else { "" }),
        Value::Bool(signed),
        Value::Bool(publisher.starts_with("Microsoft")),
        Value::text(if signed { "SignedValid" } else { "Unsigned" }),
        Value::Bool(true),
        Value::text(threat.unwrap_or_default()),
        Value::text(publisher),
        Value::text(programs::program(&file.name).map_or("", |known| known.product)),
        Value::text("Available"),
    ]
}

/// Neighbours in the same network: the devices that come before and behind in the inventory.
fn seen_by(view: &View, call: &HostCall<'_>, input: &Table) -> Result<Table, String> {
    let place = named_column(call, input)?;
    let mut table = TableBuilder::new(adds(&[("SeenBy", Type::Dynamic)]));
    view.with_world(|world| {
        for row in 0..input.len() {
            let index = input.cell(row, place).as_str().and_then(|id| world.device_index(id));
            let seen = index.map_or_else(|| json!([]), |index| neighbours(world, index));
            let seen = dynamic(&seen);
            table.push([Cell::Dynamic(&seen)]);
        }
    });
    Ok(table.finish())
}

fn neighbours(world: &World, index: usize) -> Json {
    let devices = &world.company.devices;
    let count = devices.len();
    let near = [index + 1, index + count - 1].map(|near| &devices[near % count]);
    let seen = near.map(|device| {
        let at = device.last_seen(world.now()).to_string();
        json!({ "DeviceId": device.machine_id, "LastEncountered": at })
    });
    json!(seen)
}

fn device_from_ip(view: &View, call: &HostCall<'_>, input: &Table) -> Result<Table, String> {
    let place = named_column(call, input)?;
    let mut table = TableBuilder::new(adds(&[("IP", Type::String), ("DeviceId", Type::String)]));
    view.with_world(|world| {
        for row in 0..input.len() {
            let address = input.cell(row, place).as_str().unwrap_or_default();
            let device = world.company.devices.iter().find(|device| device.ip == address);
            table.push([Cell::String(address), Cell::String(device.map_or("", |device| &device.machine_id))]);
        }
    });
    Ok(table.finish())
}

fn addresses(view: &View, call: &HostCall<'_>) -> Table {
    let named = call.arguments.first().and_then(|name| name.cell().as_str().map(str::to_owned)).unwrap_or_default();
    let mut table = TableBuilder::new(adds(ADDRESSES));
    view.with_world(|world| {
        let Some(index) = world.device_named(&named) else { return };
        let device = &world.company.devices[index];
        let at = device.last_seen(world.now()).since_year_one();
        // The page types both columns as int although it describes texts; one adapter, one network.
        table.push([Cell::DateTime(at), Cell::String(&device.ip), Cell::String("IPv4"), Cell::Int(6), Cell::Int(1)]);
    });
    table.finish()
}

/// Keeps the behaviors whose insights fit; this cloud has none.
fn behaviors(call: &HostCall<'_>, input: &Table) -> Result<Table, String> {
    let place = input.schema().stored().position(|column| &*column.name == "Insights");
    let place = place.ok_or_else(|| {
        "'invoke' operator: Failed to resolve scalar expression named 'Insights'. Fix semantic errors in your query.".to_owned()
    })?;
    let wanted = Wanted::of(call);
    let schema = schema::table("BehaviorInfo").map(|info| info.schema.clone()).unwrap_or_default();
    let places: Vec<Option<usize>> =
        schema.stored().map(|column| input.schema().stored().position(|own| own.name == column.name)).collect();
    let mut table = TableBuilder::new(schema);
    for row in 0..input.len() {
        let insights = input.cell(row, place).as_str().and_then(Dynamic::parse);
        if insights.as_ref().and_then(Dynamic::items).is_some_and(|items| items.iter().any(|item| wanted.fits(item))) {
            table.push(places.iter().map(|place| place.map_or(Cell::Null, |place| input.cell(row, place))));
        }
    }
    Ok(table.finish())
}

/// What an insight must be of and about.
struct Wanted {
    kind: Option<String>,
    about: Vec<(Option<String>, Option<String>)>,
}

impl Wanted {
    fn of(call: &HostCall<'_>) -> Self {
        let text = |at: usize| {
            let text = call.arguments.get(at).and_then(|value| value.cell().as_str().map(str::to_owned));
            text.filter(|text| !text.is_empty())
        };
        let (kind, about) = match call.name {
            "GetFirstSeenBehaviors" => (Some("FirstSeen".to_owned()), Vec::new()),
            "GetUncommonValueBehaviors" => (Some("UncommonValue".to_owned()), Vec::new()),
            "GetHighVolumeAnomalyBehaviors" => (Some("HighVolumeAnomaly".to_owned()), Vec::new()),
            "GetAnomalousBehaviorsByKind" => (text(1), vec![(text(0), None)]),
            "GetAnomalousBehaviorsByValue" => (text(1), vec![(None, text(0))]),
            _ => (None, filters(call.arguments.first())),
        };
        Self { kind, about }
    }

    fn fits(&self, insight: &Dynamic) -> bool {
        let is = |of: &Dynamic, name: &str, wanted: &Option<String>| {
            wanted
                .as_ref()
                .is_none_or(|wanted| of.field(name).and_then(|value| value.scalar().as_str()) == Some(wanted))
        };
        let about = insight.field("About").and_then(Dynamic::items).unwrap_or_default();
        is(insight, "type", &self.kind)
            && self
                .about
                .iter()
                .all(|(kind, value)| about.iter().any(|entity| is(entity, "Kind", kind) && is(entity, "Value", value)))
    }
}

fn filters(argument: Option<&Value>) -> Vec<(Option<String>, Option<String>)> {
    let Some(Value::Dynamic(filters)) = argument else { return Vec::new() };
    let text =
        |filter: &Dynamic, name: &str| filter.field(name).and_then(|value| value.scalar().as_str()).map(str::to_owned);
    filters.items().unwrap_or_default().iter().map(|filter| (text(filter, "Kind"), text(filter, "Value"))).collect()
}

/// Records that are looked up unless the call says otherwise.
const PROFILE_COUNT: i32 = 100;

const PROFILE: &[(&str, Type)] = &[
    ("SHA1", Type::String),
    ("SHA256", Type::String),
    ("MD5", Type::String),
    ("FileSize", Type::Int),
    ("GlobalPrevalence", Type::Int),
    ("GlobalFirstSeen", Type::DateTime),
    ("GlobalLastSeen", Type::DateTime),
    ("Signer", Type::String),
    ("Issuer", Type::String),
    ("SignerHash", Type::String),
    ("IsCertificateValid", Type::Bool),
    ("IsRootSignerMicrosoft", Type::Bool),
    ("SignatureState", Type::String),
    ("IsExecutable", Type::Bool),
    ("ThreatName", Type::String),
    ("Publisher", Type::String),
    ("SoftwareName", Type::String),
    ("ProfileAvailability", Type::String),
];

const ADDRESSES: &[(&str, Type)] = &[
    ("Timestamp", Type::DateTime),
    ("IPAddress", Type::String),
    ("IPType", Type::String),
    ("NetworkAdapterType", Type::Int),
    ("ConnectedNetworks", Type::Int),
];
