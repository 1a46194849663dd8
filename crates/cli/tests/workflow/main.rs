//! Workflows through the command line: judged, tried on a simulated cloud, and taken over from elsewhere.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]

mod import;
mod served;

use std::{fs, path::Path};

use sortie_testkit::{Leaks, Sortie};

/// The workflows that come along, each with its cases.
const GALLERY: &[(&str, usize)] =
    &[("contain-risky-device", 3), ("disable-user", 2), ("enrich-incident", 2), ("phishing-triage", 2)];

#[tokio::test(flavor = "multi_thread")]
async fn each_workflow_of_the_gallery_does_what_its_cases_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../gallery");
    let mut files: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.ends_with(".test.yaml"))
        .collect();
    files.sort();
    let expected: Vec<String> = GALLERY.iter().map(|(name, _)| format!("{name}.yaml")).collect();
    assert_eq!(files, expected);
    for (name, count) in GALLERY {
        let file = folder.join(format!("{name}.yaml"));
        let ended = program().run(&["workflow", "test", file.to_str().unwrap()]).await;
        assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
        assert!(ended.stdout.ends_with(&format!("{count} of {count} cases as expected\n")), "{}", ended.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_as_expected_is_told_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.yaml");
    let text = "workflow: a
triggers: [{ manual: { inputs: { list: { type: list, default: [] } } } }]
steps: [{ id: x, set: { y: '{{ inputs.list[3] }}' } }]
";
    fs::write(&file, text).unwrap();
    fs::write(folder.path().join("a.test.yaml"), "- { name: n, expect: { outcome: succeeded } }\n").unwrap();
    let ended = program().run(&["workflow", "test", file.to_str().unwrap()]).await;
    assert_eq!(ended.code, 1, "{}{}", ended.stdout, ended.stderr);
    for part in ["FAIL", r#"outcome: "failed" instead of "succeeded""#, "x: in `y`: `inputs.list[3]`", "0 of 1 cases"] {
        assert!(ended.stdout.contains(part), "{part}: {}", ended.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_problem_of_a_document_is_told_at_once_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.yaml");
    let text = "workflow: a
triggers: [{ manual: {} }]
steps:
  - { id: x, call: microsoft-365-defender/isolate-machin, with: { id: a } }
  - { id: y, call: data/hash, with: { text: '{{ steps.z.output }}', algoritm: md5 } }
  - { id: w, call: microsoft-365-defender/get-device, with: { id: '{{ steps.x.output }}' } }
";
    fs::write(&file, text).unwrap();
    let ended = program().run(&["workflow", "validate", file.to_str().unwrap()]).await;
    assert_eq!(ended.code, 2, "{}{}", ended.stdout, ended.stderr);
    for part in
        ["4:", "isolate-machin", "5:", "algoritm", "`z`", "6:", "there is no connection to microsoft-365-defender"]
    {
        assert!(ended.stdout.contains(part), "{part}: {}", ended.stdout);
    }
}

fn program() -> Sortie {
    Sortie::new(env!("CARGO_BIN_EXE_sortie"), &Leaks::default())
}
