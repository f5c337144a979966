"""A provider whose models judge."""

import json
import re
from typing import Any

from broker.errors import Refused, Unavailable
from broker.providers.wire.base import Answer, Call

from tests.fakes.flow import Echo


class Judging(Echo):
    """Echoes, and judges: what has the word bomb in it is crime. `down` is the names of models that are."""

    tasks = frozenset({"chat", "embed", "moderate", "entities"})

    def __init__(self) -> None:
        super().__init__()
        self.down: set[str] = set()
        self.refusing: set[str] = set()
        self.names = "Ada Lovelace"
        self.verdict: Any = None
        self.fails_at = ""

    def invoke(self, call: Call) -> Answer:
        """See `Provider.invoke`."""
        if call.model in self.down:
            self.calls.append(call)
            raise Unavailable("It is down.", code="down", maybe_paid=False)
        if call.model in self.refusing:
            self.calls.append(call)
            raise Refused("It does not read this.", code="refused")
        bad = "bomb" in str(call.input)
        if call.task == "moderate":
            self.calls.append(call)
            return Answer(
                {"flagged": bad, "categories": {"violence": 0.5 if "perhaps" in str(call.input) else float(bad)}}
            )
        if call.task == "entities":
            self.calls.append(call)
            text = call.input["text"]
            found = [
                {"type": "name", "score": 0.99, "begin": at.start(), "end": at.end()}
                for at in re.finditer(re.escape(self.names), text)
            ]
            return Answer({"entities": [], "pii": found if self.verdict is None else self.verdict})
        if call.output_schema and "safety classifier" in str(call.input):
            self.calls.append(call)
            if self.fails_at and self.fails_at in str(call.input):
                raise Unavailable("It broke off.", code="down", maybe_paid=False)
            finds = [{"kind": "crime", "score": 97}] if "bomb" in call.input["messages"][1]["content"] else []
            answer = {"finds": finds} if self.verdict is None else self.verdict
            return Answer({"text": json.dumps(answer), "json": answer}, input_tokens=100, output_tokens=10)
        return super().invoke(call)  # type: ignore[return-value]
