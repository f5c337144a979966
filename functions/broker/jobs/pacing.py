"""The rate governor of the bulk lane: what batches ask of a model, near what it takes and with few calls refused.

A process of dispatch reads the heads of the jobs that it started, to learn which have ended (`jobs.in_flight`). They
also say which model was called, how many calls it refused and how many tokens it took. By that a job is let through
where its model, the one that such jobs (by tenant, task and the model that they ask for) went to lately, has room for
it; the others stay in their lane, in turns by tokens (`jobs.fair_share`). No job fails by it, and a model of which
nothing is known is tried. Jobs that somebody waits for are counted and never held up.

What a tenant alone meets (half of its calls are refused, and not those of others) may be of its own making, and lowers
its own rate alone, as it opens its own circuit alone.
"""

import random
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from broker.consequences import SUCCEEDED
from broker.errors import Throttled
from broker.jobs import rates
from broker.jobs.blame import Blame
from broker.jobs.calls import OF_KEY
from broker.jobs.fair_share import FairShare
from broker.jobs.flows import AHEAD_MS, Flow
from broker.jobs.head import BULK, Head
from broker.jobs.heard import Told, newer
from broker.jobs.kinds import Kind, Kinds
from broker.jobs.met import WINDOW_MS, Met
from broker.storage import Item

MOST_FLOWS, MOST_TOLD = 200, 20
"""That a process remembers, and tells."""

ACTIVE_MS = 5_000
"""Processes that told something within so long share what may be let through."""

TELLS_MS = 3_000
"""Who begins has told something after so long."""

READERS = 3
"""Processes of dispatch that read the bulk lane side by side, as the template has them."""

FORGET_MS, FORGET_UNLEARNT_MS = 600_000, 60_000
"""What nobody has used for so long is forgotten."""

ROOM = ""
"""What jobs want beside a model's rate: to be among those that run at once."""

LEAST_AGAIN_S, SPREAD = 1.0, 4
"""Seconds until a job is looked at again; longer ones are shortened by up to a fourth, so that they come spread."""


@dataclass(frozen=True, slots=True)
class Charge:
    """What was counted when a job was started."""

    kind: Kind
    hold: int
    tokens: int
    is_bulk: bool
    run: int
    flows: tuple[tuple[str, tuple[int, int]], ...]
    """By name, with what they were counted for."""


@dataclass(slots=True)
class Pace:
    """The governor in one process."""

    fair: FairShare = field(default_factory=FairShare)
    chance: Callable[[], float] = random.random
    readers: int = 1
    """Processes that may read the lane, as long as it is not known how many do."""
    flows: OrderedDict[str, Flow] = field(default_factory=OrderedDict)
    """By model, `model#tenant`, or task and model that was asked for while it is not known which answers; who was used
    last is the last."""
    kinds: Kinds = field(default_factory=Kinds)
    _blame: Blame = field(default_factory=Blame)
    _active: int = 1
    _heard: tuple[int, int] = (0, 0)  # since when the others are, and when they last were
    _lacks: str | None = None
    """The flow that the last job was left for."""
    _doubtful: set[str] = field(default_factory=set)
    """Models that refused something since it was last decided."""

    def admits(self, head: Head, now: int, room: float) -> bool:
        """True where a job of the bulk lane may be started now, with room for so many; it is left otherwise."""
        self.fair.sees(head.tenant, self.kinds.expected(_kind(head), _hold(head)), now)
        self._lacks = None
        if room < 2 and not self.fair.is_next(ROOM, head.tenant, now):
            self.fair.left(ROOM, head.tenant, now)
            return False
        for name in self._names(head):
            flow = self._flow(name, now)
            is_next = self.fair.is_next(name, head.tenant, now)
            if not (is_next and flow.lets_through(now, self._sharing(now), self.chance)):
                self.fair.left(name, head.tenant, now)
                self._lacks = name
                return False
        return True

    def again_s(self, head: Head, now: int, chance: float) -> float | None:
        """In how many seconds the job that was left last is looked at again; None where it was not for a rate."""
        if self._lacks is None:
            return None
        turn_ms = self.flows[self._lacks].turn_ms(head.tenant, now, self._sharing(now), chance)
        seconds = max(LEAST_AGAIN_S, turn_ms / 1000 * (1 - chance / SPREAD))
        self.fair.comes_back(self._lacks, head.tenant, now + round(seconds * 1000))
        return seconds

    def left_without_room(self, head: Head, now: int) -> None:
        """A job of the bulk lane was left because as many run as may."""
        self.fair.sees(head.tenant, self.kinds.expected(_kind(head), _hold(head)), now)
        self.fair.left(ROOM, head.tenant, now)
        self._lacks = None

    def took_turn(self, head: Head, now: int) -> None:
        """Count a turn that came to nothing. Else a tenant whose jobs were canceled would have all the next ones."""
        self.fair.charge(head.tenant, self.kinds.expected(_kind(head), _hold(head)), now)

    def governs(self, now: int) -> bool:
        """True while a model is in use that has refused something."""
        return any(flow.decision.learnt and now - flow.used_at < WINDOW_MS for flow in self.flows.values())

    def started(self, head: Head, now: int) -> Charge:
        """Count a job; what `ended` gives back."""
        kind, hold, is_bulk = _kind(head), _hold(head), head.lane == BULK
        tokens = self.kinds.expected(kind, hold)
        counted = []
        for name in self._names(head):
            if flow := self.flows.get(name):
                flow.started(tokens, now)
                self.flows.move_to_end(name)
                counted.append((name, flow.of))
        if is_bulk:
            self.kinds.tried(kind)
            self.fair.charge(head.tenant, tokens, now)
        return Charge(kind, hold, tokens, is_bulk, head.run, tuple(counted))

    def learn(self, job_id: str, charge: Charge, started_at: int, head: Item, now: int) -> None:
        """What became so far of a job that this process started, by its head."""
        kind = charge.kind
        asked = [call for call in _calls(head, charge.run) if "w" not in call]
        if not asked:
            return
        answered = [call["m"] for call in asked if call.get("o") == SUCCEEDED]
        self.kinds.went_to(kind, answered[-1] if answered else asked[0]["m"], answered=bool(answered))
        for model in {call["m"] for call in asked}:
            mine = [call for call in asked if call["m"] == model]
            refused = _refused(mine)
            if flow := self.flows.get(model):
                before = flow.met.get(job_id)
                pause = max((call.get("t", 0) * 1000 for call in refused), default=0)
                flow.met[job_id] = Met(started_at, kind[0], bool(refused), pause)
                if refused and not (before and before.refused):
                    self._doubtful.add(model)
                    flow.refused(now)
                self._blame.count(model, kind[0], started_at, before, refused=bool(refused))
                flow.read_limits([call for call in mine if OF_KEY not in call], now)

    def ended(self, charge: Charge, head: Item | None, now: int) -> None:
        """A job has ended: what it took counts in place of what had been expected.

        One that was refused, or asked nobody (it was canceled, or had an answer), took its tenant's turn all the same;
        a call that was not made is given back to the model.
        """
        calls = _calls(head, charge.run) if head else []
        taken = sum(call.get("i", 0) + call.get("u", 0) for call in calls)
        if any(call.get("o") == SUCCEEDED for call in calls):
            self.kinds.took(charge.kind, taken, charge.hold)
            more = max(taken, 1) - charge.tokens
        else:
            more = 0
        for name, counted_for in charge.flows:
            flow = self.flows.get(name)
            if flow and flow.of == counted_for:
                flow.corrected(*((more, 0) if calls else (-charge.tokens, -1)))
        if charge.is_bulk:
            self.fair.charge(charge.kind[0], more, now)

    def decide(self, now: int) -> None:
        """Judge what was refused, and forget what is over."""
        unsettled = {name for name, flow in self.flows.items() if flow.is_to_be_judged}
        for model in sorted((self._doubtful | unsettled) & self.flows.keys()):
            flow = self.flows[model]
            flow.met = {job_id: met for job_id, met in flow.met.items() if 0 <= now - met.at < WINDOW_MS}
            tenants = sorted({met.tenant for met in flow.met.values()})
            alone = [each for each in tenants if self._blame.falls_on(model, each, tenants)]
            flow.judge([met for met in flow.met.values() if met.tenant not in alone], now)
            for tenant in alone:
                known = [met for met in flow.met.values() if met.tenant == tenant]
                span_s = max(1.0, (now - min(met.at for met in known)) / 1000)
                if own_name(model, tenant) not in self.flows and (flow.decision.learnt or flow.decision.was_hasty):
                    flow.decide(rates.cleared(flow.decision, now))
                own = self._flow(own_name(model, tenant), now, since=min(met.at for met in known))
                own.judge(known, now, len(known) * self._active / span_s)
        self._doubtful.clear()
        for flow in self.flows.values():
            flow.forget(now)
        for name in [name for name, flow in self.flows.items() if _is_over(flow, now)]:
            self._drop(name)

    def hear(self, told: Sequence[tuple[int, Any]], now: int) -> None:
        """What the other processes told, each with the time when it did."""
        self._active = 1 + sum(bool(flows) and 0 <= now - at < ACTIVE_MS for at, flows in told)
        since, last = self._heard
        self._heard = since if 0 <= now - last < ACTIVE_MS else now, now
        known: dict[str, list[Told]] = {}
        for at, flows in told:
            for name, values in (flows or {}).items():
                read = Told.of(values, now)
                if read and (read.decision.learnt or now - at < ACTIVE_MS):
                    known.setdefault(name, []).append(read)
        for name, some in known.items():
            flow = self.flows.get(name)
            for each in some:
                if flow is None:
                    flow = self._keep(name, Flow(each.decision, used_at=now))
                elif newer(each.decision, flow.decision) or not _is_believed(flow, now):
                    flow.decide(each.decision)
        for name, flow in self.flows.items():
            same = [each for each in known.get(name, ()) if (each.decision.at, each.decision.since) == flow.of]
            flow.others = sum(each.calls for each in same), sum(each.tokens for each in same)
            flow.others_through = sum(each.through for each in known.get(name, ()))

    def told(self, now: int) -> dict[str, list[int]]:
        """What the other processes are to know."""
        told = {name: flow.told() for name, flow in self.flows.items() if flow.is_to_be_told(now)}
        return dict(list(told.items())[-MOST_TOLD:])

    # ------------------------------------------------------------ what is known

    def _sharing(self, now: int) -> int:
        """Processes that share what may be let through: as were heard, once all had the time to tell."""
        since, last = self._heard
        is_heard = since + TELLS_MS <= now < last + ACTIVE_MS
        return self._active if is_heard else max(self._active, self.readers)

    def _names(self, head: Head) -> list[str]:
        kind = _kind(head)
        model = self.kinds.model(kind)
        if model is None:
            return [f"{head.task}/" if self.kinds.are_many(head.tenant) else "/".join(kind[1:])]
        own = own_name(model, head.tenant)
        return [own, model] if own in self.flows else [model]

    def _flow(self, name: str, now: int, since: int | None = None) -> Flow:
        flow = self.flows.get(name)
        if flow is None or not _is_believed(flow, now):
            flow = self._keep(name, Flow(rates.first(now if since is None else since), used_at=now))
        return flow

    def _keep(self, name: str, flow: Flow) -> Flow:
        self.flows[name] = flow
        while len(self.flows) > MOST_FLOWS:
            by_age = list(self.flows)[:-1]
            self._drop(next((each for each in by_age if not self.flows[each].decision.learnt), by_age[0]))
        return flow

    def _drop(self, name: str) -> None:
        del self.flows[name]
        self.fair.forget(name)
        self._blame.forget(name)


def own_name(model: str, tenant: str) -> str:
    """A tenant's own rate at a model; ids of neither have a `#`."""
    return f"{model}#{tenant}"


def _kind(head: Head) -> Kind:
    return head.tenant, head.task, head.asked


def _hold(head: Head) -> int:
    return sum(head.holds.values())


def _calls(head: Item, run: int) -> list[Mapping[str, Any]]:
    """Those of one run: what an earlier one was refused was learnt then."""
    return [call for key, call in head.get("calls", {}).items() if key.startswith(f"{run}.")]


def _is_believed(flow: Flow, now: int) -> bool:
    """False where the clock has jumped back since."""
    return flow.decision.at <= now + AHEAD_MS


def _is_over(flow: Flow, now: int) -> bool:
    return now - flow.used_at >= (FORGET_MS if flow.decision.learnt else FORGET_UNLEARNT_MS)


def _refused(mine: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those of a job's calls of one model that were refused for its rate.

    Where a model has several keys, one that has had what it may is not the model, as long as another is asked.
    """
    refused = [call for call in mine if call.get("o") == Throttled.__name__]
    return [] if OF_KEY in mine[-1] and mine[-1].get("o") != Throttled.__name__ else refused
