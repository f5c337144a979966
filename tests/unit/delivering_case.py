"""What tests of delivering begin with: a job with a webhook, and who brings its events there."""

from collections.abc import Callable
from dataclasses import dataclass, field

from broker.delivery.delivering import Deliver
from broker.delivery.sending import Sent
from broker.delivery.starting import SAFETY_MS
from broker.jobs.head import Status, due_partition
from broker.storage import Item

from tests.fakes.queue import FakeDeliveries
from tests.fakes.world import BASE_URL, JOB_ID, NOW, World, a_head

NAME = "DELIVERY#job.failed"
EVENT_ID = "evt_1"
OK, GONE, BROKEN = (Sent(status, None, None, 7) for status in (204, 410, 500))


@dataclass
class Courier:
    """A job with a pending webhook, and a receiver that answers by a script, then with 204."""

    script: list[Sent | Exception] = field(default_factory=list)
    world: World = field(default_factory=World)
    queue: FakeDeliveries = field(default_factory=FakeDeliveries)
    posts: list[tuple[str, str, str, int, bytes]] = field(default_factory=list)
    during: Callable[[], object] = lambda: None
    observed: list[str] = field(default_factory=list)
    gone: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        head = self.world.put(a_head(status=Status.FAILED, ended_at=NOW, due_at=None))
        pending = {
            "state": "pending",
            "attempts": [],
            "tries": 0,
            "due": due_partition(JOB_ID),
            "due_at": NOW + SAFETY_MS,
        }
        where = {"event_id": EVENT_ID, "event": "job.failed", "url": "https://example.com/hook", "tenant": "acme"}
        self.world.jobs.note(head, NAME, {**where, **pending})

    @property
    def deliver(self) -> Deliver:
        world = self.world
        gone = self.gone.append
        return Deliver(world.database, world.jobs, self.queue, self._send, self._observe, lambda *what: gone(what))

    def __call__(self, now: int = NOW) -> str:
        return self.deliver(JOB_ID, NAME, now, BASE_URL)

    def _send(self, tenant: str, url: str, event_id: str, now: int, body: bytes) -> Sent:
        self.posts.append((tenant, url, event_id, now, body))
        self.during()
        reply = self.script.pop(0) if self.script else OK
        if isinstance(reply, Exception):
            raise reply
        return reply

    def _observe(self, note: Item, sent: Sent) -> None:
        self.observed.append(note["state"])

    @property
    def note(self) -> Item:
        return self.world.jobs.notes(JOB_ID)[NAME]

    def due(self, now: int) -> list[Item]:
        """What the sweep finds."""
        return self.world.jobs.due(int(due_partition(JOB_ID).removeprefix("DUE#")), now, 10).items
