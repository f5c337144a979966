"""How documents are packed: JSON, compressed by zlib with a dictionary of our own (RFC 1950, `FDICT`).

DynamoDB bills writes by the kilobyte. Two kilobytes of English come to a little more than one by themselves, and mostly
to less with a dictionary of frequent words; other scripts have encodings and dictionaries of their own. What is packed
names its dictionary itself, by the checksum that the format has for it, in the table and in the bucket, and with it its
encoding; without one it was packed before there were dictionaries.
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

UTF_8 = "utf-8"


MOST_BYTES = 1_000_000
"""Of a text that is tried in an encoding of its script: larger ones lie in a bucket, where a kilobyte costs nothing."""


def pack(document: Any) -> bytes:
    """A JSON document, with the newest dictionary for what it is written in."""
    return pack_text(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())


def pack_text(text: bytes) -> bytes:
    """The same of a document that is JSON in UTF-8 already."""
    encoding, encoded = UTF_8, text
    if len(text) <= MOST_BYTES and not text.isascii():
        from broker.cloud.scripts import script_of  # where used: most starts need it late or never

        words = text.decode()
        if script := script_of(words):
            shorter = script.encoded(words)
            # Some encodings write two letters as one (EUC-JP a yen as a backslash): what would be read has to be this.
            read = shorter.decode(script.encoding)
            if read == words or _loaded(read) == json.loads(words):
                encoding, encoded = script.encoding, shorter
    packer = _primed(encoding).copy()
    return bytes(packer.compress(encoded) + packer.flush())


def unpack(packed: bytes) -> Any:
    """The document, with whatever dictionary it was packed; or JSON as it is (`cloud.plain`).

    Raises:
        KeyError: a dictionary that is not known here.
    """
    if packed[:1] == OBJECT:
        return json.loads(packed)
    if not packed[1] & NAMED:
        return json.loads(zlib.decompress(packed))
    dictionary, encoding = _dictionary(int.from_bytes(packed[2:6], "big"))
    unpacker = zlib.decompressobj(zdict=dictionary)
    return json.loads((unpacker.decompress(packed) + unpacker.flush()).decode(encoding))


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


@cache
def _primed(encoding: str) -> Any:
    """A compressor that has read the newest dictionary of an encoding: a copy of it is made faster than a new one."""
    newest = next(dictionary for dictionary, other in _dictionaries(encoding).values() if other == encoding)
    return zlib.compressobj(LEVEL, zdict=newest)


def _dictionary(name: int) -> tuple[bytes, str]:
    """The dictionary of this name, and its encoding."""
    return _dictionaries(UTF_8).get(name) or _dictionaries("")[name]


@cache
def _dictionaries(encoding: str) -> dict[int, tuple[bytes, str]]:
    """All that were ever written with, by the names that zlib gives them, the newest of each encoding first.

    Those of UTF-8 alone for it, for they are all that most processes need.
    """
    from broker.cloud.words import ENGLISH_1  # where used: most starts need it late or never

    found = [(ENGLISH_1, UTF_8)]
    if encoding != UTF_8:
        from broker.cloud.scripts import SCRIPTS

        found += [(script.dictionary, script.encoding) for script in SCRIPTS]
    return {zlib.adler32(dictionary): (dictionary, encoding) for dictionary, encoding in found}
