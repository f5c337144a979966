// Jobs by outcome over time, as stacked bars with the same numbers as a table for who cannot see them.

import { h, svg } from "./dom.js";
import { at, ms } from "./format.js";
import { table } from "./parts.js";
import { T } from "./texts.js";

const SLOTS = 30;
const SIZE = { width: 900, height: 180, foot: 20 };
const ORDER = ["succeeded", "blocked", "canceled", "failed", "expired", "queued", "running"];

/** Bars of jobs, by when they were accepted. */
export function bars(jobs) {
  const times = jobs.map((each) => ms(each.created_at));
  const from = Math.min(...times);
  const step = Math.max(Math.ceil((Math.max(...times) - from + 1) / SLOTS), 1000);
  const slots = Array.from({ length: SLOTS }, () => ({}));
  jobs.forEach((each, place) => {
    const slot = slots[Math.min(Math.floor((times[place] - from) / step), SLOTS - 1)];
    slot[each.status] = (slot[each.status] ?? 0) + 1;
  });
  const sum = (slot) => Object.values(slot).reduce((all, number) => all + number, 0);
  const most = Math.max(...slots.map(sum));
  const begins = (number) => at(new Date(from + number * step).toISOString());
  const used = ORDER.filter((status) => slots.some((slot) => slot[status]));
  const rows = slots.flatMap((slot, number) => (sum(slot) ? [[begins(number), ...used.map((status) => slot[status] ?? 0)]] : []));
  const columns = { at: T.chart.from, ...Object.fromEntries(used.map((status) => [status, T.status[status]])) };
  return [
    h("p.legend", used.map((status) => h(`span.key.${status}`, T.status[status]))),
    drawn(slots, most, begins),
    h("details", h("summary", T.chart.asTable), table(T.overview.outcomes, columns, rows, { numbers: used })),
  ];
}

function drawn(slots, most, begins) {
  const width = SIZE.width / SLOTS;
  const scale = (SIZE.height - SIZE.foot) / most;
  return svg(
    "svg.chart",
    { viewBox: `0 0 ${SIZE.width} ${SIZE.height}`, role: "img", "aria-label": T.chart.label },
    slots.map((slot, place) => {
      let top = SIZE.height - SIZE.foot;
      return ORDER.filter((status) => slot[status]).map((status) => {
        const height = slot[status] * scale;
        top -= height;
        return svg(`rect.${status}`, { x: place * width + 2, y: top, width: width - 4, height, rx: 2 }, svg("title", T.chart.bar(slot[status], T.status[status], begins(place))));
      });
    }),
    [0, SLOTS / 2, SLOTS - 1].map((place) => svg("text", { x: place * width, y: SIZE.height - 4, "text-anchor": place === SLOTS - 1 ? "end" : null }, begins(place))),
    svg("line", { x1: 0, x2: SIZE.width, y1: SIZE.height - SIZE.foot, y2: SIZE.height - SIZE.foot }),
  );
}
