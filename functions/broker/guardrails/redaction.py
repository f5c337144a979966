"""Takes what was found out of a request, and puts it back into the answer.

The model gets placeholders (`<EMAIL_1>`), the same one for the same value; what they stand for stays with the job. What
was masked, hashed or removed does not come back.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from broker.guardrails.edits import Edit, Place

PLACEHOLDER = re.compile(r"<([A-Z][A-Z0-9_]{0,60}_[1-9][0-9]{0,6})>|&lt;([A-Z][A-Z0-9_]{0,60}_[1-9][0-9]{0,6})&gt;")
"""As it went out, or as a model has it that writes HTML."""

SHOWN = 4
"""Characters that a mask leaves, of values twice as long or longer."""

HASH_DIGITS = 16


class Placeholders:
    """The placeholders of one job: what each stands for."""

    def __init__(self, taken: Iterable[str] = (), mapping: Mapping[str, str] | None = None) -> None:
        """`taken` are those that the texts already have, as words of their own; `mapping` is that of an earlier run."""
        self.mapping: dict[str, str] = dict(mapping or {})
        self._taken = {*taken, *self.mapping}
        self._of = {value: name for name, value in self.mapping.items()}
        self._last: dict[str, int] = {}

    def of(self, kind: str, value: str) -> str:
        """The placeholder of a value."""
        if value not in self._of:
            word = re.sub("[^A-Z0-9]+", "_", kind.upper()).strip("_") or "VALUE"
            number = self._last.get(word, 0) + 1
            while f"{word}_{number}" in self._taken:
                number += 1
            self._last[word] = number
            name = f"{word}_{number}"
            self.mapping[name], self._of[value] = value, name
        return f"<{self._of[value]}>"


def masked(value: str) -> str:
    """A value in its own form with all but its last four letters and digits hidden."""
    letters = sum(1 for char in value if char.isalnum())
    hidden = letters - (SHOWN if letters >= 2 * SHOWN else 0)
    made = []
    for char in value:
        hides = char.isalnum() and hidden > 0
        hidden -= hides
        made.append("*" if hides else char)
    return "".join(made)


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
    made: Any = document
    for place, changes in edits.items():
        made = _with(made, place, lambda value, changes=changes: _edited(value, changes, names, key))
    return dict(made)


def _with(document: Any, place: Place, change: Any) -> Any:
    """The document with one value changed; places are no deeper than a request may be."""
    if not place:
        return change(document)
    first, *rest = place
    copy = dict(document) if isinstance(document, Mapping) else list(document)
    copy[first] = _with(document[first], tuple(rest), change)  # type: ignore[index]
    return copy


def _edited(value: Any, edits: Sequence[Edit], names: Placeholders, key: bytes) -> str:
    text = value if isinstance(value, str) else str(abs(int(value)))
    parts: list[str] = []
    last = 0
    for edit in edits:
        parts += (text[last : edit.begin], _replaced(text[edit.begin : edit.end] + edit.rest, edit, names, key))
        last = edit.end
    return "".join((*parts, text[last:]))


def _replaced(value: str, edit: Edit, names: Placeholders, key: bytes) -> str:
    if not edit.kind or edit.action == "remove":
        return ""
    match edit.action:
        case "mask":
            return masked(value)
        case "hash":
            return hashed(edit.kind, value, key)
    return names.of(edit.kind, value)


def placeholders_in(texts: Iterable[str]) -> set[str]:
    """What looks like a placeholder of ours in texts, by name."""
    return {name for text in texts if "_" in text for found in PLACEHOLDER.findall(text) for name in found if name}


def restored(document: Any, mapping: Mapping[str, str]) -> Any:
    """A copy of an answer with the values in the place of their placeholders, wherever the model put them.

    A text that is itself JSON (arguments of a tool, an answer to a schema) stays JSON.
    """
    if isinstance(document, str):
        return _restored_text(document, mapping)
    if isinstance(document, list):
        return [restored(each, mapping) for each in document]
    if isinstance(document, Mapping):
        return {_restored_text(name, mapping): restored(each, mapping) for name, each in document.items()}
    return document


def _restored_text(text: str, mapping: Mapping[str, str]) -> str:
    if not PLACEHOLDER.search(text):
        return text
    in_json = _is_json(text)

    def value_of(found: re.Match[str]) -> str:
        value = mapping.get(found.group(1) or found.group(2))
        if value is None:
            return found.group()
        return json.dumps(value, ensure_ascii=False)[1:-1] if in_json else value

    return PLACEHOLDER.sub(value_of, text)


def _is_json(text: str) -> bool:
    if text.lstrip()[:1] not in ("{", "[", '"'):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
