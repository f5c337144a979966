"""Pictures: a mirrored pattern whose colours and squares come from a hash of the prompt, as PNG."""

import hashlib
import struct
import zlib

_SQUARES = 8
_COLOURS = 4


def paint(prompt: str, width: int, height: int, number: int = 0) -> bytes:
    """Paint a picture of a prompt; the same prompt and number give the same bytes.

    PNG (W3C recommendation) with a palette, a byte for each pixel.
    """
    seed = hashlib.shake_256(f"{number}\n{prompt}".encode("utf-8", "replace")).digest(200)
    palette, choices = seed[: 3 * _COLOURS], seed[3 * _COLOURS :]
    half = _SQUARES // 2
    rows = []
    for row in range(_SQUARES):
        left = [choices[row * half + column] % _COLOURS for column in range(half)]
        rows.append(b"\0" + bytes(_stretch([*left, *reversed(left)], width)))
    pixels = b"".join(rows[place] for place in _stretch(list(range(_SQUARES)), height))
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", zlib.compress(pixels)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def _stretch(values: list[int], length: int) -> list[int]:
    return [values[place * len(values) // length] for place in range(length)]


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
