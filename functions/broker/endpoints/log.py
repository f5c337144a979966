"""The log of an endpoint's deliveries: each with its attempts, sent again one by one, or all of a time that failed."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from broker.clock import iso
from broker.delivery.owners import owner_pk
from broker.endpoints.record import Endpoint
from broker.errors import DeliveryBusy, InvalidRequest, NotFound, Unavailable
from broker.jobs.reading import delivery_view
from broker.storage import Database, Item, Unread

MOST_LISTED = 100
"""Of a page: so many notes are read by one request (DynamoDB API reference, BatchGetItem)."""

MOST_RECOVERED = 1_000
"""By one call: each is a write and a message."""

LOST = ("failed", "disabled")
"""States of deliveries that nobody sends again by himself."""

DELIVERY_ID = re.compile(r"dlv_([0-9]{13})_([0-9a-z_]{1,160})", re.ASCII)

FIRST, LAST = "LOG#", "LOG#~"


def log_sk(at: int, event_id: str) -> str:
    """Of an entry; entries sort by the time of the event."""
    return f"LOG#{at:013d}#{event_id}"


@dataclass(frozen=True, slots=True)
class Logged:
    """One delivery: its entry, and its note while that is kept."""

    entry: Item
    note: Item | None

    @property
    def id(self) -> str:
        """By which it is asked for."""
        _, at, event_id = self.entry["sk"].split("#")
        return f"dlv_{at}_{event_id.removeprefix('evt_')}"

    @property
    def at(self) -> int:
        """When its event happened, in milliseconds."""
        return int(self.entry["sk"].split("#")[1])

    def view(self) -> dict[str, Any]:
        """The public form."""
        known = delivery_view(self.note) if self.note else {"state": "gone", "next_at": None, "attempts": []}
        owner = self.entry["owner"]
        return {
            "id": self.id,
            "object": "webhook.delivery",
            "event": self.entry["event"],
            "event_id": f"evt_{self.id.split('_', 2)[2]}",
            "about": owner,
            "happened_at": iso(self.at),
            **{name: known[name] for name in ("state", "next_at", "attempts")},
        }


@dataclass(frozen=True, slots=True)
class DeliveryLog:
    """The logs of one deployment's endpoints."""

    database: Database
    again: Callable[[str, str, Item, int], bool]
    """`Deliver.again`."""

    def page(self, endpoint: Endpoint, *, limit: int, after: str | None) -> tuple[list[Logged], bool]:
        """Some deliveries, the newest first, from the one behind `after` on, and whether there are more.

        Raises:
            InvalidRequest: `after` is no delivery's id.
        """
        last = _sk_of(after) if after else LAST
        if last is None:
            raise InvalidRequest("after is the id of a delivery.", param="after")
        pk = owner_pk(endpoint.id)
        entries = self.database.query_between("jobs", pk, FIRST, last, limit=limit + 2, last_first=True)
        found = [each for each in entries if not after or each["sk"] != last]
        return self._with_notes(found[:limit]), len(found) > limit

    def find(self, endpoint: Endpoint, delivery_id: str) -> Logged:
        """One.

        Raises:
            NotFound: the endpoint has none of that id.
        """
        sk = _sk_of(delivery_id)
        entry = self.database.get("jobs", owner_pk(endpoint.id), sk) if sk else None
        if entry is None:
            raise NotFound("There is no such delivery.", param="delivery_id")
        return self._with_notes([entry])[0]

    def redeliver(self, endpoint: Endpoint, delivery_id: str, now: int) -> Logged:
        """Send one once more, with its id.

        Raises:
            NotFound: there is none, or what it tells of is not kept any more.
            DeliveryBusy: an attempt is under way.
        """
        found = self.find(endpoint, delivery_id)
        if found.note is None:
            raise NotFound("What it told of is not kept any more.", code="gone", param="delivery_id")
        if not self._again(found.entry, found.note, now):
            busy = "An attempt at this delivery is under way; see how it ends first."
            raise DeliveryBusy(busy, param="delivery_id", retry_after=1)
        return self.find(endpoint, delivery_id)

    def recover(
        self, endpoint: Endpoint, since: int, until: int, now: int, time_left: Callable[[], bool]
    ) -> tuple[int, int | None]:
        """Send again what happened in a time (milliseconds, both included) and was given up or never sent.

        Returns:
            How many deliveries were sent again, and from when on to go on; None where that was all.
        """
        sent, seen, first, last = 0, 0, log_sk(since, ""), f"{log_sk(until, '')}~"
        while True:
            entries = self.database.query_between("jobs", owner_pk(endpoint.id), first, last, limit=MOST_LISTED)
            for each in self._with_notes(entries):
                if seen >= MOST_RECOVERED or not time_left():
                    return sent, each.at
                seen += 1
                if each.note and each.note["state"] in LOST and not each.note.get("test"):
                    sent += self._again(each.entry, each.note, now)
            if len(entries) < MOST_LISTED:
                return sent, None
            first = f"{entries[-1]['sk']}\0"

    def _again(self, entry: Item, note: Item, now: int) -> bool:
        return self.again(entry["owner"], entry["name"], note, now)

    def _with_notes(self, entries: list[Item]) -> list[Logged]:
        keys = [(owner_pk(each["owner"]), f"NOTE#{each['name']}") for each in entries]
        try:
            notes = {(note["pk"], note["sk"]): note for note in self.database.get_many("jobs", keys)} if keys else {}
        except Unread:
            raise Unavailable("The tables are busy; try again.", code="busy", retry_after=1) from None
        return [Logged(entry, notes.get(key)) for entry, key in zip(entries, keys, strict=True)]


def _sk_of(delivery_id: str) -> str | None:
    found = DELIVERY_ID.fullmatch(delivery_id)
    return log_sk(int(found[1]), f"evt_{found[2]}") if found else None
