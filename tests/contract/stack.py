"""The template and the workflows, read once, and a few ways to ask them."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from cfnlint.decode import cfn_yaml

from tests.contract.loops import unrolled

ROOT = Path(__file__).parents[2]

Resource = dict[str, Any]


@cache
def written() -> dict[str, Any]:
    """template.yaml as it stands, its short forms written out (`{"Ref": …}`, `{"Fn::GetAtt": [name, attribute]}`)."""
    loaded: dict[str, Any] = json.loads(json.dumps(cfn_yaml.load(str(ROOT / "template.yaml"))))
    return loaded


@cache
def template() -> dict[str, Any]:
    """What CloudFormation makes of it: its loops written out."""
    return unrolled(written())


@cache
def of_type(kind: str) -> dict[str, Resource]:
    """The properties of all resources of a type, by logical id."""
    found = template()["Resources"].items()
    return {name: each.get("Properties", {}) for name, each in found if each["Type"] == kind}


def functions() -> dict[str, Resource]:
    """The functions, each with what `Globals` adds."""
    common = template()["Globals"]["Function"]
    return {name: _merged(common, each) for name, each in of_type("AWS::Serverless::Function").items()}


def _merged(common: Resource, own: Resource) -> Resource:
    """As SAM does it: of lists the common comes first and the own behind it (SAM developer guide, Globals section)."""
    layers = [*common.get("Layers", []), *own.get("Layers", [])]
    return {**common, **own, "Layers": layers}


def queues() -> dict[str, Resource]:
    return of_type("AWS::SQS::Queue")


def workflow_files() -> list[Path]:
    return sorted((ROOT / "statemachines").glob("*.json"))


def target(value: Any) -> str:
    """The logical id that a `Ref`, a `GetAtt` or a plain `Sub` of one resource leads to."""
    match value:
        case {"Ref": str(name)}:
            return name
        case {"Fn::GetAtt": [str(name), *_]}:
            return name
        case {"Fn::Sub": str(text)}:
            return text.removeprefix("${").split("}")[0].split(".")[0]
    raise AssertionError(f"{value!r} does not lead to one resource")


def events(kind: str) -> list[tuple[str, str, Resource]]:
    """Event sources of a kind: the function, the source's name, and its properties."""
    return [
        (name, event, source["Properties"])
        for name, function in functions().items()
        for event, source in function.get("Events", {}).items()
        if source["Type"] == kind
    ]


def statements(holder: Resource) -> Iterator[dict[str, Any]]:
    """The statements that stand in a role, or in a managed policy."""
    documents = [each["PolicyDocument"] for each in holder.get("Policies", [])]
    for document in [*documents, *([holder["PolicyDocument"]] if "PolicyDocument" in holder else [])]:
        for statement in document["Statement"]:
            # One that a parameter switches on counts as on.
            yield statement["Fn::If"][1] if "Fn::If" in statement else statement


def policies_of(role: str) -> set[str]:
    """The managed policies of this stack that a role has: those that it names, and those that name it."""
    policies = of_type("AWS::IAM::ManagedPolicy")
    named = {target(each) for each in of_type("AWS::IAM::Role")[role].get("ManagedPolicyArns", [])} & policies.keys()
    return named | {name for name, each in policies.items() if role in map(target, each.get("Roles", []))}


def rights(role: str) -> Iterator[dict[str, Any]]:
    """All statements that hold for a role, wherever they stand."""
    for holder in [
        of_type("AWS::IAM::Role")[role],
        *(of_type("AWS::IAM::ManagedPolicy")[p] for p in policies_of(role)),
    ]:
        yield from statements(holder)


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def door_of(function: str) -> str:
    """The handler's module of a function: `CheckInputFunction` is `check_input`."""
    words = function.removesuffix("Function")
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in words).removeprefix("_")
