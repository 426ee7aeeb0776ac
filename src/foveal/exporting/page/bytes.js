// Numbers and texts out of bytes, checksums, and what was deflated.

export const at = (bytes, offset, text) =>
  [...text].every((letter, n) => bytes[offset + n] === letter.charCodeAt(0));

export const latin = (bytes, start, stop) => String.fromCharCode(...bytes.subarray(start, stop));

export const big16 = (bytes, offset) => (bytes[offset] << 8) | bytes[offset + 1];

export const big32 = (bytes, offset) => ((big16(bytes, offset) << 16) | big16(bytes, offset + 2)) >>> 0;

export const little16 = (bytes, offset) => bytes[offset] | (bytes[offset + 1] << 8);

export const little32 = (bytes, offset) =>
  (little16(bytes, offset) | (little16(bytes, offset + 2) << 16)) >>> 0;

const CRC_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** CRC-32 of ISO/IEC 15948, annex D. */
export function crc32(bytes, start, stop) {
  let value = -1;
  for (let i = start; i < stop; i++) value = CRC_TABLE[(value ^ bytes[i]) & 255] ^ (value >>> 8);
  return ~value >>> 0;
}

const PIECE_BYTES = 1 << 16;

/**
 * Inflates pieces until so many bytes are there; what follows them is not looked at.
 * Returns fewer where the data end, or are damaged, before that.
 */
export async function inflate(pieces, format, mostBytes) {
  const stream = new DecompressionStream(format);
  const output = new Uint8Array(mostBytes);
  const writer = stream.writable.getWriter();
  const reader = stream.readable.getReader();
  let filled = 0;
  const feeding = (async () => {
    for (const piece of pieces) {
      for (let start = 0; start < piece.length && filled < mostBytes; start += PIECE_BYTES) {
        await writer.ready;
        await writer.write(piece.subarray(start, start + PIECE_BYTES));
      }
    }
    await writer.close();
  })().catch(() => {});
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const room = mostBytes - filled;
      output.set(value.length > room ? value.subarray(0, room) : value, filled);
      filled += Math.min(room, value.length);
      if (filled === mostBytes) break;
    }
  } catch {
    // What was inflated before the damage is judged by who asked.
  }
  writer.abort().catch(() => {});
  reader.cancel().catch(() => {});
  await feeding;
  return output.subarray(0, filled);
}
