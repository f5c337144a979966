"""A hostile tenant that long-polls as often as it may, beside one that submits, on few functions and on many."""

import heapq
from dataclasses import dataclass, field
from itertools import count

import pytest
from broker.tenants.waits import AT_LEAST, PART, Place, Room, Waits

from tests.fakes.database import FakeDatabase
from tests.fakes.world import NOW

RATE = 100
"""Calls a second that each tenant may make."""

LONG_MS, CALL_MS = 25_000, 40


@dataclass
class Functions:
    """The functions of an account, each a process of the API, in virtual time."""

    most: int
    database: FakeDatabase = field(default_factory=FakeDatabase)
    now: int = NOW
    idle: list[Waits] = field(default_factory=list)
    busy: int = 0
    held: int = 0
    """Those that hostile calls are in."""
    held_at_most: int = 0
    refused: int = 0
    """Calls of the other tenant that found no function."""

    @property
    def room(self) -> Room:
        return Room(max(AT_LEAST, self.most // PART), RATE)

    def begin(self) -> Waits | None:
        if self.busy == self.most:
            return None
        self.busy += 1
        return self.idle.pop() if self.idle else Waits(self.database, lambda tenant, now: self.room, lambda: self.now)

    def end(self, process: Waits) -> None:
        self.busy -= 1
        self.idle.append(process)


def crowd(functions: Functions, seconds: int) -> None:
    numbers, events = count(), list[tuple[int, int, str, Waits | None, Place | None]]()

    def at(ms: int, what: str, process: Waits | None = None, place: Place | None = None) -> None:
        heapq.heappush(events, (ms, next(numbers), what, process, place))

    for number in range(seconds * RATE):
        at(NOW + number * 1000 // RATE, "poll")
    for number in range(seconds * 4):
        at(NOW + number * 250 + 3, "submit")
    while events:
        functions.now, _, what, process, place = heapq.heappop(events)
        if what == "poll":
            if polled := functions.begin():
                functions.held += 1
                functions.held_at_most = max(functions.held_at_most, functions.held)
                at(functions.now + functions.room.free_ms, "free is over", polled)
        elif what == "submit":
            if submitted := functions.begin():
                at(functions.now + CALL_MS, "ends", submitted)
            else:
                functions.refused += 1
        elif what == "free is over":
            assert process is not None
            place = process.claim("hostile", functions.now)
            at(functions.now + (LONG_MS if place else 0), "leaves", process, place)
        else:
            assert process is not None
            if place:
                process.give_back(place)
            functions.held -= what == "leaves"
            functions.end(process)


@pytest.mark.parametrize("most", [10, 1_000])
def test_waits_of_one_tenant_leave_what_the_calls_of_another_need(most: int) -> None:
    functions = Functions(most)
    crowd(functions, 60)
    places = functions.room.most
    assert functions.refused == 0
    assert places <= functions.held_at_most <= 2 * places + 1, "its places, and what its calls take in their free time"
    assert functions.held_at_most <= most // 2
