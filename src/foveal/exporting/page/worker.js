// Beside the page, so that it stays awake: opens the classifier and answers one file at a time.

import { Classifier, reasonOf, tintsOf } from "./classifier.js";
import { ImageError } from "./faults.js";
import { ServedClassifier } from "./served.js";

let classifier = null;

async function start({ facts, ort: script, wasm, model, novelty, tints }) {
  if (facts.server) {
    classifier = new ServedClassifier({ facts, tints: tintsOf(tints, facts.tints) });
    return;
  }
  const address = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  const ort = await import(address);
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = wasm;
  ort.env.logLevel = "error";
  try {
    classifier = await Classifier.open(ort, { facts, model, novelty, tints });
  } catch (error) {
    throw new ImageError(`this browser cannot run the network (${error.message}); one of the last two years can`, "browser");
  }
}

const TASKS = {
  start,
  classify: ({ file }) => classifier.classify(file),
  explain: ({ file, classIndex, sidePx }) => classifier.explain(file, classIndex, sidePx),
  prepare: ({ file }) => classifier.prepare(file),
};

// Answers come in the order of the questions: a session runs one image at a time.
let last = Promise.resolve();
self.onmessage = ({ data: { id, task, ...question } }) => {
  last = last.then(async () => {
    try {
      self.postMessage({ id, answer: await TASKS[task](question) });
    } catch (error) {
      self.postMessage({ id, fault: reasonOf(error) });
    }
  });
};
