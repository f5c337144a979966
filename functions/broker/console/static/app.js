// The console: signs in, and shows the page that the address names.

import { leave, loadSettings, session } from "./api.js";
import { fill, h } from "./dom.js";
import { button } from "./parts.js";
import { T } from "./texts.js";
import "./sign-in.js";
import "./overview.js";
import "./jobs.js";
import "./job.js";
import "./batches.js";
import "./models.js";

/** The pages by name: the elements that show them, and who has them. */
const PAGES = {
  jobs: { element: "jobs-page", one: "job-page", for: ["tenant", "operator"] },
  overview: { element: "overview-page", for: ["tenant"] },
  batches: { element: "batches-page", one: "batch-page", for: ["tenant"] },
  models: { element: "models-page", for: ["tenant"] },
};

const THEMES = ["auto", "light", "dark"];

class Console extends HTMLElement {
  #theme = "auto";
  #main = h("main#page", { tabindex: -1 });
  #nav = h("nav", { "aria-label": T.menu });

  async connectedCallback() {
    addEventListener("hashchange", () => this.#route());
    this.addEventListener("signed-in", () => this.#open());
    this.addEventListener("signed-out", (event) => this.#ask(event.detail));
    await loadSettings().catch(() => null);
    this.#ask(null);
  }

  #ask(why) {
    leave();
    const form = document.createElement("sign-in");
    form.why = why;
    fill(this, form);
  }

  #open() {
    const { kind, name } = session();
    const theme = button(T.theme.label(T.theme[this.#theme]), () => this.#paint(theme), "quiet");
    fill(
      this,
      h("a.skip", { href: "#page", onclick: (event) => this.#skip(event) }, T.skip),
      h(
        "aside",
        h("div.brand", h("img", { src: "console/icon.svg", alt: "" }), h("span", T.product)),
        this.#nav,
        h("div.who", h("p", T.as[kind](name)), theme, button(T.signOut, () => this.#ask(null), "quiet")),
      ),
      this.#main,
      h("p#told", { role: "status", "aria-live": "polite" }),
    );
    this.#route();
  }

  #skip(event) {
    event.preventDefault();
    this.#main.focus();
  }

  #paint(control) {
    this.#theme = THEMES[(THEMES.indexOf(this.#theme) + 1) % THEMES.length];
    document.documentElement.dataset.theme = this.#theme;
    control.textContent = T.theme.label(T.theme[this.#theme]);
  }

  #route() {
    if (!session()) return;
    const mine = Object.keys(PAGES).filter((each) => PAGES[each].for.includes(session().kind));
    const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
    const [name, ...parts] = (path || mine[0]).split("/").map(decoded);
    const links = mine.map((each) => h("a", { href: `#/${each}`, "aria-current": each === name && "page" }, T.pages[each]));
    fill(this.#nav, h("ul", links.map((link) => h("li", link))));
    if (!mine.includes(name)) {
      fill(this.#main, h("h1", { tabindex: -1 }, T.notFound));
      return;
    }
    const { element, one } = PAGES[name];
    const page = document.createElement(parts.length && one ? one : element);
    page.parts = parts;
    page.params = new URLSearchParams(query ?? "");
    fill(this.#main, page);
    page.querySelector("h1")?.focus();
  }
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

customElements.define("broker-console", Console);
