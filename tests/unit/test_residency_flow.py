"""Residency through the whole workflow: who is asked for an answer, and what models were told."""

import base64
from typing import Any

import pytest
from broker.errors import InvalidRequest, Rejected, Unavailable
from broker.jobs.head import Status

from tests.fakes.asking import row
from tests.fakes.flow import Flow
from tests.fakes.judging import Judging
from tests.fakes.provider import failing
from tests.fakes.stage import Stage
from tests.fakes.world import a_model
from tests.unit.residency_case import MAIL, PICTURE, REDACTS, asked, found, registered, said


@pytest.fixture
def flow() -> Flow:
    return registered(Flow(stage=Stage(provider=Judging())))


@pytest.mark.parametrize("rules", [[], [REDACTS | {"action": "block"}], [REDACTS | {"stages": ["output"]}]])
def test_what_nobody_redacts_stays_here_and_the_route_says_why(flow: Flow, rules: list[Any]) -> None:
    flow.hold(*rules)
    head = flow(said("How do you do?"))
    assert (head.status, head.model, asked(flow)) == (Status.SUCCEEDED, "here", {"here"})
    told = {each["model"]: each["why"] for each in flow.look(head.id, include="route")["route"]}
    assert told["there"] == "may send data to us, and route all keeps unredacted data in eu"
    with pytest.raises(InvalidRequest):
        flow.submit(said("How do you do?", model="there"))


@pytest.mark.parametrize("text", [f"Write to {MAIL}.", "How do you do?"])
@pytest.mark.parametrize("action", ["mask", "redact", "remove"])
def test_what_is_redacted_may_leave_whether_anything_was_found_or_not(flow: Flow, text: str, action: str) -> None:
    flow.hold(REDACTS | {"action": action})
    head = flow(said(text))
    assert (head.status, head.model, asked(flow)) == (Status.SUCCEEDED, "there", {"there"})
    assert MAIL not in str(flow.sent)


def test_another_tenants_policy_frees_nobody_else(flow: Flow) -> None:
    flow.hold(REDACTS)
    flow.world.tenant("other")
    assert flow(said("How do you do?")).model == "there"
    assert flow(said("How do you do?"), "other").model == "here"


def test_a_policy_of_the_route_that_is_followed_frees_and_of_one_that_is_not_does_not(flow: Flow) -> None:
    flow.world.tenant("other")
    flow.hold(REDACTS)
    flow.world.register(row("kind", "there", query_type="kind", guardrails=["people"]))
    kind = {"routing": {"query_type": "kind"}}
    assert flow(said("How do you do?", **kind), "other").model == "there"
    with pytest.raises(InvalidRequest):
        flow.submit(said("How do you do?", model="there", **kind), "other")


def test_a_picture_beside_a_redacted_text_is_not_redacted(flow: Flow) -> None:
    flow.hold(REDACTS)
    body = said({"type": "text", "text": f"Whose is {MAIL}?"}, PICTURE)
    assert flow(body).model == "here"
    with pytest.raises(InvalidRequest):
        flow.submit(body | {"model": "there"})


def test_a_picture_in_an_earlier_turn_is_told_again_and_keeps_the_job_here(flow: Flow) -> None:
    flow.hold(REDACTS)
    talk = {"conversation_id": "c-1"}
    assert flow(said("How do you do?", **talk)).model == "there"
    assert flow(said({"type": "text", "text": "And this?"}, PICTURE, **talk)).model == "here"
    assert flow(said("What was it?", **talk)).model == "here"
    with pytest.raises(InvalidRequest):
        flow.submit(said("What was it?", model="there", **talk))


def test_turns_from_before_there_was_a_policy_are_redacted_before_they_leave(flow: Flow) -> None:
    talk = {"conversation_id": "c-1"}
    assert flow(said(f"I am {MAIL}.", **talk)).model == "here"
    flow.hold(REDACTS)
    flow.stage.provider.calls.clear()
    assert flow(said("Who am I?", model="there", **talk)).model == "there"
    assert MAIL not in str(flow.sent)


def test_what_tools_gave_and_are_told_is_redacted_with_the_rest(flow: Flow) -> None:
    flow.hold(REDACTS)
    flow.world.register(a_model("there", name="there", regions=["us"], capabilities=["tools"]))
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": '{"at": "ann@example.com"}'}}
    messages = [
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": f"It is {MAIL}."},
    ]
    tools = [{"type": "function", "function": {"name": "look", "description": f"Ask {MAIL}."}}]
    assert flow({"input": {"messages": messages, "tools": tools}}).model == "there"
    assert MAIL not in str(flow.sent)


def test_fallbacks_stay_here_too(flow: Flow) -> None:
    flow.world.register(a_model("here-too", name="here-too", regions=["eu"], rank=10))
    flow.stage.provider.script = [failing(Unavailable), failing(Unavailable)]
    head = flow(said("How do you do?", routing={"fallbacks": ["there"]}))
    assert head.status is Status.SUCCEEDED
    assert asked(flow) == {"here", "here-too"}


@pytest.mark.parametrize("rules", [[], [REDACTS | {"engines": ["names-here"], "stages": ["input"]}]])
def test_a_text_that_was_not_read_to_its_end_stays_here(flow: Flow, rules: list[Any]) -> None:
    flow.hold(REDACTS | {"fail_open": True}, *rules)
    encoded = base64.b64encode(b"Write to the keeper of the lamp, and to nobody else. " * 1_300).decode()
    head = flow(said(encoded))
    assert ("input", "not_all_decoded", "flag") in found(flow, head)
    assert (head.status, head.model) == (Status.SUCCEEDED, "here")
    assert asked(flow) == {"here"} | ({"names-here"} if rules else set())


def test_a_demand_that_comes_after_the_selection_holds_for_the_calls_that_follow() -> None:
    stage = Stage()
    stage.world.register(a_model("small", regions=["us"]), row("all", residency={"regions": ["eu"]}))
    with pytest.raises(Rejected) as failure:
        stage("small")
    assert failure.value.code == "outside_residency"
    assert (stage.provider.calls, stage.head.calls) == ([], {})
    stage.world.register(a_model("large", regions=["eu"]))
    assert stage("large")["facts"]["model"] == "large"


class Late(Flow):
    """A deployment whose policies change right after Check Input."""

    def _steps(self) -> dict[str, Any]:
        made = super()._steps()
        check = made["${CheckInputFunction}"]

        def checked(event: Any, context: Any) -> Any:
            told = check(event, context)
            self.hold(REDACTS)
            return told

        return made | {"${CheckInputFunction}": checked}


def test_what_policies_say_later_frees_nothing_that_they_have_not_redacted() -> None:
    flow = registered(Late(stage=Stage(provider=Judging())))
    ended = flow(said(f"Write to {MAIL}."))
    assert (ended.status, ended.model, asked(flow)) == (Status.SUCCEEDED, "here", {"here"})


def test_a_policy_that_is_missing_ends_the_job_as_it_does_without_a_demand(flow: Flow) -> None:
    flow.world.tenant("other", guardrails=["gone"])
    ended = flow(said("How do you do?", model="there"), "other")
    assert (ended.status, ended.error and ended.error["code"]) == (Status.FAILED, "policy_missing")
