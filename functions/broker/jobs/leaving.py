"""Leaving jobs in their lanes while there is no room: each as a new message, which is seen some seconds later.

A message that is only not deleted stays hidden for its queue's whole visibility timeout, has been received once more
and is dead after five times; so has one whose visibility is changed. A new one costs one request for ten as well, has
never been received, and is not among the messages in flight, of which a queue takes 120,000.
"""

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from broker.jobs.head import Head

FIRST_S, LAST_S, PART_OF_WAIT = 5, 20, 4
"""A job is looked at again after a quarter of the time that it has waited, within these bounds."""

MOST_LOOKS, LONGEST_S, LOOKS_S = 10.0, 60, 5
"""A process that leaves more jobs of a tenant a second leaves them for longer by as many times, and for so long at
most: else the messages of a flood take the functions that jobs wait for."""

MOST_TENANTS = 1_000
"""Of which a process remembers that."""

LEFT = "left"
"""In a message: its job was left before; since when it waits for room (milliseconds)."""

CAME_BEFORE = "came_before"
"""In a message: it, or the one that it stands for, came before, and may have started its job then."""


@dataclass(frozen=True, slots=True)
class Left:
    """A message whose job there is no room for."""

    message_id: str
    body: dict[str, Any]
    head: Head
    """As the message tells it."""
    receives: int
    since: int
    """Milliseconds: as `waits_since`."""
    again_s: float | None = None
    """In how many seconds its turn may come; None where that is not known."""
    times: float = 1.0
    """By how many times longer than usual it is left."""

    def again(self) -> dict[str, Any]:
        """The body of the message that takes its place."""
        return self.body | {LEFT: self.since} | ({CAME_BEFORE: True} if self.receives > 1 else {})


def waits_since(head: Head, body: Mapping[str, Any], now: int) -> int:
    """Since when a job waits for room: from its acceptance, or since it was first left after it waited for more."""
    if head.run == 0 and not head.review:
        return head.created_at
    since: int = body.get(LEFT, now)
    return since


class Lanes(Protocol):
    """The queues of accepted jobs, one for each lane."""

    def send_later(self, lane: str, messages: Sequence[tuple[dict[str, Any], str, int]]) -> list[int]:
        """Send ten messages at most, each with its tenant and the seconds until it is seen.

        Returns:
            The positions of those that were not taken.
        """
        ...


def leave(lanes: Lanes, some: Sequence[Left], now: int, chance: float) -> list[str]:
    """Leave the jobs of some messages of one lane, ten at most.

    A job that is due is the sweep's: it sends it again in any case, and one message of a job is enough.

    Args:
        lanes: the queues.
        some: messages.
        now: milliseconds.
        chance: from 0 to 1: batches come back spread, and each as one, for a batch costs what a message does.

    Returns:
        The ids of messages that could not be left: they have to come again by themselves.
    """
    waiting = [each for each in some if each.head.due_at is None or now < each.head.due_at]
    if not waiting:
        return []
    messages = [
        (each.again(), each.head.tenant, round(each.again_s or pause_s(each.since, now, chance, each.times)))
        for each in waiting
    ]
    return [waiting[place].message_id for place in lanes.send_later(waiting[0].head.lane, messages)]


def pause_s(since: int, now: int, chance: float, times: float = 1.0) -> int:
    """Seconds until there may be room for a job that waits for it `since` then."""
    usual = min(max((now - since) / 1000 / PART_OF_WAIT, FIRST_S), LAST_S)
    return round(min(usual * times, LONGEST_S) * (1 + chance) / 2)


@dataclass(slots=True)
class Looks:
    """How often a process looks at a tenant's jobs in vain."""

    _known: OrderedDict[str, tuple[int, float]] = field(default_factory=OrderedDict)
    """When it last did, and how often lately: half of what was so many seconds ago counts."""

    def times(self, tenant: str, now: int) -> float:
        """Count another one; by how many times longer than usual it is to be left."""
        at, before = self._known.pop(tenant, (now, 0.0))
        number = 1 + before * math.exp(-math.log(2) * max(0, now - at) / 1000 / LOOKS_S)
        self._known[tenant] = now, number
        if len(self._known) > MOST_TENANTS:
            self._known.popitem(last=False)
        return max(1.0, number * math.log(2) / LOOKS_S / MOST_LOOKS)
