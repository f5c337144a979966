"""Taking from limits, as one process does it: by one small write for what all limits of a request have to allow.

| item of the ledger | pk | sk | attributes |
|---|---|---|---|
| what was taken of a tenant's limits | `LIMITS#tenant` | `TENANT` | a number for each (`limits`), its keys' too |
| the same of a key, whose tenant has none | `LIMITS#tenant` | `KEY#id` | |

A write adds to each number under the condition that it stands between floor and ceiling: writes of any number of
processes commute, and none brings a limit above its amount. Only who finds that a number has sunk below its floor sets
it, under the condition that it still has. Which of the two is right, a process knows from what it wrote last; where
others wrote meanwhile, it reads the item and tries again.

Of limits that are large for a single item a process takes a part at once, and does not ask for what is left of it:
`PARTS` bounds what may be lost so.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from broker.clock import iso
from broker.errors import RateLimited
from broker.storage import ConditionFailed, Contended, Database, If, Item, Update
from broker.tenants.limits import COUNTED, NAMES, SKEW_NS, Limit

PARTS = {"second": 6_400, "minute": 6_400, "day": 1_000_000, "month": 30_000_000}
"""What a process has beyond the request at hand is at most this part of each limit: a hundredth of it is what 64
processes may have at once, or ten thousand of a day."""

KEEP_MS = 2_000
"""For so long a process has what it took; what it has not used by then is lost."""

KNOWN_MS = 1_000
"""For so long a process refuses by what it read: who asks a hundred times as often as it may costs no more."""

ROUNDS = 6

LASTS_S = 3_456_000
"""Forty days: for so long an item is kept that nobody takes of. No number says anything by then."""

MOST_IDLE = 60
"""Numbers of keys in a tenant's item that say nothing any more: who finds more of them takes them out, for what an item
costs goes by its size."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a limit stands after a take, or after one was refused."""

    limit: Limit
    left: int
    full_at: int
    """Milliseconds: when all of it may be taken again."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a request took, to be told and perhaps to be given back."""

    standings: tuple[Standing, ...]
    pk: str = ""
    sk: str = ""
    amounts: Mapping[str, int] = field(default_factory=dict)
    """By attribute, in the numbers' own measure."""
    states: Mapping[str, int] = field(default_factory=dict)
    """The numbers as they stood after it."""


@dataclass(slots=True)
class _Allowance:
    """Requests that a process has taken and not used."""

    limits: tuple[Limit, ...]
    count: int
    until: int
    states: Mapping[str, int]


class Limits:
    """The limits of the deployment, as one process takes of them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[tuple[str, str], tuple[int, Item]] = {}
        """The items as last seen, and when."""
        self._allowances: dict[tuple[str, str], _Allowance] = {}

    def take(self, tenant: str, limits: Sequence[Limit], tokens: int, now: int) -> Taken:
        """Take one request with so many tokens from all of these limits, or from none.

        Raises:
            RateLimited: one of them does not allow it.
            Contended: others changed them all the time; a repeat may work.
        """
        if not limits:
            return Taken(())
        wanted = {limit: 1 if limit.what == "requests" else tokens for limit in limits}
        for limit, count in wanted.items():
            if count > limit.amount:
                raise _refused(limit, count, Standing(limit, limit.amount, now), None, now)
        key = f"LIMITS#{tenant}", _place(limits)
        if had := self._from_allowance(key, limits, now):
            return had
        for _ in range(ROUNDS):
            seen_at, item = self._seen(key, now)
            if (short := _short(wanted, item, now)) is not None:
                if now - seen_at < KNOWN_MS:
                    limit, count = short
                    state = item.get(limit.attribute)
                    standing = Standing(limit, limit.left(state, now), limit.full_at(state, now))
                    raise _refused(limit, count, standing, limit.free_at(state, count, now), now)
                self._known.pop(key, None)
                continue
            more = _more(limits, item, now)
            try:
                after = self._database.update(_taking(key, wanted, more, item, now))
            except ConditionFailed:
                self._known.pop(key, None)
                continue
            self._known[key] = now, after
            states = {limit.attribute: after[limit.attribute] for limit in limits}
            if more:
                self._allowances[key] = _Allowance(tuple(limits), more, now + KEEP_MS, states)
            amounts = {limit.attribute: limit.unit * count for limit, count in wanted.items()}
            return Taken(_standings(limits, states, more, now), *key, amounts, states)
        raise Contended(())

    def give_back(self, taken: Taken, now: int) -> None:
        """Give back what came to nothing, where that cannot be more than was taken.

        A bucket that was full again meanwhile has it back already; a count of a day that is over has no use for it.
        May be lost, never done twice.
        """
        back: dict[str, int] = {}
        when: list[If] = []
        for standing in taken.standings:
            name = standing.limit.attribute
            amount, state = taken.amounts.get(name, 0), taken.states.get(name, 0)
            if standing.limit.refills:
                if not amount or state <= now * 1_000_000 + SKEW_NS:
                    continue
                when.append(If(name, "exists"))
            else:
                day = state // COUNTED * COUNTED
                when += [If(name, ">=", day + amount), If(name, "<", day + COUNTED)]
            back[name] = -amount
        if not any(back.values()):
            return
        try:
            self._database.write(Update("ledger", taken.pk, taken.sk, add=back, when=when))
        except (ConditionFailed, Contended):
            return
        self._known.pop((taken.pk, taken.sk), None)

    def _from_allowance(self, key: tuple[str, str], limits: Sequence[Limit], now: int) -> Taken | None:
        had = self._allowances.get(key)
        if had is None or not had.count or had.limits != tuple(limits) or not 0 <= had.until - now <= KEEP_MS:
            return None
        had.count -= 1
        return Taken(_standings(limits, had.states, had.count, now))

    def _seen(self, key: tuple[str, str], now: int) -> tuple[int, Item]:
        if key not in self._known:
            item = self._database.get("ledger", *key) or {}
            idle = {name: item[name] for name in item if "#" in name and _is_idle(name, item[name], now)}
            if len(idle) > MOST_IDLE:
                as_read = [If(name, "=", state) for name, state in idle.items()]
                with suppress(ConditionFailed, Contended):
                    self._database.write(Update("ledger", *key, remove=[*idle], when=as_read))
            self._known[key] = now, item
        return self._known[key]


def _is_idle(attribute: str, state: int, now: int) -> bool:
    """Whether a key's number is as good as none, by anybody's clock."""
    name, _, key = attribute.partition("#")
    limit = Limit("key", key, *NAMES[name], 1)
    return state < limit.floor(now) - (SKEW_NS if limit.refills else COUNTED)


def _place(limits: Sequence[Limit]) -> str:
    """All in one item, so that one write does it; keys whose tenant has no limits need not meet there."""
    own = next((limit for limit in limits if limit.scope == "tenant"), None)
    return "TENANT" if own else f"KEY#{limits[0].id}"


def _short(wanted: Mapping[Limit, int], item: Item, now: int) -> tuple[Limit, int] | None:
    """Of the limits that do not allow it, the one that will do so last."""
    short = [(limit, count) for limit, count in wanted.items() if limit.left(item.get(limit.attribute), now) < count]
    return max(short, key=lambda each: each[0].free_at(item.get(each[0].attribute), each[1], now), default=None)


def _more(limits: Sequence[Limit], item: Item, now: int) -> int:
    """How many requests a process takes for those to come."""
    if any(limit.what != "requests" for limit in limits):
        return 0  # how many tokens these will have, nobody knows
    return min(
        min(limit.amount // PARTS[limit.window], limit.left(item.get(limit.attribute), now) - 1) for limit in limits
    )


def _taking(key: tuple[str, str], wanted: Mapping[Limit, int], more: int, item: Item, now: int) -> Update:
    """The write that takes it, where no number has sunk below its floor meanwhile or come too near its ceiling."""
    set_to: dict[str, int] = {"expires_at": now // 1000 + LASTS_S}
    add: dict[str, int] = {}
    when: list[If] = []
    for limit, count in wanted.items():
        name, state = limit.attribute, item.get(limit.attribute)
        floor, amount = limit.floor(now, state), limit.unit * (count + more)
        if state is not None and state >= floor:
            add[name] = amount
            when += [If(name, ">=", floor), If(name, "<", limit.ceiling(now, state) - amount + 1)]
        else:
            set_to[name] = floor + amount
            when.append(If(name, "absent") if state is None else If(name, "<", floor))
    return Update("ledger", *key, set=set_to, add=add, when=when)


def _standings(limits: Sequence[Limit], states: Mapping[str, int], more: int, now: int) -> tuple[Standing, ...]:
    return tuple(
        Standing(limit, limit.left(state, now) + more, limit.full_at(state, now))
        for limit in limits
        for state in (states[limit.attribute],)
    )


def _refused(limit: Limit, count: int, standing: Standing, free_at: int | None, now: int) -> RateLimited:
    """The error; `free_at` None for what is more than the limit ever allows."""
    whose = "The tenant" if limit.scope == "tenant" else f"The API key {limit.id}"
    message = f"{whose} may have {limit.amount:,} {limit.what} a {limit.window}"
    if limit.what == "tokens":
        message += f", and this job counts as {count:,}: its input, and the most that its answer may have"
    if free_at is None:
        message += ". No pause helps."
    else:
        message += f"; {standing.left:,} of them are left. Send it again at {iso(free_at)}."
    told = {
        "name": limit.name,
        "scope": limit.scope,
        "id": limit.id,
        "amount": limit.amount,
        "left": standing.left,
        "asked": count,
        "free_at": iso(free_at),
    }
    later = None if free_at is None else max(0, free_at - now) / 1000
    return RateLimited(message, beside={"limit": told}, retry_after=later)
