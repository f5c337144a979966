// Numbers and times as the reader's browser writes them, in the reader's zone.

const DAY_MS = 86_400_000;
const EMPTY = "–";
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const plain = new Intl.NumberFormat();
const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });

/** Milliseconds of an ISO time, or of epoch seconds. */
export const ms = (time) => (typeof time === "number" ? time * 1000 : Date.parse(time));

/** A time of the last hours by the clock, an older one with its day. */
export function at(time) {
  if (!time) return EMPTY;
  const date = new Date(ms(time));
  return Date.now() - date < DAY_MS / 2 ? clock.format(date) : `${day.format(date)} ${clock.format(date)}`;
}

/** The same in full, with the zone. */
export const atInFull = (time) => (time ? whole.format(new Date(ms(time))) : EMPTY);

/** A duration. */
export function took(milliseconds) {
  if (milliseconds === null || milliseconds === undefined || Number.isNaN(milliseconds)) return EMPTY;
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return seconds < 172_800 ? `${(seconds / 3600).toFixed(1)} h` : `${Math.round(seconds / 86_400)} d`;
}

/** Dollars, with as many places as a small amount needs. */
export function usd(amount) {
  if (amount === null || amount === undefined) return EMPTY;
  const places = amount === 0 || Math.abs(amount) >= 1 ? 2 : Math.min(6, 2 - Math.floor(Math.log10(Math.abs(amount))));
  return `$${amount.toFixed(Math.max(2, places)).replace(/(\.\d\d\d*?)0+$/, "$1")}`;
}

export const count = (number) => (number === null || number === undefined ? EMPTY : plain.format(number));
export const compact = (number) => (number === null || number === undefined ? EMPTY : short.format(number));
export const percent = (share) => `${Math.round(share * 100)} %`;

/** The beginning of an id that is told by its end. */
export const shortId = (id) => (id.length > 20 ? `${id.slice(0, 8)}…${id.slice(-6)}` : id);
