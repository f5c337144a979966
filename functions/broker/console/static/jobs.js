// Jobs: a list that follows what happens, and finds some of them.

import { jobs, session } from "./api.js";
import { fill, h } from "./dom.js";
import { count, shortId, took, usd, ms, at } from "./format.js";
import { Page } from "./page.js";
import { badge, button, choice, field, table, time } from "./parts.js";
import { T } from "./texts.js";

const LIMIT = 50;
const PAGES = 4; // that are looked at for one screen, where filters leave little of each
const WANTED = 30;
const FILTERS = ["status", "model", "door", "prompt", "tag", "created_after", "created_before"];

class Jobs extends Page {
  #rows = new Map();
  #cursor = null;
  #looked = 0;
  #list = h("div");
  #foot = h("div.foot");

  render() {
    const state = h("span.live", T.live);
    this.replaceChildren(
      this.heading(T.jobs.title, state, this.#finder()),
      this.#filters(),
      h("div.trouble"),
      this.#list,
      this.#foot,
    );
    fill(this.#list, h("p.quiet", T.loading));
    this.keep(async () => {
      await this.#look(this.#cursor === null && this.#looked === 0);
      return true;
    });
  }

  get #query() {
    const query = Object.fromEntries(FILTERS.map((name) => [name, this.params.get(name)]));
    if (session().kind === "operator") query.tenant = this.params.get("tenant");
    for (const name of ["created_after", "created_before"]) {
      if (query[name]) query[name] = new Date(query[name]).toISOString();
    }
    return query;
  }

  /** Read the newest; the first time, as many pages as fill the screen. */
  async #look(first) {
    const page = await jobs.list({ ...this.#query, limit: LIMIT }, this.signal);
    this.#take(page);
    if (first) {
      this.#cursor = page.next_cursor;
      this.#looked = LIMIT;
      await this.#further();
    }
    this.#show();
  }

  async #further() {
    const from = this.#rows.size;
    for (let pages = 1; pages < PAGES && this.#cursor && this.#rows.size - from < WANTED; pages += 1) {
      const page = await jobs.list({ ...this.#query, limit: LIMIT, cursor: this.#cursor }, this.signal);
      this.#take(page);
      this.#cursor = page.next_cursor;
      this.#looked += LIMIT;
    }
  }

  #take(page) {
    for (const job of page.data) this.#rows.set(job.id, job);
  }

  #show() {
    const found = [...this.#rows.values()].sort((one, other) => (one.id < other.id ? 1 : -1));
    const filtered = Object.values(this.#query).some(Boolean);
    const focused = document.activeElement?.closest?.("a[data-job]")?.dataset.job;
    if (!found.length) fill(this.#list, h("p.empty", filtered ? T.jobs.emptyFiltered : T.jobs.empty));
    else fill(this.#list, this.#table(found));
    if (focused) this.querySelector(`a[data-job="${CSS.escape(focused)}"]`)?.focus();
    fill(
      this.#foot,
      h("span.quiet", T.jobs.updated(at(new Date().toISOString())), " ", filtered && T.jobs.searched(this.#looked)),
      this.#cursor && button(T.more, () => this.attempt(async () => {
        await this.#further();
        this.#show();
      })),
    );
  }

  #table(found) {
    const columns = { ...T.jobs.columns };
    const withTenant = session().kind === "operator";
    if (!withTenant) delete columns.tenant;
    const rows = found.map((job) => [
      badge(job.status),
      h("a.id", { href: `#/jobs/${encodeURIComponent(job.id)}`, title: job.id, "data-job": job.id }, shortId(job.id)),
      ...(withTenant ? [job.tenant] : []),
      job.task,
      job.model,
      time(job.created_at),
      took(ms(job.ended_at ?? new Date().toISOString()) - ms(job.created_at)),
      h("span", { title: T.jobs.tokensOf(job.usage.input_tokens, job.usage.output_tokens) }, count(job.usage.input_tokens + job.usage.output_tokens)),
      usd(job.usage.cost_usd),
    ]);
    return table(T.jobs.table, columns, rows, { numbers: ["took", "tokens", "cost"] });
  }

  #finder() {
    const input = h("input#find", { type: "search", placeholder: T.jobs.findHint, "aria-label": T.jobs.find, spellcheck: "false" });
    const open = (event) => {
      event.preventDefault();
      if (input.value.trim()) location.hash = `#/jobs/${encodeURIComponent(input.value.trim())}`;
    };
    return h("form.finder", { role: "search", onsubmit: open }, input, h("button.plain", { type: "submit" }, T.jobs.open));
  }

  #filters() {
    const set = (name) => (event) => {
      const params = new URLSearchParams(this.params);
      if (event.target.value) params.set(name, event.target.value);
      else params.delete(name);
      location.hash = `#/jobs?${params}`;
    };
    const text = (name, hint) => h("input", { type: "text", value: this.params.get(name) ?? "", placeholder: hint, onchange: set(name) });
    const day = (name) => h("input", { type: "datetime-local", value: this.params.get(name) ?? "", onchange: set(name) });
    const any = { "": T.jobs.any };
    return h(
      "section.filters",
      { "aria-label": T.jobs.filters },
      field(T.jobs.status, choice({ ...any, ...T.status }, this.params.get("status"), set("status"))),
      session().kind === "operator" && field(T.jobs.tenant, text("tenant")),
      field(T.jobs.model, text("model")),
      field(T.jobs.door, choice({ ...any, ...T.doors }, this.params.get("door"), set("door"))),
      field(T.jobs.prompt, text("prompt")),
      field(T.jobs.tag, text("tag", T.jobs.tagHint)),
      field(T.jobs.after, day("created_after")),
      field(T.jobs.before, day("created_before")),
      this.params.size > 0 && h("a.clear", { href: "#/jobs" }, T.jobs.clear),
    );
  }
}

customElements.define("jobs-page", Jobs);
