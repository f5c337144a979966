"""The workflow: valid as it stands, whole, and held together with the error tree and the template."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from broker.contract.base import TREE
from broker.errors import BrokerError, Throttled
from cfnlint.api import lint_all
from jsonata.jsonata import Jsonata

from tests.contract.stack import of_type, target, workflow_files

PLATFORM = {"States.ALL", "States.Timeout", "States.TaskFailed", "Sandbox.Timedout", "Lambda.Unknown"}
"""Error names that AWS gives: Step Functions' own, and Lambda's for a function that ran out of time."""

DOORS_ONLY = {"TooLarge", "KeyReused", "KeyInFlight", "NotCancelable", "DeliveryBusy"}
"""Errors of accepting and canceling: no step can raise them."""

STEP_ERRORS = {kind.__name__ for kind in TREE} - DOORS_ONLY - {BrokerError.__name__}

FINAL = {"Conflict", "NotFound", "Forbidden", "InvalidRequest", "BudgetExceeded", "Refused", "TimedOut"}
"""What another model would only repeat, or must not be asked to answer."""

NEVER_REPEATED = FINAL | {"ContextExceeded", "Throttled", "CredentialRejected"}

SETTLES = "Settle Job"
TOKEN = re.compile(r"\$\{(\w+)\}")

DEFINITIONS = {path.stem: path for path in workflow_files()}
WORKFLOWS = of_type("AWS::Serverless::StateMachine")


def states(definition: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = definition["States"]
    return found


def texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for each in value.values():
                yield from texts(each)
        case list():
            for each in value:
                yield from texts(each)


def following(state: dict[str, Any]) -> set[str]:
    routes = [state, *state.get("Catch", []), *state.get("Choices", [])]
    return {each["Next"] for each in routes if "Next" in each} | ({state["Default"]} if "Default" in state else set())


@pytest.fixture(params=sorted(DEFINITIONS))
def path(request: pytest.FixtureRequest) -> Path:
    return DEFINITIONS[request.param]


@pytest.fixture
def definition(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


@pytest.fixture
def tasks(definition: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: state for name, state in states(definition).items() if state["Type"] == "Task"}


def test_there_is_a_workflow() -> None:
    assert DEFINITIONS
    assert WORKFLOWS


def test_a_template_with_the_definition_in_it_lints(definition: dict[str, Any]) -> None:
    properties = {"RoleArn": "arn:aws:iam::123456789012:role/workflow", "Definition": definition}
    tokens = {
        token: "arn:aws:lambda:us-east-1:123456789012:function:x" for token in TOKEN.findall(json.dumps(definition))
    }
    properties["DefinitionSubstitutions"] = tokens
    resource = {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}
    found = lint_all(json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"Workflow": resource}}))
    assert not found, "\n".join(str(each) for each in found)


def test_every_state_is_reached_and_leads_somewhere(definition: dict[str, Any]) -> None:
    known = states(definition)
    reached, new = set(), {definition["StartAt"]}
    while new:
        unknown = new - known.keys()
        assert not unknown, f"no such state: {sorted(unknown)}"
        reached |= new
        new = {name for each in new for name in following(known[each])} - reached
    assert reached == known.keys(), f"never reached: {sorted(known.keys() - reached)}"
    for name, state in known.items():
        ends = state.get("End") or state["Type"] in ("Succeed", "Fail")
        assert ends or following(state), f"{name} leads nowhere"


def test_names_are_phrases_and_choices_are_questions(definition: dict[str, Any]) -> None:
    for name, state in states(definition).items():
        assert re.fullmatch(r"[A-Z][a-z]+( [A-Z][a-z]+)*\??", name), f"{name!r} is not a phrase"
        assert name.endswith("?") == (state["Type"] == "Choice"), f"{name!r}: choices, and only they, end in `?`"


def test_error_names_are_those_of_the_tree(tasks: dict[str, dict[str, Any]]) -> None:
    known = STEP_ERRORS | PLATFORM
    for name, state in tasks.items():
        for rule in state.get("Retry", []) + state.get("Catch", []):
            strange = set(rule["ErrorEquals"]) - known
            assert not strange, f"{name} waits for {sorted(strange)}, which no step raises"


def test_no_error_name_stands_behind_one_that_takes_all(tasks: dict[str, dict[str, Any]]) -> None:
    for name, state in tasks.items():
        for field in ("Retry", "Catch"):
            rules = [rule["ErrorEquals"] for rule in state.get(field, [])]
            named = [each for rule in rules for each in rule]
            assert len(named) == len(set(named)), f"{name}: an error stands twice in {field}"
            for rule in rules[:-1]:
                assert "States.ALL" not in rule, f"{name}: what follows States.ALL in {field} is never reached"


def rule_for(state: dict[str, Any], field: str, error: str) -> dict[str, Any]:
    rules: list[dict[str, Any]] = state[field]
    return next((rule for rule in rules if {error, "States.ALL"} & set(rule["ErrorEquals"])), {})


def test_each_task_has_its_own_retry_with_jitter(tasks: dict[str, dict[str, Any]]) -> None:
    for name, state in tasks.items():
        assert state.get("Retry"), f"{name} has no Retry"
        for rule in state["Retry"]:
            if rule.get("MaxAttempts") != 0:
                assert rule.get("JitterStrategy") == "FULL", f"{name}: the retry of {rule['ErrorEquals']} has no jitter"
                assert rule.get("MaxAttempts", 3) <= 5, f"{name}: the retry of {rule['ErrorEquals']} goes on for long"
        assert rule_for(state, "Retry", "Lambda.TooManyRequestsException"), (
            f"{name} does not retry a throttled function"
        )


def test_what_a_repeat_cannot_mend_is_not_repeated(tasks: dict[str, dict[str, Any]]) -> None:
    for name, state in tasks.items():
        raised = NEVER_REPEATED if name == "Invoke Model" else FINAL - {"Refused", "TimedOut"}
        for error in sorted(raised):
            assert rule_for(state, "Retry", error).get("MaxAttempts") == 0, f"{name} repeats {error}"


@pytest.mark.parametrize("name", ["Select Model", "Invoke Model"])
def test_an_open_circuit_is_asked_again_by_a_later_run_only(name: str) -> None:
    state = states(json.loads(DEFINITIONS["inference.asl"].read_text()))[name]
    assert rule_for(state, "Retry", "CircuitOpen").get("MaxAttempts") == 0


def test_each_task_catches_all_except_the_one_that_settles(tasks: dict[str, dict[str, Any]]) -> None:
    for name, state in tasks.items():
        assert rule_for(state, "Catch", "Conflict")["ErrorEquals"] == ["Conflict"], (
            f"{name} does not catch Conflict alone"
        )
        assert rule_for(state, "Catch", "Conflict")["Next"] == "Superseded", f"{name}: a stale run must stop in silence"
        rest = rule_for(state, "Catch", "Lambda.Unknown")
        assert bool(rest) != (name == SETTLES), f"{name}: everything else must lead to {SETTLES}, except from itself"


@pytest.mark.parametrize("error", sorted(STEP_ERRORS | PLATFORM - {"States.ALL"}))
def test_every_error_of_a_model_call_is_handled(error: str) -> None:
    state = states(json.loads(DEFINITIONS["inference.asl"].read_text()))["Invoke Model"]
    for field in ("Retry", "Catch"):
        assert rule_for(state, field, error), f"Invoke Model has no {field} for {error}"
    expected = {"Conflict": "Superseded", "Throttled": "Worth Waiting?", "Pending": "Wait For Provider"}
    following = expected.get(error, SETTLES if error in FINAL else "Any Left?")
    assert rule_for(state, "Catch", error)["Next"] == following, f"after {error} the way is to {following}"
    if error in STEP_ERRORS:
        named = [each for rule in state["Retry"] for each in rule["ErrorEquals"]]
        assert error in named, f"whether {error} is retried must be said, not left to States.ALL"


def test_a_refusal_never_reaches_another_model(definition: dict[str, Any]) -> None:
    known = states(definition)
    reached, new = set(), {rule_for(known["Invoke Model"], "Catch", "Refused")["Next"]}
    while new:
        reached |= new
        new = {name for each in new for name in following(known[each])} - reached
    assert "Invoke Model" not in reached


def test_tasks_have_a_timeout_longer_than_their_function(tasks: dict[str, dict[str, Any]]) -> None:
    functions = of_type("AWS::Serverless::Function")
    for name, state in tasks.items():
        assert "TimeoutSeconds" in state, f"{name} has no TimeoutSeconds"
        (function,) = TOKEN.findall(state["Arguments"]["FunctionName"])
        limit = functions[function]["Timeout"]
        assert state["TimeoutSeconds"] > limit, f"{name} gives up before its function does ({limit} s)"


def test_tokens_stand_in_strings_and_the_template_gives_each(path: Path, definition: dict[str, Any]) -> None:
    everywhere = set(TOKEN.findall(path.read_text()))
    used = {token for text in texts(definition) for token in TOKEN.findall(text)}
    assert used == everywhere, f"a token stands outside a string: {sorted(everywhere - used)}"
    owners = {name: each for name, each in WORKFLOWS.items() if each["DefinitionUri"] == f"statemachines/{path.name}"}
    assert owners, f"no state machine of the template uses {path.name}"
    for name, workflow in owners.items():
        given = workflow["DefinitionSubstitutions"]
        assert given.keys() == used, f"{name}: gives {sorted(given)}, the definition uses {sorted(used)}"
        for token, value in given.items():
            assert target(value) == token, f"{name}: {token} is filled with {target(value)}"


def test_the_role_may_invoke_what_the_workflow_invokes(definition: dict[str, Any]) -> None:
    used = {token for text in texts(definition) for token in TOKEN.findall(text)}
    for name, workflow in WORKFLOWS.items():
        role = of_type("AWS::IAM::Role")[target(workflow["Role"])]
        invoking = [
            each
            for each in role["Policies"][0]["PolicyDocument"]["Statement"]
            if each["Action"] == "lambda:InvokeFunction"
        ]
        allowed = {target(each) for statement in invoking for each in statement["Resource"]}
        assert allowed == used, f"{name}: the role may invoke {sorted(allowed)}, the definition uses {sorted(used)}"


def test_every_expression_parses(definition: dict[str, Any]) -> None:
    assert definition["QueryLanguage"] == "JSONata"
    found = [text for text in texts(definition) if "{%" in text or "%}" in text]
    assert found, "no JSONata was found, so nothing was proved"
    for text in found:
        inner = re.fullmatch(r"\{% (.+) %\}", text, re.DOTALL)
        assert inner, f"an expression is the whole string, between {{% and %}}: {text}"
        try:
            Jsonata(inner[1])
        except Exception as error:
            raise AssertionError(f"not JSONata: {inner[1]}: {error}") from error


def test_variables_are_assigned_before_they_are_used(definition: dict[str, Any]) -> None:
    assigned = {
        name
        for state in states(definition).values()
        for part in [state, *state.get("Catch", []), *state.get("Choices", [])]
        for name in part.get("Assign", {})
    }
    functions = {"merge", "exists", "parse", "count", "string", "number", "boolean", "not"}
    used = {name for text in texts(definition) for name in re.findall(r"\$(\w+)", text) if "{%" in text}
    strange = used - assigned - functions - {"states"}
    assert not strange, f"nobody assigns {sorted(strange)}"
    assert assigned <= used, f"nobody uses {sorted(assigned - used)}"


def test_exactly_one_state_settles_the_job(definition: dict[str, Any]) -> None:
    known = states(definition)
    settling = [name for name, state in known.items() if "${SettleJobFunction}" in texts(state)]
    assert settling == [SETTLES]
    ends = {name for name, state in known.items() if state.get("End") or state["Type"] in ("Succeed", "Fail")}
    assert ends == {SETTLES, "Superseded"}, "a run ends by settling its job, or because another run owns it"


@pytest.mark.parametrize(("retry_after", "pause"), [(None, 0), (3, 3)])
def test_the_pause_is_read_from_the_cause_that_the_code_writes(retry_after: float | None, pause: int) -> None:
    state = states(json.loads(DEFINITIONS["inference.asl"].read_text()))["Invoke Model"]
    expression = Jsonata(rule_for(state, "Catch", "Throttled")["Assign"]["pause"].removeprefix("{%").removesuffix("%}"))
    expression.register_lambda("parse", json.loads)  # Step Functions' own addition to JSONata
    # Lambda's error object, as Step Functions hands it on.
    cause = {"errorMessage": Throttled("Wait.", retry_after=retry_after).cause(), "errorType": "Throttled"}
    expression.assign("states", {"errorOutput": {"Error": "Throttled", "Cause": json.dumps(cause)}})
    assert expression.evaluate({}) == pause


@pytest.mark.parametrize(
    ("reply", "way"),
    [
        ({"candidates": ["a"]}, {"answered": False, "embed": False, "keep": False}),
        ({"candidates": ["a"], "keep": True}, {"answered": False, "embed": False, "keep": True}),
        ({"candidates": ["a"], "keep": True, "embed": True}, {"answered": False, "embed": True, "keep": True}),
        ({"candidates": ["a"], "cached": {"model": "a"}}, {"answered": True, "embed": False, "keep": False}),
    ],
)
def test_what_the_cache_says_decides_the_way(reply: dict[str, Any], way: dict[str, bool]) -> None:
    known = states(json.loads(DEFINITIONS["inference.asl"].read_text()))

    def value(text: str, **variables: Any) -> Any:
        expression = Jsonata(text.removeprefix("{%").removesuffix("%}"))
        for name, held in variables.items():
            expression.assign(name, held)
        return expression.evaluate({})

    given = {"states": {"result": {"Payload": reply}}, "run": {"job_id": "job_1"}}
    assign = known["Select Model"]["Assign"]
    held = {name: value(assign[name], **given) for name in ("run", "ending", "embed")}
    answered, embed = (each["Condition"] for each in known["Already Answered?"]["Choices"])
    assert (value(answered, **held), value(embed, **held)) == (way["answered"], way["embed"])
    assert held["run"] == {"job_id": "job_1"} | ({"keep": True} if way["keep"] else {})
    assert held["ending"].get("answer") == reply.get("cached")
