"""What one process knows of the calls to one model: what was let through, what became of it, and what may follow.

The rate is decided by all together (`jobs.rates`): each process tells the newest decision that it knows, and how many
calls and tokens it has let through since, so that what all have let through is known, a second late.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from broker.jobs import rates
from broker.jobs.met import FEWEST, WINDOW_MS, Met
from broker.jobs.rates import Decision
from broker.jobs.turns import FIRST_HORIZON_MS, HORIZON_MS, Turns

GRANT_MS = 1_000
"""What may be let through is reckoned anew as often as other processes are heard."""

IDLE_MS = 3_500
"""Where for so long nothing was asked for, nobody needed what might have been let through."""

HOLD_MS = 2_500
"""Jobs that were started sooner after a decision do not count against it: others may not have heard of it yet."""

REPEATED_MS, MOST_REPEATS = 8_000, 1_000
"""A refused call is made once more within about so long (`steps.timing`); and so many are remembered."""

LEAST_TAIL = 8
"""Of so many calls at least the refused ones are a part: a single one says little."""

LONGEST_PAUSE_MS = 60_000
"""Limits are by the minute; after so long a provider is asked again, whatever pause it named."""

AHEAD_MS = LONGEST_PAUSE_MS + 5_000
"""What is decided later than so is of a clock that is wrong."""

SIZED = 200
"""Of so many calls the mean size is known."""

NEAR_S = 4
"""Seconds from a call to what is learnt of it, and to others hearing that, while calls double."""

FASTER, AT_ONCE = 1.5, 2
"""What was saved up is used at so many times the rate, and so many calls are made at the same moment: some providers
count by the second."""

BRIEF_MS, AFTER_BRIEF, TAKEN_MS = 8_000, 0.8, 1_500
"""Where nothing gets through for so short a time, calls were too many, and are made at such a part of the rate; later,
as got through in a minute. A job has a call that did if it was started so long ago, and none was refused."""

UNMEASURED, SPAN = 1 / (2 * math.log(2)), 5
"""The part of a rate that is too high which the model is guessed to take, as long as nothing is known of it but that
half of the rate was not too much: as the rate doubled, the limit may have been met at any moment until then, each as
likely, and the mean of 2^-u is this. It counts for as many calls as have to be known before anything is decided. And
the grants by which the rate of the calls that were made is measured."""


@dataclass(slots=True)
class Flow:
    """The calls to one model, or of one tenant to it."""

    decision: Decision
    calls: int = 0
    """That this process let through since the decision."""
    tokens: int = 0
    size: float = 0.0
    """Tokens of a call, in the mean."""
    others: tuple[int, int] = (0, 0)
    """Calls and tokens of the other processes, as they told."""
    others_through: int = 0
    """Calls of theirs that got through in the last minute."""
    used_at: int = 0
    met: dict[str, Met] = field(default_factory=dict)
    """By job."""
    repeats: deque[int] = field(default_factory=lambda: deque(maxlen=MOST_REPEATS))
    """When it was learnt of calls that were refused: they are made once more soon."""
    _first: tuple[int, float] = (0, 0.0)
    """When the job was started that was the first to be refused, and the rate then."""
    _measured_for: tuple[int, int] | None = None
    """The decision that followed, until the rate is measured by it."""
    _closed_at: int | None = None
    """When nothing got through any more, so far as this process found that."""
    _before: tuple[float, int] = (rates.LEAST, 0)
    """Calls a second by the decision before, and until when: what the new one takes the rate for may be too low, and
    jobs that come back by it then too late."""
    _turns: Turns = field(default_factory=Turns)
    _sized: int = 0
    _granted: tuple[float, float] = (0.0, 0.0)
    _granted_from: int = 0
    _carried: float = 0.0
    """Calls that might have been made in the second before."""
    _granted_at: int | None = None
    _marks: list[tuple[int, int]] = field(default_factory=list)

    @property
    def of(self) -> tuple[int, int]:
        """What calls are counted for."""
        return self.decision.at, self.decision.since

    @property
    def is_to_be_judged(self) -> bool:
        """True between the first refusal and the first decision that knows the rate, and while nothing gets through."""
        return self._measured_for == self.of or self.decision.is_closed

    def lets_through(self, now: int, active: int, chance: Callable[[], float]) -> bool:
        """True where another call may be made.

        A job larger than what is left of the tokens goes as well, and those after it wait for longer.
        """
        if self._granted_at is None or not 0 <= now - self._granted_at < GRANT_MS:
            self._grant(now, active, chance)
        return self.calls < self._released(now) and self.tokens < self._granted[1]

    def turn_ms(self, tenant: str, now: int, active: int, chance: float) -> int:
        """In how many milliseconds a job of a tenant's that was left should be looked at again."""
        before, at = self._before
        rate = max(self.decision.rate(now), self.decision.top / 1000, before * 0.5 ** ((now - at) / HORIZON_MS))
        horizon_ms = HORIZON_MS if self.decision.learnt else FIRST_HORIZON_MS
        return self._turns.wait_ms(tenant, now, rate / active, horizon_ms, chance)

    def decide(self, decision: Decision, others: tuple[int, int] = (0, 0)) -> None:
        """Count anew, by another decision."""
        if decision.learnt:
            made = self.decision.rate(decision.at) if self.decision.learnt else self._rate_made() or rates.FIRST
            before, at = self._before
            self._before = max(made, before * 0.5 ** ((decision.at - at) / HORIZON_MS)), decision.at
        repeats = sum(decision.since - at < REPEATED_MS for at in self.repeats)
        expected = 0 if decision.is_closed else round(decision.rate(decision.since) * REPEATED_MS / 1000)
        self.calls = min(repeats, expected)
        self.decision, self.others, self.tokens = decision, others, round(self.calls * self.size)
        self._granted_at, self._marks = None, []

    def started(self, tokens: int, now: int) -> None:
        """A call is let through."""
        self._sized = min(self._sized + 1, SIZED)
        self.size += (tokens - self.size) / self._sized
        self.calls, self.tokens, self.used_at = self.calls + 1, self.tokens + tokens, now

    def corrected(self, tokens: int, calls: int = 0) -> None:
        """A job took so many tokens more than had been expected, or made so many calls more."""
        self.tokens, self.calls = self.tokens + tokens, max(0, self.calls + calls)

    def forget(self, now: int) -> None:
        """Forget what became of calls that is of no interest any more."""
        while self.met and now - next(iter(self.met.values())).at >= WINDOW_MS:
            del self.met[next(iter(self.met))]

    def refused(self, now: int) -> None:
        """A call was refused: its repeat takes the place of another."""
        self.repeats.append(now)
        self.calls, self.tokens = self.calls + 1, self.tokens + round(self.size)

    def judge(self, known: Iterable[Met], now: int, rate: float | None = None) -> None:
        """Lower the rate where calls were refused that the last decision let through.

        Args:
            known: what became of them.
            now: milliseconds.
            rate: calls a second of these jobs, where that is not the one of all calls.
        """
        decision, known = self.decision, sorted(known)
        if self._measured_for == self.of and now - decision.at >= HOLD_MS:
            self._measure(known, now)
            return
        if decision.is_closed and (taken := self._taken_again(known, now)):
            rate = self._got_through(known, now)
            if taken - (self._closed_at or decision.at) < BRIEF_MS:
                rate = max(rate, decision.top / 1000 * AFTER_BRIEF)
            self.decide(rates.reopened(decision, rate, now))
            return
        after = decision.at + (HOLD_MS if decision.learnt else 0)
        some = [each for each in known if each.at >= after]
        refused = sum(each.refused for each in some)
        if not refused or len(some) < (1 if decision.is_closed else FEWEST):
            return
        tail = some[next(place for place, each in enumerate(some) if each.refused) :]
        part = (refused - 1) / max(len(tail), LEAST_TAIL)
        usual, is_of_all = decision.rate(now), rate is None
        # Nothing says that as many were asked for as might have been made.
        made = self._rate_made() if is_of_all and not decision.learnt else rate
        rate = usual if made is None else min(usual, 1.1 * made)
        settled = [each.refused for each in tail if each.refused or each.at <= now - TAKEN_MS]
        nothing = all(settled) and (len(settled) >= FEWEST or decision.is_closed)
        pause_ms = min(max(each.pause_ms for each in tail), LONGEST_PAUSE_MS) if nothing else 0
        if decision.learnt and nothing:
            self._closed_at = self._closed_at if decision.is_closed else now
            self.decide(rates.closed(decision, rate, now, pause_ms))
        elif decision.learnt:
            # Where enough was asked for, what got through in a minute tells a limit better than a few calls do.
            through = self._got_through(known, now) if is_of_all else rate
            self.decide(rates.lowered(decision, through if rate / 2 < through < rate else rate, part, now))
        elif is_of_all and not (decision.was_hasty or pause_ms) and tail[0].at - decision.at <= rates.AT_ONCE_S * 1000:
            self.decide(rates.hasty(now))
        else:
            self._first = tail[0].at, rate
            self.decide(rates.lowered(decision, rate, rates.FIRST_CUT, now, pause_ms))
            self._measured_for = self.of

    def _taken_again(self, known: Sequence[Met], now: int) -> int | None:
        """When the first job was started that was let through since nothing was."""
        since, until = self.decision.since, now - TAKEN_MS
        return next((each.at for each in known if since <= each.at <= until and not each.refused), None)

    def _got_through(self, known: Sequence[Met], now: int) -> float:
        """Calls a second that got through in the last minute; where hardly any did, half of what was known before."""
        recent = [each for each in known if 0 <= now - each.at < WINDOW_MS]
        number = sum(not each.refused for each in recent) + self.others_through
        if number < FEWEST:
            return max(self.decision.top / 2000, rates.HASTY)
        return number * 1000 / max(GRANT_MS, now - recent[0].at)

    def _measure(self, known: Iterable[Met], now: int) -> None:
        """Set the rate by what became of the calls from the first that was refused to the decision that followed."""
        (since, rate), self._measured_for = self._first, None
        some = [each for each in known if since <= each.at <= self.decision.at]
        later = [each for each in some if each.at >= (since + self.decision.at) / 2]
        if len(later) >= FEWEST and any(not each.refused for each in later):  # what was saved up is then used up
            some, since = later, (since + self.decision.at) // 2
        through = sum(not each.refused for each in some)
        # A few calls made at the same moment say little: until there are more, a part of the rate is the guess.
        part = (through + UNMEASURED * FEWEST) / (len(some) + FEWEST)
        span_s = max(self.decision.at - since, GRANT_MS / 2) / 1000
        error = (part * (1 - part) / (len(some) + FEWEST)) ** 0.5 / part
        rate = max(rate * part, through / span_s if len(some) >= FEWEST else 0)
        self.decide(rates.measured(self.decision, rate, error, now))

    def read_limits(self, calls: Sequence[Mapping[str, Any]], now: int) -> None:
        """Take what a provider told of its limits with some calls (`x` of a call's record)."""
        for of_calls, calls_left, of_tokens, tokens_left in [
            each["x"] for each in calls if len(each.get("x", ())) == 4
        ]:
            if self.decision.learnt:
                self.decision = replace(self.decision, calls_limit=of_calls, tokens_limit=of_tokens)
            elif self._is_near(of_calls, calls_left, of_tokens, tokens_left, now):
                left = min(calls_left / of_calls if of_calls else 1, tokens_left / of_tokens if of_tokens else 1)
                self.decide(rates.named(self.decision, of_calls, of_tokens, left, now))

    def _is_near(self, of_calls: int, calls_left: int, of_tokens: int, tokens_left: int, now: int) -> bool:
        """True where what a provider says is left of its limits lasts for few seconds more."""
        coming = max(NEAR_S * self.decision.rate(now), 1)
        return (of_calls > 0 and calls_left < coming) or (of_tokens > 0 and tokens_left < coming * self.size)

    def is_to_be_told(self, now: int) -> bool:
        """False of a model that refused nothing and is not in use: its calls would have doubled for nobody."""
        return self.decision.learnt or (self.calls > 0 and now - self.used_at < IDLE_MS)

    def told(self) -> list[int]:
        """What the other processes are to know."""
        made = self.decision
        known = [made.at, made.since, made.base, made.top, made.calls_limit, made.tokens_limit]
        return [*known, self.calls, self.tokens, sum(not each.refused for each in self.met.values())]

    def _grant(self, now: int, active: int, chance: Callable[[], float]) -> None:
        used_up = self._granted_at is None or self.calls >= self._granted[0] or self.tokens >= self._granted[1]
        used_up &= self._granted_at is None or now - self._granted_at < IDLE_MS
        total = self.calls + self.others[0]
        free = self.decision.calls(now) - total
        over = free - self.decision.saved(now)
        if over > 0 and not used_up:
            if not self.decision.learnt:
                self.decide((rates.hasty if self.decision.was_hasty else rates.first)(now, self._rate_made() or 0))
            elif self.decision.rate(now) * 1000 > self.decision.top and not self._turns.are_given(now):
                self.decide(rates.resting(self.decision, now))
            else:  # what nobody needed counts as used
                self.calls += math.ceil(over / active)
            total = self.calls + self.others[0]
            free = self.decision.calls(now) - total
        self._granted_at = now
        self._marks = [*self._marks, (now, total)][-SPAN:]
        tokens = self._tokens_left(now, active)
        most = max(1.0, FASTER * self.decision.rate(now)) if self.decision.learnt else math.inf
        calls = int(min(max(0.0, free), most) / active + chance())
        self._carried = min(max(0, self._granted[0] - self.calls), calls)
        self._granted_from = self.calls
        self._granted = self.calls + calls, self.tokens + max(0.0, tokens) / active

    def _released(self, now: int) -> float:
        """What of the granted calls may be made by now: they are spread over the time until the next grant.

        What was left of the second before goes at once. Else jobs that all come at the same moment of each second, as
        the last of a batch do, would never be more than a few a second.
        """
        granted = self._granted[0] - self._granted_from
        part = (now - (self._granted_at or now)) / GRANT_MS if self.decision.learnt else 1
        return self._granted_from + min(granted, max(AT_ONCE, granted * part + self._carried))

    def _tokens_left(self, now: int, active: int) -> float:
        left = self.decision.tokens(now) - self.tokens - self.others[1]
        over = left - self.decision.saved_tokens()
        if self.decision.tokens_limit and over > 0 and self.tokens < self._granted[1]:
            self.tokens += math.ceil(over / active)
        return left

    def _rate_made(self) -> float | None:
        if len(self._marks) < 2:
            return None
        (since, before), (until, total) = self._marks[0], self._marks[-1]
        return (total - before) * 1000 / (until - since) if until > since else None
