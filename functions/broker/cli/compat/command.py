"""The arguments of `broker compat`, and what its ways do."""

import argparse
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from broker.cli.asking import NotSucceeded, address_of, client_of
from broker.cli.compat import report
from broker.cli.compat.call import WORKS, Outcome
from broker.cli.compat.holding import Hold
from broker.cli.compat.recording import Recorder
from broker.cli.compat.trace import calls_in
from broker.cli.printable import as_json
from broker.cli.shell import Shell
from broker.errors import InvalidRequest


def add(command: argparse.ArgumentParser) -> None:
    """The arguments."""
    ways = command.add_subparsers(dest="way", required=True)
    one = ways.add_parser("trace", help="hold recorded calls against the stack; nothing is run")
    one.add_argument("file", type=Path, help="a HAR file, or a call as JSON on each line")
    one.add_argument(
        "--model", dest="models", action="append", default=[], metavar="THEIRS=OURS", help="which model stands for one"
    )
    one.add_argument("--json", action="store_true", help="print the report as JSON")
    one = ways.add_parser("run", help="run a command whose calls go to the stack, and say what became of them")
    one.add_argument("--json", action="store_true", help="print the report as JSON")
    one.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND", help="with its arguments")


def compat(shell: Shell) -> str:
    """`broker compat`.

    Raises:
        NotSucceeded: a call does not work, or the command ended with an error.
    """
    return _trace(shell) if shell.options.way == "trace" else _run(shell)


def _trace(shell: Shell) -> str:
    models = dict(_pair(each) for each in shell.options.models)
    hold = Hold(client_of(shell), models)
    return _told(shell, [hold(call) for call in calls_in(shell.options.file)])


def _pair(text: str) -> tuple[str, str]:
    theirs, found, ours = text.partition("=")
    if not (theirs and found and ours):
        raise InvalidRequest(f"{text!r} is not THEIRS=OURS, such as gpt-5=large.", param="model")
    return theirs, ours


def _run(shell: Shell) -> str:
    from broker.rest.api import ROUTES
    from broker.rest.elsewhere import resource_of

    words = shell.options.words[1:] if shell.options.words[:1] == ["--"] else shell.options.words
    if not words:
        raise InvalidRequest("Which command? broker compat run python my_script.py", param="COMMAND")
    client = client_of(shell)
    base_url, key = address_of(shell)
    with Recorder(base_url, key, lambda method, path: resource_of(method, path, ROUTES)) as recorder:
        ended = subprocess.run(words, env={**os.environ, **recorder.environment()}, check=False).returncode  # noqa: S603 - the user's own
    outcomes = recorder.priced(lambda job_id: client.call("GET", f"/jobs/{quote(job_id, safe='')}"))
    told = _told(shell, outcomes)
    if ended:
        raise NotSucceeded(f"{told}\nthe command ended with status {ended}")
    return told


def _told(shell: Shell, outcomes: Sequence[Outcome]) -> str:
    told = as_json(report.document(outcomes)) if shell.options.json else report.text(outcomes)
    if any(each.result != WORKS for each in outcomes):
        raise NotSucceeded(told)
    return told
