// One image: its picture, the heat map of any class, and all that is said of it.

import { printable } from "./csv.js";
import { byId, make, paint, percent, shareBar } from "./dom.js";
import { flags } from "./table.js";

const SIDE_PX = 720;

export class Detail {
  /** explain: asked with (file, class index, side) for pictures. */
  constructor(facts, explain) {
    Object.assign(this, { facts, explain, rows: [], position: 0, turn: 0 });
    byId("close").onclick = () => byId("detail").close();
    byId("previous").onclick = () => this.show(this.position - 1);
    byId("next").onclick = () => this.show(this.position + 1);
    byId("map-class").replaceChildren(...facts.class_names.map((name, n) => make("option", { value: n }, name)));
    byId("map-class").onchange = () => this.draw();
    for (const choice of document.getElementsByName("shown")) choice.onchange = () => this.paint();
    byId("detail").onkeydown = (event) => {
      if (["SELECT", "INPUT"].includes(event.target.tagName)) return;
      if (event.key === "ArrowLeft") this.show(this.position - 1);
      if (event.key === "ArrowRight") this.show(this.position + 1);
    };
  }

  open(rows, position) {
    this.rows = rows;
    byId("detail").showModal();
    this.show(position);
    byId("detail-title").focus();
  }

  show(position) {
    if (position < 0 || position >= this.rows.length) return;
    this.position = position;
    const row = this.rows[position];
    byId("previous").disabled = position === 0;
    byId("next").disabled = position === this.rows.length - 1;
    byId("detail-title").textContent = printable(row.path);
    byId("answer").replaceChildren(...(row.error === null ? this.said(row) : [make("p", { className: "reason" }, `Not read: ${row.error}.`)]));
    byId("map-tools").hidden = row.error !== null || !this.facts.map;
    byId("picture").hidden = true;
    byId("picture-says").textContent = "";
    if (row.error !== null) return;
    byId("map-class").value = this.facts.class_names.indexOf(row.label);
    this.draw();
  }

  async draw() {
    const turn = ++this.turn;
    const row = this.rows[this.position];
    const classIndex = Number(byId("map-class").value);
    try {
      const drawn = await this.explain(row.file, classIndex, SIDE_PX);
      if (turn !== this.turn) return; // another was asked for meanwhile
      this.drawn = { ...drawn, name: this.facts.class_names[classIndex], path: printable(row.path) };
      this.paint();
    } catch (error) {
      byId("picture-says").textContent = `The image cannot be shown: ${error.message}.`;
    }
  }

  paint() {
    const { plain, tinted, peak, name, path } = this.drawn;
    const wantsMap = tinted && document.querySelector("[name=shown]:checked").value === "tinted";
    paint(byId("picture"), wantsMap ? tinted : plain);
    byId("picture").hidden = false;
    byId("picture").setAttribute("aria-label", wantsMap ? `${path}, with the heat map for ${name}` : path);
    byId("picture-says").textContent = this.caption(wantsMap, peak, name);
  }

  caption(wantsMap, peak, name) {
    if (!this.facts.map) return `There are no heat maps: ${this.facts.no_map}.`;
    if (!wantsMap) return "";
    if (peak === 0) return `No position speaks for “${name}”.`;
    return `Tinted where the image speaks for “${name}”, most where the tint is lightest and warmest. It shows where the answer comes from, not whether it is right.`;
  }

  said(row) {
    const order = row.probabilities.map((_, n) => n).sort((a, b) => row.probabilities[b] - row.probabilities[a]);
    const items = order.slice(0, 12).map((n) => {
      const name = this.facts.class_names[n];
      const isIn = row.prediction_set.includes(name);
      return make("li", { className: isIn ? "in" : "" },
        make("span", { className: "class" }, name), make("span", { className: "amount" }, percent(row.probabilities[n])),
        shareBar(row.probabilities[n]));
    });
    const rest = order.length - items.length;
    const parts = [make("p", { className: "said" }, row.label), make("p", {}, ...flags(row)),
      make("ul", { className: "probabilities" }, ...items)];
    if (rest > 0) parts.push(make("p", { className: "aside" }, `and ${rest} classes that are less likely`));
    return [...parts, make("p", {}, this.sentenceOnSet(row)), make("p", {}, this.sentenceOnNovelty(row))];
  }

  sentenceOnSet(row) {
    const quoted = row.prediction_set.map((name) => `“${name}”`);
    if (quoted.length === 1) return `Only ${quoted[0]} cannot be ruled out.`;
    if (quoted.length === this.facts.class_names.length) return "No label can be ruled out, so a person should look.";
    return `${quoted.slice(0, -1).join(", ")} and ${quoted.at(-1)} cannot be ruled out, so a person should look.`;
  }

  sentenceOnNovelty(row) {
    const said = `Its distance from the training images is ${row.novelty.toFixed(2)}; about 1 is ordinary, above ${this.facts.novelty.threshold.toFixed(2)} is unlike them`;
    return row.unlike_training ? `${said}, so the answer may mean nothing.` : `${said}.`;
  }
}
