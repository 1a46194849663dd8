//! What a script gives back: a result, or a failure that says whose it is.

use std::time::Duration;

use serde_json::{Value, json};
use sortie_sandbox::{
    CONSOLE_LINE_CHARS_MAX, CONSOLE_LINES_MAX, INPUT_BYTES_MAX, Large, OUTPUT_BYTES_MAX, SandboxErrorKind as Kind,
};

use crate::stage::{done, failure, job, kind, output, pool, run_job};

pub(crate) async fn a_function_gets_its_input_and_gives_its_result() {
    let input = json!({ "devices": [{ "risk": "high" }, { "risk": "low" }] });
    let script = "export default (ctx) => ctx.devices.filter((device) => device.risk === 'high').length";
    assert_eq!(output(script, input.clone()).await, json!(1));
    assert_eq!(output("export default async ({ devices }) => await devices[1]", input.clone()).await["risk"], "low");
    assert_eq!(output("export default function (ctx) { return ctx }", input.clone()).await, input);
    assert_eq!(output("const f = (x) => x * 2; export { f as default }", json!(4)).await, json!(8));
    assert_eq!(output("const two = await Promise.resolve(2); export default () => two", json!({})).await, json!(2));
    assert_eq!(output("export default () => {}", json!({})).await, Value::Null);
    assert_eq!(output("export default () => ({ then(done) { done(7) } })", json!({})).await, json!(7));
    assert_eq!(
        output("export default () => [undefined, () => 1, new Date(0)]", json!({})).await.to_string(),
        r#"[null,null,"1970-01-01T00:00:00.000Z"]"#
    );
}

pub(crate) async fn what_is_thrown_is_told_with_its_line() {
    #[track_caller]
    fn check(kind: &Kind, sentence: &str) {
        assert_eq!(kind.to_string(), sentence);
        assert!(matches!(kind, Kind::Threw { .. }) && kind.remedy().starts_with("Whoever wrote the workflow: "));
        assert!(!kind.may_pass());
    }
    let late = "export default (ctx) => {\n  return ctx\n    .a.b;\n}";
    check(&kind(late).await, "the script threw in line 2: TypeError: cannot read property 'a' of null");
    check(&kind("export default () => {\n  x x\n}").await, "the script threw in line 2: SyntaxError: expecting ';'");
    check(&kind("\n\nthrow new RangeError('early')").await, "the script threw in line 3: RangeError: early");
    check(&kind("export default async () => { throw 'words' }").await, "the script threw: words");
    check(&kind("export default () => { throw { code: 5 } }").await, "the script threw: {\"code\":5}");
    check(&kind("export default () => { throw null }").await, "the script threw: null");
    let hidden = "export default () => { throw { toJSON() { throw 1 }, toString() { throw 2 } } }";
    check(&kind(hidden).await, "the script threw: (object that cannot be shown)");
    let long = kind("export default () => { throw new Error('x'.repeat(1e6)) }").await;
    assert!(long.to_string().len() < 3_000);
}

pub(crate) async fn a_script_without_a_function_is_told_from_one_that_fails() {
    for (script, found) in [
        ("const a = 1", "none"),
        ("", "none"),
        ("export default undefined", "none"),
        ("export const other = () => 1", "none"),
        ("export default 5", "a value of type number"),
        ("export default { run() {} }", "a value of type object"),
    ] {
        let kind = kind(script).await;
        assert_eq!(kind.to_string(), format!("the script has no function as its default export: it has {found}"));
        assert!(kind.remedy().contains("`export default (ctx) => …`"));
    }
}

pub(crate) async fn a_result_that_is_no_json_is_refused() {
    for (script, reason) in [
        ("export default () => 10n", "TypeError: BigInt are forbidden in JSON.stringify"),
        ("export default () => () => 1", "TypeError: it is a function"),
        ("export default () => Symbol('x')", "TypeError: it is a symbol"),
        ("export default () => { const a = {}; a.a = a; return a }", "TypeError: circular reference"),
        ("export default () => ({ get a() { throw new Error('no') } })", "Error: no"),
        ("export default () => ({ toJSON() { return undefined } })", "TypeError: it is a object"),
    ] {
        let kind = kind(script).await;
        assert_eq!(kind.to_string(), format!("the result of the script is no JSON: {reason}"));
        assert!(matches!(kind, Kind::ResultNotJson { .. }));
    }
    let waiting = kind("export default () => new Promise(() => {})").await;
    assert_eq!(waiting.to_string(), "the script waits for something that never comes");
    assert!(matches!(kind("await new Promise(() => {}); export default () => 1").await, Kind::NeverSettles));
}

pub(crate) async fn what_is_too_large_is_refused_by_its_own_name() {
    let pool = pool();
    let refused = async |script: &str, input: Value| {
        let kind = *run_job(&pool, job(script, input)).await.expect_err("it is too large").kind;
        assert!(kind.to_string().contains(" MB"), "{kind}");
        let Kind::TooLarge(what) = kind else { panic!("{kind}") };
        what
    };
    let (echo, length) = ("export default (ctx) => ctx", "export default (ctx) => ctx.length");
    assert_eq!(refused(echo, json!("x".repeat(INPUT_BYTES_MAX - 1))).await, Large::Input);
    let largest = run_job(&pool, job(length, json!("x".repeat(INPUT_BYTES_MAX - 2)))).await.unwrap();
    assert_eq!(largest.output, json!(INPUT_BYTES_MAX - 2));
    assert_eq!(refused(&format!("{echo} //{}", "x".repeat(1 << 20)), json!(1)).await, Large::Script);
    // One more byte than may come back, and again in letters that take two.
    assert_eq!(refused(echo, json!("x".repeat(OUTPUT_BYTES_MAX - 1))).await, Large::Output);
    assert_eq!(refused(echo, json!("ä".repeat(OUTPUT_BYTES_MAX / 2))).await, Large::Output);
    let largest = run_job(&pool, job(echo, json!("ä".repeat(OUTPUT_BYTES_MAX / 2 - 1)))).await.unwrap();
    assert_eq!(largest.output.as_str().map(str::len), Some(OUTPUT_BYTES_MAX - 2));
}

pub(crate) async fn the_console_comes_along_and_has_bounds() {
    let script = r#"export default () => {
        console.log("a", 1, null, undefined, { b: [2n === 2n] }, new TypeError("t"));
        console.warn("two\nlines");
        console.error(Symbol("s"), () => 1);
        console.log({ toJSON() { throw 1 } }, "\ud800");
    }"#;
    let expected = [
        r#"a 1 null undefined {"b":[true]} TypeError: t"#,
        "warn: two",
        "lines",
        "error: Symbol(s) () => 1",
        "(object that cannot be shown) \u{fffd}",
    ];
    assert_eq!(done(script, Value::Null).await.console, expected);

    let many = "export default () => { for (let at = 0; at < 1e6; at++) console.log(at, 'x'.repeat(at)) }";
    let console = done(many.replace("1e6", "1e4").as_str(), Value::Null).await.console;
    assert_eq!(console.len(), CONSOLE_LINES_MAX + 1);
    assert_eq!(console[199], format!("199 {}", "x".repeat(199)));
    assert_eq!(console[200], "(the script wrote more lines; they are not kept)");
    let script = "export default () => { console.log('😀'.repeat(1e6)); console.log('\\n'.repeat(1e6)) }";
    let console = done(script, Value::Null).await.console;
    assert_eq!(console[0], format!("{}…", "😀".repeat(CONSOLE_LINE_CHARS_MAX)));
    assert_eq!(console.len(), CONSOLE_LINES_MAX + 1);
}

pub(crate) async fn the_console_is_known_however_the_script_ends() {
    for (end, deadline_ms) in [
        ("throw 1", 20_000),
        ("return 1n", 20_000),
        ("for (;;);", 500),
        // The engine is deaf in there; only the parent's signal ends it.
        ("new Array(1e9) + ''", 500),
    ] {
        let script = format!("export default () => {{ console.log('first'); console.log('second'); {end} }}");
        let error = failure(&script, Duration::from_millis(deadline_ms)).await;
        assert_eq!(error.console, ["first", "second"], "{error}");
    }
}
