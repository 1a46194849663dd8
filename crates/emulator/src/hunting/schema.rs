//! The tables that hunting knows, as the vendor's schema pages name them, and names that it still answers to.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use sortie_kql::{Schema, Type};

/// A table that queries may name.
#[derive(Debug)]
pub(super) struct TableInfo {
    pub name: &'static str,
    pub schema: Arc<Schema>,
}

/// A table by its name, or by the one that it had before; letter case counts.
pub(super) fn table(name: &str) -> Option<&'static TableInfo> {
    let name = RENAMED_TABLES.iter().find(|(old, _)| *old == name).map_or(name, |(_, new)| new);
    TABLES.get(name)
}

/// Every table, by name.
pub(super) fn tables() -> impl Iterator<Item = &'static TableInfo> {
    TABLES.values()
}

static TABLES: LazyLock<BTreeMap<&'static str, TableInfo>> = LazyLock::new(|| {
    let mut tables = BTreeMap::new();
    let mut open: Option<(&'static str, Schema)> = None;
    for line in TEXT.lines() {
        let columns = match line.split_once(':') {
            Some((name, columns)) => {
                close(&mut tables, open.take());
                open = Some((name, Schema::new()));
                columns
            }
            None => line,
        };
        open = open.map(|(name, schema)| (name, with_columns(schema, columns)));
    }
    close(&mut tables, open);
    tables
});

fn close(tables: &mut BTreeMap<&'static str, TableInfo>, finished: Option<(&'static str, Schema)>) {
    let Some((name, mut schema)) = finished else { return };
    // Pages of single tables list it beside `Timestamp`; it is taken for all (reference `hunting-limits.md`, Time).
    schema = schema.with_alias("TimeGenerated", "Timestamp");
    for (table, old, new) in RENAMED_COLUMNS {
        if *table == name {
            schema = schema.with_alias(old, new);
        }
    }
    tables.insert(name, TableInfo { name, schema: Arc::new(schema) });
}

/// `Name type, Name type`; a line may end between two of them.
fn with_columns(schema: Schema, columns: &str) -> Schema {
    let pairs = columns.split(',').filter_map(|column| column.trim().split_once(' '));
    pairs.fold(schema, |schema, (name, ty)| {
        let ty = Type::named(ty).expect("the text of the schema names types of the language");
        schema.with(name, ty)
    })
}

/// `Table: Column type, ..`, long lines broken after a comma. `AdditionalFields` is text on most pages and binds as
/// dynamic in public queries.
const TEXT: &str = include_str!("schema.txt");

/// Old name and new name (`advanced-hunting-schema-changes.md`). Where one table became two, its name goes to the first.
const RENAMED_TABLES: &[(&str, &str)] = &[
    ("AccountInfo", "IdentityInfo"),
    ("AppFileEvents", "CloudAppEvents"),
    ("DeviceTvmSoftwareInventoryVulnerabilities", "DeviceTvmSoftwareVulnerabilities"),
];

/// Table, old name and new name of columns that were renamed (same page).
const RENAMED_COLUMNS: &[(&str, &str, &str)] = &[
    ("EmailEvents", "FinalEmailAction", "EmailAction"),
    ("EmailEvents", "FinalEmailActionPolicy", "EmailActionPolicy"),
    ("EmailEvents", "FinalEmailActionPolicyGuid", "EmailActionPolicyGuid"),
    ("EmailEvents", "MalwareFilterVerdict", "ThreatTypes"),
    ("EmailEvents", "PhishFilterVerdict", "ThreatTypes"),
    ("EmailEvents", "MalwareDetectionMethod", "DetectionMethods"),
    ("EmailEvents", "PhishDetectionMethod", "DetectionMethods"),
    ("EmailAttachmentInfo", "MalwareFilterVerdict", "ThreatTypes"),
    ("EmailAttachmentInfo", "MalwareDetectionMethod", "DetectionMethods"),
    ("DeviceInfo", "DeviceObjectId", "AadDeviceId"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_tables_are_there_with_their_columns() {
        assert_eq!(tables().count(), 66);
        assert_eq!(tables().map(|table| table.schema.stored().count()).sum::<usize>(), 1_656);
        let process = table("DeviceProcessEvents").unwrap();
        let first: Vec<&str> = process.schema.stored().take(3).map(|column| &*column.name).collect();
        assert_eq!(first, ["Timestamp", "DeviceId", "DeviceName"]);
        assert!(table("deviceprocessevents").is_none());
    }

    #[test]
    fn other_names_lead_to_the_same_columns() {
        let column = |of: &str, name: &str| {
            let schema = &table(of).unwrap().schema;
            schema.position(name).map(|at| schema.columns()[at].clone())
        };
        assert_eq!(column("AccountInfo", "AccountUpn").unwrap().ty, Type::String);
        assert_eq!(column("AlertInfo", "TimeGenerated").unwrap().ty, Type::DateTime);
        assert_eq!(column("EmailEvents", "PhishFilterVerdict").unwrap().ty, Type::String);
        assert_eq!(column("AlertEvidence", "AdditionalFields").unwrap().ty, Type::Dynamic);
        assert!(column("DeviceTvmSoftwareInventory", "TimeGenerated").is_none());
    }
}
