"""`broker batch …`: rows of a file as one piece of work, watched as it runs."""

import argparse
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from broker.batches.batch import BatchStatus
from broker.cli.asking import NotSucceeded, client_of, pages
from broker.cli.files import put_file, put_once
from broker.cli.printable import Printing, as_json, on_one_line
from broker.cli.progress import follow
from broker.cli.rest_client import RestClient
from broker.cli.shell import Shell
from broker.clock import iso
from broker.errors import BrokerError, InvalidRequest


def add(command: argparse.ArgumentParser) -> None:
    """The arguments of `broker batch`."""
    ways = command.add_subparsers(dest="way", required=True)
    for name, what in (("run", "submit the rows of a file and watch them"), ("estimate", "what they would cost")):
        one = ways.add_parser(name, help=what)
        one.add_argument("file", help="a .jsonl or .csv file, an s3:// address, or the id of an uploaded file")
        one.add_argument(
            "--endpoint", metavar="ROUTE", help="rows are OpenAI's, for this, such as /v1/chat/completions"
        )
        one.add_argument("--prompt", metavar="ID", help="rows are the variables of this stored prompt")
        one.add_argument("--format", choices=("jsonl", "csv"), help="by the file's name unless said")
        one.add_argument("--separator", help="of a csv; `tab` for a tabulator, as a .tsv has without it")
        one.add_argument("--encoding", help="of the file, where it is not UTF-8 and has no byte order mark")
        one.add_argument("--model", help="for rows that name none")
        one.add_argument("--max-cost-usd", type=float, metavar="USD", help="stop before rows could cost more")
        one.add_argument("--not-before", metavar="TIME", help="such as 2026-12-01T22:00:00+01:00")
        one.add_argument("--body", type=Path, metavar="FILE", help="all else that a batch may say, as JSON")
    one = ways.choices["run"]
    one.add_argument("--dedupe", action="store_true", help="pay for identical rows once")
    one.add_argument("--window", metavar="SPAN", help="how long rows may take, such as 24h or 7d")
    one.add_argument("--idempotency-key", metavar="KEY", help="the same again gives the same batch, for a day")
    one.add_argument("--detach", action="store_true", help="print the batch, and do not watch it")
    _add_watched(one)
    for name, what in BY_ID.items():
        one = ways.add_parser(name, help=what)
        one.add_argument("id")
    ways.choices["results"].add_argument("--errors", action="store_true", help="of the rows that did not succeed")
    for name in ("watch", "retry"):
        _add_watched(ways.choices[name])
    _add_out(ways.choices["results"])
    ways.choices["retry"].add_argument("--detach", action="store_true", help="print the batch, and do not watch it")
    ways.add_parser("list", help="list batches, newest first").add_argument("--limit", type=int, default=20)


BY_ID = {
    "get": "show a batch",
    "watch": "show its progress until it has ended; the status is 0 where every row succeeded",
    "cancel": "let no more rows begin, and keep what is done",
    "pause": "let no more rows begin for now",
    "resume": "let them begin again",
    "retry": "run the rows that did not succeed once more, as a batch of their own",
    "results": "print the results, or write them to a file",
}


def _add_out(command: argparse.ArgumentParser) -> None:
    command.add_argument("--out", type=Path, metavar="FILE", help="write the results there")


def _add_watched(command: argparse.ArgumentParser) -> None:
    _add_out(command)
    command.add_argument("--json", action="store_true", help="print the batch as JSON once it has ended")


def batch(shell: Shell) -> str:
    """`broker batch`."""
    return WAYS[shell.options.way](shell, client_of(shell))


def _run(shell: Shell, client: RestClient) -> str:
    options = shell.options
    body, uploaded = _body(options, client)
    try:
        made = client.call("POST", "/batches", body, idempotency_key=options.idempotency_key)
    except InvalidRequest:  # after another failure there may be a batch that reads it
        _forget(client, uploaded)
        raise
    return as_json(made) if options.detach else _followed(client, made["id"], options)


def _estimate(shell: Shell, client: RestClient) -> str:
    body, uploaded = _body(shell.options, client)
    try:
        return as_json(client.call("POST", "/batches/estimate", body))
    finally:
        _forget(client, uploaded)


def _forget(client: RestClient, file_id: str | None) -> None:
    """Delete what was uploaded for a call that left nothing else behind; where that fails, it goes after its time."""
    if file_id is not None:
        with suppress(BrokerError):
            client.call("DELETE", f"/files/{quote(file_id, safe='')}")


def _get(shell: Shell, client: RestClient) -> str:
    return as_json(client.call("GET", _path(shell.options.id)))


def _watch(shell: Shell, client: RestClient) -> str:
    return _followed(client, shell.options.id, shell.options)


def _change(shell: Shell, client: RestClient) -> str:
    return _told(client.call("POST", f"{_path(shell.options.id)}/{shell.options.way}"))


def _retry(shell: Shell, client: RestClient) -> str:
    made = client.call("POST", f"{_path(shell.options.id)}/retry")
    return as_json(made) if shell.options.detach else _followed(client, made["id"], shell.options)


def _results(shell: Shell, client: RestClient) -> str:
    kind = "errors" if shell.options.errors else "output"
    return _download(client, shell.options.id, kind, shell.options.out)


def _list(shell: Shell, client: RestClient) -> str:
    return "\n".join(map(_told, pages(client, "/batches", {}, shell.options.limit)))


WAYS: dict[str, Callable[[Shell, RestClient], str]] = {
    "run": _run,
    "estimate": _estimate,
    "get": _get,
    "watch": _watch,
    **dict.fromkeys(("cancel", "pause", "resume"), _change),
    "retry": _retry,
    "results": _results,
    "list": _list,
}


def _path(batch_id: str) -> str:
    return f"/batches/{quote(batch_id, safe='')}"


def _body(options: argparse.Namespace, client: RestClient) -> tuple[dict[str, Any], str | None]:
    """The request, and the file that was uploaded for it: one of this machine is, unless a first try did."""
    body = _read(options.body) if options.body else {}
    written = {name: value for name, value in _format(options).items() if value is not None}
    said = {
        "endpoint": options.endpoint,
        "prompt": {"id": options.prompt} if options.prompt else None,
        "format": written if written != {"type": "jsonl"} else None,
        "defaults": {**body.get("defaults", {}), "model": options.model} if options.model else None,
        "max_cost_usd": options.max_cost_usd,
        "not_before": options.not_before,
        "dedupe": getattr(options, "dedupe", False) or None,
        "completion_window": getattr(options, "window", None),
    }
    body |= {name: value for name, value in said.items() if value is not None}
    if options.file.startswith("s3://"):
        return {**body, "s3": options.file}, None
    path = Path(options.file)
    if options.file.startswith("file-") and not path.exists():
        return {**body, "input_file_id": options.file}, None
    if not path.is_file():
        raise InvalidRequest(f"{path}: there is no such file.", param="file")
    if not path.stat().st_size:
        raise InvalidRequest(f"{path}: the file is empty.", param="file")
    if getattr(options, "idempotency_key", None) is None:
        uploaded = str(put_file(client, path, "batch")["id"])
        return {**body, "input_file_id": uploaded}, uploaded
    file_id, is_new = put_once(client, path, "batch")
    return {**body, "input_file_id": file_id}, file_id if is_new else None


def _format(options: argparse.Namespace) -> dict[str, str | None]:
    """How the file is written, by the arguments, else by its name."""
    name = options.file.lower()
    separator = options.separator or ("tab" if name.endswith(".tsv") and options.format != "jsonl" else None)
    return {
        "type": options.format or ("csv" if name.endswith((".csv", ".tsv")) else "jsonl"),
        "separator": "\t" if separator == "tab" else separator,
        "encoding": options.encoding,
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidRequest(f"{path} is not JSON: {error}", param="body") from None
    if not isinstance(found, dict):
        raise InvalidRequest(f"{path} is no JSON object.", param="body")
    return found


def _followed(client: RestClient, batch_id: str, options: argparse.Namespace) -> str:
    """The batch once it has ended, and its results where they are to be written.

    Raises:
        NotSucceeded: not every row succeeded, or nobody wants to watch any longer.
    """
    try:
        seen = follow(
            lambda: dict(client.call("GET", _path(batch_id))), lambda now: BatchStatus(now["status"]).terminal
        )
    except KeyboardInterrupt:
        raise NotSucceeded(f"\n{batch_id} goes on; watch it with: broker batch watch {batch_id}") from None
    told = as_json(seen) if options.json else _told(seen)
    if options.out is not None and seen["request_counts"]["completed"]:
        written = _download(client, batch_id, "output", options.out)
        told += "" if options.json else f"\n{written}"
    if seen["status"] != BatchStatus.COMPLETED or seen["request_counts"]["failed"] or seen["stop_reason"]:
        raise NotSucceeded(told if options.json else "\n".join([told, *_why(seen)]))
    return told


def _why(batch: dict[str, Any]) -> list[str]:
    """Why not every row succeeded, or where that is said."""
    errors = [on_one_line(each["message"]) for each in (batch["errors"] or {}).get("data", ())]
    if batch["request_counts"]["failed"] and not batch["erased"]:
        errors.append(f"what became of the others: broker batch results --errors {batch['id']}")
    return errors


def _told(batch: dict[str, Any]) -> str:
    counts = batch["request_counts"]
    stopped = f" ({batch['stop_reason']})" if batch["stop_reason"] not in (None, batch["status"]) else ""
    rows = "row" if counts["total"] == 1 else "rows"
    made = batch["created_at"]
    made = iso(made * 1000) if isinstance(made, int) else made  # of rows in OpenAI's form
    return on_one_line(
        f"{batch['id']}  {made}  {batch['status']}{stopped}{' paused' if batch['paused'] else ''}  "
        f"{counts['total']:,} {rows}, {counts['completed']} succeeded, {counts['failed']} did not  "
        f"{batch['usage']['cost_usd']:.6f} $"
    )


def _download(client: RestClient, batch_id: str, kind: str, path: Path | None) -> str:
    """Results as they are, to a file or to standard output."""
    route = f"{_path(batch_id)}/results?kind={kind}"
    if path is not None:
        return f"{kind} in {path}: {client.fetch(route, path):,} bytes"
    client.fetch(route, Printing())
    return ""
