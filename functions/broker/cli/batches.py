"""`broker batch …`: rows of a file as one piece of work, watched as it runs."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from broker.batches.batch import BatchStatus
from broker.cli.asking import NotSucceeded, client_of, pages
from broker.cli.files import put_file
from broker.cli.printable import Printing, as_json, on_one_line
from broker.cli.progress import follow
from broker.cli.rest_client import RestClient
from broker.cli.shell import Shell
from broker.errors import InvalidRequest


def add(command: argparse.ArgumentParser) -> None:
    """The arguments of `broker batch`."""
    ways = command.add_subparsers(dest="way", required=True)
    for name, what in (("run", "submit the rows of a file and watch them"), ("estimate", "what they would cost")):
        one = ways.add_parser(name, help=what)
        one.add_argument("file", help="a .jsonl or .csv file, an s3:// address, or the id of an uploaded file")
        one.add_argument("--prompt", metavar="ID", help="rows are the variables of this stored prompt")
        one.add_argument("--format", choices=("jsonl", "csv"), help="by the file's name unless said")
        one.add_argument("--separator", help="of a csv; `tab` for a tabulator")
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
    _add_out(one)
    for name, what in BY_ID.items():
        one = ways.add_parser(name, help=what)
        one.add_argument("id")
    ways.choices["results"].add_argument("--errors", action="store_true", help="of the rows that did not succeed")
    for name in ("watch", "retry", "results"):
        _add_out(ways.choices[name])
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


def batch(shell: Shell) -> str:
    """`broker batch`."""
    return WAYS[shell.options.way](shell, client_of(shell))


def _run(shell: Shell, client: RestClient) -> str:
    options = shell.options
    body = _body(options, client)
    made = client.call("POST", "/batches", body, idempotency_key=options.idempotency_key)
    return as_json(made) if options.detach else _followed(client, made["id"], options)


def _estimate(shell: Shell, client: RestClient) -> str:
    return as_json(client.call("POST", "/batches/estimate", _body(shell.options, client)))


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


def _body(options: argparse.Namespace, client: RestClient) -> dict[str, Any]:
    """The request; a file of this machine is uploaded for it."""
    body = _read(options.body) if options.body else {}
    form = options.format or ("csv" if options.file.lower().endswith((".csv", ".tsv")) else "jsonl")
    separator = "\t" if options.separator == "tab" else options.separator
    written = {"type": form, "separator": separator, "encoding": options.encoding}
    written = {name: value for name, value in written.items() if value is not None}
    said = {
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
        return {**body, "s3": options.file}
    path = Path(options.file)
    is_id = options.file.startswith("file-") and not path.exists()
    return {**body, "input_file_id": options.file if is_id else put_file(client, path, "batch")["id"]}


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
    told = _told(seen)
    if options.out is not None and seen["request_counts"]["completed"]:
        told += f"\n{_download(client, batch_id, 'output', options.out)}"
    if seen["status"] != BatchStatus.COMPLETED or seen["request_counts"]["failed"] or seen["stop_reason"]:
        errors = [each["message"] for each in (seen["errors"] or {}).get("data", ())]
        raise NotSucceeded("\n".join([told, *map(on_one_line, errors)]))
    return told


def _told(batch: dict[str, Any]) -> str:
    counts = batch["request_counts"]
    stopped = f" ({batch['stop_reason']})" if batch["stop_reason"] else ""
    return on_one_line(
        f"{batch['id']}  {batch['created_at']}  {batch['status']}{stopped}{' paused' if batch['paused'] else ''}  "
        f"{counts['total']} rows, {counts['completed']} succeeded, {counts['failed']} did not  "
        f"{batch['usage']['cost_usd']:.6f} $"
    )


def _download(client: RestClient, batch_id: str, kind: str, path: Path | None) -> str:
    """Results as they are, to a file or to standard output."""
    route = f"{_path(batch_id)}/results?kind={kind}"
    if path is not None:
        return f"{kind} in {path}: {client.fetch(route, path):,} bytes"
    client.fetch(route, Printing())
    return ""
