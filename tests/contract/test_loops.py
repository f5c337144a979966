"""The loops of the template: written out as by others, and nothing in them that AWS would read otherwise."""

import tomllib
from typing import Any

import pytest
from ministack.services.cloudformation import language_extensions
from samcli.lib.cfn_language_extensions.sam_integration import process_template_for_sam_cli

from tests.contract.loops import unrolled
from tests.contract.stack import ROOT, template, written


def test_there_are_loops() -> None:
    assert len(template()["Resources"]) > len(written()["Resources"]) > 0, "then nothing below was proved"


def test_sam_cli_makes_the_same_resources_of_them() -> None:
    theirs = process_template_for_sam_cli(written())["Resources"]
    assert list(template()["Resources"]) == list(theirs)


def test_the_embedded_cloud_makes_the_same_properties_of_them() -> None:
    theirs = language_extensions.apply(written(), {})["Resources"]
    for name, resource in template()["Resources"].items():
        assert resource == theirs[name], name


def test_the_transforms_come_in_the_order_that_aws_asks_for() -> None:
    assert template()["Transform"] == ["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"]


def test_plain_sam_commands_write_the_loops_out() -> None:
    with (ROOT / "samconfig.toml").open("rb") as file:
        settings = tomllib.load(file)
    assert settings["default"]["global"]["parameters"]["language_extensions"] is True, "SAM CLI does so only when asked"


QUEUE = {"Type": "AWS::SQS::Queue"}


@pytest.mark.parametrize(
    "loop",
    [
        ["Name", ["A", "B"], {"Queue": QUEUE}],
        ["Name", [], {"${Name}Queue": QUEUE}],
        ["Name", ["A", "A"], {"${Name}Queue": QUEUE}],
        ["Name", ["a-b"], {"${Name}Queue": QUEUE}],
        ["Name", ["Other"], {"${Name}": QUEUE}],
        ["Name", {"Ref": "Names"}, {"${Name}Queue": QUEUE}],
        ["Name", ["A"], {"${Name}Queue": QUEUE | {"DependsOn": "${Name}Role"}}],
        ["Name", ["A"], {"${Name}Queue": QUEUE | {"Metadata": {"${Name}": 1}}}],
        ["Name", ["A"], {"${Name}Queue": QUEUE | {"Metadata": {"Ref": {"Fn::Sub": "${Name}${AWS::Region}"}}}}],
        ["Name", ["A"], {"Fn::ForEach::Inner": ["Part", ["B"], {"${Name}${Part}": QUEUE}]}],
    ],
)
def test_a_loop_that_aws_would_read_otherwise_is_refused(loop: list[Any]) -> None:
    with pytest.raises((AssertionError, ValueError)):
        unrolled({"Resources": {"Other": QUEUE, "Fn::ForEach::Loop": loop}})
