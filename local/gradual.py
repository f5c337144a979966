"""The template with functions that are upgraded step by step: `python -m local.gradual > template-gradual.json`.

Each function is published as a version, and all that calls it calls its alias, which CodeDeploy moves from one version
to the next by a schedule, and back where an alarm rings (SAM developer guide, "Deploying serverless applications
gradually"). It is a template of its own because SAM makes no alias on condition, and CloudFormation lets nothing name a
resource that is not there.

What is written has a release, the time unless it is named (`python -m local.gradual v7`), and each release publishes
every function. SAM alone would do it where code, layer or template are others, and not for other values of parameters.
"""

import json
import sys
from datetime import UTC, datetime
from typing import Any

from cfnlint.decode import cfn_yaml

from local.servers import ROOT

ALIAS = "live"

SCHEDULES = [
    "CodeDeployDefault.LambdaAllAtOnce",
    *(f"CodeDeployDefault.LambdaCanary10Percent{minutes}Minutes" for minutes in (5, 10, 15, 30)),
    *(
        f"CodeDeployDefault.LambdaLinear10PercentEvery{pace}"
        for pace in ("1Minute", "2Minutes", "3Minutes", "10Minutes")
    ),
]
"""CodeDeploy user guide, "Deployment configurations on an AWS Lambda compute platform"."""

ERRORS = 5
"""Invocations that fail in a minute before the old version is taken back; a stale run fails one by design."""

Template = dict[str, Any]


def gradual(template: Template, release: str) -> Template:
    """The template with aliases; it may have its loops still. What is given stays as it is."""
    made: Template = json.loads(json.dumps(template))
    functions = [name for name, each in made["Resources"].items() if _type(each) == "AWS::Serverless::Function"]
    made["Parameters"]["Shift"] = {
        "Type": "String",
        "Default": SCHEDULES[1],
        "AllowedValues": SCHEDULES,
        "Description": "How calls go from one version of a function to the next.",
    }
    made["Globals"]["Function"] |= {
        "AutoPublishAlias": ALIAS,
        # The description is one: SAM looks at code, environment and memory alone unless it is told.
        "AutoPublishAliasAllProperties": True,
        "DeploymentPreference": {"Type": {"Ref": "Shift"}},
    }
    for name in functions:
        alarm = name.removesuffix("Function") + "ShiftAlarm"
        properties = made["Resources"][name]["Properties"]
        properties["DeploymentPreference"] = {"Alarms": [{"Ref": alarm}]}
        # Of a function as it was, Lambda publishes no other version, and CloudFormation fails; this makes it another.
        properties["Description"] += f" Release {release}."
        made["Resources"][alarm] = _alarm(name)
    for each in made["Resources"].values():
        if _type(each) == "AWS::Serverless::LayerVersion":
            each["Properties"]["PublishLambdaVersion"] = True
        elif _type(each) == "AWS::Serverless::Api":
            for authorizer in each["Properties"]["Auth"]["Authorizers"].values():
                authorizer["FunctionArn"] = _alias_of(authorizer["FunctionArn"], functions)
        elif _type(each) == "AWS::Serverless::StateMachine":
            given = each["Properties"]["DefinitionSubstitutions"]
            given.update({token: _alias_of(value, functions) for token, value in given.items()})
        elif _type(each) in ("AWS::Lambda::EventSourceMapping", "AWS::Lambda::Permission"):
            each["Properties"]["FunctionName"] = _alias_of(each["Properties"]["FunctionName"], functions)
        elif _type(each) in ("AWS::ApiGatewayV2::Authorizer", "AWS::ApiGatewayV2::Integration"):
            uri = next(name for name in ("AuthorizerUri", "IntegrationUri") if name in each["Properties"])
            named = each["Properties"][uri]["Fn::Sub"][1]
            named["Function"] = _alias_of(named["Function"], functions)
        elif _type(each) in ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy"):
            _allow_aliases(each["Properties"], functions)
        elif _type(each) == "AWS::Serverless::Function":
            variables = each["Properties"].get("Environment", {}).get("Variables", {})
            variables.update({name: _alias_of(value, functions) for name, value in variables.items()})
    return made


def _type(resource: Any) -> str:
    """A resource's type; a loop has none."""
    return str(resource["Type"]) if isinstance(resource, dict) else ""


def _alias_of(value: Any, functions: list[str]) -> Any:
    """The alias where a function is meant, by its ARN or by its name."""
    match value:
        case {"Fn::GetAtt": [str(function), "Arn"]} | {"Ref": str(function)} if function in functions:
            return {"Ref": f"{function}.Alias"}
    return value


def _allow_aliases(holder: Template, functions: list[str]) -> None:
    """Whoever may invoke a function may invoke its alias; an execution that began before there was one names none."""
    documents = [each["PolicyDocument"] for each in [holder, *holder.get("Policies", ())] if "PolicyDocument" in each]
    for statement in (each for document in documents for each in document["Statement"]):
        if "lambda:InvokeFunction" in statement.get("Action", ()):
            named = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
            statement["Resource"] = [*named, *(_alias_of(each, functions) for each in named)]


def _alarm(function: str) -> Template:
    name = {"Ref": function}
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmDescription": "Invocations fail; while a new version is being introduced, the old one is taken back.",
            "Namespace": "AWS/Lambda",
            "MetricName": "Errors",
            "Dimensions": [
                {"Name": "FunctionName", "Value": name},
                {"Name": "Resource", "Value": {"Fn::Join": [":", [name, ALIAS]]}},
            ],
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": ERRORS,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "TreatMissingData": "notBreaching",
            "AlarmActions": [{"Ref": "Alarms"}],
        },
    }


if __name__ == "__main__":
    named = sys.argv[1] if len(sys.argv) > 1 else f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    json.dump(gradual(cfn_yaml.load(str(ROOT / "template.yaml")), named), sys.stdout, indent=2)
