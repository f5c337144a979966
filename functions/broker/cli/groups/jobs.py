"""`broker jobs`: work for models, over the REST API with an API key."""

import json
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import quote

from typer import Argument, Option

from broker.cli.command import changes, group, reads
from broker.cli.exits import Exit
from broker.cli.printable import as_json, on_one_line, printable
from broker.cli.shell import Shell
from broker.cli.shown import Columns, NotSucceeded, Shown, record, rows
from broker.errors import InvalidRequest

if TYPE_CHECKING:
    from broker.cli.rest_client import RestClient

POLL_S = 20
"""A long poll, within what API Gateway allows."""

PAUSE_S = 1
"""Between long polls: where as many wait as may, they are answered at once."""

SUCCEEDED = "succeeded"

Status = Literal["queued", "running", "succeeded", "failed", "blocked", "canceled", "expired"]

Id = Annotated[str, Argument(metavar="ID", help="The job's.")]
TextOnly = Annotated[bool, Option("--text", help="Print the answer's text alone.", show_default=False)]

NEWEST = 50
"""Jobs that `tail` looks at."""

COLUMNS: Columns = {
    "job": lambda row: row["id"],
    "created": lambda row: row["created_at"],
    "status": lambda row: row["status"],
    "task": lambda row: row["task"],
    "model": lambda row: row["model"],
    "cost": lambda row: f"{row['usage']['cost_usd']:.6f} $",
}

app = group("Submit jobs, find and follow them, explain and cancel them.", implied="list")


@changes(app)
def submit(
    shell: Shell,
    text: Annotated[str | None, Argument(help="The input of a chat.")] = None,
    body: Annotated[
        Path | None, Option(metavar="FILE", help="The whole request as JSON; - for standard input.")
    ] = None,
    prompt: Annotated[str | None, Option(metavar="ID", help="Run a stored prompt.")] = None,
    variables: Annotated[
        list[str] | None, Option("--set", metavar="NAME=VALUE", help="A variable: JSON, a text, or @FILE.")
    ] = None,
    model: Annotated[str | None, Option(help="A model or an alias, not the route's choice.")] = None,
    idempotency_key: Annotated[
        str | None, Option(metavar="KEY", help="The same again gives the same job, for a day.")
    ] = None,
    wait: Annotated[bool, Option("--wait", help="Until it has ended.", show_default=False)] = False,
    text_only: TextOnly = False,
) -> Shown:
    """Submit a job; the request is made of the arguments, or read from a file.

    With --dry-run it is estimated: what it would cost, and which models could do it.
    """
    request = _request(text, body, prompt, variables or [], model)
    if shell.dry_run:
        return Shown(shell.api.call("POST", "/estimates", request))
    job = shell.api.call("POST", "/jobs", request, idempotency_key=idempotency_key)
    return _ended(shell.api, job["id"], None, text_only) if wait or text_only else record(job)


@reads(app)
def get(
    shell: Shell,
    id: Id,
    route: Annotated[
        bool, Option("--route", help="With why each model was taken or left out.", show_default=False)
    ] = False,
    queue: Annotated[
        bool, Option("--queue", help="With where it stands in its queue, and when it may begin.", show_default=False)
    ] = False,
    text_only: TextOnly = False,
) -> Shown:
    """Show a job."""
    wanted = [name for name, asked in (("route", route), ("queue", queue)) if asked]
    return _told(shell.api.call("GET", _path(id), query={"include": ",".join(wanted) or None}), text_only)


@reads(app)
def wait(
    shell: Shell,
    id: Id,
    seconds: Annotated[int | None, Option(help="At most; for ever when left out.")] = None,
    text_only: TextOnly = False,
) -> Shown:
    """Wait until a job has ended; the exit status is 0 where it succeeded."""
    return _ended(shell.api, id, seconds, text_only)


@changes(app)
def cancel(shell: Shell, id: Id) -> Shown:
    """Cancel a job."""
    return record(shell.api.call("POST", f"{_path(id)}/cancel"))


@reads(app, "list")
def list_jobs(
    shell: Shell,
    status: Annotated[Status | None, Option(help="Only those that stand so.")] = None,
    limit: Annotated[int, Option(help="At most so many.")] = 20,
) -> Shown:
    """List jobs, newest first."""
    return rows(shell.api.pages("/jobs", {"status": status}, limit), COLUMNS)


@reads(app)
def explain(shell: Shell, id: Id) -> Shown:
    """Show a job's way as a tree: stages, models with why each was taken or left, calls, money, deliveries."""
    from broker.cli import explaining

    job = shell.api.call("GET", _path(id), query={"include": "route"})
    events = shell.api.call("GET", f"{_path(id)}/events")["data"]
    value = {"job": job, "events": events}
    return Shown(value, explaining.text(job, events), lambda: explaining.tree(job, events))


@reads(app)
def tail(
    shell: Shell,
    status: Annotated[Status | None, Option(help="Only those that stand so.")] = None,
    seconds: Annotated[float | None, Option(help="At most; until it is interrupted when left out.")] = None,
) -> None:
    """Show jobs as they come and as their status changes; with --json an object a line."""
    from broker.cli.tailing import changes_of

    look = partial(shell.api.pages, "/jobs", {"status": status}, NEWEST)
    with suppress(KeyboardInterrupt):
        for job in changes_of(look, seconds):
            cells = (on_one_line(str(of(job))) for of in COLUMNS.values())
            print(json.dumps(job) if shell.as_json else "  ".join(cells), flush=True)


@changes(app)
def erase(shell: Shell, id: Id) -> Shown:
    """Erase a job's prompt and answer; its record stays."""
    told = shell.api.call("DELETE", _path(id))
    return Shown(told or {"id": id, "erased": True}, f"{id} erased")


@changes(app)
def redeliver(shell: Shell, id: Id) -> Shown:
    """Send a job's webhook again."""
    return record(shell.api.call("POST", f"{_path(id)}/redeliver"))


def _path(job_id: str) -> str:
    return f"/jobs/{quote(job_id, safe='')}"


def _request(text: str | None, body: Path | None, prompt: str | None, variables: list[str], model: str | None) -> Any:
    if body is not None:
        request = _read(body)
    else:
        request = {"input": text} if text is not None else {}
        if prompt:
            request["prompt"] = {"id": prompt, "variables": dict(map(_variable, variables))}
    if not request:
        raise InvalidRequest("There is nothing to do: give a text, --prompt or --body.")
    return {**request, "model": model} if model else request


def _read(file: Path) -> dict[str, Any]:
    text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InvalidRequest(f"{file} is not JSON: {error}", param="body") from None
    if not isinstance(found, dict):
        raise InvalidRequest(f"{file} is no JSON object.", param="body")
    return found


def _variable(text: str) -> tuple[str, Any]:
    """`NAME=VALUE`; what is no JSON is a text, and `NAME=@FILE` is a file's."""
    name, given, value = text.partition("=")
    if not given:
        raise InvalidRequest(f"{text!r} is no variable; write NAME=VALUE.", param="set")
    if value.startswith("@"):
        return name, Path(value[1:]).read_text(encoding="utf-8")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _ended(client: "RestClient", job_id: str, seconds: int | None, text_only: bool) -> Shown:
    """The job once it has ended.

    Raises:
        NotSucceeded: it ended otherwise, or the time is over.
    """
    until = None if seconds is None else time.monotonic() + seconds
    while True:
        left = POLL_S if until is None else max(0, min(POLL_S, round(until - time.monotonic())))
        job = client.call("GET", _path(job_id), query={"wait": left})
        if job["ended_at"] or (until is not None and time.monotonic() >= until):
            break
        time.sleep(PAUSE_S)
    if job["status"] != SUCCEEDED:
        status = Exit.NOT_SUCCEEDED if job["ended_at"] else Exit.NOT_YET
        raise NotSucceeded(Shown(job, _why(job)) if text_only else record(job), status)
    return _told(job, text_only)


def _told(job: Any, text_only: bool) -> Shown:
    if not text_only:
        return record(job)
    output = job["output"]
    if output is None:
        raise NotSucceeded(Shown(job, _why(job)))
    return Shown(job, printable(output["text"] if isinstance(output.get("text"), str) else as_json(output)))


def _why(job: Any) -> str:
    return f"{job['id']} is {job['status']}" + (f": {printable(job['error']['message'])}" if job["error"] else "")
