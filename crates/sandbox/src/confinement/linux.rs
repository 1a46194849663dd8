//! The measures of Linux.

use std::io;

use landlock::{ABI, Access as _, AccessFs, AccessNet, Ruleset, RulesetAttr as _, RulesetStatus, Scope};
use rustix::{
    process::{Resource, Rlimit, Signal, getppid, getrlimit, set_parent_process_death_signal, setrlimit},
    thread::{CapabilitySet, CapabilitySets, clear_ambient_capability_set, set_capabilities, set_no_new_privs},
};

use super::{Confinement, syscalls};

pub(super) fn confine<T>(confinement: &mut Confinement, memory_bytes_max: u64, load: impl FnOnce() -> T) -> T {
    let privileges = set_no_new_privs(true);
    let descriptors = close_foreign_descriptors();
    let folder = std::env::set_current_dir("/");
    let landlock = restrict_paths();
    let loaded = load();
    let limits = limit(memory_bytes_max);
    // Last, because raising a limit is forbidden by it, and root could do that.
    let capabilities = drop_capabilities();
    confinement.note("seccomp", syscalls::allow_few());
    confinement.note("landlock", landlock);
    confinement.note("limits", limits);
    confinement.note("no capabilities", capabilities);
    confinement.note("no new privileges", privileges);
    confinement.note("no foreign descriptors", descriptors);
    confinement.note("an empty place", folder);
    loaded
}

pub(super) fn die_with(parent: u32) -> Result<(), &'static str> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|_| "this kernel does not end children")?;
    // The parent may have gone before the kernel was asked; then nobody would end this process.
    let is_there = getppid().is_some_and(|pid| u32::try_from(pid.as_raw_nonzero().get()) == Ok(parent));
    is_there.then_some(()).ok_or("the parent is gone")
}

pub(super) fn limit_processor_time(seconds: u64) {
    // Refused only where a lower limit holds already, and the parent kills in any case.
    let _ = setrlimit(Resource::Cpu, both(seconds));
}

pub(super) fn stack_bytes_limit() -> Option<usize> {
    getrlimit(Resource::Stack).current.and_then(|bytes| usize::try_from(bytes).ok())
}

/// The limit on data counts what is private, writable and of no file, so that the size of the program does not matter.
fn limit(memory_bytes_max: u64) -> io::Result<()> {
    setrlimit(Resource::Data, both(memory_bytes_max))?;
    setrlimit(Resource::Nofile, both(STANDARD_DESCRIPTORS))?;
    for none in [Resource::Core, Resource::Fsize, Resource::Nproc, Resource::Memlock] {
        setrlimit(none, both(0))?;
    }
    Ok(())
}

fn both(limit: u64) -> Rlimit {
    Rlimit { current: Some(limit), maximum: Some(limit) }
}

fn drop_capabilities() -> io::Result<()> {
    // Kernels before 4.3 have no ambient set, and so nothing to clear.
    let _ = clear_ambient_capability_set();
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    Ok(())
}

/// A set of rules without a rule: no path, no port, no abstract socket, no signal to others.
fn restrict_paths() -> Result<(), String> {
    let restricted = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V6))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(ABI::V6)))
        .and_then(|rules| rules.scope(Scope::from_all(ABI::V6)))
        .and_then(|rules| rules.create())
        .and_then(|rules| rules.restrict_self());
    match restricted.map_err(|error| error.to_string())?.ruleset {
        // An older kernel restricts what it knows; seccomp refuses the rest.
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
        RulesetStatus::NotEnforced => Err("this kernel has none".to_owned()),
    }
}

/// Whoever started our parent may have left descriptors open for its children.
#[expect(unsafe_code, reason = "no safe crate in use closes descriptors that it did not open")]
fn close_foreign_descriptors() -> io::Result<()> {
    let first = libc::c_uint::try_from(STANDARD_DESCRIPTORS).expect("it is 3");
    // SAFETY: the child calls this first of all, with one thread, when the program has opened nothing but its standard
    // streams: no owner of a closed descriptor exists.
    let answer = unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

const STANDARD_DESCRIPTORS: u64 = 3;
