"""The demo's batch: two hundred rows with one that is blocked, one that is broken and one that comes twice."""

import json
import sys
from collections.abc import Callable
from io import StringIO
from typing import Any

import urllib3
from broker.batches.batch import BatchStatus
from broker.cli.progress import follow

from local.client import Client

ROWS = 200
BLOCKED, BROKEN, FIRST, TWICE = 40, 80, 10, 120
"""Numbers of rows; `TWICE` asks what `FIRST` asks."""

Say = Callable[[str], None]


def run_batch(api: Client, say: Say) -> dict[str, Any]:
    """Run it with its progress, and show what came of the odd rows; gives the batch as it ended."""
    body = {"requests": rows(), "defaults": {"model": "local-small"}, "dedupe": True, "max_cost_usd": 1}
    told = api.call("POST", "/batches/estimate", body).body
    say(f"   estimated: {told['rows']} rows, {told['expected_cost_usd']:.6f} $, at most {told['worst_cost_usd']:.6f} $")
    made = api.call("POST", "/batches", body).body
    say(f"   {made['id']} is {made['status']}")
    path = f"/batches/{made['id']}"
    ended = follow(lambda: dict(api.call("GET", path).body), lambda now: BatchStatus(now["status"]).terminal, _Out(say))
    for line in _odd(_lines(api, path, "output") + _lines(api, path, "errors")):
        say(f"   {line}")
    return ended


def rows() -> list[dict[str, Any]]:
    """The rows, each a request of a job."""
    asked = [{"custom_id": f"lamp-{number:03}", **_ask(f"Summarize: lamp {number} is lit.")} for number in range(ROWS)]
    asked[BLOCKED] |= _ask("Charge my card 4111 1111 1111 1111.")
    asked[BROKEN] = {"custom_id": f"lamp-{BROKEN:03}", "task": "paint"}
    asked[TWICE] |= _ask(f"Summarize: lamp {FIRST} is lit.")
    return asked


def _ask(text: str) -> dict[str, Any]:
    return {"input": {"text": text}}


def _lines(api: Client, path: str, kind: str) -> list[dict[str, Any]]:
    """The lines of a file of results, by the link that the API gives."""
    link = api.call("GET", f"{path}/results?kind={kind}").headers["location"]
    data = urllib3.request("GET", link, retries=False, timeout=20).data
    return [json.loads(line) for line in data.splitlines()]


def _odd(lines: list[dict[str, Any]]) -> list[str]:
    told = []
    for line in sorted(lines, key=lambda each: int(each["line"])):
        error = line.get("error") or line["job"]["error"]
        if error:
            told.append(f"row {line['line']}, {line['custom_id']}: {error['message']}")
        elif line.get("duplicate_of"):
            told.append(
                f"row {line['line']}, {line['custom_id']}: the answer of row {line['duplicate_of']}, for nothing"
            )
    return told


class _Out(StringIO):
    """Where progress goes: the terminal, where there is one, else the demo's lines."""

    def __init__(self, say: Say) -> None:
        super().__init__()
        self._say = say

    def isatty(self) -> bool:
        """See `io.TextIOBase.isatty`."""
        return sys.stdout.isatty()

    def write(self, text: str) -> int:
        """See `io.TextIOBase.write`."""
        if self.isatty():
            return sys.stdout.write(text)
        self._say(f"   {text.rstrip()}")
        return len(text)

    def flush(self) -> None:
        """See `io.TextIOBase.flush`."""
        sys.stdout.flush()
