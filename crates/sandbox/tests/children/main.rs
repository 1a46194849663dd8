//! Scripts in real children: what comes back, what cannot get out, and that nothing outlives its time.
//!
//! The program is its own child: its first argument says what it is.

mod hostile;
mod kernel;
mod life;
mod results;
mod stage;

use std::{process::ExitCode, time::Duration};

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some(sortie_sandbox::ARGUMENT) => sortie_sandbox::child_main(),
        Some(kernel::PROBE) => kernel::probe(),
        Some(life::PARENT) => within(life::parent()),
        Some(life::MUTE) => life::mute(),
        Some(life::BABBLER) => life::babble(),
        _ => libtest_mimic::run(&Arguments::from_args(), tests()).exit_code(),
    }
}

fn within(work: impl Future<Output = ()>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(TEST_TIME_MAX, work).await.expect("the test hangs") });
    ExitCode::SUCCESS
}

const TEST_TIME_MAX: Duration = Duration::from_secs(60);

macro_rules! trials {
    ($($area:ident: $($name:ident),+;)+) => {
        vec![$($(Trial::test(concat!(stringify!($area), "::", stringify!($name)), || {
            within($area::$name());
            Ok(())
        })),+),+]
    };
}

fn tests() -> Vec<Trial> {
    trials! {
        results: explore;
    }
}
