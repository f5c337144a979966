// Models: prices, circuits and how they fare; and what would happen to a request, without running it.

import { estimate, models } from "./api.js";
import { fill, h } from "./dom.js";
import { count, percent, took, usd } from "./format.js";
import { Page } from "./page.js";
import { badge, button, card, field, table, wideCard } from "./parts.js";
import { T } from "./texts.js";

const EVERY_MS = 15_000;

class Models extends Page {
  #list = h("div");
  #told = h("div", { "aria-live": "polite" });

  render() {
    fill(this, this.heading(T.models.title), h("div.trouble"), this.#asking(), wideCard(T.models.all, this.#list));
    fill(this.#list, h("p.quiet", T.loading));
    this.keep(async () => {
      const found = await models.list(this.signal);
      fill(this.#list, this.#table(found.data));
      return true;
    }, EVERY_MS);
  }

  #table(found) {
    const rows = found.map((each) => [
      h("strong", each.id),
      each.owned_by,
      each.tasks.join(", "),
      badge(each.status, T.models.statuses[each.status] ?? each.status),
      badge(each.circuit.state, T.models.circuits[each.circuit.state] ?? each.circuit.state),
      each.live ? took(each.live.mean_latency_ms) : T.never,
      each.live ? percent(each.live.error_rate) : T.never,
      usd(each.prices.input_usd_per_million),
      usd(each.prices.output_usd_per_million),
      count(each.context_window),
    ]);
    return table(T.models.all, T.models.columns, rows, { numbers: ["latency", "errors", "input", "output", "window"] });
  }

  #asking() {
    const input = h("textarea", { rows: 3, spellcheck: "false" });
    input.value = T.models.example;
    const ask = () => this.attempt(async () => {
      this.trouble(null);
      fill(this.#told, this.#answer(await estimate(requestOf(input.value))));
    });
    return card(
      T.models.what,
      h("p.help", T.models.whatHelp),
      h("form.ask", { onsubmit: (event) => { event.preventDefault(); ask(); } }, field(T.models.request, input), button(T.models.ask, ask, "primary")),
      this.#told,
    );
  }

  #answer(found) {
    const rows = found.candidates.map((each, place) => [
      place + 1, each.model, count(each.input_tokens), count(each.max_output_tokens),
      usd(each.expected_cost_usd), usd(each.worst_cost_usd), took(each.mean_latency_ms),
    ]);
    const why = found.route.map((each) => [each.model, badge(each.taken ? "active" : "idle", each.taken ? T.job.routeTaken : T.job.routeLeft), each.why]);
    return [
      h("p", rows.length ? T.models.held(usd(found.worst_cost_usd)) : T.models.nobody),
      rows.length > 0 && table(T.models.order, T.models.candidates, rows, { numbers: ["input", "output", "expected", "worst", "latency"], hidden: false }),
      table(T.job.route, T.job.routeColumns, why, { hidden: false }),
    ];
  }
}

/** A request as it was written: JSON, or a text to ask. */
function requestOf(text) {
  try {
    const read = JSON.parse(text);
    if (read && read.constructor === Object) return read;
  } catch {
    // a text
  }
  return { input: text };
}

customElements.define("models-page", Models);
