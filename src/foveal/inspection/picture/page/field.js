"use strict";
/* What one unit sees, on a picture that stays in the page. A layer is given as
   { field, stride, start, global, reason, positions: [height, width] }. */
const field = (() => {
  const SHOWN = 448; // canvas pixels a side
  const times = (sizes) => sizes.map((size) => (Number.isInteger(size) ? size : size.toFixed(2))).join("×");

  /* First and last pixel that a unit sees on each axis; they may lie in the padding. */
  function spans(layer, unit, size) {
    if (!layer.field) return size.map((length) => [0, length - 1]);
    return layer.field.map((length, axis) => {
      const first = layer.start[axis] + unit[axis] * layer.stride[axis];
      return [first, first + length - 1];
    });
  }
  function inWords(layer, unit, size) {
    if (!layer.field) {
      return layer.global ? "Every value of this layer sees the whole image."
        : `What it sees is not known: ${layer.reason || "it has no positions"}.`;
    }
    const [rows, columns] = spans(layer, unit, size);
    const inside = [rows, columns].map(([first, last], axis) =>
      Math.max(0, Math.min(last, size[axis] - 1) - Math.max(first, 0) + 1));
    const share = Math.round((100 * inside[0] * inside[1]) / (size[0] * size[1]));
    const isCut = inside[0] < layer.field[0] || inside[1] < layer.field[1];
    const [height, width] = layer.positions;
    return `The unit in row ${unit[0] + 1} of ${height} and column ${unit[1] + 1} of ${width} sees ` +
      `${times(layer.field)} pixels: ${share < 1 ? "less than 1" : share}% of the picture` +
      (isCut ? "; the rest of its field is padding around it." : ".");
  }
  function paint(target, picture, [rows, columns], [height, width]) {
    const context = target.getContext("2d");
    context.clearRect(0, 0, SHOWN, SHOWN);
    context.drawImage(picture, 0, 0, SHOWN, SHOWN);
    const x = (columns[0] / width) * SHOWN, y = (rows[0] / height) * SHOWN;
    const w = ((columns[1] - columns[0] + 1) / width) * SHOWN;
    const h = ((rows[1] - rows[0] + 1) / height) * SHOWN;
    context.fillStyle = "rgb(0 0 0 / .55)";
    context.beginPath();
    context.rect(0, 0, SHOWN, SHOWN);
    context.rect(x, y, w, h);
    context.fill("evenodd");
    for (const [colour, thickness] of [["#000", 5], ["#ffd24a", 2.5]]) {
      context.strokeStyle = colour;
      context.lineWidth = thickness;
      const left = Math.max(x, 1.5), top = Math.max(y, 1.5);
      context.strokeRect(left, top, Math.min(x + w, SHOWN - 1.5) - left, Math.min(y + h, SHOWN - 1.5) - top);
    }
  }

  function canvas(height = SHOWN, width = SHOWN) {
    const made = document.createElement("canvas");
    made.width = width;
    made.height = height;
    return made;
  }
  /* The middle square of a picture. */
  function squared(bitmap) {
    const side = Math.min(bitmap.width, bitmap.height);
    const made = canvas(), context = made.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, (bitmap.width - side) / 2, (bitmap.height - side) / 2, side, side,
      0, 0, SHOWN, SHOWN);
    return made;
  }
  /* A picture to begin with, drawn here: a leaf on a table. */
  function sample() {
    const made = canvas(), context = made.getContext("2d");
    const ground = context.createLinearGradient(0, 0, SHOWN, SHOWN);
    ground.addColorStop(0, "#d9c7a6");
    ground.addColorStop(1, "#a98557");
    context.fillStyle = ground;
    context.fillRect(0, 0, SHOWN, SHOWN);
    context.strokeStyle = "rgb(90 60 30 / .25)";
    for (let y = 14; y < SHOWN; y += 34) {
      context.beginPath();
      for (let x = 0; x <= SHOWN; x += 8) context.lineTo(x, y + 6 * Math.sin(x / 60 + y));
      context.stroke();
    }
    context.translate(SHOWN / 2, SHOWN / 2);
    context.rotate(-0.6);
    context.fillStyle = "rgb(60 40 20 / .3)";
    leaf(context, 8, 12);
    context.fillStyle = "#3f7d3a";
    leaf(context, 0, 0);
    context.strokeStyle = "#cfe0a4";
    context.lineWidth = 3;
    context.beginPath();
    context.moveTo(-205, 0);
    context.lineTo(165, 0);
    for (let x = -110; x < 140; x += 34) {
      const reach = 62 * Math.sqrt(1 - (x / 175) ** 2);
      context.moveTo(x, 0);
      context.lineTo(x + 34, -reach);
      context.moveTo(x, 0);
      context.lineTo(x + 34, reach);
    }
    context.stroke();
    for (const [x, y, r] of [[-40, -38, 10], [60, 30, 14], [10, 44, 7], [95, -22, 8]]) {
      context.fillStyle = "#7a4a1f";
      context.beginPath();
      context.arc(x, y, r, 0, 2 * Math.PI);
      context.fill();
    }
    return made;
  }
  function leaf(context, dx, dy) {
    context.beginPath();
    context.moveTo(-170 + dx, dy);
    context.bezierCurveTo(-90 + dx, -130 + dy, 90 + dx, -120 + dy, 175 + dx, dy);
    context.bezierCurveTo(90 + dx, 120 + dy, -90 + dx, 130 + dy, -170 + dx, dy);
    context.fill();
  }
  return { SHOWN, spans, inWords, paint, canvas, squared, sample };
})();
