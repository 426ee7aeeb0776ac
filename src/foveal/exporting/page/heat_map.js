// The class activation map over its image, as Foveal's reports draw it: brightness belongs to
// the image, hue and chroma to the map.

import { asLevels, planResize } from "./preprocessing.js";
import { resampleLevels } from "./resampling.js";

const DARKEST = 14;
const LIGHTEST = 92;

/** Returns the size of an image whose longest side becomes sidePx: [height, width]. */
export function fitWithin(image, sidePx) {
  const scale = sidePx / Math.max(image.height, image.width);
  return [image.height, image.width].map((side) => Math.max(1, Math.round(side * scale)));
}

/** Returns {width, height, data}: RGBA of the image at a longest side. */
export function shownImage(image, sidePx) {
  const [heightPx, widthPx] = fitWithin(image, sidePx);
  const plan = { wholePx: [heightPx, widthPx], upperPx: 0, leftPx: 0, heightPx, widthPx };
  const small = resampleLevels(asLevels(image), plan, "bicubic");
  const isDeep = small.data instanceof Uint16Array;
  const data = new Uint8ClampedArray(heightPx * widthPx * 4);
  for (let i = 0, from = 0; i < heightPx * widthPx; i++, from += small.channels) {
    for (let channel = 0; channel < 3; channel++) {
      const level = small.data[from + (small.channels === 1 ? 0 : channel)];
      data[4 * i + channel] = isDeep ? level / 257 : level;
    }
    data[4 * i + 3] = 255;
  }
  return { width: widthPx, height: heightPx, data };
}

/**
 * Tints a shown image in place; what the network did not see is faded.
 *
 * map: {values, rows, columns}; centres: {rows, columns}, in pixels of the network's input.
 */
export function tint(shown, image, map, centres, settings, tints) {
  const plan = planResize(image.height, image.width, settings);
  const input = [settings.height_px, settings.width_px];
  const kept = [plan.heightPx, plan.widthPx];
  const first = [plan.upperPx, plan.leftPx];
  const [rows, columns] = [shown.height, shown.width].map((length, axis) =>
    Float64Array.from({ length }, (_, n) =>
      ((n + 0.5) * plan.wholePx[axis]) / length - 0.5 - first[axis] + Math.floor((input[axis] - kept[axis]) / 2),
    ),
  );
  const values = spread(map, centres, rows, columns);
  const most = Math.max(0, ...map.values) || 1;
  for (let row = 0, i = 0; row < shown.height; row++) {
    for (let column = 0; column < shown.width; column++, i++) {
      const isSeen = isInside(rows[row], input[0]) && isInside(columns[column], input[1]);
      const share = isSeen ? Math.min(1, Math.max(0, values[i] / most)) : 0;
      const colour = tintOf(shown.data[4 * i], shown.data[4 * i + 1], shown.data[4 * i + 2], share, tints);
      for (let channel = 0; channel < 3; channel++) {
        shown.data[4 * i + channel] = isSeen ? colour[channel] : 165 + 0.35 * colour[channel];
      }
    }
  }
}

const isInside = (position, length) => position >= -0.5 && position <= length - 0.5;

const LINEAR = Float64Array.from({ length: 256 }, (_, level) => {
  const encoded = level / 255;
  return encoded <= 0.04045 ? encoded / 12.92 : ((encoded + 0.055) / 1.055) ** 2.4;
});

const encode = (light) => 255 * (light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055);

function shownLuminance(y) {
  const lightness = y > (6 / 29) ** 3 ? 116 * Math.cbrt(y) - 16 : y * (29 / 3) ** 3;
  const kept = DARKEST + (lightness / 100) * (LIGHTEST - DARKEST);
  return kept > 8 ? ((kept + 16) / 116) ** 3 : kept * (3 / 29) ** 3;
}

function tintOf(red, green, blue, share, { luminances, table, numLevels, numValues }) {
  const y = shownLuminance(0.2126 * LINEAR[red] + 0.7152 * LINEAR[green] + 0.0722 * LINEAR[blue]);
  let top = 0;
  while (top < numLevels - 2 && luminances[top + 1] <= y) top += 1;
  const down = Math.min(1, Math.max(0, (y - luminances[top]) / (luminances[top + 1] - luminances[top])));
  const column = share * (numValues - 1);
  const left = Math.min(numValues - 2, Math.floor(column));
  const right = column - left;
  const cell = (row, position, channel) => table[(row * numValues + position) * 3 + channel];
  return [0, 1, 2].map((channel) => {
    const above = (1 - right) * cell(top, left, channel) + right * cell(top, left + 1, channel);
    const below = (1 - right) * cell(top + 1, left, channel) + right * cell(top + 1, left + 1, channel);
    return encode(Math.min(1, Math.max(0, (1 - down) * above + down * below)));
  });
}

/** Monotone cubic interpolation (Fritsch and Carlson 1980) down the rows, then along them. */
function spread({ values, rows, columns }, centres, atRows, atColumns) {
  const down = [];
  for (let column = 0; column < columns; column++) {
    const own = Float64Array.from({ length: rows }, (_, row) => values[row * columns + column]);
    down.push(interpolate(centres.rows, own, atRows));
  }
  const output = new Float64Array(atRows.length * atColumns.length);
  for (let row = 0; row < atRows.length; row++) {
    const line = Float64Array.from(down, (column) => column[row]);
    output.set(interpolate(centres.columns, line, atColumns), row * atColumns.length);
  }
  return output;
}

function interpolate(positions, values, wanted) {
  const last = positions.length - 1;
  if (last === 0) return new Float64Array(wanted.length).fill(values[0]);
  const slopes = slopesOf(positions, values);
  return Float64Array.from(wanted, (position) => {
    const x = Math.min(positions[last], Math.max(positions[0], position));
    let n = 0;
    while (n < last - 1 && x > positions[n + 1]) n += 1;
    const width = positions[n + 1] - positions[n];
    const t = (x - positions[n]) / width;
    const bend = t * t * (3 - 2 * t);
    return (
      (1 - bend) * values[n] + bend * values[n + 1] +
      width * t * (1 - t) * ((1 - t) * slopes[n] - t * slopes[n + 1])
    );
  });
}

function slopesOf(positions, values) {
  const last = positions.length - 1;
  const widths = Array.from({ length: last }, (_, n) => positions[n + 1] - positions[n]);
  const rises = widths.map((width, n) => (values[n + 1] - values[n]) / width);
  if (last === 1) return [rises[0], rises[0]];
  const slopes = new Float64Array(last + 1);
  for (let n = 1; n < last; n++) {
    if (rises[n - 1] * rises[n] <= 0) continue;
    const [before, after] = [2 * widths[n] + widths[n - 1], widths[n] + 2 * widths[n - 1]];
    slopes[n] = (before + after) / (before / rises[n - 1] + after / rises[n]);
  }
  slopes[0] = endSlope(widths[0], widths[1], rises[0], rises[1]);
  slopes[last] = endSlope(widths[last - 1], widths[last - 2], rises[last - 1], rises[last - 2]);
  return slopes;
}

function endSlope(width, nextWidth, rise, nextRise) {
  const slope = ((2 * width + nextWidth) * rise - width * nextRise) / (width + nextWidth);
  if (Math.sign(slope) !== Math.sign(rise)) return 0;
  return Math.sign(rise) !== Math.sign(nextRise) && Math.abs(slope) > 3 * Math.abs(rise) ? 3 * rise : slope;
}
