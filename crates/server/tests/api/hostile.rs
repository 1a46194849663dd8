//! Data of strangers: from a webhook through templates to the values that the API shows, it stays what it is.

use axum::body::Body;
use http::{Request, header};
use serde_json::{Value, json};
use sortie_model::Clock as _;
use sortie_server::signature;

use crate::stage::Stage;

const FLOW: &str = r#"workflow: hostile
triggers: [{ webhook: { answers: true } }]
steps:
  - id: whole
    set: { value: '{{ trigger.body }}' }
  - id: inside
    set:
      text: 'a{{ trigger.body.text }}b'
      list: ['{{ trigger.body.text }}', { deep: '{{ trigger.body.text }}' }]
      json: '{{ trigger.body.text | json }}'
      back: '{{ trigger.body.text | json | from_json }}'
      base64: '{{ trigger.body.text | b64encode | b64decode }}'
      query: 'T | where x == {{ trigger.body.text | kql_quote }}'
      same: '{{ trigger.body.text == steps.whole.output.value.text }}'
    after: [whole]
  - id: each
    for_each: '[trigger.body.text, trigger.body.text]'
    as: one
    code: 'export default (ctx) => ctx'
    with: { one: '{{ one }}', index: '{{ index }}' }
  - id: say
    after: [inside, each]
    respond: '{{ trigger.body.text }}'
output: '{{ steps.each.output[1].one }}'
"#;

/// Texts that other engines read as code, and such as break what is put together by hand.
const TEXTS: &[&str] = &[
    // Jinja, ERB and EJS, JavaScript and shell, Velocity and FreeMarker, Handlebars.
    "{{ 7 * 7 }}",
    "{{ trigger.body }}{{ secrets.x }}{% for a in b %}",
    "<%= system('id') %><%- x %>",
    "${7*7} $(id) `id` $HOME",
    "#set($x = 7*7)$x <#assign y=1>${y?html}",
    "{{#each .}}{{{this}}}{{/each}} {{> partial}}",
    "{{ '{{' }} }} {% raw %} {# x #}",
    // Quotes, backslashes, ends of statements.
    "'; drop table runs; --",
    "\" or 1 == 1 | take 1 //",
    r"\ \\ \' \u0041 \x41 C:\temp\new",
    "' | union SigninLogs | where '' == '",
    "@\"verbatim\" h'obfuscated' ```multi```",
    // Control characters, newlines of four kinds, marks of direction, emoji, what looks alike.
    "\u{0}\u{1}\u{7}\u{1b}[31m\u{7f}\u{9b}",
    "line\nline\rline\r\nline\u{2028}line\u{2029}",
    "\u{202e}gpj.exe\u{202c} \u{200b}\u{feff}",
    "\u{1f469}\u{200d}\u{1f4bb} \u{130}\u{131} \u{fb01} e\u{301}",
    // What YAML and JSON read as something else.
    "null",
    "true",
    "1e400",
    "- a: &x [*x]",
    "key: value # comment",
    "",
    " ",
];

async fn heard(stage: &Stage, body: &str, secret: &sortie_model::Secret) -> (Value, Value) {
    let now = stage.clock.now().as_second();
    stage.clock.advance(jiff::SignedDuration::from_secs(1));
    let request = Request::post("/hooks/contoso/hostile")
        .header(header::CONTENT_TYPE, "application/json")
        .header("x-sortie-timestamp", now)
        .header("x-sortie-signature", signature(secret, now, body.as_bytes()))
        .body(Body::from(body.to_owned()))
        .unwrap();
    let (router, count) = (stage.router.clone(), stage.runs().await.len());
    let answering = tokio::spawn(async move { tower::ServiceExt::oneshot(router, request).await.unwrap() });
    let run = loop {
        stage.settle().await;
        let runs = stage.runs().await;
        let is_new = runs.len() > count && answering.is_finished();
        if let Some(run) = runs.first().filter(|run| is_new && run["outcome"] != Value::Null) {
            break run.clone();
        }
        assert!(runs.len() > count || !answering.is_finished(), "{:?}", answering.await);
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    };
    let answer = crate::stage::Answer::of(answering.await.unwrap()).await;
    assert_eq!(run["outcome"], "succeeded", "{body:.200}: {run}");
    let (_, values) = stage.owners("GET", &format!("/api/v1/runs/{}/values", run["id"].as_str().unwrap()), None).await;
    (values, answer.json)
}

fn at<'v>(values: &'v Value, place: &str) -> &'v Value {
    let items = values["items"].as_array().unwrap();
    &items.iter().find(|item| item["place"] == place).unwrap_or_else(|| panic!("{place}: {values:.400}"))["value"]
}

/// What Kusto reads a literal as.
fn kql_text(literal: &str) -> String {
    let inner =
        literal.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_else(|| panic!("{literal}"));
    serde_json::from_str(&format!("\"{inner}\"")).unwrap_or_else(|error| panic!("{literal}: {error}"))
}

async fn stage() -> (Stage, sortie_model::Secret) {
    let stage = Stage::new().await;
    stage.enable(FLOW, "shared").await;
    let (_, hook) = stage.owners("PUT", "/api/v1/workflows/hostile/hook?tenant=contoso", None).await;
    let secret = sortie_model::Secret::new(hook["secret"].as_str().unwrap());
    (stage, secret)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_is_never_read_as_anything_else() {
    let (stage, secret) = stage().await;
    let large = format!("'\"\\{{{{ x }}}}\u{0}{}", "\u{e9}\n".repeat(200_000));
    for text in TEXTS.iter().copied().chain([large.as_str()]) {
        let more = if text.len() > 10_000 { json!(null) } else { json!({ text: [text, { text: null }] }) };
        let body = json!({ "text": text, "more": more, "number": 12_345_678_901_234_567_890_u64 });
        let (values, answer) = heard(&stage, &body.to_string(), &secret).await;
        assert_eq!(at(&values, "")["trigger"]["body"], body);
        assert_eq!(at(&values, "0")["output"]["value"], body);
        let inside = &at(&values, "1")["output"];
        assert_eq!(inside["text"], format!("a{text}b"));
        assert_eq!(inside["list"], json!([text, { "deep": text }]));
        assert_eq!(serde_json::from_str::<String>(inside["json"].as_str().unwrap()).unwrap(), text);
        assert_eq!((&inside["back"], &inside["base64"], &inside["same"]), (&json!(text), &json!(text), &json!(true)));
        let query = inside["query"].as_str().unwrap().strip_prefix("T | where x == ").unwrap();
        assert_eq!(kql_text(query), text);
        assert_eq!(at(&values, "2[1]")["output"], json!({ "one": text, "index": 1 }));
        assert_eq!((at(&values, "#output"), at(&values, "#response")), (&json!(text), &json!(text)));
        assert_eq!(answer, json!(text), "{text:.100}");
    }
}

/// What no text and no number can hold is shown as U+FFFD and null, and costs nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn halves_of_characters_and_numbers_without_end_cost_themselves_alone() {
    let (stage, secret) = stage().await;
    let body = r#"{"text":"x\ud800y","far":1e400,"near":-1e308,"beside":"\udc00{{ 1 }}","id":7}"#;
    let (values, answer) = heard(&stage, body, &secret).await;
    let expected = json!({ "text": "x\u{fffd}y", "far": null, "near": -1e308, "beside": "\u{fffd}{{ 1 }}", "id": 7 });
    assert_eq!(at(&values, "")["trigger"]["body"], expected);
    assert_eq!(at(&values, "1")["output"]["text"], "ax\u{fffd}yb");
    assert_eq!(answer, "x\u{fffd}y");
    // As deep as is read, and no deeper; nothing of it starts a run.
    let deep = |depth: usize| format!("{{\"text\":\"t\",\"deep\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    let (values, _) = heard(&stage, &deep(100), &secret).await;
    assert_eq!(at(&values, "0")["output"]["value"], serde_json::from_str::<Value>(&deep(100)).unwrap());
    let count = stage.runs().await.len();
    for depth in [200, 100_000] {
        let now = stage.clock.now().as_second();
        let request = Request::post("/hooks/contoso/hostile")
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-sortie-timestamp", now)
            .header("x-sortie-signature", signature(&secret, now, deep(depth).as_bytes()))
            .body(Body::from(deep(depth)))
            .unwrap();
        assert_eq!(stage.send(request).await.status, 400, "{depth}");
    }
    assert_eq!(stage.runs().await.len(), count);
}
