"""Turns that clients make and change themselves, item by item."""

from collections.abc import Sequence

from broker.clock import new_job_id
from broker.context.conversations import KeptTurn, Turn
from broker.context.fitting import Message
from broker.token_estimates import estimate_message


def turn_made_of(messages: Sequence[Message], now: int) -> Turn:
    """A turn that no job brings; it has an id as a job has one, so that it sorts among those of jobs."""
    return Turn(new_job_id(now), now, sum(map(estimate_message, messages)), list(messages))


def turn_with(kept: KeptTurn, messages: Sequence[Message]) -> Turn:
    """A turn with fewer messages than it had, and so of fewer tokens."""
    tokens = min(sum(map(estimate_message, messages)), kept.tokens - 1)
    return Turn(kept.job_id, kept.at, tokens, list(messages), kept.mapping(), kept.model)
