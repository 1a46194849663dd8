//! The binary is the child of its own scripts, and says nothing of that to people.

use serde_json::json;
use sortie_sandbox::{ARGUMENT, Job, Pool, PoolOptions};
use sortie_testkit::{Leaks, Sortie};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sortie");

#[tokio::test(flavor = "multi_thread")]
async fn the_binary_runs_a_script_in_a_child_of_its_own() {
    let pool = Pool::new(PoolOptions::new(PROGRAM.into(), vec![ARGUMENT.into()]));
    let job = Job {
        script: "export default ({ ids }) => ids.map((id) => `device ${id}`)".into(),
        input: json!({ "ids": [1, 2] }),
        deadline: std::time::Duration::from_secs(20),
        now: jiff::Timestamp::UNIX_EPOCH,
        seed: 0,
    };
    let done = pool.run(job).await.expect("the script ends well");
    assert_eq!(done.output, json!(["device 1", "device 2"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn people_do_not_see_it_and_are_told_when_they_try() {
    let sortie = Sortie::new(PROGRAM, &Leaks::default());
    for arguments in [&["--help"][..], &["completions", "bash"]] {
        let ended = sortie.run(arguments).await;
        assert!(ended.code == 0 && !ended.stdout.contains(ARGUMENT), "{arguments:?}");
    }
    let tried = sortie.run(&[ARGUMENT]).await;
    assert_eq!((tried.code, tried.stdout.as_str()), (1, ""));
    assert_eq!(tried.stderr, "error: this is started by Sortie itself, for the scripts of workflows\n");
    let foreign = sortie.run_with_input(&[ARGUMENT], "twenty bytes at least, from another program").await;
    assert_eq!(foreign.stderr, "error: the program that started this is another version of Sortie\n");
}
