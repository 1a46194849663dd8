//! The other end: the process that runs one script and ends.

use std::{
    io::{self, IsTerminal as _, Read as _, Write as _},
    process::ExitCode,
    time::Duration,
};

use crate::{
    confinement::{confine, die_with, limit_processor_time},
    protocol::{JobHead, Record, Settings},
    script::{Engine, Run},
};

/// Serves one script over standard input and output. A binary calls this before anything else when its first argument is
/// [`ARGUMENT`](crate::ARGUMENT): no thread may run yet and no file may be open.
pub fn child_main() -> ExitCode {
    let mut bytes = [0; Settings::BYTES];
    if io::stdin().is_terminal() || io::stdin().read_exact(&mut bytes).is_err() {
        return refuse("this is started by Sortie itself, for the scripts of workflows");
    }
    let Some(settings) = Settings::parse(&bytes) else {
        return refuse("the program that started this is another version of Sortie");
    };
    // Nobody is left to hear more than that.
    if die_with(settings.parent).is_err() {
        return ExitCode::FAILURE;
    }
    let memory_bytes_max = usize::try_from(settings.memory_bytes_max).unwrap_or(usize::MAX);
    let with_headroom = settings.memory_bytes_max.saturating_add(HEADROOM_BYTES);
    let (engine, confinement) = confine(with_headroom, || Engine::load(memory_bytes_max));
    let Ok(engine) = engine else {
        return refuse("the engine does not load within the memory that scripts may use: raise it");
    };
    say(&Record::Ready(confinement));
    let Some((head, script, input)) = read_job() else { return ExitCode::FAILURE };
    let deadline = Duration::from_millis(head.deadline_ms);
    limit_processor_time(deadline.as_secs() + PROCESSOR_SECONDS_SPARE);
    let run = Run { script, input, now_ms: head.now_ms, seed: head.seed, deadline, say };
    let ended = engine.run(run);
    say(&ended.map_or_else(Record::Failed, Record::Done));
    // Taking the script's objects apart one by one could take longer than the script; the kernel is quicker.
    std::process::exit(0)
}

fn read_job() -> Option<(JobHead, Vec<u8>, Vec<u8>)> {
    let mut stdin = io::stdin().lock();
    let mut head = [0; JobHead::BYTES];
    // The usual end of a child that was kept warm and is not needed.
    stdin.read_exact(&mut head).ok()?;
    let head = JobHead::parse(&head)?;
    let mut script = vec![0; head.script_bytes as usize];
    stdin.read_exact(&mut script).ok()?;
    let mut input = vec![0; head.input_bytes as usize];
    stdin.read_exact(&mut input).ok()?;
    Some((head, script, input))
}

fn say(record: &Record) {
    let mut stdout = io::stdout().lock();
    if stdout.write_all(&record.to_bytes()).and_then(|()| stdout.flush()).is_err() {
        std::process::exit(1);
    }
}

#[expect(clippy::print_stderr, reason = "the parent quotes it, and a person who started this by hand reads it")]
fn refuse(why: &str) -> ExitCode {
    eprintln!("error: {why}");
    ExitCode::FAILURE
}

/// For the input and the result as text, and for what the program itself needs. The engine's own bound comes first.
const HEADROOM_BYTES: u64 = 160 << 20;
/// Seconds of a processor beyond the deadline: the limit is for the day when the parent cannot kill.
const PROCESSOR_SECONDS_SPARE: u64 = 2;
