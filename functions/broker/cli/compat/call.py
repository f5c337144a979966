"""One call of a program, and what became of it."""

import json
from dataclasses import dataclass
from typing import Any

WORKS, REFUSED, FAILED = "works", "refused", "failed"


@dataclass(frozen=True, slots=True)
class Call:
    """A call as a program made it."""

    method: str
    path: str
    """From the base URL on, without the query: `/chat/completions`."""
    headers: dict[str, str]
    """Names in lower case."""
    body: Any = None
    """Of JSON; None where there is none, or where it is something else."""
    is_form: bool = False


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call costs, in dollars."""

    model: str
    expected: float
    worst: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call, or would."""

    route: str
    """Method and path, with `{…}` for variables."""
    result: str
    """`works`, `refused` (by what it asks for) or `failed` (for another reason)."""
    why: str = ""
    cost: Cost | None = None


def json_of(text: str | bytes | None) -> Any:
    """A body's document; None where it is none."""
    try:
        return json.loads(text) if text else None
    except ValueError:
        return None
