"""`broker bulk cancel|retry`: the same for all jobs that a filter finds."""

import argparse
import time
from typing import Any
from urllib.parse import quote

from broker.bulk.request import TAKES
from broker.cli.asking import client_of
from broker.cli.printable import as_json
from broker.cli.shell import Shell
from broker.errors import InvalidRequest

POLL_S = 1.0


def add(command: argparse.ArgumentParser) -> None:
    """The arguments of `broker bulk`."""
    ways = command.add_subparsers(dest="action", required=True)
    for action, what in (("cancel", "cancel them"), ("retry", "run them again, each as a job of its own")):
        one = ways.add_parser(action, help=what)
        one.add_argument("--status", action="append", choices=[each.value for each in TAKES[action]])  # type: ignore[index]
        one.add_argument("--batch", metavar="ID", help="rows of this batch")
        one.add_argument("--tag", metavar="KEY=VALUE", help="of their metadata")
        one.add_argument("--after", metavar="TIME", help="made then or later, such as 2026-12-01T22:00:00+01:00")
        one.add_argument("--before", metavar="TIME", help="made earlier")
        one.add_argument("--dry-run", action="store_true", help="count them, and price a retry; do nothing")
        one.add_argument("--idempotency-key", metavar="KEY", help="the same again is the same operation, for a day")
        one.add_argument("--detach", action="store_true", help="do not wait until it is over")
    ways.add_parser("get", help="show an operation").add_argument("id")


def bulk(shell: Shell) -> str:
    """`broker bulk`."""
    options, client = shell.options, client_of(shell)
    if options.action == "get":
        return as_json(client.call("GET", f"/jobs/bulk/{quote(options.id, safe='')}"))
    body = {"action": options.action, "filter": _filter(options), "dry_run": options.dry_run}
    shown = client.call("POST", "/jobs/bulk", body, idempotency_key=options.idempotency_key)
    while not options.detach and shown["status"] != "completed":
        time.sleep(POLL_S)
        shown = client.call("GET", f"/jobs/bulk/{shown['id']}")
    return as_json(shown)


def _filter(options: argparse.Namespace) -> dict[str, Any]:
    said = {
        "status": options.status,
        "batch": options.batch,
        "tag": _tag(options.tag) if options.tag else None,
        "created_after": options.after,
        "created_before": options.before,
    }
    return {name: value for name, value in said.items() if value is not None}


def _tag(text: str) -> dict[str, str]:
    key, given, value = text.partition("=")
    if not given:
        raise InvalidRequest(f"{text!r} is no tag; write KEY=VALUE.", param="tag")
    return {"key": key, "value": value}
