"""The buckets of files and the queue that asks for collections, in memory; `inbox` and `outbox` as the adapters are."""

import base64
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from broker.errors import NotFound

from tests.fakes.queue import Down


@dataclass(slots=True)
class FakeInbox:
    """See `broker.inbox.splitting.Inbox`; `put` gives S3's event. It keeps versions unless told otherwise."""

    versioned: bool = True
    reads: int = 0
    _objects: dict[tuple[str, str | None], tuple[str, bytes]] = field(default_factory=dict)

    def put(self, key: str, data: bytes | str) -> dict[str, Any]:
        """Put an object; gives the event that tells of it."""
        body = data.encode() if isinstance(data, str) else data
        etag = hashlib.sha256(body).hexdigest()[:32]
        version = f"v{len(self._objects)}" if self.versioned else None
        self._objects[key, version] = (etag, body)
        stored = {"key": key, "size": len(body), "etag": etag} | ({"version-id": version} if version else {})
        return {"source": "aws.s3", "detail": {"bucket": {"name": "inbox"}, "object": stored}}

    def delete(self, key: str) -> None:
        """Delete an object with all its versions."""
        for place in [place for place in self._objects if place[0] == key]:
            del self._objects[place]

    def fetch(self, bucket: str, key: str, etag: str, version: str | None, path: Path) -> None:
        """See `Fetches.fetch`."""
        path.write_bytes(self.read(bucket, key, etag, version))

    def read(self, bucket: str, key: str, etag: str, version: str | None) -> bytes:
        """See `Inbox.read`."""
        self.reads += 1
        found = self._objects.get((key, version))
        if found is None or (version is None and found[0] != etag):
            raise NotFound("The file was deleted or overwritten before it was read.", code="file_gone")
        return found[1]


@dataclass(slots=True)
class FakeOutbox:
    """See `broker.inbox.file_work.Outbox`."""

    objects: dict[str, bytes] = field(default_factory=dict)
    puts: list[str] = field(default_factory=list)

    def put(self, key: str, parts: Iterable[bytes], batch_id: str | None = None) -> None:
        """See `Outbox.put`."""
        self.objects[key] = b"".join(parts)
        self.puts.append(key)


@dataclass(slots=True)
class FakeCollects:
    """See `broker.inbox.file_work.Collects` (ids of batches) and `broker.inbox.splitting.Later` (`(event, delay)`)."""

    sent: list[str] = field(default_factory=list)
    later: list[tuple[dict[str, Any], int]] = field(default_factory=list)
    down: bool = False

    def send(self, batch_id: str, tenant: str) -> None:
        """See `Collects.send`."""
        if self.down:
            raise Down
        self.sent.append(batch_id)

    def again(self, event: dict[str, Any], tenant: str, delay_s: int) -> None:
        """See `Later.again`."""
        if self.down:
            raise Down
        if not 0 <= delay_s <= 900:
            raise ValueError("a message waits for 900 seconds at most")
        self.later.append((json.loads(json.dumps(event)), delay_s))


@dataclass(slots=True)
class FakeReadings:
    """See `broker.inbox.reading.Readings`."""

    asked: list[tuple[dict[str, Any], str]] = field(default_factory=list)
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    scans: dict[tuple[str, int], bytes] = field(default_factory=dict)
    pages: dict[tuple[str, int], bytes] = field(default_factory=dict)
    ended: dict[tuple[str, str], str] = field(default_factory=dict)

    def ask(self, event: dict[str, Any], tenant: str) -> None:
        """See `Readings.ask`."""
        self.asked.append((json.loads(json.dumps(event)), tenant))

    def load(self, batch_id: str) -> dict[str, Any] | None:
        """See `Readings.load`."""
        return self.kept.get(batch_id)

    def keep(self, batch_id: str, facts: dict[str, Any]) -> None:
        """See `Readings.keep`."""
        self.kept[batch_id] = json.loads(json.dumps(facts))

    def keep_scan(self, batch_id: str, number: int, picture: bytes) -> None:
        """See `broker.inbox.recipes.KeptReadings.keep_scan`."""
        self.scans[batch_id, number] = picture

    def load_scan(self, batch_id: str, number: int) -> str:
        """See `broker.batches.documents.submitting.Readings.load_scan`."""
        if (batch_id, number) not in self.scans:
            raise NotFound("A picture of the document is gone.", code="document_gone")
        return base64.b64encode(self.scans[batch_id, number]).decode()

    def keep_pages(self, batch_id: str, number: int, path: Path) -> None:
        """See `broker.inbox.recipes.KeptReadings.keep_pages`."""
        self.pages[batch_id, number] = path.read_bytes()

    def load_pages(self, batch_id: str, number: int) -> bytes:
        """See `broker.batches.documents.submitting.Readings.load_pages`."""
        if (batch_id, number) not in self.pages:
            raise NotFound("A picture of the document is gone.", code="document_gone")
        return self.pages[batch_id, number]

    def load_ended(self, batch_id: str, name: str) -> dict[str, Any]:
        """See `broker.batches.documents.earlier.Kept`."""
        found: dict[str, Any] = json.loads(self.ended.get((batch_id, name), "{}"))
        return found

    def keep_ended(self, batch_id: str, name: str, facts: dict[str, Any]) -> None:
        """See `broker.batches.documents.earlier.Kept`."""
        self.ended[batch_id, name] = json.dumps(facts)

    def forget(self, batch_id: str, scans: int = 0, gathered: int = 0, ended: Iterable[str] = ()) -> None:
        """See `Readings.forget`."""
        for name in ended:
            self.ended.pop((batch_id, name), None)
        self.kept.pop(batch_id, None)
        for number in range(gathered):
            self.pages.pop((batch_id, number), None)
        for number in range(scans):
            self.scans.pop((batch_id, number), None)
