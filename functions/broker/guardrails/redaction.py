"""Takes what was found out of a request or an answer.

What is redacted has a placeholder (`guardrails.placeholders`) and may come back. What is masked, hashed or removed is
gone.
"""

import hashlib
import hmac
import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from broker.guardrails.edits import Edit, Place
from broker.guardrails.placeholders import Placeholders, is_json

SHOWN = 4
"""Characters that a mask leaves, of values twice as long or longer."""

HASH_DIGITS = 16


def masked(value: str) -> str:
    """A value in its own form with all but its last four letters and digits hidden; signs where it has nothing else."""
    shows = [_is_of_form(char) for char in value]
    if all(shows):  # signs alone are what was found
        shows = [char.isspace() for char in value]
    letters = shows.count(False)
    hidden = letters - (SHOWN if letters >= 2 * SHOWN else 0)
    made = []
    for char, kept in zip(value, shows, strict=True):
        hides = not kept and hidden > 0
        hidden -= hides
        made.append("*" if hides else char)
    return "".join(made)


def _is_of_form(char: str) -> bool:
    """True for punctuation and white space; marks are part of their letters, and symbols of what they say."""
    return char.isspace() or unicodedata.category(char)[0] == "P" or char in "+$<=>^`|~"


def hashed(kind: str, value: str, key: bytes) -> str:
    """The same for the same value under the same key, and nothing of the value."""
    digest = hmac.new(key, value.encode(), hashlib.sha256).hexdigest()[:HASH_DIGITS]
    return f"<{kind.upper()}:{digest}>"


def redacted(
    document: Mapping[str, Any], edits: Mapping[Place, Sequence[Edit]], names: Placeholders, key: bytes = b""
) -> dict[str, Any]:
    """A copy of a document with all edits made; what is not changed is shared with it.

    Args:
        document: a request or an answer.
        edits: of a pipeline's report, by place.
        names: gives the placeholders, and keeps what they stand for.
        key: of hashes.
    """
    made = dict(document)
    copied: dict[Place, Any] = {(): made}
    for place, changes in edits.items():
        holder = _copied(copied, place[:-1])
        holder[place[-1]] = _edited(holder[place[-1]], changes, names, key)
    return made


def _copied(copied: dict[Place, Any], place: Place) -> Any:
    """What stands at a place, as a copy that may be changed; each is copied once, however many edits are below it."""
    for end in range(1, len(place) + 1):
        if place[:end] not in copied:
            above, last = copied[place[: end - 1]], place[end - 1]
            copy = dict(above[last]) if isinstance(above[last], Mapping) else list(above[last])
            copied[place[:end]] = above[last] = copy
    return copied[place]


def _edited(value: Any, edits: Sequence[Edit], names: Placeholders, key: bytes) -> str:
    text = value if isinstance(value, str) else str(abs(int(value)))
    parts: list[str] = []
    last = 0
    for edit in edits:
        value = text[edit.begin : edit.end] + edit.rest
        if "\\" in value and is_json(text):
            value = _unescaped(value)
        parts += (text[last : edit.begin], _replaced(value, edit, names, key))
        last = edit.end
    return "".join((*parts, text[last:]))


def _unescaped(value: str) -> str:
    """What a piece of a text in JSON says: the same value is the same, however it is written."""
    try:
        said: str = json.loads(f'"{value}"', strict=False)
    except ValueError:  # it is more than a piece of one text
        return value
    return said


def _replaced(value: str, edit: Edit, names: Placeholders, key: bytes) -> str:
    if not edit.kind or edit.action == "remove":
        return ""
    match edit.action:
        case "mask":
            return masked(value)
        case "hash":
            return hashed(edit.kind, value, key)
    return names.of(edit.kind, value)
