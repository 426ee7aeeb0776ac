"use strict";
/* One exercise from question to understanding: answer, where it first goes wrong, solution. */
const exercises = (() => {
  const { element, inline, markup, code, figure } = drawing;
  const { spell } = answers;
  const SIGNS = { right: "✓ right", follows: "✓ follows from yours", mistake: "✗", wrong: "✗" };
  let count = 0;

  /* Returns the form. `keep` is called once with the first answer; `next` asks for another. */
  function show(exercise, { course, keep, next, skip = next, isTest = false, nextLabel = "Next variant" }) {
    const id = `x${count += 1}`;
    const tried = { hinted: false, isKept: false, isDone: false };
    const blanks = exercise.fields.map((field, index) => blank(field, `${id}-${index}`));
    const told = element("div", { class: "verdict-box", "aria-live": "polite", tabindex: -1 });
    const hint = element("div", { "aria-live": "polite" });
    const solution = element("div");
    const actions = element("div", { class: "actions" });
    const form = element("form", { class: "exercise", novalidate: true },
      element("div", { class: "question" }, markup(exercise.question), figure(exercise.figure)),
      element("div", { class: "blanks" }, blanks.map((each) => each.node)),
      hint, told, actions);
    const view = element("div", {}, form, solution);

    const button = (label, kind, action) =>
      element("button", { type: "button", class: kind, onclick: action }, label);
    function ask() {
      actions.replaceChildren(
        element("button", { type: "submit", class: "first" }, isTest ? "Answer" : "Check"),
        ...(isTest ? [] : [
          button("Hint", "", showHint), button("Show the solution", "", giveUp)]),
        button("Skip, give me another", "quiet", skip));
    }
    function finish() {
      tried.isDone = true;
      actions.replaceChildren(
        button(nextLabel, "first", next),
        button("Worked solution", "", () => showSolution(true)),
        ...(exercise.proof ? [button("Proof in PyTorch", "", showProof)] : []));
    }
    function showHint() {
      tried.hinted = true;
      hint.replaceChildren(element("p", { class: "hint" }, inline(exercise.hint)));
    }
    function keepOnce(isRight, typed, codes) {
      if (tried.isKept) return;
      tried.isKept = true;
      const grade = !isRight ? "again" : tried.hinted ? "hard" : "good";
      keep({ exercise, grade, hinted: tried.hinted, answer: typed, mistakes: codes });
    }
    function giveUp() {
      keepOnce(false, {}, []);
      finish();
      showSolution(true);
    }
    function section(name, ...content) {
      const old = solution.querySelector(`[data-part="${name}"]`);
      const heading = element("h2", { tabindex: -1 }, name);
      const made = element("div", { class: "solution", "data-part": name }, heading, ...content);
      if (old) old.replaceWith(made); else solution.append(made);
      heading.focus();
      return made;
    }
    function showSolution() {
      const rights = exercise.fields.filter((field) => field.kind !== "open");
      section("Worked solution",
        element("ol", { class: "steps" },
          (exercise.steps ?? []).map((step) => element("li", {}, listed(step.text)))),
        ...rights.map((field) => element("p", {},
          element("strong", {}, inline(`${capital(field.label)}: `)), ...inline(spelt(field)))),
        figure(exercise.solution_figure) ?? "",
        ...markup(exercise.reasons ?? ""));
    }
    function showProof() {
      section("Proof in PyTorch", code(exercise.proof.trimEnd()),
        element("p", { class: "aside" }, "Copy it into Python: it prints the answer, one line for each blank. " +
          "In the terminal, foveal learn drill runs it for you."));
    }

    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (tried.isDone) { next(); return; }
      const typed = Object.fromEntries(blanks.map((each) => [each.field.key, each.text()]));
      const marks = marking.mark(exercise, typed, course.mistakes);
      if (!marking.isReadable(marks)) { unclear(marks); return; }
      const open = blanks.find((each) => each.field.kind === "open");
      if (open) { checklist(open.field, typed); return; }
      keepOnce(marking.isRight(marks), typed, marking.mistakeCodes(marks));
      if (isTest) { next(); return; }
      if (marking.isRight(marks)) right(marks); else wrong(marks);
    });
    function unclear(marks) {
      const index = marks.findIndex((each) => ["unreadable", "empty"].includes(each.verdict));
      blanks.forEach((each) => each.mark(null));
      told.className = "verdict-box unclear";
      told.replaceChildren(
        element("p", { class: "told" }, "That could not be read, so it is no wrong answer."),
        element("p", {}, inline(marks[index].message)));
      blanks[index].focus();
    }
    function right(marks) {
      blanks.forEach((each, index) => each.mark(marks[index]));
      told.className = "verdict-box right";
      told.replaceChildren(
        element("p", { class: "told" }, tried.isWrong ? "Now it is right." : "Right."),
        ...markup(exercise.reasons ?? ""));
      finish();
      actions.firstChild.focus();
    }
    function wrong(marks) {
      tried.isWrong = true;
      blanks.forEach((each, index) => each.mark(marks[index]));
      const first = marking.firstWrong(marks);
      const index = first ? marks.indexOf(first) : 0;
      const field = exercise.fields[index];
      const kind = first?.mistake ? course.mistakes[first.mistake.code] : null;
      const follows = marks.some((each) => each.verdict === "follows");
      told.className = "verdict-box wrong";
      told.replaceChildren(
        element("p", { class: "told" }, kind ? `Not yet: ${kind.title}.` : "Not yet."),
        marks.length > 1 ? element("p", {}, "It first goes wrong at ",
          element("strong", {}, inline(field.label)), index ? ". Up to there it is right." : ".") : "",
        first ? element("p", {}, inline(explained(field, first))) : "",
        follows ? element("p", {}, "What comes after it follows rightly from your own value.") : "");
      if (marks.length === 1 && (field.kind === "boolean" || field.choices?.length === 2)) {
        // Another try would be no thought.
        told.append(...markup(exercise.reasons ?? ""));
        finish();
        actions.firstChild.focus();
      } else {
        blanks[index].focus();
      }
    }
    function checklist(field, typed) {
      const boxes = field.checklist.map((point, index) => {
        const box = element("input", { type: "checkbox", id: `${id}-c${index}` });
        return { box, node: element("label", { class: "choice" }, box, element("span", {}, inline(point))) };
      });
      const done = button("Keep my marks", "first", () => {
        const ticks = boxes.map(({ box }) => (box.checked ? "y" : "n")).join("");
        const isRight = !ticks.includes("n");
        keepOnce(isRight, { ...typed, [course.checked]: ticks }, []);
        if (isTest) { next(); return; }
        told.className = `verdict-box ${isRight ? "right" : "wrong"}`;
        told.replaceChildren(element("p", { class: "told" }, isRight
          ? "Your answer says all of it."
          : "Not all of it yet. Say it next time in your own words."));
        boxes.forEach(({ box }) => { box.disabled = true; });
        finish();
        actions.firstChild.focus();
      });
      section("A good answer", ...markup(field.answer),
        element("p", {}, "Does yours say this? Tick what it says."),
        element("div", { class: "choices" }, boxes.map((each) => each.node)));
      actions.replaceChildren(done);
    }
    ask();
    return view;
  }

  const capital = (text) => text.slice(0, 1).toUpperCase() + text.slice(1);
  const listed = (text) => (text.includes("```") ? markup(text) : inline(text));
  function spelt(field) {
    const text = (key) => field.choices.find((choice) => choice.key === key).text;
    if (field.kind === "choice") return text(field.answer);
    if (field.kind === "order") return field.answer.map(text).join(" → ");
    if (field.kind === "match") {
      return field.answer.map((key, index) => `${field.items[index]}: ${text(key)}`).join("; ");
    }
    return spell(field.answer, field.unit);
  }
  function explained(field, mark) {
    if (field.kind === "shape" && Array.isArray(mark.given) && mark.verdict === "wrong" &&
        mark.given.length !== field.answer.length) {
      return `A shape here has ${field.answer.length} sizes; yours has ${mark.given.length}.`;
    }
    if (field.kind !== "order" && field.kind !== "match") return mark.message;
    const rights = mark.given.filter((key, index) => key === field.answer[index]).length;
    const wrong = mark.given.findIndex((key, index) => key !== field.answer[index]);
    const said = mark.verdict === "mistake" ? ` ${mark.message}` : "";
    if (field.kind === "match") {
      return `${rights} of ${mark.given.length} are right. Look again at ${field.items[wrong]}.${said}`;
    }
    const { text } = field.choices.find((choice) => choice.key === mark.given[wrong]);
    return `${rights} of ${mark.given.length} are in their places. The first that is not: ${text} ` +
      `cannot be number ${wrong + 1}.${said}`;
  }

  /* One blank: its node, and what was put into it as text. */
  function blank(field, id) {
    const note = element("span", { class: "field-mark", id: `${id}-mark` });
    const made = controls(field, id, note);
    return {
      field,
      node: made.node,
      text: made.text,
      focus: () => made.inputs[0].focus(),
      mark(found) {
        note.className = `field-mark ${found?.verdict ?? ""}`;
        note.textContent = found ? SIGNS[found.verdict] ?? "" : "";
        const isWrong = ["mistake", "wrong"].includes(found?.verdict);
        for (const input of made.inputs) {
          if (isWrong) input.setAttribute("aria-invalid", "true");
          else input.removeAttribute("aria-invalid");
        }
      },
    };
  }
  function controls(field, id, note) {
    if (field.kind === "choice" || field.kind === "boolean") return radios(field, id, note);
    if (field.kind === "order" || field.kind === "match") return positions(field, id, note);
    const isLong = field.kind === "open";
    const input = element(isLong ? "textarea" : "input", {
      ...(isLong ? {} : { type: "text", autocomplete: "off", autocapitalize: "off", spellcheck: "false" }),
      id, "aria-describedby": `${id}-mark`,
    });
    return {
      node: element("div", { class: "blank" },
        element("label", { for: id }, inline(field.label || "Your answer")),
        element("div", { class: "row" }, input,
          field.unit ? element("span", { class: "unit" }, field.unit) : "", note)),
      inputs: [input],
      text: () => input.value,
    };
  }
  function radios(field, id, note) {
    const choices = field.kind === "boolean"
      ? [{ key: "true", text: "True" }, { key: "false", text: "False" }] : field.choices;
    const inputs = choices.map((choice) =>
      element("input", { type: "radio", name: id, value: choice.key, "aria-describedby": `${id}-mark` }));
    return {
      node: element("fieldset", { class: "blank" },
        element("legend", {}, inline(field.label || "Your answer")),
        element("div", { class: "choices" }, choices.map((choice, index) =>
          element("label", { class: "choice" }, inputs[index], element("div", {}, markup(choice.text))))),
        note),
      inputs,
      text: () => inputs.find((input) => input.checked)?.value ?? "",
    };
  }
  /* Something to choose for each item, or for each position of an order. */
  function positions(field, id, note) {
    const items = field.kind === "match" ? field.items
      : field.choices.map((_, index) => `Number ${index + 1}`);
    const plain = (text) => text.replace(/`|\*\*/g, "");
    // A closed list shows little of a long text, so it stands above in full.
    const isLong = field.choices.some((choice) => choice.text.length > 24);
    const option = (choice) => (isLong ? `${choice.key}: ` : "") + plain(choice.text);
    const inputs = items.map(() => element("select", { "aria-describedby": `${id}-mark` },
      element("option", { value: "" }, "choose …"),
      field.choices.map((choice) => element("option", { value: choice.key }, option(choice)))));
    return {
      node: element("fieldset", { class: "blank" },
        element("legend", {}, inline(field.label || "Your answer")),
        isLong ? element("ul", { class: "options" }, field.choices.map((choice) =>
          element("li", {}, element("b", {}, choice.key), element("span", {}, inline(choice.text))))) : "",
        element("div", { class: "positions" }, items.map((item, index) =>
          element("label", {}, element("span", {}, inline(item)), inputs[index]))),
        note),
      inputs,
      text: () => inputs.map((input) => input.value).join(" ").trim(),
    };
  }

  return { show };
})();
