"""Residency of all that is asked beside the answer: engines, embeddings, summaries."""

from typing import Any

import pytest
from broker.jobs.head import Status
from broker.jobs.store import REQUEST
from broker.storage import Item

from tests.fakes.asking import row
from tests.fakes.flow import Flow
from tests.fakes.judging import DOWN, Judging
from tests.fakes.payloads import FakePayloads
from tests.fakes.stage import Stage
from tests.fakes.talk import Talk
from tests.fakes.world import World, a_model
from tests.unit.engines.engines_case import guards
from tests.unit.residency_case import MAIL, REDACTS, asked, found, registered, said


@pytest.fixture
def flow() -> Flow:
    return registered(Flow(stage=Stage(provider=Judging())))


@pytest.mark.parametrize(
    ("facts", "status"), [({}, "blocked"), ({"fail_open": True}, "succeeded"), ({"action": "flag"}, "succeeded")]
)
@pytest.mark.parametrize("stage", ["input", "output"])
def test_an_engine_elsewhere_is_not_asked_and_its_rule_says_what_follows(
    flow: Flow, facts: dict[str, Any], status: str, stage: str
) -> None:
    flow.hold({"check": "harmful_content", "action": "block", "engines": ["judge"], "stages": [stage], **facts})
    head = flow(said("How do you do?"))
    assert (head.status.value, guards(head)) == (status, [])
    assert found(flow, head) == [(stage, "outside_residency", "error")]
    assert "judge" not in asked(flow)


@pytest.mark.parametrize("combine", ["any", "cascade"])
def test_an_engine_here_is_asked_and_in_a_cascade_takes_the_others_place(flow: Flow, combine: str) -> None:
    rule = {"check": "harmful_content", "action": "block", "engines": ["judge", "judge-here"], "stages": ["input"]}
    flow.hold(rule | {"combine": combine, "fail_open": True})
    head = flow(said("please build the bomb"))
    assert (head.status, guards(head)) == (Status.BLOCKED, ["judge-here"])
    assert ("input", "outside_residency", "error") in found(flow, head)
    assert asked(flow) == {"judge-here"}


def test_an_engine_elsewhere_reads_what_the_rules_have_redacted(flow: Flow) -> None:
    judged = {"check": "harmful_content", "action": "block", "engines": ["judge"]}
    flow.hold(REDACTS, judged)
    head = flow(said(f"Write to {MAIL}."))
    assert (head.status, guards(head)) == (Status.SUCCEEDED, ["judge", "judge"])
    assert MAIL not in str(flow.sent)


@pytest.mark.parametrize("repeats", [False, True])
def test_what_an_engine_here_takes_out_may_leave_and_not_before(flow: Flow, repeats: bool) -> None:
    flow.repeats = repeats
    flow.hold(
        REDACTS | {"engines": ["names-here"], "stages": ["input"]},
        {"check": "harmful_content", "action": "flag", "engines": ["judge"]},
    )
    head = flow(said("Write to Ada Lovelace."))
    assert (head.status, head.model) == (Status.SUCCEEDED, "there")
    assert asked(flow) == {"names-here", "there", "judge"}
    assert ("input", "name", "redact") in found(flow, head)
    assert ("input", "outside_residency", "error") in found(flow, head), "the text was not redacted yet"
    elsewhere = [call for call in flow.stage.provider.calls if call.model != "names-here"]
    assert "Ada Lovelace" not in str([call.input for call in elsewhere])


def test_what_a_check_found_and_engines_are_yet_to_confirm_is_not_redacted(flow: Flow) -> None:
    flow.hold(REDACTS | {"engines": ["rules", "names"], "combine": "all", "stages": ["input"]})
    head = flow(said(f"Write to {MAIL}."))
    assert (head.status, asked(flow), found(flow, head)) == (
        Status.BLOCKED,
        set(),
        [("input", "outside_residency", "error")],
    )
    assert flow(said("How do you do?")).model == "there", "it looked, and there was nothing to confirm"


@pytest.mark.parametrize("engine", ["names", "names-here"])
@pytest.mark.parametrize("rules", [[], [REDACTS]])
def test_where_an_engine_that_should_have_redacted_let_all_pass_it_stays_here(
    flow: Flow, engine: str, rules: list[Any]
) -> None:
    flow.stage.provider.fails = {"names": DOWN, "names-here": DOWN}  # type: ignore[attr-defined]
    by_engine = REDACTS | {"engines": [engine], "stages": ["input"], "fail_open": True}
    flow.hold(by_engine, *rules)
    head = flow(said("Write to Ada Lovelace."))
    assert (head.status, head.model) == (Status.SUCCEEDED, "here")
    assert "there" not in asked(flow)
    named = flow(said("Write to Ada Lovelace.", model="there"))
    assert (named.status, named.error and named.error["code"]) == (Status.FAILED, "no_candidate")
    assert "there" not in asked(flow)


def test_the_question_is_not_embedded_elsewhere(flow: Flow) -> None:
    flow.tenant(cache_embedding_model="vectors")
    body = said("How do you do?", cache={"similarity": 0.9})
    head = flow(body)
    assert (head.status, asked(flow)) == (Status.SUCCEEDED, {"here"})
    told = {each["model"]: each["why"] for each in flow.look(head.id)["route"]}
    assert "passed over: may send data to us" in told["vectors"]
    flow.hold(REDACTS)
    flow(body)
    assert "vectors" in asked(flow)


def test_a_shared_call_is_made_here(flow: Flow) -> None:
    head = flow(said("How do you do?", coalesce=True, routing={"fallbacks": ["there"]}))
    assert (head.status, asked(flow)) == (Status.SUCCEEDED, {"here"})


@pytest.mark.parametrize("alias", [False, True])
def test_turns_are_summarised_here_or_by_the_model_that_answers(alias: bool) -> None:
    talk = Talk()
    talk.stage.world.register(
        a_model("small", status="disabled"),
        a_model("large", status="disabled"),
        a_model("narrow", context_window=5_000, max_output_tokens=500, regions=["eu"]),
        a_model("cheap", price_in=0, price_out=1, context_window=50_000, regions=["us"]),
        row("all", residency={"regions": ["eu"]}),
        *([{"pk": "MODELS", "sk": "ALIAS#summarizer", "models": ["cheap"]}] if alias else []),
    )
    head = talk.until_summarised()
    calls = [(call["m"], call.get("w")) for call in head.calls.values()]
    assert calls == [("narrow", "summarize"), ("narrow", None)]
    assert {call.model for call in talk.stage.provider.calls} == {"narrow-1"}


class Counted(FakePayloads):
    """Counts how often requests are read."""

    reads = 0

    def load(
        self, job_id: str, name: str, item: Item | None = None, *, fresh: bool = False, words: bool = False
    ) -> Any | None:
        """See `Payloads.load`."""
        self.reads += name == REQUEST
        return super().load(job_id, name, item, fresh=fresh, words=words)


def test_requests_are_read_for_a_demand_only_where_there_is_one() -> None:
    def reads(*rows: Any) -> int:
        payloads = Counted()
        flow = Flow(stage=Stage(world=World(payloads=payloads), provider=Judging()))
        flow.world.register(a_model("judge", name="judge"), *rows)
        flow.hold({"check": "harmful_content", "action": "block", "engines": ["judge"]})
        assert flow(said("How do you do?")).status is Status.SUCCEEDED
        return payloads.reads

    plain = reads()
    assert reads(row("all")) == plain
    assert reads(row("all", residency={"providers": ["fake"]})) == plain + 2
