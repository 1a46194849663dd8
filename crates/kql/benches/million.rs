//! A million generated rows: CPU seconds of a filter, a summary and a join, and the memory that they took.
//! `bench/kql_baseline.py` makes the same rows and asks SQLite the same questions.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints its figures or dies")]

use std::{fs, sync::Arc};

use sortie_kql::{Cell, Database, Limits, Options, Schema, Table, TableBuilder, Type, run};

struct Rows {
    events: Arc<Table>,
    devices: Arc<Table>,
}

impl Database for Rows {
    fn schema(&self, table: &str) -> Option<Arc<Schema>> {
        self.table(table).map(|table| Arc::clone(table.schema()))
    }

    fn table(&self, table: &str) -> Option<Arc<Table>> {
        match table {
            "Events" => Some(Arc::clone(&self.events)),
            "Devices" => Some(Arc::clone(&self.devices)),
            _ => None,
        }
    }

    fn table_names(&self) -> Vec<String> {
        vec!["Events".to_owned(), "Devices".to_owned()]
    }
}

const ROW_COUNT: u64 = 1_000_000;
const DEVICE_COUNT: u64 = 1_000;
const RUNS: u32 = 5;
const QUESTIONS: &[(&str, &str)] = &[
    (
        "filter",
        "Events | where Port == 443 and Command contains 'enc 77' and Device startswith 'dev-1' | summarize count(), sum(Bytes)",
    ),
    (
        "summarize",
        "Events | summarize count(), sum(Bytes), max(Time) by Device, File | summarize count(), sum(count_), sum(sum_Bytes)",
    ),
    (
        "join",
        "Events | where Port != 80 | join kind=inner Devices on Device | summarize n = count(), b = sum(Bytes) by Site | summarize sum(n), sum(b)",
    ),
];

fn main() {
    let rows = rows();
    let options = Options { now: 639_000_000_000_000_000, window: None, limits: Limits::default() };
    println!("memory_mb {:.1}", memory_kb("VmRSS") / 1024.0);
    for (name, query) in QUESTIONS {
        let before = cpu_seconds();
        let mut answer = String::new();
        for _ in 0..RUNS {
            let found = run(query, &rows, &options).unwrap();
            answer = found.table().rows().next().unwrap().map(|cell| cell.to_string()).collect::<Vec<_>>().join(" ");
        }
        println!("{name} {:.3} {answer}", (cpu_seconds() - before) / f64::from(RUNS));
    }
    println!("peak_mb {:.1}", memory_kb("VmHWM") / 1024.0);
}

fn rows() -> Rows {
    let schema = Schema::new()
        .with("Time", Type::DateTime)
        .with("Device", Type::String)
        .with("File", Type::String)
        .with("Command", Type::String)
        .with("Port", Type::Int)
        .with("Bytes", Type::Long);
    let mut events = TableBuilder::new(Arc::new(schema));
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    for at in 0..ROW_COUNT {
        let device = format!("dev-{}", next() % DEVICE_COUNT);
        let file = format!("file{}.exe", next() % 200);
        let command = format!("{file} -enc {} -id {at}", next() % 10_000);
        let port = PORTS[usize::try_from(next() % 4).unwrap()];
        let bytes = i64::try_from(next() % 100_000).unwrap();
        let time = 639_000_000_000_000_000 + i64::try_from(at).unwrap() * 1_000_000;
        events.push([
            Cell::DateTime(time),
            Cell::String(&device),
            Cell::String(&file),
            Cell::String(&command),
            Cell::Int(port),
            Cell::Long(bytes),
        ]);
    }
    let schema = Schema::new().with("Device", Type::String).with("Site", Type::String);
    let mut devices = TableBuilder::new(Arc::new(schema));
    for at in 0..DEVICE_COUNT {
        devices.push([Cell::String(&format!("dev-{at}")), Cell::String(&format!("site-{}", at % 10))]);
    }
    Rows { events: Arc::new(events.finish()), devices: Arc::new(devices.finish()) }
}

const PORTS: [i32; 4] = [80, 443, 22, 3389];

/// User and system time of this process; the kernel counts it in hundredths of a second.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / 100.0
}

fn memory_kb(name: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
