//! The hunting queries that people have published: how many parse, and how many bind and run over empty tables.

use sortie_kql::{parse, run};

#[test]
fn published_hunting_queries_parse_bind_and_run() {
    let (Some(queries), Some(world)) = (crate::kit::corpus(), crate::kit::hunting_world()) else { return };
    let (mut parsed, mut ran, mut rows) = (0, 0, 0);
    let show = std::env::var_os("KQL_CORPUS_SHOW").is_some();
    for (name, text) in &queries {
        let clean = parse(text).errors.is_empty();
        parsed += usize::from(clean);
        match run(text, &world, &crate::kit::options()) {
            Ok(answer) => {
                assert!(clean, "{name} runs, so it parses");
                ran += 1;
                rows += usize::from(answer.tables.iter().any(|table| !table.is_empty()));
            }
            Err(error) if show => eprintln!("{name} {}:{} {:?} {error}", error.line, error.column, error.kind),
            Err(_) => {}
        }
    }
    let share =
        |count: usize| format!("{count} of {} ({:.1} %)", queries.len(), 100.0 * count as f64 / queries.len() as f64);
    eprintln!(
        "parse: {}\nbind and run: {}\ngive rows, here over empty tables: {}",
        share(parsed),
        share(ran),
        share(rows)
    );
    assert!(parsed >= PARSED_MIN, "{parsed} parse, {PARSED_MIN} did before");
    assert!(ran >= RAN_MIN, "{ran} run, {RAN_MIN} did before");
}

/// Never down.
const PARSED_MIN: usize = 1_574;
const RAN_MIN: usize = 1_424;
