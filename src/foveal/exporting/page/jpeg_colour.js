// The planes of a JPEG put together: widened to one size, and YCbCr turned into RGB.

const HALF = 1 << 15;
const parts = (value) => Math.round(value * 65536);
const TO_RED = parts(1.402);
const TO_BLUE = parts(1.772);
const [BLUE_TO_GREEN, RED_TO_GREEN] = [parts(0.34414), parts(0.71414)];

const clipped = (level) => (level < 0 ? 0 : level > 255 ? 255 : level);

/** Returns interleaved samples [height, width, planes]. */
export function interleave(planes, width, height) {
  const data = new Uint8Array(width * height * planes.length);
  for (let row = 0, to = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      for (const { plane, stride } of planes) data[to++] = plane[row * stride + column];
    }
  }
  return data;
}

/** ITU-T T.871 with 16 fractional bits, in place. */
export function toRgb(data) {
  for (let i = 0; i < data.length; i += 3) {
    const [y, blue, red] = [data[i], data[i + 1] - 128, data[i + 2] - 128];
    data[i] = clipped(y + ((TO_RED * red + HALF) >> 16));
    data[i + 1] = clipped(y + ((HALF - BLUE_TO_GREEN * blue - RED_TO_GREEN * red) >> 16));
    data[i + 2] = clipped(y + ((TO_BLUE * blue + HALF) >> 16));
  }
  return data;
}

/**
 * Returns a plane at the image's size: 3/4 of the nearer and 1/4 of the further sample, or,
 * where isSmooth is false, each sample twice. null for arrangements that are not known.
 */
export function widened({ plane, stride, width, height }, across, down, isSmooth) {
  if (across === 1 && down === 1) return { plane, stride };
  if (across !== 2 || (down !== 1 && down !== 2)) return null;
  const wide = 2 * width;
  const output = new Uint8Array(wide * height * down);
  const smooth = isSmooth && width > 2;
  const sums = new Int32Array(width);
  for (let row = 0, to = 0; row < height * down; row++, to += wide) {
    const near = (down === 2 ? row >> 1 : row) * stride;
    if (!smooth) {
      for (let n = 0; n < wide; n++) output[to + n] = plane[near + (n >> 1)];
      continue;
    }
    const far = down === 2 ? Math.min(height - 1, Math.max(0, (row >> 1) + (row % 2 ? 1 : -1))) * stride : 0;
    for (let n = 0; n < width; n++) sums[n] = down === 2 ? 3 * plane[near + n] + plane[far + n] : plane[near + n];
    // Halves are rounded down to the left and up to the right, so that none is favoured.
    const [shift, left, right] = down === 2 ? [4, 8, 7] : [2, 1, 2];
    for (let n = 0; n < width; n++) {
      output[to + 2 * n] = (3 * sums[n] + sums[n - 1] + left) >> shift;
      output[to + 2 * n + 1] = (3 * sums[n] + sums[n + 1] + right) >> shift;
    }
    const last = sums[width - 1];
    output[to] = down === 2 ? (4 * sums[0] + 8) >> 4 : sums[0];
    output[to + wide - 1] = down === 2 ? (4 * last + 7) >> 4 : last;
  }
  return { plane: output, stride: wide };
}
