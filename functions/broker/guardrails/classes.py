"""A text as the classes of its characters, one byte each: what forms are looked for in, as quick as a plain search."""

from collections.abc import Iterable, Iterator

from broker.guardrails.spans import Span

SEPARATORS = " -./+()"
"""What may stand within a number."""


def _class(code: int) -> int:
    char = chr(code)
    if "0" <= char <= "9":
        return ord("9")
    if code < 128 and (char.isalpha() or char == "_"):
        return ord("A")
    return code if char in SEPARATORS else 0


CLASSES = bytes(map(_class, range(256)))


def classes(text: str) -> bytes:
    """Digits as `9`, ASCII letters as `A`, separators as themselves, all else as zero; as long as the text."""
    return text.encode("latin-1", "replace").translate(CLASSES)


def without(within: bytes, spans: Iterable[Span]) -> bytes:
    """The classes with none where something was found."""
    left = bytearray(within)
    for span in spans:
        left[span.begin : span.end] = bytes(span.end - span.begin)
    return bytes(left)


def places(within: bytes, form: bytes) -> Iterator[int]:
    """Where a form is, from left to right."""
    place = within.find(form)
    while place >= 0:
        yield place
        place = within.find(form, place + 1)
