// Draws a story: boxes from left to right, or from top to bottom where there is little room, joined by arrows.

import { h, svg } from "./dom.js";
import { T } from "./texts.js";

const BOX = { width: 158, height: 84 };
const GAP = { x: 32, y: 30 };
const EDGE = 6;
const LETTERS = 22; // of a line in a box

/** The picture; `choose(key)` is called when a box is chosen, and `chosen` is the key of the one that is. */
export function picture(columns, width, label, chosen, choose) {
  const wide = columns.length * (BOX.width + GAP.x) - GAP.x + 2 * EDGE;
  const upright = width < wide * 0.6;
  const placed = upright ? stacked(columns) : sideBySide(columns);
  const total = {
    width: Math.max(...placed.map((each) => each.x)) + BOX.width + EDGE,
    height: Math.max(...placed.map((each) => each.y)) + BOX.height + EDGE,
  };
  return h(
    "div.picture",
    svg(
      "svg",
      { viewBox: `0 0 ${total.width} ${total.height}`, role: "group", "aria-label": label, class: upright ? "upright" : "lying" },
      arrowHead(),
      joints(placed).map(joint),
      placed.map((each) => box(each, each.key === chosen, choose)),
    ),
  );
}

function sideBySide(columns) {
  const tallest = Math.max(...columns.map((column) => column.length));
  const height = (boxes) => boxes * (BOX.height + GAP.y) - GAP.y;
  return columns.flatMap((column, x) =>
    column.map((each, y) => ({
      ...each,
      column: x,
      x: EDGE + x * (BOX.width + GAP.x),
      y: EDGE + (height(tallest) - height(column.length)) / 2 + y * (BOX.height + GAP.y),
    })),
  );
}

function stacked(columns) {
  return columns.flatMap((column, number) => column.map((each) => ({ ...each, column: number }))).map((each, y) => ({ ...each, x: EDGE, y: EDGE + y * (BOX.height + GAP.y), upright: true }));
}

/** Pairs of boxes of which one leads to the other: down a column, and from its last to the first of the next. */
function joints(placed) {
  const pairs = [];
  placed.forEach((to, place) => {
    const above = placed[place - 1];
    if (above && above.column === to.column && to.key.startsWith("call")) pairs.push([above, to]);
    else if (above) {
      const before = placed.filter((each) => each.column === to.column - 1);
      if (before.length) pairs.push([before.at(-1), to]);
    }
  });
  return pairs;
}

function joint([from, to]) {
  const down = from.column === to.column || to.upright;
  const [x1, y1] = down ? [from.x + BOX.width / 2, from.y + BOX.height] : [from.x + BOX.width, from.y + BOX.height / 2];
  const [x2, y2] = down ? [to.x + BOX.width / 2, to.y] : [to.x, to.y + BOX.height / 2];
  const bend = down ? `M${x1} ${y1}L${x2} ${y2 - 2}` : `M${x1} ${y1}C${(x1 + x2) / 2} ${y1} ${(x1 + x2) / 2} ${y2} ${x2 - 2} ${y2}`;
  return svg(
    "g.joint",
    { class: to.state === "idle" && "idle" },
    svg("path", { d: bend, "marker-end": "url(#head)" }),
    to.joined && svg("text", { x: x2 + 8, y: (y1 + y2) / 2 + 4 }, to.joined),
  );
}

function box(each, isChosen, choose) {
  const state = T.story.state[each.state];
  const keys = (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    choose(each.key);
  };
  return svg(
    `g.box.${each.state}`,
    {
      transform: `translate(${each.x} ${each.y})`,
      tabindex: 0,
      role: "button",
      "aria-pressed": String(isChosen),
      "aria-label": T.story.boxLabel(each.title, each.lines, state),
      "data-key": each.key,
      onclick: () => choose(each.key),
      onkeydown: keys,
    },
    svg("title", [each.title, ...each.lines].join("\n")),
    svg("rect.frame", { width: BOX.width, height: BOX.height, rx: 10 }),
    svg("circle.mark", { cx: 16, cy: 19, r: 5.5 }),
    svg("path.sign", { d: SIGNS[each.state] }),
    svg("text.name", { x: 28, y: 23 }, cut(each.title, LETTERS - 5)),
    each.lines.slice(0, 3).map((line, number) => svg("text.line", { x: 12, y: 42 + number * 16 }, cut(line, LETTERS))),
  );
}

/** What a state looks like, for who does not tell colours apart: drawn within the mark. */
const SIGNS = {
  good: "M13.4 19.2l1.9 1.9 3.5-3.9",
  bad: "M13.7 16.7l4.6 4.6m0-4.6l-4.6 4.6",
  warn: "M16 15.9v3.6m0 2v.2",
  now: "M14 16.8v4.4m4-4.4v4.4",
  idle: "M13.5 19h5",
};

function arrowHead() {
  const head = { id: "head", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" };
  return svg("defs", svg("marker", head, svg("path", { d: "M0 0L8 4L0 8z" })));
}

/** As many letters as fit, by what a reader takes for one. */
function cut(text, most) {
  const letters = [...String(text)];
  return letters.length <= most ? String(text) : `${letters.slice(0, most - 1).join("")}…`;
}
