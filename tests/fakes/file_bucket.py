"""The bucket of files in memory."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from broker.clock import now_ms
from broker.errors import InvalidRequest, Unavailable
from broker.files.bodies import OUTPUT
from broker.files.keeping import Files
from broker.files.record import Part, Stored, Target
from broker.rest.files import FileDoor
from broker.storage import Database
from broker.tenants.registry import Tenants

LEAST_PART = 5 * 1024 * 1024


@dataclass(slots=True)
class FakeFileBucket:
    """See `broker.files.record.FileBucket`."""

    name: str = "payloads"
    url: str = "https://bucket.example"
    objects: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    targets: dict[str, tuple[str, int, str | None]] = field(default_factory=dict)
    """By URL: the key, the size and the digest that it takes."""
    down: int = 0
    """So many of the next objects are not written."""

    def put(self, key: str, data: bytes) -> str:
        """See `FileBucket.put`."""
        if self.down:
            self.down -= 1
            raise Unavailable("The bucket is busy.")
        self.objects[key] = data
        return _etag(data)

    def look(self, key: str) -> Stored | None:
        """See `FileBucket.look`."""
        data = self.objects.get(key)
        return None if data is None else Stored(len(data), _etag(data), hashlib.sha256(data).hexdigest())

    def delete(self, keys: Iterable[str]) -> None:
        """See `FileBucket.delete`."""
        for key in keys:
            self.objects.pop(key, None)

    def read(self, key: str) -> bytes | None:
        """See `FileBucket.read`."""
        return self.objects.get(key)

    def link(self, key: str, filename: str, seconds: int) -> str:
        """See `FileBucket.link`."""
        return f"{self.url}/{key}?signed&for={seconds}"

    def target(self, key: str, size: int, sha256: str | None, seconds: int) -> Target:
        """See `FileBucket.target`."""
        url = f"{self.url}/{key}?write"
        self.targets[url] = (key, size, sha256)
        return Target(url, {"content-length": str(size)}, seconds)

    def sent(self, url: str, data: bytes) -> bool:
        """What becomes of bytes that a client sends to a target."""
        key, size, sha256 = self.targets[url]
        upload, _, number = url.partition("?")[2].partition("&")
        if number:
            if len(data) == size:
                self.put_part(key, upload, int(number), data)
            return len(data) == size
        fits = len(data) == size and sha256 in (None, hashlib.sha256(data).hexdigest()) and key not in self.objects
        if fits:
            self.objects[key] = data
        return fits

    def join(self, key: str, sources: Sequence[str], time_left: Callable[[], bool]) -> tuple[Stored, str]:
        """See `FileBucket.join`."""
        if not time_left():
            raise Unavailable("There was no time.")
        if not self.objects.keys() >= set(sources):
            raise InvalidRequest("There is no such part.", code="no_such_part", param="part_ids")
        data = b"".join(self.objects[source] for source in sources)
        self.objects[key] = data
        return Stored(len(data), _etag(data)), hashlib.md5(data, usedforsecurity=False).hexdigest()

    def put_part(self, key: str, upload: str, number: int, data: bytes) -> None:
        """What a client does with a part's target."""
        self.uploads[upload][number] = data

    def start(self, key: str) -> str:
        """See `FileBucket.start`."""
        upload = f"s3-{len(self.uploads)}"
        self.uploads[upload] = {}
        return upload

    def part_target(self, key: str, upload: str, number: int, size: int) -> Target:
        """See `FileBucket.part_target`."""
        self.targets[f"{self.url}/{key}?{upload}&{number}"] = (key, size, None)
        return Target(f"{self.url}/{key}?{upload}&{number}", {"content-length": str(size)}, 900)

    def parts(self, key: str, upload: str) -> list[Part]:
        """See `FileBucket.parts`."""
        kept = self.uploads.get(upload, {})
        return [Part(number, len(kept[number]), _etag(kept[number])) for number in sorted(kept)]

    def finish(self, key: str, upload: str, parts: Sequence[Part]) -> None:
        """See `FileBucket.finish`."""
        if any(part.bytes < LEAST_PART for part in parts[:-1]):
            raise InvalidRequest("A part is too small.", code="parts_not_joined", param="bytes")
        kept = self.uploads.pop(upload, None)
        if kept is not None:
            self.objects[key] = b"".join(kept[part.number] for part in parts)

    def abort(self, key: str, upload: str) -> None:
        """See `FileBucket.abort`."""
        self.uploads.pop(upload, None)


def a_file_door(database: Database, bucket: FakeFileBucket | None = None) -> FileDoor:
    """The routes of files of a broker in memory."""
    return FileDoor(Files(database, bucket or FakeFileBucket(), Tenants(database).get))


def results_of(database: Database, bucket: FakeFileBucket, data: bytes, tenant: str = "acme") -> str:
    """A file of a batch's results, which the broker itself wrote; gives its id."""
    files, now = a_file_door(database, bucket).files, now_ms()
    place = files.place(tenant, "batch_1/output", now, now // 1000 + 3600)
    bucket.objects[place.key] = data
    return files.create(place, "output.jsonl", OUTPUT, now).id


def _etag(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
