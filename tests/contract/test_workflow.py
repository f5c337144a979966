"""The workflow: valid as it stands, whole, and held together with the template."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from broker.errors import Conflict
from broker.jobs.transitions import START_LEASE_MS
from broker.steps.settling import NOT_STARTED
from cfnlint.api import lint_all
from jsonata.jsonata import Jsonata

from tests.contract.stack import of_type, target
from tests.contract.workflows import DEFINITIONS, PLATFORM, SETTLES, inference, rule_for, states

STEP_ERRORS = {Conflict.__name__}
"""The one error that the workflow judges itself. All others are the steps' answers (`broker.consequences`)."""

TOKEN = re.compile(r"\$\{(\w+)\}")
PARTITION = "Partition"
"""The one token that is no function: the part of AWS that the stack is in (`aws`, `aws-cn`, …)."""

WORKFLOWS = of_type("AWS::Serverless::StateMachine")


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


def owners(path: Path) -> dict[str, dict[str, Any]]:
    """The state machines of a definition."""
    return {name: each for name, each in WORKFLOWS.items() if each["DefinitionUri"] == f"statemachines/{path.name}"}


def inference_tasks() -> dict[str, dict[str, Any]]:
    return {name: state for name, state in inference().items() if state["Type"] == "Task"}


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
    # cfn-lint knows no other part of AWS, and no token for one.
    filled = json.loads(json.dumps(definition).replace(f"${{{PARTITION}}}", "aws"))
    for state in states(filled).values():
        if isinstance(state.get("TimeoutSeconds"), str):
            # It may be an expression (Step Functions developer guide, "Task workflow state"), which cfn-lint knows not.
            state["TimeoutSeconds"] = 60
    properties = {"RoleArn": "arn:aws:iam::123456789012:role/workflow", "Definition": filled}
    tokens = {token: "arn:aws:lambda:us-east-1:123456789012:function:x" for token in TOKEN.findall(json.dumps(filled))}
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


def test_what_was_not_started_is_tried_for_longer_and_before_all_else(tasks: dict[str, dict[str, Any]]) -> None:
    for name, state in tasks.items():
        first, *others = state["Retry"]
        assert set(first["ErrorEquals"]) == NOT_STARTED, (
            f"{name} takes a function that was not started for one that failed"
        )
        assert not {each for rule in others for each in rule["ErrorEquals"]} & NOT_STARTED
        pauses = [
            min(first["IntervalSeconds"] * first["BackoffRate"] ** tries, first["MaxDelaySeconds"])
            for tries in range(first["MaxAttempts"])
        ]
        # Within the lease of a run that has not called anybody, or the sweep starts another beside it.
        assert 20 <= sum(pauses) < START_LEASE_MS / 1000 or name == SETTLES, f"{name} waits {sum(pauses)} s"


def test_each_task_has_its_own_retry_with_jitter(tasks: dict[str, dict[str, Any]]) -> None:
    for name, state in tasks.items():
        assert state.get("Retry"), f"{name} has no Retry"
        for rule in state["Retry"]:
            if rule.get("MaxAttempts") != 0:
                assert rule.get("JitterStrategy") == "FULL", f"{name}: the retry of {rule['ErrorEquals']} has no jitter"
                most = 12 if name == SETTLES and set(rule["ErrorEquals"]) == NOT_STARTED else 5
                assert rule.get("MaxAttempts", 3) <= most, (
                    f"{name}: the retry of {rule['ErrorEquals']} goes on for long"
                )
        assert rule_for(state, "Retry", "Lambda.TooManyRequestsException"), (
            f"{name} does not retry a throttled function"
        )


def test_a_stale_run_is_not_repeated() -> None:
    for name, state in inference_tasks().items():
        assert rule_for(state, "Retry", "Conflict").get("MaxAttempts") == 0, f"{name} repeats a stale run"


def test_each_task_catches_all_except_the_one_that_settles() -> None:
    for name, state in inference_tasks().items():
        assert rule_for(state, "Catch", "Conflict")["ErrorEquals"] == ["Conflict"], (
            f"{name} does not catch Conflict alone"
        )
        assert rule_for(state, "Catch", "Conflict")["Next"] == "Superseded", f"{name}: a stale run must stop in silence"
        rest = rule_for(state, "Catch", "Lambda.Unknown")
        assert bool(rest) != (name == SETTLES), f"{name}: everything else must lead to {SETTLES}, except from itself"


def test_tasks_have_a_timeout_longer_than_their_function(tasks: dict[str, dict[str, Any]]) -> None:
    functions = of_type("AWS::Serverless::Function")
    for name, state in tasks.items():
        assert "TimeoutSeconds" in state, f"{name} has no TimeoutSeconds"
        (function,) = TOKEN.findall(state["Arguments"]["FunctionName"])
        limit = functions[function]["Timeout"]
        if state["Resource"].endswith(".waitForTaskToken"):
            assert isinstance(state["TimeoutSeconds"], str), f"{name} waits as long as somebody says, not its function"
            continue
        assert state["TimeoutSeconds"] > limit, f"{name} gives up before its function does ({limit} s)"


def test_tokens_stand_in_strings_and_the_template_gives_each(path: Path, definition: dict[str, Any]) -> None:
    everywhere = set(TOKEN.findall(path.read_text()))
    used = {token for text in texts(definition) for token in TOKEN.findall(text)}
    assert used == everywhere, f"a token stands outside a string: {sorted(everywhere - used)}"
    assert owners(path), f"no state machine of the template uses {path.name}"
    for name, workflow in owners(path).items():
        given = workflow["DefinitionSubstitutions"]
        assert given.keys() == used, f"{name}: gives {sorted(given)}, the definition uses {sorted(used)}"
        for token, value in given.items():
            meant = "AWS::Partition" if token == PARTITION else token
            assert target(value) == meant, f"{name}: {token} is filled with {target(value)}"


def test_the_role_may_invoke_what_the_workflow_invokes(path: Path, definition: dict[str, Any]) -> None:
    used = {token for text in texts(definition) for token in TOKEN.findall(text)} - {PARTITION}
    for name, workflow in owners(path).items():
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
    functions = {"merge", "exists", "parse", "contains", "count", "string", "number", "boolean", "not"}
    used = {name for text in texts(definition) for name in re.findall(r"\$(\w+)", text) if "{%" in text}
    strange = used - assigned - functions - {"states"}
    assert not strange, f"nobody assigns {sorted(strange)}"
    assert assigned <= used, f"nobody uses {sorted(assigned - used)}"


def test_exactly_one_state_settles_the_job() -> None:
    known = inference()
    settling = [name for name, state in known.items() if "${SettleJobFunction}" in texts(state)]
    assert settling == [SETTLES]
    ends = {name for name, state in known.items() if state.get("End") or state["Type"] in ("Succeed", "Fail")}
    assert ends == {SETTLES, "Superseded"}, "a run ends by settling its job, or because another run owns it"
