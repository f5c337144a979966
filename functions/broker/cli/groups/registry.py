"""`broker registry`: what is registered, as files, and every version of it."""

from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

from broker.cli.command import changes, group, reads
from broker.cli.shell import Shell
from broker.cli.shown import Shown

app = group("Models, routes, tenants, prompts and the rest as files: plan, apply, roll back.")

Kind = Annotated[
    Literal[
        "models",
        "aliases",
        "guardrails",
        "routes",
        "tenants",
        "applications",
        "sources",
        "issuers",
        "prompts",
        "labels",
        "recipes",
        "permissions",
    ],
    Argument(help="The kind of entry."),
]
Id = Annotated[str, Argument(metavar="ID", help="The entry's.")]
Document = Annotated[Path, Argument(help="A .yaml or .json file, or a folder of them.")]
Prune = Annotated[bool, Option("--prune", help="Disable what stands and is not in the document.", show_default=False)]


@reads(app)
def plan(shell: Shell, path: Document, prune: Prune = False) -> Shown:
    """Show what a registry document would change."""
    from broker.cli.documents import read
    from broker.cli.registry_changes import planned
    from broker.registry.document import parse_registry
    from broker.registry.plan import make_plan

    return planned(make_plan(shell.registry, parse_registry(read(path)), prune=prune), done=False)


@changes(app)
def apply(shell: Shell, path: Document, prune: Prune = False) -> Shown:
    """Change what a registry document changes."""
    from broker.cli.documents import read
    from broker.cli.registry_changes import planned
    from broker.cli.stack import caller
    from broker.clock import now_ms
    from broker.registry.applying import apply
    from broker.registry.document import parse_registry

    if shell.dry_run:
        return plan(shell, path, prune)
    document = parse_registry(read(path))
    return planned(apply(shell.registry, document, by=caller(shell.session), now=now_ms(), prune=prune), done=True)


@reads(app)
def history(shell: Shell, kind: Kind, id: Id) -> Shown:
    """Show the versions of an entry."""
    from broker.cli.registry_changes import history_text

    records = shell.registry.history(kind, id)
    return Shown([each.listed() for each in records], history_text(records))


@changes(app)
def rollback(
    shell: Shell, kind: Kind, id: Id, version: Annotated[int, Argument(help="The older version's number.")]
) -> Shown:
    """Give an entry the content of an older version, as a new one."""
    from broker.cli.registry_changes import written
    from broker.registry.plan import plan_rollback

    change = plan_rollback(shell.registry, kind, id, version)
    return written(shell, change, f"{kind} {id} has the content of version {version}")


@reads(app, "import")
def import_gateway(
    shell: Shell,
    gateway: Annotated[Literal["litellm"], Argument(help="Whose configuration it is.")],
    path: Annotated[str, Argument(metavar="CONFIG", help="Its proxy's config.yaml.")],
    tenant: Annotated[str, Option(help="Whose the configuration's budget is.")] = "litellm",
) -> Shown:
    """Write another gateway's configuration as a registry document."""
    from broker.cli.importing import lines, litellm

    document = litellm.imported(lines.read(path), tenant)
    return Shown({"document": document}, document)
