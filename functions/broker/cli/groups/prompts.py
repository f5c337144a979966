"""`broker prompts`: what is stored, and which versions a label means."""

import json
from collections.abc import Iterator
from typing import Annotated, Any

from typer import Argument

from broker.cli.command import changes, group, reads
from broker.cli.printable import on_one_line
from broker.cli.shell import Shell
from broker.cli.shown import Shown
from broker.errors import InvalidRequest

app = group("Stored prompts, their variables and labels.", implied="list")


@reads(app, "list")
def list_prompts(shell: Shell) -> Shown:
    """List the stored prompts and their variables."""
    found = list(shell.api.pages("/prompts", {}, None))
    return Shown(found, "\n".join(line for row in found for line in _lines(row)))


@changes(app)
def label(
    shell: Shell,
    id: Annotated[str, Argument(metavar="ID", help="The prompt's.")],
    label: Annotated[str, Argument(help="Such as production or staging.")],
    arms: Annotated[
        list[str] | None, Argument(metavar="VERSION[:WEIGHT]", help="4, or 3:90 4:10 to divide the traffic.")
    ] = None,
) -> Shown:
    """Point a prompt's label to versions; without any it is taken away."""
    from broker.cli.registry_changes import written
    from broker.registry.document import parse_arms
    from broker.registry.plan import plan_label

    change = plan_label(shell.registry, id, label, parse_arms({"arms": [_arm(each) for each in arms or []]}))
    return written(shell, change, f"{label} of {id} stands so")


def _arm(text: str) -> dict[str, int]:
    """An arm as the command has it: a version, or a version and a weight with a colon between."""
    version, _, weight = text.partition(":")
    try:
        return {"version": int(version), **({"weight": int(weight)} if weight else {})}
    except ValueError:
        raise InvalidRequest(f"{text!r} is no version with a weight; write 4 or 4:10.", param="arms") from None


def _lines(row: Any) -> Iterator[str]:
    described = f"  {row['description']}" if row["description"] else ""
    yield on_one_line(f"{row['id']}  version {row['version']}{described}")
    for name, schema in row["variables"].items():
        need = f"default {json.dumps(schema['default'], ensure_ascii=False)}" if "default" in schema else "needed"
        yield on_one_line(f"    {name}: {schema['type']}, {need}")
