// JPEG of eight bits by Huffman codes, sequential or progressive (ITU-T T.81), to the last bit as the common
// decoder gives it, whole or reduced to a half, a quarter or an eighth. What browsers give differs
// from one to the next, and none of them reduces.

import { at, big16 } from "./bytes.js";
import { INVERSES } from "./cosine.js";
import { corrupt, notHere, truncated } from "./faults.js";
import { readCode, readNumber, restart, ZIGZAG } from "./jpeg_bits.js";
import { interleave, widened } from "./jpeg_colour.js";
import { scanOf } from "./jpeg_progressive.js";

/** Returns {width, height, channels, data}: luma alone, or three components as they are stored. */
export function decodeHuffman(bytes, reduction = 1) {
  const jpeg = { tables: [], dc: [], ac: [], interval: 0, components: [], least: 8 / reduction };
  if (!at(bytes, 0, "\xff\xd8")) throw corrupt("the JPEG data cannot be decoded");
  let offset = 2;
  for (;;) {
    while (bytes[offset] === 0xff && bytes[offset + 1] === 0xff) offset += 1;
    if (bytes[offset] === 0xff && bytes[offset + 1] === 0xd9) break;
    if (offset + 4 > bytes.length) throw truncated("a JPEG that ends before its image");
    if (bytes[offset] !== 0xff) throw corrupt("the JPEG data cannot be decoded");
    const marker = bytes[offset + 1];
    const stop = offset + 2 + big16(bytes, offset + 2);
    const body = bytes.subarray(offset + 4, stop);
    if (marker === 0xdb) readQuantisation(jpeg, body);
    else if (marker === 0xc4) readHuffman(jpeg, body);
    else if (marker >= 0xc0 && marker <= 0xc2) readFrame(jpeg, body, marker === 0xc2);
    else if (marker >= 0xc3 && marker <= 0xcf && marker !== 0xc8 && marker !== 0xcc) {
      throw notHere("a JPEG of an unusual kind");
    } else if (marker === 0xdd) jpeg.interval = big16(body, 0);
    else if (marker === 0xee && at(body, 0, "Adobe")) jpeg.adobeTransform = body[11];
    offset = stop;
    if (marker === 0xda) offset = afterScan(bytes, readScan(jpeg, body, bytes, stop));
    if (!jpeg.isProgressive && jpeg.components.length && jpeg.components.every((one) => one.isDone)) break;
  }
  if (!jpeg.components.length || !jpeg.components.every((one) => one.isDone)) {
    throw truncated("a JPEG that ends before its image");
  }
  if (jpeg.isProgressive) jpeg.components.forEach((one) => invertAll(one, jpeg.tables[one.table]));
  return assemble(jpeg);
}

function readQuantisation(jpeg, body) {
  for (let offset = 0; offset < body.length;) {
    const wide = body[offset] >> 4;
    const table = new Int32Array(64);
    const id = body[offset++] & 15;
    for (let n = 0; n < 64; n++, offset += wide ? 2 : 1) table[ZIGZAG[n]] = wide ? big16(body, offset) : body[offset];
    jpeg.tables[id] = table;
  }
}

function readHuffman(jpeg, body) {
  for (let offset = 0; offset < body.length;) {
    const target = body[offset] >> 4 ? jpeg.ac : jpeg.dc;
    const id = body[offset] & 15;
    const counts = body.subarray(offset + 1, offset + 17);
    offset += 17;
    const total = counts.reduce((sum, count) => sum + count, 0);
    // Canonical codes: by length, the first code, and where its values begin.
    const table = { least: new Int32Array(18), most: new Int32Array(18).fill(-1), shift: new Int32Array(18), values: body.subarray(offset, offset + total) };
    for (let length = 1, code = 0, n = 0; length <= 16; length++, code <<= 1) {
      table.shift[length] = n - code;
      if (counts[length - 1]) {
        code += counts[length - 1];
        n += counts[length - 1];
        table.most[length] = code - 1;
      }
    }
    target[id] = table;
    offset += total;
  }
}

function readFrame(jpeg, body, isProgressive) {
  jpeg.isProgressive = isProgressive;
  if (body[0] !== 8) throw notHere("a JPEG of more than 8 bits");
  [jpeg.height, jpeg.width] = [big16(body, 1), big16(body, 3)];
  for (let n = 0; n < body[5]; n++) {
    const offset = 6 + 3 * n;
    jpeg.components.push({
      id: body[offset], across: body[offset + 1] >> 4, down: body[offset + 1] & 15, table: body[offset + 2], isDone: false,
    });
  }
  if (!jpeg.width || !jpeg.height || ![1, 3].includes(jpeg.components.length)) {
    throw corrupt("the JPEG data cannot be decoded");
  }
  const most = (key) => Math.max(...jpeg.components.map((one) => one[key]));
  [jpeg.across, jpeg.down] = [most("across"), most("down")];
  jpeg.unitsAcross = Math.ceil(jpeg.width / (8 * jpeg.across));
  jpeg.unitsDown = Math.ceil(jpeg.height / (8 * jpeg.down));
  for (const one of jpeg.components) {
    one.size = sizeOf(one, jpeg);
    one.invert = INVERSES[one.size];
    one.width = Math.ceil((jpeg.width * one.across * one.size) / (jpeg.across * 8));
    one.height = Math.ceil((jpeg.height * one.down * one.size) / (jpeg.down * 8));
    one.stride = jpeg.unitsAcross * one.across * one.size;
    one.plane = new Uint8Array(one.stride * jpeg.unitsDown * one.down * one.size);
    if (isProgressive) one.coefficients = new Int16Array((one.plane.length / one.size ** 2) * 64);
  }
}

/** A component that is stored smaller is reduced less, so that it need not be widened. */
function sizeOf({ across, down }, jpeg) {
  let size = jpeg.least;
  const fits = (most, own) => (most * jpeg.least) % (own * size * 2) === 0;
  while (size < 8 && fits(jpeg.across, across) && fits(jpeg.down, down)) size *= 2;
  return size;
}

function readScan(jpeg, body, bytes, start) {
  const scanned = [];
  for (let n = 0; n < body[0]; n++) {
    const component = jpeg.components.find((one) => one.id === body[1 + 2 * n]);
    if (!component) throw corrupt("the JPEG data cannot be decoded");
    scanned.push({ component, dc: jpeg.dc[body[2 + 2 * n] >> 4], ac: jpeg.ac[body[2 + 2 * n] & 15], last: 0 });
  }
  const reader = { bytes, offset: start, bits: 0, numBits: 0, run: 0 };
  const [first, last, bits] = body.subarray(1 + 2 * body[0]);
  const scan = jpeg.isProgressive ? scanOf(first, last, bits >> 4, bits & 15) : null;
  const isSingle = scanned.length === 1;
  const [only] = scanned;
  const columns = isSingle ? Math.ceil(only.component.width / only.component.size) : jpeg.unitsAcross;
  const rows = isSingle ? Math.ceil(only.component.height / only.component.size) : jpeg.unitsDown;
  for (let unit = 0; unit < columns * rows; unit++) {
    if (jpeg.interval && unit && unit % jpeg.interval === 0) restart(reader, scanned);
    const [row, column] = [Math.floor(unit / columns), unit % columns];
    for (const one of scanned) {
      const [across, down] = isSingle ? [1, 1] : [one.component.across, one.component.down];
      for (let y = 0; y < down; y++) {
        for (let x = 0; x < across; x++) {
          const position = [row * down + y, column * across + x];
          if (scan) scan(reader, one, coefficientsAt(one.component, ...position));
          else readBlock(reader, one, jpeg.tables[one.component.table], ...position);
        }
      }
    }
  }
  for (const one of scanned) one.component.isDone = true;
  return reader.offset;
}

const block = new Int32Array(64);

function readBlock(reader, one, table, row, column) {
  if (!table) throw corrupt("the JPEG data cannot be decoded");
  block.fill(0);
  one.last += readNumber(reader, readCode(reader, one.dc));
  block[0] = one.last * table[0];
  for (let n = 1; n < 64; n++) {
    const code = readCode(reader, one.ac);
    const size = code & 15;
    if (!size) {
      if (code !== 0xf0) break;
      n += 15;
      continue;
    }
    n += code >> 4;
    if (n > 63) throw corrupt("the JPEG data cannot be decoded");
    block[ZIGZAG[n]] = readNumber(reader, size) * table[ZIGZAG[n]];
  }
  const { plane, stride, size, invert } = one.component;
  invert(block, plane, (row * stride + column) * size, stride);
}

function coefficientsAt({ coefficients, stride, size }, row, column) {
  const start = ((row * stride) / size + column) * 64;
  return coefficients.subarray(start, start + 64);
}

function invertAll(component, table) {
  if (!table) throw corrupt("the JPEG data cannot be decoded");
  const { plane, stride, size, invert } = component;
  const across = stride / size;
  for (let n = 0; n < plane.length / size ** 2; n++) {
    const [row, column] = [Math.floor(n / across), n % across];
    const own = coefficientsAt(component, row, column);
    for (let i = 0; i < 64; i++) block[i] = own[i] * table[i];
    invert(block, plane, (row * stride + column) * size, stride);
  }
}

/** Where the next marker stands; what pads the scan is skipped. */
function afterScan(bytes, start) {
  let offset = start;
  const isMarker = (next) => next !== 0 && !(next >= 0xd0 && next <= 0xd7);
  while (offset + 1 < bytes.length && !(bytes[offset] === 0xff && isMarker(bytes[offset + 1]))) offset += 1;
  return offset;
}

/** Puts the components together, at the reduced size. */
function assemble({ width, height, across, down, least, components, adobeTransform }) {
  const planes = components.map((one) =>
    widened(one, (across * least) / (one.across * one.size), (down * least) / (one.down * one.size), least > 1),
  );
  if (planes.includes(null)) throw notHere("a JPEG with an unusual arrangement of colours");
  const [shownWidth, shownHeight] = [width, height].map((side) => Math.ceil((side * least) / 8));
  return {
    width: shownWidth, height: shownHeight, channels: planes.length,
    data: interleave(planes, shownWidth, shownHeight), adobeTransform,
  };
}
