"""Each `broker` command that a document, an example or an error names is one that there is, with such options."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from broker.cli.groups.registry import Kind
from broker.cli.next_steps import BY_CODE, BY_TYPE
from broker.cli.root import root
from broker.registry.document import KINDS
from typer import TyperException

from tests.commands import blocks_of
from tests.contract.stack import ROOT

DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
SCRIPTS = sorted((ROOT / "examples").glob("*.sh"))

COMMAND = re.compile(r"(?:^|[\s(/])broker ([^|<>)\n]*)")
"""In a line of a shell's script: up to what is the shell's own."""
NAMED = re.compile(r"`broker ([^`]+)`")


def parsed(words: list[str]) -> None:
    """Have the command read its arguments, and do nothing.

    Raises:
        TyperException: it does not take them.
    """
    command: Any = root()
    context = command.make_context("broker", words)
    while hasattr(command, "resolve_command") and (context._protected_args or context.args):
        name, command, left = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, left, parent=context)


def written(path: Path) -> Iterator[str]:
    """The commands that somebody may copy and run."""
    scripts = [path.read_text()] if path.suffix == ".sh" else [each.commands for each in blocks_of(path)]
    for script in scripts:
        for line in script.replace("\\\n", " ").splitlines():
            if found := COMMAND.search(line.split(" #")[0]):
                yield found[1]


@pytest.mark.parametrize("path", [*DOCUMENTS, *SCRIPTS], ids=lambda path: path.name)
def test_commands_of_a_document_run_as_they_are_written(path: Path) -> None:
    for command in written(path):
        words = [word for word in shlex.split(command) if word != "…"]
        try:
            parsed(words)
        except TyperException as error:
            pytest.fail(f"broker {command}: {error.format_message()}")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_commands_that_a_text_names_are_there(path: Path) -> None:
    for command in NAMED.findall(path.read_text(encoding="utf-8")):
        for each in alternatives(" ".join(command.split())):
            assert is_known(each), f"broker {each}"


def test_what_to_do_next_about_an_error_names_commands_that_are_there() -> None:
    named = [command for step in (BY_TYPE | BY_CODE).values() for command in NAMED.findall(step)]
    assert named
    assert all(map(is_known, named)), named


def test_every_kind_of_entry_has_a_history_and_can_be_rolled_back() -> None:
    kinds = get_args(get_args(Kind)[0])
    assert kinds == tuple(KINDS)


def alternatives(command: str) -> Iterator[str]:
    """`jobs get|wait` is two commands."""
    found = re.search(r"\S*\|\S*", command)
    for each in found[0].split("|") if found else ():
        yield command.replace(found[0], each) if found else command
    if not found:
        yield command


def is_known(command: str) -> bool:
    """Whether it is a command, with such options; what it needs beside may be left out in a sentence."""
    try:
        parsed([word for word in shlex.split(command.split(" <")[0]) if word != "…"])
    except TyperException as error:
        return type(error).__name__ in LEFT_OUT
    except SystemExit:
        return True
    return True


LEFT_OUT = ("MissingParameter", "BadOptionUsage", "BadParameter")
"""Errors of a command that is there: a sentence names no values, or says `KIND` for one."""
