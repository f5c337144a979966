// One job: its way as a picture, all that is known of it, and what can be done with it.

import { jobs, session } from "./api.js";
import { fill, h, safeUrl } from "./dom.js";
import { count, ms, percent, shortId, took, usd } from "./format.js";
import { Page } from "./page.js";
import { ask, badge, button, card, copy, facts, say, table, time, verbatim, wideCard } from "./parts.js";
import { picture } from "./picture.js";
import { story } from "./story.js";
import { T } from "./texts.js";

const ENDED = ["succeeded", "failed", "blocked", "canceled", "expired"];

class Job extends Page {
  #job = null;
  #events = [];
  #chosen = null;
  #drawn = h("div");
  #more = h("div.chosen", { "aria-live": "polite" });
  #rest = h("div.cards");
  #state = h("span");
  #actions = h("div.buttons");
  #shown = null;
  #sizes = new ResizeObserver(() => this.#draw());

  render() {
    const id = this.parts[0];
    fill(
      this,
      h("p.crumb", h("a", { href: "#/jobs" }, T.jobs.title)),
      this.heading(T.job.title(shortId(id)), this.#state, this.#actions),
      h("div.trouble"),
      card(T.job.picture, h("p.help", T.job.pictureHelp), this.#drawn, this.#more),
      this.#rest,
    );
    fill(this.#drawn, h("p.quiet", T.loading));
    this.#sizes.observe(this.#drawn);
    this.keep(() => this.#look(id), 2500);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#sizes.disconnect();
  }

  async #look(id) {
    const [job, events] = await Promise.all([jobs.get(id, this.signal), jobs.events(id, this.signal)]);
    if (JSON.stringify([job, events.data]) !== JSON.stringify([this.#job, this.#events])) {
      this.#job = job;
      this.#events = events.data;
      fill(this.#state, badge(job.status));
      fill(this.#actions, this.#buttons());
      this.#draw();
      this.#tell();
    }
    return !ENDED.includes(job.status) || job.delivery.some((each) => each.state === "pending");
  }

  #draw() {
    if (!this.#job) return;
    const focused = document.activeElement?.dataset?.key;
    const choose = (key) => {
      this.#chosen = this.#chosen === key ? null : key;
      this.#draw();
    };
    const columns = story(this.#job, this.#events);
    const label = T.job.pictureLabel(T.status[this.#job.status]);
    fill(this.#drawn, picture(columns, this.#drawn.clientWidth || 1000, label, this.#chosen, choose));
    if (focused) this.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
    fill(this.#more, this.#chosen && this.#detail(this.#chosen));
  }

  /** What belongs to the box that was chosen. */
  #detail(key) {
    const job = this.#job;
    const [kind, ...name] = key.split("-");
    if (kind === "call") return this.#calls(job.attempts.filter((each) => each.id === name.join("-")));
    if (kind === "guard") return this.#findings(job.guardrails.filter((each) => each.stage === name[0]));
    if (kind === "route") return this.#route();
    if (kind === "delivery") return this.#deliveries([job.delivery[Number(name[0])]]);
    return this.#facts();
  }

  #buttons() {
    const job = this.#job;
    const act = (name, done) => this.attempt(async () => {
      const answer = await jobs[name](job.id);
      say(done(answer));
      await this.#look(job.id);
    });
    const mine = session().kind === "tenant";
    const sure = async (name) => {
      if (await ask(T.job.ask[name], T.job.doIt[name])) await act(name, () => T.job.done[name]);
    };
    return [
      !ENDED.includes(job.status) && button(T.job.cancel, () => sure("cancel"), "danger"),
      mine && job.delivery.length > 0 && button(T.job.redeliver, () => act("redeliver", (answer) => T.job.done.redeliver(answer.ids.length))),
      button(T.job.curl, () => copy(curl(job.id))),
      mine && job.batch_id && h("a.button", { href: `#/batches/${job.batch_id}` }, T.job.batch),
      mine && !job.erased && ENDED.includes(job.status) && button(T.job.erase, () => sure("erase"), "danger"),
    ];
  }

  #tell() {
    const job = this.#job;
    fill(
      this.#rest,
      card(T.job.facts, this.#facts()),
      card(T.job.payload, this.#payload()),
      job.attempts.length > 0 && wideCard(T.job.attempts, this.#calls(job.attempts)),
      job.route.length > 0 && wideCard(T.job.route, this.#route()),
      job.guardrails.length > 0 && wideCard(T.job.findings, this.#findings(job.guardrails)),
      job.delivery.length > 0 && wideCard(T.job.deliveries, this.#deliveries(job.delivery)),
      wideCard(T.job.timeline, this.#timeline()),
    );
  }

  #facts() {
    const job = this.#job;
    const name = T.job.fact;
    const tags = Object.entries(job.metadata ?? {}).map(([key, value]) => h("span.tag", `${key}=${value}`));
    return [
      job.error?.message && h("p.alert", T.errors.said(job.error.message, job.error.code)),
      facts([
        [name.id, h("code", job.id)],
        [name.tenant, job.tenant],
        [name.task, job.task],
        [name.model, job.model],
        [name.created_at, time(job.created_at)],
        [name.started_at, job.started_at && time(job.started_at)],
        [name.ended_at, job.ended_at && [time(job.ended_at), " ", T.story.after(took(ms(job.ended_at) - ms(job.created_at)))]],
        [name.cost, job.held_usd === undefined ? usd(job.usage.cost_usd) : T.job.money(usd(job.usage.cost_usd), usd(job.held_usd))],
        [name.tokens, T.jobs.tokensOf(count(job.usage.input_tokens), count(job.usage.output_tokens))],
        [name.queue, job.queue && T.job.queueOf(job.queue)],
        [name.prompt, job.prompt && T.job.promptOf(job.prompt)],
        [name.context, job.context && T.job.contextOf(job.context)],
        [name.conversation_id, job.conversation_id],
        [name.retry_of, job.retry_of && h("a", { href: `#/jobs/${encodeURIComponent(job.retry_of)}` }, shortId(job.retry_of))],
        [name.batch_id, job.batch_id],
        [name.tags, tags.length ? tags : null],
      ]),
    ];
  }

  /** Nothing of a prompt or an answer is put into the page before it is asked for. */
  #payload() {
    const job = this.#job;
    const operator = session().kind === "operator";
    if (job.erased) return h("p.quiet", T.job.gone);
    const toggle = async () => {
      if (this.#shown) this.#shown = null;
      else if (operator) this.#shown = await jobs.payload(job.id);
      else this.#shown = { output: job.output, output_url: job.output_url };
      this.#tell();
      this.querySelector("[data-toggle]")?.focus();
    };
    const name = this.#shown ? T.job.hide : operator ? T.job.showBoth : T.job.show;
    return [
      h("p.help", T.job.payloadHelp, " ", operator && T.job.showNote),
      button(name, () => this.attempt(toggle), "plain", { "aria-expanded": String(Boolean(this.#shown)), "data-toggle": true }),
      this.#shown && this.#texts(this.#shown),
    ];
  }

  #texts({ request, output, output_url: url }) {
    const files = (output?.files ?? []).map((file) => h("p", link(file.url, T.job.file(file.media_type))));
    const answer = output?.text !== undefined && Object.keys(output).length <= 2 ? output.text : output;
    return [
      request && [h("h3", T.job.requestTitle), verbatim(request)],
      request && h("h3", T.job.answerTitle),
      output && verbatim(answer),
      files,
      url && h("p", T.job.large, " ", link(url, T.job.openAnswer)),
      !output && !url && h("p.quiet", T.job.noAnswer),
    ];
  }

  #calls(calls) {
    const rows = calls.map((each) => [
      each.id, each.model, badge(each.outcome === "succeeded" ? "succeeded" : "failed", T.story.outcome(each.outcome)),
      took(each.latency_ms), usd(each.cost_usd), T[each.paid] ?? each.paid, each.error && T.errors.said(each.error.message, each.error.code),
    ]);
    return table(T.job.attempts, T.job.columns, rows, { numbers: ["took", "cost"] });
  }

  #route() {
    const rows = this.#job.route.map((each) => [each.model, badge(each.taken ? "active" : "idle", each.taken ? T.job.routeTaken : T.job.routeLeft), each.why]);
    return table(T.job.route, T.job.routeColumns, rows);
  }

  #findings(found) {
    if (!found.length) return h("p.quiet", T.story.clean);
    const rows = found.map((each) => [each.stage, each.rule, each.kind, each.action, percent(each.score), each.policy]);
    return table(T.job.findings, T.job.findingColumns, rows);
  }

  #deliveries(deliveries) {
    const tries = (each) => each.attempts.map((one) => h("div", time(one.at), " ", one.status ?? one.error, " ", took(one.latency_ms)));
    const rows = deliveries.map((each) => [each.event, badge(each.state), tries(each), time(each.next_at)]);
    return table(T.job.deliveries, T.job.deliveryColumns, rows);
  }

  #timeline() {
    const more = ({ at: _, event: __, ...facts }) => Object.entries(facts).map(([name, value]) => h("span.tag", `${name}: ${[value].flat().join(", ")}`));
    return table(T.job.timeline, T.job.timelineColumns, this.#events.map((each) => [time(each.at), each.event, more(each)]));
  }
}

function link(url, text) {
  return safeUrl(url) ? h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, text) : text;
}

/** A command line that asks for the same job; the key is never in it. */
function curl(id) {
  const operator = session().kind === "operator";
  const how = operator ? '--aws-sigv4 "aws:amz:$AWS_REGION:execute-api" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"' : '-H "Authorization: Bearer $BROKER_API_KEY"';
  return `curl -s '${jobs.url(id).replaceAll("'", "%27")}' ${how}`;
}

customElements.define("job-page", Job);
