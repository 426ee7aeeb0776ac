// The run's network in ONNX Runtime Web, and what `foveal predict` says of its answer.

import { decode } from "./decoding.js";
import { ImageError, tooLarge } from "./faults.js";
import { shownImage, tint } from "./heat_map.js";
import { prepare } from "./preprocessing.js";
import { emptyRow } from "./rows.js";

const MOST_FILE_BYTES = 1 << 30;
const THUMBNAIL_PX = 96;

export class Classifier {
  /** parts: {facts, model, novelty, tints} as the page holds them, unpacked. */
  static async open(ort, parts) {
    const session = await ort.InferenceSession.create(parts.model, { executionProviders: ["wasm"] });
    return new Classifier(ort, session, parts);
  }

  constructor(ort, session, { facts, novelty, tints }) {
    Object.assign(this, { ort, session, facts, tints: tintsOf(tints, facts.tints) });
    this.novelty = noveltyOf(novelty, facts.novelty);
    this.settings = facts.preprocessing;
  }

  /** Returns the row of a file, with a thumbnail; the row of one that cannot be read says why. */
  async classify(file) {
    const row = emptyRow();
    try {
      const image = await this.read(file);
      const outputs = await this.run(image, ["probabilities", "features"]);
      Object.assign(row, this.describe(outputs), { thumbnail: shownImage(image, THUMBNAIL_PX) });
    } catch (error) {
      row.error = reasonOf(error);
    }
    return row;
  }

  /** Returns the image of a file, plain and tinted for a class, at a longest side. */
  async explain(file, classIndex, sidePx) {
    const image = await this.read(file);
    const plain = shownImage(image, sidePx);
    if (!this.facts.map) return { plain, tinted: null, peak: null };
    const { maps } = await this.run(image, ["maps"]);
    const [, , rows, columns] = maps.dims;
    const values = maps.data.slice(classIndex * rows * columns, (classIndex + 1) * rows * columns);
    const tinted = { ...plain, data: plain.data.slice() };
    tint(tinted, image, { values, rows, columns }, this.facts.map.centres, this.settings, this.tints);
    return { plain, tinted, peak: Math.max(0, ...values) };
  }

  /** Returns what enters the network, [3, H, W]: for checks of this page against Foveal. */
  async prepare(file) {
    return prepare(await this.read(file), this.settings);
  }

  async read(file) {
    if (file.size > MOST_FILE_BYTES) throw tooLarge("the file has more than one gigabyte");
    let bytes;
    try {
      bytes = new Uint8Array(await file.arrayBuffer());
    } catch {
      throw new ImageError("the browser cannot read the file", "unreadable");
    }
    return decode(bytes, this.settings);
  }

  async run(image, names) {
    const { height_px: height, width_px: width } = this.settings;
    const images = new this.ort.Tensor("float32", prepare(image, this.settings), [1, 3, height, width]);
    return this.session.run({ images }, names);
  }

  describe({ probabilities, features }) {
    const values = Array.from(probabilities.data);
    const likeliest = values.indexOf(Math.max(...values));
    const best = decide(values, this.facts.operating_point, likeliest);
    const names = this.facts.class_names;
    let members = names.filter((_, n) => values[n] >= this.facts.set_thresholds[n]);
    if (!members.length) members = [names[likeliest]];
    const novelty = this.novelty.score(features.data);
    return {
      label: names[best],
      probability: values[best],
      prediction_set: members,
      unsure: members.length !== 1,
      unlike_training: novelty > this.facts.novelty.threshold,
      novelty,
      probabilities: values,
    };
  }
}

/** The label's index: foveal.evaluation.operating_point.decide. */
function decide(values, point, likeliest) {
  if (!point) return likeliest;
  if (values[point.class_index] >= point.threshold) return point.class_index;
  const others = values.map((value, n) => (n === point.class_index ? -Infinity : value));
  return others.indexOf(Math.max(...others));
}

export function reasonOf(error) {
  if (error instanceof ImageError) return error.message;
  if (error instanceof RangeError) return "this browser has not enough memory for it, or the file is damaged";
  return `this page could not use it (${error?.message ?? error})`;
}

/** Distance from the training features: foveal.evaluation.novelty. */
function noveltyOf(numbers, { num_features: width, num_components: count, residual_scale: residual }) {
  const mean = numbers.subarray(0, width);
  const components = numbers.subarray(width, width + width * count);
  const scales = numbers.subarray(width + width * count);
  return {
    score(features) {
      let length = 0;
      for (const value of features) length += value * value;
      length = Math.sqrt(length) || 1;
      const coordinates = new Float64Array(count);
      let squared = 0;
      for (let d = 0; d < width; d++) {
        const centred = features[d] / length - mean[d];
        squared += centred * centred;
        for (let q = 0; q < count; q++) coordinates[q] += centred * components[d * count + q];
      }
      let within = 0;
      let inside = 0;
      for (let q = 0; q < count; q++) {
        within += (coordinates[q] / scales[q]) ** 2 / count;
        inside += coordinates[q] ** 2;
      }
      let outside = Math.max(squared - inside, 0);
      if (residual > 0) outside /= residual ** 2;
      return Math.sqrt(0.5 * (within + outside));
    },
  };
}

export function tintsOf(numbers, { num_levels: numLevels, num_values: numValues }) {
  return { luminances: numbers.subarray(0, numLevels), table: numbers.subarray(numLevels), numLevels, numValues };
}
