"""From a command's arguments to its exit status: which stack is meant, what came of it, and what an error says."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker.cli.exits import Exit, of_status
from broker.cli.printable import as_json, on_one_line
from broker.cli.shell import STACK, Shell
from broker.cli.shown import NotSucceeded, Shown, show
from broker.cli.this_machine import local_stack
from broker.errors import BrokerError

DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "InvalidClientTokenId",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
    }
)
"""How AWS's services say that credentials are none, or do not allow it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options that all commands have, as they were given before or after the command."""

    as_json: bool = False
    stack: str | None = None
    local: bool = False
    profile: str | None = None
    dry_run: bool = False

    def over(self, before: "Wanted | None") -> "Wanted":
        """These, and those from before the command where these say nothing."""
        if before is None:
            return self
        return Wanted(
            self.as_json or before.as_json,
            self.stack if self.stack is not None else before.stack,
            self.local or before.local,
            self.profile if self.profile is not None else before.profile,
            self.dry_run,
        )


class DryRun(Exception):
    """Something would change, and is not to; its text says what, and `would` for programs."""

    def __init__(self, text: str, **would: Any) -> None:
        super().__init__(text)
        self.would = would


def run(work: Callable[[Shell], Shown | None], wanted: Wanted) -> int:
    """Run a command, and print what it has to say; gives the exit status."""
    try:
        shell = shell_of(wanted)
        shown = work(shell)
    except NotSucceeded as error:
        show(error.shown, json=wanted.as_json)
        return error.status
    except DryRun as dry:
        show(Shown({"dry_run": True, **dry.would}, str(dry)), json=wanted.as_json)
        return Exit.DONE
    except Exception as error:
        known = failure(error)
        if known is None:
            raise
        status, facts = known
        _tell(facts, status, json=wanted.as_json)
        return status
    if shown is None:
        return Exit.DONE
    show(shown, json=wanted.as_json)
    return shown.status


def shell_of(wanted: Wanted) -> Shell:
    """The shell, on the stack that is meant; says on standard error where that is the one of this machine.

    Raises:
        InvalidRequest: it is this machine's, and does not run or is not to be trusted.
    """
    named = wanted.stack is not None or wanted.profile is not None
    local = local_stack(wanted=wanted.local, named=named, environment=os.environ, folder=Path.cwd())
    stack = wanted.stack or (None if local else os.environ.get("BROKER_STACK")) or STACK
    if local:
        print(f"broker: on the stack of this machine, {local['BROKER_URL']}", file=sys.stderr)
    environment = {**(local or {}), **os.environ} | ({"BROKER_URL": local["BROKER_URL"]} if local else {})
    return Shell(environment, stack, local, wanted.profile, wanted.as_json, wanted.dry_run)


def failure(error: Exception) -> tuple[int, dict[str, Any]] | None:
    """The exit status for an error, and what is told of it; None for one that nobody foresaw."""
    if isinstance(error, BrokerError):
        return of_status(error.status), {**error.facts(), **error.beside}
    if isinstance(error, OSError | ValueError):  # no such file, or not what it should be
        return Exit.INVALID, {"message": str(error)}
    if "botocore.exceptions" in sys.modules:
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ProfileNotFound

        if isinstance(error, ClientError):
            return _of_aws(error.response["Error"].get("Code", "")), {"message": str(error)}
        if isinstance(error, BotoCoreError):
            denied = isinstance(error, NoCredentialsError | ProfileNotFound)
            return Exit.NOT_ALLOWED if denied else Exit.UNAVAILABLE, {"message": str(error)}
    return None


def _of_aws(code: str) -> Exit:
    if code in DENIED:
        return Exit.NOT_ALLOWED
    # CloudFormation says so of a stack that is not there.
    return Exit.NOT_FOUND if code in ("ValidationError", "ResourceNotFoundException") else Exit.UNAVAILABLE


def _tell(facts: dict[str, Any], status: int, *, json: bool) -> None:
    """An error, on standard error."""
    if json:
        print(as_json({"error": facts, "exit_status": int(status)}), file=sys.stderr)
        return
    print(f"broker: {on_one_line(facts['message'])}", file=sys.stderr)
    if step := facts.get("next_step"):
        print(f"  next: {on_one_line(step)}", file=sys.stderr)
