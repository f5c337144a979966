// Overview: how the last jobs ended, what is under way, and what it all costs.

import { jobs, limits, models, usage } from "./api.js";
import { fill, h } from "./dom.js";
import { compact, count, ms, percent, usd } from "./format.js";
import { bars } from "./chart.js";
import { Page } from "./page.js";
import { badge, card, table, time, wideCard } from "./parts.js";
import { T } from "./texts.js";

const LIMIT = 100;
const PAGES = 3;
const EVERY_MS = 10_000;
const OPEN = ["queued", "running"];

class Overview extends Page {
  #tiles = h("div.tiles");
  #chart = h("div");
  #money = h("div");
  #limits = h("div");
  #circuits = h("div");

  render() {
    fill(
      this,
      this.heading(T.overview.title, h("span.live", T.live)),
      h("div.trouble"),
      this.#tiles,
      h("div.cards", wideCard(T.overview.outcomes, this.#chart), card(T.overview.spend, this.#money), card(T.overview.limits, this.#limits), card(T.overview.circuits, this.#circuits)),
    );
    this.keep(() => this.#look(), EVERY_MS);
  }

  async #look() {
    const found = [];
    for (let page = 0, cursor = null; page < PAGES; page += 1) {
      const read = await jobs.list({ limit: LIMIT, cursor }, this.signal);
      found.push(...read.data);
      cursor = read.next_cursor;
      if (!cursor) break;
    }
    // What a credential has no scope for is left out, and the rest is shown.
    const [used, held, known] = await Promise.all([usage({}, this.signal), limits(this.signal), models.list(this.signal)].map((each) => each.catch((error) => (error.status === 403 ? null : Promise.reject(error)))));
    fill(this.#tiles, this.#numbers(found, used));
    fill(this.#chart, found.length ? bars(found) : h("p.quiet", T.jobs.empty));
    fill(this.#money, used ? this.#spend(used.data) : h("p.quiet", T.overview.noScope));
    fill(this.#limits, held ? this.#standings(held.data) : h("p.quiet", T.overview.noScope));
    fill(this.#circuits, known ? this.#open(known.data) : h("p.quiet", T.overview.noScope));
    return true;
  }

  #numbers(found, used) {
    const ended = found.filter((each) => !OPEN.includes(each.status));
    const good = ended.filter((each) => each.status === "succeeded");
    const waits = good.map((each) => ms(each.ended_at) - ms(each.created_at)).sort((one, other) => one - other);
    const sum = (name) => (used?.data ?? []).reduce((all, row) => all + row[name], 0);
    const tile = (name, value, note) => h("div.tile", h("span.name", name), h("strong", value), note && h("small", note));
    const of = (status) => found.filter((each) => each.status === status).length;
    return [
      tile(T.overview.waiting, count(of("queued")), T.overview.ofLast(found.length)),
      tile(T.overview.running, count(of("running")), T.overview.ofLast(found.length)),
      tile(T.overview.succeeded, ended.length ? percent(good.length / ended.length) : T.never, T.overview.ended(ended.length)),
      tile(T.overview.median, waits.length ? T.overview.seconds(waits[Math.floor(waits.length / 2)]) : T.never, T.overview.toAnswer),
      used && tile(T.overview.month, usd(sum("cost_usd")), T.overview.calls(compact(sum("calls")))),
      used && tile(T.overview.tokens, compact(sum("input_tokens") + sum("output_tokens")), T.jobs.tokensOf(compact(sum("input_tokens")), compact(sum("output_tokens")))),
    ];
  }

  #spend(rows) {
    if (!rows.length) return h("p.quiet", T.overview.nothing);
    const most = [...rows].sort((one, other) => other.cost_usd - one.cost_usd);
    const cells = most.map((row) => [row.value, count(row.calls), compact(row.input_tokens + row.output_tokens), usd(row.cost_usd)]);
    return table(T.overview.spend, T.overview.spendColumns, cells, { numbers: ["calls", "tokens", "cost"] });
  }

  #standings(rows) {
    if (!rows.length) return h("p.quiet", T.overview.noLimits);
    const cells = rows.map((row) => [row.name, row.scope, count(row.left), count(row.amount)]);
    return table(T.overview.limits, T.overview.limitColumns, cells, { numbers: ["left", "amount"] });
  }

  #open(known) {
    const open = known.filter((each) => each.circuit.state !== "closed");
    if (!open.length) return h("p", badge("closed", T.overview.allClosed));
    const cells = open.map((each) => [each.id, badge(each.circuit.state, T.models.circuits[each.circuit.state] ?? each.circuit.state), time(each.circuit.until)]);
    return table(T.overview.circuits, T.overview.circuitColumns, cells);
  }
}

customElements.define("overview-page", Overview);
