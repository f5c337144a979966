"""The texts of a request or an answer, each with its place (`input.messages.0.content`)."""

import re
from collections.abc import Iterator
from typing import Any

Text = tuple[str, str]


class Joined(str):
    """Parts of one message as a model reads them, in one; each of them is also there alone."""

    __slots__ = ()


LONG_NUMBERS = (10**12, 10**19)
"""JSON numbers of 13 to 19 digits may be card numbers."""

_PICTURE = re.compile(r"data:(image|audio|video)/[a-z0-9.+-]+;base64,[A-Za-z0-9+/=]*\Z", re.IGNORECASE)

SENT = ("input", "parameters", "output_schema")
"""The parts of a request that a model gets to see."""


def input_texts(request: dict[str, Any]) -> Iterator[Text]:
    """All that a model would read of a request."""
    for name in SENT:
        yield from _leaves(name, request.get(name))


def output_texts(output: dict[str, Any]) -> Iterator[Text]:
    """All that a client would read of an answer."""
    yield from _leaves("output", output)


def _leaves(root: str, document: Any) -> Iterator[Text]:
    # With a stack of its own, for a document may be nested deeper than Python's.
    waiting = [(root, document)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, str):
            if not _PICTURE.match(value):
                yield place, value
        elif isinstance(value, int) and LONG_NUMBERS[0] <= abs(value) < LONG_NUMBERS[1]:
            yield place, str(value)
        elif isinstance(value, list):
            # A model reads the parts of a message as one text, so what is split over two of them counts too.
            parts = [each["text"] for each in value if isinstance(each, dict) and isinstance(each.get("text"), str)]
            if len(parts) > 1:
                yield place, Joined("".join(parts))
            waiting += [(f"{place}.{number}", each) for number, each in reversed(list(enumerate(value)))]
        elif isinstance(value, dict):
            # The bytes of a picture or a sound are no text, and by chance look like anything.
            bytes_of = {"data"} if "media_type" in value else set()
            waiting += [(f"{place}.{name}", each) for name, each in reversed(value.items()) if name not in bytes_of]
