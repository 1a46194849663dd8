//! Why a script gave no result, and what to do about it.

use std::{fmt, time::Duration};

use crate::job::{DEPTH_MAX, INPUT_BYTES_MAX, OUTPUT_BYTES_MAX, SCRIPT_BYTES_MAX};

/// No result: why, and what the script had written by then.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub struct SandboxError {
    /// What went wrong.
    pub kind: Box<SandboxErrorKind>,
    /// What came by `console` until then.
    pub console: Vec<String>,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum SandboxErrorKind {
    /// An exception that nothing caught, or text that is no JavaScript.
    #[error("the script threw{}: {message}", Place(*.line))]
    Threw {
        /// `TypeError: …`, or the thrown value as text.
        message: String,
        /// The line of the script, counted from 1, where it is known.
        line: Option<u32>,
    },
    /// There is no function to call.
    #[error("the script has no function as its default export: it has {found}")]
    NoDefaultExport {
        /// What is there instead.
        found: String,
    },
    /// What came back cannot be written as JSON.
    #[error("the result of the script is no JSON: {reason}")]
    ResultNotJson {
        /// Why not.
        reason: String,
    },
    /// It awaits a promise that nothing is left to settle.
    #[error("the script waits for something that never comes")]
    NeverSettles,
    /// It was still running, or used up that much time of a processor.
    #[error("the script was still running after {after:?} and was killed")]
    Deadline {
        /// The job's deadline.
        after: Duration,
    },
    /// It wanted more memory than it may have.
    #[error("the script needs more than the {} MB of memory that it may use", bytes_max >> 20)]
    Memory {
        /// The pool's bound.
        bytes_max: usize,
    },
    /// A bound on sizes is passed.
    #[error("{0}")]
    TooLarge(Large),
    /// The child ended without a word, or spoke nonsense.
    #[error("the process of the script {how}")]
    ChildDied {
        /// `was ended by signal 11`, and what it said.
        how: String,
    },
    /// No child came up, so the script did not begin.
    #[error("no process could be started for the script: {0}")]
    CannotStart(String),
}

/// What is too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Large {
    /// The script itself.
    Script,
    /// Its input, as JSON.
    Input,
    /// Its input lies too deep within itself.
    InputDepth,
    /// Its result, as JSON.
    Output,
}

impl SandboxErrorKind {
    /// What a person can do about it, as a full sentence.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Threw { .. } => {
                "Whoever wrote the workflow: mend the script at that line, or catch what it throws; `console.log` shows values."
            }
            Self::NoDefaultExport { .. } => {
                "Whoever wrote the workflow: begin the script with `export default (ctx) => …`."
            }
            Self::ResultNotJson { .. } => {
                "Whoever wrote the workflow: return texts, numbers, booleans, null, lists and plain objects only."
            }
            Self::NeverSettles => {
                "Whoever wrote the workflow: await only promises that the script itself settles; it has no timers and no network."
            }
            Self::Deadline { .. } => {
                "Whoever wrote the workflow: look for a loop without end or a slow pattern, or raise the step's `timeout`."
            }
            Self::Memory { .. } => {
                "Whoever wrote the workflow: give the script less in `with`, or work through it piece by piece."
            }
            Self::TooLarge(Large::Script) => {
                "Whoever wrote the workflow: keep data in `with` or `vars`, not in the script."
            }
            Self::TooLarge(Large::Input | Large::InputDepth) => {
                "Whoever wrote the workflow: pass only the fields that the script needs in `with`."
            }
            Self::TooLarge(Large::Output) => "Whoever wrote the workflow: return only what later steps need.",
            Self::ChildDied { .. } => {
                "Run it again; where it happens again, whoever runs Sortie looks for a lack of memory in the log of the system."
            }
            Self::CannotStart(_) => {
                "Whoever runs Sortie: see that its program file is in its place and that a process may be started, then restart it."
            }
        }
    }

    /// Whether the same job may go well later without anybody's help.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::ChildDied { .. } | Self::CannotStart(_) => true,
            // A busy machine may be all that it was.
            Self::Deadline { .. } => true,
            Self::Threw { .. } | Self::NoDefaultExport { .. } | Self::ResultNotJson { .. } => false,
            Self::NeverSettles | Self::Memory { .. } | Self::TooLarge(_) => false,
        }
    }
}

impl SandboxError {
    /// What a person can do about it, as a full sentence.
    pub fn remedy(&self) -> &'static str {
        self.kind.remedy()
    }

    pub(crate) fn new(kind: SandboxErrorKind, console: Vec<String>) -> Self {
        Self { kind: Box::new(kind), console }
    }
}

impl fmt::Display for Large {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Script => write!(f, "the script is longer than {} MB", SCRIPT_BYTES_MAX >> 20),
            Self::Input => write!(f, "the input of the script is larger than {} MB of JSON", INPUT_BYTES_MAX >> 20),
            Self::InputDepth => write!(f, "the input of the script lies more than {DEPTH_MAX} levels deep"),
            Self::Output => write!(f, "the result of the script is larger than {} MB of JSON", OUTPUT_BYTES_MAX >> 20),
        }
    }
}

struct Place(Option<u32>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |line| write!(f, " in line {line}"))
    }
}
