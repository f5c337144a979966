"""Jobs that go on from an earlier one: what was asked and answered up to it comes before their own messages.

A stored request has all that came before it, so two reads give the whole chain, however long it is. It knows of which
jobs the parts are: what one of them said is left out once that was erased, or is over by its `ttl_seconds`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

from broker.context.conversations import INSTRUCTIONS, MOST_TOKENS, answer_message
from broker.context.fitting import Message
from broker.errors import InvalidRequest, Unavailable
from broker.guardrails.canary import unplanted
from broker.guardrails.placeholders import named_in
from broker.jobs.head import JOB_ID, Head, Status
from broker.jobs.store import REDACTED, REQUEST, Jobs, Payloads
from broker.storage import Unread
from broker.token_estimates import estimate_message

FIELD = "previous_job_id"

NOT_FOUND = "previous_job_not_found"
"""The code for a job that is none of the tenant's, or whose words are not kept."""

MOST_JOBS = 500
"""In a chain, before the one that goes on."""


class Part(NamedTuple):
    """What one job added to a chain."""

    job: str
    expires_at: int
    """Epoch seconds."""
    messages: Sequence[Message]
    tokens: int

    @property
    def facts(self) -> dict[str, Any]:
        """What a request knows of it, beside its messages."""
        return {"job": self.job, "expires_at": self.expires_at, "messages": len(self.messages), "tokens": self.tokens}


@dataclass(frozen=True, slots=True)
class Chains:
    """Finds what a request goes on from."""

    jobs: Jobs
    payloads: Payloads

    def continued(self, tenant: str, document: Mapping[str, Any], now: int) -> dict[str, Any]:
        """Put what came before in front of the request's own messages, behind its instructions.

        Args:
            tenant: whose request it is.
            document: a stored chat request with its prompt filled in, which names an earlier job.
            now: milliseconds.

        Raises:
            InvalidRequest: there is nothing to go on from, or more than a request may have.
        """
        head = self._head(document[FIELD], tenant)
        earlier = self.payloads.load(head.id, REQUEST)
        answer = self.payloads.load(head.id, str(head.output))
        if earlier is None or answer is None:
            _refuse("it is not kept any more", NOT_FOUND)
        if not earlier.get("context", {}).get("continuable", True):
            _refuse("it was not to be kept (store: false), so nothing goes on from it", NOT_FOUND)
        redacted = self.payloads.load(head.id, REDACTED) or {}
        seen = redacted.get("request", earlier)
        parts = [*self.before(seen, now), part_of(head, [*own_messages(seen), answer_message(answer)])]
        messages = [message for part in parts for message in part.messages]
        given = dict(document.get("input", {}))
        own: list[Message] = list(given.pop("messages", ()))
        if isinstance(given.get("text"), str):
            own.append({"role": "user", "content": given.pop("text")})
        start = instructions_of(document, own)
        facts: dict[str, Any] = {"from": start, "to": start + len(messages), "chain": [part.facts for part in parts]}
        facts["by"] = sorted({*seen.get("history", {}).get("by", ()), *([head.model] if head.model else [])})
        known = {**seen.get("history", {}).get("mapping", {}), **redacted.get("mapping", {})}
        named = named_in(messages) if known else set()
        if mapping := {
            name: value for name, value in known.items() if name in named
        }:  # others may be of what is erased
            facts["mapping"] = mapping
        changed = {"input": given | {"messages": [*own[:start], *messages, *own[start:]]}, "history": facts}
        return _bounded({**document, **changed}, parts)

    def _head(self, job_id: str, tenant: str) -> Head:
        head = self.jobs.find(job_id) if JOB_ID.fullmatch(job_id) else None
        if head is None or head.tenant != tenant or head.task != "chat":
            _refuse("there is no such job", NOT_FOUND)
        if head.conversation is not None:
            _refuse(f"it is a turn of the conversation {head.conversation}, which goes on by its id", "in_conversation")
        if not head.status.terminal:
            _refuse("it has not ended yet", "previous_job_not_ended")
        if head.status is not Status.SUCCEEDED or head.output is None:
            _refuse(f"it has no answer ({head.status.value})", "previous_job_without_answer")
        return head

    def before(self, request: Mapping[str, Any], now: int) -> list[Part]:
        """Of what came before a stored request, the parts whose words are still kept.

        Raises:
            Unavailable: the tables are busy, so which were erased is not known.
        """
        history = request.get("history", {})
        at, parts = history.get("from", 0), list[Part]()
        for facts in history.get("chain", ()):
            messages = request["input"]["messages"][at : at + facts["messages"]]
            parts.append(Part(facts["job"], facts["expires_at"], messages, facts["tokens"]))
            at += facts["messages"]
        try:
            erased = self.jobs.erased([part.job for part in parts])
        except Unread:
            raise Unavailable("The tables are busy.", code="busy", retry_after=1) from None
        return [part for part in parts if part.expires_at > now // 1000 and part.job not in erased]


def instructions_of(document: Mapping[str, Any], own: Sequence[Message]) -> int:
    """How many of a request's own messages are instructions for it alone: the first that have such a role."""
    leading = next((number for number, each in enumerate(own) if each["role"] not in INSTRUCTIONS), len(own))
    said = document.get("context", {}).get("instructions")
    # Messages of a prompt stand before those that the number is of.
    return leading if said is None or "prompt_used" in document else min(said, leading)


def own_messages(document: Mapping[str, Any]) -> list[Message]:
    """A stored request's messages without what came before and its instructions."""
    place, given = document.get("history", {"from": 0, "to": 0}), document["input"]
    messages = given.get("messages") or [{"role": "user", "content": given.get("text", "")}]
    own = [*messages[: place["from"]], *messages[place["to"] :]]
    left = own[instructions_of(document, own) :]
    if "prompt_used" in document:  # which of them are the prompt's is not known any more
        left = [message for message in left if message["role"] not in INSTRUCTIONS]
    return [unplanted(message) for message in left]


def part_of(head: Head, messages: Sequence[Message]) -> Part:
    """What a job added."""
    return Part(head.id, head.payloads_until, messages, sum(map(estimate_message, messages)))


def _bounded(document: dict[str, Any], parts: Sequence[Part]) -> dict[str, Any]:
    """The request, without the oldest parts where there are more than it may have and its strategy may leave them out.

    Raises:
        InvalidRequest: it may not.
    """
    tokens, fits = 0, 0
    for part in reversed(parts):
        tokens += part.tokens
        if tokens > MOST_TOKENS or fits == MOST_JOBS:
            break
        fits += 1
    if fits == len(parts):
        return document
    if not fits or document.get("context", {}).get("strategy", "error") == "error":
        message = f"the chain has more than {MOST_JOBS} answers or {MOST_TOKENS:,} tokens"
        _refuse(message, "context_exceeded")
    history, messages = document["history"], document["input"]["messages"]
    gone = sum(len(part.messages) for part in parts[: len(parts) - fits])
    start = history["from"]
    kept = [*messages[:start], *messages[start + gone :]]
    left = {**history, "to": history["to"] - gone, "chain": history["chain"][len(parts) - fits :]}
    return {**document, "input": {**document["input"], "messages": kept}, "history": left}


def _refuse(why: str, code: str) -> NoReturn:
    raise InvalidRequest(f"{FIELD}: {why}", code=code, param=FIELD)
