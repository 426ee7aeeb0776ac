"use strict";
/* A network layer by layer over an image: what one unit sees. The image stays in the page. */
const explorer = (() => {
  const { element } = drawing;
  const { SHOWN } = field;
  const number = (value) => answers.spell(value);
  const times = (sizes) => sizes.map(number).join("×");
  const plural = (count, noun) => `${number(count)} ${noun}${count === 1 ? "" : "s"}`;

  function show(networks) {
    const state = { network: networks[0], layer: 0, unit: [0, 0], picture: field.sample() };
    const seen = canvas("seen"), coarse = canvas("coarse");
    const layerText = element("p", { class: "layer", "aria-live": "polite" });
    const seenText = element("figcaption");
    const coarseText = element("figcaption");
    const facts = element("dl", { class: "facts" });
    const body = element("tbody");
    const drawn = element("div", { class: "drawn-network" });
    let shownParts = null; // the drawing's own controls
    const followed = (event) => {
      if (!drawn.isConnected) { document.removeEventListener("fvp-chosen", followed); return; }
      if (drawn.contains(event.detail.root) && event.detail.op !== null) go(event.detail.op, "drawing");
    };
    document.addEventListener("fvp-chosen", followed);
    const slider = element("input", {
      type: "range", id: "layer", min: 1, step: 1, value: 1,
      oninput: () => go(Number(slider.value) - 1),
    });
    const chosen = element("select", { id: "network", onchange: () => open(networks[chosen.selectedIndex]) },
      networks.map((each) => element("option", {}, each.title)));
    const file = element("input", { type: "file", id: "picture", accept: "image/*", onchange: read });
    const problem = element("p", { class: "absent", role: "status", hidden: true });

    seen.addEventListener("pointerdown", (event) => {
      const box = seen.getBoundingClientRect();
      const [height, width] = positions(row());
      point(Math.floor(((event.clientY - box.top) / box.height) * height),
        Math.floor(((event.clientX - box.left) / box.width) * width));
    });
    seen.addEventListener("keydown", (event) => {
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (!step) return;
      event.preventDefault();
      point(state.unit[0] + step[0], state.unit[1] + step[1]);
    });

    async function read() {
      problem.hidden = true;
      if (!file.files[0]) return;
      try {
        state.picture = field.squared(await createImageBitmap(file.files[0]));
      } catch {
        problem.textContent = "This file could not be shown as an image. " +
          "JPEG, PNG and WebP can; the image from before is kept.";
        problem.hidden = false;
        file.value = "";
      }
      draw();
    }
    const row = () => state.network.rows[state.layer];
    function open(network) {
      state.network = network;
      const kept = document.getElementById(`drawn-${networks.indexOf(network)}`);
      drawn.replaceChildren(kept.content.cloneNode(true));
      const root = drawn.firstElementChild;
      shownParts = null;
      picture.start(root).then((parts) => {
        if (drawn.firstElementChild !== root) return;
        shownParts = parts;
        parts.reveal(state.layer);
      });
      slider.max = network.rows.length;
      body.replaceChildren(...network.rows.map((each, index) =>
        element("tr", {},
          element("th", { scope: "row", class: "words" },
            element("button", { type: "button", onclick: () => go(index) }, each.name)),
          element("td", { class: "words" }, each.kind),
          element("td", {}, times(each.shape)),
          element("td", {}, each.parameters ? number(each.parameters) : "–"),
          element("td", {}, each.field ? times(each.field) : each.global ? "all" : "–"))));
      go(0);
    }
    function go(layer, from = "") {
      state.layer = Math.max(0, Math.min(layer, state.network.rows.length - 1));
      slider.value = state.layer + 1;
      const [height, width] = positions(row());
      state.unit = [Math.floor(height / 2), Math.floor(width / 2)];
      for (const [index, line] of [...body.children].entries()) {
        line.classList.toggle("current", index === state.layer);
        if (index === state.layer) line.setAttribute("aria-current", "true");
        else line.removeAttribute("aria-current");
      }
      const line = body.children[state.layer], frame = body.closest(".scroll");
      if (frame) frame.scrollTop = line.offsetTop - frame.clientHeight / 2;
      if (from !== "drawing") shownParts?.reveal(state.layer);
      draw();
    }
    function point(y, x) {
      const [height, width] = positions(row());
      state.unit = [Math.max(0, Math.min(y, height - 1)), Math.max(0, Math.min(x, width - 1))];
      draw();
    }

    function draw() {
      const layer = row();
      const [rows, columns] = positions(layer);
      const [height, width] = state.network.size;
      const looked = { ...layer, positions: [rows, columns] };
      field.paint(seen, state.picture, field.spans(looked, state.unit, state.network.size), state.network.size);
      mosaic(coarse, state.picture, rows, columns, state.unit);
      slider.setAttribute("aria-valuetext", `${state.layer + 1} of ${state.network.rows.length}: ${layer.name}`);
      layerText.textContent = `${state.layer + 1} of ${state.network.rows.length}. ${layer.name}: ${layer.kind}`;
      const told = field.inWords(looked, state.unit, state.network.size);
      seenText.textContent = told;
      seen.setAttribute("aria-label", `Your image, ${height}×${width}. ${told}`);
      const grid = `The image averaged to the ${plural(rows * columns, "position")} of this layer, ` +
        `${rows}×${columns}. It shows how fine its grid is, not what the layer computes.`;
      coarseText.textContent = grid;
      coarse.setAttribute("aria-label", grid);
      facts.replaceChildren(
        ...fact("Shape", `${times(layer.shape)} (${["channels×height×width", "", "values"][3 - layer.shape.length] || "without the batch axis"})`),
        ...fact("Parameters", layer.parameters ? number(layer.parameters) : "none"),
        ...fact("Multiply-adds", layer.macs === null ? "not known" : layer.macs ? number(layer.macs) : "none counted"),
        ...fact("Field", layer.field ? `${times(layer.field)} pixels` : layer.global ? "the whole image" : layer.reason || "not known"),
        ...fact("Stride", layer.stride ? `${times(layer.stride)} pixels from one unit to the next` : "no positions left"));
    }
    const fact = (name, text) =>
      [element("div", {}, element("dt", {}, name), element("dd", {}, text))];

    const view = element("div", { class: "explorer" },
      element("div", { class: "controls" },
        element("label", { for: "network" }, "Network", chosen),
        element("label", { for: "picture" }, "Your own image (it never leaves this page)", element("br"), file)),
      problem,
      layerText,
      element("div", { class: "controls" },
        element("label", { for: "layer" }, "Layer", element("br"), slider),
        element("div", { class: "actions" },
          element("button", { type: "button", onclick: () => go(state.layer - 1) }, "Before"),
          element("button", { type: "button", class: "first", onclick: () => go(state.layer + 1) }, "Next layer"))),
      element("div", { class: "pictures" },
        element("figure", {}, seen, seenText), element("figure", {}, coarse, coarseText)),
      facts,
      element("h2", {}, "The network, drawn"),
      drawn,
      element("h2", {}, "All its layers"),
      element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "All layers" },
        element("table", {},
          element("thead", {}, element("tr", {},
            ...["Layer", "Kind", "Shape", "Parameters", "Field"].map((name, index) =>
              element("th", { scope: "col", class: index < 2 ? "words" : null }, name)))),
          body)));
    seen.setAttribute("tabindex", 0);
    seen.setAttribute("role", "img");
    coarse.setAttribute("role", "img");
    open(state.network);
    return view;
  }

  function canvas(name) {
    return element("canvas", { width: SHOWN, height: SHOWN, class: name });
  }
  /* Positions of a result: height and width; one where there are none. */
  const positions = (layer) => (layer.shape.length === 3 && layer.stride ? layer.shape.slice(1) : [1, 1]);

  function mosaic(target, picture, rows, columns, unit) {
    const small = element("canvas", { width: columns, height: rows });
    const inner = small.getContext("2d");
    inner.imageSmoothingQuality = "high";
    inner.drawImage(picture, 0, 0, columns, rows);
    const context = target.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, SHOWN, SHOWN);
    const w = SHOWN / columns, h = SHOWN / rows;
    for (const [colour, thickness] of [["#000", 5], ["#ffd24a", 2.5]]) {
      context.strokeStyle = colour;
      context.lineWidth = thickness;
      context.strokeRect(Math.max(unit[1] * w, 2), Math.max(unit[0] * h, 2),
        Math.max(Math.min(w, SHOWN - 4), 3), Math.max(Math.min(h, SHOWN - 4), 3));
    }
  }

  return { show };
})();
