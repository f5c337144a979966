"""Which rows of a batch have the `custom_id` of an earlier one, decided exactly and without a write for each."""

import json
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Self

from broker.batches.ports import RowBytes
from broker.batches.rows.sources import custom_id_of
from broker.errors import InvalidRequest

DIGEST = 16
"""Bytes of a digest. A million of them are a hundred megabytes of memory, and no two ids have the same by chance."""


@dataclass(slots=True)
class Identities:
    """The ids of a batch that have come up to now; its rows stand in lines of our own where `wrapped`."""

    wrapped: bool = False
    seen: set[bytes] = field(default_factory=set)

    def is_double(self, data: bytes) -> bool:
        """True where a row has an id that came before; one that cannot be read has none, and says so itself."""
        if b'"custom_id"' not in data and b"\\u" not in data:
            return False  # no name in it can be that one
        try:
            custom_id, _ = custom_id_of(self._body(json.loads(data)))
        except (InvalidRequest, ValueError, RecursionError):
            return False
        if custom_id is None:
            return False
        digest = blake2b(custom_id.encode("utf-8", "surrogatepass"), digest_size=DIGEST).digest()
        if digest in self.seen:
            return True
        self.seen.add(digest)
        return False

    def _body(self, value: Any) -> Any:
        return value.get("body") if self.wrapped else value

    def keep(self, rows: RowBytes, batch_id: str, offset: int) -> dict[str, Any]:
        """Write them down for the plan that goes on at an offset; gives where."""
        return rows.write(batch_id, f"ids-{offset}.bin", self.seen)

    @classmethod
    def load(cls, rows: RowBytes, where: dict[str, Any], *, wrapped: bool) -> Self:
        """What `keep` wrote."""
        whole = b"".join(rows.pieces(where))
        return cls(wrapped, {whole[start : start + DIGEST] for start in range(0, len(whole), DIGEST)})
