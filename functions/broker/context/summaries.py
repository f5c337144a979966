"""Summaries that are kept with a conversation: each is paid for by one job, and used by those that come after it.

A summary stands for the oldest turns of its conversation: for the last one that it names, and for all before it. Jobs
that ask for `summarize` are then told the summary and the turns after it. When these no longer fit, the next summary is
made of this one and of the turns that fell out, and takes its place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from broker.context.fitting import SUMMARY_TOKENS, FittedRequest, Message
from broker.context.pairs import parts
from broker.context.summarising import OPENING, with_summary
from broker.guardrails.placeholders import named_in
from broker.storage import Put
from broker.token_estimates import estimate, estimate_input, estimate_message

SUMMARIZES = "summarize"
"""The strategy of jobs that make summaries and use those that are kept."""

LONGEST = 2 * SUMMARY_TOKENS
"""Tokens of a summary that is kept; a model that says more than it was asked for would crowd out what comes next."""

MOST_VALUES = 100_000
"""Characters of the values that a kept summary's placeholders stand for: they share its item."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What stands for the oldest turns of a conversation."""

    through: str
    """The job of the last turn that it stands for."""
    messages: int
    """How many it stands for."""
    tokens: int
    """About what they would take."""
    expires_at: int
    """Epoch seconds: it goes with the first of these turns that goes."""
    text: str = ""
    mapping: dict[str, str] = field(default_factory=dict)
    """What the placeholders of these turns stand for, whether the text still has them or not."""
    by: Sequence[str] = ()
    """The models that answered in these turns, as far as that is known."""


@dataclass(frozen=True, slots=True)
class SummaryPlace:
    """Where a conversation's summary is kept: the last write's version token (None before any), and what stands."""

    version_token: str | None
    summary: Summary | None


class Summaries(Protocol):
    """Where summaries are kept, one for each conversation.

    A summary holds what was said, so it goes when one of its turns is erased. Who erases takes the turn away first and
    renews the place's version token after it; who keeps has read the place before the turns, and writes only over the
    token that it read. So a summary of a turn that was erased meanwhile is never kept.
    """

    def place(self, tenant: str, conversation: str, now: int) -> SummaryPlace:
        """What stands there, as of the last write; one that has expired does not."""
        ...

    def stage_summary(self, tenant: str, conversation: str, summary: Summary, version_token: str | None) -> Put:
        """The write that keeps a summary in the place where this version token was read."""
        ...

    def verify_turns(self, staged: Put, turns: Sequence[str], since: str, now: int) -> None:
        """After that write: take the summary away again where a turn came in between.

        A job that was accepted before others may end after them; its turn is then older than the summary's last, and
        would be told to nobody. It looks for a summary after its turn is kept, so one of both sees the other.

        Args:
            staged: the write.
            turns: the jobs whose turns it stands for beside those of the summary before it, oldest first.
            since: what their ids are not below.
            now: milliseconds.
        """
        ...


@dataclass(frozen=True, slots=True)
class Cut:
    """A conversation that is cut: what is to be summarised and what is left. `text` of `summary` is still to come."""

    request: dict[str, Any]
    to_summarise: list[Message]
    summary: Summary | None
    """What may be kept; None where more than whole turns are to be summarised, such as messages of the job's own."""
    turns: list[str]
    """The jobs whose turns it stands for, beside those of the summary that it takes in."""


def cut(request: Mapping[str, Any], fitted: FittedRequest, room: int, family: str | None) -> Cut:
    """Cut a recalled conversation between two turns, so low that the summary serves for some jobs to come.

    What fitting leaves out is the least, so the next turn would not fit again. Here turns go until half of the room is
    free, or all of them are gone; never between a tool's call and its result.

    Args:
        request: as it was recalled (`conversations.recall`).
        fitted: the same, with `to_summarise`.
        room: tokens of the window that are the request's.
        family: whose tokens.
    """
    history = request.get("history", {})
    start, turns = history.get("from", 0), history.get("turns", [])
    gone = len(fitted.to_summarise)
    known = summary_of(request)
    end = 0 if known is None else 1
    left = estimate_input(fitted.request, family) + SUMMARY_TOKENS
    messages: Sequence[Message] = request["input"].get("messages", ())
    if fitted.to_summarise != list(messages[start : start + gone]):
        return Cut(fitted.request, fitted.to_summarise, None, [])
    taken: list[dict[str, Any]] = []
    for turn in turns:
        if taken and end >= gone and left <= room // 2 and not parts(messages, start + end):
            break
        fresh = messages[start + max(end, gone) : start + end + turn["messages"]]
        left -= sum(estimate_message(message, family) for message in fresh)
        end += turn["messages"]
        taken.append(turn)
    if not taken or end < gone or parts(messages, start + end):
        return Cut(fitted.request, fitted.to_summarise, None, [])
    stands = [*taken, *([_facts(known)] if known else [])]
    summary = Summary(
        taken[-1]["job"],
        sum(each["messages"] for each in stands),
        sum(each["tokens"] for each in stands),
        min(each["expires_at"] for each in stands),
        by=sorted({each["model"] for each in taken if "model" in each}.union(known.by if known else ())),
    )
    rest = [*messages[:start], *messages[start + end :]]
    changed = {**request, "input": {**request["input"], "messages": rest}}
    return Cut(changed, list(messages[start : start + end]), summary, [turn["job"] for turn in taken])


def may_be_kept(text: str, mapping: Mapping[str, str]) -> bool:
    """True for a summary that says something, no more than it was given room for, and of few enough values."""
    return bool(text.strip()) and estimate(text) <= LONGEST and sum(map(len, mapping.values())) <= MOST_VALUES


def mapping_of(request: Mapping[str, Any], to_summarise: Sequence[Message], known: Mapping[str, str]) -> dict[str, str]:
    """What has to stay with a summary: what the placeholders of its turns, and of the summary that it takes in, mean.

    Args:
        request: as it was recalled.
        to_summarise: the messages.
        known: what the job's own placeholders stand for.
    """
    before = summary_of(request)
    meant = {**request.get("history", {}).get("mapping", {}), **known}
    if not meant:
        return {}
    names = named_in(to_summarise) | (before.mapping.keys() if before else set())
    return {name: value for name, value in meant.items() if name in names}


def summary_of(request: Mapping[str, Any]) -> Summary | None:
    """The kept summary that a request was recalled with: a message of its own at the head of the history."""
    history = request.get("history", {})
    if "summary" not in history:
        return None
    text = request["input"]["messages"][history["from"]]["content"].removeprefix(OPENING)
    return Summary(**history["summary"], text=text)


def told_in_full(request: Mapping[str, Any], tokens: int, family: str | None) -> int:
    """Tokens that a request of `tokens` would have with the turns that its kept summary stands for."""
    known = summary_of(request)
    if known is None:
        return tokens
    return tokens + known.tokens - estimate_message(request["input"]["messages"][request["history"]["from"]], family)


def with_kept_summary(request: Mapping[str, Any]) -> dict[str, Any]:
    """A recalled request as a model gets it: its kept summary in the first user's turn."""
    known = summary_of(request)
    if known is None:
        return dict(request)
    messages = list(request["input"]["messages"])
    del messages[request["history"]["from"]]
    return with_summary({**request, "input": {**request["input"], "messages": messages}}, known.text)


def _facts(summary: Summary) -> dict[str, Any]:
    return {"messages": summary.messages, "tokens": summary.tokens, "expires_at": summary.expires_at}
