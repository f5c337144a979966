"""JSON that comes in, at every door: how it is read, and how deep it may be nested; and how much goes out at once."""

import json
from typing import Any

from broker.errors import InvalidRequest

DEEPEST = 64
"""Levels of arrays and objects in each other. What walks a request (guardrails, the cache, adapters) relies on it."""

MAX_BODY_BYTES = 5_000_000
"""Of a request with everything in it; larger documents come through the inbox bucket."""

MARK = "\ufeff"
"""A byte order mark, which some editors and clients write before a text."""

MOST_IN_REPLY = 4_000_000
"""Bytes of a job's answer, or of other texts together, in one reply, as `in_reply` counts; other fields have the rest.
Lambda takes 6,291,556 bytes of a function (Lambda Developer Guide, "Lambda quotas")."""

_NESTING = frozenset({dict, list})


def read(text: str) -> Any:
    """The value that a text holds; what is made of it checks its depth.

    Raises:
        InvalidRequest: it is not JSON (`invalid_json`), or deeper than Python's parser follows (`too_deep`).
    """
    try:
        return json.loads(text.removeprefix(MARK))
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise InvalidRequest("The body is not JSON.", code="invalid_json") from None


def in_reply(text: str) -> int:
    """Bytes that JSON has in a function's reply: that is JSON, in which the body is a text."""
    return len(text.encode()) + text.count('"') + text.count("\\")


def check_depth(value: Any) -> None:
    """Check a value's depth.

    Raises:
        InvalidRequest: there are more than `DEEPEST` levels (`too_deep`).
    """
    if is_deeper(value, DEEPEST):
        raise _too_deep()


def is_deeper(value: Any, most: int) -> bool:
    """Whether arrays and objects are nested in each other on more than so many levels; looked at level by level."""
    level = [value] if type(value) in _NESTING else []
    for _ in range(most):
        level = [
            inner
            for each in level
            for inner in (each.values() if type(each) is dict else each)
            if type(inner) in _NESTING
        ]
        if not level:
            return False
    return True


def _too_deep() -> InvalidRequest:
    return InvalidRequest(f"The body is nested deeper than {DEEPEST} levels.", code="too_deep")
