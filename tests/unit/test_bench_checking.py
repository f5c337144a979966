"""The texts by which the CPU of checking is measured: always the same, ordinary, and read in full."""

import pytest
from broker.guardrails.pipeline import inspect
from broker.guardrails.policy import DEFAULT
from broker.guardrails.walk import input_texts

from bench.checking import CHECKS, KINDS, made, measure


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_is_ordinary_and_always_the_same(kind: str) -> None:
    text = made(kind, 20_000)
    assert len(text) == 20_000 and text == made(kind, 20_000)
    assert len(set(text.split())) > 20
    request = {"input": {"messages": [{"role": "user", "content": text}]}}
    assert not inspect("input", input_texts(request), (DEFAULT,)).blocked


def test_each_step_and_check_is_told() -> None:
    told = measure(made("json", 3000), 1)
    assert {*CHECKS, "normal form", "decoding", "default", "default but injection"} == set(told)
    assert all(ms >= 0 for ms in told.values()) and told["default"] > 0
