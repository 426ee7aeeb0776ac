// The table as `foveal predict --out answers.csv` writes it: same columns, same spelling.

const UNSAFE = /[\p{Cc}\p{Cs}\p{Co}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu;

/** Returns text on one line; what cannot be shown becomes an escape, as in foveal.text. */
export function printable(text) {
  return text.replace(UNSAFE, (letter) => {
    const named = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }[letter];
    if (named) return named;
    const code = letter.codePointAt(0).toString(16);
    if (code.length <= 2) return `\\x${code.padStart(2, "0")}`;
    return code.length <= 4 ? `\\u${code.padStart(4, "0")}` : `\\U${code.padStart(8, "0")}`;
  });
}

/** A number as Python writes it. */
export function numberText(value) {
  if (Number.isInteger(value) && Math.abs(value) < 1e16) return `${value}.0`;
  const text = String(value);
  const [, digits, sign, power] = /^(.*)e([+-])(\d+)$/.exec(text) ?? [];
  if (power) return `${digits}e${sign}${power.padStart(2, "0")}`;
  if (Math.abs(value) >= 1e-4) return text;
  // Python turns to powers two digits earlier.
  const [mantissa, exponent] = value.toExponential().split("e-");
  return `${mantissa}e-${exponent.padStart(2, "0")}`;
}

/** Puts an apostrophe before what a spreadsheet would compute (OWASP, "CSV Injection"). */
const noFormula = (text) => (/^[=+\-@]/.test(text.trimStart()) ? `'${text}` : text);

const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

function cell(value) {
  if (value === null || value === undefined) return "";
  if (value === true) return "True";
  if (value === false) return "False";
  return typeof value === "number" ? numberText(value) : quoted(noFormula(value));
}

/** rows: of the classifier, each with its path. */
export function csvOf(rows, classNames) {
  const header = [
    "path", "label", "probability", "prediction_set", "unsure", "unlike_training", "novelty", "error",
    ...classNames.map((name) => `probability_${name}`),
  ];
  const lines = rows.map((row) => [
    printable(row.path), row.label, row.probability, row.error === null ? row.prediction_set.join("|") : null, row.unsure,
    row.unlike_training, row.novelty, row.error, ...classNames.map((_, n) => row.probabilities?.[n] ?? null),
  ]);
  return [header, ...lines].map((line) => `${line.map(cell).join(",")}\r\n`).join("");
}
