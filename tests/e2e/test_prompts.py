"""Prompts from the operators' door to the model: variables, labels with two arms, and the way back."""

import uuid
from typing import Any

from broker.prompts.labels import choose

from tests.e2e.stack import Stack
from tests.e2e.test_admin import signed
from tests.fakes.texts import long_text

VARIABLES = {
    "who": {"type": "string", "enum": ["keeper", "lamp"]},
    "times": {"type": "integer", "minimum": 1, "maximum": 9, "default": 2},
}


def registered(stack: Stack, *texts: str) -> str:
    """A new prompt with these texts as its versions, for a model that says what it was told."""
    prompt_id = f"told-{uuid.uuid4().hex[:8]}"
    for text in texts:
        entry = {"id": prompt_id, "variables": VARIABLES, "user": text, "hints": {"model": "echoes"}}
        answer = signed(stack, "PUT", f"/admin/registry/prompts/{prompt_id}", entry)
        assert answer.status == 200, answer.body
    return prompt_id


def prompted(stack: Stack, prompt_id: str, **more: Any) -> str:
    """What the model was told."""
    answer = stack.api.call("POST", f"/prompts/{prompt_id}/run", {"variables": {"who": "lamp"}, **more})
    assert answer.status == 202, answer.body
    job = stack.api.finished(answer.body["id"])
    assert (job["status"], job["model"]) == ("succeeded", "echoes"), job
    return str(job["output"]["text"])


def test_a_prompt_runs_with_its_variables(stack: Stack) -> None:
    prompt_id = registered(stack, "Greet the {{who}} {{times}} times.")
    assert prompted(stack, prompt_id) == "Greet the lamp 2 times."
    for variables, named in (
        ({}, "who"),
        ({"who": "stranger"}, "who"),
        ({"who": "lamp", "times": "3"}, "times"),
        ({"who": "lamp", "colour": "red"}, "colour"),
    ):
        answer = stack.api.call("POST", f"/prompts/{prompt_id}/run", {"variables": variables})
        assert (answer.status, answer.body["error"]["param"]) == (400, f"prompt.variables.{named}")
        assert named in answer.body["error"]["message"]


def test_a_label_divides_the_traffic_by_key_and_stably(stack: Stack) -> None:
    prompt_id = registered(stack, "First: {{who}} {{times}}", "Second: {{who}} {{times}}")
    arms = [{"version": 1, "weight": 50}, {"version": 2, "weight": 50}]
    put = signed(stack, "PUT", f"/admin/prompts/{prompt_id}/labels/production", {"arms": arms})
    assert (put.status, put.body["labels"]) == (200, {"production": arms})
    assert signed(stack, "GET", f"/admin/prompts/{prompt_id}/labels").body == put.body
    found = {}
    for key in (f"customer-{number}" for number in range(6)):
        found[key] = prompted(stack, prompt_id, metadata={"routing_key": key}).split(":")[0]
    expected = {key: choose(prompt_id, "production", arms, f"key\n{key}") for key in found}
    assert found == {key: ("First", "Second")[version - 1] for key, version in expected.items()}
    assert prompted(stack, prompt_id, version=1).startswith("First"), "who names a version gets it"
    refused = signed(stack, "PUT", f"/admin/prompts/{prompt_id}/labels/production", {"arms": [{"version": 3}]})
    assert (refused.status, refused.body["error"]["code"]) == (400, "unknown_version")


def test_a_prompt_is_rolled_back(stack: Stack) -> None:
    prompt_id = registered(stack, "Well: {{who}} {{times}}", "Badly: {{who}} {{times}}")
    back = signed(stack, "POST", f"/admin/registry/prompts/{prompt_id}/rollback", {"version": 1})
    assert (back.status, back.body["version"], back.body["action"]) == (200, 3, "rolled_back")
    assert prompted(stack, prompt_id).startswith("Well")
    assert prompted(stack, prompt_id, version=2).startswith("Badly"), "no version is lost"


def test_a_prompt_of_megabytes_is_registered_run_listed_and_rolled_back(stack: Stack) -> None:
    text = long_text(1_500_000)
    prompt_id = registered(stack, f"{text} for {{{{who}}}} {{{{times}}}}", "Short: {{who}} {{times}}")
    path = f"/admin/registry/prompts/{prompt_id}"
    assert prompted(stack, prompt_id) == "Short: lamp 2"
    assert prompted(stack, prompt_id, version=1) == f"{text} for lamp 2"
    short, long = signed(stack, "GET", f"{path}/versions").body["data"]
    assert (short["version"], short["omitted"], long["version"], long["omitted"]) == (2, [], 1, ["user"])
    assert signed(stack, "GET", f"{path}?version=1").body["entry"]["user"].startswith(text)

    back = signed(stack, "POST", f"{path}/rollback", {"version": 1})
    assert (back.status, back.body["version"], back.body["action"]) == (200, 3, "rolled_back")
    assert prompted(stack, prompt_id, version=3) == f"{text} for lamp 2"
    objects = stack.cloud.client("s3").list_objects_v2(Bucket=stack.outputs["PayloadsBucket"], Prefix="prompts/")
    assert len(objects["Contents"]) == 1, "both versions have the same text"

    refused = signed(stack, "PUT", path, {"id": prompt_id, "user": "x" * 2_000_001})
    assert (refused.status, refused.body["error"]["param"]) == (400, "user")


def test_versions_are_compared(stack: Stack) -> None:
    prompt_id = registered(stack, "{{who}} {{times}}")
    answer = signed(stack, "GET", f"/admin/prompts/{prompt_id}/experiments")
    assert (answer.status, answer.body) == (200, {"object": "experiment", "id": prompt_id, "arms": []})
    for _ in range(2):
        prompted(stack, prompt_id)
    (arm,) = signed(stack, "GET", f"/admin/prompts/{prompt_id}/experiments").body["arms"]
    assert (arm["version"], arm["jobs"], arm["succeeded"], arm["success_rate"]) == (1, 2, 2, 1)
    assert arm["mean_cost_usd"] > 0
    assert signed(stack, "GET", "/admin/prompts/nobody/experiments").status == 404
