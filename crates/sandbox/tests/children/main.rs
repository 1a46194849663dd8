//! Scripts in real children: what comes back, what cannot get out, and that nothing outlives its time.
//!
//! The program is its own child: its first argument says what it is.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "the lint knows tests by the usual harness only")]

mod hostile;
mod kernel;
mod life;
mod results;
mod stage;
mod values;

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
        results:
            a_function_gets_its_input_and_gives_its_result,
            what_is_thrown_is_told_with_its_line,
            a_script_without_a_function_is_told_from_one_that_fails,
            a_result_that_is_no_json_is_refused,
            what_is_too_large_is_refused_by_its_own_name,
            the_console_comes_along_and_has_bounds,
            the_console_is_known_however_the_script_ends;
        values:
            numbers_are_those_of_javascript,
            texts_arrive_as_they_were,
            a_key_named_proto_is_a_key,
            depth_has_one_bound_in_and_out,
            the_present_and_chance_are_those_of_the_job,
            bytes_and_texts_are_turned_into_each_other,
            nothing_else_can_be_named;
        hostile:
            what_never_ends_is_ended,
            what_wants_all_memory_is_refused,
            recursion_ends_in_an_exception,
            nothing_can_be_imported,
            no_constructor_leads_out,
            promises_and_proxies_end_too,
            changed_built_ins_change_nothing_outside;
        kernel:
            the_kernel_refuses_what_no_script_can_name,
            a_living_child_has_nothing,
            the_report_tells_what_holds;
        life:
            a_child_serves_one_script,
            a_dropped_run_takes_its_child_with_it,
            a_dropped_pool_takes_its_warm_children_with_it,
            a_killed_parent_takes_its_children_with_it,
            a_child_that_is_killed_is_told,
            a_child_that_does_not_come_up_is_told,
            a_child_that_talks_nonsense_is_told,
            many_scripts_share_few_children,
            fifty_scripts_at_once_end_in_time;
    }
}
