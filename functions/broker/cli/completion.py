"""A script for the shell that completes the command, made of what there is."""

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from typer.core import TyperGroup

from broker.cli.root import root

SCRIPT = """\
# Put into ~/.{shell}rc: eval "$(broker completion {shell})"
{before}_broker() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} path="" each
    for each in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case "$path $each" in
{steps}
        esac
    done
    case "$path" in
{words}
    esac
}}
complete -o default -F _broker broker
"""

SHELLS = {"bash": "", "zsh": "autoload -U +X bashcompinit && bashcompinit\n"}


def script(shell: str) -> str:
    """The script, for `bash` or `zsh`."""
    known = dict(_commands(root(), ""))
    steps = "\n".join(f'            "{path}") path="{path}" ;;' for path in known if path)
    words = "\n".join(
        f'        "{path}") COMPREPLY=($(compgen -W "{" ".join(words)}" -- "$word")) ;;'
        for path, words in known.items()
    )
    return SCRIPT.format(shell=shell, before=SHELLS[shell], steps=steps, words=words)


def _commands(command: Any, path: str) -> Iterator[tuple[str, list[str]]]:
    """Each command by its words, with a blank before each, and what may follow it."""
    nowhere: Any = None  # what a group has, it has wherever it is asked
    following = command.list_commands(nowhere) if isinstance(command, TyperGroup) else []
    words, taking = ["--help"], [command]
    if implied := getattr(command, "implied", ""):
        taking.append(command.get_command(nowhere, implied))
    for each in (parameter for one in taking for parameter in one.params):
        options = [option for option in each.opts if option.startswith("-")]
        words += options or _choices(each)
    yield path, [*following, *words]
    for name in following:
        yield from _commands(command.get_command(nowhere, name), f"{path} {name}")


def _choices(argument: Any) -> list[str]:
    """What an argument may be, where that is listed."""
    kind = argument.type_descriptor.annotation
    return list(get_args(kind)) if get_origin(kind) is Literal else []
