// Builds nodes. Whatever comes from the API becomes text or an attribute that cannot run: there is no way to markup.

const SVG = "http://www.w3.org/2000/svg";
const LINKS = new Set(["href", "src"]);

/** An element: `h("p.note#id", {title, onclick}, ...children)`; null, undefined and false children are left out. */
export function h(spec, ...rest) {
  return make((name) => document.createElement(name), spec, rest);
}

/** The same of SVG. */
export function svg(spec, ...rest) {
  return make((name) => document.createElementNS(SVG, name), spec, rest);
}

/** Gives a node these children and no others. */
export function fill(node, ...children) {
  node.replaceChildren(...flat(children));
  return node;
}

/** An address that may stand in a link: one of this page, or http(s). Null for all others, such as `javascript:`. */
export function safeUrl(text) {
  if (String(text).startsWith("#")) return String(text);
  try {
    const url = new URL(text, location.href);
    return ["https:", "http:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

function make(create, spec, rest) {
  const [name, ...marks] = spec.split(/(?=[.#])/);
  const node = create(name);
  const classes = marks.filter((each) => each[0] === ".").map((each) => each.slice(1));
  if (classes.length) node.setAttribute("class", classes.join(" "));
  const id = marks.find((each) => each[0] === "#");
  if (id) node.id = id.slice(1);
  const given = rest[0];
  const hasAttributes = given && given.constructor === Object;
  for (const [key, value] of Object.entries(hasAttributes ? given : {})) set(node, key, value);
  node.append(...flat(hasAttributes ? rest.slice(1) : rest));
  return node;
}

function set(node, key, value) {
  if (value === null || value === undefined || value === false) return;
  if (key.startsWith("on")) {
    if (typeof value !== "function") throw new TypeError(key);
    node.addEventListener(key.slice(2), value);
  } else if (key === "class") {
    node.classList.add(...[value].flat().filter(Boolean));
  } else if (key === "value") {
    node.value = value;
  } else if (LINKS.has(key)) {
    const url = safeUrl(value);
    if (url !== null) node.setAttribute(key, url);
  } else {
    node.setAttribute(key, value === true ? "" : String(value));
  }
}

function flat(children) {
  const kept = children.flat(Infinity).filter((each) => each !== null && each !== undefined && each !== false);
  return kept.map((each) => (each instanceof Node ? each : document.createTextNode(String(each))));
}
