// How deep grey levels become [0, 1]: foveal.images.window, in its own precision.

import { corrupt, ImageError } from "./faults.js";

const MOST_HISTOGRAM_LEVELS = 1 << 17;
const CONSTANT_LEVEL = 0.5;
const SMALL = [Uint8Array, Int8Array, Uint16Array, Int16Array];
const REAL = [Float32Array, Float64Array];

const KIND_NAMES = new Map([
  [Uint8Array, "uint8"], [Int8Array, "int8"], [Uint16Array, "uint16"], [Int16Array, "int16"],
  [Uint32Array, "uint32"], [Int32Array, "int32"], [Float32Array, "float32"], [Float64Array, "float64"],
]);
const ENDS = new Map([
  [Uint8Array, [0, 255]], [Int8Array, [-128, 127]], [Uint16Array, [0, 65535]], [Int16Array, [-32768, 32767]],
  [Uint32Array, [0, 4294967295]], [Int32Array, [-2147483648, 2147483647]], [Float32Array, [0, 1]],
  [Float64Array, [0, 1]],
]);

/** The kind of levels that mean no more than their type says. */
export function kindOf(levels) {
  const [bottom, top] = ENDS.get(levels.constructor);
  return { name: KIND_NAMES.get(levels.constructor), bottom, top };
}

/**
 * Maps two levels to 0 and 1: the set's where the window has them for this kind, else
 * percentiles of the levels that are not ignored (1 a pixel where one is).
 */
export function stretch(levels, window, { kind = kindOf(levels), ignored = null, isInverted = false, channels = 1 } = {}) {
  const fixed = Object.hasOwn(window.fixed, kind.name) ? window.fixed[kind.name] : null;
  let sample = withoutIgnored(levels, ignored, channels);
  if (REAL.includes(levels.constructor)) {
    const finite = sample.filter(Number.isFinite);
    if (!finite.length) throw new ImageError("not one pixel is a finite number (all are NaN or infinite)", "corrupt");
    sample = finite;
  }
  if (fixed) return scale(levels, fixed[0], fixed[1], kind, isInverted);
  const [low, high] = limits(sample, window);
  if (low === high) return new Float32Array(levels.length).fill(CONSTANT_LEVEL);
  return scaleLevels(levels, low, high, isInverted);
}

/** Deep levels with their coverage in [0, 1]: what is transparent is white, and counts for nothing. */
export function stretchOnWhite(levels, channels, alpha, window) {
  if (alpha === null || alpha.every((share) => share === 1)) return stretch(levels, window, { channels });
  const ignored = Uint8Array.from(alpha, (share) => (share === 0 ? 1 : 0));
  const values = stretch(levels, window, { ignored, channels });
  for (let i = 0, at = 0; i < alpha.length; i++) {
    const rest = Math.fround(1 - alpha[i]);
    for (let channel = 0; channel < channels; channel++, at++) {
      values[at] = Math.fround(values[at] * alpha[i]) + rest;
    }
  }
  return values;
}

/** Maps low to 0 and high to 1, mirrored within the kind where the lowest level is white. */
export function scale(levels, low, high, kind, isInverted) {
  if (!isInverted) return scaleLevels(levels, low, high, false);
  const mirrored = (level) => kind.bottom + kind.top - level;
  return scaleLevels(levels, mirrored(high), mirrored(low), true);
}

function withoutIgnored(levels, ignored, channels) {
  if (ignored === null || ignored.every((one) => one)) return levels;
  return levels.filter((_, i) => !ignored[Math.floor(i / channels)]);
}

function limits(sample, window) {
  const last = sample.length - 1;
  const ranks = [
    Math.floor((window.low_percentile / 100) * last),
    last - Math.floor(((100 - window.high_percentile) / 100) * last),
  ];
  let [lowest, highest] = [sample[0], sample[0]];
  for (const level of sample) {
    if (level < lowest) lowest = level;
    if (level > highest) highest = level;
  }
  const [low, high] = levelsAt(sample, ranks, lowest, highest);
  // A small object on a flat ground: both ranks fall on the ground, the range does not.
  return low < high ? [low, high] : [lowest, highest];
}

function levelsAt(sample, ranks, lowest, highest) {
  if (REAL.includes(sample.constructor) || highest - lowest >= MOST_HISTOGRAM_LEVELS) {
    const sorted = sample.slice().sort();
    return ranks.map((rank) => sorted[rank]);
  }
  const counts = new Uint32Array(highest - lowest + 1);
  for (const level of sample) counts[level - lowest]++;
  return ranks.map((rank) => {
    let below = 0;
    for (let i = 0; i < counts.length; i++) {
      below += counts[i];
      if (below > rank) return lowest + i;
    }
    throw corrupt("a rank beyond the sample");
  });
}

function scaleLevels(levels, lowGiven, highGiven, isInverted) {
  // Sixteen bits are exact in single precision, and Foveal divides them there.
  const precise = SMALL.includes(levels.constructor) ? Math.fround : (value) => value;
  const isReal = REAL.includes(levels.constructor);
  const quarter = isReal && !Number.isFinite(highGiven - lowGiven) ? 0.25 : 1;
  const [low, high] = [precise(lowGiven * quarter), precise(highGiven * quarter)];
  const width = precise(high - low);
  const output = new Float32Array(levels.length);
  for (let i = 0; i < levels.length; i++) {
    const level = levels[i] * quarter;
    const value = precise(precise(isInverted ? high - level : level - low) / width);
    output[i] = Number.isNaN(value) ? 0 : Math.min(1, Math.max(0, value));
  }
  return output;
}
