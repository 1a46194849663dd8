//! Processes that serve, and what the kernel says of them.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A process that serves HTTP on this machine. It is killed when it is dropped.
pub(crate) struct Serving {
    child: Child,
    /// `127.0.0.1` with its port.
    pub(crate) address: String,
}

impl Serving {
    /// Starts it and waits until it says where it serves: the first line with `http://`.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the process starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it is a pipe")).lines();
        let address = lines.by_ref().find_map(|line| {
            let line = line.expect("it writes text");
            line.split_once("http://").map(|(_, address)| address.trim().to_owned())
        });
        // What else it says is read, so that it never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address: address.expect("it says where it serves") }
    }

    /// This program in another role.
    pub(crate) fn role(role: &str, variables: &[(&str, String)]) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("the program has a path"));
        command.env(super::ROLE, role).envs(variables.iter().map(|(name, value)| (name, value)));
        Self::start(&mut command)
    }

    /// User and system time so far.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = self.read("stat");
        let (_, fields) = stat.rsplit_once(')').expect("the name is in brackets");
        // Hundredths of a second (proc(5)).
        let ticks = fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().expect("a number"));
        Duration::from_millis(ticks.sum::<u64>() * 10)
    }

    /// Memory that is in use by it alone and now, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = self.read("status");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("Linux tells");
        line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).expect("a number") * 1_024
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).expect("Linux tells")
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How long it takes from a process's start until it serves.
pub(crate) fn time_to_serve(command: &mut Command) -> (Duration, Serving) {
    let start = Instant::now();
    let serving = Serving::start(command);
    (start.elapsed(), serving)
}
