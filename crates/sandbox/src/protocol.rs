//! What parent and child say to each other over the child's standard input and output. Pure: bytes in, bytes out.
//!
//! The parent begins with [`Settings`], and later sends one job. The child answers with records: that it is ready, lines
//! of the console as they come, and an end. The parent takes the child for hostile: every length has a bound, and what
//! does not fit ends the conversation.

use serde::{Deserialize, Serialize};

use crate::{
    confinement::Confinement,
    job::{CONSOLE_LINE_CHARS_MAX, INPUT_BYTES_MAX, OUTPUT_BYTES_MAX, SCRIPT_BYTES_MAX},
};

/// What a child is told when it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The process that it must not outlive.
    pub(crate) parent: u32,
    pub(crate) memory_bytes_max: u64,
}

impl Settings {
    pub(crate) const BYTES: usize = 20;

    pub(crate) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&self.parent.to_le_bytes());
        bytes[12..].copy_from_slice(&self.memory_bytes_max.to_le_bytes());
        bytes
    }

    /// `None` where another program, or another version of this one, is at the other end.
    pub(crate) fn parse(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk::<8>()?;
        let (parent, rest) = rest.split_first_chunk()?;
        let (memory, _) = rest.split_first_chunk()?;
        let settings = Self { parent: u32::from_le_bytes(*parent), memory_bytes_max: u64::from_le_bytes(*memory) };
        (magic == MAGIC).then_some(settings)
    }
}

/// What stands before a job's script and input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JobHead {
    pub(crate) script_bytes: u32,
    pub(crate) input_bytes: u32,
    pub(crate) now_ms: i64,
    pub(crate) seed: u64,
    pub(crate) deadline_ms: u64,
}

impl JobHead {
    pub(crate) const BYTES: usize = 32;

    pub(crate) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..4].copy_from_slice(&self.script_bytes.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.input_bytes.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.now_ms.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.seed.to_le_bytes());
        bytes[24..].copy_from_slice(&self.deadline_ms.to_le_bytes());
        bytes
    }

    /// `None` where a length passes its bound.
    pub(crate) fn parse(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let (script_bytes, rest) = bytes.split_first_chunk()?;
        let (input_bytes, rest) = rest.split_first_chunk()?;
        let (now_ms, rest) = rest.split_first_chunk()?;
        let (seed, rest) = rest.split_first_chunk()?;
        let (deadline_ms, _) = rest.split_first_chunk()?;
        let head = Self {
            script_bytes: u32::from_le_bytes(*script_bytes),
            input_bytes: u32::from_le_bytes(*input_bytes),
            now_ms: i64::from_le_bytes(*now_ms),
            seed: u64::from_le_bytes(*seed),
            deadline_ms: u64::from_le_bytes(*deadline_ms),
        };
        let fits = head.script_bytes as usize <= SCRIPT_BYTES_MAX && head.input_bytes as usize <= INPUT_BYTES_MAX;
        fits.then_some(head)
    }
}

/// One thing that a child says.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// It waits for a job, confined like this.
    Ready(Confinement),
    /// A line of the console.
    Console(String),
    /// The result, as JSON that nobody has read yet.
    Done(Vec<u8>),
    /// No result.
    Failed(Failure),
}

/// Why a script ended without a result, as its child saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Failure {
    /// An exception that nothing caught.
    Threw {
        /// Its name and message.
        message: String,
        /// Where.
        line: Option<u32>,
    },
    /// No function to call.
    NoDefaultExport {
        /// What is there.
        found: String,
    },
    /// The result cannot be written as JSON.
    ResultNotJson {
        /// Why not.
        reason: String,
    },
    /// The result is too large.
    OutputTooLarge,
    /// A promise that nothing settles.
    NeverSettles,
    /// The engine stopped the script at its deadline.
    Deadline,
    /// The engine refused more memory.
    Memory,
}

/// The child said what no child of ours says.
#[derive(Debug, thiserror::Error)]
#[error("answered with what cannot be read")]
pub struct UnreadableRecord;

impl Record {
    /// As it goes over the pipe.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Ready(confinement) => framed(b'r', &json(confinement)),
            Self::Console(line) => framed(b'c', line.as_bytes()),
            Self::Done(output) => framed(b'd', output),
            Self::Failed(failure) => framed(b'f', &json(failure)),
        }
    }

    fn parse(kind: u8, payload: &[u8]) -> Option<Self> {
        match kind {
            b'r' => serde_json::from_slice(payload).ok().map(Self::Ready),
            b'c' => String::from_utf8(payload.to_vec()).ok().map(Self::Console),
            b'd' => Some(Self::Done(payload.to_vec())),
            b'f' => serde_json::from_slice(payload).ok().map(Self::Failed),
            _ => None,
        }
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("these types have text keys only")
}

fn framed(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("payloads are far below 4 GB");
    [&[kind], &length.to_le_bytes()[..], payload].concat()
}

fn payload_bytes_max(kind: u8) -> Option<usize> {
    match kind {
        b'r' | b'f' => Some(SMALL_BYTES_MAX),
        // Four bytes a character, and the mark of a cut.
        b'c' => Some((CONSOLE_LINE_CHARS_MAX + 1) * 4),
        b'd' => Some(OUTPUT_BYTES_MAX),
        _ => None,
    }
}

/// Takes a child's bytes in any pieces and gives its records.
#[derive(Debug, Default)]
pub struct Records {
    bytes: Vec<u8>,
    read: usize,
}

impl Records {
    /// The next piece as it came.
    pub fn push(&mut self, piece: &[u8]) {
        if self.read > 0 {
            self.bytes.drain(..self.read);
            self.read = 0;
        }
        self.bytes.extend_from_slice(piece);
    }

    /// The next record, or `None` until more has come.
    ///
    /// # Errors
    ///
    /// Nothing after an unreadable record can be read: the child has to go.
    pub fn next_record(&mut self) -> Result<Option<Record>, UnreadableRecord> {
        let Some((&[kind], rest)) = self.bytes[self.read..].split_first_chunk::<1>() else { return Ok(None) };
        let bytes_max = payload_bytes_max(kind).ok_or(UnreadableRecord)?;
        let Some((length, rest)) = rest.split_first_chunk() else { return Ok(None) };
        let length = u32::from_le_bytes(*length) as usize;
        if length > bytes_max {
            return Err(UnreadableRecord);
        }
        let Some(payload) = rest.get(..length) else { return Ok(None) };
        let record = Record::parse(kind, payload).ok_or(UnreadableRecord)?;
        self.read += 1 + 4 + length;
        Ok(Some(record))
    }
}

/// The last byte counts versions: after an upgrade the file of a running program may hold a child of another one.
const MAGIC: &[u8; 8] = b"sortie\0\x01";
/// For what is told in a few words.
const SMALL_BYTES_MAX: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn said() -> Vec<Record> {
        vec![
            Record::Ready(Confinement { measures: vec![] }),
            Record::Console("ä\n".into()),
            Record::Failed(Failure::Threw { message: "x".into(), line: Some(3) }),
            Record::Done(b"{}".to_vec()),
        ]
    }

    #[test]
    fn records_come_out_as_they_went_in_however_the_pipe_cuts_them() {
        let bytes: Vec<u8> = said().iter().flat_map(Record::to_bytes).collect();
        for size in 1..bytes.len() {
            let mut records = Records::default();
            let mut heard = Vec::new();
            for piece in bytes.chunks(size) {
                records.push(piece);
                while let Some(record) = records.next_record().unwrap() {
                    heard.push(record);
                }
            }
            assert_eq!(heard, said(), "in pieces of {size}");
        }
    }

    #[test]
    fn a_record_that_promises_too_much_is_refused_before_it_comes() {
        for kind in [b'r', b'c', b'd', b'f', b'x'] {
            let mut records = Records::default();
            records.push(&[kind, 0xff, 0xff, 0xff, 0x7f]);
            assert!(records.next_record().is_err(), "{}", kind as char);
        }
    }

    #[test]
    fn settings_and_heads_of_jobs_survive_the_pipe() {
        let settings = Settings { parent: 7, memory_bytes_max: 1 << 33 };
        assert_eq!(Settings::parse(&settings.to_bytes()), Some(settings));
        let mut foreign = settings.to_bytes();
        foreign[7] += 1;
        assert_eq!(Settings::parse(&foreign), None);
        let head = JobHead { script_bytes: 1, input_bytes: 2, now_ms: -3, seed: u64::MAX, deadline_ms: 5 };
        assert_eq!(JobHead::parse(&head.to_bytes()), Some(head));
        let large = JobHead { input_bytes: u32::MAX, ..head };
        assert_eq!(JobHead::parse(&large.to_bytes()), None);
    }
}
