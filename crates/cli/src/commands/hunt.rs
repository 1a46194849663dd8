//! `sortie hunt`: a query from the command line, a file or standard input, and its rows as a table, chart, JSON or CSV.

use std::{
    fs::File,
    io::{self, Read as _},
    path::PathBuf,
};

use clap::{Args, ValueEnum};
use serde_json::Value;
use sortie_defender::{Document, Hunt, HuntAnswer, HuntApi, HuntColumn, HuntType};

use super::listing::put;
use crate::{
    context::{Context, Session, Sessions, TenantArguments},
    exit::{Exit, Problem, report},
    output::{Field, Format, Listing, OutputArguments, Progress, say, visible},
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The query in Kusto Query Language; `-` reads it from standard input
    #[arg(required_unless_present = "file")]
    query: Option<String>,
    /// Read the query from a file
    #[arg(long, short = 'f', value_name = "FILE", conflicts_with = "query")]
    file: Option<PathBuf>,
    /// Look at this time: 7d, P7D, start/end, start/duration, duration/end or a start; 30 days without it
    #[arg(long, value_name = "SPAN")]
    timespan: Option<String>,
    /// Who runs the query; xdr and mde are being retired by Microsoft
    #[arg(long, value_enum, default_value_t = ApiName::Graph)]
    api: ApiName,
    /// Draw bars instead of a table: the first text column against the first number
    #[arg(long, conflicts_with_all = ["json", "jsonl", "csv", "tenant"])]
    chart: bool,
    #[command(flatten)]
    tenants: TenantArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ApiName {
    Graph,
    Xdr,
    Mde,
}

pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    let query = query(&arguments)?;
    let api = match arguments.api {
        ApiName::Graph => HuntApi::Graph,
        ApiName::Xdr => HuntApi::Xdr,
        ApiName::Mde => HuntApi::Endpoint,
    };
    if api != HuntApi::Graph {
        context.note("Microsoft has been retiring this API since January 2026; `--api graph` is the way on");
    }
    let hunt = Hunt { query, timespan: arguments.timespan.as_deref().map(timespan), api };
    let format = arguments.output.format();
    let Sessions { sessions, all, exit } = context.sessions(arguments.tenants).await?;
    if let ([session], false) = (&sessions[..], all) {
        let answer = ask(session, &hunt, format, context).await?;
        if arguments.chart {
            print_chart(&answer)?;
        } else {
            print_rows(&answer, format)?;
        }
        return Ok(Exit::Success);
    }
    hunt_all(&sessions, exit, &hunt, format, context).await
}

async fn ask(session: &Session, hunt: &Hunt, format: Format, context: &Context) -> anyhow::Result<HuntAnswer> {
    let progress = Progress::start("rows", format, context.global.quiet);
    let answer = session.defender.hunt(hunt).await?;
    progress.add(answer.row_count());
    drop(progress);
    if answer.is_at_the_limit() {
        let shorter = if hunt.api == HuntApi::Graph { "a shorter `--timespan`" } else { "a filter on Timestamp" };
        context.note(&format!(
            "the service leaves out all rows after the first {}, so there may be more; {shorter} or a narrower query shows them",
            answer.row_count()
        ));
    }
    Ok(answer)
}

/// The same query in every tenant; the columns are those of the first answer, for the query decides them.
async fn hunt_all(
    sessions: &[Session],
    exit: Exit,
    hunt: &Hunt,
    format: Format,
    context: &Context,
) -> anyhow::Result<Exit> {
    let mut exit = exit;
    let mut listing = None;
    for session in sessions {
        let answer = match ask(session, hunt, format, context).await {
            Ok(answer) => answer,
            Err(error) => {
                exit = report(&error.context(format!("connection `{}`", session.name)));
                continue;
            }
        };
        let names: Vec<&str> = answer.columns().iter().map(|column| column.name.as_str()).collect();
        let listing = match &mut listing {
            Some(listing) => listing,
            none => none.insert(Listing::start_as_written(format, &[&["connection"], &names[..]].concat())?),
        };
        answer.read(|row| put(listing, Some(session), fields_of(format, &answer, &row), &row))?;
        listing.flush()?;
    }
    if let Some(listing) = listing {
        listing.finish("The query gives no rows.")?;
    }
    Ok(exit)
}

fn query(arguments: &Arguments) -> anyhow::Result<String> {
    let text = match (&arguments.file, arguments.query.as_deref()) {
        (Some(path), _) => {
            let open = File::open(path);
            open.and_then(read_bounded).map_err(|error| unreadable(&format!("the file {}", path.display()), &error))?
        }
        (None, Some("-")) => read_bounded(io::stdin().lock()).map_err(|error| unreadable("standard input", &error))?,
        (None, query) => query.unwrap_or_default().to_owned(),
    };
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err(Problem::usage("the query is empty", "Write one such as `AlertInfo | take 10`.").into());
    }
    Ok(text.to_owned())
}

fn read_bounded(source: impl io::Read) -> io::Result<String> {
    let mut text = String::new();
    source.take(QUERY_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > QUERY_BYTES_MAX {
        return Err(io::Error::other("it is larger than a query can be"));
    }
    Ok(text)
}

fn unreadable(source: &str, error: &io::Error) -> anyhow::Error {
    let next = "Give the query as text in UTF-8, as an argument, with `--file` or on standard input with `-`.";
    Problem::usage(format!("the query cannot be read from {source}: {error}"), next).into()
}

/// `7d` as people write it becomes `P7D` as ISO 8601 wants it; everything else is the service's own business.
fn timespan(text: &str) -> String {
    let text = text.trim();
    let Some((count, unit)) = text.len().checked_sub(1).and_then(|at| text.split_at_checked(at)) else {
        return text.to_owned();
    };
    let is_count = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
    match unit {
        "d" if is_count => format!("P{count}D"),
        "w" if is_count => format!("P{}D", count.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(7)),
        "h" if is_count => format!("PT{count}H"),
        "m" if is_count => format!("PT{count}M"),
        _ => text.to_owned(),
    }
}

fn print_rows(answer: &HuntAnswer, format: Format) -> anyhow::Result<()> {
    let names: Vec<&str> = answer.columns().iter().map(|column| column.name.as_str()).collect();
    let mut listing = Listing::start_as_written(format, &names)?;
    answer.read(|row| listing.row(&fields_of(format, answer, &row), row.as_str()))?;
    listing.finish("The query gives no rows.")
}

/// JSON is the row itself; its cells need not be read.
fn fields_of(format: Format, answer: &HuntAnswer, row: &Document) -> Vec<Field> {
    match format {
        Format::Table | Format::Csv => cells(answer.columns(), row),
        Format::Json | Format::Jsonl => Vec::new(),
    }
}

fn cells(columns: &[HuntColumn], row: &Document) -> Vec<Field> {
    let row = row.to_value();
    columns.iter().map(|column| Field::plain(column.cell(&row))).collect()
}

/// Bars of the first column with text, or of time, against the first one with numbers.
fn print_chart(answer: &HuntAnswer) -> anyhow::Result<()> {
    let of = |kinds: &[HuntType]| answer.columns().iter().find(|column| kinds.contains(&column.kind));
    let label = of(&[HuntType::String, HuntType::DateTime, HuntType::Guid, HuntType::Bool]);
    let number = of(&[HuntType::Integer, HuntType::Real]);
    let (Some(label), Some(number)) = (label, number) else {
        let next = "End the query with `summarize count() by Column`, or leave `--chart` out.";
        return Err(Problem::usage("a chart needs a column with text and one with numbers", next).into());
    };
    let mut bars = Vec::new();
    answer.read(|row| {
        if bars.len() < CHART_ROWS_MAX {
            let row = row.to_value();
            bars.push((label.cell(&row), row.get(&number.name).and_then(as_number).unwrap_or_default()));
        }
        anyhow::Ok(())
    })?;
    for line in chart(&bars, &number.name) {
        say(&line)?;
    }
    if answer.row_count() > bars.len() as u64 {
        say(&format!("... and {} more rows", answer.row_count() - bars.len() as u64))?;
    }
    Ok(())
}

fn as_number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn chart(bars: &[(String, f64)], title: &str) -> Vec<String> {
    let most = bars.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    let label = |text: &str| visible(text).chars().take(CHART_LABEL_CHARS_MAX).collect::<String>();
    let wide = bars.iter().map(|(text, _)| label(text).chars().count()).max().unwrap_or(0);
    let mut lines = vec![format!("{:wide$}  {}", "", visible(title))];
    lines.extend(bars.iter().map(|(text, value)| {
        let share = if most > 0.0 { (value / most).clamp(0.0, 1.0) } else { 0.0 };
        // In eighths of a character, so that small differences show.
        let eighths = (share * (CHART_BAR_CHARS * 8) as f64).round() as usize;
        let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
        format!("{:wide$}  {}{rest} {value}", label(text), "█".repeat(eighths / 8))
    }));
    lines
}

/// No service takes a query nearly as long.
const QUERY_BYTES_MAX: u64 = 1 << 20;
const CHART_ROWS_MAX: usize = 60;
const CHART_LABEL_CHARS_MAX: usize = 40;
const CHART_BAR_CHARS: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_written_as_the_service_wants_them() {
        for (text, expected) in [
            ("7d", "P7D"),
            ("2w", "P14D"),
            ("36h", "PT36H"),
            ("90m", "PT90M"),
            ("P30D", "P30D"),
            ("2026-11-01T00:00:00Z/2026-11-02T00:00:00Z", "2026-11-01T00:00:00Z/2026-11-02T00:00:00Z"),
            ("d", "d"),
            ("", ""),
            ("7ü", "7ü"),
        ] {
            assert_eq!(timespan(text), expected);
        }
    }

    #[test]
    fn bars_are_in_proportion_and_hostile_labels_stay_text() {
        let lines = chart(&[("a\u{1b}[2J".into(), 10.0), ("b".into(), 5.0), ("c".into(), 0.0)], "count_");
        assert_eq!(lines[0].trim(), "count_");
        assert!(lines[1].starts_with("a\u{fffd}[2J  ████"), "{lines:?}");
        assert_eq!(lines[1].matches('█').count(), 2 * lines[2].matches('█').count());
        assert_eq!(lines[3].trim_end(), "c       0");
    }
}
