"""`broker submit`, `get`, `wait`, `cancel`, `jobs`, `prompts` and `models`: the REST API with an API key."""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from broker.cli.printable import as_json, on_one_line, printable
from broker.cli.rest_client import RestClient
from broker.cli.shell import Shell
from broker.errors import InvalidRequest
from broker.jobs.head import Status

POLL_S = 20
"""A long poll, within what API Gateway allows."""

PAUSE_S = 1
"""Between long polls: where as many wait as may, they are answered at once."""


class NotSucceeded(Exception):
    """The job that was waited for ended otherwise; its text is what is shown of it."""


def add(commands: Any) -> None:
    """The arguments of the commands."""
    one = commands.add_parser("submit", help="submit a job; the request is made of the arguments, or read from a file")
    one.add_argument("text", nargs="?", help="the input of a chat")
    one.add_argument("--body", type=Path, metavar="FILE", help="the whole request as JSON; - for standard input")
    one.add_argument("--prompt", metavar="ID", help="run a stored prompt")
    one.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a variable: JSON, a text, or @FILE"
    )
    one.add_argument("--model", help="a model or an alias, not the route's choice")
    one.add_argument("--idempotency-key", metavar="KEY", help="the same again gives the same job, for a day")
    one.add_argument("--wait", action="store_true", help="until it has ended")
    _add_text(one)
    one = commands.add_parser("get", help="show a job")
    one.add_argument("id")
    one.add_argument("--route", action="store_true", help="with why each model was taken or left out")
    one.add_argument("--queue", action="store_true", help="with where it stands in its queue, and when it may begin")
    _add_text(one)
    one = commands.add_parser("wait", help="wait until a job has ended; the status is 0 where it succeeded")
    one.add_argument("id")
    one.add_argument("--seconds", type=int, help="at most; for ever when left out")
    _add_text(one)
    commands.add_parser("cancel", help="cancel a job").add_argument("id")
    one = commands.add_parser("jobs", help="list jobs, newest first")
    one.add_argument("--status", choices=[*Status])
    one.add_argument("--limit", type=int, default=20)
    commands.add_parser("prompts", help="list the stored prompts and their variables")
    commands.add_parser("models", help="list the models that the key may use")


def _add_text(command: argparse.ArgumentParser) -> None:
    command.add_argument("--text", dest="text_only", action="store_true", help="print the answer's text alone")


def submit(shell: Shell) -> str:
    """`broker submit`."""
    options, client = shell.options, client_of(shell)
    job = client.call("POST", "/jobs", _request(options), idempotency_key=options.idempotency_key)
    return _ended(client, job["id"], None, options) if options.wait or options.text_only else as_json(job)


def get(shell: Shell) -> str:
    """`broker get`."""
    wanted = [name for name in ("route", "queue") if getattr(shell.options, name)]
    include = {"include": ",".join(wanted) or None}
    return _told(client_of(shell).call("GET", _path(shell.options.id), query=include), shell.options)


def wait(shell: Shell) -> str:
    """`broker wait`."""
    return _ended(client_of(shell), shell.options.id, shell.options.seconds, shell.options)


def cancel(shell: Shell) -> str:
    """`broker cancel`."""
    return as_json(client_of(shell).call("POST", f"{_path(shell.options.id)}/cancel"))


def jobs(shell: Shell) -> str:
    """`broker jobs`."""
    rows = pages(client_of(shell), "/jobs", {"status": shell.options.status}, shell.options.limit)
    return "\n".join(
        on_one_line(f"{row['id']}  {row['created_at']}  {row['status']:9}  {row['task']}  {row['model']}  "
                    f"{row['usage']['cost_usd']:.6f} $")
        for row in rows
    )  # fmt: skip


def prompts(shell: Shell) -> str:
    """`broker prompts`."""
    return "\n".join(line for row in pages(client_of(shell), "/prompts", {}, None) for line in _prompt(row))


def models(shell: Shell) -> str:
    """`broker models`."""
    rows = client_of(shell).call("GET", "/models")["data"]
    return "\n".join(
        on_one_line(
            f"{row['id']:24}  {row['status']:10}  circuit {row['circuit']['state']:9}  {', '.join(row['tasks'])}"
        )
        for row in rows
    )


def client_of(shell: Shell) -> RestClient:
    """The API as `address_of` has it."""
    return RestClient(*address_of(shell))


def address_of(shell: Shell) -> tuple[str, str]:
    """The API that the environment names, or the stack's, and a key; the key is the environment's alone.

    Raises:
        InvalidRequest: there is no key.
    """
    key = shell.environment.get("BROKER_API_KEY")
    if not key:
        raise InvalidRequest("Put an API key into BROKER_API_KEY (`broker key TENANT --principal NAME` makes one).")
    return (shell.environment.get("BROKER_URL") or shell.outputs["ApiUrl"]).rstrip("/"), key


def _path(job_id: str) -> str:
    return f"/jobs/{quote(job_id, safe='')}"


def _request(options: argparse.Namespace) -> Any:
    if options.body is not None:
        text = sys.stdin.read() if str(options.body) == "-" else options.body.read_text(encoding="utf-8")
        try:
            body = json.loads(text)
        except ValueError as error:
            raise InvalidRequest(f"{options.body} is not JSON: {error}", param="body") from None
        if not isinstance(body, dict):
            raise InvalidRequest(f"{options.body} is no JSON object.", param="body")
    else:
        body = {"input": options.text} if options.text is not None else {}
        if options.prompt:
            body["prompt"] = {"id": options.prompt, "variables": dict(map(_variable, options.set))}
    if not body:
        raise InvalidRequest("There is nothing to do: give a text, --prompt or --body.")
    return {**body, "model": options.model} if options.model else body


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


def _ended(client: RestClient, job_id: str, seconds: int | None, options: argparse.Namespace) -> str:
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
    if job["status"] != Status.SUCCEEDED:
        raise NotSucceeded(_why(job) if options.text_only else as_json(job))
    return _told(job, options)


def _told(job: Any, options: argparse.Namespace) -> str:
    if not options.text_only:
        return as_json(job)
    output = job["output"]
    if output is None:
        raise NotSucceeded(_why(job))
    return printable(output["text"] if isinstance(output.get("text"), str) else as_json(output))


def _why(job: Any) -> str:
    return f"{job['id']} is {job['status']}" + (f": {printable(job['error']['message'])}" if job["error"] else "")


def pages(client: RestClient, path: str, query: dict[str, Any], most: int | None) -> Iterator[Any]:
    """The rows of a list, page by page; `most` at most."""
    cursor, left = None, most
    while left is None or left > 0:
        limit = 100 if left is None else min(100, left)
        page = client.call("GET", path, query={**query, "limit": limit, "cursor": cursor})
        yield from page["data"] if left is None else page["data"][:left]
        left = None if left is None else left - len(page["data"])
        cursor = page["next_cursor"]
        if cursor is None:
            return


def _prompt(row: Any) -> Iterator[str]:
    described = f"  {row['description']}" if row["description"] else ""
    yield on_one_line(f"{row['id']}  version {row['version']}{described}")
    for name, schema in row["variables"].items():
        need = f"default {json.dumps(schema['default'], ensure_ascii=False)}" if "default" in schema else "needed"
        yield on_one_line(f"    {name}: {schema['type']}, {need}")
