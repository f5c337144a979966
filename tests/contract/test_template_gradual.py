"""The template with aliases: whatever calls a function calls the alias, and all else is as without."""

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from local.gradual import ALIAS, SCHEDULES, gradual
from tests.contract.loops import unrolled
from tests.contract.stack import ROOT, as_list, functions, statements, written

FUNCTIONS = sorted(functions())


@cache
def made(changed: str = "", release: str = "1") -> dict[str, Any]:
    """What SAM makes of it, once packed as SAM CLI packs it; with `changed`, of other code, another layer."""
    template = unrolled(gradual(written(), release))
    text = re.sub(r'("(?:Code|Content|Definition)Uri": )"[^"]+"', r'\1"s3://bucket/key"', json.dumps(template))
    packed = json.loads(text) | {"Transform": "AWS::Serverless-2016-10-31"}
    if changed == "code":
        packed["Globals"]["Function"]["CodeUri"] = "s3://bucket/other"
    elif changed == "layer":
        packed["Resources"]["DependenciesLayer"]["Properties"]["ContentUri"] = "s3://bucket/other"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        translated: dict[str, Any] = Translator({}, Parser()).translate(packed, {"Shift": SCHEDULES[1]})
    return translated


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    return {name: each["Properties"] for name, each in made()["Resources"].items() if each["Type"] == kind}


ALIASES = {f"{name}Alias{ALIAS}" for name in FUNCTIONS}


def leads_to_alias(value: Any) -> bool:
    return isinstance(value, dict) and value.get("Ref") in ALIASES


def test_each_function_has_an_alias_that_is_moved_by_schedule_and_back_by_its_alarm() -> None:
    assert of_type("AWS::Lambda::Alias").keys() == ALIASES
    groups = of_type("AWS::CodeDeploy::DeploymentGroup")
    for name in FUNCTIONS:
        alias = made()["Resources"][f"{name}Alias{ALIAS}"]
        update = alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
        group = groups[update["DeploymentGroupName"]["Ref"]]
        assert group["DeploymentConfigName"] in ({"Ref": "Shift"}, SCHEDULES[1])
        alarm = f"{name.removesuffix('Function')}ShiftAlarm"
        assert group["AlarmConfiguration"] == {"Enabled": True, "Alarms": [{"Name": {"Ref": alarm}}]}
        assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
        rings = of_type("AWS::CloudWatch::Alarm")[alarm]
        assert (rings["MetricName"], rings["Threshold"], rings["Period"]) == ("Errors", 5, 60)
        watched = {each["Name"]: each["Value"] for each in rings["Dimensions"]}
        assert watched == {"FunctionName": {"Ref": name}, "Resource": {"Fn::Join": [":", [{"Ref": name}, ALIAS]]}}


@pytest.mark.parametrize(
    ("kind", "field"),
    [("AWS::Lambda::EventSourceMapping", "FunctionName"), ("AWS::Lambda::Permission", "FunctionName")],
)
def test_what_reads_queues_and_who_may_call_is_of_the_alias(kind: str, field: str) -> None:
    found = of_type(kind)
    assert len(found) >= 6
    for name, properties in found.items():
        assert leads_to_alias(properties[field]), f"{name} passes the alias by"


def test_schedules_call_the_alias() -> None:
    rules = [each for each in of_type("AWS::Events::Rule").values() if "ScheduleExpression" in each]
    assert len(rules) == 2
    assert all(leads_to_alias(target["Arn"]) for rule in rules for target in rule["Targets"])


def test_every_route_and_the_authorizers_call_the_alias() -> None:
    body = of_type("AWS::ApiGateway::RestApi")["Api"]["Body"]
    uris = [
        operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
        for methods in body["paths"].values()
        for method, operation in methods.items()
        if method in ("get", "post", "put", "delete")
    ]
    assert len(uris) > 30
    for uri in uris:
        assert re.search(r"\$\{(\w+)\}/invocations", uri)[1] in ALIASES, uri  # type: ignore[index]
    for name in ("Identity", "EitherHeader"):
        uri = body["securityDefinitions"][name]["x-amazon-apigateway-authorizer"]["authorizerUri"]["Fn::Sub"]
        assert leads_to_alias(uri[1]["__FunctionArn__"])


@pytest.mark.parametrize("name", ["PushAuthorizer", "PushIntegration"])
def test_the_websocket_api_calls_the_alias(name: str) -> None:
    properties = made()["Resources"][name]["Properties"]
    assert leads_to_alias((properties.get("AuthorizerUri") or properties["IntegrationUri"])["Fn::Sub"][1]["Function"])


def test_workflows_call_the_alias() -> None:
    for workflow in of_type("AWS::StepFunctions::StateMachine").values():
        given = {name: each for name, each in workflow["DefinitionSubstitutions"].items() if name.endswith("Function")}
        assert given
        for token, value in given.items():
            assert value == {"Ref": f"{token}Alias{ALIAS}"}


def invoking() -> dict[str, dict[str, Any]]:
    """Roles and policies that let somebody invoke a function: the statement of each."""
    found = of_type("AWS::IAM::Role") | of_type("AWS::IAM::ManagedPolicy")
    return {
        name: each
        for name, properties in found.items()
        for each in statements(properties)
        if "lambda:InvokeFunction" in as_list(each["Action"])
    }


def test_whoever_may_invoke_a_function_may_invoke_its_alias() -> None:
    assert "WorkflowRole" in invoking()
    for name, statement in invoking().items():
        named = [each["Fn::GetAtt"][0] for each in statement["Resource"] if "Fn::GetAtt" in each]
        aliases = [each["Ref"] for each in statement["Resource"] if "Ref" in each]
        assert named, "executions that began before name the function itself"
        assert aliases == [f"{each}Alias{ALIAS}" for each in named], name


def test_a_function_that_is_told_of_another_is_told_of_its_alias() -> None:
    for name, properties in of_type("AWS::Lambda::Function").items():
        told = [each for each in properties["Environment"]["Variables"].values() if isinstance(each, dict)]
        plain = [each for each in told if each.get("Ref") in FUNCTIONS]
        assert not plain, f"{name} would call {plain} as it stands, not as it is released"


def versions(resources: dict[str, Any]) -> set[str]:
    return {name for name, each in resources.items() if each["Type"] == "AWS::Lambda::Version"}


@pytest.mark.parametrize(("changed", "release"), [("code", "1"), ("layer", "1"), ("", "2")])
def test_other_code_another_layer_or_another_release_is_a_new_version_of_each(changed: str, release: str) -> None:
    before, after = versions(made()["Resources"]), versions(made(changed, release)["Resources"])
    assert len(before) == len(after) == len(FUNCTIONS)
    assert not before & after


def test_a_release_makes_each_function_another_or_lambda_would_publish_nothing() -> None:
    first, second = (made("", release)["Resources"] for release in ("1", "2"))
    for name in FUNCTIONS:
        ours, others = (each[name]["Properties"]["Description"] for each in (first, second))
        assert ours != others
        assert len(ours) <= 240, "a time in it, Lambda takes 256"


def test_versions_that_were_are_kept_for_calls_that_run() -> None:
    kinds = [each for each in made()["Resources"].values() if each["Type"] == "AWS::Lambda::Version"]
    assert {each["DeletionPolicy"] for each in kinds} == {"Retain"}


def test_all_else_is_as_without() -> None:
    plain, other = written(), gradual(written(), "1")
    assert other["Parameters"].keys() - plain["Parameters"].keys() == {"Shift"}
    added = other["Resources"].keys() - plain["Resources"].keys()
    assert added == {f"{name.removesuffix('Function')}ShiftAlarm" for name in FUNCTIONS}
    assert plain["Resources"].keys() <= other["Resources"].keys()
    touched = {name for name, each in plain["Resources"].items() if other["Resources"][name] != each}
    assert touched == {
        *FUNCTIONS,
        *invoking(),
        "Api",
        "BatchWorkflow",
        "DependenciesLayer",
        "DocumentsLayer",
        "ExpressWorkflow",
        "StandardWorkflow",
        *("PushAuthorizer", "PushIntegration", "PushHeads", "PushMayAuthorize", "PushMayCall"),
        "AuditRegistry",
    }
    assert {name for name in plain if plain[name] != other[name]} == {"Parameters", "Globals", "Resources"}


def test_cloudformation_takes_what_sam_makes_of_it(tmp_path: Path) -> None:
    """By its schemas of all types, CodeDeploy's among them, as cfn-lint has them; warnings are SAM's own."""
    file = tmp_path / "translated.json"
    file.write_text(json.dumps(made()))
    command = [Path(sys.executable).with_name("cfn-lint"), "--ignore-checks", "W", "--regions", "us-east-1", "--", file]
    done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603 - our own
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_more_resources_than_cloudformation_takes() -> None:
    # Source: CloudFormation user guide, "Quotas".
    assert len(made()["Resources"]) <= 500


@pytest.mark.parametrize("release", ["v7", None])
def test_the_command_writes_it(release: str | None) -> None:
    command = [sys.executable, "-m", "local.gradual", *([release] if release else [])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)  # noqa: S603 - our own
    told = json.loads(done.stdout)
    said = re.search(r"Release (\S+)\.$", told["Resources"]["ApiFunction"]["Properties"]["Description"])
    assert said and (said[1] == release or re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", said[1]))
    assert told == gradual(written(), said[1])
