"use strict";
/* Where everything is, for any set of open groups: sums and maxima over rows and tracks.
   The same arithmetic as arrangement.py; a test holds the two together. */
const arrangement = (() => {
  const TRACK_GAP = 24, LANE = 18, ROW_GAP = 26, MOST_EXTRA_GAP = 46, BEND = 0.07;
  const BAR = 34, PADDING = 14, LEAST_OPEN = 260, MARGIN = 16;

  /* A node as it was packed. */
  function read(packed) {
    const [row, track, alone] = packed.slice(-3);
    if (packed.length === 5) { // a port
      return { number: packed[0], role: packed[1], width: 0, height: 0, title: "", inside: null,
        part: null, texts: [], shares: [], row, track, alone };
    }
    const [number, role, width, height, title, inside, part, texts, shares] = packed;
    return { number, role, width, height, title, inside, part, texts, shares, row, track, alone };
  }

  function sized(view, opened) {
    const nodes = view.read ??= view.nodes.map(read);
    const inner = nodes.map((node) => node.inside && opened.has(node.number) ? sized(node.inside, opened) : null);
    /* How far a node reaches to both sides of where wires meet it, and its height. */
    const sizes = nodes.map((node, k) => {
      if (!inner[k]) return [node.width / 2, node.width / 2, node.height];
      const wide = Math.max(LEAST_OPEN, inner[k].width + 2 * PADDING);
      const left = (wide - inner[k].width) / 2 + inner[k].anchor;
      return [left, wide - left, BAR + inner[k].height];
    });
    const lefts = view.lanes.map((isLane) => (isLane ? LANE / 2 : 0)), rights = [...lefts];
    nodes.forEach((node, k) => {
      if (node.alone) return;
      lefts[node.track] = Math.max(lefts[node.track], sizes[k][0] + TRACK_GAP / 2);
      rights[node.track] = Math.max(rights[node.track], sizes[k][1] + TRACK_GAP / 2);
    });
    const anchors = [];
    let end = 0;
    lefts.forEach((left, track) => {
      anchors.push(end + left);
      end += left + rights[track];
    });
    const withBoxes = view.lanes.flatMap((isLane, track) => (isLane ? [] : [track]));
    if (!withBoxes.length) withBoxes.push(0);
    const middle = anchors.length ? (anchors[withBoxes[0]] + anchors[withBoxes.at(-1)]) / 2 : 0;
    let shift = 0, reach = 0;
    nodes.forEach((node, k) => {
      if (!node.alone) return;
      shift = Math.max(shift, sizes[k][0] + TRACK_GAP / 2 - middle);
      reach = Math.max(reach, sizes[k][1] + TRACK_GAP / 2);
    });
    const level = { view, nodes, inner, sizes, width: shift + Math.max(end, middle + reach), anchor: shift + middle };
    level.tracks = anchors.map((anchor) => shift + anchor);
    level.anchors = nodes.map((node) => (node.alone ? level.anchor : level.tracks[node.track]));
    const numRows = Math.max(-1, ...nodes.map((node) => node.row)) + 1;
    level.heights = Array(numRows).fill(0);
    nodes.forEach((node, k) => { level.heights[node.row] = Math.max(level.heights[node.row], sizes[k][2]); });
    const sideways = Array(numRows).fill(0);
    level.stops = view.wires.map((wire) => stops(level, wire));
    for (const each of level.stops) {
      for (let index = 1; index < each.length; index++) {
        const [row, a] = each[index - 1], b = each[index][1];
        sideways[row] = Math.max(sideways[row], Math.abs(a - b));
      }
    }
    level.tops = [];
    let y = 0;
    for (let row = 0; row < numRows; row++) {
      level.tops.push(y);
      y += level.heights[row];
      if (row + 1 < numRows) y += ROW_GAP + Math.min(MOST_EXTRA_GAP, BEND * sideways[row]);
    }
    level.height = y;
    return level;
  }
  function port(level, k, number, leaves) {
    const inner = level.inner[k];
    if (!inner) return level.anchors[k];
    const at = leaves ? inner.nodes.length - inner.view.leaving + number : number;
    return level.anchors[k] - inner.anchor + inner.anchors[at];
  }
  function stops(level, [source, sourcePort, target, targetPort, lane]) {
    const first = level.nodes[source].row, last = level.nodes[target].row;
    const found = [[first, port(level, source, sourcePort, true)]];
    if (lane >= 0) for (let row = first + 1; row < last; row++) found.push([row, level.tracks[lane]]);
    found.push([last, port(level, target, targetPort, false)]);
    return found;
  }
  function topOf(level, k) {
    const row = level.nodes[k].row;
    return level.tops[row] + (level.heights[row] - level.sizes[k][2]) / 2;
  }
  function draw(level, x, y, depth, boxes, paths) {
    level.view.wires.forEach((wire, number) => {
      const [source, , target, , , isShortcut] = wire, each = level.stops[number], points = [];
      each.forEach(([row, across], index) => {
        let top = level.tops[row], bottom = top + level.heights[row];
        if (index === 0) top = topOf(level, source) + level.sizes[source][2];
        if (index === each.length - 1) bottom = topOf(level, target);
        points.push([x + across, y + top], [x + across, y + bottom]);
      });
      paths.push({ points, isShortcut: Boolean(isShortcut), hasHead: level.nodes[target].role !== "leave" });
    });
    level.nodes.forEach((node, k) => {
      if (node.role === "enter" || node.role === "leave") return;
      const [before, after, height] = level.sizes[k], inner = level.inner[k];
      const left = x + level.anchors[k] - before, top = y + topOf(level, k);
      boxes.push({ node, x: left, y: top, width: before + after, height, depth, isOpen: Boolean(inner) });
      if (inner) draw(inner, left + before - inner.anchor, top + BAR, depth + 1, boxes, paths);
    });
  }
  function find(top, opened) {
    const level = sized(top, opened), boxes = [], paths = [];
    draw(level, MARGIN, MARGIN, 0, boxes, paths);
    return { width: level.width + 2 * MARGIN, height: level.height + 2 * MARGIN, boxes, paths };
  }

  const short = (value) => String(Math.round(value * 1000) / 1000);
  /* The commands of a wire: straight down through rows, a curve between them. */
  function commands({ points, hasHead }) {
    let [x, y] = points[0];
    const parts = [`M${short(x)} ${short(y)}`];
    points.slice(1).forEach(([toX, toY], index) => {
      if (index % 2 === 0 || Math.abs(toX - x) < 0.5) {
        if (toX !== x || toY !== y) parts.push(`L${short(toX)} ${short(toY)}`);
      } else {
        const half = short((y + toY) / 2);
        parts.push(`C${short(x)} ${half} ${short(toX)} ${half} ${short(toX)} ${short(toY)}`);
      }
      [x, y] = [toX, toY];
    });
    if (hasHead) parts.push("m-4 -6l4 6l4 -6");
    return parts.join("");
  }
  return { find, commands, read };
})();
