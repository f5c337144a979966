// What all pages share: they are elements that render once, and ask again every few seconds while somebody looks.

import { ApiError, session } from "./api.js";
import { h } from "./dom.js";
import { T } from "./texts.js";

const EVERY_MS = 4000;

export class Page extends HTMLElement {
  /** The parts of the address behind the page's name, and its parameters. */
  parts = [];
  params = new URLSearchParams();
  #stopped = null;
  #timer = null;

  connectedCallback() {
    this.#stopped = new AbortController();
    this.render();
  }

  disconnectedCallback() {
    this.#stopped.abort();
    clearTimeout(this.#timer);
  }

  /** Ends what is asked when the page is left. */
  get signal() {
    return this.#stopped.signal;
  }

  /** A title that takes the focus when the page is opened, with what stands beside it. */
  heading(text, ...beside) {
    document.title = T.title(text);
    return h("header.page-head", h("h1", { tabindex: -1 }, text), h("div.beside", beside));
  }

  /** Does something now, and again as long as it gives true and the page is open and seen. */
  async keep(look, every = EVERY_MS) {
    clearTimeout(this.#timer);
    let goesOn = true;
    try {
      if (!document.hidden) goesOn = await look();
      if (goesOn) this.trouble(null);
    } catch (error) {
      if (this.signal.aborted || error.name === "AbortError") return;
      goesOn = this.trouble(error);
    }
    if (goesOn && !this.signal.aborted) this.#timer = setTimeout(() => this.keep(look, every), every);
  }

  /** Does something once, and says what went wrong; gives whether it was done. */
  async attempt(work) {
    try {
      await work();
      return true;
    } catch (error) {
      if (error.name !== "AbortError") this.trouble(error);
      return false;
    }
  }

  /** Shows an error, or with null takes the last away; gives whether to try again. */
  trouble(error) {
    const place = this.querySelector(".trouble");
    if (error === null) {
      place?.replaceChildren();
      return true;
    }
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401) {
      this.dispatchEvent(new CustomEvent("signed-out", { bubbles: true, detail: T.errors[401] }));
      return false;
    }
    place?.replaceChildren(troubleOf(error));
    return [0, 429, 500, 503].includes(error.status) && session() !== null;
  }
}

/** An error in words. */
export function troubleOf(error) {
  const text = error.message ? T.errors.said(error.message, error.code) : (T.errors[error.status] ?? T.errors[0]);
  return h("p.alert", { role: "alert" }, text, error.requestId && h("small", T.errors.request(error.requestId)));
}
