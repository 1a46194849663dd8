//! `sortie incidents watch` and `sortie alerts watch`: changes as they happen, from a place that outlives the process.

use std::{
    fs::{File, OpenOptions},
    io::{self, Seek as _, SeekFrom, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sortie_defender::{Changed, Commit, WatchCursor, WatchError, Watched};

use super::listing::tell_notes;
use crate::{
    context::{Context, Session},
    exit::{Exit, Problem, sentence},
    output::visible,
    state::{self, StateFile, file_name},
    times::{since, span},
};

#[derive(Args)]
pub(crate) struct WatchArguments {
    /// Where a new stream begins: 24h, 7d, or an instant; without it at this moment. One that exists goes on
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Look so often
    #[arg(long, value_name = "SPAN", default_value = "30s")]
    interval: String,
    /// Look back so far each time, for what the service shows late
    #[arg(long, value_name = "SPAN", default_value = "1h")]
    overlap: String,
    /// Look once and end; the next run goes on from there
    #[arg(long)]
    once: bool,
    /// Several streams of one kind have a place each by name
    #[arg(long, value_name = "NAME", default_value = "default")]
    stream: String,
    /// Append to this file instead of printing: after a kill no line is missing or there twice
    #[arg(long, value_name = "FILE")]
    append: Option<PathBuf>,
    /// One JSON object a line
    #[arg(long)]
    jsonl: bool,
}

/// What the state file holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    cursor: WatchCursor,
    /// How long the file was when the cursor was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<Appended>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Appended {
    path: PathBuf,
    length: u64,
}

/// Watches until it is interrupted, or once.
pub(crate) async fn watch(watched: Watched, arguments: WatchArguments, context: &Context) -> anyhow::Result<Exit> {
    let interval = Duration::try_from(span(&arguments.interval)?).unwrap_or(INTERVAL_MIN).max(INTERVAL_MIN);
    let overlap = Duration::try_from(span(&arguments.overlap)?).unwrap_or_default();
    let state = state::folder(context.global.state_folder.as_deref())?;
    let session = context.session().await?;
    let file = lock(&state, &session, watched, &arguments.stream)?;
    let place = place(&file, watched, &arguments, context)?;
    let mut cursor = place.cursor;
    let sink = match &arguments.append {
        Some(path) => Sink::File(open_appended(path, place.file.as_ref(), context)?),
        None => Sink::Output { jsonl: arguments.jsonl },
    };
    let mut keeper = Keeper { file, sink, noun: noun(watched) };
    keeper.save(&cursor).context("the place in the stream cannot be kept")?;
    let mut pause = interval;
    loop {
        match session.defender.watch_round(&mut cursor, overlap, &mut keeper).await {
            Ok(round) => {
                tell_notes(context, round.notes);
                pause = interval;
            }
            Err(error) if !arguments.once && lasts(&error) => {
                pause = (pause * 2).min(PAUSE_MAX).max(interval);
                let error = anyhow::Error::from(error);
                let seconds = pause.as_secs();
                context.note(&format!("{}; nothing is lost, the next look is in {seconds} s", sentence(&error)));
            }
            Err(error) => return Err(unwrapped(error)),
        }
        if arguments.once {
            return Ok(Exit::Success);
        }
        tokio::time::sleep(pause).await;
    }
}

/// Whether to look again later: a reader that went away does not come back.
fn lasts(error: &WatchError) -> bool {
    match error {
        WatchError::Commit(error) => error.kind() != io::ErrorKind::BrokenPipe,
        error => error.may_pass(),
    }
}

fn unwrapped(error: WatchError) -> anyhow::Error {
    match error {
        WatchError::Defender(error) => error.into(),
        WatchError::Commit(error) => {
            let next = "Make room where the changes and the state go; the next run hands on what this one could not.";
            let what = "the changes cannot be written".to_owned();
            anyhow::Error::from(error).context(Problem { exit: Exit::Failure, what, next: next.to_owned() })
        }
    }
}

fn lock(state: &Path, session: &Session, watched: Watched, stream: &str) -> anyhow::Result<StateFile> {
    let what = serde_json::to_value(watched).ok().and_then(|word| word.as_str().map(str::to_owned));
    let name = format!("{}-{}.json", what.unwrap_or_default(), file_name(stream));
    let path = state.join("watch").join(file_name(session.application.tenant.as_str())).join(name);
    StateFile::try_lock(path)?.ok_or_else(|| {
        let next = "Stop the other one, or give this one a place of its own with `--stream NAME`.";
        Problem::usage(format!("another sortie watches this stream (`{stream}`) already"), next).into()
    })
}

fn place(file: &StateFile, watched: Watched, arguments: &WatchArguments, context: &Context) -> anyhow::Result<Place> {
    let now = context.clock.now();
    let since = arguments.since.as_deref().map(|text| since(text, now)).transpose()?;
    match (file.read::<Place>()?, since) {
        (Some(place), since) => {
            // A service manager gives the same command again: it goes on, wherever the stream once began.
            let ignored = if since.is_some() { "; `--since` begins new streams only (`--stream NAME`)" } else { "" };
            context.note(&format!("going on from {}{ignored}", place.cursor.watermark()));
            Ok(place)
        }
        (None, since) => {
            let since: Timestamp = since.unwrap_or(now);
            context.note(&format!("a new stream, from {since} on"));
            Ok(Place { cursor: WatchCursor::start(watched, since), file: None })
        }
    }
}

/// Opens the file at the place that the cursor knows; what a killed run wrote after it is cut off, for it comes again.
fn open_appended(path: &Path, known: Option<&Appended>, context: &Context) -> anyhow::Result<AppendedFile> {
    let open = || -> io::Result<(File, PathBuf, u64)> {
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
        let length = file.metadata()?.len();
        Ok((file, path.canonicalize()?, length))
    };
    let (mut file, path, length) = open().with_context(|| format!("cannot open {}", path.display()))?;
    let known = known.filter(|known| known.path == path).map(|known| known.length);
    let end = match known {
        Some(known) if length > known => {
            file.set_len(known)?;
            known
        }
        Some(known) if length < known => {
            context.note("the file is shorter than it was: it was replaced, and this run appends to the new one");
            length
        }
        _ => length,
    };
    file.seek(SeekFrom::Start(end))?;
    Ok(AppendedFile { file, at: Appended { path, length: end } })
}

struct AppendedFile {
    file: File,
    at: Appended,
}

enum Sink {
    Output { jsonl: bool },
    File(AppendedFile),
}

/// Writes the changes, then the place after them.
struct Keeper {
    file: StateFile,
    sink: Sink,
    noun: &'static str,
}

impl Commit for Keeper {
    fn commit(&mut self, changes: &[Changed], cursor: &WatchCursor) -> io::Result<()> {
        match &mut self.sink {
            Sink::Output { jsonl } => {
                let mut out = io::stdout().lock();
                for change in changes {
                    let line = if *jsonl { line(change, self.noun)? } else { sentence_of(change, self.noun) };
                    writeln!(out, "{line}")?;
                }
                out.flush()?;
            }
            Sink::File(appended) => appended.append(changes, self.noun)?,
        }
        self.save(cursor)
    }
}

impl Keeper {
    fn save(&self, cursor: &WatchCursor) -> io::Result<()> {
        let file = match &self.sink {
            Sink::File(appended) => Some(appended.at.clone()),
            Sink::Output { .. } => None,
        };
        self.file.write(&Place { cursor: cursor.clone(), file })
    }
}

impl AppendedFile {
    fn append(&mut self, changes: &[Changed], noun: &str) -> io::Result<()> {
        let mut text = Vec::new();
        for change in changes {
            text.extend_from_slice(line(change, noun)?.as_bytes());
            text.push(b'\n');
        }
        // After a failure the next attempt begins at the same place.
        self.file.seek(SeekFrom::Start(self.at.length))?;
        let written = self.file.write_all(&text).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            self.file.set_len(self.at.length)?;
            return Err(error);
        }
        self.at.length += text.len() as u64;
        Ok(())
    }
}

/// The change as one line of JSON, with the service's own object in it.
fn line(change: &Changed, noun: &str) -> io::Result<String> {
    #[derive(Serialize)]
    struct Line<'a> {
        change: &'a str,
        what: &'a str,
        id: &'a str,
        version: &'a str,
        document: &'a RawValue,
    }
    let quoted;
    let document = match serde_json::from_str::<&RawValue>(change.document.as_str()) {
        Ok(document) => document,
        Err(_) => {
            quoted = serde_json::value::to_raw_value(change.document.as_str())?;
            &*quoted
        }
    };
    let line = Line { change: change.kind.word(), what: noun, id: &change.id, version: &change.version, document };
    Ok(serde_json::to_string(&line)?)
}

fn sentence_of(change: &Changed, noun: &str) -> String {
    let value = change.document.to_value();
    let word = |names: [&str; 3]| names.iter().find_map(|name| value[name].as_str()).unwrap_or_default().to_owned();
    let title = word(["displayName", "incidentName", "title"]);
    let (severity, status) = (word(["severity"; 3]), word(["status"; 3]));
    visible(&format!("{}  {noun} {}  {}  {severity}  {status}  {title}", change.version, change.id, change.kind.word()))
}

fn noun(watched: Watched) -> &'static str {
    if watched == Watched::Alerts { "alert" } else { "incident" }
}

/// Faster looks would use up the quota of 50 calls a minute without seeing more.
const INTERVAL_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(300);
