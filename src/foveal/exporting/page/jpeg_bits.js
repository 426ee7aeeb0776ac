// The coded data of a JPEG bit by bit (ITU-T T.81, annex F): codes, numbers and restarts.

import { corrupt, truncated } from "./faults.js";

/** Where the n-th coefficient of the coded order stands in a block. */
export const ZIGZAG = zigzag();

function zigzag() {
  const order = [];
  for (let sum = 0; sum < 15; sum++) {
    const along = [];
    for (let row = 0; row < 8; row++) if (sum - row >= 0 && sum - row < 8) along.push(row * 8 + sum - row);
    order.push(...(sum % 2 ? along : along.reverse()));
  }
  return Uint8Array.from(order);
}

/** Goes on behind the next restart marker. */
export function restart(reader, scanned) {
  reader.bits = reader.numBits = reader.run = 0;
  const { bytes } = reader;
  while (reader.offset + 1 < bytes.length && !(bytes[reader.offset] === 0xff && bytes[reader.offset + 1] >= 0xd0 && bytes[reader.offset + 1] <= 0xd7)) {
    reader.offset += 1;
  }
  reader.offset += 2;
  for (const one of scanned) one.last = 0;
}

export function readBit(reader) {
  if (!reader.numBits) {
    const { bytes } = reader;
    if (reader.offset >= bytes.length) throw truncated("a JPEG that ends before its image");
    const byte = bytes[reader.offset];
    if (byte === 0xff) {
      if (bytes[reader.offset + 1] !== 0) throw truncated("a JPEG that ends before its image");
      reader.offset += 1;
    }
    reader.offset += 1;
    [reader.bits, reader.numBits] = [byte, 8];
  }
  reader.numBits -= 1;
  return (reader.bits >> reader.numBits) & 1;
}

export function readCode(reader, table) {
  if (!table) throw corrupt("the JPEG data cannot be decoded");
  for (let length = 1, code = 0; length <= 16; length++) {
    code = (code << 1) | readBit(reader);
    if (code <= table.most[length]) return table.values[code + table.shift[length]];
  }
  throw corrupt("the JPEG data cannot be decoded");
}

export function readBits(reader, numBits) {
  let value = 0;
  for (let n = 0; n < numBits; n++) value = (value << 1) | readBit(reader);
  return value;
}

/** A signed number of so many bits (T.81, F.2.2.1). */
export function readNumber(reader, numBits) {
  const value = readBits(reader, numBits);
  return numBits && value < 1 << (numBits - 1) ? value - (1 << numBits) + 1 : value;
}
