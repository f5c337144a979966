"""What engines cost, who pays, and that each call is on record and settled."""

from typing import Any

import pytest
from broker.errors import Conflict
from broker.jobs.ending import cancel_job
from broker.jobs.erasing import erase
from broker.jobs.head import Status
from broker.providers.wire.base import Answer, Call
from broker.routing.units import most_units, most_units_of_text
from broker.token_estimates import estimate

from tests.fakes.circuits import FakeCircuits
from tests.fakes.flow import Flow
from tests.fakes.world import a_model
from tests.unit.engines.engines_case import BAD, CHAT, findings, guards, rule, said


def test_a_judge_blocks_before_the_model_and_its_call_is_paid_for(flow: Flow) -> None:
    flow.hold(rule("judge", stages=["input"]))
    head = flow(said(BAD))
    assert head.status is Status.BLOCKED and head.error is not None and head.error["code"] == "blocked_input"
    assert findings(flow, head) == [("input", "crime", "block", "judge")]
    assert guards(head) == ["judge"] and all("c" in call for call in head.calls.values())
    assert head.spent > 0
    assert not any("You: " in str(call.input) for call in flow.stage.provider.calls)


def test_the_worst_that_engines_can_cost_is_held_and_is_enough(flow: Flow) -> None:
    flow.hold(
        rule("judge"), {"check": "topics", "action": "flag", "engines": ["judge-2"], "topics": ["Cakes: all of them"]}
    )
    flow.tenant("acme", monthly_budget=10**12)
    flow.world.tenant("plain", monthly_budget=10**12)
    plain, judged = flow.submit(CHAT, "plain"), flow.submit(CHAT)
    assert 0 < plain.limit < judged.limit
    ended = flow.run(judged)
    assert ended.status is Status.SUCCEEDED and guards(ended) == ["judge", "judge-2"] * 2
    assert ended.spent <= judged.limit
    assert sum(call["r"] for call in ended.calls.values()) <= judged.limit, "no call is kept back by its worst case"


def test_nothing_of_a_job_that_is_erased_while_engines_judge_is_kept(flow: Flow) -> None:
    flow.hold(rule("judge", stages=["input"]))
    head = flow.submit(said(BAD))
    provider, world = flow.stage.provider, flow.world
    asked = provider.invoke

    def erased_meanwhile(call: Call) -> Any:
        answer = asked(call)
        ended = cancel_job(world.jobs, head.id, "acme", flow.now)
        erase(world.jobs, world.payloads, lambda tenant: None, lambda *turn: None, ended)
        return answer

    provider.invoke = erased_meanwhile  # type: ignore[method-assign]
    with pytest.raises(Conflict):  # which the workflow takes for what it is: nothing more is to be done
        flow.run(head)
    assert flow.world.payloads.names(head.id) == []
    assert all("c" in call for call in world.jobs.get(head.id).calls.values()), "and its call is paid for"


@pytest.mark.parametrize("word", ["नमस्ते दुनिया ", "The quick brown fox ", "مرحبا بالعالم "])
def test_what_is_held_is_enough_for_a_judge_that_counts_more_tokens_than_the_model(flow: Flow, word: str) -> None:
    flow.world.register(a_model("gpt", name="gpt-5"), a_model("claude", name="claude-haiku-5", price_in=50))
    flow.hold(rule("claude", stages=["output"]))
    flow.tenant("acme", monthly_budget=10**12)
    answer = word * (1_000 * 50 // estimate(word * 50, "openai"))
    flow.stage.provider.script.append(Answer({"text": answer}, input_tokens=10, output_tokens=1_000))
    head = flow(CHAT | {"model": "gpt"})
    assert (findings(flow, head), head.status) == ([], Status.SUCCEEDED)


def test_calls_that_were_not_sent_when_the_job_ended_are_not_paid_for(flow: Flow) -> None:
    topics = {"check": "topics", "action": "block", "stages": ["input"], "engines": ["judge-2"], "topics": ["x"]}
    flow.hold(rule("judge", stages=["input"]), topics)
    head, world = flow.submit(said(BAD)), flow.world

    class Ends(FakeCircuits):
        def admit(self, model_id: str, *more: Any, **facts: Any) -> None:
            if model_id == "judge-2":
                cancel_job(world.jobs, head.id, "acme", flow.now)
            super().admit(model_id, *more, **facts)

    flow.stage.circuits = Ends()
    with pytest.raises(Conflict):
        flow.run(head)
    ended = world.jobs.get(head.id)
    assert (ended.status, ended.spent, flow.stage.provider.calls) == (Status.CANCELED, 0, [])
    assert [call["p"] for call in ended.calls.values()] == ["no"]


def test_calls_that_a_crash_left_open_are_settled_by_the_repeat(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = flow.world.payloads.save

    def dies_once(job: Any, name: str, *rest: Any) -> Any:
        made = kept(job, name, *rest)
        if name.startswith("VERDICTS"):
            monkeypatch.undo()
            raise ConnectionError
        return made

    monkeypatch.setattr(flow.world.payloads, "save", dies_once)
    flow.repeats = True
    flow.hold(rule("judge", stages=["input"]), {"check": "secrets", "action": "block"})
    head = flow.submit(CHAT)
    flow.run(head)
    ended = flow.world.jobs.get(head.id)
    assert guards(ended) == ["judge"] and all("c" in call for call in ended.calls.values())
    assert not any(name.startswith("OUTPUT#") and name != ended.output for name in flow.world.payloads.names(head.id))


def test_what_engines_may_read_of_the_longest_answer_is_reckoned_without_writing_it_down() -> None:
    most = most_units_of_text("moderate", 10**12)
    assert most["text_units"] > 10**9 and most["characters"] > 10**12
    written = most_units({"task": "moderate", "input": {"text": "x" * 5_000}})
    assert most_units_of_text("moderate", 5_000).items() <= written.items()
    pii = most_units({"task": "entities", "input": {"text": "x" * 5_000, "features": ["pii"]}})
    assert most_units_of_text("entities", 5_000, 2)["characters"] == pii["characters"]
