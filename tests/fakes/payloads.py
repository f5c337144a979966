"""Prompts and answers in memory."""

import json
from collections.abc import Sequence
from typing import Any

from broker.jobs.store import OUTPUT, Linked, NoteOwner, Saved
from broker.json_text import MOST_IN_REPLY, in_reply
from broker.storage import Item


class FakePayloads:
    """See `broker.jobs.store.Payloads`."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], str] = {}
        self._facts: dict[tuple[str, str], dict[str, Any]] = {}
        self._until: dict[tuple[str, str], int] = {}
        self.now = 0
        """Milliseconds; what is over by then is not given any more."""
        self.files: dict[tuple[str, str], list[tuple[bytes, str]]] = {}

    def save(
        self,
        job: NoteOwner,
        name: str,
        document: Any,
        facts: dict[str, Any] | None = None,
        files: Sequence[tuple[bytes, str]] = (),
    ) -> Saved:
        """See `Payloads.save`."""
        self.drop(job.id, name)
        self._kept[job.id, name] = json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=list)
        self._until[job.id, name] = job.payloads_until
        linked = self._is_linked(job.id, name)
        if facts:
            self._facts[job.id, name] = facts | {"linked": True} if linked else facts
        if files:
            self.files[job.id, name] = list(files)
        return Saved([f"{job.id}/{name}-{number}" for number in range(1, len(files) + 1)], linked)

    def copy(self, job: NoteOwner, name: str, source: str, source_name: str) -> Saved | None:
        """See `Payloads.copy`."""
        document = self.load(source, source_name)
        return None if document is None else self.save(job, name, document)

    def linked(self, job_id: str, name: str, item: Item | None = None) -> Linked | None:
        """See `Payloads.linked`."""
        if self._text(job_id, name) is None or not self._is_linked(job_id, name):
            return None
        size = len(self._kept[job_id, name].encode())
        return Linked(f"https://files.example/{job_id}/{name}", size, "application/json")

    def _is_linked(self, job_id: str, name: str) -> bool:
        return name.startswith(OUTPUT) and in_reply(self._kept[job_id, name]) > MOST_IN_REPLY

    def plain_json(self, job_id: str, name: str, item: Item | None = None) -> bytes | None:
        """See `Payloads.plain_json`."""
        return self._kept[job_id, name].encode() if self.linked(job_id, name) else None

    def link(self, job_id: str, name: str, number: int) -> str:
        """See `Payloads.link`."""
        return f"https://files.example/{job_id}/{name}-{number}"

    def stands(self, job_id: str, name: str) -> bool:
        """See `Payloads.stands`."""
        return self.load(job_id, name) is not None

    def load_file(self, job_id: str, name: str, number: int) -> bytes | None:
        """See `Payloads.load_file`."""
        kept = self.files.get((job_id, name), [])
        return kept[number - 1][0] if number <= len(kept) else None

    def replace(self, job: NoteOwner, name: str, document: Any) -> None:
        """See `Payloads.replace`."""
        if (job.id, name) in self._kept:
            self._kept[job.id, name] = json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=list)

    def load(
        self, job_id: str, name: str, item: Item | None = None, *, fresh: bool = False, words: bool = False
    ) -> Any | None:
        """See `Payloads.load`."""
        text = self._text(job_id, name)
        return None if text is None else json.loads(text)

    def _text(self, job_id: str, name: str) -> str | None:
        text = self._kept.get((job_id, name))
        return None if text is None or self._until[job_id, name] * 1000 <= self.now else text

    def facts(self, job_id: str, name: str) -> dict[str, Any] | None:
        """See `Payloads.facts`."""
        return self._facts.get((job_id, name))

    def hand(self, job: NoteOwner, name: str, data: bytes | None = None) -> str:
        """See `Payloads.hand`."""
        self.save(job, f"MEDIA#{name}", {}, files=[] if data is None else [(data, "")])
        return f"services/{job.id}/{name}"

    def drop(self, job_id: str, name: str) -> None:
        """See `Payloads.drop`."""
        for kept in (self._kept, self._facts, self._until, self.files):
            kept.pop((job_id, name), None)

    def erase(self, job_id: str) -> None:
        """See `Payloads.erase`."""
        for name in self.names(job_id):
            self.drop(job_id, name)

    def owners(self) -> set[str]:
        """The jobs of which something is kept."""
        return {owner for owner, _ in self._kept}

    def names(self, job_id: str) -> list[str]:
        """What is kept of a job."""
        return sorted(name for owner, name in self._kept if owner == job_id)
