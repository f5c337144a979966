// Batches: how far they have come, what they cost, and which rows did not succeed.

import { batches } from "./api.js";
import { fill, h } from "./dom.js";
import { count, shortId, took, usd } from "./format.js";
import { Page } from "./page.js";
import { ask, badge, button, card, facts, say, table, time, wideCard } from "./parts.js";
import { T } from "./texts.js";

const OVER = ["completed", "failed", "expired", "cancelled"];
const GOOD = ["succeeded"];
const UNDONE = ["failed", "blocked", "canceled", "expired", "rejected", "passed_over"];
const LIMIT = 50;

class Batches extends Page {
  #list = h("div");

  render() {
    fill(this, this.heading(T.batches.title, h("span.live", T.live)), h("div.trouble"), this.#list);
    fill(this.#list, h("p.quiet", T.loading));
    this.keep(async () => {
      const found = await batches.list({ limit: LIMIT }, this.signal);
      fill(this.#list, found.data.length ? this.#table(found.data) : h("p.empty", T.batches.empty));
      return true;
    });
  }

  #table(found) {
    const rows = found.map((each) => [
      badge(each.paused ? "paused" : each.status, each.paused ? T.batches.paused : nameOf(each.status)),
      h("a.id", { href: `#/batches/${encodeURIComponent(each.id)}`, title: each.id }, shortId(each.id)),
      time(each.created_at),
      progress(each),
      count(each.request_counts.failed),
      each.eta_seconds === null ? T.never : took(each.eta_seconds * 1000),
      usd(each.usage.cost_usd),
    ]);
    return table(T.batches.title, T.batches.columns, rows, { numbers: ["failed", "eta", "cost"] });
  }
}

class Batch extends Page {
  #batch = null;
  #state = h("span");
  #actions = h("div.buttons");
  #rest = h("div");
  #rows = h("div");

  render() {
    const [id] = this.parts;
    fill(
      this,
      h("p.crumb", h("a", { href: "#/batches" }, T.batches.title)),
      this.heading(T.batches.one(shortId(id)), this.#state, this.#actions),
      h("div.trouble"),
      this.#rest,
      this.#rows,
    );
    this.keep(() => this.#look(id));
  }

  async #look(id) {
    const batch = await batches.get(id, this.signal);
    const ended = OVER.includes(batch.status);
    const first = this.#batch === null || (ended && !OVER.includes(this.#batch.status));
    this.#batch = batch;
    fill(this.#state, badge(batch.paused ? "paused" : batch.status, batch.paused ? T.batches.paused : nameOf(batch.status)));
    fill(this.#actions, this.#buttons(ended));
    fill(this.#rest, this.#facts());
    if (first && ended && batch.error_file_id) await this.#failed();
    return !ended;
  }

  #buttons(ended) {
    const batch = this.#batch;
    const act = (what) => this.attempt(async () => {
      const answer = await batches.ask(batch.id, what);
      say(T.batches.done[what]);
      if (what === "retry") location.hash = `#/batches/${encodeURIComponent(answer.id)}`;
      else await this.#look(batch.id);
    });
    const cancel = async () => {
      if (await ask(T.batches.cancelAsk, T.batches.cancelIt)) await act("cancel");
    };
    if (ended) return [batch.request_counts.failed > 0 && !batch.erased && button(T.batches.retry, () => act("retry"))];
    return [
      batch.paused ? button(T.batches.resume, () => act("resume")) : button(T.batches.pause, () => act("pause")),
      button(T.batches.cancel, cancel, "danger"),
    ];
  }

  #facts() {
    const batch = this.#batch;
    const name = T.batches.fact;
    const counts = Object.entries(batch.counts).filter(([, number]) => number > 0);
    return card(
      T.batches.progress,
      progress(batch),
      h("p", counts.map(([state, number]) => h("span.tag", `${count(number)} ${T.batches.states[state] ?? state}`))),
      facts([
        [name.id, h("code", batch.id)],
        [name.created, time(batch.created_at)],
        [name.eta, batch.eta_seconds === null ? null : took(batch.eta_seconds * 1000)],
        [name.cost, usd(batch.usage.cost_usd)],
        [name.cap, batch.max_cost_usd === null ? null : usd(batch.max_cost_usd)],
        [name.tokens, T.jobs.tokensOf(count(batch.usage.input_tokens), count(batch.usage.output_tokens))],
        [name.duplicates, batch.duplicates || null],
        [name.stopped, batch.stop_reason],
        [name.retryOf, batch.retry_of && h("a", { href: `#/batches/${encodeURIComponent(batch.retry_of)}` }, shortId(batch.retry_of))],
      ]),
      (batch.errors?.data ?? []).map((each) => h("p.alert", T.errors.said(each.message, each.code))),
    );
  }

  /** Rows that did not succeed, each with its reason; a large file of them is not read here. */
  async #failed() {
    const lines = await batches.failed(this.#batch.error_file_id, this.signal);
    if (lines === null) {
      fill(this.#rows, wideCard(T.batches.failedRows, h("p.quiet", T.batches.tooMany)));
      return;
    }
    const rows = lines.map((each) => {
      const error = each.error ?? each.job?.error ?? each.response?.body?.error ?? {};
      const job = each.job?.id;
      const status = each.job?.status ?? (each.response ? "failed" : "rejected");
      return [
        each.custom_id ?? each.line ?? T.never,
        badge(status, T.batches.states[status] ?? status),
        error.message ? T.errors.said(error.message, error.code) : T.unknown,
        job ? h("a.id", { href: `#/jobs/${encodeURIComponent(job)}` }, shortId(job)) : T.never,
      ];
    });
    fill(this.#rows, wideCard(T.batches.failedRows, table(T.batches.failedRows, T.batches.rowColumns, rows)));
  }
}

const nameOf = (status) => T.batches.statuses[status] ?? status;

/** A bar of what succeeded and what did not, with the numbers beside it. */
function progress(batch) {
  const total = batch.request_counts.total || 1;
  const sum = (names) => names.reduce((all, name) => all + (batch.counts[name] ?? 0), 0);
  const good = sum(GOOD);
  const bad = sum(UNDONE);
  const part = (kind, number) => {
    const made = h(`span.${kind}`);
    made.style.width = `${(100 * number) / total}%`;
    return made;
  };
  const text = T.batches.of(count(good + bad), count(batch.request_counts.total));
  return h("div.progress", h("div.bar", { role: "img", "aria-label": text }, part("good", good), part("bad", bad)), h("small", text));
}

customElements.define("batches-page", Batches);
customElements.define("batch-page", Batch);
