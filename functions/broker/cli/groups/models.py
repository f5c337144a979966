"""`broker models`: what a key may use."""

from broker.cli.command import group, reads
from broker.cli.shell import Shell
from broker.cli.shown import Shown, rows

app = group("The models that a key may use.", implied="list")


@reads(app, "list")
def list_models(shell: Shell) -> Shown:
    """List the models that the key may use."""
    return rows(
        shell.api.call("GET", "/models")["data"],
        {
            "model": lambda row: row["id"],
            "status": lambda row: row["status"],
            "circuit": lambda row: f"circuit {row['circuit']['state']}",
            "tasks": lambda row: ", ".join(row["tasks"]),
        },
    )
