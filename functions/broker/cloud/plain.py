"""Answers as plain JSON, and how large they are in a reply.

What no reply has room for lies in the bucket as it is, for who follows a link: a plain client, which knows nothing of
how all else is packed.
"""

import json
from dataclasses import dataclass
from typing import IO, Any

from broker.json_text import MOST_IN_REPLY, in_reply
from broker.packed_numbers import Vectors

MEDIA_TYPE = "application/json"

MANY_NUMBERS = 100_000
"""More are written to a file one embedding after the other: as one text they are a tenfold of it in memory."""

VECTORS = "embeddings"


@dataclass(frozen=True, slots=True)
class PlainJson:
    """A document as JSON: its bytes, or a file of them that is gone when it is closed. Who asks for it closes it."""

    body: bytes | IO[bytes]
    size: int
    """In bytes."""
    in_reply: int
    """What it takes in a reply."""
    wordless: bool = False
    """True for numbers alone."""

    @property
    def is_shown(self) -> bool:
        """True where a reply has room for it."""
        return self.in_reply <= MOST_IN_REPLY

    def read(self) -> bytes:
        """All of it."""
        return self.body if isinstance(self.body, bytes) else self.body.read()

    def close(self) -> None:
        """Let go of the file."""
        if not isinstance(self.body, bytes):
            self.body.close()


def plain(document: Any) -> PlainJson:
    """A document as JSON; one of many numbers does not become one text on the way."""
    vectors = document.get(VECTORS) if isinstance(document, dict) else None
    if isinstance(vectors, Vectors) and vectors.numbers > MANY_NUMBERS and len(document) == 1:
        return _written(vectors)
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=list)
    body = text.encode()
    return PlainJson(body, len(body), in_reply(text))


def _written(vectors: Vectors) -> PlainJson:
    import tempfile  # for this alone

    file: IO[bytes] = tempfile.TemporaryFile()
    before = f'{{"{VECTORS}":['
    for text in vectors.texts():
        file.write(f"{before}{text}".encode())
        before = ","
    file.write(b"]}")
    size = file.tell()
    file.seek(0)
    return PlainJson(file, size, size + 2, wordless=True)
