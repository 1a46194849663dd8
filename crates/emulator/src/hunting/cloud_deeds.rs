//! The rows of `CloudAppEvents` for the API of the product that records them.

use sortie_kql::{Cell, Table};

use super::{rows::Source, schema};
use crate::world::{Ticks, World};

/// What somebody did in a cloud app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CloudDeed {
    pub at: Ticks,
    pub action: String,
    pub application: String,
    pub app_id: i64,
    pub account_id: String,
    pub account: String,
    pub is_admin: bool,
    pub ip: String,
    pub country: String,
    pub city: String,
    pub user_agent: String,
    pub object: String,
    pub object_type: String,
}

/// All of them within reach, as hunting finds them.
pub(crate) fn cloud_deeds(world: &World, scale: u32) -> Vec<CloudDeed> {
    let Some(info) = schema::table("CloudAppEvents") else { return Vec::new() };
    let table = Source::new(world, scale).table(info);
    (0..table.len()).map(|row| deed(&table, row)).collect()
}

fn deed(table: &Table, row: usize) -> CloudDeed {
    let cell = |name: &str| table.schema().position(name).map_or(Cell::Null, |column| table.cell(row, column));
    let text = |name: &str| cell(name).as_str().unwrap_or_default().to_owned();
    let at = if let Cell::DateTime(ticks) = cell("Timestamp") { ticks } else { 0 };
    CloudDeed {
        at: Ticks(at - Ticks(0).since_year_one()),
        action: text("ActionType"),
        application: text("Application"),
        app_id: cell("ApplicationId").as_i64().unwrap_or(0),
        account_id: text("AccountObjectId"),
        account: text("AccountDisplayName"),
        is_admin: matches!(cell("IsAdminOperation"), Cell::Bool(true)),
        ip: text("IPAddress"),
        country: text("CountryCode"),
        city: text("City"),
        user_agent: text("UserAgent"),
        object: text("ObjectName"),
        object_type: text("ObjectType"),
    }
}
