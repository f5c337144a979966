"""Receivers of webhooks that are slow take their share of `deliver`, and no more: others do not wait for them.

An invocation attempts a batch side by side, so it lasts as long as its slowest attempt, up to some fifteen seconds, and
the queue has but a few invocations at a time. So an attempt at a receiver that is known to be slow needs a *slot*: an
invocation's, for all attempts of its batch at that receiver. There are so many at a time for a tenant's receiver, for a
tenant, and in all. Who gets none is put off.

Slow is who took `SLOW_MS`, whatever was answered; and who took `LONG_MS`, where attempts of that length for its tenant
hold a process for more than half of its time. It is a tenant's receiver that is slow, by its host: what one tenant
has a host do takes nothing from others that send there. A tenant may have any number of names, where its DNS answers to
all of them; so its hosts that nobody knows count as slow, too, as soon as `MANY` of it are.

| item of the ledger | holds |
|---|---|
| `RECEIVERS`, `SLOW` | until when each counts as slow |
| `RECEIVERS`, `SLOTS` | by process, until when it has its slot, and for whom |

A receiver that this process lately saw to be quick costs no request. Others cost one read in `LOOK_MS`.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from broker.clock import now_ms
from broker.storage import ConditionFailed, Database, If, Item, Put

SLOW_MS = 2_000
"""What an attempt may take, a name's lookup with it."""

LONG_MS, MOST_HELD_MS, HALF = 1_000, 5_000, 2
"""What may hold a process, and how much more of it than half of the time that passes."""

SLOW_FOR_MS, NOTED_MS = 600_000, 60_000
"""How long who was slow counts as slow, and how often that is written at most."""

QUICK_FOR_MS = 30_000
"""How long a process goes by having seen that a receiver is quick."""

LOOK_MS = 5_000
"""How long it goes by what it read of the slow ones."""

SLOT_MS = 60_000
"""Longer than any attempt; a slot is given back before, but for a crash."""

MOST_OF_RECEIVER, MOST_OF_TENANT, MOST = 3, 4, 6
"""Slots at a time. The rest of the reader's ten invocations is for who is quick."""

MANY = 3
"""So many slow receivers of a tenant make its unknown ones count as slow."""

KEPT, KEPT_OF_TENANT, QUICK_KEPT = 200, 20, 1_000
TRIES = 4
PK = "RECEIVERS"

Told = TypeVar("Told")


class Slot:
    """The right to attempt."""

    def __init__(self, clock: Callable[[], int], told: Callable[[int], None]) -> None:
        self._clock = clock
        self._told = told

    def timed(self, attempt: Callable[[], Told]) -> Told:
        """Attempt, and note how long it took."""
        began = self._clock()
        try:
            return attempt()
        finally:
            self._told(self._clock() - began)


class Slots(Protocol):
    """Who may be attempted now."""

    @contextmanager
    def slot(self, tenant: str, url: str) -> Iterator[Slot | None]:
        """A slot for the attempts within this context; None where the receiver has its share already."""
        ...


class AllAtOnce:
    """No limit."""

    @contextmanager
    def slot(self, tenant: str, url: str) -> Iterator[Slot | None]:
        """See `Slots.slot`."""
        yield Slot(now_ms, lambda took_ms: None)


class Receivers:
    """What one process knows of receivers. Threads may share it."""

    def __init__(
        self,
        database: Database,
        on_failure: Callable[[Exception], None] = lambda error: None,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        """`on_failure` is told where the ledger refuses to tell or to note: webhooks then go out without limit."""
        self._database = database
        self._on_failure = on_failure
        self._clock = clock
        self._process = os.urandom(6).hex()
        self._lock = Lock()
        self._quick: dict[str, int] = {}
        self._slow: dict[str, int] = {}
        self._read_at = -LOOK_MS
        self._held: Counter[str] = Counter()
        self._holds: dict[str, tuple[int, int]] = {}
        """By tenant: for how long it has held this process beyond half of the time, and until when that is counted."""

    @contextmanager
    def slot(self, tenant: str, url: str) -> Iterator[Slot | None]:
        """See `Slots.slot`."""
        receiver = f"{tenant}/{_host(url)}"
        limited, may = False, True
        try:
            with self._lock:
                limited = self._counts_as_slow(receiver)
                may = not limited or self._take(receiver)
        except Exception as error:
            self._on_failure(error)
            limited = False
        if not may:
            yield None
            return
        try:
            yield Slot(self._clock, lambda took_ms: self._told(receiver, took_ms))
        finally:
            if limited:
                self._guarded(lambda: self._give_back(receiver))

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            with self._lock:
                work()
        except Exception as error:
            self._on_failure(error)

    def _counts_as_slow(self, receiver: str) -> bool:
        now = self._clock()
        if self._quick.get(receiver, 0) > now:
            return False
        if self._read_at + LOOK_MS <= now:
            self._slow, self._read_at = self._read("SLOW", eventual=True)[0], now
        return self._slow.get(receiver, 0) > now or len(_of_tenant(self._slow, receiver, now)) >= MANY

    def _told(self, receiver: str, took_ms: int) -> None:
        now = self._clock()
        if took_ms >= SLOW_MS or (took_ms >= LONG_MS and self._holds_too_much(receiver, took_ms, now)):
            self._quick.pop(receiver, None)
            self._guarded(lambda: self._note_slow(receiver))
        elif self._slow.get(receiver, 0) <= now:
            with self._lock:
                self._quick.pop(receiver, None)
                self._quick[receiver] = now + QUICK_FOR_MS  # the newest comes last
                while len(self._quick) > QUICK_KEPT:
                    self._quick.pop(next(iter(self._quick)))

    def _holds_too_much(self, receiver: str, took_ms: int, now: int) -> bool:
        tenant = receiver.partition("/")[0]
        with self._lock:
            held, counted = self._holds.get(tenant, (0, 0))
            passed = now - counted
            held = max(0, held - passed // HALF) + min(took_ms, passed)  # of attempts at the same time, one counts
            self._holds[tenant] = held, now
        return held > MOST_HELD_MS

    def _note_slow(self, receiver: str) -> None:
        now = self._clock()
        if self._slow.get(receiver, 0) > now + SLOW_FOR_MS - NOTED_MS:
            return

        def noted(slow: dict[str, Any]) -> dict[str, Any]:
            lasting = {each: until for each, until in slow.items() if until > now and each != receiver}
            own = _of_tenant(lasting, receiver, now)
            for each in sorted(own, key=lasting.__getitem__)[: max(0, len(own) + 1 - KEPT_OF_TENANT)]:
                del lasting[each]
            for each in sorted(lasting, key=lasting.__getitem__)[: max(0, len(lasting) + 1 - KEPT)]:
                del lasting[each]
            return {**lasting, receiver: now + SLOW_FOR_MS}

        if (changed := self._change("SLOW", noted)) is not None:
            self._slow, self._read_at = changed, now

    def _take(self, receiver: str) -> bool:
        if self._held[receiver]:
            self._held[receiver] += 1  # of this very invocation, which lasts as long already
            return True
        now = self._clock()

        def taken(slots: dict[str, Any]) -> dict[str, Any] | None:
            lasting = {process: slot for process, slot in slots.items() if slot["until"] > now}
            others = [slot["for"] for process, slot in lasting.items() if process != self._process]
            tenant = receiver.partition("/")[0]
            of_receiver = sum(receiver in each for each in others)
            of_tenant = sum(any(name.partition("/")[0] == tenant for name in each) for each in others)
            if of_receiver >= MOST_OF_RECEIVER or of_tenant >= MOST_OF_TENANT or len(others) >= MOST:
                return None
            mine = [*lasting.get(self._process, {"for": []})["for"], receiver]
            return {**lasting, self._process: {"until": now + SLOT_MS, "for": mine}}

        if self._change("SLOTS", taken) is None:
            return False
        self._held[receiver] += 1
        return True

    def _give_back(self, receiver: str) -> None:
        self._held[receiver] -= 1
        if self._held[receiver]:
            return
        del self._held[receiver]

        def given_back(slots: dict[str, Any]) -> dict[str, Any]:
            left = [name for name in slots.get(self._process, {"for": []})["for"] if name != receiver]
            others = {process: slot for process, slot in slots.items() if process != self._process}
            return {**others, self._process: {**slots[self._process], "for": left}} if left else others

        self._change("SLOTS", given_back)

    def _read(self, name: str, *, eventual: bool = False) -> tuple[dict[str, Any], Item | None]:
        item = self._database.get("ledger", PK, name, eventual=eventual)
        return (dict(item["is"]) if item else {}), item

    def _change(self, name: str, decide: Callable[[dict[str, Any]], dict[str, Any] | None]) -> dict[str, Any] | None:
        """Read, decide, write; None where nothing was to be changed, or others were faster each time."""
        for _ in range(TRIES):
            there, item = self._read(name)
            after = decide(there)
            if after is None:
                return None
            rev = item["rev"] if item else 0
            expires_at = (self._clock() + 2 * SLOW_FOR_MS) // 1000
            known = If("rev", "=", rev) if item else If("pk", "absent")
            kept = {"pk": PK, "sk": name, "is": after, "rev": rev + 1, "expires_at": expires_at}
            try:
                self._database.write(Put("ledger", kept, (known,)))
            except ConditionFailed:
                continue
            return after
        return None


def _of_tenant(slow: dict[str, int], receiver: str, now: int) -> list[str]:
    tenant = receiver.partition("/")[0]
    return [each for each, until in slow.items() if until > now and each.partition("/")[0] == tenant]


def _host(url: str) -> str:
    """Stands for the host of a URL; it is of sixteen letters, whatever the name is."""
    try:
        host = (urlsplit(url).hostname or "").rstrip(".").lower()
    except ValueError:
        host = ""  # the address guard refuses it
    return hashlib.sha256(host.encode()).hexdigest()[:16]
