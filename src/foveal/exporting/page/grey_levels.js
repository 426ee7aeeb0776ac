// DICOM's way from stored values to what a viewer shows (PS3.3 C.11.1 and C.11.2).

import { numbersOf, TAG, textOf } from "./dicom_header.js";
import { roundEven } from "./preprocessing.js";
import { scale, stretch } from "./window.js";

const FRAME_TAGS = [
  TAG.modalityTable, TAG.slope, TAG.intercept, TAG.voiTable, TAG.centre, TAG.width, TAG.voiFunction,
];

/** Returns what the header says about showing a frame. */
export function frameRules({ elements, isLittle }, index) {
  const header = new Map(FRAME_TAGS.filter((tag) => elements.has(tag)).map((tag) => [tag, elements.get(tag)]));
  for (const [groups, position] of [[TAG.shared, 0], [TAG.perFrame, index]]) {
    const group = elements.get(groups)?.items?.[position];
    for (const macro of [TAG.valueTransformation, TAG.frameVoi]) {
      const item = group?.get(macro)?.items?.[0];
      for (const tag of FRAME_TAGS) if (item?.has(tag)) header.set(tag, item.get(tag));
    }
  }
  const isSigned = numbersOf(elements.get(TAG.isSigned), isLittle)[0] === 1;
  const decimal = (tag) => numbersOf(asDecimal(header.get(tag)), isLittle)[0];
  const rules = {
    modalityTable: tableOf(header.get(TAG.modalityTable), isLittle, false),
    slope: decimal(TAG.slope) ?? 1,
    intercept: decimal(TAG.intercept) ?? 0,
    voiTable: tableOf(header.get(TAG.voiTable), isLittle, true),
    window: windowOf(decimal(TAG.centre), decimal(TAG.width), header.get(TAG.voiFunction)),
    padding: paddingOf(elements, isLittle, isSigned),
  };
  return { ...rules, kind: kindOfFrame(elements, isLittle, isSigned, rules) };
}

/** In implicit syntax the form is not written; these are decimal texts, or doubles in a group. */
function asDecimal(element) {
  return element && element.form === "" ? { ...element, form: "DS" } : element;
}

function kindOfFrame(elements, isLittle, isSigned, { modalityTable, slope, intercept }) {
  const named = elements.has(TAG.modality) ? textOf(elements.get(TAG.modality).bytes) : "";
  const name = /^[A-Z]{2,4}$/.test(named) ? `DICOM ${named}` : "DICOM";
  if (modalityTable) return { name, bottom: Math.min(...modalityTable.entries), top: Math.max(...modalityTable.entries) };
  if (!elements.has(TAG.pixels)) return { name, bottom: 0, top: 1 };
  const bits = numbersOf(elements.get(TAG.bitsStored), isLittle)[0] || 16;
  const ends = isSigned ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1];
  const [bottom, top] = ends.map((end) => end * slope + intercept).sort((a, b) => a - b);
  return { name, bottom, top };
}

/** Returns gray values in [0, 1] for stored values. */
export function showLevels(stored, rules, window, isInverted) {
  const ignored = rules.padding
    ? Uint8Array.from(stored, (value) => (value >= rules.padding[0] && value <= rules.padding[1] ? 1 : 0))
    : null;
  const levels = toUnits(stored, rules);
  const fixed = Object.hasOwn(window.fixed, rules.kind.name) ? window.fixed[rules.kind.name] : null;
  let values;
  if (fixed) {
    values = scale(levels, fixed[0], fixed[1], rules.kind, isInverted);
  } else if (window.dicom === "header" && rules.voiTable) {
    values = Float32Array.from(levels, (level) => {
      const entry = lookUp(rules.voiTable, level);
      return isInverted ? 1 - entry : entry;
    });
  } else if (window.dicom === "header" && rules.window) {
    values = applyWindow(levels, rules.window, isInverted);
  } else {
    values = stretch(levels, window, { kind: rules.kind, ignored, isInverted });
  }
  for (let i = 0; i < values.length; i++) if (Number.isNaN(values[i]) || ignored?.[i]) values[i] = 0;
  return values;
}

function toUnits(stored, { modalityTable, slope, intercept }) {
  if (modalityTable) return Float64Array.from(stored, (value) => lookUp(modalityTable, value));
  if (slope === 1 && intercept === 0) return stored;
  const isSmall = [Uint8Array, Int8Array, Uint16Array, Int16Array].includes(stored.constructor);
  const isWhole = Number.isInteger(slope) && Number.isInteger(intercept);
  const stays = isSmall && isWhole && Math.abs(slope) * 65536 + Math.abs(intercept) < 2 ** 31;
  return (stays ? Int32Array : Float64Array).from(stored, (value) => value * slope + intercept);
}

const lookUp = ({ first, entries }, value) =>
  entries[Math.min(entries.length - 1, Math.max(0, roundEven(value) - first))];

function applyWindow(levels, { centre, width, form }, isInverted) {
  const sign = isInverted ? -1 : 1;
  const output = new Float32Array(levels.length);
  const isLinear = form === "LINEAR";
  const [middle, range] = isLinear ? [centre - 0.5, width - 1] : [centre, width];
  for (let i = 0; i < levels.length; i++) {
    const distance = sign * (levels[i] - middle);
    if (form === "SIGMOID") {
      output[i] = 1 / (1 + Math.exp(Math.min(700, Math.max(-700, (-4 * sign * (levels[i] - centre)) / width))));
    } else if (range === 0) {
      output[i] = distance > 0 ? 1 : 0;
    } else {
      output[i] = Math.min(1, Math.max(0, distance / range + 0.5));
    }
  }
  return output;
}

function windowOf(centre, width, named) {
  if (centre === undefined || width === undefined) return null;
  const said = named ? textOf(named.bytes) : "LINEAR";
  const form = ["SIGMOID", "LINEAR_EXACT"].includes(said) ? said : "LINEAR";
  return (form === "LINEAR" ? width >= 1 : width > 0) ? { centre, width, form } : null;
}

function tableOf(sequence, isLittle, asFractions) {
  const item = sequence?.items?.[0];
  if (!item) return null;
  const [, first, bits] = numbersOf(item.get(TAG.tableDescriptor), isLittle, item.get(TAG.tableDescriptor)?.form === "SS");
  const entries = numbersOf({ ...item.get(TAG.tableData), form: "US" }, isLittle);
  const top = asFractions ? 2 ** bits - 1 : 1;
  return { first, entries: Float64Array.from(entries, (entry) => entry / top) };
}

function paddingOf(elements, isLittle, isSigned) {
  const [value] = numbersOf(elements.get(TAG.padding), isLittle, isSigned);
  if (value === undefined) return null;
  const [limit] = numbersOf(elements.get(TAG.paddingLimit), isLittle, isSigned);
  return [Math.min(value, limit ?? value), Math.max(value, limit ?? value)];
}
