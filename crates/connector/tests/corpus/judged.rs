//! Another library's reading: each request goes over the wire to a server that validates it against the original document
//! with openapi-core for Python, which shares nothing with us.
//!
//! `cargo xtask test` installs it and names it by `SORTIE_INTEROP_PYTHON`; the judge is
//! `interop/python/judge_requests.py`.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Instant,
};

use serde_json::{Map, Value};
use sortie_connector::{Caller, Credential, Target, build};
use sortie_model::SystemClock;
use sortie_transport::{Guard, ProxySetting, RetryPolicy, Transport, TransportSettings};

use crate::{documents, inputs::inputs};

/// What became of the requests of some documents.
#[derive(Debug, Default)]
struct Judgement {
    read: usize,
    unread: BTreeMap<String, usize>,
    accepted: usize,
    rejected: BTreeMap<String, (usize, String)>,
    unsent: usize,
}

impl Judgement {
    fn and(mut self, other: Self) -> Self {
        self.read += other.read;
        self.accepted += other.accepted;
        self.unsent += other.unsent;
        other.unread.into_iter().for_each(|(why, count)| *self.unread.entry(why).or_default() += count);
        for (why, (count, example)) in other.rejected {
            self.rejected.entry(why).or_insert((0, example)).0 += count;
        }
        self
    }

    fn rejections(&self) -> usize {
        self.rejected.values().map(|(count, _)| count).sum()
    }

    fn tell(&self) {
        eprintln!("openapi-core reads {} documents; it does not read: {:?}", self.read, self.unread);
        eprintln!("{} requests accepted, {} rejected, {} not sent", self.accepted, self.rejections(), self.unsent);
        let mut classes: Vec<_> = self.rejected.iter().collect();
        classes.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
        for (why, (count, example)) in classes {
            let reason = reason(why).unwrap_or_else(|| "nobody has looked at it".to_owned());
            eprintln!("{count:6} {why}: {reason}; such as {example}");
        }
    }
}

/// Why requests of this class are rejected although they are what we wanted to send; `None` for a class that is new.
fn reason(class: &str) -> Option<String> {
    if let Some((_, reason)) = STOPS.iter().find(|(known, _)| *known == class) {
        return Some((*reason).to_owned());
    }
    let keywords = class.strip_prefix("InvalidParameter: ").or_else(|| class.strip_prefix("InvalidRequestBody: "))?;
    let reasons: Option<Vec<&str>> = keywords
        .split('/')
        .map(|keyword| KEYWORDS.iter().find(|(known, _)| *known == keyword).map(|(_, reason)| *reason))
        .collect();
    Some(reasons?.join("; "))
}

/// A running judge; it ends with this value.
struct Judge {
    process: Child,
    port: u16,
}

impl Judge {
    fn start(python: &Path, corpus: &Path) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop/python/judge_requests.py");
        let mut command = Command::new(python);
        command.arg(script).arg(corpus).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("the judge: {error}: {line}"));
        let port = said["port"].as_u64().and_then(|port| port.try_into().ok()).unwrap();
        Self { process, port }
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_independent_reader_accepts_the_requests() {
    let Some(python) = python() else { return };
    let Some(paths) = documents() else { return };
    let start = Instant::now();
    let mut shares: Vec<Vec<PathBuf>> = vec![Vec::new(); JUDGE_COUNT];
    paths.into_iter().enumerate().for_each(|(at, path)| shares[at % JUDGE_COUNT].push(path));
    let judging = shares.into_iter().map(|share| tokio::spawn(judged(python.clone(), share)));
    let mut whole = Judgement::default();
    for one in judging.collect::<Vec<_>>() {
        whole = whole.and(one.await.unwrap());
    }
    whole.tell();
    eprintln!("judged in {:?}", start.elapsed());
    let unknown: Vec<_> = whole.rejected.keys().filter(|class| reason(class).is_none()).collect();
    assert!(unknown.is_empty(), "classes of rejections that nobody has looked at: {unknown:?}");
    assert!(whole.accepted >= ACCEPTED_MIN, "{} are accepted, {ACCEPTED_MIN} were before", whole.accepted);
    assert!(whole.read >= READ_MIN, "{} are read, {READ_MIN} were before", whole.read);
}

async fn judged(python: PathBuf, paths: Vec<PathBuf>) -> Judgement {
    let corpus = paths.first().unwrap().parent().unwrap().parent().unwrap().to_owned();
    let judge = Judge::start(&python, &corpus);
    let settings = TransportSettings { proxy: ProxySetting::Direct, ..TransportSettings::default() };
    let guard = Guard::allowing([format!("127.0.0.1:{}", judge.port)]).unwrap();
    let transport = Transport::new(settings).unwrap().guarded(guard);
    let policy = RetryPolicy { attempts_max: 1, ..RetryPolicy::default() };
    let caller = Caller::new(transport, Arc::new(SystemClock), 8).with_policy(policy);
    let mut judgement = Judgement::default();
    for path in paths {
        judge_document(&caller, judge.port, (&corpus, &path), &mut judgement).await;
    }
    judgement
}

/// Sends each operation's request with all inputs, and of every eighth the one with those alone that are needed.
async fn judge_document(caller: &Caller, port: u16, (corpus, path): (&Path, &Path), judgement: &mut Judgement) {
    let Ok(bytes) = std::fs::read(path) else { return };
    let Ok(import) = sortie_openapi::import(&bytes, &sortie_openapi::NoSources, &Default::default()) else { return };
    let place = path.strip_prefix(corpus).unwrap().to_string_lossy().replace('/', "~");
    let base = format!("http://127.0.0.1:{port}/{place}").parse().unwrap();
    let target = Target { base: Some(base), variables: Map::new() };
    let mut is_read = false;
    for (at, operation) in import.description.operations.iter().enumerate() {
        let mut sent = None;
        for all in [true, false].into_iter().take(1 + usize::from(at % 8 == 0)) {
            let inputs = inputs(&import.description, operation, all);
            let Ok(built) = build(&import.description, operation, &inputs, &target) else {
                judgement.unsent += 1;
                continue;
            };
            // Where nothing is left to choose, both are the same.
            if sent.as_ref() == Some(&built) {
                continue;
            }
            let answer = caller.send(&built, operation.effect.class, &Credential::Anonymous).await;
            sent = Some(built);
            let answer = answer.unwrap_or_else(|error| panic!("{place} {}: {error}", operation.id));
            let said = |name: &str| answer.header(name).unwrap_or_default().to_owned();
            match said("x-verdict").as_str() {
                "accepted" => judgement.accepted += 1,
                "rejected" => {
                    let example = format!("{place} {} {}: {}", operation.id, operation.path, said("x-detail"));
                    judgement.rejected.entry(said("x-why")).or_insert((0, example)).0 += 1;
                }
                "unread" => {
                    *judgement.unread.entry(said("x-why")).or_default() += 1;
                    return;
                }
                other => panic!("the judge says `{other}`"),
            }
            is_read = true;
        }
    }
    judgement.read += usize::from(is_read);
}

/// The Python that has openapi-core; one visible line where there is none.
fn python() -> Option<PathBuf> {
    let path = std::env::var_os("SORTIE_INTEROP_PYTHON").map(PathBuf::from).filter(|path| path.exists());
    if path.is_none() {
        let required = std::env::var_os("SORTIE_INTEROP_REQUIRED").is_some_and(|value| value == "1");
        let why = "SORTIE_INTEROP_PYTHON is not set; `cargo xtask test` installs it";
        assert!(!required, "openapi-core is required: {why}");
        eprintln!("left out: openapi-core ({why})");
    }
    path
}

/// Keywords of schemas that no value satisfies, or none that this judge reads.
const KEYWORDS: &[(&str, &str)] = &[
    ("format", "openapi-core knows times without a zone alone; the document asks for a word that is no date as well"),
    ("oneOf", "the document's alternatives fit all at once, or what tells them apart is for answers or leads nowhere"),
    ("required", "the document needs in one part of an allOf what another part, or a reference, keeps for answers"),
    ("readOnly", "the document needs a parameter whose schema is for answers alone"),
    ("enum", "the document has an empty list of choices"),
    ("type", "the parts of the document's allOf are of different types; openapi-core reads no numbers in multipart"),
    ("additionalProperties", "the document has this path twice, with other names of placeholders"),
];
/// Where openapi-core stops, or the document is not OpenAPI.
const STOPS: &[(&str, &str)] = &[
    ("RequestBodyValidationError: TypeError", "openapi-core reads no list in a multipart form"),
    ("TypeError: TypeError", "openapi-core reads a part of a multipart form as a list"),
    ("RequestBodyValidationError: ValueError", "openapi-core takes an object in a form for a list of pairs"),
    ("ParameterValidationError: ValueError", "openapi-core reads no object in a cookie"),
    (
        "MissingRequiredParameter: MissingRequiredParameter",
        "openapi-core reads no label and no matrix in a path; the document has no place for a parameter of the path",
    ),
    ("ValueError: ValueError", "the document names a dialect of JSON Schema that does not exist"),
    ("error: error", "the document's pattern is none for Python"),
];
/// One judge uses one core.
const JUDGE_COUNT: usize = 2;
/// Never down.
const ACCEPTED_MIN: usize = 7_611;
/// Never down.
const READ_MIN: usize = 147;
