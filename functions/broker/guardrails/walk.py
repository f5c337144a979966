"""Every text that a model may see of a request, and that a client may see of an answer, each with its place.

Nothing is skipped but bytes that the contract says are bytes, where it says so: the keys of objects are texts too, and
numbers long enough to be one of a card's. What a reader sees as one text (the parts of a message, messages that follow
each other) is also given across its seams, so that nothing hides by being cut in two.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from broker.guardrails.canary import INSTRUCTING, unplanted
from broker.guardrails.path import WORDS, Path

Source = Literal["operator", "user", "model", "untrusted"]
"""Whose words: instructions and tools, the user's, the model's own, or what came from elsewhere (a tool's result)."""

Seam = Literal["parts", "messages", "pair"]
"""What a text across a seam joins: the parts of a list (of one message), messages that follow each other (also the
user's alone, without what is between), or a value and its name."""

PAIRED = (4, 512)
"""The fewest and the most characters of a value that is also read beside its name, as settings are written."""

OPTIONS = "provider_options"
"""Of a request: fields of its providers' own."""

SENT = ("input", "parameters", "output_schema", OPTIONS)
"""The parts of a request that a model, or its provider, gets to see."""

SOURCES: Mapping[str, Source] = {
    "system": "operator",
    "developer": "operator",
    "user": "user",
    "assistant": "model",
    "tool": "untrusted",
}
"""By the role of a message."""

TEXTS = frozenset({"text", "refusal"})
"""The types of parts of a message that are texts and nothing else."""

HOLDERS = frozenset({"image_url", "file", "input_audio"})
"""Fields of a part that may hold bytes, or say where they are."""

OTHERS: Mapping[str, Source] = {"tools": "operator", "tool_choice": "operator", "documents": "untrusted"}
"""By the part of an input, beside messages."""

LONG_NUMBERS = (10**11, 10**19)
"""JSON numbers of 12 to 19 digits may be card numbers."""

SEAM = 256
"""Characters on each side of a seam that are read as one: longer than any number, key or name that could be cut."""

_VALUE = re.compile("<(data_[0-9a-f]{12})>")
"""What `prompts.marking` puts before a value; all values of a request have the same."""

_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}\Z")
_SEAL = re.compile(r"[a-z]{1,20}:[tr]:[0-9a-f]{16}:[A-Za-z0-9+/=_-]+")
"""What a provider signed of what its model thought (`providers.wire.reasoning`): it goes to nobody else."""
_DATA_URL = re.compile(r"data:(?:image|audio|video|application)/[a-z0-9.+-]+;base64,", re.IGNORECASE)


class Piece(NamedTuple):
    """Which part of a text across a seam stands at which place: from `begin` of it, from `offset` of the place's."""

    begin: int
    path: Path
    offset: int


class Seen(NamedTuple):
    """One text. `pieces` are those of a text across a seam, which are also there alone."""

    path: Path
    text: str
    source: Source = "user"
    is_key: bool = False
    seam: Seam | None = None
    pieces: tuple[Piece, ...] = ()
    again: bool = False
    """True for a part of another text, given once more for it is somebody else's words."""


def input_texts(request: Mapping[str, Any]) -> Iterator[Seen]:
    """All that a model would read of a request."""
    for name in SENT:
        given = request.get(name)
        if name == OPTIONS:
            yield from _options(given or {})
            continue
        if name != "input" or not isinstance(given, Mapping):
            yield from _texts(Path(None, name), given, "operator")
            continue
        for part, value in given.items():
            path = Path(Path(None, name), part)
            if part == "messages" and isinstance(value, list):
                yield from _conversation(path, value)
            else:
                yield from _texts(path, value, OTHERS.get(part, "user"))


def _options(given: Mapping[str, Any]) -> Iterator[Seen]:
    """What a request says in fields of a provider's own; their names are those that operators allow."""
    for at, (provider, fields) in enumerate(given.items()):
        path = Path(Path(None, OPTIONS), provider, at)
        for number, (name, value) in enumerate(fields.items()):
            yield from _texts(Path(path, name, number), value, "operator")


def has_unread(request: Mapping[str, Any]) -> bool:
    """True where a model would get more of a request than its texts: pictures, documents, sounds, a body of any form.

    Nothing is taken out of those, whatever is in them.
    """
    given = request.get("input", {})
    if given.get("file") is not None or given.get("body") is not None:
        return True
    contents = (message.get("content") for message in given.get("messages") or ())
    return any(_is_no_text(part) for content in contents if isinstance(content, list) for part in content)


def _is_no_text(part: Any) -> bool:
    return not isinstance(part, Mapping) or part.get("type") not in TEXTS or not HOLDERS.isdisjoint(part)


def output_texts(output: Any) -> Iterator[Seen]:
    """All that a client would read of an answer."""
    yield from _texts(Path(None, "output"), output, "model")


def _conversation(path: Path, messages: list[Any]) -> Iterator[Seen]:
    messages = [unplanted(message) if _instructs(message) else message for message in messages]
    for number, message in enumerate(messages):
        role = message.get("role") if isinstance(message, Mapping) else None
        yield from _texts(Path(path, number), message, SOURCES.get(str(role), "user"))
        if isinstance(message, Mapping) and SOURCES.get(str(role)) == "operator":
            yield from _values(Path(path, number), message)
    said = [_said(Path(path, number), message) for number, message in enumerate(messages)]
    yield from _across("messages", path, "user", said)
    asked = [texts for texts, message in zip(said, messages, strict=True) if _is_users(message)]
    if 1 < len(asked) < len(said):
        yield from _across("messages", path, "user", asked)


def _instructs(message: Any) -> bool:
    return isinstance(message, Mapping) and message.get("role") in INSTRUCTING


def _is_users(message: Any) -> bool:
    return isinstance(message, Mapping) and message.get("role") == "user"


def _said(path: Path, message: Any) -> list[tuple[Path, str]]:
    """The texts of one message, in the order in which a model reads them."""
    content = message.get("content") if isinstance(message, Mapping) else None
    path = Path(path, "content")
    return [(path, content)] if isinstance(content, str) else _listed(path, content)


def _values(path: Path, message: Mapping[str, Any]) -> Iterator[Seen]:
    """The values that a request filled into instructions: they are not the operator's words."""
    for at, text in _said(path, message):
        begins = _VALUE.search(text)
        if begins is None:
            continue
        opening, closing = begins.group(), f"</{begins.group(1)}>"
        for value in text.split(opening)[1:]:
            inner, marked, _ = value.partition(closing)
            if marked and inner.strip():
                yield Seen(at, inner, "user", again=True)


def _listed(path: Path, values: Any) -> list[tuple[Path, str]]:
    """The texts of a list: those that stand in it, and those of parts that have one."""
    found: list[tuple[Path, str]] = []
    for number, each in enumerate(values if isinstance(values, list) else ()):
        if isinstance(each, str):
            found.append((Path(path, number), each))
        elif isinstance(each, Mapping) and isinstance(each.get("text"), str):
            found.append((Path(Path(path, number), "text"), each["text"]))
    return found


def _texts(root: Path, document: Any, source: Source) -> Iterator[Seen]:
    # With a stack of its own, for a document may be nested deeper than Python's.
    waiting: list[tuple[Path, Any]] = [(root, document)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, str):
            if not _is_bytes(path, value):
                yield Seen(path, value, source)
        elif isinstance(value, list):
            if {type(each) for each in value} <= {int, float}:
                yield from (_number(Path(path, at), each, source) for at, each in enumerate(value) if _is_long(each))
                continue
            yield from _across("parts", path, source, [[text] for text in _listed(path, value)])
            waiting += [(Path(path, at), each) for at, each in reversed(list(enumerate(value)))]
        elif isinstance(value, Mapping):
            yield from (Seen(path, name, source, is_key=True) for name in value if name not in WORDS)
            yield from _pairs(path, value, source)
            inner = [(Path(path, name, at), each) for at, (name, each) in enumerate(value.items())]
            waiting += reversed(inner)
        elif isinstance(value, int | float) and _is_long(value):
            yield _number(path, value, source)


def _pairs(path: Path, value: Mapping[str, Any], source: Source) -> Iterator[Seen]:
    """The values of an object beside their names: by a word such as `password` alone can some be told."""
    given = [(name, name, at) for at, name in enumerate(value) if name not in WORDS]
    if isinstance(value.get("name"), str) and "value" in value:
        given.append((value["name"], "value", 0))
    for name, key, number in given:
        held = value[key]
        at = Path(path, key, number)
        if isinstance(held, str) and PAIRED[0] <= len(held) <= PAIRED[1] and not _is_bytes(at, held):
            before = f'{name}: "'
            pieces = (Piece(len(before), at, 0),)
            yield Seen(path, f'{before}{held}"', source, seam="pair", pieces=pieces)


def _is_long(number: float) -> bool:
    return LONG_NUMBERS[0] <= abs(number) < LONG_NUMBERS[1]


def _number(path: Path, number: float, source: Source) -> Seen:
    return Seen(path, str(abs(int(number))), source)


def _across(seam: Seam, path: Path, source: Source, groups: list[list[tuple[Path, str]]]) -> Iterator[Seen]:
    """What stands around the seams between groups of texts; where seams are near each other, all around them in one."""
    pieces: list[Piece] = []
    seams: list[int] = []
    texts: list[str] = []
    length = 0
    for group in groups:
        if group and length:
            seams.append(length)
        for at, text in group:
            pieces.append(Piece(length, at, 0))
            texts.append(text)
            length += len(text)
    if not seams:
        return
    whole = "".join(texts)
    first = 0
    for begin, end in _windows(seams, length):
        while first + 1 < len(pieces) and pieces[first + 1].begin <= begin:
            first += 1
        last = first
        while last + 1 < len(pieces) and pieces[last + 1].begin < end:
            last += 1
        shown = [
            Piece(max(each.begin - begin, 0), each.path, max(begin - each.begin, 0))
            for each in pieces[first : last + 1]
        ]
        yield Seen(path, whole[begin:end], source, seam=seam, pieces=tuple(shown))


def _windows(seams: list[int], length: int) -> Iterator[tuple[int, int]]:
    begin, end = max(seams[0] - SEAM, 0), min(seams[0] + SEAM, length)
    for seam in seams[1:]:
        if seam - SEAM > end:
            yield begin, end
            begin = seam - SEAM
        end = min(seam + SEAM, length)
    yield begin, end


def _is_bytes(path: Path, value: str) -> bool:
    """True where the contract has the bytes of a picture, a sound or a document, and the value is nothing else."""
    if path.name not in ("data", "url", "image_url", "file_data", "seal"):
        return False
    match path.steps():
        case ["output", "reasoning", int(), "seal"] | ["input", "messages", int(), "reasoning", int(), "seal"]:
            return _SEAL.fullmatch(value) is not None
        case ["input", "file", "data"] | ["input", "messages", int(), "content", int(), "input_audio", "data"]:
            return _BASE64.match(value) is not None
        case ["input", "messages", int(), "content", int(), "image_url"]:
            pass
        case ["input", "messages", int(), "content", int(), "image_url" | "file", "url" | "file_data"]:
            pass
        case _:
            return False
    head = _DATA_URL.match(value)
    return head is not None and _BASE64.match(value, head.end()) is not None
