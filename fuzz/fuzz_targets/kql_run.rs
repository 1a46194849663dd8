//! The query language as a whole over a small table: any text has an answer or an error within its time and memory.
#![no_main]

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use libfuzzer_sys::fuzz_target;
use sortie_kql::{Cell, Database, Dynamic, Limits, Options, Schema, Table, TableBuilder, Type, run};

struct World {
    table: Arc<Table>,
}

impl Database for World {
    fn schema(&self, table: &str) -> Option<Arc<Schema>> {
        (table == "T").then(|| Arc::clone(self.table.schema()))
    }

    fn table(&self, _: &str) -> Option<Arc<Table>> {
        Some(Arc::clone(&self.table))
    }

    fn table_names(&self) -> Vec<String> {
        vec!["T".to_owned()]
    }
}

fn world() -> World {
    let schema = Schema::new()
        .with("t", Type::DateTime)
        .with("s", Type::String)
        .with("n", Type::Long)
        .with("r", Type::Real)
        .with("d", Type::Dynamic)
        .with_alias("u", "t");
    let mut builder = TableBuilder::new(Arc::new(schema));
    let bag = Dynamic::parse(r#"{"a":[1,"x",null],"b":{"c":2.5}}"#).unwrap_or(Dynamic::Null);
    for at in 0..20 {
        let number = if at % 5 == 0 { Cell::Null } else { Cell::Long(at) };
        builder.push([Cell::DateTime(at << 50), Cell::String("a.b c"), number, Cell::Real(0.5), Cell::Dynamic(&bag)]);
    }
    World { table: Arc::new(builder.finish()) }
}

fuzz_target!(|input: &[u8]| {
    static WORLD: OnceLock<World> = OnceLock::new();
    let limits = Limits { time_max: Duration::from_secs(2), memory_bytes_max: 64 << 20, ..Limits::default() };
    let options = Options { now: 639_000_000_000_000_000, window: None, limits };
    if let Err(error) = run(&String::from_utf8_lossy(input), WORLD.get_or_init(world), &options) {
        let _ = error.to_string();
    }
});
