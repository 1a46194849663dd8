//! JSON on its way in and out, and what a script finds around it.

use serde_json::{Value, json};
use sortie_sandbox::{DEPTH_MAX, Job, Large, SandboxErrorKind as Kind};

use crate::stage::{job, kind, output, pool, run_job};

const ECHO: &str = "export default (ctx) => ctx";

pub(crate) async fn numbers_are_those_of_javascript() {
    let sent = r#"[0,-1,9007199254740991,9007199254740993,18446744073709551615,1.0,0.1,-0.0,1e300,5e-324]"#;
    let came = output(ECHO, serde_json::from_str(sent).unwrap()).await;
    let nearest = "[0,-1,9007199254740991,9007199254740992,1.8446744073709552e19,1,0.1,0,1e300,5e-324]";
    assert_eq!(came.to_string().replace("e+", "e"), nearest);
    assert_eq!(output("export default () => [NaN, 1 / 0, -0]", Value::Null).await.to_string(), "[null,null,0]");
    assert_eq!(output("export default (ctx) => ctx", json!("9007199254740993")).await, "9007199254740993");
}

pub(crate) async fn texts_arrive_as_they_were() {
    let texts =
        json!(["", "\0\u{1}\t\r\n\"\\/", "{{ 7*7 }}", "\\ud800", "ä€😀\u{202e}\u{feff}\u{2028}\u{ffff}", "</script>"]);
    assert_eq!(output(ECHO, texts.clone()).await, texts);
    assert_eq!(output("export default (ctx) => [...ctx[4]].length", texts).await, json!(7));
    // Half of a pair is no text elsewhere.
    let halves = r#"export default () => ["\ud800", "a\udc00b", "\ud83d\ude00", { "\udfff": "\\ud800" }]"#;
    assert_eq!(output(halves, Value::Null).await, json!(["\u{fffd}", "a\u{fffd}b", "😀", { "\u{fffd}": "\\ud800" }]));
}

pub(crate) async fn a_key_named_proto_is_a_key() {
    let sent: Value =
        serde_json::from_str(r#"{"__proto__":{"admin":true},"constructor":{"prototype":{"x":1}},"toString":1}"#)
            .unwrap();
    assert_eq!(output(ECHO, sent.clone()).await, sent);
    let script = "export default (ctx) => [ctx.admin, ({}).admin, ({}).x, Object.keys(ctx), Object.getPrototypeOf(ctx) === Object.prototype]";
    let seen = output(script, sent).await;
    assert_eq!(seen, json!([null, null, null, ["__proto__", "constructor", "toString"], true]));
}

pub(crate) async fn depth_has_one_bound_in_and_out() {
    let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    let pool = pool();
    assert_eq!(run_job(&pool, job(ECHO, nested(DEPTH_MAX))).await.unwrap().output, nested(DEPTH_MAX));
    let deeper = run_job(&pool, job(ECHO, nested(DEPTH_MAX + 1))).await.expect_err("it is too deep");
    assert!(matches!(*deeper.kind, Kind::TooLarge(Large::InputDepth)), "{deeper}");
    for levels in [128, 5_000] {
        let deep =
            format!("export default () => {{ let a = 1; for (let n = 0; n < {levels}; n++) a = {{ a }}; return a }}");
        let refused = kind(&deep).await;
        assert!(matches!(&refused, Kind::ResultNotJson { .. }), "{refused}");
    }
}

pub(crate) async fn the_present_and_chance_are_those_of_the_job() {
    let script = "export default () => [Date.now(), new Date(), new Date().getHours(), new Date().getTimezoneOffset(), Date(), \
         new Date().constructor === Date, new (class extends Date {})() instanceof Date, new Date(0).getTime(), Date.UTC(1970, 0), \
         typeof performance, Math.random(), Math.random()]";
    let first = output(script, Value::Null).await;
    let expected = json!([
        1_796_026_530_500_u64,
        "2026-11-30T08:15:30.500Z",
        8,
        0,
        "Mon Nov 30 2026 08:15:30 GMT+0000",
        true,
        true,
        0,
        0,
        "undefined"
    ]);
    assert_eq!(first.as_array().unwrap()[..10], expected.as_array().unwrap()[..]);
    assert_ne!(first[10], first[11]);
    assert_eq!(output(script, Value::Null).await, first);
    let other = Job { seed: 8, ..job(script, Value::Null) };
    assert_ne!(run_job(&pool(), other).await.unwrap().output[10], first[10]);
}

pub(crate) async fn bytes_and_texts_are_turned_into_each_other() {
    let script = r#"export default () => {
        const refused = (f) => { try { f() } catch (error) { return error.name } };
        const bytes = new TextEncoder().encode("ä€😀\ud800");
        const cut = bytes.subarray(2, 5);
        return [
            [...bytes], new TextDecoder().decode(bytes), new TextDecoder("utf-8").decode(cut),
            new TextDecoder().decode(bytes.buffer.slice(0, 3)), new TextDecoder().decode(),
            new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 0x61])),
            refused(() => new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array([0xff]))),
            refused(() => new TextDecoder("latin1")), btoa("hi\xff"), atob("aGk="), refused(() => btoa("€")),
            new TextDecoder().decode(new Uint8Array(1e5)).length,
        ];
    }"#;
    let expected = json!([
        [195, 164, 226, 130, 172, 240, 159, 152, 128, 239, 191, 189],
        "ä€😀\u{fffd}",
        "€",
        "ä\u{fffd}",
        "",
        "a",
        "TypeError",
        "RangeError",
        "aGn/",
        "hi",
        "InvalidCharacterError",
        100_000
    ]);
    assert_eq!(output(script, Value::Null).await, expected);
}

/// An engine that brings a new name has to be looked at before scripts get it.
pub(crate) async fn nothing_else_can_be_named() {
    let names =
        output("export default () => Object.getOwnPropertyNames(globalThis).sort().join(' ')", Value::Null).await;
    let known = "AggregateError Array ArrayBuffer AsyncDisposableStack Atomics BigInt BigInt64Array BigUint64Array Boolean \
         DOMException DataView Date DisposableStack Error EvalError FinalizationRegistry Float16Array Float32Array \
         Float64Array Function Infinity Int16Array Int32Array Int8Array InternalError Iterator JSON Map Math NaN Number \
         Object Promise Proxy RangeError ReferenceError Reflect RegExp Set SharedArrayBuffer String SuppressedError Symbol \
         SyntaxError TextDecoder TextEncoder TypeError URIError Uint16Array Uint32Array Uint8Array Uint8ClampedArray \
         WeakMap WeakRef WeakSet atob btoa console decodeURI decodeURIComponent encodeURI encodeURIComponent escape eval \
         globalThis isFinite isNaN parseFloat parseInt queueMicrotask undefined unescape";
    assert_eq!(names, known);
}
