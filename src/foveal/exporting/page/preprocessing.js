// From a decoded image to the network's input, as foveal.images.preprocessing does it.

import { resampleLevels } from "./resampling.js";

const DEEP_WHITE = 65535;

const floorDiv = (a, b) => Math.floor(a / b);

/** Rounds half to even, as Python and NumPy do. */
export function roundEven(value) {
  const low = Math.floor(value);
  const rest = value - low;
  if (rest !== 0.5) return rest < 0.5 ? low : low + 1;
  return low % 2 === 0 ? low : low + 1;
}

export function planResize(heightPx, widthPx, settings) {
  const toPx = [settings.height_px, settings.width_px];
  let [wholeHeight, wholeWidth] = toPx.map((side) => Math.trunc(side / settings.crop_fraction));
  if (settings.fit !== "squash") {
    const isTaller = heightPx * wholeWidth > widthPx * wholeHeight;
    if (isTaller === (settings.fit === "crop")) {
      wholeHeight = Math.max(1, floorDiv(heightPx * wholeWidth, widthPx));
    } else {
      wholeWidth = Math.max(1, floorDiv(widthPx * wholeHeight, heightPx));
    }
  }
  const rows = Math.min(wholeHeight, toPx[0]);
  const columns = Math.min(wholeWidth, toPx[1]);
  return {
    wholePx: [wholeHeight, wholeWidth],
    upperPx: roundEven((wholeHeight - rows) / 2),
    leftPx: roundEven((wholeWidth - columns) / 2),
    heightPx: rows,
    widthPx: columns,
  };
}

/** Returns deep values in [0, 1] as 65,536 levels, and 8-bit levels as they are. */
export function asLevels(image) {
  if (!(image.data instanceof Float32Array)) return image;
  const levels = new Uint16Array(image.data.length);
  const white = Math.fround(DEEP_WHITE);
  for (let i = 0; i < levels.length; i++) levels[i] = roundEven(Math.fround(image.data[i] * white));
  return { ...image, data: levels };
}

/** Returns the network's input, Float32Array [3, H, W]. */
export function prepare(image, settings) {
  const plan = planResize(image.height, image.width, settings);
  const kept = resampleLevels(asLevels(image), plan, settings.interpolation);
  const isDeep = kept.data instanceof Uint16Array;
  const [height, width] = [settings.height_px, settings.width_px];
  const output = new Float32Array(3 * height * width);
  const upper = floorDiv(height - kept.height, 2);
  const left = floorDiv(width - kept.width, 2);
  const white = Math.fround(DEEP_WHITE);
  for (let channel = 0; channel < 3; channel++) {
    const std = settings.std[channel];
    const factor = Math.fround(1 / ((isDeep ? 1 : 255) * std));
    const offset = Math.fround(settings.mean[channel] / std);
    const own = kept.channels === 1 ? 0 : channel;
    for (let row = 0; row < kept.height; row++) {
      let to = (channel * height + upper + row) * width + left;
      let from = row * kept.width * kept.channels + own;
      for (let column = 0; column < kept.width; column++, from += kept.channels) {
        const level = kept.data[from];
        const value = isDeep ? Math.fround(level / white) : level;
        output[to++] = Math.fround(value * factor) - offset;
      }
    }
  }
  return output;
}
