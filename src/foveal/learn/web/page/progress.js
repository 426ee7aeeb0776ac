"use strict";
/* Answers kept in this browser, and their JSON; the same file as the terminal's progress. */
const progress = (() => {
  const SCHEMA = "foveal.learn.progress", VERSION = 1, KEY = "foveal.learn.progress";
  const GRADES = ["again", "hard", "good"];
  const CONTROL = /[\p{Cc}\p{Cs}\p{Co}\p{Cn}\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029\ufeff]/u;

  const isObject = (value) =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  const isWhole = (value, least, most) =>
    Number.isSafeInteger(value) && value >= least && value <= most;
  const isName = (value) =>
    typeof value === "string" && value.length > 0 && value.length <= 120 &&
    value.trim() === value && !CONTROL.test(value);

  /* Returns which part of a review cannot be such; "" where all can. */
  function fault(review) {
    if (!isObject(review)) return "it is no object";
    const { id, skill, template, seed, level, grade, hinted, answer, mistakes, at_utc } = review;
    const time = typeof at_utc === "string" && /([+-]\d\d:?\d\d|Z)$/.test(at_utc)
      ? new Date(at_utc) : new Date(NaN);
    const year = time.getUTCFullYear();
    const checks = {
      id: typeof id === "string" && /^[A-Za-z0-9._:-]{1,64}$/.test(id),
      skill: isName(skill),
      template: isName(template),
      seed: isWhole(seed, 0, Number.MAX_SAFE_INTEGER),
      level: isWhole(level, 1, 9),
      grade: GRADES.includes(grade),
      hinted: typeof hinted === "boolean",
      answer: isObject(answer) && Object.keys(answer).length <= 64 &&
        Object.entries(answer).every(
          ([key, text]) => isName(key) && typeof text === "string" && text.length <= 5000),
      mistakes: Array.isArray(mistakes) && mistakes.length <= 64 && mistakes.every(isName),
      at_utc: year >= 2000 && year < 2200,
    };
    const wrong = Object.keys(checks).find((name) => !checks[name]);
    return wrong ? `its '${wrong}' cannot be read` : "";
  }
  function kept(review) {
    const { id, skill, template, seed, level, grade, hinted, answer, mistakes, at_utc } = review;
    return { id, skill, template, seed, level, grade, hinted, answer, mistakes, at_utc };
  }

  /* Returns the reviews of a file's text, or throws an Error that says why there are none. */
  function parse(text) {
    let data;
    try {
      data = JSON.parse(text.replace(/^\ufeff/, ""));
    } catch {
      throw new Error("This is no JSON file. The terminal writes one with: " +
        "foveal learn progress export FILE");
    }
    if (!isObject(data) || data.schema !== SCHEMA) {
      throw new Error(`This file is not of the kind ${SCHEMA}.`);
    }
    if (!isWhole(data.version, 1, Number.MAX_SAFE_INTEGER) || !Array.isArray(data.reviews)) {
      throw new Error("This file is damaged: its version or its reviews are missing.");
    }
    if (data.version > VERSION) {
      throw new Error(`This file has version ${data.version}; this page reads up to ${VERSION}.`);
    }
    for (const [index, review] of data.reviews.entries()) {
      const why = fault(review);
      if (why) throw new Error(`Review ${index + 1} of this file is damaged: ${why}.`);
    }
    return data.reviews.map(kept);
  }

  const inOrder = (reviews) => [...reviews].sort(
    (a, b) => Date.parse(a.at_utc) - Date.parse(b.at_utc) || (a.id < b.id ? -1 : 1));
  const dump = (reviews) =>
    JSON.stringify({ schema: SCHEMA, version: VERSION, reviews: inOrder(reviews) }, null, 1) + "\n";
  /* Each id once; those that are here already stay. */
  function merge(reviews, others) {
    const ids = new Set(reviews.map((review) => review.id));
    const added = others.filter((review) => !ids.has(review.id) && ids.add(review.id));
    return inOrder([...reviews, ...added]);
  }

  function load() {
    try {
      const text = localStorage.getItem(KEY);
      return text === null ? [] : parse(text);
    } catch {
      return [];
    }
  }
  /* Another tab may have kept answers meanwhile. Returns whether it could be kept. */
  function save(reviews) {
    try {
      localStorage.setItem(KEY, dump(merge(load(), reviews)));
      return true;
    } catch {
      return false;
    }
  }
  function forget() {
    try { localStorage.removeItem(KEY); } catch { /* nothing is kept there */ }
  }
  function freshId() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  /* Where a skill stands: simpler than the terminal's, which counts on from the same reviews. */
  function standings(reviews) {
    const found = new Map();
    for (const { skill, grade, template } of inOrder(reviews)) {
      const before = found.get(skill) ?? { count: 0, streak: 0, met: new Map() };
      before.met.set(template, (before.met.get(template) ?? 0) + 1);
      found.set(skill, {
        count: before.count + 1,
        streak: grade === "good" ? before.streak + 1 : 0,
        last: grade,
        met: before.met,
      });
    }
    return found;
  }
  function stateOf(standing) {
    if (!standing) return "new";
    if (standing.last === "again") return "weak";
    return standing.streak >= 3 ? "strong" : "learning";
  }
  function stateOfAll(states) {
    if (states.includes("weak")) return "weak";
    if (states.every((state) => state === "new")) return "new";
    return states.every((state) => state === "strong") ? "strong" : "learning";
  }

  return { parse, dump, merge, load, save, forget, freshId, standings, stateOf, stateOfAll };
})();
