// The worker, asked and answered by promises; and the classifier's parts, unpacked from the page.

export class Answers {
  constructor(script) {
    this.worker = new Worker(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
    this.waiting = new Map();
    this.nextId = 0;
    this.worker.onmessage = ({ data: { id, answer, fault } }) => {
      const { resolve, reject } = this.waiting.get(id);
      this.waiting.delete(id);
      if (fault === undefined) resolve(answer);
      else reject(new Error(fault));
    };
    this.worker.onerror = (event) => {
      for (const { reject } of this.waiting.values()) reject(new Error(event.message || "the worker could not be started"));
      this.waiting.clear();
    };
  }

  ask(task, question, transfer = []) {
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, task, ...question }, transfer);
    });
  }
}

/** Returns the bytes of a block of the page: base64 of gzipped bytes. */
export async function unpacked(name) {
  const block = document.getElementById(name);
  const text = block.textContent;
  block.remove();
  const bytes = Uint8Array.fromBase64 ? Uint8Array.fromBase64(text) : Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

/** Starts a worker with everything the page holds. */
export async function openAnswers(facts) {
  if (facts.server) return openServed(facts);
  const [wasm, model, ort, worker, novelty, tints] = await Promise.all(
    ["wasm", "model", "ort", "worker", "novelty", "tints"].map(unpacked),
  );
  const text = (buffer) => new TextDecoder().decode(buffer);
  const answers = new Answers(text(worker));
  const question = {
    facts, ort: text(ort), wasm, model: new Uint8Array(model), novelty: new Float32Array(novelty),
    tints: new Float32Array(tints),
  };
  await answers.ask("start", question, [wasm, model, novelty, tints]);
  return answers;
}

/** Starts a worker that asks the server; its address is the page's own. */
async function openServed(facts) {
  const [worker, tints] = await Promise.all(["worker", "tints"].map(unpacked));
  const answers = new Answers(new TextDecoder().decode(worker));
  const server = new URL(facts.server, document.baseURI).href;
  await answers.ask("start", { facts: { ...facts, server }, tints: new Float32Array(tints) }, [tints]);
  return answers;
}
