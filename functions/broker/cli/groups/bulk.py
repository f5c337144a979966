"""`broker bulk`: the same for all jobs that a filter finds."""

import time
from typing import Annotated, Any
from urllib.parse import quote

from typer import Argument, Option

from broker.cli.command import changes, group, reads
from broker.cli.shell import Shell
from broker.cli.shown import Shown, record
from broker.errors import InvalidRequest

POLL_S = 1.0

app = group("Cancel, or run again, all jobs that a filter finds.")

Batch = Annotated[str | None, Option(metavar="ID", help="Rows of this batch.")]
Tag = Annotated[str | None, Option(metavar="KEY=VALUE", help="Of their metadata.")]
After = Annotated[str | None, Option(metavar="TIME", help="Made then or later, such as 2026-12-01T22:00:00+01:00.")]
Before = Annotated[str | None, Option(metavar="TIME", help="Made earlier.")]
Key = Annotated[
    str | None,
    Option("--idempotency-key", metavar="KEY", help="The same again is the same operation, for a day."),
]
Detach = Annotated[bool, Option("--detach", help="Do not wait until it is over.", show_default=False)]


@changes(app)
def cancel(
    shell: Shell,
    status: Annotated[list[str] | None, Option(help="Those that stand so: queued, running.")] = None,
    batch: Batch = None,
    tag: Tag = None,
    after: After = None,
    before: Before = None,
    idempotency_key: Key = None,
    detach: Detach = False,
) -> Shown:
    """Cancel them; with --dry-run they are counted."""
    return _run(shell, "cancel", _filter(status, batch, tag, after, before), idempotency_key, detach)


@changes(app)
def retry(
    shell: Shell,
    status: Annotated[list[str] | None, Option(help="Those that ended so: failed, expired, canceled.")] = None,
    batch: Batch = None,
    tag: Tag = None,
    after: After = None,
    before: Before = None,
    idempotency_key: Key = None,
    detach: Detach = False,
) -> Shown:
    """Run them again, each as a job of its own; with --dry-run they are counted and priced."""
    return _run(shell, "retry", _filter(status, batch, tag, after, before), idempotency_key, detach)


@reads(app)
def get(shell: Shell, id: Annotated[str, Argument(metavar="ID", help="The operation's.")]) -> Shown:
    """Show an operation."""
    return record(shell.api.call("GET", f"/jobs/bulk/{quote(id, safe='')}"))


def _run(shell: Shell, action: str, wanted: dict[str, Any], key: str | None, detach: bool) -> Shown:
    body = {"action": action, "filter": wanted, "dry_run": shell.dry_run}
    shown = shell.api.call("POST", "/jobs/bulk", body, idempotency_key=key)
    while not detach and shown["status"] != "completed":
        time.sleep(POLL_S)
        shown = shell.api.call("GET", f"/jobs/bulk/{shown['id']}")
    return record(shown)


def _filter(status: Any, batch: str | None, tag: str | None, after: str | None, before: str | None) -> dict[str, Any]:
    said = {
        "status": status or None,
        "batch": batch,
        "tag": _tag(tag) if tag else None,
        "created_after": after,
        "created_before": before,
    }
    return {name: value for name, value in said.items() if value is not None}


def _tag(text: str) -> dict[str, str]:
    key, given, value = text.partition("=")
    if not given:
        raise InvalidRequest(f"{text!r} is no tag; write KEY=VALUE.", param="tag")
    return {"key": key, "value": value}
