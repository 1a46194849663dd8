//! One conversation with one child.

use std::{io, process, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{ChildStderr, ChildStdin, ChildStdout},
    time::timeout,
};

use crate::{
    confinement::Confinement,
    job::CONSOLE_LINES_MAX,
    protocol::{Failure, Record, Records, UnreadableRecord},
};

#[derive(Debug)]
pub(super) struct Talk {
    stdin: ChildStdin,
    stdout: ChildStdout,
    stderr: ChildStderr,
    records: Records,
    console: Vec<String>,
}

/// How a conversation ended.
pub(super) enum Ended {
    Done(Vec<u8>),
    Failed(Failure),
    /// The child closed its side without a result.
    Silent,
    /// The child said what no child of ours says.
    Nonsense,
}

impl Talk {
    pub(super) fn new(
        stdin: process::ChildStdin,
        stdout: process::ChildStdout,
        stderr: process::ChildStderr,
    ) -> io::Result<Self> {
        Ok(Self {
            stdin: ChildStdin::from_std(stdin)?,
            stdout: ChildStdout::from_std(stdout)?,
            stderr: ChildStderr::from_std(stderr)?,
            records: Records::default(),
            console: Vec::new(),
        })
    }

    /// `None` where the child ends or speaks nonsense instead.
    pub(super) async fn ready(&mut self) -> Option<Confinement> {
        match self.heard().await {
            Ok(Some(Record::Ready(confinement))) => Some(confinement),
            _ => None,
        }
    }

    /// Hands the job over and listens to the end.
    pub(super) async fn serve(&mut self, job: &[u8]) -> Ended {
        // A child that goes away while it is spoken to says why on the other pipe, or by its silence.
        if self.stdin.write_all(job).await.is_err() {
            return Ended::Silent;
        }
        loop {
            match self.heard().await {
                Ok(Some(Record::Console(line))) if self.console.len() <= CONSOLE_LINES_MAX => self.console.push(line),
                Ok(Some(Record::Done(output))) => return Ended::Done(output),
                Ok(Some(Record::Failed(failure))) => return Ended::Failed(failure),
                Ok(None) => return Ended::Silent,
                Ok(Some(Record::Ready(_) | Record::Console(_))) | Err(UnreadableRecord) => return Ended::Nonsense,
            }
        }
    }

    /// The next record; `None` at the end.
    async fn heard(&mut self) -> Result<Option<Record>, UnreadableRecord> {
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            if let Some(record) = self.records.next_record()? {
                return Ok(Some(record));
            }
            match self.stdout.read(&mut piece).await {
                Ok(0) | Err(_) => return Ok(None),
                Ok(count) => self.records.push(&piece[..count]),
            }
        }
    }

    /// The beginning of what a child that is ending wrote to standard error: the words of a panic or of the loader.
    pub(super) async fn last_words(&mut self) -> String {
        let mut said = Vec::new();
        let mut bounded = (&mut self.stderr).take(LAST_WORDS_BYTES_MAX);
        // What was read before the time was over is kept.
        let _ = timeout(LAST_WORDS_TIME_MAX, bounded.read_to_end(&mut said)).await;
        String::from_utf8_lossy(&said).into_owned()
    }

    pub(super) fn into_console(self) -> Vec<String> {
        self.console
    }
}

const PIECE_BYTES: usize = 64 << 10;
const LAST_WORDS_BYTES_MAX: u64 = 2_000;
const LAST_WORDS_TIME_MAX: Duration = Duration::from_millis(200);
