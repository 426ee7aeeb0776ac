// The table of answers: filters, sorting, and as many rows as a browser shows at ease.

import { printable } from "./csv.js";
import { byId, make, paint, percent, shareBar } from "./dom.js";

const ROWS_A_TIME = 200;
const MOST_CLASSES = 12;
const FROM_THE_TOP = ["probability", "prediction_set", "check"];

export class Table {
  /** open: called with the position of a row among those shown. */
  constructor(classNames, open) {
    Object.assign(this, { classNames, open, rows: [], filter: "all", key: null, isDown: false, numShown: ROWS_A_TIME });
    for (const head of document.querySelectorAll("#answers thead th")) {
      head.querySelector("button").onclick = () => this.sortBy(head.dataset.key);
    }
    byId("more").onclick = () => {
      this.numShown += ROWS_A_TIME;
      this.draw();
    };
  }

  filters() {
    const counts = new Map(this.classNames.map((name) => [name, 0]));
    const [unsure, unlike, unread] = [(row) => row.unsure, (row) => row.unlike_training, (row) => row.error !== null]
      .map((test) => this.rows.filter(test).length);
    for (const row of this.rows) if (row.label !== null) counts.set(row.label, counts.get(row.label) + 1);
    const classes = this.classNames.map((name, n) => [`class-${n}`, name, counts.get(name)])
      .filter(([, , count]) => count);
    // Of many classes those that were answered most often, in the order of the run.
    const least = classes.map(([, , count]) => count).sort((a, b) => b - a)[MOST_CLASSES - 1] ?? 1;
    const found = [["all", "All", this.rows.length], ...classes.filter(([, , count]) => count >= least).slice(0, MOST_CLASSES)];
    found.push(["unsure", "Unsure", unsure], ["unlike", "Unlike training", unlike], ["unread", "Not read", unread]);
    return found.filter(([key, , count]) => count || key === "all" || key === this.filter);
  }

  shown() {
    const tests = {
      all: () => true, unsure: (row) => row.unsure, unlike: (row) => row.unlike_training, unread: (row) => row.error !== null,
    };
    const name = this.classNames[Number(this.filter.slice(6))];
    const found = this.rows.filter(tests[this.filter] ?? ((row) => row.label === name));
    if (!this.key) return found;
    const valueOf = (row) => {
      if (this.key === "prediction_set") return row.prediction_set.length;
      return this.key === "check" ? 2 * row.unlike_training + row.unsure : row[this.key];
    };
    const sign = this.isDown ? -1 : 1;
    // Files that were not read come last, whichever way is sorted.
    return found.sort((a, b) => {
      const [first, second] = [valueOf(a), valueOf(b)];
      if ((a.error === null) !== (b.error === null)) return a.error === null ? -1 : 1;
      if (first === second || first === null || second === null) return 0;
      return sign * (first < second ? -1 : 1);
    });
  }

  sortBy(key) {
    // Numbers are asked for from the top, words from their beginning.
    if (this.key === key) this.isDown = !this.isDown;
    else [this.key, this.isDown] = [key, FROM_THE_TOP.includes(key)];
    for (const head of document.querySelectorAll("#answers thead th")) {
      if (head.dataset.key === key) head.setAttribute("aria-sort", this.isDown ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    this.draw();
  }

  draw() {
    const filters = this.filters().map(([key, name, count]) => {
      const number = make("span", { className: "number" }, count.toLocaleString("en"));
      const button = make("button", { type: "button", "aria-pressed": String(key === this.filter) }, name, number);
      button.dataset.key = key;
      button.onclick = () => this.filterBy(key);
      return button;
    });
    byId("filters").replaceChildren(...filters);
    const shown = this.shown();
    const rows = shown.slice(0, this.numShown).map((row, position) => {
      row.node ??= this.rowNode(row);
      row.node.querySelector(".open").onclick = () => this.open(position);
      return row.node;
    });
    byId("rows").replaceChildren(...rows);
    const rest = shown.length - rows.length;
    byId("more").hidden = rest <= 0;
    byId("more").textContent = `Show ${Math.min(rest, ROWS_A_TIME)} more of ${rest.toLocaleString("en")}`;
  }

  filterBy(key) {
    [this.filter, this.numShown] = [key, ROWS_A_TIME];
    this.draw();
    byId("filters").querySelector(`[data-key="${key}"]`).focus();
  }

  rowNode(row) {
    const canvas = make("canvas", { width: 8, height: 8, "aria-hidden": "true" });
    if (row.thumbnail) paint(canvas, row.thumbnail);
    row.thumbnail = null; // the canvas holds it now
    const button = make("button", { type: "button", className: "open" }, canvas, make("span", { className: "name" }, printable(row.path)));
    const head = make("th", { scope: "row" }, button);
    if (row.error !== null) {
      return make("tr", {}, head, make("td", { className: "reason", colSpan: 4 }, `Not read: ${row.error}.`));
    }
    const label = make("td", {}, make("span", { className: "label" }, row.label));
    label.append(make("span", { className: "narrow" }, percent(row.probability), ...flags(row)));
    const probability = make("td", { className: "wide" }, percent(row.probability), shareBar(row.probability));
    const set = make("td", { className: "wide" }, row.prediction_set.join(", "));
    return make("tr", {}, head, label, probability, set, make("td", { className: "wide" }, ...flags(row)));
  }
}

export function flags(row) {
  const found = [];
  if (row.unsure) found.push(make("span", { className: "flag" }, "Unsure"));
  if (row.unlike_training) found.push(make("span", { className: "flag unlike" }, "Unlike training"));
  return found;
}
