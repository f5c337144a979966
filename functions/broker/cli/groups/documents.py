"""`broker documents`: files through the inbox, by recipes."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from broker.cli.command import changes, group
from broker.cli.shell import Shell
from broker.cli.shown import Shown

app = group("Have documents worked on by recipes.")


@changes(app)
def run(
    shell: Shell,
    file: Annotated[Path, Argument(help="A document of any kind that the recipe takes.")],
    recipe: Annotated[str, Option(metavar="ID", help="What happens to it.")],
    tenant: Annotated[str | None, Option(help="Whose it is, as the key's; BROKER_TENANT when left out.")] = None,
) -> Shown:
    """Put a file into the inbox for a recipe, and watch it; the exit status is 0 where it has an answer.

    It needs an API key, and credentials that may write to the inbox and read the outbox.
    """
    from broker.cli import document_runs

    return document_runs.run(shell, document_runs.Given(file, recipe, tenant))
