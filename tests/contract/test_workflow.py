"""The workflow: valid as it stands, whole, obedient to its steps, and held together with the template."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from broker.errors import Conflict
from cfnlint.api import lint_all
from jsonata.jsonata import Jsonata

from tests.contract.stack import of_type, target, workflow_files

PLATFORM = {"States.ALL", "States.Timeout", "States.TaskFailed", "Sandbox.Timedout", "Lambda.Unknown"}
"""Error names that AWS gives: Step Functions' own, and Lambda's for a function that ran out of time."""

STEP_ERRORS = {Conflict.__name__}
"""The one error that the workflow judges itself. All others are the steps' answers (`broker.consequences`)."""

INVOKES = "Invoke Model"
SETTLES = "Settle Job"
TOKEN = re.compile(r"\$\{(\w+)\}")
PARTITION = "Partition"
"""The one token that is no function: the part of AWS that the stack is in (`aws`, `aws-cn`, …)."""

DEFINITIONS = {path.stem: path for path in workflow_files()}
WORKFLOWS = of_type("AWS::Serverless::StateMachine")


def states(definition: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = definition["States"]
    return found


def inference() -> dict[str, dict[str, Any]]:
    return states(json.loads(DEFINITIONS["inference.asl"].read_text()))


def value(text: str, **variables: Any) -> Any:
    """What an expression gives."""
    expression = Jsonata(text.removeprefix("{%").removesuffix("%}"))
    for name, held in variables.items():
        expression.assign(name, held)
    return expression.evaluate({})


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
    # cfn-lint knows no other part of AWS, and no token for one.
    filled = json.loads(json.dumps(definition).replace(f"${{{PARTITION}}}", "aws"))
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


def test_a_stale_run_is_not_repeated(tasks: dict[str, dict[str, Any]]) -> None:
    for name, state in tasks.items():
        assert rule_for(state, "Retry", "Conflict").get("MaxAttempts") == 0, f"{name} repeats a stale run"


@pytest.mark.parametrize("name", ["Invoke Model", "Find Similar"])
@pytest.mark.parametrize("error", ["States.Timeout", "Sandbox.Timedout"])
def test_a_call_that_took_its_function_with_it_is_not_made_again(name: str, error: str) -> None:
    assert rule_for(inference()[name], "Retry", error).get("MaxAttempts") == 0


def test_each_task_catches_all_except_the_one_that_settles(tasks: dict[str, dict[str, Any]]) -> None:
    for name, state in tasks.items():
        assert rule_for(state, "Catch", "Conflict")["ErrorEquals"] == ["Conflict"], (
            f"{name} does not catch Conflict alone"
        )
        assert rule_for(state, "Catch", "Conflict")["Next"] == "Superseded", f"{name}: a stale run must stop in silence"
        rest = rule_for(state, "Catch", "Lambda.Unknown")
        assert bool(rest) != (name == SETTLES), f"{name}: everything else must lead to {SETTLES}, except from itself"


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
@pytest.mark.parametrize("error", sorted(PLATFORM - {"States.ALL"}))
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
            meant = "AWS::Partition" if token == PARTITION else token
            assert target(value) == meant, f"{name}: {token} is filled with {target(value)}"


def test_the_role_may_invoke_what_the_workflow_invokes(definition: dict[str, Any]) -> None:
    used = {token for text in texts(definition) for token in TOKEN.findall(text)} - {PARTITION}
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
    known = inference()
    given = {"states": {"result": {"Payload": reply}}, "run": {"job_id": "job_1"}}
    assign = known["Select Model"]["Assign"]
    held = {name: value(assign[name], **given) for name in ("run", "ending", "embed")}
    answered, embed = (each["Condition"] for each in known["Already Answered?"]["Choices"])
    assert (value(answered, **held), value(embed, **held)) == (way["answered"], way["embed"])
    assert held["run"] == {"job_id": "job_1"} | ({"keep": True} if way["keep"] else {})
    assert held["ending"].get("answer") == reply.get("cached")
