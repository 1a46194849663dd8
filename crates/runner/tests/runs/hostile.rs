//! Data of strangers, from a start through templates to the cloud and back: it arrives as it was.

use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use serde_json::{Value, json};
use sortie_store::RunStatus;

use crate::stage::Stage;

const TEXTS: &[&str] = &[
    "{{ 7 * 7 }}{% for a in b %}",
    "<%= system('id') %> ${7*7} #set($x = 1) {{#each .}}{{{this}}}{{/each}}",
    "' or 1 == 1 | take 1 //",
    "\" | union DeviceEvents | where \"\" == \"",
    r"C:\temp\new \\server\share \u0041 \",
    "line\nline\rline\r\nline\u{2028}line\ttab",
    "\u{202e}gpj.exe\u{202c} \u{1f469}\u{200d}\u{1f4bb} e\u{301}",
    "null",
    "1e400",
];

/// What an analyst reads in the end, and what hunting finds, is what the trigger held.
#[tokio::test(flavor = "multi_thread")]
async fn a_text_comes_back_from_the_cloud_as_it_left() {
    let stage = Stage::start().await;
    let incident = stage.call("list-incidents", json!({ "$top": 1 })).await["value"][0]["id"].clone();
    let text = "\
workflow: hostile
triggers: [{ manual: { inputs: { texts: list, incident: string } } }]
steps:
  - id: each
    for_each: inputs.texts
    as: one
    steps:
      - id: comment
        call: microsoft-365-defender/comment-incident
        with: { id: '{{ inputs.incident }}', comment: '{{ one }}' }
      - id: asked
        call: microsoft-365-defender/run-hunting-query
        with: { Query: 'print found = {{ one | kql_quote }}' }
      - id: tagged
        after: [comment]
        call: microsoft-365-defender/update-incident
        with: { id: '{{ inputs.incident }}', customTags: ['{{ one }}', 'no. {{ index }}'] }
output: '{{ steps.each.output }}'
";
    let run = stage.run(text, json!({ "texts": TEXTS, "incident": incident })).await;
    assert_eq!(run.outcome.as_deref(), Some("succeeded"), "{:#?}", stage.journal(&run).await);
    let output = stage.value(&run, "#output").await;
    let whole = stage.call("get-incident", json!({ "id": incident })).await;
    let comments: Vec<String> = whole["comments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|comment| comment["comment"].as_str().unwrap().rsplit_once(" [sortie:").unwrap().0.to_owned())
        .collect();
    for (at, text) in TEXTS.iter().enumerate() {
        assert_eq!(output[at]["asked"]["output"]["results"][0]["found"], *text, "{at}");
        assert_eq!(output[at]["tagged"]["output"]["customTags"], json!([text, format!("no. {at}")]), "{at}");
        assert!(comments.iter().any(|comment| comment == text), "{text:?}: {comments:#?}");
    }
    assert_eq!(comments.len(), TEXTS.len());
}

/// Any text at all.
fn generated(count: usize) -> Vec<String> {
    let piece = prop_oneof![
        any::<String>(),
        prop::sample::select(TEXTS.to_vec()).prop_map(str::to_owned),
        prop::sample::select(vec!["{{", "}}", "{%", "'", "\"", "\\", "\u{0}", "\u{ffff}", "\r\n", "`", "${"])
            .prop_map(str::to_owned),
    ];
    let text = prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat());
    let mut runner = TestRunner::deterministic();
    (0..count).map(|_| text.new_tree(&mut runner).unwrap().current()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn any_text_passes_templates_and_filters_unchanged() {
    let stage = Stage::start().await;
    let texts = generated(500);
    let text = "\
workflow: generated
triggers: [{ manual: { inputs: { texts: list } } }]
steps:
  - id: each
    for_each: inputs.texts
    as: one
    set:
      whole: '{{ one }}'
      inside: 'a{{ one }}b{{ one }}'
      json: '{{ one | json | from_json }}'
      base64: '{{ one | b64encode | b64decode }}'
      body: { deep: [{ '{{ fixed }}': '{{ one }}' }] }
      query: '{{ one | kql_quote }}'
output: '{{ steps.each.output }}'
";
    let text = text.replace("'{{ fixed }}'", "fixed");
    let run = stage.run(&text, json!({ "texts": texts })).await;
    assert_eq!(run.outcome.as_deref(), Some("succeeded"), "{:#?}", stage.journal(&run).await);
    let output = stage.value(&run, "#output").await;
    for (at, text) in texts.iter().enumerate() {
        let found = &output[at];
        assert_eq!(found["whole"], *text, "{at}");
        assert_eq!(found["inside"], format!("a{text}b{text}"), "{at}");
        assert_eq!((&found["json"], &found["base64"]), (&json!(text), &json!(text)), "{at}");
        assert_eq!(found["body"], json!({ "deep": [{ "fixed": text }] }), "{at}");
        // Kusto's own reader takes a literal of it for this text and for nothing beside it.
        if at % 10 == 0 {
            let query = json!({ "Query": format!("print found = {}", found["query"].as_str().unwrap()) });
            let answer = stage.call("run-hunting-query", query).await;
            assert_eq!(answer["results"][0]["found"], *text, "{at}: {}", found["query"]);
        }
    }
}

/// A number is the same number however often it was written down and read again.
#[tokio::test(flavor = "multi_thread")]
async fn a_number_passes_unchanged_to_its_last_digit() {
    let stage = Stage::start().await;
    let mut bits = 0x9e37_79b9_7f4a_7c15_u64;
    let fractions = std::iter::repeat_with(|| {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from_bits(bits)
    });
    let mut numbers: Vec<Value> = fractions.filter(|number| number.is_finite()).take(500).map(Value::from).collect();
    numbers.extend([json!(9_007_199_254_740_993_u64), json!(-7), json!(0.1), json!(5.555_555_555_555_555_4e51)]);
    let numbers = Value::from(numbers);
    let text = "\
workflow: numbers
triggers: [{ manual: { inputs: { numbers: list } } }]
steps:
  - { id: kept, set: { numbers: '{{ inputs.numbers }}' } }
  - { id: again, after: [kept], set: { numbers: '{{ steps.kept.output.numbers | json | from_json }}' } }
output: '{{ steps.again.output.numbers }}'
";
    let run = stage.run(text, json!({ "numbers": numbers })).await;
    assert_eq!(run.outcome.as_deref(), Some("succeeded"), "{:#?}", stage.journal(&run).await);
    assert_eq!(stage.value(&run, "#output").await, numbers);
}

/// What is too large is told at its step; what is only passed on is not.
#[tokio::test(flavor = "multi_thread")]
async fn a_megabyte_is_passed_on_and_put_together_with_a_bound() {
    let stage = Stage::start().await;
    let text = "\
workflow: large
triggers: [{ manual: { inputs: { text: string } } }]
steps:
  - { id: whole, set: { text: '{{ inputs.text }}' } }
  - { id: joined, set: { text: 'a{{ inputs.text }}b' } }
";
    let large = "'\"\\{{\n".repeat(200_000);
    let run = stage.run(text, json!({ "text": large })).await;
    assert_eq!((run.status, run.outcome.as_deref()), (RunStatus::Ended, Some("failed")));
    assert_eq!(stage.value(&run, "0").await["output"]["text"], large);
    let error: Value = stage.value(&run, "1").await["error"].clone();
    assert!(error["what"].as_str().unwrap().contains("1048576 bytes"), "{error}");
}

/// A title that holds half of a character costs that half, not the incident.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_with_half_a_character_is_still_an_object() {
    let stage = Stage::start().await;
    let incident = stage.call("list-incidents", json!({ "$top": 1 })).await["value"][0]["id"].clone();
    stage.cloud.post("/faults", &json!({ "kind": "lone_surrogate", "service": "graph", "times": 9 })).await;
    let text = "workflow: half\ntriggers: [{ manual: { inputs: { id: string } } }]\nsteps:\n  - id: a\n    call: microsoft-365-defender/get-incident\n    with: { id: '{{ inputs.id }}' }\noutput: { id: '{{ steps.a.output.id }}', title: '{{ steps.a.output.displayName }}' }\n";
    let run = stage.run(text, json!({ "id": incident })).await;
    assert_eq!(run.outcome.as_deref(), Some("succeeded"), "{:#?}", stage.journal(&run).await);
    let output = stage.value(&run, "#output").await;
    assert_eq!(output["id"], incident);
    assert!(output["title"].as_str().unwrap().contains('\u{fffd}'), "{output}");
}
