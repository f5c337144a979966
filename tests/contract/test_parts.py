"""The parts that parameters switch on: none by default, told all they ask for, and taken by CloudFormation."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.template import standing
from tests.contract.parts import FILES, part, stacks, statements, told
from tests.contract.stack import as_list

NAMES = [path.stem for path in FILES]


def test_each_part_is_a_stack_of_the_template() -> None:
    files = {f"stacks/{name}.yaml" for name in NAMES}
    assert {each["Properties"]["TemplateURL"] for each in stacks().values()} == files


def test_none_stands_by_default() -> None:
    assert not stacks().keys() & standing().keys()


@pytest.mark.parametrize("name", NAMES)
def test_a_part_is_told_what_it_asks_for(name: str) -> None:
    parameters = part(name)["Parameters"]
    assert told(name).keys() <= parameters.keys()
    assert {each for each, one in parameters.items() if "Default" not in one} <= told(name).keys()


@pytest.mark.parametrize("name", NAMES)
def test_a_part_has_no_macro(name: str) -> None:
    """Else `sam deploy` would need CAPABILITY_AUTO_EXPAND, also of who switches nothing on."""
    assert "Transform" not in part(name)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_cloudformation_takes_a_part(path: Path) -> None:
    """By its schemas of all types, as cfn-lint has them."""
    command = [Path(sys.executable).with_name("cfn-lint"), "--regions", "us-east-1", "--", path]
    done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603 - our own
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_no_part_of_aws_is_taken_for_granted(path: Path) -> None:
    assert "arn:aws:" not in path.read_text(), f"{path.name} would not work in China or GovCloud"


WITHOUT_RESOURCE = {
    # Service authorization reference: these actions know no resource type, or none that is there before them.
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "logs:DescribeLogGroups",
}
"""The only actions of a role that may stand beside the resource `*`."""


@pytest.mark.parametrize("name", NAMES)
def test_a_role_of_a_part_allows_only_what_it_names(name: str) -> None:
    found = part(name)["Resources"].values()
    for role in (each for each in found if each["Type"] in ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy")):
        for statement in statements(role["Properties"]):
            actions = set(as_list(statement["Action"]))
            assert not any("*" in each for each in actions), name
            if statement["Effect"] == "Allow" and "*" in as_list(statement.get("Resource", "")):
                assert actions <= WITHOUT_RESOURCE, f"{name} allows {sorted(actions - WITHOUT_RESOURCE)} on everything"
