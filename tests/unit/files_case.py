"""Files of a broker in memory, as tests put them there."""

from dataclasses import dataclass, field
from typing import Any

from broker.files.ending import EndFiles
from broker.files.keeping import Files, NewFile
from broker.files.record import FileRecord, files_pk
from broker.jobs.cleaning import Clean, Ending, key_of
from broker.tenants.registry import Tenants

from tests.fakes.file_bucket import FakeFileBucket
from tests.fakes.world import HOUR, NOW, World

MONTH_S = 30 * 86_400


@dataclass
class Shelf:
    """The files, and what is beneath them."""

    world: World = field(default_factory=World)
    bucket: FakeFileBucket = field(default_factory=FakeFileBucket)

    def __post_init__(self) -> None:
        self.world.tenant()
        self.world.tenant("other")

    def bounded(self, **bounds: int) -> None:
        """Bound what the tenant may keep."""
        self.world.tenant(**bounds)

    def files(self) -> Files:
        """The use cases as a fresh process builds them."""
        return Files(self.world.database, self.bucket, Tenants(self.world.database).get)

    def keep(self, data: bytes = b"one\n", *, now: int = NOW, tenant: str = "acme", **facts: Any) -> FileRecord:
        """A file whose bytes are here."""
        return self.files().keep(self.new(data, now=now, tenant=tenant, **facts), data, now)

    def new(self, data: bytes, *, now: int = NOW, tenant: str = "acme", **facts: Any) -> NewFile:
        """What is known of it before."""
        known = {"filename": "rows.jsonl", "purpose": "batch", "bytes": len(data), "until": now // 1000 + MONTH_S}
        return NewFile(tenant, **(known | facts))

    def total(self, tenant: str = "acme") -> tuple[int, int]:
        """How many files count, and their bytes."""
        item = self.world.database.get("jobs", files_pk(tenant), "TOTAL") or {"files": 0, "bytes": 0}
        return item["files"], item["bytes"]

    def clean(self, now: int) -> None:
        """What `clean` does then."""
        Clean(self.world.database, self, EndFiles(self.world.database, self.bucket))(now)

    def end(self, endings: list[Ending]) -> int:
        """See `cleaning.Objects.end`."""
        self.bucket.delete([key_of(each) for each in endings])
        for each in endings:
            self.world.database.delete("jobs", each.pk, each.sk)
        return len(endings)


__all__ = ["HOUR", "MONTH_S", "NOW", "Shelf"]
