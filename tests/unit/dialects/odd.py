"""One odd reply, and what comes of it."""

from dataclasses import dataclass, field
from typing import Any

from broker.errors import (
    BrokerError,
)

from tests.unit.dialects.base import Json

REPORTED = (7, 3)
"""The tokens of a reply that reports them."""

CITY = {"type": "function", "function": {"name": "get_city", "parameters": {"type": "object"}}}
ANY = {"type": "object", "properties": {"age": {"type": "integer"}, "sizes": {"type": "array"}}}


@dataclass(frozen=True)
class Odd:
    """One row; what is None is not looked at."""

    provider: str
    body: Any
    text: str | None = None
    json: Any = None
    calls: list[Any] | None = None
    """The arguments of each."""
    finish: str | None = None
    error: type[BrokerError] | None = None
    code: str | None = None
    tokens: tuple[int, int] | None = REPORTED
    """Of an answer, or what an error is charged for; of an answer, None where they are an estimate."""
    schema: Json | None = None
    headers: dict[str, str] = field(default_factory=dict)
