"""The ways through the workflow: it does what its steps say, by the expressions that it has."""

from typing import Any

import pytest
from broker.steps.settling import NOT_STARTED, OUT_OF_MEMORY, outcome_of
from jsonata.jsonata import Jsonata

from tests.contract.workflows import INVOKES, PLATFORM, SETTLES, inference, rule_for


def value(text: str, **variables: Any) -> Any:
    """What an expression gives."""
    expression = Jsonata(text.removeprefix("{%").removesuffix("%}"))
    for name, held in variables.items():
        expression.assign(name, held)
    return expression.evaluate({})


@pytest.mark.parametrize("name", ["Invoke Model", "Find Similar"])
@pytest.mark.parametrize("error", ["States.Timeout", "Sandbox.Timedout"])
def test_a_call_that_took_its_function_with_it_is_not_made_again(name: str, error: str) -> None:
    assert rule_for(inference()[name], "Retry", error).get("MaxAttempts") == 0


def way_from(asked: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Where the workflow goes after a step's answer, and what it assigns on the way."""
    choice = inference()["What Next?"]
    for each in choice["Choices"]:
        if value(each["Condition"], asked=asked):
            return each["Next"], {name: value(text, asked=asked) for name, text in each.get("Assign", {}).items()}
    return choice["Default"], {}


@pytest.mark.parametrize(
    ("asked", "following", "assigned"),
    [
        ({"next": "moderate", "answer": {"output": "OUTPUT#1.1"}}, "Moderate Output", {}),
        ({"next": "repeat"}, "Invoke Model", {}),
        ({"next": "wait", "pause": 3}, "Wait For Provider", {}),
        ({"next": "candidate", "place": 2}, "Invoke Model", {"place": 2}),
        ({"next": "end"}, SETTLES, {}),
    ],
)
def test_the_workflow_does_what_the_step_says(asked: dict[str, Any], following: str, assigned: dict[str, Any]) -> None:
    assert inference()[INVOKES]["Next"] == "What Next?"
    assert way_from(asked) == (following, assigned)


def test_a_wait_is_as_long_as_the_step_says() -> None:
    waits = inference()["Wait For Provider"]
    assert (value(waits["Seconds"], asked={"next": "wait", "pause": 3}), waits["Next"]) == (3, INVOKES)


@pytest.mark.parametrize(
    ("place", "following", "assigned"), [(0, INVOKES, {"place": 1}), (1, INVOKES, {"place": 2}), (2, SETTLES, {})]
)
@pytest.mark.parametrize("error", sorted(PLATFORM - {"States.ALL", OUT_OF_MEMORY} - NOT_STARTED))
def test_a_function_that_died_costs_its_candidate_the_turn(
    error: str, place: int, following: str, assigned: dict[str, Any]
) -> None:
    rule = rule_for(inference()[INVOKES], "Catch", error)
    failed = {"errorOutput": {"Error": error, "Cause": "x"}}
    held = {
        name: value(text, states=failed, place=place, candidates=["a", "b", "c"])
        for name, text in rule["Assign"].items()
    }
    assert rule["Next"] == "What Next?"
    assert way_from(held["asked"]) == (following, assigned)
    assert held["ending"] == {"failure": failed["errorOutput"]}


KILLED = (
    '{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 1 Error: Runtime exited with error: signal: killed"}'
)


@pytest.mark.parametrize(
    ("error", "failed"),
    [("Runtime.ExitError", {"Error": "Runtime.ExitError", "Cause": KILLED}), (OUT_OF_MEMORY, {"Error": OUT_OF_MEMORY})],
)
def test_a_function_that_ran_out_of_memory_is_not_asked_for_each_candidate(error: str, failed: dict[str, Any]) -> None:
    invokes = inference()[INVOKES]
    assert rule_for(invokes, "Retry", error)["MaxAttempts"] <= 1, "a process that had grown before is not there again"
    assign = rule_for(invokes, "Catch", error)["Assign"]
    variables = {"states": {"errorOutput": failed}, "place": 0, "candidates": ["a", "b", "c"]}
    held = {name: value(text, **variables) for name, text in assign.items()}
    assert way_from(held["asked"]) == (SETTLES, {})
    error_told = outcome_of(held["ending"]).error or {}
    assert (error_told["type"], error_told["code"]) == ("internal_error", "out_of_memory")


@pytest.mark.parametrize("error", sorted(NOT_STARTED))
def test_a_function_that_was_not_started_costs_no_candidate_its_turn(error: str) -> None:
    rule = rule_for(inference()[INVOKES], "Catch", error)
    failed = {"errorOutput": {"Error": error, "Cause": "x"}}
    assert rule["Next"] == SETTLES
    assert value(rule["Assign"]["ending"], states=failed) == {"failure": failed["errorOutput"]}


@pytest.mark.parametrize("name", ["Find Similar", "Invoke Model"])
@pytest.mark.parametrize("died", [False, True])
def test_a_head_goes_to_the_first_call_alone(name: str, died: bool) -> None:
    state = inference()[name]
    assign = (rule_for(state, "Catch", "Lambda.Unknown") if died else state)["Assign"]
    following = value(assign["run"], run={"job_id": "job_1", "head": {"rev": 2}})
    assert (following["job_id"], following.get("head")) == ("job_1", None)


@pytest.mark.parametrize("name", ["Check Input", "Select Model", "Find Similar", "Invoke Model", "Moderate Output"])
def test_a_failure_that_a_step_tells_is_how_the_job_ends(name: str) -> None:
    failure = {"error": "InvalidRequest", "facts": {"type": "invalid_request", "code": "x", "message": "y"}}
    state, result = inference()[name], {"result": {"Payload": {"failure": failure, "next": "end"}}}
    variables = {"states": result, "run": {"job_id": "job_1"}, "asked": {"answer": {"output": "OUTPUT#1.1"}}}
    held = {each: value(text, **variables) for each, text in state["Assign"].items() if isinstance(text, str)}
    assert held["ending"]["failure"] == failure
    following, known = state["Next"], inference()
    while following != SETTLES:
        assert known[following]["Type"] == "Choice", f"after a failure of {name} the way is to {following}"
        choices = known[following]["Choices"]
        met = [each["Next"] for each in choices if value(each["Condition"], **{"embed": False, **held})]
        following = met[0] if met else known[following]["Default"]


@pytest.mark.parametrize(
    ("reply", "way"),
    [
        ({"candidates": ["a"]}, {"answered": False, "embed": False, "keep": False}),
        ({"candidates": ["a"], "keep": True, "route": "why"}, {"answered": False, "embed": False, "keep": True}),
        ({"candidates": ["a"], "keep": True, "embed": True}, {"answered": False, "embed": True, "keep": True}),
        ({"candidates": ["a"], "cached": {"model": "a"}}, {"answered": True, "embed": False, "keep": False}),
    ],
)
def test_what_the_cache_says_decides_the_way(reply: dict[str, Any], way: dict[str, bool]) -> None:
    known = inference()
    given = {"states": {"result": {"Payload": reply}}, "run": {"job_id": "job_1"}}
    assign = known["Select Model"]["Assign"]
    held = {name: value(assign[name], **given) for name in ("run", "ending", "embed", "asked")}
    held["judges"] = True
    answered, judged, released, embed = (each["Condition"] for each in known["Already Answered?"]["Choices"])
    assert (value(answered, **held), value(embed, **held)) == (way["answered"], way["embed"])
    assert value(judged, **held) is value(released, **held) is False
    assert held["run"] == {"job_id": "job_1"} | {name: reply[name] for name in ("keep", "route") if name in reply}
    assert held["ending"].get("answer") == reply.get("cached")


@pytest.mark.parametrize(("judges", "following"), [(False, "Moderate Output"), (True, "Moderate By Rules")])
def test_an_answer_that_was_released_is_moderated_and_no_model_asked(judges: bool, following: str) -> None:
    known, answer = inference(), {"output": "OUTPUT#1.1", "facts": {"model": "a"}}
    given = {"states": {"result": {"Payload": {"candidates": [], "released": answer}}}, "run": {"job_id": "job_1"}}
    held = {name: value(text, **given) for name, text in known["Select Model"]["Assign"].items() if name != "place"}
    held["judges"] = judges
    met = next(each for each in known["Already Answered?"]["Choices"] if value(each["Condition"], **held))
    assert (met["Next"], held["asked"]["answer"]) == (following, answer)


@pytest.mark.parametrize("name", ["Check Input", "Moderate Output"])
@pytest.mark.parametrize("blocked", [True, False])
def test_a_step_that_holds_a_job_says_so_to_settle_job(name: str, blocked: bool) -> None:
    held = {"stage": "input", "rules": ["words"], "message": "No."}
    reply = {"blocked": True, "rules": ["words"], "message": "No."} | ({} if blocked else {"held": held})
    variables = {"states": {"result": {"Payload": reply}}, "asked": {"answer": {"output": "OUTPUT#1.1"}}}
    ending = value(inference()[name]["Assign"]["ending"], **variables)
    assert ("held" in ending, "blocked" in ending) == (not blocked, blocked)
    assert ending.get("held") == (None if blocked else held)


@pytest.mark.parametrize(
    "told", [{}, {"redacted": True}, {"redacts": True}, {"redacts": False}, {"redacted": True, "redacts": True}]
)
def test_all_steps_after_check_input_are_told_of_what_was_redacted(told: dict[str, Any]) -> None:
    known = inference()
    given = {
        "input": {"job_id": "job_1"},
        "context": {"Execution": {"Id": "e-1"}},
        "result": {"Payload": {"blocked": False, "rules": [], **told}},
    }
    run = value(known["Check Input"]["Assign"]["run"], states=given)
    assert run == {"job_id": "job_1", "execution": "e-1"} | told
    steps = ("Ask Engines", "Select Model", "Find Similar", "Invoke Model", "Ask Engines Again", "Moderate Output")
    for name in (*steps, "Settle Job"):
        variables = {"run": run, "ask": "", "asked": {"answer": {"output": "OUTPUT#1.1"}}, "candidates": [], "place": 0}
        payload = value(known[name]["Arguments"]["Payload"], **variables, ending={})
        assert {fact: payload[fact] for fact in ("redacted", "redacts") if fact in payload} == told, name
        if "run" in (assign := known[name].get("Assign", {})):
            run = value(assign["run"], run=run, states={"result": {"Payload": {"candidates": []}}})


def test_a_plain_job_enters_eight_states() -> None:
    """Standard workflows are paid for by the state, and each is a line of the picture that people read."""
    variables = {"blocked": False, "ending": {}, "embed": False, "asked": {"next": "moderate"}}
    known, name, entered = inference(), "Check Input", ["Check Input"]
    while not known[name].get("End"):
        choices = known[name].get("Choices", [])
        met = [each["Next"] for each in choices if value(each["Condition"], **variables)]
        name = met[0] if met else known[name].get("Next") or known[name]["Default"]
        entered.append(name)
    assert [each for each in entered if not each.endswith("?")] == [
        *("Check Input", "Select Model", "Invoke Model", "Moderate Output", "Settle Job")
    ]
    assert len(entered) == 8
