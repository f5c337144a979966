"""Taking from limits, as one process does it: by one small write for what all limits of a request have to allow.

| item of the ledger | pk | sk | attributes |
|---|---|---|---|
| what was taken of a tenant's limits | `LIMITS#tenant` | `TENANT` | a number for each (`limits`), its keys' too |
| the same of a key, whose tenant has none | `LIMITS#tenant` | `KEY#id` | |
| its calls of the API, where they are many (`call_rates`) | `LIMITS#tenant` | `CALLS` | |

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

HOLD_MS = 250
"""For so long a process asks for no room whose last try found that others had been quicker, and told its caller so: at
a limit that all its tenant's processes press on, each makes four writes a second in vain, at most."""

MOST_KNOWN = 1_000
"""Items that a process remembers."""

ROUNDS = 6

BEGUN = "@"
"""Behind a bucket's name: when it was last full, in milliseconds, which tells what was taken before from what after."""

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
    begun: Mapping[str, int] = field(default_factory=dict)
    """When buckets were last full, as the item says it."""


@dataclass(slots=True)
class _Allowance:
    """Requests that a process has taken and not used."""

    limits: tuple[Limit, ...]
    count: int
    until: int
    states: Mapping[str, int]


class Limits:
    """The limits of the deployment, as one process takes of them."""

    def __init__(self, database: Database, parts: Mapping[str, int] = PARTS) -> None:
        """A process has no more than these `parts` of each limit beyond the request at hand, by window."""
        self._database, self._parts = database, parts
        self._known: dict[tuple[str, str], tuple[int, Item]] = {}
        """The items as last seen, and when."""
        self._allowances: dict[tuple[str, str], _Allowance] = {}
        self._overtaken: dict[tuple[str, str], tuple[int, Limit, int]] = {}
        """Until when the process asks for no room, of which limit, and for how much, because others were quicker."""

    def take(self, tenant: str, limits: Sequence[Limit], tokens: int, now: int, *, whole: bool = False) -> Taken:
        """Take one request with so many tokens from all of these limits, or from none.

        Where parts are to be `whole`, the process takes one or nothing: fewer writes, and a little less room.

        Raises:
            RateLimited: one of them does not allow it.
            Contended: others changed them all the time; a repeat may work.
        """
        if not limits:
            return Taken(())
        wanted = {limit: tokens if limit.what == "tokens" else 1 for limit in limits}
        for limit, count in wanted.items():
            if count > limit.amount:
                raise _refused(limit, count, Standing(limit, limit.amount, now), None, now)
        key = f"LIMITS#{tenant}", _place(limits)
        if had := self._from_allowance(key, limits, now):
            return had
        until, limit, count = self._overtaken.get(key, (now, limits[0], 0))
        if now < until <= now + HOLD_MS and wanted.get(limit, 0) >= count:
            raise self._refusal(key, limit, wanted[limit], now, until)
        part, was_late = min(limit.amount // self._parts[limit.window] for limit in limits), False
        for _ in range(ROUNDS):
            seen_at, item = self._seen(key, now)
            asked = {limit: count + part for limit, count in wanted.items()} if whole else wanted
            if (short := _short(asked, item, now)) is not None:
                if now - seen_at < KNOWN_MS:
                    if was_late:
                        self._overtaken[key] = now + HOLD_MS, short, wanted[short]
                    raise self._refusal(key, short, wanted[short], now, now + HOLD_MS if was_late else now)
                self._known.pop(key, None)
                continue
            more = part if whole else _more(part, limits, item, now)
            try:
                after = self._database.update(_taking(key, wanted, more, item, now))
            except ConditionFailed:
                self._known.pop(key, None)
                was_late = True
                continue
            self._known[key] = now, after
            states = {limit.attribute: after[limit.attribute] for limit in limits}
            if more:
                self._allowances[key] = _Allowance(tuple(limits), more, now + KEEP_MS, states)
            amounts = {limit.attribute: limit.unit * count for limit, count in wanted.items()}
            begun = {name: after[name] for name in after if name.endswith(BEGUN)}
            return Taken(_standings(limits, states, more, now), *key, amounts, states, begun)
        raise Contended(())

    def give_back(self, taken: Taken) -> None:
        """Give back what came to nothing, where that cannot be more than was taken.

        A bucket that was full again meanwhile, and has begun anew, has it back already; a count of a day that is over
        has no use for it. May be lost, never done twice.
        """
        if not taken.amounts:
            if had := self._allowances.get((taken.pk, taken.sk)):
                had.count += 1
            return
        back = {name: -amount for name, amount in taken.amounts.items()}
        when: list[If] = []
        for standing in taken.standings:
            name = standing.limit.attribute
            if standing.limit.refills:
                when.append(If(name + BEGUN, "=", taken.begun.get(name + BEGUN)))
            else:
                day = taken.states[name] // COUNTED * COUNTED
                when += [If(name, ">=", day + taken.amounts[name]), If(name, "<", day + COUNTED)]
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
        return Taken(_standings(limits, had.states, had.count, now), *key)

    def _refusal(self, key: tuple[str, str], limit: Limit, count: int, now: int, until: int) -> RateLimited:
        """The error of a limit that is short, by what the process knows; nothing is asked for before `until`."""
        state = self._known[key][1].get(limit.attribute) if key in self._known else None
        left = min(limit.left(state, now), count - 1)  # where a whole part is asked for, some of it may be left
        standing = Standing(limit, left, limit.full_at(state, now))
        return _refused(limit, count, standing, max(until, limit.free_at(state, count, now)), now)

    def _seen(self, key: tuple[str, str], now: int) -> tuple[int, Item]:
        if key not in self._known:
            if len(self._known) >= MOST_KNOWN:
                for each in (self._known, self._allowances, self._overtaken):
                    each.clear()
            item = self._database.get("ledger", *key) or {}
            idle = [name for name in item if "#" in name and _is_idle(name, item[name], now)]
            if len(idle) > MOST_IDLE:
                gone = [each for name in idle for each in (name, name + BEGUN) if each in item]
                as_read = [If(name, "=", item[name]) for name in gone]
                with suppress(ConditionFailed, Contended):
                    self._database.write(Update("ledger", *key, remove=gone, when=as_read))
            self._known[key] = now, item
        return self._known[key]


def standings(database: Database, tenant: str, limits: Sequence[Limit], now: int) -> tuple[Standing, ...]:
    """How limits of a tenant, and of one of its keys, stand as of the last write."""
    item = (database.get("ledger", f"LIMITS#{tenant}", _place(limits)) or {}) if limits else {}
    states = ((limit, item.get(limit.attribute)) for limit in limits)
    return tuple(Standing(limit, limit.left(state, now), limit.full_at(state, now)) for limit, state in states)


def _is_idle(attribute: str, state: int, now: int) -> bool:
    """Whether a key's number is as good as none, by anybody's clock."""
    name, _, key = attribute.partition("#")
    if key.endswith(BEGUN):
        return False  # it goes with the other
    limit = Limit("key", key, *NAMES[name], 1)
    return state < limit.floor(now) - (SKEW_NS if limit.refills else COUNTED)


def _place(limits: Sequence[Limit]) -> str:
    """All in one item, so that one write does it; keys whose tenant has no limits need not meet there."""
    if limits[0].what == "calls":
        return "CALLS"
    return "TENANT" if any(limit.scope == "tenant" for limit in limits) else f"KEY#{limits[0].id}"


def _more(part: int, limits: Sequence[Limit], item: Item, now: int) -> int:
    """How many requests a process takes for those to come."""
    if any(limit.what == "tokens" for limit in limits):
        return 0  # how many these will have, nobody knows
    return min(part, *(limit.left(item.get(limit.attribute), now) - 1 for limit in limits))


def _short(wanted: Mapping[Limit, int], item: Item, now: int) -> Limit | None:
    """Of the limits that do not allow it, the one that will do so last."""
    short = [limit for limit, count in wanted.items() if limit.left(item.get(limit.attribute), now) < count]
    return max(short, key=lambda each: each.free_at(item.get(each.attribute), wanted[each], now), default=None)


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
            if limit.refills:
                set_to[name + BEGUN] = now
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
