"""`broker feedback`: what was said of findings, for the next tuning of guardrails."""

from pathlib import Path
from typing import Annotated

from typer import Argument

from broker.cli.command import group, reads
from broker.cli.shell import Shell
from broker.cli.shown import Shown

app = group("What was said of guardrails' findings.")


@reads(app)
def export(
    shell: Shell,
    path: Annotated[Path, Argument(help="A .jsonl file, as python -m bench guardrails takes it.")],
) -> Shown:
    """Write labelled rows, one a line."""
    from broker.cli.reviewing import export_feedback

    said = export_feedback(shell.session, shell.outputs, path)
    return Shown({"path": str(path), "message": said}, said)
