//! Durable runs beside the same steps by hand; start, memory, and what many runs cost. The measuring is
//! `xtask/benches/workflow/`.

use anyhow::{Context as _, bail};

use super::{binary, printed};
use crate::run::cargo;

pub(super) fn bench() -> anyhow::Result<()> {
    let mut measured = cargo(&["bench", "--locked", "--quiet", "--package", "xtask", "--bench", "workflow"]);
    let figures = printed("workflows", measured.env("SORTIE_BENCH_BINARY", binary()))?;
    println!("durable runs, webhook to answer, with an isolation and a comment (sortie; by hand in Rust):");
    for line in figures.lines() {
        let (name, rest) = line.split_once(' ').context("the benchmark printed nonsense")?;
        let numbers: Option<Vec<f64>> = rest.split_whitespace().map(|word| word.parse().ok()).collect();
        let numbers = numbers.with_context(|| format!("no figures in `{line}`"))?;
        match (name, &numbers[..]) {
            ("start", [best, median]) => {
                told("serve, from start to serving, best", &format!("{best:.1} ms"), "under 150 ms");
                told("serve, from start to serving, median", &format!("{median:.1} ms"), "");
            }
            ("idle", [bytes]) => told("serve, idle memory", &format!("{:.1} MB", bytes / 1e6), "under 40 MB"),
            ("runs", numbers) => runs(numbers)?,
            ("stored", [count, before, after]) => {
                told(&format!("with {count:.0} stored runs"), &format!("{:.3}", after / before), "at least 0.95");
            }
            ("waiting", [count, bytes]) => {
                told(&format!("each of {count:.0} that wait"), &format!("{bytes:.0} B"), "under 2048 B");
            }
            ("loop", [items, wall, cpu]) => {
                told(&format!("loop of {items:.0}, each item"), &format!("{wall:.0} us"), &format!("CPU {cpu:.0} us"));
            }
            _ => bail!("the benchmark printed `{line}`"),
        }
    }
    Ok(())
}

fn runs(numbers: &[f64]) -> anyhow::Result<()> {
    let [connections, delay, rate, cpu, p50, p99, their_rate, their_cpu, their_p50, their_p99] = *numbers else {
        bail!("the benchmark printed {} figures of runs", numbers.len());
    };
    println!("  {connections:.0} at once, the product answers after {delay:.0} ms:");
    told("  runs a second", &format!("{rate:.0}; {their_rate:.0}"), &format!("{:.2} (0.6)", rate / their_rate));
    told("  CPU of a run, us", &format!("{cpu:.0}; {their_cpu:.0}"), &format!("{:.2} (1.6)", cpu / their_cpu));
    told("  p50, ms", &format!("{p50:.2}; {their_p50:.2}"), &format!("{:.2}", p50 / their_p50));
    told("  p99, ms", &format!("{p99:.2}; {their_p99:.2}"), &format!("{:.2}", p99 / their_p99));
    Ok(())
}

fn told(what: &str, figure: &str, aim: &str) {
    println!("  {what:<40} {figure:>18} {aim:>14}");
}
