// A classifier that asks the server which gave the page; the image itself is drawn here.

import { decode } from "./decoding.js";
import { ImageError } from "./faults.js";
import { shownImage, tint } from "./heat_map.js";
import { emptyRow } from "./rows.js";

const THUMBNAIL_PX = 96;
const MOST_TRIES = 6;
const ANY_KIND = "application/octet-stream";

export class ServedClassifier {
  constructor({ facts, tints }) {
    Object.assign(this, { facts, tints, settings: facts.preprocessing });
  }

  /** Returns the row of a file; that of one which cannot be answered says why. */
  async classify(file) {
    const row = emptyRow();
    try {
      const said = await this.ask("predict", file);
      for (const name of ["label", "probability", "prediction_set", "unsure", "unlike_training", "novelty"]) row[name] = said[name];
      row.probabilities = this.facts.class_names.map((name) => said.probabilities[name]);
    } catch (error) {
      row.error = error.message;
      return row;
    }
    try {
      row.thumbnail = shownImage(await this.read(file), THUMBNAIL_PX);
    } catch {
      row.thumbnail = null; // the server reads more kinds than a browser can show
    }
    return row;
  }

  /** Returns the image of a file, plain and tinted for a class, at a longest side. */
  async explain(file, classIndex, sidePx) {
    const image = await this.read(file);
    const plain = shownImage(image, sidePx);
    if (!this.facts.map) return { plain, tinted: null, peak: null };
    const said = await this.ask("explain", file, { class: this.facts.class_names[classIndex] });
    const cells = said.maps[0].values;
    const map = { values: Float32Array.from(cells.flat()), rows: cells.length, columns: cells[0].length };
    const tinted = { ...plain, data: plain.data.slice() };
    tint(tinted, image, map, this.facts.map.centres, this.settings, this.tints);
    return { plain, tinted, peak: Math.max(0, ...map.values) };
  }

  async read(file) {
    return decode(new Uint8Array(await file.arrayBuffer()), this.settings);
  }

  async ask(task, file, further = {}) {
    const address = new URL(task, this.facts.server);
    for (const [name, value] of Object.entries({ run: this.facts.name, ...further })) address.searchParams.set(name, value);
    for (let count = 1; ; count++) {
      let answer;
      try {
        answer = await fetch(address, { method: "POST", body: file, headers: { "Content-Type": ANY_KIND } });
      } catch {
        throw new ImageError("the server did not answer", "server");
      }
      if (answer.ok) return answer.json();
      const reason = await answer.json().catch(() => ({}));
      if (answer.status !== 503 || count === MOST_TRIES) throw new ImageError(reason.detail ?? `the server answered ${answer.status}`, "server");
      await new Promise((resolve) => setTimeout(resolve, 1000 * (Number(answer.headers.get("Retry-After")) || 1)));
    }
  }
}
