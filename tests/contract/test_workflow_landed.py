"""Executions go on with the definition that they began with: today's functions serve those deployed before."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from broker.errors import CredentialRejected, Throttled
from broker.jobs.head import Status
from broker.reviews.deciding import Reviewer
from broker.steps.settling import outcome_of
from jsonata.jsonata import Jsonata

from tests.contract.workflows import LANDED, PLATFORM, SETTLES, inference, states
from tests.fakes.flow import Flow
from tests.fakes.judging import Judging
from tests.fakes.reviews import decide_of
from tests.fakes.stage import Stage
from tests.fakes.world import SECOND, a_model

TODAY = "today"
REVIEWER = Reviewer("arn:ada")

each_definition = pytest.mark.parametrize("name", [*LANDED, TODAY])


def definition(name: str) -> dict[str, dict[str, Any]]:
    return inference() if name == TODAY else states(json.loads(LANDED[name].read_text()))


def flow_by(name: str) -> Flow:
    """A deployment whose executions began with a definition."""
    flow = Flow(stage=Stage(provider=Judging()), definition=definition(name))
    for engine, does in {"judge": ["chat"], "titan": ["embed"]}.items():
        flow.world.register(a_model(engine, name=engine, tasks=does, by_name_only=True))
    return flow


def ask(text: str, **more: Any) -> dict[str, Any]:
    return {"task": "chat", "input": {"messages": [{"role": "user", "content": text}]}, **more}


def words(action: str, *stages: str) -> dict[str, Any]:
    return {"check": "denied_terms", "action": action, "terms": ["heron"], "stages": list(stages)}


def judge(*stages: str) -> dict[str, Any]:
    return {"check": "harmful_content", "action": "block", "engines": ["judge"], "stages": list(stages)}


def plain(flow: Flow) -> None:
    ended = flow(ask("How do you do?"))
    assert (ended.status, flow.look(ended.id)["output"]["text"]) == (Status.SUCCEEDED, "You: How do you do?")


def the_next_candidate(flow: Flow) -> None:
    flow.stage.provider.script.append(CredentialRejected("The key is wrong.", code="credential_rejected"))
    ended = flow(ask("How do you do?"))
    assert (ended.status, len(ended.calls)) == (Status.SUCCEEDED, 2)


def a_wait_for_the_provider(flow: Flow) -> None:
    flow.stage.provider.script.append(Throttled("Slowly.", code="throttled", retry_after=2))
    assert flow(ask("How do you do?", model="small")).status is Status.SUCCEEDED


def nobody_can(flow: Flow) -> None:
    head = flow.submit(ask("How do you do?", model="small"))
    flow.world.register(a_model("small", status="disabled"))
    ended = flow.run(head)
    assert (ended.status, ended.calls) == (Status.FAILED, {})


def redacted(flow: Flow) -> None:
    flow.hold(words("redact", "input", "output"))
    ended = flow(ask("A heron."))
    assert "<DENIED_TERM_1>" in flow.sent[0]
    assert flow.look(ended.id, "jobs:read pii:read")["output"]["text"] == "You: A heron."


def blocked(flow: Flow) -> None:
    for stage in ("input", "output"):
        flow.hold(words("block", stage))
        ended = flow(ask("A heron."))
        assert (ended.status, (ended.error or {})["code"]) == (Status.BLOCKED, f"blocked_{stage}")


def judged(flow: Flow) -> None:
    flow.hold(judge("input", "output"))
    assert flow(ask("How do you do?")).status is Status.SUCCEEDED
    for stage in ("input", "output"):
        flow.hold(judge(stage))
        assert (flow(ask("Build the bomb.")).error or {})["code"] == f"blocked_{stage}"


def held_and_released(flow: Flow) -> None:
    for rules in (
        [words("review", "input")],
        [words("review", "output")],
        [words("review", "output"), judge("output")],
    ):
        flow.hold(*rules)
        head = flow(ask("A heron."))
        assert head.is_held
        flow.now += SECOND
        decide_of(flow.world, flow.world.queue).release(head.id, rules[0]["stages"][0], REVIEWER, "fine", flow.now)
        assert flow.run(flow.world.jobs.get(head.id)).status is Status.SUCCEEDED


def cached(flow: Flow) -> None:
    flow.tenant(cache_embedding_model="titan")
    first, same, similar = (flow(ask(text, cache={"similarity": 0.9})) for text in ("A.", "A.", "B."))
    assert [each.status for each in (first, same, similar)] == [Status.SUCCEEDED] * 3
    assert [flow.look(each.id)["cache"].get("kind") for each in (same, similar)] == ["exact", "semantic"]


JOBS: list[Callable[[Flow], None]] = [
    *(plain, the_next_candidate, a_wait_for_the_provider, nobody_can, redacted, blocked, judged, held_and_released),
    cached,
]


@each_definition
@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.__name__)
def test_a_job_ends_as_it_should_by_the_definition_that_it_began_with(name: str, job: Callable[[Flow], None]) -> None:
    job(flow_by(name))


@each_definition
def test_these_jobs_come_through_every_state(name: str) -> None:
    visited: set[str] = set()
    for job in JOBS:
        job(flow := flow_by(name))
        visited |= flow.visited
    assert definition(name).keys() - visited == {"Superseded"}, "of these nothing is proved"


@each_definition
@pytest.mark.parametrize("error", sorted(PLATFORM))
def test_whatever_it_makes_of_a_function_that_failed_is_an_end_for_settle_job(name: str, error: str) -> None:
    failed = {"errorOutput": {"Error": error, "Cause": "x"}}
    told = []
    for state in definition(name).values():
        for rule in state.get("Catch", ()):
            if text := rule.get("Assign", {}).get("ending"):
                expression = Jsonata(text.removeprefix("{%").removesuffix("%}"))
                answer = {"answer": {"output": "OUTPUT#1.1", "facts": {"model": "a"}}}
                for variable, held in {"states": failed, "asked": answer}.items():
                    expression.assign(variable, held)
                told.append(outcome_of(json.loads(json.dumps(expression.evaluate({})))))
    assert len(told) >= 5
    assert {outcome.status for outcome in told} == {Status.FAILED}


def test_there_is_a_definition_that_was_deployed() -> None:
    assert LANDED
    for name in LANDED:
        assert SETTLES in definition(name)
