"use strict";
/* Elements, the course's little markup, and its drawings. Texts are never read as markup. */
const drawing = (() => {
  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value === true) made.setAttribute(name, "");
      else if (value !== false && value !== null && value !== undefined) {
        made.setAttribute(name, value);
      }
    }
    made.append(...children.flat().filter((child) => child !== null && child !== ""));
    return made;
  }
  function svg(tag, attributes, ...children) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  /* `code` and **bold** in one line. */
  function inline(text) {
    const parts = [];
    let last = 0;
    for (const found of text.matchAll(/`([^`]+)`|\*\*(.+?)\*\*/gs)) {
      parts.push(text.slice(last, found.index));
      parts.push(found[1] ? element("code", {}, found[1]) : element("strong", {}, ...inline(found[2])));
      last = found.index + found[0].length;
    }
    parts.push(text.slice(last));
    return parts.filter((part) => part !== "");
  }
  function code(text) {
    return element("pre", { tabindex: 0 }, element("code", {}, text));
  }
  /* Paragraphs and fenced blocks. */
  function markup(text) {
    const blocks = [];
    for (const [index, part] of text.split(/```[a-z]*\n(.*?)\n?```/s).entries()) {
      if (index % 2) { blocks.push(code(part)); continue; }
      for (const paragraph of part.trim().split(/\n\s*\n/)) {
        if (!paragraph.trim()) continue;
        const lines = paragraph.split("\n").flatMap((line, number) =>
          number ? [element("br"), ...inline(line)] : inline(line));
        blocks.push(element("p", {}, lines));
      }
    }
    return blocks;
  }

  /* A figure's grids as cells, with the words that say the same. */
  function figure(content) {
    if (!content) return null;
    return element("figure", { class: "drawn", role: "img", "aria-label": content.alternative },
      element("div", { class: "grids", "aria-hidden": "true" }, content.grids.map(grid)));
  }
  function grid({ title, rows, row_labels: labels = [], marked = [] }) {
    const columns = Math.max(...rows.map((row) => row.length));
    const longest = Math.max(0, ...rows.flat().map((cell) => cell.length));
    const side = columns > 20 ? 18 : Math.max(26, 10 + 9 * longest);
    const left = labels.length ? 12 + 7 * Math.max(...labels.map((label) => label.length)) : 0;
    const isMarked = new Set(marked.map(([row, column]) => `${row}/${column}`));
    const parts = [];
    rows.forEach((row, y) => {
      if (labels[y]) parts.push(words(labels[y], left - 10, y, "row-label", "end"));
      row.forEach((cell, x) => {
        const on = isMarked.has(`${y}/${x}`);
        if (!cell.trim() && !on) return;
        const box = { x: left + x * side + 0.5, y: y * 30 + 0.5, width: side, height: 26 };
        parts.push(svg("rect", { class: on ? "cell marked" : "cell", ...box }));
        // A mark is its colour; a dot is a pixel like any other.
        if (!"■·".includes(cell)) parts.push(words(cell, left + (x + 0.5) * side, y, "", "middle"));
      });
    });
    const width = left + columns * side + 1, height = rows.length * 30;
    return element("div", {},
      element("p", {}, title),
      svg("svg", { width, height, viewBox: `0 0 ${width} ${height}` }, ...parts));
  }
  function words(text, x, row, kind, anchor) {
    return svg("text", {
      x, y: row * 30 + 18, class: kind, "text-anchor": anchor, "font-size": 13,
    }, text);
  }

  return { element, inline, markup, code, figure };
})();
