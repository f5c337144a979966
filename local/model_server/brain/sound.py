"""Speech: a tone for each word, as WAV, with the text in its comment, from which it is heard again."""

import io
import math
import struct
import wave
import zlib
from collections.abc import Iterator

from local.model_server.brain.text import words

RATE = 8000
"""Samples in a second; each has 16 bits."""
_WORD_S = 0.1
_MOST_WORDS = 50
_COMMENT = b"ICMT"


def say(text: str) -> bytes:
    """Speak a text, a tenth of a second for each word and five seconds at most, as a WAV file."""
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples(text))
    comment = text.encode("utf-8", "replace") + b"\0"
    listed = b"INFO" + _chunk(_COMMENT, comment)
    content = target.getvalue()[8:] + _chunk(b"LIST", listed)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def samples(text: str) -> bytes:
    """The bare samples of it, little-endian."""
    said = words(text)[:_MOST_WORDS] or [""]
    return b"".join(_tone(200 + zlib.crc32(word.encode()) % 600) for word in said)


def _tone(pitch: float) -> bytes:
    count = round(RATE * _WORD_S)
    values = (round(8000 * math.sin(math.tau * pitch * place / RATE)) for place in range(count))
    return struct.pack(f"<{count}h", *values)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def heard(sound: bytes) -> tuple[str | None, float]:
    """The text that `say` put into a sound (None for any other), and its seconds, guessed where it is no WAV."""
    text: str | None = None
    seconds = len(sound) / (2 * RATE)
    if sound[:4] != b"RIFF" or sound[8:12] != b"WAVE":
        return text, seconds
    per_second = 2 * RATE
    for kind, content in _chunks(sound[12:]):
        if kind == b"fmt " and len(content) >= 12:
            per_second = max(1, int.from_bytes(content[8:12], "little"))
        elif kind == b"data":
            seconds = len(content) / per_second
        elif kind == b"LIST":
            comments = [inner for name, inner in _chunks(content[4:]) if name == _COMMENT]
            text = comments[0].rstrip(b"\0").decode("utf-8", "replace") if comments else text
    return text, seconds


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    while len(content) >= 8:
        size = int.from_bytes(content[4:8], "little")
        yield content[:4], content[8 : 8 + size]
        content = content[8 + size + size % 2 :]
