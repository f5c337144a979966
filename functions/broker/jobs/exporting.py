"""Jobs in files: their view as a line of JSON, with an answer that may be larger than what is read at once."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from broker.errors import NotFound
from broker.jobs.reading import view
from broker.jobs.store import Look, Payloads


@dataclass(frozen=True, slots=True)
class Exported:
    """A job as it is shown, and its answer apart, where that is large: it is JSON as it lies, and is not read."""

    job: dict[str, Any]
    answer: bytes | None = None
    place: str = ""
    """What stands for the answer in the job."""

    def line(self, facts: dict[str, Any] | None = None) -> Iterator[bytes]:
        """The parts of the line: the job alone, or beside other facts, as `job`."""
        shown = self.job if facts is None else {**facts, "job": self.job}
        row = line_of(shown)
        if self.answer is None:
            yield row
            return
        before, _, after = row.partition(f'"{self.place}"'.encode())
        yield from (before, self.answer, after)


@dataclass(frozen=True, slots=True)
class Export:
    """Gives jobs as they stand in files."""

    payloads: Payloads
    base_url: str
    """Of the REST API, for the links of jobs."""

    def __call__(self, seen: Look) -> Exported:
        """Of a job as one look shows it."""
        head, notes, item = seen
        if head.output and (plain := self.payloads.plain_json(head.id, head.output, item)):
            place = os.urandom(16).hex()
            return Exported(view(head, notes, place, self.base_url), plain, place)
        output = self.payloads.load(head.id, head.output, item) if head.output else None
        return Exported(view(head, notes, output, self.base_url))


def line_of(shown: dict[str, Any]) -> bytes:
    """A line of a file of results."""
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def job_gone() -> dict[str, Any]:
    """What is said of a job whose `ttl_seconds` were over before the slowest of those beside it had ended."""
    gone = NotFound("The job was kept no longer than it asked for.", code="job_gone")
    return {**gone.facts(), "param": None}
