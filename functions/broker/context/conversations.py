"""Conversations that are kept: what was asked and answered in earlier jobs of one `conversation_id`.

A turn is what one job added: its own messages without instructions, and its answer. It is kept when the job succeeds,
under the job's id, so that keeping it twice is keeping it once; ids sort by acceptance, and so do turns. A conversation
belongs to its tenant: another tenant's of the same name is another one.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, Protocol

from broker.context.fitting import Count, Message, message_tokens
from broker.context.pairs import calls_of, open_results
from broker.context.records import Records
from broker.context.summaries import SUMMARIZES, Summaries, SummaryPlace
from broker.context.summarising import summary_message
from broker.guardrails.placeholders import Placeholders, named_in, restored
from broker.guardrails.untrusted import marked
from broker.jobs.head import Head
from broker.jobs.store import Linked
from broker.storage import Put
from broker.token_estimates import estimate_input, estimate_message

MOST_TURNS = 100
"""Turns that are looked at, newest first; and on a page of the list."""

A_PAGE = 30
"""Turns that come with one query however large they are (`cloud.conversations`): so many or fewer are all there are."""

MOST_TOKENS = 1_000_000
"""Of the turns that are read for one request, whatever room there is: the largest windows hold no more."""

NEXT = "!"
"""Behind an id, it sorts after it and before all others."""

INSTRUCTIONS = ("system", "developer")


@dataclass(frozen=True, slots=True)
class Turn:
    """What one job added. `at` is when it was accepted, in milliseconds; `tokens` about what the messages take."""

    job_id: str
    at: int
    tokens: int
    messages: list[Message]
    mapping: dict[str, str] = field(default_factory=dict)
    """What placeholders stand for: those in the messages, and what else the job was the first to name."""
    model: str | None = None
    """Which answered."""


@dataclass(frozen=True, slots=True)
class KeptTurn:
    """A turn that is kept; `load` reads its messages, which may lie in the bucket."""

    job_id: str
    at: int
    tokens: int
    expires_at: int
    """Epoch seconds."""
    load: Callable[[], list[Message]]
    """Reads its messages; none where it was erased meanwhile."""
    mapping: Callable[[], dict[str, str]] = dict
    """Reads what its placeholders stand for, at once with the messages; of most turns there is nothing to read."""
    model: str | None = None
    """Which answered; None where that is not known."""


class Turns(Summaries, Records, Protocol):
    """Where turns are kept, until the job's own data are deleted; and what is made of them."""

    def newest(
        self, tenant: str, conversation: str, *, limit: int, now: int, before: str | None = None, since: str = ""
    ) -> Sequence[KeptTurn]:
        """The newest turns that have not expired, newest first, read with one query.

        Args:
            tenant: whose.
            conversation: its id.
            limit: at most so many.
            now: milliseconds.
            before: a job's id; only turns of jobs accepted before it.
            since: only turns of jobs whose id is not below it; not together with `before`.
        """
        ...

    def stage(self, tenant: str, conversation: str, turn: Turn, expires_at: int) -> Put:
        """Make a turn ready to be kept until `expires_at` (SECONDS since the epoch); may be repeated.

        What is large is put into the bucket at once. The write that is given keeps the turn; it belongs into the commit
        that ends the job, so that a turn is there as soon as its job has succeeded, and never without.
        """
        ...

    def recheck(self, staged: Put) -> None:
        """After that commit: take the turn away again if its conversation was erased while the job was under way.

        A summary that jobs which were accepted later made without it goes too: the next job makes another. Where the
        commit is repeated, the job may have been erased since it ended; nothing is left of its turn then.
        """
        ...

    def drop(self, staged: Put) -> None:
        """Take a turn away, also one whose commit failed; may be repeated."""
        ...

    def link(
        self, tenant: str, conversation: str, kept: KeptTurn, messages: Sequence[Message], *, filled: bool
    ) -> Linked | None:
        """Put a turn's messages, which no reply has room for, where a link leads to them; None if it was just erased.

        They go with the turn. `filled` are those with the values in the place of their placeholders.
        """
        ...

    def erase(self, tenant: str, conversation: str, now: int) -> None:
        """Delete all turns and the summary; may be repeated."""
        ...

    def erase_turn(self, tenant: str, conversation: str, job_id: str) -> None:
        """Delete what one job added, whether it added anything or not, and a summary of it; may be repeated.

        The job has ended. So its turn is there by now or never comes: it is only kept in the commit that ends a job.
        """
        ...


@dataclass(frozen=True, slots=True)
class Recalled:
    """A request with its conversation in it. `turns` were put in; `document` says where (`history`), for `turn_of`.

    Where something was redacted in the conversation, `history` has its `mapping`, also that of turns without room.
    Where the strategy is to summarise, it has what `context.summaries` has to know: the turns, from which id on they
    are all there, the version token of the summary's place, and the summary that came in, if there was one.
    """

    document: dict[str, Any]
    turns: int


def room_for_history(document: Mapping[str, Any], window: int, output_reserve: int, family: str | None) -> int | None:
    """The `room` of `recall` beside the request's own material and the answer; in tokens, below zero for none.

    None where the strategy is to summarise: then all that is kept comes in, and fitting makes a summary of the oldest.
    """
    if _summarises(document):
        return None
    return window - output_reserve - estimate_input(marked(document), family)


def recall(
    turns: Turns, tenant: str, document: Mapping[str, Any], room: int | None, family: str | None, now: int
) -> Recalled:
    """Put the turns that are kept before the request's own, the newest that have room.

    Where the strategy is to summarise, a summary that is kept stands for those that it covers.

    Args:
        turns: where they are.
        tenant: whose.
        document: a stored chat request with its prompt filled in.
        room: tokens for them; None for all, where the strategy is to summarise.
        family: whose tokens.
        now: milliseconds.
    """
    conversation = document.get("conversation_id")
    if conversation is None:
        return Recalled(dict(document), 0)
    place = turns.place(tenant, conversation, now) if _summarises(document) else None  # before the turns: `Summaries`
    summary = place.summary if place else None
    since = f"{summary.through}{NEXT}" if summary else ""
    found = turns.newest(tenant, conversation, limit=MOST_TURNS, now=now, since=since)
    given = dict(document.get("input", {}))
    own: list[Message] = list(given.pop("messages", ()))
    if isinstance(given.get("text"), str):
        own.append({"role": "user", "content": given.pop("text")})
    count = partial(message_tokens, way=document.get("marking"), family=family)
    earlier = _with_room(found, room, count, own)
    start = next((number for number, each in enumerate(own) if each["role"] not in INSTRUCTIONS), len(own))
    names = Placeholders(mapping=summary.mapping if summary else {})
    changed_names = {kept.job_id: names.take_in(kept.mapping()) for kept in reversed(found)}
    history: list[Message] = []
    for kept, messages in earlier:
        renamed = changed_names[kept.job_id]
        history += restored(messages, renamed) if renamed else messages
    if summary:
        history.insert(0, summary_message(summary.text))
    facts: dict[str, Any] = {"from": start, "to": start + len(history)}
    if earlier and earlier[-1][0].model:
        facts["model"] = earlier[-1][0].model
    if models := {kept.model for kept, _ in earlier if kept.model}.union(summary.by if summary else ()):
        facts["by"] = sorted(models)
    if names.mapping:
        facts["mapping"] = names.mapping
    if place:
        whole = len(earlier) == len(found) <= A_PAGE
        facts |= _for_summaries(place, earlier, since if whole or not earlier else earlier[0][0].job_id)
    changed = {"input": given | {"messages": [*own[:start], *history, *own[start:]]}, "history": facts}
    return Recalled({**document, **changed}, len(earlier))


def _summarises(document: Mapping[str, Any]) -> bool:
    return bool(document.get("context", {}).get("strategy") == SUMMARIZES)


def _with_room(
    found: Sequence[KeptTurn], room: int | None, count: Count, own: Sequence[Message]
) -> list[tuple[KeptTurn, list[Message]]]:
    """The newest of them that have room, oldest first.

    A job may end with a tool's call, and a later one bring its result. The turn of a call that the request answers is
    taken even where it has no room, for fitting to say so; a turn that answers a call which is left out goes with it.
    """
    earlier: list[tuple[KeptTurn, list[Message]]] = []
    left, read, waiting = room, 0, open_results(own)
    for kept in found:
        read += kept.tokens
        if read > MOST_TOKENS:
            break
        messages = kept.load()
        if not messages:
            continue
        answered = waiting & calls_of(messages)
        if left is not None:
            left -= sum(map(count, messages))
            if left < 0 and not answered:
                break
        waiting -= answered
        earlier.append((kept, messages))
    if len(earlier) < len(found) or len(found) == MOST_TURNS:
        while earlier and _needs_what_is_left_out(earlier, own):
            earlier.pop()
    return earlier[::-1]


def _needs_what_is_left_out(earlier: Sequence[tuple[KeptTurn, list[Message]]], own: Sequence[Message]) -> bool:
    """Whether the oldest of the turns answers a call that none of them makes, and is not what the request answers."""
    oldest = earlier[-1][1]
    return bool(open_results(oldest)) and not open_results(own) & calls_of(oldest)


def _for_summaries(
    place: SummaryPlace, earlier: Iterable[tuple[KeptTurn, list[Message]]], since: str
) -> dict[str, Any]:
    turns = [
        {"job": kept.job_id, "messages": len(messages), "tokens": kept.tokens, "expires_at": kept.expires_at}
        | ({"model": kept.model} if kept.model else {})
        for kept, messages in earlier
    ]
    facts: dict[str, Any] = {"turns": turns, "since": since, "mark": place.version_token}
    if place.summary:
        known = asdict(place.summary)
        facts["summary"] = {name: value for name, value in known.items() if name != "text" and value}
    return facts


def turn_of(
    head: Head,
    document: Mapping[str, Any],
    output: Mapping[str, Any],
    mapping: Mapping[str, str] | None = None,
    model: str | None = None,
) -> Turn:
    """What a job that succeeded added to its conversation.

    Args:
        head: the job's.
        document: its stored request, as `recall` gave it, and as models saw it.
        output: its answer.
        mapping: what the placeholders of both stand for.
        model: which answered.
    """
    messages = [*_own(document), answer_message(output)]
    tokens = sum(map(estimate_message, messages))
    if not mapping:
        return Turn(head.id, head.created_at, tokens, messages, model=model)
    said, known = named_in(messages), document.get("history", {}).get("mapping", {})
    mine = {name: value for name, value in mapping.items() if name in said or name not in known}
    return Turn(head.id, head.created_at, tokens, messages, mine, model)


def _own(document: Mapping[str, Any]) -> Iterable[Message]:
    place = document.get("history", {"from": 0, "to": 0})
    given = document["input"]
    messages = given.get("messages") or [{"role": "user", "content": given.get("text", "")}]
    own = [*messages[: place["from"]], *messages[place["to"] :]]
    return (message for message in own if message["role"] not in INSTRUCTIONS)


def answer_message(output: Mapping[str, Any]) -> Message:
    """An answer as the message that it was."""
    text = output.get("text")
    if text is None and "json" in output:
        text = json.dumps(output["json"], ensure_ascii=False)
    more = {name: output[name] for name in ("tool_calls", "reasoning") if output.get(name)}
    return {"role": "assistant", "content": text, **more}
