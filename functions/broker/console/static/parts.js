// Small parts that several pages show.

import { h } from "./dom.js";
import { at, atInFull } from "./format.js";
import { T } from "./texts.js";

const KINDS = {
  queued: "idle", running: "now", succeeded: "good", failed: "bad", blocked: "warn", canceled: "idle", expired: "bad", rejected: "bad",
  validating: "now", in_progress: "now", finalizing: "now", canceling: "now", cancelling: "now", completed: "good",
  cancelled: "idle", paused: "warn", scheduled: "idle",
  delivered: "good", pending: "now", disabled: "bad",
  closed: "good", open: "bad", half_open: "warn", active: "good", deprecated: "warn",
};

/** A status in its colour, and in words. */
export const badge = (status, text = T.status[status] ?? status) => h(`span.badge.${KINDS[status] ?? "idle"}`, text);

/** A time, with the whole of it and the zone on hover. */
export const time = (when) => (when ? h("time", { datetime: String(when), title: atInFull(when) }, at(when)) : T.never);

/** A table with a caption; `columns` by name, rows as lists of cells of the same order. */
export function table(caption, columns, rows, { numbers = [], hidden = true } = {}) {
  const names = Object.keys(columns);
  const cell = (tag, name, content, more = {}) => h(tag, { class: numbers.includes(name) && "number", ...more }, content);
  return h(
    "div.scroll",
    { tabindex: 0, role: "region", "aria-label": caption },
    h(
      "table",
      h("caption", { class: hidden && "unseen" }, caption),
      h("thead", h("tr", names.map((name) => cell("th", name, columns[name], { scope: "col" })))),
      h("tbody", rows.map((row) => h("tr", row.map((content, place) => cell("td", names[place], content))))),
    ),
  );
}

/** Facts by name; those without a value are left out. */
export function facts(pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h("dl.facts", known.map(([name, value]) => h("div", h("dt", name), h("dd", value))));
}

export const card = (title, ...children) => h("section.card", title && h("h2", title), children);

/** The same over the whole width. */
export function wideCard(title, ...children) {
  const made = card(title, ...children);
  made.classList.add("wide");
  return made;
}

/** A field with its label. */
export function field(label, input, help) {
  const id = input.id || `f-${(field.count = (field.count ?? 0) + 1)}`;
  input.id = id;
  if (help) input.setAttribute("aria-describedby", `${id}-help`);
  return h("div.field", h("label", { for: id }, label), input, help && h(`p.help#${id}-help`, help));
}

export function choice(options, chosen, onchange) {
  const made = h("select", { onchange }, Object.entries(options).map(([value, text]) => h("option", { value }, text)));
  made.value = chosen ?? "";
  return made;
}

export const button = (text, onclick, kind = "plain", more = {}) => h(`button.${kind}`, { type: "button", onclick, ...more }, text);

/** Says something to who sees the page and to who hears it. */
export function say(text) {
  const place = document.querySelector("#told");
  place.textContent = text;
  place.classList.add("seen");
  clearTimeout(say.timer);
  say.timer = setTimeout(() => place.classList.remove("seen"), 5000);
}

export async function copy(text) {
  await navigator.clipboard.writeText(text);
  say(T.copied);
}

/** Asks before something that cannot be taken back; gives whether to do it. */
export function ask(question, yes) {
  return new Promise((resolve) => {
    const end = (answer) => () => {
      dialog.close();
      dialog.remove();
      resolve(answer);
    };
    const dialog = h(
      "dialog",
      { "aria-labelledby": "question", oncancel: end(false) },
      h("p#question", question),
      h("div.buttons", button(T.job.keep, end(false)), button(yes, end(true), "danger")),
    );
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** A text as it is, however long. */
export const verbatim = (value) => h("pre", { tabindex: 0 }, typeof value === "string" ? value : JSON.stringify(value, null, 2));
