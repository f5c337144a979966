"""`broker files`: files of the key's tenant."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from broker.cli.command import changes, group, reads
from broker.cli.shell import Shell
from broker.cli.shown import Shown, record, rows, said
from broker.clock import iso

app = group("Put, list, read and delete files of the key's tenant.")

Id = Annotated[str, Argument(metavar="ID", help="The file's.")]


@changes(app)
def put(
    shell: Shell,
    path: Annotated[Path, Argument(help="A file of this machine.")],
    purpose: Annotated[str, Option(help="Such as batch.")] = "user_data",
    keep: Annotated[int | None, Option(metavar="SECONDS", help="How long; thirty days when left out.")] = None,
) -> Shown:
    """Send a file, whatever its size."""
    from broker.cli.sending import put_file

    return record(put_file(shell.api, path, purpose, keep))


@reads(app, "list")
def list_files(shell: Shell, purpose: Annotated[str | None, Option(help="Only those for this.")] = None) -> Shown:
    """List files, newest first."""
    from broker.cli.sending import files_of

    return rows(
        files_of(shell.api, purpose),
        {
            "file": lambda row: row["id"],
            "created": lambda row: iso(row["created_at"] * 1000),
            "status": lambda row: row["status"],
            "purpose": lambda row: row["purpose"],
            "bytes": lambda row: f"{row['bytes']:,}",
            "name": lambda row: row["filename"],
        },
    )


@reads(app)
def get(shell: Shell, id: Id) -> Shown:
    """Show a file's record."""
    from broker.cli.sending import path_of

    return record(shell.api.call("GET", path_of(id)))


@reads(app)
def content(shell: Shell, id: Id, path: Annotated[Path, Argument(help="Where it is written to.")]) -> Shown:
    """Write a file's bytes to a path."""
    from broker.cli.sending import path_of

    size = shell.api.fetch(f"{path_of(id)}/content", path)
    return said(f"{path}: {size} bytes", path=str(path), bytes=size)


@changes(app)
def delete(shell: Shell, id: Id) -> Shown:
    """Delete a file."""
    from broker.cli.sending import path_of

    told = shell.api.call("DELETE", path_of(id))
    return Shown(told, f"{told['id']} deleted")
