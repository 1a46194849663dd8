//! The tables of each tenant: built when a query first asks, kept until something happens or an hour passes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use sortie_kql::{Database, HostAnswer, HostCall, HostFunction, Schema, Table};

use super::{functions, rows::Source, schema, settings::ExternalData};
use crate::{
    cloud::App,
    world::{Ticks, World},
};

/// What was built already.
#[derive(Debug, Default)]
pub(super) struct Tables(Mutex<HashMap<String, Arc<Mutex<Kept>>>>);

/// The tables of one tenant, as of one state of its world.
#[derive(Debug, Default)]
struct Kept {
    state: State,
    tables: HashMap<&'static str, Arc<Table>>,
}

/// What the rows depend on beside the seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct State {
    events: usize,
    /// Incidents that are not hidden any more.
    visible: usize,
    /// Ordinary days go on hour by hour.
    hour: i64,
}

/// Which tables a service has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    All,
    /// Those of devices alone.
    Devices,
}

/// The tables of one tenant as a query sees them.
pub(super) struct View {
    pub app: App,
    pub tenant: String,
    pub scope: Scope,
}

impl State {
    fn of(world: &World) -> Self {
        let visible = world.all_incidents().iter().filter(|incident| incident.visible_from <= world.now()).count();
        Self { events: world.events().len(), visible, hour: world.now().0.div_euclid(Ticks(0).plus_s(3_600).0) }
    }
}

impl Tables {
    fn of_tenant(&self, tenant: &str) -> Arc<Mutex<Kept>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(tenant.to_owned()).or_default())
    }
}

impl View {
    /// Runs `act` on the world as it is now.
    pub(super) fn with_world<T>(&self, act: impl FnOnce(&World) -> T) -> T {
        self.app.worlds.with(&self.tenant, Ticks::from(self.app.clock.now()), |world| act(world))
    }

    fn shows(&self, table: &str) -> bool {
        self.scope == Scope::All || table.starts_with("Device")
    }
}

impl Database for View {
    fn schema(&self, table: &str) -> Option<Arc<Schema>> {
        schema::table(table).filter(|info| self.shows(info.name)).map(|info| Arc::clone(&info.schema))
    }

    fn table(&self, table: &str) -> Option<Arc<Table>> {
        let info = schema::table(table).filter(|info| self.shows(info.name))?;
        let kept = self.app.hunting.tables.of_tenant(&self.tenant);
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        self.with_world(|world| {
            let state = State::of(world);
            if kept.state != state {
                *kept = Kept { state, tables: HashMap::new() };
            }
            let build = || Arc::new(Source::new(world, self.app.config.scale).table(info));
            Some(Arc::clone(kept.tables.entry(info.name).or_insert_with(build)))
        })
    }

    fn table_names(&self) -> Vec<String> {
        schema::tables().filter(|info| self.shows(info.name)).map(|info| info.name.to_owned()).collect()
    }

    fn function(&self, name: &str) -> Option<HostFunction> {
        functions::function(name)
    }

    fn external_data(&self, schema: &Arc<Schema>) -> Result<Table, String> {
        match self.app.hunting.settings().external_data {
            ExternalData::Unreachable => Err("externaldata: the storage cannot be reached.".to_owned()),
            ExternalData::Empty => Ok(Table::empty(Arc::clone(schema))),
        }
    }

    fn call(&self, call: &HostCall<'_>) -> Result<HostAnswer, String> {
        functions::call(self, call)
    }
}
