"""The queue of deliveries, its reader and receivers that take their time, in virtual time; all else is the real code.

The queue is worse than SQS: first come, first served, whoever it is for.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from broker.delivery.delivering import Deliver
from broker.delivery.receivers import AllAtOnce, Receivers, Slots
from broker.delivery.sending import Sent
from broker.jobs.head import Status, due_partition
from broker.jobs.store import Jobs, note_item
from broker.storage import Item, Put, TableName
from handlers.batch import records_at_once

from tests.contract.stack import functions
from tests.fakes.database import FakeDatabase
from tests.fakes.virtual_time import VirtualTime
from tests.fakes.world import BASE_URL, NOW, SECOND, a_head

SOURCE = functions()["DeliverFunction"]["Events"]["Deliveries"]["Properties"]
BATCH, INVOCATIONS = SOURCE["BatchSize"], SOURCE["ScalingConfig"]["MaximumConcurrency"]
NAME = "DELIVERY#job.failed"


class QuickDatabase(FakeDatabase):
    """Finds one item without going through all of them; nobody waits for it."""

    def query(self, table: TableName, pk: str, prefix: str = "") -> list[Item]:
        """See `Database.query`; of one item, whose whole name is the prefix."""
        found = self.get(table, pk, prefix)
        return [] if found is None else [found]


@dataclass
class Post:
    """A webhook that is to be sent."""

    at: int
    """Milliseconds from the start."""
    tenant: str
    host: str
    answers_ms: int
    fails: bool = False


@dataclass
class Deliveries:
    """A deployment that has webhooks to deliver."""

    posts: Sequence[Post]
    limited: bool = True
    time: VirtualTime = field(default_factory=lambda: VirtualTime(NOW))
    database: QuickDatabase = field(default_factory=QuickDatabase)
    waited: dict[int, int] = field(default_factory=dict)
    """By post, milliseconds until its first attempt ended."""
    in_flight: dict[str, int] = field(default_factory=dict)
    most_in_flight: dict[str, int] = field(default_factory=dict)
    """By host."""
    attempts: int = 0
    receives: int = 0
    _visible: list[dict[str, Any]] = field(default_factory=list)
    _busy: int = 0

    def __post_init__(self) -> None:
        dice = random.Random(7)
        self.jobs = Jobs(self.database, ())
        self._idle = [self._process(dice.random) for _ in range(INVOCATIONS)]

    def _process(self, chance: Callable[[], float]) -> Deliver:
        clock = self._clock
        slots: Slots = Receivers(self.database, _raise, clock) if self.limited else AllAtOnce()
        return Deliver(self.database, self.jobs, self, self._post, lambda *_: None, slots=slots, chance=chance)

    def _clock(self) -> int:
        return self.time.now

    def run(self, seconds: int) -> None:
        """Let all come, and go on for so long."""
        for number, post in enumerate(self.posts):
            self.time.at(NOW + post.at, partial(self._publish, number, post))
        self.time.run(NOW + seconds * SECOND)

    def waits_of(self, tenant: str) -> list[int]:
        """Of all posts of tenants whose names begin so, in order; who waits still has waited for ever."""
        found = [self.waited.get(n, 10**9) for n, post in enumerate(self.posts) if post.tenant.startswith(tenant)]
        return sorted(found)

    def _publish(self, number: int, post: Post) -> None:
        head = a_head(id=f"job_{number}", tenant=post.tenant, status=Status.FAILED, ended_at=self.time.now, due_at=None)
        facts = {
            **{"event_id": f"evt_{number}", "event": "job.failed", "url": f"https://{post.host}/hook"},
            **{"tenant": post.tenant, "state": "pending", "attempts": [], "tries": 0},
            **{"due": due_partition(head.id), "due_at": self.time.now + 60 * SECOND},
        }
        self.database.write(Put("jobs", head.to_item()))
        self.database.write(Put("jobs", note_item(head, NAME, facts)))
        self.send(head.id, post.tenant, NAME)

    def send(self, job_id: str, tenant: str, name: str, delay_s: int = 0) -> None:
        """See `publishing.Deliveries.send`."""
        body = {"body": (job_id, name), "messageId": f"{job_id}-{self.receives}-{self.time.now}"}
        self.time.at(self.time.now + delay_s * SECOND, partial(self._come, body))

    def _come(self, message: dict[str, Any]) -> None:
        self._visible.append(message)
        self._poll()

    def _poll(self) -> None:
        while self._visible and self._idle:
            batch, self._visible = self._visible[:BATCH], self._visible[BATCH:]
            self.time.spawn(partial(self._invoke, self._idle.pop(), batch))

    def _invoke(self, deliver: Deliver, batch: list[dict[str, Any]]) -> None:
        self.receives += len(batch)
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: 90_000)
        reply = records_at_once(
            {"Records": batch}, context, lambda record: _deliver(deliver, record, self.time.now), self.time.together
        )
        assert reply == {"batchItemFailures": []}
        self._idle.append(deliver)
        self.time.at(self.time.now, self._poll)

    def _post(self, tenant: str, url: str, event_id: str, now: int, body: bytes) -> Sent:
        number = int(event_id.removeprefix("evt_"))
        post, host = self.posts[number], urlsplit(url).hostname or ""
        self.attempts += 1
        self.in_flight[host] = self.in_flight.get(host, 0) + 1
        self.most_in_flight[host] = max(self.most_in_flight.get(host, 0), self.in_flight[host])
        self.time.sleep(post.answers_ms)
        self.in_flight[host] -= 1
        self.waited.setdefault(number, self.time.now - NOW - post.at)
        return Sent(500 if post.fails else 204, None, None, post.answers_ms)


def _deliver(deliver: Deliver, record: dict[str, Any], now: int) -> None:
    deliver(*record["body"], now, BASE_URL)


def _raise(error: Exception) -> None:
    raise error


def share(waits: Sequence[int], part: float) -> int:
    """The wait that this part of all had at most."""
    return waits[math.ceil(part * len(waits)) - 1]
