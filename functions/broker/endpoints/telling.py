"""Starting the deliveries of what happened, to the endpoints that want to hear of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from broker.delivery.events import held_facts, review_event_id
from broker.delivery.starting import StartDelivery
from broker.endpoints.events import NATIVE, OPENAI, native_event, openai_body, openai_event, response_id
from broker.endpoints.record import Endpoint, Form, endpoint_sk, endpoints_pk
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


AT_ONCE = 2
"""Deliveries that are started where it happened; of more, `deliver` is asked to start them. Each is a write and a
message, and the stream, which tells of the jobs of all tenants, is not to wait for twenty of one."""

Facts = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TellEndpoints:
    """Tells endpoints; each time may be repeated, for a delivery is started once."""

    listeners: Listeners
    start: StartDelivery

    def of_job(self, head: Head, now: int) -> None:
        """Tell of a job that ended or is held. Rows of batches are told with their batch."""
        if head.row is not None:
            return
        told = {NATIVE: native_event(head), OPENAI: openai_event(head)}
        wanted = [each for each in self.listeners(head.tenant, now) if told[each.form] in each.events]
        if not wanted:
            return
        at = (head.review["since"] if head.is_held else head.ended_at) or now
        about = {"event_id": review_event_id(head) if head.is_held else head.event_id, "at": at}
        facts = {NATIVE: about | {"sequence": head.rev} | ({"held": held_facts(head)} if head.is_held else {})}
        if event := told[OPENAI]:
            facts[OPENAI] = about | {"body": _text(openai_body(event, head.event_id, at, response_id(head.id)))}
        run = f"#{head.run}" if head.is_held else ""
        self._start(
            head.id, head.tenant, head.expires_at, [(each, told[each.form] or "") for each in wanted], run, facts, now
        )

    def of_batch(
        self, batch_id: str, tenant: str, expires_at: int, event: str, event_id: str, at: int, body: str, now: int
    ) -> None:
        """Tell of a batch that ended; `body` is the native one, as JSON, and `expires_at` epoch SECONDS."""
        about = {"event_id": event_id, "at": at}
        theirs = _text(openai_body(event, event_id, at, batch_id))
        facts = {NATIVE: about | {"body": body}, OPENAI: about | {"body": theirs}}
        wanted = [(each, event) for each in self.listeners(tenant, now) if event in each.events]
        self._start(batch_id, tenant, expires_at, wanted, "", facts, now)

    def _start(
        self,
        owner: str,
        tenant: str,
        expires_at: int,
        wanted: Sequence[tuple[Endpoint, str]],
        run: str,
        facts: Mapping[Form, Facts],
        now: int,
    ) -> None:
        if len(wanted) > AT_ONCE:
            fan = [[each.form, event, each.id] for each, event in wanted]
            about = {"fan": fan, "run": run, "of": {form: facts[form] for form in {each.form for each, _ in wanted}}}
            self.start(owner, tenant, expires_at, f"FAN#{wanted[0][1]}{run}", now, about)
            return
        for each, event in wanted:
            start_one(self.start, owner, tenant, expires_at, (event, run, each.id), facts[each.form], now)


def start_one(
    start: StartDelivery, owner: str, tenant: str, expires_at: int, which: tuple[str, str, str], facts: Facts, now: int
) -> None:
    """Start a delivery by its event, what tells it from others of that event, and its endpoint."""
    event, run, endpoint_id = which
    name = f"DELIVERY#{event}{run}#{endpoint_id}"
    start(owner, tenant, expires_at, name, now, {"event": event, "endpoint": endpoint_id, **facts})


def _text(body: dict[str, Any]) -> str:
    return json.dumps(body, separators=(",", ":"))
