// PNG (ISO/IEC 15948), decoded here: a canvas would cut sixteen bits down to eight, and multiply
// colours with their alpha. Samples come out as Pillow gives them to Foveal.

import { big16, big32, crc32, inflate, latin } from "./bytes.js";
import { corrupt, notHere, requireAffordable, requireSize, truncated } from "./faults.js";
import { orientationOfExif, orientationOfXmp, upright } from "./orientation.js";
import { stretchOnWhite } from "./window.js";

const GRAY = 0;
const COLOUR = 2;
const PALETTE = 3;
const GRAY_ALPHA = 4;
const COLOUR_ALPHA = 6;
const SAMPLES = { [GRAY]: 1, [COLOUR]: 3, [PALETTE]: 1, [GRAY_ALPHA]: 2, [COLOUR_ALPHA]: 4 };
const DEPTHS = {
  [GRAY]: [1, 2, 4, 8, 16], [COLOUR]: [8, 16], [PALETTE]: [1, 2, 4, 8], [GRAY_ALPHA]: [8, 16],
  [COLOUR_ALPHA]: [8, 16],
};
// Bytes a pixel while it is decoded: foveal.images.cost.
const COSTS = { [GRAY]: 4, [COLOUR]: 8, [PALETTE]: 14, [GRAY_ALPHA]: 14, [COLOUR_ALPHA]: 16 };
const COST_OF_KEY = 12;
// Adam7: first column and row of each pass, and their steps.
const PASSES = [
  [0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2],
];

/** Returns {width, height, channels, data}: Uint8Array, or Float32Array in [0, 1] of deep levels. */
export async function decodePng(bytes, settings) {
  const png = readChunks(bytes);
  requireSize(png.width, png.height, settings.max_pixels);
  if (!DEPTHS[png.colour]?.includes(png.bits)) throw corrupt("the PNG data cannot be decoded");
  requireAffordable(png.width * png.height * costOf(png));
  if (png.numFrames > 1 || png.hasOtherFrame) throw notHere("an animated PNG");
  const samples = await readSamples(png);
  const image = png.bits === 16 ? deepImage(png, samples, settings.window) : shallowImage(png, samples);
  return upright(image, png.orientation);
}

function costOf({ colour, bits, key }) {
  if (bits === 16) return colour === GRAY ? 16 : 44;
  return COSTS[colour] + (key ? COST_OF_KEY : 0);
}

function readChunks(bytes) {
  const png = { pieces: [], palette: null, key: null, orientation: 1, numFrames: 0, hasOtherFrame: false };
  let offset = 8;
  for (;;) {
    if (offset + 12 > bytes.length) throw truncated("a PNG without its end chunk");
    const length = big32(bytes, offset);
    const kind = latin(bytes, offset + 4, offset + 8);
    const start = offset + 8;
    const stop = start + length;
    if (stop + 4 > bytes.length) throw truncated(`a PNG that ends within its ${kind} chunk`);
    const isCritical = !(bytes[offset + 4] & 0x20);
    if (isCritical && crc32(bytes, offset + 4, stop) !== big32(bytes, stop)) {
      throw corrupt(`the checksum of a PNG ${kind} chunk is wrong`);
    }
    const body = bytes.subarray(start, stop);
    if (kind === "IHDR") readHeader(png, body);
    else if (kind === "PLTE") png.palette = body;
    else if (kind === "tRNS") png.key = body;
    else if (kind === "IDAT") png.pieces.push(body);
    else if (kind === "acTL") png.numFrames = big32(body, 0);
    else if (kind === "fcTL" && png.pieces.length && png.numFrames) png.hasOtherFrame = true;
    else if (kind === "eXIf") png.exif = orientationOfExif(body);
    else if (kind === "iTXt") readText(png, body);
    else if (kind === "IEND") break;
    offset = stop + 4;
  }
  if (!png.width && !png.height) throw corrupt("the PNG data cannot be decoded");
  png.orientation = png.exif ?? png.xmp ?? 1;
  return png;
}

function readHeader(png, body) {
  [png.width, png.height] = [big32(body, 0), big32(body, 4)];
  [png.bits, png.colour] = [body[8], body[9]];
  png.isInterlaced = body[12] === 1;
  if (body[10] || body[11]) throw corrupt("the PNG data cannot be decoded");
}

function readText(png, body) {
  const keyword = "XML:com.adobe.xmp\0";
  if (latin(body, 0, keyword.length) === keyword && body[keyword.length] === 0) png.xmp = orientationOfXmp(body);
}

/** Returns all samples [H, W, S], unfiltered and unpacked. */
async function readSamples(png) {
  const { width, height, bits, colour } = png;
  const numSamples = SAMPLES[colour];
  const passes = (png.isInterlaced ? PASSES : [[0, 0, 1, 1]])
    .map(([left, upper, stepX, stepY]) => ({
      left, upper, stepX, stepY,
      columns: Math.max(0, Math.ceil((width - left) / stepX)),
      rows: Math.max(0, Math.ceil((height - upper) / stepY)),
    }))
    .filter((pass) => pass.columns && pass.rows);
  const lengths = passes.map((pass) => Math.ceil((pass.columns * bits * numSamples) / 8));
  const total = passes.reduce((sum, pass, n) => sum + pass.rows * (1 + lengths[n]), 0);
  if (!png.pieces.length) throw truncated("a PNG with fewer rows than it announces");
  const raw = await inflate(png.pieces, "deflate", total);
  if (raw.length < total) throw truncated("a PNG with fewer rows than it announces");
  const samples = new (bits === 16 ? Uint16Array : Uint8Array)(width * height * numSamples);
  const back = Math.max(1, (bits * numSamples) >> 3);
  let offset = 0;
  passes.forEach((pass, n) => {
    let above = new Uint8Array(lengths[n]);
    for (let row = 0; row < pass.rows; row++) {
      const filter = raw[offset];
      const line = raw.subarray(offset + 1, offset + 1 + lengths[n]);
      unfilter(filter, line, above, back);
      unpack(line, bits, samples, {
        count: pass.columns, numSamples, step: pass.stepX * numSamples,
        start: ((pass.upper + row * pass.stepY) * width + pass.left) * numSamples,
      });
      above = line;
      offset += 1 + lengths[n];
    }
  });
  return samples;
}

function unfilter(filter, line, above, back) {
  if (filter === 0) return;
  if (filter === 1) {
    for (let i = back; i < line.length; i++) line[i] += line[i - back];
  } else if (filter === 2) {
    for (let i = 0; i < line.length; i++) line[i] += above[i];
  } else if (filter === 3) {
    for (let i = 0; i < line.length; i++) line[i] += ((i < back ? 0 : line[i - back]) + above[i]) >> 1;
  } else if (filter === 4) {
    for (let i = 0; i < line.length; i++) {
      const a = i < back ? 0 : line[i - back];
      const b = above[i];
      const c = i < back ? 0 : above[i - back];
      const toA = Math.abs(b - c);
      const toB = Math.abs(a - c);
      const toC = Math.abs(a + b - 2 * c);
      line[i] += toA <= toB && toA <= toC ? a : toB <= toC ? b : c;
    }
  } else {
    throw corrupt("the PNG data cannot be decoded");
  }
}

function unpack(line, bits, samples, { count, numSamples, step, start }) {
  const mask = (1 << bits) - 1;
  for (let column = 0, n = 0, to = start; column < count; column++, to += step) {
    for (let sample = 0; sample < numSamples; sample++, n++) {
      if (bits === 8) samples[to + sample] = line[n];
      else if (bits === 16) samples[to + sample] = big16(line, 2 * n);
      else samples[to + sample] = (line[(n * bits) >> 3] >> (8 - bits - ((n * bits) & 7))) & mask;
    }
  }
}

const divide255 = (value) => ((value + 128) + ((value + 128) >> 8)) >> 8;

/** What is behind a transparent pixel is white. */
const onWhite = (level, alpha) => divide255(255 * (255 - alpha) + level * alpha);

/** Gray or colours of at most eight bits. */
function shallowImage(png, samples) {
  const { width, height, colour, bits, key } = png;
  const numPixels = width * height;
  if (colour === PALETTE) return paletted(png, samples);
  if (colour === GRAY) {
    const factor = 255 / ((1 << bits) - 1);
    const data = factor === 1 ? samples : samples.map((level) => level * factor);
    // Pillow compares the key with the level as it is shown, and of one bit only asks for any.
    if (key?.length >= 2) {
      const wanted = bits === 1 ? (big16(key, 0) ? 255 : 0) : big16(key, 0) & 255;
      for (let i = 0; i < numPixels; i++) if (data[i] === wanted) data[i] = 255;
    }
    return { width, height, channels: 1, data };
  }
  if (colour === COLOUR) {
    if (key?.length >= 6) {
      const wanted = [0, 2, 4].map((n) => big16(key, n) & 255);
      for (let i = 0; i < samples.length; i += 3) {
        if (wanted.every((level, n) => samples[i + n] === level)) samples.fill(255, i, i + 3);
      }
    }
    return { width, height, channels: 3, data: samples };
  }
  const channels = SAMPLES[colour] - 1;
  const data = new Uint8Array(numPixels * channels);
  for (let i = 0, from = 0, to = 0; i < numPixels; i++, from += channels + 1) {
    const alpha = samples[from + channels];
    for (let channel = 0; channel < channels; channel++) data[to++] = onWhite(samples[from + channel], alpha);
  }
  return { width, height, channels, data };
}

function paletted({ width, height, palette, key }, samples) {
  if (!palette) throw corrupt("the PNG data cannot be decoded");
  const colours = new Uint8Array(256 * 3);
  colours.set(palette.subarray(0, 768));
  if (key) {
    for (let i = 0; i < 768; i++) colours[i] = onWhite(colours[i], key[Math.floor(i / 3)] ?? 255);
  }
  const data = new Uint8Array(width * height * 3);
  for (let i = 0, to = 0; i < samples.length; i++) {
    const from = samples[i] * 3;
    for (let channel = 0; channel < 3; channel++) data[to++] = colours[from + channel];
  }
  return { width, height, channels: 3, data };
}

/** Sixteen bits: levels and coverage are taken apart, then stretched by the window. */
function deepImage({ width, height, colour, key }, samples, window) {
  const numPixels = width * height;
  const hasAlpha = colour === GRAY_ALPHA || colour === COLOUR_ALPHA;
  const channels = colour === GRAY || colour === GRAY_ALPHA ? 1 : 3;
  let levels = samples;
  let alpha = null;
  if (hasAlpha) {
    levels = new Uint16Array(numPixels * channels);
    alpha = new Float32Array(numPixels);
    for (let i = 0, from = 0, to = 0; i < numPixels; i++) {
      for (let channel = 0; channel < channels; channel++) levels[to++] = samples[from++];
      alpha[i] = samples[from++] / 65535;
    }
  } else if (key && key.length >= 2 * channels) {
    const wanted = Array.from({ length: channels }, (_, n) => big16(key, 2 * n));
    alpha = new Float32Array(numPixels);
    for (let i = 0; i < numPixels; i++) {
      alpha[i] = wanted.every((level, n) => levels[i * channels + n] === level) ? 0 : 1;
    }
  }
  return { width, height, channels, data: stretchOnWhite(levels, channels, alpha, window) };
}
