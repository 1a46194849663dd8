//! Children that wait for scripts, and the run of one script in one of them.

mod nursery;
mod talk;

use std::{ffi::OsString, io, path::PathBuf, time::Duration};

use serde_json::Value;
use tokio::{sync::Semaphore, time::timeout};

use self::{
    nursery::{Child, Nursery},
    talk::{Ended, Talk},
};
use crate::{
    confinement::Confinement,
    error::{Large, SandboxError, SandboxErrorKind as Kind},
    job::{DEPTH_MAX, Done, INPUT_BYTES_MAX, Job, SCRIPT_BYTES_MAX},
    protocol::{Failure, JobHead},
    text::is_deeper_than,
};

/// How children are started, and how many.
#[derive(Clone, Debug)]
pub struct PoolOptions {
    /// A program that runs [`child_main`](crate::child_main) when it is started with these arguments.
    pub program: PathBuf,
    /// [`ARGUMENT`](crate::ARGUMENT), for the binary of Sortie.
    pub arguments: Vec<OsString>,
    /// How many children wait with the engine loaded. Each takes about 2 MB of memory of its own.
    pub warm: usize,
    /// How many scripts run at once; the others wait, and their deadlines wait with them.
    pub at_once: usize,
    /// What a script may use of memory, its input included. Less than 4 MB counts as 4 MB: the engine itself needs some.
    pub memory_bytes_max: usize,
    /// How long a child may take to come up.
    pub start_time_max: Duration,
}

impl PoolOptions {
    /// Two warm children, four scripts at once, 256 MB each, ten seconds to start.
    pub fn new(program: PathBuf, arguments: Vec<OsString>) -> Self {
        let start_time_max = Duration::from_secs(10);
        Self { program, arguments, warm: 2, at_once: 4, memory_bytes_max: 256 << 20, start_time_max }
    }
}

/// Runs scripts, each in a child process of its own that serves no other.
///
/// Dropping the pool ends the children that wait. A child also ends when this process does, however that happens.
#[derive(Debug)]
pub struct Pool {
    nursery: Nursery,
    slots: Semaphore,
    options: PoolOptions,
}

impl Pool {
    /// Starts the thread that starts the children.
    pub fn new(mut options: PoolOptions) -> Self {
        options.memory_bytes_max = options.memory_bytes_max.max(MEMORY_BYTES_LEAST);
        let slots = Semaphore::new(options.at_once.clamp(1, Semaphore::MAX_PERMITS));
        Self { nursery: Nursery::start(&options), slots, options }
    }

    /// Runs one script to its end.
    ///
    /// # Errors
    ///
    /// [`SandboxErrorKind::may_pass`](crate::SandboxErrorKind::may_pass) says whether trying again may help.
    ///
    /// # Cancellation
    ///
    /// Dropping the future kills the child.
    pub async fn run(&self, job: Job) -> Result<Done, SandboxError> {
        let _slot = self.slots.acquire().await.expect("nobody closes it");
        let bytes = to_bytes(&job).map_err(|kind| SandboxError::new(kind, vec![]))?;
        let (mut child, mut talk, _) = self.child().await.map_err(|kind| SandboxError::new(kind, vec![]))?;
        let ended = timeout(job.deadline, talk.serve(&bytes)).await;
        let result = match ended {
            Ok(Ended::Done(output)) => serde_json::from_slice::<Value>(&output)
                .map_err(|_| Kind::ChildDied { how: "answered with what is no JSON".to_owned() }),
            Ok(Ended::Failed(failure)) => Err(self.kind(failure, job.deadline)),
            Ok(Ended::Nonsense) => Err(Kind::ChildDied { how: "answered with what cannot be read".to_owned() }),
            Ok(Ended::Silent) => {
                let said = talk.last_words().await;
                Err(self.of_death(child.buried().await, &said, job.deadline))
            }
            Err(_) => Err(Kind::Deadline { after: job.deadline }),
        };
        let console = talk.into_console();
        match result {
            Ok(output) => Ok(Done { output, console }),
            Err(kind) => Err(SandboxError::new(kind, console)),
        }
    }

    /// What holds scripts back on this machine, as a child found it.
    ///
    /// # Errors
    ///
    /// No child comes up, so no script would run either.
    pub async fn confinement(&self) -> Result<Confinement, SandboxError> {
        let ready = self.child().await.map_err(|kind| SandboxError::new(kind, vec![]))?;
        Ok(ready.2)
    }

    /// A child that is ready, from the warm ones if there is one.
    async fn child(&self) -> Result<(Child, Talk, Confinement), Kind> {
        let failed = |why: &str| Kind::CannotStart(why.to_owned());
        let mut child = self.nursery.child().await.map_err(|error| failed(&self.of_start(&error)))?;
        let mut talk = child.talk().map_err(|error| failed(&error.to_string()))?;
        match timeout(self.options.start_time_max, talk.ready()).await {
            Ok(Some(confinement)) => Ok((child, talk, confinement)),
            Ok(None) => Err(Kind::CannotStart(format!("it ended at once{}", quoted(&talk.last_words().await)))),
            Err(_) => Err(Kind::CannotStart(format!("it was not ready after {:?}", self.options.start_time_max))),
        }
    }

    fn of_start(&self, error: &io::Error) -> String {
        format!("{}: {error}", self.options.program.display())
    }

    fn kind(&self, failure: Failure, deadline: Duration) -> Kind {
        match failure {
            Failure::Threw { message, line } => Kind::Threw { message, line },
            Failure::NoDefaultExport { found } => Kind::NoDefaultExport { found },
            Failure::ResultNotJson { reason } => Kind::ResultNotJson { reason },
            Failure::OutputTooLarge => Kind::TooLarge(Large::Output),
            Failure::NeverSettles => Kind::NeverSettles,
            Failure::Deadline => Kind::Deadline { after: deadline },
            Failure::Memory => Kind::Memory { bytes_max: self.options.memory_bytes_max },
        }
    }

    /// What the end of a child that gave no result means.
    fn of_death(&self, signal: Option<i32>, said: &str, deadline: Duration) -> Kind {
        // Rust ends a program so whose memory is used up outside of the engine.
        if said.contains("memory allocation of") {
            return Kind::Memory { bytes_max: self.options.memory_bytes_max };
        }
        match signal {
            Some(SIGXCPU) => Kind::Deadline { after: deadline },
            Some(signal) => Kind::ChildDied { how: format!("was ended by signal {signal}{}", quoted(said)) },
            None => Kind::ChildDied { how: format!("ended without a result{}", quoted(said)) },
        }
    }
}

fn quoted(said: &str) -> String {
    let said = said.trim();
    if said.is_empty() { String::new() } else { format!(", and said: {said}") }
}

/// The job as the child reads it.
fn to_bytes(job: &Job) -> Result<Vec<u8>, Kind> {
    if job.script.len() > SCRIPT_BYTES_MAX {
        return Err(Kind::TooLarge(Large::Script));
    }
    if is_deeper_than(&job.input, DEPTH_MAX) {
        return Err(Kind::TooLarge(Large::InputDepth));
    }
    let mut bytes = vec![0; JobHead::BYTES];
    bytes.extend_from_slice(job.script.as_bytes());
    let before = bytes.len();
    let mut bounded = Bounded { bytes: &mut bytes, bytes_max: before + INPUT_BYTES_MAX };
    serde_json::to_writer(&mut bounded, &job.input).map_err(|_| Kind::TooLarge(Large::Input))?;
    let head = JobHead {
        script_bytes: u32::try_from(job.script.len()).expect("it is far below 4 GB"),
        input_bytes: u32::try_from(bytes.len() - before).expect("it is far below 4 GB"),
        now_ms: job.now.as_millisecond(),
        seed: job.seed,
        deadline_ms: u64::try_from(job.deadline.as_millis()).unwrap_or(u64::MAX),
    };
    bytes[..JobHead::BYTES].copy_from_slice(&head.to_bytes());
    Ok(bytes)
}

/// Stops at its bound instead of writing a text to the end that nobody may send.
struct Bounded<'a> {
    bytes: &'a mut Vec<u8>,
    bytes_max: usize,
}

impl io::Write for Bounded<'_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + piece.len() > self.bytes_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const MEMORY_BYTES_LEAST: usize = 4 << 20;
/// The processor time that the kernel allows is used up: the same number on every kind of Linux that we know.
const SIGXCPU: i32 = 24;
