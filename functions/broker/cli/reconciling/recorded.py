"""Calls on record: read from the heads of jobs, or from a file that was made of them."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from broker.batches.batch import KEEP_S as BATCH_S
from broker.cli.reconciling.records import Called
from broker.clock import uuid7_hex
from broker.errors import InvalidRequest, Unavailable
from broker.jobs import calls
from broker.jobs.head import Head, job_pk
from broker.registry.versions import Registry
from broker.storage import Database, Item, Unread

A_PAGE = 100
TRIES, PAUSE_S = 5, 1.0
"""Of a read that DynamoDB throttles."""
FIRST = bytes(10)
"""What is random in the first id of a moment."""


@dataclass(frozen=True, slots=True)
class Named:
    """Whose a model is, and what its provider calls it."""

    provider: str
    name: str


@dataclass(slots=True)
class Names:
    """The models that calls were made of, as they were registered then."""

    registry: Registry
    _known: dict[tuple[str, int | None], Named] = field(default_factory=dict)

    def __call__(self, model: str, version: int | None) -> Named:
        """Of one version; of one that is not on record any more, of the newest; without that, by its id alone."""
        if (model, version) not in self._known:
            record = self.registry.version("models", model, version) if version else None
            record = record or self.registry.find("models", model)
            entry = record.content if record else {}
            self._known[model, version] = Named(entry.get("provider", ""), entry.get("name", model))
        return self._known[model, version]


def of_head(head: Head, named: Callable[[str, int | None], Named]) -> Iterator[Called]:
    """The calls of a job."""
    for key, kept in head.calls.items():
        call = calls.described(kept)
        whose = named(call["model"], call.get("version"))
        ended = call.get("ended_at") or head.ended_at or head.deadline_at
        began = call.get("first_ended_at", ended) - call.get("latency_ms", 0)
        if "ended_at" not in call:  # under way, or nobody lived to settle it
            began = call.get("started_at") or head.started_at or head.created_at
        yield Called(
            *(head.tenant, head.id, key, whose.provider, call["model"], whose.name),
            paid=call.get("paid", calls.UNKNOWN),
            nusd=call.get("cost", call["reserved"]),
            started_at=min(began, ended),
            ended_at=ended,
            request_id=call.get("request_id"),
            input_tokens=call.get("input_tokens", 0),
            output_tokens=call.get("output_tokens", 0),
            times=call.get("times", 1),
        )


def of_tenants(
    database: Database, tenants: Iterable[str], named: Callable[[str, int | None], Named], first: int, last: int
) -> Iterator[Called]:
    """The calls of some tenants that may have been made from one moment to another (milliseconds), a job at a time.

    It costs a read of the index and half a unit for each job of that time; records are kept two weeks longer than
    what jobs are about.
    """
    for tenant in tenants:
        for head in _heads(database, tenant, first, last):
            for call in of_head(head, named):
                if call.ended_at >= first and call.started_at < last:
                    yield call


def _heads(database: Database, tenant: str, first: int, last: int) -> Iterator[Head]:
    begin, oldest = (f"job_{uuid7_hex(max(0, at), FIRST)}" for at in (last, first - BATCH_S * 1000))
    at: Item | None = {"pk": job_pk(begin), "sk": "HEAD", "tenant": tenant, "id": begin}
    while at is not None and at["id"] >= oldest:
        page = database.index("tenant", tenant, limit=A_PAGE, newest_first=True, cursor=at)
        if page.items:
            yield from map(Head.from_item, _read(database, [(each["pk"], "HEAD") for each in page.items]))
        at = page.cursor


def _read(database: Database, keys: list[tuple[str, str]]) -> list[Item]:
    for left in reversed(range(TRIES)):
        try:
            return database.get_many("jobs", keys)
        except Unread:
            if not left:
                raise Unavailable("DynamoDB would not read all jobs now; try again.", code="unread") from None
            time.sleep(PAUSE_S)
    raise AssertionError  # the last try has returned or raised


def of_file(path: Path) -> list[Called]:
    """Those of a file that `broker usage calls` made.

    Raises:
        InvalidRequest: a line is not of such a file.
    """
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            found.append(Called.of_line(json.loads(line)))
        except (ValueError, AttributeError):
            raise InvalidRequest(f"Line {number} of {path} is no call.", param="calls") from None
    return found
