"""What each call of the command pays for, the groups that there are, and what all commands have."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from broker.cli import main
from broker.cli.exits import BY_STATUS, MEANING, Exit, of_status
from broker.cli.root import GROUPS, SHORT, root
from broker.errors import tree
from typer.core import TyperGroup

HEAVY = ("boto3", "botocore", "urllib3", "yaml", "jsonschema_rs", "cryptography", "broker.registry", "broker.jobs")
"""What takes tens of milliseconds to import, each; Typer and Rich have what they need, and import it themselves."""

NOWHERE: Any = None


def leaves(command: Any = None, path: str = "") -> Iterator[tuple[str, Any]]:
    """All commands by their words; not by their short forms."""
    command = command or root()
    for name in command.list_commands(NOWHERE):
        one = command.get_command(NOWHERE, name)
        if not path and name in SHORT:
            continue
        if isinstance(one, TyperGroup):
            yield from leaves(one, f"{path}{name} ")
        else:
            yield f"{path}{name}", one


def loaded(*arguments: str) -> set[str]:
    """The modules that a call of the command has imported when it ends."""
    code = f"import sys; from broker.cli import main; main({[*arguments]!r}); print(*sys.modules, file=sys.stderr)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr.split())  # noqa: S603


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["jobs", "--help"], ["keys", "--help"], ["jbos"]])
def test_a_call_that_asks_nobody_imports_nothing_heavy(arguments: list[str]) -> None:
    found = loaded(*arguments)
    assert "broker.cli.root" in found
    assert not {name for name in HEAVY if name in found}
    assert not {f"broker.cli.groups.{name}" for name in GROUPS if name not in arguments} & found


@pytest.mark.parametrize("name", list(GROUPS))
def test_a_group_is_about_what_its_row_says(name: str) -> None:
    assert root().get_command(NOWHERE, name).help == GROUPS[name]


@pytest.mark.parametrize(("short", "full"), list(SHORT.items()))
def test_a_short_form_is_the_same_command(short: str, full: str) -> None:
    group, _, command = full.partition(" ")
    meant = root().get_command(NOWHERE, group)
    found = root().get_command(NOWHERE, short)
    assert found.help == (meant.commands[command] if command else meant).help


@pytest.mark.parametrize(("path", "command"), list(leaves()))
def test_all_commands_have_the_common_options_and_those_that_change_something_a_dry_run(
    path: str, command: Any
) -> None:
    options = {option for each in command.params for option in each.opts}
    assert {"--json", "--stack", "--local", "--profile"} <= options
    reading = path == "compat run" or path.split()[-1] in READING
    assert ("--dry-run" in options) is not reading, path


READING = {
    *("list", "get", "wait", "show", "plan", "history", "import", "export", "estimate", "watch", "results", "content"),
    *("trace", "outputs", "doctor", "completion", "verify", "calls", "reconcile", "explain", "tail", "deliveries"),
}
"""Last words of commands that change nothing; nor does `compat run`, which runs what its user says."""


def test_each_status_of_an_error_has_an_exit_status_that_is_told() -> None:
    assert set(MEANING) == set(Exit)
    told = {of_status(each.status) for each in tree()}
    assert told >= {Exit.INVALID, Exit.NOT_ALLOWED, Exit.NOT_FOUND, Exit.CONFLICT, Exit.LIMITED, Exit.UNAVAILABLE}
    assert all(str(status) in MEANING[exit_status] for status, exit_status in BY_STATUS.items())


def test_an_error_is_json_where_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BROKER_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("BROKER_API_KEY", "ib_x")
    assert main(["models", "--json"]) == Exit.UNAVAILABLE
    printed = capsys.readouterr()
    told = json.loads(printed.err)
    assert (printed.out, told["exit_status"], told["error"]["type"]) == ("", 8, "unavailable")
