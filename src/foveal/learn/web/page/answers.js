"use strict";
/* Reads what a learner typed; the twin of foveal/learn/answers.py, proved on the same cases. */
const answers = (() => {
  const MAX_LENGTH = 500, MAX_WORDS_LENGTH = 5000;
  const GROUPED = /(?<![\d.])[1-9]\d{0,2}(?:[ ,_']\d{3})+(?!\d)/g;
  const GROUPED_WHOLE = /^(?:[1-9]\d{0,2}(?:[ ,_']\d{3})+)$/;
  const CROSSED = /^[(\[]?\d+(?:,\d{3})*(?: ?[x×] ?\d+(?:,\d{3})*)+[)\]]?$/;
  const YES = ["true", "t", "yes", "y", "1", "right"];
  const NO = ["false", "f", "no", "n", "0", "wrong"];
  const BATCH = ["n", "b", "none", "-1", "?", "batch", "1"];
  const SIGNS = {
    "×": "*", "·": "*", "⋅": "*", "∗": "*", "÷": "/", "−": "-", "–": "-", "’": "'",
  };

  class Unreadable {
    constructor(reason) { this.reason = reason; }
  }
  const unreadable = (text, why) => new Unreadable(`'${text.trim()}' ${why}`);
  const isNumber = (value) => typeof value === "number" || typeof value === "bigint";
  const isWhole = (value) => typeof value === "bigint" || Number.isInteger(value);

  /* Every digit of the world's scripts as 0 to 9; they stand in runs of ten. */
  function latinDigits(text) {
    return text.replace(/(?![0-9])\p{Nd}/gu, (digit) => {
      const point = digit.codePointAt(0);
      let first = point;
      while (/^\p{Nd}$/u.test(String.fromCodePoint(first - 1))) first -= 1;
      return String((point - first) % 10);
    });
  }
  function plain(text) {
    const raised = text.replace(/[⁰¹²³⁴⁵⁶⁷⁸⁹]+/g, (found) =>
      "^" + [...found].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹".indexOf(digit)).join(""));
    const one = raised.normalize("NFKC").replace(/[×·⋅∗÷−–’]/g, (sign) => SIGNS[sign]);
    return latinDigits(one).replace(/\s+/g, " ").trim();
  }
  function value(text) {
    try {
      return formula.evaluate(text);
    } catch (error) {
      if (error instanceof formula.FormulaError) return undefined;
      throw error;
    }
  }

  function read(field, text) {
    const limit = field.kind === "open" ? MAX_WORDS_LENGTH : MAX_LENGTH;
    if ([...text].length > limit) {
      return new Unreadable(`The answer is longer than ${spell(limit)} characters.`);
    }
    if (!text.trim()) return new Unreadable("Nothing was entered.");
    switch (field.kind) {
      case "integer":
      case "number": return readNumber(field, text);
      case "shape": return readShape(field, text);
      case "choice": return readChoice(field, text);
      case "boolean": return readBoolean(text);
      case "order": return readKeys(field, text, field.choices.length, false);
      case "match": return readKeys(field, text, field.items.length, true);
      case "code": return readCode(text);
      default: return text.trim();
    }
  }

  function readNumber(field, text) {
    const unit = (field.unit || "").toLowerCase();
    const crossed = latinDigits(text.normalize("NFKC")).toLowerCase()
      .replace(/\s+/g, " ").replace(/^[ =≈~.]+|[ =≈~.]+$/g, "");
    if (CROSSED.test(withoutUnit(crossed, unit))) {
      return unreadable(
        text, "looks like a shape, and one number is asked; write a product with *, as in 64*9.");
    }
    let typed = plain(text).toLowerCase().replace(/\.+$/, "").trim().replace(/^[=≈~]+/, "").trim();
    const isPercent = typed.endsWith("%");
    if (isPercent) typed = typed.slice(0, -1).trim();
    typed = withoutUnit(typed, unit);
    if (field.kind === "integer" && /^\d{1,3}(\.\d{3})+$/.test(typed)) {
      const digits = typed.replaceAll(".", "");
      const grouped = spell(Number(digits));
      return unreadable(text, typed.split(".").length === 2
        ? `may be ${grouped} or ${typed}; write ${Number(digits)}, or ${typed}0.`
        : `has several points; write ${Number(digits)}, or ${grouped}.`);
    }
    if (field.kind === "number" && /^-?[1-9]\d{0,2},\d{3}$/.test(typed)) {
      const one = typed.replace(",", ""), other = typed.replace(",", ".");
      return unreadable(
        text, `may be ${one} or ${other}; write it without the comma, or with a point.`);
    }
    if (/^-?\d+,\d+$/.test(typed) && !GROUPED_WHOLE.test(typed.replace(/^-+/, ""))) {
      typed = typed.replaceAll(",", ".");
    }
    typed = typed.replace(GROUPED, (found) => found.replace(/[ ,_']/g, ""));
    typed = typed.replace(/(?<=[\d)])\s*x\s*(?=[\d(])/g, "*");
    const found = value(typed);
    if (found === undefined) {
      return unreadable(text, field.kind === "integer"
        ? "is no number; write all its digits, or a formula such as 64*9 + 1."
        : "is no number; write it like 0.118, or as a fraction such as 1/9.");
    }
    if (Array.isArray(found)) return unreadable(text, "is several numbers; one is expected.");
    return isPercent && field.unit !== "%" ? Number(found) / 100 : found;
  }

  function withoutUnit(text, unit) {
    const words = [
      unit, unit.replace(/s+$/, ""), "px", "pixels", "pixel", "times", "parameters", "params",
      "parameter", "weights", "macs", "mac", "channels",
    ].filter(Boolean).sort((a, b) => b.length - a.length);
    for (const word of words) {
      if (!text.endsWith(word)) continue;
      const shorter = text.slice(0, -word.length).trimEnd();
      if (/[0-9)]$/.test(shorter)) return shorter;
    }
    return unit === "times" && /[x*]$/.test(text) ? text.slice(0, -1).trimEnd() : text;
  }

  function readShape(field, text) {
    let typed = plain(text).toLowerCase().replace(/^=+/, "").trim();
    typed = typed.replace(/^torch\.size/, "").trim();
    while (/^(\(.*\)|\[.*\])$/.test(typed)) typed = typed.slice(1, -1).trim();
    const parts = shapeParts(typed);
    const sizes = [];
    for (const [index, part] of parts.entries()) {
      const found = /^(?:[a-z_]+\s*[:=]\s*)?(.+)$/.exec(part.trim());
      const word = found ? found[1].trim() : "";
      if (index === 0 && BATCH.includes(word) && parts.length === field.answer.length + 1) continue;
      const size = value(word);
      if (!isNumber(size)) {
        return unreadable(text, "is no shape; write sizes like 64×28×28 or (64, 28, 28).");
      }
      if (!isWhole(size)) {
        return unreadable(text, `has a size of ${size}; sizes are whole numbers.`);
      }
      sizes.push(size);
    }
    return sizes.length ? sizes : unreadable(text, "has no sizes; write them like 64×28×28.");
  }

  function shapeParts(typed) {
    const times = typed.split(
      /\s*(?:\bby\b|(?<=[\d?nb])\s*x\s*(?=[\d?])|(?<!\*)\*(?!\*))\s*/);
    if (times.length > 1 && !/,(?!\d{3}(?!\d))|;/.test(typed)) {
      return times.map((part) => part.replace(/(?<=\d)[ ,](?=\d{3})/g, ""));
    }
    if (/[,;]/.test(typed)) return typed.split(/[,;]/).filter((part) => part.trim());
    return /^[\w?-]+(?: [\w?-]+)+$/.test(typed) ? typed.split(" ") : [typed];
  }

  const trimmed = (text, signs) => {
    let first = 0, last = text.length;
    while (first < last && signs.includes(text[first])) first += 1;
    while (last > first && signs.includes(text[last - 1])) last -= 1;
    return text.slice(first, last);
  };

  function readChoice(field, text) {
    const typed = plain(text).toLowerCase();
    const bare = (each) => plain(each).toLowerCase().replaceAll("`", "");
    for (const choice of field.choices) if (bare(choice.text) === bare(text)) return choice.key;
    const key = trimmed(typed, "()[]. :");
    for (const choice of field.choices) if (choice.key.toLowerCase() === key) return choice.key;
    const keys = field.choices.map((choice) => choice.key).join(", ");
    return unreadable(text, `is none of the choices; type one of ${keys}.`);
  }

  function readBoolean(text) {
    const word = trimmed(text.trim(), ".!").toLowerCase();
    if (YES.includes(word)) return true;
    return NO.includes(word) ? false : unreadable(text, "is neither; type true or false.");
  }

  function readKeys(field, text, count, repeats) {
    const keys = field.choices.map((choice) => choice.key.toLowerCase());
    const words = text.toLowerCase().replace(/\p{Nd}+\s*[-=:.)>]*\s*/gu, " ");
    let found = words.match(/[a-z]+/g) ?? [];
    if (found.length === 1 && keys.every((key) => key.length === 1)) found = [...found[0]];
    if (found.some((key) => !keys.includes(key)) || found.length !== count) {
      const example = [...keys].sort().slice(0, count).join(" ");
      return unreadable(
        text, `does not name ${count} of ${keys.join(", ")}; type it like ${example}.`);
    }
    if (!repeats && new Set(found).size < found.length) {
      return unreadable(text, "names one of them twice; each comes once.");
    }
    return found.map((key) => field.choices[keys.indexOf(key)].key);
  }

  /* One expression, without the spaces and quotes that do not matter. */
  function readCode(text) {
    let typed = trimmed(text.trim(), "`").trim();
    const pieces = typed.match(/'[^']*'|"[^"]*"|\w+|\s+|[^\w\s]/g) ?? [];
    const open = [];
    const pairs = { ")": "(", "]": "[", "}": "{" };
    const kept = [];
    for (const [index, piece] of pieces.entries()) {
      if ("([{".includes(piece)) open.push(piece);
      if (piece in pairs && open.pop() !== pairs[piece]) return noCode(typed);
      if (/^\s/.test(piece)) {
        const isBetweenWords = /\w$/.test(pieces[index - 1] ?? "") && /^\w/.test(pieces[index + 1] ?? "");
        if (isBetweenWords) kept.push(" ");
      } else {
        kept.push(/^["'].+["']$/.test(piece) ? `'${piece.slice(1, -1)}'` : piece);
      }
    }
    const bare = kept.join("");
    const isStatement = /^(import|from|return|del|raise|assert|pass|for|while|if|with|def|class)\b/;
    const assigns = /^[\w.[\]]+=[^=]/;
    if (open.length || !bare || isStatement.test(bare) || assigns.test(bare)) return noCode(typed);
    return withoutBrackets(bare);
  }
  const noCode = (text) => unreadable(text, "is no expression of Python.");
  function withoutBrackets(text) {
    if (!/^\(.*\)$/.test(text)) return text;
    let depth = 0;
    for (let position = 0; position < text.length - 1; position += 1) {
      depth += { "(": 1, ")": -1 }[text[position]] ?? 0;
      if (depth === 0) return text;
    }
    return withoutBrackets(text.slice(1, -1));
  }

  function equal(field, given, expected) {
    if (typeof given === "boolean" || typeof expected === "boolean") return given === expected;
    if (isNumber(given) && isNumber(expected)) {
      if (field.kind === "number") {
        const distance = Math.abs(Number(given) - Number(expected));
        return distance <= (field.tolerance ?? 0) * (1 + 1e-9) + 1e-12;
      }
      if (isWhole(given) || isWhole(expected)) return given === expected;
      return isClose(given, expected, 1e-9, 0.006);
    }
    if (Array.isArray(given) && Array.isArray(expected)) {
      return given.length === expected.length && given.every((part, i) => part === expected[i]);
    }
    if (field.kind === "code" && typeof given === "string" && typeof expected === "string") {
      return readCode(given) === readCode(expected);
    }
    return given === expected;
  }
  function isClose(a, b, relative, absolute = 0) {
    const size = Math.max(Math.abs(a), Math.abs(b));
    return a === b || Math.abs(a - b) <= Math.max(relative * size, absolute);
  }

  function grouped(digits) {
    return digits.replace(/^(-?\d+)/, (all) => all.replace(/\B(?=(\d{3})+$)/g, ","));
  }
  /* A half goes to the even digit, as Python writes it. */
  function fixed(number, digits) {
    const exact = Math.abs(number).toFixed(60);
    const point = exact.indexOf(".") + 1 + digits;
    if (!/^50*$/.test(exact.slice(point))) return number.toFixed(digits);
    const cut = exact.slice(0, point);
    const isOdd = Number(cut.at(-1)) % 2 === 1;
    const shown = isOdd ? Math.abs(number).toFixed(digits) : cut;
    return (number < 0 ? "-" : "") + shown;
  }
  function spell(given, unit = "") {
    if (typeof given === "boolean") return given ? "true" : "false";
    if (Array.isArray(given)) {
      return given.join(given.some((part) => typeof part === "string") ? " " : "×");
    }
    let shown = String(given);
    if (isNumber(given)) {
      shown = isWhole(given) ? BigInt(given).toString()
        : fixed(given, Math.abs(given) < 1000 ? 4 : 1).replace(/0+$/, "").replace(/\.$/, "");
      shown = grouped(shown);
    }
    return unit && unit !== "%" ? `${shown} ${unit}` : shown + unit;
  }

  return { Unreadable, read, equal, spell, isClose, isNumber, isWhole };
})();
