// Calls the REST API with the credential of whoever signed in. It is in this module's memory alone: a reload forgets it.

import { credentialsOf, signed } from "./sigv4.js";

const BASE = new URL("./", location.href.split(/[?#]/)[0]);

let who = null;
let settings = { region: "" };

/** An error in the API's public form; `status` is 0 where nothing answered. */
export class ApiError extends Error {
  constructor(status, error = {}) {
    super(error.message ?? "");
    Object.assign(this, { status, code: error.code ?? "not_reached", param: error.param, requestId: error.request_id });
  }
}

export const session = () => who;

export async function loadSettings() {
  const reply = await fetch(new URL("console/config.json", BASE));
  if (reply.ok) settings = await reply.json();
}

/** Sign in with a key or token of a tenant; throws where the API refuses it. */
export async function enterWithKey(token) {
  who = { kind: "tenant", token: token.trim(), name: `…${token.trim().slice(-6)}` };
  await tried(() => call("GET", "/jobs", { query: { limit: 1 } }));
}

/** Sign in as an operator with AWS credentials; false where the text has none. */
export async function enterWithCredentials(text) {
  const credentials = credentialsOf(text);
  if (!credentials) return false;
  who = { kind: "operator", credentials, name: `${credentials.accessKeyId.slice(0, 4)}…${credentials.accessKeyId.slice(-4)}` };
  await tried(() => call("GET", "/admin/jobs", { query: { limit: 1 } }));
  return true;
}

export function leave() {
  who = null;
}

async function tried(attempt) {
  try {
    await attempt();
  } catch (error) {
    if (error.status === 400) return; // known, and asked for more: where there are many tenants, which one
    if (error.status !== 403 || who.kind === "operator") who = null;
    if (who === null) throw error;
  }
}

/** The reply's body (null where there is none). */
export async function call(method, path, { query = {}, body, headers = {}, signal } = {}) {
  const url = new URL(path.replace(/^\//, ""), BASE);
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, value);
  }
  const text = body === undefined ? "" : JSON.stringify(body);
  const sent = { ...headers, ...(await credential(method, url, text)) };
  if (text) sent["content-type"] = "application/json";
  let reply;
  try {
    reply = await fetch(url, { method, headers: sent, body: text || undefined, signal, cache: "no-store", credentials: "omit" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0);
  }
  const read = await reply.text();
  const found = read ? JSON.parse(read) : null;
  if (reply.status === 410 && found?.id) return found; // a job whose answer is gone is told all the same
  if (!reply.ok) throw new ApiError(reply.status, found?.error);
  return found;
}

async function credential(method, url, body) {
  if (who?.kind === "tenant") return { authorization: `Bearer ${who.token}` };
  if (who?.kind === "operator") {
    return signed(who.credentials, { method, url, body, region: settings.region, now: new Date() });
  }
  return {};
}

/** The lines of a file; null where it is so large that it lies elsewhere, where this page may not go. */
async function lines(path, signal) {
  const url = new URL(path.slice(1), BASE);
  const reply = await fetch(url, { headers: await credential("GET", url, ""), redirect: "manual", signal, cache: "no-store" });
  if (reply.type === "opaqueredirect") return null;
  const text = await reply.text();
  if (!reply.ok) throw new ApiError(reply.status, JSON.parse(text).error);
  return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

const of = (path) => (who?.kind === "operator" ? `/admin${path}` : path);
const id = encodeURIComponent;

/** Jobs, by the tenant's routes or the operators'. */
export const jobs = {
  list: (query, signal) => call("GET", of("/jobs"), { query, signal }),
  get: (job, signal) => call("GET", of(`/jobs/${id(job)}`), { query: { include: "route,queue" }, signal }),
  events: (job, signal) => call("GET", of(`/jobs/${id(job)}/events`), { signal }),
  payload: (job) => call("GET", `/admin/jobs/${id(job)}/payload`),
  cancel: (job) => call("POST", of(`/jobs/${id(job)}/cancel`)),
  redeliver: (job) => call("POST", `/jobs/${id(job)}/redeliver`),
  erase: (job) => call("DELETE", `/jobs/${id(job)}`),
  url: (job) => new URL(of(`/jobs/${id(job)}`).slice(1), BASE).href,
};

export const batches = {
  list: (query, signal) => call("GET", "/batches", { query, signal }),
  get: (batch, signal) => call("GET", `/batches/${id(batch)}`, { signal }),
  ask: (batch, what) => call("POST", `/batches/${id(batch)}/${what}`),
  failed: (file, signal) => lines(`/files/${id(file)}/content`, signal),
};

export const models = { list: (signal) => call("GET", "/models", { signal }) };
export const estimate = (body) => call("POST", "/estimates", { body });
export const usage = (query, signal) => call("GET", "/usage", { query, signal });
export const limits = (signal) => call("GET", "/limits", { signal });
