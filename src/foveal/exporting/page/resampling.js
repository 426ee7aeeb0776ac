// Antialiased resampling in whole numbers: the arithmetic of foveal.images.resampling, whose
// description says why no order of adding can change a level.

const WEIGHT_ONE = 2 ** 22;

const FILTERS = {
  bilinear: [1, (x) => (x < 1 ? 1 - x : 0)],
  bicubic: [2, (x) => {
    if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
  }],
  lanczos: [3, (x) => (x < 3 ? sinc(x) * sinc(x / 3) : 0)],
};

function sinc(x) {
  if (x === 0) return 1;
  const nearest = Math.floor(x + 0.5);
  const angle = (x - nearest) * Math.PI;
  const square = angle * angle;
  let sine = 0;
  for (let power = 21; power > 1; power -= 2) sine = ((1 + sine) * -square) / (power * (power - 1));
  sine = angle * (1 + sine);
  return (nearest % 2 === 1 ? -sine : sine) / (x * Math.PI);
}

/** Returns for each output in [start, stop) its first source pixel and its whole weights. */
export function axisWeights(source, target, start, stop, interpolation) {
  const [radius, filter] = FILTERS[interpolation];
  const scale = source / target;
  const stretch = Math.max(scale, 1);
  const support = radius * stretch;
  const inverse = 1 / stretch;
  const outputs = [];
  for (let output = start; output < stop; output++) {
    const centre = (output + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - support + 0.5), 0);
    const last = Math.min(Math.trunc(centre + support + 0.5), source);
    const weights = new Float64Array(last - first);
    let sum = 0;
    for (let n = 0; n < weights.length; n++) {
      weights[n] = filter(Math.abs((first + n - centre + 0.5) * inverse));
      sum += weights[n];
    }
    for (let n = 0; n < weights.length; n++) {
      const scaled = (weights[n] / sum) * WEIGHT_ONE;
      weights[n] = scaled < 0 ? Math.ceil(scaled - 0.5) : Math.floor(scaled + 0.5);
    }
    outputs.push({ first, weights });
  }
  return outputs;
}

const rounded = (sum, top) => {
  const level = Math.floor((sum + WEIGHT_ONE / 2) / WEIGHT_ONE);
  return level < 0 ? 0 : level > top ? top : level;
};

/**
 * Returns a part of the resized whole.
 *
 * image: {width, height, channels, data}, Uint8Array or Uint16Array.
 * plan: {wholePx: [height, width], upperPx, leftPx, heightPx, widthPx}.
 */
export function resampleLevels(image, plan, interpolation) {
  const { channels } = image;
  const across = resampleRows(image, plan, interpolation);
  const top = across.data instanceof Uint16Array ? 65535 : 255;
  const [wholeHeight] = plan.wholePx;
  if (image.height === wholeHeight) return across;
  const outputs = axisWeights(
    image.height, wholeHeight, plan.upperPx, plan.upperPx + plan.heightPx, interpolation,
  );
  const rowLength = across.width * channels;
  const data = new across.data.constructor(rowLength * plan.heightPx);
  const sums = new Float64Array(rowLength);
  outputs.forEach(({ first, weights }, row) => {
    sums.fill(0);
    for (let n = 0; n < weights.length; n++) {
      const weight = weights[n];
      const from = (first - across.firstRow + n) * rowLength;
      for (let i = 0; i < rowLength; i++) sums[i] += weight * across.data[from + i];
    }
    for (let i = 0; i < rowLength; i++) data[row * rowLength + i] = rounded(sums[i], top);
  });
  return { width: across.width, height: plan.heightPx, channels, data };
}

/** Resamples along each row, only the rows that some output sees. */
function resampleRows(image, plan, interpolation) {
  const { width, height, channels, data } = image;
  const [wholeHeight, wholeWidth] = plan.wholePx;
  let [firstRow, stopRow] = [plan.upperPx, plan.upperPx + plan.heightPx];
  if (height !== wholeHeight) {
    const down = axisWeights(height, wholeHeight, firstRow, stopRow, interpolation);
    firstRow = Math.min(...down.map((one) => one.first));
    stopRow = Math.max(...down.map((one) => one.first + one.weights.length));
  }
  const numRows = stopRow - firstRow;
  const output = new data.constructor(numRows * plan.widthPx * channels);
  const top = data instanceof Uint16Array ? 65535 : 255;
  const keeps = width === wholeWidth;
  const outputs = keeps
    ? null
    : axisWeights(width, wholeWidth, plan.leftPx, plan.leftPx + plan.widthPx, interpolation);
  for (let row = 0, to = 0; row < numRows; row++) {
    const start = (firstRow + row) * width * channels;
    if (keeps) {
      const from = start + plan.leftPx * channels;
      output.set(data.subarray(from, from + plan.widthPx * channels), to);
      to += plan.widthPx * channels;
      continue;
    }
    for (const { first, weights } of outputs) {
      for (let channel = 0; channel < channels; channel++) {
        let sum = 0;
        let from = start + first * channels + channel;
        for (let n = 0; n < weights.length; n++, from += channels) sum += weights[n] * data[from];
        output[to++] = rounded(sum, top);
      }
    }
  }
  return { width: plan.widthPx, height: numRows, channels, data: output, firstRow };
}
