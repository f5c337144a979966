"""`broker tenants`: who is registered."""

from typing import Any

from broker.cli.command import group, reads
from broker.cli.shell import Shell
from broker.cli.shown import Shown, rows

app = group("The tenants that are registered.", implied="list")


@reads(app, "list")
def list_tenants(shell: Shell) -> Shown:
    """List the tenants; `broker registry apply` registers and changes them."""
    found = [each.listed() for _, each in sorted(shell.registry.all("tenants").items())]
    return rows(
        found,
        {
            "tenant": lambda row: row["id"],
            "state": lambda row: "disabled" if row["entry"].get("enabled") is False else "active",
            "budget": lambda row: _budget(row["entry"]),
            "version": lambda row: f"version {row['version']}",
            "changed": lambda row: row["at"],
        },
    )


def _budget(entry: dict[str, Any]) -> str | None:
    budget = entry.get("monthly_budget_usd")
    return None if budget is None else f"{budget} $ a month"
