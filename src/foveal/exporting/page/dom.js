// Elements by name, properties and children; every text goes in as text.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

export function make(name, properties = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in node) node[key] = value;
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

/** A bar whose length is a share. */
export function shareBar(share) {
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("class", "share");
  drawing.setAttribute("viewBox", "0 0 100 10");
  drawing.setAttribute("preserveAspectRatio", "none");
  drawing.setAttribute("aria-hidden", "true");
  for (const [name, width] of [["all", 100], ["part", 100 * share]]) {
    const bar = document.createElementNS(SVG, "rect");
    bar.setAttribute("class", name);
    bar.setAttribute("width", width);
    bar.setAttribute("height", 10);
    drawing.append(bar);
  }
  return drawing;
}

export function paint(canvas, { width, height, data }) {
  [canvas.width, canvas.height] = [width, height];
  canvas.getContext("2d").putImageData(new ImageData(data, width, height), 0, 0);
}

/** A probability in percent; never 100% or 0% for what is neither. */
export function percent(value) {
  const text = (100 * value).toFixed(1);
  if (value < 1 && text === "100.0") return "> 99.9%";
  return value > 0 && text === "0.0" ? "< 0.1%" : `${text}%`;
}

export const countOf = (count, noun, plural = `${noun}s`) =>
  `${count.toLocaleString("en")} ${count === 1 ? noun : plural}`;
