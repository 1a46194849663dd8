//! When children come and go.

use std::{
    io::{Read as _, Write as _},
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sortie_sandbox::{ARGUMENT, Job, Pool, PoolOptions, Record, SandboxErrorKind as Kind};

use crate::kernel::is_running;
use crate::stage::{job, job_for, marked, options, run_job, until};

pub(crate) const PARENT: &str = "__parent";
pub(crate) const MUTE: &str = "__mute";
pub(crate) const BABBLER: &str = "__babbler";

const ENDLESS: &str = "export default () => { console.log('runs'); for (;;); }";
const LONG: Duration = Duration::from_secs(30);

/// `__parent MARK`: a process with warm children and one that works, until somebody kills it.
pub(crate) async fn parent() {
    let mark = std::env::args().nth(2).unwrap();
    let pool = Pool::new(PoolOptions { warm: 2, ..options(ARGUMENT, &mark) });
    let deaf = "export default () => new Array(1_000_000_000) + ''";
    pool.run(job_for(deaf, LONG)).await.expect_err("nobody waits for the end");
}

/// A child that never says that it is ready.
pub(crate) fn mute() -> ExitCode {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    ExitCode::SUCCESS
}

/// A child that takes its job and answers nonsense, or does not even do that.
pub(crate) fn babble() -> ExitCode {
    if std::env::args().nth(2).as_deref() == Some("refusal") {
        eprintln!("the words of a loader");
        return ExitCode::FAILURE;
    }
    let ready = Record::Ready(sortie_sandbox::Confinement::default());
    let mut said = ready.to_bytes();
    match std::env::args().nth(2).as_deref() {
        Some("json") => said.extend(Record::Done(b"{ no".to_vec()).to_bytes()),
        Some("lines") => (0..300).for_each(|_| said.extend(Record::Console("x".into()).to_bytes())),
        Some("ready") => said.extend(ready.to_bytes()),
        Some("silence") => eprintln!("the words of a panic"),
        other => panic!("{other:?}"),
    }
    std::io::stdout().write_all(&said).and_then(|()| std::io::stdout().flush()).unwrap();
    let mut settings_and_head = [0; 52];
    std::io::stdin().read_exact(&mut settings_and_head).unwrap();
    ExitCode::SUCCESS
}

pub(crate) async fn a_child_serves_one_script() {
    let mark = "one-script";
    let pool = Pool::new(PoolOptions { warm: 1, ..options(ARGUMENT, mark) });
    until("one is warm", || marked(mark).len() == 1).await;
    let first = marked(mark)[0];
    let script = "globalThis.n = (globalThis.n ?? 0) + 1; Array.prototype.left = 1; export default () => [n, [].left]";
    for _ in 0..3 {
        assert_eq!(run_job(&pool, job(script, Value::Null)).await.unwrap().output, json!([1, 1]));
    }
    until("another one is warm", || marked(mark).len() == 1 && marked(mark)[0] != first).await;
}

pub(crate) async fn a_dropped_run_takes_its_child_with_it() {
    let mark = "dropped-run";
    let pool = Pool::new(options(ARGUMENT, mark));
    let run = pool.run(job_for(ENDLESS, LONG));
    tokio::select! {
        ended = run => panic!("{ended:?}"),
        () = until("a script runs", || marked(mark).iter().any(is_running)) => {}
    }
    until("the child is gone", || marked(mark).is_empty()).await;
    assert_eq!(run_job(&pool, job("export default () => 1", Value::Null)).await.unwrap().output, json!(1));
}

pub(crate) async fn a_dropped_pool_takes_its_warm_children_with_it() {
    let mark = "dropped-pool";
    let pool = Pool::new(PoolOptions { warm: 3, ..options(ARGUMENT, mark) });
    until("three are warm", || marked(mark).len() == 3).await;
    drop(pool);
    assert_eq!(marked(mark), Vec::<u32>::new());
}

pub(crate) async fn a_killed_parent_takes_its_children_with_it() {
    let mark = "killed-parent";
    let mut command = Command::new(std::env::current_exe().unwrap());
    // The parent carries the mark as well.
    let mut parent = command.args([PARENT, mark]).stdout(Stdio::null()).spawn().unwrap();
    until("two wait and one works", || marked(mark).len() == 4).await;
    parent.kill().unwrap();
    parent.wait().unwrap();
    until("all are gone", || marked(mark).is_empty()).await;
}

pub(crate) async fn a_child_that_is_killed_is_told() {
    let mark = "killed-child";
    let pool = Pool::new(options(ARGUMENT, mark));
    let kill = async {
        until("a child is there", || !marked(mark).is_empty()).await;
        let pid = Pid::from_raw(i32::try_from(marked(mark)[0]).unwrap()).unwrap();
        // By then it is busy with the script: a child that comes up takes a few milliseconds.
        tokio::time::sleep(Duration::from_millis(300)).await;
        kill_process(pid, Signal::KILL).unwrap();
    };
    let (ended, ()) = tokio::join!(run_job(&pool, job_for(ENDLESS, LONG)), kill);
    let error = ended.expect_err("it was killed");
    assert_eq!(error.to_string(), "the process of the script was ended by signal 9");
    assert!(error.kind.may_pass() && error.console == ["runs"]);
}

pub(crate) async fn a_child_that_does_not_come_up_is_told() {
    let start = async |options: PoolOptions| {
        let error = Pool::new(options).run(job("export default () => 1", Value::Null)).await.expect_err("no child");
        assert!(matches!(&*error.kind, Kind::CannotStart(_)) && error.kind.may_pass(), "{error}");
        assert!(error.remedy().starts_with("Whoever runs Sortie: "));
        error.to_string()
    };
    let absent = PoolOptions { program: "/nowhere/sortie".into(), ..options(ARGUMENT, "") };
    let said = start(absent).await;
    assert!(said.starts_with("no process could be started for the script: /nowhere/sortie: No such file"), "{said}");
    let mute = PoolOptions { start_time_max: Duration::from_millis(200), ..options(MUTE, "") };
    assert_eq!(start(mute).await, "no process could be started for the script: it was not ready after 200ms");
    let said = start(options(BABBLER, "refusal")).await;
    assert_eq!(said, "no process could be started for the script: it ended at once, and said: the words of a loader");
    // The engine comes up with the least that it is given, and says so when a script wants more.
    let small = Pool::new(PoolOptions { memory_bytes_max: 0, ..options(ARGUMENT, "") });
    assert_eq!(run_job(&small, job("export default () => 1", Value::Null)).await.unwrap().output, json!(1));
}

pub(crate) async fn a_child_that_talks_nonsense_is_told() {
    for (nonsense, sentence) in [
        ("json", "the process of the script answered with what is no JSON"),
        ("lines", "the process of the script answered with what cannot be read"),
        ("ready", "the process of the script answered with what cannot be read"),
        ("silence", "the process of the script ended without a result, and said: the words of a panic"),
    ] {
        let pool = Pool::new(options(BABBLER, nonsense));
        let error = run_job(&pool, job("export default () => 1", Value::Null)).await.expect_err("nonsense");
        assert_eq!(error.to_string(), sentence);
    }
}

pub(crate) async fn many_scripts_share_few_children() {
    let mark = "few-children";
    let pool = Pool::new(PoolOptions { at_once: 2, ..options(ARGUMENT, mark) });
    let script = "export default () => { let n = 0; while (n < 3e6) n++; return n }";
    let runs = outputs(&pool, (0..8).map(|_| job(script, Value::Null)));
    let mut most = 0;
    let watch = async {
        loop {
            most = most.max(marked(mark).len());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        ended = runs => assert!(ended.iter().all(|output| output == &json!(3_000_000)), "{ended:?}"),
        () = watch => {}
    }
    // One that has given its result may still be on its way out while the next begins.
    assert!((1..=4).contains(&most), "{most} children at once");
}

pub(crate) async fn fifty_scripts_at_once_end_in_time() {
    let deadline = Duration::from_secs(4);
    let pool = Pool::new(PoolOptions { at_once: 50, warm: 4, ..options(ARGUMENT, "") });
    let begun = Instant::now();
    let jobs = (1..=50).map(|number| match number % 10 {
        0 => job_for("export default () => new Array(1_000_000_000) + ''", deadline),
        5 => job_for("export default () => { for (;;); }", deadline),
        _ => Job { deadline, ..job("export default (ctx) => ctx * 2", json!(number)) },
    });
    let ended = outputs(&pool, jobs).await;
    for (at, output) in ended.iter().enumerate() {
        let number = at + 1;
        let expected = if number % 5 == 0 { Value::Null } else { json!(number * 2) };
        assert_eq!(output, &expected, "script {number}");
    }
    assert!(begun.elapsed() < deadline + Duration::from_secs(1), "{:?}", begun.elapsed());
}

/// The results of scripts that run beside each other, in the order of their jobs; null for one that failed.
async fn outputs(pool: &Pool, jobs: impl Iterator<Item = Job>) -> Vec<Value> {
    let runs = jobs.map(|job| async { run_job(pool, job).await.map_or(Value::Null, |done| done.output) });
    join_all(runs).await
}
