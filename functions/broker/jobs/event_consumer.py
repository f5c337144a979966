"""Taking events in: `InferenceRequested` from other systems becomes a job, or is rejected with the reason."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from broker import json_text
from broker.clock import uuid7_hex
from broker.envelope import envelope
from broker.errors import InvalidRequest, KeyInFlight
from broker.jobs.accepting import Accept, Acceptance, Caller
from broker.jobs.cloud_events import is_cloud_event, open_cloud_event
from broker.jobs.head import RECORD_S
from broker.jobs.request import parse_request
from broker.permissions.who import NOBODY, Member
from broker.tenants.registry import Sender

KNOWN_MS = RECORD_S * 1000
"""How long an event that comes again gives the job that it gave: as long as a job's record is kept at least, and its
message may lie in dead letters."""


LONGEST_NAME = 256
"""Characters of an event's source (EventBridge API reference, `PutEventsRequestEntry`); id and account have less."""


class Rejections(Protocol):
    """Where events go that cannot become jobs."""

    def send(self, body: str, reason: str) -> None:
        """Keep the event as it came, with the reason."""
        ...


class TakeDocument(Protocol):
    """Has a document worked on."""

    def __call__(self, detail: Any, tenant: str, event_id: str, principal: str, member: Member) -> None:
        """Take the document of an event; may be repeated.

        Raises:
            InvalidRequest: it cannot be taken.
        """
        ...


def refuse_document(detail: Any, tenant: str, event_id: str, principal: str, member: Member) -> None:
    """A `TakeDocument` of those who have none.

    Raises:
        InvalidRequest: always.
    """
    raise InvalidRequest("Documents are not taken here.", code="invalid_field", param="document")


@dataclass(frozen=True, slots=True)
class EventConsumer:
    """Takes one event from the intake queue."""

    accept: Accept
    sender_of: Callable[[str, str], Sender]
    rejections: Rejections
    tell: Callable[[str, dict[str, Any]], None]
    """Puts an event on the bus: detail-type and detail."""
    take_document: TakeDocument = refuse_document
    member_of: Callable[[str, str | None, int], Member] = lambda tenant, application, now: NOBODY
    """As what an application of a tenant asks; raises Forbidden."""

    def __call__(self, body: str, now: int) -> Acceptance | str | None:
        """Accept the event's work, once for each event id.

        Returns:
            The job; the tenant of a document, which goes on as files of the inbox do; None where it was rejected.

        Raises:
            KeyInFlight: the same event is being accepted; its message should come again.
            Exception: of the cloud; likewise.
        """
        event: dict[str, Any] = {}
        try:
            event = _parse(body)
            tenant, application = self.sender_of(event["account"], event["source"])
            member = self.member_of(tenant, application, now)
            _check_replay(event, now)
            detail, known_by = event["detail"], event["id"]
            if is_cloud_event(detail):
                detail, known_by = open_cloud_event(detail)
            principal = f"event:{event['source']}"
            if isinstance(detail, Mapping) and "document" in detail:
                self.take_document(detail, tenant, known_by, principal, member)
                return tenant
            request = parse_request(detail)
            caller = Caller(tenant, principal, "event", event["id"], user=request.end_user or "", member=member)
            return self.accept(request, caller, now, key=f"event:{known_by}", keep_ms=KNOWN_MS)
        except KeyInFlight:
            raise
        except InvalidRequest as error:
            self._reject(body, event, error, now)
            return None

    def _reject(self, body: str, event: dict[str, Any], error: InvalidRequest, now: int) -> None:
        where = f"{error.param}: " if error.param and not error.message.startswith(error.param) else ""
        self.rejections.send(body, f"{error.code}: {where}{error.message}")
        cause = str(event.get("id") or uuid7_hex(now))
        data = {"source": event.get("source"), "key": None, "error": {**error.facts(), "param": error.param}}
        self.tell("RequestRejected", envelope(f"evt_{cause}_rejected", cause, None, now, data))


def _check_replay(event: Mapping[str, Any], now: int) -> None:
    """Refuse a replay of an archive whose event may have become a job that nobody remembers.

    EventBridge gives the replay's name with each event, which has the id and the time that it had.
    Source: EventBridge user guide, "Replaying archived events".

    Raises:
        InvalidRequest: it is too old.
    """
    if "replay-name" not in event:
        return
    try:
        at = datetime.fromisoformat(event["time"])
        age_ms = now - at.timestamp() * 1000
    except (KeyError, TypeError, ValueError, OverflowError):
        raise InvalidRequest("A replayed event needs its time.", code="invalid_event", param="time") from None
    if age_ms >= KNOWN_MS:
        message = "The event was replayed after more than 14 days; whether it became a job is not known any more."
        raise InvalidRequest(message, code="replayed_too_late", param="replay-name")


def _parse(body: str) -> dict[str, Any]:
    event = json_text.read(body)
    if not isinstance(event, dict):
        raise InvalidRequest("The message is not an event.", code="invalid_event")
    for name in ("id", "account", "source", "detail"):
        if name not in event:
            raise InvalidRequest(f"The event has no {name}.", code="invalid_event", param=name)
        if name != "detail" and not _is_name(event[name]):
            raise InvalidRequest(f"{name}: it is none that EventBridge gives.", code="invalid_event", param=name)
    return event


def _is_name(value: Any) -> bool:
    """Whether it may be an id, an account or a source: nothing else is told again, or looked up."""
    return isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and not re.search("[\ud800-\udfff]", value)
