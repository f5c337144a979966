// Where a credential is asked for. It goes to api.js, and nowhere else.

import { ApiError, enterWithCredentials, enterWithKey } from "./api.js";
import { fill, h } from "./dom.js";
import { field } from "./parts.js";
import { troubleOf } from "./page.js";
import { T } from "./texts.js";

const WAYS = {
  key: { tab: T.signIn.keyAs, label: T.signIn.key, help: T.signIn.keyHelp },
  operator: { tab: T.signIn.operatorAs, label: T.signIn.operator, help: T.signIn.operatorHelp },
};

class SignIn extends HTMLElement {
  why = null;

  connectedCallback() {
    document.title = T.title(T.signIn.title);
    this.#show("key");
  }

  #show(way) {
    const { label, help } = WAYS[way];
    const hidden = { autocomplete: "off", spellcheck: "false", required: true, "aria-required": "true" };
    const input = way === "key" ? h("input", { type: "password", ...hidden }) : h("textarea.secret", { rows: 4, ...hidden });
    const trouble = h("div.trouble", this.why && h("p.alert", { role: "alert" }, this.why));
    const pick = (name) => h("button", { type: "button", "aria-pressed": String(name === way), onclick: () => this.#show(name) }, WAYS[name].tab);
    const enter = async (event) => {
      event.preventDefault();
      const problem = await this.#enter(way, input.value);
      if (problem) trouble.replaceChildren(problem);
      else this.dispatchEvent(new CustomEvent("signed-in", { bubbles: true }));
    };
    fill(
      this,
      h(
        "main.sign-in",
        h("div.brand", h("img", { src: "console/icon.svg", alt: "" }), h("span", T.product)),
        h("h1", { tabindex: -1 }, T.signIn.title),
        h("p.lead", T.signIn.lead),
        h("div.switch", { role: "group", "aria-label": T.signIn.ways }, Object.keys(WAYS).map(pick)),
        h("form", { onsubmit: enter, novalidate: true }, field(label, input, help), trouble, h("button.primary", { type: "submit" }, T.signIn.enter)),
        h("p.help", T.signIn.memory),
      ),
    );
    this.why = null;
    input.focus();
  }

  /** Null where it was taken, else what to say. */
  async #enter(way, text) {
    const alert = (words) => h("p.alert", { role: "alert" }, words);
    if (!text.trim()) return alert(T.signIn.needed);
    try {
      if (way === "key") await enterWithKey(text);
      else if (!(await enterWithCredentials(text))) return alert(T.signIn.noCredentials);
      return null;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401) return alert(T.signIn.refused);
      return error.status === 403 ? alert(T.signIn.forbidden) : troubleOf(error);
    }
  }
}

customElements.define("sign-in", SignIn);
