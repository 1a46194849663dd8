//! The engine: one context, one script, one result.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use rquickjs::{
    Array, Context, Ctx, Error, Exception, Function, Module, Object, Persistent, Promise, Runtime, Type, TypedArray,
    Value, context::EvalOptions, function::MutFn, promise::PromiseState,
};

use crate::{
    confinement::stack_bytes_max,
    job::{CONSOLE_LINE_CHARS_MAX, CONSOLE_LINES_MAX, DEPTH_MAX, OUTPUT_BYTES_MAX},
    memory::BoundedMemory,
    protocol::{Failure, Record},
    text::{cut, mend_surrogates},
};

/// An engine that is loaded and has seen no script.
pub(crate) struct Engine {
    context: Context,
    /// What `prelude.js` gives: called once, with what a job brings.
    prelude: Persistent<Function<'static>>,
    clock: Rc<Clock>,
    memory_was_refused: Rc<Cell<bool>>,
}

/// What a job brings.
pub(crate) struct Run {
    pub(crate) script: Vec<u8>,
    pub(crate) input: Vec<u8>,
    pub(crate) now_ms: i64,
    pub(crate) seed: u64,
    pub(crate) deadline: Duration,
    /// Hands a line of the console on at once, so that it is known even if the script has to be killed.
    pub(crate) say: fn(&Record),
}

/// When the script has to stop, and whether it was stopped.
#[derive(Default)]
struct Clock {
    end: Cell<Option<Instant>>,
    is_over: Cell<bool>,
}

impl Clock {
    fn looks_over(&self) -> bool {
        if self.end.get().is_some_and(|end| Instant::now() >= end) {
            self.is_over.set(true);
        }
        self.is_over.get()
    }
}

/// The functions of `prelude.js` that carry a script from start to end.
struct Steps<'js> {
    /// Calls the script's function with the parsed input; gives a promise.
    call: Function<'js>,
    /// The result as JSON; null where it is too large.
    write: Function<'js>,
    /// What was thrown: a message, and where.
    describe: Function<'js>,
}

impl Engine {
    /// Does all that can be done before a script is there.
    pub(crate) fn load(memory_bytes_max: usize) -> rquickjs::Result<Self> {
        let memory_was_refused = Rc::new(Cell::new(false));
        let memory = BoundedMemory::new(memory_bytes_max, Rc::clone(&memory_was_refused));
        let runtime = Runtime::new_with_alloc(memory)?;
        runtime.set_max_stack_size(stack_bytes_max());
        let clock = Rc::new(Clock::default());
        let asked = Rc::clone(&clock);
        runtime.set_interrupt_handler(Some(Box::new(move || asked.looks_over())));
        let context = Context::full(&runtime)?;
        let prelude = context.with(|ctx| {
            let mut options = EvalOptions::default();
            options.filename = Some("sortie".to_owned());
            let prelude: Function<'_> = ctx.eval_with_options(include_str!("prelude.js"), options)?;
            Ok::<_, Error>(Persistent::save(&ctx, prelude))
        })?;
        Ok(Self { context, prelude, clock, memory_was_refused })
    }

    /// Runs the one script that this engine is for; its result as JSON. The process has to end without dropping the engine:
    /// the script may leave circles behind that the engine does not let go of.
    pub(crate) fn run(&self, run: Run) -> Result<Vec<u8>, Failure> {
        let end = Instant::now() + run.deadline.saturating_sub(margin(run.deadline));
        self.clock.end.set(Some(end));
        let ended = self.context.with(|ctx| {
            let prelude = self.prelude.clone().restore(&ctx).map_err(|_| Failure::Memory)?;
            let steps = prepare(&ctx, prelude, &run).map_err(|_| Failure::Memory)?;
            let stage = Stage { ctx: &ctx, steps, clock: &self.clock, memory_was_refused: &self.memory_was_refused };
            stage.result(&run)
        });
        // However it ended inside: what stopped it was the clock.
        if self.clock.is_over.get() { Err(Failure::Deadline) } else { ended }
    }
}

/// So much earlier than the parent, which kills: the script's own engine can still say what happened.
fn margin(deadline: Duration) -> Duration {
    (deadline / 20).min(Duration::from_millis(100))
}

/// Puts into the context what a script sees and what it brings with it.
fn prepare<'js>(ctx: &Ctx<'js>, prelude: Function<'js>, run: &Run) -> rquickjs::Result<Steps<'js>> {
    let say = run.say;
    let mut lines = 0_usize;
    let line = MutFn::from(move |line: String| {
        lines += 1;
        match lines {
            ..=CONSOLE_LINES_MAX => say(&Record::Console(cut(&line, CONSOLE_LINE_CHARS_MAX))),
            _ if lines == CONSOLE_LINES_MAX + 1 => say(&Record::Console(MORE_LINES.to_owned())),
            _ => {}
        }
        lines <= CONSOLE_LINES_MAX
    });
    let mut state = run.seed;
    let random = MutFn::from(move || next_random(&mut state));
    let host = Object::new(ctx.clone())?;
    host.set("line", Function::new(ctx.clone(), line)?)?;
    host.set("random", Function::new(ctx.clone(), random)?)?;
    host.set("encode", Function::new(ctx.clone(), encode)?)?;
    host.set("decode", Function::new(ctx.clone(), decode)?)?;
    host.set("now", run.now_ms as f64)?;
    host.set("lineMax", CONSOLE_LINE_CHARS_MAX * 2 + 2)?;
    host.set("outputMax", OUTPUT_BYTES_MAX)?;
    let steps: Object<'js> = prelude.call((host,))?;
    Ok(Steps { call: steps.get("call")?, write: steps.get("write")?, describe: steps.get("describe")? })
}

fn encode<'js>(ctx: Ctx<'js>, text: String) -> rquickjs::Result<TypedArray<'js, u8>> {
    TypedArray::new(ctx, text.into_bytes())
}

/// The bytes come as a text of the same codes, because looking at the script's own memory is not safe: it may change.
fn decode(ctx: Ctx<'_>, codes: String, strict: bool) -> rquickjs::Result<String> {
    let bytes: Vec<u8> = codes.chars().map(|code| u8::try_from(u32::from(code)).unwrap_or(u8::MAX)).collect();
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(_) if strict => Err(Exception::throw_type(&ctx, "the bytes are not UTF-8")),
        Err(error) => Ok(String::from_utf8_lossy(error.as_bytes()).into_owned()),
    }
}

/// SplitMix64: short, and even seeds that differ in one bit give unlike rows.
fn next_random(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

struct Stage<'a, 'js> {
    ctx: &'a Ctx<'js>,
    steps: Steps<'js>,
    clock: &'a Clock,
    memory_was_refused: &'a Cell<bool>,
}

impl<'js> Stage<'_, 'js> {
    fn result(&self, run: &Run) -> Result<Vec<u8>, Failure> {
        let function = self.default_export(&run.script)?;
        let input = self.caught(rquickjs::String::from_str(self.ctx.clone(), &String::from_utf8_lossy(&run.input)))?;
        let promise: Promise<'js> = self.caught(self.steps.call.call((function, input)))?;
        let value = self.settled(&promise)?;
        self.written(value)
    }

    fn default_export(&self, script: &[u8]) -> Result<Function<'js>, Failure> {
        let declared = self.caught(Module::declare(self.ctx.clone(), SCRIPT_NAME, script))?;
        let (module, promise) = self.caught(declared.eval())?;
        self.settled(&promise)?;
        let exported: Option<Value<'js>> = module.get("default").ok();
        let none = || Failure::NoDefaultExport { found: "none".to_owned() };
        let value = exported.filter(|value| !value.is_undefined()).ok_or_else(none)?;
        let found = match value.type_of() {
            Type::Int | Type::Float => "number",
            other => other.as_str(),
        };
        value.into_function().ok_or_else(|| Failure::NoDefaultExport { found: format!("a value of type {found}") })
    }

    /// Runs what is left to run until the promise has its value.
    fn settled(&self, promise: &Promise<'js>) -> Result<Value<'js>, Failure> {
        while promise.state() == PromiseState::Pending {
            // A chain of promises without end asks for no interrupt between its short links.
            if self.clock.looks_over() {
                return Err(Failure::Deadline);
            }
            if !self.ctx.execute_pending_job() {
                return Err(Failure::NeverSettles);
            }
        }
        self.caught(promise.result().expect("it is no longer pending"))
    }

    fn written(&self, value: Value<'js>) -> Result<Vec<u8>, Failure> {
        let text: Result<Option<String>, Failure> = self.caught(self.steps.write.call((value,)));
        let text = text.map_err(|failure| match failure {
            Failure::Threw { message, .. } => Failure::ResultNotJson { reason: message },
            other => other,
        })?;
        let mut json = text.ok_or(Failure::OutputTooLarge)?.into_bytes();
        if json.len() > OUTPUT_BYTES_MAX {
            return Err(Failure::OutputTooLarge);
        }
        if mend_surrogates(&mut json) > DEPTH_MAX {
            return Err(Failure::ResultNotJson { reason: format!("it lies more than {DEPTH_MAX} levels deep") });
        }
        Ok(json)
    }

    fn caught<T>(&self, result: rquickjs::Result<T>) -> Result<T, Failure> {
        result.map_err(|error| match error {
            Error::Exception => self.described(self.ctx.catch()),
            Error::Allocation => Failure::Memory,
            other => Failure::Threw { message: cut(&other.to_string(), MESSAGE_CHARS_MAX), line: None },
        })
    }

    fn described(&self, thrown: Value<'js>) -> Failure {
        let described: rquickjs::Result<Array<'js>> = self.steps.describe.call((thrown.clone(),));
        let parts = described.and_then(|parts| Ok((parts.get::<String>(0)?, parts.get::<String>(1)?)));
        // Where even the words cannot be found, memory is gone: nothing else is left that fails there.
        let Ok((message, stack)) = parts else { return Failure::Memory };
        // An engine without memory throws these words under several names, or nothing at all; a script may do so, too.
        let is_about_memory = thrown.is_null() || message.ends_with(OUT_OF_MEMORY);
        if is_about_memory && self.memory_was_refused.get() {
            return Failure::Memory;
        }
        Failure::Threw { message: cut(&message, MESSAGE_CHARS_MAX), line: line_of(&stack) }
    }
}

/// The first line of the script that a stack names: `    at f (script:3:10)`.
fn line_of(stack: &str) -> Option<u32> {
    let after = stack.split_once(&format!("{SCRIPT_NAME}:"))?.1;
    let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    after[..end].parse().ok()
}

const SCRIPT_NAME: &str = "script";
const OUT_OF_MEMORY: &str = ": out of memory";
const MESSAGE_CHARS_MAX: usize = 2_000;
const MORE_LINES: &str = "(the script wrote more lines; they are not kept)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_that_of_the_script_and_not_of_what_it_called() {
        assert_eq!(line_of("    at parse (native)\n    at f (script:12:5)\n    at script:90:1\n"), Some(12));
        assert_eq!(line_of("    at call (sortie:9:5)\n"), None);
    }

    /// The parent would kill a little later; the engine is to say so first, with all that it knows.
    #[test]
    fn the_engine_itself_stops_a_script_at_its_deadline() {
        for script in ["for (;;); export default 1", "export default async () => { for (;;) await 1 }"] {
            let engine = Engine::load(16 << 20).unwrap();
            let (script, input, deadline) = (script.into(), b"null".to_vec(), Duration::from_millis(50));
            let ended = engine.run(Run { script, input, now_ms: 0, seed: 0, deadline, say: |_| () });
            assert_eq!(ended, Err(Failure::Deadline));
            std::mem::forget(engine);
        }
    }

    #[test]
    fn random_numbers_follow_from_the_seed() {
        let mut first = 0_u64;
        let row: Vec<f64> = (0..1_000).map(|_| next_random(&mut first)).collect();
        let mut second = 1_u64;
        assert!(row.iter().all(|number| (0.0..1.0).contains(number)) && row[0] != next_random(&mut second));
        let mean = row.iter().sum::<f64>() / 1_000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
    }
}
