"""`broker usage`: what the tenant's jobs used and cost."""

from functools import partial
from typing import Annotated, Any

from typer import Option

from broker.cli.command import group, reads
from broker.cli.shell import Shell
from broker.cli.shown import Shown, rows

app = group("What the jobs of the key's tenant used and cost.", implied="list")


@reads(app, "list")
def list_usage(
    shell: Shell,
    first: Annotated[str | None, Option("--from", metavar="DAY", help="Such as 2026-12-01.")] = None,
    last: Annotated[str | None, Option("--to", metavar="DAY", help="Today when left out.")] = None,
    by: Annotated[str | None, Option(help="By day and this, such as model; by month and model when left out.")] = None,
) -> Shown:
    """List usage by month and model, or by what the tenant has counted."""
    found = list(shell.api.pages("/usage", {"from": first, "to": last, "by": by}, None))
    names = list(dict.fromkeys(name for row in found for name in row))
    return rows(found, {name: partial(_told, name) for name in names})


def _told(name: str, row: dict[str, Any]) -> str:
    """A figure by its name, which a line without titles needs."""
    value = row.get(name)
    return "" if value is None else f"{name} {value}"
