"""Nothing is lost by cutting a text: over parts, over messages, anywhere, and nothing but what was found is changed."""

from itertools import pairwise
from typing import Any

import pytest
from broker.guardrails.pipeline import inspect
from broker.guardrails.placeholders import Placeholders, placeholders_in, restored
from broker.guardrails.policy import Policy, Rule
from broker.guardrails.redaction import redacted
from broker.guardrails.walk import input_texts
from hypothesis import given
from hypothesis import strategies as st

VALUES = {
    "a card": "4012 8888 8888 1881",
    "a token": "ghp_" + "n7Qw2Zk9Lx" * 3 + "R4t8Vb",
    "an account": "DE89 3704 0044 0532 0130 00",
    "an address": "ann.lee@example.com",
    "a phone": "+44 20 7946 0958",
}
POLICY = Policy(rules=tuple(Rule(check, "redact") for check in ("secrets", "card_numbers", "personal_data")))


def as_parts(texts: list[str]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": text} for text in texts]}]}


def as_messages(texts: list[str]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text} for text in texts]}


def said(request: dict[str, Any]) -> str:
    contents = [message["content"] for message in request["input"]["messages"]]
    return "".join(
        content if isinstance(content, str) else "".join(part["text"] for part in content) for content in contents
    )


@pytest.mark.parametrize("as_", [as_parts, as_messages])
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
@given(st.lists(st.integers(0, 60), max_size=4), st.booleans())
def test_a_value_is_found_wherever_it_is_cut(as_: Any, value: str, cuts: list[int], long: bool) -> None:
    text = f"{'Many words come before it. ' * 40 if long else ''}Please note {value} for later."
    begin = len(text) - len(f"Please note {value} for later.")
    places = [0, *sorted({begin + cut for cut in cuts if begin + cut <= len(text)}), len(text)]
    request = {"task": "chat", "input": as_([text[a:b] for a, b in pairwise(places)])}
    report = inspect("input", input_texts(request), (POLICY,))
    names = Placeholders(placeholders_in(seen.text for seen in input_texts(request)))
    sent = redacted(request, report.edits, names)
    assert value not in said(sent)
    assert said(sent).startswith(text[: begin + len("Please note ")]) and said(sent).endswith(" for later.")
    assert restored(said(sent), names.mapping) == text
