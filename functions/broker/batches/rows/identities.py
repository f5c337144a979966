"""Which rows of a batch have the `custom_id` of an earlier one, decided exactly and without a write for each.

Who looks for ids reads each row that has one, so it also sees which models rows in OpenAI's form name.
"""

import json
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Self

from broker.batches.ports import RowBytes
from broker.batches.rows.sources import custom_id_of
from broker.errors import InvalidRequest

DIGEST = 16
"""Bytes of a digest. A million of them are a hundred megabytes of memory, and no two ids have the same by chance."""

MOST_MODELS = 2
"""That are noted: one is told, and several are none."""

LONGEST_NAME = 128


@dataclass(slots=True)
class Identities:
    """The ids of a batch that have come up to now; its rows stand in lines of our own where `wrapped`."""

    wrapped: bool = False
    seen: set[bytes] = field(default_factory=set)
    models: list[str] | None = None
    """Those that rows in OpenAI's form name, up to two; None where rows have another form."""

    def is_double(self, data: bytes) -> bool:
        """True where a row has an id that came before; one that cannot be read has none, and says so itself."""
        if b'"custom_id"' not in data and b"\\u" not in data:
            return False  # no name in it can be that one
        try:
            custom_id, row = custom_id_of(self._body(json.loads(data)))
        except (InvalidRequest, ValueError, RecursionError):
            return False
        if custom_id is None:
            return False
        if self.models is not None:
            self._note_model(row)
        digest = blake2b(custom_id.encode("utf-8", "surrogatepass"), digest_size=DIGEST).digest()
        if digest in self.seen:
            return True
        self.seen.add(digest)
        return False

    def _note_model(self, row: dict[str, Any]) -> None:
        body = row.get("body")
        name = body.get("model") if isinstance(body, dict) else None
        if self.models is not None and len(self.models) < MOST_MODELS and name not in self.models:
            if isinstance(name, str) and len(name) <= LONGEST_NAME:
                self.models.append(name)

    def _body(self, value: Any) -> Any:
        return value.get("body") if self.wrapped else value

    def keep(self, rows: RowBytes, batch_id: str, offset: int) -> dict[str, Any]:
        """Write them down for the plan that goes on at an offset; gives where."""
        return rows.write(batch_id, f"ids-{offset}.bin", self.seen)

    @classmethod
    def load(cls, rows: RowBytes, where: dict[str, Any], *, wrapped: bool, models: list[str] | None) -> Self:
        """What `keep` wrote, beside the `models` of before."""
        whole = b"".join(rows.pieces(where))
        return cls(wrapped, {whole[start : start + DIGEST] for start in range(0, len(whole), DIGEST)}, models)
