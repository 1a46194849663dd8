//! What a child gives up before it takes a script, and the report of it.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod syscalls;

use std::fmt;

use serde::{Deserialize, Serialize};

/// What holds a script back on this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// All measures, the strongest first.
    pub measures: Vec<Measure>,
}

/// One measure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measure {
    /// `seccomp`, for example.
    pub name: String,
    /// Why it does not hold here; `None` where it does.
    pub missing: Option<String>,
}

impl Confinement {
    /// The measures that this machine does not give.
    pub fn missing(&self) -> impl Iterator<Item = &Measure> {
        self.measures.iter().filter(|measure| measure.missing.is_some())
    }

    fn note<E: fmt::Display>(&mut self, name: &str, done: Result<(), E>) {
        let missing = done.err().map(|error| error.to_string());
        self.measures.push(Measure { name: name.to_owned(), missing });
    }
}

/// `scripts are confined by seccomp, limits; missing on this machine: landlock (…)`
impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let holds = self.measures.iter().filter(|measure| measure.missing.is_none());
        let holds: Vec<&str> = holds.map(|measure| measure.name.as_str()).collect();
        let holds = if holds.is_empty() { "nothing but their own process".to_owned() } else { holds.join(", ") };
        write!(f, "scripts are confined by {holds}")?;
        for (at, Measure { name, missing }) in self.missing().enumerate() {
            let before = if at == 0 { "; missing on this machine: " } else { ", " };
            write!(f, "{before}{name} ({})", missing.as_deref().unwrap_or_default())?;
        }
        Ok(())
    }
}

/// Confines the calling process for good; `load` runs at the last moment when it may still open files and map code.
///
/// Call it in a process with one thread. What the machine does not give is noted, and the rest holds nevertheless.
pub fn confine<T>(memory_bytes_max: u64, load: impl FnOnce() -> T) -> (T, Confinement) {
    let mut confinement = Confinement::default();
    #[cfg(target_os = "linux")]
    let loaded = linux::confine(&mut confinement, memory_bytes_max, load);
    #[cfg(not(target_os = "linux"))]
    let loaded = {
        let _ = memory_bytes_max;
        confinement.note("confinement by the kernel", Err("it is done on Linux only"));
        load()
    };
    (loaded, confinement)
}

/// Ends this process with its parent.
///
/// # Errors
///
/// The parent is gone already, or this system cannot promise it.
pub(crate) fn die_with(parent: u32) -> Result<(), &'static str> {
    #[cfg(target_os = "linux")]
    return linux::die_with(parent);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = parent;
        Ok(())
    }
}

/// Bounds the time of a processor that this process uses from now on; the parent's clock is the first bound.
pub(crate) fn limit_processor_time(seconds: u64) {
    #[cfg(target_os = "linux")]
    linux::limit_processor_time(seconds);
    #[cfg(not(target_os = "linux"))]
    let _ = seconds;
}

/// What the engine may use of the main thread's stack: well below what the kernel lets it grow to.
pub(crate) fn stack_bytes_max() -> usize {
    #[cfg(target_os = "linux")]
    let limit = linux::stack_bytes_limit();
    #[cfg(not(target_os = "linux"))]
    let limit = None;
    limit.map_or(STACK_BYTES_MAX, |limit| (limit / 2).min(STACK_BYTES_MAX))
}

const STACK_BYTES_MAX: usize = 2 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_with_its_reason() {
        let mut confinement = Confinement::default();
        confinement.note("seccomp", Ok::<(), &str>(()));
        assert_eq!(confinement.to_string(), "scripts are confined by seccomp");
        confinement.note("landlock", Err("this kernel has none"));
        let said = "scripts are confined by seccomp; missing on this machine: landlock (this kernel has none)";
        assert_eq!(confinement.to_string(), said);
        assert_eq!(confinement.missing().count(), 1);
    }
}
