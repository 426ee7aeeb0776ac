// The scans of a progressive JPEG (ITU-T T.81, annex G): each brings some coefficients, or one more
// bit of them, to blocks that are kept until the last.

import { corrupt } from "./faults.js";
import { readBit, readBits, readCode, readNumber, ZIGZAG } from "./jpeg_bits.js";

/** Returns what reads one block of a scan, called with (reader, scanned component, coefficients). */
export function scanOf(first, last, before, shift) {
  if (last > 63 || first > last) throw corrupt("the JPEG data cannot be decoded");
  if (first === 0) {
    return before === 0
      ? (reader, one, block) => {
          one.last += readNumber(reader, readCode(reader, one.dc));
          block[0] = one.last * (1 << shift);
        }
      : (reader, one, block) => {
          if (readBit(reader)) block[0] |= 1 << shift;
        };
  }
  return before === 0
    ? (reader, one, block) => firstBits(reader, one.ac, block, first, last, shift)
    : (reader, one, block) => nextBit(reader, one.ac, block, first, last, 1 << shift);
}

function firstBits(reader, table, block, first, last, shift) {
  if (reader.run > 0) {
    reader.run -= 1;
    return;
  }
  for (let n = first; n <= last; n++) {
    const code = readCode(reader, table);
    const [zeros, size] = [code >> 4, code & 15];
    if (!size && zeros < 15) {
      reader.run = (1 << zeros) - 1 + readBits(reader, zeros);
      return;
    }
    n += zeros;
    if (n > 63) throw corrupt("the JPEG data cannot be decoded");
    if (size) block[ZIGZAG[n]] = readNumber(reader, size) * (1 << shift);
  }
}

/** One more bit of what is there, and what begins with this bit. */
function nextBit(reader, table, block, first, last, bit) {
  const refine = (index) => {
    const value = block[index];
    if (readBit(reader) && !(value & bit)) block[index] = value + (value >= 0 ? bit : -bit);
  };
  let n = first;
  if (reader.run === 0) {
    for (; n <= last; n++) {
      const code = readCode(reader, table);
      let zeros = code >> 4;
      let value = 0;
      if (code & 15) {
        value = readBit(reader) ? bit : -bit;
      } else if (zeros < 15) {
        reader.run = (1 << zeros) + readBits(reader, zeros);
        break;
      }
      for (; n <= last; n++) {
        const index = ZIGZAG[n];
        if (block[index]) refine(index);
        else if (--zeros < 0) break;
      }
      if (value && n <= last) block[ZIGZAG[n]] = value;
    }
  }
  if (reader.run > 0) {
    for (; n <= last; n++) if (block[ZIGZAG[n]]) refine(ZIGZAG[n]);
    reader.run -= 1;
  }
}
