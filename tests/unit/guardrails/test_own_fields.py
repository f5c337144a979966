"""Fields of a provider's own leave the broker too: they are looked at, and what may not leave is taken out of them."""

from typing import Any

import pytest
from broker.guardrails.walk import input_texts
from broker.jobs.head import Status
from broker.jobs.store import REDACTED

from tests.fakes.flow import Flow
from tests.fakes.world import a_model

ANN = "Ann Lee"


def flow_that(action: str) -> Flow:
    flow = Flow([{"check": "denied_terms", "action": action, "terms": [ANN, "fake"]}])
    flow.world.register(a_model("small", provider="fake", provider_options=["user", "metadata", "verbosity"]))
    return flow


def asked(**options: Any) -> dict[str, Any]:
    return {"input": "Hi", "model": "small", "provider_options": {"fake": options}}


def test_what_is_redacted_does_not_leave_in_a_field_of_the_providers_own() -> None:
    flow = flow_that("redact")
    job = flow(asked(user=ANN, metadata={"who": [f"for {ANN}"]}, verbosity="low"))
    assert job.status is Status.SUCCEEDED, job.error
    (call,) = flow.stage.provider.calls
    one = "<DENIED_TERM_1>"
    assert call.extra == {"user": one, "metadata": {"who": [f"for {one}"]}, "verbosity": "low"}


def test_what_is_blocked_is_blocked_there_as_well_and_its_place_is_told() -> None:
    flow = flow_that("block")
    job = flow(asked(user=ANN))
    assert job.status is Status.BLOCKED and not flow.stage.provider.calls
    (found,) = flow.look(job.id)["guardrails"]
    assert found["place"].startswith("provider_options.")


def test_names_of_providers_and_their_fields_are_nobodys_words() -> None:
    flow = flow_that("block")
    job = flow(asked(verbosity="low"))
    assert job.status is Status.SUCCEEDED, "its provider's name is a denied term"
    assert flow.world.payloads.load(job.id, REDACTED) is None


@pytest.mark.parametrize("request_", [{}, {"provider_options": None}, {"provider_options": {"openai": {}}}])
def test_a_request_without_such_fields_has_nothing_to_look_at(request_: dict[str, Any]) -> None:
    assert list(input_texts(request_)) == []
