"""Publishing: the jobs table's stream is the outbox, and all that is told follows from it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from broker.delivery.events import crossings_of, event_of, held_facts, review_event_id, review_event_of
from broker.delivery.starting import Deliveries, StartDelivery
from broker.jobs.head import HELD_EVENT, Head
from broker.jobs.store import Jobs
from broker.storage import Database, Item


class EventBus(Protocol):
    """The bus."""

    def put(self, events: list[tuple[str, dict[str, Any]]]) -> list[int]:
        """Put `(detail-type, detail)` pairs; gives the positions of those that were refused."""
        ...


@dataclass(frozen=True, slots=True)
class HeadChange:
    """One change of a head, and the stream's number of it."""

    sequence: str
    before: Head | None
    after: Head


@dataclass(frozen=True, slots=True)
class Publish:
    """Tells the bus, starts the webhooks, and counts the lines of batches."""

    database: Database
    jobs: Jobs
    bus: EventBus
    deliveries: Deliveries
    base_url: str
    """Of the REST API, for the links of events."""
    observe: Callable[[Head], None]
    """Told of each job that ended."""
    count: Callable[[Head, int], None] = lambda head, now: None
    """Counts the line of a batch; told again of a job, it does nothing more."""
    on_failure: Callable[[Head, Exception], None] = lambda head, error: None
    """Told why a job's webhook or line could not be started; the job comes again, and those after it are not kept."""
    on_gone: Callable[[Head], None] = lambda head: None
    """Told of a job that was gone, and its webhook's address with it, before it could be told of."""
    leave_undone: Callable[[Head], None] = lambda head: None
    """Has providers stop what they go on with for a job that ended; as well as it can, for nobody waits for it."""
    tell_endpoints: Callable[[Head, int], None] = lambda head, now: None
    """Tells the tenant's registered endpoints; may be repeated."""

    def __call__(
        self, changes: Sequence[HeadChange], now: int, time_left: Callable[[], bool] = lambda: True
    ) -> str | None:
        """Publish changes in their order; may be repeated, for ids are stable.

        Args:
            changes: of the stream.
            now: milliseconds.
            time_left: False when the rest should come again.

        Returns:
            The number of the first change that has to come again; None when all went out.
        """
        news, loud = [], []
        for change in changes:
            reviewed = review_event_of(change.before, change.after, self.base_url)
            if event := reviewed or event_of(change.before, change.after, self.base_url):
                news.append(change)
                if reviewed or not change.after.quiet:
                    loud.append((change, event))
                loud += [(change, crossing) for crossing in crossings_of(change.before, change.after)]
        refused = [loud[place][0] for place in self.bus.put([event for _, event in loud])]
        # What comes before the first refused event counts as done, so its webhooks have to go out now. What comes after
        # a change that fails comes again with it, and is given up with it in the end, so that goes out now, too.
        failed = None
        for change in news:
            if refused and change is refused[0]:
                break
            ended = change.after.status.terminal
            if not ended and not change.after.is_held:
                continue
            if not time_left():
                return failed or change.sequence
            try:
                self._notify(change.after, now)
                self.tell_endpoints(change.after, now)
                if ended:
                    self.count(change.after, now)
                    if change.after.going_on:
                        self.leave_undone(change.after)
            except Exception as error:
                self.on_failure(change.after, error)
                failed = failed or change.sequence
            if ended and failed is None:  # else it is observed when it comes again
                self.observe(change.after)
        return failed or (refused[0].sequence if refused else None)

    def _notify(self, head: Head, now: int) -> None:
        event = HELD_EVENT if head.is_held else f"job.{head.status.value}"
        if event not in head.webhook:
            return
        asked = self.jobs.notes(head.id, "ASKED").get("ASKED")
        if asked is None:
            self.on_gone(head)  # its record was over first; nobody could be sent to
            return
        if "webhook_url" not in asked or (head.is_held and "erased" in asked):
            return  # told before, and erased since; or it is to be told of its end alone
        self._start(head, event, asked, now)
        if "erased" in asked:
            self.jobs.note(head, "ASKED", {"metadata": {}})

    def _start(self, head: Head, event: str, asked: Item, now: int) -> None:
        name = f"DELIVERY#{event}" + (f"#{head.run}" if head.is_held else "")
        facts = {
            "event_id": review_event_id(head) if head.is_held else head.event_id,
            "event": event,
            "url": asked["webhook_url"],
            "sequence": head.rev,
        }
        if head.is_held:
            facts["held"] = held_facts(head)
        if "erased" in asked:
            facts["erased"] = True
        start = StartDelivery(self.database, self.deliveries)
        start(head.id, head.tenant, head.expires_at, name, now, facts)
