//! What a command prints on standard output: a table for a person, or JSON, JSON lines or CSV for a program.
//!
//! Text from an alert is hostile until shown otherwise: in tables control characters are made visible, in CSV
//! nothing starts a formula, and JSON is the service's own object.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use clap::Args;
use comfy_table::{Attribute, Cell, Color, ColumnConstraint, ContentArrangement, Table, presets};
use jiff::{Timestamp, Unit};

use crate::exit::{Exit, Problem};

/// Which form the answer takes; the table is the default.
#[derive(Args, Clone, Copy, Debug, Default)]
#[group(multiple = false)]
pub(crate) struct OutputArguments {
    /// One JSON document: the service's own objects
    #[arg(long)]
    json: bool,
    /// One JSON object a line, as they arrive
    #[arg(long)]
    jsonl: bool,
    /// Comma-separated values with a header line
    #[arg(long)]
    csv: bool,
}

/// The form that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Table,
    Json,
    Jsonl,
    Csv,
}

impl OutputArguments {
    pub(crate) fn format(self) -> Format {
        match (self.json, self.jsonl, self.csv) {
            (true, ..) => Format::Json,
            (_, true, _) => Format::Jsonl,
            (.., true) => Format::Csv,
            _ => Format::Table,
        }
    }
}

/// One value of a row, with what a terminal may show beside the text.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    text: String,
    tone: Tone,
}

/// How a terminal colours a field; colour never carries anything that the text does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Warning,
    Bad,
}

impl Field {
    pub(crate) fn plain(text: impl ToString) -> Self {
        Self { text: text.to_string(), tone: Tone::Plain }
    }

    pub(crate) fn toned(text: impl ToString, tone: Tone) -> Self {
        Self { text: text.to_string(), tone }
    }

    /// Absent values are empty, in tables and in CSV alike.
    pub(crate) fn maybe(text: Option<impl ToString>) -> Self {
        Self::plain(text.map(|text| text.to_string()).unwrap_or_default())
    }
}

/// Rows that are written as they come (JSON lines, JSON, CSV) or at the end (table).
pub(crate) struct Listing {
    format: Format,
    table: Table,
    out: BufWriter<StdoutLock<'static>>,
    csv: bool,
    rows: u64,
}

impl Listing {
    /// Starts a list with these column names.
    pub(crate) fn start(format: Format, columns: &[&str]) -> anyhow::Result<Self> {
        Self::with_header(format, columns, str::to_uppercase)
    }

    /// The same with names that are not ours: tables show them as they are, too.
    pub(crate) fn start_as_written(format: Format, columns: &[&str]) -> anyhow::Result<Self> {
        Self::with_header(format, columns, visible)
    }

    fn with_header(format: Format, columns: &[&str], header: fn(&str) -> String) -> anyhow::Result<Self> {
        let mut listing =
            Self { format, table: table(), out: BufWriter::new(io::stdout().lock()), csv: false, rows: 0 };
        listing.table.set_header(columns.iter().map(|name| Cell::new(header(name)).add_attribute(Attribute::Bold)));
        if format == Format::Csv {
            listing.csv = true;
            let header: Vec<Field> = columns.iter().map(Field::plain).collect();
            written(listing.csv_row(&header))?;
        }
        Ok(listing)
    }

    /// One row: `fields` for people and CSV, `document` for JSON.
    pub(crate) fn row(&mut self, fields: &[Field], document: &str) -> anyhow::Result<()> {
        written(self.put(fields, document))
    }

    fn put(&mut self, fields: &[Field], document: &str) -> io::Result<()> {
        match self.format {
            Format::Table => {
                self.table.add_row(fields.iter().map(cell));
            }
            Format::Json => {
                self.out.write_all(if self.rows == 0 { b"[\n" } else { b",\n" })?;
                self.out.write_all(document.as_bytes())?;
            }
            Format::Jsonl => {
                self.out.write_all(document.as_bytes())?;
                self.out.write_all(b"\n")?;
            }
            Format::Csv => self.csv_row(fields)?,
        }
        self.rows += 1;
        Ok(())
    }

    /// Hands on what has been written so far, so that a pipe sees it before the next wait.
    pub(crate) fn flush(&mut self) -> anyhow::Result<()> {
        written(self.out.flush())
    }

    /// Writes what is left; `empty` is the sentence for a table without rows.
    pub(crate) fn finish(mut self, empty: &str) -> anyhow::Result<()> {
        written(self.end(empty))
    }

    fn end(&mut self, empty: &str) -> io::Result<()> {
        match self.format {
            Format::Table if self.rows == 0 => writeln!(self.out, "{empty}")?,
            Format::Table => writeln!(self.out, "{}", trimmed(&mut self.table))?,
            Format::Json if self.rows == 0 => self.out.write_all(b"[]\n")?,
            Format::Json => self.out.write_all(b"\n]\n")?,
            Format::Jsonl | Format::Csv => {}
        }
        self.out.flush()
    }

    fn csv_row(&mut self, fields: &[Field]) -> io::Result<()> {
        let mut writer = csv::WriterBuilder::new().from_writer(&mut self.out);
        writer.write_record(fields.iter().map(|field| without_formula(&field.text)))?;
        writer.flush()
    }
}

/// How far a long list has come, on standard error, while a person watches and the rows do not stream past them.
pub(crate) struct Progress(indicatif::ProgressBar);

impl Progress {
    /// Starts with nothing read. Hidden when nobody watches, and where the rows themselves are the progress.
    pub(crate) fn start(what: &str, format: Format, quiet: bool) -> Self {
        let streams = format != Format::Table && io::stdout().is_terminal();
        if quiet || streams || !io::stderr().is_terminal() {
            return Self(indicatif::ProgressBar::hidden());
        }
        let bar = indicatif::ProgressBar::new_spinner().with_message(what.to_owned());
        let style = indicatif::ProgressStyle::with_template("{spinner} {pos} {msg}, {elapsed}");
        Self(style.map(|style| bar.clone().with_style(style)).unwrap_or(bar))
    }

    /// So many more have been read.
    pub(crate) fn add(&self, count: u64) {
        self.0.inc(count);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Two columns, name and value, for one object.
pub(crate) fn properties(rows: &[(&str, Field)]) -> String {
    let mut table = table();
    for (name, field) in rows.iter().filter(|(_, field)| !field.text.is_empty()) {
        table.add_row([Cell::new(name).add_attribute(Attribute::Bold), cell(field)]);
    }
    trimmed(&mut table)
}

/// A list as a table within a longer answer.
pub(crate) fn rows(columns: &[&str], rows: &[Vec<Field>]) -> String {
    let mut table = table();
    table.set_header(columns.iter().map(|column| Cell::new(column.to_uppercase()).add_attribute(Attribute::Bold)));
    for row in rows {
        table.add_row(row.iter().map(cell));
    }
    trimmed(&mut table)
}

/// Text for a terminal: control and direction characters become visible, so that an alert's title cannot move the
/// cursor, change colours, or make a line read backwards.
pub(crate) fn visible(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => '\u{fffd}',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// An instant as people and sheets read it: UTC, whole seconds.
pub(crate) fn moment(at: Option<Timestamp>) -> Field {
    Field::maybe(at.map(|at| at.round(Unit::Second).unwrap_or(at)))
}

/// Prints lines of a longer answer for people.
pub(crate) fn say(text: &str) -> anyhow::Result<()> {
    written(writeln!(io::stdout().lock(), "{text}"))
}

/// A full disk is said as such; a reader that went away stays recognisable underneath.
fn written<T>(result: io::Result<T>) -> anyhow::Result<T> {
    result.map_err(|error| {
        let next = "Look at where standard output goes: the disk may be full.".to_owned();
        anyhow::Error::from(error).context(Problem {
            exit: Exit::Failure,
            what: "the output cannot be written".to_owned(),
            next,
        })
    })
}

fn table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    match table.width() {
        // Room for the indentation of a longer answer.
        Some(width) if io::stdout().is_terminal() && width >= TERMINAL_WIDTH_MIN => {
            table.set_width(width - INDENTATION_MAX);
        }
        // Piped tables are for other programs' eyes: one row a line, whatever the width. So are terminals without one.
        _ => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    table
}

const TERMINAL_WIDTH_MIN: u16 = 40;
const INDENTATION_MAX: u16 = 3;

fn trimmed(table: &mut Table) -> String {
    let last = table.column_count().saturating_sub(1);
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        // Ids and times stay whole, so that they can be copied; the last column holds the text that may wrap.
        if at < last {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

fn cell(field: &Field) -> Cell {
    let cell = Cell::new(visible(&field.text));
    match field.tone {
        Tone::Plain => cell,
        Tone::Good => cell.fg(Color::Green),
        Tone::Warning => cell.fg(Color::Yellow),
        Tone::Bad => cell.fg(Color::Red).add_attribute(Attribute::Bold),
    }
}

/// A sheet runs a cell that starts with one of these (OWASP, CSV injection); a leading apostrophe keeps it text.
fn without_formula(text: &str) -> String {
    let starts = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = text.replace('\0', "\u{fffd}");
    if starts { format!("'{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_cannot_move_the_terminal() {
        assert_eq!(visible("a\u{1b}[2Jb\nc\u{202e}d\u{9b}e"), "a\u{fffd}[2Jb c\u{fffd}d\u{fffd}e");
        assert_eq!(visible("Zürich 東京"), "Zürich 東京");
    }

    #[test]
    fn no_csv_cell_starts_a_formula() {
        for text in ["=cmd|' /C calc'!A0", "+1", "-1", "@x"] {
            assert!(without_formula(text).starts_with('\''), "{text}");
        }
        assert_eq!(without_formula("plain = text"), "plain = text");
    }

    #[test]
    fn instants_have_whole_seconds() {
        let at: Timestamp = "2026-07-22T18:37:11.5233333Z".parse().unwrap();
        assert_eq!(moment(Some(at)).text, "2026-07-22T18:37:12Z");
        assert_eq!(moment(None).text, "");
    }
}
