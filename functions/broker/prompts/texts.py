"""Where the texts of a template lie, which may be far longer than all else that its item has.

| in the item | means |
|---|---|
| `system`, `user` | the texts, where they are short |
| `z` | both, packed: JSON by role, compressed by zlib |
| `texts` | `{"sha256", "parts"}`: they lie beside the table, packed so, under the digest of the packed bytes |
"""

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from broker.errors import Unavailable
from broker.storage import Item

ROLES = ("system", "user")

PACKED_FROM = 50_000
"""Bytes of the texts from which they are packed."""

INLINE_BYTES = 32 * 1024
"""Packed. The newest item is read for jobs and copied for each version: a read unit for every four kilobytes of it."""

MOST_BYTES = 2_000_000
"""Of both texts, in UTF-8. Lambda takes and gives 6 MB, in which a text stands escaped twice."""

MOST_UNPACKED = 6 * MOST_BYTES + 100
"""Of their JSON, in which a character may take six times its bytes: more was not packed here."""


class Texts(Protocol):
    """The store beside the table, by digest; nothing in it is ever changed or deleted."""

    def put(self, digest: str, packed: bytes) -> None:
        """Keep bytes; may be repeated."""
        ...

    def get(self, digest: str, most: int) -> bytes:
        """Read them back.

        Raises:
            Unavailable: they are not there, may not be read, or are more than `most`.
        """
        ...


class NoTexts:
    """For who may not read the store, and needs none of it: of short templates nothing lies there."""

    def put(self, digest: str, packed: bytes) -> None:
        """See `Texts.put`."""
        raise _out_of_reach()

    def get(self, digest: str, most: int) -> bytes:
        """See `Texts.get`."""
        raise _out_of_reach()


def _out_of_reach() -> Unavailable:
    return Unavailable("The prompt's text lies beside the table, out of reach.", code="prompt_text_missing")


@dataclass(frozen=True, slots=True)
class Apart:
    """Texts that lie beside the table: under which digest, and which of them there are."""

    digest: str
    packed: bytes
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoredTexts:
    """The attributes of the item, and what has to be in the store before the item is written; None for nothing."""

    attributes: Item
    apart: Apart | None = None


def keep(texts: Mapping[str, str]) -> StoredTexts:
    """How texts by role are kept."""
    if sum(len(text.encode()) for text in texts.values()) < PACKED_FROM:
        return StoredTexts(dict(texts))
    packed = zlib.compress(json.dumps(texts, ensure_ascii=False).encode(), 9)
    if len(packed) <= INLINE_BYTES:
        return StoredTexts({"z": packed})
    apart = Apart(hashlib.sha256(packed).hexdigest(), packed, tuple(texts))
    return StoredTexts({"texts": {"sha256": apart.digest, "parts": list(apart.parts)}}, apart)


def parts_apart(item: Item) -> tuple[str, ...]:
    """The roles whose texts lie beside the table."""
    return tuple(item["texts"]["parts"]) if "texts" in item else ()


def read(item: Item, store: Texts) -> dict[str, str]:
    """The texts of an item by role, in whatever way they are kept.

    Raises:
        Unavailable: they lie in the store and are not there, or are not what was put there.
    """
    if "texts" in item:
        found = _unpacked(item["texts"]["sha256"], store)
    else:
        found = json.loads(zlib.decompress(item["z"])) if "z" in item else item
    return {role: found[role] for role in ROLES if found.get(role)}


def _unpacked(digest: str, store: Texts) -> Any:
    packed = store.get(digest, MOST_UNPACKED)
    unpacker = zlib.decompressobj()
    if hashlib.sha256(packed).hexdigest() == digest:
        text = unpacker.decompress(packed, MOST_UNPACKED)
    if not unpacker.eof:  # another text, or one that would fill the memory
        raise Unavailable("The prompt's text is not what was registered.", code="prompt_text_changed", retry_after=60)
    return json.loads(text)
