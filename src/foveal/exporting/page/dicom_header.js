// A DICOM data set by its elements (PS3.5): tags, values, sequences. No word of it is ever shown.

import { at, inflate, latin } from "./bytes.js";
import { corrupt, notHere, tooLarge, truncated } from "./faults.js";

const LONG_FORMS = ["OB", "OW", "OF", "OD", "OL", "OV", "SQ", "UN", "UT", "UC", "UR", "SV", "UV"];
const UNDEFINED = 0xffffffff;
const ITEM = 0xfffee000;
const ITEM_END = 0xfffee00d;
const SEQUENCE_END = 0xfffee0dd;
const MOST_INFLATED_BYTES = 128 << 20;

export const SYNTAX = {
  implicit: "1.2.840.10008.1.2",
  little: "1.2.840.10008.1.2.1",
  deflated: "1.2.840.10008.1.2.1.99",
  big: "1.2.840.10008.1.2.2",
  jpegBaseline: "1.2.840.10008.1.2.4.50",
  rle: "1.2.840.10008.1.2.5",
};
const NATIVE = [SYNTAX.implicit, SYNTAX.little, SYNTAX.deflated, SYNTAX.big];
const COMPRESSIONS = [
  ["1.2.840.10008.1.2.4.51", "12-bit JPEG"], ["1.2.840.10008.1.2.4.57", "lossless JPEG"],
  ["1.2.840.10008.1.2.4.70", "lossless JPEG"], ["1.2.840.10008.1.2.4.80", "JPEG-LS"],
  ["1.2.840.10008.1.2.4.81", "JPEG-LS"], ["1.2.840.10008.1.2.4.90", "JPEG 2000"],
  ["1.2.840.10008.1.2.4.91", "JPEG 2000"], ["1.2.840.10008.1.2.4.201", "JPEG 2000"],
  ["1.2.840.10008.1.2.4.202", "JPEG 2000"], ["1.2.840.10008.1.2.4.203", "JPEG 2000"],
];

// Sequences that are read; in implicit syntax nothing but a list tells what is one.
export const TAG = {
  modality: 0x00080060, samples: 0x00280002, photometric: 0x00280004, planar: 0x00280006, frames: 0x00280008,
  rows: 0x00280010, columns: 0x00280011, bitsAllocated: 0x00280100, bitsStored: 0x00280101,
  isSigned: 0x00280103, padding: 0x00280120, paddingLimit: 0x00280121, centre: 0x00281050, width: 0x00281051,
  intercept: 0x00281052, slope: 0x00281053, voiFunction: 0x00281056, modalityTable: 0x00283000,
  tableDescriptor: 0x00283002, tableData: 0x00283006, voiTable: 0x00283010, shared: 0x52009229,
  perFrame: 0x52009230, valueTransformation: 0x00289145, frameVoi: 0x00289132, pixels: 0x7fe00010,
  floatPixels: 0x7fe00008, doublePixels: 0x7fe00009,
};
const SEQUENCES = [
  TAG.modalityTable, TAG.voiTable, TAG.shared, TAG.perFrame, TAG.valueTransformation, TAG.frameVoi,
];

/** Returns {elements, syntax, isLittle}: elements by tag, each {form, bytes} or {items} or {fragments}. */
export async function readDataSet(file) {
  const meta = readMeta(file);
  const syntax = meta.syntax ?? (meta.end ? SYNTAX.little : guessedSyntax(file));
  const compression = COMPRESSIONS.find(([uid]) => uid === syntax);
  if (compression) throw notHere(`a DICOM file compressed as ${compression[1]}`);
  if (!NATIVE.includes(syntax) && ![SYNTAX.jpegBaseline, SYNTAX.rle].includes(syntax)) {
    throw notHere("a DICOM file whose pixels are compressed as video or in an unknown way");
  }
  let body = file.subarray(meta.end);
  if (syntax === SYNTAX.deflated) {
    body = await inflate([body], "deflate-raw", MOST_INFLATED_BYTES);
    if (body.length === MOST_INFLATED_BYTES) throw tooLarge("the deflated DICOM data exceed what is allowed");
  }
  const reader = { bytes: body, isImplicit: syntax === SYNTAX.implicit, isLittle: syntax !== SYNTAX.big };
  reader.view = new DataView(body.buffer, body.byteOffset, body.length);
  try {
    return { elements: readElements(reader, 0, body.length).elements, syntax, isLittle: reader.isLittle };
  } catch (error) {
    if (error instanceof RangeError) throw truncated("the DICOM header ends early or is damaged");
    throw error;
  }
}

function readMeta(file) {
  let offset = at(file, 128, "DICM") ? 132 : 0;
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  let syntax = null;
  try {
    while (offset + 8 <= file.length && view.getUint16(offset, true) === 2) {
      const tag = view.getUint16(offset + 2, true);
      const isLong = LONG_FORMS.includes(latin(file, offset + 4, offset + 6));
      const start = offset + (isLong ? 12 : 8);
      const length = isLong ? view.getUint32(offset + 8, true) : view.getUint16(offset + 6, true);
      if (tag === 0x0010) syntax = textOf(file.subarray(start, start + length));
      offset = start + length;
    }
  } catch {
    throw truncated("the DICOM header ends early or is damaged");
  }
  return { syntax, end: offset };
}

const guessedSyntax = (file) => (/^[A-Z]{2}$/.test(latin(file, 4, 6)) ? SYNTAX.little : SYNTAX.implicit);

function readElements(reader, start, stop) {
  const { view, isLittle } = reader;
  const elements = new Map();
  let offset = start;
  while (offset < stop) {
    const tag = ((view.getUint16(offset, isLittle) << 16) | view.getUint16(offset + 2, isLittle)) >>> 0;
    if (tag === ITEM_END || tag === SEQUENCE_END) return { elements, offset: offset + 8 };
    let form = "";
    let length;
    if (reader.isImplicit) {
      length = view.getUint32(offset + 4, isLittle);
      offset += 8;
    } else {
      form = latin(reader.bytes, offset + 4, offset + 6);
      const isLong = LONG_FORMS.includes(form);
      length = isLong ? view.getUint32(offset + 8, isLittle) : view.getUint16(offset + 6, isLittle);
      offset += isLong ? 12 : 8;
    }
    const isPixels = tag === TAG.pixels;
    if (isPixels && length === UNDEFINED) {
      const read = readFragments(reader, offset);
      elements.set(tag, { form, fragments: read.fragments });
      offset = read.offset;
    } else if (form === "SQ" || length === UNDEFINED || (reader.isImplicit && SEQUENCES.includes(tag))) {
      const read = readItems(reader, offset, length === UNDEFINED ? stop : offset + length, length === UNDEFINED);
      elements.set(tag, { form: "SQ", items: read.items });
      offset = read.offset;
    } else {
      if (offset + length > stop && !isPixels) throw truncated("the DICOM header ends early or is damaged");
      elements.set(tag, { form, bytes: reader.bytes.subarray(offset, offset + length) });
      offset += length;
    }
  }
  return { elements, offset };
}

function readItems(reader, start, stop, isOpen) {
  const items = [];
  let offset = start;
  while (offset < stop) {
    const tag = ((reader.view.getUint16(offset, reader.isLittle) << 16) | reader.view.getUint16(offset + 2, reader.isLittle)) >>> 0;
    const length = reader.view.getUint32(offset + 4, reader.isLittle);
    offset += 8;
    if (tag === SEQUENCE_END) return { items, offset };
    if (tag !== ITEM) throw truncated("the DICOM header ends early or is damaged");
    const end = length === UNDEFINED ? stop : offset + length;
    const read = readElements(reader, offset, end);
    items.push(read.elements);
    offset = length === UNDEFINED ? read.offset : end;
  }
  return { items, offset: isOpen ? offset : stop };
}

function readFragments(reader, start) {
  const fragments = [];
  let offset = start;
  for (;;) {
    if (offset + 8 > reader.bytes.length) return { fragments, offset: reader.bytes.length };
    const tag = ((reader.view.getUint16(offset, true) << 16) | reader.view.getUint16(offset + 2, true)) >>> 0;
    const length = reader.view.getUint32(offset + 4, true);
    offset += 8;
    if (tag !== ITEM) return { fragments, offset };
    fragments.push(reader.bytes.subarray(offset, offset + length));
    offset += length;
  }
}

export const textOf = (bytes) => latin(bytes, 0, bytes.length).replace(/[\0 ]+$/, "").trim();

/** Returns the numbers of an element: binary words, or decimal text with backslashes. */
export function numbersOf(element, isLittle, isSigned = false) {
  if (!element?.bytes?.length) return [];
  const { bytes, form } = element;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (["DS", "IS"].includes(form)) return textOf(bytes).split("\\").filter((part) => part.trim()).map(Number);
  const read = { FL: ["getFloat32", 4], FD: ["getFloat64", 8], SS: ["getInt16", 2], SL: ["getInt32", 4], UL: ["getUint32", 4] }[form]
    ?? [isSigned ? "getInt16" : "getUint16", 2];
  const numbers = [];
  for (let offset = 0; offset + read[1] <= bytes.length; offset += read[1]) numbers.push(view[read[0]](offset, isLittle));
  if (!numbers.length) throw corrupt("the DICOM values contradict each other");
  return numbers;
}
