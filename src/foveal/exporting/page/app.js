// The page: files come in, answers come out, nothing leaves.

import { openAnswers } from "./answers.js";
import { emptyRow } from "./rows.js";
import { csvOf } from "./csv.js";
import { Detail } from "./detail.js";
import { byId, countOf, make } from "./dom.js";
import { fromDrop, fromList } from "./files.js";
import { Table } from "./table.js";

const facts = JSON.parse(byId("facts").textContent);
const REDRAW_MS = 400;
const MOST_THUMBNAILS = 2000;

const state = { queue: [], done: 0, total: 0, isRunning: false, isCleared: false, notes: [], answers: null };

function say(text, isBad = false) {
  byId("status").textContent = text;
  byId("status").classList.toggle("bad", isBad);
}

const missing = ["DecompressionStream", "OffscreenCanvas", "WebAssembly", "Worker"].filter((name) => !(name in globalThis));
const opened = missing.length
  ? Promise.reject(new Error(`this browser lacks ${missing.join(" and ")}; one of the last two years has it`))
  : openAnswers(facts);

opened.then(
  (answers) => {
    state.answers = answers;
    document.body.dataset.state = "ready";
    say(state.queue.length ? "" : "Ready.");
    run();
  },
  (error) => {
    document.body.dataset.state = "failed";
    say(`The classifier cannot be opened: ${error.message}.`, true);
    for (const name of ["choose-images", "choose-folder"]) byId(name).disabled = true;
  },
);

const detail = new Detail(facts, (file, classIndex, sidePx) => state.answers.ask("explain", { file, classIndex, sidePx }));
const table = new Table(facts.class_names, (offset) => detail.open(table.shown(), offset));

function take({ files, numLeftOut, isRefused }) {
  if (document.body.dataset.state === "failed") return;
  state.notes = [];
  if (numLeftOut) state.notes.push(`${countOf(numLeftOut, "file")} of other kinds in the folder ${numLeftOut === 1 ? "was" : "were"} left out.`);
  if (isRefused) state.notes.push("This browser does not let the page read a dropped folder; use “Choose a folder”.");
  if (!files.length) return say([...state.notes, "There was no image to classify."].join(" "), true);
  state.queue.push(...files);
  state.total += files.length;
  byId("results").hidden = false;
  run();
}

async function run() {
  if (state.isRunning || !state.queue.length) return;
  state.isRunning = true;
  byId("progress").hidden = false;
  say(state.answers ? `Classifying ${countOf(state.total, "image")} …` : "Opening the classifier …");
  if (!state.answers) {
    state.isRunning = false;
    return;
  }
  state.isCleared = false;
  const began = performance.now();
  let lastDrawn = 0;
  while (state.queue.length) {
    const { path, file } = state.queue.shift();
    const row = await state.answers.ask("classify", { file }).catch((error) => ({ ...emptyRow(), error: error.message }));
    if (state.isCleared) break;
    if (table.rows.length >= MOST_THUMBNAILS) row.thumbnail = null; // memory, not beauty
    table.rows.push({ ...row, path, file });
    state.done += 1;
    byId("bar").value = state.done / state.total;
    if (performance.now() - lastDrawn > REDRAW_MS) {
      table.draw();
      lastDrawn = performance.now();
      const left = ((performance.now() - began) / state.done) * state.queue.length;
      if (left > 4000) byId("bar").title = `about ${Math.ceil(left / 1000)} seconds left`;
    }
  }
  state.isRunning = false;
  byId("progress").hidden = true;
  if (!state.isCleared) finish();
  if (state.queue.length) run(); // chosen while the last answer of a cleared table was under way
}

function finish() {
  table.draw();
  const numBad = table.rows.filter((row) => row.error !== null).length;
  const toCheck = table.rows.filter((row) => row.unsure || row.unlike_training).length;
  const said = [`${countOf(table.rows.length - numBad, "image")} classified.`];
  if (toCheck) said.push(`${countOf(toCheck, "image")} should be looked at by a person.`);
  if (numBad) said.push(`${countOf(numBad, "file")} could not be used.`);
  say([...said, ...state.notes].join(" "));
  [state.done, state.total] = [0, 0];
}

byId("stop").onclick = () => {
  state.notes.push(`Stopped; ${countOf(state.queue.length, "file")} left.`);
  state.queue = [];
};

byId("clear").onclick = () => {
  table.rows = [];
  table.filter = "all";
  state.queue = [];
  state.isCleared = state.isRunning;
  [state.done, state.total] = [0, 0];
  byId("results").hidden = true;
  say("Ready.");
  byId("choose-images").focus();
};

byId("save").onclick = () => {
  const text = csvOf(table.rows, facts.class_names);
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  make("a", { href: address, download: `${facts.name}-answers.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
};

for (const [button, input] of [["choose-images", "images"], ["choose-folder", "folder"]]) {
  byId(button).onclick = () => byId(input).click();
  byId(input).onchange = () => {
    take(fromList(byId(input).files, facts.endings));
    byId(input).value = ""; // the same files may be chosen again
  };
}

document.addEventListener("dragover", (event) => {
  event.preventDefault();
  byId("drop").classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) byId("drop").classList.remove("over");
});
document.addEventListener("drop", async (event) => {
  event.preventDefault();
  byId("drop").classList.remove("over");
  take(await fromDrop(event.dataTransfer, facts.endings));
});
document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) take(fromList(event.clipboardData.files, facts.endings));
});

// For checks of this page against Foveal in Python.
globalThis.foveal = {
  opened,
  classify: async (file) => (await opened).ask("classify", { file }),
  explain: async (file, classIndex, sidePx) => (await opened).ask("explain", { file, classIndex, sidePx }),
  prepare: async (file) => (await opened).ask("prepare", { file }),
};
