"""A provider whose models judge."""

import base64
import json
import re
from typing import Any

from broker.errors import BrokerError, Refused, Unavailable
from broker.providers.wire.base import Answer, Blob, Call, OperationStarted

from tests.fakes.flow import Echo

_BASE64 = re.compile(r"data:[a-z/]+;base64,([A-Za-z0-9+/=]+)|'data': '([A-Za-z0-9+/=]+)'")

PNG = bytes.fromhex("89504e470d0a1a0a")


class Judging(Echo):
    """Echoes, and judges: what has the word bomb in it is crime, and `names` are those that `entities` finds.

    A picture says what its bytes do.
    """

    tasks = frozenset({"chat", "embed", "moderate", "entities", "generate_image"})

    def __init__(self) -> None:
        super().__init__()
        self.fails: dict[str, BrokerError] = {}
        """By the name of the model that does."""
        self.fails_at: dict[str, BrokerError] = {}
        """By a word that is in what a judge or a service was asked."""
        self.names = "Ada Lovelace"
        self.knows: dict[str, dict[str, float]] = {}
        """The names that a model finds, and how surely, by its own name; unless said, `names`."""
        self.verdict: Any = None
        """What all judges say, and what all find that look for names, instead of what they would."""
        self.moderates: dict[str, Any] = {}
        """What services say that moderate, by the model's name."""
        self.made: list[bytes] = []
        """What pictures say that are made."""

    def invoke(self, call: Call) -> Answer | OperationStarted:
        """See `Provider.invoke`."""
        if call.model in self.fails:
            self.calls.append(call)
            raise self.fails[call.model]
        for word, error in self.fails_at.items():
            if call.task == "moderate" and word in _said(call.input):
                raise error
        if call.task == "moderate":
            return self._says(call, self.moderates.get(call.model) or self._moderation(call))
        if call.task == "generate_image":
            self.calls.append(call)
            files = tuple(Blob(PNG + each, "image/png") for each in self.made)
            return Answer({"count": len(files)}, units={"images": len(files)}, files=files)
        if call.task == "entities":
            found = self._named(call) if self.verdict is None else self.verdict
            return self._says(call, {"entities": [], "pii": found})
        if call.output_schema and "safety classifier" in str(call.input):
            return self._judges(call)
        return super().invoke(call)

    def _says(self, call: Call, output: dict[str, Any], **facts: int) -> Answer:
        self.calls.append(call)
        self.during()
        return Answer(output, **facts)

    def _moderation(self, call: Call) -> dict[str, Any]:
        bad = "bomb" in _said(call.input)
        return {"flagged": bad, "categories": {"violence": 0.5 if "perhaps" in str(call.input) else float(bad)}}

    def _named(self, call: Call) -> list[dict[str, Any]]:
        return [
            {"type": "name", "score": score, "begin": at.start(), "end": at.end()}
            for name, score in self.knows.get(call.model, {self.names: 0.99}).items()
            for at in re.finditer(re.escape(name), call.input["text"])
        ]

    def _judges(self, call: Call) -> Answer:
        finds = [{"kind": "crime", "score": 97}] if "bomb" in _said(call.input["messages"][1]) else []
        answer = {"finds": finds} if self.verdict is None else self.verdict
        said = self._says(call, {"text": json.dumps(answer), "json": answer}, input_tokens=100, output_tokens=10)
        for word, error in self.fails_at.items():
            if word in str(call.input):
                raise error
        return said


def _said(given: Any) -> str:
    """All that is said, in pictures too."""
    said = str(given)
    pictures = (base64.b64decode(url or data) for url, data in _BASE64.findall(said))
    return said + "".join(each.decode(errors="replace") for each in pictures)


DOWN = Unavailable("It is down.", code="down", maybe_paid=False)
REFUSED = Refused("It does not read this.", code="refused")
