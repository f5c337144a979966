"""Starting the deliveries of what happened, to the endpoints that want to hear of it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from broker.delivery.events import held_facts, review_event_id
from broker.delivery.starting import StartDelivery
from broker.endpoints.events import NATIVE, OPENAI, native_event, openai_body, openai_event, response_id
from broker.endpoints.record import Endpoint, endpoint_sk, endpoints_pk
from broker.jobs.head import Head
from broker.storage import Database

KEEP_MS = 10_000
"""How long a process goes by what it read of a tenant's endpoints: what is registered hears of what happens later than
that. A tenant without any costs one read of one unit in that time."""

MOST_KEPT = 10_000
"""Tenants in memory."""


class Listeners:
    """The endpoints of tenants, as this process lately read them. Threads may share it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = Lock()
        self._kept: dict[str, tuple[int, Sequence[Endpoint]]] = {}

    def __call__(self, tenant: str, now: int) -> Sequence[Endpoint]:
        """Those of a tenant for which events are kept."""
        read_at, found = self._kept.get(tenant, (-KEEP_MS, ()))
        if now - read_at >= KEEP_MS:
            items = self._database.query("jobs", endpoints_pk(tenant), endpoint_sk(""))
            found = [each for each in map(Endpoint.of, items) if each.takes_more]
            with self._lock:
                self._kept.pop(tenant, None)  # the newest comes last
                while len(self._kept) >= MOST_KEPT:
                    self._kept.pop(next(iter(self._kept)))
                self._kept[tenant] = now, found
        return found


@dataclass(frozen=True, slots=True)
class TellEndpoints:
    """Tells endpoints; each time may be repeated, for a delivery is started once."""

    listeners: Listeners
    start: StartDelivery

    def of_job(self, head: Head, now: int) -> None:
        """Tell of a job that ended or is held. Rows of batches and lines of files are told with what they came in."""
        if head.batch is not None:
            return
        for endpoint in self.listeners(head.tenant, now):
            event = native_event(head) if endpoint.form == NATIVE else openai_event(head)
            if event is None or event not in endpoint.events:
                continue
            name = f"{event}#{head.run}" if head.is_held else event
            at = (head.review["since"] if head.is_held else head.ended_at) or now
            facts: dict[str, Any] = {"event_id": review_event_id(head) if head.is_held else head.event_id, "at": at}
            if endpoint.form == OPENAI:
                facts["body"] = _text(openai_body(event, head.event_id, at, response_id(head.id)))
            else:
                facts |= {"sequence": head.rev} | ({"held": held_facts(head)} if head.is_held else {})
            self._start(endpoint, head.id, head.expires_at, name, event, facts, now)

    def of_batch(
        self, batch_id: str, tenant: str, expires_at: int, event: str, event_id: str, at: int, body: str, now: int
    ) -> None:
        """Tell of a batch that ended; `body` is the native one, as JSON, and `expires_at` epoch SECONDS."""
        for endpoint in self.listeners(tenant, now):
            if event in endpoint.events:
                told = body if endpoint.form == NATIVE else _text(openai_body(event, event_id, at, batch_id))
                facts = {"event_id": event_id, "at": at, "body": told}
                self._start(endpoint, batch_id, expires_at, event, event, facts, now)

    def _start(
        self, endpoint: Endpoint, owner: str, expires_at: int, name: str, event: str, facts: dict[str, Any], now: int
    ) -> None:
        about = {"event": event, "endpoint": endpoint.id, **facts}
        self.start(owner, endpoint.tenant, expires_at, f"DELIVERY#{name}#{endpoint.id}", now, about)


def _text(body: dict[str, Any]) -> str:
    return json.dumps(body, separators=(",", ":"))
