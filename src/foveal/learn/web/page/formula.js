"use strict";
/* Small exact arithmetic; the twin of foveal/learn/formula.py, proved on the same cases. */
const formula = (() => {
  const MAX_LENGTH = 2000, MAX_DEPTH = 40, MAX_BITS = 512;
  const TOKEN = /\s*(?:(\d+(?:\.\d+)?|\.\d+)|([A-Za-z_]\w*)|(\*\*|\/\/|[-+*/^(),[\]]))/y;

  class FormulaError extends Error {}
  const fail = (why) => { throw new FormulaError(why); };

  const absolute = (n) => (n < 0n ? -n : n);
  const divisor = (a, b) => { while (b) [a, b] = [b, a % b]; return absolute(a); };
  const fraction = (n, d = 1n) => {
    const common = divisor(n, d) || 1n;
    const sign = d < 0n ? -1n : 1n;
    return { n: (sign * n) / common, d: (sign * d) / common };
  };
  const add = (a, b) => fraction(a.n * b.d + b.n * a.d, a.d * b.d);
  const multiply = (a, b) => fraction(a.n * b.n, a.d * b.d);
  const negate = (a) => ({ n: -a.n, d: a.d });
  const floorOf = (a) => fraction(a.n / a.d - (a.n % a.d !== 0n && a.n < 0n ? 1n : 0n));
  const less = (a, b) => a.n * b.d < b.n * a.d;
  const toNumber = (a) => Number(a.n) / Number(a.d);

  /* A float is a fraction exactly: its digits are binary. */
  function fromNumber(value) {
    let bottom = 1n;
    while (!Number.isInteger(value)) { value *= 2; bottom *= 2n; }
    return fraction(BigInt(value), bottom);
  }
  function fromText(token) {
    const [whole, part = ""] = token.split(".");
    return fraction(BigInt(whole + part), 10n ** BigInt(part.length));
  }
  function fromValue(value) {
    if (typeof value === "boolean") return fraction(value ? 1n : 0n);
    return typeof value === "bigint" ? fraction(value) : fromNumber(value);
  }
  const whole = (n) =>
    absolute(n) <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(n) : n;

  const single = (result) =>
    Array.isArray(result) ? fail("a shape was not expected there") : result;
  function limited(a) {
    const bits = Math.max(absolute(a.n).toString(2).length, a.d.toString(2).length);
    return bits > MAX_BITS ? fail("a number is too large") : a;
  }

  function root(n) {
    if (n < 2n) return n;
    let x = BigInt(Math.floor(Math.sqrt(Number(n))));
    for (let next = (x + n / x) / 2n; absolute(next - x) > 1n; next = (x + n / x) / 2n) x = next;
    while (x * x > n) x -= 1n;
    while ((x + 1n) * (x + 1n) <= n) x += 1n;
    return x;
  }
  function squareRoot(a) {
    if (a.n < 0n) fail("it takes the root of a negative number");
    const above = root(a.n), below = root(a.d);
    if (above * above === a.n && below * below === a.d) return fraction(above, below);
    return fromNumber(Math.sqrt(toNumber(a)));
  }
  const FUNCTIONS = {
    floor: ([a]) => floorOf(a),
    ceil: ([a]) => negate(floorOf(negate(a))),
    sqrt: ([a]) => squareRoot(a),
    max: (all) => all.reduce((a, b) => (less(a, b) ? b : a)),
    min: (all) => all.reduce((a, b) => (less(b, a) ? b : a)),
  };

  function tokens(text) {
    const found = [];
    text = text.trimEnd();
    TOKEN.lastIndex = 0;
    while (TOKEN.lastIndex < text.length) {
      const match = TOKEN.exec(text);
      if (!match) fail("it is not understood");
      found.push(match[0].trim());
    }
    return found;
  }

  class Parser {
    constructor(list, values) {
      this.tokens = list;
      this.values = values;
      this.position = 0;
      this.depth = 0;
    }
    read() {
      const result = this.sum();
      return this.position < this.tokens.length ? fail("something is left over") : result;
    }
    peek() { return this.tokens[this.position] ?? ""; }
    take() { return this.tokens[this.position++] ?? ""; }
    expect(token) { if (this.take() !== token) fail(`${token} is missing`); }
    sum() {
      this.depth += 1;
      if (this.depth > MAX_DEPTH) fail("there are too many brackets");
      let result = this.product();
      while (this.peek() === "+" || this.peek() === "-") {
        const isPlus = this.take() === "+";
        const left = single(result), right = single(this.product());
        result = add(left, isPlus ? right : negate(right));
      }
      this.depth -= 1;
      return result;
    }
    product() {
      let result = this.signed();
      while (["*", "/", "//"].includes(this.peek())) {
        const sign = this.take();
        const other = single(this.signed());
        if (sign === "*") { result = limited(multiply(single(result), other)); continue; }
        if (other.n === 0n) fail("it divides by zero");
        result = multiply(single(result), fraction(other.d, other.n));
        if (sign === "//") result = floorOf(result);
      }
      return result;
    }
    signed() {
      let isNegative = false;
      while (this.peek() === "+" || this.peek() === "-") {
        if (this.take() === "-") isNegative = !isNegative;
      }
      const result = this.power();
      return isNegative ? negate(single(result)) : result;
    }
    power() {
      const base = this.atom();
      if (this.peek() !== "^" && this.peek() !== "**") return base;
      this.take();
      const exponent = single(this.atom()), number = single(base);
      if (exponent.d !== 1n || exponent.n < 0n || exponent.n > 64n) {
        fail("an exponent is no whole number from 0 to 64");
      }
      return limited(fraction(number.n ** exponent.n, number.d ** exponent.n));
    }
    atom() {
      const token = this.take();
      if (token === "(") return this.bracket();
      if (/^(\d+(\.\d+)?|\.\d+)$/.test(token)) return limited(fromText(token));
      if (Object.hasOwn(FUNCTIONS, token) && this.peek() === "(") {
        this.take();
        const parts = this.bracket();
        return FUNCTIONS[token](Array.isArray(parts) ? parts : [parts]);
      }
      return this.values.has(token) ? this.named(token) : fail("it is not understood");
    }
    bracket() {
      const parts = [single(this.sum())];
      let isTuple = false;
      while (this.peek() === ",") {
        isTuple = true;
        this.take();
        if (this.peek() === ")") break;
        parts.push(single(this.sum()));
      }
      this.expect(")");
      return isTuple ? parts : parts[0];
    }
    named(name) {
      const value = this.values.get(name);
      if (Array.isArray(value)) {
        const parts = value.filter((part) => typeof part !== "string").map(fromValue);
        if (this.peek() !== "[") return parts;
        this.take();
        const index = single(this.sum());
        this.expect("]");
        const position = toNumber(index);
        return position >= 0 && position < parts.length
          ? parts[Math.trunc(position)] : fail(`${name} has no such axis`);
      }
      return typeof value === "string" ? fail(`${name} is no number`) : fromValue(value);
    }
  }

  /* Returns a number (a bigint where it is too large for one), or a list of whole numbers. */
  function evaluate(text, values = new Map()) {
    if (text.length > MAX_LENGTH) fail("it is too long");
    const result = new Parser(tokens(text), values).read();
    if (Array.isArray(result)) {
      if (result.some((part) => part.d !== 1n)) fail("a part of the shape is no whole number");
      return result.map((part) => whole(part.n));
    }
    return result.d === 1n ? whole(result.n) : toNumber(result);
  }

  /* The formula as one would write it, names replaced by their values. */
  function pretty(text, values) {
    const shown = text.replace(/[A-Za-z_]\w*(?:\[\d+\])?(?!\w*\()/g, (found) => {
      if (!values.has(found.split("[")[0])) return found;
      const value = evaluate(found, values);
      const number = typeof value === "number" ? String(Number(value.toPrecision(10))) : value;
      const spelt = Array.isArray(value)
        ? `(${value.join(", ")}${value.length === 1 ? "," : ""})` : String(number);
      return spelt.startsWith("-") ? `(${spelt})` : spelt;
    });
    return shown.replaceAll("*", "·").replaceAll("-", "−").replaceAll("^2", "²");
  }

  return { evaluate, pretty, FormulaError };
})();
