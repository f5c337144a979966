"""How a route is described for the OpenAPI document."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """What a route takes and gives. `replies` are by status: the model of the body, or None for an empty one."""

    summary: str
    tag: str
    replies: dict[int, type[BaseModel] | None]
    errors: tuple[int, ...] = ()
    """Statuses of errors that only some routes have; those that every route has come on top."""
    parameters: tuple[Json, ...] = ()
    body: type[BaseModel] | None = None
    body_is_optional: bool = False
    streams: bool = False
    """Whether a success may also be an event stream, where the body asks for one."""
    form: type[BaseModel] | None = None
    """What may be sent as a form (`multipart/form-data`) in the place of the body, or is where there is none."""
    headers: tuple[str, ...] = ()
    """Names of reply headers of the successes."""
    content: Json | None = None
    """Of a success that has a body without a model, or may have one in the place of its own: kinds and schemas."""
    by_either_header: bool = False
    """Whether the key may also come as `x-api-key`; errors are in Anthropic's form then for who speaks its dialect."""
    in_dialect: type[BaseModel] | None = None
    """The model of a success for who sends `anthropic-version`, where it is another."""


LIMITED = ("RateLimit-Policy", "RateLimit")
"""Headers of what counts, where the caller has limits."""

LIMITED_OPENAI = tuple(
    f"X-RateLimit-{name}-{what}" for what in ("Requests", "Tokens") for name in ("Limit", "Remaining", "Reset")
)

LIMITED_ANTHROPIC = tuple(
    f"Anthropic-RateLimit-{what}-{name}" for what in ("Requests", "Tokens") for name in ("Limit", "Remaining", "Reset")
)


def parameter(place: str, name: str, description: str, schema: Json, **more: Any) -> Json:
    """A parameter; `place` is `path`, `query` or `header`."""
    return {"in": place, "name": name, "description": description, "schema": schema, "required": False} | more
