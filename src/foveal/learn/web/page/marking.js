"use strict";
/* Marks answers; the twin of foveal/learn/marking.py, proved on the same cases. */
const marking = (() => {
  const { Unreadable, read, equal, spell, isClose, isNumber, isWhole } = answers;

  /* Returns one mark for each blank, from the texts by key; kinds are the mistakes by code. */
  function mark(exercise, typed, kinds) {
    const values = new Map();
    const strayed = new Set();
    return exercise.fields.map((field) => {
      const found = markField(field, typed[field.key] ?? "", values, strayed.size > 0, kinds);
      const isUsable = found.given !== undefined && found.verdict !== "open";
      values.set(field.key, isUsable ? found.given : field.answer);
      if (isUsable && !equal(field, found.given, field.answer)) strayed.add(field.key);
      return found;
    });
  }

  function markField(field, text, values, hasStrayed, kinds) {
    const here = hasStrayed ? fromOwnValues(field.follow, values, field.answer) : field.answer;
    const bare = { key: field.key, expected: field.answer, expectedHere: here };
    if (!text.trim()) return { ...bare, verdict: "empty", message: "Nothing was entered." };
    const given = read(field, text);
    if (given instanceof Unreadable) {
      return { ...bare, verdict: "unreadable", message: given.reason };
    }
    const known = { ...bare, given };
    if (field.kind === "open") {
      return { ...known, verdict: "open", message: "Compare it with the checklist." };
    }
    if ([field.answer, ...(field.also ?? [])].some((right) => equal(field, given, right))) {
      return { ...known, verdict: "right", message: `${spell(field.answer, field.unit)} is right.` };
    }
    if (hasStrayed && equal(field, given, here)) {
      return {
        ...known,
        verdict: "follows",
        message: `${spell(given, field.unit)} is right from your own earlier value; ` +
          `with the right one it is ${spell(field.answer, field.unit)}.`,
      };
    }
    const mistake = findMistake(field, given, here, hasStrayed ? values : null, kinds);
    if (mistake) {
      return {
        ...known, verdict: "mistake", mistake, step: mistake.step, message: mistake.feedback,
      };
    }
    const choice = (field.choices ?? []).find((each) => each.key === given && each.feedback);
    const message = choice ? choice.feedback : `${spell(given, field.unit)} is not right.`;
    return { ...known, verdict: "wrong", step: field.step, message };
  }

  function findMistake(field, given, here, ownValues, kinds) {
    const listed = field.mistakes ?? [];
    const followed = [];
    for (const each of ownValues === null ? [] : listed.filter((one) => one.follow)) {
      const value = fromOwnValues(each.follow, ownValues, here);
      if (equal(field, value, here)) continue;
      followed.push({ ...each, value, feedback: told(each, value, ownValues, kinds) });
    }
    const found = [...followed, ...listed];
    return found.find((each) => equal(field, given, each.value))
      ?? found.find((each) => isRounded(field, given, each.value));
  }

  /* The feedback with the learner's own numbers. */
  function told(mistake, value, ownValues, kinds) {
    if (String(value) === String(mistake.value)) return mistake.feedback;
    const kind = kinds[mistake.code];
    const way = `${formula.pretty(mistake.follow, ownValues)} = ${spell(value)}`;
    return `It looks like ${kind.title}: ${way}. ${kind.sentence}`;
  }

  /* Whether a rounded form of a mistake's value was given: 503 for 503.04. */
  function isRounded(field, given, value) {
    if (!isNumber(given) || !isNumber(value)) return false;
    if (field.kind === "number") return isClose(Number(given), Number(value), 0.01);
    return !isWhole(value) && (given === Math.floor(value) || given === Math.ceil(value));
  }

  function fromOwnValues(text, values, otherwise) {
    if (!text) return otherwise;
    try {
      return formula.evaluate(text, values);
    } catch (error) {
      if (error instanceof formula.FormulaError) return otherwise;
      throw error;
    }
  }

  const isRight = (marks) => marks.every((each) => ["right", "open"].includes(each.verdict));
  const isReadable = (marks) =>
    marks.every((each) => !["unreadable", "empty"].includes(each.verdict));
  const firstWrong = (marks) => marks.find((each) => ["mistake", "wrong"].includes(each.verdict));
  const mistakeCodes = (marks) =>
    [...new Set(marks.filter((each) => each.mistake).map((each) => each.mistake.code))];

  return { mark, isRight, isReadable, firstWrong, mistakeCodes };
})();
