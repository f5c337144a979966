"""Whether a line for the shell can be run: our command's, SAM's, or the AWS CLI's, with options that it has."""

import re
import shlex
from functools import cache
from typing import Any

import boto3
from botocore import xform_name
from broker.cli.root import root
from samcli.commands.build.command import cli as sam_build
from samcli.commands.delete.command import cli as sam_delete
from samcli.commands.deploy.command import cli as sam_deploy
from typer import TyperException
from typer.core import TyperGroup

from local.gradual import gradual
from tests.contract.stack import written

GLOBAL = {"region", "query", "output", "max-items"}
"""Options that all commands of the AWS CLI have."""

SERVICES = {"s3api": "s3"}
"""Services that it calls otherwise than botocore does."""

RENAMED = {"notification-endpoint": "endpoint"}
"""Options that the AWS CLI calls otherwise than the API does."""

ASSIGNMENT = re.compile(r"BUILD_(RUNTIME|ARCHITECTURE)=")
"""What `sam build` goes by (functions/Makefile)."""

INNER = re.compile(r"\$\((.+)\)$")


def check_command(line: str) -> None:
    """Hold a line against what there is.

    Raises:
        AssertionError: a part of it is no command.
    """
    for part in line.split(" && "):
        words = shlex.split(part)
        if "<" in words:
            words = words[: words.index("<")]
        for word in words:
            if inner := INNER.match(word):
                check_command(inner[1])
        while ASSIGNMENT.match(words[0]):
            words = words[1:]
        tool, *rest = words
        {"broker": _ours, "sam": _sam, "aws": _aws}[tool](rest)


def _ours(words: list[str]) -> None:
    command: Any = root()
    context, rest = None, words
    try:
        while True:
            context = command.make_context("broker", list(rest), parent=context)
            if not isinstance(command, TyperGroup):
                return
            _, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
    except TyperException as error:
        raise AssertionError(f"broker {words} is no command: {error}") from None


def _sam(words: list[str]) -> None:
    command = {"build": sam_build, "delete": sam_delete, "deploy": sam_deploy}[words[0]]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {each for each in words if each.startswith("--")} <= known, words
    if "--parameter-overrides" in words:
        for each in words[words.index("--parameter-overrides") + 1 :]:
            name, _, value = each.partition("=")
            parameter = _parameters()[name]
            assert value in parameter.get("AllowedValues", [value]), f"{name} is not {value}"
            assert re.fullmatch(parameter.get("AllowedPattern", ".*"), value), f"{name} is not {value}"


@cache
def _parameters() -> dict[str, Any]:
    """Those of the template, and of the one with aliases."""
    parameters: dict[str, Any] = gradual(written(), "1")["Parameters"]
    return parameters


@cache
def _client(service: str) -> Any:
    return boto3.Session().client(service, region_name="us-east-1")  # type: ignore[call-overload]  # any service's name


def _aws(words: list[str]) -> None:
    service, command, *options = words
    client = _client(SERVICES.get(service, service))
    if command == "wait":
        waiters = {xform_name(each, "-"): each for each in client._get_waiter_config()["waiters"]}
        assert options[0] in waiters, f"{service} waits for no {options[0]}"
        operation, options = client._get_waiter_config()["waiters"][waiters[options[0]]]["operation"], options[1:]
    else:
        operations = {xform_name(each, "-"): each for each in client.meta.service_model.operation_names}
        assert command in operations, f"{service} has no {command}"
        operation = operations[command]
    shape = client.meta.service_model.operation_model(operation).input_shape
    members = {xform_name(each, "-"): each for each in (shape.members if shape else {})}
    given = {RENAMED.get(each[2:], each[2:]) for each in options if each.startswith("--")}
    assert given <= members.keys() | GLOBAL, f"{command} has no {given - members.keys() - GLOBAL}"
    required = {xform_name(each, "-") for each in (shape.required_members if shape else ())}
    assert required <= given, f"{command} needs {required - given}"
