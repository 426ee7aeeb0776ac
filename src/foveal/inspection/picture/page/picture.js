"use strict";
/* A network that folds and opens. The boxes are drawn already; here they are moved, filled
   and told about. Texts are never read as markup. */
const picture = (() => {
  const QUANTITIES = { shape: 0, parameters: 1, macs: 2, memory: 3, field: 4 };
  const MOST_DRAWN = 3000;
  const LEAST_FITTED = 0.7;

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value !== null && value !== undefined) made.setAttribute(name, value);
    }
    made.append(...children.flat().filter((child) => child !== null && child !== ""));
    return made;
  }
  const svg = (tag) => document.createElementNS("http://www.w3.org/2000/svg", tag);
  const shorten = (text, room) => (text.length > room ? `${text.slice(0, room - 1)}…` : text);
  const seenText = (shape) => [...shape.querySelectorAll("text")].map((each) => each.textContent).join(" ");
  const unitOf = (name) => ({ shape: "its shape", parameters: "its parameters", macs: "its MACs",
    memory: "its memory", field: "what it sees", activations: "its activations" })[name];

  async function start(root) {
    const { data, kept } = await packed.read(root.querySelector("[data-fvp='packed']").textContent);
    const part = (name) => root.querySelector(`[data-fvp='${name}']`);
    const drawing = part("drawing"), side = part("side"), status = part("status");
    const layers = Object.fromEntries(["frames", "wires", "boxes"].map((name) =>
      [name, drawing.querySelector(`.fvp-${name}`)]));
    const drawn = { open: new Map(), closed: new Map() };
    const nodes = new Map(), parents = new Map();
    (function walk(view, parent) {
      view.read = view.nodes.map(arrangement.read);
      for (const node of view.read) {
        nodes.set(node.number, node);
        parents.set(node.number, parent);
        if (node.inside) walk(node.inside, node.number);
      }
    })(data.top, null);

    const collect = (each) => {
      const number = Number(each.dataset.n), isOpen = each.classList.contains("fvp-open");
      drawn[isOpen ? "open" : "closed"].set(number, each);
      if (each.hasAttribute("role")) return; // it was seen at first
      each.setAttribute("role", "button");
      each.setAttribute("aria-label", `${seenText(each)}; ${more(nodes.get(number))}`);
      if (nodes.get(number).inside) each.setAttribute("aria-expanded", isOpen);
    };
    /* What the name of a box says after what is seen of it. */
    function more(node) {
      const copies = node.part[2] > 1 ? `${node.part[2]} equal copies; ` : "";
      const found = (data.marked[node.number] || []).length, how = data.states[node.number];
      return copies + node.texts.join("; ") + (found ? `; ${found} found here` : "") + (how ? `; ${how} in both` : "");
    }
    drawing.querySelectorAll(".fvp-n").forEach(collect);
    // The boxes that are not seen at first: drawn by us, with every text escaped.
    const shelf = document.createElement("template");
    shelf.innerHTML = `<svg>${kept}</svg>`;
    shelf.content.querySelectorAll(".fvp-n").forEach(collect);

    const state = { opened: new Set(data.open), overlay: "shape", chosen: null, scale: 1,
      copies: new Map(), unit: null, image: null, now: null };

    /* ---- drawing ---- */
    function redraw() {
      const now = state.now = arrangement.find(data.top, state.opened);
      const lists = { frames: [], boxes: [] };
      for (const box of now.boxes) {
        const shape = drawn[box.isOpen ? "open" : "closed"].get(box.node.number);
        shape.setAttribute("transform", `translate(${box.x} ${box.y})`);
        if (box.isOpen) {
          for (const each of shape.children) {
            if (each.matches(".fvp-frame, .fvp-bar")) each.setAttribute("width", box.width);
            if (each.matches(".fvp-frame")) each.setAttribute("height", box.height);
            if (each.matches(".fvp-sign")) each.setAttribute("x", box.width - 14);
            if (each.matches(".fvp-badge")) each.setAttribute("transform", `translate(${box.width - 260} 0)`);
          }
        } else fill(shape, box.node);
        lists[box.isOpen ? "frames" : "boxes"].push(shape);
      }
      layers.frames.replaceChildren(...lists.frames);
      layers.boxes.replaceChildren(...lists.boxes);
      layers.wires.replaceChildren(...now.paths.map((path) => {
        const made = svg("path");
        made.setAttribute("class", `fvp-wire${path.isShortcut ? " fvp-shortcut" : ""}`);
        made.setAttribute("d", arrangement.commands(path));
        return made;
      }));
      drawing.setAttribute("viewBox", `0 0 ${now.width} ${now.height}`);
      resize();
      mark();
    }
    function resize() {
      drawing.setAttribute("width", state.now.width * state.scale);
      drawing.setAttribute("height", state.now.height * state.scale);
    }
    function fill(shape, node) {
      if (!node.part) return;
      const shown = QUANTITIES[state.overlay] ?? 0;
      const value = shape.querySelector(".fvp-value"), cost = shape.querySelector(".fvp-cost");
      const before = seenText(shape).length;
      value.textContent = shorten(node.texts[shown], Math.floor((node.width - 22) / 6.1));
      cost.setAttribute("fill-opacity", 0.8 * (node.shares[shown] || 0) ** 0.4);
      // The name begins with what is seen.
      shape.setAttribute("aria-label", seenText(shape) + shape.getAttribute("aria-label").slice(before));
      shape.querySelector("image")?.remove();
      const uri = state.overlay === "activations" && data.activations[lastOp(node)];
      if (uri) {
        const image = svg("image");
        const side = Math.min(38, node.height - 8), right = node.height < 50 ? 4 : 24;
        for (const [name, each] of Object.entries({ href: uri, x: node.width - right - side,
          y: (node.height - side) / 2, width: side, height: side })) image.setAttribute(name, each);
        shape.append(image);
      }
    }
    const shapeOf = (number) => drawn[state.opened.has(number) ? "open" : "closed"].get(number);
    function mark() {
      for (const shape of drawing.querySelectorAll(".fvp-chosen, [tabindex='0']")) {
        shape.classList.remove("fvp-chosen");
        shape.setAttribute("tabindex", -1);
      }
      const first = visible()[0];
      const at = state.chosen ?? first?.number;
      const shape = at === undefined ? null : shapeOf(at);
      if (!shape) return;
      shape.setAttribute("tabindex", 0);
      if (state.chosen !== null) shape.classList.add("fvp-chosen");
    }
    /* What is seen, in reading order. */
    function visible(view = data.top, found = []) {
      for (const node of view.read) {
        if (node.role === "enter" || node.role === "leave") continue;
        found.push(node);
        if (node.inside && state.opened.has(node.number)) visible(node.inside, found);
      }
      return found;
    }

    /* ---- walking ---- */
    function choose(number, { focus = true } = {}) {
      state.chosen = number;
      state.unit = null;
      mark();
      tell();
      const shape = shapeOf(number);
      if (focus && shape) {
        shape.focus({ preventScroll: true });
        shape.scrollIntoView({ block: "nearest", inline: "nearest" });
      }
      document.dispatchEvent(new CustomEvent("fvp-chosen",
        { detail: { root, twin: data.twins[number] ?? null, op: nodes.get(number).part ? lastOp(nodes.get(number)) : null } }));
    }
    function toggle(number) {
      const node = nodes.get(number);
      if (!node.inside) return choose(number);
      const isOpen = state.opened.has(number);
      // What was clicked stays where it is on the screen.
      const before = shapeOf(number).getBoundingClientRect();
      if (isOpen) state.opened.delete(number); else state.opened.add(number);
      redraw();
      choose(number);
      const after = shapeOf(number).getBoundingClientRect(), frame = part("scroll");
      frame.scrollBy(after.x + after.width / 2 - before.x - before.width / 2, after.y - before.y);
      say(isOpen ? `${node.title} is closed.` : `${node.title} is open: ${count(node)} inside.`);
    }
    const count = (node) => {
      const inside = node.inside.read.filter((each) => each.part).length;
      return inside === 1 ? "1 part" : `${inside} parts`;
    };
    const say = (text) => { status.textContent = text; };
    function isHidden(number) {
      for (let at = parents.get(number); at !== null; at = parents.get(at)) {
        if (!state.opened.has(at)) return true;
      }
      return false;
    }
    drawing.addEventListener("click", (event) => {
      const shape = event.target.closest(".fvp-n");
      if (!shape) return;
      const number = Number(shape.dataset.n), isOpen = shape.classList.contains("fvp-open");
      if (isOpen && !event.target.matches(".fvp-bar, .fvp-sign, .fvp-title")) choose(number);
      else toggle(number);
    });
    drawing.addEventListener("keydown", (event) => {
      const seen = visible(), at = seen.findIndex((node) => node.number === state.chosen);
      const node = seen[Math.max(at, 0)];
      const go = {
        ArrowDown: () => seen[Math.min(at + 1, seen.length - 1)].number,
        ArrowUp: () => seen[Math.max(at - 1, 0)].number,
        Home: () => seen[0].number,
        End: () => seen.at(-1).number,
        ArrowLeft: () => parents.get(node.number) ?? node.number,
        ArrowRight: () => (node.inside && state.opened.has(node.number) ? seen[at + 1].number : node.number),
      }[event.key];
      const opens = (event.key === "ArrowRight" && node.inside && !state.opened.has(node.number)) ||
        (event.key === "ArrowLeft" && state.opened.has(node.number)) ||
        event.key === "Enter" || event.key === " ";
      if (!go && !opens) return;
      event.preventDefault();
      if (opens) toggle(node.number); else choose(go());
    });
    // Chromium lets the drawing itself take the focus if it listens for it.
    part("scroll").addEventListener("focusin", (event) => {
      const shape = event.target.closest(".fvp-n");
      if (shape && Number(shape.dataset.n) !== state.chosen) choose(Number(shape.dataset.n), { focus: false });
    });
    document.addEventListener("fvp-chosen", (event) => {
      if (event.detail.root === root) return;
      for (const shape of drawing.querySelectorAll(".fvp-twin")) shape.classList.remove("fvp-twin");
      let twin = event.detail.twin;
      if (twin === null || !nodes.has(twin)) return;
      while (isHidden(twin)) twin = parents.get(twin);
      shapeOf(twin).classList.add("fvp-twin");
      shapeOf(twin).scrollIntoView({ block: "nearest", inline: "nearest" });
    });

    /* ---- tools ---- */
    for (const radio of root.querySelectorAll("input[type='radio']")) {
      radio.addEventListener("change", () => {
        state.overlay = radio.value;
        redraw();
        say(`Every box now says ${unitOf(radio.value)}.`);
      });
      if (radio.checked) state.overlay = radio.value;
    }
    const buttons = {
      first: () => { state.opened = new Set(data.open); },
      close: () => { state.opened.clear(); },
      open: () => {
        let seen = 0;
        for (const node of nodes.values()) {
          if (++seen > MOST_DRAWN) { say(`The first ${MOST_DRAWN} parts are open.`); break; }
          if (node.inside) state.opened.add(node.number);
        }
      },
      in: () => { state.scale = Math.min(3, state.scale * 1.25); },
      out: () => { state.scale = Math.max(0.1, state.scale / 1.25); },
      fit: () => { state.scale = Math.min(1.5, (part("scroll").clientWidth - 4) / state.now.width); },
    };
    for (const [name, act] of Object.entries(buttons)) {
      part(name).addEventListener("click", () => {
        act();
        while (state.chosen !== null && isHidden(state.chosen)) state.chosen = parents.get(state.chosen);
        redraw();
      });
    }
    part("find").addEventListener("change", (event) => {
      const wanted = event.target.value.trim().toLowerCase();
      if (!wanted) return;
      const named = [...nodes.values()].filter((node) => node.part);
      const found = named.find((node) => node.part[3].toLowerCase() === wanted) ??
        named.filter((node) => node.part[3].toLowerCase().includes(wanted)).at(-1) ?? heldBy(wanted);
      if (!found) { say(`No layer's name holds ${event.target.value}.`); return; }
      for (let at = parents.get(found.number); at !== null; at = parents.get(at)) state.opened.add(at);
      redraw();
      choose(found.number);
    });
    /* The smallest part that holds an operation of that name, also in a copy that is not drawn. */
    function heldBy(wanted) {
      let index = data.ops.findIndex((op) => op[0].toLowerCase() === wanted);
      if (index < 0) index = data.ops.findIndex((op) => op[0].toLowerCase().includes(wanted));
      let view = data.top, found = null;
      while (index >= 0 && view) {
        const at = index;
        const node = view.read.find((each) => each.part &&
          each.part[0] <= at && at < each.part[0] + each.part[1] * each.part[2]);
        if (!node) break;
        const [first, size, copies] = node.part;
        if (copies > 1) state.copies.set(node.number, Math.floor((index - first) / size));
        index = first + ((index - first) % size);
        found = node;
        view = node.inside;
      }
      return found;
    }

    /* Marks the smallest part that is seen and holds an operation; opens nothing. */
    function reveal(index) {
      let view = data.top, found = null;
      while (view) {
        const at = index;
        const node = view.read.find((each) => each.part &&
          each.part[0] <= at && at < each.part[0] + each.part[1] * each.part[2]);
        if (!node) break;
        found = node.number;
        index = node.part[0] + ((index - node.part[0]) % node.part[1]);
        view = state.opened.has(node.number) ? node.inside : null;
      }
      state.chosen = found;
      mark();
    }

    /* ---- telling ---- */
    /* How far the chosen copies lie behind the first ones. */
    function offset(number) {
      let sum = 0;
      for (let at = number; at !== null; at = parents.get(at)) {
        const node = nodes.get(at);
        if (node.part && node.part[2] > 1) sum += (state.copies.get(at) || 0) * node.part[1];
      }
      return sum;
    }
    const firstOp = (node) => node.part[0] + offset(node.number);
    const lastOp = (node) => firstOp(node) + node.part[1] - 1;

    function tell() {
      const node = nodes.get(state.chosen);
      if (!node) return;
      const title = part("title"), facts = part("facts");
      title.textContent = node.part ? node.part[3] : node.title;
      if (!node.part) {
        facts.replaceChildren(element("p", {}, shapeOf(node.number).getAttribute("aria-label")));
        part("seen").hidden = true;
        return;
      }
      const [, size, copies] = node.part;
      const pairs = ["Shape", "Parameters", "MACs", "Memory", "Receptive field"];
      facts.replaceChildren(...[
        stepper(node),
        element("dl", {}, pairs.map((name, k) => element("div", {},
          element("dt", {}, copies > 1 && k > 0 && k < 4 ? `${name}, all ${copies}` : name),
          element("dd", {}, k === 4 ? data.ops[lastOp(node)] && fieldText(node) : node.texts[k])))),
        node.inside ? element("p", {}, `${count(node)} inside.`) : operations(firstOp(node), size),
        state.overlay === "activations" ? bigActivation(node) : null,
        ...(data.marked[node.number] || []).map(finding),
        data.states[node.number] ? element("p", {}, sentence(data.states[node.number])) : null,
      ].filter(Boolean));
      look();
    }
    const sentence = (how) => ({
      partly: "Some of what is in it is in the other network too.",
      not: "The other network has nothing equal.",
      same: "The other network has the same.",
    })[how];
    function fieldText(node) {
      const copies = node.part[2] > 1 || offset(node.number) > 0;
      const [, , , , , , axes, stride, , isGlobal, reason] = data.ops[lastOp(node)];
      if (!copies) return node.texts[4];
      if (!axes) return isGlobal ? "sees the whole image" : reason || node.texts[4];
      return `field ${axes.join("×")}, stride ${stride ? stride.join("×") : "·"}`;
    }
    function stepper(node) {
      let at = node.number;
      while (at !== null && !(nodes.get(at).part && nodes.get(at).part[2] > 1)) at = parents.get(at);
      if (at === null) return null;
      const copies = nodes.get(at).part[2], now = state.copies.get(at) || 0;
      const to = (copy) => () => {
        state.copies.set(at, Math.max(0, Math.min(copy, copies - 1)));
        tell();
        part(copy < now ? "before" : "after").focus();
      };
      return element("p", { class: "fvp-step" },
        element("button", { type: "button", "data-fvp": "before", onclick: to(now - 1), "aria-label": "The copy before" }, "‹"),
        ` copy ${now + 1} of ${copies} `,
        element("button", { type: "button", "data-fvp": "after", onclick: to(now + 1), "aria-label": "The next copy" }, "›"));
    }
    function operations(first, size) {
      return element("ul", { class: "fvp-ops" }, data.ops.slice(first, first + size).map((op) =>
        element("li", {}, element("strong", {}, op[0]), ` ${op[1]} → ${op[2]}`,
          element("br"), `${op[3]}, ${op[4]}, ${op[5]} of memory`,
          op[10] ? element("span", { class: "fvp-why" }, ` (${op[10]})`) : null)));
    }
    function finding(number) {
      const [code, severity, title, text, page] = data.marks[number];
      return element("div", { class: `fvp-finding fvp-of-${severity}` },
        element("p", {}, element("strong", {}, `${code} ${title} `), `(${severity})`),
        element("p", {}, text),
        page ? element("details", {}, element("summary", {}, `The page of ${code}`), element("pre", { tabindex: 0 }, page)) : null);
    }
    function bigActivation(node) {
      const uri = data.activations[lastOp(node)];
      if (!uri) return element("p", {}, "Its result has no map to show.");
      return element("figure", {}, element("img", { src: uri, alt: `Mean of the channels of ${node.part[3]}`, class: "fvp-map" }),
        element("figcaption", {}, "Mean of its channels on the image; bright is high."));
    }

    /* ---- what a unit sees, on a picture ---- */
    const canvas = part("canvas");
    function layer(node) {
      const [, , , , , , axes, stride, startAt, isGlobal, reason, shape] = data.ops[lastOp(node)];
      return { field: axes, stride, start: startAt, global: Boolean(isGlobal), reason,
        positions: shape.length === 2 && stride ? shape : [1, 1] };
    }
    function look() {
      const node = nodes.get(state.chosen), box = part("seen");
      box.hidden = !(node && node.part && data.size.length === 2);
      if (box.hidden) return;
      const seen = layer(node);
      state.unit ??= seen.positions.map((length) => Math.floor(length / 2));
      state.image ??= field.sample();
      field.paint(canvas, state.image, field.spans(seen, state.unit, data.size), data.size);
      const told = field.inWords(seen, state.unit, data.size);
      part("told").textContent = told;
      canvas.setAttribute("aria-label", `Picture of ${data.size.join("×")}. ${told}`);
    }
    function point(y, x) {
      const [height, width] = layer(nodes.get(state.chosen)).positions;
      state.unit = [Math.max(0, Math.min(y, height - 1)), Math.max(0, Math.min(x, width - 1))];
      look();
    }
    canvas.addEventListener("pointerdown", (event) => {
      const box = canvas.getBoundingClientRect();
      const [height, width] = layer(nodes.get(state.chosen)).positions;
      point(Math.floor(((event.clientY - box.top) / box.height) * height),
        Math.floor(((event.clientX - box.left) / box.width) * width));
    });
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (!step) return;
      event.preventDefault();
      point(state.unit[0] + step[0], state.unit[1] + step[1]);
    });
    part("file").addEventListener("change", async (event) => {
      const [file] = event.target.files;
      if (!file) return;
      try {
        state.image = field.squared(await createImageBitmap(file));
      } catch {
        say("This file could not be shown as a picture. JPEG, PNG and WebP can; the picture from before is kept.");
        event.target.value = "";
      }
      look();
    });
    for (const [name, image] of [["image", part("image")], ["heat", part("heat")]]) {
      if (!image) continue;
      const use = () => { state.image = field.squared(image); look(); };
      const button = part(`use-${name}`);
      if (button) button.addEventListener("click", use);
      if (name === "image") { if (image.complete && image.naturalWidth) use(); else image.addEventListener("load", use); }
    }

    root.classList.add("fvp-live");
    redraw();
    // On a telephone the first view is made to fit, where its words can still be read.
    state.scale = Math.min(1, Math.max(LEAST_FITTED, (part("scroll").clientWidth - 8) / state.now.width));
    resize();
    root.dataset.ready = "true";
    return { reveal };
  }
  return { start };
})();
