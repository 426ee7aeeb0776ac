// DICOM's run-length coding (PS3.5, annex G): a plane for each byte of a sample, the highest first.

import { little32 } from "./bytes.js";
import { corrupt, truncated } from "./faults.js";

const HEADER_BYTES = 64;

/** Returns one frame [pixels, samples] of little-endian bytes. */
export function decodeRle(bytes, numPixels, numSamples, bytesASample) {
  const count = little32(bytes, 0);
  if (bytes.length < HEADER_BYTES || count !== numSamples * bytesASample) {
    throw corrupt("the compressed DICOM pixels cannot be decoded");
  }
  const output = new Uint8Array(numPixels * count);
  for (let segment = 0; segment < count; segment++) {
    const start = little32(bytes, 4 + 4 * segment);
    const stop = segment + 1 < count ? little32(bytes, 8 + 4 * segment) : bytes.length;
    const [sample, rank] = [Math.floor(segment / bytesASample), segment % bytesASample];
    const first = sample * bytesASample + (bytesASample - 1 - rank);
    unpack(bytes.subarray(start, stop), output, first, count, numPixels);
  }
  return output;
}

function unpack(packed, output, first, step, count) {
  let [offset, to, left] = [0, first, count];
  while (left > 0) {
    if (offset >= packed.length) throw truncated("the DICOM pixels end before the image does");
    const head = packed[offset++];
    if (head === 128) continue;
    const isRun = head > 128;
    for (let n = isRun ? 257 - head : head + 1; n > 0 && left > 0; n--, left--, to += step) {
      output[to] = packed[offset];
      if (!isRun) offset += 1;
    }
    if (isRun) offset += 1;
  }
}
