"""Prompt caches of providers, as a request speaks of them: `prompt_marks` in what is said, and a wish for the whole."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from broker.jobs.exact import Exact
from broker.jobs.field_errors import at
from broker.prompt_marks import LONG, MARK, MOST_MARKS, SHORT


class CacheControl(Exact):
    """A mark; `ttl` is how long what is before it is kept at least, where a provider lets that be said."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] = "5m"


class PromptCache(Exact):
    """Keep the prompt in the provider's cache, up to its end, without a mark in it."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    key: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    """Requests of one key are led to where a prompt that begins like theirs was read; it is the tenant's own."""
    ttl: Literal["5m", "30m", "1h", "12h", "24h"] = "5m"
    """At least, where a provider has a choice; of those that it has, the next."""


def check_marks(given: Any) -> None:
    """Check that there are no more marks than providers take, and none for longer after one for less.

    Args:
        given: the checked `jobs.fields.Input`.

    Raises:
        PydanticCustomError: at the mark at fault.
    """
    seen: list[str] = []
    for place, mark in _marks(given):
        if len(seen) == MOST_MARKS:
            raise at(place, f"a request has {MOST_MARKS} marks of a prompt cache at most")
        if mark.ttl == LONG and SHORT in seen:
            raise at(place, "what is kept for an hour comes before what is kept for five minutes")
        seen.append(mark.ttl)


def _marks(given: Any) -> Iterator[tuple[str, CacheControl]]:
    """The marks in the order in which providers read a prompt: tools, instructions, all else."""
    for number, tool in enumerate(given.tools or ()):
        yield from _mark(tool, f"input.tools.{number}")
    messages = list(enumerate(given.messages or ()))
    for number, message in sorted(messages, key=lambda each: each[1].role not in ("system", "developer")):
        place = f"input.messages.{number}"
        if isinstance(message.content, list):
            for which, part in enumerate(message.content):
                yield from _mark(part, f"{place}.content.{which}")
        if message.role == "assistant":  # what another has of that name, nobody looked at
            for which, call in enumerate(message.tool_calls or ()):
                yield from _mark(call, f"{place}.tool_calls.{which}")
        yield from _mark(message, place)


def _mark(holder: Any, place: str) -> Iterator[tuple[str, CacheControl]]:
    if holder.cache_control is not None:
        yield f"{place}.{MARK}", holder.cache_control
