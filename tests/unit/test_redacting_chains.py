"""Chains of jobs whose texts are redacted: what an erased part said is nowhere in those that go on after that."""

from typing import Any

import pytest
from broker.jobs.erasing import erase
from broker.jobs.head import Head
from broker.jobs.store import REDACTED, REQUEST

from tests.fakes.flow import Flow

ANN, BOB = "Ann Lee", "Bob Ray"


@pytest.fixture
def flow() -> Flow:
    return Flow([{"check": "denied_terms", "action": "redact", "terms": [ANN, BOB]}])


def ask(text: str, after: Head | None = None) -> dict[str, Any]:
    said = {"input": {"messages": [{"role": "user", "content": text}]}, "model": "small"}
    return said if after is None else said | {"previous_job_id": after.id}


def kept(flow: Flow, job: Head) -> str:
    return str([flow.world.payloads.load(job.id, name) for name in (REQUEST, REDACTED)])


def test_who_goes_on_has_the_values_of_what_is_kept(flow: Flow) -> None:
    first = flow(ask(f"I am {ANN}."))
    second = flow(ask(f"And {BOB}?", first))
    third = flow(ask("Who am I?", second))
    assert "I am <DENIED_TERM_1>." in flow.sent[2] and "And <DENIED_TERM_2>?" in flow.sent[2]
    assert ANN in kept(flow, third) and BOB in kept(flow, third)


def test_who_goes_on_after_a_part_was_erased_has_nothing_of_it(flow: Flow) -> None:
    first = flow(ask(f"I am {ANN}."))
    second = flow(ask(f"And {BOB}?", first))
    erase(flow.world.jobs, flow.world.payloads, lambda *_: None, lambda *_: None, first)
    third = flow(ask("Who is that?", second))
    assert ANN not in kept(flow, third) and BOB in kept(flow, third)
    assert "<DENIED_TERM_1>" not in flow.sent[2]
