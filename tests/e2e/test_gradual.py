"""The template with aliases, deployed, upgraded and taken back while jobs run.

The embedded cloud has no CodeDeploy; without it an alias goes to a new version at once.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode import cfn_yaml

from local.deployment import ARTIFACTS
from local.gradual import ALIAS, Template, gradual
from local.seeding import seed
from tests.e2e.registered import registry
from tests.e2e.stack import STACK, Stack, chat, until
from tests.e2e.test_teardown import again, teardown

NAME = "broker-gradual"

NEWEST = "$LATEST"
"""What a function runs as that is called by itself."""

STEPS = ("CheckInput", "SelectModel", "InvokeModel", "ModerateOutput", "SettleJob")
ON_THE_WAY = ("Authorize", "Api", "Dispatch", *STEPS, "Publish")
"""Functions that each job of the REST API comes through."""


@pytest.fixture(scope="module")
def other(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Another stack of what is deployed, without aliases, with its own models and keys."""
    outputs = again(stack.cloud, NAME)
    seeded = seed(stack.cloud, outputs, stack.models_url, tmp_path_factory.mktemp("gradual"))
    made = replace(stack, outputs=outputs, seeded=seeded)
    (slow,) = (each for each in registry(stack.models_url, "", "", "")["models"] if each["id"] == "slow")
    made.register({"models": [slow]})
    yield made
    teardown(stack.cloud, NAME, "--yes")


def original(stack: Stack, folder: Path) -> Template:
    """The template as it was deployed."""
    body = stack.cloud.client("cloudformation").get_template(StackName=STACK, TemplateStage="Original")["TemplateBody"]
    (folder / "template.yaml").write_text(body)
    template: Template = json.loads(json.dumps(cfn_yaml.load(str(folder / "template.yaml"))))
    return template


def with_aliases(template: Template, release: str) -> Template:
    """As `local.gradual` makes it, but for what CodeDeploy does."""
    made = gradual(template, release)
    del made["Globals"]["Function"]["DeploymentPreference"]
    for resource in made["Resources"].values():
        if isinstance(resource, dict):
            resource.get("Properties", {}).pop("DeploymentPreference", None)
    return made


def updated(stack: Stack, template: Template) -> Stack:
    """The stack as this template has it. Here, unlike on AWS, an API whose document changes is another one."""
    cloud, client = stack.cloud, stack.cloud.client("cloudformation")
    cloud.client("s3").put_object(Bucket=ARTIFACTS, Key=NAME, Body=json.dumps(template).encode())
    (deployed,) = client.describe_stacks(StackName=NAME)["Stacks"]
    kept = [{"ParameterKey": each["ParameterKey"], "UsePreviousValue": True} for each in deployed["Parameters"]]
    known = [each for each in kept if each["ParameterKey"] in template["Parameters"]]
    client.update_stack(
        StackName=NAME,
        TemplateURL=f"{cloud.url}/{ARTIFACTS}/{NAME}",
        Parameters=known,
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    client.get_waiter("stack_update_complete").wait(StackName=NAME, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    return replace(stack, outputs=cloud.outputs(NAME))


def aliases(stack: Stack) -> dict[str, str]:
    """By function, the version that its alias leads to."""
    client = stack.cloud.client("lambda")
    pages = client.get_paginator("list_functions").paginate()
    names = [each["FunctionName"] for page in pages for each in page["Functions"]]
    ours = [name for name in names if name.startswith(f"{NAME}-")]
    known = {name: client.list_aliases(FunctionName=name)["Aliases"] for name in ours}
    return {name: each["FunctionVersion"] for name, some in known.items() for each in some if each["Name"] == ALIAS}


def ran(stack: Stack, function: str) -> list[str]:
    """The versions that a function ran as, one for each invocation."""
    client = stack.cloud.client("logs")
    pages = client.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{NAME}/{function}")
    lines: Iterator[Any] = (each["message"] for page in pages for each in page["events"])
    return [found[1] for line in lines if (found := re.match(r"START .* Version: (\S+)", line))]


def begun(stack: Stack) -> str:
    """A job that asks its model now."""
    job_id = str(stack.api.submit(chat(model="slow")).body["id"])
    assert until(lambda: stack.api.call("GET", f"/jobs/{job_id}").body["status"] == "running")
    return job_id


def done_by(stack: Stack) -> set[str]:
    """The versions by which a whole job is done, of somebody whom the authorizer has not seen."""
    before = {name: len(ran(stack, name)) for name in ON_THE_WAY}
    assert stack.run(chat(), stack.as_tenant("demo"))["status"] == "succeeded"

    def missing() -> set[str]:
        return {name for name in ON_THE_WAY if len(ran(stack, name)) == before[name]}

    assert until(lambda: not missing(), seconds=20), missing()
    return {version for name in ON_THE_WAY for version in ran(stack, name)[before[name] :]}


def test_jobs_go_on_while_aliases_come_move_and_go(other: Stack, tmp_path: Path) -> None:
    made, plain = other, original(other, tmp_path)
    first, second = (with_aliases(plain, release) for release in ("v1", "v2"))
    for version, template in (("1", first), ("2", second), (NEWEST, plain)):
        underway = begun(made)
        made = updated(made, template)
        assert set(aliases(made).values()) == {version} - {NEWEST}
        assert made.api.finished(underway)["status"] == "succeeded"
        assert done_by(made) == {version}, "by the alias, where there is one"
