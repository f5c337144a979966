"""`broker`: parse, run, and give the exit status."""

import sys

import typer
from typer import TyperException

from broker.cli.exits import Exit
from broker.cli.root import root


def main(arguments: list[str] | None = None) -> int:
    """Run one command; gives the exit status."""
    command = root()
    try:
        status = command.main(sys.argv[1:] if arguments is None else arguments, "broker", standalone_mode=False)
    except TyperException as error:
        context = getattr(error, "ctx", None)
        usage = f"{context.get_usage()}\nTry `{context.command_path} --help`.\n" if context else ""
        print(f"{usage}broker: {error.format_message()}", file=sys.stderr)
        return Exit.USAGE
    except typer.Abort:
        return Exit.INTERRUPTED
    return int(status or 0)
