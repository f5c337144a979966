"""The queues, the workflows and the dead letters, as recorders that can be out of order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from broker.jobs.head import Head


class Down(Exception):
    """The service does not answer."""


@dataclass(slots=True)
class FakeQueue:
    """See `broker.jobs.accepting.Queue`."""

    sent: list[Head] = field(default_factory=list)
    down: bool = False

    def send(self, head: Head) -> None:
        """See `Queue.send`."""
        if self.down:
            raise Down
        self.sent.append(head)


@dataclass(slots=True)
class FakeDeliveries:
    """See `broker.delivery.starting.Deliveries`: `(owner, tenant, name, delay)`."""

    sent: list[tuple[str, str, str, int]] = field(default_factory=list)
    down: bool = False

    def send(self, owner: str, tenant: str, name: str, delay_s: int = 0) -> None:
        """See `Deliveries.send`."""
        if self.down:
            raise Down
        if not 0 <= delay_s <= 900:
            raise ValueError("a message waits for 900 seconds at most")
        self.sent.append((owner, tenant, name, delay_s))


@dataclass(slots=True)
class FakeWorkflows:
    """See `broker.jobs.dispatching.Workflows`: `(job id, run, size)`."""

    started: list[tuple[str, int, str]] = field(default_factory=list)
    told: list[Head] = field(default_factory=list)
    """The head that goes along with each start."""
    down: bool = False

    def start(self, head: Head, stored: Head, size: Literal["express", "standard"]) -> None:
        """See `Workflows.start`."""
        if self.down:
            raise Down
        self.started.append((head.id, head.run, size))
        self.told.append(stored)


@dataclass(slots=True)
class FakeDeadLetters:
    """See `broker.jobs.sweeping.DeadLetters`."""

    job_ids: list[str] = field(default_factory=list)

    def take(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """See `DeadLetters.take`."""
        for job_id in list(self.job_ids):
            yield job_id, partial(self._delete, job_id)

    def _delete(self, job_id: str) -> None:
        if job_id in self.job_ids:  # deleting a message again is no error
            self.job_ids.remove(job_id)


@dataclass(slots=True)
class FakeRejections:
    """See `broker.jobs.event_consumer.Rejections`: `(body, reason)`."""

    kept: list[tuple[str, str]] = field(default_factory=list)

    def send(self, body: str, reason: str) -> None:
        """See `Rejections.send`."""
        self.kept.append((body, reason))
