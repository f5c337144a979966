"""Pictures, exchange by exchange: what came is the answer, also where a later exchange fails, for it is paid for."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from broker.errors import BrokerError, Refused
from broker.providers.wire import pictures
from broker.providers.wire.base import Answer, Blob, Call
from broker.providers.wire.exchange import bad


@dataclass(frozen=True, slots=True)
class Part:
    """What one exchange brought."""

    files: Sequence[Blob]
    filtered: int = 0
    """Pictures that the model's content filters held back."""
    input_tokens: int = 0
    output_tokens: int = 0
    facts: dict[str, str] = field(default_factory=dict)
    revised: Sequence[Any] = ()
    """Prompts as the model wrote them, where it did."""


def gather(call: Call, most: int, paint: Callable[[list[int], float], Part]) -> Answer:
    """Make `input.count` pictures, at most so many at once, all within the call's time.

    Args:
        call: what is asked for.
        most: pictures of one exchange.
        paint: one exchange, for the pictures at these places and within these seconds.

    Returns:
        `{"count"}`; `filtered` where some were held back; `missing` where the provider made no more after some;
        `revised_prompts` where the model wrote its own, in the order of the files. Units are `images`, those among
        them that may have been made without coming here.

    Raises:
        Refused: all were held back.
        BrokerError: by `Provider`, where none came.
    """
    until = time.monotonic() + call.timeout
    wanted = pictures.places(call)
    parts: list[Part] = []
    answered = lost = 0
    for place in range(0, len(wanted), most):
        some = wanted[place : place + most]
        left = until - time.monotonic() if place else call.timeout
        if left <= 0:
            break
        try:
            parts.append(paint(some, left))
        except BrokerError as error:
            if any(part.files for part in parts):
                lost = len(some) if error.maybe_paid else 0
                break
            error.maybe_paid = error.maybe_paid or place > 0
            if place or not isinstance(error, Refused):
                error.tokens = None  # they are not all that is paid for: pictures may have been made as well
            raise
        answered += len(some)
    files = tuple(file for part in parts for file in part.files)
    into, out = sum(part.input_tokens for part in parts), sum(part.output_tokens for part in parts)
    filtered, missing = sum(part.filtered for part in parts), len(wanted) - answered
    if not files and filtered:
        message = "The model's content filters held the pictures back."
        raise Refused(message, code="content_filtered", maybe_paid=True, tokens=(into, out) if into or out else None)
    if not files:
        bad("The model's reply has no pictures.", code="empty_answer")
    lacking = {"filtered": filtered, "missing": missing}
    output: dict[str, Any] = {"count": len(files)} | {name: count for name, count in lacking.items() if count}
    revised = [each for part in parts for each in part.revised]
    if revised and all(isinstance(each, str) and each for each in revised):
        output["revised_prompts"] = revised
    return Answer(
        output,
        # What was lost is taken to be like what came.
        input_tokens=into + into * lost // len(files),
        output_tokens=out + out * lost // len(files),
        facts=parts[-1].facts,
        units={"images": len(files) + lost},
        files=files,
    )
