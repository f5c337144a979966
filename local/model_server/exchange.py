"""What the wire formats, the brain and the server say to each other."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from local.model_server.work import Work

Json = dict[str, Any]
Orders = Mapping[str, float]
Kind = Literal[
    "invalid", "credentials", "forbidden", "not_found", "method", "too_large", "throttled", "context", "server",
    "unavailable",
]  # fmt: skip
Finish = Literal["stop", "length", "refusal"]

STATUS: dict[Kind, int] = {
    "invalid": 400,
    "context": 400,
    "credentials": 401,
    "forbidden": 403,
    "not_found": 404,
    "method": 405,
    "too_large": 413,
    "throttled": 429,
    "server": 500,
    "unavailable": 503,
}
# A fixed birthday, so that the same input gives the same output: 2026-01-01T00:00:00Z.
CREATED = 1_767_225_600
CHARS_PER_TOKEN = 4


@dataclass
class Problem(Exception):
    """An error reply. Without a message, the format says it in its own words."""

    kind: Kind
    message: str = ""
    param: str | None = None
    code: str | None = None
    model: str = ""
    retry_after: float | None = None


@dataclass(frozen=True)
class Upload:
    """A file of a form."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Binary:
    """A reply that is not JSON."""

    content: bytes
    media_type: str


@dataclass(frozen=True)
class OddReply:
    """A reply that is neither an answer nor an error as the format's reference has them."""

    status: int
    body: Json


Reply = Json | Binary | OddReply


@dataclass(frozen=True)
class Request:
    """One call: ``model`` is without its orders, ``seed`` is a hash of path and body that ids are made from."""

    body: Json
    model: str
    orders: Orders
    headers: Mapping[str, str]
    seed: str
    work: Work
    files: Mapping[str, Upload] = field(default_factory=dict)


@dataclass(frozen=True)
class SpokenTurn:
    """What one side said; the role is ``system``, ``user`` or ``assistant`` in every format."""

    role: str
    text: str


@dataclass(frozen=True)
class ForcedTool:
    """The tool that the caller forces; ``named`` tells whether by name or by demanding any."""

    name: str
    schema: Json
    named: bool


@dataclass(frozen=True)
class Ask:
    """A chat request with the format taken off. ``schema`` without keys means any JSON object, None means prose."""

    turns: tuple[SpokenTurn, ...]
    schema: Json | None
    tool: ForcedTool | None
    max_tokens: int | None


@dataclass(frozen=True)
class Answer:
    """What the model says; with a forced tool, ``text`` is the JSON of its arguments."""

    text: str
    finish: Finish
    input_tokens: int
    output_tokens: int


class Wire(Protocol):
    """The error half of a provider's format."""

    def error(self, problem: Problem, request_id: str) -> Json:
        """Give the body of an error reply."""

    def headers(self, problem: Problem | None, request_id: str) -> dict[str, str]:
        """Give the headers that the provider adds to a reply."""


class Format(Wire, Protocol):
    """A provider's chat format; a module that has these functions is one."""

    def read(self, request: Request) -> Ask:
        """Take the format off, or raise Problem."""

    def write(self, request: Request, ask: Ask, answer: Answer) -> Json:
        """Put the format on."""


def tokens(characters: int) -> int:
    """Estimate tokens: four characters each, rounded up."""
    return math.ceil(characters / CHARS_PER_TOKEN)


def limit(value: object, param: str) -> int | None:
    """Read a limit of tokens; None is no limit."""
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise Problem("invalid", f"{param}: must be an integer of at least 1", param)
    return value


def mapping(value: object, param: str) -> Json:
    """Read an optional JSON object."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Problem("invalid", f"{param}: must be an object", param)
    return value


def items(value: object, param: str) -> list[Json]:
    """Read an optional list of JSON objects."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise Problem("invalid", f"{param}: must be a list of objects", param)
    return value


def text_of(content: object, param: str) -> str:
    """Read a text, or the texts among a list of parts; every format names a part's text ``text``."""
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(part["text"] for part in items(content, param) if isinstance(part.get("text"), str))


def pick_tool(tools: list[ForcedTool], name: object, param: str) -> ForcedTool:
    """Find the tool forced by name, or the first where any will do."""
    for tool in tools:
        if name is None or tool.name == name:
            return tool
    raise Problem("invalid", f"Tool choice '{name or 'any'}' not found in 'tools' parameter.", param)
