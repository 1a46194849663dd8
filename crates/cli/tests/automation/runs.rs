//! Runs: started, followed, listed, told something, repeated; and Ctrl-C amid all that.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
    process::Child,
};

use crate::stage::{Stage, run_of, signal};

const GREET: &str = "workflow: greet
triggers: [{ manual: { inputs: { name: string, times: { type: integer, default: 1 } } } }]
steps:
  - { id: text, set: { text: 'hello {{ inputs.name }}' } }
  - { id: keep, after: [text], call: kv/set, with: { name: 'greeted/{{ inputs.name }}', value: '{{ inputs.times }}' } }
output: { text: '{{ steps.text.output.text }}' }
";
const FAIL: &str = "workflow: fail
triggers: [{ manual: {} }]
steps:
  - { id: a, set: { list: [] } }
  - { id: b, after: [a], set: { c: '{{ steps.a.output.list[3] }}' } }
";
const ASK: &str = "workflow: ask
triggers: [{ manual: {} }]
steps: [{ id: a, approval: { ask: \"Go on \\e[2J?\", within: 4h } }]
";
const PARENT: &str = "workflow: parent\ntriggers: [{ manual: {} }]\nsteps: [{ id: a, workflow: child }]\n";
const CHILD: &str =
    "workflow: child\ntriggers: [{ workflow: {} }]\nsteps: [{ id: a, approval: { ask: 'Below?', within: 4h } }]\n";
const PICK: &str = "workflow: pick
triggers: [{ manual: { needs: incident } }]
steps: [{ id: a, set: { id: '{{ trigger.incident.id }}' } }]
";
const WAIT: &str = "workflow: wait\ntriggers: [{ manual: {} }]\nsteps: [{ id: a, wait: { for: 1h } }]\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_started_with_inputs_once_for_a_key_and_followed_to_its_end() {
    for is_served in [true, false] {
        let stage = Stage::start(is_served).await;
        stage.keep(&[GREET, FAIL, PICK]).await;
        let start = ["workflow", "run", "greet", "--follow", "--key", "k", "--input", "name=you"];
        let ended = stage.run(&[&start[..], &["--input", "times=3"]].concat()).await.succeeded();
        for part in [
            "the run begins",
            "calls kv/set",
            "the run has ended: succeeded",
            &format!("run {} succeeded", run_of(&ended)),
        ] {
            assert!(ended.stdout.contains(part), "{part}: {}", ended.stdout);
        }
        assert_eq!(ended.stderr.contains("no server runs"), !is_served, "{}", ended.stderr);
        let again = stage.run(&[&start[..], &["--input", "times=4"]].concat()).await.succeeded();
        assert!(
            again.stdout.contains(&format!("run {} was started by this before", run_of(&ended))),
            "{}",
            again.stdout
        );
        stage.write("inputs.json", r#"{ "name": "file", "times": 7 }"#);
        stage.run(&["workflow", "run", "greet", "--follow", "--inputs", "inputs.json"]).await.succeeded();
        for (wrong, what) in [
            (&["--input", "times=three"][..], "takes a value of kind integer"),
            (&["--input", "times=3"], "the input `name` is missing"),
            (&["--input", "name=a", "--input", "tims=3"], "Did you mean `times`?"),
            (&["--inputs", "no-such.json"], "cannot read no-such.json"),
        ] {
            let refused = stage.run(&[&["workflow", "run", "greet"], wrong].concat()).await;
            assert!([1, 2].contains(&refused.code) && refused.stderr.contains(what), "{what}: {}", refused.stderr);
        }
        stage.run(&["workflow", "run", "no-such"]).await.ended_with(5);
        let unpicked = stage.run(&["workflow", "run", "pick"]).await.ended_with(2);
        assert!(unpicked.stderr.contains("needs an incident: pick one"), "{}", unpicked.stderr);
        stage.write("incident.json", r#"{ "id": "924518", "severity": "high" }"#);
        stage.run(&["workflow", "run", "pick", "--picked", "incident.json", "--follow"]).await.succeeded();
        let about = stage.json(&["runs", "list", "--object", "incident 924518", "--json"]).await;
        assert_eq!(about[0]["workflow"], "pick");
        stage.write("none.json", r#"{ "severity": "high" }"#);
        let none = stage.run(&["workflow", "run", "pick", "--picked", "none.json"]).await.ended_with(2);
        assert!(none.stderr.contains("what is picked is no incident"), "{}", none.stderr);
        let failed = stage.run(&["workflow", "run", "fail", "--follow"]).await.ended_with(1);
        assert!(failed.stdout.contains("cannot be evaluated") && failed.stdout.contains("failed"), "{}", failed.stdout);
        if is_served {
            let begun = stage.run(&["workflow", "run", "greet", "--input", "name=a"]).await.succeeded();
            assert_eq!(begun.stdout.lines().count(), 1, "a server takes it further");
        } else {
            stage.run(&["workflow", "run", "fail"]).await.ended_with(1);
            let kept: Value = stage.json(&["call", "kv/get", "name=greeted/file", "--yes"]).await;
            assert_eq!(kept["value"], json!(7));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_sends_nothing_and_shows_what_it_would_of_documents_too() {
    for is_served in [true, false] {
        let stage = Stage::start(is_served).await;
        stage.keep(&[GREET]).await;
        stage.write("draft.yaml", &GREET.replace("greet", "draft"));
        for what in [&["dry-run", "greet"][..], &["dry-run", "draft.yaml"], &["run", "greet", "--dry-run"]] {
            let arguments = [&["workflow"], what, &["--input", "name=dry", "--input", "times=5"]].concat();
            let ended = stage.run(&arguments).await.succeeded();
            for part in ["would call kv/set", "\"value\": 5", "succeeded"] {
                assert!(ended.stdout.contains(part), "{part}: {}", ended.stdout);
            }
            assert!(!ended.stdout.contains("calls kv/set"), "{}", ended.stdout);
        }
        let listed = stage.run(&["workflow", "list"]).await.succeeded().stdout;
        assert!(!listed.contains("draft"), "{listed}");
        let runs = stage.run(&["runs", "list", "--jsonl"]).await.succeeded().json_lines();
        let names: Vec<&str> = runs.iter().map(|run| run["workflow"].as_str().unwrap()).collect();
        assert_eq!(names, ["greet", "draft (not kept)", "greet"]);
        assert!(runs.iter().all(|run| run["mode"] == "dry"));
        stage.write("draft.yaml", "workflow: draft\nsteps: []\n");
        let refused = stage.run(&["workflow", "dry-run", "draft.yaml"]).await.ended_with(2);
        assert!(refused.stdout.starts_with("draft.yaml:"), "{}", refused.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_listed_by_what_is_asked_for_and_shown_whole() {
    for is_served in [true, false] {
        let stage = Stage::start(is_served).await;
        stage.keep(&[GREET, FAIL, ASK]).await;
        let greeted = stage.run(&["workflow", "run", "greet", "--follow", "--input", "name=x"]).await.succeeded();
        stage.run(&["workflow", "run", "fail", "--follow"]).await.ended_with(1);
        let asked = stage.run(&["workflow", "run", "ask"]).await.succeeded();
        let asked = run_of(&asked);
        stage.until(&["runs", "show", &asked, "--json"], |run| run["status"] == "waiting").await;
        let listed = async |more: &[&str]| {
            let runs = stage.run(&[&["runs", "list", "--jsonl"], more].concat()).await.succeeded().json_lines();
            runs.iter().map(|run| run["workflow"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(listed(&[]).await, ["ask", "fail", "greet"]);
        assert_eq!(listed(&["--limit", "2"]).await, ["ask", "fail"]);
        assert_eq!(listed(&["--workflow", "fail"]).await, ["fail"]);
        assert_eq!(listed(&["--status", "ended"]).await, ["fail", "greet"]);
        assert_eq!(listed(&["--outcome", "succeeded", "--tenant", "shared"]).await, ["greet"]);
        let wrong = stage.run(&["runs", "list", "--status", "waitin"]).await.ended_with(2);
        assert!(wrong.stderr.contains("Did you mean `waiting`?"), "{}", wrong.stderr);
        let shown = stage.run(&["runs", "show", &asked]).await.succeeded().stdout;
        for part in ["a waits for a person", "working", "approval ", "Go on \u{fffd}[2J?", "asks, until"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert!(!shown.contains('\u{1b}'));
        let id = run_of(&greeted);
        let with_values = stage.run(&["runs", "show", &id, "--values"]).await.succeeded().stdout;
        assert!(with_values.contains("given: ") && with_values.contains("hello x"), "{with_values}");
        let whole = stage.json(&["runs", "show", &id, "--json", "--values"]).await;
        assert_eq!((&whole["outcome"], &whole["steps"][1]["outcome"]), (&json!("succeeded"), &json!("succeeded")));
        assert!(whole["journal"].to_string().contains("finished") && whole["values"].to_string().contains("hello x"));
        stage.run(&["runs", "show", "no-such"]).await.ended_with(5);
        if !is_served {
            let left = stage.json(&["runs", "show", &asked, "--follow", "--json"]).await;
            assert_eq!(left["status"], "waiting", "nobody is there to decide");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_cancelled_and_repeated_from_one_of_its_steps() {
    for is_served in [true, false] {
        let stage = Stage::start(is_served).await;
        stage.keep(&[ASK, GREET, PARENT, CHILD]).await;
        let run = run_of(&stage.run(&["workflow", "run", "ask"]).await.succeeded());
        let unended = stage.run(&["runs", "rerun", &run]).await.ended_with(1);
        assert!(
            unended.stderr.contains("has not ended") || unended.stderr.contains("Wait for its end"),
            "{}",
            unended.stderr
        );
        let told = stage.run(&["runs", "cancel", &run]).await.succeeded();
        assert_eq!(told.stderr.contains("the run goes on when `sortie serve` does"), !is_served, "{}", told.stderr);
        let followed = stage.run(&["runs", "show", &run, "--follow"]).await.ended_with(1);
        assert!(
            followed.stdout.contains("gives the run up") && followed.stdout.contains("cancelled"),
            "{}",
            followed.stdout
        );
        stage.run(&["runs", "cancel", &run]).await.ended_with(5);
        let undoubted = stage.run(&["runs", "resolve", &run, "a", "happened"]).await.ended_with(1);
        assert!(undoubted.stderr.contains("Nothing of this run is in doubt"), "{}", undoubted.stderr);
        let greeted =
            run_of(&stage.run(&["workflow", "run", "greet", "--follow", "--input", "name=x"]).await.succeeded());
        let again = stage.run(&["runs", "rerun", &greeted, "--from", "keep", "--follow"]).await.succeeded();
        assert!(again.stdout.contains("calls kv/set") && !again.stdout.contains("text "), "{}", again.stdout);
        let wrong = stage.run(&["runs", "rerun", &greeted, "--from", "kep"]).await.ended_with(2);
        assert!(wrong.stderr.contains("Did you mean `keep`?"), "{}", wrong.stderr);
        let shown = stage.json(&["runs", "show", &run_of(&again), "--json"]).await;
        assert_eq!(shown["again_of"], greeted.as_str());
        if !is_served {
            // What is asked below counts: nobody else would take it further.
            let parent = stage.run(&["workflow", "run", "parent"]).await.succeeded();
            assert!(parent.stdout.contains("starts workflow child"), "{}", parent.stdout);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_nobody_knows_of_is_settled_by_whoever_looked() {
    for is_served in [true, false] {
        let stage = Stage::start(is_served).await;
        // Takes the first request and says nothing, answers every later one.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let answers = tokio::spawn(async move {
            let mut count = 0;
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4_096];
                if stream.read(&mut request).await.unwrap_or(0) == 0 {
                    continue;
                }
                count += 1;
                if count > 1 {
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
                }
            }
        });
        let add = ["connection", "add", "raw", "--connector", "http", "--allow-host", &host, "--credential", "none"];
        let base = format!("http://{host}");
        let mut stage = stage;
        if is_served {
            stage.stop().await;
        }
        stage.run(&[&add[..], &["--base", &base]].concat()).await.succeeded();
        if is_served {
            stage.serve().await;
        }
        let post = format!(
            "workflow: post\ntriggers: [{{ manual: {{}} }}]\nsteps: [{{ id: send, call: http/post, connection: raw, with: {{ url: '{base}/orders' }} }}]\n"
        );
        stage.keep(&[&post]).await;
        let started = stage.run(&["workflow", "run", "post"]).await.ended_with(if is_served { 0 } else { 8 });
        let run = run_of(&started);
        stage.until(&["runs", "show", &run, "--json"], |run| run["status"] == "needs_attention").await;
        let shown = stage.run(&["runs", "show", &run]).await.succeeded().stdout;
        assert!(shown.contains("needs attention") && shown.contains("a person must look"), "{shown}");
        stage.run(&["runs", "resolve", &run, "other", "happened"]).await.ended_with(1);
        let other = ["runs", "resolve", &run, "send", "did-not-happen", "--attempt", "2"];
        let other = stage.run(&other).await.ended_with(1).stderr;
        assert!(other.contains("in doubt is try 1 of step send"), "{other}");
        let doubtful = stage.run(&["runs", "rerun", &run]).await.ended_with(8);
        assert!(doubtful.stderr.contains(&format!("sortie runs resolve {run} 'send' happened")), "{}", doubtful.stderr);
        stage.run(&["runs", "resolve", &run, "send", "did-not-happen"]).await.succeeded();
        let followed = stage.run(&["runs", "show", &run, "--follow"]).await.succeeded();
        assert!(followed.stdout.contains("says: it was not carried out"), "{}", followed.stdout);
        answers.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_guardrail_holds_goes_on_when_it_is_released() {
    let stage = Stage::start(false).await;
    stage.keep(&[GREET]).await;
    stage.run(&["guardrail", "hold", "--reason", "a drill"]).await.succeeded();
    let held = stage.run(&["workflow", "run", "greet", "--input", "name=x"]).await.ended_with(10);
    assert!(
        held.stdout.contains("held: ") && held.stderr.contains("sortie runs retry"),
        "{}{}",
        held.stdout,
        held.stderr
    );
    stage.run(&["guardrail", "release"]).await.succeeded();
    let run = run_of(&held);
    stage.run(&["runs", "retry", &run]).await.succeeded();
    stage.run(&["runs", "show", &run, "--follow"]).await.succeeded();
}

/// A command that follows a run, until it says that the run waits for time.
async fn waiting(stage: &Stage, arguments: &[&str]) -> (Child, String) {
    let mut child = stage.sortie.command(arguments).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = String::new();
    while !said.contains("waits until") {
        let line = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await.expect("it says more");
        said.push_str(&line.unwrap().unwrap());
        said.push('\n');
    }
    // What it says from here on is read when it has ended.
    child.stdout = Some(lines.into_inner().into_inner());
    (child, said)
}

async fn ended(child: Child) -> (i32, String, String) {
    let ended =
        tokio::time::timeout(Duration::from_secs(30), child.wait_with_output()).await.expect("it ends").unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (ended.status.code().unwrap_or(-1), text(ended.stdout), text(ended.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_gives_up_following_and_not_the_run() {
    for is_served in [true, false] {
        let stage = Stage::start(is_served).await;
        stage.keep(&[WAIT]).await;
        let (child, said) = waiting(&stage, &["workflow", "run", "wait", "--follow"]).await;
        signal(&child, "-INT").await;
        let (code, _, stderr) = ended(child).await;
        assert_eq!(code, 130);
        assert!(stderr.ends_with("interrupted\n"), "{stderr}");
        let run = said.split(' ').nth(1).unwrap();
        let left = stage.json(&["runs", "show", run, "--json"]).await;
        assert_eq!((&left["status"], &left["outcome"]), (&json!("waiting"), &Value::Null));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_follows_its_run_answers_others_meanwhile_and_another_takes_its_place() {
    let stage = Stage::start(false).await;
    stage.keep(&[WAIT, GREET]).await;
    let (first, said) = waiting(&stage, &["workflow", "run", "wait"]).await;
    let run = said.split(' ').nth(1).unwrap();
    stage.run(&["guardrail", "hold", "--reason", "a drill"]).await.succeeded();
    stage.run(&["guardrail", "release"]).await.succeeded();
    let greeted = stage.run(&["workflow", "run", "greet", "--follow", "--input", "name=x"]).await.succeeded();
    assert_eq!(greeted.stderr, "", "it is taken further by the first");
    let unfollowed = stage.run(&["workflow", "run", "greet", "--input", "name=y"]).await.succeeded();
    assert!(unfollowed.stdout.contains("the run has ended"), "the first may end before: {}", unfollowed.stdout);
    let (second, _) = waiting(&stage, &["runs", "show", run, "--follow"]).await;
    signal(&first, "-INT").await;
    assert_eq!(ended(first).await.0, 130);
    // Whichever has the database by now answers.
    stage.run(&["runs", "cancel", run]).await.succeeded();
    let (code, stdout, stderr) = ended(second).await;
    assert_eq!((code, stdout.contains("cancelled"), stderr.contains("no server runs")), (1, true, true), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_waits_for_a_server_that_is_started_anew_and_takes_nothing_from_it() {
    let mut stage = Stage::start(true).await;
    stage.keep(&[WAIT]).await;
    let (child, said) = waiting(&stage, &["workflow", "run", "wait", "--follow"]).await;
    stage.stop().await;
    // Long enough for the one who follows to see that nobody answers.
    let begun = std::time::Instant::now();
    while begun.elapsed() < Duration::from_secs(1) {
        assert_eq!(stage.json(&["diagnostics"]).await["server"], Value::Null, "nobody has the database");
    }
    stage.serve().await;
    stage.run(&["runs", "cancel", said.split(' ').nth(1).unwrap()]).await.succeeded();
    let (code, stdout, stderr) = ended(child).await;
    assert_eq!((code, stdout.contains("cancelled"), stderr.as_str()), (1, true, ""));
}
