"""`broker circuits`: models that are left alone because they fail, and using them again."""

from typing import Annotated

from typer import Argument, Option

from broker.cli.command import changes, group, reads
from broker.cli.running import DryRun
from broker.cli.shell import Shell
from broker.cli.shown import Shown, rows, said
from broker.clock import now_ms

app = group("Circuits that are open, and closing one by hand.", implied="list")


@reads(app, "list")
def list_circuits(shell: Shell) -> Shown:
    """List the circuits that are open or half-open, of models and of tenants' own."""
    from broker.routing.closing import not_closed

    return rows(
        not_closed(shell.tables, now_ms()),
        {
            "model": lambda row: row["model"],
            "of": lambda row: row["tenant"] or "all tenants",
            "state": lambda row: row["state"],
            "until": lambda row: f"until {row['until']}" if row["until"] else None,
            "cooling": lambda row: f"cooling {row['cooling_seconds']} s",
        },
    )


@changes(app)
def close(
    shell: Shell,
    model: Annotated[str, Argument(help="As `broker circuits list` shows it.")],
    tenant: Annotated[str | None, Option(help="That tenant's own circuit, not the one of all.")] = None,
) -> Shown:
    """Have a model tried again, where the cause of its failures is mended; functions see it within five seconds."""
    from broker.routing import closing

    whose = f"the circuit of {model}" + (f" for {tenant}" if tenant else "")
    if shell.dry_run:
        raise DryRun(f"nothing was done; it would close {whose}", model=model, tenant=tenant)
    closing.close(shell.tables, model, tenant, now_ms())
    return said(f"{whose} is closed", model=model, tenant=tenant)
