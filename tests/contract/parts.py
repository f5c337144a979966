"""The templates of `stacks/`, each a part of the whole that a parameter of template.yaml switches on."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from cfnlint.decode import cfn_yaml

from tests.contract.stack import ROOT, Resource, of_type, template

FILES = sorted((ROOT / "stacks").glob("*.yaml"))


@cache
def part(name: str) -> dict[str, Any]:
    """A part as it stands, its short forms written out."""
    loaded: dict[str, Any] = json.loads(json.dumps(cfn_yaml.load(str(ROOT / "stacks" / f"{name}.yaml"))))
    return loaded


def of_part(name: str, kind: str) -> dict[str, Resource]:
    """The properties of all resources of a type in a part, by logical id."""
    found = part(name)["Resources"].items()
    return {each: resource.get("Properties", {}) for each, resource in found if resource["Type"] == kind}


def told(name: str) -> dict[str, Any]:
    """What template.yaml tells a part, by parameter."""
    (given,) = (
        each["Parameters"]
        for each in of_type("AWS::CloudFormation::Stack").values()
        if each["TemplateURL"] == f"stacks/{name}.yaml"
    )
    parameters: dict[str, Any] = given
    return parameters


def standing(name: str, **parameters: str) -> dict[str, Resource]:
    """The resources of a part that stand where its parameters are these."""
    here = part(name)

    def holds(condition: Any) -> bool:
        match condition:
            case str():
                return holds(here["Conditions"][condition])
            case {"Condition": str(other)}:
                return holds(other)
            case {"Fn::Not": [one]}:
                return not holds(one)
            case {"Fn::And": list(some)}:
                return all(holds(each) for each in some)
            case {"Fn::Or": list(some)}:
                return any(holds(each) for each in some)
            case {"Fn::Equals": [{"Ref": str(parameter)}, value]}:
                default = here["Parameters"][parameter].get("Default", "")
                return str(parameters.get(parameter, default)) == str(value)
        raise AssertionError(f"{condition!r} is not known here")

    return {each: one for each, one in here["Resources"].items() if "Condition" not in one or holds(one["Condition"])}


def statements(node: Any) -> Iterator[dict[str, Any]]:
    """Each statement of each policy in a part of a template."""
    if isinstance(node, list):
        for each in node:
            yield from statements(each)
    elif isinstance(node, dict):
        if "Effect" in node:
            yield node
        for each in node.values():
            yield from statements(each)


def stacks() -> dict[str, Any]:
    """The resources of template.yaml that are parts."""
    return {
        name: each for name, each in template()["Resources"].items() if each["Type"] == "AWS::CloudFormation::Stack"
    }
