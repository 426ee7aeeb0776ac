// DICOM files become pixels: uncompressed, deflated, RLE and baseline JPEG; gray, colour, palettes.

import { at } from "./bytes.js";
import { numbersOf, readDataSet, SYNTAX, TAG, textOf } from "./dicom_header.js";
import { corrupt, ImageError, notHere, requireAffordable, requireSize, truncated, unsupported } from "./faults.js";
import { frameRules, showLevels } from "./grey_levels.js";
import { decodeHuffman } from "./jpeg.js";
import { decodeRle } from "./rle.js";
import { stretch } from "./window.js";

const BYTES_A_PIXEL = 20;
const GRAY = ["MONOCHROME1", "MONOCHROME2"];
const COLOUR = ["RGB", "YBR_FULL", "YBR_FULL_422"];
const PALETTE = "PALETTE COLOR";
const PALETTE_TAGS = [0x00281101, 0x00281102, 0x00281103].map((tag) => [tag, tag + 0x100]);

/** Returns {width, height, channels, data}: Float32Array in [0, 1] of gray, or colours. */
export async function decodeDicom(bytes, settings) {
  const dataSet = await readDataSet(bytes);
  const { elements, isLittle } = dataSet;
  const number = (tag) => numbersOf(elements.get(tag), isLittle)[0];
  const form = [TAG.pixels, TAG.floatPixels, TAG.doublePixels].find((tag) => elements.has(tag));
  if (form === undefined && elements.has(TAG.rows)) {
    throw truncated("the DICOM header announces an image that is not there");
  }
  if (form === undefined) {
    throw new ImageError("this is a DICOM file without an image (a report, plan or directory)", "not_an_image");
  }
  const header = {
    form,
    height: number(TAG.rows) ?? 0,
    width: number(TAG.columns) ?? 0,
    samples: number(TAG.samples) ?? 1,
    bits: number(TAG.bitsAllocated) ?? 0,
    bitsStored: number(TAG.bitsStored) ?? 16,
    isSigned: number(TAG.isSigned) === 1,
    isPlanar: number(TAG.planar) === 1,
    photometric: elements.has(TAG.photometric) ? textOf(elements.get(TAG.photometric).bytes) : "",
    numFrames: framesOf(elements.get(TAG.frames)),
  };
  requireSize(header.width, header.height, settings.max_pixels);
  requireAffordable(header.width * header.height * BYTES_A_PIXEL);
  if (![...GRAY, ...COLOUR, PALETTE].includes(header.photometric)) {
    throw unsupported("a DICOM image of an unknown photometric interpretation");
  }
  const index = settings.frame === "middle"
    ? Math.floor(header.numFrames / 2)
    : Math.min(settings.frame, header.numFrames) - 1;
  const { width, height } = header;
  const stored = FRAMES[dataSet.syntax]?.(dataSet, header, index) ?? nativeFrame(dataSet, header, index);
  if (GRAY.includes(header.photometric)) {
    const rules = frameRules(dataSet, index);
    const data = showLevels(stored, rules, settings.window, header.photometric === "MONOCHROME1");
    return { width, height, channels: 1, data };
  }
  return { width, height, channels: 3, data: colours(stored, dataSet, header, settings.window) };
}

function framesOf(element) {
  if (!element) return 1;
  return Math.max(1, Math.trunc(Number(textOf(element.bytes).split("\\")[0])) || 1);
}

function typeOf({ form, bits, isSigned }) {
  if (form === TAG.floatPixels) return Float32Array;
  if (form === TAG.doublePixels) return Float64Array;
  const types = isSigned ? { 8: Int8Array, 16: Int16Array, 32: Int32Array } : { 8: Uint8Array, 16: Uint16Array, 32: Uint32Array };
  if (!types[bits]) throw notHere(`a DICOM file of ${bits} bits a sample`);
  return types[bits];
}

/** Returns one frame as stored, colours interleaved. */
function nativeFrame({ elements, isLittle }, header, index) {
  const { width, height, samples } = header;
  const Type = typeOf(header);
  const element = elements.get(header.form);
  const isSubsampled = header.photometric === "YBR_FULL_422";
  const numSamples = isSubsampled ? 2 * width * height : width * height * samples;
  const size = Type.BYTES_PER_ELEMENT;
  const whole = element.bytes ?? new Uint8Array(0);
  if (whole.length < numSamples * size * header.numFrames) throw truncated("the DICOM pixels end before the image does");
  if (!isLittle && size === 1 && element.form === "OW") throw notHere("a DICOM file of 8 bits in big-endian words");
  const view = new DataView(whole.buffer, whole.byteOffset + index * numSamples * size, numSamples * size);
  const stored = new Type(numSamples);
  const reading = `get${Type.name.replace("Array", "")}`;
  for (let i = 0; i < numSamples; i++) stored[i] = view[reading](i * size, isLittle);
  if (isSubsampled) return fromSubsampled(stored, width * height);
  return samples === 3 && header.isPlanar ? interleaved(stored, width * height) : stored;
}

function interleaved(planes, numPixels) {
  const output = new planes.constructor(planes.length);
  for (let i = 0, to = 0; i < numPixels; i++) {
    for (let channel = 0; channel < 3; channel++) output[to++] = planes[channel * numPixels + i];
  }
  return output;
}

/** Y Y Cb Cr become two pixels with the same colour. */
function fromSubsampled(stored, numPixels) {
  const output = new stored.constructor(numPixels * 3);
  for (let from = 0, to = 0; from < stored.length; from += 4) {
    for (const luma of [0, 1]) {
      output[to++] = stored[from + luma];
      output[to++] = stored[from + 2];
      output[to++] = stored[from + 3];
    }
  }
  return output;
}

const FRAMES = { [SYNTAX.jpegBaseline]: jpegFrame, [SYNTAX.rle]: rleFrame };

function jpegFrame({ elements }, header, index) {
  const found = decodeHuffman(frameBytes(elements, header.numFrames, index));
  if (found.width !== header.width || found.height !== header.height || found.channels !== header.samples) {
    throw corrupt("the DICOM values contradict each other");
  }
  if (found.adobeTransform !== undefined && found.channels === 3) {
    throw notHere("a DICOM colour JPEG with an Adobe marker");
  }
  return header.isSigned ? Int8Array.from(found.data) : found.data;
}

function rleFrame({ elements }, header, index) {
  const Type = typeOf(header);
  const numPixels = header.width * header.height;
  const bytes = frameBytes(elements, header.numFrames, index);
  return new Type(decodeRle(bytes, numPixels, header.samples, Type.BYTES_PER_ELEMENT).buffer);
}

function frameBytes(elements, numFrames, index) {
  const [, ...fragments] = elements.get(TAG.pixels).fragments ?? [];
  if (!fragments.length) throw truncated("the DICOM pixels end before the image does");
  if (numFrames === 1) return joined(fragments);
  if (fragments.length === numFrames) return fragments[index];
  // Each frame begins with a fragment that begins with a JPEG's first marker.
  const starts = fragments.flatMap((one, n) => (at(one, 0, "\xff\xd8") ? [n] : []));
  if (starts.length !== numFrames) throw corrupt("the compressed DICOM pixels cannot be decoded");
  return joined(fragments.slice(starts[index], starts[index + 1]));
}

function joined(parts) {
  const output = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    output.set(part, offset);
    offset += part.length;
  }
  return output;
}

function colours(stored, dataSet, header, window) {
  if (header.photometric === PALETTE) return fromPalette(stored, dataSet);
  if (header.samples !== 3) throw corrupt("the DICOM values contradict each other");
  const isYbr = header.photometric.startsWith("YBR");
  if (header.bits === 8) return isYbr ? fromYbr(stored) : Uint8Array.from(stored);
  if (isYbr) throw notHere("a DICOM image in YBR of more than 8 bits");
  const kind = { name: "DICOM colour", bottom: 0, top: 2 ** header.bitsStored - 1 };
  return stretch(stored, window, { kind, channels: 3 });
}

/** ITU-T T.871, section 7, in single precision as pydicom computes it. */
function fromYbr(stored) {
  const f = Math.fround;
  const toGreen = [f((-0.114 * 1.772) / 0.587), f((-0.299 * 1.402) / 0.587)];
  const [toBlue, toRed] = [f(1.772), f(1.402)];
  const byte = (value) => Math.min(255, Math.max(0, Math.floor(f(f(value) + 0.5))));
  const output = new Uint8Array(stored.length);
  for (let i = 0; i < stored.length; i += 3) {
    const [y, b, r] = [stored[i], stored[i + 1] - 128, stored[i + 2] - 128];
    output[i] = byte(y + f(toRed * r));
    output[i + 1] = byte(f(y + f(toGreen[0] * b)) + f(toGreen[1] * r));
    output[i + 2] = byte(y + f(toBlue * b));
  }
  return output;
}

function fromPalette(stored, { elements, isLittle }) {
  const tables = PALETTE_TAGS.map(([descriptor, data]) => {
    if (!elements.has(descriptor) || !elements.has(data)) throw notHere("a DICOM palette in segments");
    const [length, first, bits] = numbersOf({ ...elements.get(descriptor), form: "US" }, isLittle);
    const words = numbersOf({ ...elements.get(data), form: "US" }, isLittle);
    const count = length || 65536;
    let entries = words;
    if (bits === 8 && words.length < count) entries = words.flatMap((word) => [word & 255, word >> 8]);
    return { first, entries: entries.slice(0, count).map((entry) => (bits === 16 ? entry >> 8 : entry)) };
  });
  const output = new Uint8Array(stored.length * 3);
  for (let i = 0, to = 0; i < stored.length; i++) {
    for (const { first, entries } of tables) {
      output[to++] = entries[Math.min(entries.length - 1, Math.max(0, stored[i] - first))];
    }
  }
  return output;
}
