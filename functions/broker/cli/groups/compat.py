"""`broker compat`: what a program would find here, before it is moved."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

from typer import Argument, Option

from broker.cli.command import group, reads
from broker.cli.shell import Shell
from broker.cli.shown import NotSucceeded, Shown
from broker.errors import InvalidRequest

if TYPE_CHECKING:
    from broker.cli.compat.call import Outcome

app = group("What a program, or a recording of its calls, would find here.")


@reads(app)
def trace(
    shell: Shell,
    file: Annotated[Path, Argument(help="A HAR file, or a call as JSON on each line.")],
    model: Annotated[
        list[str] | None, Option(metavar="THEIRS=OURS", help="Which model stands for one; may be repeated.")
    ] = None,
) -> Shown:
    """Hold recorded calls against the stack; nothing is run."""
    from broker.cli.compat.holding import Hold
    from broker.cli.compat.trace import calls_in

    hold = Hold(shell.api, dict(_pair(each) for each in model or []))
    return _told([hold(call) for call in calls_in(file)])


def _pair(text: str) -> tuple[str, str]:
    theirs, found, ours = text.partition("=")
    if not (theirs and found and ours):
        raise InvalidRequest(f"{text!r} is not THEIRS=OURS, such as gpt-5=large.", param="model")
    return theirs, ours


@reads(app, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def run(
    shell: Shell,
    words: Annotated[list[str] | None, Argument(metavar="COMMAND", help="With its arguments.")] = None,
) -> Shown:
    """Run a command whose calls go to the stack, and say what became of them."""
    from broker.cli.compat.recording import Recorder
    from broker.rest.api import ROUTES
    from broker.rest.elsewhere import resource_of

    if not words:
        raise InvalidRequest("Which command? broker compat run python my_script.py", param="COMMAND")
    client = shell.api
    with Recorder(*shell.address, lambda method, path: resource_of(method, path, ROUTES)) as recorder:
        ended = subprocess.run(words, env={**os.environ, **recorder.environment()}, check=False).returncode  # noqa: S603 - the user's own
    outcomes = recorder.priced(lambda job_id: client.call("GET", f"/jobs/{quote(job_id, safe='')}"))
    if ended:
        try:
            told = _told(outcomes)
        except NotSucceeded as error:
            told = error.shown
        raise NotSucceeded(Shown(told.value, f"{told.plain}\nthe command ended with status {ended}"))
    return _told(outcomes)


def _told(outcomes: "Sequence[Outcome]") -> Shown:
    from broker.cli.compat import report
    from broker.cli.compat.call import WORKS

    told = Shown(report.document(outcomes), report.text(outcomes))
    if any(each.result != WORKS for each in outcomes):
        raise NotSucceeded(told)
    return told
