// What a script sees beyond the language itself. What is needed later is kept here by its own name, so that a script that
// changes the built-in objects changes them for itself alone.
(host) => {
  const { line, random, encode, decode, now, lineMax, outputMax } = host;
  const { parse, stringify } = JSON;
  const { construct, apply } = Reflect;
  const { slice, split, toWellFormed } = String.prototype;
  const { subarray } = Uint8Array.prototype;
  const { fromCharCode } = String;
  const RealDate = Date, RealString = String, RealError = Error, RealTypeError = TypeError, RealRangeError = RangeError;
  const Bytes = Uint8Array, isView = ArrayBuffer.isView;

  const define = (target, name, value) =>
    Object.defineProperty(target, name, { value, writable: true, enumerable: false, configurable: true });
  const short = (text) => apply(toWellFormed, apply(slice, text, [0, lineMax]), []);

  const shown = (value) => {
    if (typeof value === "string") return value;
    try {
      if (value instanceof RealError) return `${value.name}: ${value.message}`;
      if (typeof value === "object" && value !== null) return stringify(value) ?? RealString(value);
      return RealString(value);
    } catch {
      return `(${typeof value} that cannot be shown)`;
    }
  };

  let isFull = false;
  const write = (prefix) => (...values) => {
    if (isFull) return;
    let text = prefix;
    for (let at = 0; at < values.length && text.length <= lineMax; at++) text += (at ? " " : "") + short(shown(values[at]));
    const lines = apply(split, text, ["\n"]);
    for (let at = 0; at < lines.length && !isFull; at++) isFull = !line(short(lines[at]));
  };
  const log = write("");
  define(globalThis, "console", { log, info: log, debug: log, warn: write("warn: "), error: write("error: ") });

  // The present is the job's: a replay must see what the first run saw.
  const StillDate = new Proxy(RealDate, {
    apply: () => new RealDate(now).toString(),
    construct: (target, values, as) => construct(target, values.length ? values : [now], as),
  });
  define(RealDate, "now", () => now);
  define(RealDate.prototype, "constructor", StillDate);
  define(globalThis, "Date", StillDate);
  define(Math, "random", () => random());
  delete globalThis.performance;

  // The host reads texts only; a piece has to fit on the stack as arguments.
  const codesOf = (value = new Bytes()) => {
    const bytes = isView(value) ? new Bytes(value.buffer, value.byteOffset, value.byteLength) : new Bytes(value);
    let codes = "";
    for (let at = 0; at < bytes.length; at += 8192) codes += apply(fromCharCode, null, apply(subarray, bytes, [at, at + 8192]));
    return codes;
  };
  define(globalThis, "TextEncoder", class TextEncoder {
    get encoding() { return "utf-8"; }
    encode(text = "") { return encode(apply(toWellFormed, RealString(text), [])); }
  });
  define(globalThis, "TextDecoder", class TextDecoder {
    #fatal;
    constructor(label = "utf-8", { fatal = false } = {}) {
      if (label !== "utf-8" && label !== "utf8" && label !== "UTF-8") throw new RealRangeError("only utf-8 is known");
      this.#fatal = Boolean(fatal);
    }
    get encoding() { return "utf-8"; }
    get fatal() { return this.#fatal; }
    decode(bytes) {
      const text = decode(codesOf(bytes), this.#fatal);
      return text[0] === "\ufeff" ? apply(slice, text, [1]) : text;
    }
  });

  return {
    call: async (script, input) => script(parse(input)),
    write: (value) => {
      if (value === undefined) return "null";
      const text = stringify(value);
      if (text === undefined) throw new RealTypeError(`it is a ${typeof value}`);
      return text.length > outputMax ? null : text;
    },
    describe: (thrown) => {
      let stack = "";
      try {
        if (thrown instanceof RealError) stack = short(RealString(thrown.stack));
      } catch {
        // A getter of the script's own; the message is worth more.
      }
      return [short(shown(thrown)), stack];
    },
  };
}
