use crate::stage::*;
use serde_json::json;
pub(crate) async fn explore() {
    let pool = sortie_sandbox::Pool::new(sortie_sandbox::PoolOptions{warm:2, ..options()});
    println!("{}", pool.confinement().await.unwrap());
    for s in ["export default (ctx) => ctx.a + 1", "export default async (ctx) => ({a: await 5, d: new Date(), n: Date.now(), r: Math.random(), tz: new Date().getTimezoneOffset(), s: Date()})",
      "export default () => { throw 5 }", "export default () => {\n throw new TypeError('x') }", "export default () => {\n x x", "const a = 1", "export default 5", "export default class {}",
      "export default () => { for(;;); }", "export default () => new Array(1e9)+''", "export default () => /(a+)+$/.test('a'.repeat(40)+'b')",
      "export default () => { const l=[]; for(;;) l.push({}); }", "export default () => { let s='x'; for(;;) s+=s; }","export default () => { const l=[]; for(;;) l.push(new Uint8Array(1e6)); }",
      "export default () => { const f = () => f(); f() }", "export default () => { const f = () => {try{f()}finally{f()}}; f() }", "import fs from 'fs'; export default () => 1", "export default async () => { await import('fs') }", 
      "export default () => ({then(r){ r(7) }})", "export default () => ({then(r){ r(this) }})", "export default () => new Promise(()=>{})", "export default () => ({get a(){ throw new Error('no') }})",
      "export default () => new Proxy({a:1}, {ownKeys(){ return ['a','b']}, get(){return 3}, getOwnPropertyDescriptor(){return {configurable:true,enumerable:true,value:1}}})", "export default () => 10n", "export default () => ()=>1", "export default () => {const a={}; a.a=a; return a}", "export default () => '\\ud800'", "export default () => Object.getOwnPropertyNames(globalThis).join(' ')", "export default () => 'x'.repeat(9e6)",
      "export default () => { let a=[]; for (let i=0;i<200;i++) a=[a]; return a}",  "export default () => { let a=[]; for (let i=0;i<1e6;i++) a=[a]; return a}","export default () => [new TextDecoder().decode(new TextEncoder().encode('ä€😀')), btoa('hi'), atob('aGk=')]",
      "export default () => { for (let i=0;i<1e5;i++) console.log('x'.repeat(1e5)) }", "export default () => [].constructor.constructor('return process')()", "export default () => eval('1+1')", "export default () => Atomics.wait(new Int32Array(new SharedArrayBuffer(8)), 0, 0)", "export default () => { throw {get message(){for(;;);}} }", "export default () => { const l=[]; for(;;) l.push(new SharedArrayBuffer(1e6)); }",
      "export default () => { throw null }", "await new Promise(()=>{}); export default 1", "throw new Error('top')"] {
        let mut j = job(s, json!({"a": 1})); j.deadline = std::time::Duration::from_secs(2);
        let t = std::time::Instant::now();
        let r = pool.run(j).await;
        let o = match r { Ok(d) => format!("{} {}", d.output.to_string().chars().take(1500).collect::<String>(), d.console.len()), Err(e) => format!("ERR {e} -> {:?}", e.kind) };
        println!("{:?} {}\n    {}", t.elapsed(), s, o.chars().take(2000).collect::<String>());
    }
}
