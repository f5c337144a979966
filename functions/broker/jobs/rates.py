"""How many calls a second a model takes, as it is learnt: pure functions of the last decision and of the time since.

A decision lowers the rate at which calls were refused by the part that was (multiplicative decrease, as Data Center TCP
does by its marked packets: RFC 8257). From there it rises by itself along CUBIC's curve (RFC 9438): quickly at first,
hardly at all near the rate of the refusals, then ever faster until it rises by a fixed part each second, for the limit
may be another by now. As the rise is a function of time, all processes that know the decision
know the rate, and none has to tell another that it has risen.

Providers give limits a minute and count them in buckets that fill all the time, or in windows of a second: so calls are
let through evenly, and what may be saved up is a few seconds' worth.
"""

import math
from dataclasses import dataclass, replace

FIRST, DOUBLES_S, SLOWER, SLOWER_S = 8.0, 10, 20.0, 20
"""Calls a second to a model of which nothing is known, and the seconds in which they double; and from how many on they
do so in how many. The faster they are when the first is refused, the more are."""

BURST = 20
"""Calls that such a model gets at once: so many rows wait for nothing."""

HASTY, AT_ONCE_S = 2.0, 2
"""Calls a second, from which they double again, to a model that refused some of what it got in so many seconds."""

LEAST = 0.05
"""Calls a second at least: whether a model that refused everything takes calls again is found out by asking."""

LEAST_CUT, MOST_CUT, FIRST_CUT = 0.02, 0.5, 0.9
"""What a decision takes off the rate: at least, at most, and at first, until what was refused then tells the rate."""

KNEE_S, KNEE_CUT, KNEE_RATE, LONGEST_KNEE_S = 15, 0.02, 10.0, 30
"""Seconds in which a rate is back where calls were refused, after so small a cut: longer after larger ones, by their
cube root, and where calls are few, so that there are a hundred between two that are refused."""

RISE = 0.03
"""The part of the rate by which it rises each second at most, once it is beyond that: so a limit that was taken for too
low, or doubles, is found within a minute or two."""

HALFWAY, ABOVE = 0.75, 1.25
"""How far below the rate of refusals the limit is taken to be, of the part that was refused; and how far above what was
measured, at least."""

CLOSED, ASKED_AGAIN, REOPENED_CUT = 10, 1.0, 0.03
"""Where nothing gets through, one of so many calls is made, and so many a second at most; and so much less than got
through lately are made once some do again."""

SAVED_S, SAVED_LEAST = 4, 4
"""Seconds of the rate, and calls at least, that are saved up while nobody uses them."""

MARGIN = 0.99
"""Of a limit that a provider names: the rest fills its bucket up again, for calls that wait for nobody."""

BISECTIONS = 24
"""Until it is known when a rate reaches such a limit."""

SPENT = 0.5
"""Of what a provider says is left of its limits: the rest goes to calls that are under way."""

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
    calls_limit: int = 0
    tokens_limit: int = 0
    """A minute, as the provider names them; 0 where it does not."""

    @property
    def learnt(self) -> bool:
        """False for a model that has refused nothing and named no limit."""
        return bool(self.top)

    @property
    def was_hasty(self) -> bool:
        """True where nothing is known but that what is let through at once was too much."""
        return not self.learnt and self.base < FIRST * 1000

    @property
    def is_closed(self) -> bool:
        """True where nothing gets through."""
        return self.learnt and self.base * CLOSED <= self.top

    def rate(self, now: int) -> float:
        """Calls a second."""
        found = _grown(self.base / 1000, self.top / 1000, (now - self.since) / 1000)[0]
        return min(found, self.calls_limit / 60 * MARGIN) if self.calls_limit else found

    def calls(self, now: int) -> float:
        """Calls that may have been let through since."""
        seconds = (now - self.since) / 1000
        base, top = self.base / 1000, self.top / 1000
        found = _grown(base, top, seconds)[1]
        if self.calls_limit and self.learnt:
            most = self.calls_limit / 60 * MARGIN
            until = _reaches(base, top, most, seconds)
            found = _grown(base, top, until)[1] + most * max(0.0, seconds - until)
        return found if self.learnt or self.was_hasty else found + BURST

    def tokens(self, now: int) -> float:
        """Tokens that may have been: by the limit that the provider names, if it does."""
        if not (self.tokens_limit and self.learnt):
            return math.inf
        return self.tokens_limit / 60 * MARGIN * max(0.0, (now - self.since) / 1000)

    def saved_tokens(self) -> float:
        """Tokens that may be saved up; as good as none where there is no limit."""
        return SAVED_S * self.tokens_limit / 60

    def saved(self, now: int) -> float:
        """Calls that may be saved up."""
        most = max(SAVED_LEAST, SAVED_S * self.rate(now))
        return most if self.learnt or self.was_hasty else max(BURST, most)


def first(now: int, made: float = 0.0) -> Decision:
    """For a model that refused nothing so far, with the calls a second that were made."""
    return Decision(now, now, round(max(FIRST, made) * 1000))


def hasty(now: int, made: float = 0.0) -> Decision:
    """For a model that refused some calls of those at once; `made` is how many a second were made since."""
    return Decision(now, now, min(round(max(HASTY, made) * 1000), round(FIRST * 1000) - 1))


def lowered(known: Decision, rate: float, cut: float, now: int, pause_ms: int = 0) -> Decision:
    """The decision after refusals.

    Args:
        known: the decision before.
        rate: calls a second that were made.
        cut: the part of the calls that were refused.
        now: milliseconds.
        pause_ms: that nothing is to be let through.
    """
    cut = max(cut, LEAST_CUT)
    after = max(rate * (1 - min(cut, MOST_CUT if known.learnt else FIRST_CUT)), LEAST)
    top = max(rate * (1 - HALFWAY * cut), after)
    limits = known.calls_limit, known.tokens_limit
    return Decision(now, now + pause_ms, round(after * 1000), round(top * 1000), *limits)


def cleared(known: Decision, now: int) -> Decision:
    """The decision where it was one tenant's calls that were refused, and the rate is that of all."""
    base = max(round(known.rate(now) * 1000), round(FIRST * 1000))
    return replace(known, at=now, since=now, base=base, top=base)


def closed(known: Decision, rate: float, now: int, pause_ms: int = 0) -> Decision:
    """The decision where nothing gets through: the model is asked now and then, until it takes calls again.

    Nothing is known of the limit then, and it may be what it was: of `rate` calls a second, or `known`'s.
    """
    top = known.top if known.is_closed else round(rate * 1000)
    base = round(max(LEAST, min(ASKED_AGAIN, top / 1000 / CLOSED)) * 1000)
    since = max(now + pause_ms, known.since if known.is_closed else 0)
    return replace(known, at=now, since=since, base=base, top=max(top, base * CLOSED))


def reopened(known: Decision, rate: float, now: int) -> Decision:
    """The decision where a model takes calls again, of which so many a second got through lately."""
    top = max(rate, LEAST)
    return replace(known, at=now, since=now, base=round(top * (1 - REOPENED_CUT) * 1000), top=round(top * 1000))


def measured(known: Decision, rate: float, error: float, now: int) -> Decision:
    """The decision where it is known how many calls a second got through while others were refused.

    `error` is the standard error of that, as a part of it: by few calls little is known, and the rate is soon more.
    """
    base = round(max(rate, LEAST) * 1000)
    return replace(known, at=now, since=now, base=base, top=round(base * max(ABOVE, 1 + error)))


def resting(known: Decision, now: int) -> Decision:
    """The decision where a rate that rose beyond where calls were refused is not needed: it is not believed."""
    # A decision that another process makes meanwhile is the newer one.
    saved_ms = round(known.saved(now) * 1_000_000 / known.top)
    return replace(known, at=known.at + 1, since=now - saved_ms, base=known.top)


def named(known: Decision, calls_limit: int, tokens_limit: int, left: float, now: int) -> Decision:
    """The decision where a provider names limits.

    Args:
        known: the decision before.
        calls_limit: a minute; 0 for none.
        tokens_limit: the same of tokens.
        left: of what is let through at once, in minutes of the limits.
        now: milliseconds.
    """
    rate = max(calls_limit / 60 * MARGIN if calls_limit else known.rate(now), LEAST)
    base = round(rate * 1000)
    return Decision(now, now - round(left * SPENT * 60_000), base, base, calls_limit, tokens_limit)


def _grown(base: float, top: float, seconds: float) -> tuple[float, float]:
    """Calls a second after some seconds, and calls until then."""
    seconds = max(0.0, seconds)
    if not top:
        quick = DOUBLES_S * max(0.0, math.log2(SLOWER / base))
        rate, calls = _doubled(base, DOUBLES_S, min(seconds, quick))
        rate, more = _doubled(rate, SLOWER_S, max(0.0, seconds - quick))
        return rate, calls + more
    if base * CLOSED <= top:
        return base, base * seconds
    top = max(top, base / (1 - LEAST_CUT))
    cut, few = 1 - base / top, max(1.0, KNEE_RATE / top) ** 0.5
    knee = min(KNEE_S * (cut / KNEE_CUT) ** (1 / 3), LONGEST_KNEE_S) * few
    if seconds <= knee:
        below = top * cut / knee**3
        return top + below * (seconds - knee) ** 3, top * seconds + below / 4 * ((seconds - knee) ** 4 - knee**4)
    calls = top * (1 - cut / 4) * knee
    # Beyond it the curve is that of the smallest cut, until it would be steeper than `RISE`.
    above, rest = KNEE_CUT / KNEE_S**3, seconds - knee
    curved = min(rest, (RISE / (3 * above)) ** 0.5)
    rate = top * (1 + above * curved**3)
    calls += top * (curved + above / 4 * curved**4)
    rate, more = _doubled(rate, math.log(2) / RISE, rest - curved)
    return rate, calls + more


def _reaches(base: float, top: float, most: float, seconds: float) -> float:
    """Seconds after which a rate is so high, or `seconds`."""
    least, last = 0.0, max(0.0, seconds)
    if _grown(base, top, last)[0] <= most:
        return last
    for _ in range(BISECTIONS):
        middle = (least + last) / 2
        least, last = (middle, last) if _grown(base, top, middle)[0] <= most else (least, middle)
    return least


def _doubled(base: float, doubles_s: float, seconds: float) -> tuple[float, float]:
    most = doubles_s * math.log2(max(MOST / base, 1))
    grown = min(seconds, most)
    rate = base * 2.0 ** (grown / doubles_s)
    return rate, (rate - base) * doubles_s / math.log(2) + rate * (seconds - grown)
