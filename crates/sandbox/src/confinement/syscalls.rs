//! The calls of the kernel that a loaded engine needs. Everything else is answered with `EPERM`.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};

pub(super) fn allow_few() -> Result<(), String> {
    let program = program().map_err(|error| error.to_string())?;
    apply_filter(&program).map_err(|error| error.to_string())
}

fn program() -> Result<BpfProgram, BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = ALWAYS.iter().map(|call| (*call, vec![])).collect();
    rules.insert(libc::SYS_read, vec![is(0, libc::STDIN_FILENO as u64)?]);
    for write in [libc::SYS_write, libc::SYS_writev] {
        rules.insert(write, vec![is(0, libc::STDOUT_FILENO as u64)?, is(0, libc::STDERR_FILENO as u64)?]);
    }
    // Memory yes, code no: nothing that the process wrote can become a program, and nothing is shared.
    let anonymous = has(3, (libc::MAP_ANONYMOUS | libc::MAP_PRIVATE) as u64, libc::MAP_ANONYMOUS | libc::MAP_PRIVATE)?;
    rules.insert(libc::SYS_mmap, vec![SeccompRule::new(vec![lacks(2, libc::PROT_EXEC)?, anonymous])?]);
    rules.insert(libc::SYS_mprotect, vec![SeccompRule::new(vec![lacks(2, libc::PROT_EXEC)?])?]);
    // The deadline of the job that comes bounds the time of a processor. No other limit moves.
    rules.insert(libc::SYS_prlimit64, vec![is(1, u64::from(libc::RLIMIT_CPU))?]);
    let refuse = SeccompAction::Errno(libc::EPERM as u32);
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, refuse, SeccompAction::Allow, arch)?.try_into()
}

fn is(argument: u8, value: u64) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)?])
}

fn has(argument: u8, value: u64, mask: libc::c_int) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(mask as u64), value)
}

fn lacks(argument: u8, mask: libc::c_int) -> Result<SeccompCondition, BackendError> {
    has(argument, 0, mask)
}

const ALWAYS: &[i64] = &[
    // Memory that is there already.
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    // Clocks, where the kernel answers them by a call, and the seeds of hash tables.
    libc::SYS_clock_gettime,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    // Locks of the standard library. With one thread nobody waits.
    libc::SYS_futex,
    // The end, well or by abort. Without a process or thread beside it, a signal can reach this one alone.
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
];
