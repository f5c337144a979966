"""How much a model is to think before it answers, and what it thought: one form for all dialects.

Asked for by `parameters.reasoning`: an `effort`, or `max_tokens` for the thinking, and whether a `summary` is wanted. A
dialect that has words for efforts is given the nearest that the model knows; one that has a budget, a share of the
answer's limit. Options of a model: `efforts`, the words that it knows (`low`, `medium` and `high` unless said), and
`reasoning`, the way in which it is asked where its provider has several.

A thought is `{"text", "seal"?}`. A seal says which provider signed it, of which text, and how; so it goes back to that
provider as it came, and to no other, and not at all where a guardrail, or the client, changed its text.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Literal, NamedTuple

from broker.errors import Rejected
from broker.providers.wire.base import Call
from broker.providers.wire.sending import taken

Json = dict[str, Any]

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""From the least to the most."""

USUAL = ("low", "medium", "high")

SHARES = {"minimal": 10, "low": 20, "medium": 50, "high": 80, "xhigh": 90, "max": 95}
"""Of an answer's limit, in percent, what its thinking may take."""

LEAST_BUDGET = 1024
"""That Anthropic's models take."""

SEAL = re.compile(r"([a-z]{1,20}):([tr]):([0-9a-f]{16}):([A-Za-z0-9+/=_-]+)")


class Wanted(NamedTuple):
    """What was asked for."""

    effort: str | None
    budget: int | None
    summary: str | None

    @property
    def is_off(self) -> bool:
        """Whether the model is not to think."""
        return self.effort == "none"

    @property
    def size(self) -> str:
        """The effort, `medium` where nothing is said of it."""
        return self.effort or "medium"


class Thought(NamedTuple):
    """One as its provider takes it back: a text and its signature, or `data` alone that only the provider can read."""

    kind: Literal["text", "data"]
    text: str
    signature: str


class Thinking(NamedTuple):
    """What a reply says of it."""

    thoughts: Sequence[Json]
    tokens: int | None = None
    """Of those that went out, as far as the service tells."""


NO_THINKING = Thinking(())


def wanted(call: Call) -> Wanted | None:
    """What the call asks for; None where it leaves that to the model."""
    given = call.parameters.get("reasoning") or {}
    if not any(given.values()):
        return None
    taken("reasoning")
    return Wanted(given.get("effort"), given.get("max_tokens"), given.get("summary"))


def thinks(call: Call) -> bool:
    """Whether the call asks for thinking, so that what was thought is told."""
    asked = wanted(call)
    return asked is not None and not asked.is_off


def limit_of(call: Call) -> int:
    """Tokens of thinking and answer together."""
    return int(call.parameters.get("max_output_tokens") or 4 * LEAST_BUDGET)


def effort_of(call: Call, asked: Wanted, known: Iterable[str] = USUAL) -> str | None:
    """The nearest effort that the model knows, the lower of two; None where nothing is said of it."""
    word = asked.effort
    if word is None and asked.budget is not None:
        share = 100 * asked.budget / limit_of(call)
        word = next((name for name, most in SHARES.items() if share <= most), "max")
    if word is None:
        return None
    place = EFFORTS.index(word)
    words: list[str] = sorted(call.options.get("efforts") or known, key=EFFORTS.index)
    return min(words, key=lambda each: abs(EFFORTS.index(each) - place))


def budget_of(call: Call, asked: Wanted, least: int = LEAST_BUDGET) -> int:
    """Tokens for the thinking, within the limit of the answer.

    Raises:
        Rejected: the limit leaves no room to think.
    """
    limit = limit_of(call)
    most = limit * SHARES["max"] // 100
    budget = min(asked.budget or limit * SHARES.get(asked.size, 0) // 100, most)
    if budget < least and asked.budget is None:
        budget = least
    if not least <= budget < limit:
        message = f"parameters.reasoning: the model thinks with {least} tokens at least, below max_output_tokens."
        raise Rejected(message, code="no_room_to_reason", param="parameters.reasoning")
    return budget


def thought(text: str, by: str = "", signature: Any = None) -> Json:
    """What was thought, sealed where the provider signed it."""
    return {"text": text} | _sealed(by, "t", text, signature)


def hidden(by: str, data: Any) -> Json:
    """What was thought and only its provider can read."""
    return {"text": ""} | _sealed(by, "r", "", data)


def _sealed(by: str, kind: str, text: str, signature: Any) -> Json:
    seal = f"{by}:{kind}:{_digest(text)}:{signature}"
    return {"seal": seal} if signature and SEAL.fullmatch(seal) else {}


def _digest(text: str) -> str:
    return sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def returned(thoughts: Any, by: str) -> list[Thought]:
    """Those of a message as the provider takes them back: all, or none where one is not as it came from there."""
    found: list[Thought] = []
    for each in thoughts if isinstance(thoughts, list) else ():
        text = each.get("text") if isinstance(each, Mapping) else None
        seal = SEAL.fullmatch(str(each.get("seal"))) if isinstance(text, str) else None
        if seal is None or seal[1] != by or seal[3] != _digest(str(text)):
            return []
        found.append(Thought("text" if seal[2] == "t" else "data", str(text), seal[4]))
    return found
