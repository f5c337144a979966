"""How documents are packed: JSON, compressed by zlib with a dictionary of our own (RFC 1950, `FDICT`).

DynamoDB bills writes by the kilobyte. Two kilobytes of English come to a little more than one by themselves, and mostly
to less with a dictionary of frequent words. What is packed names its dictionary itself, by the checksum that the format
has for it, in the table and in the bucket; without one it was packed before there were dictionaries.
"""

import json
import zlib
from functools import cache
from typing import Any

LEVEL = 6

NAMED = 0x20
"""The bit of the second byte that says that the next four name a dictionary (RFC 1950, section 2.2)."""


OBJECT = b"{"
"""How JSON of an object begins, and nothing that is compressed (RFC 1950: the low half of the first byte is 8)."""


def pack(document: Any) -> bytes:
    """A JSON document, with the newest dictionary."""
    return pack_text(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())


def pack_text(text: bytes) -> bytes:
    """The same of a document that is JSON already."""
    packer = _primed().copy()
    return bytes(packer.compress(text) + packer.flush())


def unpack(packed: bytes) -> Any:
    """The document, with whatever dictionary it was packed; or JSON as it is (`cloud.plain`).

    Raises:
        KeyError: a dictionary that is not known here.
    """
    if packed[:1] == OBJECT:
        return json.loads(packed)
    if not packed[1] & NAMED:
        return json.loads(zlib.decompress(packed))
    unpacker = zlib.decompressobj(zdict=_dictionaries()[int.from_bytes(packed[2:6], "big")])
    return json.loads(unpacker.decompress(packed) + unpacker.flush())


@cache
def _primed() -> Any:
    """A compressor that has read the newest dictionary: a copy of it is made faster than a new one."""
    *_, newest = _dictionaries().values()
    return zlib.compressobj(LEVEL, zdict=newest)


@cache
def _dictionaries() -> dict[int, bytes]:
    """All that were ever written with, by the names that zlib gives them; the newest last."""
    from broker.cloud.words import ENGLISH_1  # where used: most starts need it late or never

    return {zlib.adler32(each): each for each in (ENGLISH_1,)}
