// What became of a job, told as boxes in the order of its way. Only facts: picture.js draws them.

import { ms, took, usd } from "./format.js";
import { T } from "./texts.js";

const ENDED = { succeeded: "good", failed: "bad", blocked: "warn", canceled: "idle", expired: "bad" };
const DELIVERED = { delivered: "good", pending: "now", failed: "bad", disabled: "bad" };
const STOPS = ["block", "error", "review"];

/**
 * Columns of boxes, from left to right.
 * @returns [[{key, title, lines, state, at, from, to, joined}]]: `state` is good, bad, warn, now or idle; `from` and `to`
 *   are milliseconds since acceptance; `joined` says why a box follows the one above it.
 */
export function story(job, events) {
  const began = ms(job.created_at);
  const since = (time) => (time ? ms(time) - began : null);
  const when = (event) => events.filter((each) => each.event === event);
  const columns = [[accepted(job, when)], [queued(job, when, since)]];
  columns.push([guarded(job, "input")]);
  if (job.cache?.hit) columns.push([cached(job)]);
  else columns.push([route(job)], calls(job, when("attempt.ended"), since));
  columns.push([guarded(job, "output")], [ended(job, since)]);
  if (job.delivery.length) columns.push(job.delivery.map((each, number) => delivered(each, number, since)));
  return columns.filter((column) => column.length);
}

function accepted(job, when) {
  const door = when("job.accepted")[0]?.door;
  return { key: "accepted", title: T.story.accepted, lines: [T.story.by(T.doors[door] ?? door ?? T.unknown)], state: "good", from: 0, to: 0 };
}

function queued(job, when, since) {
  const waiting = when("job.waiting")[0];
  const held = job.review?.state === "held";
  const until = since(job.started_at) ?? since(job.ended_at) ?? Date.now() - ms(job.created_at);
  const lines = [T.story.waited(took(until))];
  if (waiting) lines.push(T.story.waitsFor[waiting.reason] ?? waiting.reason, T.story.times(waiting.times));
  const state = held ? "warn" : job.started_at ? "good" : job.ended_at ? "idle" : "now";
  return { key: "queued", title: held ? T.story.held : T.story.queued, lines: held ? job.review.rules : lines, state, from: 0, to: until };
}

function guarded(job, stage) {
  const found = job.guardrails.filter((each) => each.stage === stage && !each.shadow);
  const stopped = found.some((each) => STOPS.includes(each.action));
  const reached = stage === "input" ? job.started_at : job.status === "succeeded" || found.length;
  const lines = found.length ? [T.story.found(found.length), ...new Set(found.map((each) => each.rule))] : [reached ? T.story.clean : T.story.state.idle];
  const state = stopped ? "warn" : reached ? "good" : "idle";
  return { key: `guard-${stage}`, title: T.story[stage], lines: lines.slice(0, 3), state };
}

function cached(job) {
  const { kind, saved_usd: saved } = job.cache;
  return { key: "cache", title: T.story.cache, lines: [T.story.cacheHit(kind), T.story.saved(usd(saved))], state: "good" };
}

function route(job) {
  const taken = job.route.filter((each) => each.taken);
  if (!job.route.length) return { key: "route", title: T.story.route, lines: [T.story.state.idle], state: "idle" };
  if (!taken.length) return { key: "route", title: T.story.route, lines: [T.story.noModel], state: "bad" };
  const all = taken.length === job.route.length ? T.story.takenOnly(taken.length) : T.story.taken(taken.length, job.route.length);
  return { key: "route", title: T.story.route, lines: [all, T.story.first(taken[0].model)], state: "good" };
}

function calls(job, ended, since) {
  return job.attempts.map((call, number) => {
    const end = ended[number] ? since(ended[number].at) : null;
    const open = end === null && !job.ended_at;
    const before = job.attempts[number - 1];
    return {
      key: `call-${call.id}`,
      title: call.model,
      lines: [T.story.outcome(open ? T.story.calling : call.outcome), `${took(call.latency_ms)} · ${usd(call.cost_usd)}`],
      state: call.outcome === "succeeded" ? "good" : open ? "now" : "bad",
      from: end === null ? null : end - (call.latency_ms ?? 0),
      to: end,
      joined: before && (before.model === call.model ? T.story.again : T.story.fallback),
    };
  });
}

function ended(job, since) {
  if (!job.ended_at) return { key: "ended", title: T.story.notYet, lines: [T.status[job.status] ?? job.status], state: job.status === "running" ? "now" : "idle" };
  const to = since(job.ended_at);
  const lines = [T.story.after(took(to)), T.story.spent(usd(job.usage.cost_usd))];
  if (job.error?.code) lines.push(job.error.code);
  return { key: "ended", title: T.story.ended[job.status] ?? job.status, lines, state: ENDED[job.status] ?? "idle", from: to, to };
}

function delivered(delivery, number, since) {
  const last = delivery.attempts.at(-1);
  const lines = [T.story.delivery[delivery.state] ?? delivery.state, T.story.tries(delivery.attempts.length)];
  const to = last ? since(last.at) : null;
  return { key: `delivery-${number}`, title: delivery.event, lines, state: DELIVERED[delivery.state] ?? "idle", from: to, to };
}
