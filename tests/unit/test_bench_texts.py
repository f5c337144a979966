"""What the bench's jobs say is ordinary, and no guardrail of the default finds anything in it."""

import pytest
from broker.guardrails.pipeline import inspect
from broker.guardrails.policy import DEFAULT
from broker.guardrails.walk import input_texts

from bench.texts import texts


@pytest.mark.parametrize("kind", texts())
def test_a_bench_text_is_an_ordinary_one(kind: str) -> None:
    assert inspect("input", input_texts({"input": {"text": texts()[kind]}}), (DEFAULT,)).findings == []


def test_there_are_several_kinds() -> None:
    assert set(texts()) == {"code", "japanese", "prose", "russian", "table"}
