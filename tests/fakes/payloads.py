"""Prompts and answers in memory."""

import json
from typing import Any

from broker.jobs.head import Head


class FakePayloads:
    """See `broker.jobs.store.Payloads`."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], str] = {}

    def save(self, head: Head, name: str, document: Any) -> None:
        """See `Payloads.save`."""
        self._kept[head.id, name] = json.dumps(document)

    def load(self, job_id: str, name: str) -> Any | None:
        """See `Payloads.load`."""
        text = self._kept.get((job_id, name))
        return None if text is None else json.loads(text)

    def drop(self, job_id: str, name: str) -> None:
        """See `Payloads.drop`."""
        self._kept.pop((job_id, name), None)

    def erase(self, job_id: str) -> None:
        """See `Payloads.erase`."""
        for key in [key for key in self._kept if key[0] == job_id]:
            del self._kept[key]

    def names(self, job_id: str) -> list[str]:
        """What is kept of a job."""
        return sorted(name for owner, name in self._kept if owner == job_id)
