"""How many calls a second a model takes, as it is learnt: pure functions of the last decision and of the time since.

A decision lowers the rate at which calls were refused by the part that was (multiplicative decrease, as Data Center TCP
does by its marked packets: RFC 8257). From there it rises by itself: quickly to near the rate of the refusals, then by
a small part of it each second (additive increase), and after a long time without any faster again, for the limit may be
another by now (the shape of CUBIC, RFC 9438). As the rise is a function of time, all processes that know the decision
know the rate, and none has to tell another that it has risen.

Providers give limits a minute and count them in buckets that fill all the time, or in windows of a second: so calls are
let through evenly, and what may be saved up is a few seconds' worth.
"""

import math
from dataclasses import dataclass, replace

FIRST, DOUBLES_S = 5.0, 10
"""Calls a second to a model of which nothing is known, and the seconds in which they double."""

BURST = 20
"""Calls that such a model gets at once: so many rows wait for nothing."""

LEAST = 0.05
"""Calls a second at least: whether a model that refused everything takes calls again is found out by asking."""

LEAST_CUT, MOST_CUT, FIRST_CUT = 0.03, 0.5, 0.9
"""What a decision takes off the rate: at least, at most, and at first, until what was refused then tells the rate."""

NEAR, RETURNS_S = 0.9, 20
"""Up to this part of where calls were refused, the rate doubles in so many seconds."""

RISE, RISE_BY_CALLS = 0.002, 0.00015
"""Additive increase: parts of the rate each second, or each call where calls are few. With the least cut there are
two hundred calls between two that are refused."""

CALM_S, CALM_CALLS, LONGEST_CALM_S, CALM_DOUBLES_S = 60, 300, 600, 120
"""After so long, and so many calls, without a refusal the rate doubles."""

SAVED_S, SAVED_LEAST = 4, 4
"""Seconds of the rate, and calls at least, that are saved up while nobody uses them."""

MARGIN = 0.98
"""Of a limit that a provider names: the rest fills its bucket up again, for calls that wait for nobody."""

MOST = 100_000.0
"""Calls a second: as good as without a limit."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided of a rate. All numbers are whole, as the tables have them; rates are thousandths of a call."""

    at: int
    """Milliseconds: the newest holds."""
    since: int
    """Milliseconds from which on calls are counted; later than `at` where the provider asked for a pause."""
    base: int
    """Calls a second."""
    top: int = 0
    """Calls a second at which some were refused; 0 while none was."""
    size: int = 0
    """Tokens of a call then, so that as many tokens a second are let through as calls of that size; 0 for any."""
    calls_limit: int = 0
    tokens_limit: int = 0
    """A minute, as the provider names them; 0 where it does not."""

    @property
    def learnt(self) -> bool:
        """False for a model that has refused nothing and named no limit."""
        return bool(self.top)

    def rate(self, now: int) -> float:
        """Calls a second."""
        found = _grown(self.base / 1000, self.top / 1000, (now - self.since) / 1000)[0]
        return min(found, self.calls_limit / 60 * MARGIN) if self.calls_limit else found

    def calls(self, now: int) -> float:
        """Calls that may have been let through since."""
        seconds = (now - self.since) / 1000
        found = _grown(self.base / 1000, self.top / 1000, seconds)[1]
        if self.calls_limit and self.learnt:
            found = min(found, self.calls_limit / 60 * MARGIN * max(0.0, seconds))
        return found if self.learnt else found + BURST

    def tokens(self, now: int) -> float:
        """Tokens that may have been."""
        most = self.calls(now) * self.size if self.size else math.inf
        if self.tokens_limit and self.learnt:
            most = min(most, self.tokens_limit / 60 * MARGIN * max(0.0, (now - self.since) / 1000))
        return most

    def saved(self, now: int) -> float:
        """Calls that may be saved up."""
        most = max(SAVED_LEAST, SAVED_S * self.rate(now))
        return most if self.learnt else max(BURST, most)


def first(now: int, made: float = 0.0) -> Decision:
    """For a model that refused nothing so far, with the calls a second that were made."""
    return Decision(now, now, round(max(FIRST, made) * 1000))


def lowered(known: Decision, rate: float, cut: float, size: int, now: int, pause_ms: int = 0) -> Decision:
    """The decision after refusals.

    Args:
        known: the decision before.
        rate: calls a second that were made.
        cut: the part of the calls that were refused; 1 where nothing got through.
        size: tokens of a call.
        now: milliseconds.
        pause_ms: that nothing is to be let through.
    """
    cut = max(cut, LEAST_CUT)
    after = max(rate * (1 - min(cut, MOST_CUT if known.learnt else FIRST_CUT)), LEAST)
    # Where nothing got through, nothing is known of the limit, and it may be what it was.
    top = max(rate, after) if cut >= 1 else after / (1 - LEAST_CUT)
    limits = known.calls_limit, known.tokens_limit
    size = 0 if known.tokens_limit else size
    return Decision(now, now + pause_ms, round(after * 1000), round(top * 1000), size, *limits)


def measured(known: Decision, rate: float, now: int) -> Decision:
    """The decision where it is known how many calls a second got through while others were refused."""
    base = round(max(rate, LEAST) * 1000)
    return replace(known, at=now, since=now, base=base, top=round(base / (1 - LEAST_CUT)))


def named(known: Decision, calls_limit: int, tokens_limit: int, now: int) -> Decision:
    """The decision where a provider names limits, and what it lets through at once is about used up."""
    rate = calls_limit / 60 * MARGIN if calls_limit else max(known.rate(now), LEAST)
    base = round(max(rate, LEAST) * 1000)
    return Decision(now, now, base, base, 0, calls_limit, tokens_limit)


def _grown(base: float, top: float, seconds: float) -> tuple[float, float]:
    """Calls a second after some seconds, and calls until then."""
    total = 0.0
    seconds = max(0.0, seconds)
    if not top:
        return _doubled(base, DOUBLES_S, seconds)
    near = top * NEAR
    if base < near:
        back = RETURNS_S * math.log2(near / base)
        rate, calls = _doubled(base, RETURNS_S, min(seconds, back))
        if seconds <= back:
            return rate, calls
        base, total, seconds = near, calls, seconds - back
    slope = base * min(RISE, RISE_BY_CALLS * base)
    calm = min(max(CALM_S, CALM_CALLS / base), LONGEST_CALM_S)
    rising = min(seconds, calm)
    rate, total = base + slope * rising, total + (base + slope * rising / 2) * rising
    if seconds <= calm:
        return rate, total
    rate, calls = _doubled(rate, CALM_DOUBLES_S, seconds - calm)
    return rate, total + calls


def _doubled(base: float, doubles_s: float, seconds: float) -> tuple[float, float]:
    most = doubles_s * math.log2(max(MOST / base, 1))
    grown = min(seconds, most)
    rate = base * 2.0 ** (grown / doubles_s)
    return rate, (rate - base) * doubles_s / math.log(2) + rate * (seconds - grown)
