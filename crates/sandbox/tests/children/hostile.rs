//! Scripts that want what they may not have.

use std::time::Duration;

use serde_json::{Value, json};
use sortie_sandbox::{Pool, PoolOptions, SandboxErrorKind as Kind};

use crate::stage::{failure, job_for, kind, options, output, run_job};

const SHORT: Duration = Duration::from_millis(500);

pub(crate) async fn what_never_ends_is_ended() {
    for script in [
        "export default () => { for (;;); }",
        "for (;;); export default () => 1",
        // Here the engine never asks whether it may go on.
        "export default () => new Array(1_000_000_000) + ''",
        "export default () => /^(a+)+$/.test('a'.repeat(50) + 'b')",
        "export default () => { for (;;) { try { for (;;); } catch {} finally { for (;;); } } }",
        "export default () => ({ toJSON() { for (;;); } })",
        "export default () => { throw { get message() { for (;;); }, toString() { for (;;); } } }",
        "export default () => { const f = () => { try { f() } finally { f() } }; f() }",
        "export default async () => { for (;;) await 1 }",
        "export default () => { for (;;) console.log('x') }",
        "export default () => { console.log({ toJSON() { for (;;); } }) }",
    ] {
        let error = failure(script, SHORT).await;
        assert_eq!(error.to_string(), "the script was still running after 500ms and was killed", "{script}");
        assert!(error.remedy().contains("`timeout`") && error.kind.may_pass());
    }
}

pub(crate) async fn what_wants_all_memory_is_refused() {
    let pool = Pool::new(PoolOptions { memory_bytes_max: 24 << 20, ..options(sortie_sandbox::ARGUMENT, "") });
    for script in [
        "const l = []; for (;;) l.push({ a: {} })",
        "const l = []; for (;;) l.push('x'.repeat(1e6) + l.length)",
        "const l = []; for (;;) l.push(new Uint8Array(1e6))",
        "const l = []; for (;;) l.push(new SharedArrayBuffer(1e6))",
        "return new Uint8Array(1e9).length",
        "const m = new Map(); for (;;) m.set({}, m.size)",
        "const l = []; for (;;) l.push(new RegExp('a{' + l.length + '}' + 'b'.repeat(1e4)))",
        "const l = []; for (;;) l.push((function* () { yield l })())",
        "const l = []; for (;;) l.push(3n ** 9999n + BigInt(l.length))",
    ] {
        let script = format!("export default () => {{ {script} }}");
        let error = run_job(&pool, job_for(&script, Duration::from_secs(20))).await.expect_err("memory has an end");
        assert_eq!(error.to_string(), "the script needs more than the 24 MB of memory that it may use", "{script}");
    }
    let lies = "export default () => { throw Math.random() < 2 ? new InternalError('out of memory') : null }";
    assert!(matches!(kind(lies).await, Kind::Threw { .. }));
    // What a script catches is its own affair.
    let caught = "export default () => { try { new Uint8Array(1e9) } catch (error) { return String(error) } }";
    assert_eq!(output(caught, Value::Null).await, "InternalError: out of memory");
}

pub(crate) async fn recursion_ends_in_an_exception() {
    for script in [
        "const f = () => f(); f()",
        "const o = {}; o.__defineGetter__('a', () => o.a); o.a",
        "let a = []; for (let n = 0; n < 1e4; n++) a = [a]; return JSON.stringify(a)",
        "return JSON.parse('['.repeat(1e6))",
        "return new RegExp('('.repeat(1e5) + ')'.repeat(1e5))",
        "return eval('('.repeat(1e6))",
        "let p = {}; for (let n = 0; n < 1e5; n++) p = new Proxy(p, {}); return p.x",
    ] {
        let failed = kind(&format!("export default () => {{ {script} }}")).await;
        assert!(matches!(failed, Kind::Threw { .. }), "{failed}: {script}");
    }
}

pub(crate) async fn nothing_can_be_imported() {
    for name in ["fs", "node:fs", "os", "std", "qjs:os", "./x.js", "/etc/passwd", "http://127.0.0.1/x.js"] {
        let kind = kind(&format!("export default async () => (await import('{name}')).default")).await;
        assert!(matches!(&kind, Kind::Threw { message, .. } if message.contains("could not load module")), "{kind}");
    }
    let kind = kind("import { open } from 'std'; export default () => open").await;
    assert!(matches!(&kind, Kind::Threw { message, .. } if message.contains("could not load module")), "{kind}");
    let itself = "export const secret = 5; export default async () => (await import('script')).secret";
    assert_eq!(output(itself, Value::Null).await, json!(5));
}

pub(crate) async fn no_constructor_leads_out() {
    let paths = "[() => [].constructor.constructor('return process')(), () => Function('return require')()('fs'), \
         () => (0, eval)('Deno'), () => console.log.constructor('return process.env')(), \
         () => Date.constructor('return std')(), () => ctx.constructor.constructor('return os')(), \
         () => import.meta.resolve('fs'), () => globalThis.process.mainModule, () => Math.random.constructor('return bjson')(), \
         () => new TextDecoder().constructor.constructor('return sortie')(), () => arguments.callee.caller.caller]";
    let script = format!(
        "export default (ctx) => {paths}.map((path) => {{ try {{ return typeof path() }} catch (error) {{ return error.name }} }})"
    );
    let answers = output(&script, json!({})).await;
    for answer in answers.as_array().unwrap() {
        assert!(matches!(answer.as_str(), Some("ReferenceError" | "TypeError")), "{answers}");
    }
}

pub(crate) async fn promises_and_proxies_end_too() {
    let error = failure("export default () => ({ then(done) { done(this) } })", SHORT).await;
    assert!(matches!(*error.kind, Kind::Deadline { .. }), "{error}");
    let refused = kind("export default () => ({ get then() { throw new Error('then') } })").await;
    assert_eq!(refused.to_string(), "the script threw in line 1: Error: then");
    let two = "export default () => ({ then(done, fail) { done(1); fail(2); done(3) } })";
    assert_eq!(output(two, Value::Null).await, json!(1));
    let lying = "export default () => new Proxy({ a: 1 }, { ownKeys: () => ['a', 'b'], get: () => 3, \
         getOwnPropertyDescriptor: () => ({ configurable: true, enumerable: true, value: 1 }) })";
    assert_eq!(output(lying, Value::Null).await, json!({ "a": 3, "b": 3 }));
    let endless = "export default () => new Proxy({}, { get: (target, key, self) => key === 'then' || key === 'toJSON' ? undefined : self, \
         ownKeys: () => ['a'], getOwnPropertyDescriptor: () => ({ configurable: true, enumerable: true, value: 1 }) })";
    assert!(matches!(kind(endless).await, Kind::ResultNotJson { .. }));
    let revoked =
        "export default () => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return [proxy] }";
    assert!(matches!(kind(revoked).await, Kind::ResultNotJson { .. }));
}

pub(crate) async fn changed_built_ins_change_nothing_outside() {
    let script = r#"
        JSON.stringify = JSON.parse = () => "stolen";
        String.prototype.slice = String.prototype.split = String.prototype.toWellFormed = () => { throw 1 };
        Array.prototype.push = Array.prototype.map = Array.prototype[Symbol.iterator] = () => { throw 2 };
        Object.prototype.toString = Function.prototype.call = Function.prototype.apply = () => { throw 3 };
        Reflect.construct = Reflect.apply = Object.defineProperty = () => { throw 4 };
        globalThis.Error = globalThis.TypeError = globalThis.Uint8Array = globalThis.String = undefined;
        Promise.prototype.constructor = Promise.resolve = undefined;
        export default (ctx) => { console.log("still", ctx); return { ctx, now: new Date() } }
    "#;
    let result = crate::stage::done(script, json!({ "a": [1] })).await;
    assert_eq!(result.output, json!({ "ctx": { "a": [1] }, "now": "2026-11-30T08:15:30.500Z" }));
    assert_eq!(result.console, [r#"still {"a":[1]}"#]);
    let then = "Promise.prototype.then = () => { throw 5 }; export default () => 6";
    assert_eq!(output(then, Value::Null).await, json!(6));
}
