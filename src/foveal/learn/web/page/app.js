"use strict";
/* The pages of the course: which one is shown, and what is kept of the answers. */
(() => {
  const { element, inline, markup, figure } = drawing;
  const text = (id) => document.getElementById(id).textContent;
  const course = JSON.parse(text("course"));
  const main = document.getElementById("main");
  const opened = new Map();
  let reviews = progress.load();
  let isKept = true;

  const STATES = { weak: "! weak", learning: "~ learning", strong: "+ strong", new: "" };
  const capital = (words) => words.slice(0, 1).toUpperCase() + words.slice(1);
  const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;
  const pick = (list) => list[Math.floor(Math.random() * list.length)];
  function shuffled(list) {
    const left = [...list];
    return list.map(() => left.splice(Math.floor(Math.random() * left.length), 1)[0]);
  }
  const topicOf = (number) => course.topics.find((topic) => topic.number === number);
  const templateOf = (name) => course.templates.find((each) => each.name === name);
  const link = (href, label, kind = "button") => element("a", { href, class: kind }, label);

  /* Unpacks the exercises that stand in the page. */
  async function unpack(id) {
    if (!opened.has(id)) opened.set(id, await packed.read(text(id)));
    return opened.get(id);
  }

  function keep({ exercise, grade, hinted, answer, mistakes }) {
    const { skill, template, seed, level } = exercise;
    const id = progress.freshId(), at_utc = new Date().toISOString();
    const review = { id, skill, template, seed, level, grade, hinted, answer, mistakes, at_utc };
    reviews = progress.merge(progress.load(), [...reviews, review]);
    isKept = progress.save(reviews);
  }

  /* Skills of a topic, drilled ones and the facts that its questions train. */
  function stateOfTopic(topic, standings) {
    const drilled = course.templates.filter((each) => each.topic === topic.number);
    const skills = [...new Set([...drilled.map((each) => each.skill), `facts-${topic.number}`])];
    return progress.stateOfAll(skills.map((skill) => progress.stateOf(standings.get(skill))));
  }

  /* The drill that was met least, at the level that was reached, in a variant not seen yet. */
  async function variant(templates) {
    const standings = progress.standings(reviews);
    const met = (each) => standings.get(each.skill)?.met.get(each.name) ?? 0;
    const fewest = Math.min(...templates.map(met));
    const chosen = pick(templates.filter((each) => met(each) === fewest));
    const level = Math.min(3, 1 + (standings.get(chosen.skill)?.streak ?? 0));
    const all = (await unpack(`drill-${chosen.name}`)).filter((each) => each.level === level);
    const seen = new Set(reviews
      .filter((each) => each.template === chosen.name && each.level === level)
      .map((each) => each.seed));
    const fresh = all.filter((each) => !seen.has(each.seed));
    return pick(fresh.length ? fresh : all);
  }

  function page(title, ...content) {
    const heading = element("h1", { tabindex: -1 }, title);
    document.title = `${title} · Foveal learn`;
    main.replaceChildren(heading, ...content.flat().filter(Boolean));
    return heading;
  }

  // ---- the map

  function showMap() {
    const standings = progress.standings(reviews);
    const states = new Map(course.topics.map((topic) => [topic.number, stateOfTopic(topic, standings)]));
    const count = (state) => [...states.values()].filter((each) => each === state).length;
    const isNew = count("new") === course.topics.length;
    const wrong = wrongTemplates().length + wrongQuestions().length;
    const next = course.topics.find((topic) => states.get(topic.number) === "new");
    const chapters = [...new Set(course.topics.map((topic) => topic.chapter))];
    page(`Convolutional networks in ${course.topics.length} topics`,
      element("p", { class: "lead" }, isNew
        ? "Predict, and be told exactly where it went wrong. Guess boldly: each mistake is met by name."
        : `${count("strong")} strong, ${count("learning")} learning, ${count("weak")} weak, ${count("new")} new.`),
      isKept ? null : element("p", { class: "absent" },
        "This browser keeps nothing for this page; export your progress before you close it."),
      element("div", { class: "actions" },
        wrong ? link("#/wrong", "Practise what I got wrong", "button first") : null,
        next ? link(`#/topic/${next.number}`, `${isNew ? "Begin with" : "Next topic:"} ${next.title}`, wrong ? "button" : "button first") : null,
        link("#/drill", "Drill all topics"), link("#/quiz", "Quiz of all topics")),
      element("div", { class: "chapters" }, chapters.map((chapter) =>
        element("section", {},
          element("h2", {}, chapter),
          element("ul", { class: "topics" }, course.topics
            .filter((topic) => topic.chapter === chapter)
            .map((topic) => {
              const state = states.get(topic.number);
              return element("li", {}, element("a", { href: `#/topic/${topic.number}` },
                element("span", { class: "number" }, `${topic.number}`),
                element("span", { class: "name" }, topic.title),
                element("span", { class: `state ${state}` }, STATES[state])));
            }))))));
  }

  // ---- a topic

  function showTopic(number) {
    const topic = topicOf(number);
    if (!topic) { showMissing(); return; }
    const position = course.topics.indexOf(topic);
    const next = course.topics[position + 1];
    const rows = [
      ["In Foveal", topic.engine.map((name) => element("code", {}, name)).flatMap((n, i) => (i ? [", ", n] : [n]))],
      ["Lint rules", topic.rules.join(", ")],
      ["Paper", topic.paper],
    ].filter(([, content]) => content.length);
    page(`${topic.number}. ${capital(topic.title)}`,
      element("p", { class: "kicker" }, topic.chapter),
      markup(topic.fact),
      element("div", { class: "actions" },
        topic.drills.length ? link(`#/drill/${number}`, "Drill it", "button first") : null,
        link(`#/quiz/${number}`, `Quiz: ${plural(topic.questions, "question")}`, topic.drills.length ? "button" : "button first"),
        topic.lab ? link(`#/lab/${topic.lab}`, "See it measured") : null),
      element("h2", {}, "Computed"),
      markup(topic.example),
      figure(topic.figure),
      element("h2", {}, "What people get wrong"),
      element("ul", {}, topic.misconceptions.map((each) => element("li", {}, inline(each)))),
      topic.drills.length ? [
        element("h2", {}, "Drills"),
        element("ul", {}, topic.drills.map((name) => element("li", {},
          link(`#/drill/${number}/${name}`, templateOf(name).title, "")))),
      ] : null,
      element("h2", {}, "Where it is"),
      element("dl", { class: "facts" }, rows.map(([name, content]) =>
        element("div", {}, element("dt", {}, name), element("dd", {}, content)))),
      next ? element("div", { class: "actions" }, link(`#/topic/${next.number}`, `Next: ${next.title}`)) : null);
    main.querySelector("h1").before(main.querySelector(".kicker"));
  }

  // ---- drills

  async function showDrill(number, name) {
    const topic = topicOf(number);
    const wanted = name ? [name] : topic?.drills;
    const templates = wanted ? course.templates.filter((each) => wanted.includes(each.name)) : course.templates;
    if ((number && !topic) || !templates.length) { showMissing(); return; }
    const title = name ? templates[0].title : topic ? `Drills: ${topic.title}` : "Drills of all topics";
    await practise(title, () => variant(templates));
  }
  function wrongTemplates() {
    const standings = progress.standings(reviews);
    return course.templates.filter((each) => standings.get(each.skill)?.last === "again");
  }
  function wrongQuestions() {
    const last = new Map(reviews.filter((each) => each.template.startsWith("quiz:"))
      .map((each) => [each.template, each.grade]));
    return [...last].filter(([, grade]) => grade === "again").map(([name]) => name);
  }
  async function showWrong() {
    await practise("What I got wrong", async () => {
      const templates = wrongTemplates(), questions = wrongQuestions();
      const kind = pick([...(templates.length ? ["drill"] : []), ...(questions.length ? ["quiz"] : [])]);
      if (kind === "drill") return variant([pick(templates)]);
      if (kind !== "quiz") return null;
      const name = pick(questions);
      return (await unpack("quiz")).find((each) => each.template === name) ?? null;
    });
  }
  /* One exercise after the other, until there are no more. */
  async function practise(title, choose) {
    const here = location.hash;
    const exercise = await choose();
    if (location.hash !== here) return;
    if (!exercise) {
      page(title, element("p", { class: "lead" }, "Nothing is wrong at the moment."),
        element("div", { class: "actions" }, link("#/drill", "Drill all topics", "button first"), link("#/", "Map")));
      return;
    }
    const next = () => practise(title, choose).then(() => focusFirst());
    page(title, subline(exercise), exercises.show(exercise, { course, keep, next }));
  }
  function subline(exercise) {
    const topic = topicOf(exercise.topic);
    const isDrill = !exercise.template.startsWith("quiz:");
    return element("p", { class: "count" },
      link(`#/topic/${topic.number}`, `${topic.number}. ${topic.title}`, ""),
      isDrill ? ` · level ${exercise.level} of 3, variant ${exercise.seed}` : "");
  }
  function focusFirst() {
    main.querySelector("form input, form select, form textarea, form button")?.focus();
  }

  // ---- sittings: the quiz, and the test without marks until the end

  async function showQuiz(number) {
    const all = await unpack("quiz");
    const topic = topicOf(number);
    if (number && !topic) { showMissing(); return; }
    const questions = topic ? all.filter((each) => each.topic === number)
      : course.topics.map(({ number: each }) => leastMet(all.filter((one) => one.topic === each)));
    sit(topic ? `Quiz: ${topic.title}` : "Quiz: one question of each topic", questions, { isTest: false });
  }
  function leastMet(questions) {
    const met = (each) => reviews.filter((review) => review.template === each.template).length;
    return questions.reduce((best, each) => (met(each) < met(best) ? each : best));
  }
  async function showTest() {
    const drills = [];
    for (const each of shuffled(course.templates).slice(0, 10)) drills.push(await variant([each]));
    sit("Test: no marks until the end", drills, { isTest: true });
  }
  function sit(title, list, { isTest }) {
    const here = location.hash;
    const results = [];
    const step = (index) => {
      if (location.hash !== here) return;
      if (index === list.length) { showResults(title, results, isTest); return; }
      const exercise = list[index];
      page(title,
        element("p", { class: "count" }, `${isTest ? "Exercise" : "Question"} ${index + 1} of ${list.length}`),
        exercises.show(exercise, {
          course,
          isTest,
          nextLabel: index + 1 < list.length ? "Next question" : "My result",
          keep: (kept) => { keep(kept); results.push(kept); },
          next: () => { step(index + 1); focusFirst(); },
        }));
    };
    step(0);
  }
  function showResults(title, results, isTest) {
    const good = results.filter((each) => each.grade !== "again").length;
    const heading = page("Your result",
      element("p", { class: "lead" }, results.length
        ? `${good} of ${plural(results.length, "answer")} right at the first try.`
        : "Everything was skipped."),
      element("ul", { class: "results" }, results.map(({ exercise, grade, answer, mistakes }) => {
        const topic = topicOf(exercise.topic);
        const names = mistakes.map((code) => course.mistakes[code]?.title).filter(Boolean);
        const isWrong = grade === "again";
        return element("li", {},
          element("span", { class: `state ${isWrong ? "weak" : "strong"}` }, isWrong ? "✗ wrong " : "✓ right "),
          link(`#/topic/${topic.number}`, `${topic.number}. ${topic.title}`, ""),
          isWrong && names.length ? `: ${names.join("; ")}` : "",
          isWrong && exercise.template in drillNames ? [" · ", link(`#/drill/${topic.number}/${exercise.template}`, "drill it", "")] : "",
          isTest && isWrong ? solution(exercise, answer) : "");
      })),
      element("div", { class: "actions" },
        results.length > good ? link("#/wrong", "Practise what I got wrong", "button first") : null,
        link("#/", "Map")));
    heading.focus();
  }
  const drillNames = Object.fromEntries(course.templates.map((each) => [each.name, true]));
  function solution(exercise, answer) {
    const marks = marking.mark(exercise, answer, course.mistakes);
    return element("details", {}, element("summary", {}, "The question, and where it went wrong"),
      markup(exercise.question),
      marks.map((mark, index) => element("p", {},
        element("strong", {}, inline(capital(`${exercise.fields[index].label}: `))), ...inline(mark.message))),
      element("ol", { class: "steps" }, (exercise.steps ?? []).map((step) => element("li", {}, inline(step.text)))));
  }

  // ---- labs

  function showLabs() {
    page("Labs", element("p", { class: "lead" },
      "Commit to a guess, then see what was measured. Each was run on the machine that it names, and the command beside it repeats it on yours."),
      element("ul", { class: "topics" }, course.labs.map((lab) => element("li", {},
        element("a", { href: `#/lab/${lab.name}` },
          element("span", { class: "number" }, `${lab.topics[0]}`),
          element("span", { class: "name" }, lab.title))))));
  }
  function showLab(name) {
    const lab = course.labs.find((each) => each.name === name);
    if (!lab) { showMissing(); return; }
    const inputs = lab.choices.map(([key]) => element("input", { type: "radio", name: "guess", value: key }));
    const result = element("div");
    const form = element("form", {},
      element("fieldset", { class: "blank" },
        element("legend", {}, inline(lab.question)),
        element("div", { class: "choices" }, lab.choices.map(([, words], index) =>
          element("label", { class: "choice" }, inputs[index], element("span", {}, inline(words)))))),
      element("div", { class: "actions" },
        element("button", { type: "submit", class: "first" }, "Show what was measured")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const guess = inputs.find((input) => input.checked)?.value;
      const said = (key) => lab.choices.find(([each]) => each === key)[1];
      const judged = !guess ? "You made no guess; a wrong one teaches more than none."
        : !lab.answer ? `You guessed: ${said(guess)}. This run cannot decide it.`
        : guess === lab.answer ? `You guessed: ${said(guess)}. That is what was measured.`
        : `You guessed: ${said(guess)}. Measured: ${said(lab.answer)}.`;
      const heading = element("p", { class: "verdict", tabindex: -1 }, judged);
      result.replaceChildren(heading,
        element("p", { class: "aside" }, `Recorded on ${lab.machine}; below, that is “this machine”.`),
        document.getElementById(`lab-${name}`).content.cloneNode(true),
        element("h2", {}, "Repeat it on yours"),
        element("pre", { tabindex: 0, class: "command" }, element("code", {}, lab.command)));
      heading.focus();
    });
    page(lab.title, form, result,
      element("p", { class: "count" }, "Topics: ", lab.topics.flatMap((number, index) => [
        index ? ", " : "", link(`#/topic/${number}`, `${number}. ${topicOf(number).title}`, "")])));
  }

  // ---- a network, and progress

  function showNetwork() {
    page("Inside a network",
      element("p", { class: "lead" },
        "Go through a network layer by layer, and see how much of your image one unit sees."),
      explorer.show(course.networks),
      element("p", { class: "aside" }, "Shapes, parameters and fields are what foveal inspect computed. ",
        "Put your own network in: ", element("code", {}, "foveal learn export site DIR --on net.py:build")));
  }

  function showProgress() {
    const said = element("p", { role: "status" });
    const file = element("input", {
      type: "file", id: "import", accept: ".json,application/json",
      onchange: async () => {
        try {
          const merged = progress.merge(reviews, progress.parse(await file.files[0].text()));
          const added = merged.length - reviews.length;
          reviews = merged;
          isKept = progress.save(reviews);
          said.textContent = `${plural(added, "answer")} added.`;
          summary.textContent = kept();
        } catch (error) {
          said.textContent = error.message;
        }
        file.value = ""; // so that the same file can be chosen again
      },
    });
    const kept = () => {
      const right = reviews.filter((each) => each.grade !== "again").length;
      return `${plural(reviews.length, "answer")} kept in this browser, ${right} right at the first try.`;
    };
    const summary = element("p", { class: "lead" }, kept());
    let isSure = false;
    const forget = element("button", {
      type: "button",
      onclick: () => {
        if (!isSure) { isSure = true; forget.textContent = "Really forget all answers"; return; }
        progress.forget();
        reviews = [];
        showProgress();
      },
    }, "Forget all answers");
    page("Progress", summary,
      element("h2", {}, "Take it with you"),
      element("p", {}, "The file is the same as the terminal's: ",
        element("code", {}, "foveal learn progress import FILE"), " reads it, and ",
        element("code", {}, "foveal learn progress export FILE"), " writes one for this page."),
      element("div", { class: "actions" },
        element("button", { type: "button", class: "first", onclick: download }, "Export my answers")),
      element("h3", {}, element("label", { for: "import" }, "Import a file")), file, said,
      element("h2", {}, "When to practise again"),
      element("p", {}, "This page practises what you got wrong, and says a skill is strong after three right answers in a row. The terminal does more: it schedules each skill for the day when you would begin to forget it (FSRS), from the same answers. Export them here, import them there, and go on with ",
        element("code", {}, "foveal learn review"), "."),
      element("h2", {}, "Begin anew"), element("div", { class: "actions" }, forget));
  }
  function download() {
    const address = URL.createObjectURL(new Blob([progress.dump(reviews)], { type: "application/json" }));
    const anchor = element("a", { href: address, download: "foveal-progress.json" });
    anchor.click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  }

  function showMissing() {
    page("There is no such page", element("div", { class: "actions" }, link("#/", "Map", "button first")));
  }

  // ---- which page is shown

  const PAGES = {
    "": showMap,
    topic: (number) => showTopic(Number(number)),
    drill: (number, name) => showDrill(Number(number) || 0, name),
    wrong: showWrong,
    quiz: (number) => showQuiz(Number(number) || 0),
    test: showTest,
    labs: showLabs,
    lab: showLab,
    network: showNetwork,
    progress: showProgress,
  };
  async function go(isFirst) {
    const [name, ...rest] = location.hash.replace(/^#\/?/, "").split("/").map(decoded);
    for (const anchor of document.querySelectorAll(".contents a")) {
      const isHere = anchor.getAttribute("href") === `#/${name}`;
      if (isHere) anchor.setAttribute("aria-current", "page");
      else anchor.removeAttribute("aria-current");
    }
    reviews = progress.merge(progress.load(), reviews);
    await (Object.hasOwn(PAGES, name) ? PAGES[name](...rest) : showMissing());
    if (!isFirst) {
      window.scrollTo(0, 0);
      main.querySelector("h1").focus({ preventScroll: true });
    }
    document.body.dataset.shown = location.hash || "#/";
  }
  function decoded(part) {
    try { return decodeURIComponent(part); } catch { return ""; }
  }
  document.getElementById("skip").addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
  });
  window.addEventListener("hashchange", () => go(false));
  go(true);
})();
