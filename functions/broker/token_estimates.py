"""Token counts before a model counts them: an estimate for each family of models, that errs on the high side.

A text's letters, digits, marks and scripts are counted, and each kind has a weight in each family. The weights were
fitted to what the families' own tokenizers count (991 texts: code, JSON, logs, noise, 90 languages; half of them held
back to measure the error). No tokenizer runs here: each takes some ten megabytes and most of a second to load, which is
more than the whole of what a function loads now. Sources, errors and the way to fit anew:
`docs/decisions/2026-11-24-tokens-are-estimated.md`. What is paid comes from the model's reply.
"""

import json
import re
import string
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import groupby
from typing import Any

UNDER = 0.25
"""The stated error: no estimate of a text that was measured is below its count by more than a quarter (one in a hundred
by more than 16 %, one in twenty by more than 7 %). Typically an estimate is a fifth too high; in scripts that a family
packs tightly (Thai or Arabic in Llama's), up to two and a half times."""

FAMILIES = ("openai", "claude", "claude_until_4_6", "llama", "gemini", "mistral", "unknown")
"""`claude` is what came after 4.6. `unknown` is any family that could not be measured: Titan, Nova, Cohere, …"""

WEIGHTS: dict[str, tuple[float, ...]] = {
    "blob": (0.67, 0.75, 0.69, 0.70, 0.85, 0.88, 0.88),
    "common": (0.50, 0.75, 0.50, 0.50, 0.50, 0.50, 0.50),
    "words": (0.86, 3.05, 2.10, 1.16, 1.35, 1.82, 1.93),
    "letters": (0.14, 0.06, 0.04, 0.14, 0.07, 0.08, 0.06),
    "capitals": (0.04, 0.00, 0.00, 0.00, 0.01, 0.11, 0.11),
    "digits": (0.06, 0.26, 0.24, 0.30, 1.17, 1.16, 1.16),
    "triples": (1.30, 0.70, 0.65, 0.70, 0.00, 0.00, 0.00),
    "marks": (0.65, 0.73, 0.65, 0.61, 0.61, 0.70, 0.70),
    "lines": (1.31, 0.16, 0.20, 1.00, 2.42, 2.25, 2.20),
    "latin": (0.49, 1.45, 1.08, 0.78, 0.25, 0.90, 0.95),
    "greek": (0.52, 1.35, 1.35, 0.55, 0.53, 1.13, 1.35),
    "cyrillic": (0.35, 0.66, 0.66, 0.45, 0.34, 0.49, 0.66),
    "cyrillic_other": (2.71, 3.78, 3.78, 3.42, 3.03, 3.41, 3.78),
    "semitic": (0.54, 1.39, 1.39, 1.00, 0.61, 1.19, 1.39),
    "indic": (0.42, 2.11, 2.11, 1.34, 0.63, 1.31, 2.11),
    "rare": (0.45, 2.39, 2.39, 2.09, 0.76, 2.19, 2.39),
    "han": (0.90, 1.25, 1.25, 0.90, 0.76, 1.25, 1.30),
    "hangul": (0.80, 1.50, 1.50, 0.83, 0.95, 1.55, 1.55),
    "other": (1.75, 2.51, 2.51, 2.10, 1.25, 2.60, 2.60),
}
"""Tokens for each of what a text is made of, in the order of `FAMILIES`. `unknown` was fitted to the most that any of
the measured tokenizers makes of a text; `claude` is the older one, raised by what was published about the newer (up to
1.46 times as many tokens for Latin letters, as many for other scripts)."""

NAMES = (
    (r"claude-(instant|v?[23])|claude-[a-z]+-4-([0-6]\b|2025)", "claude_until_4_6"),
    ("claude", "claude"),
    ("llama", "llama"),
    ("gemini|gemma", "gemini"),
    ("mistral|mixtral|ministral|magistral|codestral|devstral|pixtral|voxtral", "mistral"),
    (r"(^|[^a-z0-9])(chatgpt|gpt|o[1-9]|text-embedding)", "openai"),
)
"""What a provider's name of a model says of its family; the first that is found."""

PICTURES = {
    "openai": 2500,
    "claude": 2800,
    "claude_until_4_6": 1650,
    "llama": 3600,
    "gemini": 1110,
    "mistral": 4100,
    "unknown": 4100,
}
"""Tokens of a picture of two megapixels, or the most that the family makes of one where that is less."""

SMALL_PICTURE = 85
"""OpenAI's `"detail": "low"`."""

BYTES_A_TOKEN = {"audio": 120, "video": 30, "application": 18}
"""Of media that are no pictures: sound at 4 KB and 32 tokens a second; documents at 50 KB and 2,800 tokens a page."""

UNSEEN = 20_000
"""Tokens of a document or sound that lies in a bucket, where its size is not known: seven pages, or ten minutes."""

A_MESSAGE, A_REQUEST, WITH_TOOLS = 4, 3, 350
"""What providers wrap around turns, around all of them, and around definitions of tools."""

TOLD = {"classify": 150, "sentiment": 180, "entities": 300, "translate": 220}
"""What a chat model is told of a task on a text, with the form of its answer (`wire.language`)."""

COMMON = frozenset(
    b"the of to and a in is for that with on be this are or as by it an you can from not if your will at have we i was "
    b"but he they she has which when all one do more".split()
)
"""English words that are always a single token."""

FEWEST = 12
"""Characters to a token, at most: long runs of spaces."""

NOISE = 30
"""Letters, digits, `+` and `/` in a row that are no word any more: base64, digests."""

PIECE = 256 * 1024
"""Bytes of a text that are counted at once."""

BLOB = re.compile(rb"[A-Za-z0-9+/]{%d,}" % NOISE)


def _only(kept: str) -> bytes:
    """A table for `bytes.translate` that makes all but these characters spaces; several times as quick as a pattern."""
    return bytes(byte if chr(byte) in kept else 0x20 for byte in range(256))


LETTERS = _only(string.ascii_letters)
DIGITS = _only(string.digits)
MARKS = _only(string.punctuation)
RUNS = _only(string.ascii_letters + string.digits + "+/")

SCRIPTS: tuple[tuple[int, str], ...] = (
    *((0x80, "latin"), (0x250, "other"), (0x370, "greek"), (0x400, "cyrillic_other"), (0x410, "cyrillic")),
    *((0x450, "cyrillic_other"), (0x530, "rare"), (0x590, "semitic"), (0x900, "indic"), (0xC00, "rare")),
    *((0xE00, "indic"), (0xF00, "rare"), (0x1100, "hangul"), (0x1200, "rare"), (0x1780, "other"), (0x1800, "rare")),
    *((0x1E00, "latin"), (0x1F00, "other"), (0x2E80, "han"), (0xA000, "other"), (0xAC00, "hangul"), (0xD7B0, "other")),
    *((0xF900, "han"), (0xFB00, "other"), (0xFF00, "han"), (0xFFF0, "other")),
)
"""Where in Unicode which script begins."""

STARTS = tuple(start for start, _ in SCRIPTS)


def family_of(name: str) -> str:
    """The family of a model, from the provider's name of it."""
    return next((family for pattern, family in NAMES if re.search(pattern, name.lower())), "unknown")


def estimate(text: str, family: str | None = None) -> int:
    """Tokens of a text, about; at least one. Without a family: of one that is not known."""
    found = _features(text)
    column = FAMILIES.index(family or "unknown")
    return max(1, round(sum(times * WEIGHTS[name][column] for name, times in found.items())), len(text) // FEWEST)


@cache
def most_of_another(family: str, other: str) -> float:
    """How many times as many tokens one family makes of a text as another at most, by the weights of what texts are of.

    Args:
        family: whose tokens are asked for.
        other: whose tokens are known.
    """
    mine, theirs = FAMILIES.index(family), FAMILIES.index(other)
    words = [("words", "letters"), ("words", "letters", "lines")]
    numbers = [("digits", "triples"), ("digits", "digits", "digits", "triples")]
    together = words + numbers
    alone = [(name,) for name in WEIGHTS.keys() - set().union(*together) - {"capitals"}]
    sums = [[sum(WEIGHTS[name][column] for name in names) for column in (mine, theirs)] for names in together + alone]
    return max(mine / theirs for mine, theirs in sums)


def _features(text: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for piece in _pieces(text.encode(errors="replace")):
        _count(piece, found)
    if not text.isascii():
        for letter, times in Counter(text).items():
            if letter > "\x7f":
                found[SCRIPTS[bisect_right(STARTS, ord(letter)) - 1][1]] += times
    return found


def _pieces(given: bytes) -> Iterator[bytes]:
    """The text in pieces that end with a space: as lists, the words of all of it are a tenfold of its memory."""
    begin = 0
    while begin < len(given):
        end = given.find(b" ", begin + PIECE) + 1 or len(given)
        yield given[begin:end]
        begin = end


def _count(given: bytes, found: Counter[str]) -> None:
    if max(map(len, given.translate(RUNS).split()), default=0) >= NOISE:
        found["blob"] += sum(map(len, BLOB.findall(given)))
        given = BLOB.sub(b"\n", given)
    for word, times in Counter(given.translate(LETTERS).split()).items():
        if word.lower() in COMMON:
            found["common"] += times
        else:
            found["words"] += times
            found["letters"] += times * len(word)
        if len(word) > 2 and word.isupper():
            found["capitals"] += times * len(word)
    for number in given.translate(DIGITS).split():
        found["digits"] += len(number)
        found["triples"] += -(-len(number) // 3)
    for run, times in Counter(given.translate(MARKS).split()).items():
        found["marks"] += times * sum(1 for _ in groupby(run))  # a line of dashes is few tokens
    found["lines"] += given.count(b"\n")


def estimate_input(request: Mapping[str, Any], family: str | None = None) -> int:
    """Tokens of a stored request's material, with its tools and its schema; media by what they are, not as text."""
    given = dict(request.get("input", {}))
    tokens = A_REQUEST + TOLD.get(request.get("task", ""), 0)
    for message in given.pop("messages", ()):
        tokens += estimate_message(message, family)
    if tools := given.pop("tools", None):
        tokens += WITH_TOOLS + estimate(json.dumps(tools, ensure_ascii=False), family)
    if schema := request.get("output_schema"):
        tokens += estimate(json.dumps(schema, ensure_ascii=False), family)
    return tokens + (_of(given, family) if given else 0)


def estimate_message(message: Mapping[str, Any], family: str | None = None) -> int:
    """Tokens of one turn, in the form of `jobs.messages.Message`."""
    return A_MESSAGE + _of({name: value for name, value in message.items() if name != "role"}, family)


def _of(value: Any, family: str | None) -> int:
    media: list[int] = []
    texts = list(_texts(value, family, media))
    return sum(media) + (estimate("\n".join(texts), family) if texts else 0)


def _texts(value: Any, family: str | None, media: list[int]) -> Iterator[str]:
    """The texts in a value of JSON, keys of objects left out; what media take is put aside."""
    match value:
        case str():
            if value.startswith("data:") and ";base64," in value[:200]:
                media.append(_of_media(value[5:].split(";")[0], len(value), family))
            else:
                yield value
        case {"type": "image_url" | "input_image" | "image"}:
            media.append(_of_picture(value, family))
        case {"s3": str()} | {"data": str()}:
            data = value.get("data")
            kind = value.get("media_type") or _kind_of(value)
            media.append(_of_media(kind, len(data) if data else None, family))
        case {"seal": _, "text": text}:  # what was thought; nobody reads its signature
            yield str(text)
        case dict():
            for each in value.values():
                yield from _texts(each, family, media)
        case list():
            for each in value:
                yield from _texts(each, family, media)
        case None:
            return
        case _:
            yield str(value)


def _of_picture(part: Mapping[str, Any], family: str | None) -> int:
    inner = part.get("image_url")
    detail = inner.get("detail") if isinstance(inner, Mapping) else part.get("detail")
    return SMALL_PICTURE if detail == "low" else PICTURES[family or "unknown"]


def _kind_of(value: Mapping[str, Any]) -> str:
    """The media type of what does not say it: OpenAI's `input_audio`, or an object by the end of its name."""
    name = str(value.get("s3", "")).rsplit(".", 1)[-1].lower()
    if name in ("png", "jpg", "jpeg", "gif", "webp", "tif", "tiff", "bmp"):
        return f"image/{name}"
    return "audio/*" if "format" in value else "application/*"


def _of_media(media_type: str, base64_length: int | None, family: str | None) -> int:
    kind = media_type.split("/")[0]
    if kind == "image":
        return PICTURES[family or "unknown"]
    if base64_length is None:
        return UNSEEN
    return base64_length * 3 // 4 // BYTES_A_TOKEN.get(kind, BYTES_A_TOKEN["application"]) + 1
